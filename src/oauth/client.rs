//! A client of one issuer: each request of the protocol that is made, and nothing about when or why.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::time::Duration;

use base64::Engine as _;
use chrono::TimeDelta;
use oauth2::basic::{BasicRevocationErrorResponse, BasicTokenType};
use oauth2::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, DeviceAuthorizationUrl, DeviceCode,
    EmptyExtraDeviceAuthorizationFields, EmptyExtraTokenFields, EndpointNotSet, EndpointSet, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, ResourceOwnerPassword, ResourceOwnerUsername,
    Scope, StandardDeviceAuthorizationResponse, StandardRevocableToken, StandardTokenIntrospectionResponse, TokenUrl,
};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::time::Instant;
use url::Url;

use super::Endpoints;
use super::answer::{Class, ErrorAnswer, TokenAnswer};
use super::challenge::Challenge;
use super::transport::{Transport, smooth};
use crate::http::{Http, Repeat, Trouble, origin, unavailable};
use crate::secret::Secret;

/// The device authorization answer (RFC 8628 3.2).
pub type DeviceAuthorization = StandardDeviceAuthorizationResponse;

pub(super) type ProtocolClient = oauth2::Client<
    ErrorAnswer,
    TokenAnswer,
    StandardTokenIntrospectionResponse<EmptyExtraTokenFields, BasicTokenType>,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

type ProtocolFailure = RequestTokenError<Trouble, ErrorAnswer>;

/// A client of one issuer.
pub struct Client {
    /// How it is reached.
    pub http: Http,
    /// Where its endpoints are.
    pub endpoints: Endpoints,
    /// The claims challenge that its requests answer: each that leads to a token carries it.
    pub challenge: Option<Challenge>,
    id: String,
    secret: Option<Secret>,
    /// Whether the secret goes into the body; found out by trying where the issuer does not say.
    secret_in_body: Cell<bool>,
    /// How the last request that was refused was.
    refusal: RefCell<Option<ErrorAnswer>>,
}

/// Why a request brought no tokens.
#[derive(Debug)]
pub enum Failure {
    /// There is no answer.
    Trouble(Trouble),
    /// The answer is an error object.
    Refused(Box<ErrorAnswer>),
    /// The answer is something else, such as a web page: whatever stands before the server may have sent it. The text
    /// says what, without repeating secrets.
    NotOAuth(String),
    /// The server itself answered, and neither with what was asked for nor with an error. The text says what.
    Malformed(String),
}

/// Tokens, and how far this machine's clock is ahead of the server that gave them.
pub struct Granted {
    /// The answer.
    pub answer: TokenAnswer,
    /// Positive when this machine is ahead; `None` when the server does not tell.
    pub clock_ahead: Option<TimeDelta>,
}

impl Client {
    /// A client known to the issuer as `id`.
    pub fn new(http: Http, endpoints: Endpoints, id: &str, secret: Option<Secret>) -> Self {
        let secret = secret.filter(|secret| !secret.is_empty());
        let secret_in_body = Cell::new(endpoints.secret_in_body.unwrap_or(false));
        let (id, challenge, refusal) = (id.to_owned(), None, RefCell::default());
        Client { http, endpoints, challenge, id, secret, secret_in_body, refusal }
    }

    /// How the issuer refused, the last time it did since this was asked for, secrets taken out.
    pub fn take_refusal(&self) -> Option<ErrorAnswer> {
        self.refusal.take()
    }

    /// A refusal, maybe one that a browser brought, without the secrets of its request: those `sent`, the client's own,
    /// and those of every request. A server may repeat them. It is also noted for [`Client::take_refusal`].
    pub fn note_refusal(&self, mut refusal: ErrorAnswer, sent: &[&str]) -> ErrorAnswer {
        let own = self.secret.iter().chain(self.http.secrets()).map(Secret::expose);
        refusal.mask(&sent.iter().copied().chain(own).collect::<Vec<_>>());
        *self.refusal.borrow_mut() = Some(refusal.clone());
        refusal
    }

