//! The records: sessions, tokens (`facts`) and groups, sealed one by one, and the choice of the key for new ones.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::error::{KeyError, StoreError};
use super::facts::{SessionFacts, SessionRecord, TokenFacts, TokenRecord};
use super::files::{self, Durability, FileVersion};
use super::groups::GroupsRecord;
use super::key::{KeyBytes, SealingKey};
use super::key_backends::{self, KeyBackend};
use super::layout::{FOLDERS, GROUPS, KEY_BACKEND_FILE, KEY_LOCK, KEYRING_LOCK, LOCKS, OUTCOMES, SESSIONS, TOKENS};
use super::{removal, seal};
use crate::environment::Environment;
use crate::paths;
use crate::profile::Storage;

/// The largest record of groups, in bytes: a user may be in a hundred thousand, with names.
const GROUPS_CAP: u64 = 32 * 1024 * 1024;

/// The result of looking up a record.
#[derive(Debug)]
pub enum Lookup<T> {
    /// It exists and opens.
    Found(T),
    /// It does not exist, or is damaged, which is treated the same.
    Absent,
    /// It exists, but its key cannot be read now.
    Unreadable(KeyError),
}

impl<T> Lookup<T> {
    /// What was found.
    pub fn found(self) -> Option<T> {
        match self {
            Lookup::Found(found) => Some(found),
            _ => None,
        }
    }

    /// Changes what was found.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Lookup<U> {
        match self {
            Lookup::Found(found) => Lookup::Found(change(found)),
            Lookup::Absent => Lookup::Absent,
            Lookup::Unreadable(error) => Lookup::Unreadable(error),
        }
    }
}

/// What a backend answers when its key is read.
type KeyLookup = Result<Option<KeyBytes>, KeyError>;

/// The records of one state folder.
pub struct Store {
    root: Option<PathBuf>,
    /// Why the requested folder is not used.
    problem: Option<StoreError>,
    keyring_lock: Option<PathBuf>,
    /// The keys that this process has read: each backend is read once.
    keys: Mutex<Vec<(KeyBackend, KeyLookup)>>,
}

impl Store {
    /// The store in `root`; `None` stores nothing. A folder that is not trusted is treated as `None`: see
    /// [`Store::problem`].
    pub fn open(root: Option<PathBuf>, environment: &Environment) -> Store {
        let (root, problem) = match root {
            None => (None, Some(StoreError::NoFolder)),
            Some(folder) => match files::check_folder(&folder, false) {
                Err(cause) if !cause.is_not_found() => (None, Some(StoreError::Folder { folder, cause })),
                _ => (Some(folder), None),
            },
        };
        // All folders share the keyring's item, so one lock guards its creation for all of them.
        let keyring_lock = paths::default_state(environment).map(|root| root.join(LOCKS).join(KEYRING_LOCK));
        Store { root, problem, keyring_lock, keys: Mutex::default() }
    }

    /// The folder, if there is one.
    pub fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// Why nothing can be stored, if so.
    pub fn problem(&self) -> Option<&StoreError> {
        self.problem.as_ref()
    }

