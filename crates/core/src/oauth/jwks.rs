//! Verifying an ID token against the keys its issuer publishes.
//!
//! It must not know where keys or tokens come from, nor what time it is: the caller fetches, caches and refreshes the keys,
//! and says what it expects.
//!
//! Source: OpenID Connect Core section 3.1.3.7 (what to check), RFC 7517 and RFC 7518 section 6 (keys), RFC 7515
//! (signatures), RFC 8037 (Ed25519), RFC 8725 (what goes wrong elsewhere).

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::jwt::{self, Claims, JwtError};
use crate::text::printable;

mod signature;
#[cfg(test)]
mod tests;

use signature::{Algorithm, Jwk};

/// The most characters of a `sub` (OpenID Connect Core 2).
const LONGEST_SUBJECT: usize = 255;

/// The keys of an issuer (RFC 7517 section 5). Keys that are not for signatures, or of a kind that is not supported,
/// are skipped when reading.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Jwks {
    #[serde(deserialize_with = "usable")]
    keys: Vec<Jwk>,
}

impl Jwks {
    /// How many keys could be used.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key could be used.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

fn usable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Jwk>, D::Error> {
    let keys = Vec::<Value>::deserialize(deserializer)?;
    Ok(keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).filter(Jwk::is_for_signatures).collect())
}

/// What a token has to be.
#[derive(Clone, Copy, Debug)]
pub struct TokenExpectations<'a> {
    /// The issuer, as its discovery document names itself.
    pub issuer: &'a str,
    /// Other names that the issuer may have in its tokens.
    pub issuer_aliases: &'a [&'a str],
    /// The client that the token has to be for. `None` checks no audience: only for access tokens that are used in place of ID
    /// tokens, whose audience is the issuer's choice.
    pub client_id: Option<&'a str>,
    /// The nonce that was sent with the authorization request, if one was.
    pub nonce: Option<&'a str>,
    /// The present.
    pub now: DateTime<Utc>,
    /// How far apart the two clocks may be.
    pub leeway: TimeDelta,
    /// `id_token_signing_alg_values_supported` of the discovery document. Names that are not supported are ignored;
    /// if none is left, RS256 is meant (OpenID Connect Core section 2).
    pub algorithms: &'a [String],
}

/// Why a token is refused. Messages repeat what the token says about keys and issuers, made fit for a terminal, and
/// never a token or a nonce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum VerifyError {
    /// No key fits. The caller fetches the keys again, once: the issuer may have changed them.
    #[error("none of the issuer's keys fits the token{}", key_id(kid.as_deref()))]
    UnknownKey {
        /// The key id the token names. Without one, every key that could have signed it was tried.
        kid: Option<String>,
    },
    /// The key the token names did not sign it.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// The token is signed in a way that the issuer did not announce or that is never accepted (`none`, `HS256`).
    #[error("the token is signed with \"{0}\", which is not accepted from this issuer")]
    Algorithm(String),
    /// The key the token names cannot make signatures of the kind the token claims.
    #[error("the token claims to be signed with {0}, but the key it names is for something else")]
    KeyMismatch(String),
    /// The token demands extensions to be understood (RFC 7515 section 4.1.11), of which there are none here.
    #[error("the token demands extensions (crit) that are not supported")]
    Critical,
    /// The token is from another issuer.
    #[error("the token is from another issuer: expected \"{expected}\", got \"{found}\"")]
    Issuer {
        /// The issuer asked for.
        expected: String,
        /// The issuer the token names; empty if none.
        found: String,
    },
    /// The token is for another client.
    #[error("the token is not for this client (aud, azp)")]
    Audience,
    /// The token has expired.
    #[error("the token has already expired")]
    Expired,
    /// The token has no readable expiry.
    #[error("the token has no expiry (exp)")]
    NoExpiry,
    /// The token is not valid yet.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The token does not say when it was issued, or was issued in the future.
    #[error("the token has no time of issue (iat), or one in the future")]
    IssuedAt,
    /// The token has no subject as OpenID Connect Core 2 demands it.
    #[error("the token has no subject (sub) of 1 to 255 ASCII characters")]
    Subject,
    /// The token answers another sign-in than ours.
    #[error("the token belongs to another sign-in (nonce)")]
    Nonce,
    /// The token cannot be read.
    #[error(transparent)]
    Malformed(#[from] JwtError),
}

impl VerifyError {
    /// Whether newer keys, or a newer discovery document, may lead to another result.
    pub fn may_be_outdated(&self) -> bool {
        matches!(self, Self::UnknownKey { .. } | Self::BadSignature | Self::Algorithm(_))
    }
}

/// Checks an ID token's signature, issuer, audience, subject, time and nonce, in this order, and returns its claims.
///
/// # Errors
/// [`VerifyError`]; [`VerifyError::may_be_outdated`] says whether to try again with fresh keys.
pub fn verify(token: &str, keys: &Jwks, expected: &TokenExpectations<'_>) -> Result<Claims, VerifyError> {
    let claims = Claims::read(token)?;
    check_signature(token, keys, expected.algorithms)?;
    check_issuer(&claims, expected.issuer, expected.issuer_aliases)?;
    if let Some(client_id) = expected.client_id {
        check_audience(&claims, client_id)?;
    }
    let subject = claims.string("sub").unwrap_or_default();
    if subject.is_empty() || subject.len() > LONGEST_SUBJECT || !subject.is_ascii() {
        return Err(VerifyError::Subject);
    }
    if claims.expires_at().is_none() {
        return Err(VerifyError::NoExpiry);
    }
    check_times(&claims, expected)?;
    if claims.issued_at().is_none_or(|issued| is_ahead(issued, expected)) {
        return Err(VerifyError::IssuedAt);
    }
    if expected.nonce.is_some() && expected.nonce != claims.nonce() {
        return Err(VerifyError::Nonce);
    }
    Ok(claims)
}

