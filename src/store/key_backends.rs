//! The backends that store the key: the OS keyring, or a key file beside the records.
//!
//! A backend only stores a key. [`super::Store::sealing_key`] decides which one is used, once, at the first sign-in.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::{FileError, KeyError};
use super::files::{self, Durability};
use super::key::KeyBytes;
use super::layout::KEY_FILE;
use super::lock;
use crate::{children, resources};
use kubectl_login_core::clock;
use kubectl_login_core::text::printable;

/// The longest a keyring may take to answer: a frozen daemon, or a dialog on another screen, must not block the caller.
const KEYRING_LIMIT: Duration = Duration::from_secs(3);
/// How long another process may take to create the key.
const KEY_LOCK_LIMIT: Duration = Duration::from_secs(15);
/// The keyring item: one for the whole program.
const SERVICE: &str = "kubectl-login";
const ITEM: &str = "key";
/// The item that a keyring is tested with.
const PROBE: &str = "probe";

/// Where a key is stored. Every sealed record names the backend of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyBackend {
    /// Secret Service, Keychain, or Credential Manager.
    Keyring,
    /// A file that only this user may read.
    File,
}

impl KeyBackend {
    /// The name that `status` and `--token-cache-storage` use.
    pub fn name(self) -> &'static str {
        match self {
            KeyBackend::Keyring => "keyring",
            KeyBackend::File => "file",
        }
    }

    /// Reads the key of the records in `root`; `None` if there is none yet. Never raises a dialog.
    ///
    /// Errors: the backend cannot be read now.
    pub fn read_key(self, root: &Path) -> Result<Option<KeyBytes>, KeyError> {
        match self {
            KeyBackend::Keyring => {
                let text = read_item_in_time(ITEM)?;
                Ok(text.and_then(|text| KeyBytes::from_text(&text)))
            }
            KeyBackend::File => read_key_file(&key_file(root)),
        }
    }

    /// Stores the key of the records in `root`. The user is present when this is called, so a dialog may come up.
    ///
    /// Errors: the backend does not accept the key.
    fn write_key(self, root: &Path, key: &KeyBytes) -> Result<(), KeyError> {
        let mut text = key.to_text();
        match self {
            KeyBackend::Keyring => within_limit(move || write_item(ITEM, &text)),
            KeyBackend::File => {
                let path = key_file(root);
                text.push('\n');
                files::write_private(&path, text.as_bytes(), Durability::Synced)
                    .map_err(|cause| KeyError::File { path, cause })
            }
        }
    }

    /// The key of the records in `root`, created if there is none. Every process that creates that key takes the lock
    /// `lock_file`, and the key that counts is the one that the backend returns afterwards, so that two first sign-ins use
    /// the same. (If a keyring is slower than the limit, or no lock can be taken, the later key can still win: the records of
    /// the earlier one are then absent.)
    ///
    /// Errors: the backend returns or accepts no key.
    pub(super) fn read_or_create_key(self, root: &Path, lock_file: &Path) -> Result<KeyBytes, KeyError> {
        if let Some(key) = self.read_key(root)? {
            return Ok(key);
        }
        // Without a lock the key is created all the same, and reading it back tells which one won.
        let _lock = lock::acquire_within(lock_file, clock::limit(KEY_LOCK_LIMIT));
        if let Some(key) = self.read_key(root)? {
            return Ok(key);
        }
        let key = KeyBytes::generate()?;
        self.write_key(root, &key)?;
        match self.read_key(root)? {
            Some(key) => Ok(key),
            None if self == KeyBackend::Keyring => Err(no_keyring("it does not return what was stored")),
            // Other users may read what is created there, say.
            None => {
                let path = key_file(root);
                let cause = files::check_private(&path).err().unwrap_or(FileError::NotAFile);
                Err(KeyError::File { path, cause })
            }
        }
    }
}

/// Tests whether the keyring works: writes, reads back and deletes a probe; one process at a time, under `lock_file`. All
/// three on one thread, so that a keyring that wakes up after the limit is cleaned up as well.
///
/// Errors: why it does not work.
pub(super) fn probe_keyring(lock_file: &Path) -> Result<(), KeyError> {
    let _lock = lock::acquire_within(lock_file, clock::limit(KEY_LOCK_LIMIT));
    let probe = KeyBytes::generate()?.to_text();
    within_limit(move || {
        write_item(PROBE, &probe)?;
        let back = read_item(PROBE);
        delete_item(PROBE)?;
        match back? {
            Some(back) if *back == *probe => Ok(()),
            _ => Err(no_keyring("it does not return what was stored")),
        }
    })
}

