//! What the one process that holds a session's lock does: refresh and keep what came, or have a person sign in
//! (`asking`).

use std::time::Duration;

use chrono::Utc;
use tokio::time::Instant;

use super::coordination::Held;
use super::grant::{self, Unusable};
use super::issuer::{Freshness, Issuer, Unopened};
use super::outcome::Stickiness;
use super::sessions::Named;
use super::{Failed, How, Obtained, Road, sessions};
use crate::entra::refusals::{self, Refusal};
use crate::error::{Error, Kind, Result};
use crate::oauth::answer::{Class, ErrorAnswer};
use crate::oauth::challenge::Challenge;
use crate::oauth::client::Failure;
use crate::profile::{Method, Profile, Provider, TokenKind};
use crate::runtime;
use crate::secret::Secret;
use crate::signin::{self, NoTokens, Reach};
use crate::store::key::HomeError;
use crate::store::records::Keeper;
use crate::store::{Recall, RefusedRefresh, SessionFacts, SessionRecord, TokenRecord};

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
    pub(super) unreadable: Option<HomeError>,
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

/// What comes of a try to refresh.
enum Refreshed {
    Done(Obtained),
    /// A person has to sign in, and why: in words of ours, or the refusal; and what that has to bring, where the issuer
    /// has said so.
    SignIn(Option<Error>, Option<Challenge>),
    /// Nothing was sent: the connection needs a certificate authority that the session was signed in without.
    NotHere(Error),
}

impl Work<'_, '_> {
    pub(super) fn run(self) -> Result<Obtained, WorkFailure> {
        // Whoever ends this process ends it for nobody who waits.
        runtime::run_until_interrupted(self.work()).map_err(|error| match error.kind.is_an_end() {
            true => WorkFailure::Told(error.into()),
            false => WorkFailure::passing(error),
        })?
    }

