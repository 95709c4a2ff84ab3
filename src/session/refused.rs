//! What a refused refresh means: for the session, for the user, and for the next sign-in.

use super::attempt::{AttemptFailure, LockedRequest};
use super::refresh::{OpenSession, Renewed, is_stored, not_trusted};
use crate::failure::{self, Failure, RequestFailure, RequestPhase, SessionProblem};
use crate::profile::{Method, Provider, TokenKind};
use crate::signin;
use crate::store::{RefusedRefresh, SessionFacts, SessionRecord};
use kubectl_login_core::clock;
use kubectl_login_core::entra::error_details::EntraErrorDetails;
use kubectl_login_core::entra::refusals::{self, Refusal, Remedy};
use kubectl_login_core::oauth::challenge::ClaimsChallenge;
use kubectl_login_core::oauth::client::TokenRequestError;
use kubectl_login_core::oauth::error_response::{OAuthErrorClass, OAuthErrorResponse};

impl LockedRequest<'_, '_> {
    /// What comes of a refresh that failed; `needed_withheld_roots` if the connection would have needed an authority that the
    /// session was signed in without.
    pub(super) fn not_refreshed(
        &self,
        error: TokenRequestError,
        session: OpenSession<'_>,
        needed_withheld_roots: bool,
    ) -> Result<Renewed, AttemptFailure> {
        let refused = RequestFailure::new(error, self.phase(&session.facts));
        let failure = Failure::from(refused.clone());
        if needed_withheld_roots {
            return Ok(Renewed::NotTrusted(not_trusted(failure)));
        }
        let challenge = match &refused.error {
            TokenRequestError::Refused(answer) => self.record_refusal(session, Some(answer), &failure),
            _ if refused.is_refused_without_reason() => self.record_refusal(session, None, &failure),
            _ => None,
        };
        match self.leads_to_sign_in(&refused) {
            // For this caller alone: the processes that wait may be able to prompt.
            _ if self.request.is_non_interactive() => Err(AttemptFailure::Told(failure.into())),
            true => Ok(Renewed::SignIn(Some(failure), challenge)),
            false => Err(AttemptFailure::passing(failure)),
        }
    }

    /// What a refresh was for, with what decides about the ways out.
    fn phase(&self, facts: &SessionFacts) -> RequestPhase {
        let provider = &self.request.profile.provider;
        RequestPhase::Refresh {
            began_with_code: matches!(provider, Provider::Entra { .. })
                && facts.method == Method::DeviceCode.name(provider),
            would_show_code: self.would_show_a_code(),
            is_forced: self.request.options.force_refresh,
        }
    }

    /// Ends a session whose refresh brought tokens of another account (OIDC Core 12.2: a refresh never changes whose session
    /// it is). Only the reason stays.
    pub(super) fn end_for_another_account(&self, session: OpenSession<'_>) {
        let OpenSession { named, facts, record, sealing_key } = session;
        let refusal = RefusedRefresh { needs_sign_in: Some(true), ..refused_now(&SessionProblem::OtherAccount.into()) };
        let facts = SessionFacts { refreshable: false, refusal: Some(Box::new(refusal)), ..facts };
        let record = SessionRecord { refresh_token: None, ..record };
        let store = self.request.store;
        let kept = store.delete_tokens(&named.id);
        if self.request.is_wanted(named)
            && !is_stored(kept.and_then(|()| store.save_session(&sealing_key, &named.id, &facts, &record)))
        {
            is_stored(store.delete_session(&named.id));
        }
    }

    /// Records what the refusal of a refresh means: whether the refresh token is worthless, whether a sign-in helps, and which
    /// claims that has to bring, which are returned. `answer` is `None` if the issuer gives no reason.
    fn record_refusal(
        &self,
        session: OpenSession<'_>,
        answer: Option<&OAuthErrorResponse>,
        failure: &Failure,
    ) -> Option<ClaimsChallenge> {
        let OpenSession { named, facts, record, sealing_key } = session;
        let challenge = answer.and_then(|answer| EntraErrorDetails(answer).claims_challenge());
        if !self.request.is_wanted(named) {
            return challenge;
        }
        let ends = answer.is_some_and(refusals::ends_the_session);
        // A refusal of this program's own use says nothing of the cluster's tokens.
        let is_apart = self.request.profile.token_kind == TokenKind::Own
            && (challenge.is_some() || answer.is_some_and(|answer| refusals::refusal_of(answer) == Refusal::Consent));
        if ends || (failure.remedy() != Remedy::Other && !is_apart) {
            let known = facts.refusal.as_deref().cloned();
            let needed_sign_in = facts.needs_sign_in();
            // The first of several refusals with the same reason tells since when.
            let is_same =
                |known: &RefusedRefresh| refusal_of(known).is_some_and(|known| known.has_same_reason_as(failure));
            let refusal = RefusedRefresh {
                needs_sign_in: Some(needed_sign_in || ends || failure.remedy() == Remedy::SignIn),
                forbids_codes: answer.is_some_and(refusals::is_tracked),
                ..known.filter(is_same).unwrap_or_else(|| refused_now(failure))
            };
            if ends || facts.refusal.as_deref() != Some(&refusal) {
                let refreshable = facts.refreshable && !ends;
                let facts = SessionFacts { refusal: Some(Box::new(refusal)), refreshable, ..facts };
                let record = SessionRecord { refresh_token: record.refresh_token.filter(|_| !ends), ..record };
                is_stored(self.request.store.save_session(&sealing_key, &named.id, &facts, &record));
            }
        }
        if let Some(challenge) = &challenge {
            self.coordination.history.set_challenge(Some(challenge));
        }
        challenge
    }

    /// Whether the user is prompted after a refresh that failed.
    fn leads_to_sign_in(&self, failure: &RequestFailure) -> bool {
        let RequestFailure { error, .. } = failure;
        match error {
            TokenRequestError::Refused(answer) if refusals::is_tracked(answer) => !self.would_show_a_code(),
            TokenRequestError::Refused(answer) => match EntraErrorDetails(answer).class() {
                OAuthErrorClass::GrantRevoked | OAuthErrorClass::InteractionRequired => true,
                // The number may say that the refusal is temporary.
                OAuthErrorClass::GrantRefused => refusals::refusal_of(answer) != Refusal::Transient,
                OAuthErrorClass::Policy | OAuthErrorClass::Transient => false,
                OAuthErrorClass::Misconfigured if answer.error == "invalid_request" => true,
                // A user who typed `kubectl login` wants a sign-in, whatever the reason.
                _ => self.request.options.user_initiated,
            },
            _ if failure.is_refused_without_reason() => true,
            TokenRequestError::Malformed(_) => self.request.options.user_initiated,
            TokenRequestError::Transport(_) | TokenRequestError::NotOAuth(_) => false,
        }
    }

    /// Whether a sign-in at Entra would be one with a device code; Entra always has a page too.
    pub(super) fn would_show_a_code(&self) -> bool {
        match self.request.profile.method {
            Method::DeviceCode => true,
            Method::Auto => signin::code_because(self.request.profile, self.request.person).is_some(),
            Method::Browser | Method::Keyboard | Method::Password => false,
        }
    }
}

/// Why the issuer refused a refresh, if this version of the program can read it.
pub fn refusal_of(refused: &RefusedRefresh) -> Option<Failure> {
    failure::from_value(&refused.failure)
}

fn refused_now(failure: &Failure) -> RefusedRefresh {
    RefusedRefresh {
        at: clock::now(),
        failure: failure::to_value(failure),
        needs_sign_in: Some(false),
        forbids_codes: false,
    }
}
