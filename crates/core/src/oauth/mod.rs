//! The protocol: OAuth 2.0 (RFC 6749), device authorization (RFC 8628), authorization code with PKCE (RFC 7636), OpenID
//! Connect discovery and ID tokens. It must not know vendors, what is stored, or what users are shown.

pub mod authorization;
pub mod challenge;
pub mod client;
pub mod device;
pub mod discovery;
pub mod error_response;
pub mod jwks;
pub mod jwt;
pub mod site;
pub mod token_response;
mod transport;
pub mod unusable_response;
pub mod userinfo;

use serde::{Deserialize, Serialize};
use url::Url;

/// How a client sends its secret to the token endpoint (OpenID Connect Core 9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientSecretMethod {
    /// `client_secret_basic`: in the Authorization header (RFC 6749 2.3.1). The default.
    #[default]
    Basic,
    /// `client_secret_post`: in the body.
    Post,
}

/// An issuer's endpoints and what it supports, from its discovery document or computed.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// The issuer, as its tokens name it.
    pub issuer: String,
    /// Token endpoint (RFC 6749 3.2).
    pub token: Url,
    /// Authorization endpoint (RFC 6749 3.1), if there is one.
    pub authorization: Option<Url>,
    /// Device authorization endpoint (RFC 8628 3.1), if there is one.
    pub device_authorization: Option<Url>,
    /// Revocation endpoint (RFC 7009), if there is one.
    pub revocation: Option<Url>,
    /// UserInfo endpoint (OpenID Connect Core 5.3), if there is one.
    pub userinfo: Option<Url>,
    /// Keys of the issuer's signatures (RFC 7517), if tokens are verified.
    pub keys: Option<Url>,
    /// Whether the issuer offers PKCE with S256; `None` if it does not say.
    pub supports_s256: Option<bool>,
    /// Whether what comes back from the authorization endpoint has to name the issuer (RFC 9207).
    pub requires_iss: bool,
    /// Whether a name there (the second) is that of [`Endpoints::issuer`] (the first).
    pub is_issuer: fn(&str, &str) -> bool,
    /// Signature algorithms of ID tokens; empty means RS256 (OpenID Connect Discovery 3).
    pub signing_algorithms: Vec<String>,
    /// The same for UserInfo that comes as a JWT.
    pub userinfo_algorithms: Vec<String>,
    /// How a client secret may be sent, in the order in which that is tried; never empty.
    pub client_secret_methods: Vec<ClientSecretMethod>,
}
