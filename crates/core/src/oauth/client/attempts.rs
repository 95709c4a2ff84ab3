//! Where a request goes and how the client secret is sent with it, if the issuer's cached discovery document is outdated
//! or the issuer accepts the secret in one place only.
//!
//! It must not know what is requested.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::{OAuthClient, TokenRequestError};
use crate::http::{ProxyFault, TransportErrorKind};
use crate::oauth::discovery::{self, DiscoveryDocument};
use crate::oauth::{ClientSecretMethod, Endpoints, site};

impl TokenRequestError {
    /// Whether the endpoint may have moved: it cannot be reached, is gone (404, 405, 410), or what answers there does not
    /// speak OAuth.
    fn may_have_moved(&self) -> bool {
        match self {
            TokenRequestError::Transport(error) => matches!(
                error.kind,
                TransportErrorKind::NameNotFound(_)
                    | TransportErrorKind::Connection(_)
                    | TransportErrorKind::Proxy(ProxyFault::Status(_) | ProxyFault::Reply(_))
                    | TransportErrorKind::Certificate(_)
                    | TransportErrorKind::Redirect
            ),
            TokenRequestError::Refused(response) => response.is_about_endpoint(),
            TokenRequestError::NotOAuth(response) | TokenRequestError::Malformed(response) => !response.is_refusal(),
        }
    }

    /// Whether the issuer refuses the client as such (RFC 6749 5.2).
    fn refuses_client(&self) -> bool {
        matches!(self, TokenRequestError::Refused(response) if response.error == "invalid_client")
    }
}

/// How far the token endpoint may move when the discovery document is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moves {
    /// Anywhere: nothing has been issued yet.
    Anywhere,
    /// Within its site: what one site has issued is not sent to another because a newer document names that (mix-up, RFC
    /// 9700 4.4). A new sign-in may lead there.
    WithinSite,
}

/// What a client has learned about its issuer.
pub(super) struct Learned {
    pub(super) endpoints: Arc<Endpoints>,
    /// The cached discovery document that the endpoints come from, until it is read again.
    cached: Option<DiscoveryDocument>,
    /// The discovery document that was read because the cached one no longer fitted.
    reread: Option<DiscoveryDocument>,
    /// How the client secret is sent.
    pub(super) method: ClientSecretMethod,
    /// How it may still be sent if the issuer refuses the client.
    alternative: Option<ClientSecretMethod>,
}

impl Learned {
    /// Begins with the first way to send the secret that the issuer offers; `has_secret` tells whether there is one.
    pub(super) fn new(endpoints: Endpoints, has_secret: bool) -> Learned {
        let mut learned = Learned {
            endpoints: Arc::new(endpoints),
            cached: None,
            reread: None,
            method: ClientSecretMethod::default(),
            alternative: None,
        };
        learned.choose_method(has_secret);
        learned
    }

    fn choose_method(&mut self, has_secret: bool) {
        let offered = &self.endpoints.client_secret_methods;
        self.method = offered.first().copied().unwrap_or_default();
        self.alternative = offered.get(1).copied().filter(|_| has_secret);
    }

    /// Another way to send the secret than `used`, which the issuer refused; `None` if there is none left. Another request may
    /// have found it already.
    fn other_method(&mut self, used: ClientSecretMethod) -> Option<ClientSecretMethod> {
        if self.method == used {
            self.method = self.alternative.take()?;
        }
        Some(self.method)
    }
}

impl OAuthClient {
    /// The same client with endpoints from a cached discovery `document`: it is read again once if an endpoint fails in a
    /// way that a move explains.
    pub fn with_cached_document(self, document: DiscoveryDocument) -> Self {
        self.learned().cached = Some(document);
        self
    }

    /// The same client with the way to send the secret that worked before, if the issuer still offers it.
    pub fn with_secret_method(self, known: ClientSecretMethod) -> Self {
        {
            let mut learned = self.learned();
            if learned.alternative == Some(known) {
                learned.alternative = Some(std::mem::replace(&mut learned.method, known));
            }
        }
        self
    }

    /// An endpoint that an issuer need not have. If a cached discovery document does not name it, that is read again first.
    pub async fn optional_endpoint(
        &self,
        which: fn(&Endpoints) -> Option<&Url>,
        moves: Moves,
        limit: Duration,
    ) -> Option<Url> {
        let named = which(&self.endpoints()).cloned();
        if named.is_none() && self.read_discovery_again(moves, limit).await {
            return which(&self.endpoints()).cloned();
        }
        named
    }

    /// How the secret is sent, after the last request had an answer; `None` without a secret.
    pub fn secret_method(&self) -> Option<ClientSecretMethod> {
        self.auth.secret().map(|_| self.learned().method)
    }

