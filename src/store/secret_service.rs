//! A look-up in the Secret Service that never unlocks anything.
//!
//! The keyring crate unlocks locked items, which raises a dialog; a warm call must not. This uses the crate's own client
//! library directly, with a plain session: the bus is a local socket of this user, and the key agreement that the crate
//! insists on costs 5 ms of every call.

use std::collections::HashMap;

use secret_service::EncryptionType;
use secret_service::blocking::SecretService;
use zeroize::Zeroizing;

use super::error::KeyError;
use super::key_backends::no_keyring;

/// The text of the item that the keyring crate stores for `service` and `item`; `None` if there is none.
///
/// Errors: no Secret Service, or the item's collection is locked. Blocks as long as the service takes.
pub(super) fn read(service: &str, item: &str) -> Result<Option<Zeroizing<String>>, KeyError> {
    let bus = SecretService::connect(EncryptionType::Plain).map_err(translate)?;
    let attributes = HashMap::from([("service", service), ("username", item)]);
    let found = bus.search_items(attributes).map_err(translate)?;
    if let Some(item) = found.unlocked.first() {
        let secret = Zeroizing::new(item.get_secret().map_err(translate)?);
        return Ok(std::str::from_utf8(&secret).ok().map(|text| Zeroizing::new(text.to_owned())));
    }
    if found.locked.is_empty() { Ok(None) } else { Err(KeyError::Locked) }
}

fn translate(error: secret_service::Error) -> KeyError {
    match error {
        secret_service::Error::Locked | secret_service::Error::Prompt => KeyError::Locked,
        error => no_keyring(error),
    }
}
