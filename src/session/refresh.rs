//! Refreshes a token with a stored session, and stores what came. What a refusal means is in `refused`.

use std::time::Duration;

use tokio::time::Instant;

use super::attempt::{AttemptFailure, LockedRequest, Refreshed, SignInNeed};
use super::grant::{self, GrantError};
use super::issuer::{Freshness, Issuer, OpenError};
use super::refused::refusal_of;
use super::sessions;
use super::sessions::SessionName;
use crate::failure::{Failure, SessionProblem};
use crate::issued_token::{IssuedToken, TokenOrigin};
use crate::profile::{Profile, Provider, TokenKind};
use crate::signin::Interactivity;
use crate::store::SealingKey;
use crate::store::{Lookup, SessionFacts, SessionRecord, StoreError};
use kubectl_login_core::clock;
use kubectl_login_core::oauth::challenge::ClaimsChallenge;
use kubectl_login_core::secret::Secret;

/// An early refresh is optional, so it gets a short deadline.
const EARLY: Duration = Duration::from_secs(5);
/// The least time for checking tokens that arrive at the last moment.
const BRIEFLY: Duration = Duration::from_secs(1);

/// A session that can be decrypted.
pub(super) struct OpenSession<'s> {
    pub(super) named: &'s SessionName,
    pub(super) facts: SessionFacts,
    pub(super) record: SessionRecord,
    pub(super) sealing_key: SealingKey,
}

/// What one session brings.
pub(super) enum Renewed {
    /// A token.
    Token(IssuedToken),
    /// The user has to sign in: why, and what the sign-in has to satisfy if the issuer has said so.
    SignIn(Option<Failure>, Option<ClaimsChallenge>),
    /// Nothing was sent: the connection needs a certificate authority that the session was signed in without.
    NotTrusted(Failure),
}

impl LockedRequest<'_, '_> {
    /// A token from the newest session that can bring one, or what a sign-in is needed for.
    pub(super) async fn refresh(&mut self) -> Result<Refreshed, AttemptFailure> {
        self.lock.announce_network();
        let request = self.request;
        let mut need = SignInNeed { scopes: request.profile.wanted_scopes(), ..SignInNeed::default() };
        let mut sessions = request.usable_sessions();
        if sessions.is_empty() {
            // The plain session may exist with facts that cannot be read.
            sessions.push(sessions::own(request.identity));
        }
        let (mut user, mut is_not_trusted) = (None, false);
        for session in &sessions {
            let renewed = match request.store.session(&session.id) {
                Lookup::Found((facts, record, sealing_key)) => {
                    let session = OpenSession { named: session, facts, record, sealing_key };
                    let this_user = (session.facts.account.clone(), session.record.subject.clone());
                    if user.get_or_insert_with(|| this_user.clone()) != &this_user {
                        // An older sign-in is not a substitute for one with another account.
                        continue;
                    }
                    if matches!(request.profile.provider, Provider::Oidc { .. }) && !request.options.force_sign_in {
                        // Requested together, so that two kubeconfig entries with different scopes share one session.
                        need.scopes.extend(session.record.scopes.iter().cloned());
                        need.scopes.sort();
                        need.scopes.dedup();
                    }
                    self.renew(session).await?
                }
                Lookup::Unreadable(error) => Renewed::sign_in(SessionProblem::Unreadable(error)),
                Lookup::Absent => {
                    let unreadable = self.pending.cached.unreadable();
                    Renewed::SignIn(unreadable.map(|error| SessionProblem::UnreadableToken(error).into()), None)
                }
            };
            match renewed {
                Renewed::Token(token) => return Ok(Refreshed::Token(token)),
                Renewed::SignIn(reason, challenge) => {
                    (need.reason, need.challenge, is_not_trusted) = (reason, challenge, false);
                    break;
                }
                Renewed::NotTrusted(reason) => {
                    is_not_trusted = true;
                    need.reason = need.reason.or(Some(reason));
                }
            }
        }
        self.check_worth_a_sign_in(&need, is_not_trusted)?;
        Ok(Refreshed::SignIn(need))
    }

