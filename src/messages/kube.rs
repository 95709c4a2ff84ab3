//! Errors of the kubeconfig, the exec-credential protocol and the API server.

use kubectl_login_core::kube::api::{ApiClient, ApiClientError, ApiError};
use kubectl_login_core::kube::api_credentials::CredentialError;
use kubectl_login_core::kube::exec_credential::{ExecInfoError, InvalidToken};
use kubectl_login_core::kube::kubeconfig::KubeconfigError;
use kubectl_login_core::kube::resource::QuestionError;
use kubectl_login_core::text::printable;

use super::ErrorMessage;
use super::http::{Peer, transport_error};
use super::step::{Step, lines};

/// What to do if only an administrator can help.
pub const ASK_CLUSTER_ADMIN: &str = "Ask a cluster administrator.";
/// What the API server is asked for, if the user wants to know who they are to it.
pub const ASK_WHO_YOU_ARE: &str = "ask the cluster who you are";
const SET_SERVER: &str = "Set it in the kubeconfig: kubectl config set-cluster CLUSTER --server=https://HOST:PORT";

/// The error for a user who wanted `purpose` ("ask the cluster who you are") of an API server.
pub fn api_error(error: &ApiError, api: &ApiClient, purpose: &str) -> ErrorMessage {
    let server = api.server();
    let (cause, steps) = match error {
        ApiError::Unreachable(trouble) => return transport_error(trouble, purpose, Peer::ApiServer),
        ApiError::Unauthorized => (
            format!("{server} does not accept the token (HTTP 401)"),
            vec![
                sentence(
                    "Check that the kubeconfig user asks for a token that this cluster accepts: --server-id and tenant (Entra), or issuer and client id (OpenID Connect).",
                ),
                sentence("To sign in again: kubectl login --force"),
            ],
        ),
        ApiError::Forbidden(_) => (format!("{server} refuses it: {error}"), vec![sentence(ASK_CLUSTER_ADMIN)]),
        ApiError::NotFound => (
            format!("{server} does not know this request (HTTP 404)"),
            vec![sentence("Check the kubeconfig cluster's server. If it is right, the cluster is too old for this.")],
        ),
        ApiError::Status { .. } => (format!("request to {server} failed: {error}"), vec![Step::TryAgain]),
        ApiError::NotKubernetes => (
            format!("{server} is not a Kubernetes API server"),
            vec![sentence("Check the kubeconfig cluster's server, and for a captive portal or a proxy in between.")],
        ),
        ApiError::EndlessList => (format!("the list of {server} does not end"), vec![sentence(ASK_CLUSTER_ADMIN)]),
        ApiError::TooLarge => (
            format!("the answers of {server} are too large"),
            vec![sentence("Check the kubeconfig cluster's server: it may not be a Kubernetes API server.")],
        ),
        ApiError::NotRequested { .. } => (error.to_string(), vec![sentence(ASK_CLUSTER_ADMIN)]),
    };
    ErrorMessage::failed(format!("cannot {purpose}: {cause}"), lines(&steps))
}

/// The error for an API server that cannot be asked at all.
pub fn api_client_error(error: &ApiClientError) -> ErrorMessage {
    let next = match error {
        ApiClientError::Credentials(error) => return credential_error(error),
        ApiClientError::Connection(error) => return error.clone().into(),
        ApiClientError::NoServer | ApiClientError::InvalidUrl | ApiClientError::InsecureUrl { .. } => SET_SERVER,
        ApiClientError::ExposedByProxy { .. } => {
            "Set an https URL in the kubeconfig cluster's server, or remove its proxy-url."
        }
    };
    ErrorMessage::failed(error.to_string(), next)
}

