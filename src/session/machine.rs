//! Obtains a token: from the cache, by refresh, or by interactive sign-in. The states of a request, from top to bottom.
//!
//! ```text
//! Cache ─► Lock ─► Recheck ─► Refresh ─► SignIn
//!   │       │         │          │         │
//!   └───────┴─────────┴─► Done ◄─┴─────────┘    (a failure goes by way of Failed)
//! ```
//!
//! One process at a time works for a session, with its lock held; the others wait and share what came of it.

use std::cell::RefCell;

use super::ObtainError;
use super::attempt::{AttemptFailure, LockedRequest, Refreshed, SignInNeed};
use super::caller::Caller;
use super::coordination::{self, Coordination};
use super::history::PromptVerdict;
use super::repeats::RequestFacts;
use super::request::{Cached, TokenRequest, TokenWatch};
use super::sessions::SessionName;
use crate::failure::Failure;
use crate::issued_token::IssuedToken;
use crate::runtime::{self, RuntimeError};
use crate::signin::{Interactivity, Notice};
use crate::store::lock::LockHolder;

/// Where a request stands, with what it needs to go on.
enum State<'a, 'r> {
    /// Look for a token in the cache. The warm path ends here: one file, one key, no network, no lock.
    Cache,
    /// Wait for the session's lock, unless this caller's request has just failed.
    Lock(Pending),
    /// Look again under the lock: another process may have succeeded, or failed, meanwhile.
    Recheck(LockedRequest<'a, 'r>),
    /// Use a refresh token.
    Refresh(LockedRequest<'a, 'r>),
    /// Have the user sign in.
    SignIn(LockedRequest<'a, 'r>, SignInNeed),
    /// There is no new token. A cached one is used if it is still valid.
    Failed(Pending, ObtainError),
    /// The end.
    Done(Result<IssuedToken, ObtainError>),
}

/// What a request falls back on without a new token.
pub(super) struct Pending {
    /// What the cache has.
    pub(super) cached: Cached,
    /// What decides whether a repeat would fail the same way.
    pub(super) facts: RequestFacts,
    /// The sessions at the beginning.
    pub(super) sessions: Vec<SessionName>,
}

impl<'r> TokenRequest<'r> {
    /// A token for the profile.
    ///
    /// Errors: see [`Failure`]; repeated if this caller has been told before.
    pub fn obtain(&self) -> Result<IssuedToken, ObtainError> {
        if self.options.user_initiated {
            coordination::start_afresh(self.store, self.environment);
        }
        let coordination = std::cell::OnceCell::new();
        let mut state = State::Cache;
        loop {
            state = match state {
                State::Cache => self.look_in_cache(),
                State::Lock(pending) => self.lock(
                    pending,
                    coordination
                        .get_or_init(|| Coordination::open(self.profile, self.store, self.environment, self.identity)),
                ),
                State::Recheck(locked) => recheck(locked),
                State::Refresh(locked) => refresh(locked),
                State::SignIn(locked, need) => sign_in(locked, need),
                State::Failed(pending, error) => State::Done(self.fall_back(&pending, error)),
                State::Done(result) => return result,
            };
        }
    }

