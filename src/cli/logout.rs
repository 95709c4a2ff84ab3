//! `logout`: forgets the session of a context and that for its groups, the sessions of an account, or all of them; and revokes
//! them if the issuer supports that.
//!
//! Forgetting comes first and needs no network. It is complete whatever happens during revocation, Ctrl-C included.

use std::cmp::Reverse;
use std::path::PathBuf;

use kubectl_login::environment::Environment;
use kubectl_login::messages;
use kubectl_login::messages::{ErrorMessage, Result, command};
use kubectl_login::paths;
use kubectl_login::profile::Profile;
use kubectl_login::session::{self, identity::Identity, revocation, sessions};
use kubectl_login::store::{KeyBackend, KeyError, Lookup, SessionFacts, Store, StoreError};
use kubectl_login_core::text::printable;

use super::args::{LogoutArgs, MethodArgs};
use super::clean::{self, KeyringKey};
use super::entry::{self, PluginContext};
use super::entry_reader::EntryReader;
use super::report;
use super::status::without_scheme;

/// A session that was forgotten.
struct Forgotten {
    facts: SessionFacts,
    plan: RevocationPlan,
}

/// How a session can be revoked at its issuer.
enum RevocationPlan {
    /// With this.
    Revocation(revocation::RevocableSession),
    /// Not at all, which is not an error.
    None(Unrevoked),
    /// It should be possible, but is not, for this reason.
    Unknown(String),
}

/// Why a session cannot be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unrevoked {
    /// Entra ID only revokes all sessions of a user at once
    /// (<https://learn.microsoft.com/graph/api/user-revokesigninsessions>).
    AtEntra,
    /// The issuer's discovery document names no address for it.
    NotOffered,
    /// The issuer gave no refresh token, so there is only the token itself, which expires.
    NoRefreshToken,
}

impl Unrevoked {
    const ALL: [Unrevoked; 3] = [Unrevoked::AtEntra, Unrevoked::NotOffered, Unrevoked::NoRefreshToken];

    fn reason(self) -> &'static str {
        match self {
            Unrevoked::AtEntra => "Microsoft Entra ID cannot revoke a single session",
            Unrevoked::NotOffered => "the issuer offers no revocation",
            Unrevoked::NoRefreshToken => "the issuer gave no refresh token, and its other tokens only expire",
        }
    }
}

pub(super) fn run(args: &LogoutArgs, environment: &Environment) -> Result<()> {
    let reader = EntryReader::default();
    let contexts = entry::contexts(args.entry.kubeconfig.as_deref(), environment, &reader);
    match (&args.account, args.all) {
        (None, false) => one(args, &contexts, environment, &reader),
        (account, _) => several(args, account.as_deref(), &contexts, environment, &reader),
    }
}

/// Forgets the session of one kubeconfig entry, and that of the client that looks up its groups.
fn one(args: &LogoutArgs, contexts: &[PluginContext], environment: &Environment, reader: &EntryReader) -> Result<()> {
    let (entry, settings, own_environment) =
        entry::settings_of(&args.entry, &MethodArgs::default(), environment, reader)
            .map_err(command::with_logout_all)?;
    let folder = match args.cache_dir.as_deref() {
        Some(typed) => paths::state(Some(typed), &own_environment),
        None => paths::state(settings.cache_dir.as_deref(), &own_environment)
            .map(|folder| paths::for_this_user(folder, &own_environment)),
    };
    let store = open(folder, &own_environment)?;
    let identity = Identity::new(&settings.profile);
    let mut forgotten = Vec::new();
    for (id, facts) in every(&store, &identity.session) {
        let profiles = |_: &SessionFacts| vec![settings.profile.clone()];
        forgotten.extend(forget(&store, &id, facts, profiles).map_err(|error| command::not_forgotten(&error))?);
    }
    session::forget_history(&identity, &store, &own_environment);

    let named = if args.entry.user.is_some() { None } else { entry.context };
    let whose = printable(named.as_ref().unwrap_or(&entry.user), 100);
    let for_groups = forget_for_groups(&settings.profile, &identity, &store, contexts)
        .map_err(|error| command::not_forgotten(&error))?;
    let stays = match &for_groups {
        ForGroups::Needed(by) => format!(" The one for its groups stays: {} needs it.", by.join(", ")),
        ForGroups::Nothing | ForGroups::Forgotten(_) => String::new(),
    };
    let of = |facts: &SessionFacts| {
        let account = facts.account.as_ref();
        account.map(|account| format!(" ({})", printable(account, 100))).unwrap_or_default()
    };
    // The newest session is the one that was used.
    forgotten.sort_by_key(|forgotten| Reverse(forgotten.facts.signed_in_at));
    let Some(newest) = forgotten.first() else {
        return report::sentence(&match &for_groups {
            ForGroups::Forgotten(facts) => format!("Forgot the session for the groups of {whose}{}.", of(facts)),
            _ => format!("There was no session for {whose}.{stays}"),
        });
    };
    let facts = &newest.facts;
    let anchors = &facts.anchors;
    let others = entry::others(contexts, named.as_deref(), &identity.session, anchors, store.root());
    let revocation = revoke(&forgotten, &own_environment);
    let at =
        if revocation.revoked > 0 { format!(" and revoked it at {}", shown(&facts.issuer)) } else { String::new() };
    let and = if matches!(for_groups, ForGroups::Forgotten(_)) { " and the one for its groups" } else { "" };
    let also = if others.is_empty() { String::new() } else { format!(" It was also used by {}.", others.join(", ")) };
    report::sentence(&format!("Forgot the session of {whose}{}{at}{and}.{also}{stays}", of(facts)))?;
    revocation.say_what_is_left(1)?;
    revocation.warn();
    Ok(())
}

