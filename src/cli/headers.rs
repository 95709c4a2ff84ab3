//! `--oidc-request-header`: which request headers an entry may add.
//!
//! A gateway before an issuer may require a key or a name. An entry must not set what decides where a request goes, where it
//! ends, where it seems to come from, or who makes it.

use kubectl_login::messages::settings::SettingsError;
use kubectl_login_core::secret::Secret;

use super::name_value::{NotNameValue, pairs};

/// Names that are refused: the target (RFC 9110 7.2), framing and content (RFC 9110 8, RFC 9112 6), fields of one hop
/// (RFC 9110 7.6.1), credentials (RFC 9110 11, RFC 6265, RFC 9449), and what proxies say of a request's origin, target
/// or method.
const REFUSED: &[&str] = &[
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "accept-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "http2-settings",
    "expect",
    "max-forwards",
    "via",
    "authorization",
    "cookie",
    "dpop",
    "forwarded",
    "client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-real-ip",
    "x-host",
    "x-method-override",
    "x-http-method",
    "x-http-method-override",
];
/// Beginnings of names that are refused.
const REFUSED_PREFIXES: &[&str] = &["proxy-", "x-forwarded", "x-original-", "x-rewrite-"];

/// The request headers that were `given`, as NAME=VALUE.
///
/// Errors: one is not, or an entry must not set it.
pub(super) fn headers(given: &[String]) -> Result<Vec<(String, Secret)>, SettingsError> {
    let given = pairs(given).map_err(|NotNameValue| SettingsError::NotNameValue("--oidc-request-header"))?;
    let checked = |(name, value): (String, String)| match is_refused(&name) {
        true => Err(SettingsError::OwnHeader(name)),
        false => Ok((name, Secret::new(value))),
    };
    given.into_iter().map(checked).collect()
}

fn is_refused(name: &str) -> bool {
    // Servers that use CGI or similar read an underscore as a hyphen.
    let name = name.trim().to_ascii_lowercase().replace('_', "-");
    REFUSED.contains(&name.as_str()) || REFUSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_routing_framing_and_authentication_are_refused_in_any_spelling() {
        let wrong = [
            "Host",
            "HOST",
            "Transfer-Encoding",
            "X-Forwarded-Host",
            "x_forwarded_for",
            "Proxy-Authorization",
            "Cookie",
            " host",
        ];
        for name in wrong {
            assert!(headers(&[format!("{name}=x")]).is_err(), "{name}");
        }
        for name in
            ["X-API-Key", "Origin", "CF-Access-Client-Id", "X-Tenant", "User-Agent", "Ocp-Apim-Subscription-Key"]
        {
            assert!(headers(&[format!("{name}=x")]).is_ok(), "{name}");
        }
    }
}