    /// Checks that the records in the folder can be listed. A folder that does not exist has none.
    ///
    /// Errors: [`StoreError::List`].
    pub fn check_readable(&self) -> Result<(), StoreError> {
        let Some(root) = &self.root else { return Ok(()) };
        for folder in [root.clone(), root.join(SESSIONS), root.join(TOKENS)] {
            match std::fs::read_dir(folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::List { folder: root.clone(), cause: error.into() });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The token `id`.
    pub fn token(&self, id: &str) -> Lookup<TokenRecord> {
        self.look_up::<TokenFacts, _>(TOKENS, id).map(|(_, record, _)| record)
    }

    /// The version of the file with token `id`, if there is one. It changes whenever the token is stored.
    pub fn token_version(&self, id: &str) -> Option<FileVersion> {
        files::version(&self.root.as_ref()?.join(TOKENS).join(id))
    }

    /// The session `id`, and the key it was sealed with.
    pub fn session(&self, id: &str) -> Lookup<(SessionFacts, SessionRecord, SealingKey)> {
        self.look_up(SESSIONS, id)
    }

    /// Whether there is a session `id`, even one that cannot be opened.
    pub fn has_session(&self, id: &str) -> bool {
        self.root.as_ref().is_some_and(|root| files::is_own_file(&root.join(SESSIONS).join(id)))
    }

    /// Saves a session.
    ///
    /// Errors: it cannot be sealed or written; an older one under this id is untouched.
    pub fn save_session(
        &self,
        key: &SealingKey,
        id: &str,
        facts: &SessionFacts,
        record: &SessionRecord,
    ) -> Result<(), StoreError> {
        self.save(key, SESSIONS, id, facts, record)?;
        if let (true, Some(root)) = (key.is_new_choice, &self.root) {
            // If the choice cannot be recorded, the next sign-in only chooses again.
            let _ =
                files::write_private(&root.join(KEY_BACKEND_FILE), key.backend.name().as_bytes(), Durability::Synced);
        }
        Ok(())
    }

    /// Saves a token.
    ///
    /// Errors: it cannot be sealed or written; an older one under this id is untouched.
    pub fn save_token(
        &self,
        key: &SealingKey,
        id: &str,
        facts: &TokenFacts,
        record: &TokenRecord,
    ) -> Result<(), StoreError> {
        self.save(key, TOKENS, id, facts, record)
    }

    /// The cached groups of session `id`.
    pub fn groups(&self, id: &str) -> Option<GroupsRecord<'static>> {
        self.look_up::<(), _>(GROUPS, id).found().map(|((), record, _)| record)
    }

    /// Caches the groups of session `id`, under the session's key.
    ///
    /// Errors: they cannot be sealed or written.
    pub fn save_groups(&self, id: &str, record: &GroupsRecord<'_>) -> Result<(), StoreError> {
        match self.session(id) {
            Lookup::Found((_, _, key)) => self.save(&key, GROUPS, id, &(), record),
            // The session was deleted in the meantime, and its groups with it.
            _ => Ok(()),
        }
    }

    /// Readable facts of every session: id, the key's backend, facts.
    pub fn sessions(&self) -> Vec<(String, KeyBackend, SessionFacts)> {
        self.facts(SESSIONS)
    }

    /// Readable facts of session `id`.
    pub fn session_facts(&self, id: &str) -> Option<SessionFacts> {
        let header = seal::header(&files::read_private(&self.root.as_ref()?.join(SESSIONS).join(id))?)?;
        Some(header.facts)
    }

    /// Readable facts of every token: id, the key's backend, facts.
    pub fn tokens(&self) -> Vec<(String, KeyBackend, TokenFacts)> {
        self.facts(TOKENS)
    }

    /// Whether there are records whose key is stored in `backend`.
    pub fn has_records_of(&self, backend: KeyBackend) -> bool {
        self.sessions().iter().any(|(_, of, _)| *of == backend) || self.tokens().iter().any(|(_, of, _)| *of == backend)
    }

    /// Deletes a session, every token obtained in it, its groups, and the history of attempts.
    ///
    /// Errors: a record cannot be deleted.
    pub fn delete_session(&self, id: &str) -> Result<(), StoreError> {
        // Tokens first: a crash in between leaves a session that can be deleted again, not tokens without one.
        self.delete_tokens(id)?;
        self.delete(OUTCOMES, id)?;
        self.delete(SESSIONS, id)
    }

    /// Deletes what was obtained in a session: its tokens, and the user's groups.
    ///
    /// Errors: a record cannot be deleted.
    pub fn delete_tokens(&self, session: &str) -> Result<(), StoreError> {
        for (token, _, facts) in self.tokens() {
            if facts.session == session {
                self.delete(TOKENS, &token)?;
            }
        }
        self.delete(GROUPS, session)
    }

    /// Deletes everything in this folder, the key file included.
    ///
    /// Errors: a file cannot be deleted.
    pub fn delete_all(&self) -> Result<(), StoreError> {
        self.root.as_deref().map_or(Ok(false), removal::clear).map(drop)
    }

    /// The key for the records of a sign-in, in the backend that the user chose; with it comes why the keyring is not used,
    /// if this call found that out: the user should be told.
    ///
    /// Errors: why no records can be stored.
    pub fn sealing_key(&self, storage: Storage) -> Result<(SealingKey, Option<KeyError>), KeyError> {
        let unusable = |error: StoreError| KeyError::Store(Box::new(error));
        let root = match (&self.root, &self.problem) {
            (Some(root), _) => root,
            (None, problem) => return Err(unusable(problem.clone().unwrap_or(StoreError::NoFolder))),
        };
        files::check_folder(root, true)
            .map_err(|cause| unusable(StoreError::Folder { folder: root.clone(), cause }))?;
        files::sweep(root, false);
        for folder in FOLDERS {
            files::sweep(&root.join(folder), false);
        }
        match storage {
            Storage::None => Err(KeyError::SwitchedOff),
            Storage::Keyring => self.key_in(KeyBackend::Keyring, root).map(|key| (key, None)),
            Storage::File => self.key_in(KeyBackend::File, root).map(|key| (key, None)),
            Storage::Auto => self.key_by_probe(root),
        }
    }

    /// The backend that stores the key of new records, if it has been chosen.
    pub fn chosen_backend(&self) -> Option<KeyBackend> {
        match files::read_private(&self.root.as_ref()?.join(KEY_BACKEND_FILE))?.trim_ascii() {
            b"keyring" => Some(KeyBackend::Keyring),
            b"file" => Some(KeyBackend::File),
            _ => None,
        }
    }

    fn key_by_probe(&self, root: &Path) -> Result<(SealingKey, Option<KeyError>), KeyError> {
        let chosen = self.chosen_backend();
        let (backend, reason) = match chosen {
            Some(backend) => (backend, None),
            None => match key_backends::probe_keyring(&self.key_lock(KeyBackend::Keyring, root)) {
                Ok(()) => (KeyBackend::Keyring, None),
                Err(error) => (KeyBackend::File, Some(error)),
            },
        };
        match self.key_in(backend, root) {
            // If the keyring fails this time, the key file is used so that no sign-in is lost; the choice stays.
            Err(error) if backend == KeyBackend::Keyring => {
                self.key_in(KeyBackend::File, root).map(|key| (key, Some(error)))
            }
            other => other.map(|key| (SealingKey { is_new_choice: chosen.is_none(), ..key }, reason)),
        }
    }

    fn key_in(&self, backend: KeyBackend, root: &Path) -> Result<SealingKey, KeyError> {
        let bytes = backend.read_or_create_key(root, &self.key_lock(backend, root))?;
        Ok(SealingKey { backend, bytes, is_new_choice: false })
    }

    fn key_lock(&self, backend: KeyBackend, root: &Path) -> PathBuf {
        match (backend, &self.keyring_lock) {
            (KeyBackend::Keyring, Some(lock)) => lock.clone(),
            _ => root.join(LOCKS).join(KEY_LOCK),
        }
    }

    fn look_up<F: DeserializeOwned, T: DeserializeOwned>(&self, folder: &str, id: &str) -> Lookup<(F, T, SealingKey)> {
        let Some(root) = &self.root else { return Lookup::Absent };
        let path = root.join(folder).join(id);
        let Some(file) = files::read_private_within(&path, size_limit(folder)) else { return Lookup::Absent };
        let Some(header) = seal::header::<F>(&file) else { return Lookup::Absent };
        let bytes = match self.read_key(header.backend, root) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Lookup::Absent,
            Err(error) => return Lookup::Unreadable(error),
        };
        let body = header.open(&file, &format!("{folder}/{id}"), &bytes);
        match body.and_then(|body| serde_json::from_slice(&body).ok()) {
            Some(record) => {
                let key = SealingKey { backend: header.backend, bytes, is_new_choice: false };
                Lookup::Found((header.facts, record, key))
            }
            None => Lookup::Absent,
        }
    }

