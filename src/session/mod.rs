//! The one road to a token: remembered, then refreshed, then signed in.
//!
//! [`Road::token`] answers from one sealed file where it can. Otherwise one process at a time does the work for a
//! session: it takes the session's lock, looks again, refreshes or asks a person, keeps what came, and shares how it
//! ended with everybody who waited. It must not know flags, terminals or kubeconfigs.

mod asking;
pub mod caller;
mod challenge;
mod consent;
mod coordination;
mod grant;
pub mod groups;
pub mod identity;
pub mod issuer;
mod obtained;
pub mod outcome;
mod refused;
pub mod repeats;
pub mod revocation;
pub mod sessions;
mod work;

use std::collections::BTreeSet;

use chrono::TimeDelta;

use crate::environment::Environment;
use crate::profile::Profile;
use crate::signin::{Person, Reach};
use crate::store::KeyError;
use crate::store::SealingKey;
use crate::store::lock::{Lock, LockHolder};
use crate::store::{Lookup, SessionFacts, SessionRecord, Store, StoreError, TokenFacts, TokenRecord};
use caller::Caller;
use coordination::Coordination;
pub use coordination::last_failed_sign_in;
use grant::Grant;
use identity::Identity;
use kubectl_login_core::clock;
use kubectl_login_core::error::{Error, Result};
use kubectl_login_core::oauth::challenge::ClaimsChallenge;
pub use obtained::{How, Obtained, in_units, local_time};
use outcome::Verdict;
use repeats::{Attempt, Repeats};
use sessions::Named;
use work::WorkFailure;

/// A token is refreshed when less than this is left of it, or half its life if that is shorter.
const MARGIN: TimeDelta = TimeDelta::minutes(5);
/// While this much is left, a failed refresh is no failure.
const STILL_GOOD: TimeDelta = TimeDelta::seconds(30);
/// A token from further in the future than this was obtained before the clock was put back.
const CLOCK_JITTER: TimeDelta = TimeDelta::minutes(1);

/// What the caller insists on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Insist {
    /// A fresh token, even when the remembered one is good (`--force-refresh`).
    pub on_refresh: bool,
    /// A fresh sign-in, even when there is a session.
    pub on_sign_in: bool,
    /// Nobody is to be asked: what there is has to do, or there is no token.
    pub on_silence: bool,
    /// Somebody typed this command just now: what ended badly before is forgotten, discovery is not trusted.
    pub typed: bool,
}

/// Forgets a session of the entry whose own is called `base`, and its tokens. A process that works on it is waited for, five
/// seconds at most. What it was comes back if `read` asks for it, which takes the key: to end it at the issuer takes the
/// refresh token.
///
/// Errors: a record is there and stays.
pub fn forget(
    store: &Store,
    session: &str,
    base: &str,
    read: bool,
) -> Result<Lookup<(SessionFacts, SessionRecord)>, StoreError> {
    // No folder is made to find nothing in it.
    if !store.root().is_some_and(std::path::Path::exists) {
        return Ok(Lookup::Absent);
    }
    let _lock = coordination::lock_briefly(store, base);
    let known = if read { store.session(session) } else { Lookup::Absent };
    store.delete_session(session)?;
    Ok(known.map(|(facts, record, _)| (facts, record)))
}

/// Keeps everybody from working on a session of `store` until what comes back is dropped; whoever does so just now is
/// waited for, five seconds each.
pub fn hold_all(store: &Store) -> Vec<Lock> {
    let sessions = store.sessions();
    let bases: BTreeSet<&str> = sessions.iter().map(|(session, _, facts)| facts.base(session)).collect();
    bases.into_iter().filter_map(|base| coordination::lock_briefly(store, base)).collect()
}

/// A failure, and whether the caller has heard of it before.
#[derive(Debug)]
pub struct Failed {
    /// What happened.
    pub error: Error,
    /// This caller was told already: say nothing, fail with the same code.
    pub silent: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed { error, silent: false }
    }
}

/// Everything that one request for one token needs.
pub struct Road<'a> {
    profile: &'a Profile,
    store: &'a Store,
    environment: &'a Environment,
    person: &'a dyn Person,
    insist: Insist,
    /// What was given by hand: a token that answers it is wanted, so none that is remembered will do.
    challenge: Option<ClaimsChallenge>,
    repeats: Option<Repeats<'a>>,
    identity: Identity,
}

/// What the store has for a request.
enum Memory {
    /// A token that is good for longer than its margin.
    Fresh(TokenRecord),
    /// A token that is good, but should be refreshed.
    Ending(TokenRecord),
    /// Nothing of use; with the reason if something is there but cannot be read now.
    Nothing(Option<KeyError>),
}

impl Memory {
    /// Whether `token` was obtained after this was remembered.
    fn is_older_than(&self, token: &TokenRecord) -> bool {
        match self {
            Memory::Fresh(known) | Memory::Ending(known) => known.obtained_at < token.obtained_at,
            Memory::Nothing(_) => true,
        }
    }

