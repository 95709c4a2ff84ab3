//! How the last try at a session ended, for those who waited for it and for callers that ask again.
//!
//! - Whoever waited shares the failure, whatever it is.
//! - A sign-in that ended without a token is sticky: the same caller is not asked again for ten minutes, and callers
//!   without a terminal are not for a minute after a prompt that nobody answered.
//! - Network errors, refused refreshes and "nobody there" are shared with waiters but never sticky.

use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use crate::error::Error;
use crate::store::files;
use crate::store::records::OUTCOMES;

/// How long a caller is not asked again.
const STICKY: TimeDelta = TimeDelta::minutes(10);
/// How long nobody without a terminal is asked after an unanswered prompt.
const UNANSWERED: TimeDelta = TimeDelta::seconds(60);

/// How sure it is that asking again would end the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stickiness {
    /// Try again any time.
    Passing,
    /// A person or a policy said no.
    Sticky,
    /// Nobody answered.
    Unanswered,
    /// Nobody could be asked: true for those who waited and cannot ask either, and for nobody else.
    Nobody,
}

/// A failure, as it is shared.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Different for every failure, so that a waiter sees whether one happened while it waited.
    id: String,
    at: DateTime<Utc>,
    stickiness: Stickiness,
    error: Error,
    /// Who has been told.
    callers: Vec<Caller>,
}

/// Whether a person may be asked again.
pub enum Verdict {
    /// Go ahead.
    Try,
    /// This caller knows already: fail with the same code and without a word.
    Repeat(Error),
    /// Nobody answered a moment ago.
    TooSoon,
}

/// The outcome file of one session.
pub struct Outcomes {
    path: Option<PathBuf>,
}

impl Outcomes {
    /// The outcome of `session` in `folder`; without a folder nothing is shared.
    pub fn of(folder: Option<&Path>, session: &str) -> Outcomes {
        Outcomes { path: folder.map(|folder| folder.join(OUTCOMES).join(session)) }
    }

    /// The last failure, if it is not forgotten.
    pub fn last(&self) -> Option<Outcome> {
        let outcome: Outcome = serde_json::from_slice(&files::read_private(self.path.as_ref()?)?).ok()?;
        let age = Utc::now() - outcome.at;
        // A time in the future is a clock that was put back; nobody should wait for it to come round again.
        (age >= TimeDelta::zero() && age < STICKY).then_some(outcome)
    }

    /// Notes a failure down, with `caller` as the first who was told.
    pub fn record(&self, error: &Error, stickiness: Stickiness, caller: &Caller) {
        let at = Utc::now();
        let id = format!("{}-{}", std::process::id(), at.timestamp_nanos_opt().unwrap_or_default());
        self.write(&Outcome { id, at, stickiness, error: error.clone(), callers: vec![caller.clone()] });
    }

    /// Adds `caller` to those who have been told. Only with the session's lock held.
    pub fn tell(&self, outcome: &Outcome, caller: &Caller) -> Error {
        if !outcome.callers.contains(caller) {
            let mut outcome = outcome.clone();
            outcome.callers.push(caller.clone());
            self.write(&outcome);
        }
        outcome.error.clone()
    }

    /// Forgets the last failure.
    pub fn clear(&self) {
        if let Some(path) = &self.path {
            let _ = files::remove(path);
        }
    }

    fn write(&self, outcome: &Outcome) {
        let Some(path) = &self.path else { return };
        let written = serde_json::to_vec(outcome)
            .map_err(std::io::Error::other)
            .and_then(|bytes| files::write_private(path, &bytes));
        if let Err(error) = written {
            tracing::debug!(%error, "outcome not noted down");
        }
    }
}

/// Forgets every failure in `folder`: a typed `kubectl login` starts afresh.
pub fn clear_all(folder: &Path) {
    let folder = folder.join(OUTCOMES);
    for id in files::list(&folder) {
        let _ = files::remove(&folder.join(id));
    }
}

impl Outcome {
    /// Whether this happened while a process waited that saw `before` when it began, and concerns it: one that can ask
    /// a person does not share the fate of one that could not.
    pub fn concerns(&self, before: Option<&Outcome>, can_ask: bool) -> bool {
        let new = before.is_none_or(|before| before.id != self.id);
        new && !(can_ask && self.stickiness == Stickiness::Nobody)
    }

    /// Whether it is about asking a person: nothing that a process with a refresh token has to heed.
    pub fn is_about_asking(&self) -> bool {
        self.stickiness != Stickiness::Passing
    }

    /// Whether `caller` may have a person asked.
    pub fn verdict(&self, caller: &Caller, at_a_terminal: bool) -> Verdict {
        let age = Utc::now() - self.at;
        match self.stickiness {
            Stickiness::Passing | Stickiness::Nobody => Verdict::Try,
            _ if self.callers.contains(caller) => Verdict::Repeat(self.error.clone()),
            Stickiness::Unanswered if !at_a_terminal && age < UNANSWERED => Verdict::TooSoon,
            _ => Verdict::Try,
        }
    }
}
