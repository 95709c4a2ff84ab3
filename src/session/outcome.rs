//! How tries at a session ended, for those who waited for them and for callers that ask again.
//!
//! - Whoever waited shares the failure, whatever it is, as far as it concerns them.
//! - A sign-in that ended without a token is sticky: a caller that was told so is not asked again for ten minutes, and
//!   callers without a terminal are not for a minute after a prompt that nobody answered, and longer after each further one.
//! - Network errors, refused refreshes and "no prompt possible" are shared with waiters but never sticky. (One caller does not
//!   repeat them for half a minute: `repeats`.)
//! - `doctor` shows for a day how the last sign-in ended.

use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use crate::store::layout::OUTCOMES;
use crate::store::{FileError, files};
use kubectl_login_core::clock;
use kubectl_login_core::error::{Error, Kind};

/// How long a caller is not asked again.
const STICKY: TimeDelta = TimeDelta::minutes(10);
/// How long nobody without a terminal is asked after an unanswered prompt; twice as long after each further one, up to
/// [`STICKY`]: whatever polls a cluster all night is not to open a page every few minutes.
const UNANSWERED: TimeDelta = TimeDelta::seconds(60);
/// Unanswered prompts that long ago have nothing to do with those of now.
const IN_A_ROW: TimeDelta = TimeDelta::hours(1);
/// How long a failure is kept for users who look for its reason.
const KEPT_FOR: TimeDelta = TimeDelta::days(1);
/// More ended sign-ins than this are not kept in mind.
const KEPT: usize = 16;

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
    /// Which of the session's tokens was wanted.
    token: String,
    error: Error,
    /// It failed while there was a token that was still good: of no weight for those who have none.
    courtesy: bool,
    /// Whose sign-in it was, and who waited for it.
    callers: Vec<Caller>,
    /// Who was sent away because of it.
    bystanders: Vec<Caller>,
}

/// What is known of a session's failures.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Notes {
    /// The last one, whatever it was.
    last: Option<Outcome>,
    /// Sign-ins that ended without a token, the newest last.
    asked: Vec<Outcome>,
}

/// Whether a person may be asked again.
pub enum Verdict<'a> {
    /// Go ahead.
    Try,
    /// This caller knows already: fail with the same code and without a word.
    Repeat(&'a Outcome),
    /// Nobody answered a moment ago.
    TooSoon(&'a Outcome),
}

/// The notes of one session, as a file.
pub struct Outcomes {
    path: Option<PathBuf>,
}

impl Outcomes {
    /// Those of `session` in `folder`; without a folder nothing is shared.
    pub fn of(folder: Option<&Path>, session: &str) -> Outcomes {
        Outcomes { path: folder.map(|folder| folder.join(OUTCOMES).join(session)) }
    }

    /// What is not forgotten yet.
    pub fn read(&self) -> Notes {
        let bytes = self.path.as_ref().and_then(|path| files::read_private(path));
        let notes: Option<Notes> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let mut notes = notes.unwrap_or_default();
        notes.last = notes.last.filter(Outcome::is_remembered);
        notes.asked.retain(Outcome::is_remembered);
        notes
    }

    /// Notes a failure down, with `caller` as the first who was told. Only with the session's lock held.
    pub fn record(&self, error: &Error, stickiness: Stickiness, token: &str, courtesy: bool, caller: &Caller) {
        let at = clock::now();
        let outcome = Outcome {
            id: format!("{}-{}", std::process::id(), at.timestamp_nanos_opt().unwrap_or_default()),
            at,
            stickiness,
            token: token.to_owned(),
            error: error.clone(),
            courtesy,
            callers: vec![caller.clone()],
            bystanders: Vec::new(),
        };
        let mut notes = self.read();
        if matches!(stickiness, Stickiness::Sticky | Stickiness::Unanswered) {
            // Others who said no before are not asked again because somebody else said no now.
            notes.asked.drain(..notes.asked.len().saturating_sub(KEPT - 1));
            notes.asked.push(outcome.clone());
        }
        notes.last = Some(outcome);
        self.write(&notes);
    }

    /// Gives the error of `outcome` to a caller that waited for it. Only with the session's lock held.
    pub fn share(&self, outcome: &Outcome, caller: &Caller) -> Error {
        self.tell(outcome, caller, |outcome| &mut outcome.callers)
    }

    /// Gives the error of `outcome` to a caller that is sent away because of it. Only with the session's lock held.
    pub fn send_away(&self, outcome: &Outcome, caller: &Caller) -> Error {
        self.tell(outcome, caller, |outcome| &mut outcome.bystanders)
    }

    fn tell(&self, outcome: &Outcome, caller: &Caller, list: fn(&mut Outcome) -> &mut Vec<Caller>) -> Error {
        let mut notes = self.read();
        for known in notes.last.iter_mut().chain(&mut notes.asked).filter(|known| known.id == outcome.id) {
            let told = list(known);
            if !told.contains(caller) {
                told.push(caller.clone());
            }
        }
        self.write(&notes);
        for_others(&outcome.error)
    }

    /// Forgets everything: there is a token.
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
            tracing::debug!(%error, "outcome not noted down");
        }
    }
}

