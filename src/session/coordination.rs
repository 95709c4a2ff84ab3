//! What processes that want the same session share: its lock and the history of earlier attempts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::history::{AttemptHistory, HistoryFile};
use super::identity::Identity;
use super::repeats;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::paths;
use crate::profile::Profile;
use crate::runtime;
use crate::store::Store;
use crate::store::files;
use crate::store::layout::{LOCKS, OUTCOMES};
use crate::store::lock::{self, Lock, LockError, LockHolder, WaitDecision};
use kubectl_login_core::clock;
use kubectl_login_core::oauth::challenge::ClaimsChallenge;

/// How long a process that only needs the network may hold the lock; a request takes 20 seconds, or `--timeout`.
const NETWORK_PATIENCE: Duration = Duration::from_secs(60);
/// How long a process with a valid token waits for a new one.
const GOOD_TOKEN_PATIENCE: Duration = Duration::from_secs(5);
/// After how long a wait is explained.
const TELL_AFTER: Duration = Duration::from_secs(3);
/// How long a holder may keep the lock after its device code has expired.
const GRACE: TimeDelta = TimeDelta::seconds(30);

/// What processes share about one session.
pub(super) struct Coordination {
    folder: Option<PathBuf>,
    session: String,
    network_patience: Duration,
    /// How earlier attempts ended.
    pub(super) history: HistoryFile,
}

/// The session's lock, or `None` if no folder can hold one.
#[derive(Default)]
pub(super) struct HeldLock(Option<Lock>);

impl Coordination {
    /// Uses the state folder, or the runtime folder if that cannot be written. If neither can, nothing is shared.
    pub(super) fn open(
        profile: &Profile,
        store: &Store,
        environment: &Environment,
        identity: &Identity,
    ) -> Coordination {
        let session = &identity.session;
        let folder = folders(store, environment).find(|folder| {
            // Making a lock file is what shows whether the folder can be written.
            files::check_folder(folder, true).is_ok() && files::open_lock(&folder.join(LOCKS).join(session)).is_ok()
        });
        Coordination {
            history: HistoryFile::new(folder.as_deref(), &identity.history),
            folder,
            session: session.clone(),
            network_patience: clock::limit(NETWORK_PATIENCE).max(profile.network.needed().saturating_mul(3)),
        }
    }

    /// Takes the session's lock. With a valid token the wait is short, and a process that cannot prompt does not wait for one
    /// that prompts. `on_wait` is called when a wait has lasted three seconds, and again when the holder changes or does
    /// something else. The wait ends without the lock as soon as `is_done`.
    ///
    /// Errors: the wait was too long, or the process was stopped.
    pub(super) fn lock(
        &self,
        can_ask: bool,
        has_good_token: bool,
        on_wait: &dyn Fn(Option<&LockHolder>),
        is_done: &dyn Fn() -> bool,
    ) -> Result<Option<HeldLock>, Failure> {
        let Some(folder) = &self.folder else { return Ok(Some(HeldLock(None))) };
        let mut patience = LockPatience {
            can_ask,
            has_good_token,
            network: self.network_patience,
            shown: (None, Duration::ZERO),
            told: None,
        };
        let (mut ended, mut has_token) = (Ok(()), false);
        let taken = lock::acquire(&folder.join(LOCKS).join(&self.session), |holder, waited| {
            ended = runtime::check_interrupted();
            has_token = is_done();
            if ended.is_err() || has_token {
                return WaitDecision::GiveUp;
            }
            let decision = patience.decide(holder, waited, clock::now().timestamp());
            let explain =
                waited >= clock::limit(TELL_AFTER) && !has_good_token && matches!(decision, WaitDecision::Wait);
            let reason = holder.map(|holder| (holder.pid, holder.asks_until.is_some()));
            let is_news = match (patience.told, reason) {
                // The same process has got its answer and will finish soon.
                (Some(Some((told, _))), Some((pid, false))) if told == pid => false,
                // Between two holders, none is named for a moment.
                (told, reason) => told != Some(reason) && (reason.is_some() || told.is_none()),
            };
            if explain && is_news {
                patience.told = Some(reason);
                on_wait(holder);
            }
            decision
        });
        ended?;
        match taken {
            Ok(lock) => Ok(Some(HeldLock(Some(lock)))),
            Err(LockError::GaveUp(_)) if has_token => Ok(None),
            // The file system may not support locks: the process works alone.
            Err(LockError::Unusable(error)) => {
                tracing::debug!(%error, "no lock");
                Ok(Some(HeldLock(None)))
            }
            Err(LockError::GaveUp(holder)) => Err(Failure::SessionInUse {
                pid: holder.as_ref().map(|holder| holder.pid),
                is_prompting: !can_ask && holder.is_some_and(|holder| holder.asks_until.is_some()),
            }),
        }
    }
}

/// Deletes how attempts ended, for every session: `kubectl login` starts afresh, and may sign in a second client too. A history
/// with a claims challenge stays until its session's lock is held ([`HistoryFile::start_afresh`]).
pub(super) fn start_afresh(store: &Store, environment: &Environment) {
    for folder in trusted_folders(store, environment) {
        for session in files::list(&folder.join(OUTCOMES)) {
            let history = HistoryFile::new(Some(&folder), &session);
            if history.read().challenge().is_none() {
                history.delete();
            }
        }
    }
    repeats::forget_all(environment);
}