    /// The parameter that answers the challenge.
    pub fn claims(&self) -> Option<String> {
        self.challenge.as_ref().map(Challenge::text)
    }

    pub(super) fn protocol(&self) -> ProtocolClient {
        let client = oauth2::Client::new(ClientId::new(self.id.clone()))
            .set_auth_type(if self.secret_in_body.get() { AuthType::RequestBody } else { AuthType::BasicAuth })
            .set_token_uri(TokenUrl::from_url(self.endpoints.token.clone()));
        match &self.secret {
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose().to_owned())),
            None => client,
        }
    }

    /// Asks for a device code and a user code (RFC 8628 3.1).
    ///
    /// Errors: see [`Failure`]; trouble that passes is waited out within `limit`.
    pub async fn device_authorization(
        &self,
        endpoint: &Url,
        scopes: &[String],
        challenge: Option<&PkceCodeChallenge>,
        limit: Duration,
    ) -> Result<DeviceAuthorization, Failure> {
        loop {
            let endpoint_url = DeviceAuthorizationUrl::from_url(endpoint.clone());
            let client = self.protocol().set_device_authorization_url(endpoint_url);
            let mut request = client.exchange_device_code().add_scopes(scopes.iter().cloned().map(Scope::new));
            if self.secret.is_some() && !self.secret_in_body.get() {
                // RFC 8628 3.1 asks for it besides client authentication, and some servers insist.
                request = request.add_extra_param("client_id", self.id.as_str());
            }
            if let Some(claims) = self.claims() {
                request = request.add_extra_param("claims", claims);
            }
            if let Some(challenge) = challenge {
                request = request
                    .add_extra_param("code_challenge", challenge.as_str())
                    .add_extra_param("code_challenge_method", challenge.method().as_str());
            }
            let transport = Transport::new(&self.http, limit, Repeat::Freely);
            let answer: Result<oauth2::DeviceAuthorizationResponse<EmptyExtraDeviceAuthorizationFields>, _> =
                request.request_async(&transport).await;
            match answer.map_err(|error| self.failure(endpoint, error, &[])) {
                Err(Failure::Refused(error)) if self.may_authenticate_otherwise(&error) => {}
                outcome => return outcome,
            }
        }
    }

    /// Whether the same request may be made again with the secret in the other place: where the issuer does not say
    /// which one it is, and refuses the client as such (RFC 6749 5.2), which uses up nothing.
    fn may_authenticate_otherwise(&self, error: &ErrorAnswer) -> bool {
        let unknown = self.endpoints.secret_in_body.is_none() && !self.secret_in_body.get();
        let otherwise = error.error == "invalid_client" && self.secret.is_some() && unknown;
        if otherwise {
            self.secret_in_body.set(true);
        }
        otherwise
    }

    /// Asks once whether the device code has been approved (RFC 8628 3.4).
    ///
    /// Not the oauth2 crate's loop: that one hides connection loss until the code ends, gives up on the first web page
    /// that a gateway slips in, and drops Entra's fields from the error.
    ///
    /// Errors: see [`Failure`]; "not yet" is one of them.
    pub async fn poll(
        &self,
        device_code: &DeviceCode,
        verifier: Option<&PkceCodeVerifier>,
        limit: Duration,
    ) -> Result<Granted, Failure> {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:device_code")
            .append_pair("device_code", device_code.secret());
        if let Some(verifier) = verifier {
            form.append_pair("code_verifier", verifier.secret());
        }
        if let Some(claims) = self.claims() {
            form.append_pair("claims", &claims);
        }
        let (headers, body) = self.authenticated(form);
        let url = &self.endpoints.token;
        let answer = self.http.post_once(url, headers, body, limit).await.map_err(Failure::Trouble)?;
        let clock_ahead = answer.clock_ahead();
        let trouble = unavailable(url, &answer);
        let response = smooth(answer);
        let body = response.body();
        if response.status() == 200 {
            let answer = serde_json::from_slice(body).map_err(|_| unreadable(url, body))?;
            return Ok(Granted { answer, clock_ahead });
        }
        // The error object decides and not the status: some servers send `slow_down` with 429.
        let error = serde_json::from_slice::<ErrorAnswer>(body).ok();
        match (error.filter(|error| error.class() != Class::Transient), trouble) {
            (Some(error), _) => {
                let verifier = verifier.map_or("", |verifier| verifier.secret());
                Err(self.refused(error, &[device_code.secret(), verifier]))
            }
            (None, Some(trouble)) => Err(Failure::Trouble(trouble)),
            // Whatever stands before the server may answer in JSON of its own.
            (None, None) => {
                Err(Failure::NotOAuth(format!("{} answered with HTTP {}", origin(url), response.status().as_u16())))
            }
        }
    }

    /// Trades an authorization code for tokens (RFC 6749 4.1.3), with what the authorization request promised.
    ///
    /// Errors: see [`Failure`]; trouble that passes is waited out within `limit`.
    pub async fn exchange(
        &self,
        code: &AuthorizationCode,
        redirect_uri: Option<&str>,
        verifier: Option<&PkceCodeVerifier>,
        limit: Duration,
    ) -> Result<Granted, Failure> {
        let secrets = [code.secret().as_str(), verifier.map_or("", |verifier| verifier.secret())];
        // A code that is seen twice is taken for stolen (RFC 6749 4.1.2).
        self.tokens(&secrets, limit, Repeat::UnlessSeen, async |client, transport| {
            let mut request = client.exchange_code(code.clone());
            if let Some(url) = redirect_uri.and_then(|url| RedirectUrl::new(url.to_owned()).ok()) {
                request = request.set_redirect_uri(Cow::Owned(url));
            }
            if let Some(verifier) = verifier {
                request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier.secret().clone()));
            }
            if let Some(claims) = self.claims() {
                request = request.add_extra_param("claims", claims);
            }
            request.request_async(transport).await
        })
        .await
    }

    /// Trades a refresh token for new tokens (RFC 6749 6), with the scopes given.
    ///
    /// Errors: see [`Failure`]; trouble that passes is waited out within `limit`.
    pub async fn refresh(&self, token: &Secret, scopes: &[String], limit: Duration) -> Result<Granted, Failure> {
        let refresh_token = RefreshToken::new(token.expose().to_owned());
        self.tokens(&[token.expose()], limit, Repeat::Freely, async |client, transport| {
            let scopes = scopes.iter().cloned().map(Scope::new);
            let mut request = client.exchange_refresh_token(&refresh_token).add_scopes(scopes);
            if let Some(claims) = self.claims() {
                request = request.add_extra_param("claims", claims);
            }
            request.request_async(transport).await
        })
        .await
    }

    /// Trades a user's name and password for tokens (RFC 6749 4.3.2).
    ///
    /// Errors: see [`Failure`]; trouble that passes is waited out within `limit`.
    pub async fn password(
        &self,
        username: &str,
        password: &Secret,
        scopes: &[String],
        limit: Duration,
    ) -> Result<Granted, Failure> {
        let username = ResourceOwnerUsername::new(username.to_owned());
        let secrets = [password.expose()];
        let password = ResourceOwnerPassword::new(password.expose().to_owned());
        // Issuers count wrong passwords, and lock accounts.
        self.tokens(&secrets, limit, Repeat::UnlessSeen, async |client, transport| {
            let scopes = scopes.iter().cloned().map(Scope::new);
            let mut request = client.exchange_password(&username, &password).add_scopes(scopes);
            if let Some(claims) = self.claims() {
                request = request.add_extra_param("claims", claims);
            }
            request.request_async(transport).await
        })
        .await
    }

    /// Makes a request of the token endpoint in which `secrets` are sent.
    async fn tokens(
        &self,
        secrets: &[&str],
        limit: Duration,
        repeat: Repeat,
        request: impl AsyncFn(&ProtocolClient, &Transport<'_>) -> Result<TokenAnswer, ProtocolFailure>,
    ) -> Result<Granted, Failure> {
        loop {
            let transport = Transport::new(&self.http, limit, repeat);
            let answer = request(&self.protocol(), &transport).await;
            match answer.map_err(|error| self.failure(&self.endpoints.token, error, secrets)) {
                Ok(answer) => return Ok(Granted { answer, clock_ahead: transport.clock_ahead() }),
                Err(Failure::Refused(error)) if self.may_authenticate_otherwise(&error) => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Ends a refresh token, and with it what was obtained with it (RFC 7009 2.1).
    ///
    /// Not the oauth2 crate's request: that one refuses plain http on this machine.
    ///
    /// Errors: see [`Failure`]; trouble that passes is waited out within `limit`.
    pub async fn revoke(&self, endpoint: &Url, token: &Secret, limit: Duration) -> Result<(), Failure> {
        let end = Instant::now() + limit;
        loop {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.append_pair("token", token.expose()).append_pair("token_type_hint", "refresh_token");
            let (headers, body) = self.authenticated(form);
            let left = end.saturating_duration_since(Instant::now());
            let answer =
                self.http.post(endpoint, headers, body, left, Repeat::Freely).await.map_err(Failure::Trouble)?;
            if (200..300).contains(&answer.status) {
                return Ok(());
            }
            match serde_json::from_slice::<ErrorAnswer>(&answer.body) {
                Ok(error) if self.may_authenticate_otherwise(&error) => {}
                Ok(error) => return Err(self.refused(error, &[token.expose()])),
                Err(_) => {
                    return Err(Failure::NotOAuth(format!(
                        "{} answered with HTTP {}",
                        origin(endpoint),
                        answer.status
                    )));
                }
            }
        }
    }

    /// Headers and body of a form with client authentication as the oauth2 crate does it (RFC 6749 2.3.1), for the
    /// requests that are not made with it.
    fn authenticated(&self, mut form: url::form_urlencoded::Serializer<'_, String>) -> (HeaderMap, Vec<u8>) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        match &self.secret {
            Some(secret) if !self.secret_in_body.get() => {
                let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encode(&self.id), encode(secret.expose()));
                let value = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
                // base64 is always a valid header value.
                if let Ok(mut value) = HeaderValue::from_str(&value) {
                    value.set_sensitive(true);
                    headers.insert(AUTHORIZATION, value);
                }
            }
            secret => {
                form.append_pair("client_id", &self.id);
                if let Some(secret) = secret {
                    form.append_pair("client_secret", secret.expose());
                }
            }
        }
        (headers, form.finish().into_bytes())
    }

    fn failure(&self, url: &Url, error: ProtocolFailure, sent: &[&str]) -> Failure {
        match error {
            RequestTokenError::ServerResponse(answer) => self.refused(answer, sent),
            RequestTokenError::Request(trouble) => Failure::Trouble(trouble),
            RequestTokenError::Parse(_, body) => unreadable(url, &body),
            RequestTokenError::Other(_) => unreadable(url, b""),
        }
    }

    fn refused(&self, answer: ErrorAnswer, sent: &[&str]) -> Failure {
        Failure::Refused(Box::new(self.note_refusal(answer, sent)))
    }
}

/// What kind of thing `body` is. Its text is never repeated: a parser's complaint could quote a token.
fn unreadable(url: &Url, body: &[u8]) -> Failure {
    let start = body.trim_ascii_start();
    let found = |what| format!("{} answered with {what}", origin(url));
    match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(serde_json::Value::Object(_)) => Failure::Malformed(found("JSON without the fields of an OAuth answer")),
        Ok(_) => Failure::NotOAuth(found("JSON that is no object")),
        Err(_) if start.starts_with(b"<") => Failure::NotOAuth(found("a web page")),
        Err(_) if start.is_empty() => Failure::NotOAuth(found("nothing usable")),
        Err(_) => Failure::NotOAuth(found("something that is not JSON")),
    }
}
