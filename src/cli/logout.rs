//! `logout`: forgets a context's sign-in, an account's, or everything.

use kubectl_login::environment::Environment;
use kubectl_login::error::{Error, Result};
use kubectl_login::paths;
use kubectl_login::session::identity::Identity;
use kubectl_login::store::Store;

use super::args::LogoutArgs;
use super::{login, report};

pub(super) fn run(args: &LogoutArgs, environment: &Environment) -> Result<()> {
    let default_folder = args.cache_dir.is_none();
    let open = |cache_dir: Option<&str>, environment: &Environment| {
        Store::open(paths::state(cache_dir, environment), environment)
    };
    if args.all {
        let store = open(args.cache_dir.as_deref(), environment);
        let count = store.sessions().len();
        // The keyring's item serves every folder; it goes with the default one.
        store.forget_all(default_folder).map_err(|error| failed(&error))?;
        return report::line(&format!("Forgot {}.", sessions(count)));
    }
    if let Some(account) = &args.account {
        let store = open(args.cache_dir.as_deref(), environment);
        let meant = |name: &Option<String>| name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(account));
        let ids: Vec<String> =
            store.sessions().into_iter().filter(|(_, _, facts)| meant(&facts.account)).map(|(id, ..)| id).collect();
        for id in &ids {
            store.forget_session(id).map_err(|error| failed(&error))?;
        }
        return report::line(&format!("Forgot {} of {account}.", sessions(ids.len())));
    }
    let (entry, settings, environment) = login::settings_of(&args.entry, environment).map_err(|error| Error {
        next: format!("{}\nTo forget everything: kubectl login logout --all", error.next),
        ..error
    })?;
    let store = open(args.cache_dir.as_deref().or(settings.cache_dir.as_deref()), &environment);
    let id = Identity::of(&settings.profile).session;
    let known = store.sessions().into_iter().any(|(known, ..)| known == id);
    store.forget_session(&id).map_err(|error| failed(&error))?;
    let whose = entry.context.unwrap_or(entry.user);
    report::line(&if known {
        format!("Forgot the sign-in of {whose}.")
    } else {
        format!("Nothing was remembered for {whose}.")
    })
}

fn sessions(count: usize) -> String {
    if count == 1 { "1 sign-in".to_owned() } else { format!("{count} sign-ins") }
}

fn failed(error: &std::io::Error) -> Error {
    Error::failed(format!("not everything could be forgotten: {error}"), "Mend that, then run the command again.")
}
