//! Where processes that want the same session meet: its lock and its last outcome.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{TimeDelta, Utc};

use super::outcome::{self, Outcomes};
use crate::environment::Environment;
use crate::error::Error;
use crate::paths;
use crate::profile::{Profile, Storage};
use crate::store::Store;
use crate::store::files;
use crate::store::lock::{self, Holder, Lock, LockError, Patience};

/// How long a process that only needs the network may hold the lock; a request takes 20 seconds, or `--timeout`.
const NETWORK_PATIENCE: Duration = Duration::from_secs(60);
/// How long somebody with a token that is still good waits for a better one.
const GOOD_TOKEN_PATIENCE: Duration = Duration::from_secs(5);
/// What is granted to a holder beyond the end of its code.
const GRACE: TimeDelta = TimeDelta::seconds(30);

/// The meeting place of one session.
pub(super) struct Coordination {
    folder: Option<PathBuf>,
    session: String,
    network_patience: Duration,
    /// How the last try ended.
    pub(super) outcomes: Outcomes,
}

/// The session's lock, or the knowledge that there is no place for one.
pub(super) struct Held(Option<Lock>);

impl Coordination {
    /// The state folder; where that is of no use, the runtime folder; where that is of no use either, nothing is
    /// shared and everybody works alone.
    pub(super) fn open(profile: &Profile, store: &Store, environment: &Environment, session: &str) -> Coordination {
        let state = store.root().filter(|_| profile.storage != Storage::None).map(Path::to_owned);
        let folder = [state, Some(paths::runtime(environment))].into_iter().flatten().find(|folder| {
            // Making a lock file is what shows whether the folder can be written.
            files::check_folder(folder, true).is_ok() && files::open_lock(&folder.join("locks").join(session)).is_ok()
        });
        Coordination {
            outcomes: Outcomes::of(folder.as_deref(), session),
            folder,
            session: session.to_owned(),
            network_patience: NETWORK_PATIENCE.max(profile.network.needed().saturating_mul(3)),
        }
    }

    /// Takes the session's lock. Whoever has a good token does not wait long, and whoever could not ask a person does
    /// not wait for somebody else's.
    pub(super) fn lock(&self, can_ask: bool, has_good_token: bool) -> Result<Held, Error> {
        let Some(folder) = &self.folder else { return Ok(Held(None)) };
        let mut shown: Option<(Holder, Duration)> = None;
        let taken = lock::acquire(&folder.join("locks").join(&self.session), |holder, waited| {
            // Time with another holder does not count against this one.
            if let Some(holder) = holder
                && shown.as_ref().is_none_or(|(known, _)| known != holder)
            {
                shown = Some((holder.clone(), waited));
            }
            let with_this_one = waited - shown.as_ref().map_or(Duration::ZERO, |(_, since)| *since);
            let asks = holder.filter(|holder| holder.asks_a_person);
            let enough = match asks {
                _ if has_good_token => with_this_one > GOOD_TOKEN_PATIENCE || asks.is_some(),
                Some(_) if !can_ask => true,
                Some(holder) => Utc::now().timestamp() > holder.done_by.saturating_add(GRACE.num_seconds()),
                None => with_this_one > self.network_patience,
            };
            if enough { Patience::GiveUp } else { Patience::Wait }
        });
        match taken {
            Ok(lock) => Ok(Held(Some(lock))),
            // No lock can be had here (a file system without locks, say): better to work alone than not at all.
            Err(LockError::Unusable(error)) => {
                tracing::debug!(%error, "no lock");
                Ok(Held(None))
            }
            Err(LockError::GaveUp(holder)) => Err(gave_up(holder, can_ask)),
        }
    }
}

/// A typed command starts afresh, for every session that could have been noted down.
pub(super) fn forget_outcomes(store: &Store, environment: &Environment) {
    for folder in store.root().map(Path::to_owned).into_iter().chain([paths::runtime(environment)]) {
        if files::check_folder(&folder, false).is_ok() {
            outcome::clear_all(&folder);
        }
    }
}

/// The session's lock, if it can be had in a few seconds.
pub(super) fn lock_briefly(store: &Store, session: &str) -> Option<Lock> {
    let patience = |_: Option<&Holder>, waited| {
        if waited < GOOD_TOKEN_PATIENCE { Patience::Wait } else { Patience::GiveUp }
    };
    lock::acquire(&store.root()?.join("locks").join(session), patience).ok()
}

impl Held {
    /// Tells those who wait that the network is being asked; their patience starts afresh.
    pub(super) fn announce_network(&mut self) {
        self.announce(false, Duration::ZERO);
    }

    /// Tells those who wait that a person is being asked, for `life` at most.
    pub(super) fn announce_person(&mut self, life: Duration) {
        self.announce(true, life);
    }

    fn announce(&mut self, asks_a_person: bool, life: Duration) {
        if let Held(Some(lock)) = self {
            let done_by = Utc::now() + TimeDelta::from_std(life).unwrap_or_default();
            lock.announce(&Holder { pid: std::process::id(), asks_a_person, done_by: done_by.timestamp() });
        }
    }
}

fn gave_up(holder: Option<Holder>, can_ask: bool) -> Error {
    let who = holder.as_ref().map_or_else(|| "another process".to_owned(), |holder| format!("process {}", holder.pid));
    match holder {
        Some(holder) if holder.asks_a_person && !can_ask => Error::sign_in_needed(
            format!("{who} is waiting for somebody to sign in"),
            "Finish that sign-in, or run kubectl login in a terminal.",
        ),
        _ => Error::failed(
            format!("{who} works on this sign-in and does not come to an end"),
            "If it hangs, end it, then try again.",
        ),
    }
}
