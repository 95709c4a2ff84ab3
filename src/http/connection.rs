//! How connections are made: TLS and whom it trusts, the headers of every request.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use url::{Host, Url};

use super::proxy::{Proxy, ProxyRules, environment_proxy};
use super::verify::{Besides, Verifier};
use super::{deepest, is_localhost, is_loopback};
use crate::error::{Error, Result};
use crate::profile::Network;
use crate::secret::Secret;
use crate::text::printable;

/// Entra's conditional access reads the platform from this; without it "unknown platform" policies bite.
const USER_AGENT: &str = concat!("kubectl-login/", env!("CARGO_PKG_VERSION"));

/// Has TLS, of clients and of listeners, use ring. (A second call finds it installed already, which is as good.)
pub(crate) fn install_crypto_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client for the server at `url`, and what verifies its certificates; without checks, nothing does.
///
/// Errors: see [`super::Http::new`].
pub(super) fn client(network: &Network, url: &Url) -> Result<(reqwest::Client, Option<Arc<Verifier>>)> {
    let mut builder = builder().default_headers(header_map(network)?);
    // Plain http on loopback needs no certificates, and a machine without any must not fail over that.
    let besides = if url.scheme() == "http" { Besides::Environment } else { Besides::All };
    let verifier = verifier(network, besides, "--certificate-authority-data")?;
    builder = with_tls(builder, verifier.as_ref(), &[b"h2", b"http/1.1"], None)?;
    builder = builder.proxy(through(ProxyRules::for_server(&network.proxies, url)?));
    Ok((build(builder)?, verifier))
}

/// A client for the API server of a cluster, by client-go's rules: with certificate authorities of its own no others
/// count, and a proxy of its own is used whatever the environment says.
///
/// Errors: see [`super::Http::for_cluster`].
pub(super) fn cluster_client(network: &Network, link: &Link) -> Result<(reqwest::Client, Option<Arc<Verifier>>)> {
    let mut builder = builder();
    let besides = if !network.ca_files.is_empty() || !network.ca_data.is_empty() {
        Besides::None
    } else if link.url.scheme() == "http" {
        Besides::Environment
    } else {
        Besides::All
    };
    let verifier = verifier(network, besides, "the kubeconfig cluster's certificate-authority-data")?;
    // HTTP/1.1 where the certificate's name is not the URL's; see below.
    let protocols: &[&[u8]] = if link.other_name().is_some() { &[b"http/1.1"] } else { &[b"h2", b"http/1.1"] };
    builder = with_tls(builder, verifier.as_ref(), protocols, link.certificate)?;
    builder = builder.proxy(through(match link.proxy {
        Some(proxy) => ProxyRules::always(Proxy::of_cluster(proxy)?),
        None => ProxyRules::for_server(&network.proxies, link.url)?,
    }));
    if let Some(name) = link.other_name() {
        if !matches!(Host::parse(name), Ok(Host::Domain(_))) {
            return Err(Error::failed(
                format!("the cluster's tls-server-name {:?} is no host name", printable(name, 100)),
                "Set the name that the API server's certificate is for, in the kubeconfig cluster's tls-server-name.",
            ));
        }
        if link.proxy.is_some() || environment_proxy(network, link.url).is_some() {
            return Err(Error::failed(
                "the cluster has a tls-server-name and is behind a proxy, which this program cannot do at once",
                "If the API server can be reached directly, add its host to NO_PROXY.",
            ));
        }
        // The name that is sent and verified in TLS is that of the URL and cannot be set apart from it. So the URL gets
        // the name, and its look-up gives the server's addresses. HTTP/1.1, because its Host can still be the server's.
        builder = builder.no_proxy().http1_only().dns_resolver(Arc::new(Elsewhere::of(link.url)));
    }
    Ok((build(builder)?, verifier))
}

/// What verifies certificates for `network`; `None` where they are not to be checked.
///
/// Errors: see [`Verifier::new`].
fn verifier(network: &Network, besides: Besides, data_name: &str) -> Result<Option<Arc<Verifier>>> {
    match network.insecure {
        true => Ok(None),
        false => Verifier::new(network, besides, data_name).map(|verifier| Some(Arc::new(verifier))),
    }
}

