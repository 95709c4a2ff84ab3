//! A request that holds its session's lock: what it shares with the processes that wait, and how it may end.

use super::ObtainError;
use super::caller::Caller;
use super::coordination::{Coordination, HeldLock};
use super::history::{AttemptHistory, AttemptOutcome, PromptVerdict, Stickiness};
use super::machine::Pending;
use super::repeats;
use super::request::TokenRequest;
use crate::failure::Failure;
use crate::issued_token::{IssuedToken, TokenOrigin};
use crate::signin::FlowError;
use crate::store::TokenRecord;
use kubectl_login_core::oauth::challenge::ClaimsChallenge;

/// A request, with the lock of its session held.
pub(super) struct LockedRequest<'a, 'r> {
    pub(super) request: &'a TokenRequest<'r>,
    pub(super) lock: HeldLock,
    pub(super) pending: Pending,
    pub(super) coordination: &'a Coordination,
    caller: Caller,
    /// How earlier attempts ended.
    history: AttemptHistory,
    /// How an attempt ended that another process made while this one waited.
    shared: Option<AttemptOutcome>,
}

/// Why an attempt brought no token.
pub(super) enum AttemptFailure {
    /// It failed, and other processes share the failure.
    New {
        /// What happened.
        failure: Failure,
        /// How certain it is that the next attempt would end the same way.
        stickiness: Stickiness,
    },
    /// The failure concerns this process only: it shares an earlier failure, or has special options.
    Told(ObtainError),
}

/// What refreshing leads to.
pub(super) enum Refreshed {
    /// A token.
    Token(IssuedToken),
    /// The user has to sign in.
    SignIn(SignInNeed),
}

/// Why the user has to sign in, and for what.
#[derive(Default)]
pub(super) struct SignInNeed {
    /// Why, if there is more to say than that there is no session.
    pub(super) reason: Option<Failure>,
    /// The scopes to ask for.
    pub(super) scopes: Vec<String>,
    /// What the issuer has asked the sign-in to satisfy.
    pub(super) challenge: Option<ClaimsChallenge>,
}

impl<'a, 'r> LockedRequest<'a, 'r> {
    /// `before` is the history from before this process waited for `lock`.
    pub(super) fn new(
        request: &'a TokenRequest<'r>,
        coordination: &'a Coordination,
        lock: HeldLock,
        pending: Pending,
        before: &AttemptHistory,
    ) -> LockedRequest<'a, 'r> {
        if request.options.user_initiated {
            coordination.history.start_afresh();
        }
        let history = coordination.history.read();
        let shared = history.since(before, request.identity, pending.facts.can_ask).cloned();
        LockedRequest { request, lock, pending, coordination, caller: Caller::of_process(), history, shared }
    }

    /// The cached token, if it will do in place of a new one.
    pub(super) fn usable(&self) -> Option<&TokenRecord> {
        self.request.usable(&self.pending.cached)
    }

    /// The failure of the process that this one waited for, if the same would happen here.
    pub(super) fn shared_failure(&self) -> Option<ObtainError> {
        let outcome = self.shared.as_ref().filter(|outcome| !outcome.is_about_prompting())?;
        let concerns_this = self.usable().is_some() || !outcome.is_optional();
        concerns_this.then(|| self.coordination.history.share(outcome, &self.caller).into())
    }

    /// Checks that the user may be prompted after how earlier prompts ended. A refresh does not prompt and needs no
    /// permission.
    ///
    /// Errors: this caller has been told of a prompt that ended without a token, or one was not answered a moment ago.
    pub(super) fn check_may_prompt(&self) -> Result<(), AttemptFailure> {
        let shared = self.shared.as_ref().filter(|outcome| outcome.is_about_prompting());
        let history = &self.coordination.history;
        let error = match (shared, self.request.options.user_initiated) {
            // The user has typed this command, and can be prompted.
            (_, true) => return Ok(()),
            (Some(outcome), false) => history.share(outcome, &self.caller).into(),
            (None, false) => {
                let at_a_terminal = self.request.person.is_at_a_terminal();
                match self.history.verdict(&self.caller, self.request.identity, at_a_terminal) {
                    PromptVerdict::Try => return Ok(()),
                    PromptVerdict::TooSoon(outcome) => history.turn_away(outcome, &self.caller).into(),
                    PromptVerdict::Repeat(outcome) => {
                        ObtainError { failure: outcome.failure().clone(), is_repeated: true }
                    }
                }
            }
        };
        Err(AttemptFailure::Told(error))
    }

    /// Notes a failure for waiting processes and for later requests.
    pub(super) fn record(&self, failure: AttemptFailure) -> ObtainError {
        match failure {
            AttemptFailure::Told(error) => error,
            AttemptFailure::New { failure, stickiness } => {
                let (wanted, has_usable_token) = (self.request.identity, self.usable().is_some());
                self.coordination.history.record(&failure, stickiness, wanted, has_usable_token, &self.caller);
                failure.into()
            }
        }
    }

    /// Ends the request with a token: earlier failures are forgotten.
    pub(super) fn finish(self, token: IssuedToken) -> IssuedToken {
        // A refresh prompts no user, so it does not undo a user's refusal.
        if token.origin == TokenOrigin::SignIn {
            self.coordination.history.clear(&self.request.identity.credential);
            repeats::forget_all(self.request.environment);
        }
        if let Some(repeats) = self.request.repeats {
            repeats.forget();
        }
        token
    }

    /// Gives the lock back.
    pub(super) fn unlock(self) -> Pending {
        self.pending
    }
}

impl AttemptFailure {
    /// The next attempt may succeed.
    pub(super) fn passing(failure: impl Into<Failure>) -> Self {
        AttemptFailure::New { failure: failure.into(), stickiness: Stickiness::Passing }
    }

    /// The user could not be prompted.
    pub(super) fn not_prompted(failure: Failure) -> Self {
        AttemptFailure::New { failure, stickiness: Stickiness::NotPrompted }
    }

    /// A user or a policy has refused the sign-in.
    pub(super) fn sticky(failure: Failure) -> Self {
        AttemptFailure::New { failure, stickiness: Stickiness::Sticky }
    }
}

impl From<FlowError> for AttemptFailure {
    fn from(error: FlowError) -> Self {
        match error {
            FlowError::Unanswered(failure) => AttemptFailure::New { failure, stickiness: Stickiness::Unanswered },
            FlowError::Refused(failure) => AttemptFailure::sticky(failure),
            FlowError::NotShown(failure) => AttemptFailure::not_prompted(failure),
            FlowError::NoDeviceCodes(failure) | FlowError::Failed(failure) => AttemptFailure::passing(failure),
        }
    }
}