    fn save<F: Serialize, T: Serialize>(
        &self,
        key: &SealingKey,
        folder: &str,
        id: &str,
        facts: &F,
        record: &T,
    ) -> Result<(), StoreError> {
        // Large enough from the start: a vector that grows leaves copies behind that are not wiped.
        let mut body = Zeroizing::new(Vec::with_capacity(64 * 1024));
        serde_json::to_writer(&mut *body, record).map_err(|_| StoreError::Seal)?;
        let file = seal::seal(&key.bytes, key.backend, &format!("{folder}/{id}"), facts, &body)?;
        let (size, limit) = (file.len() as u64, size_limit(folder));
        if size > limit {
            return Err(StoreError::TooLarge { size, limit });
        }
        self.write(folder, id, &file)
    }

    pub(super) fn write(&self, folder: &str, id: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let root = self.root.as_ref().ok_or(StoreError::NoFolder)?;
        files::check_folder(root, true).map_err(|cause| StoreError::Folder { folder: root.clone(), cause })?;
        let path = root.join(folder).join(id);
        // Only a session takes the user's time to replace.
        let durability = if folder == SESSIONS { Durability::Synced } else { Durability::Cached };
        files::write_private(&path, bytes, durability).map_err(|cause| StoreError::Write { path, cause })
    }

