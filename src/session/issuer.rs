//! The issuer of a profile: its endpoints (computed, cached or discovered) and verified tokens.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use url::Url;

use super::identity::issuer_document;
use crate::failure::Failure;
use crate::profile::{Profile, Provider};
use crate::store::Store;
use kubectl_login_core::clock;
use kubectl_login_core::entra::cloud;
use kubectl_login_core::http::Http;
use kubectl_login_core::known_issuers;
use kubectl_login_core::oauth::client::{ClientAuth, Moves, OAuthClient};
use kubectl_login_core::oauth::discovery::{self, DiscoveryDocument};
use kubectl_login_core::oauth::jwks::{self, Jwks, TokenExpectations, VerifyError};
use kubectl_login_core::oauth::jwt::Claims;
use kubectl_login_core::oauth::{ClientSecretMethod, Endpoints, site};

/// How long discovery documents and keys are cached.
const CACHED_FOR: TimeDelta = TimeDelta::days(1);
/// The tolerated clock difference between the issuer and this machine, beyond the difference that is known.
const LEEWAY: TimeDelta = TimeDelta::seconds(60);

/// The issuer of one profile.
pub struct Issuer<'a> {
    /// The OAuth client.
    pub client: OAuthClient,
    pub(super) profile: &'a Profile,
    store: &'a Store,
    /// The anchors of the documents that came from the cache.
    anchors: RefCell<BTreeSet<String>>,
    /// How this client sent its secret the last time that it worked.
    known_authentication: Option<ClientSecretMethod>,
}

/// A document of an issuer, and the authorities of the environment that its connection needed.
#[derive(Serialize, Deserialize)]
pub(super) struct Anchored<T> {
    pub(super) anchors: Vec<String>,
    pub(super) document: T,
}

/// Why there is no client for an issuer.
#[derive(Debug)]
pub enum OpenError {
    /// Its certificate comes from an authority that the environment adds and the session was signed in without.
    NotTrusted(Failure),
    /// Something else.
    Failed(Failure),
}

impl From<Failure> for OpenError {
    fn from(failure: Failure) -> OpenError {
        OpenError::Failed(failure)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Failure {
        match error {
            OpenError::NotTrusted(failure) | OpenError::Failed(failure) => failure,
        }
    }
}

/// Why a token is not verified.
#[derive(Debug)]
pub enum VerificationError {
    /// The keys cannot be fetched; the token may be valid.
    Keys(Failure),
    /// The token is not valid.
    Token(VerifyError),
}

/// How fresh the discovery document must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// A cached document of the last day will do.
    Cached,
    /// Fetch it: the user typed `kubectl login`, maybe because something has changed.
    Now,
}

