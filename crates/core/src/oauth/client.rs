//! A client of one issuer: each request of the protocol that is made, and nothing about when or why.

mod attempts;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use oauth2::basic::{BasicRevocationErrorResponse, BasicTokenType};
use oauth2::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, DeviceAuthorizationUrl, DeviceCode,
    EmptyExtraDeviceAuthorizationFields, EmptyExtraTokenFields, EndpointNotSet, EndpointSet, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, ResourceOwnerPassword, ResourceOwnerUsername,
    Scope, StandardDeviceAuthorizationResponse, StandardRevocableToken, StandardTokenIntrospectionResponse, TokenUrl,
};
use url::Url;

use super::challenge::ClaimsChallenge;
use super::discovery::Discovery;
use super::error_response::{ErrorObject, GrantType, OAuthErrorClass, OAuthErrorResponse};
use super::token_response::{GrantedTokens, TokenResponseBody};
use super::transport::{Transport, smooth};
use super::unusable_response::UnusableResponse;
use super::{ClientAuthentication, Endpoints};
use crate::http::{Http, RetryPolicy, TransportError, unavailable};
use crate::secret::Secret;
pub use attempts::Moves;

/// The device authorization answer (RFC 8628 3.2).
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

type ProtocolFailure = RequestTokenError<TransportError, ErrorObject>;

/// A client of one issuer.
pub struct Client {
    /// How it is reached.
    pub http: Http,
    /// The claims challenge that its requests answer: each that leads to a token carries it.
    pub challenge: Option<ClaimsChallenge>,
    endpoints: RefCell<Rc<Endpoints>>,
    /// The cached discovery document that the endpoints come from, until it is read again.
    cached: RefCell<Option<Discovery>>,
    /// The discovery document that was read because the cached one no longer fitted.
    reread: RefCell<Option<Discovery>>,
    id: String,
    secret: Option<Secret>,
    /// How the secret is sent.
    authentication: Cell<ClientAuthentication>,
    /// How it may still be sent if the issuer refuses the client.
    alternative: Cell<Option<ClientAuthentication>>,
    /// How the last request that was refused was.
    refusal: RefCell<Option<OAuthErrorResponse>>,
}

/// Why a request brought no tokens.
#[derive(Debug)]
pub enum Failure {
    /// There is no answer.
    Trouble(TransportError),
    /// The answer is an error object.
    Refused(Box<OAuthErrorResponse>),
    /// The answer is something else, such as a web page: whatever stands before the server may have sent it.
    NotOAuth(UnusableResponse),
    /// The server itself answered, and neither with what was asked for nor with an error.
    Malformed(UnusableResponse),
}

impl Client {
    /// A client known to the issuer as `id`.
    pub fn new(http: Http, endpoints: Endpoints, id: &str, secret: Option<Secret>) -> Self {
        let secret = secret.filter(|secret| !secret.is_empty());
        let client = Client {
            http,
            challenge: None,
            endpoints: RefCell::new(Rc::new(endpoints)),
            cached: RefCell::default(),
            reread: RefCell::default(),
            id: id.to_owned(),
            secret,
            authentication: Cell::default(),
            alternative: Cell::default(),
            refusal: RefCell::default(),
        };
        client.choose_authentication();
        client
    }

    /// Where the issuer's endpoints are.
    pub fn endpoints(&self) -> Rc<Endpoints> {
        Rc::clone(&self.endpoints.borrow())
    }

    /// How the issuer refused, the last time it did since this was asked for, secrets taken out.
    pub fn take_refusal(&self) -> Option<OAuthErrorResponse> {
        self.refusal.take()
    }

    /// A refusal, maybe one that a browser brought, without the secrets of its request: those `sent`, the client's own,
    /// and those of every request. A server may repeat them. It is also noted for [`Client::take_refusal`].
    pub fn note_refusal(&self, mut refusal: OAuthErrorResponse, sent: &[&str]) -> OAuthErrorResponse {
        let own = self.secret.iter().chain(self.http.secrets()).map(Secret::expose);
        refusal.mask(&sent.iter().copied().chain(own).collect::<Vec<_>>());
        *self.refusal.borrow_mut() = Some(refusal.clone());
        refusal
    }

