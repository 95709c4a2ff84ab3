//! The part of the work that a person has a hand in: a sign-in from the question whether anybody is there to the token
//! that is kept.

use std::cell::RefCell;

use tokio::time::Instant;

use super::grant::{self, Unusable};
use super::issuer::Issuer;
use super::outcome::Stickiness;
use super::work::{Work, WorkFailure};
use super::{How, Obtained, Road};
use crate::error::{Error, Kind};
use crate::profile::{Provider, Storage};
use crate::signin::{self, Desk, NoTokens, Reach};
use crate::store::key::HomeError;
use crate::store::records::Keeper;
use crate::store::{SessionFacts, SessionRecord};

impl Work<'_, '_> {
    pub(super) async fn sign_in(self, reason: Option<String>, scopes: Vec<String>) -> Result<Obtained, WorkFailure> {
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
