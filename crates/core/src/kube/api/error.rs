//! Errors of the API client, and which HTTP answer means which.

use serde::{Deserialize, Serialize};

use super::null_as_default;
use crate::http::{HttpSetupError, TransportError};
use crate::kube::api_credentials::CredentialError;
use crate::masking::hide;
use crate::text::printable;

/// The longest server message that is kept, in characters.
const MESSAGE: usize = 500;

/// Why a call of an API server failed. Texts of the server are printable and without the secrets that were sent.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApiError {
    /// There is no usable HTTP answer.
    #[error(transparent)]
    Unreachable(TransportError),
    /// HTTP 401: the server does not accept the credentials.
    #[error("the API server does not accept the token (HTTP 401)")]
    Unauthorized,
    /// HTTP 403: the user is not allowed to do this. Holds the server's message, or nothing.
    #[error("{}", if .0.is_empty() { "the API server refuses it (HTTP 403)" } else { .0 })]
    Forbidden(String),
    /// HTTP 404: the object or the API does not exist.
    #[error("the API server has no such thing (HTTP 404)")]
    NotFound,
    /// Any other status.
    #[error("the API server answers HTTP {status}{}{message}", if message.is_empty() { "" } else { ": " })]
    Status {
        /// HTTP status code.
        status: u16,
        /// The server's message; may be empty.
        message: String,
    },
    /// The answer does not come from a Kubernetes API server: it is a web page, for example.
    #[error("the answer does not come from a Kubernetes API server")]
    NotKubernetes,
    /// A list repeats its pages, or has more than can be read.
    #[error("the API server's list does not end")]
    EndlessList,
    /// The answers take up more memory than allowed.
    #[error("the API server's answers are too large")]
    TooLarge,
    /// The caller's limit of single requests is reached, so this one was not sent.
    #[error("only {limit} of these are requested one by one")]
    NotRequested {
        /// How many are.
        limit: usize,
    },
}

/// Why there is no client for the API server of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApiClientError {
    /// The cluster has no server address.
    #[error("the kubeconfig names no API server for this context")]
    NoServer,
    /// The server address is not a URL for http or https. It is not repeated, because it may hold a password.
    #[error("the API server's address in the kubeconfig is not a valid URL")]
    InvalidUrl,
    /// The server address is http, and not on this machine.
    #[error("the API server {server} is refused: only https is allowed (http only on this machine)")]
    InsecureUrl {
        /// Scheme, host and port.
        server: String,
    },
    /// The server address is http on this machine, and the cluster's proxy is on another one.
    #[error("the API server {server} is refused: its proxy is not on this machine, and http would expose the token")]
    ExposedByProxy {
        /// Scheme, host and port.
        server: String,
    },
    /// The credentials cannot be sent.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// The connection's settings cannot be used: a certificate authority, a client certificate or a proxy.
    #[error(transparent)]
    Connection(HttpSetupError),
}

/// The error for a status; `None` for 2xx. Kubernetes answers with a `Status` object, except that a path without an API
/// is a 404 in plain text. `secrets` are hidden in the message.
pub(super) fn status_error(status: u16, body: &[u8], secrets: &[&str]) -> Option<ApiError> {
    if (200..300).contains(&status) {
        return None;
    }
    let said: Option<StatusObject> = serde_json::from_slice(body).ok();
    let message = said.map(|said| hide(&said.message, secrets.iter().copied())).unwrap_or_default();
    let message = printable(&message, MESSAGE);
    Some(match status {
        401 => ApiError::Unauthorized,
        _ if is_page(body) => ApiError::NotKubernetes,
        403 => ApiError::Forbidden(message),
        404 => ApiError::NotFound,
        _ => ApiError::Status { status, message },
    })
}

/// Whether this is a web page.
pub(super) fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

#[derive(Deserialize)]
struct StatusObject {
    #[serde(default, deserialize_with = "null_as_default")]
    message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_become_errors() {
        let meaning = |status, body: &str| status_error(status, body.as_bytes(), &[]).map(|error| error.to_string());
        let said = r#"{"kind":"Status","message":"pods is forbidden:\u001b[2J no"}"#;
        assert_eq!(meaning(201, "<html>"), None);
        assert_eq!(meaning(403, said).as_deref(), Some("pods is forbidden:[2J no"));
        assert_eq!(meaning(403, r#"{"message":null}"#).as_deref(), Some("the API server refuses it (HTTP 403)"));
        assert_eq!(meaning(409, said).as_deref(), Some("the API server answers HTTP 409: pods is forbidden:[2J no"));
        assert!(matches!(status_error(401, b"Unauthorized", &[]), Some(ApiError::Unauthorized)));
        assert!(matches!(status_error(404, b"404 page not found", &[]), Some(ApiError::NotFound)));
        for status in [403, 404, 418] {
            assert!(
                matches!(status_error(status, b"\n<!DOCTYPE html>", &[]), Some(ApiError::NotKubernetes)),
                "{status}"
            );
        }
    }
}
