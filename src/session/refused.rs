//! What a refused refresh means: for the session, for the user, and for the next sign-in.

use super::attempt::{AttemptFailure, LockedRequest};
use super::refresh::{OpenSession, Renewed, not_here, note_down, sign_in};
use crate::messages::refusals::advice;
use crate::messages::step::Step;
use crate::profile::{Method, Provider, TokenKind};
use crate::signin;
use crate::store::{RefusedRefresh, SessionFacts, SessionRecord};
use kubectl_login_core::clock;
use kubectl_login_core::entra::error_details::EntraErrorDetails;
use kubectl_login_core::entra::refusals::{self, Refusal};
use kubectl_login_core::error::{Error, Kind};
use kubectl_login_core::oauth::challenge::ClaimsChallenge;
use kubectl_login_core::oauth::client::TokenRequestError;
use kubectl_login_core::oauth::error_response::{OAuthErrorClass, OAuthErrorResponse};

impl LockedRequest<'_, '_> {
    /// What comes of a refresh that failed; `needed_withheld_roots` if the connection would have needed an authority that the
    /// session was signed in without.
    pub(super) fn not_refreshed(
        &self,
        failure: &TokenRequestError,
        session: OpenSession<'_>,
        needed_withheld_roots: bool,
    ) -> Result<Renewed, AttemptFailure> {
        let error = self.words(failure, &session.facts);
        if needed_withheld_roots {
            return Ok(Renewed::NotHere(not_here(error)));
        }
        let challenge = match failure {
            TokenRequestError::Refused(answer) => self.learn(session, Some(answer), &error),
            TokenRequestError::NotOAuth(answer) | TokenRequestError::Malformed(answer) if answer.is_refusal() => {
                self.learn(session, None, &error)
            }
            _ => None,
        };
        match self.leads_to_a_sign_in(failure) {
            // It is told to the caller alone: those who wait may be able to ask.
            _ if self.request.is_non_interactive() => Err(AttemptFailure::Told(error.into())),
            true => Ok(Renewed::SignIn(Some(error), challenge)),
            false => Err(AttemptFailure::passing(error)),
        }
    }

    /// Ends a session whose refresh brought tokens of another account (OIDC Core 12.2: a refresh never changes whose session
    /// it is). What stays of it is the reason, which comes back.
    pub(super) fn end_for_another_account(&self, session: OpenSession<'_>) -> Error {
        let OpenSession { named, facts, record, sealing_key } = session;
        let error = sign_in("the issuer answered for another account");
        let refusal = Box::new(RefusedRefresh { at: clock::now(), error: error.clone() });
        let facts = SessionFacts { refreshable: false, refused: true, refusal: Some(refusal), ..facts };
        let record = SessionRecord { refresh_token: None, ..record };
        let store = self.request.store;
        let kept = store.delete_tokens(&named.id);
        if self.request.is_wanted(named)
            && !note_down(kept.and_then(|()| store.save_session(&sealing_key, &named.id, &facts, &record)))
        {
            note_down(store.delete_session(&named.id));
        }
        error
    }

    /// Draws the lessons from the refusal of a refresh: what is never to be presented again, whether a sign-in is the
    /// remedy, and what that has to bring, which comes back. `answer` is `None` if the issuer gives no reason.
    fn learn(
        &self,
        session: OpenSession<'_>,
        answer: Option<&OAuthErrorResponse>,
        error: &Error,
    ) -> Option<ClaimsChallenge> {
        let OpenSession { named, facts, record, sealing_key } = session;
        let challenge = answer.and_then(|answer| EntraErrorDetails(answer).claims_challenge());
        if !self.request.is_wanted(named) {
            return challenge;
        }
        let ends = answer.is_some_and(refusals::ends_the_session);
        // What this program may not have for itself says nothing of the cluster's tokens. A challenge speaks for itself.
        let is_apart = self.request.profile.token_kind == TokenKind::Own
            && (challenge.is_some() || answer.is_some_and(|answer| refusals::refusal_of(answer) == Refusal::Consent));
        let refused = facts.refused || ends || (error.kind == Kind::SignInNeeded && !is_apart);
        // The first of several with the same reason tells since when.
        let is_known = facts.refusal.as_ref().is_some_and(|known| known.error.what == error.what);
        let is_refusal = (ends || matches!(error.kind, Kind::SignInNeeded | Kind::Refused)) && !is_apart;
        let refusal = match is_refusal && !is_known {
            true => Some(Box::new(RefusedRefresh { at: clock::now(), error: error.clone() })),
            false => facts.refusal.clone(),
        };
        if ends || refused != facts.refused || refusal != facts.refusal {
            let facts = SessionFacts { refused, refusal, refreshable: facts.refreshable && !ends, ..facts };
            let record = SessionRecord {
                refresh_token: record.refresh_token.filter(|_| !ends),
                without_codes: answer.is_some_and(refusals::is_tracked),
                ..record
            };
            note_down(self.request.store.save_session(&sealing_key, &named.id, &facts, &record));
        }
        if let Some(challenge) = &challenge {
            self.request.note_challenge(challenge);
        }
        challenge
    }

