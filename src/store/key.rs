//! The key that records are sealed with: 32 random bytes, written as base64 because some keyrings take only text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::error::KeyError;
use super::key_backends::KeyBackend;
use kubectl_login_core::text::hex;

/// The bytes of a key. Nothing shows them, and they are wiped on drop.
#[derive(Clone)]
pub struct KeyBytes(Zeroizing<[u8; 32]>);

/// The key that new records are sealed with, and the backend that stores it.
#[derive(Clone)]
pub struct SealingKey {
    /// The backend.
    pub backend: KeyBackend,
    pub(super) bytes: KeyBytes,
    /// The backend was chosen in this process; the choice is recorded when the first record has been written.
    pub(super) is_new_choice: bool,
}

impl KeyBytes {
    /// A new key from the system's random source.
    ///
    /// Errors: [`KeyError::NoRandomBytes`].
    pub fn generate() -> Result<KeyBytes, KeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|_| KeyError::NoRandomBytes)?;
        Ok(KeyBytes(bytes))
    }

    /// Reads a key as [`KeyBytes::to_text`] wrote it; `None` if it is not one.
    pub fn from_text(text: &str) -> Option<KeyBytes> {
        let mut bytes = Zeroizing::new([0; 32]);
        let length = STANDARD.decode_slice(text.trim_end(), bytes.as_mut_slice()).ok()?;
        (length == 32).then_some(KeyBytes(bytes))
    }

    /// 44 characters of base64.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0.as_slice()))
    }

    /// The id that records name the key by: 16 hexadecimal digits that reveal nothing about it.
    pub fn id(&self) -> String {
        let digest = Sha256::new().chain_update(b"kubectl-login key id v1").chain_update(self.0.as_slice()).finalize();
        hex(&digest[..8])
    }

    /// The bytes, for the cipher.
    pub(super) fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_read_back_from_its_text() {
        let key = KeyBytes::generate().expect("random bytes");
        assert_eq!(key.to_text().len(), 44);
        let again = KeyBytes::from_text(&format!("{}\n", key.to_text().as_str())).expect("a key");
        assert_eq!(again.id(), key.id());
        assert!(KeyBytes::from_text("short").is_none() && KeyBytes::from_text("").is_none());
    }
}
