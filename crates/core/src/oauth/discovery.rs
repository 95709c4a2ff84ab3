//! OpenID Connect discovery and the issuer's keys.
//!
//! OpenID Connect DiscoveryDocument 1.0, 3 and 4.3: the document's `issuer` must equal the one asked for, byte for byte.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use super::jwks::Jwks;
use super::site::foreign;
use super::{ClientSecretMethod, Endpoints};
use crate::error::{Error, Result};
use crate::http::{Http, HttpResponse, Peer, is_acceptable, is_acceptable_from, origin};
use crate::text::printable;

/// The part of a discovery document that is used. Kept for a day, so it is serialized too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscoveryDocument {
    issuer: String,
    token_endpoint: String,
    #[serde(default)]
    authorization_endpoint: Option<String>,
    #[serde(default)]
    device_authorization_endpoint: Option<String>,
    #[serde(default)]
    revocation_endpoint: Option<String>,
    #[serde(default)]
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    jwks_uri: Option<String>,
    #[serde(default)]
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    id_token_signing_alg_values_supported: Option<Vec<String>>,
    #[serde(default)]
    userinfo_signing_alg_values_supported: Option<Vec<String>>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: Option<bool>,
}

/// The issuer's URL, checked.
///
/// Errors: it is not a URL, neither https nor on this machine, or written so that it could be taken for another.
pub fn issuer_url(issuer: &str) -> Result<Url> {
    let shown = printable(issuer, 200);
    let url = Url::parse(issuer).map_err(|_| {
        Error::usage(
            format!("--oidc-issuer-url {shown:?} is no URL"),
            "Give the issuer's URL exactly as it writes itself, https:// included.",
        )
    })?;
    if !is_acceptable(&url) {
        return Err(Error::usage(
            format!("--oidc-issuer-url {shown:?} is not https"),
            "Give an https URL (http is only for issuers on this machine).",
        ));
    }
    // Prompts show it as it is written, so it must read as what it is.
    if !url.username().is_empty()
        || url.password().is_some()
        || issuer.contains(|c: char| c == '\\' || !c.is_ascii_graphic())
    {
        return Err(Error::usage(
            format!("--oidc-issuer-url is not a plain URL (it leads to {})", origin(&url)),
            "Give the issuer's URL exactly as it writes itself, without a user name, spaces or backslashes, and with an international name in its ASCII form.",
        ));
    }
    Ok(url)
}

/// Fetches and checks the discovery document of `issuer`.
///
/// Errors: the document cannot be had, is none, names another issuer, or names endpoints that are not https.
pub async fn fetch(http: &Http, issuer: &str, limit: Duration) -> Result<DiscoveryDocument> {
    let answer = ask(http, issuer, limit).await?;
    read(&answer, issuer).map_err(|error| http.without_secrets(error))
}

/// Asks for the discovery document of `issuer`, whatever comes.
///
/// Errors: there is no answer.
pub async fn ask(http: &Http, issuer: &str, limit: Duration) -> Result<HttpResponse> {
    let answer = http.get(&address(issuer)?, limit).await;
    answer.map_err(|trouble| trouble.explain("read the issuer's discovery document", Peer::Issuer))
}

/// Where the discovery document of `issuer` is.
fn address(issuer: &str) -> Result<Url> {
    issuer_url(issuer)?;
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    issuer_url(&format!("{base}/.well-known/openid-configuration"))
}

/// The discovery document of `issuer` in an answer to [`ask`], checked.
///
/// Errors: it is none, names another issuer, or names endpoints that are not https.
pub fn read(answer: &HttpResponse, issuer: &str) -> Result<DiscoveryDocument> {
    let url = address(issuer)?;
    let next = format!(
        "Check --oidc-issuer-url. This address should answer with a JSON document: {}",
        printable(url.as_str(), 300)
    );
    if answer.status != 200 {
        return Err(Error::failed(
            format!("{} has no discovery document (HTTP {})", printable(issuer, 200), answer.status),
            next,
        ));
    }
    let document: DiscoveryDocument = serde_json::from_slice(&answer.body).map_err(|_| {
        Error::failed(
            format!("{} answered discovery with something else than an OpenID Connect document", origin(&url)),
            next,
        )
    })?;
    document.endpoints(issuer)?;
    Ok(document)
}

