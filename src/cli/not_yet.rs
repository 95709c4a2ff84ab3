//! Commands that are known by name before they exist: what they will do, and what does it until then.

use std::ffi::OsString;
use std::path::Path;

use kubectl_login::environment::Environment;
use kubectl_login::messages::ErrorMessage;

use super::{command_line, entry};

/// Their names.
pub(super) const NAMES: [&str; 3] = ["convert-kubeconfig", "setup", "aks"];

/// `words` with a context in place of a command that is not there yet, where the kubeconfig has one of that name: it was
/// signed in to by its bare name before the command was known.
pub(super) fn context_instead(mut words: Vec<OsString>, environment: &Environment) -> Vec<OsString> {
    let Some(name) = words.get(1).and_then(|word| NAMES.into_iter().find(|name| word == name)) else { return words };
    let file = command_line::last_value(&words, &["--kubeconfig"]).map(Path::new);
    if entry::has_context(name, file, environment) {
        words.insert(1, "--context".into());
    }
    words
}

/// The error of a command that is not there yet.
fn not_yet(command: &str, will: &str, until_then: &str) -> ErrorMessage {
    ErrorMessage::failed(format!("{command} is not supported yet; it will {will}"), until_then)
}

/// `convert-kubeconfig`.
pub(super) fn convert_kubeconfig() -> ErrorMessage {
    not_yet(
        "convert-kubeconfig",
        "rewrite the users of a kubeconfig to this plugin",
        "Write the user's exec entry yourself, with the command kubectl-login and the arguments of get-token.\nTo list these: kubectl login get-token --help",
    )
}

/// `setup`.
pub(super) fn setup() -> ErrorMessage {
    not_yet(
        "setup",
        "lead through the first set-up with an OpenID Connect issuer",
        "Make the kubeconfig user yourself: kubectl config set-credentials oidc --exec-api-version=client.authentication.k8s.io/v1beta1 --exec-command=kubectl-login --exec-arg=get-token --exec-arg=--oidc-issuer-url=ISSUER --exec-arg=--oidc-client-id=CLIENT\nThen have the context use it: kubectl config set-context --current --user=oidc\nThen sign in: kubectl login",
    )
}

/// `aks`.
pub(super) fn aks() -> ErrorMessage {
    not_yet(
        "aks",
        "list AKS clusters, get their credentials and say how access to them is granted",
        "Get the credentials with Azure's own tool: az aks get-credentials --resource-group GROUP --name CLUSTER\nThen sign in: kubectl login",
    )
}