/// Forgets every failure in `folder`: a typed `kubectl login` starts afresh.
pub fn clear_all(folder: &Path) {
    let folder = folder.join(OUTCOMES);
    for id in files::list(&folder) {
        let _ = files::delete(&folder.join(id));
    }
}

impl Notes {
    /// What happened while a process waited that saw `before` when it began, as far as it concerns one that wants
    /// `token`: what stands between the session and one token need not stand before another, and who can ask a person
    /// does not share the fate of one that could not.
    pub fn since(&self, before: &Notes, token: &str, can_ask: bool) -> Option<&Outcome> {
        let known: Vec<&String> = before.all().map(|outcome| &outcome.id).collect();
        self.all()
            .filter(|outcome| !known.contains(&&outcome.id))
            .filter(|outcome| outcome.is_about_a_person() || outcome.token == token)
            .find(|outcome| !(can_ask && outcome.stickiness == Stickiness::Nobody))
    }

    /// Whether `caller` may have a person asked for `token`.
    pub fn verdict(&self, caller: &Caller, token: &str, at_a_terminal: bool) -> Verdict<'_> {
        let about = |outcome: &&Outcome| outcome.is_about_a_person() || outcome.token == token;
        let mut newest_first = self.asked.iter().rev().filter(about);
        let is_sticky = |outcome: &&Outcome| outcome.age() < STICKY && outcome.callers.contains(caller);
        if let Some(outcome) = newest_first.clone().find(is_sticky) {
            return Verdict::Repeat(outcome);
        }
        let unanswered = |outcome: &&Outcome| outcome.stickiness == Stickiness::Unanswered && outcome.age() < IN_A_ROW;
        let doublings = newest_first.clone().filter(unanswered).count().saturating_sub(1);
        let pause = (0..doublings).fold(UNANSWERED, |pause, _| (pause * 2).min(STICKY));
        match newest_first.find(unanswered).filter(|outcome| outcome.age() < pause) {
            Some(outcome) if !at_a_terminal && outcome.bystanders.contains(caller) => Verdict::Repeat(outcome),
            Some(outcome) if !at_a_terminal => Verdict::TooSoon(outcome),
            _ => Verdict::Try,
        }
    }

    /// How the last sign-in ended without a token, and when: declined, expired, or refused by the issuer.
    pub fn last_sign_in(&self) -> Option<(DateTime<Utc>, &Error)> {
        let refused = self.last.iter().filter(|outcome| outcome.error.refusal.is_some());
        let newest = self.asked.iter().chain(refused).max_by_key(|outcome| outcome.at)?;
        Some((newest.at, &newest.error))
    }

    /// Everything that is remembered, the newest first.
    fn all(&self) -> impl Iterator<Item = &Outcome> {
        self.last.iter().chain(self.asked.iter().rev())
    }
}

/// A failure as others are told: they were not interrupted themselves.
fn for_others(error: &Error) -> Error {
    match error.kind {
        Kind::Interrupted | Kind::Terminated => {
            Error::sign_in_needed("the sign-in that this process waited for was cancelled", "Sign in: kubectl login")
        }
        _ => error.clone(),
    }
}

impl Outcome {
    /// The error, as whoever met it first was told, its exit code included.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// Whether it is about asking a person: nothing that a process with a refresh token has to heed.
    pub fn is_about_asking(&self) -> bool {
        self.stickiness != Stickiness::Passing
    }

    /// Whether it was the failure of an early refresh, which says nothing to those who need one.
    pub fn is_of_a_courtesy(&self) -> bool {
        self.courtesy
    }

    /// Whether a person is the reason, and not what was asked for: that goes for every token of the session.
    fn is_about_a_person(&self) -> bool {
        self.is_about_asking() && self.error.kind != Kind::Refused
    }

    fn age(&self) -> TimeDelta {
        clock::now() - self.at
    }

