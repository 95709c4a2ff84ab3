//! `remove-cache-dir`, `remove-tokens`, `clean`: the other tools' commands that delete everything, hidden from help.
//!
//! Theirs delete whatever folder is named, with all that is in it. These delete only this program's files, and say what
//! remains.

use std::path::{Path, PathBuf};

use kubectl_login::environment::Environment;
use kubectl_login::messages::{self, Result, command};
use kubectl_login::paths;
use kubectl_login::session;
use kubectl_login::store::Store;
use kubectl_login::store::key_backends::{self, KeyBackend};
use kubectl_login::store::removal::{self, Leftovers};
use kubectl_login::store::{KeyError, StoreError};
use kubectl_login_core::text::printable;

use super::args::CleanArgs;
use super::entry::{self, PluginContext};
use super::entry_reader::EntryReader;
use super::report;

/// How many of the remaining files are named.
const SHOWN: usize = 5;

/// Azure/kubelogin's `remove-cache-dir`: silent.
pub(super) fn remove_cache_dir(args: &CleanArgs, environment: &Environment) -> Result<()> {
    let (_, key) = remove(args, environment)?;
    // Without a keyring there is no key in it.
    if let Some(KeyringKey::Left(error @ (KeyError::Locked | KeyError::Frozen))) = key {
        report::warn(&command::key_is_left(&error));
    }
    Ok(())
}

/// Azure/kubelogin's `remove-tokens`, with its deprecation notice.
pub(super) fn remove_tokens(args: &CleanArgs, environment: &Environment) -> Result<()> {
    report::note("Command \"remove-tokens\" is deprecated, remove-tokens is deprecated, use remove-cache-dir instead");
    remove_cache_dir(args, environment)
}

/// int128/kubelogin's `clean`, in its words. A keyring that fails is not an error.
pub(super) fn clean(args: &CleanArgs, environment: &Environment) -> Result<()> {
    if args.cache_dir.is_none() && entry::has_context("clean", None, environment) {
        return Err(command::clean_may_be_a_context());
    }
    let (folder, key) = remove(args, environment)?;
    if let Some(folder) = folder {
        report::note(&format!("Deleted the token cache from {folder}"));
    }
    match key {
        None => {}
        Some(KeyringKey::Forgotten) => report::note("Deleted the token cache from the keyring"),
        Some(KeyringKey::Needed(by)) => {
            report::note(&format!("The key stays in the keyring: {} needs it", printable(&by.to_string_lossy(), 200)));
        }
        Some(KeyringKey::Left(error)) => {
            report::note(&format!(
                "Could not delete the token cache from the keyring: {}",
                messages::store::key_reason(&error)
            ));
        }
    }
    Ok(())
}

/// What happened to the key in the keyring.
pub(super) enum KeyringKey {
    Forgotten,
    /// It stays: this folder has records that are sealed with it.
    Needed(PathBuf),
    /// It is still there, or may be.
    Left(KeyError),
}

/// Deletes the key from the keyring, unless a known folder still needs it: all folders share one key.
/// `contexts` are those of each kubeconfig that counts: the usual one, and one that was named instead.
pub(super) fn forget_keyring_key(contexts: &[&[PluginContext]], environment: &Environment) -> KeyringKey {
    let folders = contexts.iter().flat_map(|contexts| entry::folders(None, contexts, environment));
    let mut known = folders.chain(paths::default_state(environment));
    let needs_it =
        |folder: &PathBuf| Store::open(Some(folder.clone()), environment).has_records_of(KeyBackend::Keyring);
    match known.find(needs_it) {
        Some(folder) => KeyringKey::Needed(folder),
        None => key_backends::delete_keyring_key().map_or_else(KeyringKey::Left, |()| KeyringKey::Forgotten),
    }
}

/// Removes this program's files from a folder, and the folder if it is empty then. Says what remains. Returns the folder's
/// name unless it was another user's, and what happened to the key in the keyring, which belongs to the usual folder.
fn remove(args: &CleanArgs, environment: &Environment) -> Result<(Option<String>, Option<KeyringKey>)> {
    let folder = paths::state(args.cache_dir.as_deref(), environment);
    let store = Store::open(folder.clone(), environment);
    let Some(root) = store.root().map(Path::to_owned) else {
        return Err(command::cannot_delete(store.problem(), folder.as_deref()));
    };
    let failed = |error: StoreError| command::not_deleted(&error);
    // Otherwise a process that is signing in would store its session again.
    let locks = session::hold_all(&store);
    let is_ours = removal::clear(&root).map_err(failed)?;
    drop(locks);
    let left = match is_ours {
        true => removal::remove(&root).map_err(failed)?,
        false => Leftovers { foreign: removal::entries(&root), ..Leftovers::default() },
    };
    let shown = printable(&root.to_string_lossy(), 200);
    if !left.foreign.is_empty() {
        let names = listed(&left.foreign, &root);
        report::warning(&format!("{shown} stays, because what is in it is not this program's: {names}"), None);
    }
    if !left.held.is_empty() {
        report::warn(&command::folder_is_in_use(&shown));
    }
    let is_usual = Some(&root) == paths::default_state(environment).as_ref();
    let gone = is_ours || !root.exists();
    Ok((
        gone.then_some(shown),
        is_usual
            .then(|| forget_keyring_key(&[&entry::contexts(None, environment, &EntryReader::default())], environment)),
    ))
}

/// The first few of `paths`, as they are called in `root`.
fn listed(paths: &[PathBuf], root: &Path) -> String {
    let name = |path: &PathBuf| printable(&path.strip_prefix(root).unwrap_or(path).to_string_lossy(), 100);
    let names: Vec<String> = paths.iter().take(SHOWN).map(name).collect();
    let more = paths.len() - names.len();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", names.join(", "))
}
