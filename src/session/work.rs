//! What the one process that holds a session's lock does: refresh and keep what came (a refusal: `refused`), or have a
//! person sign in (`asking`).

use std::time::Duration;

use tokio::time::Instant;

use super::coordination::Held;
use super::grant::{self, Unusable};
use super::issuer::{Freshness, Issuer, Unopened};
use super::outcome::Stickiness;
use super::sessions::Named;
use super::{Failed, How, Obtained, Road, sessions};
use crate::messages;
use crate::profile::{Profile, Provider, TokenKind};
use crate::runtime::{self, RuntimeError};
use crate::signin::{NoTokens, Reach};
use crate::store::KeyError;
use crate::store::SealingKey;
use crate::store::{Lookup, SessionFacts, SessionRecord, StoreError, TokenRecord};
use kubectl_login_core::clock;
use kubectl_login_core::error::{Error, Kind, Result};
use kubectl_login_core::oauth::challenge::ClaimsChallenge;
use kubectl_login_core::secret::Secret;

/// An early refresh is a courtesy; nobody waits long for it.
const EARLY: Duration = Duration::from_secs(5);
/// What is left at least for looking at tokens that came at the last moment.
const BRIEFLY: Duration = Duration::from_secs(1);

/// The work for one session, with its lock held.
pub(super) struct Work<'a, 'r> {
    pub(super) road: &'a Road<'r>,
    pub(super) lock: &'a mut Held,
    /// A token that is still good: what comes out of a failed refresh.
    pub(super) good: Option<&'a TokenRecord>,
    /// Why what is remembered cannot be read.
    pub(super) unreadable: Option<KeyError>,
    /// Whether a person may be asked again after how it ended the last time. A refresh asks nobody and needs no leave.
    pub(super) may_ask: &'a dyn Fn() -> Result<(), Failed>,
}

/// Why there is no token.
pub(super) enum WorkFailure {
    /// Something failed just now.
    New { error: Error, stickiness: Stickiness },
    /// It concerns this process alone: how the last sign-in ended, or what it insists on.
    Told(Failed),
}

impl WorkFailure {
    pub(super) fn passing(error: Error) -> Self {
        WorkFailure::New { error, stickiness: Stickiness::Passing }
    }

    pub(super) fn nobody(error: Error) -> Self {
        WorkFailure::New { error, stickiness: Stickiness::Nobody }
    }

    pub(super) fn sticky(error: Error) -> Self {
        WorkFailure::New { error, stickiness: Stickiness::Sticky }
    }
}

impl From<NoTokens> for WorkFailure {
    fn from(ending: NoTokens) -> Self {
        match ending {
            NoTokens::Unanswered(error) => WorkFailure::New { error, stickiness: Stickiness::Unanswered },
            NoTokens::Refused(error) => WorkFailure::sticky(error),
            NoTokens::NotShown(error) => WorkFailure::nobody(error),
            NoTokens::NotForThisClient(error) | NoTokens::Failed(error) => WorkFailure::passing(error),
        }
    }
}

/// A session that opens.
pub(super) struct OpenSession<'s> {
    pub(super) named: &'s Named,
    pub(super) facts: SessionFacts,
    pub(super) record: SessionRecord,
    pub(super) sealing_key: SealingKey,
}

/// What comes of a try to refresh.
pub(super) enum Refreshed {
    Done(Obtained),
    /// A person has to sign in, and why: in words of ours, or the refusal; and what that has to bring, where the issuer
    /// has said so.
    SignIn(Option<Error>, Option<ClaimsChallenge>),
    /// Nothing was sent: the connection needs a certificate authority that the session was signed in without.
    NotHere(Error),
}

impl Work<'_, '_> {
    pub(super) fn run(self) -> Result<Obtained, WorkFailure> {
        // A signal ends this process, and not those that wait for its outcome.
        runtime::run_until_interrupted(self.work()).map_err(|error| match error {
            RuntimeError::Stopped(_) => WorkFailure::Told(Error::from(error).into()),
            RuntimeError::NoResources(_) => WorkFailure::passing(error.into()),
        })?
    }

