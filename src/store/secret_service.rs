//! A look-up in the Secret Service that never unlocks anything.
//!
//! The keyring crate unlocks what it finds locked, which raises a dialog; a warm call must not. The same client library
//! is used below it here, with a plain session: the bus is a local socket of this user, and the key agreement that the
//! crate insists on costs 5 ms of every call.

use std::collections::HashMap;

use secret_service::EncryptionType;
use secret_service::blocking::SecretService;
use zeroize::Zeroizing;

use super::key::HomeError;

/// The text of the item that the keyring crate keeps for `service` and `item`; `None` where there is none.
///
/// Errors: no Secret Service, or the item's collection is locked. Blocks for as long as the service does.
pub(super) fn read(service: &str, item: &str) -> Result<Option<Zeroizing<String>>, HomeError> {
    let bus = SecretService::connect(EncryptionType::Plain).map_err(translate)?;
    let attributes = HashMap::from([("service", service), ("username", item)]);
    let found = bus.search_items(attributes).map_err(translate)?;
    if let Some(item) = found.unlocked.first() {
        let secret = Zeroizing::new(item.get_secret().map_err(translate)?);
        return Ok(std::str::from_utf8(&secret).ok().map(|text| Zeroizing::new(text.to_owned())));
    }
    if found.locked.is_empty() { Ok(None) } else { Err(HomeError::Locked) }
}

fn translate(error: secret_service::Error) -> HomeError {
    match error {
        secret_service::Error::Locked | secret_service::Error::Prompt => HomeError::Locked,
        error => HomeError::absent(error),
    }
}
