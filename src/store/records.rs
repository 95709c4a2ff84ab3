//! The records: sessions and tokens (`facts`), sealed one by one, and where the key of new ones is kept.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::facts::{SessionFacts, SessionRecord, TokenFacts, TokenRecord};
use super::groups::GroupsRecord;
use super::homes::{self, Home};
use super::key::{HomeError, Key};
use super::layout::{CHALLENGES, FOLDERS, GROUPS, HOME, KEY_LOCK, KEYRING_LOCK, LOCKS, SESSIONS, TOKENS};
use super::{files, remedy, removal, seal};
use crate::environment::Environment;
use crate::paths;
use crate::profile::Storage;

/// The largest record of groups, in bytes: there may be a hundred thousand, with names.
const GROUPS_CAP: u64 = 32 * 1024 * 1024;

/// What a look-up brings.
#[derive(Debug)]
pub enum Recall<T> {
    /// It is there and opens.
    Found(T),
    /// It is not there, or damaged, which is the same.
    Absent,
    /// It is there, but its key cannot be had now.
    Unreadable(HomeError),
}

impl<T> Recall<T> {
    /// What was found.
    pub fn found(self) -> Option<T> {
        match self {
            Recall::Found(found) => Some(found),
            _ => None,
        }
    }

    /// With what was found changed.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Recall<U> {
        match self {
            Recall::Found(found) => Recall::Found(change(found)),
            Recall::Absent => Recall::Absent,
            Recall::Unreadable(error) => Recall::Unreadable(error),
        }
    }
}

/// The key that new records are sealed with, and where it lives.
#[derive(Clone)]
pub struct Keeper {
    /// Where it lives.
    pub home: Home,
    key: Key,
    /// The home was chosen just now; it is noted down once something has been kept with it.
    just_chosen: bool,
}

/// What a home says when it is asked for its key.
type LookUp = Result<Option<Key>, HomeError>;

/// The remembering of one folder.
pub struct Store {
    root: Option<PathBuf>,
    /// Why the folder asked for is not used, and what to do about it.
    trouble: Option<(String, String)>,
    keyring_lock: Option<PathBuf>,
    /// Keys as looked up in this process: one look-up a home.
    keys: RefCell<Vec<(Home, LookUp)>>,
}

