//! Commands that are known by name and do not exist yet: what they will do, and what does it until then.

use super::ErrorMessage;

/// A command that is known by name and does not exist yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsupportedCommand {
    /// `convert-kubeconfig`
    ConvertKubeconfig,
    /// `setup`
    Setup,
    /// `aks`
    Aks,
}

impl From<UnsupportedCommand> for ErrorMessage {
    fn from(command: UnsupportedCommand) -> ErrorMessage {
        let (name, will, until_then) = match command {
            UnsupportedCommand::ConvertKubeconfig => (
                "convert-kubeconfig",
                "rewrite the users of a kubeconfig to this plugin",
                "Write the user's exec entry yourself, with the command kubectl-login and the arguments of get-token.\nTo list these: kubectl login get-token --help",
            ),
            UnsupportedCommand::Setup => (
                "setup",
                "lead through the first set-up with an OpenID Connect issuer",
                "Make the kubeconfig user yourself: kubectl config set-credentials oidc --exec-api-version=client.authentication.k8s.io/v1beta1 --exec-command=kubectl-login --exec-arg=get-token --exec-arg=--oidc-issuer-url=ISSUER --exec-arg=--oidc-client-id=CLIENT\nThen have the context use it: kubectl config set-context --current --user=oidc\nThen sign in: kubectl login",
            ),
            UnsupportedCommand::Aks => (
                "aks",
                "list AKS clusters, get their credentials and say how access to them is granted",
                "Get the credentials with Azure's own tool: az aks get-credentials --resource-group GROUP --name CLUSTER\nThen sign in: kubectl login",
            ),
        };
        ErrorMessage::failed(format!("{name} is not supported yet; it will {will}"), until_then)
    }
}