/// What happened to the session of the client that looks up an entry's groups.
enum ForGroups {
    /// There is none.
    Nothing,
    Forgotten(SessionFacts),
    /// These contexts still need it.
    Needed(Vec<String>),
}

/// Forgets the session of the client that looks up the groups of `profile`, whose own session has this `identity`. It can
/// read a tenant's groups, so users who log out expect it to be gone.
///
/// Errors: a record is there and stays.
fn forget_for_groups(
    profile: &Profile,
    identity: &Identity,
    store: &Store,
    contexts: &[PluginContext],
) -> Result<ForGroups, StoreError> {
    let (Some(id), Some(folder)) = (identity.session_for_groups(profile), store.root()) else {
        return Ok(ForGroups::Nothing);
    };
    let needs = |context: &&PluginContext| {
        // Contexts with the same session have just lost it.
        !context.uses(&identity.session, &[], folder)
            && (context.uses(&id, &[], folder) || context.looks_up_with(&id, &[], folder))
    };
    let needed: Vec<String> = contexts.iter().filter(needs).map(|context| printable(&context.name, 100)).collect();
    let kept = every(store, &id);
    if !needed.is_empty() {
        let is_there = kept.iter().any(|(id, _)| store.has_session(id));
        return Ok(if is_there { ForGroups::Needed(needed) } else { ForGroups::Nothing });
    }
    let mut outcome = ForGroups::Nothing;
    for (id, facts) in kept {
        // Only Entra has such clients, and nothing is revoked there.
        if let Some(forgotten) = forget(store, &id, facts, |_| Vec::new())? {
            outcome = ForGroups::Forgotten(forgotten.facts);
        }
    }
    Ok(outcome)
}

/// Every session of the entry whose own is called `base`; its own even if it does not exist or cannot be opened.
fn every(store: &Store, base: &str) -> Vec<(String, Option<SessionFacts>)> {
    let found = sessions::of_entry(store, base);
    let own = (!found.iter().any(|(id, _)| id == base)).then(|| (base.to_owned(), None));
    found.into_iter().map(|(id, facts)| (id, Some(facts))).chain(own).collect()
}

/// Forgets the sessions of `account`, or all sessions and the keys, in every known folder.
fn several(
    args: &LogoutArgs,
    account: Option<&str>,
    contexts: &[PluginContext],
    environment: &Environment,
    reader: &EntryReader,
) -> Result<()> {
    let is_meant = |facts: &SessionFacts| match (account, &facts.account) {
        (None, _) => true,
        (Some(meant), account) => account.as_ref().is_some_and(|account| account.eq_ignore_ascii_case(meant)),
    };
    let (stores, mut failures) = open_all(args, contexts, environment);
    let was_in_keyring = stores.iter().any(|store| store.has_records_of(KeyBackend::Keyring));
    let mut forgotten = Vec::new();
    for store in &stores {
        for (id, _, facts) in store.sessions().into_iter().filter(|(.., facts)| is_meant(facts)) {
            let profiles = |facts: &SessionFacts| profiles_of(&id, facts, contexts, environment, reader);
            match forget(store, &id, Some(facts), profiles) {
                Ok(known) => forgotten.extend(known),
                Err(error) => failures.push(command::not_forgotten(&error)),
            }
        }
    }
    if account.is_none() {
        // Last, because the keys are needed to read what is to be revoked.
        for store in &stores {
            failures.extend(store.delete_all().err().map(|error| command::not_forgotten(&error)));
        }
        if args.cache_dir.is_none() {
            failures.extend(forget_keyring_key(args, contexts, environment, reader, was_in_keyring));
        }
    }
    let revocation = revoke(&forgotten, environment);
    report::sentence(&forgotten_in_words(account, forgotten.len(), revocation.revoked))?;
    revocation.say_what_is_left(forgotten.len())?;
    revocation.warn();
    let last = failures.pop();
    for failure in failures {
        report::warn(&failure);
    }
    last.map_or(Ok(()), Err)
}

