//! The claims challenge that a session's next sign-in has to answer: given by hand, in the refusal just now, or in one
//! that another process met.
//!
//! Refreshes carry what was given by hand and nothing else: whatever stood in the way the last time may be gone. Those
//! of a typed `kubectl login` carry all of it: what was asked for may have been for another token than the one that they
//! bring, and somebody is there should that take a sign-in.

use chrono::TimeDelta;

use super::request::TokenRequest;
use kubectl_login_core::entra::error_details::EntraErrorDetails;
use kubectl_login_core::oauth::challenge::ClaimsChallenge;
use kubectl_login_core::oauth::error_response::{OAuthErrorClass, OAuthErrorResponse};

/// How long a challenge is remembered that no sign-in has answered.
const REMEMBERED: TimeDelta = TimeDelta::hours(1);

impl TokenRequest<'_> {
    /// What a sign-in has to answer: what was given by hand, together with what the issuer asked for, `just_now` or before.
    pub(super) fn open_challenge(&self, just_now: Option<ClaimsChallenge>) -> Option<ClaimsChallenge> {
        let asked_for = just_now.or_else(|| self.store.challenge(&self.identity.challenges, REMEMBERED));
        match (self.challenge.clone(), asked_for) {
            (Some(given), Some(asked_for)) => Some(given.and(asked_for)),
            (given, asked_for) => given.or(asked_for),
        }
    }

    /// What a refresh has to answer.
    pub(super) fn challenge_of_refresh(&self) -> Option<ClaimsChallenge> {
        if self.options.user_initiated { self.open_challenge(None) } else { self.challenge.clone() }
    }

    /// Remembers what the next sign-in has to bring.
    pub(super) fn note_challenge(&self, challenge: &ClaimsChallenge) {
        self.store.save_challenge(&self.identity.challenges, challenge);
    }

    /// Draws the lesson from the refusal of a sign-in for the next one.
    pub(super) fn note_refusal(&self, refusal: &OAuthErrorResponse) {
        match EntraErrorDetails(refusal).claims_challenge() {
            Some(challenge) => self.note_challenge(&challenge),
            // It may be the challenge that the issuer does not understand. The next sign-in does without.
            None if matches!(
                EntraErrorDetails(refusal).class(),
                OAuthErrorClass::Misconfigured | OAuthErrorClass::Unknown
            ) =>
            {
                self.forget_challenge();
            }
            None => {}
        }
    }

    /// Forgets what was remembered: a sign-in has answered it.
    pub(super) fn forget_challenge(&self) {
        self.store.delete_challenge(&self.identity.challenges);
    }
}
