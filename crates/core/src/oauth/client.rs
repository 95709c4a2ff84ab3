//! A client of one issuer: the protocol's requests, and nothing about when or why they are made.

mod attempts;
mod auth;
mod token_request;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oauth2::basic::{BasicRevocationErrorResponse, BasicTokenType};
use oauth2::{
    AuthorizationCode, DeviceAuthorizationUrl, DeviceCode, EmptyExtraTokenFields, EndpointNotSet, EndpointSet,
    PkceCodeChallenge, PkceCodeVerifier, RequestTokenError, Scope, StandardDeviceAuthorizationResponse,
    StandardRevocableToken, StandardTokenIntrospectionResponse,
};
use serde::{Deserialize, Serialize};
use url::Url;

use self::attempts::{Attempts, Learned};
use self::auth::ClientIdentity;
use self::token_request::PresentedGrant;
use super::challenge::ClaimsChallenge;
use super::error_response::{ErrorObject, GrantType, OAuthErrorClass, OAuthErrorResponse};
use super::token_response::{GrantedTokens, TokenResponseBody};
use super::transport::{OAuthTransport, normalize_response};
use super::unusable_response::UnusableResponse;
use super::{ClientSecretMethod, Endpoints};
use crate::http::{Http, RetryPolicy, TransportError, unavailable};
use crate::secret::Secret;
pub use attempts::Moves;
pub use auth::ClientAuth;

/// The device authorization response (RFC 8628 3.2).
pub type DeviceAuthorization = StandardDeviceAuthorizationResponse;

pub(super) type ProtocolClient = oauth2::Client<
    ErrorObject,
    TokenResponseBody,
    StandardTokenIntrospectionResponse<EmptyExtraTokenFields, BasicTokenType>,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

type ProtocolError = RequestTokenError<TransportError, ErrorObject>;

/// A client of one issuer. It can be shared: what it learns about the issuer is protected by locks that are held only briefly.
pub struct OAuthClient {
    /// How it is reached.
    pub http: Http,
    /// The claims challenge that its requests answer: each that leads to a token carries it.
    pub challenge: Option<ClaimsChallenge>,
    id: String,
    auth: ClientAuth,
    learned: Mutex<Learned>,
    /// The last error response.
    refusal: Mutex<Option<OAuthErrorResponse>>,
}

/// Why a request did not bring tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum TokenRequestError {
    /// The server did not respond.
    #[error(transparent)]
    Transport(TransportError),
    /// The response is an error object.
    #[error(transparent)]
    Refused(Box<OAuthErrorResponse>),
    /// The response is something else, such as a web page: a gateway in front of the server may have sent it.
    #[error("{0}")]
    NotOAuth(UnusableResponse),
    /// The server itself responded, with neither what was requested nor an error.
    #[error("{0}")]
    Malformed(UnusableResponse),
}

impl OAuthClient {
    /// A client known to the issuer as `id`, which authenticates with `auth`.
    pub fn new(http: Http, endpoints: Endpoints, id: &str, auth: ClientAuth) -> Self {
        let learned = Learned::new(endpoints, auth.secret().is_some());
        OAuthClient {
            http,
            challenge: None,
            id: id.to_owned(),
            auth,
            learned: Mutex::new(learned),
            refusal: Mutex::default(),
        }
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the issuer's endpoints are.
    pub fn endpoints(&self) -> Arc<Endpoints> {
        Arc::clone(&self.learned().endpoints)
    }

    /// The last error response since this was called, with secrets masked.
    pub fn take_refusal(&self) -> Option<OAuthErrorResponse> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Masks the secrets in an error response, which may have come through the browser: those `sent`, the client's own, and
    /// those of every request. A server may repeat them. The result is also noted for [`OAuthClient::take_refusal`].
    pub fn note_refusal(&self, mut refusal: OAuthErrorResponse, sent: &[&str]) -> OAuthErrorResponse {
        let own = self.auth.credential().into_iter().chain(self.http.secrets()).map(Secret::expose);
        refusal.mask(&sent.iter().copied().chain(own).collect::<Vec<_>>());
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal.clone());
        refusal
    }

    /// The `claims` parameter that answers the challenge.
    pub fn claims(&self) -> Option<String> {
        self.challenge.as_ref().map(ClaimsChallenge::text)
    }