/// The stores in all known folders, and why others cannot be used.
fn open_all(
    args: &LogoutArgs,
    contexts: &[PluginContext],
    environment: &Environment,
) -> (Vec<Store>, Vec<ErrorMessage>) {
    let folders = entry::folders(args.cache_dir.as_deref(), contexts, environment);
    let opened: Vec<Result<Store>> = match folders.is_empty() {
        // Opened even so, to say why there is none.
        true => vec![open(None, environment)],
        false => folders.into_iter().map(|folder| open(Some(folder), environment)).collect(),
    };
    let (mut stores, mut failures) = (Vec::new(), Vec::new());
    for store in opened {
        match store {
            Ok(store) => stores.push(store),
            Err(error) => failures.push(error),
        }
    }
    (stores, failures)
}

/// Deletes the key in the keyring, unless a folder still needs it. `was_in_keyring`: records that are forgotten now needed it.
///
/// Returns why it may still be there.
fn forget_keyring_key(
    args: &LogoutArgs,
    contexts: &[PluginContext],
    environment: &Environment,
    reader: &EntryReader,
    was_in_keyring: bool,
) -> Option<ErrorMessage> {
    // The contexts of the usual kubeconfig count even if another one was named.
    let usual = args.entry.kubeconfig.as_ref().map(|_| entry::contexts(None, environment, reader));
    match clean::forget_keyring_key(&[contexts, &usual.unwrap_or_default()], environment) {
        KeyringKey::Left(error) if was_in_keyring || error != KeyError::NoKeyring => {
            Some(command::key_may_be_left(&error))
        }
        _ => None,
    }
}

/// How many sessions were forgotten, and how many of them were revoked.
fn forgotten_in_words(account: Option<&str>, forgotten: usize, revoked: usize) -> String {
    let of = account.map(|account| format!(" of {}", printable(account, 100))).unwrap_or_default();
    match (forgotten, revoked) {
        (0, _) => format!("There were no sessions{of}."),
        (1, 0) => format!("Forgot 1 session{of}."),
        (1, _) => format!("Forgot 1 session{of} and revoked it."),
        (count, 0) => format!("Forgot {count} sessions{of}."),
        (count, revoked) if revoked == count => format!("Forgot {count} sessions{of} and revoked them."),
        (count, revoked) => format!("Forgot {count} sessions{of} and revoked {revoked} of them."),
    }
}

/// Forgets one session. If it can be revoked (that of a client of an OpenID Connect issuer, with a refresh token), `profiles`
/// returns the profiles that use it. (Entra does not support revocation, so no key is looked up there.) Requests to the issuer
/// trust only what the session was signed in under.
///
/// Errors: a record is there and stays.
fn forget(
    store: &Store,
    session: &str,
    facts: Option<SessionFacts>,
    profiles: impl Fn(&SessionFacts) -> Vec<Profile>,
) -> Result<Option<Forgotten>, StoreError> {
    let may_be_revoked = facts.as_ref().is_some_and(|facts| facts.refreshable && facts.tenant.is_none());
    let base = facts.as_ref().map_or(session, |facts| facts.base(session));
    let known = session::forget(store, session, base, may_be_revoked)?;
    let Some(facts) = facts else { return Ok(None) };
    let none = if facts.tenant.is_some() { Unrevoked::AtEntra } else { Unrevoked::NoRefreshToken };
    let plan = match known.map(|(_, record)| (record.refresh_token, record.token_endpoint)) {
        Lookup::Found((Some(token), token_endpoint)) => {
            let pinned = |profile: Profile| Profile { network: profile.network.pinned_to(&facts.anchors), ..profile };
            let profiles: Vec<Profile> = profiles(&facts).into_iter().map(pinned).collect();
            match profiles.is_empty() {
                false => RevocationPlan::Revocation(revocation::RevocableSession { profiles, token, token_endpoint }),
                true => RevocationPlan::Unknown("no kubeconfig entry says how to reach its issuer".to_owned()),
            }
        }
        Lookup::Absent if may_be_revoked => RevocationPlan::Unknown("its record can no longer be opened".to_owned()),
        Lookup::Found((None, _)) | Lookup::Absent => RevocationPlan::None(none),
        Lookup::Unreadable(error) => RevocationPlan::Unknown(messages::store::key_reason(&error)),
    };
    Ok(Some(Forgotten { facts, plan }))
}

