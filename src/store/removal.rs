//! Deleting what is ours in a folder, and only that: whatever has another name, belongs to somebody else or is reached
//! through a symbolic link stays. Never a recursive deletion: `--cache-dir` may name any folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::files;
use super::layout::{
    FOLDERS, GROUPS, HOME, ISSUERS, KEY_FILE, KEY_LOCK, KEYRING_LOCK, LOCKS, OUTCOMES, SESSIONS, TOKENS,
};
use super::lock::{self, LockError, Patience};
use super::seal;

/// What a removal left.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Lock files that somebody holds just now.
    pub held: Vec<PathBuf>,
    /// What is not this program's.
    pub foreign: Vec<PathBuf>,
}

/// Deletes the records, documents and notes in `root`, the key file, and what killed writers left behind (a copy of the
/// key in the making included). Folders and lock files stay. Whether the folder is this program's at all: if not,
/// nothing is deleted.
///
/// Errors: something of ours is there and stays.
pub fn clear(root: &Path) -> io::Result<bool> {
    if !is_ours(root) {
        return Ok(false);
    }
    for folder in FOLDERS.map(|name| root.join(name)) {
        if files::is_own_folder(&folder) {
            for id in files::list(&folder) {
                delete(&folder.join(id))?;
            }
            files::sweep(&folder, true);
        }
    }
    files::sweep(root, true);
    delete(&root.join(KEY_FILE))?;
    delete(&root.join(HOME))?;
    Ok(true)
}

/// Deletes what [`clear`] leaves of a folder of this program: lock files which nobody holds, and then every folder that is
/// empty, `root` included.
///
/// The one place where lock files are unlinked: somebody wants the whole folder gone. A process that is about to take
/// one in this very moment may then work beside another.
///
/// Errors: something of ours is there and stays.
pub fn remove(root: &Path) -> io::Result<Left> {
    let mut left = Left { held: delete_locks(&root.join(LOCKS))?, foreign: Vec::new() };
    let folders: Vec<PathBuf> = FOLDERS.iter().chain([&LOCKS]).map(|name| root.join(name)).collect();
    for folder in folders.iter().filter(|folder| files::is_own_folder(folder)) {
        // One that is not empty stays; what is in it is looked at below.
        let _ = fs::remove_dir(folder);
    }
    let _ = fs::remove_dir(root);
    for path in entries(root) {
        let inside = if folders.contains(&path) && files::is_own_folder(&path) { entries(&path) } else { vec![path] };
        left.foreign.extend(inside.into_iter().filter(|path| !left.held.contains(path)));
    }
    Ok(left)
}

/// Whether something in `root` can only have come from this program: the key file or the note on its home, a sealed
/// record, an issuer's document, a note on a sign-in. (Names alone do not tell: somebody else may call folders `sessions` and files by
/// hashes.) The folder that this program makes for itself is called by its name.
fn is_ours(root: &Path) -> bool {
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
        || [KEY_FILE, HOME].iter().any(|name| files::is_own_file(&root.join(name)))
        || in_folder(SESSIONS, &sealed)
        || in_folder(TOKENS, &sealed)
        || in_folder(GROUPS, &sealed)
        || in_folder(ISSUERS, &document)
        || in_folder(OUTCOMES, &outcome)
}

/// Deletes the lock files that can be locked; the others are in use.
///
/// Errors: one cannot be locked at all, or cannot be deleted.
fn delete_locks(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut held = Vec::new();
    if !files::is_own_folder(folder) {
        return Ok(held);
    }
    for path in entries(folder) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !(files::is_id(name) || [KEY_LOCK, KEYRING_LOCK].contains(&name)) || !files::is_own_file(&path) {
            continue;
        }
        match lock::acquire(&path, |_, _| Patience::GiveUp) {
            Ok(_lock) => files::remove(&path)?,
            Err(LockError::GaveUp(_)) => held.push(path),
            Err(LockError::Unusable(error)) => {
                return Err(io::Error::new(error.kind(), format!("{} cannot be locked: {error}", path.display())));
            }
        }
    }
    Ok(held)
}

fn delete(path: &Path) -> io::Result<()> {
    if files::is_own_file(path) { files::remove(path) } else { Ok(()) }
}

/// What is in a folder, by name.
pub fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