    fn identity(&self, method: ClientSecretMethod) -> ClientIdentity<'_> {
        ClientIdentity { id: &self.id, auth: &self.auth, method }
    }

    /// The oauth2 crate's client, for requests that do not authenticate.
    pub(super) fn protocol(&self, token_endpoint: &Url) -> ProtocolClient {
        self.identity(ClientSecretMethod::default()).protocol(token_endpoint)
    }

    /// The parameters that every request for tokens has besides those of its grant.
    fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut parameters = self.auth.assertion_parameters();
        parameters.extend(self.claims().map(|claims| ("claims", claims)));
        parameters
    }

    /// Requests a device code and a user code (RFC 8628 3.1).
    ///
    /// Errors: see [`TokenRequestError`]; temporary failures are retried within `limit`.
    pub async fn device_authorization(
        &self,
        endpoint: &Url,
        scopes: &[String],
        challenge: Option<&PkceCodeChallenge>,
        limit: Duration,
    ) -> Result<DeviceAuthorization, TokenRequestError> {
        let mut attempts = self.attempts(endpoint, |known| known.device_authorization.as_ref(), Moves::Anywhere, limit);
        loop {
            let outcome = self.device_authorization_once(&attempts, scopes, challenge).await;
            if let Some(outcome) = attempts.finish(outcome).await {
                return outcome;
            }
        }
    }

    async fn device_authorization_once(
        &self,
        attempt: &Attempts<'_>,
        scopes: &[String],
        challenge: Option<&PkceCodeChallenge>,
    ) -> Result<DeviceAuthorization, TokenRequestError> {
        let endpoint = &attempt.endpoint;
        let client = self
            .identity(attempt.method)
            .protocol(&self.endpoints().token)
            .set_device_authorization_url(DeviceAuthorizationUrl::from_url(endpoint.clone()));
        let mut request = client.exchange_device_code().add_scopes(scopes.iter().cloned().map(Scope::new));
        if self.auth.secret().is_some() && attempt.method == ClientSecretMethod::Basic {
            // RFC 8628 3.1 asks for it besides client authentication, and some servers insist.
            request = request.add_extra_param("client_id", self.id.as_str());
        }
        for (name, value) in self.parameters() {
            request = request.add_extra_param(name, value);
        }
        if let Some(challenge) = challenge {
            request = request
                .add_extra_param("code_challenge", challenge.as_str())
                .add_extra_param("code_challenge_method", challenge.method().as_str());
        }
        let transport = OAuthTransport::new(&self.http, attempt.left(), RetryPolicy::Idempotent);
        let response: Result<DeviceAuthorization, _> = request.request_async(&transport).await;
        response.map_err(|error| self.error(endpoint, error, GrantType::DeviceCode, transport.status(), &[]))
    }

    /// Asks once whether the device code has been approved (RFC 8628 3.4).
    ///
    /// Not the oauth2 crate's loop: that one hides connection loss until the code expires, gives up on the first web page
    /// from a gateway, and drops additional members of the error object.
    ///
    /// Errors: see [`TokenRequestError`]; "not yet" is one of them.
    pub async fn poll(
        &self,
        device_code: &DeviceCode,
        verifier: Option<&PkceCodeVerifier>,
        limit: Duration,
    ) -> Result<GrantedTokens, TokenRequestError> {
        let mut attempts = self.token_attempts(limit);
        loop {
            let outcome = self.poll_once(&attempts, device_code, verifier).await;
            if let Some(outcome) = attempts.finish(outcome).await {
                return outcome;
            }
        }
    }

    async fn poll_once(
        &self,
        attempt: &Attempts<'_>,
        device_code: &DeviceCode,
        verifier: Option<&PkceCodeVerifier>,
    ) -> Result<GrantedTokens, TokenRequestError> {
        let url = &attempt.endpoint;
        let (headers, body) = {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:device_code")
                .append_pair("device_code", device_code.secret());
            if let Some(verifier) = verifier {
                form.append_pair("code_verifier", verifier.secret());
            }
            if let Some(claims) = self.claims() {
                form.append_pair("claims", &claims);
            }
            self.identity(attempt.method).authenticate(form)
        };
        let answer =
            self.http.post_once(url, headers, body, attempt.left()).await.map_err(TokenRequestError::Transport)?;
        let (clock_ahead, status) = (answer.clock_ahead(), answer.status);
        let trouble = unavailable(url, &answer);
        let response = normalize_response(answer);
        let body = response.body();
        if response.status() == 200 {
            let body = serde_json::from_slice(body).map_err(|_| unusable(url, status, body))?;
            return Ok(GrantedTokens { body, clock_ahead });
        }
        // The error object decides and not the status: some servers send `slow_down` with 429.
        let error = OAuthErrorResponse::from_json(body, GrantType::DeviceCode, status);
        match (error.filter(|error| error.class() != OAuthErrorClass::Transient), trouble) {
            (Some(error), _) => {
                let verifier = verifier.map_or("", |verifier| verifier.secret());
                Err(self.refused(error, &[device_code.secret(), verifier]))
            }
            (None, Some(trouble)) => Err(TokenRequestError::Transport(trouble)),
            // A gateway in front of the server may answer in JSON of its own.
            (None, None) => Err(TokenRequestError::NotOAuth(UnusableResponse::new(url, status, body))),
        }
    }

    /// Exchanges an authorization code for tokens (RFC 6749 4.1.3), with what the authorization request promised.
    ///
    /// Errors: see [`TokenRequestError`]; temporary failures are retried within `limit`.
    pub async fn exchange(
        &self,
        code: &AuthorizationCode,
        redirect_uri: Option<&str>,
        verifier: Option<&PkceCodeVerifier>,
        limit: Duration,
    ) -> Result<GrantedTokens, TokenRequestError> {
        self.tokens(PresentedGrant::Code { code, redirect_uri, verifier }, limit).await
    }

    /// Exchanges a refresh token for new tokens (RFC 6749 6), with the scopes given.
    ///
    /// Errors: see [`TokenRequestError`]; temporary failures are retried within `limit`.
    pub async fn refresh(
        &self,
        token: &Secret,
        scopes: &[String],
        limit: Duration,
    ) -> Result<GrantedTokens, TokenRequestError> {
        self.tokens(PresentedGrant::RefreshToken { token, scopes }, limit).await
    }

    /// Exchanges a user's name and password for tokens (RFC 6749 4.3.2).
    ///
    /// Errors: see [`TokenRequestError`]; temporary failures are retried within `limit`.
    pub async fn password(
        &self,
        username: &str,
        password: &Secret,
        scopes: &[String],
        limit: Duration,
    ) -> Result<GrantedTokens, TokenRequestError> {
        self.tokens(PresentedGrant::Password { username, password, scopes }, limit).await
    }

    async fn tokens(&self, presented: PresentedGrant<'_>, limit: Duration) -> Result<GrantedTokens, TokenRequestError> {
        let mut attempts = self.token_attempts(limit);
        loop {
            let outcome = self.tokens_once(&attempts, &presented).await;
            if let Some(outcome) = attempts.finish(outcome).await {
                return outcome;
            }
        }
    }

    async fn tokens_once(
        &self,
        attempt: &Attempts<'_>,
        presented: &PresentedGrant<'_>,
    ) -> Result<GrantedTokens, TokenRequestError> {
        let transport = OAuthTransport::new(&self.http, attempt.left(), presented.repeat());
        let client = self.identity(attempt.method).protocol(&attempt.endpoint);
        let response = presented.send(&client, self.parameters(), &transport).await;
        let body = response.map_err(|error| {
            self.error(&attempt.endpoint, error, presented.grant(), transport.status(), &presented.secrets())
        })?;
        Ok(GrantedTokens { body, clock_ahead: transport.clock_ahead() })
    }

    fn token_attempts(&self, limit: Duration) -> Attempts<'_> {
        self.attempts(&self.endpoints().token, |known| Some(&known.token), Moves::WithinSite, limit)
    }

    /// Revokes a refresh token, and with it what was obtained with it (RFC 7009 2.1).
    ///
    /// Not the oauth2 crate's request: that one refuses plain http on this machine.
    ///
    /// Errors: see [`TokenRequestError`]; temporary failures are retried within `limit`.
    pub async fn revoke(&self, endpoint: &Url, token: &Secret, limit: Duration) -> Result<(), TokenRequestError> {
        let mut attempts = self.attempts(endpoint, |known| known.revocation.as_ref(), Moves::WithinSite, limit);
        loop {
            let outcome = self.revoke_once(&attempts, token).await;
            if let Some(outcome) = attempts.finish(outcome).await {
                return outcome;
            }
        }
    }

    async fn revoke_once(&self, attempt: &Attempts<'_>, token: &Secret) -> Result<(), TokenRequestError> {
        let endpoint = &attempt.endpoint;
        let (headers, body) = {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.append_pair("token", token.expose()).append_pair("token_type_hint", "refresh_token");
            self.identity(attempt.method).authenticate(form)
        };
        let answer = self.http.post(endpoint, headers, body, attempt.left(), RetryPolicy::Idempotent).await;
        let answer = answer.map_err(TokenRequestError::Transport)?;
        if (200..300).contains(&answer.status) {
            return Ok(());
        }
        Err(match OAuthErrorResponse::from_json(&answer.body, GrantType::RefreshToken, answer.status) {
            Some(error) => self.refused(error, &[token.expose()]),
            None => TokenRequestError::NotOAuth(UnusableResponse::new(endpoint, answer.status, &answer.body)),
        })
    }

    fn error(
        &self,
        url: &Url,
        error: ProtocolError,
        grant: GrantType,
        status: u16,
        sent: &[&str],
    ) -> TokenRequestError {
        match error {
            RequestTokenError::ServerResponse(object) => self.refused(object.answering(grant, status), sent),
            RequestTokenError::Request(error) => TokenRequestError::Transport(error),
            RequestTokenError::Parse(_, body) => unusable(url, status, &body),
            RequestTokenError::Other(_) => unusable(url, status, b""),
        }
    }

    fn refused(&self, response: OAuthErrorResponse, sent: &[&str]) -> TokenRequestError {
        TokenRequestError::Refused(Box::new(self.note_refusal(response, sent)))
    }
}

fn unusable(url: &Url, status: u16, body: &[u8]) -> TokenRequestError {
    let response = UnusableResponse::new(url, status, body);
    match response.is_object() {
        true => TokenRequestError::Malformed(response),
        false => TokenRequestError::NotOAuth(response),
    }
}
