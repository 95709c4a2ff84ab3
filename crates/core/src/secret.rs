//! Tokens, codes, secrets and passwords: a type that does not show its text and wipes it when dropped.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// A secret text: `Debug` does not show it, there is no `Display`, and the memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(Zeroizing::new(text.into()))
    }

    /// The text itself. The caller must not let it reach logs, messages or arguments of other programs.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `body` with this text replaced, in case a server repeats what it was sent. A text of fewer than eight bytes is left
    /// in, since replacing it would damage other words.
    pub fn hidden_in(&self, body: Vec<u8>) -> Vec<u8> {
        match std::str::from_utf8(&body) {
            Ok(text) if self.0.len() >= 8 && text.contains(self.expose()) => {
                text.replace(self.expose(), "[hidden]").into_bytes()
            }
            _ => body,
        }
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret::new(text)
    }
}

// Serialized only into bodies that are sealed before they touch a disk (see `store::seal`).
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_secret_is_hidden() {
        let hidden = |secret: &str| Secret::new(secret).hidden_in(b"no such token: hunter2-hunter2!".to_vec());
        assert_eq!(hidden("hunter2-hunter2"), b"no such token: [hidden]!");
        assert_eq!(hidden("no"), b"no such token: hunter2-hunter2!");
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }
}