    fn look_in_cache<'a>(&self) -> State<'a, 'r> {
        let cached = self.cached();
        if let (Cached::Fresh(token), false) = (&cached, self.wants_another()) {
            tracing::info!("token from the cache");
            return State::Done(Ok(IssuedToken::from_cache(token)));
        }
        let facts = RequestFacts {
            token: self.identity.token.clone(),
            can_ask: self.can_prompt(),
            has_good_token: self.usable(&cached).is_some(),
        };
        State::Lock(Pending { cached, facts, sessions: self.usable_sessions() })
    }

    fn lock<'a>(&'a self, pending: Pending, coordination: &'a Coordination) -> State<'a, 'r> {
        if let Some(failure) = self.repeats.and_then(|repeats| repeats.failure(&pending.facts)) {
            tracing::info!("the same request has just failed; not tried again");
            let (history, at_a_terminal) = (coordination.history.read(), self.person.is_at_a_terminal());
            let verdict = history.verdict(&Caller::of_process(), self.identity, at_a_terminal);
            let error = ObtainError { failure, is_repeated: matches!(verdict, PromptVerdict::Repeat(_)) };
            return State::Done(self.or_usable(&pending.cached, error));
        }
        let before = coordination.history.read();
        let on_wait = |holder: Option<&LockHolder>| self.person.mention(Notice::WaitingFor(holder));
        let has_usable_token = self.usable(&pending.cached).is_some();
        // Many processes may wait for the same token: each looks for it without the lock.
        let (shared, watch) = (RefCell::new(None), TokenWatch::new(self));
        let is_done = || {
            *shared.borrow_mut() = watch.changed().then(|| self.shared(&pending.cached, &self.cached())).flatten();
            shared.borrow().is_some()
        };
        let locked = coordination.lock(pending.facts.can_ask, has_usable_token, &on_wait, &is_done);
        match (locked, shared.take()) {
            (Ok(None), Some(token)) => {
                if let Some(repeats) = self.repeats {
                    repeats.forget();
                }
                State::Done(Ok(token))
            }
            (Ok(lock), _) => {
                State::Recheck(LockedRequest::new(self, coordination, lock.unwrap_or_default(), pending, &before))
            }
            (Err(failure), _) => State::Failed(pending, failure.into()),
        }
    }

    /// The end of a request without a new token. It is noted for this caller, unless a session that was obtained meanwhile
    /// may bring a token although the attempt failed.
    fn fall_back(&self, pending: &Pending, error: ObtainError) -> Result<IssuedToken, ObtainError> {
        let is_final = pending.sessions == self.usable_sessions() && error.failure.stopped_by().is_none();
        if let Some(repeats) = self.repeats.filter(|_| is_final) {
            repeats.note(&error.failure, pending.facts.clone());
        }
        self.or_usable(&pending.cached, error)
    }

    /// The cached token if it will do in place of a new one. A user who interrupts the request wants none.
    fn or_usable(&self, cached: &Cached, error: ObtainError) -> Result<IssuedToken, ObtainError> {
        match self.usable(cached) {
            Some(token) if error.failure.stopped_by().is_none() => Ok(IssuedToken::from_cache(token)),
            _ => Err(error),
        }
    }

    /// The token that another process has obtained since `before`, if `now` has one that will do.
    fn shared(&self, before: &Cached, now: &Cached) -> Option<IssuedToken> {
        let Cached::Fresh(token) = now else { return None };
        let will_do = !self.wants_another() || (self.takes_shared_token() && before.is_older_than(token));
        will_do.then(|| IssuedToken::from_cache(token))
    }

    /// Whether a sign-in could be completed: by a user who can be prompted, or without one.
    fn can_prompt(&self) -> bool {
        !self.profile.prompts()
            || (!self.options.non_interactive && !matches!(self.person.interactivity(), Interactivity::None(_)))
    }
}

fn recheck<'a, 'r>(mut locked: LockedRequest<'a, 'r>) -> State<'a, 'r> {
    let request = locked.request;
    let before = std::mem::replace(&mut locked.pending.cached, request.cached());
    if let Some(token) = request.shared(&before, &locked.pending.cached) {
        return State::Done(Ok(locked.finish(token)));
    }
    match locked.shared_failure() {
        Some(error) => State::Failed(locked.unlock(), error),
        None => State::Refresh(locked),
    }
}

fn refresh<'a, 'r>(mut locked: LockedRequest<'a, 'r>) -> State<'a, 'r> {
    match run(locked.refresh()) {
        Ok(Refreshed::Token(token)) => State::Done(Ok(locked.finish(token))),
        Ok(Refreshed::SignIn(need)) => State::SignIn(locked, need),
        Err(failure) => failed(locked, failure),
    }
}

fn sign_in<'a, 'r>(mut locked: LockedRequest<'a, 'r>, need: SignInNeed) -> State<'a, 'r> {
    match run(locked.sign_in(need)) {
        Ok(token) => State::Done(Ok(locked.finish(token))),
        Err(failure) => failed(locked, failure),
    }
}

/// Notes a failure for waiting processes and for later requests.
fn failed<'a, 'r>(locked: LockedRequest<'a, 'r>, failure: AttemptFailure) -> State<'a, 'r> {
    let error = locked.record(failure);
    State::Failed(locked.unlock(), error)
}

/// Runs a step that uses the network. A user who interrupts it ends it for this process alone.
fn run<T>(step: impl Future<Output = Result<T, AttemptFailure>>) -> Result<T, AttemptFailure> {
    runtime::run_until_interrupted(step).map_err(|error| match error {
        RuntimeError::Stopped(_) => AttemptFailure::Told(Failure::from(error).into()),
        RuntimeError::NoResources(_) => AttemptFailure::passing(error),
    })?
}
