//! Reading a JSON Web Token without trusting it: to show its user and expiry, and as the first half of verifying it.
//!
//! Must not know keys or signatures: nothing read here is proven. Code that decides
//! by a claim calls `jwks::verify`, or received the token directly from its issuer.
//!
//! Source: RFC 7519 (claims), RFC 7515 section 7.1 (compact serialization), OpenID Connect Core section 5.1.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::text::printable;

/// The longest token that is looked at, in bytes.
const SIZE_LIMIT: usize = 1024 * 1024;

/// base64url, with or without the padding that RFC 7515 leaves out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Claims that are tried, in this order, for a name that a person recognises.
const ACCOUNT_CLAIMS: [&str; 5] = ["preferred_username", "upn", "email", "unique_name", "sub"];

/// The most characters of such a name: an e-mail address has at most 254.
const ACCOUNT_LENGTH: usize = 256;

/// Why a text is not a readable JWT. It holds nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, Error)]
#[serde(rename_all = "kebab-case")]
pub enum JwtError {
    /// Longer than 1 MiB.
    #[error("the token is longer than 1 MiB")]
    TooLong,
    /// Not three parts with dots between them: an opaque token, or an encrypted one.
    #[error("the token is not a signed JWT (three parts with dots between them)")]
    NotThreeParts,
    /// A part is not base64url.
    #[error("a part of the token is not base64url")]
    NotBase64,
    /// The header or the claims are not a JSON object.
    #[error("a part of the token is not a JSON object")]
    NotAnObject,
}

/// The claims of a token. Debug shows none of them, because they are personal data.
#[derive(Clone, PartialEq, serde::Deserialize)]
pub struct Claims(Map<String, Value>);

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").finish_non_exhaustive()
    }
}

impl Claims {
    /// Reads the claims of a signed JWT in compact form. Neither the header nor the signature is looked at.
    ///
    /// # Errors
    /// [`JwtError`], for everything that is not three parts with a base64url JSON object in the middle.
    pub fn read(token: &str) -> Result<Self, JwtError> {
        let [_, claims, _] = parts(token)?;
        object(claims).map(Self)
    }

    /// Everything that was said, as it came.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// A claim that is a text, as it came: not made fit for a terminal.
    pub fn string(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// `exp` (RFC 7519 section 4.1.4), in whole seconds. `None` also if it is not a number or out of range.
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.moment("exp")
    }

    /// `iat` (RFC 7519 section 4.1.6), in whole seconds.
    pub fn issued_at(&self) -> Option<DateTime<Utc>> {
        self.moment("iat")
    }

    /// `nbf` (RFC 7519 section 4.1.5), in whole seconds.
    pub fn not_before(&self) -> Option<DateTime<Utc>> {
        self.moment("nbf")
    }

    /// `iss` (RFC 7519 section 4.1.1).
    pub fn issuer(&self) -> Option<&str> {
        self.string("iss")
    }

    /// `aud` (RFC 7519 section 4.1.3), which is one text or a list of them. Empty when there is none.
    pub fn audiences(&self) -> Vec<&str> {
        match self.0.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// `nonce` (OpenID Connect Core section 2).
    pub fn nonce(&self) -> Option<&str> {
        self.string("nonce")
    }

    /// A name for the person or program, safe to show: the first of `preferred_username`, `upn`, `email`,
    /// `unique_name` and `sub` that is not empty, without control characters and the like. For display only:
    /// most of these can be changed by their owner.
    pub fn account(&self) -> Option<String> {
        ACCOUNT_CLAIMS
            .iter()
            .filter_map(|name| self.string(name))
            .map(|name| printable(name, ACCOUNT_LENGTH))
            .find(|name| !name.is_empty())
    }

    /// A NumericDate (RFC 7519 section 2). Some issuers send it as a text.
    fn moment(&self, name: &str) -> Option<DateTime<Utc>> {
        let seconds = match self.0.get(name)? {
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
            Value::String(text) => {
                let text = text.trim();
                text.parse().ok().or_else(|| text.parse().ok().and_then(whole))
            }
            _ => None,
        };
        DateTime::from_timestamp(seconds?, 0)
    }
}

/// Rounds down. `None` beyond what a moment could be.
fn whole(seconds: f64) -> Option<i64> {
    // Also false for NaN.
    (seconds.abs() < 1e15).then_some(seconds.floor() as i64)
}

/// Header, claims and signature, still encoded.
pub(super) fn parts(token: &str) -> Result<[&str; 3], JwtError> {
    if token.len() > SIZE_LIMIT {
        return Err(JwtError::TooLong);
    }
    let mut parts = token.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(claims), Some(signature), None) => Ok([header, claims, signature]),
        _ => Err(JwtError::NotThreeParts),
    }
}