/// Checks UserInfo that came as a JWT, and returns its claims. It is signed like an ID token, but need not name its
/// issuer, audience and times (OpenID Connect Core 5.3.2); those that it names have to fit.
///
/// # Errors
/// See [`verify`].
pub fn verify_userinfo(token: &str, keys: &Jwks, expected: &TokenExpectations<'_>) -> Result<Claims, VerifyError> {
    let claims = Claims::read(token)?;
    check_signature(token, keys, expected.algorithms)?;
    if claims.as_map().contains_key("iss") {
        check_issuer(&claims, expected.issuer, expected.issuer_aliases)?;
    }
    if let (Some(client_id), true) = (expected.client_id, claims.as_map().contains_key("aud")) {
        check_audience(&claims, client_id)?;
    }
    check_times(&claims, expected)?;
    Ok(claims)
}

/// Whether `moment` is further in the future than two clocks may disagree. (A difference, because a moment plus a leeway
/// may leave the calendar.)
fn is_ahead(moment: DateTime<Utc>, expected: &TokenExpectations<'_>) -> bool {
    moment.signed_duration_since(expected.now) > expected.leeway
}

/// `exp` and `nbf`, as far as they are there.
fn check_times(claims: &Claims, expected: &TokenExpectations<'_>) -> Result<(), VerifyError> {
    let has_expired = |end: DateTime<Utc>| expected.now.signed_duration_since(end) >= expected.leeway;
    if claims.expires_at().is_some_and(has_expired) {
        return Err(VerifyError::Expired);
    }
    if claims.not_before().is_some_and(|start| is_ahead(start, expected)) {
        return Err(VerifyError::NotYetValid);
    }
    Ok(())
}

fn check_signature(token: &str, keys: &Jwks, announced: &[String]) -> Result<(), VerifyError> {
    let [header, claims, signature] = jwt::parts(token)?;
    let signed = &token.as_bytes()[..header.len() + 1 + claims.len()];
    let (header, signature) = (jwt::object(header)?, jwt::bytes(signature)?);
    if header.contains_key("crit") {
        return Err(VerifyError::Critical);
    }
    let algorithm = accepted(header.get("alg").and_then(Value::as_str).unwrap_or_default(), announced)?;
    let kid = header.get("kid").and_then(Value::as_str);
    let signs = |key: &&Jwk| key.verify(algorithm, signed, &signature);
    let named: Vec<&Jwk> = keys.keys.iter().filter(|key| kid.is_some() && key.kid() == kid).collect();
    if !named.is_empty() {
        let fitting: Vec<&Jwk> = named.into_iter().filter(|key| key.fits(algorithm)).collect();
        return match fitting.as_slice() {
            [] => Err(VerifyError::KeyMismatch(algorithm.name().to_owned())),
            keys if keys.iter().any(signs) => Ok(()),
            _ => Err(VerifyError::BadSignature),
        };
    }
    // The token names no key, or one that could be any of those without a name.
    let mut candidates = keys.keys.iter().filter(|key| kid.is_none() || key.kid().is_none());
    if candidates.any(|key| key.fits(algorithm) && signs(&key)) {
        return Ok(());
    }
    Err(VerifyError::UnknownKey { kid: kid.map(shown) })
}

/// The algorithm a token names, if it is one this issuer may use.
fn accepted(name: &str, announced: &[String]) -> Result<Algorithm, VerifyError> {
    let mut allowed: Vec<Algorithm> = announced.iter().filter_map(|name| Algorithm::named(name)).collect();
    if allowed.is_empty() {
        allowed.push(Algorithm::Rs256);
    }
    Algorithm::named(name).filter(|found| allowed.contains(found)).ok_or_else(|| VerifyError::Algorithm(shown(name)))
}

/// Refuses claims of another issuer than `expected`, which may have the names `aliases` too.
///
/// Errors: [`VerifyError::Issuer`].
pub fn check_issuer(claims: &Claims, expected: &str, aliases: &[&str]) -> Result<(), VerifyError> {
    let found = claims.issuer().unwrap_or_default();
    match found == expected || aliases.contains(&found) {
        true => Ok(()),
        false => Err(VerifyError::Issuer { expected: shown(expected), found: shown(found) }),
    }
}

fn check_audience(claims: &Claims, client_id: &str) -> Result<(), VerifyError> {
    let audiences = claims.audiences();
    let party = claims.as_map().get("azp").filter(|_| audiences.len() > 1);
    if !audiences.contains(&client_id) || party.is_some_and(|party| party.as_str() != Some(client_id)) {
        return Err(VerifyError::Audience);
    }
    Ok(())
}

fn key_id(kid: Option<&str>) -> String {
    kid.map(|kid| format!(" (key id \"{kid}\")")).unwrap_or_default()
}

/// Foreign text for a message.
fn shown(text: &str) -> String {
    printable(text, 200)
}
