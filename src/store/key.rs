//! The key that records are sealed with (32 random bytes, written as base64 because some keyrings take only text), and
//! why there may be none to be had.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use kubectl_login_core::text::{hex, printable};

/// A sealing key. Nothing shows its bytes, and they are wiped on drop.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// A new key from the system's random source.
    pub fn generate() -> Result<Key, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut_slice())?;
        Ok(Key(bytes))
    }

    /// Reads a key as [`Key::to_text`] wrote it; `None` when it is not one.
    pub fn from_text(text: &str) -> Option<Key> {
        let mut bytes = Zeroizing::new([0; 32]);
        let length = STANDARD.decode_slice(text.trim_end(), bytes.as_mut_slice()).ok()?;
        (length == 32).then_some(Key(bytes))
    }

    /// 44 characters of base64.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0.as_slice()))
    }

    /// What records name the key by: 16 hexadecimal digits that tell nothing about it.
    pub fn id(&self) -> String {
        let digest = Sha256::new().chain_update(b"kubectl-login key id v1").chain_update(self.0.as_slice()).finalize();
        hex(&digest[..8])
    }

    /// The bytes, for the cipher.
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Why a home gives no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HomeError {
    /// The keyring is locked.
    #[error("the keyring is locked")]
    Locked,
    /// The keyring does not answer.
    #[error("the keyring does not answer")]
    Frozen,
    /// There is no keyring, or it does not work. (Why is in the log: it is in the words of libraries.)
    #[error("there is no working keyring")]
    Absent,
    /// There is no place for a key file; the text says why.
    #[error("{0}")]
    File(String),
}

impl HomeError {
    /// A keyring that does not work, with the library's reason in the log.
    pub(super) fn absent(reason: impl std::fmt::Display) -> HomeError {
        tracing::debug!(reason = printable(&reason.to_string(), 300), "no keyring");
        HomeError::Absent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_text() {
        let key = Key::generate().expect("random bytes");
        assert_eq!(key.to_text().len(), 44);
        let again = Key::from_text(&format!("{}\n", key.to_text().as_str())).expect("a key");
        assert_eq!(again.id(), key.id());
        assert!(Key::from_text("short").is_none() && Key::from_text("").is_none());
    }
}
