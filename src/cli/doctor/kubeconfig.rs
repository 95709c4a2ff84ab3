//! The kubeconfig, and the entry in it.

use std::path::Path;

use kubectl_login::environment::Environment;
use kubectl_login_core::kube::kubeconfig::{Entry, ExecConfig, Kubeconfig, KubeconfigError};
use kubectl_login_core::text::printable;

use super::super::args::{EntryArgs, MethodArgs};
use super::super::entry_reader::EntryReader;
use super::super::profile::Settings;
use super::super::selection::Selection;
use super::super::{entry, kubectl_user, programs};
use super::credentials;
use super::finding::{ENTRY, Finding, KUBECONFIG};

/// What the kubeconfig says, as far as it could be read.
pub(super) struct Configuration {
    pub(super) kubeconfig: Finding,
    pub(super) entry: Finding,
    pub(super) found: Option<Entry>,
    /// What the entry's arguments mean, and the environment it runs in.
    pub(super) settings: Option<(Settings, Environment)>,
    /// A script passes on the arguments, perhaps with others, so conclusions from them are not certain.
    by_wrapper: bool,
}

impl Configuration {
    pub(super) fn read(args: &EntryArgs, environment: &Environment, reader: &EntryReader) -> Configuration {
        let nothing =
            |kubeconfig, entry| Configuration { kubeconfig, entry, found: None, settings: None, by_wrapper: false };
        let explained = |error: &KubeconfigError| Finding::from(entry::explain(error, args));
        let kubeconfig = match entry::load(args.kubeconfig.as_deref(), environment) {
            Ok(kubeconfig) => kubeconfig,
            Err(error) => return nothing(explained(&error), Finding::skipped_because(KUBECONFIG)),
        };
        let mut found = match kubeconfig.entry(args.context(), args.user.as_deref()) {
            Ok(found) => found,
            Err(
                error @ (KubeconfigError::NoCurrentContext { .. }
                | KubeconfigError::NoSuchContext { .. }
                | KubeconfigError::NoUserInContext { .. }),
            ) => return nothing(explained(&error), Finding::skipped_because(KUBECONFIG)),
            Err(error) => return nothing(files(&kubeconfig, None), explained(&error)),
        };
        let missing = missing_cluster(&kubeconfig, &found);
        let files =
            Finding::merged(std::iter::once(files(&kubeconfig, found.context.as_deref())).chain(missing).collect());
        // A user that was named is not the context's user, and signs in under its own name.
        found.context = found.context.filter(|_| args.user.is_none());
        let by_wrapper = wrapper(&found, reader).is_some();
        let (sign_in, settings) = sign_in(&found, environment, reader);
        let selection = || Selection::from_args(args, &found);
        let settings = settings.map(|(settings, environment)| (settings.selected_by(selection()), environment));
        let overrides = kubectl_user::overrides(&found).into_iter().map(Finding::from);
        let mut entry = Finding::merged(std::iter::once(sign_in).chain(overrides).collect());
        if let [_, ..] = found.shadowed.as_slice() {
            let others: Vec<String> = found.shadowed.iter().map(|file| shown(file)).collect();
            entry.message +=
                &format!("; kubectl takes this user from {}, and not from {}", shown(&found.file), others.join(", "));
        }
        Configuration { kubeconfig: files, entry, found: Some(found), settings, by_wrapper }
    }

    /// `finding`, which follows from the entry's arguments: not certain if a script passes them on.
    pub(super) fn with_certainty(&self, finding: Finding) -> Finding {
        if self.by_wrapper { finding.at_most_warning() } else { finding }
    }

    /// `finding` with the places that its values come from, and with the context that was named.
    pub(super) fn with_sources(&self, finding: Finding) -> Finding {
        match &self.settings {
            Some((settings, _)) => finding.corrected_by(&settings.sources),
            None => finding,
        }
    }

    /// What to say about the session if this plugin does not sign in for the entry.
    pub(super) fn no_sign_in(&self) -> Finding {
        match &self.found {
            Some(found) if !self.entry.has_failed() => {
                Finding::skip(format!("the user {:?} does not sign in with this plugin", printable(&found.user, 100)))
            }
            _ => Finding::skipped_because(ENTRY),
        }
    }
}

/// How the user signs in, and what the plugin's arguments mean if the plugin is this one.
fn sign_in(
    found: &Entry,
    environment: &Environment,
    reader: &EntryReader,
) -> (Finding, Option<(Settings, Environment)>) {
    let user = printable(&found.user, 100);
    let read = |found: &Entry| entry::settings_in(found, &MethodArgs::default(), environment, reader);
    let method = |settings: &Settings| settings.profile.method.name(&settings.profile.provider);
    let Some(exec) = &found.exec else { return (credentials::alone(found), None) };
    let command = printable(&exec.command, 100);
    if let Some(by_script) = wrapper(found, reader) {
        let what = format!("the user {user:?} runs {command:?}, a script that mentions this plugin");
        return match read(&by_script) {
            Ok(settings) => {
                let method = method(&settings.0);
                (Finding::ok(format!("{what}; with the entry's arguments it signs in by {method}")), Some(settings))
            }
            Err(_) => (Finding::ok(what), None),
        };
    }
    let is_this = || programs::located(&exec.command).is_some_and(|path| programs::is_this_program(&path));
    if reader.plugin_arguments(exec).is_none() && !exec.command.is_empty() && !is_this() {
        let what = format!("the user {user:?} gets its token from {command:?}, which is not this plugin");
        return (Finding::ok(what), None);
    }
    match read(found) {
        Ok(settings) => {
            let with = settings.0.sources.in_short();
            let what = format!("the user {user:?} signs in with this plugin, by {}{with}", method(&settings.0));
            (Finding::ok(what), Some(settings))
        }
        Err(error) => (Finding::from(error), None),
    }
}