/// Deletes the key in the keyring, which serves every folder.
///
/// Errors: it is still there, or may be.
pub fn delete_keyring_key() -> Result<(), KeyError> {
    within_limit(|| delete_item(ITEM).and_then(|()| delete_item(PROBE)))
}

/// A keyring that does not work, with the library's reason in the log.
pub(super) fn no_keyring(reason: impl std::fmt::Display) -> KeyError {
    tracing::debug!(reason = printable(&reason.to_string(), 300), "no keyring");
    KeyError::NoKeyring
}

fn key_file(root: &Path) -> PathBuf {
    root.join(KEY_FILE)
}

/// A key file that others can have read, or that is damaged, is not a key: the next sign-in creates a new one. One that
/// cannot be read at the moment is not gone, and must not be replaced.
fn read_key_file(path: &Path) -> Result<Option<KeyBytes>, KeyError> {
    let read = files::try_read_private(path).map_err(|cause| KeyError::File { path: path.to_owned(), cause })?;
    Ok(read.map(Zeroizing::new).and_then(|bytes| KeyBytes::from_text(std::str::from_utf8(&bytes).ok()?)))
}

fn write_item(item: &str, text: &str) -> Result<(), KeyError> {
    entry(item)?.set_password(text).map_err(translate)
}

fn delete_item(item: &str) -> Result<(), KeyError> {
    match entry(item)?.delete_credential() {
        Err(keyring::v1::Error::NoEntry) => Ok(()),
        other => other.map_err(translate),
    }
}

/// On Linux this uses a client of our own: the keyring crate unlocks what it looks up, which brings up a dialog.
#[cfg(target_os = "linux")]
fn read_item(item: &str) -> Result<Option<Zeroizing<String>>, KeyError> {
    check_bus_address()?;
    super::secret_service::read(SERVICE, item, clock::limit(KEYRING_LIMIT))
}

#[cfg(not(target_os = "linux"))]
fn read_item(item: &str) -> Result<Option<Zeroizing<String>>, KeyError> {
    match entry(item)?.get_password() {
        Ok(text) => Ok(Some(text.into())),
        Err(keyring::v1::Error::NoEntry) => Ok(None),
        Err(error) => Err(translate(error)),
    }
}

/// Reads an item within the limit: our own client has a limit itself, and needs no thread.
fn read_item_in_time(item: &'static str) -> Result<Option<Zeroizing<String>>, KeyError> {
    if cfg!(target_os = "linux") { read_item(item) } else { within_limit(move || read_item(item)) }
}

fn entry(item: &str) -> Result<keyring::v1::Entry, KeyError> {
    if let Err(error) = keyring::v1::Entry::store_status() {
        return Err(no_keyring(error));
    }
    keyring::v1::Entry::new(SERVICE, item).map_err(translate)
}

fn translate(error: keyring::v1::Error) -> KeyError {
    match error {
        keyring::v1::Error::NoStorageAccess(_) => KeyError::Locked,
        error => no_keyring(error),
    }
}

/// Checks that the address of the session bus cannot start a program. A kubeconfig may set the variable.
fn check_bus_address() -> Result<(), KeyError> {
    if std::env::var_os(children::SESSION_BUS).is_some_and(|address| !children::is_local_bus(&address)) {
        return Err(no_keyring(format!("{} is not a socket of this machine", children::SESSION_BUS)));
    }
    Ok(())
}

/// Runs `work` on its own thread and waits three seconds at most. A thread that hangs is left behind; the process does not
/// wait for it when it ends. (This is about hanging: if panics abort, one in there ends the process. The client library
/// would panic without descriptors or threads.)
fn within_limit<T: Send + 'static>(work: impl FnOnce() -> Result<T, KeyError> + Send + 'static) -> Result<T, KeyError> {
    check_bus_address()?;
    resources::check().map_err(no_keyring)?;
    let (sender, receiver) = mpsc::channel();
    let spawned = std::thread::Builder::new().name("keyring".to_owned()).spawn(move || {
        // Fails if the receiver has given up; the result is then of no use.
        let _ = sender.send(work());
    });
    if let Err(error) = spawned {
        return Err(no_keyring(error));
    }
    match receiver.recv_timeout(clock::limit(KEYRING_LIMIT)) {
        Ok(outcome) => outcome,
        Err(mpsc::RecvTimeoutError::Timeout) => Err(KeyError::Frozen),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(no_keyring("its client failed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parallel_first_sign_ins_use_one_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = || KeyBackend::File.read_or_create_key(folder.path(), &folder.path().join("locks/key"));
        let ids: Vec<String> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8).map(|_| scope.spawn(|| key().expect("a key").id())).collect();
            makers.into_iter().map(|maker| maker.join().expect("no panic")).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]));
    }
}
