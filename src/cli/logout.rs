//! `logout`: forgets a context's sign-in, an account's, or everything.

use kubectl_login::environment::Environment;
use kubectl_login::error::{Error, Result};
use kubectl_login::paths;
use kubectl_login::session::{self, identity::Identity};
use kubectl_login::store::Store;
use kubectl_login::text::printable;

use super::args::LogoutArgs;
use super::{entry, report};

pub(super) fn run(args: &LogoutArgs, environment: &Environment) -> Result<()> {
    if args.all {
        let store = open(args.cache_dir.as_deref(), environment)?;
        let count = forget(&store, store.sessions().into_iter().map(|(id, ..)| id))?;
        // The keyring's item serves every folder; it goes with the default one.
        let is_default = store.root().map(std::path::Path::to_owned) == paths::default_state(environment);
        store.forget_all(is_default).map_err(|error| failed(&error))?;
        return report::line(&format!("Forgot {}.", sessions(count)));
    }
    if let Some(account) = &args.account {
        let store = open(args.cache_dir.as_deref(), environment)?;
        let meant = |name: &Option<String>| name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(account));
        let theirs = store.sessions().into_iter().filter(|(_, _, facts)| meant(&facts.account)).map(|(id, ..)| id);
        let count = forget(&store, theirs)?;
        return report::line(&format!("Forgot {} of {}.", sessions(count), printable(account, 100)));
    }
    let (entry, settings, environment) = entry::settings_of(&args.entry, environment).map_err(|error| Error {
        next: format!("{}\nTo forget everything: kubectl login logout --all", error.next),
        ..error
    })?;
    let store = open(args.cache_dir.as_deref().or(settings.cache_dir.as_deref()), &environment)?;
    let id = Identity::of(&settings.profile).session;
    let known = store.sessions().into_iter().any(|(known, ..)| known == id);
    forget(&store, [id])?;
    let whose = printable(&entry.context.unwrap_or(entry.user), 100);
    report::line(&if known {
        format!("Forgot the sign-in of {whose}.")
    } else {
        format!("Nothing was remembered for {whose}.")
    })
}

/// Forgets each of `ids`, as many as can be, and counts them. The first failure is reported at the end.
fn forget(store: &Store, ids: impl IntoIterator<Item = String>) -> Result<usize> {
    let outcomes: Vec<std::io::Result<()>> = ids.into_iter().map(|id| session::forget(store, &id)).collect();
    let count = outcomes.len();
    outcomes.into_iter().collect::<std::io::Result<()>>().map_err(|error| failed(&error))?;
    Ok(count)
}

/// The store to forget from. A folder that cannot be trusted is an error here: something may well be left in it.
fn open(cache_dir: Option<&str>, environment: &Environment) -> Result<Store> {
    let store = Store::open(paths::state(cache_dir, environment), environment);
    match store.trouble() {
        Some(trouble) => Err(Error::failed(
            format!("nothing can be forgotten: {trouble}"),
            "Mend the folder's owner and permissions, then run the command again.",
        )),
        None => Ok(store),
    }
}

fn sessions(count: usize) -> String {
    if count == 1 { "1 sign-in".to_owned() } else { format!("{count} sign-ins") }
}

fn failed(error: &std::io::Error) -> Error {
    Error::failed(format!("not everything could be forgotten: {error}"), "Mend that, then run the command again.")
}