/// `builder` with TLS that `verifier` checks, offering these protocols (ALPN); without checks if there is none. The PEM of
/// a client's `certificate` and its key is shown to a server that asks for it.
///
/// Errors: that PEM cannot be used.
fn with_tls(
    builder: reqwest::ClientBuilder,
    verifier: Option<&Arc<Verifier>>,
    protocols: &[&[u8]],
    certificate: Option<&Secret>,
) -> Result<reqwest::ClientBuilder> {
    let unusable = || {
        Error::failed(
            "the client certificate of the kubeconfig user cannot be used: certificate and key are not PEM",
            "Get a new kubeconfig from whoever runs the cluster.",
        )
    };
    let pem = certificate.map(|pem| pem.expose().as_bytes());
    let Some(verifier) = verifier else {
        let identity = pem.map(reqwest::Identity::from_pem).transpose().map_err(|_| unusable())?;
        let builder = builder.tls_danger_accept_invalid_certs(true);
        return Ok(match identity {
            Some(identity) => builder.identity(identity),
            None => builder,
        });
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| Error::failed(format!("TLS cannot be set up: {error}"), NO_CONNECTION))?;
    let verifier = Arc::clone(verifier) as Arc<dyn ServerCertVerifier>;
    let config = config.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match pem {
        Some(pem) => {
            let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|_| unusable())?;
            let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| unusable())?;
            config.with_client_auth_cert(chain, key).map_err(|_| unusable())?
        }
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(builder.tls_backend_preconfigured(config))
}

/// How an API server is reached, besides what a [`Network`] says.
pub struct Link<'a> {
    /// The server's URL.
    pub url: &'a Url,
    /// The name that its certificate has to be for.
    pub tls_server_name: Option<&'a str>,
    /// The URL of the proxy in front of it.
    pub proxy: Option<&'a str>,
    /// A client certificate to show it, with its key, as PEM.
    pub certificate: Option<&'a Secret>,
}

impl Link<'_> {
    /// The certificate's name where it is not the URL's.
    fn other_name(&self) -> Option<&str> {
        self.tls_server_name.filter(|name| self.url.scheme() == "https" && self.url.host_str() != Some(name))
    }

    /// Whether what is sent would leave this machine as anybody may read it: http to this machine, by way of a proxy on
    /// another.
    pub fn leaves_in_the_clear(&self) -> bool {
        let is_elsewhere = |proxy: &str| !Url::parse(proxy).is_ok_and(|proxy| is_loopback(&proxy));
        self.url.scheme() == "http" && self.proxy.is_some_and(is_elsewhere)
    }

    /// The URL as it has to be requested, and the `Host` to be sent if that is another.
    pub fn requested(&self) -> (Url, Option<HeaderValue>) {
        let mut url = self.url.clone();
        let Some(name) = self.other_name() else { return (url, None) };
        let host = self.url[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        match url.set_host(Some(name)) {
            Ok(()) => (url, HeaderValue::from_str(&host).ok()),
            Err(_) => (self.url.clone(), None),
        }
    }
}

/// Looks up one host, whichever is asked for.
struct Elsewhere(String);

impl Elsewhere {
    fn of(url: &Url) -> Self {
        Elsewhere(match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => String::new(),
        })
    }
}

impl Resolve for Elsewhere {
    fn resolve(&self, _: Name) -> Resolving {
        Box::pin(look_up(self.0.clone()))
    }
}

/// Looks up the host that is asked for.
struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(look_up(name.as_str().to_owned()))
    }
}

/// The addresses of `host`. Names of this machine are not asked for elsewhere: a name server's answer would have http
/// leave the machine.
async fn look_up(host: String) -> Result<Addrs, Box<dyn std::error::Error + Send + Sync>> {
    // The URL's port takes the place of this one.
    const PORT: u16 = 0;
    if is_localhost(&host) {
        let here: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        return Ok(Box::new(here.into_iter().map(|address| SocketAddr::new(address, PORT))));
    }
    let found: Vec<_> = tokio::net::lookup_host((host, PORT)).await?.collect();
    Ok(Box::new(found.into_iter()))
}

fn through(rules: ProxyRules) -> reqwest::Proxy {
    reqwest::Proxy::custom(move |url| rules.proxy_for(url).map(|proxy| proxy.url().clone()))
}

/// What every client has.
fn builder() -> reqwest::ClientBuilder {
    install_crypto_provider();
    reqwest::Client::builder()
        .user_agent(format!("{USER_AGENT} ({}; {})", platform(), std::env::consts::ARCH))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(Names))
        .pool_idle_timeout(Duration::from_secs(60))
}

fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client> {
    builder
        .build()
        .map_err(|error| Error::failed(format!("no connection can be made: {}", deepest(&error)), NO_CONNECTION))
}

/// What to do about a client that cannot be made, which no setting is known to cause.
const NO_CONNECTION: &str = "Check the settings of proxies and certificates, then try again.";

/// The platform's name as browsers spell it: what policies that read the User-Agent look for.
fn platform() -> &'static str {
    match std::env::consts::OS {
        "linux" => "Linux",
        "macos" => "Macintosh",
        "windows" => "Windows NT 10.0",
        other => other,
    }
}

fn header_map(network: &Network) -> Result<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in &network.headers {
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value.expose()).ok());
        let Some((name, mut value)) = parsed else {
            return Err(Error::usage(
                format!("the request header {:?} is no valid HTTP header", printable(name, 60)),
                "Write it as --oidc-request-header=NAME=VALUE, with visible characters only.",
            ));
        };
        value.set_sensitive(true);
        map.insert(name, value);
    }
    Ok(map)
}

/// What every request of `network` carries and no message may repeat: values of headers, and passwords of proxies,
/// `proxy` included. A value with a scheme in front (`Bearer …`) may also come back without it.
pub(super) fn secrets(network: &Network, proxy: Option<&str>) -> Vec<Secret> {
    let values = network.headers.iter().map(|(_, value)| value.expose());
    let values = values.flat_map(|value| [Some(value), value.split_once(' ').map(|(_, rest)| rest.trim())]);
    let of_environment = [&network.proxies.https, &network.proxies.http];
    let of_environment = of_environment.map(|variable| variable.as_ref().map(|variable| variable.address.as_str()));
    let proxies = of_environment.into_iter().chain([proxy]);
    let passwords = proxies.flatten().filter_map(|proxy| Url::parse(proxy).ok()?.password().map(decoded));
    values.flatten().map(Secret::new).chain(passwords.map(Secret::new)).collect()
}

/// `text` without percent-encoding.
fn decoded(text: &str) -> String {
    let pairs = format!("p={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(pairs.as_bytes()).map(|(_, value)| value.into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Proxies, ProxyVariable};

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    fn failure(network: &Network, link: &Link) -> String {
        cluster_client(network, link).expect_err("it is refused").what
    }

    #[test]
    fn another_name_is_requested_at_the_servers_own_address() {
        let server = url("https://[::1]:6443/prefix");
        let link = Link { url: &server, tls_server_name: Some("api.example"), proxy: None, certificate: None };
        let (requested, host) = link.requested();
        assert_eq!(requested.as_str(), "https://api.example:6443/prefix");
        assert_eq!(host.expect("a host"), "[::1]:6443");
        assert_eq!(Elsewhere::of(&server).0, "::1");
        let same = Link { url: &requested, ..link };
        assert_eq!(same.requested(), (requested.clone(), None));
    }

    #[test]
    fn what_a_proxy_cannot_do_is_said() {
        let server = url("https://api.example:6443");
        let network = Network {
            proxies: Proxies {
                https: Some(ProxyVariable { name: "HTTPS_PROXY", address: "http://p".into() }),
                http: None,
                none_for: Some("near.example".into()),
            },
            ..Network::default()
        };
        let link = Link { url: &server, tls_server_name: Some("other.example"), proxy: None, certificate: None };
        assert!(failure(&network, &link).contains("at once"));
        let near = url("https://near.example");
        assert!(cluster_client(&network, &Link { url: &near, ..link }).is_ok());
        let here = url("https://127.0.0.1:6443");
        assert!(cluster_client(&network, &Link { url: &here, ..link }).is_ok());
        let own = Link { proxy: Some("socks4://u:PASSWORD@p:1"), tls_server_name: None, ..link };
        assert_eq!(
            failure(&network, &own),
            "the kubeconfig cluster's proxy-url names a socks4 proxy, which is not supported"
        );
        assert!(cluster_client(&network, &Link { proxy: Some("socks5://u:p@p:1"), ..own }).is_ok());
        assert!(!failure(&network, &Link { proxy: Some("PASSWORD"), ..own }).contains("PASSWORD"));
        assert!(cluster_client(&network, &Link { proxy: Some("http://u:p@p:1"), ..own }).is_ok());
        assert!(failure(&network, &Link { tls_server_name: Some("10.0.0.1"), ..link }).contains("no host name"));
    }
}