    async fn work(mut self) -> Result<Obtained, WorkFailure> {
        self.lock.announce_network();
        let (mut reason, mut challenge) = (None, None);
        let mut scopes = self.road.profile.wanted_scopes();
        let mut sessions = self.road.usable_sessions();
        if sessions.is_empty() {
            // There may be one whose facts cannot be read.
            sessions.push(sessions::own(&self.road.identity));
        }
        let (mut whose, mut not_here) = (None, false);
        for session in &sessions {
            let renewed = match self.road.store.session(&session.id) {
                Lookup::Found((facts, record, sealing_key)) => {
                    let session = OpenSession { named: session, facts, record, sealing_key };
                    let who = (session.facts.account.clone(), session.record.subject.clone());
                    if whose.get_or_insert_with(|| who.clone()) != &who {
                        // An older sign-in is not a substitute for one with another account.
                        continue;
                    }
                    if matches!(self.road.profile.provider, Provider::Oidc { .. }) && !self.road.insist.on_sign_in {
                        // Asked for together, so that two kubeconfig entries with different scopes share one session.
                        scopes.extend(session.record.scopes.iter().cloned());
                        scopes.sort();
                        scopes.dedup();
                    }
                    self.renew(session).await?
                }
                Lookup::Unreadable(error) => Refreshed::SignIn(
                    Some(sign_in(format!(
                        "the remembered sign-in cannot be read: {}",
                        messages::store::key_reason(&error)
                    ))),
                    None,
                ),
                Lookup::Absent => {
                    let unreadable = |error: &KeyError| {
                        sign_in(format!("the remembered token cannot be read: {}", messages::store::key_reason(error)))
                    };
                    Refreshed::SignIn(self.unreadable.as_ref().map(unreadable), None)
                }
            };
            match renewed {
                Refreshed::Done(obtained) => return Ok(obtained),
                Refreshed::SignIn(why, asked_for) => {
                    (reason, challenge, not_here) = (why, asked_for, false);
                    break;
                }
                Refreshed::NotHere(why) => {
                    not_here = true;
                    reason = reason.or(Some(why));
                }
            }
        }
        // A refusal just now may be one that somebody who types `kubectl login` insists on settling.
        if self.good.is_some() && !self.road.insists() {
            // The token in hand is good for another while: nobody is disturbed yet.
            return Err(WorkFailure::passing(reason.unwrap_or_else(|| sign_in("no sign-in is remembered"))));
        }
        if self.road.is_silent() {
            // Told to whoever insists, and to nobody who waits: they may be free to ask.
            return Err(WorkFailure::Told(reason.unwrap_or_else(|| sign_in("nobody is signed in")).into()));
        }
        // Its own words say when not to sign in.
        if let Some(error) = reason.as_ref().filter(|_| not_here)
            && self.road.profile.needs_a_person()
            && matches!(self.road.person.reach(), Reach::Unavailable { .. })
        {
            return Err(WorkFailure::nobody(error.clone()));
        }
        self.sign_in(reason, scopes, challenge).await
    }

    /// A token from a session, or why a person has to sign in.
    async fn renew(&mut self, mut session: OpenSession<'_>) -> Result<Refreshed, WorkFailure> {
        let signing_in = |why: &str| Ok(Refreshed::SignIn(Some(sign_in(why)), None));
        match session.record.refresh_token.clone() {
            _ if self.road.insist.on_sign_in => Ok(Refreshed::SignIn(None, None)),
            None if session.record.without_codes && self.would_show_a_code() => {
                let error = Error::refused(
                    "the last sign-in has ended: it began with a device code, which a policy forbids",
                    self.without_a_code(),
                );
                Err(WorkFailure::passing(error))
            }
            None => {
                let refusal = session.facts.refusal.map(|refusal| refusal.error);
                let ended = || sign_in("the last sign-in has ended");
                Ok(Refreshed::SignIn(Some(refusal.unwrap_or_else(ended)), None))
            }
            Some(_) if !self.covers(&session.record) => {
                signing_in("this cluster asks for more scopes than the last sign-in gave")
            }
            Some(_) if self.is_asked_for_more(&session.facts) => {
                signing_in("the issuer asks for more than the last sign-in gave")
            }
            Some(token) => {
                self.confirm_audience(&mut session).await?;
                self.refresh(session, token).await
            }
        }
    }

    /// Whether the session's scopes are enough. An Entra refresh token serves any server of its client.
    fn covers(&self, record: &SessionRecord) -> bool {
        match &self.road.profile.provider {
            Provider::Entra { .. } => true,
            Provider::Oidc { .. } => {
                self.road.profile.wanted_scopes().iter().all(|scope| record.scopes.contains(scope))
            }
        }
    }

    /// Whether a sign-in was asked for, and not for the sake of the cluster's tokens: no refresh of those would bring it.
    fn is_asked_for_more(&self, facts: &SessionFacts) -> bool {
        let insist = self.road.insist;
        insist.typed
            && !insist.on_refresh
            && !facts.refused
            && self.road.challenge.is_none()
            && self.road.open_challenge(None).is_some()
    }

