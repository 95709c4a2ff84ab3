//! The store: the key, the folder, the session.

use std::path::{Path, PathBuf};

use kubectl_login::environment::Environment;
use kubectl_login::failure::SessionProblem;
use kubectl_login::messages;
use kubectl_login::messages::failure::explain;
use kubectl_login::messages::step::Step;
use kubectl_login::messages::token::local_time;
use kubectl_login::paths;
use kubectl_login::profile::{Profile, Storage};
use kubectl_login::session::identity::Identity;
use kubectl_login::session::{last_failed_sign_in, refusal_of, sessions};
use kubectl_login::store::KeyBackend;
use kubectl_login::store::KeyError;
use kubectl_login::store::layout::{KEY_FILE, SESSIONS, TOKENS};
use kubectl_login::store::{Lookup, SessionFacts, SessionRecord, Store, files};
use kubectl_login_core::clock;
use kubectl_login_core::kube::kubeconfig::Entry;
use kubectl_login_core::text::printable;

use super::super::profile::Settings;
use super::super::whoami;
use super::finding::{FILES, Finding, KEYRING};

/// The store of an entry; the usual store if the entry cannot be understood.
pub(super) struct StoreChecks {
    pub(super) store: Store,
    storage: Storage,
    folder: Option<PathBuf>,
}

/// What was found in a store.
pub(super) struct StoreFindings {
    pub(super) key: Finding,
    pub(super) files: Finding,
    /// `None` if this plugin does not sign in for the entry.
    pub(super) session: Option<Finding>,
}

impl StoreChecks {
    pub(super) fn new(settings: Option<&(Settings, Environment)>, environment: &Environment) -> StoreChecks {
        let (storage, folder, environment) = match settings {
            Some((settings, environment)) => (settings.profile.storage, settings.folder(environment), environment),
            None => (Storage::Auto, paths::state(None, environment), environment),
        };
        StoreChecks { store: Store::open(folder.clone(), environment), storage, folder }
    }

    /// All checks. `signed_in` is the entry with the profile and the identity of its session, if it signs in with this
    /// plugin.
    pub(super) fn findings(
        &self,
        signed_in: Option<(&Entry, (&Profile, &Identity))>,
        environment: &Environment,
    ) -> StoreFindings {
        let (folder, key) = (self.folder(), self.key());
        let session = signed_in.map(|(entry, session)| self.session(entry, session, environment, &key, &folder));
        let files = Finding::merged([Some(folder), self.records(&key)].into_iter().flatten().collect());
        StoreFindings { key, files, session }
    }

    /// The folder: who owns it, and whether it can be written.
    fn folder(&self) -> Finding {
        if self.storage == Storage::None {
            return Finding::ok("nothing is stored (--token-cache-storage none)");
        }
        let folder = match (&self.folder, self.store.problem()) {
            (Some(folder), None) => folder,
            (_, problem) => {
                let what = problem.map(messages::store::problem).unwrap_or_default();
                return Finding::fail(
                    printable(&what, 300),
                    problem.map(messages::store::problem_steps).unwrap_or_default(),
                );
            }
        };
        let is_there = folder.exists();
        // The first sign-in creates a missing folder, below the nearest existing one.
        let place = folder.ancestors().find(|place| place.exists()).unwrap_or(folder);
        let name = shown(folder);
        match files::check_writable(place) {
            Err(error) => Finding::fail(
                format!("{name} cannot be written: {}", messages::store::file_reason(&error)),
                messages::store::file_steps(folder, &error),
            ),
            Ok(()) if is_there => Finding::ok(name),
            Ok(()) => Finding::ok(format!("{name}, which the first sign-in creates")),
        }
    }

