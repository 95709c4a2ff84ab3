//! The redirect URI, and the listener behind it.

use std::io::ErrorKind;

use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::certificate;
use super::listener::{Callback, CallbackMatcher, Listener, Server, Unbound};
use crate::failure::RedirectError;
use crate::profile::Authorization;
use kubectl_login_core::http::is_loopback;
use kubectl_login_core::oauth::authorization::AuthorizationRequest;
use kubectl_login_core::text::printable;

/// The listener for the redirect; `None` if nothing can listen and the user can paste the response (`can_paste`).
///
/// Errors: the browser cannot be redirected to this machine.
pub(super) fn listener(settings: &Authorization, can_paste: bool) -> Result<Option<Listener>, RedirectError> {
    check_name(settings)?;
    if let Some(url) = without_certificate(settings) {
        return if can_paste { Ok(None) } else { Err(RedirectError::NoCertificate { url }) };
    }
    match Listener::bind(&settings.listen) {
        Ok(listener) => Ok(Some(listener)),
        // The program that has the address would receive the code.
        Err(Unbound::InUse(address)) => Err(RedirectError::InUse { address: address.to_string() }),
        Err(Unbound::Refused(address, error)) if can_paste && error.kind() != ErrorKind::PermissionDenied => {
            tracing::info!(%address, %error, "nothing listens");
            Ok(None)
        }
        Err(Unbound::Refused(address, error)) => Err(RedirectError::Refused {
            address: address.to_string(),
            is_permission: error.kind() == ErrorKind::PermissionDenied,
            reason: error.to_string(),
        }),
    }
}

/// Checks the host name of the redirect. (Another machine would receive the code in the clear.)
fn check_name(settings: &Authorization) -> Result<(), RedirectError> {
    match (&settings.redirect_host, &settings.redirect_url) {
        (Some(name), None) if own_name(name).is_none() => Err(RedirectError::OtherHost { name: printable(name, 100) }),
        _ => Ok(()),
    }
}

/// The redirect URL, if the browser calls this machine by https with it, and nothing can answer that. The response can still
/// be pasted.
fn without_certificate(settings: &Authorization) -> Option<String> {
    let url = settings.redirect_url.as_deref().and_then(|url| Url::parse(url).ok())?;
    let is_listened_on = settings.listen.iter().any(|listen| Some(listen.port) == url.port_or_known_default());
    let is_without = settings.certificate.is_none() && url.scheme() == "https" && is_loopback(&url) && is_listened_on;
    is_without.then(|| printable(url.as_str(), 100))
}

/// A name of this machine, as it stands in a URL.
fn own_name(name: &str) -> Option<&str> {
    match name {
        "localhost" | "127.0.0.1" | "[::1]" => Some(name),
        "::1" => Some("[::1]"),
        _ => None,
    }
}

/// The redirect URI. Without a listener it is the configured one, or the address that would have been listened on: it leads
/// nowhere, and can be copied.
pub(super) fn redirect_uri(settings: &Authorization, port: Option<u16>, listens: bool) -> Option<String> {
    if settings.redirect_url.is_some() || !listens {
        return settings.redirect_url.clone();
    }
    let scheme = if settings.certificate.is_some() { "https" } else { "http" };
    let wanted = || settings.listen.iter().map(|listen| listen.port).find(|port| *port != 0);
    let port = port.or_else(wanted).map(|port| format!(":{port}")).unwrap_or_default();
    let host = settings.redirect_host.as_deref().and_then(own_name).unwrap_or("localhost");
    Some(format!("{scheme}://{host}{port}"))
}

/// Starts the listener, with https if there is a certificate.
///
/// Errors: the certificate or its key cannot be used.
pub(super) fn open(
    listener: Listener,
    settings: &Authorization,
    request: &AuthorizationRequest,
) -> Result<(Server, mpsc::Receiver<Callback>), RedirectError> {
    let certificate = settings.certificate.as_ref();
    let tls = certificate.map(|(certificate, key)| certificate::acceptor(certificate, key)).transpose()?;
    let matcher = matcher(listener.port, request, tls);
    Ok(listener.start(matcher))
}

/// What a callback to `port` has to look like: the redirect URI, and this machine's own names.
fn matcher(port: u16, request: &AuthorizationRequest, tls: Option<TlsAcceptor>) -> CallbackMatcher {
    let url = request.redirect_uri.as_deref().and_then(|url| Url::parse(url).ok());
    let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}")).to_vec();
    if let Some(url) = &url
        && let Some(name) = url.host_str()
    {
        hosts.push(url.port().map_or(name.to_owned(), |port| format!("{name}:{port}")));
    }
    let path = url.as_ref().map_or("/", Url::path).to_owned();
    CallbackMatcher { path, hosts, expected: request.expected.clone(), tls }
}