impl Store {
    /// The store in `root`; `None` remembers nothing. A folder that is not ours counts as none.
    pub fn open(root: Option<PathBuf>, environment: &Environment) -> Store {
        let (root, trouble) = match root {
            None => {
                let next = "Set HOME, or name a folder with --cache-dir in the kubeconfig user's exec.args.";
                (None, Some(("there is no folder to keep anything in".to_owned(), next.to_owned())))
            }
            Some(root) => match files::check_folder(&root, false) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    let what = format!("{} is not used: {}", root.display(), remedy::reason(&error));
                    (None, Some((what, remedy::next(&root, &error))))
                }
                _ => (Some(root), None),
            },
        };
        // The keyring's item is shared by all folders, so its creation is guarded in one place for all of them.
        let keyring_lock = paths::default_state(environment).map(|root| root.join(LOCKS).join(KEYRING_LOCK));
        Store { root, trouble, keyring_lock, keys: RefCell::default() }
    }

    /// The folder, where there is one.
    pub fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// Why nothing can be remembered, where that is so.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_ref().map(|(what, _)| what.as_str())
    }

    /// What to do where nothing can be remembered.
    pub fn remedy(&self) -> Option<&str> {
        self.trouble.as_ref().map(|(_, next)| next.as_str())
    }

    /// Whether the folder shows what is in it; one that is not there has nothing to show.
    ///
    /// Errors: something may be in there, and it cannot be seen.
    pub fn check_readable(&self) -> std::io::Result<()> {
        let Some(root) = &self.root else { return Ok(()) };
        for folder in [root.clone(), root.join(SESSIONS), root.join(TOKENS)] {
            match std::fs::read_dir(&folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The token called `id`.
    pub fn token(&self, id: &str) -> Recall<TokenRecord> {
        self.recall::<TokenFacts, _>(TOKENS, id).map(|(_, record, _)| record)
    }

    /// The session called `id`, and what it was sealed with.
    pub fn session(&self, id: &str) -> Recall<(SessionFacts, SessionRecord, Keeper)> {
        self.recall(SESSIONS, id)
    }

    /// Whether there is a session called `id`, be it one that cannot be opened.
    pub fn has_session(&self, id: &str) -> bool {
        self.root.as_ref().is_some_and(|root| files::is_own_file(&root.join(SESSIONS).join(id)))
    }

    /// Keeps a session.
    ///
    /// Errors: it cannot be written; what was there before still is.
    pub fn keep_session(
        &self,
        keeper: &Keeper,
        id: &str,
        facts: &SessionFacts,
        record: &SessionRecord,
    ) -> std::io::Result<()> {
        self.keep(keeper, SESSIONS, id, facts, record)?;
        if let (true, Some(root)) = (keeper.just_chosen, &self.root) {
            // Not being able to note it down only means that the next sign-in chooses again.
            let _ = files::write_private(&root.join(HOME), keeper.home.name().as_bytes());
        }
        Ok(())
    }

    /// Keeps a token.
    ///
    /// Errors: it cannot be written; what was there before still is.
    pub fn keep_token(
        &self,
        keeper: &Keeper,
        id: &str,
        facts: &TokenFacts,
        record: &TokenRecord,
    ) -> std::io::Result<()> {
        self.keep(keeper, TOKENS, id, facts, record)
    }

    /// The groups remembered beside the session called `id`.
    pub fn groups(&self, id: &str) -> Option<GroupsRecord<'static>> {
        self.recall::<(), _>(GROUPS, id).found().map(|((), record, _)| record)
    }

    /// Keeps groups beside the session called `id`, under its key.
    ///
    /// Errors: they cannot be written.
    pub fn keep_groups(&self, id: &str, record: &GroupsRecord<'_>) -> std::io::Result<()> {
        match self.session(id) {
            Recall::Found((_, _, keeper)) => self.keep(&keeper, GROUPS, id, &(), record),
            // Whoever forgot the session wants nothing of it kept.
            _ => Ok(()),
        }
    }

    /// Readable facts of every session: id, where its key lives, facts.
    pub fn sessions(&self) -> Vec<(String, Home, SessionFacts)> {
        self.facts(SESSIONS)
    }

    /// Readable facts of the session called `id`.
    pub fn session_facts(&self, id: &str) -> Option<SessionFacts> {
        let header = seal::header(&files::read_private(&self.root.as_ref()?.join(SESSIONS).join(id))?)?;
        Some(header.facts)
    }

    /// Readable facts of every token: id, where its key lives, facts.
    pub fn tokens(&self) -> Vec<(String, Home, TokenFacts)> {
        self.facts(TOKENS)
    }

    /// Whether there are records whose key lives at `home`.
    pub fn has_records_at(&self, home: Home) -> bool {
        self.sessions().iter().any(|(_, at, _)| *at == home) || self.tokens().iter().any(|(_, at, _)| *at == home)
    }

    /// Forgets a session, every token obtained in it, and what its next sign-in had to bring.
    ///
    /// Errors: a record is there and stays.
    pub fn forget_session(&self, id: &str) -> std::io::Result<()> {
        // Tokens first: a crash in between leaves a session that can be forgotten again, not tokens without one.
        self.forget_tokens(id)?;
        self.remove(CHALLENGES, id)?;
        self.remove(SESSIONS, id)
    }

    /// Forgets what was obtained in a session: its tokens, and the groups of whoever signed in.
    ///
    /// Errors: a record is there and stays.
    pub fn forget_tokens(&self, session: &str) -> std::io::Result<()> {
        for (token, _, facts) in self.tokens() {
            if facts.session == session {
                self.remove(TOKENS, &token)?;
            }
        }
        self.remove(GROUPS, session)
    }

    /// Forgets everything in this folder, the key file included.
    ///
    /// Errors: something is there and stays.
    pub fn forget_all(&self) -> std::io::Result<()> {
        self.root.as_deref().map_or(Ok(false), removal::clear).map(drop)
    }

    /// The key for what a sign-in brings, by the user's choice; with it comes why the keyring is not used,
    /// where that was found out just now: something the person should be told.
    ///
    /// Errors: nothing can be kept, and why.
    pub fn keeper(&self, storage: Storage) -> Result<(Keeper, Option<HomeError>), HomeError> {
        let Some(root) = &self.root else {
            return Err(HomeError::File(self.trouble().unwrap_or_default().to_owned()));
        };
        if let Err(error) = files::check_folder(root, true) {
            return Err(HomeError::File(format!("{}: {}", root.display(), remedy::reason(&error))));
        }
        files::sweep(root, false);
        for folder in FOLDERS {
            files::sweep(&root.join(folder), false);
        }
        match storage {
            Storage::None => Err(HomeError::File("nothing is to be remembered".to_owned())),
            Storage::Keyring => self.keeper_at(Home::Keyring, root).map(|keeper| (keeper, None)),
            Storage::File => self.keeper_at(Home::File, root).map(|keeper| (keeper, None)),
            Storage::Auto => self.keeper_by_probe(root),
        }
    }

    /// Where the key of new records lives, once that has been decided.
    pub fn chosen_home(&self) -> Option<Home> {
        match files::read_private(&self.root.as_ref()?.join(HOME))?.trim_ascii() {
            b"keyring" => Some(Home::Keyring),
            b"file" => Some(Home::File),
            _ => None,
        }
    }

    fn keeper_by_probe(&self, root: &Path) -> Result<(Keeper, Option<HomeError>), HomeError> {
        let decided = self.chosen_home();
        let (home, reason) = match decided {
            Some(home) => (home, None),
            None => match homes::probe_keyring(&self.key_lock(Home::Keyring, root)) {
                Ok(()) => (Home::Keyring, None),
                Err(error) => (Home::File, Some(error)),
            },
        };
        match self.keeper_at(home, root) {
            // A keyring that fails today gives way to the file, so that no sign-in is lost; the choice stays.
            Err(error) if home == Home::Keyring => self.keeper_at(Home::File, root).map(|keeper| (keeper, Some(error))),
            other => other.map(|keeper| (Keeper { just_chosen: decided.is_none(), ..keeper }, reason)),
        }
    }

    fn keeper_at(&self, home: Home, root: &Path) -> Result<Keeper, HomeError> {
        let key = homes::key_for_writing(homes::open(home, root).as_ref(), &self.key_lock(home, root))?;
        Ok(Keeper { home, key, just_chosen: false })
    }

    fn key_lock(&self, home: Home, root: &Path) -> PathBuf {
        match (home, &self.keyring_lock) {
            (Home::Keyring, Some(lock)) => lock.clone(),
            _ => root.join(LOCKS).join(KEY_LOCK),
        }
    }

    fn recall<F: DeserializeOwned, T: DeserializeOwned>(&self, folder: &str, id: &str) -> Recall<(F, T, Keeper)> {
        let Some(root) = &self.root else { return Recall::Absent };
        let path = root.join(folder).join(id);
        let Some(file) = files::read_private_within(&path, cap(folder)) else { return Recall::Absent };
        let Some(header) = seal::header::<F>(&file) else { return Recall::Absent };
        let key = match self.key(header.home, root) {
            Ok(Some(key)) => key,
            Ok(None) => return Recall::Absent,
            Err(error) => return Recall::Unreadable(error),
        };
        let body = header.open(&file, &format!("{folder}/{id}"), &key);
        match body.and_then(|body| serde_json::from_slice(&body).ok()) {
            Some(record) => {
                Recall::Found((header.facts, record, Keeper { home: header.home, key, just_chosen: false }))
            }
            None => Recall::Absent,
        }
    }

    fn keep<F: Serialize, T: Serialize>(
        &self,
        keeper: &Keeper,
        folder: &str,
        id: &str,
        facts: &F,
        record: &T,
    ) -> std::io::Result<()> {
        let root = self.root.as_ref().ok_or_else(|| std::io::Error::other("there is no folder to keep it in"))?;
        files::check_folder(root, true)?;
        // Large enough from the start: a vector that grows leaves copies behind that nobody wipes.
        let mut body = Zeroizing::new(Vec::with_capacity(64 * 1024));
        serde_json::to_writer(&mut *body, record)?;
        let file = seal::seal(&keeper.key, keeper.home, &format!("{folder}/{id}"), facts, &body)
            .map_err(std::io::Error::other)?;
        if file.len() as u64 > cap(folder) {
            return Err(std::io::Error::other("it is larger than what would be read again"));
        }
        files::write_private(&root.join(folder).join(id), &file)
    }

    fn facts<F: DeserializeOwned>(&self, folder: &str) -> Vec<(String, Home, F)> {
        let Some(folder) = self.root.as_ref().map(|root| root.join(folder)) else { return Vec::new() };
        files::list(&folder)
            .into_iter()
            .filter_map(|id| {
                let header = seal::header::<F>(&files::read_private(&folder.join(&id))?)?;
                Some((id, header.home, header.facts))
            })
            .collect()
    }

    pub(super) fn remove(&self, folder: &str, id: &str) -> std::io::Result<()> {
        match &self.root {
            Some(root) => files::remove(&root.join(folder).join(id)),
            None => Ok(()),
        }
    }

    fn key(&self, home: Home, root: &Path) -> LookUp {
        if let Some((_, known)) = self.keys.borrow().iter().find(|(known, _)| *known == home) {
            return known.clone();
        }
        let found = homes::open(home, root).read();
        // Another process may be about to make a key that is not there yet.
        if !matches!(found, Ok(None)) {
            self.keys.borrow_mut().push((home, found.clone()));
        }
        found
    }
}

/// The largest file of a folder, in bytes.
fn cap(folder: &str) -> u64 {
    if folder == GROUPS { GROUPS_CAP } else { files::FILE_CAP }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Utc;
    use kubectl_login_core::secret::Secret;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const OTHER: &str = "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn keep_one(store: &Store, id: &str, text: &str) {
        let (keeper, _) = store.keeper(Storage::File).expect("a key file");
        let now = Utc::now();
        let facts = TokenFacts { session: OTHER.to_owned(), audience: "a".to_owned(), expires_at: now };
        let record = TokenRecord { token: Secret::new(text), obtained_at: now, expires_at: now, anchors: Vec::new() };
        store.keep_token(&keeper, id, &facts, &record).expect("kept");
    }

    fn token(store: &Store, id: &str) -> Option<String> {
        store.token(id).found().map(|record| record.token.expose().to_owned())
    }

    #[test]
    fn records_cannot_take_each_others_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || Store::open(Some(folder.path().to_owned()), &Environment::default());
        let store = open();
        keep_one(&store, ID, "one");
        keep_one(&store, OTHER, "two");
        assert_eq!(token(&open(), ID).as_deref(), Some("one"));
        let path = |id: &str| folder.path().join(TOKENS).join(id);
        std::fs::copy(path(OTHER), path(ID)).expect("copied");
        assert_eq!(token(&open(), ID), None);
        assert_eq!(token(&open(), OTHER).as_deref(), Some("two"));
    }

    #[test]
    fn a_lost_or_replaced_key_means_absence() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || Store::open(Some(folder.path().to_owned()), &Environment::default());
        keep_one(&open(), ID, "one");
        std::fs::remove_file(folder.path().join(super::super::layout::KEY_FILE)).expect("removed");
        assert_eq!(token(&open(), ID), None);
        keep_one(&open(), OTHER, "two");
        assert_eq!((token(&open(), ID), token(&open(), OTHER).as_deref()), (None, Some("two")));
    }

    #[test]
    fn forgetting_a_session_takes_its_tokens_along() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(Some(folder.path().to_owned()), &Environment::default());
        keep_one(&store, ID, "one");
        store.forget_session(OTHER).expect("forgotten");
        assert!(store.tokens().is_empty());
    }
}