    /// The records: whether they can be opened, if their keys are available.
    fn records(&self, key: &Finding) -> Option<Finding> {
        let root = self.store.root().filter(|_| !key.has_failed())?;
        if let Err(error) = self.store.check_readable() {
            return Some(Finding::fail(
                format!("{} cannot be read: {}", shown(root), messages::store::reason(&error)),
                messages::store::next_steps(root, &error),
            ));
        }
        let store = &self.store;
        let is_damaged = |folder: &str, id: &str| match folder {
            SESSIONS => matches!(store.session(id), Lookup::Absent),
            _ => matches!(store.token(id), Lookup::Absent),
        };
        let listed = [SESSIONS, TOKENS].map(|folder| (folder, files::list(&root.join(folder))));
        let count = listed.iter().map(|(_, ids)| ids.len()).sum::<usize>();
        let damaged = listed.iter().flat_map(|(folder, ids)| ids.iter().map(move |id| (*folder, id)));
        Some(match damaged.filter(|(folder, id)| is_damaged(folder, id)).count() {
            0 if count == 0 => Finding::ok("nothing is stored yet"),
            0 if count == 1 => Finding::ok("1 record, which can be opened"),
            0 => Finding::ok(format!("{count} records, all of which can be opened")),
            damaged => Finding::warn(
                format!(
                    "{damaged} of {count} records cannot be opened: damaged, sealed with another key, or readable by other users"
                ),
                "Sign in again, which replaces those of the context: kubectl login\nTo start over: kubectl login logout --all",
            ),
        })
    }

    /// The key, in the backend that was chosen or is configured.
    fn key(&self) -> Finding {
        if self.storage == Storage::None {
            return Finding::ok("not needed: nothing is stored");
        }
        let Some(root) = self.store.root() else { return Finding::skipped_because(FILES) };
        let used: Vec<KeyBackend> = [KeyBackend::Keyring, KeyBackend::File]
            .into_iter()
            .filter(|home| self.store.has_records_of(*home))
            .collect();
        let wanted = match self.storage {
            Storage::Keyring => KeyBackend::Keyring,
            Storage::File => KeyBackend::File,
            _ => self.store.chosen_backend().or(used.first().copied()).unwrap_or(KeyBackend::Keyring),
        };
        let is_open_yet = self.storage == Storage::Auto && self.store.chosen_backend().is_none() && used.is_empty();
        let mut homes = used.clone();
        if !homes.contains(&wanted) {
            homes.push(wanted);
        }
        Finding::merged(homes.into_iter().map(|home| key_at(home, root, used.contains(&home), is_open_yet)).collect())
    }

    /// The session of a profile.
    fn session(
        &self,
        entry: &Entry,
        (profile, identity): (&Profile, &Identity),
        environment: &Environment,
        key: &Finding,
        folder: &Finding,
    ) -> Finding {
        if self.storage == Storage::None {
            return Finding::skip("nothing is cached (token-cache-storage none), so every command signs in");
        }
        if self.store.root().is_none() && folder.has_failed() {
            return Finding::skipped_because(FILES);
        }
        let id = sessions::current(identity, &profile.network, &self.store).id;
        let sign_in = whoami::no_sign_in(entry, profile, environment);
        match self.store.session(&id) {
            Lookup::Found((facts, record, _)) => {
                self.stored_session(&facts, &record, (profile, identity), sign_in.next)
            }
            Lookup::Unreadable(_) => Finding::skipped_because(KEYRING),
            Lookup::Absent if self.store.has_session(&id) && key.has_failed() => Finding::skipped_because(KEYRING),
            Lookup::Absent if self.store.has_session(&id) => Finding::fail(
                "there is a session that cannot be opened: it is damaged, or sealed with another key",
                sign_in.next,
            ),
            Lookup::Absent if !profile.prompts() => {
                Finding::ok("not signed in yet; the entry has the user name and password, so no prompt is needed")
            }
            Lookup::Absent => match last_failed_sign_in(identity, &self.store, environment) {
                Some((at, failure)) => {
                    let Finding { message, next, .. } = Finding::from(explain(&failure, profile));
                    let message = format!("{}; the last try failed at {}: {message}", sign_in.what, local_time(at));
                    Finding::fail(message, next.unwrap_or(sign_in.next))
                }
                None => Finding::from(sign_in),
            },
        }
    }

