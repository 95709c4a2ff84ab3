//! A claims challenge: what a token has to contain before a server accepts it, as the `claims` parameter of OpenID Connect
//! Core 5.5. It comes in a server's error or from the user, and goes back to the issuer in the requests of a sign-in. It
//! contains no secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The longest one, in bytes of JSON. It has to fit into the URL of a page; those seen have a few hundred.
const LONGEST: usize = 8 * 1024;

/// A claims challenge: a JSON object that asks for something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimsChallenge(Map<String, Value>);

/// Why a text is not a claims challenge. Nothing of the text is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsChallengeError {
    /// It is longer than any real one.
    #[error("it is longer than 8 KiB")]
    TooLong,
    /// It is something else.
    #[error("it is neither a JSON object nor one in base64")]
    NotAnObject,
    /// `{}`.
    #[error("it asks for nothing")]
    Empty,
}

impl ClaimsChallenge {
    /// The challenge in a JSON text.
    ///
    /// Errors: see [`ClaimsChallengeError`].
    pub fn from_json(text: &str) -> Result<ClaimsChallenge, ClaimsChallengeError> {
        if text.len() > LONGEST {
            return Err(ClaimsChallengeError::TooLong);
        }
        let object: Map<String, Value> = serde_json::from_str(text).map_err(|_| ClaimsChallengeError::NotAnObject)?;
        if object.is_empty() { Err(ClaimsChallengeError::Empty) } else { Ok(ClaimsChallenge(object)) }
    }

    /// The challenge in a pasted text: JSON as in an error, or the base64 of it as in a `WWW-Authenticate` header,
    /// which may be of either alphabet, padded or not, and broken into lines or in quotes by whatever it was copied from.
    ///
    /// Errors: see [`ClaimsChallengeError`].
    pub fn from_copy(text: &str) -> Result<ClaimsChallenge, ClaimsChallengeError> {
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '"');
        if text.starts_with('{') {
            return ClaimsChallenge::from_json(text);
        }
        let letters = text.trim_end_matches('=').chars().filter(|c| !c.is_whitespace());
        let standard: String = letters
            .map(|c| {
                if c == '-' {
                    '+'
                } else if c == '_' {
                    '/'
                } else {
                    c
                }
            })
            .collect();
        let json = STANDARD_NO_PAD.decode(standard).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        ClaimsChallenge::from_json(&json.ok_or(ClaimsChallengeError::NotAnObject)?)
    }

    /// This challenge and what `other` asks for in addition. If they disagree, this one wins.
    pub fn and(mut self, other: ClaimsChallenge) -> ClaimsChallenge {
        join(&mut self.0, other.0);
        self
    }

    /// As it stands in a request.
    pub fn text(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }
}

fn join(into: &mut Map<String, Value>, other: Map<String, Value>) {
    for (name, value) in other {
        match (into.get_mut(&name), value) {
            (Some(Value::Object(known)), Value::Object(more)) => join(known, more),
            (Some(_), _) => {}
            (None, value) => {
                into.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json(text: &str) -> ClaimsChallenge {
        ClaimsChallenge::from_json(text).expect("a challenge")
    }

    #[test]
    fn pasted_challenge_is_read_in_every_form() {
        // Both letters that the alphabets differ in are in it.
        let text = r#"{"id_token":{"x":"??>~~~ÿ"}}"#;
        let standard = base64::engine::general_purpose::STANDARD.encode(text);
        let url_safe = base64::engine::general_purpose::URL_SAFE.encode(text);
        assert!(standard.contains(['+', '/']) && standard.ends_with('=') && url_safe.contains(['-', '_']));
        let in_lines = format!("{}\n  {}\n", &standard[..8], &standard[8..]);
        let bare = url_safe.trim_end_matches('=').to_owned();
        for copy in
            [text.to_owned(), format!(" {text}\n"), format!("\"{standard}\""), in_lines, standard, url_safe, bare]
        {
            assert_eq!(ClaimsChallenge::from_copy(&copy), Ok(json(text)), "{copy}");
        }
    }

    #[test]
    fn other_text_is_rejected_with_reason() {
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(LONGEST));
        for (text, why) in [
            ("", ClaimsChallengeError::NotAnObject),
            ("{", ClaimsChallengeError::NotAnObject),
            ("[1]", ClaimsChallengeError::NotAnObject),
            ("WzFd", ClaimsChallengeError::NotAnObject),
            ("null", ClaimsChallengeError::NotAnObject),
            ("not base64!", ClaimsChallengeError::NotAnObject),
            ("{}", ClaimsChallengeError::Empty),
            ("e30=", ClaimsChallengeError::Empty),
            (&long, ClaimsChallengeError::TooLong),
        ] {
            assert_eq!(ClaimsChallenge::from_copy(text), Err(why), "{text}");
        }
    }

    #[test]
    fn challenges_are_merged() {
        let one = json(r#"{"access_token":{"acrs":{"value":"c1"}}}"#);
        let other =
            json(r#"{"access_token":{"acrs":{"value":"c2"},"nbf":{"value":"1"}},"id_token":{"auth_time":null}}"#);
        let both = r#"{"access_token":{"acrs":{"value":"c1"},"nbf":{"value":"1"}},"id_token":{"auth_time":null}}"#;
        assert_eq!(one.and(other), json(both));
    }

    proptest! {
        #[test]
        fn foreign_text_never_panics(text in any::<String>()) {
            if let Ok(challenge) = ClaimsChallenge::from_copy(&text) {
                prop_assert_eq!(ClaimsChallenge::from_json(&challenge.text()), Ok(challenge));
            }
        }
    }
}
