//! Where a request goes and how the client's secret is sent with it, if the issuer's cached discovery document is out of date
//! or the issuer accepts the secret in one place only.
//!
//! It must not know what is asked for.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::{Client, Failure};
use crate::http::{ProxyFault, TransportErrorKind};
use crate::oauth::discovery::{self, Discovery};
use crate::oauth::{ClientAuthentication, Endpoints, site};

impl Failure {
    /// Whether the endpoint may be somewhere else by now: it cannot be reached, is gone (404, 405, 410), or something
    /// answers there that does not speak OAuth.
    fn may_have_moved(&self) -> bool {
        match self {
            Failure::Trouble(trouble) => matches!(
                trouble.kind,
                TransportErrorKind::NameNotFound(_)
                    | TransportErrorKind::Connection(_)
                    | TransportErrorKind::Proxy(ProxyFault::Status(_) | ProxyFault::Reply(_))
                    | TransportErrorKind::Certificate(_)
                    | TransportErrorKind::Redirect
            ),
            Failure::Refused(answer) => answer.is_about_endpoint(),
            Failure::NotOAuth(answer) | Failure::Malformed(answer) => !answer.is_refusal(),
        }
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

impl Client {
    /// Begins with the first way to send the secret that the issuer offers.
    pub(super) fn choose_authentication(&self) {
        let endpoints = self.endpoints();
        let offered = |at| endpoints.client_authentication.get(at).copied();
        self.authentication.set(offered(0).unwrap_or_default());
        self.alternative.set(offered(1).filter(|_| self.secret.is_some()));
    }

    /// The same with endpoints from a cached discovery `document`: it is read again once if an endpoint fails in a way
    /// that a move explains.
    pub fn with_cached_document(self, document: Discovery) -> Self {
        self.cached.replace(Some(document));
        self
    }

    /// The same with the way to send the secret that worked before, if the issuer still offers it.
    pub fn with_authentication(self, known: ClientAuthentication) -> Self {
        if self.alternative.get() == Some(known) {
            self.alternative.set(Some(self.authentication.replace(known)));
        }
        self
    }

    /// An endpoint that an issuer need not have. If a cached discovery document does not name it, that is read again first.
    pub async fn optional_endpoint(
        &self,
        which: impl Fn(&Endpoints) -> Option<&Url>,
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
    pub fn authentication(&self) -> Option<ClientAuthentication> {
        self.secret.as_ref().map(|_| self.authentication.get())
    }

    /// Reads the discovery document again, once, if the endpoints come from a cached one. Whether they differ now. With
    /// a document that goes beyond `moves` they stay as they are; it is for the next client.
    pub async fn read_discovery_again(&self, moves: Moves, limit: Duration) -> bool {
        let Some(cached) = self.cached.take() else { return false };
        let before = self.endpoints();
        let document = discovery::fetch(&self.http, &before.issuer, limit).await;
        let read = document.and_then(|document| Ok((document.endpoints(&before.issuer)?, document)));
        let Ok((endpoints, document)) = read else { return false };
        let differs = cached != document;
        tracing::debug!(differs, "discovery document read again");
        if moves == Moves::WithinSite && site::foreign(&endpoints.token, &before.token).is_some() {
            self.reread.replace(Some(document));
            return false;
        }
        let other_methods = before.client_authentication != endpoints.client_authentication;
        self.endpoints.replace(Rc::new(endpoints));
        if other_methods {
            self.choose_authentication();
        }
        self.reread.replace(Some(document));
        differs
    }

    /// The discovery document that took the place of the cached one, if there is one; handed out once.
    pub fn take_reread_document(&self) -> Option<Discovery> {
        self.reread.take()
    }

    /// Makes a request of `endpoint`. If that has moved since the discovery document was cached, `which` picks the new
    /// one for a second try.
    pub(super) async fn request<T>(
        &self,
        endpoint: &Url,
        which: impl Fn(&Endpoints) -> Option<&Url>,
        moves: Moves,
        limit: Duration,
        attempt: impl AsyncFn(&Url, Duration) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let end = Instant::now() + limit;
        let left = || end.saturating_duration_since(Instant::now());
        let failure = match self.authenticating(async || attempt(endpoint, left()).await).await {
            Err(failure) if failure.may_have_moved() && self.read_discovery_again(moves, left()).await => failure,
            outcome => return outcome,
        };
        match which(&self.endpoints()).filter(|moved| *moved != endpoint) {
            Some(moved) => self.authenticating(async || attempt(moved, left()).await).await,
            None => Err(failure),
        }
    }

    /// Makes a request with client authentication, and once more with the secret in the other place if the issuer offers
    /// both and refuses the client as such (RFC 6749 5.2). It looks at the client before anything else, so the code or
    /// refresh token that comes along is not used up. If neither place is right, the first refusal is the answer.
    async fn authenticating<T>(&self, attempt: impl AsyncFn() -> Result<T, Failure>) -> Result<T, Failure> {
        let refuses_the_client =
            |failure: &Failure| matches!(failure, Failure::Refused(answer) if answer.error == "invalid_client");
        let first = match attempt().await {
            Err(failure) if refuses_the_client(&failure) => failure,
            outcome => return outcome,
        };
        let Some(other) = self.alternative.take() else { return Err(first) };
        let usual = self.authentication.replace(other);
        match attempt().await {
            Err(second) if refuses_the_client(&second) => {
                self.authentication.set(usual);
                Err(first)
            }
            outcome => outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::TransportError;

    #[test]
    fn host_that_is_not_found_may_have_moved() {
        let url = Url::parse("https://login.example/token").expect("a URL");
        let moved = |cause| Failure::Trouble(TransportError::new(&url, cause)).may_have_moved();
        assert!(moved(TransportErrorKind::NameNotFound("no such host".to_owned())));
        assert!(moved(TransportErrorKind::Proxy(ProxyFault::Status(502))));
        assert!(!moved(TransportErrorKind::Timeout) && !moved(TransportErrorKind::Broken(String::new())));
        assert!(
            !moved(TransportErrorKind::Proxy(ProxyFault::Credentials)) && !moved(TransportErrorKind::Unavailable(503))
        );
    }
}
