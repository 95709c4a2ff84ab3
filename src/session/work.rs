//! What the one process that holds a session's lock does: refresh, or let a person sign in, and keep what came.

use std::cell::RefCell;
use std::time::Duration;

use tokio::time::Instant;

use super::coordination::Held;
use super::grant::{self, Unusable};
use super::issuer::{Freshness, Issuer};
use super::outcome::Stickiness;
use super::{Failed, How, Obtained, Road};
use crate::error::{Error, Kind, Result};
use crate::oauth::answer::Class;
use crate::oauth::client::Failure;
use crate::profile::{Provider, Storage};
use crate::secret::Secret;
use crate::signin::{self, Desk, NoTokens, Reach};
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
    fn passing(error: Error) -> Self {
        WorkFailure::New { error, stickiness: Stickiness::Passing }
    }

    fn nobody(error: Error) -> Self {
        WorkFailure::New { error, stickiness: Stickiness::Nobody }
    }

    fn sticky(error: Error) -> Self {
        WorkFailure::New { error, stickiness: Stickiness::Sticky }
    }
}

/// What comes of a try to refresh.
enum Refreshed {
    Done(Obtained),
    /// A person has to sign in, and why.
    SignIn(String),
}

impl Work<'_, '_> {
    pub(super) fn run(self) -> Result<Obtained, WorkFailure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
            WorkFailure::passing(Error::failed(
                format!("the system gives no resources: {error}"),
                "Close other programs, then try again.",
            ))
        })?;
        let outcome = runtime.block_on(self.work());
        // A name look-up that hangs runs on a thread; dropping the runtime would wait for it beyond every deadline.
        runtime.shutdown_background();
        outcome
    }

    async fn work(self) -> Result<Obtained, WorkFailure> {
        self.lock.announce_network();
        let remembered = self.road.store.session(&self.road.identity.session);
        let mut reason = None;
        let mut scopes = self.road.profile.wanted_scopes();
        match remembered {
            Recall::Found((facts, record, keeper)) => {
                match &record.refresh_token {
                    _ if self.road.insist.on_sign_in => {}
                    None => reason = Some("the last sign-in has ended".to_owned()),
                    Some(_) if !self.covers(&record) => {
                        reason = Some("this cluster asks for more scopes than the last sign-in gave".to_owned());
                    }
                    Some(token) => match self.refresh(token.clone(), facts, &record, &keeper).await? {
                        Refreshed::Done(obtained) => return Ok(obtained),
                        Refreshed::SignIn(why) => reason = Some(why),
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
        if self.good.is_some() {
            // The token in hand is good for another while: nobody is disturbed yet.
            let why = reason.unwrap_or_else(|| "no sign-in is remembered".to_owned());
            return Err(WorkFailure::passing(Error::sign_in_needed(why, "Sign in again: kubectl login")));
        }
        self.sign_in(reason, scopes).await
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

        let issuer =
            Issuer::open(profile, self.road.store, self.freshness(), limit).await.map_err(WorkFailure::passing)?;
        let scopes = match &profile.provider {
            Provider::Entra { .. } => profile.wanted_scopes(),
            // Without scopes the answer has those of the session (RFC 6749 6).
            Provider::Oidc { .. } => Vec::new(),
        };
        let granted = match issuer.client.refresh(&token, &scopes, left()).await {
            Ok(granted) => granted,
            Err(failure) => {
                if let Failure::Refused(answer) = &failure
                    && answer.class() == Class::GrantDead
                    && self.road.is_wanted()
                {
                    // Never to be presented again (and `status` should not promise it).
                    let record = SessionRecord { refresh_token: None, ..record.clone() };
                    note_down(self.road.keep_session(keeper, &SessionFacts { refreshable: false, ..facts }, &record));
                }
                return self.refused_refresh(&failure).map(Refreshed::SignIn);
            }
        };
        let who = grant::who(&granted);
        if record.subject.is_some() && who.subject.is_some() && record.subject != who.subject {
            // OIDC Core 12.2: a refresh never changes whose session it is.
            let _ = self.road.store.forget_session(&self.road.identity.session);
            return Ok(Refreshed::SignIn("the issuer answered for another account".to_owned()));
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
                return Ok(Refreshed::SignIn("the issuer gives no ID token without a new sign-in".to_owned()));
            }
            Err(Unusable::Other(error)) => return Err(WorkFailure::passing(error)),
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

    async fn sign_in(self, reason: Option<String>, scopes: Vec<String>) -> Result<Obtained, WorkFailure> {
        let Road { profile, store, person, .. } = *self.road;
        if let Reach::Nobody { why, way_on } = person.reach() {
            let way_on = match self.unreadable {
                Some(HomeError::Locked) => format!("Unlock the keyring, then try again.\n{way_on}"),
                _ => way_on,
            };
            return Err(WorkFailure::nobody(nobody(&profile.provider, reason.as_deref(), &why, &way_on)));
        }
        (self.may_ask)().map_err(WorkFailure::Told)?;
        let (keeper, trouble) = match profile.storage {
            Storage::None => (None, None),
            storage => match store.keeper(storage) {
                Ok((keeper, reason)) => (Some(keeper), reason),
                // Asked for by name, so it is said before a person's time is spent.
                Err(error) if storage == Storage::Keyring => {
                    return Err(WorkFailure::Told(no_keyring(&error).into()));
                }
                Err(error) => (None, Some(error)),
            },
        };
        self.lock.announce_network();
        let limit = profile.network.needed();
        let issuer = Issuer::open(profile, store, self.freshness(), limit).await.map_err(WorkFailure::passing)?;
        let lock = RefCell::new(self.lock);
        let on_wait = |life| lock.borrow_mut().announce_person(life);
        let desk = Desk {
            profile,
            client: &issuer.client,
            pkce: issuer.uses_pkce(),
            scopes: &scopes,
            person,
            reason: reason.as_deref(),
            on_wait: &on_wait,
        };
        let granted = tokio::select! {
            outcome = signin::way(profile.method).sign_in(&desk) => outcome.map_err(|ending| match ending {
                NoTokens::Unanswered(error) => WorkFailure::New { error, stickiness: Stickiness::Unanswered },
                NoTokens::Refused(error) => WorkFailure::sticky(error),
                NoTokens::NotShown(error) => WorkFailure::nobody(error),
                NoTokens::Failed(error) => WorkFailure::passing(error),
            })?,
            error = interrupted() => return Err(WorkFailure::sticky(error)),
        };
        let who = grant::who(&granted);
        if let Some(hint) = &profile.account_hint
            && !who.answers_to(hint)
        {
            let error = Error::sign_in_needed(
                format!("{} signed in, but {} was expected", who.shown(), crate::text::printable(hint, 100)),
                "Sign in with the expected account (a private browser window helps), or change --login-hint.",
            );
            return Err(WorkFailure::sticky(error));
        }
        let facts = SessionFacts {
            issuer: issuer.client.endpoints.issuer.clone(),
            tenant: match &profile.provider {
                Provider::Entra { tenant, .. } => Some(tenant.clone()),
                Provider::Oidc { .. } => None,
            },
            client: profile.client_id.clone(),
            account: who.account.clone(),
            method: profile.method.name().to_owned(),
            refreshable: grant::refresh_token(&granted).is_some(),
        };
        // Kept before the token is looked at: should the issuer's keys be out of reach now, the sign-in is not lost.
        let record = SessionRecord { refresh_token: grant::refresh_token(&granted), scopes, subject: who.subject };
        let keep_session = |keeper| self.road.keep_session(keeper, &facts, &record);
        let kept = keeper.as_ref().map_or(Ok(()), keep_session);
        let grant = tokio::select! {
            grant = grant::read(&issuer, profile, &granted, Instant::now() + limit) => grant,
            error = interrupted() => return Err(WorkFailure::passing(error)),
        };
        let grant = match grant {
            Ok(grant) => grant,
            Err(unusable) => {
                let error = match unusable {
                    Unusable::NoIdToken => Error::failed(
                        "the issuer gave no ID token",
                        "Ask whoever runs the issuer to allow the scope openid for this client, or use --oidc-use-access-token.",
                    ),
                    Unusable::Other(error) => error,
                };
                return Err(WorkFailure::passing(error));
            }
        };
        let keep_token = |keeper| self.road.keep_token(keeper, &grant);
        let road = self.road;
        let kept = kept.and_then(|()| keeper.as_ref().filter(|_| road.is_wanted()).map_or(Ok(()), keep_token));
        tracing::info!("signed in");
        say_how_it_is_kept(self.road, keeper.as_ref(), trouble, kept.as_ref().err());
        Ok(Obtained {
            token: grant.token.token,
            expires_at: grant.token.expires_at,
            how: How::SignedIn,
            facts: Some(facts),
            home: keeper.filter(|_| kept.is_ok()).map(|keeper| keeper.home),
        })
    }

    /// A refresh that brought nothing: why a person has to sign in, or the error it is.
    fn refused_refresh(&self, failure: &Failure) -> Result<String, WorkFailure> {
        let error = signin::explain(failure, "refresh the token");
        let sign_in_helps = match failure {
            Failure::Refused(answer) => match answer.class() {
                Class::GrantDead | Class::GrantRefused | Class::PersonNeeded => true,
                Class::Policy | Class::Transient => false,
                // Somebody who typed `kubectl login` wants to get out of whatever this is.
                _ => self.road.insist.typed,
            },
            Failure::Malformed(_) => self.road.insist.typed,
            Failure::Trouble(_) | Failure::NotOAuth(_) => false,
        };
        match (sign_in_helps, &error.reference) {
            (false, _) => Err(WorkFailure::passing(error)),
            (true, Some(reference)) => Ok(format!("{} [{reference}]", error.what)),
            (true, None) => Ok(error.what),
        }
    }

    /// What is remembered of the issuer is good enough, unless somebody typed the command, maybe because it is not.
    fn freshness(&self) -> Freshness {
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

fn nobody(provider: &Provider, reason: Option<&str>, why: &str, way_on: &str) -> Error {
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let unattended = match provider {
        Provider::Entra { .. } => {
            "In a pipeline use an unattended method: --login workloadidentity, azurepipelines, msi or spn."
        }
        Provider::Oidc { .. } => "In a pipeline use an unattended grant: --grant-type client-credentials.",
    };
    Error::sign_in_needed(
        format!("somebody has to sign in{reason}, and nobody can be asked here: {why}"),
        format!("{way_on}\n{unattended}"),
    )
}

fn no_keyring(error: &HomeError) -> Error {
    Error::failed(
        format!("the keyring was asked for and cannot be used: {error}"),
        "Unlock or start the keyring, or use --token-cache-storage auto (or file).",
    )
}

/// One plain sentence after a sign-in, where there is something to know about where it is kept.
fn say_how_it_is_kept(
    road: &Road<'_>,
    keeper: Option<&Keeper>,
    trouble: Option<HomeError>,
    write_error: Option<&std::io::Error>,
) {
    let folder = road.store.root().map(|root| root.display().to_string()).unwrap_or_default();
    let sentence = match (keeper, trouble, write_error) {
        (Some(_), _, Some(error)) => format!("The sign-in could not be remembered in {folder}: {error}."),
        (Some(_), Some(trouble), None) => format!(
            "The sign-in is kept in {folder}, sealed with a key file only your user can read ({trouble}).\nThat protects stray copies and backups of the records, not against programs that run as you."
        ),
        (None, Some(trouble), _) => format!("The sign-in is not remembered: {trouble}."),
        _ => return,
    };
    road.person.say(&sentence);
}

/// Ends when somebody presses Ctrl-C or ends this process politely.
#[cfg(unix)]
async fn interrupted() -> Error {
    use tokio::signal::unix::{SignalKind, signal};
    let cancelled = |kind| Error::new(kind, "the sign-in was cancelled", "Sign in: kubectl login");
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        // Without handlers the signals end the process by themselves.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => cancelled(Kind::Interrupted),
        _ = terminate.recv() => cancelled(Kind::Terminated),
        _ = hangup.recv() => cancelled(Kind::Terminated),
    }
}

#[cfg(not(unix))]
async fn interrupted() -> Error {
    match tokio::signal::ctrl_c().await {
        Ok(()) => Error::new(Kind::Interrupted, "the sign-in was cancelled", "Sign in: kubectl login"),
        Err(_) => std::future::pending().await,
    }
}