/// The profiles that use this session: those of contexts, and the one that the facts alone describe in the environment of the
/// shell. Only profiles with the same identity are used, so a token never goes to another issuer, by another client, or over
/// a connection that trusts others than it was obtained over. Entries may reach the issuer in different ways, such as through
/// a proxy; those that add no certificate authorities come first.
fn profiles_of(
    id: &str,
    facts: &SessionFacts,
    contexts: &[PluginContext],
    environment: &Environment,
    reader: &EntryReader,
) -> Vec<Profile> {
    let base = facts.base(id);
    let of_contexts = contexts.iter().filter(|context| context.names(base, &facts.anchors));
    let mut profiles: Vec<Profile> = of_contexts.map(|context| context.profile.clone()).collect();
    profiles.sort_by_key(|profile| !profile.network.environment_roots.is_empty());
    profiles.truncate(MAX_PROFILES);
    let bare = entry::bare_profile(&facts.issuer, &facts.client, environment, reader);
    profiles.extend(bare.filter(|profile| Identity::new(profile).session == base));
    profiles
}

/// With how many entries to try to revoke one session, because each try may take long.
const MAX_PROFILES: usize = 3;

/// The result of revoking.
struct RevocationReport<'a> {
    revoked: usize,
    /// Why nothing was tried, for each session for which nothing was.
    left: Vec<Unrevoked>,
    failures: Vec<(&'a SessionFacts, String)>,
}

fn revoke<'a>(forgotten: &'a [Forgotten], environment: &Environment) -> RevocationReport<'a> {
    let mut revocation = RevocationReport { revoked: 0, left: Vec::new(), failures: Vec::new() };
    let (mut facts, mut sessions) = (Vec::new(), Vec::new());
    for sign_in in forgotten {
        match &sign_in.plan {
            RevocationPlan::Revocation(to_revoke) => {
                facts.push(&sign_in.facts);
                sessions.push(to_revoke);
            }
            RevocationPlan::None(why) => revocation.left.push(*why),
            RevocationPlan::Unknown(reason) => revocation.failures.push((&sign_in.facts, reason.clone())),
        }
    }
    let ended = revocation::revoke(&sessions, environment);
    for ((facts, session), ended) in facts.into_iter().zip(&sessions).zip(ended) {
        match ended {
            Ok(true) => revocation.revoked += 1,
            Ok(false) => revocation.left.push(Unrevoked::NotOffered),
            Err(failure) => {
                let reason = session.profiles.first().map(|profile| messages::failure::not_revoked(&failure, profile));
                revocation.failures.push((facts, reason.unwrap_or_default()));
            }
        }
    }
    revocation
}

impl RevocationReport<'_> {
    /// Says why sessions were not revoked, if that is not an error; `all` is how many were forgotten.
    ///
    /// Errors: it cannot be printed.
    fn say_what_is_left(&self, all: usize) -> Result<()> {
        for why in Unrevoked::ALL {
            let which = match self.left.iter().filter(|left| **left == why).count() {
                0 => continue,
                1 if all == 1 => "It was".to_owned(),
                1 => "1 was".to_owned(),
                count if count == all => "They were".to_owned(),
                count => format!("{count} were"),
            };
            report::sentence(&format!("{which} not revoked: {}.", why.reason()))?;
        }
        Ok(())
    }

    /// Warns about what could not be revoked. It is forgotten even so, so the command has done what it should.
    fn warn(&self) {
        for (facts, reason) in &self.failures {
            report::warn(&command::revocation_failed(facts.account.as_deref(), &shown(&facts.issuer), reason));
        }
    }
}

fn shown(issuer: &str) -> String {
    printable(without_scheme(issuer), 200)
}

/// The store to forget sessions in. A folder that cannot be trusted is an error here, because something may be left in it.
fn open(folder: Option<PathBuf>, environment: &Environment) -> Result<Store> {
    let store = Store::open(folder.clone(), environment);
    match store.problem() {
        Some(problem) => Err(command::cannot_forget(problem, folder.as_deref())),
        None => Ok(store),
    }
}
