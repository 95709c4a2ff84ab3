//! The claims challenge that a session's next sign-in has to answer: given by the user, in the refusal of this attempt, or in
//! one that another process received.
//!
//! A refresh carries only what the user gave: the reason of an earlier challenge may be gone. A refresh of `kubectl login`
//! carries all of it: the challenge may have been for another token, and the user is there if that takes a sign-in.

use super::coordination;
use super::history::HistoryFile;
use super::request::TokenRequest;
use kubectl_login_core::entra::error_details::EntraErrorDetails;
use kubectl_login_core::oauth::challenge::ClaimsChallenge;
use kubectl_login_core::oauth::error_response::{OAuthErrorClass, OAuthErrorResponse};

impl TokenRequest<'_> {
    /// What a sign-in has to answer: what the user gave, together with what the issuer asked for, `just_now` or before.
    pub(super) fn open_challenge(&self, just_now: Option<ClaimsChallenge>) -> Option<ClaimsChallenge> {
        let asked_for = just_now.or_else(|| coordination::open_challenge(self.identity, self.store, self.environment));
        match (self.challenge.clone(), asked_for) {
            (Some(given), Some(asked_for)) => Some(given.and(asked_for)),
            (given, asked_for) => given.or(asked_for),
        }
    }

    /// What a refresh has to answer.
    pub(super) fn challenge_of_refresh(&self) -> Option<ClaimsChallenge> {
        if self.options.user_initiated { self.open_challenge(None) } else { self.challenge.clone() }
    }
}

/// Notes what the refusal of a sign-in means for the next one.
pub(super) fn note_refusal(history: &HistoryFile, refusal: &OAuthErrorResponse) {
    let details = EntraErrorDetails(refusal);
    match details.claims_challenge() {
        Some(challenge) => history.set_challenge(Some(&challenge)),
        // The issuer may not understand the challenge, so the next sign-in goes without.
        None if matches!(details.class(), OAuthErrorClass::Misconfigured | OAuthErrorClass::Unknown) => {
            history.set_challenge(None);
        }
        None => {}
    }
}
