//! How attempts at a session ended, for processes that waited for them and for callers that try again.
//!
//! - A process that waited shares the failure, whatever it is, as far as it concerns its request.
//! - A sign-in that ended without a token is sticky: the user is not prompted again for a caller that was told, for ten minutes.
//!   After a prompt that was not answered, no caller without a terminal prompts for a minute, and longer after each further one.
//! - Network errors, refused refreshes and "no prompt possible" are shared with waiting processes but never sticky. (One caller
//!   does not repeat them for half a minute: `repeats`.)
//! - `doctor` shows for a day how the last sign-in ended.

use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use crate::failure::{Failure, Stored};
use crate::store::layout::OUTCOMES;
use crate::store::{FileError, files};
use kubectl_login_core::clock;
use kubectl_login_core::entra::refusals::Remedy;

/// How long the user is not prompted again for the same caller.
const STICKY: TimeDelta = TimeDelta::minutes(10);
/// How long callers without a terminal do not prompt after an unanswered prompt; twice as long after each further one, up to
/// [`STICKY`]: a program that polls a cluster all night must not open a page every few minutes.
const UNANSWERED: TimeDelta = TimeDelta::seconds(60);
/// Unanswered prompts of longer ago do not count.
const IN_A_ROW: TimeDelta = TimeDelta::hours(1);
/// How long a failure is kept for users who look for its reason.
const KEPT_FOR: TimeDelta = TimeDelta::days(1);
/// How many ended sign-ins are kept.
const KEPT: usize = 16;

/// How certain it is that another attempt would end the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stickiness {
    /// The next attempt may succeed.
    Passing,
    /// The user or a policy refused.
    Sticky,
    /// The user did not answer.
    Unanswered,
    /// The user could not be prompted: this holds for waiting processes that cannot prompt either.
    #[serde(rename = "nobody")]
    NotPrompted,
}

/// A failure, as it is shared.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Different for every failure, so that a waiter sees whether one happened while it waited.
    id: String,
    at: DateTime<Utc>,
    stickiness: Stickiness,
    /// Which of the session's tokens was wanted.
    token: String,
    error: Stored<Failure>,
    /// Whether there was still a valid token, so that the attempt was optional.
    #[serde(rename = "courtesy")]
    is_optional: bool,
    /// The callers that made the attempt or waited for it.
    callers: Vec<Caller>,
    /// The callers that were turned away because of it.
    #[serde(rename = "bystanders")]
    turned_away: Vec<Caller>,
}

/// What is known of a session's failures.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Notes {
    /// The last one, whatever it was.
    last: Option<Outcome>,
    /// Sign-ins that ended without a token, the newest last.
    asked: Vec<Outcome>,
}

