//! Why there is no answer, and what to do about it, which depends on who was asked.

use std::fmt;
use std::time::Duration;

use url::Url;

use super::aks::{self, ServerFacts};
use super::certificate::CertificateProblem;
use super::origin;
use super::proxy::ProxySource;
use super::proxy_fault::{ProxyFacts, ProxyFault};
use crate::error::Error;

/// Why there is no answer. What it means to the user depends on what was wanted and of whom, so callers give it words with
/// [`TransportError::explain`].
#[derive(Clone, Debug)]
pub struct TransportError {
    /// Scheme, host and port that were asked.
    pub origin: String,
    /// What went wrong.
    pub kind: TransportErrorKind,
    /// How long the server asks to wait before the next try.
    pub retry_after: Option<Duration>,
    /// The proxy that the request went through.
    pub proxy: Option<Box<ProxyFacts>>,
}

/// What can go wrong between a request and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportErrorKind {
    /// No answer within the deadline.
    Timeout,
    /// The server's name could not be looked up.
    NameNotFound(String),
    /// The connection could not be made.
    Connection(String),
    /// The proxy in front of the server is at fault.
    Proxy(ProxyFault),
    /// The connection broke; what was asked may have been heard.
    Broken(String),
    /// The server's certificate was not accepted.
    Certificate(CertificateProblem),
    /// The answer is longer than so many MiB.
    Oversized(usize),
    /// The server wants the request sent elsewhere, which is refused.
    Redirect,
    /// The URL is neither https nor http on loopback.
    Url,
    /// HTTP 429 or 5xx to the end.
    Unavailable(u16),
}

/// Who was asked: where its address stands, and who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Whoever signs people in: the entry's issuer or authority.
    Issuer,
    /// A service of this name, whose address nobody has typed.
    Service(&'static str),
    /// The API server of a kubeconfig's cluster.
    ApiServer,
}

impl TransportError {
    /// An error of this kind at the server at `url`.
    pub fn new(url: &Url, kind: TransportErrorKind) -> Self {
        TransportError { origin: origin(url), kind, retry_after: None, proxy: None }
    }

    /// Whether another try may end better: what a long wait, such as polling, goes on after.
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

    /// The error for a user who wanted `what` ("sign in", "refresh the token") of whoever was `asked`.
    pub fn explain(&self, what: &str, peer: Peer) -> Error {
        Error::failed(format!("cannot {what}: {self}"), self.next(peer))
    }

    /// What to do next, a step a line, the likeliest first.
    fn next(&self, peer: Peer) -> String {
        let host = Url::parse(&self.origin).ok().and_then(|url| Some(url.host_str()?.to_owned())).unwrap_or_default();
        let mut steps = Vec::new();
        if peer == Peer::ApiServer {
            steps.extend(self.api_server_steps(&host));
        }
        match (&self.kind, &self.proxy) {
            (TransportErrorKind::Proxy(fault), Some(proxy)) => {
                steps.push(fault.next(proxy));
                // Said already of a private server.
                if steps.len() == 1 {
                    steps.push(proxy.directly(&host));
                }
            }
            (kind, _) => steps.push(kind.next(peer)),
        }
        steps.join("\n")
    }

