//! What can go wrong at a proxy, and what to do about it: it is at fault then, and not the server behind it.

use super::proxy::{Proxy, ProxySource};

/// What a message may say of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyFacts {
    /// Scheme, host and port.
    pub origin: String,
    /// Where it is set.
    pub source: ProxySource,
    /// Whether a user name or password is set with it.
    pub has_credentials: bool,
}

impl ProxyFacts {
    /// The step for a server at `host` that is not to be behind this proxy.
    pub(super) fn directly(&self, host: &str) -> String {
        match self.source {
            ProxySource::Variable(_) => format!("If {host} is to be reached without a proxy, add it to NO_PROXY."),
            ProxySource::Cluster => "If the API server is to be reached without a proxy, remove proxy-url.".to_owned(),
        }
    }
}

impl From<&Proxy> for ProxyFacts {
    fn from(proxy: &Proxy) -> Self {
        ProxyFacts { origin: proxy.origin(), source: proxy.source, has_credentials: proxy.has_credentials() }
    }
}

/// What went wrong at a proxy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyFault {
    /// No connection to it can be made.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// It did not answer, or not yet, when time was up.
    #[error("did not answer in time")]
    Timeout,
    /// It does not answer as a proxy does.
    #[error("does not answer as a proxy: {0}")]
    NotAProxy(String),
    /// It wants a user name and a password, or does not accept those it got (HTTP 407, RFC 1929).
    #[error("does not accept the user name and password")]
    Credentials,
    /// It does not connect to the server, with this status (RFC 9110 section 9.3.6).
    #[error("does not connect to the server (HTTP {0})")]
    Status(u16),
    /// It does not connect to the server, for this reason (RFC 1928 section 6).
    #[error("does not connect to the server ({0})")]
    Reply(&'static str),
}

impl ProxyFault {
    /// Whether another try may end better. One with the same password never does.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self, ProxyFault::Unreachable(_) | ProxyFault::Timeout | ProxyFault::Status(500..))
    }

    /// The fault of `proxy` in front of the server at `origin`, as a sentence.
    pub(super) fn sentence(&self, proxy: &ProxyFacts, origin: &str) -> String {
        let name = &proxy.origin;
        match self {
            ProxyFault::Credentials => {
                let fault = if proxy.has_credentials { "does not accept the" } else { "wants a" };
                let number = if name.starts_with("socks") { "" } else { " (HTTP 407)" };
                format!("the proxy {name} {fault} user name and password{number}")
            }
            ProxyFault::Status(status) => format!("the proxy {name} does not connect to {origin} (HTTP {status})"),
            ProxyFault::Reply(reason) => format!("the proxy {name} does not connect to {origin} ({reason})"),
            fault => format!("the proxy {name} {fault}"),
        }
    }

    /// What to do next about the fault of `proxy`.
    pub(super) fn next(&self, proxy: &ProxyFacts) -> String {
        let source = proxy.source;
        match self {
            ProxyFault::Unreachable(_) | ProxyFault::Timeout => {
                format!("Check {source}, and the network or VPN that the proxy is in.")
            }
            ProxyFault::NotAProxy(_) => format!("Check {source}: scheme, host and port."),
            ProxyFault::Credentials if proxy.has_credentials => {
                format!("Correct the user name and password in {source}; special characters are percent-encoded there.")
            }
            ProxyFault::Credentials => {
                format!("Set user name and password in {source}, such as http://USER:PASSWORD@proxy.example:3128.")
            }
            ProxyFault::Status(500..) => "Check the server's name, then try again in a moment.".to_owned(),
            ProxyFault::Status(_) | ProxyFault::Reply(_) => {
                "Ask the proxy's administrator to allow this connection.".to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_step_names_where_the_proxy_is_set() {
        let facts = |source, has_credentials| ProxyFacts { origin: "http://p:1".to_owned(), source, has_credentials };
        let environment = facts(ProxySource::Variable("https_proxy"), true);
        let next = ProxyFault::Credentials.next(&environment);
        assert!(next.starts_with("Correct the user name and password in https_proxy;"), "{next}");
        assert_eq!(environment.directly("host"), "If host is to be reached without a proxy, add it to NO_PROXY.");
        let cluster = facts(ProxySource::Cluster, false);
        let next = ProxyFault::Credentials.next(&cluster);
        assert!(next.starts_with("Set user name and password in the kubeconfig cluster's proxy-url,"), "{next}");
        assert!(!cluster.directly("host").contains("NO_PROXY"));
        let said = ProxyFault::Status(403).sentence(&cluster, "https://host");
        assert_eq!(said, "the proxy http://p:1 does not connect to https://host (HTTP 403)");
    }
}