/// Whether the user may be prompted again.
pub enum Verdict<'a> {
    /// Yes.
    Try,
    /// The caller has been told already: fail with the same code, and print nothing.
    Repeat(&'a Outcome),
    /// A prompt was not answered a moment ago.
    TooSoon(&'a Outcome),
}

/// The file with the notes of one session.
pub struct Outcomes {
    path: Option<PathBuf>,
}

impl Outcomes {
    /// The notes of `session` in `folder`; without a folder nothing is shared.
    pub fn new(folder: Option<&Path>, session: &str) -> Outcomes {
        Outcomes { path: folder.map(|folder| folder.join(OUTCOMES).join(session)) }
    }

    /// The notes that have not expired.
    pub fn read(&self) -> Notes {
        let bytes = self.path.as_ref().and_then(|path| files::read_private(path));
        let notes: Option<Notes> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let mut notes = notes.unwrap_or_default();
        notes.last = notes.last.filter(Outcome::is_remembered);
        notes.asked.retain(Outcome::is_remembered);
        notes
    }

    /// Notes a failure, with `caller` as the first that was told. Only with the session's lock held.
    pub fn record(&self, failure: &Failure, stickiness: Stickiness, token: &str, is_optional: bool, caller: &Caller) {
        let at = clock::now();
        let outcome = Outcome {
            id: format!("{}-{}", std::process::id(), at.timestamp_nanos_opt().unwrap_or_default()),
            at,
            stickiness,
            token: token.to_owned(),
            error: Stored(failure.clone()),
            is_optional,
            callers: vec![caller.clone()],
            turned_away: Vec::new(),
        };
        let mut notes = self.read();
        if matches!(stickiness, Stickiness::Sticky | Stickiness::Unanswered) {
            // Refusals of other callers stay.
            notes.asked.drain(..notes.asked.len().saturating_sub(KEPT - 1));
            notes.asked.push(outcome.clone());
        }
        notes.last = Some(outcome);
        self.write(&notes);
    }

    /// The failure of `outcome`, for a caller that waited for it. Only with the session's lock held.
    pub fn share(&self, outcome: &Outcome, caller: &Caller) -> Failure {
        self.tell(outcome, caller, |outcome| &mut outcome.callers)
    }

    /// The failure of `outcome`, for a caller that is turned away because of it. Only with the session's lock held.
    pub fn turn_away(&self, outcome: &Outcome, caller: &Caller) -> Failure {
        self.tell(outcome, caller, |outcome| &mut outcome.turned_away)
    }

    fn tell(&self, outcome: &Outcome, caller: &Caller, list: fn(&mut Outcome) -> &mut Vec<Caller>) -> Failure {
        let mut notes = self.read();
        for known in notes.last.iter_mut().chain(&mut notes.asked).filter(|known| known.id == outcome.id) {
            let told = list(known);
            if !told.contains(caller) {
                told.push(caller.clone());
            }
        }
        self.write(&notes);
        outcome.failure().for_others()
    }

    /// Deletes the notes: there is a token.
    pub fn clear(&self) {
        if let Some(path) = &self.path {
            let _ = files::delete(path);
        }
    }

    fn write(&self, notes: &Notes) {
        let Some(path) = &self.path else { return };
        let written = serde_json::to_vec(notes)
            .map_err(|error| FileError::from(std::io::Error::other(error)))
            .and_then(|bytes| files::write_private(path, &bytes));
        if let Err(error) = written {
            tracing::debug!(%error, "outcome not noted");
        }
    }
}

/// Deletes all notes in `folder`: `kubectl login` starts afresh.
pub fn clear_all(folder: &Path) {
    let folder = folder.join(OUTCOMES);
    for id in files::list(&folder) {
        let _ = files::delete(&folder.join(id));
    }
}

impl Notes {
    /// What happened while a process waited that saw `before` when it began, as far as it concerns a request for `token`: a
    /// failure to get one token need not concern another, and a process that can prompt does not share the failure of one that
    /// could not.
    pub fn since(&self, before: &Notes, token: &str, can_ask: bool) -> Option<&Outcome> {
        let known: Vec<&String> = before.all().map(|outcome| &outcome.id).collect();
        self.all()
            .filter(|outcome| !known.contains(&&outcome.id))
            .filter(|outcome| outcome.is_about_the_user() || outcome.token == token)
            .find(|outcome| !(can_ask && outcome.stickiness == Stickiness::NotPrompted))
    }

    /// Whether the user may be prompted for `caller`, which wants `token`.
    pub fn verdict(&self, caller: &Caller, token: &str, at_a_terminal: bool) -> Verdict<'_> {
        let about = |outcome: &&Outcome| outcome.is_about_the_user() || outcome.token == token;
        let mut newest_first = self.asked.iter().rev().filter(about);
        let is_sticky = |outcome: &&Outcome| outcome.age() < STICKY && outcome.callers.contains(caller);
        if let Some(outcome) = newest_first.clone().find(is_sticky) {
            return Verdict::Repeat(outcome);
        }
        let unanswered = |outcome: &&Outcome| outcome.stickiness == Stickiness::Unanswered && outcome.age() < IN_A_ROW;
        let doublings = newest_first.clone().filter(unanswered).count().saturating_sub(1);
        let pause = (0..doublings).fold(UNANSWERED, |pause, _| (pause * 2).min(STICKY));
        match newest_first.find(unanswered).filter(|outcome| outcome.age() < pause) {
            Some(outcome) if !at_a_terminal && outcome.turned_away.contains(caller) => Verdict::Repeat(outcome),
            Some(outcome) if !at_a_terminal => Verdict::TooSoon(outcome),
            _ => Verdict::Try,
        }
    }

    /// How the last sign-in ended without a token, and when: declined, expired, or refused by the issuer.
    pub fn last_sign_in(&self) -> Option<(DateTime<Utc>, &Failure)> {
        let refused = self.last.iter().filter(|outcome| outcome.failure().refusal().is_some());
        let newest = self.asked.iter().chain(refused).max_by_key(|outcome| outcome.at)?;
        Some((newest.at, newest.failure()))
    }

    /// Everything that is remembered, the newest first.
    fn all(&self) -> impl Iterator<Item = &Outcome> {
        self.last.iter().chain(self.asked.iter().rev())
    }
}