    fn facts<F: DeserializeOwned>(&self, folder: &str) -> Vec<(String, KeyBackend, F)> {
        let Some(folder) = self.root.as_ref().map(|root| root.join(folder)) else { return Vec::new() };
        files::list(&folder)
            .into_iter()
            .filter_map(|id| {
                let header = seal::header::<F>(&files::read_private(&folder.join(&id))?)?;
                Some((id, header.backend, header.facts))
            })
            .collect()
    }

    pub(super) fn delete(&self, folder: &str, id: &str) -> Result<(), StoreError> {
        let Some(root) = &self.root else { return Ok(()) };
        let path = root.join(folder).join(id);
        files::delete(&path).map_err(|cause| StoreError::Delete { path, cause })
    }

    /// Reads a key once per process. The lock is held meanwhile, so that parallel callers do not read it twice.
    fn read_key(&self, backend: KeyBackend, root: &Path) -> KeyLookup {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = keys.iter().find(|(known, _)| *known == backend) {
            return known.clone();
        }
        let found = backend.read_key(root);
        // Another process may be about to create a key that does not exist yet.
        if !matches!(found, Ok(None)) {
            keys.push((backend, found.clone()));
        }
        found
    }
}

/// The largest file of a folder, in bytes.
fn size_limit(folder: &str) -> u64 {
    if folder == GROUPS { GROUPS_CAP } else { files::FILE_CAP }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Utc;
    use kubectl_login_core::secret::Secret;

    const fn assert_send_sync<T: Send + Sync>() {}
    const _: () = assert_send_sync::<Store>();

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const OTHER: &str = "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn save_one(store: &Store, id: &str, text: &str) {
        let (key, _) = store.sealing_key(Storage::File).expect("a key file");
        let now = Utc::now();
        let facts = TokenFacts { session: OTHER.to_owned(), audience: "a".to_owned(), expires_at: now };
        let record = TokenRecord { token: Secret::new(text), obtained_at: now, expires_at: now, anchors: Vec::new() };
        store.save_token(&key, id, &facts, &record).expect("saved");
    }

    fn token(store: &Store, id: &str) -> Option<String> {
        store.token(id).found().map(|record| record.token.expose().to_owned())
    }

    #[test]
    fn records_cannot_take_each_others_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || Store::open(Some(folder.path().to_owned()), &Environment::default());
        let store = open();
        save_one(&store, ID, "one");
        save_one(&store, OTHER, "two");
        assert_eq!(token(&open(), ID).as_deref(), Some("one"));
        let path = |id: &str| folder.path().join(TOKENS).join(id);
        std::fs::copy(path(OTHER), path(ID)).expect("copied");
        assert_eq!(token(&open(), ID), None);
        assert_eq!(token(&open(), OTHER).as_deref(), Some("two"));
    }

    #[test]
    fn record_of_a_lost_or_replaced_key_is_absent() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || Store::open(Some(folder.path().to_owned()), &Environment::default());
        save_one(&open(), ID, "one");
        std::fs::remove_file(folder.path().join(super::super::layout::KEY_FILE)).expect("removed");
        assert_eq!(token(&open(), ID), None);
        save_one(&open(), OTHER, "two");
        assert_eq!((token(&open(), ID), token(&open(), OTHER).as_deref()), (None, Some("two")));
    }

    #[test]
    fn deleting_a_session_deletes_its_tokens() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(Some(folder.path().to_owned()), &Environment::default());
        save_one(&store, ID, "one");
        store.delete_session(OTHER).expect("deleted");
        assert!(store.tokens().is_empty());
    }
}
