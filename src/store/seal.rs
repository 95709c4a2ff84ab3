//! Sealed files: a readable header line, then a body that only the key opens.
//!
//! ```text
//! {"v":1,"home":"file","key":"<key id>","nonce":"<base64>","facts":{…}}\n
//! <XChaCha20-Poly1305 of the body>
//! ```
//!
//! The header line and the file's own name are authenticated with the body, so that neither can be changed and no file
//! can take another's place. Facts are what `status` shows without unlocking anything; they contain no secrets. `home` names
//! the key's backend.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, AeadInOut as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::StoreError;
use super::key::KeyBytes;
use super::key_backends::KeyBackend;

/// The version of the format that this program writes; others are treated as absent.
const VERSION: u32 = 1;
/// Bytes of an XChaCha20 nonce: long enough to be drawn at random.
const NONCE: usize = 24;
/// Bytes of a Poly1305 tag.
const TAG: usize = 16;
/// A longer header was not written by this program.
const HEADER_CAP: usize = 64 * 1024;

/// The readable first line of a sealed file.
#[derive(Debug, Serialize, Deserialize)]
pub struct RecordHeader<F> {
    v: u32,
    /// The backend that stores the key.
    #[serde(rename = "home")]
    pub backend: KeyBackend,
    /// The id of the key.
    pub key: String,
    nonce: String,
    /// What can be read without the key.
    pub facts: F,
}

/// Seals `body` for the file called `name`, such as `tokens/<id>`.
///
/// Errors: [`StoreError::Seal`]; [`StoreError::TooLarge`] if the facts are so long that they would not be read again.
pub fn seal<F: Serialize>(
    key: &KeyBytes,
    backend: KeyBackend,
    name: &str,
    facts: F,
    body: &[u8],
) -> Result<Vec<u8>, StoreError> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(|_| StoreError::Seal)?;
    let header = RecordHeader { v: VERSION, backend, key: key.id(), nonce: STANDARD.encode(nonce), facts };
    let mut file = serde_json::to_vec(&header).map_err(|_| StoreError::Seal)?;
    file.push(b'\n');
    if file.len() > HEADER_CAP {
        return Err(StoreError::TooLarge { size: file.len() as u64, limit: HEADER_CAP as u64 });
    }
    let associated = associated(&file, name);
    // In place: a record of groups has some MiB, and need not be in memory three times.
    let start = file.len();
    file.reserve_exact(body.len() + TAG);
    file.extend_from_slice(body);
    let sealed = (&mut file[start..]).into();
    let tag =
        cipher(key).encrypt_inout_detached(&XNonce::from(nonce), &associated, sealed).map_err(|_| StoreError::Seal)?;
    file.extend_from_slice(&tag);
    Ok(file)
}

/// Reads the header line; `None` if this program did not write it.
pub fn header<F: DeserializeOwned>(file: &[u8]) -> Option<RecordHeader<F>> {
    let (line, _) = split(file)?;
    serde_json::from_slice(line).ok().filter(|header: &RecordHeader<F>| header.v == VERSION)
}

impl<F> RecordHeader<F> {
    /// Opens `file`, called `name`, which has this header; `None` if key, header, name and body do not belong together.
    pub fn open(&self, file: &[u8], name: &str, key: &KeyBytes) -> Option<Zeroizing<Vec<u8>>> {
        if self.key != key.id() {
            return None;
        }
        let (line, sealed) = split(file)?;
        let nonce: [u8; NONCE] = STANDARD.decode(&self.nonce).ok()?.try_into().ok()?;
        let payload = Payload { msg: sealed, aad: &associated(line, name) };
        cipher(key).decrypt(&XNonce::from(nonce), payload).ok().map(Zeroizing::new)
    }
}

fn cipher(key: &KeyBytes) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&(*key.expose()).into())
}

/// The header line (its newline included) and what comes after it.
fn split(file: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = file.iter().take(HEADER_CAP).position(|byte| *byte == b'\n')?;
    Some(file.split_at(end + 1))
}

/// The data that is authenticated and not encrypted. The line ends in a newline, so line and name cannot run into each other.
fn associated(line: &[u8], name: &str) -> Vec<u8> {
    [line, name.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sealed(name: &str) -> (KeyBytes, Vec<u8>) {
        let key = KeyBytes::generate().expect("random bytes");
        let file = seal(&key, KeyBackend::File, name, "facts", b"body").expect("sealed");
        (key, file)
    }

    fn open(file: &[u8], name: &str, key: &KeyBytes) -> Option<Zeroizing<Vec<u8>>> {
        header::<serde::de::IgnoredAny>(file)?.open(file, name, key)
    }

    #[test]
    fn sealed_file_opens_only_with_its_key_and_name() {
        let (key, file) = sealed("tokens/a");
        assert_eq!(open(&file, "tokens/a", &key).as_deref(), Some(&b"body".to_vec()));
        assert!(open(&file, "tokens/b", &key).is_none());
        assert!(open(&file, "tokens/a", &KeyBytes::generate().expect("random bytes")).is_none());
        assert_eq!(header::<String>(&file).expect("a header").facts, "facts");
    }

    #[test]
    fn changed_header_is_noticed() {
        let (key, file) = sealed("n");
        let text = String::from_utf8_lossy(&file);
        assert!(text.starts_with(r#"{"v":1,"home":"file","key":""#), "{text}");
        let at = file.windows(5).position(|window| window == b"facts").expect("in the header");
        let mut changed = file.clone();
        changed[at + 9] ^= 1;
        assert!(open(&changed, "n", &key).is_none());
    }

    proptest! {
        #[test]
        fn any_change_or_cut_is_noticed(at in any::<prop::sample::Index>(), bit in 0u8..8, cut in any::<bool>()) {
            let (key, file) = sealed("n");
            let at = at.index(file.len());
            let mut changed = file;
            if cut { changed.truncate(at) } else { changed[at] ^= 1 << bit }
            prop_assert!(open(&changed, "n", &key).is_none());
        }

        #[test]
        fn foreign_bytes_never_panic(file in any::<Vec<u8>>()) {
            let key = KeyBytes::generate().expect("random bytes");
            prop_assert!(open(&file, "n", &key).is_none());
            prop_assert!(header::<serde_json::Value>(&file).is_none());
        }
    }
}
