//! Proxies: which one is used for a server, and where it is configured.
//!
//! The rules are those of Go's `golang.org/x/net/http/httpproxy`, because kubectl follows them. Must not know the protocols
//! of proxies.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::is_loopback;
use super::network::{Network, Proxies, ProxyVariable};
use super::setup_error::HttpSetupError;
use crate::text::printable;

/// The port of a SOCKS proxy whose address does not name one (RFC 1928 section 3).
const SOCKS_PORT: u16 = 1080;

/// A proxy in front of a server.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Scheme `http`, `https` or `socks5h`, host and port; may contain a user name and password.
    url: Url,
    /// Where it is set.
    pub source: ProxySource,
}

/// Where a proxy is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxySource {
    /// In this variable.
    Variable(Cow<'static, str>),
    /// In the kubeconfig cluster's `proxy-url`.
    Cluster,
}

impl Proxy {
    /// Reads the address of a proxy. Without a scheme, the address in a variable is one for http.
    ///
    /// Errors: it is not a URL, or of a kind that is not supported. The address may contain a password and is not repeated.
    fn parse(address: &str, source: ProxySource) -> Result<Proxy, HttpSetupError> {
        // kubectl requires a scheme in a cluster's proxy-url.
        let is_complete = address.contains("://") || source == ProxySource::Cluster;
        let with_scheme = if is_complete { address.to_owned() } else { format!("http://{address}") };
        let parsed = Url::parse(&with_scheme).ok().filter(Url::has_host);
        let Some(mut url) = parsed else { return Err(HttpSetupError::InvalidProxy(source)) };
        let done = match url.scheme() {
            "http" | "https" => Ok(()),
            // Go treats both the same: the proxy looks names up.
            "socks5" | "socks5h" => {
                let port = url.port().unwrap_or(SOCKS_PORT);
                url.set_scheme("socks5h").and_then(|()| url.set_port(Some(port)))
            }
            other => {
                return Err(HttpSetupError::UnsupportedProxy { setting: source, scheme: printable(other, 20) });
            }
        };
        match done {
            Ok(()) => Ok(Proxy { url, source }),
            Err(()) => Err(HttpSetupError::InvalidProxy(source)),
        }
    }

    /// The proxy that a kubeconfig's cluster names.
    ///
    /// Errors: it is not a URL, or of a kind that is not supported.
    pub(super) fn from_cluster(address: &str) -> Result<Proxy, HttpSetupError> {
        Proxy::parse(address, ProxySource::Cluster)
    }

    /// Scheme, host and port, fit for a message.
    pub fn origin(&self) -> String {
        let scheme = self.url.scheme().trim_end_matches('h');
        let port = self.url.port_or_known_default().unwrap_or(SOCKS_PORT);
        printable(&format!("{scheme}://{}:{port}", self.url.host_str().unwrap_or_default()), 200)
    }

    /// Whether its address contains a user name or a password.
    pub fn has_credentials(&self) -> bool {
        !self.url.username().is_empty() || self.url.password().is_some()
    }

    /// The address, with user name and password.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// The address for connections to it: https, or http for plain TCP.
    pub(super) fn transport(&self) -> hyper::Uri {
        let scheme = if self.url.scheme() == "https" { "https" } else { "http" };
        let port = self.url.port_or_known_default().unwrap_or(SOCKS_PORT);
        let address = format!("{scheme}://{}:{port}/", self.url.host_str().unwrap_or_default());
        // Host and port of a URL are valid in a URI.
        address.parse().unwrap_or_default()
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({}, {:?})", self.origin(), self.source)
    }
}

impl fmt::Display for ProxySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProxySource::Variable(name) => f.write_str(name),
            ProxySource::Cluster => f.write_str("the kubeconfig cluster's proxy-url"),
        }
    }
}

/// Which proxy each request goes through.
#[derive(Clone, Debug, Default)]
pub(super) struct ProxyRules {
    https: Option<Proxy>,
    http: Option<Proxy>,
    /// Hosts that are reached directly; `None` if even this machine is reached through the proxy.
    exceptions: Option<Exceptions>,
}

impl ProxyRules {
    /// The rules of the environment.
    ///
    /// Errors: a proxy's address that cannot be used.
    fn from_environment(settings: &Proxies) -> Result<ProxyRules, HttpSetupError> {
        let proxy = |variable: &Option<ProxyVariable>| {
            let parse = |found: &ProxyVariable| Proxy::parse(&found.address, ProxySource::Variable(found.name.into()));
            variable.as_ref().map(parse).transpose()
        };
        let exceptions = Some(Exceptions::parse(settings.no_proxy.as_deref().unwrap_or_default()));
        Ok(ProxyRules { https: proxy(&settings.https)?, http: proxy(&settings.http)?, exceptions })
    }

    /// The rules for a client of the server at `url`. For a server on this machine, an invalid address is ignored.
    ///
    /// Errors: a proxy's address that cannot be used.
    pub(super) fn for_server(settings: &Proxies, url: &Url) -> Result<ProxyRules, HttpSetupError> {
        match ProxyRules::from_environment(settings) {
            Err(_) if is_loopback(url) => Ok(ProxyRules::default()),
            rules => rules,
        }
    }

