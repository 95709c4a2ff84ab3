//! Deletes the files of this program in a folder, and only those: files with other names, files of other users and files
//! behind symbolic links stay. Never a recursive deletion: `--cache-dir` may name any folder.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::files;
use super::layout::{
    FOLDERS, GROUPS, ISSUERS, KEY_BACKEND_FILE, KEY_FILE, KEY_LOCK, KEYRING_LOCK, LOCKS, OUTCOMES, SESSIONS, TOKENS,
};
use super::lock::{self, LockError, WaitDecision};
use super::seal;

/// What a removal left.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Lock files that another process holds.
    pub held: Vec<PathBuf>,
    /// Files and folders that are not this program's.
    pub foreign: Vec<PathBuf>,
}

/// Deletes the records, documents and notes in `root`, the key file, and the temporary files of killed writers (an
/// unfinished copy of the key included). Folders and lock files stay. Returns whether the folder belongs to this program at
/// all: if not, nothing is deleted.
///
/// Errors: a file of this program cannot be deleted.
pub fn clear(root: &Path) -> Result<bool, StoreError> {
    if !belongs_to_this_program(root) {
        return Ok(false);
    }
    for folder in FOLDERS.map(|name| root.join(name)) {
        if files::is_own_folder(&folder) {
            for id in files::list(&folder) {
                delete_own_file(folder.join(id))?;
            }
            files::sweep(&folder, true);
        }
    }
    files::sweep(root, true);
    delete_own_file(root.join(KEY_FILE))?;
    delete_own_file(root.join(KEY_BACKEND_FILE))?;
    Ok(true)
}

/// Deletes what [`clear`] leaves of a folder of this program: the lock files that no process holds, and then every folder
/// that is empty, `root` included.
///
/// The only place where lock files are deleted, because the user wants the whole folder gone. A process that is about to
/// take one at this moment may then work at the same time as another.
///
/// Errors: a lock file of this program cannot be locked or deleted.
pub fn remove(root: &Path) -> Result<Leftovers, StoreError> {
    let mut left = Leftovers { held: delete_locks(&root.join(LOCKS))?, foreign: Vec::new() };
    let folders: Vec<PathBuf> = FOLDERS.iter().chain([&LOCKS]).map(|name| root.join(name)).collect();
    for folder in folders.iter().filter(|folder| files::is_own_folder(folder)) {
        // One that is not empty stays; its contents are listed below.
        let _ = fs::remove_dir(folder);
    }
    let _ = fs::remove_dir(root);
    for path in entries(root) {
        let inside = if folders.contains(&path) && files::is_own_folder(&path) { entries(&path) } else { vec![path] };
        left.foreign.extend(inside.into_iter().filter(|path| !left.held.contains(path)));
    }
    Ok(left)
}

/// Whether something in `root` can only come from this program: the key file or the name of the key's backend, a sealed
/// record, an issuer's document, the outcome of a sign-in. (Names alone do not tell: other programs may call folders
/// `sessions` and files by hashes.) The folder that this program creates for itself is recognised by its name.
fn belongs_to_this_program(root: &Path) -> bool {
    let in_folder = |name: &str, is_mark: &dyn Fn(&Path) -> bool| {
        let folder = root.join(name);
        files::is_own_folder(&folder) && files::list(&folder).iter().any(|id| is_mark(&folder.join(id)))
    };
    let sealed = |path: &Path| {
        files::read_private(path).is_some_and(|file| seal::header::<serde::de::IgnoredAny>(&file).is_some())
    };
    let has_fields = |path: &Path, names: &[&str]| {
        let value =
            files::read_private(path).and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
        value.is_some_and(|value| names.iter().all(|name| value.get(name).is_some()))
    };
    let document = |path: &Path| has_fields(path, &["at", "document"]);
    let outcome = |path: &Path| has_fields(path, &["asked"]);
    root.file_name().is_some_and(|name| name == "kubectl-login")
        || [KEY_FILE, KEY_BACKEND_FILE].iter().any(|name| files::is_own_file(&root.join(name)))
        || in_folder(SESSIONS, &sealed)
        || in_folder(TOKENS, &sealed)
        || in_folder(GROUPS, &sealed)
        || in_folder(ISSUERS, &document)
        || in_folder(OUTCOMES, &outcome)
}

/// Deletes the lock files that can be locked; the others are in use.
///
/// Errors: one cannot be locked at all, or cannot be deleted.
fn delete_locks(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut held = Vec::new();
    if !files::is_own_folder(folder) {
        return Ok(held);
    }
    for path in entries(folder) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !(files::is_id(name) || [KEY_LOCK, KEYRING_LOCK].contains(&name)) || !files::is_own_file(&path) {
            continue;
        }
        match lock::acquire(&path, |_, _| WaitDecision::GiveUp) {
            Ok(_lock) => delete(path)?,
            Err(LockError::GaveUp(_)) => held.push(path),
            Err(LockError::Unusable(cause)) => return Err(StoreError::Lock { path, cause }),
        }
    }
    Ok(held)
}

fn delete_own_file(path: PathBuf) -> Result<(), StoreError> {
    if files::is_own_file(&path) { delete(path) } else { Ok(()) }
}

fn delete(path: PathBuf) -> Result<(), StoreError> {
    files::delete(&path).map_err(|cause| StoreError::Delete { path, cause })
}

/// The paths in a folder, sorted.
pub fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
