//! What the issuer says of a person beyond their token: the UserInfo endpoint (OpenID Connect Core 5.3).

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use url::Url;

use super::jwt::Claims;
use super::subject::GroupsClaim;
use crate::error::{Error, Result};
use crate::http::{Asked, Http, Trouble, bearer, origin};
use crate::secret::Secret;

/// The groups of whoever `access_token` was issued to, by the claim called `claim`. `subject` is the `sub` of their ID token:
/// an answer about anybody else must not be used (5.3.2).
///
/// Errors: there is no answer, or none that can be used.
pub async fn groups(
    http: &Http,
    endpoint: &Url,
    access_token: &Secret,
    subject: &str,
    claim: &str,
    limit: Duration,
) -> Result<GroupsClaim> {
    let ask = "Ask whoever runs the issuer.";
    let accept = (ACCEPT, HeaderValue::from_static("application/json"));
    let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer(access_token)?), accept]);
    let explained =
        |trouble: Trouble| trouble.explain("read the issuer's UserInfo", Asked::Service("the issuer's UserInfo"));
    let answer = http.fetch(endpoint, headers, limit).await.map_err(explained)?;
    let from = origin(endpoint);
    if answer.status != 200 {
        return Err(Error::failed(format!("{from} gives no UserInfo (HTTP {})", answer.status), ask));
    }
    let claims: Claims = serde_json::from_slice(&answer.body)
        .map_err(|_| Error::failed(format!("{from} answers with something else than UserInfo in JSON"), ask))?;
    if claims.string("sub") != Some(subject) {
        return Err(Error::failed(format!("{from} answers with the UserInfo of somebody else"), ask));
    }
    Ok(super::subject::groups(&claims, claim))
}
