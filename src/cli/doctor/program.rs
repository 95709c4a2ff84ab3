//! This program among those on the `PATH`.

use std::path::{Path, PathBuf};

use kubectl_login::environment::Environment;
use kubectl_login::kube::kubeconfig::Entry;
use kubectl_login::paths;
use kubectl_login::text::printable;

use super::finding::{ENTRY, Finding};

/// The names that kubectl and kubeconfigs start it by.
const NAMES: [&str; 3] = ["kubectl-login", "kubelogin", "kubectl-oidc_login"];

/// This version, and where its names lead.
pub(super) fn version() -> Finding {
    let this = concat!("kubectl-login ", env!("CARGO_PKG_VERSION"));
    let mut all = Vec::new();
    let mut ours = Vec::new();
    for name in NAMES {
        match on_path(name) {
            Some(path) if is_this_program(&path) => ours.push(name),
            Some(path) => all.push(Finding::warn(
                format!("{name} on the PATH is another program: {}", shown(&path)),
                format!("If {name} is to be this one, put its folder first in PATH."),
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
    Finding::of(all)
}

/// Where kubectl finds what the entry runs, and whether that is this program.
pub(super) fn command(found: Option<&Entry>, environment: &Environment) -> Finding {
    let Some(entry) = found else { return Finding::since(ENTRY) };
    let (command, user) = (&entry.exec.command, printable(&entry.user, 100));
    let name = printable(command, 200);
    let write = match this_program() {
        Some(path) => format!("Set the command in the exec of the user {user:?} to {}.", shown(&path)),
        None => format!("Correct the command in the exec of the user {user:?}."),
    };
    if command.is_empty() {
        return Finding::fail(format!("the exec of the user {user:?} has no command"), write);
    }
    let is_path = Path::new(command).components().count() > 1;
    let path = if is_path { Some(PathBuf::from(command)) } else { on_path(command) };
    let Some(path) = path else {
        let install =
            "Install it to a folder of PATH; programs that start kubectl may have another PATH than your shell.";
        return Finding::fail(format!("the command {name:?} is not on the PATH"), format!("{install}\n{write}"));
    };
    if !path.is_file() {
        return Finding::fail(format!("there is no program {name}"), write);
    }
    if !is_executable(&path) {
        let allow = format!("Allow it: chmod +x {name}");
        return Finding::fail(format!("{name} is there and is not executable"), format!("{allow}\n{write}"));
    }
    let is_at_home = paths::home(environment).is_some_and(|home| path.starts_with(home));
    let runs = match (is_path, is_at_home) {
        (true, _) => name,
        (false, false) => format!("{name} at {}", shown(&path)),
        // Neither wrong nor odd, and all the same what most complaints of "command not found" are about.
        (false, true) => format!("{name} at {} (the desktop's programs may have another PATH)", shown(&path)),
    };
    // By way of kubectl it is the plugin that counts.
    let plugin = match entry.exec.args.first().map(String::as_str) {
        _ if path.file_stem().is_none_or(|stem| stem != "kubectl") => Some(path),
        Some("oidc-login") => on_path(NAMES[2]),
        _ => on_path(NAMES[0]),
    };
    match plugin {
        None => Finding::fail(format!("{runs} runs a plugin that is not on the PATH"), write),
        // Another plugin is no concern of ours: the entry is not, either.
        Some(plugin) if entry.exec.plugin_arguments().is_some() && !is_this_program(&plugin) => Finding::warn(
            format!("{runs} is another program than this one, which does not know its sign-ins"),
            format!("If kubectl is to use this one: {}", lower(&write)),
        ),
        Some(_) => Finding::ok(runs),
    }
}

fn lower(sentence: &str) -> String {
    sentence.chars().take(1).flat_map(char::to_lowercase).chain(sentence.chars().skip(1)).collect()
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy(), 200)
}

fn this_program() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

/// The first program called `name` in this process's `PATH`. Like kubectl it looks in no relative folder.
fn on_path(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let name = match std::env::consts::EXE_SUFFIX {
        suffix if name.ends_with(suffix) => name.to_owned(),
        suffix => format!("{name}{suffix}"),
    };
    std::env::split_paths(&folders)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(&name))
        .find(|path| path.is_file() && is_executable(path))
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).is_ok_and(|found| found.mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(_: &Path) -> bool {
    true
}

/// Whether `path` leads to this program, or to a copy of it.
fn is_this_program(path: &Path) -> bool {
    let Some(this) = this_program() else { return false };
    let length = |path: &Path| std::fs::metadata(path).map(|found| found.len()).ok();
    let is_link = || matches!((path.canonicalize(), this.canonicalize()), (Ok(one), Ok(other)) if one == other);
    let is_copy = || matches!((std::fs::read(path), std::fs::read(&this)), (Ok(one), Ok(other)) if one == other);
    is_link() || (length(path) == length(&this) && is_copy())
}
