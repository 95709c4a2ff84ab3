//! What the one process that holds a session's lock does: refresh and keep what came, or have a person sign in
//! (`asking`).

use std::time::Duration;

use tokio::time::Instant;

use super::coordination::Held;
use super::grant::{self, Unusable};
use super::issuer::{Freshness, Issuer};
use super::outcome::Stickiness;
use super::{Failed, How, Obtained, Road};
use crate::entra::refusals::{self, Refusal};
use crate::error::{Error, Kind, Result};
use crate::oauth::answer::Class;
use crate::oauth::challenge::Challenge;
use crate::oauth::client::Failure;
use crate::profile::{Method, Provider};
use crate::runtime;
use crate::secret::Secret;
use crate::signin::{self};
use crate::store::key::HomeError;
use crate::store::records::Keeper;
use crate::store::{Recall, SessionFacts, SessionRecord, TokenRecord};

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

/// What comes of a try to refresh.
enum Refreshed {
    Done(Obtained),
    /// A person has to sign in, and why; and what that has to bring, where the issuer has said so.
    SignIn(String, Option<Challenge>),
}

impl Work<'_, '_> {
    pub(super) fn run(self) -> Result<Obtained, WorkFailure> {
        // Whoever ends this process ends it for nobody who waits.
        runtime::run_until_interrupted(self.work()).map_err(|error| match error.kind.is_an_end() {
            true => WorkFailure::Told(error.into()),
            false => WorkFailure::passing(error),
        })?
    }