    /// A session that can be read; `sign_in` is the step that leads to another.
    fn stored_session(
        &self,
        facts: &SessionFacts,
        record: &SessionRecord,
        (profile, identity): (&Profile, &Identity),
        sign_in: String,
    ) -> Finding {
        let who = facts.account.as_deref().map_or_else(|| "an unnamed user".to_owned(), |name| printable(name, 200));
        let method = printable(&facts.method, 40);
        if record.refresh_token.is_some() {
            let refresh = match &facts.refusal {
                Some(refusal) => format!("a refresh was refused at {}", local_time(refusal.at)),
                None => "it can be refreshed".to_owned(),
            };
            Finding::ok(format!("{who} is signed in, by {method}; {refresh}"))
        } else if facts.forbids_codes() || record.without_codes {
            Finding::fail(
                format!("the session of {who} has ended: it began with a device code, which a policy forbids"),
                Step::SignInByBrowser { force: true }.to_string(),
            )
        } else if let Some(refusal) = &facts.refusal {
            let failure = refusal_of(refusal).unwrap_or(SessionProblem::Expired.into());
            let Finding { message, next, .. } = Finding::from(explain(&failure, profile));
            let message = format!("the session of {who} ended at {}: {message}", local_time(refusal.at));
            let finding = Finding::fail(message, next.unwrap_or(sign_in));
            let token = sessions::newest_token(identity, &self.store).found();
            let is_good = token.is_some_and(|token| token.expires_at > clock::now());
            if is_good { finding.at_most_warning() } else { finding }
        } else {
            Finding::warn(
                format!("{who} is signed in, by {method}, only until the token expires: it cannot be refreshed"),
                sign_in,
            )
        }
    }
}

/// The key in a backend. `is_used`: there are records that need it. `is_open_yet`: the backend has not been chosen yet, and a
/// key file would do as well.
fn key_at(home: KeyBackend, root: &Path, is_used: bool, is_open_yet: bool) -> Finding {
    let found = home.read_key(root);
    let sign_in_again = Step::SignIn { force: false }.to_string();
    match (home, found) {
        (KeyBackend::Keyring, Ok(Some(_))) => Finding::ok("the keyring works, and has the key"),
        (KeyBackend::Keyring, Ok(None)) if is_used => {
            Finding::fail("the keyring works, but does not have the key of the stored sessions", sign_in_again)
        }
        (KeyBackend::Keyring, Ok(None)) => Finding::ok("the keyring works; it has no key yet"),
        (_, Err(KeyError::NoKeyring)) if is_open_yet => {
            Finding::ok("there is no working keyring; the first sign-in creates a key file")
        }
        (_, Err(error)) => {
            let next = match error {
                KeyError::Locked => "Unlock the keyring: sign in to the desktop, or open its password manager.",
                KeyError::Frozen => "Restart the keyring's daemon: sign out of the desktop and in again.",
                KeyError::NoKeyring => {
                    "Start the keyring's daemon (gnome-keyring, KWallet) in this session, and check $DBUS_SESSION_BUS_ADDRESS.\nTo do without a keyring, add --token-cache-storage=file to the kubeconfig user's exec.args."
                }
                KeyError::File { .. } | KeyError::Store(_) | KeyError::NoRandomBytes | KeyError::SwitchedOff => {
                    &messages::store::repair_step(root)
                }
            };
            let finding = Finding::fail(printable(&messages::store::key_reason(&error), 300), next);
            if is_used { finding } else { finding.at_most_warning() }
        }
        (KeyBackend::File, Ok(Some(_))) => Finding::ok(format!("the key file {}", shown(&root.join(KEY_FILE)))),
        (KeyBackend::File, Ok(None)) => no_key_file(&root.join(KEY_FILE), is_used, &sign_in_again),
    }
}

/// Why a key file gives no key.
fn no_key_file(path: &Path, is_used: bool, sign_in_again: &str) -> Finding {
    let name = shown(path);
    match files::check_private(path) {
        Err(error) if error.is_not_found() && !is_used => {
            Finding::ok(format!("the first sign-in creates the key file {name}"))
        }
        Err(error) if error.is_not_found() => {
            Finding::fail(format!("the key file {name} is missing, so the stored sessions are lost"), sign_in_again)
        }
        Err(error) => Finding::fail(
            format!("the key file {name} is not used: {error}"),
            match messages::store::repair_file_command(path) {
                Some(command) => format!(
                    "If no one else can have read it, repair it: {command}\nOtherwise sign in again, which creates a new key: kubectl login"
                ),
                None => sign_in_again.to_owned(),
            },
        ),
        Ok(()) => Finding::fail(format!("the key file {name} is damaged"), sign_in_again),
    }
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy(), 200)
}
