//! Where the key lives: the OS keyring, or a key file beside the data.
//!
//! A home only keeps a key. Which one is used is decided by [`super::Store::keeper`], once, at the first sign-in.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::files;
use super::key::{HomeError, Key};
use super::layout::KEY_FILE;
use super::{lock, remedy};
use crate::{children, resources};
use kubectl_login_core::clock;

/// The longest a keyring may take to answer: a frozen daemon, or a dialog that nobody sees, must not freeze us.
const KEYRING_LIMIT: Duration = Duration::from_secs(3);
/// How long the creation of a key is waited for.
const KEY_LOCK_LIMIT: Duration = Duration::from_secs(15);
/// The keyring item: one for the whole program.
const SERVICE: &str = "kubectl-login";
const ITEM: &str = "key";
/// The item that a keyring is tried out with.
const PROBE: &str = "probe";

/// A place where the key can live. Every sealed record names its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Home {
    /// Secret Service, Keychain, or Credential Manager.
    Keyring,
    /// A file that only this user may read.
    File,
}

impl Home {
    /// The word that `status` and `--token-cache-storage` use.
    pub fn name(self) -> &'static str {
        match self {
            Home::Keyring => "keyring",
            Home::File => "file",
        }
    }
}

/// Something that keeps a key. The two homes are behind it, and so is each platform's keyring.
pub trait KeyHome {
    /// The key, `None` where there is none yet. Never raises a dialog. Errors: the home cannot be asked now.
    fn read(&self) -> Result<Option<Key>, HomeError>;
    /// Keeps `key`. A person is there when this is called, so a dialog may come up. Errors: the home does not take it.
    fn write(&self, key: &Key) -> Result<(), HomeError>;
    /// Forgets the key, if there is one. Errors: there is one, and it stays.
    fn delete(&self) -> Result<(), HomeError>;
}

/// The home behind `home` for records in `root`.
pub fn open(home: Home, root: &Path) -> Box<dyn KeyHome> {
    match home {
        Home::Keyring => Box::new(KeyringHome),
        Home::File => Box::new(FileHome { path: root.join(KEY_FILE) }),
    }
}

/// Whether the keyring works: writes, reads back and deletes a probe; one process at a time, under `lock_file`. All three
/// on one thread, so that a keyring which wakes up too late for us is cleaned up all the same.
///
/// Errors: why it does not work.
pub fn probe_keyring(lock_file: &Path) -> Result<(), HomeError> {
    let _lock = lock::acquire_within(lock_file, clock::limit(KEY_LOCK_LIMIT));
    let probe = Key::generate().map_err(HomeError::absent)?.to_text();
    within_limit(move || {
        write_item(PROBE, &probe)?;
        let back = read_item(PROBE);
        delete_item(PROBE)?;
        match back? {
            Some(back) if *back == *probe => Ok(()),
            _ => Err(HomeError::absent("it does not give back what it was given")),
        }
    })
}

/// The key of `home`, made if there is none. `lock_file` is the one lock all makers of that key take, and what counts
/// is what the home gives back afterwards, so that two first sign-ins use one key. (A keyring that takes longer than we
/// wait, or a place without locks, can still end with the later key: the earlier one's records are then absent.)
///
/// Errors: the home gives or takes no key; see [`HomeError`].
pub fn key_for_writing(home: &dyn KeyHome, lock_file: &Path) -> Result<Key, HomeError> {
    if let Some(key) = home.read()? {
        return Ok(key);
    }
    // Where no lock can be had a key is made all the same, and reading it back tells whose won.
    let _lock = lock::acquire_within(lock_file, clock::limit(KEY_LOCK_LIMIT));
    if let Some(key) = home.read()? {
        return Ok(key);
    }
    let key = Key::generate().map_err(HomeError::absent)?;
    home.write(&key)?;
    home.read()?.ok_or_else(|| HomeError::absent("it does not give back what it was given"))
}

/// Takes the key out of the keyring, which serves every folder.
///
/// Errors: it stays there, or may do so.
pub fn forget_keyring() -> Result<(), HomeError> {
    KeyringHome.delete()
}

struct FileHome {
    path: PathBuf,
}

impl FileHome {
    fn error(&self, error: &std::io::Error) -> HomeError {
        HomeError::File(format!("{}: {}", self.path.display(), remedy::reason(error)))
    }
}