/// The entry as a script probably passes it on, if a script runs this plugin for the user.
fn wrapper(found: &Entry, reader: &EntryReader) -> Option<Entry> {
    let exec = found.exec.as_ref()?;
    programs::located(&exec.command).filter(|path| programs::is_wrapper(path))?;
    let command =
        if reader.plugin_arguments(exec).is_some() { exec.command.clone() } else { programs::NAMES[0].to_owned() };
    Some(Entry { exec: Some(ExecConfig { command, ..exec.clone() }), ..found.clone() })
}

/// A context whose cluster is not defined; kubectl uses `localhost:8080` then.
fn missing_cluster(kubeconfig: &Kubeconfig, found: &Entry) -> Option<Finding> {
    let (context, cluster) = (found.context.as_ref()?, found.cluster.as_ref()?);
    (!kubeconfig.has_cluster(cluster)).then(|| {
        let (context, cluster) = (printable(context, 100), printable(cluster, 100));
        Finding::fail(
            format!("the context {context:?} names the cluster {cluster:?}, which no file defines"),
            "Choose another context, or one of the existing clusters: kubectl config get-clusters",
        )
    })
}

/// The files, and whether other users may read them.
fn files(kubeconfig: &Kubeconfig, context: Option<&str>) -> Finding {
    let names: Vec<String> = kubeconfig.files().iter().map(|file| shown(file)).collect();
    let context = context.map(|name| format!(", context {:?}", printable(name, 100))).unwrap_or_default();
    let open = kubeconfig.files().iter().filter(|file| is_open_to_others(file)).map(|file| {
        let name = shown(file);
        let what = format!("other users may read or change {name}");
        Finding::warn(what, format!("Make it private: chmod 600 {name}"))
    });
    let mut all = vec![Finding::ok(format!("{}{context}", names.join(", ")))];
    all.extend(open);
    Finding::merged(all)
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy(), 200)
}

#[cfg(unix)]
fn is_open_to_others(file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    // The mode of a pipe is up to the program that made it.
    std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> bool {
    false
}

/// Whether clients accept the entry's API version and interactive mode.
pub(super) fn api_version(found: Option<&Entry>) -> Finding {
    const GROUP: &str = "client.authentication.k8s.io/";
    let Some(entry) = found else { return Finding::skipped_because(ENTRY) };
    let Some(exec) = &entry.exec else { return Finding::skip("the user has no exec plugin") };
    let user = printable(&entry.user, 100);
    if exec.env.iter().any(|(name, _)| name.is_empty()) {
        return Finding::fail(
            "exec.env has an item without a name, and kubectl refuses the entry",
            format!("Give it a name, or delete it, in the exec of the user {user:?}."),
        );
    }
    let version = exec.api_version.as_deref().unwrap_or_default();
    let mode = exec.interactive_mode.as_deref();
    let set_mode = format!("Set interactiveMode: IfAvailable in the exec of the user {user:?}.");
    let set_version =
        format!("Set apiVersion: {GROUP}v1 and interactiveMode: IfAvailable in the exec of the user {user:?}.");
    let is_v1 = match version.strip_prefix(GROUP) {
        Some("v1") => true,
        Some("v1beta1") => false,
        _ if version.is_empty() => {
            return Finding::fail("the entry has no apiVersion, and kubectl refuses it", set_version);
        }
        _ => {
            let what = format!("the entry's apiVersion {:?} is not one that kubectl accepts", printable(version, 80));
            return Finding::fail(what, set_version);
        }
    };
    match mode {
        None if is_v1 => Finding::fail("the entry has no interactiveMode, and kubectl refuses it in v1", set_mode),
        None => Finding::ok(version),
        Some("IfAvailable") => Finding::ok(format!("{version}, interactiveMode IfAvailable")),
        Some("Never") => Finding::warn(
            "interactiveMode is Never: with some clients the plugin then has no terminal and cannot prompt",
            format!("{set_mode}\nOtherwise sign in first: kubectl login"),
        ),
        Some("Always") => Finding::warn(
            "interactiveMode is Always: a client without a terminal refuses to run the plugin, even if no prompt is needed",
            set_mode,
        ),
        Some(other) => {
            let what =
                format!("the entry's interactiveMode {:?} is not valid, and kubectl refuses it", printable(other, 40));
            Finding::fail(what, set_mode)
        }
    }
}