    /// One proxy for everything.
    pub(super) fn always(proxy: Proxy) -> ProxyRules {
        ProxyRules { https: Some(proxy.clone()), http: Some(proxy), exceptions: None }
    }

    /// The proxy for requests to `url`; `None` if they go directly.
    pub(super) fn proxy_for(&self, url: &Url) -> Option<&Proxy> {
        if self.exceptions.as_ref().is_some_and(|exceptions| exceptions.cover(url)) {
            return None;
        }
        if url.scheme() == "http" { self.http.as_ref() } else { self.https.as_ref() }
    }
}

/// The address of the environment's proxy for requests to `url`; `None` if they go directly. It may contain a password.
pub fn environment_proxy<'a>(network: &'a Network, url: &Url) -> Option<&'a str> {
    let Proxies { https, http, no_proxy } = &network.proxies;
    let variable = if url.scheme() == "http" { http } else { https }.as_ref()?;
    let is_direct = Exceptions::parse(no_proxy.as_deref().unwrap_or_default()).cover(url);
    (!is_direct).then_some(variable.address.as_str())
}

/// Hosts that are reached without a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Exceptions(Vec<Exception>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Exception {
    /// `*`
    Everything,
    /// `10.0.0.0/8`
    Network(IpAddr, u32),
    /// `10.0.0.1`, `10.0.0.1:443`, `::1`, `[::1]:443`
    Address(IpAddr, String),
    /// `example.com` with its subdomains; `.example.com` or `*.example.com` for subdomains only; `example.com:443`
    Domain {
        /// With a dot in front.
        suffix: String,
        itself: bool,
        port: String,
    },
}

impl Exceptions {
    /// Reads the value of `NO_PROXY`. Invalid entries are ignored, as in Go.
    fn parse(list: &str) -> Exceptions {
        Exceptions(list.split(',').filter_map(|entry| Exception::parse(&entry.trim().to_lowercase())).collect())
    }

    fn cover(&self, url: &Url) -> bool {
        let port = url.port_or_known_default().unwrap_or_default().to_string();
        let covered = |exception: &Exception| match url.host() {
            Some(Host::Domain(name)) => exception.covers_name(name, &port),
            Some(Host::Ipv4(address)) => exception.covers_address(address.into(), &port),
            Some(Host::Ipv6(address)) => exception.covers_address(IpAddr::from(address).to_canonical(), &port),
            None => false,
        };
        is_loopback(url) || self.0.iter().any(covered)
    }
}

impl Exception {
    fn parse(entry: &str) -> Option<Exception> {
        if entry == "*" {
            return Some(Exception::Everything);
        }
        if let Some((address, bits)) = entry.split_once('/') {
            let address: IpAddr = address.parse().ok()?;
            let bits = bits.parse().ok().filter(|bits| *bits <= width(address))?;
            return Some(Exception::Network(address, bits));
        }
        let (host, port) = split_port(entry);
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(Exception::Address(address.to_canonical(), port.to_owned()));
        }
        let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        let (itself, bare) = host.strip_prefix('.').map_or((true, host), |rest| (false, rest));
        if host.is_empty() {
            return None;
        }
        // Names in URLs are in ASCII.
        let bare = if bare.is_ascii() { bare.to_owned() } else { Host::parse(bare).ok()?.to_string() };
        Some(Exception::Domain { suffix: format!(".{bare}"), itself, port: port.to_owned() })
    }

    fn covers_name(&self, name: &str, of_url: &str) -> bool {
        match self {
            Exception::Everything => true,
            Exception::Domain { suffix, itself, port } => {
                (name.ends_with(suffix) || (*itself && name == &suffix[1..])) && (port.is_empty() || port == of_url)
            }
            Exception::Network(..) | Exception::Address(..) => false,
        }
    }

    fn covers_address(&self, address: IpAddr, of_url: &str) -> bool {
        match self {
            Exception::Everything => true,
            Exception::Network(network, bits) => {
                let (network, bits) = match network.to_canonical() {
                    // A network of IPv4 addresses written as IPv6.
                    canonical if width(canonical) < width(*network) => (canonical, bits.saturating_sub(96)),
                    canonical => (canonical, *bits),
                };
                width(network) == width(address) && prefix(network, bits) == prefix(address, bits)
            }
            Exception::Address(wanted, port) => *wanted == address && (port.is_empty() || port == of_url),
            Exception::Domain { .. } => false,
        }
    }
}

/// Host and port of `host:port` or `[host]:port`, as Go's `net.SplitHostPort` splits them; an entry of another form is all
/// host.
fn split_port(entry: &str) -> (&str, &str) {
    let Some((host, port)) = entry.rsplit_once(':') else { return (entry, "") };
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(host) => (host, port),
        None if host.contains([':', '[', ']']) => (entry, ""),
        None => (host, port),
    }
}