    /// The words for a refresh that brought nothing. Where a sign-in is the remedy, their kind says so.
    fn words(&self, failure: &TokenRequestError, facts: &SessionFacts) -> Error {
        let provider = &self.request.profile.provider;
        let mut error = signin::explain_for(self.request.profile, failure, "refresh the token");
        let answer = match failure {
            TokenRequestError::Refused(answer) => answer,
            TokenRequestError::NotOAuth(found) | TokenRequestError::Malformed(found) if found.is_refusal() => {
                return Error::sign_in_needed(
                    format!("cannot refresh the token: the issuer refuses it without a reason ({found})"),
                    advice(Refusal::SignInAgain).steps,
                );
            }
            _ => return error,
        };
        let began_with_a_code =
            matches!(provider, Provider::Entra { .. }) && facts.method == Method::DeviceCode.name(provider);
        if refusals::is_tracked(answer) {
            // Whoever would be shown a code is told of the other way instead.
            error.kind = if self.would_show_a_code() { Kind::Refused } else { Kind::SignInNeeded };
            error.next = self.without_a_code();
        } else if began_with_a_code && refusals::is_about_codes(answer) && error.kind != Kind::SignInNeeded {
            error.next = format!("{}\n{}", Step::SignInByBrowser { force: true }, error.next);
        }
        error
    }

    /// Whether somebody is asked after a refresh that brought nothing.
    fn leads_to_a_sign_in(&self, failure: &TokenRequestError) -> bool {
        match failure {
            TokenRequestError::Refused(answer) if refusals::is_tracked(answer) => !self.would_show_a_code(),
            TokenRequestError::Refused(answer) => match EntraErrorDetails(answer).class() {
                OAuthErrorClass::GrantRevoked | OAuthErrorClass::InteractionRequired => true,
                // A number may say that it passes; nobody is disturbed for that.
                OAuthErrorClass::GrantRefused => refusals::refusal_of(answer) != Refusal::Transient,
                OAuthErrorClass::Policy | OAuthErrorClass::Transient => false,
                OAuthErrorClass::Misconfigured if answer.error == "invalid_request" => true,
                // Somebody who typed `kubectl login` wants to get out of whatever this is.
                _ => self.request.options.user_initiated,
            },
            TokenRequestError::NotOAuth(answer) | TokenRequestError::Malformed(answer) if answer.is_refusal() => true,
            TokenRequestError::Malformed(_) => self.request.options.user_initiated,
            TokenRequestError::Transport(_) | TokenRequestError::NotOAuth(_) => false,
        }
    }

    /// The way out for a session that was refused for its code. Whoever insisted on a refresh may have a token still,
    /// which would be all that the command brings.
    pub(super) fn without_a_code(&self) -> String {
        match self.request.profile.provider {
            Provider::Entra { .. } => Step::SignInByBrowser { force: self.request.options.force_refresh }.to_string(),
            // Entra, by the flags for any issuer.
            Provider::Oidc { .. } => "Sign in by browser: kubectl login --force --grant-type authcode".to_owned(),
        }
    }

    /// Whether a sign-in at Entra would be one with a device code; it has a page for everybody.
    pub(super) fn would_show_a_code(&self) -> bool {
        match self.request.profile.method {
            Method::DeviceCode => true,
            Method::Auto => signin::code_because(self.request.profile, self.request.person).is_some(),
            Method::Browser | Method::Keyboard | Method::Password => false,
        }
    }
}
