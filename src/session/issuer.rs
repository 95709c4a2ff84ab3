//! A client of the issuer that a profile names: endpoints (computed, remembered or discovered) and verified tokens.

use std::cell::RefCell;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use url::Url;

use super::identity::issuer_document;
use crate::error::{Error, Result};
use crate::http::Http;
use crate::oauth::Endpoints;
use crate::oauth::client::Client;
use crate::oauth::discovery::{self, Discovery};
use crate::oauth::jwks::{self, Expected, Jwks, VerifyError};
use crate::oauth::jwt::Claims;
use crate::profile::{Pkce, Profile, Provider};
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
    keys: RefCell<Option<Jwks>>,
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
    pub async fn open(profile: &'a Profile, store: &'a Store, fresh: Freshness, limit: Duration) -> Result<Issuer<'a>> {
        let (http, endpoints) = match &profile.provider {
            Provider::Entra { authority, tenant, .. } => {
                (Http::new(&profile.network, authority)?, entra_endpoints(authority, tenant)?)
            }
            Provider::Oidc { issuer, .. } => {
                let http = Http::new(&profile.network, &discovery::issuer_url(issuer)?)?;
                let id = issuer_document(issuer, "discovery");
                let remembered = match fresh {
                    Freshness::Remembered => store.public::<Discovery>(&id, REMEMBERED),
                    Freshness::Now => None,
                };
                let endpoints = match remembered.and_then(|document| document.endpoints(issuer).ok()) {
                    Some(endpoints) => endpoints,
                    None => {
                        let document = discovery::fetch(&http, issuer, limit).await?;
                        store.keep_public(&id, &document);
                        document.endpoints(issuer)?
                    }
                };
                (http, endpoints)
            }
        };
        let client = Client::new(http, endpoints, &profile.client_id, profile.client_secret.clone());
        Ok(Issuer { client, profile, store, keys: RefCell::default() })
    }

    /// Whether the device flow uses PKCE here.
    pub fn uses_pkce(&self) -> bool {
        match &self.profile.provider {
            Provider::Entra { .. } => false,
            Provider::Oidc { pkce, .. } => match pkce {
                Pkce::Auto => self.client.endpoints.offers_s256,
                Pkce::Always => true,
                Pkce::Never => false,
            },
        }
    }

    /// The claims of an ID token that may be handed to a cluster.
    ///
    /// Entra's are parsed only: they come over TLS from the token endpoint itself (OIDC Core 3.1.3.7, 6.). Those of
    /// other issuers are verified; the keys are remembered, and fetched again when one is missing.
    pub async fn verified_id_token(&self, token: &str, clock_ahead: TimeDelta, limit: Duration) -> Result<Claims> {
        if let Provider::Entra { .. } = self.profile.provider {
            return Claims::read(token).map_err(|error| unusable("the ID token", &error.to_string(), NOT_A_JWT));
        }
        let endpoints = &self.client.endpoints;
        let expected = Expected {
            issuer: &endpoints.issuer,
            client_id: Some(&self.profile.client_id),
            nonce: None,
            now: Utc::now() - clock_ahead,
            leeway: LEEWAY,
            algorithms: &endpoints.signing_algorithms,
        };
        let remembered = self.keys(false, limit).await?;
        let outcome = match jwks::verify(token, &remembered, &expected) {
            // An issuer that rolls its keys signs with one we have not seen yet.
            Err(VerifyError::UnknownKey { .. } | VerifyError::BadSignature) => {
                jwks::verify(token, &self.keys(true, limit).await?, &expected)
            }
            outcome => outcome,
        };
        outcome.map_err(|error| unusable("the issuer's ID token", &error.to_string(), error.next()))
    }

    async fn keys(&self, fetch: bool, limit: Duration) -> Result<Jwks> {
        let endpoints = &self.client.endpoints;
        let id = issuer_document(&endpoints.issuer, "keys");
        if !fetch {
            if let Some(keys) = self.keys.borrow().clone() {
                return Ok(keys);
            }
            if let Some(keys) = self.store.public::<Jwks>(&id, REMEMBERED) {
                return Ok(keys);
            }
        }
        let Some(url) = &endpoints.keys else {
            return Err(unusable(
                "the issuer's ID token",
                "the discovery document names no jwks_uri",
                "Ask whoever runs the issuer.",
            ));
        };
        let keys = discovery::fetch_keys(&self.client.http, url, limit).await?;
        self.store.keep_public(&id, &keys);
        *self.keys.borrow_mut() = Some(keys.clone());
        Ok(keys)
    }
}

const NOT_A_JWT: &str = "Check --tenant-id and --authority-host: this is not what Entra ID answers.";

fn unusable(what: &str, why: &str, next: &str) -> Error {
    Error::failed(format!("{what} cannot be used: {why}"), next)
}

/// Entra's endpoints follow from authority and tenant; neither discovery nor instance discovery is needed
/// (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code>).
fn entra_endpoints(authority: &Url, tenant: &str) -> Result<Endpoints> {
    let endpoint = |path: &str| {
        authority.join(&format!("{tenant}/{path}")).map_err(|_| {
            Error::usage("--tenant-id is no tenant", "Give the tenant's id, a verified domain of it, or organizations.")
        })
    };
    Ok(Endpoints {
        issuer: endpoint("v2.0")?.to_string(),
        token: endpoint("oauth2/v2.0/token")?,
        device_authorization: Some(endpoint("oauth2/v2.0/devicecode")?),
        keys: None,
        offers_s256: false,
        signing_algorithms: Vec::new(),
        secret_in_body: true,
    })
}