    fn is_remembered(&self) -> bool {
        // A time in the future is a clock that was put back; nobody should wait for it to come round again.
        (TimeDelta::zero()..KEPT_FOR).contains(&self.age())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn caller(pid: u32) -> Caller {
        Caller { pid, started: 1 }
    }

    #[test]
    fn one_no_does_not_make_another_one_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        let outcomes = Outcomes::of(Some(folder.path()), SESSION);
        let declined = Error::sign_in_needed("declined", "");
        outcomes.record(&declined, Stickiness::Sticky, "a", false, &caller(1));
        outcomes.record(&declined, Stickiness::Sticky, "a", false, &caller(2));
        outcomes.record(&Error::failed("network", ""), Stickiness::Passing, "a", false, &caller(3));
        let notes = outcomes.read();
        assert!(matches!(notes.verdict(&caller(1), "b", true), Verdict::Repeat(_)));
        assert!(matches!(notes.verdict(&caller(2), "a", true), Verdict::Repeat(_)));
        assert!(matches!(notes.verdict(&caller(3), "a", true), Verdict::Try));
    }

    #[test]
    fn what_stands_before_one_token_need_not_stand_before_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let outcomes = Outcomes::of(Some(folder.path()), SESSION);
        outcomes.record(&Error::refused("policy", ""), Stickiness::Sticky, "a", false, &caller(1));
        let notes = outcomes.read();
        assert!(matches!(notes.verdict(&caller(1), "a", true), Verdict::Repeat(_)));
        assert!(matches!(notes.verdict(&caller(1), "b", true), Verdict::Try));
        assert!(notes.since(&Notes::default(), "a", true).is_some());
        assert!(notes.since(&Notes::default(), "b", true).is_none());
        assert!(notes.since(&notes, "a", true).is_none());
    }

    #[test]
    fn whoever_is_sent_away_waits_a_minute_and_not_ten() {
        let folder = tempfile::tempdir().expect("a folder");
        let outcomes = Outcomes::of(Some(folder.path()), SESSION);
        outcomes.record(&Error::sign_in_needed("ended", ""), Stickiness::Unanswered, "a", false, &caller(1));
        let notes = outcomes.read();
        assert!(matches!(notes.verdict(&caller(2), "a", true), Verdict::Try));
        let Verdict::TooSoon(outcome) = notes.verdict(&caller(2), "a", false) else { panic!("it is too soon") };
        outcomes.send_away(outcome, &caller(2));
        let mut notes = outcomes.read();
        assert!(matches!(notes.verdict(&caller(2), "a", false), Verdict::Repeat(_)));
        notes.asked[0].at -= UNANSWERED;
        assert!(matches!(notes.verdict(&caller(2), "a", false), Verdict::Try));
        assert!(matches!(notes.verdict(&caller(1), "a", false), Verdict::Repeat(_)));
    }

    #[test]
    fn whatever_nobody_answers_is_shown_less_and_less_often() {
        let folder = tempfile::tempdir().expect("a folder");
        let outcomes = Outcomes::of(Some(folder.path()), SESSION);
        for (prompt, minutes) in [1, 2, 4, 8, 10, 10].into_iter().enumerate() {
            let ended = Error::sign_in_needed("ended", "");
            outcomes.record(&ended, Stickiness::Unanswered, "a", false, &caller(10 + prompt as u32));
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
        outcomes.record(&Error::sign_in_needed("ended", ""), Stickiness::Unanswered, "a", false, &caller(20));
        let mut notes = outcomes.read();
        notes.asked.last_mut().expect("an outcome").at -= UNANSWERED;
        assert!(matches!(notes.verdict(&caller(1), "a", false), Verdict::Try), "the pauses begin afresh");
    }

    #[test]
    fn reason_is_kept_for_a_day_beyond_the_pause() {
        let folder = tempfile::tempdir().expect("a folder");
        let outcomes = Outcomes::of(Some(folder.path()), SESSION);
        outcomes.record(&Error::refused("policy", ""), Stickiness::Sticky, "a", false, &caller(1));
        outcomes.record(&Error::failed("network", ""), Stickiness::Passing, "a", false, &caller(1));
        let mut notes = outcomes.read();
        notes.asked[0].at -= STICKY;
        outcomes.write(&notes);
        let mut notes = outcomes.read();
        assert!(matches!(notes.verdict(&caller(1), "a", true), Verdict::Try));
        assert_eq!(notes.last_sign_in().map(|(_, error)| error.what.as_str()), Some("policy"));
        notes.asked[0].at -= KEPT_FOR;
        outcomes.write(&notes);
        assert_eq!(outcomes.read().last_sign_in(), None);
    }

    #[test]
    fn a_no_is_not_hidden_by_what_comes_after_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let outcomes = Outcomes::of(Some(folder.path()), SESSION);
        outcomes.record(&Error::sign_in_needed("declined", ""), Stickiness::Sticky, "a", false, &caller(1));
        outcomes.record(&Error::sign_in_needed("nobody", ""), Stickiness::Nobody, "a", false, &caller(2));
        let notes = outcomes.read();
        assert_eq!(
            notes.since(&Notes::default(), "a", true).map(|outcome| outcome.error.what.as_str()),
            Some("declined")
        );
    }
}
