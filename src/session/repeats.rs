//! Failures that one caller has just been told. kubectl runs a failing plugin five or six times for one command; the repeats
//! neither do the work again nor print the same text again.
//!
//! A note belongs to one caller and one request: the same arguments, environment and working folder. A corrected command
//! line or variable is another request, so it takes effect at once. Notes are kept in the runtime folder and expire 30
//! seconds after the failure, so clients that run for days recover by themselves. If a note cannot be written, the failure
//! is only repeated.
//!
//! It must not know how a failure is printed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::identity::IdentityHash;
use crate::environment::{self, Environment};
use crate::failure::{Failure, Stored};
use crate::paths;
use crate::store::files::{self, Durability};
use crate::store::layout::FAILURES;
use kubectl_login_core::clock;
use kubectl_login_core::entra::refusals::Remedy;

/// How long a failure is not repeated.
const LIFE: TimeDelta = TimeDelta::seconds(30);
/// Work that failed faster than this costs nothing to repeat.
const QUICK: TimeDelta = TimeDelta::seconds(1);

/// The failures of this process's caller with this process's request.
#[derive(Clone, Copy)]
pub struct Repeats<'a> {
    words: &'a [OsString],
    environment: &'a Environment,
    started: DateTime<Utc>,
}

/// How a failure that the caller knows is a repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// Time since the failure.
    pub age: TimeDelta,
    /// Time until the work is done again, if it was not done this time.
    pub retry_in: Option<TimeDelta>,
    /// Whether the caller was told before this process began. Otherwise both ran at the same time.
    pub is_later: bool,
}

/// What the outcome of an attempt depends on besides the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RequestFacts {
    /// Name of the wanted token. Certificate authorities are part of it by their content, so a repaired file counts.
    pub(super) token: String,
    /// Whether a user could be prompted.
    pub(super) can_ask: bool,
    /// Whether a token was left that was still good, so the refresh was optional and its deadline short.
    pub(super) has_good_token: bool,
}

#[derive(Serialize, Deserialize)]
struct Note {
    at: DateTime<Utc>,
    /// The attempt that failed, and how; `None` if the command failed before one began.
    attempt: Option<FailedAttempt>,
    /// What the caller was told; the place where a wrong value comes from may be named in it.
    said: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct FailedAttempt {
    facts: RequestFacts,
    failure: Stored<Failure>,
}

impl<'a> Repeats<'a> {
    /// The failures of the request with the command line `words`, which began at `started`.
    pub fn new(words: &'a [OsString], environment: &'a Environment, started: DateTime<Utc>) -> Repeats<'a> {
        Repeats { words, environment, started }
    }

    /// Whether a Kubernetes client calls, which repeats a failing plugin by itself.
    pub fn is_client(&self) -> bool {
        self.environment.get_os(environment::KUBERNETES_EXEC_INFO).is_some()
    }

    /// How `attempt` failed a moment ago, if it would fail the same way again.
    pub(super) fn failure(&self, attempt: &RequestFacts) -> Option<Failure> {
        let FailedAttempt { facts: before, failure } = self.read()?.attempt?;
        let is_same = before.token == attempt.token
            // Without a prompt it failed for want of a user, who is there now.
            && (before.can_ask || !attempt.can_ask)
            // An optional refresh gave up early.
            && (!before.has_good_token || attempt.has_good_token);
        is_same.then_some(failure.0)
    }

    /// Notes how `attempt` failed. A quick failure that the issuer has no part in is only noted for Kubernetes clients:
    /// a user who has repaired the network tries again at once.
    pub(super) fn note(&self, failure: &Failure, facts: RequestFacts) {
        if failure.remedy() == Remedy::Other && clock::now() - self.started < quick() && !self.is_client() {
            return;
        }
        let attempt = FailedAttempt { facts, failure: Stored(failure.clone()) };
        self.write(&Note { at: clock::now(), attempt: Some(attempt), said: None });
    }

    /// Forgets the failure: the request has succeeded.
    pub(super) fn forget(&self) {
        for path in self.paths() {
            let _ = files::delete(&path);
        }
    }

