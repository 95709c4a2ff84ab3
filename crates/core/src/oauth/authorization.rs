//! The authorization code grant (RFC 6749 4.1) with PKCE (RFC 7636) as far as the browser sees it: the address
//! to sign in at, and the check of the response.
//!
//! It must not know how the response arrives, through a listener or pasted, nor what the user is shown.

use std::borrow::Cow;

use oauth2::{AuthUrl, AuthorizationCode, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use url::{Url, form_urlencoded};

use super::client::OAuthClient;
use super::error_response::OAuthErrorResponse;

/// Random bytes in `state` and `nonce`.
const RANDOM_BYTES: u32 = 32;
/// Codes are not shorter: they cannot be guessed (RFC 6749 10.10).
const SHORTEST_CODE: usize = 12;
/// Parameters that this program sets itself; endpoints and users cannot.
pub const OWN_PARAMETERS: &[&str] = &[
    "client_id",
    "client_secret",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "nonce",
    "redirect_uri",
    "request",
    "request_uri",
    "response_type",
    "state",
];

/// What an authorization request asks for.
pub struct AuthorizationParams<'a> {
    /// The authorization endpoint.
    pub endpoint: &'a Url,
    /// The redirect URI, byte for byte; `None` if the issuer knows it.
    pub redirect_uri: Option<String>,
    /// The scopes.
    pub scopes: &'a [String],
    /// Whether to use PKCE, with S256.
    pub pkce: bool,
    /// Parameters besides these; none of [`OWN_PARAMETERS`].
    pub parameters: Vec<(String, String)>,
}

/// One authorization request, and what its response is checked against.
pub struct AuthorizationRequest {
    /// The address to sign in at.
    pub url: Url,
    /// The redirect URI, if the request has one.
    pub redirect_uri: Option<String>,
    /// The nonce that the ID token has to repeat.
    pub nonce: String,
    /// The PKCE verifier, which proves to the token endpoint that the code is ours.
    pub verifier: Option<PkceCodeVerifier>,
    /// Checks the response.
    pub expected: CallbackValidator,
}

/// Tells the response to a request from others.
#[derive(Clone)]
pub struct CallbackValidator {
    /// A hash, so that comparing takes the same time whatever was sent.
    state: [u8; 32],
    issuer: String,
    requires_iss: bool,
    is_issuer: fn(&str, &str) -> bool,
}

/// The response to our request.
pub enum AuthorizationResponse {
    /// A code to exchange for tokens.
    Code(AuthorizationCode),
    /// The issuer refused, or the user declined (RFC 6749 4.1.2.1).
    Refused(Box<OAuthErrorResponse>),
}

/// A response in a text that the user pasted.
pub struct PastedResponse {
    /// The response.
    pub answer: AuthorizationResponse,
    /// Whether it was a code by itself, without anything that shows that it is one.
    pub is_bare: bool,
}

/// Why a callback or a pasted text is not accepted as the response. Nothing that was sent is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum CallbackError {
    /// It has neither a code nor an error.
    #[error("there is no code in it")]
    NoCode,
    /// A word that is shorter than codes are. Whatever it is, it is not sent anywhere.
    #[error("a code is longer than that")]
    TooShort,
    /// Only a code, and no PKCE that would prove whose it is.
    #[error("a code by itself proves nothing where PKCE is not used")]
    Unproven,
    /// A parameter occurs more than once (RFC 6749 3.1).
    #[error("it says the same thing twice")]
    RepeatedParameter,
    /// No `state`: the end of an address is missing, or it does not come from the sign-in page.
    #[error("the address is incomplete: the state parameter is missing")]
    NoState,
    /// Not our `state`: forged, or from another sign-in.
    #[error("it belongs to another sign-in (state)")]
    WrongState,
    /// It names another issuer, or none although it has to (RFC 9207).
    #[error("it comes from another issuer (iss)")]
    WrongIssuer,
}

