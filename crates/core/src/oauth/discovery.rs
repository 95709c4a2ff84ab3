//! OpenID Connect discovery and the issuer's keys.
//!
//! OpenID Connect Discovery 1.0, 3 and 4.3: the document's `issuer` must equal the one asked for, byte for byte.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use super::jwks::Jwks;
use super::site::foreign;
use super::{ClientSecretMethod, Endpoints};
use crate::http::{Http, HttpResponse, TransportError, is_acceptable, is_acceptable_from, origin};
use crate::masking::hide;
use crate::secret::Secret;
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

/// Why a text cannot be an issuer's URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum IssuerUrlError {
    /// It cannot be parsed.
    #[error("the issuer {issuer:?} is not a URL")]
    NotAUrl {
        /// The text, fit for a terminal.
        issuer: String,
    },
    /// It is neither https nor on this machine.
    #[error("the issuer {issuer:?} is not https")]
    NotHttps {
        /// The text, fit for a terminal.
        issuer: String,
    },
    /// It could be mistaken for another address: it has a user name, a backslash, or other characters than ASCII's.
    #[error("the issuer is not a plain URL (it leads to {origin})")]
    NotPlain {
        /// Scheme, host and port that it leads to.
        origin: String,
    },
}

/// Why an issuer's metadata or keys cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum DiscoveryError {
    /// The issuer's URL is not one.
    #[error(transparent)]
    IssuerUrl(#[from] IssuerUrlError),
    /// The request for the document failed.
    #[error("the issuer's discovery document could not be read")]
    Transport(#[source] TransportError),
    /// The response for the document is not a success.
    #[error("{issuer} has no discovery document (HTTP {status})")]
    Status {
        /// The issuer, fit for a terminal.
        issuer: String,
        /// The address of the document.
        address: String,
        /// The HTTP status.
        status: u16,
    },
    /// The response is something else.
    #[error("{origin} answered discovery with something else than an OpenID Connect document")]
    NotADocument {
        /// Scheme, host and port that answered.
        origin: String,
        /// The address of the document.
        address: String,
    },
    /// The document is another issuer's (OpenID Connect Discovery 4.3).
    #[error("the issuer calls itself {found:?}, not {expected:?}")]
    WrongIssuer {
        /// The issuer that the document names, fit for a terminal.
        found: String,
        /// The issuer asked for, fit for a terminal.
        expected: String,
    },
    /// An endpoint is not https.
    #[error("the issuer's {name} {url:?} is not an https URL")]
    Endpoint {
        /// The name in the document.
        name: String,
        /// What stands there, fit for a terminal.
        url: String,
    },
    /// The request for the keys failed.
    #[error("the issuer's keys could not be read")]
    KeysTransport(#[source] TransportError),
    /// The response for the keys is not a JSON Web Key Set.
    #[error("{origin} does not answer with the issuer's keys (HTTP {status})")]
    NotKeys {
        /// Scheme, host and port that answered.
        origin: String,
        /// The HTTP status.
        status: u16,
    },
}

impl DiscoveryError {
    /// The same error with the secrets of `http`'s requests masked: a document may repeat them.
    pub fn masked(self, http: &Http) -> DiscoveryError {
        let masked = |text: String| hide(&text, http.secrets().map(Secret::expose));
        match self {
            DiscoveryError::WrongIssuer { found, expected } => {
                DiscoveryError::WrongIssuer { found: masked(found), expected }
            }
            DiscoveryError::Endpoint { name, url } => DiscoveryError::Endpoint { name, url: masked(url) },
            other => other,
        }
    }
}

/// The issuer's URL, checked.
///
/// Errors: see [`IssuerUrlError`].
pub fn issuer_url(issuer: &str) -> Result<Url, IssuerUrlError> {
    let shown = || printable(issuer, 200);
    let url = Url::parse(issuer).map_err(|_| IssuerUrlError::NotAUrl { issuer: shown() })?;
    if !is_acceptable(&url) {
        return Err(IssuerUrlError::NotHttps { issuer: shown() });
    }
    // Prompts show it as it is written, so it must read as what it is.
    if !url.username().is_empty()
        || url.password().is_some()
        || issuer.contains(|c: char| c == '\\' || !c.is_ascii_graphic())
    {
        return Err(IssuerUrlError::NotPlain { origin: origin(&url) });
    }
    Ok(url)
}

/// Fetches and checks the discovery document of `issuer`, within `limit`.
///
/// Errors: it cannot be fetched, or see [`parse`].
pub async fn fetch(http: &Http, issuer: &str, limit: Duration) -> Result<DiscoveryDocument, DiscoveryError> {
    let response = request(http, issuer, limit).await?;
    parse(&response, issuer).map_err(|error| error.masked(http))
}

/// Requests the discovery document of `issuer`, within `limit`. The response is not checked.
///
/// Errors: the server did not respond.
pub async fn request(http: &Http, issuer: &str, limit: Duration) -> Result<HttpResponse, DiscoveryError> {
    http.get(&address(issuer)?, limit).await.map_err(DiscoveryError::Transport)
}

/// The address of the discovery document of `issuer`.
fn address(issuer: &str) -> Result<Url, IssuerUrlError> {
    issuer_url(issuer)?;
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    issuer_url(&format!("{base}/.well-known/openid-configuration"))
}

/// The discovery document of `issuer` in a response to [`request`], checked.
///
/// Errors: it is not a document, it is another issuer's, or it names endpoints that are not https.
pub fn parse(response: &HttpResponse, issuer: &str) -> Result<DiscoveryDocument, DiscoveryError> {
    let url = address(issuer)?;
    let address = printable(url.as_str(), 300);
    if response.status != 200 {
        return Err(DiscoveryError::Status { issuer: printable(issuer, 200), address, status: response.status });
    }
    let document: DiscoveryDocument = serde_json::from_slice(&response.body)
        .map_err(|_| DiscoveryError::NotADocument { origin: origin(&url), address })?;
    document.endpoints(issuer)?;
    Ok(document)
}

impl DiscoveryDocument {
    /// The endpoints, if the document is `issuer`'s own and all of them may be asked.
    ///
    /// Errors: the document is another issuer's, or names an endpoint that must not be asked.
    pub fn endpoints(&self, issuer: &str) -> Result<Endpoints, DiscoveryError> {
        if self.issuer != issuer {
            return Err(DiscoveryError::WrongIssuer {
                found: printable(&self.issuer, 200),
                expected: printable(issuer, 200),
            });
        }
        let base = issuer_url(issuer)?;
        let endpoint = |name: &'static str, text: &str| endpoint(&base, name, text);
        let optional = |name: &'static str, text: &Option<String>| {
            text.as_deref().filter(|text| !text.is_empty()).map(|text| endpoint(name, text)).transpose()
        };
        let offers = |list: &Option<Vec<String>>, name: &str| list.iter().flatten().any(|item| item == name);
        let s256 = &self.code_challenge_methods_supported.clone().filter(|methods| !methods.is_empty());
        let methods = &self.token_endpoint_auth_methods_supported;
        let token = endpoint("token_endpoint", &self.token_endpoint)?;
        // If a document names another site's token endpoint, it must not decide where that site's tokens are sent.
        let may_have_tokens = |url: &Url| foreign(url, &token).is_none() || foreign(&token, &base).is_none();
        let for_tokens = |name, text| optional(name, text).unwrap_or_default().filter(may_have_tokens);
        Ok(Endpoints {
            issuer: self.issuer.clone(),
            authorization: optional("authorization_endpoint", &self.authorization_endpoint)?,
            device_authorization: optional("device_authorization_endpoint", &self.device_authorization_endpoint)?,
            // An address that is used only after a sign-in must not prevent it.
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
                // An issuer may offer both and still accept only one from a given client.
                _ => vec![ClientSecretMethod::Basic, ClientSecretMethod::Post],
            },
        })
    }
}

/// Fetches the issuer's keys (RFC 7517) from `url`, within `limit`.
///
/// Errors: they cannot be fetched, or the response is not a JSON Web Key Set.
pub async fn fetch_keys(http: &Http, url: &Url, limit: Duration) -> Result<Jwks, DiscoveryError> {
    let response = http.get(url, limit).await.map_err(DiscoveryError::KeysTransport)?;
    let keys = serde_json::from_slice(&response.body).ok().filter(|_| response.status == 200);
    keys.ok_or_else(|| DiscoveryError::NotKeys { origin: origin(url), status: response.status })
}

fn endpoint(issuer: &Url, name: &'static str, text: &str) -> Result<Url, DiscoveryError> {
    let has_no_user = |url: &Url| url.username().is_empty() && url.password().is_none();
    let url = Url::parse(text).ok().filter(|url| is_acceptable_from(issuer, url) && has_no_user(url));
    url.ok_or_else(|| DiscoveryError::Endpoint { name: name.to_owned(), url: printable(text, 200) })
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
            let endpoints = document(&text).endpoints("https://a").expect("usable even so");
            assert_eq!(endpoints.revocation.is_some(), usable, "{address}");
        }
    }
}