/// Deletes what is stored of earlier attempts for an entry with this `identity`.
pub fn forget_history(identity: &Identity, store: &Store, environment: &Environment) {
    history_files(identity, store, environment).for_each(|history| history.delete());
}

/// The claims that the next sign-in for an entry with this `identity` has to bring, if the issuer has asked for some.
pub(super) fn open_challenge(identity: &Identity, store: &Store, environment: &Environment) -> Option<ClaimsChallenge> {
    history_files(identity, store, environment).find_map(|history| history.read().challenge())
}

/// How the last sign-in for an entry with this `identity` ended, if without a token, and when.
pub fn last_failed_sign_in(
    identity: &Identity,
    store: &Store,
    environment: &Environment,
) -> Option<(DateTime<Utc>, Failure)> {
    let ended =
        |history: AttemptHistory| history.last_sign_in(&identity.credential).map(|(at, failure)| (at, failure.clone()));
    history_files(identity, store, environment).find_map(|history| ended(history.read()))
}

/// Where earlier attempts for an entry with this `identity` may be stored.
fn history_files(identity: &Identity, store: &Store, environment: &Environment) -> impl Iterator<Item = HistoryFile> {
    trusted_folders(store, environment).map(|folder| HistoryFile::new(Some(&folder), &identity.history))
}

/// Those of the [`folders`] that exist and can be trusted ([`files::check_folder`]).
fn trusted_folders(store: &Store, environment: &Environment) -> impl Iterator<Item = PathBuf> {
    folders(store, environment).filter(|folder| files::check_folder(folder, false).is_ok())
}

/// The folders that processes may share, the best one first.
fn folders(store: &Store, environment: &Environment) -> impl Iterator<Item = PathBuf> {
    store.root().map(Path::to_owned).into_iter().chain([paths::runtime(environment)])
}

/// The session's lock, if it is free within a few seconds.
pub(super) fn lock_briefly(store: &Store, session: &str) -> Option<Lock> {
    lock::acquire_within(&store.root()?.join(LOCKS).join(session), clock::limit(GOOD_TOKEN_PATIENCE))
}

impl HeldLock {
    /// Tells waiting processes that this one waits for the network; their time limit starts afresh.
    pub(super) fn announce_network(&mut self) {
        self.announce(None);
    }

    /// Tells waiting processes that this one prompts the user, for `life` at most.
    pub(super) fn announce_person(&mut self, life: Duration) {
        let until = clock::now() + TimeDelta::from_std(life).unwrap_or_default();
        self.announce(Some(until.timestamp()));
    }

    fn announce(&mut self, asks_until: Option<i64>) {
        if let HeldLock(Some(lock)) = self {
            lock.announce(&LockHolder { pid: std::process::id(), noted_at: clock::now().timestamp(), asks_until });
        }
    }
}

/// What a waiter has seen so far.
struct LockPatience {
    can_ask: bool,
    has_good_token: bool,
    network: Duration,
    /// The last note that was there (or none), and since when.
    shown: (Option<LockHolder>, Duration),
    /// The holder that the user was last told of: process, and whether it prompts.
    told: Option<Option<(u32, bool)>>,
}

impl LockPatience {
    /// Decides on a holder's note, after `waited` in all, at `now` (Unix time in seconds).
    fn decide(&mut self, holder: Option<&LockHolder>, waited: Duration, now: i64) -> WaitDecision {
        // Time with another holder, or with another step of this one, does not count against it.
        if self.shown.0.as_ref() != holder {
            self.shown = (holder.cloned(), waited);
        }
        let asks_until = holder.and_then(|holder| holder.asks_until);
        let enough = match asks_until {
            asks if self.has_good_token => asks.is_some() || waited > clock::limit(GOOD_TOKEN_PATIENCE),
            Some(_) if !self.can_ask => true,
            Some(until) => now > until.saturating_add(GRACE.num_seconds()),
            None => waited - self.shown.1 > self.network,
        };
        if enough { WaitDecision::GiveUp } else { WaitDecision::Wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience(can_ask: bool, has_good_token: bool) -> LockPatience {
        let network = Duration::from_secs(60);
        LockPatience { can_ask, has_good_token, network, shown: (None, Duration::ZERO), told: None }
    }

    fn gives_up(patience: &mut LockPatience, holder: Option<&LockHolder>, waited: u64) -> bool {
        matches!(patience.decide(holder, Duration::from_secs(waited), 1000), WaitDecision::GiveUp)
    }

    const PROMPTING: LockHolder = LockHolder { pid: 1, noted_at: 900, asks_until: Some(1800) };

    #[test]
    fn time_of_a_prompt_does_not_count_for_the_next_holder() {
        let mut patience = patience(true, false);
        assert!(!gives_up(&mut patience, Some(&PROMPTING), 90));
        assert!(!gives_up(&mut patience, None, 91));
        assert!(!gives_up(&mut patience, None, 150));
        assert!(gives_up(&mut patience, None, 152));
    }

    #[test]
    fn processes_with_a_token_or_without_a_prompt_do_not_wait_for_a_prompt() {
        assert!(gives_up(&mut patience(true, true), Some(&PROMPTING), 0));
        assert!(gives_up(&mut patience(false, false), Some(&PROMPTING), 0));
        let other = LockHolder { pid: 2, noted_at: 901, asks_until: None };
        let mut patience = patience(true, true);
        assert!(!gives_up(&mut patience, None, 4));
        assert!(gives_up(&mut patience, Some(&other), 6));
    }
}