impl KeyHome for FileHome {
    fn read(&self) -> Result<Option<Key>, HomeError> {
        // A key that others could have read, or that is damaged, is no key: the next sign-in makes a new one. A key that
        // cannot be read just now is not gone, and must not be replaced.
        let read = files::try_read_private(&self.path).map_err(|error| self.error(&error))?;
        Ok(read.map(zeroize::Zeroizing::new).and_then(|bytes| Key::from_text(std::str::from_utf8(&bytes).ok()?)))
    }

    fn write(&self, key: &Key) -> Result<(), HomeError> {
        let mut text = key.to_text();
        text.push('\n');
        files::write_private(&self.path, text.as_bytes()).map_err(|error| self.error(&error))
    }

    fn delete(&self) -> Result<(), HomeError> {
        files::remove(&self.path).map_err(|error| self.error(&error))
    }
}

struct KeyringHome;

impl KeyHome for KeyringHome {
    fn read(&self) -> Result<Option<Key>, HomeError> {
        let text = within_limit(|| read_item(ITEM))?;
        Ok(text.and_then(|text| Key::from_text(&text)))
    }

    fn write(&self, key: &Key) -> Result<(), HomeError> {
        let text = key.to_text();
        within_limit(move || write_item(ITEM, &text))
    }

    fn delete(&self) -> Result<(), HomeError> {
        within_limit(|| delete_item(ITEM).and_then(|()| delete_item(PROBE)))
    }
}

fn write_item(item: &str, text: &str) -> Result<(), HomeError> {
    entry(item)?.set_password(text).map_err(translate)
}

fn delete_item(item: &str) -> Result<(), HomeError> {
    match entry(item)?.delete_credential() {
        Err(keyring::v1::Error::NoEntry) => Ok(()),
        other => other.map_err(translate),
    }
}

/// On Linux the keyring crate unlocks whatever it looks up, which brings up a dialog; so the look-up is our own.
#[cfg(target_os = "linux")]
fn read_item(item: &str) -> Result<Option<zeroize::Zeroizing<String>>, HomeError> {
    super::secret_service::read(SERVICE, item)
}

#[cfg(not(target_os = "linux"))]
fn read_item(item: &str) -> Result<Option<zeroize::Zeroizing<String>>, HomeError> {
    match entry(item)?.get_password() {
        Ok(text) => Ok(Some(text.into())),
        Err(keyring::v1::Error::NoEntry) => Ok(None),
        Err(error) => Err(translate(error)),
    }
}

fn entry(item: &str) -> Result<keyring::v1::Entry, HomeError> {
    if let Err(error) = keyring::v1::Entry::store_status() {
        return Err(HomeError::absent(error));
    }
    keyring::v1::Entry::new(SERVICE, item).map_err(translate)
}

fn translate(error: keyring::v1::Error) -> HomeError {
    match error {
        keyring::v1::Error::NoStorageAccess(_) => HomeError::Locked,
        error => HomeError::absent(error),
    }
}

/// Runs `work` on a thread of its own and waits three seconds at most. A thread that hangs is left behind; the process
/// does not wait for it when it ends. (This is about hanging: where panics abort, one in there ends the process. The
/// client would panic without descriptors or threads.)
fn within_limit<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HomeError> + Send + 'static,
) -> Result<T, HomeError> {
    // A kubeconfig may set the variable, and its client library starts the program that such an address names.
    if std::env::var_os(children::SESSION_BUS).is_some_and(|address| !children::is_local_bus(&address)) {
        return Err(HomeError::absent(format!("{} is not a socket of this machine", children::SESSION_BUS)));
    }
    resources::check().map_err(HomeError::absent)?;
    let (sender, receiver) = mpsc::channel();
    let spawned = std::thread::Builder::new().name("keyring".to_owned()).spawn(move || {
        // Nobody may be listening any more; then the answer is of no use.
        let _ = sender.send(work());
    });
    if let Err(error) = spawned {
        return Err(HomeError::absent(error));
    }
    match receiver.recv_timeout(clock::limit(KEYRING_LIMIT)) {
        Ok(outcome) => outcome,
        Err(mpsc::RecvTimeoutError::Timeout) => Err(HomeError::Frozen),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(HomeError::absent("its client failed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_is_made_however_many_ask() {
        let folder = tempfile::tempdir().expect("a folder");
        let ids: Vec<String> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let home = open(Home::File, folder.path());
                        key_for_writing(home.as_ref(), &folder.path().join("locks/key")).expect("a key").id()
                    })
                })
                .collect();
            makers.into_iter().map(|maker| maker.join().expect("no panic")).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]));
    }
}
