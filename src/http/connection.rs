//! How connections are made: TLS and whom it trusts, proxies, the headers of every request.

use base64::Engine as _;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;
use url::Url;

use super::{deepest, is_loopback};
use crate::error::{Error, Result};
use crate::paths;
use crate::profile::Network;
use crate::text::printable;

/// Entra's conditional access reads the platform from this; without it "unknown platform" policies bite.
const USER_AGENT: &str = concat!("kubectl-login/", env!("CARGO_PKG_VERSION"));

/// Has TLS, of clients and of listeners, use ring. (A second call finds it installed already, which is as good.)
pub(crate) fn install_crypto_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client for the server at `url`.
///
/// Errors: see [`super::Http::new`].
pub(super) fn client(network: &Network, url: &Url) -> Result<reqwest::Client> {
    install_crypto_provider();
    let mut builder = reqwest::Client::builder()
        .user_agent(format!("{USER_AGENT} ({}; {})", platform(), std::env::consts::ARCH))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .default_headers(header_map(network)?)
        .tls_danger_accept_invalid_certs(network.insecure)
        .pool_idle_timeout(Duration::from_secs(60));
    let authorities = certificate_authorities(network)?;
    builder = if url.scheme() == "http" || network.insecure {
        // Plain http on loopback needs no certificates, and a machine without any must not fail over that.
        builder.tls_certs_only(authorities)
    } else {
        builder.tls_certs_merge(authorities)
    };
    if !is_loopback(url) {
        for proxy in proxies(network)? {
            builder = builder.proxy(proxy);
        }
    }
    builder.build().map_err(|error| {
        Error::failed(
            format!("no secure connection can be made: {}", deepest(&error)),
            "Install the system's certificate authorities. On Debian: apt-get install ca-certificates\nOr name a file of them with SSL_CERT_FILE or --certificate-authority.",
        )
    })
}

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

fn certificate_authorities(network: &Network) -> Result<Vec<reqwest::Certificate>> {
    let next = "Give a PEM file (or base64 of one) that holds at least one certificate.";
    let mut found = Vec::new();
    let mut add = |pem: &[u8], name: &str| {
        match reqwest::Certificate::from_pem_bundle(pem) {
            Ok(certificates) if !certificates.is_empty() => found.extend(certificates),
            _ => return Err(Error::failed(format!("there is no certificate in {name}"), next)),
        }
        Ok(())
    };
    for file in &network.ca_files {
        let name = format!("the certificate authority file {}", printable(&file.to_string_lossy(), 200));
        let pem = paths::read_named(file).map_err(|error| {
            Error::failed(format!("{name} cannot be read: {error}"), "Check the path and its permissions.")
        })?;
        add(&pem, &name)?;
    }
    for data in &network.ca_data {
        // `base64` breaks its lines unless told otherwise.
        let data: String = data.split_ascii_whitespace().collect();
        let pem = base64::engine::general_purpose::STANDARD.decode(data).unwrap_or_default();
        add(&pem, "--certificate-authority-data")?;
    }
    if let Some(pem) = network.environment_ca.as_ref().and_then(|file| paths::read_named(file).ok()) {
        // What is in it besides certificates is the system's to judge, which reads it too where it can.
        found.extend(reqwest::Certificate::from_pem_bundle(&pem).unwrap_or_default());
    }
    Ok(found)
}

fn proxies(network: &Network) -> Result<Vec<reqwest::Proxy>> {
    let settings = &network.proxies;
    let none_for = settings.none_for.as_deref().and_then(reqwest::NoProxy::from_string);
    let https = settings.https.as_ref().map(reqwest::Proxy::https);
    let http = settings.http.as_ref().map(reqwest::Proxy::http);
    [https, http]
        .into_iter()
        .flatten()
        .map(|proxy| match proxy {
            Ok(proxy) => Ok(proxy.no_proxy(none_for.clone())),
            // The address may hold a password, so it is not repeated.
            Err(_) => Err(Error::failed(
                "the proxy address in the environment is no URL",
                "Check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY.",
            )),
        })
        .collect()
}