    /// A token by the session's refresh token.
    async fn refresh(&self, mut session: OpenSession<'_>, token: Secret) -> Result<Refreshed, WorkFailure> {
        let named = session.named;
        // Of what this environment adds, only what the session was signed in under may hear its refresh token.
        let network = self.road.profile.network.pinned_to(&named.anchors);
        let profile = &Profile { network, ..self.road.profile.clone() };
        let needed = profile.network.needed();
        let limit = if self.good.is_some() { clock::limit(EARLY).min(needed) } else { needed };
        let end = Instant::now() + limit;

        let mut issuer = match Issuer::open(profile, self.road.store, self.freshness(), limit).await {
            Ok(issuer) => issuer,
            Err(Unopened::NotOfSession(error)) => return Ok(Refreshed::NotHere(not_here(error))),
            Err(Unopened::Other(error)) => return Err(WorkFailure::passing(error)),
        };
        if let Err(error) = issuer.check_site(session.record.token_endpoint.as_deref()) {
            return Ok(Refreshed::SignIn(Some(error), None));
        }
        issuer.client.challenge = self.road.challenge_of_refresh();
        let scopes = match &profile.provider {
            Provider::Entra { .. } => profile.wanted_scopes(),
            // Without scopes the answer has those of the session (RFC 6749 6).
            Provider::Oidc { .. } => Vec::new(),
        };
        let left = end.saturating_duration_since(Instant::now());
        let granted = match issuer.client.refresh(&token, &scopes, left).await {
            Ok(granted) => granted,
            Err(failure) => {
                issuer.keep_what_was_learnt();
                return self.not_refreshed(&failure, session, issuer.client.http.needed_withheld_roots());
            }
        };
        let who = grant::who(&granted);
        if session.record.subject.is_some() && who.subject.is_some() && session.record.subject != who.subject {
            return Ok(Refreshed::SignIn(Some(self.end_for_another_account(session)), None));
        }
        session.facts.account = session.facts.account.or(who.account);
        let rotated = self.keep_refreshed(&mut session, token, grant::refresh_token(&granted), &issuer);
        issuer.keep_what_was_learnt();
        let grant = match grant::read(&issuer, profile, &granted, end.max(Instant::now() + clock::limit(BRIEFLY))).await
        {
            Ok(grant) => grant,
            Err(Unusable::NoIdToken) => {
                return Ok(Refreshed::SignIn(
                    Some(sign_in("the issuer gives no ID token without a new sign-in")),
                    None,
                ));
            }
            Err(Unusable::NotOurs(error) | Unusable::Other(error)) => return Err(WorkFailure::passing(error)),
        };
        let sealing_key = &session.sealing_key;
        let kept = self.road.is_wanted(named) && note_down(self.road.keep_token(sealing_key, named, &grant)) && rotated;
        tracing::info!("token refreshed");
        Ok(Refreshed::Done(Obtained {
            token: grant.token.token,
            expires_at: grant.token.expires_at,
            how: How::Refreshed,
            facts: Some(session.facts),
            key_backend: kept.then_some(sealing_key.backend),
            anchors: named.anchors.clone(),
        }))
    }

    /// Notes down what a refresh with `token` has changed: the refresh token itself, and that none is refused any more. A
    /// used one may be worthless from here on, and presenting it again can end the whole session, so the `new` one is on disk
    /// before anything else happens. Whether the session is kept as it is now.
    fn keep_refreshed(
        &self,
        session: &mut OpenSession<'_>,
        token: Secret,
        new: Option<Secret>,
        issuer: &Issuer<'_>,
    ) -> bool {
        let OpenSession { named, facts, record, sealing_key } = session;
        let was_refused = facts.refused || facts.refusal.is_some();
        // What this program was given for itself does not say that the cluster's tokens are to be had again.
        let is_own = self.road.profile.token_kind == TokenKind::Own;
        facts.refused &= is_own;
        facts.refusal = facts.refusal.take().filter(|_| is_own);
        let is_refused = facts.refused || facts.refusal.is_some();
        let kept = (new.is_none() && is_refused == was_refused) || {
            record.refresh_token = Some(new.unwrap_or(token));
            self.road.is_wanted(named) && note_down(self.road.store.save_session(sealing_key, &named.id, facts, record))
        };
        if issuer.client.challenge.is_some() || is_refused != was_refused {
            self.road.forget_challenge();
        }
        kept
    }

    /// What is remembered of the issuer is good enough, unless somebody typed the command, maybe because it is not.
    pub(super) fn freshness(&self) -> Freshness {
        if self.road.insist.typed { Freshness::Now } else { Freshness::Remembered }
    }
}

/// Why a person has to sign in, where no refusal says so.
pub(super) fn sign_in(why: impl Into<String>) -> Error {
    Error::sign_in_needed(why, "Sign in: kubectl login")
}

/// A session is of no use over this connection; signing in is, if its authority is one to trust.
pub(super) fn not_here(error: Error) -> Error {
    Error { kind: Kind::SignInNeeded, ..error }
}

/// Whether something was kept; if not, the log knows why. (The token in hand is given all the same.)
pub(super) fn note_down(kept: Result<(), StoreError>) -> bool {
    if let Err(error) = &kept {
        tracing::info!(reason = messages::store::reason(error), "not remembered");
    }
    kept.is_ok()
}
