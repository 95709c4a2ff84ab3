//! The kubeconfig, and the entry in it.

use kubectl_login::environment::Environment;
use kubectl_login::kube::kubeconfig::{Entry, Kubeconfig, KubeconfigError};
use kubectl_login::text::printable;

use super::super::args::{EntryArgs, MethodArgs};
use super::super::entry;
use super::super::profile::Settings;
use super::finding::{ENTRY, Finding, KUBECONFIG};

/// What the kubeconfig says, as far as it could be read.
pub(super) struct Configuration {
    pub(super) kubeconfig: Finding,
    pub(super) entry: Finding,
    pub(super) found: Option<Entry>,
    /// What the entry's arguments mean, and the environment it runs in.
    pub(super) settings: Option<(Settings, Environment)>,
}

impl Configuration {
    pub(super) fn read(args: &EntryArgs, environment: &Environment) -> Configuration {
        let nothing = |kubeconfig, entry| Configuration { kubeconfig, entry, found: None, settings: None };
        let explained = |error: &KubeconfigError| Finding::from(entry::explain(error, args));
        let kubeconfig = match entry::load(args.kubeconfig.as_deref(), environment) {
            Ok(kubeconfig) => kubeconfig,
            Err(error) => return nothing(explained(&error), Finding::since(KUBECONFIG)),
        };
        let mut found = match kubeconfig.entry(args.context(), args.user.as_deref()) {
            Ok(found) => found,
            Err(
                error @ (KubeconfigError::NoCurrentContext { .. }
                | KubeconfigError::NoSuchContext { .. }
                | KubeconfigError::NoUserInContext { .. }),
            ) => return nothing(explained(&error), Finding::since(KUBECONFIG)),
            Err(error) => return nothing(files(&kubeconfig, None), explained(&error)),
        };
        let files = files(&kubeconfig, found.context.as_deref());
        // A user that was named is not the context's, and signs in by its own name.
        found.context = found.context.filter(|_| args.user.is_none());
        let user = printable(&found.user, 100);
        let (entry, settings) = match entry::settings_in(&found, &MethodArgs::default(), environment) {
            Ok(settings) => {
                let provider = &settings.0.profile.provider;
                let method = settings.0.profile.method.name(provider);
                (Finding::ok(format!("the user {user:?} signs in here, by {method}")), Some(settings))
            }
            Err(error) => (Finding::from(error), None),
        };
        Configuration { kubeconfig: files, entry, found: Some(found), settings }
    }
}

/// The files, and who else may read them.
fn files(kubeconfig: &Kubeconfig, context: Option<&str>) -> Finding {
    let shown = |path: &std::path::PathBuf| printable(&path.to_string_lossy(), 200);
    let names: Vec<String> = kubeconfig.files().iter().map(shown).collect();
    let context = context.map(|name| format!(", context {:?}", printable(name, 100))).unwrap_or_default();
    let open = kubeconfig.files().iter().filter(|file| is_open_to_others(file)).map(|file| {
        let name = shown(file);
        let what = format!("other users may read or change {name}");
        Finding::warn(what, format!("Close it to others: chmod 600 {name}"))
    });
    let mut all = vec![Finding::ok(format!("{}{context}", names.join(", ")))];
    all.extend(open);
    Finding::of(all)
}

#[cfg(unix)]
fn is_open_to_others(file: &std::path::Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    // A pipe has the rights of whoever made it.
    std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &std::path::Path) -> bool {
    false
}

/// Whether clients take what the entry says of the protocol.
pub(super) fn api_version(found: Option<&Entry>) -> Finding {
    const GROUP: &str = "client.authentication.k8s.io/";
    let Some(entry) = found else { return Finding::since(ENTRY) };
    let user = printable(&entry.user, 100);
    let version = entry.exec.api_version.as_deref().unwrap_or_default();
    let mode = entry.exec.interactive_mode.as_deref();
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
            let what = format!("the entry's apiVersion {:?} is none that kubectl takes today", printable(version, 80));
            return Finding::fail(what, set_version);
        }
    };
    match mode {
        None if is_v1 => Finding::fail("the entry has no interactiveMode, and kubectl refuses it in v1", set_mode),
        None => Finding::ok(version),
        Some("IfAvailable") => Finding::ok(format!("{version}, interactiveMode IfAvailable")),
        Some("Never") => Finding::warn(
            "interactiveMode is Never: some clients then keep the terminal to themselves, and nobody can be asked",
            format!("{set_mode}\nElse sign in before: kubectl login"),
        ),
        Some("Always") => Finding::warn(
            "interactiveMode is Always: a client without a terminal refuses, though nobody might have to be asked",
            set_mode,
        ),
        Some(other) => {
            let what =
                format!("the entry's interactiveMode {:?} is none, and kubectl refuses it", printable(other, 40));
            Finding::fail(what, set_mode)
        }
    }
}
