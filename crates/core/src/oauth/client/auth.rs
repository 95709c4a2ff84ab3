//! How a client authenticates to the token endpoint (RFC 6749 2.3, RFC 7523 2.2).

use base64::Engine as _;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use oauth2::{AuthType, ClientId, ClientSecret, TokenUrl};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::ProtocolClient;
use crate::oauth::ClientSecretMethod;
use crate::secret::Secret;

/// `client_assertion_type` of a JWT (RFC 7523 2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a client proves its identity with.
#[derive(Clone, Debug, Default)]
pub enum ClientAuth {
    /// Nothing: a public client.
    #[default]
    None,
    /// A client secret (RFC 6749 2.3.1).
    Secret(Secret),
    /// A JWT that names the client as its subject (RFC 7523 2.2): signed by the client, or issued by another issuer that
    /// the server trusts.
    Assertion(Secret),
}

/// A client's identity in a request: its id, what proves it, and how a secret is sent.
pub(super) struct ClientIdentity<'a> {
    pub(super) id: &'a str,
    pub(super) auth: &'a ClientAuth,
    pub(super) method: ClientSecretMethod,
}

impl ClientAuth {
    /// The client secret, if there is one. An empty one is ignored.
    pub(super) fn secret(&self) -> Option<&Secret> {
        match self {
            ClientAuth::Secret(secret) => Some(secret).filter(|secret| !secret.is_empty()),
            ClientAuth::None | ClientAuth::Assertion(_) => None,
        }
    }

    /// What must not appear in messages.
    pub(super) fn credential(&self) -> Option<&Secret> {
        match self {
            ClientAuth::None => None,
            ClientAuth::Secret(credential) | ClientAuth::Assertion(credential) => Some(credential),
        }
    }

    /// The form parameters of an assertion; none for other kinds, which the oauth2 crate sends itself.
    pub(super) fn assertion_parameters(&self) -> Vec<(&'static str, String)> {
        match self {
            ClientAuth::Assertion(assertion) => vec![
                ("client_assertion_type", JWT_BEARER.to_owned()),
                ("client_assertion", assertion.expose().to_owned()),
            ],
            ClientAuth::None | ClientAuth::Secret(_) => Vec::new(),
        }
    }
}

impl ClientIdentity<'_> {
    /// The oauth2 crate's client for `token_endpoint`.
    pub(super) fn protocol(&self, token_endpoint: &Url) -> ProtocolClient {
        let client = oauth2::Client::new(ClientId::new(self.id.to_owned()))
            .set_auth_type(match self.method {
                ClientSecretMethod::Basic => AuthType::BasicAuth,
                ClientSecretMethod::Post => AuthType::RequestBody,
            })
            .set_token_uri(TokenUrl::from_url(token_endpoint.clone()));
        match self.auth.secret() {
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose().to_owned())),
            None => client,
        }
    }

    /// Headers and body of `form` with client authentication as the oauth2 crate sends it (RFC 6749 2.3.1), for the
    /// requests that are not made with that crate.
    pub(super) fn authenticate(&self, mut form: Serializer<'_, String>) -> (HeaderMap, Vec<u8>) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        match self.auth.secret() {
            Some(secret) if self.method == ClientSecretMethod::Basic => {
                let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encode(self.id), encode(secret.expose()));
                let value = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
                // base64 is always a valid header value.
                if let Ok(mut value) = HeaderValue::from_str(&value) {
                    value.set_sensitive(true);
                    headers.insert(AUTHORIZATION, value);
                }
            }
            secret => {
                form.append_pair("client_id", self.id);
                if let Some(secret) = secret {
                    form.append_pair("client_secret", secret.expose());
                }
                form.extend_pairs(self.auth.assertion_parameters());
            }
        }
        (headers, form.finish().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The Authorization header and the parameters of an authenticated form.
    fn authenticated(auth: &ClientAuth, method: ClientSecretMethod) -> (Option<String>, Vec<(String, String)>) {
        let identity = ClientIdentity { id: "my client", auth, method };
        let (headers, body) = identity.authenticate(Serializer::new(String::new()));
        let header = headers.get(AUTHORIZATION).map(|value| value.to_str().expect("ASCII").to_owned());
        (header, url::form_urlencoded::parse(&body).into_owned().collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn assertion_is_sent_with_its_type_and_client_id() {
        let auth = ClientAuth::Assertion(Secret::new("e30.e30.c2ln"));
        for method in [ClientSecretMethod::Basic, ClientSecretMethod::Post] {
            let expected = pairs(&[
                ("client_id", "my client"),
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", "e30.e30.c2ln"),
            ]);
            assert_eq!(authenticated(&auth, method), (None, expected));
        }
    }

    #[test]
    fn secret_is_sent_in_header_or_body() {
        let auth = ClientAuth::Secret(Secret::new("s&1"));
        // "my+client:s%261"
        let header = "Basic bXkrY2xpZW50OnMlMjYx".to_owned();
        assert_eq!(authenticated(&auth, ClientSecretMethod::Basic), (Some(header), Vec::new()));
        let body = pairs(&[("client_id", "my client"), ("client_secret", "s&1")]);
        assert_eq!(authenticated(&auth, ClientSecretMethod::Post), (None, body));
    }

    #[test]
    fn public_client_sends_only_its_id() {
        for auth in [ClientAuth::None, ClientAuth::Secret(Secret::new(""))] {
            let expected = pairs(&[("client_id", "my client")]);
            assert_eq!(authenticated(&auth, ClientSecretMethod::Basic), (None, expected));
        }
    }
}