    /// Checks that a sign-in is what this request wants now.
    fn check_worth_a_sign_in(&self, need: &SignInNeed, is_not_trusted: bool) -> Result<(), AttemptFailure> {
        let (request, reason) = (self.request, need.reason.clone());
        if self.usable().is_some() {
            // The cached token is valid for a while, so the user is not disturbed yet.
            return Err(AttemptFailure::passing(reason.unwrap_or(Failure::NotSignedIn)));
        }
        if request.is_non_interactive() {
            // For this caller alone: the processes that wait may be able to prompt.
            return Err(AttemptFailure::Told(reason.unwrap_or(Failure::NotSignedIn).into()));
        }
        // Its own advice says when not to sign in.
        if let Some(failure) = reason.filter(|_| is_not_trusted)
            && request.profile.prompts()
            && matches!(request.person.interactivity(), Interactivity::None(_))
        {
            return Err(AttemptFailure::not_prompted(failure));
        }
        Ok(())
    }

    /// A token from a session, or why the user has to sign in.
    async fn renew(&mut self, mut session: OpenSession<'_>) -> Result<Renewed, AttemptFailure> {
        match session.record.refresh_token.clone() {
            _ if self.request.options.force_sign_in => Ok(Renewed::SignIn(None, None)),
            None if (session.facts.forbids_codes() || session.record.without_codes) && self.would_show_a_code() => {
                let is_forced = self.request.options.force_refresh;
                Err(AttemptFailure::passing(Failure::DeviceCodeSession { is_forced }))
            }
            None => {
                let refusal = session.facts.refusal.and_then(|refused| refusal_of(&refused));
                Ok(Renewed::SignIn(Some(refusal.unwrap_or(SessionProblem::Expired.into())), None))
            }
            Some(_) if !self.covers(&session.record) => Ok(Renewed::sign_in(SessionProblem::Scopes)),
            Some(_) if self.is_asked_for_more(&session.facts) => Ok(Renewed::sign_in(SessionProblem::Claims)),
            Some(token) => {
                self.confirm_audience(&mut session).await?;
                self.refresh_with(session, token).await
            }
        }
    }

    /// Whether the session's scopes are enough. An Entra refresh token serves any server of its client.
    fn covers(&self, record: &SessionRecord) -> bool {
        match &self.request.profile.provider {
            Provider::Entra { .. } => true,
            Provider::Oidc { .. } => {
                self.request.profile.wanted_scopes().iter().all(|scope| record.scopes.contains(scope))
            }
        }
    }

    /// Whether the issuer has asked for claims for another token than the cluster's: no refresh of the cluster's would bring
    /// them.
    fn is_asked_for_more(&self, facts: &SessionFacts) -> bool {
        let options = self.request.options;
        options.user_initiated
            && !options.force_refresh
            && !facts.needs_sign_in()
            && self.request.challenge.is_none()
            && self.request.open_challenge(None).is_some()
    }

