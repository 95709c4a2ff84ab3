//! Where the browser comes back to: the redirect address, and the listener behind it.

use std::io::ErrorKind;

use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::certificate;
use super::listener::{Door, Listener, Server, Unbound, Visit};
use crate::profile::{Authorization, Profile, Provider};
use kubectl_login_core::error::{Error, Result};
use kubectl_login_core::http::is_loopback;
use kubectl_login_core::oauth::authorization::AuthorizationRequest;
use kubectl_login_core::text::printable;

/// The listener; none where nothing can listen and somebody is there to bring the answer.
pub(super) fn listener(profile: &Profile, somebody_is_there: bool) -> Result<Option<Listener>> {
    let settings = &profile.authorization;
    check_name(settings)?;
    if let Some(url) = without_certificate(settings) {
        return match somebody_is_there {
            true => Ok(None),
            false => Err(Error::failed(
                format!("the browser cannot come back: {url:?} is https, and there is no certificate for that"),
                "Give a certificate with --local-server-cert and --local-server-key in the kubeconfig user's exec.args.",
            )),
        };
    }
    match Listener::bind(&settings.listen) {
        Ok(listener) => Ok(Some(listener)),
        // Whoever has the address would be sent the code.
        Err(Unbound::InUse(address)) => Err(Error::failed(
            format!("the browser cannot come back: another program has {address}"),
            match (&profile.provider, &settings.redirect_url) {
                (Provider::Entra { .. }, _) => {
                    "End that program, or name another address with --listen-address (or --redirect-url) in the kubeconfig user's exec.args."
                }
                (Provider::Oidc { .. }, None) => {
                    "End that program, or name another address with --listen-address in the kubeconfig user's exec.args.\n\
                     The issuer may have to know it."
                }
                (Provider::Oidc { .. }, Some(_)) => {
                    "End that program, or name another address with --oidc-redirect-url in the kubeconfig user's exec.args.\n\
                     The issuer has to know it."
                }
            },
        )),
        Err(Unbound::Refused(address, error)) if somebody_is_there && error.kind() != ErrorKind::PermissionDenied => {
            tracing::info!(%address, %error, "nothing listens");
            Ok(None)
        }
        Err(Unbound::Refused(address, error)) => Err(Error::failed(
            format!("the browser cannot come back: {address} cannot be listened on: {error}"),
            match error.kind() {
                ErrorKind::PermissionDenied => {
                    "Name another port with --listen-address in the kubeconfig user's exec.args, such as 127.0.0.1:8400."
                }
                _ => {
                    "Sign in in a terminal, where the address that the browser ends on can be pasted: kubectl login\n\
                     Or sign in with a code (device code)."
                }
            },
        )),
    }
}

/// Checks the name that the browser is to come back by. (One elsewhere would be sent the code in the open.)
fn check_name(settings: &Authorization) -> Result<()> {
    match (&settings.redirect_host, &settings.redirect_url) {
        (Some(name), None) if own_name(name).is_none() => Err(Error::failed(
            format!("--oidc-redirect-url-hostname {:?} is no name of this machine's own", printable(name, 100)),
            "Give localhost, 127.0.0.1 or ::1, or the whole address with --oidc-redirect-url.",
        )),
        _ => Ok(()),
    }
}

/// The redirect address, if the browser comes straight here with it, by https, and nothing can answer that. What it comes
/// with can be carried over by hand all the same.
fn without_certificate(settings: &Authorization) -> Option<String> {
    let url = settings.redirect_url.as_deref().and_then(|url| Url::parse(url).ok())?;
    let is_listened_on = settings.listen.iter().any(|listen| Some(listen.port) == url.port_or_known_default());
    let is_without = settings.certificate.is_none() && url.scheme() == "https" && is_loopback(&url) && is_listened_on;
    is_without.then(|| printable(url.as_str(), 100))
}

/// A name of this machine's own, as addresses have it.
fn own_name(name: &str) -> Option<&str> {
    match name {
        "localhost" | "127.0.0.1" | "[::1]" => Some(name),
        "::1" => Some("[::1]"),
        _ => None,
    }
}

/// Where the answer is to go. Without a listener the issuer's own idea stands, or the address that would have been
/// listened on: it leads nowhere, and can be copied.
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

/// Lets the browser in, by https where there is a certificate.
///
/// Errors: the certificate or its key cannot be used.
pub(super) fn open(
    listener: Listener,
    settings: &Authorization,
    request: &AuthorizationRequest,
) -> Result<(Server, mpsc::Receiver<Visit>)> {
    let certificate = settings.certificate.as_ref();
    let tls = certificate.map(|(certificate, key)| certificate::acceptor(certificate, key)).transpose()?;
    let door = door(listener.port, request, tls);
    Ok(listener.start(door))
}

/// What lets the browser in at `port`: the redirect address, and this machine's own names.
fn door(port: u16, request: &AuthorizationRequest, tls: Option<TlsAcceptor>) -> Door {
    let url = request.redirect_uri.as_deref().and_then(|url| Url::parse(url).ok());
    let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}")).to_vec();
    if let Some(url) = &url
        && let Some(name) = url.host_str()
    {
        hosts.push(url.port().map_or(name.to_owned(), |port| format!("{name}:{port}")));
    }
    let path = url.as_ref().map_or("/", Url::path).to_owned();
    Door { path, hosts, expected: request.expected.clone(), tls }
}