impl<'a> Issuer<'a> {
    /// Opens the issuer of `profile`; fetches the discovery document if it is not cached.
    ///
    /// Errors: no connection can be set up, or discovery fails.
    pub async fn open(
        profile: &'a Profile,
        store: &'a Store,
        fresh: Freshness,
        limit: Duration,
    ) -> Result<Issuer<'a>, OpenError> {
        let mut anchors = BTreeSet::new();
        let mut cached = None;
        let (http, endpoints) = match &profile.provider {
            Provider::Entra { authority, tenant, .. } => (
                Http::new(&profile.network, authority).map_err(Failure::from)?,
                cloud::endpoints(authority, tenant).map_err(Failure::from)?,
            ),
            Provider::Oidc { issuer, .. } => {
                let url = discovery::issuer_url(issuer).map_err(Failure::from)?;
                let http = Http::new(&profile.network, &url).map_err(Failure::from)?;
                let id = discovery_document(&http, issuer, profile);
                let remembered = match fresh {
                    Freshness::Cached => store.cached_document::<Anchored<DiscoveryDocument>>(&id, CACHED_FOR),
                    Freshness::Now => None,
                };
                let usable = |known: Anchored<DiscoveryDocument>| Some((known.document.endpoints(issuer).ok()?, known));
                let endpoints = match remembered.and_then(usable) {
                    Some((endpoints, known)) => {
                        anchors.extend(known.anchors);
                        cached = Some(known.document);
                        endpoints
                    }
                    None => {
                        let fetched = discovery::fetch(&http, issuer, limit).await;
                        let document = fetched.map_err(|error| match http.needed_withheld_roots() {
                            true => OpenError::NotTrusted(error.into()),
                            false => OpenError::Failed(error.into()),
                        })?;
                        store.cache_document(&id, Anchored { anchors: http.anchors(), document: &document });
                        document.endpoints(issuer).map_err(Failure::from)?
                    }
                };
                (http, endpoints)
            }
        };
        let auth = profile.client_secret.clone().map_or(ClientAuth::None, ClientAuth::Secret);
        let mut client = OAuthClient::new(http, endpoints, &profile.client_id, auth);
        if let Some(document) = cached {
            client = client.with_cached_document(document);
        }
        let anchors = RefCell::new(anchors);
        let mut issuer = Issuer { client, profile, store, anchors, known_authentication: None };
        if issuer.client.secret_method().is_some() {
            issuer.known_authentication = store.cached_document(&issuer.authentication_document(), CACHED_FOR);
        }
        if let Some(known) = issuer.known_authentication {
            issuer.client = issuer.client.with_secret_method(known);
        }
        Ok(issuer)
    }

    /// Caches what was learned about the issuer since [`Issuer::open`]: the discovery document, if it was read again, and how
    /// this client has to send its secret.
    pub(super) fn cache_what_was_learned(&self) {
        if let Some(document) = self.client.take_reread_document() {
            let id = discovery_document(&self.client.http, &self.client.endpoints().issuer, self.profile);
            self.store.cache_document(&id, Anchored { anchors: self.anchors(), document: &document });
        }
        let usual = self.client.endpoints().client_secret_methods.first().copied().unwrap_or_default();
        let before = self.known_authentication.unwrap_or(usual);
        if let Some(found) = self.client.secret_method().filter(|found| *found != before) {
            self.store.cache_document(&self.authentication_document(), found);
        }
    }

    /// Checks that the token endpoint is still at the site of `from`, the token endpoint at sign-in, if that is known. A
    /// malicious issuer may name the endpoints of an honest one at sign-in and its own later, to receive the honest one's tokens
    /// (mix-up, RFC 9700 4.4).
    ///
    /// Errors: it is not; a new sign-in helps.
    pub(super) fn check_site(&self, from: Option<&str>) -> Result<(), Failure> {
        let Some(from) = from.and_then(|from| Url::parse(from).ok()) else { return Ok(()) };
        match site::foreign(&self.client.endpoints().token, &from) {
            Some(host) => Err(Failure::TokenEndpointMoved { host }),
            None => Ok(()),
        }
    }

    fn authentication_document(&self) -> String {
        let what = format!("client authentication {}", self.profile.client_id);
        document(&self.client.http, &self.client.endpoints().issuer, self.profile, &what)
    }

    /// The authorities of the environment that the connections to the issuer needed, by the SHA-256 of their DER, in order.
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

    /// Refuses an ID token of another issuer (OIDC Core 3.1.3.7, 2), even if only the access token is used. An ID token that
    /// cannot be read is ignored.
    ///
    /// Errors: it names another issuer.
    pub(super) fn check_issued(&self, id_token: &str) -> Result<(), VerifyError> {
        let Ok(claims) = Claims::read(id_token) else { return Ok(()) };
        let endpoints = self.client.endpoints();
        jwks::check_issuer(&claims, &endpoints.issuer, known_issuers::other_names(&endpoints.issuer))
    }

    /// The claims of an ID token for a cluster, verified (OIDC Core 3.1.3.7). The issuer's keys are cached, and fetched again if
    /// one is missing.
    ///
    /// (Entra's ID tokens never go to a cluster. They tell who signed in, and are only parsed, since they come over TLS from the
    /// token endpoint: OIDC Core 3.1.3.7, 6.)
    ///
    /// The `nonce` is checked elsewhere.
    ///
    /// Errors: the token is not valid, or the keys cannot be fetched before `deadline`; see [`VerificationError`].
    pub async fn verified_id_token(
        &self,
        token: &str,
        clock_ahead: TimeDelta,
        deadline: Instant,
    ) -> Result<Claims, VerificationError> {
        let verify = |keys: &Jwks, endpoints: &Endpoints| {
            let now = clock::now() - clock_ahead;
            jwks::verify(token, keys, &self.expected(endpoints, &endpoints.signing_algorithms, now))
        };
        self.verified(verify, deadline).await
    }

    /// The claims of UserInfo in a signed JWT, verified (OIDC Core 5.3.2).
    ///
    /// Errors: it is not valid, or the keys cannot be fetched before `deadline`.
    pub(super) async fn verified_userinfo(&self, token: &str, deadline: Instant) -> Result<Claims, VerificationError> {
        let verify = |keys: &Jwks, endpoints: &Endpoints| {
            jwks::verify_userinfo(token, keys, &self.expected(endpoints, &endpoints.userinfo_algorithms, clock::now()))
        };
        self.verified(verify, deadline).await
    }

    fn expected<'e>(
        &'e self,
        endpoints: &'e Endpoints,
        algorithms: &'e [String],
        now: DateTime<Utc>,
    ) -> TokenExpectations<'e> {
        TokenExpectations {
            issuer: &endpoints.issuer,
            issuer_aliases: known_issuers::other_names(&endpoints.issuer),
            client_id: Some(&self.profile.client_id),
            nonce: None,
            now,
            leeway: LEEWAY,
            algorithms,
        }
    }

    /// The result of `verify` with the issuer's keys: first the cached ones, then new ones, and last those of a discovery document
    /// that is read again. Only a failure that outdated keys explain leads to the next step.
    async fn verified(
        &self,
        verify: impl Fn(&Jwks, &Endpoints) -> Result<Claims, VerifyError>,
        deadline: Instant,
    ) -> Result<Claims, VerificationError> {
        let fresh = async || {
            let keys = self.fetched_keys(deadline).await?;
            Ok(verify(&keys, &self.client.endpoints()))
        };
        let is_outdated = |outcome: &Result<Result<Claims, VerifyError>, Failure>| match outcome {
            Ok(verified) => verified.as_ref().is_err_and(VerifyError::may_be_outdated),
            Err(_) => false,
        };
        let mut outcome = match self.store.cached_document::<Anchored<Jwks>>(&self.keys_document(), CACHED_FOR) {
            Some(known) => {
                self.anchors.borrow_mut().extend(known.anchors);
                Ok(verify(&known.document, &self.client.endpoints()))
            }
            None => fresh().await,
        };
        // After a key rotation the issuer signs with a key that the cached set lacks.
        if is_outdated(&outcome) {
            outcome = fresh().await;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if (outcome.is_err() || is_outdated(&outcome))
            && self.client.read_discovery_again(Moves::WithinSite, left).await
        {
            self.cache_what_was_learned();
            outcome = fresh().await;
        }
        outcome.map_err(VerificationError::Keys)?.map_err(VerificationError::Token)
    }

    async fn fetched_keys(&self, deadline: Instant) -> Result<Jwks, Failure> {
        let left = || deadline.saturating_duration_since(Instant::now());
        let Some(url) =
            self.client.optional_endpoint(|endpoints| endpoints.keys.as_ref(), Moves::WithinSite, left()).await
        else {
            return Err(Failure::NoKeysEndpoint);
        };
        let keys = discovery::fetch_keys(&self.client.http, &url, left()).await?;
        self.store.cache_document(&self.keys_document(), Anchored { anchors: self.anchors(), document: &keys });
        Ok(keys)
    }

    fn keys_document(&self) -> String {
        document(&self.client.http, &self.client.endpoints().issuer, self.profile, "keys")
    }
}

/// The name of an issuer's cached discovery document.
fn discovery_document(http: &Http, issuer: &str, profile: &Profile) -> String {
    document(http, issuer, profile, "discovery 4")
}

/// The name of a cached document of an issuer.
fn document(http: &Http, issuer: &str, profile: &Profile, what: &str) -> String {
    issuer_document(issuer, &profile.network, &http.extra_roots(), what)
}
