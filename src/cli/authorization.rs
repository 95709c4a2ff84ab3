//! The flags of a sign-in by browser: where to listen for the callback, parameters for the issuer's page, and the page
//! afterwards.

use std::net::{IpAddr, Ipv4Addr};

use kubectl_login::environment::Environment;
use kubectl_login::messages::settings::{ListenFlaw, SettingsError, UrlFlaw};
use kubectl_login::messages::{Explain as _, Result};
use kubectl_login::paths;
use kubectl_login::profile::{Authorization, Listen, Method};
use kubectl_login_core::entra::audience;
use kubectl_login_core::http::{is_acceptable, is_loopback};
use kubectl_login_core::oauth::authorization::OWN_PARAMETERS;
use url::Url;

use super::args::GetTokenArgs;
use super::name_value::{NotNameValue, pairs};

/// Ports that int128/kubelogin listens on, which are registered with many issuers; any port (0) is the last resort.
const USUAL_PORTS: [u16; 3] = [8000, 18000, 0];
const REDIRECT_BY_HAND: &str = "--oidc-redirect-url-authcode-keyboard";

/// The settings at Entra, which accepts `http://localhost` with any port if it is registered without one.
pub(super) fn entra_settings(args: &GetTokenArgs, environment: &Environment) -> Result<Authorization> {
    let given = args.redirect_url.as_deref().filter(|url| !url.is_empty());
    let port = given.map(|text| url("--redirect-url", text)).transpose()?.and_then(|_| port_in(given?));
    Ok(Authorization {
        listen: listen(args)?.unwrap_or_else(|| vec![on(port.unwrap_or(0))]),
        ..common_settings(args, environment)?
    })
}

/// The settings at other issuers, and the scopes, if the parameters name other scopes than the flags.
pub(super) fn oidc_settings(
    args: &GetTokenArgs,
    method: Method,
    environment: &Environment,
) -> Result<(Authorization, Option<Vec<String>>)> {
    let common = common_settings(args, environment)?;
    let by_hand = args.oidc_redirect_url_authcode_keyboard.as_deref().filter(|_| method == Method::Keyboard);
    let given = [("--oidc-redirect-url", args.oidc_redirect_url.as_deref()), (REDIRECT_BY_HAND, by_hand)];
    let given = given.into_iter().find_map(|(flag, url)| Some((flag, url.filter(|url| !url.is_empty())?)));
    if let Some((flag, text)) = given {
        check_redirect(flag, text, method, common.certificate.is_some())?;
    }
    let mut extra_parameters = parameters(&args.oidc_auth_request_extra_params)?;
    let scopes = extra_parameters.iter().position(|(name, _)| name == "scope");
    let scopes = scopes.map(|at| extra_parameters.remove(at).1);
    let authorization = Authorization {
        listen: listen(args)?.unwrap_or_else(|| usual_listen(given.map(|(_, text)| text))),
        redirect_url: given.map(|(_, text)| text.to_owned()),
        redirect_host: args.oidc_redirect_url_hostname.clone().filter(|name| !name.is_empty()),
        extra_parameters,
        ..common
    };
    Ok((authorization, scopes.map(|scopes| scopes.split_whitespace().map(str::to_owned).collect())))
}

/// Where to listen for the callback of an OpenID Connect issuer if no flag says so: on the port of a redirect URL on this
/// machine, else on the usual ports.
pub(super) fn usual_listen(redirect_url: Option<&str>) -> Vec<Listen> {
    let own_port = redirect_url.filter(|text| Url::parse(text).is_ok_and(|url| is_loopback(&url))).and_then(port_in);
    own_port.map_or(USUAL_PORTS.to_vec(), |port| vec![port]).into_iter().map(on).collect()
}

/// Checks a redirect URL. If the user pastes the code, it may be a mere name (`urn:ietf:wg:oauth:2.0:oob`).
fn check_redirect(
    flag: &'static str,
    text: &str,
    method: Method,
    listener_is_https: bool,
) -> Result<(), SettingsError> {
    let is_a_name = method == Method::Keyboard && text.starts_with("urn:");
    let url = if is_a_name { None } else { Some(url(flag, text)?) };
    let flaw = match &url {
        // RFC 9700 2.1: the code is not sent over a network unencrypted.
        Some(url) if !is_acceptable(url) => UrlFlaw::NotHttps,
        _ if text.contains('#') => UrlFlaw::Fragment,
        // An http URL is on this machine: others are refused above.
        Some(url) if listener_is_https && url.scheme() == "http" => UrlFlaw::HttpWithCertificate,
        _ => return Ok(()),
    };
    Err(SettingsError::Url { flag, url: text.to_owned(), flaw })
}