    /// Notes that the caller is told `what` happened; `Some` if it was told the same before. Trace ids differ from one response
    /// to the next, so `what` is without the reference for the help desk.
    pub fn tell(&self, what: &str) -> Option<Repeat> {
        let said = Some(what.to_owned());
        match self.read() {
            Some(note) if note.said == said => {
                let age = clock::now() - note.at;
                let is_later = note.at <= self.started;
                return Some(Repeat { age, retry_in: note.attempt.map(|_| LIFE - age), is_later });
            }
            Some(note) if note.said.is_none() => self.write(&Note { said, ..note }),
            _ => self.write(&Note { at: clock::now(), attempt: None, said }),
        }
        None
    }

    fn read(&self) -> Option<Note> {
        let notes = self.paths().into_iter().filter_map(|path| files::read_private(&path));
        let mut notes = notes.filter_map(|bytes| serde_json::from_slice::<Note>(&bytes).ok());
        // A time in the future is a clock that was put back.
        notes.find(|note| (TimeDelta::zero()..LIFE).contains(&(clock::now() - note.at)))
    }

    fn write(&self, note: &Note) {
        let Ok(bytes) = serde_json::to_vec(note) else { return };
        let written = folders(self.environment).find(|folder| {
            files::check_folder(folder, true)
                .and_then(|()| {
                    files::write_private(&folder.join(FAILURES).join(self.name()), &bytes, Durability::Cached)
                })
                .is_ok()
        });
        match written {
            Some(folder) => remove_expired(&folder.join(FAILURES)),
            None => tracing::debug!("failure not noted"),
        }
    }

    fn paths(&self) -> Vec<PathBuf> {
        let name = self.name();
        let is_ours = |folder: &PathBuf| files::check_folder(folder, false).is_ok();
        folders(self.environment).filter(is_ours).map(|folder| folder.join(FAILURES).join(&name)).collect()
    }

    /// Name of the note: a hash, because arguments and environment may hold secrets.
    fn name(&self) -> String {
        let caller = Caller::of_process();
        let mut parts = IdentityHash::new("kubectl-login failures v1");
        parts.add(&caller.pid.to_string()).add(&caller.started.to_string());
        // Names of files may be relative.
        parts.add_bytes(std::env::current_dir().unwrap_or_default().as_os_str().as_encoded_bytes());
        for word in self.words {
            parts.add_bytes(word.as_encoded_bytes());
        }
        for (name, value) in self.environment.sorted() {
            parts.add_bytes(name.as_encoded_bytes()).add_bytes(value.as_encoded_bytes());
        }
        parts.finish()
    }
}

/// Forgets every failure: `kubectl login` starts afresh.
pub(super) fn forget_all(environment: &Environment) {
    for folder in folders(environment).filter(|folder| files::check_folder(folder, false).is_ok()) {
        let folder = folder.join(FAILURES);
        for name in files::list(&folder) {
            let _ = files::delete(&folder.join(name));
        }
    }
}

/// Where notes are kept, the best place first. The request may name another state folder, but not if it cannot be parsed.
fn folders(environment: &Environment) -> impl Iterator<Item = PathBuf> {
    [paths::runtime(environment)].into_iter().chain(paths::state(None, environment))
}

/// [`QUICK`], a limit as others are.
fn quick() -> TimeDelta {
    QUICK.to_std().ok().and_then(|quick| TimeDelta::from_std(clock::limit(quick)).ok()).unwrap_or(QUICK)
}

