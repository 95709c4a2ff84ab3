//! This program and the entry's command on the `PATH`.

use std::path::{Path, PathBuf};

use kubectl_login::environment::{self, Environment};
use kubectl_login::paths;
use kubectl_login_core::kube::kubeconfig::Entry;
use kubectl_login_core::kube::kuberc::{self, PluginPolicy};
use kubectl_login_core::named_file;
use kubectl_login_core::text::{printable, shell_word};

use super::super::entry_reader::EntryReader;
use super::super::programs::{
    NAMES, is_executable, is_path, is_this_program, is_wrapper, located, on_path, this_program,
};
use super::finding::{ENTRY, Finding};

/// This version, and what its names on the `PATH` lead to.
pub(super) fn version() -> Finding {
    let this = concat!("kubectl-login ", env!("CARGO_PKG_VERSION"));
    let mut all = Vec::new();
    let mut ours = Vec::new();
    for name in NAMES {
        match on_path(name) {
            Some(path) if is_this_program(&path) => ours.push(name),
            Some(path) => all.push(Finding::warn(
                format!("{name} on the PATH is another program: {}", shown(&path)),
                format!("If {name} should be this program, put its folder first in PATH."),
            )),
            None if name == NAMES[0] => all.push(Finding::warn(
                format!("{name} is not on the PATH, so kubectl login does not find it"),
                format!("Add the folder of {} to PATH.", this_program().map_or_else(String::new, |path| shown(&path))),
            )),
            None => {}
        }
    }
    let known_as = if ours.is_empty() { String::new() } else { format!(", on the PATH as {}", ours.join(", ")) };
    all.insert(0, Finding::ok(format!("{this}{known_as}")));
    Finding::merged(all)
}

/// Where kubectl finds the entry's command, and whether that is this program.
pub(super) fn command(found: Option<&Entry>, environment: &Environment, reader: &EntryReader) -> Finding {
    let Some(found) = found else { return Finding::skipped_because(ENTRY) };
    let Some(exec) = &found.exec else { return Finding::skip("the user has no exec plugin") };
    let (command, user) = (&exec.command, printable(&found.user, 100));
    let name = printable(command, 200);
    let is_meant = reader.plugin_arguments(exec).is_some();
    let write = match this_program() {
        Some(path) if is_meant || command.is_empty() => {
            format!("Set the command in the exec of the user {user:?} to {}.", shown(&path))
        }
        _ => format!("Correct the command in the exec of the user {user:?}."),
    };
    if command.is_empty() {
        return Finding::fail(format!("the exec of the user {user:?} has no command"), write);
    }
    let is_path = is_path(command);
    let path = if is_path { Some(PathBuf::from(command)) } else { on_path(command) };
    let Some(path) = path else {
        let install =
            "Install it in a folder of PATH; programs that start kubectl may have another PATH than your shell.";
        return Finding::fail(format!("the command {name:?} is not on the PATH"), format!("{install}\n{write}"));
    };
    if !path.is_file() {
        return Finding::fail(format!("there is no program {name}"), write);
    }
    if !is_executable(&path) {
        let allow = format!("Allow it: chmod +x {name}");
        return Finding::fail(format!("{name} exists, but is not executable"), format!("{allow}\n{write}"));
    }
    let is_at_home = paths::home(environment).is_some_and(|home| path.starts_with(home));
    let runs = match (is_path, is_at_home) {
        (true, _) => name,
        (false, false) => format!("{name} at {}", shown(&path)),
        // Not wrong, but the cause of most complaints about "command not found".
        (false, true) => format!("{name} at {} (the desktop's programs may have another PATH)", shown(&path)),
    };
    let denied = denied_by_policy(command, &path, environment);
    // If kubectl is the command, its plugin matters.
    let plugin = match exec.args.first().map(String::as_str) {
        _ if path.file_stem().is_none_or(|stem| stem != "kubectl") => Some(path),
        Some("oidc-login") => on_path(NAMES[2]),
        _ => on_path(NAMES[0]),
    };
    let found = match plugin {
        None => Finding::fail(format!("{runs} runs a plugin that is not on the PATH"), write),
        Some(plugin) if is_wrapper(&plugin) => Finding::ok(format!("{runs}, a script that mentions this plugin")),
        // Another plugin is not checked, and nor is its entry.
        Some(plugin) if is_meant && !is_this_program(&plugin) => Finding::warn(
            format!("{runs} is not this program, which does not know its sessions"),
            format!("If kubectl should use this program: {}", lower(&write)),
        ),
        Some(_) => Finding::ok(runs),
    };
    Finding::merged(std::iter::once(found).chain(denied).collect())
}

/// Whether kubectl's preferences forbid it to run the command at `path`.
fn denied_by_policy(command: &str, path: &Path, environment: &Environment) -> Option<Finding> {
    let file = match environment.get(environment::KUBERC) {
        Some("off") => return None,
        _ if environment.get(environment::KUBECTL_KUBERC).is_some_and(|text| text.eq_ignore_ascii_case("false")) => {
            return None;
        }
        Some(file) => PathBuf::from(file),
        None => paths::home(environment)?.join(".kube").join("kuberc"),
    };
    let text = String::from_utf8(named_file::read_named(&file).ok()?).ok()?;
    let why = match kuberc::plugin_policy(&text)? {
        PluginPolicy::DenyAll => "its credentialPluginPolicy is DenyAll",
        // kubectl looks up both, and does not follow links.
        PluginPolicy::Allowlist(all) if all.iter().any(|one| located(one).as_deref() == Some(path)) => return None,
        PluginPolicy::Allowlist(_) => "it is not in its credentialPluginAllowlist",
    };
    Some(Finding::warn(
        format!("kubectl 1.35 and later refuse to run it because of {}: {why}", shown(&file)),
        format!(
            "Allow it: kubectl kuberc set --section credentialplugin --policy Allowlist --allowlist-entry command={}",
            shell_word(command)
        ),
    ))
}

fn lower(sentence: &str) -> String {
    sentence.chars().take(1).flat_map(char::to_lowercase).chain(sentence.chars().skip(1)).collect()
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy(), 200)
}
