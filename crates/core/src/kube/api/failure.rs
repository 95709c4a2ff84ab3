//! What the answers of an API server mean as far as HTTP goes, and the words for a user.

use std::fmt;

use serde::Deserialize;

use super::null_as_default;
use crate::error::Error;
use crate::http::{Peer, TransportError};
use crate::masking::hide;
use crate::text::printable;

/// How much is kept of what a server says.
const MESSAGE: usize = 500;

/// Why there is nothing to be had from an API server. What a server said is fit to be shown.
#[derive(Clone, Debug)]
pub enum Failure {
    /// There is no usable HTTP answer.
    Unreachable(TransportError),
    /// HTTP 401: the token is not accepted.
    Unauthorized,
    /// HTTP 403: the user may not do this. Holds the server's own words.
    Forbidden(String),
    /// HTTP 404: no such object, or no such API.
    NotFound,
    /// Any other status.
    Other {
        /// HTTP status code.
        status: u16,
        /// The server's own words, where it had some.
        message: String,
    },
    /// What answers is not a Kubernetes API server: a web page, say.
    NotKubernetes,
    /// A list that goes round in circles, or on and on: what was read of it is not all.
    Endless,
    /// What the server answers takes up more memory than it may.
    TooLarge,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(trouble) => trouble.fmt(f),
            Self::Unauthorized => f.write_str("the API server does not accept the token (HTTP 401)"),
            Self::Forbidden(message) if message.is_empty() => f.write_str("the API server refuses it (HTTP 403)"),
            Self::Forbidden(message) => f.write_str(message),
            Self::NotFound => f.write_str("the API server has no such thing (HTTP 404)"),
            Self::Other { status, message } if message.is_empty() => write!(f, "the API server answers HTTP {status}"),
            Self::Other { status, message } => write!(f, "the API server answers HTTP {status}: {message}"),
            Self::NotKubernetes => f.write_str("what answers is no Kubernetes API server"),
            Self::Endless => f.write_str("the API server's list does not end"),
            Self::TooLarge => f.write_str("the API server's answers are too large"),
        }
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// The error for a user who wanted `what` ("ask the cluster who you are") of `server`.
    pub(super) fn explain(&self, what: &str, server: &str) -> Error {
        let (cause, next) = match self {
            Failure::Unreachable(trouble) => return trouble.explain(what, Peer::ApiServer),
            Failure::Unauthorized => (
                format!("{server} does not accept the token (HTTP 401)"),
                "Check that the kubeconfig user asks for a token that this cluster takes: --server-id and tenant (Entra), or issuer and client id (OpenID Connect).\nTo sign in again: kubectl login --force",
            ),
            Failure::Forbidden(_) => (format!("{server} refuses it: {self}"), "Ask whoever runs the cluster."),
            Failure::NotFound => (
                format!("{server} does not know this request (HTTP 404)"),
                "Check the kubeconfig cluster's server. If it is right, the cluster is too old for this.",
            ),
            Failure::Other { .. } => (format!("asked at {server}: {self}"), "Try again in a moment."),
            Failure::NotKubernetes => (
                format!("what answers at {server} is no Kubernetes API server"),
                "Check the kubeconfig cluster's server, and whether a captive portal or a proxy stands in between.",
            ),
            Failure::Endless => (format!("the list of {server} does not end"), "Ask whoever runs the cluster."),
            Failure::TooLarge => (
                format!("the answers of {server} are too large"),
                "Check the kubeconfig cluster's server: what answers may not be a Kubernetes API server.",
            ),
        };
        Error::failed(format!("cannot {what}: {cause}"), next)
    }
}

/// What a bad status means; `None` for a good one. Kubernetes answers with a `Status` object, except that a path without
/// an API is a 404 in plain text. `secrets` are not repeated.
pub(super) fn of_status(status: u16, body: &[u8], secrets: &[&str]) -> Option<Failure> {
    if (200..300).contains(&status) {
        return None;
    }
    let said: Option<Status> = serde_json::from_slice(body).ok();
    let message = said.map(|said| hide(&said.message, secrets.iter().copied())).unwrap_or_default();
    let message = printable(&message, MESSAGE);
    Some(match status {
        401 => Failure::Unauthorized,
        _ if is_page(body) => Failure::NotKubernetes,
        403 => Failure::Forbidden(message),
        404 => Failure::NotFound,
        _ => Failure::Other { status, message },
    })
}

/// Whether this is a web page.
pub(super) fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

#[derive(Deserialize)]
struct Status {
    #[serde(default, deserialize_with = "null_as_default")]
    message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_a_meaning() {
        let meaning = |status, body: &str| of_status(status, body.as_bytes(), &[]).map(|failure| failure.to_string());
        let said = r#"{"kind":"Status","message":"pods is forbidden:\u001b[2J no"}"#;
        assert_eq!(meaning(201, "<html>"), None);
        assert_eq!(meaning(403, said).as_deref(), Some("pods is forbidden:[2J no"));
        assert_eq!(meaning(403, r#"{"message":null}"#).as_deref(), Some("the API server refuses it (HTTP 403)"));
        assert_eq!(meaning(409, said).as_deref(), Some("the API server answers HTTP 409: pods is forbidden:[2J no"));
        assert!(matches!(of_status(401, b"Unauthorized", &[]), Some(Failure::Unauthorized)));
        assert!(matches!(of_status(404, b"404 page not found", &[]), Some(Failure::NotFound)));
        for status in [403, 404, 418] {
            assert!(matches!(of_status(status, b"\n<!DOCTYPE html>", &[]), Some(Failure::NotKubernetes)), "{status}");
        }
    }
}
