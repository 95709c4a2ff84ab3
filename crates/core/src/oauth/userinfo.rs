//! What the issuer says of a person beyond their token: the UserInfo endpoint (OpenID Connect Core 5.3).

use std::time::Duration;

use hyper::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use url::Url;

use super::jwt::Claims;
use crate::error::{Error, Result};
use crate::http::{Http, Peer, TransportError, bearer, origin};
use crate::secret::Secret;

/// The step for an answer that is of no use.
const ASK: &str = "Ask the issuer's administrator.";

/// What a UserInfo endpoint answers with.
pub enum UserInfoResponse {
    /// Claims in JSON, which TLS vouches for.
    Claims(Claims),
    /// A signed JWT, which is to be verified before anything in it counts (5.3.2).
    Signed(Secret),
}

/// Asks for the UserInfo of the user whom `access_token` was issued to.
///
/// Errors: there is no answer, or it is neither JSON nor a signed JWT.
pub async fn fetch(http: &Http, endpoint: &Url, access_token: &Secret, limit: Duration) -> Result<UserInfoResponse> {
    let accept = (ACCEPT, HeaderValue::from_static("application/json, application/jwt"));
    let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer(access_token)?), accept]);
    let explained =
        |trouble: TransportError| trouble.explain("read the issuer's UserInfo", Peer::Service("the issuer's UserInfo"));
    let answer = http.fetch(endpoint, headers, limit).await.map_err(explained)?;
    let from = origin(endpoint);
    if answer.status != 200 {
        return Err(Error::failed(format!("{from} gives no UserInfo (HTTP {})", answer.status), ASK));
    }
    if let Ok(claims) = serde_json::from_slice(&answer.body) {
        return Ok(UserInfoResponse::Claims(claims));
    }
    let text = String::from_utf8(answer.body).unwrap_or_default();
    match text.trim().split('.').count() {
        3 => Ok(UserInfoResponse::Signed(Secret::new(text.trim()))),
        5 => Err(Error::failed(
            format!("{from} answers with encrypted UserInfo"),
            "Ask the issuer's administrator to send this client its UserInfo signed or plain.",
        )),
        _ => Err(Error::failed(format!("{from} answers with something else than UserInfo in JSON"), ASK)),
    }
}

/// Checks that `claims`, an answer of `endpoint`, are about the user whose ID token has `subject` as its `sub`.
///
/// Errors: they are about another user, so they must not be used (OIDC Core 5.3.2).
pub fn check_subject(claims: &Claims, endpoint: &Url, subject: &str) -> Result<()> {
    if claims.string("sub") == Some(subject) {
        return Ok(());
    }
    Err(Error::failed(format!("{} answers with the UserInfo of another user", origin(endpoint)), ASK))
}
