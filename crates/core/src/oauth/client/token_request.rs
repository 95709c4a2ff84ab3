//! The requests of the token endpoint that the oauth2 crate makes: one for each grant.

use std::borrow::Cow;

use oauth2::{
    AsyncHttpClient, AuthorizationCode, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError,
    ResourceOwnerPassword, ResourceOwnerUsername, Scope,
};

use super::ProtocolClient;
use crate::http::{RetryPolicy, TransportError};
use crate::oauth::error_response::{ErrorObject, GrantType};
use crate::oauth::token_response::TokenResponseBody;
use crate::secret::Secret;

/// What is presented to the token endpoint, and what is asked for.
pub(super) enum PresentedGrant<'a> {
    /// An authorization code (RFC 6749 4.1.3), with what the authorization request promised.
    Code { code: &'a AuthorizationCode, redirect_uri: Option<&'a str>, verifier: Option<&'a PkceCodeVerifier> },
    /// A refresh token (RFC 6749 6).
    RefreshToken { token: &'a Secret, scopes: &'a [String] },
    /// A user's name and password (RFC 6749 4.3.2).
    Password { username: &'a str, password: &'a Secret, scopes: &'a [String] },
}

impl PresentedGrant<'_> {
    pub(super) fn grant(&self) -> GrantType {
        match self {
            PresentedGrant::Code { .. } => GrantType::AuthorizationCode,
            PresentedGrant::RefreshToken { .. } => GrantType::RefreshToken,
            PresentedGrant::Password { .. } => GrantType::Password,
        }
    }

    /// The secrets that are sent; a server may repeat them.
    pub(super) fn secrets(&self) -> Vec<&str> {
        match self {
            PresentedGrant::Code { code, verifier, .. } => [code.secret().as_str()]
                .into_iter()
                .chain(verifier.map(|verifier| verifier.secret().as_str()))
                .collect(),
            PresentedGrant::RefreshToken { token, .. } => vec![token.expose()],
            PresentedGrant::Password { password, .. } => vec![password.expose()],
        }
    }

    /// Whether the request may be repeated. A code that is used twice is treated as stolen (RFC 6749 4.1.2). Issuers count
    /// wrong passwords, and lock accounts.
    pub(super) fn repeat(&self) -> RetryPolicy {
        match self {
            PresentedGrant::Code { .. } | PresentedGrant::Password { .. } => RetryPolicy::SingleUse,
            PresentedGrant::RefreshToken { .. } => RetryPolicy::Idempotent,
        }
    }

    /// Sends the request once, with `parameters` besides its own.
    pub(super) async fn send<T>(
        &self,
        client: &ProtocolClient,
        parameters: Vec<(&'static str, String)>,
        transport: &T,
    ) -> Result<TokenResponseBody, RequestTokenError<TransportError, ErrorObject>>
    where
        T: for<'c> AsyncHttpClient<'c, Error = TransportError>,
    {
        let scopes = |scopes: &[String]| scopes.iter().cloned().map(Scope::new).collect::<Vec<_>>();
        match self {
            PresentedGrant::Code { code, redirect_uri, verifier } => {
                let mut request = client.exchange_code((*code).clone());
                if let Some(url) = redirect_uri.and_then(|url| RedirectUrl::new(url.to_owned()).ok()) {
                    request = request.set_redirect_uri(Cow::Owned(url));
                }
                if let Some(verifier) = verifier {
                    request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier.secret().clone()));
                }
                for (name, value) in parameters {
                    request = request.add_extra_param(name, value);
                }
                request.request_async(transport).await
            }
            PresentedGrant::RefreshToken { token, scopes: wanted } => {
                let token = RefreshToken::new(token.expose().to_owned());
                let mut request = client.exchange_refresh_token(&token).add_scopes(scopes(wanted));
                for (name, value) in parameters {
                    request = request.add_extra_param(name, value);
                }
                request.request_async(transport).await
            }
            PresentedGrant::Password { username, password, scopes: wanted } => {
                let username = ResourceOwnerUsername::new((*username).to_owned());
                let password = ResourceOwnerPassword::new(password.expose().to_owned());
                let mut request = client.exchange_password(&username, &password).add_scopes(scopes(wanted));
                for (name, value) in parameters {
                    request = request.add_extra_param(name, value);
                }
                request.request_async(transport).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Mutex;

    use oauth2::{HttpRequest, HttpResponse, TokenResponse as _};
    use url::Url;

    use super::super::auth::{ClientAuth, ClientIdentity};
    use super::*;
    use crate::oauth::ClientSecretMethod;

    /// Records the body of a request, and answers it with a token.
    #[derive(Default)]
    struct Recorder(Mutex<Vec<u8>>);

    impl<'c> AsyncHttpClient<'c> for Recorder {
        type Error = TransportError;
        type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, TransportError>> + Send + 'c>>;

        fn call(&'c self, request: HttpRequest) -> Self::Future {
            *self.0.lock().expect("not poisoned") = request.into_body();
            let body = br#"{"access_token":"a","token_type":"Bearer"}"#;
            Box::pin(async { Ok(HttpResponse::new(body.to_vec())) })
        }
    }

    #[tokio::test]
    async fn assertion_stands_in_every_token_request() {
        let auth = ClientAuth::Assertion(Secret::new("e30.e30.c2ln"));
        let identity = ClientIdentity { id: "client", auth: &auth, method: ClientSecretMethod::Basic };
        let client = identity.protocol(&Url::parse("https://issuer.example/token").expect("a URL"));
        let (code, secret, scopes) = (AuthorizationCode::new("c".to_owned()), Secret::new("s"), ["x".to_owned()]);
        for presented in [
            PresentedGrant::Code { code: &code, redirect_uri: None, verifier: None },
            PresentedGrant::RefreshToken { token: &secret, scopes: &scopes },
            PresentedGrant::Password { username: "u", password: &secret, scopes: &scopes },
        ] {
            let recorder = Recorder::default();
            let sent = presented.send(&client, auth.assertion_parameters(), &recorder).await.expect("tokens");
            assert_eq!(sent.access_token().secret(), "a");
            let body = recorder.0.into_inner().expect("not poisoned");
            let sent: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
            for (name, value) in [
                ("client_id", "client"),
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", "e30.e30.c2ln"),
            ] {
                let values: Vec<&str> =
                    sent.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect();
                assert_eq!(values, [value], "{name} in {sent:?}");
            }
        }
    }
}