/// How many bits an address has.
fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The first `bits` of an address.
fn prefix(address: IpAddr, bits: u32) -> u128 {
    let number = match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    number.checked_shr(width(address) - bits).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_direct(list: &str, url: &str) -> bool {
        Exceptions::parse(list).cover(&Url::parse(url).expect("a URL"))
    }

    #[test]
    fn no_proxy_entries_match_the_same_urls_as_in_go() {
        for (list, url, direct) in [
            ("", "https://example.com", false),
            ("example.com", "https://example.com", true),
            ("example.com", "https://a.example.com", true),
            ("example.com", "https://notexample.com", false),
            ("EXAMPLE.com ", "https://Example.COM", true),
            (".example.com", "https://example.com", false),
            (".example.com", "https://a.b.example.com", true),
            ("*.example.com", "https://a.example.com", true),
            ("*.example.com", "https://example.com", false),
            ("*example.com", "https://aexample.com", false),
            ("a.*.com", "https://a.b.com", false),
            ("x, *", "https://example.com", true),
            ("*", "https://10.0.0.1", true),
            ("example.com:443", "https://example.com", true),
            ("example.com:443", "https://example.com:6443", false),
            ("*.example.com:6443", "https://a.example.com:6443", true),
            ("example.com:", "https://example.com:6443", true),
            ("10.0.0.0/8", "https://10.1.2.3", true),
            ("10.0.0.0/8", "https://11.1.2.3", false),
            ("10.1.2.3/8", "https://10.9.9.9:6443", true),
            ("0.0.0.0/0", "https://9.9.9.9", true),
            ("10.0.0.0/33", "https://10.0.0.1", false),
            ("fd00::/8", "https://[fd12::1]", true),
            ("fd00::/8", "https://10.0.0.1", false),
            ("::ffff:10.0.0.0/104", "https://10.3.4.5", true),
            ("10.0.0.1", "https://10.0.0.1:6443", true),
            ("10.0.0.1:6443", "https://10.0.0.1:6443", true),
            ("10.0.0.1:6443", "https://10.0.0.1", false),
            ("fd00::1", "https://[fd00::1]", true),
            ("[fd00::1]:443", "https://[fd00::1]", true),
            ("[fd00::1]:6443", "https://[fd00::1]", false),
            ("10.0.0", "https://10.0.0.1", false),
            (":443, ,", "https://example.com", false),
            ("b\u{fc}cher.example", "https://xn--bcher-kva.example", true),
            ("example.com", "https://10.0.0.1", false),
            ("", "https://localhost:6443", true),
            ("", "https://127.3.2.1", true),
            ("", "https://[::1]", true),
            ("", "https://localhost.example", false),
        ] {
            assert_eq!(is_direct(list, url), direct, "NO_PROXY={list} {url}");
        }
    }

    #[test]
    fn proxy_address_is_parsed_as_in_go() {
        let parsed = |address: &str| Proxy::parse(address, ProxySource::Variable("HTTPS_PROXY".into()));
        for (address, origin) in [
            ("proxy.example", "http://proxy.example:80"),
            ("proxy.example:3128", "http://proxy.example:3128"),
            ("127.0.0.1:3128", "http://127.0.0.1:3128"),
            ("u:PASSWORD@proxy.example:3128", "http://proxy.example:3128"),
            ("https://u:PASSWORD@proxy.example", "https://proxy.example:443"),
            ("socks5://proxy.example", "socks5://proxy.example:1080"),
            ("socks5h://u:PASSWORD@[::1]:9", "socks5://[::1]:9"),
        ] {
            let proxy = parsed(address).expect(address);
            assert_eq!(proxy.origin(), origin);
            assert_eq!(proxy.has_credentials(), address.contains("PASSWORD"));
            assert!(!format!("{proxy:?}").contains("PASSWORD"));
        }
        for address in ["http://u:PASSWORD@:bad port", "socks4://u:PASSWORD@p:1", "", "u:PASSWORD@"] {
            let error = parsed(address).expect_err(address).to_string();
            assert!(!error.contains("PASSWORD") && error.contains("HTTPS_PROXY"), "{error}");
        }
    }

    #[test]
    fn https_and_http_use_separate_proxies() {
        let variable = |name, address: &str| Some(ProxyVariable { name, address: address.to_owned() });
        let settings = Proxies {
            https: variable("HTTPS_PROXY", "a"),
            http: variable("http_proxy", "b"),
            no_proxy: Some("near.example".to_owned()),
        };
        let rules = ProxyRules::from_environment(&settings).expect("rules");
        let through = |url: &str| rules.proxy_for(&Url::parse(url).expect("a URL")).map(Proxy::origin);
        assert_eq!(through("https://far.example").as_deref(), Some("http://a:80"));
        assert_eq!(through("http://far.example").as_deref(), Some("http://b:80"));
        assert_eq!((through("https://near.example"), through("https://127.0.0.1")), (None, None));
        let own = ProxyRules::always(Proxy::from_cluster("socks5://c").expect("a proxy"));
        assert!(own.proxy_for(&Url::parse("https://127.0.0.1").expect("a URL")).is_some());
    }
}