fn remove_expired(folder: &Path) {
    let life = LIFE.to_std().unwrap_or_default();
    for path in files::list(folder).into_iter().map(|name| folder.join(name)) {
        let written = std::fs::symlink_metadata(&path).and_then(|metadata| metadata.modified());
        if written.is_ok_and(|at| clock::system().duration_since(at).is_ok_and(|age| age > life)) {
            let _ = files::delete(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(can_ask: bool, has_good_token: bool) -> RequestFacts {
        RequestFacts { token: "a".to_owned(), can_ask, has_good_token }
    }

    /// Runs a test with a runtime folder of its own.
    fn with_environment(test: impl FnOnce(&Environment, &Path)) {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = folder.path().as_os_str().to_owned();
        test(&Environment::from_iter([(OsString::from("XDG_RUNTIME_DIR"), runtime)]), folder.path());
    }

    #[test]
    fn failure_is_told_once_per_request() {
        with_environment(|environment, _| {
            let (words, others) = ([OsString::from("a")], [OsString::from("b")]);
            let repeats = Repeats::new(&words, environment, Utc::now());
            let what = "wrong flag";
            assert_eq!(repeats.tell(what), None);
            assert!(repeats.tell(what).is_some_and(|repeat| repeat.retry_in.is_none()));
            assert_eq!(repeats.tell("another"), None);
            assert_eq!(Repeats::new(&others, environment, Utc::now()).tell(what), None);
            let changed = environment.clone().with([("PROXY".to_owned(), "x".to_owned())]);
            assert_eq!(Repeats::new(&words, &changed, Utc::now()).tell(what), None);
        });
    }

    #[test]
    fn attempt_is_repeated_only_if_it_would_end_the_same_way() {
        with_environment(|environment, _| {
            let repeats = Repeats::new(&[], environment, Utc::now());
            let failure = Failure::NotSignedIn;
            repeats.note(&failure, attempt(false, false));
            assert_eq!(repeats.failure(&attempt(false, false)), Some(failure.clone()));
            assert_eq!(repeats.failure(&attempt(true, false)), None);
            assert_eq!(repeats.failure(&RequestFacts { token: "b".to_owned(), ..attempt(false, false) }), None);
            assert_eq!(repeats.tell("not signed in"), None);
            assert!(repeats.tell("not signed in").is_some_and(|repeat| repeat.retry_in.is_some()));
            repeats.note(&failure, attempt(false, true));
            assert_eq!(repeats.failure(&attempt(false, false)), None);
            assert_eq!(repeats.failure(&attempt(false, true)), Some(failure));
            repeats.forget();
            assert_eq!(repeats.failure(&attempt(false, true)), None);
        });
    }

    #[test]
    fn quick_failure_is_noted_for_kubernetes_clients() {
        with_environment(|environment, _| {
            let client = environment.clone().with([("KUBERNETES_EXEC_INFO".to_owned(), "{}".to_owned())]);
            let failure = Failure::NoIdToken;
            for (environment, started, expected) in [
                (environment, Utc::now(), None),
                (environment, Utc::now() - QUICK, Some(&failure)),
                (&client, Utc::now(), Some(&failure)),
            ] {
                let repeats = Repeats { words: &[], environment, started };
                repeats.note(&failure, attempt(true, false));
                assert_eq!(repeats.failure(&attempt(true, false)).as_ref(), expected);
            }
        });
    }

    #[test]
    fn note_expires_after_half_a_minute() {
        with_environment(|environment, _| {
            let repeats = Repeats::new(&[], environment, Utc::now());
            let what = "no network";
            let write = |age| {
                let attempt = FailedAttempt { facts: attempt(true, false), failure: Stored(Failure::NoIdToken) };
                repeats.write(&Note { at: Utc::now() - age, attempt: Some(attempt), said: Some(what.to_owned()) });
            };
            write(TimeDelta::seconds(29));
            assert!(repeats.tell(what).is_some());
            for age in [TimeDelta::seconds(30), TimeDelta::seconds(-5)] {
                write(age);
                assert_eq!(repeats.failure(&attempt(true, false)), None);
                assert_eq!(repeats.tell(what), None);
            }
        });
    }

    #[test]
    fn unwritable_folder_changes_nothing() {
        let environment = Environment::from_iter([("XDG_RUNTIME_DIR", "/dev/null"), ("KUBECACHEDIR", "/dev/null")]);
        let repeats = Repeats::new(&[], &environment, Utc::now());
        assert_eq!(repeats.tell("no network"), None);
        assert_eq!(repeats.tell("no network"), None);
    }
}
