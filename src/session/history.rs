//! How attempts at a session ended, and what the next sign-in has to satisfy: one file for each session, without secrets, for
//! processes that waited for an attempt and for callers that try again. (What a refused refresh means for the session itself
//! is part of the session: see `RefusedRefresh`. It is written together with the refresh token that it may make worthless.)
//!
//! - A process that waited shares the failure, whatever it is, as far as it concerns its request.
//! - A sign-in that ended without a token is sticky: the user is not prompted again for a caller that was told, for ten minutes.
//!   After a prompt that was not answered, no caller without a terminal prompts for a minute, and longer after each further one.
//! - Network errors, refused refreshes and "no prompt possible" are shared with waiting processes but never sticky. (One caller
//!   does not repeat them for half a minute: `repeats`.)
//! - `doctor` shows for a day how the last sign-in ended.
//! - A claims challenge that no sign-in has answered is kept for an hour.

use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::identity::Identity;
use crate::failure::{Failure, Stored};
use crate::store::FileError;
use crate::store::files::{self, Durability};
use crate::store::layout::OUTCOMES;
use kubectl_login_core::clock;
use kubectl_login_core::entra::refusals::Remedy;
use kubectl_login_core::oauth::challenge::ClaimsChallenge;

/// How long the user is not prompted again for the same caller.
const STICKY: TimeDelta = TimeDelta::minutes(10);
/// How long callers without a terminal do not prompt after an unanswered prompt; twice as long after each further one, up to
/// [`STICKY`]: a program that polls a cluster all night must not open a page every few minutes.
const UNANSWERED: TimeDelta = TimeDelta::seconds(60);
/// Unanswered prompts of longer ago do not count.
const IN_A_ROW: TimeDelta = TimeDelta::hours(1);
/// How long a failure is kept for users who look for its reason.
const KEPT_FOR: TimeDelta = TimeDelta::days(1);
/// How long a claims challenge is kept that no sign-in has answered.
const CHALLENGE_KEPT_FOR: TimeDelta = TimeDelta::hours(1);
/// How many ended sign-ins are kept.
const KEPT: usize = 16;

/// How certain it is that another attempt would end the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stickiness {
    /// The next attempt may succeed.
    Passing,
    /// The user or a policy refused.
    Sticky,
    /// The user did not answer.
    Unanswered,
    /// The user could not be prompted: this holds for waiting processes that cannot prompt either. Earlier versions had another
    /// name for it.
    #[serde(other)]
    NotPrompted,
}

/// A failure, as it is shared.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AttemptOutcome {
    /// Different for every failure, so that a waiter sees whether one happened while it waited.
    id: String,
    at: DateTime<Utc>,
    stickiness: Stickiness,
    /// Which of the session's tokens was wanted.
    token: String,
    /// The configured password that was used, as a hash; empty without one.
    #[serde(default)]
    credential: String,
    error: Stored<Failure>,
    /// Whether there was still a valid token, so that the attempt was optional.
    #[serde(alias = "courtesy")]
    is_optional: bool,
    /// The callers that made the attempt or waited for it.
    callers: Vec<Caller>,
    /// The callers that were turned away because of it.
    #[serde(alias = "bystanders")]
    turned_away: Vec<Caller>,
}

/// A claims challenge that no sign-in has answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct OpenChallenge {
    at: DateTime<Utc>,
    claims: ClaimsChallenge,
}

/// How attempts at a session ended, and what the next sign-in has to satisfy.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct AttemptHistory {
    /// The last one, whatever it was.
    last: Option<AttemptOutcome>,
    /// Sign-ins that ended without a token, the newest last.
    asked: Vec<AttemptOutcome>,
    /// What the issuer has asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<OpenChallenge>,
}

/// The history in a file: a later version may have added what this one cannot read.
#[derive(Deserialize)]
struct StoredHistory {
    last: Option<serde_json::Value>,
    asked: Vec<serde_json::Value>,
    #[serde(default)]
    challenge: Option<OpenChallenge>,
}

impl From<StoredHistory> for AttemptHistory {
    fn from(StoredHistory { last, asked, challenge }: StoredHistory) -> AttemptHistory {
        let readable = |outcome| serde_json::from_value(outcome).ok();
        AttemptHistory {
            last: last.and_then(readable),
            asked: asked.into_iter().filter_map(readable).collect(),
            challenge,
        }
    }
}

