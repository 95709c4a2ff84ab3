//! Commands that are known by name and do not exist yet. A context may have the same name.

use std::ffi::OsString;
use std::path::Path;

use kubectl_login::environment::Environment;

use super::{command_line, entry};

/// Their names.
pub(super) const NAMES: [&str; 3] = ["convert-kubeconfig", "setup", "aks"];

/// `words` with a context in place of a command that does not exist yet, if the kubeconfig has one of that name: users
/// signed in to it by its bare name before the command was known.
pub(super) fn context_instead(mut words: Vec<OsString>, environment: &Environment) -> Vec<OsString> {
    let Some(name) = words.get(1).and_then(|word| NAMES.into_iter().find(|name| word == name)) else { return words };
    let file = command_line::last_value(&words, &["--kubeconfig"]).map(Path::new);
    if entry::has_context(name, file, environment) {
        words.insert(1, "--context".into());
    }
    words
}
