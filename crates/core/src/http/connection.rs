//! How connections are made: TLS, what it trusts, and the headers of every request.

use std::sync::Arc;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use url::Url;

use super::client::Client;
use super::is_loopback;
use super::network::Network;
use super::proxy::{Proxy, ProxyRules};
use super::setup_error::{HttpSetupError, RootsSource};
use super::verify::{NoVerification, OtherRoots, Verifier};
use crate::secret::Secret;
use crate::text::printable;

/// Entra's conditional access reads the platform from this; without it, policies for unknown platforms apply.
const USER_AGENT: &str = concat!("kubectl-login/", env!("CARGO_PKG_VERSION"));

/// Makes TLS of clients and of listeners use ring. A second call changes nothing.
pub fn install_crypto_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client for the server at `url`, and the verifier of its certificates, if they are verified.
///
/// Errors: see [`super::Http::new`].
pub(super) fn client(network: &Network, url: &Url) -> Result<(Client, Option<Arc<Verifier>>), HttpSetupError> {
    // Plain http on loopback needs no certificates, and must work on a machine that has none.
    let others = if url.scheme() == "http" { OtherRoots::Environment } else { OtherRoots::All };
    let verifier = verifier(network, others, &RootsSource::Data)?;
    let rules = ProxyRules::for_server(&network.proxies, url)?;
    let for_proxy = verifier.as_ref().map(|verifier| Arc::new(verifier.for_proxy()));
    let proxies = (rules, tls(for_proxy.as_ref(), None)?);
    let client = Client::new(proxies, tls(verifier.as_ref(), None)?, None, &user_agent(), header_map(network)?)?;
    Ok((client, verifier))
}

/// A client for the API server of a cluster, by client-go's rules: if the cluster has certificate authorities, no others are
/// trusted, and if it has a proxy, that of the environment is not used.
///
/// Errors: see [`super::Http::for_cluster`].
pub(super) fn cluster_client(
    network: &Network,
    route: &ClusterRoute,
) -> Result<(Client, Option<Arc<Verifier>>), HttpSetupError> {
    let others = if !network.ca_files.is_empty() || !network.ca_data.is_empty() {
        OtherRoots::None
    } else if route.url.scheme() == "http" {
        OtherRoots::Environment
    } else {
        OtherRoots::All
    };
    let verifier = verifier(network, others, &RootsSource::ClusterData)?;
    let rules = match route.proxy {
        Some(proxy) => ProxyRules::always(Proxy::from_cluster(proxy)?),
        None => ProxyRules::for_server(&network.proxies, route.url)?,
    };
    let name = route.tls_server_name.map(|name| ServerName::try_from(name.to_owned()).map_err(|_| name));
    let name = name.transpose().map_err(|name| HttpSetupError::InvalidServerName(printable(name, 100)))?;
    let tls = tls(verifier.as_ref(), route.certificate)?;
    // client-go uses the same certificates and trust with a proxy.
    Ok((Client::new((rules, tls.clone()), tls, name, &user_agent(), HeaderMap::new())?, verifier))
}

/// The verifier of certificates for `network`; `None` if they are not verified.
///
/// Errors: see [`Verifier::new`].
fn verifier(
    network: &Network,
    others: OtherRoots,
    data_place: &RootsSource,
) -> Result<Option<Arc<Verifier>>, HttpSetupError> {
    match network.insecure {
        true => Ok(None),
        false => Verifier::new(network, others, data_place).map(|verifier| Some(Arc::new(verifier))),
    }
}

/// TLS whose certificates `verifier` checks, or nothing if there is none. `certificate` is the PEM of a client certificate
/// and its key, for servers that ask for one.
///
/// Errors: that PEM cannot be used.
fn tls(verifier: Option<&Arc<Verifier>>, certificate: Option<&Secret>) -> Result<ClientConfig, HttpSetupError> {
    let unusable = || HttpSetupError::UnusableClientCertificate;
    let verifier: Arc<dyn ServerCertVerifier> = match verifier {
        Some(verifier) => Arc::clone(verifier) as _,
        None => Arc::new(NoVerification),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| HttpSetupError::Tls(error.to_string()))?;
    let config = config.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match certificate.map(|pem| pem.expose().as_bytes()) {
        Some(pem) => {
            let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|_| unusable())?;
            let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| unusable())?;
            config.with_client_auth_cert(chain, key).map_err(|_| unusable())?
        }
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// How an API server is reached, besides what a [`Network`] says.
pub struct ClusterRoute<'a> {
    /// The server's URL.
    pub url: &'a Url,
    /// The name that its certificate has to be for, if it is not the URL's host.
    pub tls_server_name: Option<&'a str>,
    /// The URL of the proxy in front of it.
    pub proxy: Option<&'a str>,
    /// A client certificate for it, with its key, as PEM.
    pub certificate: Option<&'a Secret>,
}

impl ClusterRoute<'_> {
    /// Whether the token would leave this machine unencrypted: http to this machine, through a proxy on another.
    pub fn sends_token_in_clear(&self) -> bool {
        let is_elsewhere = |proxy: &str| !Url::parse(proxy).is_ok_and(|proxy| is_loopback(&proxy));
        self.url.scheme() == "http" && self.proxy.is_some_and(is_elsewhere)
    }
}

/// This program's `User-Agent`.
fn user_agent() -> String {
    format!("{USER_AGENT} ({}; {})", platform(), std::env::consts::ARCH)
}

/// The platform's name as browsers spell it, which policies that read the User-Agent look for.
fn platform() -> &'static str {
    match std::env::consts::OS {
        "linux" => "Linux",
        "macos" => "Macintosh",
        "windows" => "Windows NT 10.0",
        other => other,
    }
}

fn header_map(network: &Network) -> Result<HeaderMap, HttpSetupError> {
    let mut map = HeaderMap::new();
    for (name, value) in &network.headers {
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value.expose()).ok());
        let Some((name, mut value)) = parsed else {
            return Err(HttpSetupError::InvalidHeader(printable(name, 60)));
        };
        value.set_sensitive(true);
        map.insert(name, value);
    }
    Ok(map)
}

/// The secrets that requests of `network` carry: values of headers, and passwords of proxies, `proxy` included. A value with
/// a scheme in front (`Bearer …`) is listed without it too, since a server may repeat it that way.
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

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    fn failure(route: &ClusterRoute) -> String {
        cluster_client(&Network::default(), route).map(|_| ()).expect_err("it is refused").to_string()
    }

    #[test]
    fn cluster_settings_that_cannot_be_used_are_named_without_a_password() {
        let server = url("https://api.example:6443");
        let route = ClusterRoute { url: &server, tls_server_name: None, proxy: None, certificate: None };
        let proxy = |address| ClusterRoute { proxy: Some(address), ..route };
        assert_eq!(
            failure(&proxy("socks4://u:PASSWORD@p:1")),
            "the kubeconfig cluster's proxy-url names a socks4 proxy, which is not supported"
        );
        assert!(!failure(&proxy("PASSWORD")).contains("PASSWORD"));
        assert!(failure(&ClusterRoute { tls_server_name: Some("no name"), ..route }).contains("not a valid host name"));
        for address in ["http://u:p@p:1", "socks5://u:p@p:1"] {
            let both = ClusterRoute { tls_server_name: Some("other.example"), ..proxy(address) };
            assert!(cluster_client(&Network::default(), &both).is_ok(), "{address}");
        }
    }
}