/// Whether the user may be prompted again.
pub(super) enum PromptVerdict<'a> {
    /// Yes.
    Try,
    /// The caller has been told already: fail with the same code, and print nothing.
    Repeat(&'a AttemptOutcome),
    /// A prompt was not answered a moment ago.
    TooSoon(&'a AttemptOutcome),
}

/// The file with the history of one session.
pub(super) struct HistoryFile {
    path: Option<PathBuf>,
}

impl HistoryFile {
    /// The history of `session` in `folder`; without a folder nothing is shared.
    pub(super) fn new(folder: Option<&Path>, session: &str) -> HistoryFile {
        HistoryFile { path: folder.map(|folder| folder.join(OUTCOMES).join(session)) }
    }

    /// The part of the history that has not expired.
    pub(super) fn read(&self) -> AttemptHistory {
        let bytes = self.path.as_ref().and_then(|path| files::read_private(path));
        let stored: Option<StoredHistory> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let mut history = stored.map(AttemptHistory::from).unwrap_or_default();
        history.last = history.last.filter(|outcome| is_recent(outcome.at, KEPT_FOR));
        history.asked.retain(|outcome| is_recent(outcome.at, KEPT_FOR));
        history.challenge = history.challenge.filter(|challenge| is_recent(challenge.at, CHALLENGE_KEPT_FOR));
        history
    }

    /// Notes a failure, with `caller` as the first that was told. Only with the session's lock held.
    pub(super) fn record(
        &self,
        failure: &Failure,
        stickiness: Stickiness,
        wanted: &Identity,
        is_optional: bool,
        caller: &Caller,
    ) {
        let at = clock::now();
        let outcome = AttemptOutcome {
            id: format!("{}-{}", std::process::id(), at.timestamp_nanos_opt().unwrap_or_default()),
            at,
            stickiness,
            token: wanted.token.clone(),
            credential: wanted.credential.clone(),
            error: Stored(failure.clone()),
            is_optional,
            callers: vec![caller.clone()],
            turned_away: Vec::new(),
        };
        let mut history = self.read();
        if matches!(stickiness, Stickiness::Sticky | Stickiness::Unanswered) {
            // Refusals of other callers stay.
            history.asked.drain(..history.asked.len().saturating_sub(KEPT - 1));
            history.asked.push(outcome.clone());
        }
        history.last = Some(outcome);
        self.write(&history);
    }

    /// The failure of `outcome`, for a caller that waited for it. Only with the session's lock held.
    pub(super) fn share(&self, outcome: &AttemptOutcome, caller: &Caller) -> Failure {
        self.tell(outcome, caller, |outcome| &mut outcome.callers)
    }

    /// The failure of `outcome`, for a caller that is turned away because of it. Only with the session's lock held.
    pub(super) fn turn_away(&self, outcome: &AttemptOutcome, caller: &Caller) -> Failure {
        self.tell(outcome, caller, |outcome| &mut outcome.turned_away)
    }

    fn tell(
        &self,
        outcome: &AttemptOutcome,
        caller: &Caller,
        list: fn(&mut AttemptOutcome) -> &mut Vec<Caller>,
    ) -> Failure {
        let mut history = self.read();
        for known in history.last.iter_mut().chain(&mut history.asked).filter(|known| known.id == outcome.id) {
            let told = list(known);
            if !told.contains(caller) {
                told.push(caller.clone());
            }
        }
        self.write(&history);
        outcome.failure().for_others()
    }

    /// Notes which claims the next sign-in has to bring, or that there are none. Only with the session's lock held.
    pub(super) fn set_challenge(&self, claims: Option<&ClaimsChallenge>) {
        let mut history = self.read();
        let is_news = claims.is_some() || history.challenge.is_some();
        history.challenge = claims.cloned().map(|claims| OpenChallenge { at: clock::now(), claims });
        if is_news {
            self.write(&history);
        }
    }

    /// Deletes how attempts with this `credential` ended, and the challenge: the sign-in has succeeded.
    pub(super) fn clear(&self, credential: &str) {
        let mut history = self.read();
        history.challenge = None;
        history.forget(|outcome| outcome.credential == credential);
        self.write(&history);
    }

    /// Deletes how all attempts ended: `kubectl login` starts afresh. What the issuer has asked for stays.
    pub(super) fn start_afresh(&self) {
        let mut history = self.read();
        history.forget(|_| true);
        self.write(&history);
    }

    /// Deletes everything.
    pub(super) fn delete(&self) {
        if let Some(path) = &self.path {
            let _ = files::delete(path);
        }
    }

    fn write(&self, history: &AttemptHistory) {
        let Some(path) = &self.path else { return };
        if history.last.is_none() && history.asked.is_empty() && history.challenge.is_none() {
            return self.delete();
        }
        let written = serde_json::to_vec(history)
            .map_err(|error| FileError::from(std::io::Error::other(error)))
            .and_then(|bytes| files::write_private(path, &bytes, Durability::Cached));
        if let Err(error) = written {
            tracing::debug!(%error, "outcome not noted");
        }
    }
}

/// Whether `at` is less than `limit` ago. A time in the future means that the clock was put back.
fn is_recent(at: DateTime<Utc>, limit: TimeDelta) -> bool {
    (TimeDelta::zero()..limit).contains(&(clock::now() - at))
}

impl AttemptHistory {
    fn forget(&mut self, is_forgotten: impl Fn(&AttemptOutcome) -> bool) {
        self.last = self.last.take().filter(|outcome| !is_forgotten(outcome));
        self.asked.retain(|outcome| !is_forgotten(outcome));
    }

    /// The claims that the next sign-in has to bring.
    pub(super) fn challenge(&self) -> Option<ClaimsChallenge> {
        self.challenge.as_ref().map(|challenge| challenge.claims.clone())
    }

    /// What happened while a process waited that saw `before` when it began, as far as it concerns a request for `wanted`: a
    /// failure to get one token need not concern another, and a process that can prompt does not share the failure of one that
    /// could not.
    pub(super) fn since(&self, before: &AttemptHistory, wanted: &Identity, can_ask: bool) -> Option<&AttemptOutcome> {
        let known: Vec<&String> = before.all().map(|outcome| &outcome.id).collect();
        self.all()
            .filter(|outcome| !known.contains(&&outcome.id))
            .filter(|outcome| outcome.concerns(wanted))
            .find(|outcome| !(can_ask && outcome.stickiness == Stickiness::NotPrompted))
    }

    /// Whether the user may be prompted for `caller`, whose request is for `wanted`.
    pub(super) fn verdict(&self, caller: &Caller, wanted: &Identity, at_a_terminal: bool) -> PromptVerdict<'_> {
        let mut newest_first = self.asked.iter().rev().filter(|outcome| outcome.concerns(wanted));
        let is_sticky = |outcome: &&AttemptOutcome| outcome.age() < STICKY && outcome.callers.contains(caller);
        if let Some(outcome) = newest_first.clone().find(is_sticky) {
            return PromptVerdict::Repeat(outcome);
        }
        let unanswered =
            |outcome: &&AttemptOutcome| outcome.stickiness == Stickiness::Unanswered && outcome.age() < IN_A_ROW;
        let doublings = newest_first.clone().filter(unanswered).count().saturating_sub(1);
        let pause = (0..doublings).fold(UNANSWERED, |pause, _| (pause * 2).min(STICKY));
        match newest_first.find(unanswered).filter(|outcome| outcome.age() < pause) {
            Some(outcome) if !at_a_terminal && outcome.turned_away.contains(caller) => PromptVerdict::Repeat(outcome),
            Some(outcome) if !at_a_terminal => PromptVerdict::TooSoon(outcome),
            _ => PromptVerdict::Try,
        }
    }

    /// How the last sign-in ended without a token, and when: declined, expired, or refused by the issuer.
    pub(super) fn last_sign_in(&self, credential: &str) -> Option<(DateTime<Utc>, &Failure)> {
        let refused = self.last.iter().filter(|outcome| outcome.failure().refusal().is_some());
        let with_credential = self.asked.iter().chain(refused).filter(|outcome| outcome.credential == credential);
        let newest = with_credential.max_by_key(|outcome| outcome.at)?;
        Some((newest.at, newest.failure()))
    }

    /// Everything that is remembered, the newest first.
    fn all(&self) -> impl Iterator<Item = &AttemptOutcome> {
        self.last.iter().chain(self.asked.iter().rev())
    }
}

