//! `remove-cache-dir`, `remove-tokens`, `clean`: the other tools' ways to get rid of everything, hidden from help.
//!
//! Theirs delete whatever folder is named, with all that is in it. These delete what is ours, and say what stays.

use std::path::Path;

use kubectl_login::environment::Environment;
use kubectl_login::error::{Error, Result};
use kubectl_login::paths;
use kubectl_login::session;
use kubectl_login::store::key::HomeError;
use kubectl_login::store::{Store, homes, removal};
use kubectl_login::text::printable;

use super::args::CleanArgs;
use super::report;

/// How many of the things that stay are named.
const SHOWN: usize = 5;

/// Azure/kubelogin's `remove-cache-dir`: silent.
pub(super) fn remove_cache_dir(args: &CleanArgs, environment: &Environment) -> Result<()> {
    let (_, keyring) = remove(args, environment)?;
    match keyring {
        // Where there is no keyring there is no key in it.
        None | Some(Ok(()) | Err(HomeError::Absent)) => {}
        Some(Err(error)) => report::warning(
            &format!("the key is left in the keyring: {error}"),
            Some("It opens nothing any more. To be rid of it all the same: kubectl login logout --all"),
        ),
    }
    Ok(())
}

/// Azure/kubelogin's `remove-tokens`, and what it says about itself.
pub(super) fn remove_tokens(args: &CleanArgs, environment: &Environment) -> Result<()> {
    report::note("Command \"remove-tokens\" is deprecated, remove-tokens is deprecated, use remove-cache-dir instead");
    remove_cache_dir(args, environment)
}

/// int128/kubelogin's `clean`, in its words. A keyring that does not do its part is no error.
pub(super) fn clean(args: &CleanArgs, environment: &Environment) -> Result<()> {
    let (folder, keyring) = remove(args, environment)?;
    report::note(&format!("Deleted the token cache from {folder}"));
    match keyring {
        None => {}
        Some(Ok(())) => report::note("Deleted the token cache from the keyring"),
        Some(Err(error)) => report::note(&format!("Could not delete the token cache from the keyring: {error}")),
    }
    Ok(())
}

/// Removes a folder as far as it is ours. Says what stays; hands back the folder's name, and what the keyring said where
/// it was asked: its item goes with the default folder.
fn remove(args: &CleanArgs, environment: &Environment) -> Result<(String, Option<Result<(), HomeError>>)> {
    let store = Store::open(paths::state(args.cache_dir.as_deref(), environment), environment);
    let Some(root) = store.root().map(Path::to_owned) else {
        return Err(Error::failed(
            format!("nothing can be deleted: {}", store.trouble().unwrap_or_default()),
            "Mend the folder's owner and permissions, then run the command again.",
        ));
    };
    let failed = |error: std::io::Error| {
        Error::failed(format!("not everything could be deleted: {error}"), "Mend that, then run the command again.")
    };
    // Whoever works on a sign-in just now would otherwise keep it again.
    let locks = session::hold_all(&store);
    removal::clear(&root).map_err(failed)?;
    drop(locks);
    let left = removal::remove(&root).map_err(failed)?;
    let shown = printable(&root.to_string_lossy(), 200);
    if !left.foreign.is_empty() {
        let names = listed(&left.foreign, &root);
        report::warning(&format!("{shown} stays, because what is in it is not this program's: {names}"), None);
    }
    if !left.held.is_empty() {
        report::warning(
            &format!("{shown} stays, because somebody is signing in there just now"),
            Some("Run the command again when that has ended."),
        );
    }
    let is_default = Some(&root) == paths::default_state(environment).as_ref();
    Ok((shown, is_default.then(homes::forget_keyring)))
}

/// The first few of `paths`, as they are called in `root`.
fn listed(paths: &[std::path::PathBuf], root: &Path) -> String {
    let name = |path: &std::path::PathBuf| printable(&path.strip_prefix(root).unwrap_or(path).to_string_lossy(), 100);
    let names: Vec<String> = paths.iter().take(SHOWN).map(name).collect();
    let more = paths.len() - names.len();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", names.join(", "))
}