/// The port that an address names, even if it is the default.
fn port_in(address: &str) -> Option<u16> {
    let (_, rest) = address.split_once("://")?;
    let (_, port) = rest.split(['/', '?', '#']).next()?.rsplit_once(':')?;
    port.parse().ok()
}

/// What every issuer has in common.
fn common_settings(args: &GetTokenArgs, environment: &Environment) -> Result<Authorization, SettingsError> {
    let file = |given: &Option<String>| {
        given.as_deref().filter(|file| !file.is_empty()).map(|file| paths::expand_home(file, environment))
    };
    let certificate = match (file(&args.local_server_cert), file(&args.local_server_key)) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (given, _) => {
            let missing = if given.is_some() { "--local-server-key" } else { "--local-server-cert" };
            return Err(SettingsError::CertificateOrKey(missing));
        }
    };
    let afterwards = args.open_url_after_authentication.as_deref().filter(|url| !url.is_empty());
    let default = Authorization::default();
    Ok(Authorization {
        certificate,
        page_afterwards: afterwards.map(|text| url("--open-url-after-authentication", text)).transpose()?,
        human_time: args.authentication_timeout_sec.unwrap_or(default.human_time),
        ..default
    })
}

fn on(port: u16) -> Listen {
    Listen { port, ..Listen::default() }
}

/// A page's address.
fn url(flag: &'static str, text: &str) -> Result<Url, SettingsError> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| SettingsError::Url { flag, url: text.to_owned(), flaw: UrlFlaw::NotWeb })
}

/// The addresses to listen on; `None` if no flag is given. An empty value means any port.
fn listen(args: &GetTokenArgs) -> Result<Option<Vec<Listen>>, SettingsError> {
    let ports = args.listen_port.iter().map(|port| format!("127.0.0.1:{port}"));
    let given: Vec<String> = args.listen_address.iter().cloned().chain(ports).collect();
    let addresses: Vec<Listen> =
        given.iter().filter(|text| !text.is_empty()).map(|text| address(text)).collect::<Result<_, _>>()?;
    Ok(match (given.is_empty(), addresses.is_empty()) {
        (true, _) => None,
        (false, true) => Some(vec![Listen::default()]),
        (false, false) => Some(addresses),
    })
}

/// One address. Addresses that mean all interfaces are read as loopback, since the browser runs on this machine.
fn address(text: &str) -> Result<Listen, SettingsError> {
    let wrong = |flaw| SettingsError::ListenAddress { address: text.to_owned(), flaw };
    let (host, port) = text.rsplit_once(':').ok_or_else(|| wrong(ListenFlaw::NoPort))?;
    let port = port.parse().map_err(|_| wrong(ListenFlaw::NoPort))?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let address: IpAddr = match host {
        "" | "localhost" => Ipv4Addr::LOCALHOST.into(),
        host => host.parse().map_err(|_| wrong(ListenFlaw::NotIp))?,
    };
    match address {
        address if address.is_unspecified() => Ok(on(port)),
        address if address.is_loopback() => Ok(Listen { address, port }),
        _ => Err(wrong(ListenFlaw::Public)),
    }
}

/// Parameters as `NAME=VALUE`.
fn parameters(given: &[String]) -> Result<Vec<(String, String)>> {
    const FLAG: &str = "--oidc-auth-request-extra-params";
    let given = pairs(given).map_err(|NotNameValue| SettingsError::NotNameValue(FLAG))?;
    for (name, value) in &given {
        // Some servers ignore the case.
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        let cannot_come_back = is("response_mode") && !matches!(value.as_str(), "query" | "form_post");
        if OWN_PARAMETERS.iter().any(|known| is(known)) || cannot_come_back {
            return Err(SettingsError::OwnParameter(name.clone()).into());
        }
        // Whatever the parameter is called, it must not ask for a token for Graph and the like.
        value.split_whitespace().try_for_each(audience::refuse_foreign).map_err(|error| error.explain("sign in"))?;
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_listened_to() {
        let listen = |address: &str, port| Listen { address: address.parse().expect("an address"), port };
        for (text, meant) in [
            ("127.0.0.1:8000", listen("127.0.0.1", 8000)),
            ("localhost:8000", listen("127.0.0.1", 8000)),
            ("[::1]:0", listen("::1", 0)),
            (":8000", listen("127.0.0.1", 8000)),
            ("0.0.0.0:8000", listen("127.0.0.1", 8000)),
            ("[::]:8000", listen("127.0.0.1", 8000)),
            ("127.0.0.2:1", listen("127.0.0.2", 1)),
        ] {
            assert_eq!(address(text).ok(), Some(meant), "{text}");
        }
        for text in ["8000", "127.0.0.1", "127.0.0.1:x", "192.0.2.1:8000", "example.com:8000", "127.0.0.1:70000"] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