impl DiscoveryDocument {
    /// The endpoints, provided that the document is `issuer`'s own and all of them may be asked.
    ///
    /// Errors: the document is another issuer's, or names an endpoint that must not be asked.
    pub fn endpoints(&self, issuer: &str) -> Result<Endpoints> {
        if self.issuer != issuer {
            return Err(Error::failed(
                format!("the issuer calls itself {:?}, not {:?}", printable(&self.issuer, 200), printable(issuer, 200)),
                "Write --oidc-issuer-url exactly as the issuer does (a trailing slash counts).\nIf the name is not the one you expect, do not sign in there.",
            ));
        }
        let base = issuer_url(issuer)?;
        let endpoint = |name: &str, text: &str| endpoint(&base, name, text);
        let optional = |name: &str, text: &Option<String>| {
            text.as_deref().filter(|text| !text.is_empty()).map(|text| endpoint(name, text)).transpose()
        };
        let offers = |list: &Option<Vec<String>>, name: &str| list.iter().flatten().any(|item| item == name);
        let s256 = &self.code_challenge_methods_supported.clone().filter(|methods| !methods.is_empty());
        let methods = &self.token_endpoint_auth_methods_supported;
        let token = endpoint("token_endpoint", &self.token_endpoint)?;
        // A document that hands the issuing of tokens to another site has no say in where that site's tokens are sent.
        let may_have_tokens = |url: &Url| foreign(url, &token).is_none() || foreign(&token, &base).is_none();
        let for_tokens = |name, text| optional(name, text).unwrap_or_default().filter(may_have_tokens);
        Ok(Endpoints {
            issuer: self.issuer.clone(),
            authorization: optional("authorization_endpoint", &self.authorization_endpoint)?,
            device_authorization: optional("device_authorization_endpoint", &self.device_authorization_endpoint)?,
            // Nobody is kept from signing in by an address that is of use only afterwards.
            revocation: for_tokens("revocation_endpoint", &self.revocation_endpoint),
            userinfo: for_tokens("userinfo_endpoint", &self.userinfo_endpoint),
            keys: optional("jwks_uri", &self.jwks_uri)?,
            token: token.clone(),
            supports_s256: s256.as_ref().map(|_| offers(s256, "S256")),
            requires_iss: self.authorization_response_iss_parameter_supported.unwrap_or(false),
            is_issuer: |issuer, named| issuer == named,
            signing_algorithms: self.id_token_signing_alg_values_supported.clone().unwrap_or_default(),
            // An issuer that does not say signs it as it signs ID tokens.
            userinfo_algorithms: [
                &self.userinfo_signing_alg_values_supported,
                &self.id_token_signing_alg_values_supported,
            ]
            .into_iter()
            .flatten()
            .next()
            .cloned()
            .unwrap_or_default(),
            client_secret_methods: match ["client_secret_basic", "client_secret_post"].map(|name| offers(methods, name))
            {
                [true, false] => vec![ClientSecretMethod::Basic],
                [false, true] => vec![ClientSecretMethod::Post],
                // An issuer may offer both and still take one only from a given client, as Authelia, Hydra and Okta do.
                _ => vec![ClientSecretMethod::Basic, ClientSecretMethod::Post],
            },
        })
    }
}

/// Fetches the issuer's keys (RFC 7517).
///
/// Errors: the keys cannot be had, or are none.
pub async fn fetch_keys(http: &Http, url: &Url, limit: Duration) -> Result<Jwks> {
    let answer =
        http.get(url, limit).await.map_err(|trouble| trouble.explain("read the issuer's keys", Peer::Issuer))?;
    serde_json::from_slice(&answer.body).ok().filter(|_| answer.status == 200).ok_or_else(|| {
        Error::failed(
            format!("{} does not answer with the issuer's keys (HTTP {})", origin(url), answer.status),
            "Ask whoever runs the issuer: its jwks_uri should answer with a JSON Web Key Set.",
        )
    })
}

fn endpoint(issuer: &Url, name: &str, text: &str) -> Result<Url> {
    let anonymous = |url: &Url| url.username().is_empty() && url.password().is_none();
    Url::parse(text).ok().filter(|url| is_acceptable_from(issuer, url) && anonymous(url)).ok_or_else(|| {
        Error::failed(
            format!("the issuer's {name} {:?} is no https URL", printable(text, 200)),
            "Ask whoever runs the issuer: its discovery document is not safe to follow.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> DiscoveryDocument {
        serde_json::from_str(text).expect("a document")
    }

    #[test]
    fn the_issuer_must_be_the_one_asked_for() {
        let document = document(r#"{"issuer":"https://a/","token_endpoint":"https://a/t"}"#);
        assert!(document.endpoints("https://a/").is_ok());
        assert!(document.endpoints("https://a").is_err());
    }

    #[test]
    fn endpoints_must_be_https() {
        let document = document(r#"{"issuer":"https://a","token_endpoint":"http://a/t"}"#);
        assert!(document.endpoints("https://a").is_err());
    }

    #[test]
    fn tokens_of_another_site_are_not_sent_to_a_third() {
        for (token, revocation, usable) in [
            ("https://honest.example/t", "https://evil.example/r", false),
            ("https://honest.example/t", "https://honest.example/r", true),
            ("https://evil.example/t", "https://elsewhere.example/r", true),
        ] {
            let text = format!(
                r#"{{"issuer":"https://evil.example","token_endpoint":"{token}","revocation_endpoint":"{revocation}","userinfo_endpoint":"{revocation}"}}"#
            );
            let endpoints = document(&text).endpoints("https://evil.example").expect("usable");
            assert_eq!((endpoints.revocation.is_some(), endpoints.userinfo.is_some()), (usable, usable), "{text}");
        }
    }

    #[test]
    fn a_revocation_endpoint_that_must_not_be_asked_is_none() {
        for (address, usable) in
            [("https://a/r", true), ("http://a/r", false), ("http://127.0.0.1/r", false), ("", false)]
        {
            let text =
                format!(r#"{{"issuer":"https://a","token_endpoint":"https://a/t","revocation_endpoint":"{address}"}}"#);
            let endpoints = document(&text).endpoints("https://a").expect("usable all the same");
            assert_eq!(endpoints.revocation.is_some(), usable, "{address}");
        }
    }
}