    /// Why something that is there cannot be read.
    fn unreadable(&self) -> Option<KeyError> {
        match self {
            Memory::Nothing(reason) => reason.clone(),
            _ => None,
        }
    }
}

impl<'a> Road<'a> {
    /// The road for `profile`, remembering in `store`, asking `person`.
    pub fn new(
        profile: &'a Profile,
        store: &'a Store,
        environment: &'a Environment,
        person: &'a dyn Person,
        insist: Insist,
    ) -> Road<'a> {
        let identity = Identity::of(profile);
        Road { profile, store, environment, person, insist, challenge: None, repeats: None, identity }
    }

    /// The same road to a token that answers `challenge`.
    pub fn answering(self, challenge: Option<ClaimsChallenge>) -> Road<'a> {
        Road { challenge, ..self }
    }

    /// The same road for a caller that may run the same request again at once: it does not repeat what has just failed.
    pub fn repeated_by(self, repeats: Repeats<'a>) -> Road<'a> {
        Road { repeats: Some(repeats), ..self }
    }

    /// A token for the profile.
    ///
    /// Errors: what [`Error`]'s kinds stand for; silent where this caller has been told before.
    ///
    /// The warm path is the first few lines: one file, one key, no network, no lock.
    pub fn token(&self) -> Result<Obtained, Failed> {
        if self.insist.typed {
            coordination::forget_outcomes(self.store, self.environment);
        }
        let memory = self.remembered();
        if let (Memory::Fresh(token), false) = (&memory, self.insists()) {
            tracing::info!("token remembered");
            return Ok(self.as_remembered(token));
        }
        self.obtain(memory)
    }

    /// What the store has, judged by the clock.
    fn remembered(&self) -> Memory {
        let token = match sessions::newest(&self.identity, self.store) {
            Lookup::Found(token) => token,
            Lookup::Absent => return Memory::Nothing(None),
            Lookup::Unreadable(error) => return Memory::Nothing(Some(error)),
        };
        let now = clock::now();
        let left = token.expires_at - now;
        let margin = MARGIN.min((token.expires_at - token.obtained_at) / 2);
        if left > margin && token.obtained_at <= now + CLOCK_JITTER {
            Memory::Fresh(token)
        } else if left >= STILL_GOOD {
            Memory::Ending(token)
        } else {
            Memory::Nothing(None)
        }
    }

    fn as_remembered(&self, token: &TokenRecord) -> Obtained {
        Obtained {
            token: token.token.clone(),
            expires_at: token.expires_at,
            how: How::Remembered,
            facts: None,
            key_backend: None,
            anchors: token.anchors.clone(),
        }
    }

    /// The sessions that may bring a token, the newest sign-in first.
    fn usable_sessions(&self) -> Vec<Named> {
        sessions::usable(&self.identity, &self.profile.network, self.store)
    }

    /// The cold road: unless it has just failed for this caller.
    fn obtain(&self, mut memory: Memory) -> Result<Obtained, Failed> {
        let place = Coordination::open(self.profile, self.store, self.environment, &self.identity);
        // Where nobody is needed it is as if they had answered already.
        let can_ask = !self.profile.needs_a_person()
            || (!self.insist.on_silence && !matches!(self.person.reach(), Reach::Unavailable { .. }));
        let attempt =
            Attempt { token: self.identity.token.clone(), can_ask, has_good_token: self.good(&memory).is_some() };
        let outcome = match self.repeats.and_then(|repeats| repeats.failure(&attempt)) {
            Some(error) => {
                tracing::info!("the same has just failed; not tried again");
                let (notes, at_a_terminal) = (place.outcomes.read(), self.person.is_at_a_terminal());
                let verdict = notes.verdict(&Caller::of_process(), &self.identity.token, at_a_terminal);
                Err(Failed { error, silent: matches!(verdict, Verdict::Repeat(_)) })
            }
            None => {
                let known = self.usable_sessions();
                self.work(&place, &mut memory, can_ask).inspect_err(|failed| {
                    // A session that was obtained meanwhile may bring a token where the sign-in itself did not.
                    let is_final = known == self.usable_sessions();
                    if let Some(repeats) = self.repeats.filter(|_| is_final && !failed.error.kind.is_an_end()) {
                        repeats.note(&failed.error, attempt);
                    }
                })
            }
        };
        match outcome {
            Ok(obtained) => {
                if let Some(repeats) = self.repeats {
                    repeats.forget();
                }
                Ok(obtained)
            }
            Err(failed) => self.or_good(&memory, failed),
        }
    }

    /// One process works, the others wait and share. `memory` is what the store had before, and then what it has under the
    /// lock.
    fn work(&self, place: &Coordination, memory: &mut Memory, can_ask: bool) -> Result<Obtained, Failed> {
        let caller = Caller::of_process();
        let known = place.outcomes.read();
        let on_wait = |holder: Option<&LockHolder>| {
            self.person.mention(&match holder {
                Some(LockHolder { pid, asks_until: Some(_), .. }) => {
                    format!("Waiting for process {pid}, which asks somebody to sign in.\nFinish that, or end it to be asked here.")
                }
                Some(LockHolder { pid, .. }) => format!("Waiting for process {pid}, which gets a token."),
                None => "Waiting for another process, which gets a token.".to_owned(),
            });
        };
        let mut lock = place.lock(can_ask, self.good(memory).is_some(), &on_wait)?;

        // Somebody else may have done the work while this process waited.
        let before = std::mem::replace(memory, self.remembered());
        if let Memory::Fresh(token) = memory
            && (!self.insists() || (!self.insist.on_sign_in && self.challenge.is_none() && before.is_older_than(token)))
        {
            return Ok(self.as_remembered(token));
        }
        // ... or have failed at it.
        let notes = place.outcomes.read();
        let wanted = &self.identity.token;
        let good = self.good(memory);
        let shared = notes.since(&known, wanted, can_ask);
        if let Some(outcome) = shared.filter(|outcome| !outcome.is_about_asking())
            && (good.is_some() || !outcome.is_of_a_courtesy())
        {
            return Err(place.outcomes.share(outcome, &caller).into());
        }
        let may_ask = || match (shared.filter(|outcome| outcome.is_about_asking()), self.insist.typed) {
            // Somebody typed this just now: however it ended elsewhere, here they are.
            (_, true) => Ok(()),
            (Some(outcome), false) => Err(place.outcomes.share(outcome, &caller).into()),
            (None, false) => match notes.verdict(&caller, wanted, self.person.is_at_a_terminal()) {
                Verdict::Try => Ok(()),
                Verdict::TooSoon(outcome) => Err(place.outcomes.send_away(outcome, &caller).into()),
                Verdict::Repeat(outcome) => Err(Failed { error: outcome.error().clone(), silent: true }),
            },
        };
        let work = work::Work { road: self, lock: &mut lock, good, unreadable: memory.unreadable(), may_ask: &may_ask };
        match work.run() {
            Ok(obtained) => {
                // A refresh asked nobody: whoever said no before has not changed their mind.
                if obtained.how == How::SignedIn {
                    place.outcomes.clear();
                    repeats::forget_all(self.environment);
                }
                Ok(obtained)
            }
            Err(WorkFailure::Told(failed)) => Err(failed),
            Err(WorkFailure::New { error, stickiness }) => {
                place.outcomes.record(&error, stickiness, wanted, good.is_some(), &caller);
                Err(error.into())
            }
        }
    }

    /// What comes of a failure where there is a token that will do. Whoever ended the work wants none.
    fn or_good(&self, memory: &Memory, failed: Failed) -> Result<Obtained, Failed> {
        match self.good(memory) {
            Some(token) if !failed.error.kind.is_an_end() => Ok(self.as_remembered(token)),
            _ => Err(failed),
        }
    }

    /// A token that will do if no better one can be had.
    fn good<'m>(&self, memory: &'m Memory) -> Option<&'m TokenRecord> {
        match memory {
            Memory::Ending(token) if !self.insists() => Some(token),
            _ => None,
        }
    }

    /// Whether what there is has to do.
    fn is_silent(&self) -> bool {
        self.insist.on_silence && self.profile.needs_a_person()
    }

    /// Whether the session is still kept. Whoever forgot it while it was worked on wants it to stay forgotten; the token
    /// is handed out all the same.
    fn is_wanted(&self, session: &Named) -> bool {
        self.store.has_session(&session.id)
    }

    /// The session so far, if the user who signed in now is known to be the same, by subject and by name.
    fn predecessor(&self, session: &Named, facts: &SessionFacts, subject: Option<&str>) -> Option<SessionRecord> {
        let (known, record, _) = self.store.session(&session.id).found()?;
        let is_same =
            record.subject.is_some() && record.subject.as_deref() == subject && known.account == facts.account;
        is_same.then_some(record)
    }

    fn keep_token(&self, sealing_key: &SealingKey, session: &Named, grant: &Grant) -> Result<(), StoreError> {
        let facts = TokenFacts {
            session: session.id.clone(),
            audience: grant.audience.clone(),
            expires_at: grant.token.expires_at,
        };
        let record = TokenRecord { anchors: session.anchors.clone(), ..grant.token.clone() };
        self.store.save_token(sealing_key, self.identity.token_under(&session.anchors), &facts, &record)
    }

    /// Whether the issuer has said that somebody has to sign in, and nothing has settled that since.
    fn is_due_for_a_sign_in(&self) -> bool {
        let session = self.store.session(&sessions::current(self.profile, self.store).id).found();
        session.is_some_and(|(facts, ..)| facts.refused) || self.open_challenge(None).is_some()
    }

    /// Warns of certificate authorities that were skipped.
    fn warn_of_skipped(&self, issuer: &issuer::Issuer<'_>) {
        for problem in issuer.client.http.skipped() {
            self.person.say(&format!("Warning: {problem}."));
        }
    }

    fn insists(&self) -> bool {
        self.insist.on_refresh
            || self.insist.on_sign_in
            || self.challenge.is_some()
            // Whoever was told to sign in and does is not sent away with the token that is left.
            || (self.insist.typed && self.is_due_for_a_sign_in())
    }
}
