//! A client of the issuer that a profile names: endpoints (computed, remembered or discovered) and verified tokens.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::identity::issuer_document;
use crate::entra::cloud;
use crate::error::{Error, Result};
use crate::http::Http;
use crate::oauth::client::Client;
use crate::oauth::discovery::{self, Discovery};
use crate::oauth::jwks::{self, Expected, Jwks, VerifyError};
use crate::oauth::jwt::Claims;
use crate::profile::{Profile, Provider};
use crate::store::Store;

/// How long discovery documents and keys are remembered.
const REMEMBERED: TimeDelta = TimeDelta::days(1);
/// How far issuer and this machine may disagree about the time, once the difference that is known is taken out.
const LEEWAY: TimeDelta = TimeDelta::seconds(60);

/// The issuer of one profile.
pub struct Issuer<'a> {
    /// The protocol's client.
    pub client: Client,
    profile: &'a Profile,
    store: &'a Store,
    /// The anchors of the documents that came from the store.
    anchors: RefCell<BTreeSet<String>>,
}

/// A document of an issuer, and the authorities of the environment that it came under.
#[derive(Serialize, Deserialize)]
pub(super) struct Anchored<T> {
    pub(super) anchors: Vec<String>,
    pub(super) document: T,
}

/// Why there is no client of an issuer.
pub enum Unopened {
    /// Its certificate comes from an authority that the environment adds and the session was signed in without.
    NotOfSession(Error),
    /// Something else.
    Other(Error),
}

impl From<Error> for Unopened {
    fn from(error: Error) -> Unopened {
        Unopened::Other(error)
    }
}

impl From<Unopened> for Error {
    fn from(unopened: Unopened) -> Error {
        match unopened {
            Unopened::NotOfSession(error) | Unopened::Other(error) => error,
        }
    }
}

/// Why an ID token is not verified.
pub enum Unverified {
    /// The keys cannot be had; it may be as good as any.
    Keys(Error),
    /// It is not what it should be.
    Token(Error),
}

/// How fresh the discovery document must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// A day's memory will do.
    Remembered,
    /// Ask now: somebody typed `kubectl login`, maybe because something changed.
    Now,
}

impl<'a> Issuer<'a> {
    /// Prepares the issuer of `profile`; asks for the discovery document where it is not remembered.
    ///
    /// Errors: no connection can be set up, or discovery fails.
    pub async fn open(
        profile: &'a Profile,
        store: &'a Store,
        fresh: Freshness,
        limit: Duration,
    ) -> Result<Issuer<'a>, Unopened> {
        let mut anchors = BTreeSet::new();
        let (http, endpoints) = match &profile.provider {
            Provider::Entra { authority, tenant, .. } => {
                (Http::new(&profile.network, authority)?, cloud::endpoints(authority, tenant)?)
            }
            Provider::Oidc { issuer, .. } => {
                let http = Http::new(&profile.network, &discovery::issuer_url(issuer)?)?;
                let id = issuer_document(issuer, &profile.network, &http.extra_roots(), "discovery 3");
                let remembered = match fresh {
                    Freshness::Remembered => store.public::<Anchored<Discovery>>(&id, REMEMBERED),
                    Freshness::Now => None,
                };
                let usable = |known: Anchored<Discovery>| Some((known.document.endpoints(issuer).ok()?, known.anchors));
                let endpoints = match remembered.and_then(usable) {
                    Some((endpoints, known)) => {
                        anchors.extend(known);
                        endpoints
                    }
                    None => {
                        let fetched = discovery::fetch(&http, issuer, limit).await;
                        let document = fetched.map_err(|error| match http.needed_withheld_roots() {
                            true => Unopened::NotOfSession(error),
                            false => Unopened::Other(error),
                        })?;
                        store.keep_public(&id, Anchored { anchors: http.anchors(), document: &document });
                        document.endpoints(issuer)?
                    }
                };
                (http, endpoints)
            }
        };
        let client = Client::new(http, endpoints, &profile.client_id, profile.client_secret.clone());
        Ok(Issuer { client, profile, store, anchors: RefCell::new(anchors) })
    }

    /// The authorities of the environment without which nothing of what the issuer has said would have been believed, by
    /// the SHA-256 of their DER, in order.
    pub fn anchors(&self) -> Vec<String> {
        self.anchors
            .borrow()
            .iter()
            .cloned()
            .chain(self.client.http.anchors())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    /// The claims of an ID token that may be handed to a cluster, verified (OIDC Core 3.1.3.7). The issuer's keys are
    /// remembered, and fetched again when one is missing.
    ///
    /// (Entra's ID tokens never go to a cluster. They tell who signed in, and are only parsed: they come over TLS from the
    /// token endpoint itself, OIDC Core 3.1.3.7, 6.)
    ///
    /// Whether it answers the sign-in it came from (`nonce`) has been seen before.
    ///
    /// Errors: the token is not what it should be, or the keys cannot be had before `deadline`; see [`Unverified`].
    pub async fn verified_id_token(
        &self,
        token: &str,
        clock_ahead: TimeDelta,
        deadline: Instant,
    ) -> Result<Claims, Unverified> {
        let endpoints = &self.client.endpoints;
        let expected = Expected {
            issuer: &endpoints.issuer,
            client_id: Some(&self.profile.client_id),
            nonce: None,
            now: Utc::now() - clock_ahead,
            leeway: LEEWAY,
            algorithms: &endpoints.signing_algorithms,
        };
        let extra_roots = self.client.http.extra_roots();
        let id = issuer_document(&endpoints.issuer, &self.profile.network, &extra_roots, "keys");
        let mut keys = match self.store.public::<Anchored<Jwks>>(&id, REMEMBERED) {
            Some(known) => {
                self.anchors.borrow_mut().extend(known.anchors);
                known.document
            }
            None => self.fetched_keys(&id, deadline).await.map_err(Unverified::Keys)?,
        };
        let mut outcome = jwks::verify(token, &keys, &expected);
        // An issuer that rolls its keys signs with one that was not there yet, be it a day or a moment ago.
        if let Err(VerifyError::UnknownKey { .. } | VerifyError::BadSignature) = outcome {
            keys = self.fetched_keys(&id, deadline).await.map_err(Unverified::Keys)?;
            outcome = jwks::verify(token, &keys, &expected);
        }
        outcome.map_err(|error| Unverified::Token(unusable(&error.to_string(), error.next())))
    }

    async fn fetched_keys(&self, id: &str, deadline: Instant) -> Result<Jwks> {
        let Some(url) = &self.client.endpoints.keys else {
            return Err(unusable("the discovery document names no jwks_uri", "Ask whoever runs the issuer."));
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let keys = discovery::fetch_keys(&self.client.http, url, left).await?;
        self.store.keep_public(id, Anchored { anchors: self.anchors(), document: &keys });
        Ok(keys)
    }
}

/// An ID token that is not taken, and why.
pub(super) fn unusable(why: &str, next: &str) -> Error {
    Error::failed(format!("the issuer's ID token cannot be used: {why}"), next)
}