/// The error for credentials of a kubeconfig user that cannot be used.
pub fn credential_error(error: &CredentialError) -> ErrorMessage {
    let next = match error {
        CredentialError::Unreadable { field, .. }
        | CredentialError::NotText { field, .. }
        | CredentialError::Empty { field, .. }
        | CredentialError::NotBase64(field)
        | CredentialError::Missing(field) => {
            format!("Correct {field} of the kubeconfig user, or ask a cluster administrator for a new kubeconfig.")
        }
        CredentialError::InvalidHeader(_) => {
            "Correct the kubeconfig user: only visible characters are allowed there.".to_owned()
        }
        CredentialError::InvalidToken => CHECK_ISSUED_TOKEN.to_owned(),
    };
    ErrorMessage::failed(error.to_string(), next)
}

/// The error for a kubeconfig that cannot be used, or has no such entry.
pub fn kubeconfig_error(error: &KubeconfigError) -> ErrorMessage {
    ErrorMessage::failed(error.to_string(), kubeconfig_next(error))
}

/// What may have been meant by a name that is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suggestions {
    /// A similar name that is there.
    pub name: Option<String>,
    /// A command with a similar name.
    pub command: Option<String>,
    /// The name stands where a command can stand.
    pub may_be_command: bool,
}

/// The same with what may have been meant.
pub fn kubeconfig_error_with(error: &KubeconfigError, suggestions: &Suggestions) -> ErrorMessage {
    let Suggestions { name, command, may_be_command } = suggestions;
    let mut next = kubeconfig_next(error);
    if let Some(name) = name {
        next = format!("Did you mean {:?}?\n{next}", printable(name, 100));
    }
    match (command, may_be_command) {
        (Some(command), _) => next = format!("Did you mean {command}?\n{next}"),
        (None, true) => next += "\nTo list the commands, if one was meant: kubectl login --help",
        (None, false) => {}
    }
    ErrorMessage::failed(error.to_string(), next)
}

/// What to do about such an error.
fn kubeconfig_next(error: &KubeconfigError) -> String {
    let text = match error {
        KubeconfigError::Unreadable { .. } => "Check the path (--kubeconfig, KUBECONFIG) and who may read the file.",
        KubeconfigError::TooLarge { .. } => {
            "Check that this is a kubeconfig, or split it and list the parts in KUBECONFIG."
        }
        KubeconfigError::Malformed { .. } => "Repair the file. To see how kubectl reads it: kubectl config view",
        KubeconfigError::Duplicate { kind, .. } => return format!("Remove or rename one of the two {kind} entries."),
        KubeconfigError::Empty { .. } => {
            "Get a kubeconfig from your cluster administrator, and name it with --kubeconfig or KUBECONFIG."
        }
        KubeconfigError::NoCurrentContext { .. } => {
            "Pass --context NAME, or choose one: kubectl config use-context NAME"
        }
        KubeconfigError::NoSuchContext { .. } => "Choose another. To list them: kubectl config get-contexts",
        KubeconfigError::NoUserInContext { .. } => {
            "Pass --user NAME, or set one: kubectl config set-context CONTEXT --user=NAME"
        }
        KubeconfigError::NoSuchUser { .. } => "Choose another. To list them: kubectl config get-users",
        KubeconfigError::NoExec { .. } => "Choose another with --context or --user, or give this user an exec plugin.",
    };
    text.to_owned()
}

/// The error for exec info that cannot be answered.
pub fn exec_info_error(error: &ExecInfoError) -> ErrorMessage {
    let (what, next) = match error {
        ExecInfoError::NotJson => ("KUBERNETES_EXEC_INFO is set, but it is not JSON".to_owned(), UNSET_EXEC_INFO),
        ExecInfoError::NotAnObject => {
            ("KUBERNETES_EXEC_INFO is set, but it is not a JSON object".to_owned(), UNSET_EXEC_INFO)
        }
        ExecInfoError::UnsupportedVersion(_) => {
            (error.to_string(), "Set the user's exec.apiVersion to client.authentication.k8s.io/v1 in your kubeconfig.")
        }
    };
    ErrorMessage::failed(what, next)
}

const UNSET_EXEC_INFO: &str = "Unset KUBERNETES_EXEC_INFO if you set it yourself; otherwise report this to the authors of \
                               the program that started this plugin.";