    /// What the address of an API server tells of the reason.
    fn api_server_steps(&self, host: &str) -> Vec<String> {
        let facts = ServerFacts::of_host(host);
        let mut steps = Vec::new();
        if let Some(ProxyFacts { origin, source: ProxySource::Variable(name), .. }) = self.proxy.as_deref()
            && facts.is_private
            && !matches!(self.kind, TransportErrorKind::Certificate(_))
        {
            steps.push(format!(
                "{host} is private: add it to NO_PROXY, unless the proxy {origin} ({name}) leads there."
            ));
        }
        if facts.is_aks
            && facts.is_private
            && matches!(self.kind, TransportErrorKind::NameNotFound(_) | TransportErrorKind::Timeout)
        {
            steps.push(aks::PRIVATE_CLUSTER.to_owned());
        }
        match self.kind {
            TransportErrorKind::NameNotFound(_) if facts.is_aks => steps.push(aks::GET_CREDENTIALS.to_owned()),
            TransportErrorKind::Timeout if facts.is_aks && !facts.is_private => steps.push(aks::IP_RANGES.to_owned()),
            _ => {}
        }
        steps
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

impl std::error::Error for TransportError {}

impl TransportErrorKind {
    /// Whether time was up.
    pub(super) fn is_timeout(&self) -> bool {
        matches!(self, TransportErrorKind::Timeout | TransportErrorKind::Proxy(ProxyFault::Timeout))
    }

    /// What to do next about the cause alone.
    fn next(&self, peer: Peer) -> String {
        match (self, peer) {
            (
                TransportErrorKind::Timeout
                | TransportErrorKind::NameNotFound(_)
                | TransportErrorKind::Connection(_)
                | TransportErrorKind::Broken(_)
                | TransportErrorKind::Proxy(_),
                Peer::ApiServer,
            ) => {
                "Check that the cluster is running, and the network, VPN and proxy (HTTPS_PROXY, NO_PROXY).".to_owned()
            }
            (TransportErrorKind::Timeout, _) => format!(
                "{CHECK_THE_NETWORK}\nTo give a slow network more time, add --timeout=60s to the kubeconfig user's exec.args."
            ),
            (
                TransportErrorKind::NameNotFound(_)
                | TransportErrorKind::Connection(_)
                | TransportErrorKind::Broken(_)
                | TransportErrorKind::Proxy(_),
                _,
            ) => CHECK_THE_NETWORK.to_owned(),
            (TransportErrorKind::Certificate(problem), peer) => problem.next(peer),
            (TransportErrorKind::Oversized(_), Peer::Issuer) => {
                "Check the issuer or authority URL and the proxy: what answers is no sign-in server.".to_owned()
            }
            (TransportErrorKind::Oversized(_), Peer::ApiServer) => {
                "Check the kubeconfig cluster's server: what answers may be no Kubernetes API server.".to_owned()
            }
            (TransportErrorKind::Redirect, Peer::Issuer) => between("the issuer or authority URL"),
            (TransportErrorKind::Redirect, Peer::ApiServer) => between("the kubeconfig cluster's server"),
            (TransportErrorKind::Oversized(_) | TransportErrorKind::Redirect, Peer::Service(name)) => {
                format!("Check the proxy, and whether something stands between this machine and {name}.")
            }
            (TransportErrorKind::Url, Peer::Issuer) => "Use an https URL for the issuer or authority.".to_owned(),
            (TransportErrorKind::Url, Peer::Service(name)) => {
                format!("Ask whoever gave you the address of {name} for one that begins with https.")
            }
            (TransportErrorKind::Url, Peer::ApiServer) => {
                "Set an https URL in the kubeconfig cluster's server.".to_owned()
            }
            (TransportErrorKind::Unavailable(_), _) => "Try again in a moment.".to_owned(),
        }
    }
}

/// What to do when a connection does not hold.
const CHECK_THE_NETWORK: &str = "Check the network, VPN and proxy (HTTPS_PROXY, NO_PROXY), then try again.";

fn between(address: &str) -> String {
    format!("Check {address}, and whether a captive portal or a proxy stands in between.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeout_passes_at_the_server_and_at_its_proxy() {
        let url = Url::parse("https://host/path").expect("a URL");
        let passes = |kind| TransportError::new(&url, kind).is_transient();
        assert!(passes(TransportErrorKind::Timeout) && passes(TransportErrorKind::Proxy(ProxyFault::Timeout)));
        assert!(!passes(TransportErrorKind::Proxy(ProxyFault::Credentials)) && !passes(TransportErrorKind::Redirect));
    }

    #[test]
    fn the_next_step_is_about_whoever_was_asked() {
        let url = Url::parse("https://host/path").expect("a URL");
        for kind in [TransportErrorKind::Oversized(1), TransportErrorKind::Redirect, TransportErrorKind::Url] {
            let next = |peer| TransportError::new(&url, kind.clone()).explain("ask", peer).next;
            assert!(next(Peer::Issuer).contains("issuer or authority"), "{kind:?}");
            assert!(next(Peer::ApiServer).contains("kubeconfig cluster's server"), "{kind:?}");
            let service = next(Peer::Service("Microsoft Graph"));
            assert!(service.contains("Microsoft Graph") && !service.contains("issuer"), "{kind:?}: {service}");
        }
        // How long the API server may take is nobody's to choose.
        let next = |peer| TransportError::new(&url, TransportErrorKind::Timeout).explain("ask", peer).next;
        assert!(next(Peer::Issuer).contains("--timeout") && !next(Peer::ApiServer).contains("--timeout"));
    }
}
