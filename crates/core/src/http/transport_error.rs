//! Why there is no usable response to a request.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use super::certificate::CertificateProblem;
use super::origin;
use super::proxy_fault::{ProxyFacts, ProxyFault};

/// Why there is no usable response to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportError {
    /// Scheme, host and port of the server.
    pub origin: String,
    /// What went wrong.
    pub kind: TransportErrorKind,
    /// How long the server asks to wait before the next try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// The proxy that the request went through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Box<ProxyFacts>>,
}

/// What can go wrong between a request and its response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransportErrorKind {
    /// No response within the deadline.
    Timeout,
    /// The server's name could not be looked up.
    NameNotFound(String),
    /// The connection could not be made.
    Connection(String),
    /// The proxy in front of the server is at fault.
    Proxy(ProxyFault),
    /// The connection broke; the server may have received the request.
    Broken(String),
    /// The server's certificate was not accepted.
    Certificate(CertificateProblem),
    /// The response is larger than so many MiB.
    Oversized(usize),
    /// The server redirects the request, which is not followed.
    Redirect,
    /// The URL is neither https nor http on loopback.
    Url,
    /// HTTP 429 or 5xx, even after retries.
    Unavailable(u16),
}

impl TransportError {
    /// An error of this kind at the server at `url`.
    pub fn new(url: &Url, kind: TransportErrorKind) -> Self {
        TransportError { origin: origin(url), kind, retry_after: None, proxy: None }
    }

    /// Whether a later try may succeed, so that polling goes on.
    pub fn is_transient(&self) -> bool {
        match &self.kind {
            TransportErrorKind::Timeout
            | TransportErrorKind::NameNotFound(_)
            | TransportErrorKind::Connection(_)
            | TransportErrorKind::Broken(_)
            | TransportErrorKind::Unavailable(_) => true,
            TransportErrorKind::Proxy(fault) => fault.is_transient(),
            TransportErrorKind::Certificate(_)
            | TransportErrorKind::Oversized(_)
            | TransportErrorKind::Redirect
            | TransportErrorKind::Url => false,
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = &self.origin;
        match &self.kind {
            TransportErrorKind::Timeout => write!(f, "{origin} did not answer in time"),
            TransportErrorKind::NameNotFound(detail) | TransportErrorKind::Connection(detail) => {
                write!(f, "{origin} cannot be reached: {detail}")
            }
            TransportErrorKind::Proxy(fault) => match &self.proxy {
                Some(proxy) => f.write_str(&fault.sentence(proxy, origin)),
                None => write!(f, "the proxy {fault}"),
            },
            TransportErrorKind::Broken(detail) => write!(f, "the connection to {origin} broke: {detail}"),
            TransportErrorKind::Certificate(problem) => f.write_str(&problem.sentence(origin)),
            TransportErrorKind::Oversized(cap) => write!(f, "the answer of {origin} is larger than {cap} MiB"),
            TransportErrorKind::Redirect => {
                write!(f, "{origin} redirects this request, which is not followed because it carries secrets")
            }
            TransportErrorKind::Url => {
                write!(f, "{origin} is refused: only https is allowed (http only on this machine)")
            }
            TransportErrorKind::Unavailable(status) => write!(f, "{origin} is not available (HTTP {status})"),
        }
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.kind {
            TransportErrorKind::Proxy(fault) => Some(fault),
            TransportErrorKind::Certificate(problem) => Some(problem),
            _ => None,
        }
    }
}

impl TransportErrorKind {
    /// Whether the deadline passed.
    pub(super) fn is_timeout(&self) -> bool {
        matches!(self, TransportErrorKind::Timeout | TransportErrorKind::Proxy(ProxyFault::Timeout))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeout_is_transient_at_the_server_and_at_its_proxy() {
        let url = Url::parse("https://host/path").expect("a URL");
        let is_transient = |kind| TransportError::new(&url, kind).is_transient();
        assert!(is_transient(TransportErrorKind::Timeout));
        assert!(is_transient(TransportErrorKind::Proxy(ProxyFault::Timeout)));
        assert!(!is_transient(TransportErrorKind::Proxy(ProxyFault::Credentials)));
        assert!(!is_transient(TransportErrorKind::Redirect));
    }

    #[test]
    fn stored_error_reads_back_the_same() {
        let url = Url::parse("https://host/path").expect("a URL");
        for kind in [
            TransportErrorKind::Timeout,
            TransportErrorKind::Proxy(ProxyFault::Status(502)),
            TransportErrorKind::Certificate(CertificateProblem::Expired(None)),
            TransportErrorKind::Unavailable(503),
        ] {
            let error = TransportError { retry_after: Some(Duration::from_secs(7)), ..TransportError::new(&url, kind) };
            let stored = serde_json::to_string(&error).expect("JSON");
            assert_eq!(serde_json::from_str::<TransportError>(&stored).expect("the error"), error, "{stored}");
        }
    }
}