    /// A token by the session's refresh token.
    async fn refresh_with(&self, mut session: OpenSession<'_>, token: Secret) -> Result<Renewed, AttemptFailure> {
        let named = session.named;
        // Of the authorities that this environment adds, only those of the session's sign-in are trusted with its refresh token.
        let network = self.request.profile.network.pinned_to(&named.anchors);
        let profile = &Profile { network, ..self.request.profile.clone() };
        let needed = profile.network.needed();
        let limit = if self.usable().is_some() { clock::limit(EARLY).min(needed) } else { needed };
        let end = Instant::now() + limit;

        let mut issuer = match Issuer::open(profile, self.request.store, self.freshness(), limit).await {
            Ok(issuer) => issuer,
            Err(OpenError::NotTrusted(failure)) => return Ok(Renewed::NotTrusted(not_trusted(failure))),
            Err(OpenError::Failed(failure)) => return Err(AttemptFailure::passing(failure)),
        };
        if let Err(failure) = issuer.check_site(session.record.token_endpoint.as_deref()) {
            return Ok(Renewed::SignIn(Some(failure), None));
        }
        issuer.client.challenge = self.request.challenge_of_refresh();
        let scopes = match &profile.provider {
            Provider::Entra { .. } => profile.wanted_scopes(),
            // Without scopes the response has those of the session (RFC 6749 6).
            Provider::Oidc { .. } => Vec::new(),
        };
        let left = end.saturating_duration_since(Instant::now());
        let granted = match issuer.client.refresh(&token, &scopes, left).await {
            Ok(granted) => granted,
            Err(error) => {
                issuer.cache_what_was_learned();
                return self.not_refreshed(error, session, issuer.client.http.needed_withheld_roots());
            }
        };
        let who = grant::signed_in_user(&granted);
        if session.record.subject.is_some() && who.subject.is_some() && session.record.subject != who.subject {
            self.end_for_another_account(session);
            return Ok(Renewed::sign_in(SessionProblem::OtherAccount));
        }
        session.facts.account = session.facts.account.or(who.account);
        let rotated = self.store_refreshed(&mut session, token, grant::refresh_token(&granted), &issuer);
        issuer.cache_what_was_learned();
        let grant = match grant::read(&issuer, profile, &granted, end.max(Instant::now() + clock::limit(BRIEFLY))).await
        {
            Ok(grant) => grant,
            Err(GrantError::Failed(Failure::NoIdToken)) => return Ok(Renewed::sign_in(SessionProblem::NoIdToken)),
            Err(GrantError::NotOurs(failure) | GrantError::Failed(failure)) => {
                return Err(AttemptFailure::passing(failure));
            }
        };
        let sealing_key = &session.sealing_key;
        let kept =
            self.request.is_wanted(named) && is_stored(self.request.keep_token(sealing_key, named, &grant)) && rotated;
        tracing::info!("token refreshed");
        Ok(Renewed::Token(IssuedToken {
            token: grant.token.token,
            expires_at: grant.token.expires_at,
            origin: TokenOrigin::Refresh,
            facts: Some(session.facts),
            key_backend: kept.then_some(sealing_key.backend),
            anchors: named.anchors.clone(),
        }))
    }

    /// Stores what a refresh with `token` has changed: the refresh token, and that the session is not refused any more. A used
    /// refresh token may be worthless, and using it again can end the session, so the `new` one is stored before anything else
    /// happens. Returns whether the session is stored.
    fn store_refreshed(
        &self,
        session: &mut OpenSession<'_>,
        token: Secret,
        new: Option<Secret>,
        issuer: &Issuer<'_>,
    ) -> bool {
        let OpenSession { named, facts, record, sealing_key } = session;
        let was_refused = facts.refusal.is_some();
        // A token for this program's own use does not show that the cluster's tokens are granted again.
        let is_own = self.request.profile.token_kind == TokenKind::Own;
        facts.refusal = facts.refusal.take().filter(|_| is_own);
        let is_refused = facts.refusal.is_some();
        let kept = (new.is_none() && is_refused == was_refused) || {
            record.refresh_token = Some(new.unwrap_or(token));
            self.request.is_wanted(named)
                && is_stored(self.request.store.save_session(sealing_key, &named.id, facts, record))
        };
        if issuer.client.challenge.is_some() || is_refused != was_refused {
            self.coordination.history.set_challenge(None);
        }
        kept
    }

    /// A cached discovery document will do, unless the user typed the command, maybe because the document is outdated.
    pub(super) fn freshness(&self) -> Freshness {
        if self.request.options.user_initiated { Freshness::Now } else { Freshness::Cached }
    }
}

impl Renewed {
    fn sign_in(problem: SessionProblem) -> Renewed {
        Renewed::SignIn(Some(problem.into()), None)
    }
}

/// The failure of a session over a connection that it does not trust. A sign-in helps, if its authority can be trusted.
pub(super) fn not_trusted(failure: Failure) -> Failure {
    Failure::NotTrustedBySession(Box::new(failure))
}

/// Whether something was stored; if not, the log says why. (The caller gets the token in any case.)
pub(super) fn is_stored(kept: Result<(), StoreError>) -> bool {
    if let Err(error) = &kept {
        tracing::info!(%error, cause = error.cause().map(tracing::field::display), "not stored");
    }
    kept.is_ok()
}