    /// Reads the discovery document again, once, if the endpoints come from a cached one. Returns whether they differ now.
    /// With a document that goes beyond `moves` they stay as they are; it is for the next client.
    pub async fn read_discovery_again(&self, moves: Moves, limit: Duration) -> bool {
        let Some(cached) = self.learned().cached.take() else { return false };
        let before = self.endpoints();
        let document = discovery::fetch(&self.http, &before.issuer, limit).await;
        let read = document.and_then(|document| Ok((document.endpoints(&before.issuer)?, document)));
        let Ok((endpoints, document)) = read else { return false };
        let differs = cached != document;
        tracing::debug!(differs, "discovery document read again");
        let mut learned = self.learned();
        learned.reread = Some(document);
        if moves == Moves::WithinSite && site::foreign(&endpoints.token, &before.token).is_some() {
            return false;
        }
        let other_methods = before.client_secret_methods != endpoints.client_secret_methods;
        learned.endpoints = Arc::new(endpoints);
        if other_methods {
            learned.choose_method(self.auth.secret().is_some());
        }
        differs
    }

    /// The discovery document that replaced the cached one, if there is one; returned once.
    pub fn take_reread_document(&self) -> Option<DiscoveryDocument> {
        self.learned().reread.take()
    }

    /// The attempts at a request of `endpoint`, all of them within `limit`. If that has moved since the discovery document was
    /// cached, `which` picks the new one.
    pub(super) fn attempts(
        &self,
        endpoint: &Url,
        which: fn(&Endpoints) -> Option<&Url>,
        moves: Moves,
        limit: Duration,
    ) -> Attempts<'_> {
        let method = self.learned().method;
        let end = Instant::now() + limit;
        Attempts { client: self, endpoint: endpoint.clone(), method, which, moves, end, refused: None, moved: false }
    }
}

/// The attempts at one request: at most one at each of two endpoints with each of two ways to send the secret.
pub(super) struct Attempts<'a> {
    client: &'a OAuthClient,
    /// Where the next attempt goes.
    pub(super) endpoint: Url,
    /// How it sends the client secret.
    pub(super) method: ClientSecretMethod,
    which: fn(&Endpoints) -> Option<&Url>,
    moves: Moves,
    end: Instant,
    /// The first refusal of the client at this endpoint, and how the secret was sent then.
    refused: Option<(TokenRequestError, ClientSecretMethod)>,
    /// Whether this is the second endpoint.
    moved: bool,
}

impl Attempts<'_> {
    /// The time that is left.
    pub(super) fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// The outcome of the request, if the `outcome` of an attempt is final; `None` to make another attempt.
    pub(super) async fn finish<T>(
        &mut self,
        outcome: Result<T, TokenRequestError>,
    ) -> Option<Result<T, TokenRequestError>> {
        let error = match self.with_other_method(outcome)? {
            Ok(found) => return Some(Ok(found)),
            Err(error) => error,
        };
        if self.moved || !error.may_have_moved() || !self.client.read_discovery_again(self.moves, self.left()).await {
            return Some(Err(error));
        }
        let endpoints = self.client.endpoints();
        match (self.which)(&endpoints).filter(|moved| **moved != self.endpoint) {
            Some(moved) => {
                self.endpoint = moved.clone();
                self.method = self.client.learned().method;
                self.moved = true;
                None
            }
            None => Some(Err(error)),
        }
    }

    /// Leads to a second attempt with the secret in the other place if the issuer offers both and refuses the client as such
    /// (RFC 6749 5.2). It looks at the client before anything else, so the code or refresh token that is sent with it is not
    /// used up. If neither place is right, the first refusal is the outcome.
    fn with_other_method<T>(&mut self, outcome: Result<T, TokenRequestError>) -> Option<Result<T, TokenRequestError>> {
        match (self.refused.take(), outcome) {
            (Some((first, usual)), Err(second)) if second.refuses_client() => {
                self.client.learned().method = usual;
                Some(Err(first))
            }
            (None, Err(first)) if first.refuses_client() => {
                let Some(other) = self.client.learned().other_method(self.method) else { return Some(Err(first)) };
                self.refused = Some((first, std::mem::replace(&mut self.method, other)));
                None
            }
            (_, outcome) => Some(outcome),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::TransportError;

    #[test]
    fn unreachable_host_may_have_moved() {
        let url = Url::parse("https://login.example/token").expect("a URL");
        let moved = |cause| TokenRequestError::Transport(TransportError::new(&url, cause)).may_have_moved();
        assert!(moved(TransportErrorKind::NameNotFound("no such host".to_owned())));
        assert!(moved(TransportErrorKind::Proxy(ProxyFault::Status(502))));
        assert!(!moved(TransportErrorKind::Timeout) && !moved(TransportErrorKind::Broken(String::new())));
        assert!(
            !moved(TransportErrorKind::Proxy(ProxyFault::Credentials)) && !moved(TransportErrorKind::Unavailable(503))
        );
    }
}