impl AttemptOutcome {
    /// The failure.
    pub(super) fn failure(&self) -> &Failure {
        &self.error.0
    }

    /// Whether it is about prompting the user, which does not concern a process with a refresh token.
    pub(super) fn is_about_prompting(&self) -> bool {
        self.stickiness != Stickiness::Passing
    }

    /// Whether it was an early refresh, whose failure does not concern a process that needs a token.
    pub(super) fn is_optional(&self) -> bool {
        self.is_optional
    }

    /// Whether the same would happen to a request for the token of `wanted`: a failure to get one token need not concern
    /// another, and a corrected password is another attempt.
    fn concerns(&self, wanted: &Identity) -> bool {
        self.credential == wanted.credential && (self.is_about_the_user() || self.token == wanted.token)
    }

    /// Whether the user is the reason, and not what was requested: that concerns every token of the session.
    fn is_about_the_user(&self) -> bool {
        self.is_about_prompting() && self.failure().remedy() != Remedy::PolicyChange
    }

    fn age(&self) -> TimeDelta {
        clock::now() - self.at
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

    fn wanted(token: &str) -> Identity {
        let text = String::new;
        let (session, history, credential) = (text(), text(), text());
        Identity { session, token: token.to_owned(), token_here: None, history, credential }
    }

    #[test]
    fn unreadable_outcome_does_not_hide_the_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = HistoryFile::new(Some(folder.path()), SESSION);
        file.record(&Failure::InputEnded, Stickiness::Sticky, &wanted("a"), false, &caller(1));
        let path = folder.path().join(OUTCOMES).join(SESSION);
        let mut stored: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).expect("it")).expect("JSON");
        // Of an earlier version, which had another name for it, and of a later one.
        stored["asked"][0]["stickiness"] = "of-an-earlier-version".into();
        stored["last"]["error"] = serde_json::json!({"version": 9, "failure": "unknown"});
        std::fs::write(&path, stored.to_string()).expect("written");
        let history = file.read();
        assert!(history.last.is_none());
        assert_eq!(
            history.asked.iter().map(|outcome| outcome.stickiness).collect::<Vec<_>>(),
            [Stickiness::NotPrompted]
        );
    }

    #[test]
    fn failure_with_another_password_does_not_count() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = HistoryFile::new(Some(folder.path()), SESSION);
        let with = |credential: &str| Identity { credential: credential.to_owned(), ..wanted("a") };
        file.record(&Failure::InputEnded, Stickiness::Sticky, &with("wrong"), false, &caller(1));
        let history = file.read();
        assert!(matches!(history.verdict(&caller(1), &with("wrong"), true), PromptVerdict::Repeat(_)));
        assert!(matches!(history.verdict(&caller(1), &with("right"), true), PromptVerdict::Try));
        file.clear("right");
        assert!(file.read().last_sign_in("wrong").is_some(), "a success with another password leaves it");
    }

    #[test]
    fn refusal_does_not_replace_an_earlier_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = HistoryFile::new(Some(folder.path()), SESSION);
        let declined = Failure::InputEnded;
        file.record(&declined, Stickiness::Sticky, &wanted("a"), false, &caller(1));
        file.record(&declined, Stickiness::Sticky, &wanted("a"), false, &caller(2));
        file.record(&Failure::NoIdToken, Stickiness::Passing, &wanted("a"), false, &caller(3));
        let history = file.read();
        assert!(matches!(history.verdict(&caller(1), &wanted("b"), true), PromptVerdict::Repeat(_)));
        assert!(matches!(history.verdict(&caller(2), &wanted("a"), true), PromptVerdict::Repeat(_)));
        assert!(matches!(history.verdict(&caller(3), &wanted("a"), true), PromptVerdict::Try));
    }

    #[test]
    fn policy_refusal_of_one_token_does_not_concern_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = HistoryFile::new(Some(folder.path()), SESSION);
        file.record(&POLICY, Stickiness::Sticky, &wanted("a"), false, &caller(1));
        let history = file.read();
        assert!(matches!(history.verdict(&caller(1), &wanted("a"), true), PromptVerdict::Repeat(_)));
        assert!(matches!(history.verdict(&caller(1), &wanted("b"), true), PromptVerdict::Try));
        assert!(history.since(&AttemptHistory::default(), &wanted("a"), true).is_some());
        assert!(history.since(&AttemptHistory::default(), &wanted("b"), true).is_none());
        assert!(history.since(&history, &wanted("a"), true).is_none());
    }

    #[test]
    fn caller_that_is_turned_away_waits_a_minute_and_not_ten() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = HistoryFile::new(Some(folder.path()), SESSION);
        file.record(&ENDED, Stickiness::Unanswered, &wanted("a"), false, &caller(1));
        let history = file.read();
        assert!(matches!(history.verdict(&caller(2), &wanted("a"), true), PromptVerdict::Try));
        let PromptVerdict::TooSoon(outcome) = history.verdict(&caller(2), &wanted("a"), false) else {
            panic!("it is too soon")
        };
        file.turn_away(outcome, &caller(2));
        let mut history = file.read();
        assert!(matches!(history.verdict(&caller(2), &wanted("a"), false), PromptVerdict::Repeat(_)));
        history.asked[0].at -= UNANSWERED;
        assert!(matches!(history.verdict(&caller(2), &wanted("a"), false), PromptVerdict::Try));
        assert!(matches!(history.verdict(&caller(1), &wanted("a"), false), PromptVerdict::Repeat(_)));
    }

    #[test]
    fn unanswered_prompts_are_repeated_less_and_less_often() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = HistoryFile::new(Some(folder.path()), SESSION);
        for (prompt, minutes) in [1, 2, 4, 8, 10, 10].into_iter().enumerate() {
            file.record(&ENDED, Stickiness::Unanswered, &wanted("a"), false, &caller(10 + prompt as u32));
            let mut history = file.read();
            let mut is_asked_after = |pause| {
                history.asked.last_mut().expect("an outcome").at = Utc::now() - pause;
                matches!(history.verdict(&caller(1), &wanted("a"), false), PromptVerdict::Try)
            };
            let pause = TimeDelta::minutes(minutes);
            assert!(!is_asked_after(pause - TimeDelta::seconds(10)) && is_asked_after(pause), "{minutes}");
        }
        let mut history = file.read();
        for outcome in &mut history.asked {
            outcome.at -= IN_A_ROW;
        }
        file.write(&history);
        file.record(&ENDED, Stickiness::Unanswered, &wanted("a"), false, &caller(20));
        let mut history = file.read();
        history.asked.last_mut().expect("an outcome").at -= UNANSWERED;
        assert!(
            matches!(history.verdict(&caller(1), &wanted("a"), false), PromptVerdict::Try),
            "the pauses begin afresh"
        );
    }

    #[test]
    fn reason_is_kept_for_a_day_beyond_the_pause() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = HistoryFile::new(Some(folder.path()), SESSION);
        file.record(&POLICY, Stickiness::Sticky, &wanted("a"), false, &caller(1));
        file.record(&Failure::NoIdToken, Stickiness::Passing, &wanted("a"), false, &caller(1));
        let mut history = file.read();
        history.asked[0].at -= STICKY;
        file.write(&history);
        let mut history = file.read();
        assert!(matches!(history.verdict(&caller(1), &wanted("a"), true), PromptVerdict::Try));
        assert_eq!(history.last_sign_in("").map(|(_, failure)| failure), Some(&POLICY));
        history.asked[0].at -= KEPT_FOR;
        file.write(&history);
        assert_eq!(file.read().last_sign_in(""), None);
    }

    #[test]
    fn refusal_is_not_hidden_by_a_later_outcome() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = HistoryFile::new(Some(folder.path()), SESSION);
        file.record(&Failure::InputEnded, Stickiness::Sticky, &wanted("a"), false, &caller(1));
        file.record(&Failure::NotSignedIn, Stickiness::NotPrompted, &wanted("a"), false, &caller(2));
        let history = file.read();
        assert_eq!(
            history.since(&AttemptHistory::default(), &wanted("a"), true).map(AttemptOutcome::failure),
            Some(&Failure::InputEnded)
        );
    }
}
