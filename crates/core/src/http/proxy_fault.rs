//! What can go wrong at a proxy, as opposed to the server beyond it.

use serde::{Deserialize, Serialize};

use super::proxy::{Proxy, ProxySource};

/// What a message may say about a proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyFacts {
    /// Scheme, host and port.
    pub origin: String,
    /// Where it is set.
    pub source: ProxySource,
    /// Whether a user name or password is set with it.
    pub has_credentials: bool,
}

impl From<&Proxy> for ProxyFacts {
    fn from(proxy: &Proxy) -> Self {
        ProxyFacts { origin: proxy.origin(), source: proxy.source.clone(), has_credentials: proxy.has_credentials() }
    }
}

/// What went wrong at a proxy. The clauses have the proxy as their subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyFault {
    /// No connection to it can be made.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// It did not answer within the deadline.
    #[error("did not answer in time")]
    Timeout,
    /// Its response is not that of a proxy.
    #[error("does not answer as a proxy: {0}")]
    NotAProxy(String),
    /// It requires a user name and password, or rejects those it got (HTTP 407, RFC 1929).
    #[error("does not accept the user name and password")]
    Credentials,
    /// It does not connect to the server, with this status (RFC 9110 section 9.3.6).
    #[error("does not connect to the server (HTTP {0})")]
    Status(u16),
    /// A SOCKS proxy does not connect to the server, for this reason.
    #[error("does not connect to the server ({0})")]
    Reply(SocksRefusal),
}

/// Why a SOCKS proxy does not connect to a server (RFC 1928 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum SocksRefusal {
    /// Reply 2.
    #[error("its rules do not allow it")]
    NotAllowed,
    /// Reply 3.
    #[error("the network cannot be reached")]
    NetworkUnreachable,
    /// Reply 4.
    #[error("the host cannot be reached")]
    HostUnreachable,
    /// Reply 5.
    #[error("the connection is refused")]
    ConnectionRefused,
    /// Reply 6.
    #[error("the host is too far away")]
    TtlExpired,
    /// Reply 7 or 8.
    #[error("it does not support this kind of connection")]
    NotSupported,
    /// The server's name is longer than the 255 bytes that the protocol allows; the proxy was not asked.
    #[error("the name is too long")]
    NameTooLong,
    /// Any other reply.
    #[error("it does not say why")]
    Unspecified,
}

impl SocksRefusal {
    /// The meaning of a reply's number.
    pub(super) fn from_code(code: u8) -> SocksRefusal {
        match code {
            2 => SocksRefusal::NotAllowed,
            3 => SocksRefusal::NetworkUnreachable,
            4 => SocksRefusal::HostUnreachable,
            5 => SocksRefusal::ConnectionRefused,
            6 => SocksRefusal::TtlExpired,
            7 | 8 => SocksRefusal::NotSupported,
            _ => SocksRefusal::Unspecified,
        }
    }
}

impl ProxyFault {
    /// Whether a retry may succeed. One with the same password never does.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_names_proxy_and_server() {
        let proxy = |origin: &str, has_credentials| ProxyFacts {
            origin: origin.to_owned(),
            source: ProxySource::Cluster,
            has_credentials,
        };
        let said = ProxyFault::Status(403).sentence(&proxy("http://p:1", false), "https://host");
        assert_eq!(said, "the proxy http://p:1 does not connect to https://host (HTTP 403)");
        let said = ProxyFault::Reply(SocksRefusal::NotAllowed).sentence(&proxy("socks5://p:1", false), "https://host");
        assert_eq!(said, "the proxy socks5://p:1 does not connect to https://host (its rules do not allow it)");
        let said = ProxyFault::Credentials.sentence(&proxy("http://p:1", true), "https://host");
        assert_eq!(said, "the proxy http://p:1 does not accept the user name and password (HTTP 407)");
    }
}
