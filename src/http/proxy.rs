//! Proxies: which one stands between this machine and a server.
//!
//! Must not know how connections are secured, or what is asked.

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use super::is_loopback;
use crate::error::{Error, Result};
use crate::profile::Network;

/// The proxies of the environment, for requests that are not to this machine.
pub(super) fn proxies(network: &Network) -> Result<Vec<reqwest::Proxy>> {
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

/// The proxy of one cluster. Its address may hold a password, so it is not repeated.
pub(super) fn cluster_proxy(address: &str) -> Result<reqwest::Proxy> {
    let next = "Set an http or https proxy in the kubeconfig cluster's proxy-url.";
    match Url::parse(address).map(|url| url.scheme().to_owned()).as_deref() {
        Ok("http" | "https") => {}
        Ok(scheme @ ("socks4" | "socks4a" | "socks5" | "socks5h")) => {
            let what = format!("the cluster's proxy-url is for {scheme}, which this program does not speak");
            return Err(Error::failed(what, format!("{next}\nkubectl itself can use the one that is there.")));
        }
        _ => return Err(Error::failed("the cluster's proxy-url is no URL of a proxy", next)),
    }
    reqwest::Proxy::all(address).map_err(|_| Error::failed("the cluster's proxy-url is no URL of a proxy", next))
}

/// The address of the environment's proxy that requests to `url` go through; `None` where they go by themselves. It may
/// hold a password.
pub fn environment_proxy<'a>(network: &'a Network, url: &Url) -> Option<&'a str> {
    let settings = &network.proxies;
    let list = settings.none_for.clone().unwrap_or_default();
    // Only whether there is one counts here, not which.
    let matcher = Matcher::builder().all("http://proxy.invalid").no(list).build();
    let host = &url[..url::Position::AfterPort];
    let of_scheme = if url.scheme() == "http" { &settings.http } else { &settings.https };
    let is_covered = !is_loopback(url) && host.parse().is_ok_and(|uri| matcher.intercept(&uri).is_some());
    of_scheme.as_deref().filter(|_| is_covered)
}