    /// The parameter that answers the challenge.
    pub fn claims(&self) -> Option<String> {
        self.challenge.as_ref().map(ClaimsChallenge::text)
    }

    pub(super) fn protocol(&self, token_endpoint: &Url) -> ProtocolClient {
        let client = oauth2::Client::new(ClientId::new(self.id.clone()))
            .set_auth_type(match self.authentication.get() {
                ClientAuthentication::Basic => AuthType::BasicAuth,
                ClientAuthentication::Post => AuthType::RequestBody,
            })
            .set_token_uri(TokenUrl::from_url(token_endpoint.clone()));
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
        self.request(
            endpoint,
            |known| known.device_authorization.as_ref(),
            Moves::Anywhere,
            limit,
            async |endpoint, limit| {
                let endpoint_url = DeviceAuthorizationUrl::from_url(endpoint.clone());
                let client = self.protocol(&self.endpoints().token).set_device_authorization_url(endpoint_url);
                let mut request = client.exchange_device_code().add_scopes(scopes.iter().cloned().map(Scope::new));
                if self.authentication() == Some(ClientAuthentication::Basic) {
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
                let transport = Transport::new(&self.http, limit, RetryPolicy::Idempotent);
                let answer: Result<oauth2::DeviceAuthorizationResponse<EmptyExtraDeviceAuthorizationFields>, _> =
                    request.request_async(&transport).await;
                answer.map_err(|error| self.failure(endpoint, error, GrantType::DeviceCode, transport.status(), &[]))
            },
        )
        .await
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
    ) -> Result<GrantedTokens, Failure> {
        self.request(
            &self.endpoints().token,
            |known| Some(&known.token),
            Moves::WithinSite,
            limit,
            async |url, limit| {
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
                let answer = self.http.post_once(url, headers, body, limit).await.map_err(Failure::Trouble)?;
                let (clock_ahead, status) = (answer.clock_ahead(), answer.status);
                let trouble = unavailable(url, &answer);
                let response = smooth(answer);
                let body = response.body();
                if response.status() == 200 {
                    let body = serde_json::from_slice(body).map_err(|_| unreadable(url, status, body))?;
                    return Ok(GrantedTokens { body, clock_ahead });
                }
                // The error object decides and not the status: some servers send `slow_down` with 429.
                let error = OAuthErrorResponse::from_json(body, GrantType::DeviceCode, status);
                match (error.filter(|error| error.class() != OAuthErrorClass::Transient), trouble) {
                    (Some(error), _) => {
                        let verifier = verifier.map_or("", |verifier| verifier.secret());
                        Err(self.refused(error, &[device_code.secret(), verifier]))
                    }
                    (None, Some(trouble)) => Err(Failure::Trouble(trouble)),
                    // Whatever stands before the server may answer in JSON of its own.
                    (None, None) => Err(Failure::NotOAuth(UnusableResponse::new(url, status, body))),
                }
            },
        )
        .await
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
    ) -> Result<GrantedTokens, Failure> {
        let secrets = [code.secret().as_str(), verifier.map_or("", |verifier| verifier.secret())];
        // A code that is seen twice is taken for stolen (RFC 6749 4.1.2).
        self.tokens(GrantType::AuthorizationCode, &secrets, limit, RetryPolicy::SingleUse, async |client, transport| {
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
    pub async fn refresh(&self, token: &Secret, scopes: &[String], limit: Duration) -> Result<GrantedTokens, Failure> {
        let refresh_token = RefreshToken::new(token.expose().to_owned());
        self.tokens(
            GrantType::RefreshToken,
            &[token.expose()],
            limit,
            RetryPolicy::Idempotent,
            async |client, transport| {
                let scopes = scopes.iter().cloned().map(Scope::new);
                let mut request = client.exchange_refresh_token(&refresh_token).add_scopes(scopes);
                if let Some(claims) = self.claims() {
                    request = request.add_extra_param("claims", claims);
                }
                request.request_async(transport).await
            },
        )
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
    ) -> Result<GrantedTokens, Failure> {
        let username = ResourceOwnerUsername::new(username.to_owned());
        let secrets = [password.expose()];
        let password = ResourceOwnerPassword::new(password.expose().to_owned());
        // Issuers count wrong passwords, and lock accounts.
        self.tokens(GrantType::Password, &secrets, limit, RetryPolicy::SingleUse, async |client, transport| {
            let scopes = scopes.iter().cloned().map(Scope::new);
            let mut request = client.exchange_password(&username, &password).add_scopes(scopes);
            if let Some(claims) = self.claims() {
                request = request.add_extra_param("claims", claims);
            }
            request.request_async(transport).await
        })
        .await
    }

    /// Makes a request of the token endpoint in which `secrets` are sent, `grant` among them.
    async fn tokens(
        &self,
        grant: GrantType,
        secrets: &[&str],
        limit: Duration,
        repeat: RetryPolicy,
        request: impl AsyncFn(&ProtocolClient, &Transport<'_>) -> Result<TokenResponseBody, ProtocolFailure>,
    ) -> Result<GrantedTokens, Failure> {
        self.request(
            &self.endpoints().token,
            |known| Some(&known.token),
            Moves::WithinSite,
            limit,
            async |endpoint, limit| {
                let transport = Transport::new(&self.http, limit, repeat);
                let answer = request(&self.protocol(endpoint), &transport).await;
                let body = answer.map_err(|error| self.failure(endpoint, error, grant, transport.status(), secrets))?;
                Ok(GrantedTokens { body, clock_ahead: transport.clock_ahead() })
            },
        )
        .await
    }

    /// Ends a refresh token, and with it what was obtained with it (RFC 7009 2.1).
    ///
    /// Not the oauth2 crate's request: that one refuses plain http on this machine.
    ///
    /// Errors: see [`Failure`]; trouble that passes is waited out within `limit`.
    pub async fn revoke(&self, endpoint: &Url, token: &Secret, limit: Duration) -> Result<(), Failure> {
        self.request(
            endpoint,
            |known| known.revocation.as_ref(),
            Moves::WithinSite,
            limit,
            async |endpoint, limit| {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.append_pair("token", token.expose()).append_pair("token_type_hint", "refresh_token");
                let (headers, body) = self.authenticated(form);
                let answer = self.http.post(endpoint, headers, body, limit, RetryPolicy::Idempotent).await;
                let answer = answer.map_err(Failure::Trouble)?;
                if (200..300).contains(&answer.status) {
                    return Ok(());
                }
                Err(match OAuthErrorResponse::from_json(&answer.body, GrantType::RefreshToken, answer.status) {
                    Some(error) => self.refused(error, &[token.expose()]),
                    None => Failure::NotOAuth(UnusableResponse::new(endpoint, answer.status, &answer.body)),
                })
            },
        )
        .await
    }

    /// Headers and body of a form with client authentication as the oauth2 crate does it (RFC 6749 2.3.1), for the
    /// requests that are not made with it.
    fn authenticated(&self, mut form: url::form_urlencoded::Serializer<'_, String>) -> (HeaderMap, Vec<u8>) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        match &self.secret {
            Some(secret) if self.authentication.get() == ClientAuthentication::Basic => {
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

    fn failure(&self, url: &Url, error: ProtocolFailure, grant: GrantType, status: u16, sent: &[&str]) -> Failure {
        match error {
            RequestTokenError::ServerResponse(object) => self.refused(object.answering(grant, status), sent),
            RequestTokenError::Request(trouble) => Failure::Trouble(trouble),
            RequestTokenError::Parse(_, body) => unreadable(url, status, &body),
            RequestTokenError::Other(_) => unreadable(url, status, b""),
        }
    }

    fn refused(&self, response: OAuthErrorResponse, sent: &[&str]) -> Failure {
        Failure::Refused(Box::new(self.note_refusal(response, sent)))
    }
}

fn unreadable(url: &Url, status: u16, body: &[u8]) -> Failure {
    let answer = UnusableResponse::new(url, status, body);
    if answer.is_object() { Failure::Malformed(answer) } else { Failure::NotOAuth(answer) }
}