/// One part's bytes.
pub(super) fn bytes(part: &str) -> Result<Vec<u8>, JwtError> {
    BASE64.decode(part).map_err(|_| JwtError::NotBase64)
}

/// One part's JSON object.
pub(super) fn object(part: &str) -> Result<Map<String, Value>, JwtError> {
    serde_json::from_slice(&bytes(part)?).map_err(|_| JwtError::NotAnObject)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    fn claims(json: &str) -> Claims {
        Claims::read(&format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(json))).unwrap()
    }

    #[test]
    fn the_shape_is_checked() {
        for (token, error) in [
            ("", JwtError::NotThreeParts),
            ("opaque", JwtError::NotThreeParts),
            ("a.b", JwtError::NotThreeParts),
            ("a.b.c.d.e", JwtError::NotThreeParts),
            ("e30.$$$.x", JwtError::NotBase64),
            ("e30.a+/b.x", JwtError::NotBase64),
            ("e30..x", JwtError::NotAnObject),
            ("e30.W10.x", JwtError::NotAnObject),
            ("e30.bm8.x", JwtError::NotAnObject),
        ] {
            assert_eq!(Claims::read(token), Err(error), "{token}");
        }
        assert_eq!(Claims::read(&"x".repeat(SIZE_LIMIT + 1)), Err(JwtError::TooLong));
        let padded = format!("e30.{}.x", URL_SAFE.encode(r#"{"a": "b"}"#));
        assert!(padded.contains('='));
        assert_eq!(Claims::read(&padded).unwrap().string("a"), Some("b"));
    }

    #[test]
    fn moments_in_every_spelling() {
        let expected = DateTime::from_timestamp(1_700_000_000, 0);
        for exp in ["1700000000", "1700000000.9", "1.7e9", "\"1700000000\"", "\" 1700000000.5 \""] {
            assert_eq!(claims(&format!(r#"{{"exp":{exp}}}"#)).expires_at(), expected, "{exp}");
        }
        for exp in
            ["null", "\"soon\"", "[]", "1e300", "18446744073709551615", "9223372036854775807", "\"NaN\"", "\"inf\""]
        {
            assert_eq!(claims(&format!(r#"{{"exp":{exp}}}"#)).expires_at(), None, "{exp}");
        }
        let both = claims(r#"{"iat":1,"nbf":2}"#);
        assert_eq!(
            (both.issued_at(), both.not_before()),
            (DateTime::from_timestamp(1, 0), DateTime::from_timestamp(2, 0))
        );
    }

    #[test]
    fn named_claims() {
        let claims = claims(r#"{"iss":"i","nonce":"n","aud":["a",1,"b"],"groups":["g"]}"#);
        assert_eq!((claims.issuer(), claims.nonce()), (Some("i"), Some("n")));
        assert_eq!(claims.audiences(), ["a", "b"]);
        assert_eq!((claims.string("groups"), claims.account()), (None, None));
        assert!(claims.as_map().contains_key("groups"));
        assert_eq!(format!("{claims:?}"), "Claims { .. }");
    }

    #[test]
    fn audiences_and_accounts() {
        assert_eq!(claims(r#"{"aud":"one"}"#).audiences(), ["one"]);
        assert!(claims(r#"{"aud":{}}"#).audiences().is_empty());
        let account = |json| claims(json).account();
        assert_eq!(account(r#"{"sub":"s","email":"e","upn":"u","preferred_username":"p"}"#).as_deref(), Some("p"));
        assert_eq!(account(r#"{"sub":"s","email":"e","unique_name":"n"}"#).as_deref(), Some("e"));
        assert_eq!(account(r#"{"sub":"s","upn":7,"preferred_username":"\u001b\n"}"#).as_deref(), Some("s"));
        assert_eq!(account(r#"{"upn":"a\u001b[31m\u202eb"}"#).as_deref(), Some("a[31mb"));
    }

    proptest! {
        #[test]
        fn no_text_panics(token in "\\PC*", payload in "\\PC*", seconds in any::<f64>()) {
            let _ = Claims::read(&token);
            let _ = Claims::read(&format!("{token}.{payload}.{token}"));
            let json = serde_json::json!({"exp": seconds, "iat": seconds.to_string(), "aud": payload, "upn": token});
            let claims = claims(&json.to_string());
            let _ = (claims.expires_at(), claims.issued_at(), claims.account());
            prop_assert_eq!(claims.audiences(), [payload.as_str()]);
        }
    }
}
