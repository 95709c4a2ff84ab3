//! What the issuer says about a user beyond their token: the UserInfo endpoint (OpenID Connect Core 5.3).

use std::time::Duration;

use hyper::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use url::Url;

use super::jwt::Claims;
use crate::http::{Http, TransportError, bearer, origin};
use crate::secret::Secret;

/// What a UserInfo endpoint answers with.
pub enum UserInfoResponse {
    /// Claims in JSON, which TLS vouches for.
    Claims(Claims),
    /// A signed JWT, which is to be verified before anything in it counts (5.3.2).
    Signed(Secret),
}

/// Why there is no usable UserInfo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum UserInfoError {
    /// The access token cannot be sent in a header.
    #[error("the access token cannot be sent: it has control characters")]
    UnsendableToken,
    /// The server did not respond.
    #[error("the issuer's UserInfo could not be read")]
    Transport(#[source] TransportError),
    /// The response is not a success.
    #[error("{origin} gives no UserInfo (HTTP {status})")]
    Status {
        /// Scheme, host and port that answered.
        origin: String,
        /// The HTTP status.
        status: u16,
    },
    /// The response is an encrypted JWT.
    #[error("{origin} answers with encrypted UserInfo")]
    Encrypted {
        /// Scheme, host and port that answered.
        origin: String,
    },
    /// The response is something else.
    #[error("{origin} answers with something else than UserInfo in JSON")]
    NotUserInfo {
        /// Scheme, host and port that answered.
        origin: String,
    },
    /// The response is about another user, so it must not be used (OIDC Core 5.3.2).
    #[error("{origin} answers with the UserInfo of another user")]
    OtherUser {
        /// Scheme, host and port that answered.
        origin: String,
    },
}

/// Requests the UserInfo of the user of `access_token`, within `limit`.
///
/// Errors: the server did not respond, or it is neither JSON nor a signed JWT.
pub async fn fetch(
    http: &Http,
    endpoint: &Url,
    access_token: &Secret,
    limit: Duration,
) -> Result<UserInfoResponse, UserInfoError> {
    let accept = (ACCEPT, HeaderValue::from_static("application/json, application/jwt"));
    let headers = HeaderMap::from_iter([
        (AUTHORIZATION, bearer(access_token).map_err(|_| UserInfoError::UnsendableToken)?),
        accept,
    ]);
    let response = http.fetch(endpoint, headers, limit).await.map_err(UserInfoError::Transport)?;
    let origin = origin(endpoint);
    if response.status != 200 {
        return Err(UserInfoError::Status { origin, status: response.status });
    }
    if let Ok(claims) = serde_json::from_slice(&response.body) {
        return Ok(UserInfoResponse::Claims(claims));
    }
    let text = String::from_utf8(response.body).unwrap_or_default();
    match text.trim().split('.').count() {
        3 => Ok(UserInfoResponse::Signed(Secret::new(text.trim()))),
        5 => Err(UserInfoError::Encrypted { origin }),
        _ => Err(UserInfoError::NotUserInfo { origin }),
    }
}

/// Checks that `claims`, from `endpoint`, are about the user whose ID token has `subject` as its `sub`.
///
/// Errors: [`UserInfoError::OtherUser`].
pub fn check_subject(claims: &Claims, endpoint: &Url, subject: &str) -> Result<(), UserInfoError> {
    if claims.string("sub") == Some(subject) {
        return Ok(());
    }
    Err(UserInfoError::OtherUser { origin: origin(endpoint) })
}