/// The error for a token that no client could send.
pub fn invalid_token() -> ErrorMessage {
    ErrorMessage::failed(InvalidToken.to_string(), CHECK_ISSUED_TOKEN)
}

const CHECK_ISSUED_TOKEN: &str = "Check the issuer: what it sent is not a valid token.";

/// The usage error for a verb or a resource that cannot be asked about.
pub fn question_error(error: &QuestionError) -> ErrorMessage {
    let next = match error {
        QuestionError::Verb(_) => "Name a verb and a resource, such as: kubectl login whoami --explain list pods",
        QuestionError::Resource(_) => {
            "Write it as TYPE, TYPE.GROUP, TYPE/NAME or TYPE/SUBRESOURCE, such as deployments.apps or pods/log, or as a path such as /healthz."
        }
        QuestionError::PathWithSubresource(_) => "Leave out --subresource, or name a resource type such as pods.",
    };
    ErrorMessage::usage(error.to_string(), next)
}

fn sentence(text: &str) -> Step {
    Step::Sentence(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kubectl_login_core::error::IoFailure;
    use kubectl_login_core::http::network::Network;
    use kubectl_login_core::kube::exec_credential::ExecInfo;
    use kubectl_login_core::kube::kubeconfig::{CredentialKind, EntryKind, KubeconfigCluster, ParseErrorLine};
    use kubectl_login_core::secret::Secret;

    use super::*;

    #[test]
    fn kubeconfig_advice_is_a_sentence_or_ends_with_a_command() {
        let file = || "config".into();
        let known = Vec::new;
        for error in [
            KubeconfigError::Unreadable { file: file(), reason: IoFailure::from(std::io::Error::other("reason")) },
            KubeconfigError::TooLarge { file: file() },
            KubeconfigError::Malformed { file: file(), at: ParseErrorLine::default() },
            KubeconfigError::Duplicate { file: file(), kind: EntryKind::User, name: "a".into() },
            KubeconfigError::Empty { looked_at: vec![file()] },
            KubeconfigError::NoCurrentContext { known: known() },
            KubeconfigError::NoSuchContext { name: "a".into(), known: known() },
            KubeconfigError::NoUserInContext { context: "a".into() },
            KubeconfigError::NoSuchUser { name: "a".into(), context: None, known: known() },
            KubeconfigError::NoExec { user: "a".into(), file: file(), instead: CredentialKind::Token },
        ] {
            let next = kubeconfig_next(&error);
            assert!(next.ends_with('.') != next.contains(": kubectl "), "{next}");
        }
    }

    #[test]
    fn unsupported_version_advises_one_that_is_supported() {
        let text = r#"{"apiVersion":"client.authentication.k8s.io/v1alpha1"}"#;
        let error = exec_info_error(&ExecInfo::parse(Some(text)).expect_err("an old version"));
        assert!(
            error.what.contains("v1alpha1") && error.next.contains("client.authentication.k8s.io/v1 "),
            "{error:?}"
        );
    }

    #[test]
    fn refused_server_url_says_how_to_set_another() {
        let refusal = |server: Option<&str>| {
            let cluster = KubeconfigCluster { server: server.map(str::to_owned), ..KubeconfigCluster::default() };
            let api = ApiClient::new(&cluster, &Network::default(), &Secret::new("TOKEN"), Duration::from_secs(1));
            api_client_error(&api.map(|_| ()).expect_err("it is refused"))
        };
        for (server, what) in [
            (None, "the kubeconfig names no API server for this context"),
            (Some("PASSWORD@api"), "the API server's address in the kubeconfig is not a valid URL"),
            (
                Some("http://user:PASSWORD@api.example:8080/x"),
                "the API server http://api.example:8080 is refused: only https is allowed (http only on this machine)",
            ),
        ] {
            let error = refusal(server);
            assert_eq!(error.what, what);
            assert!(error.next.contains("kubectl config set-cluster"), "{error:?}");
        }
    }
}
