//! A limit for the memory that a server's JSON may take up once it is parsed.
//!
//! A limit on bytes is not enough: `{},{},…` becomes objects of a hundred bytes each. So the memory of a response is
//! estimated before it is parsed, and several responses that make up one list share a limit.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde::de::DeserializeOwned;

/// What an object or a string may occupy beyond its text, in bytes: structs of this program and their list entries.
const OBJECT: usize = 128;
const STRING: usize = 64;

/// The memory that parsed responses may still take up.
#[derive(Debug)]
pub struct Budget(AtomicUsize);

/// Why a response is not parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It would take up more memory than is left.
    #[error("the response is too large")]
    TooLarge,
    /// It is not the expected JSON.
    #[error("the response is not the expected JSON")]
    Malformed,
}

impl Budget {
    /// A limit of about `bytes` of memory.
    pub fn new(bytes: usize) -> Budget {
        Budget(AtomicUsize::new(bytes))
    }

    /// Parses `body` if it fits in what is left, and takes that off.
    ///
    /// Errors: see [`ParseError`].
    pub fn parse<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, ParseError> {
        let weight = weight(body);
        let take = |left: usize| left.checked_sub(weight);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).map_err(|_| ParseError::TooLarge)?;
        serde_json::from_slice(body).map_err(|_| ParseError::Malformed)
    }
}

/// About how much memory `body` takes up once it is parsed, at most.
fn weight(body: &[u8]) -> usize {
    let (mut objects, mut quotes) = (0, 0);
    for byte in body {
        objects += usize::from(*byte == b'{');
        quotes += usize::from(*byte == b'"');
    }
    body.len() + objects * OBJECT + quotes / 2 * STRING
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budget_that_is_used_up_parses_nothing_more() {
        let budget = Budget::new(2 * weight(br#"["a"]"#));
        let parse = |body: &str| budget.parse::<Vec<String>>(body.as_bytes());
        assert_eq!(parse(r#"["a","b","c"]"#), Err(ParseError::TooLarge));
        assert_eq!(parse(r#"["a"]"#), Ok(vec!["a".to_owned()]));
        assert_eq!(parse(r#"{"a""#), Err(ParseError::TooLarge));
        assert_eq!(parse("[1]"), Err(ParseError::Malformed));
        assert_eq!(parse(r#"["b"]"#), Err(ParseError::TooLarge));
    }

    #[test]
    fn deep_nesting_is_malformed_not_a_crash() {
        let deep = "[".repeat(1_000_000);
        assert_eq!(Budget::new(10_000_000).parse::<serde_json::Value>(deep.as_bytes()), Err(ParseError::Malformed));
    }
}
