//! The success response of a token endpoint (RFC 6749 5.1), with OpenID Connect's `id_token`.

use chrono::TimeDelta;
use oauth2::basic::BasicTokenType;
use oauth2::{ExtraTokenFields, StandardTokenResponse};
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// The body of a success response (RFC 6749 5.1).
pub type TokenResponseBody = StandardTokenResponse<IdTokenField, BasicTokenType>;

/// The field that OpenID Connect adds to a token response (OIDC Core 3.1.3.3).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdTokenField {
    /// The ID token, if the response has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<Secret>,
}

impl ExtraTokenFields for IdTokenField {}

/// Tokens, and how far this machine's clock is ahead of the server that issued them.
pub struct GrantedTokens {
    /// The response body.
    pub body: TokenResponseBody,
    /// Positive if this machine is ahead; `None` if the server sent no usable date.
    pub clock_ahead: Option<TimeDelta>,
}