impl AuthorizationRequest {
    /// A request of `client`'s, with fresh secrets.
    pub fn new(client: &OAuthClient, wish: AuthorizationParams<'_>) -> AuthorizationRequest {
        let state = CsrfToken::new_random_len(RANDOM_BYTES);
        let nonce = CsrfToken::new_random_len(RANDOM_BYTES).into_secret();
        let endpoints = client.endpoints();
        let expected = CallbackValidator {
            state: Sha256::digest(state.secret()).into(),
            issuer: endpoints.issuer.clone(),
            requires_iss: endpoints.requires_iss,
            is_issuer: endpoints.is_issuer,
        };
        let (challenge, verifier) = wish.pkce.then(PkceCodeChallenge::new_random_sha256).unzip();
        let protocol = client.protocol(&endpoints.token).set_auth_uri(AuthUrl::from_url(bare(wish.endpoint)));
        let mut request = protocol
            .authorize_url(|| state)
            .add_scopes(wish.scopes.iter().cloned().map(Scope::new))
            .add_extra_param("nonce", nonce.as_str());
        for (name, value) in wish.parameters {
            request = request.add_extra_param(name, value);
        }
        if let Some(challenge) = challenge {
            request = request.set_pkce_challenge(challenge);
        }
        if let Some(url) = wish.redirect_uri.clone().and_then(|url| RedirectUrl::new(url).ok()) {
            request = request.set_redirect_uri(Cow::Owned(url));
        }
        let (url, _) = request.url();
        AuthorizationRequest { url, redirect_uri: wish.redirect_uri, nonce, verifier, expected }
    }

    /// The response in a pasted text: an address with the response in it, its query alone, or the bare code where it
    /// is `expected` (the issuer shows it) or PKCE proves whose it is.
    ///
    /// Errors: see [`CallbackError`].
    pub fn read_pasted(&self, text: &str, code_is_expected: bool) -> Result<PastedResponse, CallbackError> {
        // Mail and chat programs put addresses in brackets and quotes.
        let text = text.trim_matches(|c: char| c.is_whitespace() || "\"'<>".contains(c));
        let is_word = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'&');
        let is_address = ["://", "?", "code=", "state=", "error="].iter().any(|mark| text.contains(mark));
        if is_word && !is_address {
            return match text.len() {
                ..SHORTEST_CODE if !code_is_expected => Err(CallbackError::TooShort),
                _ if self.verifier.is_none() && !code_is_expected => Err(CallbackError::Unproven),
                _ => Ok(PastedResponse {
                    answer: AuthorizationResponse::Code(AuthorizationCode::new(text.to_owned())),
                    is_bare: true,
                }),
            };
        }
        let query = text.split_once('?').map_or(text, |(_, query)| query);
        // Issuers and browsers append fragments of their own (`#`, `#_=_`).
        let query = query.split_once('#').map_or(query, |(query, _)| query);
        let parameters: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Ok(PastedResponse { answer: self.expected.read(&parameters)?, is_bare: false })
    }
}

/// An authorization endpoint without parameters that are ours to set, and without a fragment (RFC 6749 3.1).
fn bare(endpoint: &Url) -> Url {
    let mut url = endpoint.clone();
    url.set_fragment(None);
    if url.query().is_some() {
        let others =
            endpoint.query_pairs().filter(|(name, _)| !OWN_PARAMETERS.contains(&name.as_ref()) && name != "scope");
        url.query_pairs_mut().clear().extend_pairs(others);
    }
    url
}