    async fn work(self) -> Result<Obtained, WorkFailure> {
        self.lock.announce_network();
        let remembered = self.road.store.session(&self.road.identity.session);
        let (mut reason, mut challenge) = (None, None);
        let mut scopes = self.road.profile.wanted_scopes();
        match remembered {
            Recall::Found((facts, record, keeper)) => {
                match &record.refresh_token {
                    _ if self.road.insist.on_sign_in => {}
                    None if record.without_codes && self.would_show_a_code() => {
                        let error = Error::refused(
                            "the last sign-in has ended: it began with a device code, which a policy forbids",
                            self.without_a_code(),
                        );
                        return Err(WorkFailure::passing(error));
                    }
                    None => reason = Some("the last sign-in has ended".to_owned()),
                    Some(_) if !self.covers(&record) => {
                        reason = Some("this cluster asks for more scopes than the last sign-in gave".to_owned());
                    }
                    Some(token) => match self.refresh(token.clone(), facts, &record, &keeper).await? {
                        Refreshed::Done(obtained) => return Ok(obtained),
                        Refreshed::SignIn(why, asked_for) => (reason, challenge) = (Some(why), asked_for),
                    },
                }
                if matches!(self.road.profile.provider, Provider::Oidc { .. }) && !self.road.insist.on_sign_in {
                    // Asked for together, so that two kubeconfig entries with different scopes share one session.
                    scopes.extend(record.scopes);
                    scopes.sort();
                    scopes.dedup();
                }
            }
            Recall::Unreadable(error) => reason = Some(format!("the remembered sign-in cannot be read: {error}")),
            Recall::Absent => {
                reason = self.unreadable.as_ref().map(|error| format!("the remembered token cannot be read: {error}"));
            }
        }
        if let Some(challenge) = &challenge
            && self.road.is_wanted()
        {
            self.road.note_challenge(challenge);
        }
        if self.good.is_some() {
            // The token in hand is good for another while: nobody is disturbed yet.
            let why = reason.unwrap_or_else(|| "no sign-in is remembered".to_owned());
            return Err(WorkFailure::passing(Error::sign_in_needed(why, "Sign in again: kubectl login")));
        }
        if self.road.insist.on_silence {
            let why = reason.unwrap_or_else(|| "nobody is signed in".to_owned());
            return Err(WorkFailure::Told(Error::sign_in_needed(why, "Sign in: kubectl login").into()));
        }
        self.sign_in(reason, scopes, challenge).await
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

    async fn refresh(
        &self,
        token: Secret,
        mut facts: SessionFacts,
        record: &SessionRecord,
        keeper: &Keeper,
    ) -> Result<Refreshed, WorkFailure> {
        let profile = self.road.profile;
        let needed = profile.network.needed();
        let limit = if self.good.is_some() { EARLY.min(needed) } else { needed };
        let end = Instant::now() + limit;
        let left = || end.saturating_duration_since(Instant::now());

        let mut issuer =
            Issuer::open(profile, self.road.store, self.freshness(), limit).await.map_err(WorkFailure::passing)?;
        issuer.client.challenge.clone_from(&self.road.challenge);
        let scopes = match &profile.provider {
            Provider::Entra { .. } => profile.wanted_scopes(),
            // Without scopes the answer has those of the session (RFC 6749 6).
            Provider::Oidc { .. } => Vec::new(),
        };
        let granted = match issuer.client.refresh(&token, &scopes, left()).await {
            Ok(granted) => granted,
            Err(failure) => {
                let began_with_a_code = matches!(profile.provider, Provider::Entra { .. })
                    && facts.method == Method::DeviceCode.name(&profile.provider);
                if let Failure::Refused(answer) = &failure
                    && refusals::ends_the_session(answer)
                    && self.road.is_wanted()
                {
                    // Never to be presented again (and `status` should not promise it).
                    let without_codes = refusals::is_tracked(answer);
                    let record = SessionRecord { refresh_token: None, without_codes, ..record.clone() };
                    note_down(self.road.keep_session(keeper, &SessionFacts { refreshable: false, ..facts }, &record));
                }
                let challenge = match &failure {
                    Failure::Refused(answer) => Challenge::in_refusal(answer),
                    _ => None,
                };
                let refused = self.refused_refresh(&failure, began_with_a_code);
                return refused.map(|why| Refreshed::SignIn(why, challenge));
            }
        };
        let who = grant::who(&granted);
        if record.subject.is_some() && who.subject.is_some() && record.subject != who.subject {
            // OIDC Core 12.2: a refresh never changes whose session it is.
            let _ = self.road.store.forget_session(&self.road.identity.session);
            return Ok(Refreshed::SignIn("the issuer answered for another account".to_owned(), None));
        }
        facts.account = facts.account.or(who.account);
        // A used refresh token may be worthless from here on, and presenting it again can end the whole session: the
        // new one is on disk before anything else happens.
        let rotated = grant::refresh_token(&granted).is_none_or(|refresh_token| {
            if !self.road.is_wanted() {
                return false;
            }
            let record = SessionRecord { refresh_token: Some(refresh_token), ..record.clone() };
            note_down(self.road.keep_session(keeper, &facts, &record))
        });
        let grant = match grant::read(&issuer, profile, &granted, end.max(Instant::now() + BRIEFLY)).await {
            Ok(grant) => grant,
            Err(Unusable::NoIdToken) => {
                return Ok(Refreshed::SignIn("the issuer gives no ID token without a new sign-in".to_owned(), None));
            }
            Err(Unusable::NotOurs(error) | Unusable::Other(error)) => return Err(WorkFailure::passing(error)),
        };
        let kept = self.road.is_wanted() && note_down(self.road.keep_token(keeper, &grant)) && rotated;
        tracing::info!("token refreshed");
        Ok(Refreshed::Done(Obtained {
            token: grant.token.token,
            expires_at: grant.token.expires_at,
            how: How::Refreshed,
            facts: Some(facts),
            home: kept.then_some(keeper.home),
        }))
    }

    /// A refresh that brought nothing: why a person has to sign in, or the error it is.
    fn refused_refresh(&self, failure: &Failure, began_with_a_code: bool) -> Result<String, WorkFailure> {
        let mut error = signin::explain_for(self.road.profile, failure, "refresh the token");
        let sign_in_helps = match failure {
            // Whoever would be shown a code is told of the other way instead.
            Failure::Refused(answer) if refusals::is_tracked(answer) => !self.would_show_a_code(),
            Failure::Refused(answer) => match answer.class() {
                Class::GrantDead | Class::PersonNeeded => true,
                // A number may say that it passes; nobody is disturbed for that.
                Class::GrantRefused => refusals::class_of(answer) != Refusal::Transient,
                Class::Policy | Class::Transient => false,
                // Dex says this of a refresh token that has ended, for invalid_grant (RFC 6749 5.2). Should the request be at
                // fault after all, the sign-in is going to say so.
                Class::SetUp if answer.error == "invalid_request" => true,
                // Somebody who typed `kubectl login` wants to get out of whatever this is.
                _ => self.road.insist.typed,
            },
            Failure::Malformed(_) => self.road.insist.typed,
            Failure::Trouble(_) | Failure::NotOAuth(_) => false,
        };
        if let (Failure::Refused(answer), false) = (failure, sign_in_helps) {
            if refusals::is_tracked(answer) {
                (error.kind, error.next) = (Kind::Refused, self.without_a_code().to_owned());
            } else if began_with_a_code && refusals::is_about_codes(answer) {
                error.next = format!("{}\n{}", refusals::AFRESH_WITHOUT_A_CODE, error.next);
            }
        }
        if self.road.insist.on_silence {
            // Told to whoever insists, and to nobody who waits: they may be free to ask.
            return Err(WorkFailure::Told(error.into()));
        }
        match (sign_in_helps, &error.reference) {
            (false, _) => Err(WorkFailure::passing(error)),
            (true, Some(reference)) => Ok(format!("{} [{reference}]", error.what)),
            (true, None) => Ok(error.what),
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

    /// Whether a sign-in at Entra would be one with a device code (see [`signin::chosen`]; it has a page for everybody).
    fn would_show_a_code(&self) -> bool {
        match self.road.profile.method {
            Method::DeviceCode => true,
            Method::Auto => self.road.person.lacks_a_browser().is_some(),
            Method::Browser | Method::Keyboard => false,
        }
    }

    /// What is remembered of the issuer is good enough, unless somebody typed the command, maybe because it is not.
    pub(super) fn freshness(&self) -> Freshness {
        if self.road.insist.typed { Freshness::Now } else { Freshness::Remembered }
    }
}

/// Whether something was kept; if not, the log knows why. (The token in hand is given all the same.)
fn note_down(kept: std::io::Result<()>) -> bool {
    if let Err(error) = &kept {
        tracing::info!(%error, "not remembered");
    }
    kept.is_ok()
}