impl Outcome {
    /// The failure.
    pub fn failure(&self) -> &Failure {
        &self.error.0
    }

    /// Whether it is about prompting the user, which does not concern a process with a refresh token.
    pub fn is_about_prompting(&self) -> bool {
        self.stickiness != Stickiness::Passing
    }

    /// Whether it was an early refresh, whose failure does not concern a process that needs a token.
    pub fn is_optional(&self) -> bool {
        self.is_optional
    }

    /// Whether the user is the reason, and not what was requested: that concerns every token of the session.
    fn is_about_the_user(&self) -> bool {
        self.is_about_prompting() && self.failure().remedy() != Remedy::PolicyChange
    }

    fn age(&self) -> TimeDelta {
        clock::now() - self.at
    }

    fn is_remembered(&self) -> bool {
        // A time in the future means that the clock was put back.
        (TimeDelta::zero()..KEPT_FOR).contains(&self.age())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Failure = Failure::DeviceCodeSession { is_forced: false };
    const ENDED: Failure = Failure::CodeExpired { trouble: None, could_use_browser: false };
    const SESSION: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn caller(pid: u32) -> Caller {
        Caller { pid, started: 1 }
    }

    #[test]
    fn refusal_does_not_replace_an_earlier_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let outcomes = Outcomes::new(Some(folder.path()), SESSION);
        let declined = Failure::InputEnded;
        outcomes.record(&declined, Stickiness::Sticky, "a", false, &caller(1));
        outcomes.record(&declined, Stickiness::Sticky, "a", false, &caller(2));
        outcomes.record(&Failure::NoIdToken, Stickiness::Passing, "a", false, &caller(3));
        let notes = outcomes.read();
        assert!(matches!(notes.verdict(&caller(1), "b", true), Verdict::Repeat(_)));
        assert!(matches!(notes.verdict(&caller(2), "a", true), Verdict::Repeat(_)));
        assert!(matches!(notes.verdict(&caller(3), "a", true), Verdict::Try));
    }