    async fn work(mut self) -> Result<Obtained, WorkFailure> {
        self.lock.announce_network();
        let (mut reason, mut challenge) = (None, None);
        let mut scopes = self.road.profile.wanted_scopes();
        let mut sessions = sessions::usable(self.road.profile, self.road.store);
        if sessions.is_empty() {
            // There may be one whose facts cannot be read.
            sessions.push(sessions::current(self.road.profile, self.road.store));
        }
        let (mut whose, mut not_here) = (None, false);
        for session in &sessions {
            let renewed = match self.road.store.session(&session.id) {
                Recall::Found((facts, record, keeper)) => {
                    let who = (facts.account.clone(), record.subject.clone());
                    if whose.get_or_insert_with(|| who.clone()) != &who {
                        // An older sign-in is not a substitute for one with another account.
                        continue;
                    }
                    if matches!(self.road.profile.provider, Provider::Oidc { .. }) && !self.road.insist.on_sign_in {
                        // Asked for together, so that two kubeconfig entries with different scopes share one session.
                        scopes.extend(record.scopes.iter().cloned());
                        scopes.sort();
                        scopes.dedup();
                    }
                    self.renew(session, facts, record, &keeper).await?
                }
                Recall::Unreadable(error) => {
                    Refreshed::SignIn(Some(sign_in(format!("the remembered sign-in cannot be read: {error}"))), None)
                }
                Recall::Absent => {
                    let unreadable = |error| sign_in(format!("the remembered token cannot be read: {error}"));
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
            && matches!(self.road.person.reach(), Reach::Nobody { .. })
        {
            return Err(WorkFailure::nobody(error.clone()));
        }
        self.sign_in(reason, scopes, challenge).await
    }

    /// A token from a session, or why a person has to sign in.
    async fn renew(
        &mut self,
        session: &Named,
        facts: SessionFacts,
        record: SessionRecord,
        keeper: &Keeper,
    ) -> Result<Refreshed, WorkFailure> {
        let signing_in = |why: &str| Ok(Refreshed::SignIn(Some(sign_in(why)), None));
        match &record.refresh_token {
            _ if self.road.insist.on_sign_in => Ok(Refreshed::SignIn(None, None)),
            None if record.without_codes && self.would_show_a_code() => {
                let error = Error::refused(
                    "the last sign-in has ended: it began with a device code, which a policy forbids",
                    self.without_a_code(),
                );
                Err(WorkFailure::passing(error))
            }
            None => {
                let refusal = facts.refusal.map(|refusal| refusal.error);
                let ended = || sign_in("the last sign-in has ended");
                Ok(Refreshed::SignIn(Some(refusal.unwrap_or_else(ended)), None))
            }
            Some(_) if !self.covers(&record) => {
                signing_in("this cluster asks for more scopes than the last sign-in gave")
            }
            Some(_) if self.is_asked_for_more(&facts) => {
                signing_in("the issuer asks for more than the last sign-in gave")
            }
            Some(token) => {
                let token = token.clone();
                let record = self.with_confirmed_audience(session, &facts, record, keeper).await?;
                self.refresh(session, token, facts, &record, keeper).await
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

    async fn refresh(
        &self,
        session: &Named,
        token: Secret,
        mut facts: SessionFacts,
        record: &SessionRecord,
        keeper: &Keeper,
    ) -> Result<Refreshed, WorkFailure> {
        // Of what this environment adds, only what the session was signed in under may hear its refresh token.
        let network = self.road.profile.network.pinned_to(&session.anchors);
        let profile = &Profile { network, ..self.road.profile.clone() };
        let needed = profile.network.needed();
        let limit = if self.good.is_some() { EARLY.min(needed) } else { needed };
        let end = Instant::now() + limit;
        let left = || end.saturating_duration_since(Instant::now());

        let mut issuer = match Issuer::open(profile, self.road.store, self.freshness(), limit).await {
            Ok(issuer) => issuer,
            Err(Unopened::NotOfSession(error)) => return Ok(Refreshed::NotHere(not_here(error))),
            Err(Unopened::Other(error)) => return Err(WorkFailure::passing(error)),
        };
        self.road.mention_skipped(&issuer);
        if let Err(error) = issuer.check_site(record.token_endpoint.as_deref()) {
            return Ok(Refreshed::SignIn(Some(error), None));
        }
        issuer.client.challenge = self.road.challenge_of_refresh();
        let scopes = match &profile.provider {
            Provider::Entra { .. } => profile.wanted_scopes(),
            // Without scopes the answer has those of the session (RFC 6749 6).
            Provider::Oidc { .. } => Vec::new(),
        };
        let granted = match issuer.client.refresh(&token, &scopes, left()).await {
            Ok(granted) => granted,
            Err(failure) => {
                issuer.keep_what_was_learnt();
                let error = self.words(&failure, &facts);
                if issuer.client.http.needed_withheld_roots() {
                    return Ok(Refreshed::NotHere(not_here(error)));
                }
                let challenge = match &failure {
                    Failure::Refused(answer) => self.learn(session, Some(answer), &error, facts, record, keeper),
                    Failure::NotOAuth(answer) | Failure::Malformed(answer) if answer.is_a_refusal() => {
                        self.learn(session, None, &error, facts, record, keeper)
                    }
                    _ => None,
                };
                return match self.leads_to_a_sign_in(&failure) {
                    // Told to whoever insists, and to nobody who waits: they may be free to ask.
                    _ if self.road.is_silent() => Err(WorkFailure::Told(error.into())),
                    true => Ok(Refreshed::SignIn(Some(error), challenge)),
                    false => Err(WorkFailure::passing(error)),
                };
            }
        };
        let who = grant::who(&granted);
        if record.subject.is_some() && who.subject.is_some() && record.subject != who.subject {
            // OIDC Core 12.2: a refresh never changes whose session it is.
            let error = sign_in("the issuer answered for another account");
            let refusal = Box::new(RefusedRefresh { at: Utc::now(), error: error.clone() });
            let facts = SessionFacts { refreshable: false, refused: true, refusal: Some(refusal), ..facts };
            let record = SessionRecord { refresh_token: None, ..record.clone() };
            let store = self.road.store;
            // What stays of the session is the reason why it ended.
            let kept = store.forget_tokens(&session.id);
            if self.road.is_wanted(session)
                && !note_down(kept.and_then(|()| store.keep_session(keeper, &session.id, &facts, &record)))
            {
                note_down(store.forget_session(&session.id));
            }
            return Ok(Refreshed::SignIn(Some(error), None));
        }
        facts.account = facts.account.or(who.account);
        let was_refused = facts.refused || facts.refusal.is_some();
        // What this program was given for itself does not say that the cluster's tokens are to be had again.
        facts.refused &= profile.token_kind == TokenKind::Own;
        facts.refusal = facts.refusal.filter(|_| profile.token_kind == TokenKind::Own);
        let is_refused = facts.refused || facts.refusal.is_some();
        // A used refresh token may be worthless from here on, and presenting it again can end the whole session: the
        // new one is on disk before anything else happens.
        let new = grant::refresh_token(&granted);
        let rotated = (new.is_none() && is_refused == was_refused) || {
            let record = SessionRecord { refresh_token: Some(new.unwrap_or(token)), ..record.clone() };
            self.road.is_wanted(session)
                && note_down(self.road.store.keep_session(keeper, &session.id, &facts, &record))
        };
        issuer.keep_what_was_learnt();
        if issuer.client.challenge.is_some() || is_refused != was_refused {
            self.road.forget_challenge();
        }
        let grant = match grant::read(&issuer, profile, &granted, end.max(Instant::now() + BRIEFLY)).await {
            Ok(grant) => grant,
            Err(Unusable::NoIdToken) => {
                return Ok(Refreshed::SignIn(
                    Some(sign_in("the issuer gives no ID token without a new sign-in")),
                    None,
                ));
            }
            Err(Unusable::NotOurs(error) | Unusable::Other(error)) => return Err(WorkFailure::passing(error)),
        };
        let kept = self.road.is_wanted(session) && note_down(self.road.keep_token(keeper, session, &grant)) && rotated;
        tracing::info!("token refreshed");
        Ok(Refreshed::Done(Obtained {
            token: grant.token.token,
            expires_at: grant.token.expires_at,
            how: How::Refreshed,
            facts: Some(facts),
            home: kept.then_some(keeper.home),
            anchors: session.anchors.clone(),
        }))
    }

    /// Draws the lessons from the refusal of a refresh: what is never to be presented again, whether a sign-in is the
    /// remedy, and what that has to bring, which comes back. `answer` is `None` if the issuer gives no reason.
    fn learn(
        &self,
        session: &Named,
        answer: Option<&ErrorAnswer>,
        error: &Error,
        facts: SessionFacts,
        record: &SessionRecord,
        keeper: &Keeper,
    ) -> Option<Challenge> {
        let challenge = answer.and_then(Challenge::in_refusal);
        if !self.road.is_wanted(session) {
            return challenge;
        }
        let ends = answer.is_some_and(refusals::ends_the_session);
        // What this program may not have for itself says nothing of the cluster's tokens. A challenge speaks for itself.
        let is_apart = self.road.profile.token_kind == TokenKind::Own
            && (challenge.is_some() || answer.is_some_and(|answer| refusals::class_of(answer) == Refusal::Consent));
        let refused = facts.refused || ends || (error.kind == Kind::SignInNeeded && !is_apart);
        // The first of several with the same reason tells since when.
        let is_known = facts.refusal.as_ref().is_some_and(|known| known.error.what == error.what);
        let is_refusal = (ends || matches!(error.kind, Kind::SignInNeeded | Kind::Refused)) && !is_apart;
        let refusal = match is_refusal && !is_known {
            true => Some(Box::new(RefusedRefresh { at: Utc::now(), error: error.clone() })),
            false => facts.refusal.clone(),
        };
        if ends || refused != facts.refused || refusal != facts.refusal {
            let facts = SessionFacts { refused, refusal, refreshable: facts.refreshable && !ends, ..facts };
            let record = SessionRecord {
                refresh_token: record.refresh_token.clone().filter(|_| !ends),
                without_codes: answer.is_some_and(refusals::is_tracked),
                ..record.clone()
            };
            note_down(self.road.store.keep_session(keeper, &session.id, &facts, &record));
        }
        if let Some(challenge) = &challenge {
            self.road.note_challenge(challenge);
        }
        challenge
    }

    /// The words for a refresh that brought nothing. Where a sign-in is the remedy, their kind says so.
    fn words(&self, failure: &Failure, facts: &SessionFacts) -> Error {
        let provider = &self.road.profile.provider;
        let mut error = signin::explain_for(self.road.profile, failure, "refresh the token");
        let answer = match failure {
            Failure::Refused(answer) => answer,
            Failure::NotOAuth(found) | Failure::Malformed(found) if found.is_a_refusal() => {
                return Error::sign_in_needed(
                    format!("cannot refresh the token: the issuer refuses it without a reason ({found})"),
                    Refusal::SignInAgain.next(),
                );
            }
            _ => return error,
        };
        let began_with_a_code =
            matches!(provider, Provider::Entra { .. }) && facts.method == Method::DeviceCode.name(provider);
        if refusals::is_tracked(answer) {
            // Whoever would be shown a code is told of the other way instead.
            error.kind = if self.would_show_a_code() { Kind::Refused } else { Kind::SignInNeeded };
            error.next = self.without_a_code().to_owned();
        } else if began_with_a_code && refusals::is_about_codes(answer) && error.kind != Kind::SignInNeeded {
            error.next = format!("{}\n{}", refusals::AFRESH_WITHOUT_A_CODE, error.next);
        }
        error
    }

    /// Whether somebody is asked after a refresh that brought nothing.
    fn leads_to_a_sign_in(&self, failure: &Failure) -> bool {
        match failure {
            Failure::Refused(answer) if refusals::is_tracked(answer) => !self.would_show_a_code(),
            Failure::Refused(answer) => match answer.class() {
                Class::GrantDead | Class::PersonNeeded => true,
                // A number may say that it passes; nobody is disturbed for that.
                Class::GrantRefused => refusals::class_of(answer) != Refusal::Transient,
                Class::Policy | Class::Transient => false,
                Class::SetUp if answer.error == "invalid_request" => true,
                // Somebody who typed `kubectl login` wants to get out of whatever this is.
                _ => self.road.insist.typed,
            },
            Failure::NotOAuth(answer) | Failure::Malformed(answer) if answer.is_a_refusal() => true,
            Failure::Malformed(_) => self.road.insist.typed,
            Failure::Trouble(_) | Failure::NotOAuth(_) => false,
        }
    }

    /// The way out for a session that was refused for its code. Whoever insisted on a refresh may have a token still,
    /// which would be all that the command brings.
    fn without_a_code(&self) -> &'static str {
        match self.road.profile.provider {
            Provider::Entra { .. } if self.road.insist.on_refresh => refusals::AFRESH_WITHOUT_A_CODE,
            Provider::Entra { .. } => refusals::WITHOUT_A_CODE,
            // Entra, by the flags for any issuer.
            Provider::Oidc { .. } => "Sign in by browser: kubectl login --force --grant-type authcode",
        }
    }

    /// Whether a sign-in at Entra would be one with a device code; it has a page for everybody.
    fn would_show_a_code(&self) -> bool {
        match self.road.profile.method {
            Method::DeviceCode => true,
            Method::Auto => signin::code_because(self.road.profile, self.road.person).is_some(),
            Method::Browser | Method::Keyboard | Method::Password => false,
        }
    }

    /// What is remembered of the issuer is good enough, unless somebody typed the command, maybe because it is not.
    pub(super) fn freshness(&self) -> Freshness {
        if self.road.insist.typed { Freshness::Now } else { Freshness::Remembered }
    }
}

/// Why a person has to sign in, where no refusal says so.
fn sign_in(why: impl Into<String>) -> Error {
    Error::sign_in_needed(why, "Sign in: kubectl login")
}

/// A session is of no use over this connection; signing in is, if its authority is one to trust.
fn not_here(error: Error) -> Error {
    Error { kind: Kind::SignInNeeded, ..error }
}

/// Whether something was kept; if not, the log knows why. (The token in hand is given all the same.)
fn note_down(kept: std::io::Result<()>) -> bool {
    if let Err(error) = &kept {
        tracing::info!(%error, "not remembered");
    }
    kept.is_ok()
}
