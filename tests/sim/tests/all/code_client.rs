//! A client that signs users in by browser, at either issuer; the test plays the browser.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sim::{CLIENT, OIDC_CLIENT, SERVER, TENANT, World};
use url::{Url, form_urlencoded};

use crate::client::{Response, get, post};

/// The pair of RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const REDIRECT: &str = "http://localhost:8000";

type Fields = BTreeMap<&'static str, String>;

/// One client at one issuer.
pub(crate) struct Client {
    pub(crate) authorize: String,
    pub(crate) token: String,
    pub(crate) fields: Fields,
}

fn client(authorize: String, token: String, id: &str, scope: &str) -> Client {
    let fields = [
        ("response_type", "code"),
        ("client_id", id),
        ("redirect_uri", REDIRECT),
        ("scope", scope),
        ("state", "the state"),
        ("nonce", "the-nonce"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    Client { authorize, token, fields: fields.map(|(name, value)| (name, value.to_owned())).into() }
}

pub(crate) fn oidc(world: &World) -> Client {
    let issuer = world.issuer();
    client(format!("{issuer}/authorize"), format!("{issuer}/token"), OIDC_CLIENT, "openid offline_access")
}

pub(crate) fn entra(world: &World) -> Client {
    let endpoint = |name| format!("{}{TENANT}/oauth2/v2.0/{name}", world.authority());
    let scope = format!("{SERVER}/.default openid offline_access profile");
    client(endpoint("authorize"), endpoint("token"), CLIENT, &scope)
}

pub(crate) fn both(world: &World) -> [Client; 2] {
    [oidc(world), entra(world)]
}

impl Client {
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.fields.insert(name, value.to_owned());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.remove(name);
        self
    }

    /// The authorization endpoint's response to the browser.
    pub(crate) fn authorize_page(&self, world: &World) -> Response {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.fields).finish();
        get(world, &format!("{}?{query}", self.authorize))
    }

    /// The callback's parameters.
    pub(crate) fn callback(&self, world: &World) -> BTreeMap<String, String> {
        let response = self.authorize_page(world);
        assert_eq!(response.status, 302, "{}", response.body);
        callback_query(&response.location)
    }

    pub(crate) fn redeem(&self, world: &World, code: &str) -> Response {
        self.redeem_with(world, code, &[("redirect_uri", REDIRECT), ("code_verifier", VERIFIER)])
    }

    pub(crate) fn redeem_with(&self, world: &World, code: &str, more: &[(&str, &str)]) -> Response {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("client_id", self.fields["client_id"].as_str()),
            ("code", code),
        ];
        fields.extend(more);
        post(world, &self.token, &fields)
    }

    pub(crate) fn sign_in(&self, world: &World) -> Response {
        self.redeem(world, &self.callback(world)["code"])
    }

    pub(crate) fn refresh(&self, world: &World, token: &Value) -> Response {
        self.refresh_with(world, token, &[])
    }

    pub(crate) fn refresh_with(&self, world: &World, token: &Value, more: &[(&str, &str)]) -> Response {
        let mut fields = vec![
            ("grant_type", "refresh_token"),
            ("client_id", self.fields["client_id"].as_str()),
            ("refresh_token", token.as_str().expect("a refresh token")),
        ];
        fields.extend(more);
        post(world, &self.token, &fields)
    }
}

/// The query of a callback, which must go to the redirect address.
pub(crate) fn callback_query(location: &str) -> BTreeMap<String, String> {
    let url = Url::parse(location).expect("an address");
    assert_eq!((url.host_str(), url.port(), url.path()), (Some("localhost"), Some(8000), "/"));
    url.query_pairs().into_owned().collect()
}

pub(crate) fn claims(token: &Value) -> Value {
    let middle = token.as_str().and_then(|token| token.split('.').nth(1)).expect("a JWT");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(middle).expect("base64url")).expect("JSON")
}