    #[test]
    fn policy_refusal_of_one_token_does_not_concern_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let outcomes = Outcomes::new(Some(folder.path()), SESSION);
        outcomes.record(&POLICY, Stickiness::Sticky, "a", false, &caller(1));
        let notes = outcomes.read();
        assert!(matches!(notes.verdict(&caller(1), "a", true), Verdict::Repeat(_)));
        assert!(matches!(notes.verdict(&caller(1), "b", true), Verdict::Try));
        assert!(notes.since(&Notes::default(), "a", true).is_some());
        assert!(notes.since(&Notes::default(), "b", true).is_none());
        assert!(notes.since(&notes, "a", true).is_none());
    }

    #[test]
    fn caller_that_is_turned_away_waits_a_minute_and_not_ten() {
        let folder = tempfile::tempdir().expect("a folder");
        let outcomes = Outcomes::new(Some(folder.path()), SESSION);
        outcomes.record(&ENDED, Stickiness::Unanswered, "a", false, &caller(1));
        let notes = outcomes.read();
        assert!(matches!(notes.verdict(&caller(2), "a", true), Verdict::Try));
        let Verdict::TooSoon(outcome) = notes.verdict(&caller(2), "a", false) else { panic!("it is too soon") };
        outcomes.turn_away(outcome, &caller(2));
        let mut notes = outcomes.read();
        assert!(matches!(notes.verdict(&caller(2), "a", false), Verdict::Repeat(_)));
        notes.asked[0].at -= UNANSWERED;
        assert!(matches!(notes.verdict(&caller(2), "a", false), Verdict::Try));
        assert!(matches!(notes.verdict(&caller(1), "a", false), Verdict::Repeat(_)));
    }

    #[test]
    fn unanswered_prompts_are_repeated_less_and_less_often() {
        let folder = tempfile::tempdir().expect("a folder");
        let outcomes = Outcomes::new(Some(folder.path()), SESSION);
        for (prompt, minutes) in [1, 2, 4, 8, 10, 10].into_iter().enumerate() {
            outcomes.record(&ENDED, Stickiness::Unanswered, "a", false, &caller(10 + prompt as u32));
            let mut notes = outcomes.read();
            let mut is_asked_after = |pause| {
                notes.asked.last_mut().expect("an outcome").at = Utc::now() - pause;
                matches!(notes.verdict(&caller(1), "a", false), Verdict::Try)
            };
            let pause = TimeDelta::minutes(minutes);
            assert!(!is_asked_after(pause - TimeDelta::seconds(10)) && is_asked_after(pause), "{minutes}");
        }
        let mut notes = outcomes.read();
        for outcome in &mut notes.asked {
            outcome.at -= IN_A_ROW;
        }
        outcomes.write(&notes);
        outcomes.record(&ENDED, Stickiness::Unanswered, "a", false, &caller(20));
        let mut notes = outcomes.read();
        notes.asked.last_mut().expect("an outcome").at -= UNANSWERED;
        assert!(matches!(notes.verdict(&caller(1), "a", false), Verdict::Try), "the pauses begin afresh");
    }

    #[test]
    fn reason_is_kept_for_a_day_beyond_the_pause() {
        let folder = tempfile::tempdir().expect("a folder");
        let outcomes = Outcomes::new(Some(folder.path()), SESSION);
        outcomes.record(&POLICY, Stickiness::Sticky, "a", false, &caller(1));
        outcomes.record(&Failure::NoIdToken, Stickiness::Passing, "a", false, &caller(1));
        let mut notes = outcomes.read();
        notes.asked[0].at -= STICKY;
        outcomes.write(&notes);
        let mut notes = outcomes.read();
        assert!(matches!(notes.verdict(&caller(1), "a", true), Verdict::Try));
        assert_eq!(notes.last_sign_in().map(|(_, failure)| failure), Some(&POLICY));
        notes.asked[0].at -= KEPT_FOR;
        outcomes.write(&notes);
        assert_eq!(outcomes.read().last_sign_in(), None);
    }

    #[test]
    fn refusal_is_not_hidden_by_a_later_outcome() {
        let folder = tempfile::tempdir().expect("a folder");
        let outcomes = Outcomes::new(Some(folder.path()), SESSION);
        outcomes.record(&Failure::InputEnded, Stickiness::Sticky, "a", false, &caller(1));
        outcomes.record(&Failure::NotSignedIn, Stickiness::NotPrompted, "a", false, &caller(2));
        let notes = outcomes.read();
        assert_eq!(notes.since(&Notes::default(), "a", true).map(Outcome::failure), Some(&Failure::InputEnded));
    }
}