impl CallbackValidator {
    /// The response in the parameters of a callback.
    ///
    /// Errors: see [`CallbackError`].
    pub fn read(&self, parameters: &[(String, String)]) -> Result<AuthorizationResponse, CallbackError> {
        let one = |name: &str| {
            let mut values = parameters.iter().filter(|(key, value)| key == name && !value.is_empty());
            match (values.next(), values.next()) {
                (_, Some(_)) => Err(CallbackError::RepeatedParameter),
                (found, None) => Ok(found.map(|(_, value)| value.as_str())),
            }
        };
        let (code, error, state, issuer) = (one("code")?, one("error")?, one("state")?, one("iss")?);
        if code.is_none() && error.is_none() {
            return Err(CallbackError::NoCode);
        }
        match state {
            None => return Err(CallbackError::NoState),
            Some(state) if Sha256::digest(state)[..] != self.state => return Err(CallbackError::WrongState),
            Some(_) => {}
        }
        if !issuer.map_or(!self.requires_iss, |named| (self.is_issuer)(&self.issuer, named)) {
            return Err(CallbackError::WrongIssuer);
        }
        Ok(match (error, code) {
            (Some(error), _) => AuthorizationResponse::Refused(Box::new(OAuthErrorResponse::from_parameters(
                error,
                one("error_description")?,
            ))),
            (None, code) => AuthorizationResponse::Code(AuthorizationCode::new(code.unwrap_or_default().to_owned())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(pkce: bool, requires_iss: bool) -> AuthorizationRequest {
        let state: [u8; 32] = Sha256::digest("ours").into();
        AuthorizationRequest {
            url: Url::parse("https://issuer/authorize").expect("a URL"),
            redirect_uri: None,
            nonce: "n".to_owned(),
            verifier: pkce.then(|| PkceCodeVerifier::new("v".repeat(43))),
            expected: CallbackValidator {
                state,
                issuer: "https://issuer".to_owned(),
                requires_iss,
                is_issuer: |issuer, named| issuer == named,
            },
        }
    }

    fn code(request: &AuthorizationRequest, text: &str) -> Result<String, CallbackError> {
        request.read_pasted(text, false).map(|found| match found.answer {
            AuthorizationResponse::Code(code) => code.into_secret(),
            AuthorizationResponse::Refused(error) => format!("refused: {}", error.error),
        })
    }

    #[test]
    fn pasted_response_is_read_in_every_form() {
        let request = request(true, false);
        for text in [
            "http://localhost:8000/?code=c%2F1&state=ours",
            "  localhost:8000/?state=ours&code=c%2F1#_=_\r",
            "code=c%2F1&state=ours",
            "<http://localhost:8000/?code=c%2F1&state=ours>",
            "\"http://localhost:8000/?code=c%2F1&state=ours\"",
        ] {
            assert_eq!(code(&request, text).as_deref(), Ok("c/1"), "{text}");
        }
        assert_eq!(code(&request, " 4/0AbCdEfGhIj= ").as_deref(), Ok("4/0AbCdEfGhIj="));
        let declined = "http://localhost/?error=access_denied&state=ours";
        assert_eq!(code(&request, declined).as_deref(), Ok("refused: access_denied"));
    }

    #[test]
    fn endpoint_keeps_its_own_parameters_and_none_of_ours() {
        let url = |text| Url::parse(text).expect("a URL");
        let endpoint = url("https://a/auth?p=policy&state=evil&redirect_uri=http://evil#x");
        assert_eq!(bare(&endpoint), url("https://a/auth?p=policy"));
        assert_eq!(bare(&url("https://a/auth")), url("https://a/auth"));
    }

    #[test]
    fn other_text_is_rejected_with_reason() {
        for (text, why) in [
            ("http://localhost/?code=c&state=theirs", CallbackError::WrongState),
            ("http://localhost/?code=c", CallbackError::NoState),
            ("http://localhost/?error=access_denied", CallbackError::NoState),
            ("hunter2", CallbackError::TooShort),
            ("http://localhost/?code=c&code=d&state=ours", CallbackError::RepeatedParameter),
            ("https://issuer/authorize?client_id=x&state=ours", CallbackError::NoCode),
            ("http://localhost/", CallbackError::NoCode),
            ("two words", CallbackError::NoCode),
            ("", CallbackError::NoCode),
            ("http://localhost/?code=c&state=ours&iss=https://elsewhere", CallbackError::WrongIssuer),
        ] {
            assert_eq!(code(&request(true, false), text), Err(why), "{text}");
        }
        // Only PKCE proves that a bare code is ours.
        assert_eq!(code(&request(false, false), "a-code-of-a-code"), Err(CallbackError::Unproven));
        assert!(request(false, false).read_pasted("a-code-of-a-code", true).is_ok_and(|found| found.is_bare));
    }

    #[test]
    fn response_without_promised_iss_is_rejected() {
        let text = "http://localhost/?code=c&state=ours";
        assert_eq!(code(&request(true, true), text), Err(CallbackError::WrongIssuer));
        assert_eq!(code(&request(true, true), &format!("{text}&iss=https://issuer")).as_deref(), Ok("c"));
        assert_eq!(code(&request(true, false), &format!("{text}&iss=https://other")), Err(CallbackError::WrongIssuer));
    }

    proptest! {
        #[test]
        fn foreign_text_never_panics(text in any::<String>(), pairs in any::<Vec<(String, String)>>()) {
            let _ = request(true, true).read_pasted(&text, true);
            prop_assert!(request(true, false).expected.read(&pairs).is_err());
        }
    }
}
