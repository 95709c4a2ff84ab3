//! The plain OpenID Connect issuer: discovery, authorization by browser and by device, both with PKCE, tokens with
//! rotating refresh tokens, revocation, and the page for approving device codes.

use serde_json::{Map, Value, json};
use url::{Url, form_urlencoded};

use crate::authorization::{self, Redeemed};
use crate::behaviour::Behaviour;
use crate::callback::{Callback, Parameters};
use crate::device::{self, Poll};
use crate::form::escaped;
use crate::misbehaviour::{self, MOVED};
use crate::reply::{Reply, Response};
use crate::request::Server;
use crate::state::{Call, State};
use crate::{OIDC_CLIENT, decode_base64, people, tokens};

/// An OAuth 2.0 error (RFC 6749 section 5.2): the code and its description.
struct OAuthError(&'static str, &'static str);

/// The path of the endpoints after they have moved.
const MOVED_PATH: &str = "/v2";

pub(crate) fn handle(state: &mut State, call: &Call) -> Reply {
    let path = call.path.strip_suffix(MOVED).unwrap_or(&call.path);
    let mut path = path.strip_prefix("/oidc").unwrap_or_default();
    if state.on(Behaviour::EndpointsMoved) {
        match path.strip_prefix(MOVED_PATH) {
            Some(moved) => path = moved,
            None if ["/.well-known/openid-configuration", "/activate"].contains(&path) => {}
            None if state.on(Behaviour::OldEndpointsShowPages) => {
                return Response::html(200, misbehaviour::PAGE).into();
            }
            None => return Response::text(404, "not found\n").into(),
        }
    }
    match (call.method.as_str(), path) {
        ("GET", "/.well-known/openid-configuration") => discovery(state, call),
        ("GET", "/keys") => match misbehaviour::at_keys(state) {
            Some(reply) => reply,
            None => Response::json(200, &tokens::key_set(state)).into(),
        },
        ("GET" | "POST", "/authorize") => match misbehaviour::at_authorize(state) {
            Some(reply) => reply,
            None => authorize(state, call).into(),
        },
        ("POST", "/device") => match misbehaviour::at_device(state, call) {
            Some(reply) => reply,
            None => device_authorization(state, call).unwrap_or_else(|error| refused(state, &error)).into(),
        },
        ("POST", "/token") => match misbehaviour::at_token(state, call) {
            Some(reply) => reply,
            None => match token(state, call) {
                Ok(reply) => reply,
                Err(error) => misbehaviour::delayed(state, refused(state, &error)),
            },
        },
        ("POST", "/revoke") => match misbehaviour::at_revocation(state) {
            Some(reply) => reply,
            None => revoke(state, call).unwrap_or_else(|error| refused(state, &error)).into(),
        },
        ("GET", "/userinfo") => userinfo(state, call).into(),
        ("GET" | "POST", "/activate") => activate(state, call).into(),
        _ => Response::text(404, "not found\n").into(),
    }
}

fn issuer(call: &Call) -> String {
    format!("{}/oidc", call.base)
}

fn discovery(state: &State, call: &Call) -> Reply {
    if let Some(reply) = misbehaviour::at_discovery(state) {
        return reply;
    }
    let issuer = issuer(call);
    let named = if state.on(Behaviour::WrongIssuer) { "https://issuer.example.invalid" } else { &issuer };
    let place = if state.on(Behaviour::EndpointsMoved) { MOVED_PATH } else { "" };
    let host = if state.on(Behaviour::DiscoveryHttpEndpoints) { "http://example.invalid" } else { &issuer };
    let endpoints = format!("{host}{place}");
    let mut body = json!({
        "issuer": named,
        "authorization_endpoint": format!("{endpoints}/authorize"),
        "token_endpoint": format!("{endpoints}/token"),
        "device_authorization_endpoint": format!("{endpoints}/device"),
        "jwks_uri": format!("{endpoints}/keys"),
        "userinfo_endpoint": format!("{endpoints}/userinfo"),
        "revocation_endpoint": format!("{endpoints}/revoke"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported":
            ["authorization_code", "refresh_token", "password", "urn:ietf:params:oauth:grant-type:device_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email", "groups", "offline_access"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
    });
    for (behaviour, field) in [
        (Behaviour::NoDeviceEndpoint, "device_authorization_endpoint"),
        (Behaviour::NoRevocationEndpoint, "revocation_endpoint"),
        (Behaviour::NoUserinfoEndpoint, "userinfo_endpoint"),
    ] {
        if let (true, Some(fields)) = (state.on(behaviour), body.as_object_mut()) {
            fields.remove(field);
        }
    }
    if state.on(Behaviour::ForeignAuthorizationEndpoint) || state.on(Behaviour::DelegatedEndpoints) {
        body["authorization_endpoint"] = json!("https://login.other-issuer.example/authorize");
    }
    if state.on(Behaviour::DelegatedEndpoints) {
        body["token_endpoint"] = json!("https://login.other-issuer.example/token");
    }
    misbehaviour::respell_metadata(state, &mut body);
    Response::json(200, &body).into()
}

fn refused(state: &State, OAuthError(error, text): &OAuthError) -> Response {
    let body = json!({ "error": error, "error_description": misbehaviour::with_escapes(state, text) });
    if *error == "invalid_client" {
        Response::json(401, &body).with("www-authenticate", "Basic realm=\"sim\"")
    } else {
        Response::json(400, &body)
    }
}

/// Authenticates the client: by the form, or by HTTP Basic (RFC 6749 section 2.3.1).
fn client(state: &State, call: &Call) -> Result<String, OAuthError> {
    let basic = call.header("authorization").strip_prefix("Basic ").and_then(basic_credentials);
    let misplaced = (basic.is_some() && state.on(Behaviour::SecretByBodyOnly))
        || (call.field("client_secret").is_some() && state.on(Behaviour::SecretByHeaderOnly));
    if misplaced {
        return Err(OAuthError("invalid_client", "This client authenticates in another way."));
    }
    let (id, secret) = match basic {
        Some((id, secret)) => (Some(id), Some(secret)),
        None => (call.field("client_id").map(str::to_owned), call.field("client_secret").map(str::to_owned)),
    };
    let Some(id) = id.filter(|id| id == OIDC_CLIENT) else {
        return Err(OAuthError("invalid_client", "No such client."));
    };
    match &state.settings.client_secret {
        Some(expected) if secret.as_deref() != Some(expected) => {
            Err(OAuthError("invalid_client", "Client authentication failed."))
        }
        _ => Ok(id),
    }
}

/// Both parts are form-encoded before they are joined.
fn basic_credentials(encoded: &str) -> Option<(String, String)> {
    let pair = String::from_utf8(decode_base64(encoded)?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decode = |text: &str| form_urlencoded::parse(text.as_bytes()).next().map(|(key, _)| key.into_owned());
    Some((decode(id)?, decode(secret).unwrap_or_default()))
}

/// Whether a redirect address is registered: a loopback address with any port (RFC 8252 section 7.3) and one of the
/// registered paths. No address, or `oob`, is for users who copy the code by hand.
fn is_redirect(address: &str) -> bool {
    if address.is_empty() || address == "urn:ietf:wg:oauth:2.0:oob" {
        return true;
    }
    Url::parse(address).is_ok_and(|url| {
        ["http", "https"].contains(&url.scheme())
            && ["localhost", "127.0.0.1", "[::1]"].contains(&url.host_str().unwrap_or_default())
            && ["/", "/callback", "/auth/callback"].contains(&url.path())
            && (url.query(), url.fragment(), url.username()) == (None, None, "")
    })
}

fn authorize(state: &mut State, call: &Call) -> Response {
    if let Some(response) = authorization::page_request(state, call) {
        return response;
    }
    let page = |text: &str| Response::html(400, &format!("<!DOCTYPE html>\n<p>{}</p>\n", escaped(text)));
    if call.parameter("client_id") != Some(OIDC_CLIENT) {
        return page("No such client.");
    }
    let callback = Callback::new(state, call, &issuer(call));
    if !is_redirect(&callback.redirect_uri) {
        return page(&format!("{} is not a redirect address of this client.", callback.redirect_uri));
    }
    let error = authorization::request_error(state, call).or_else(|| {
        let scope = call.parameter("scope").unwrap_or_default();
        if !scope.split_whitespace().any(|one| one == "openid") {
            Some(("invalid_scope", "The scope must hold openid."))
        } else if state.on(Behaviour::ConsentRequired) {
            Some(("consent_required", "The user has not consented."))
        } else {
            None
        }
    });
    let parameters = |state: &State, (error, text): (&str, &str)| -> Parameters {
        vec![("error", error.to_owned()), ("error_description", misbehaviour::with_escapes(state, text))]
    };
    match error {
        Some(error) => callback.response(state, call, parameters(state, error)),
        None => {
            let refused = parameters(state, ("access_denied", "The user refused."));
            authorization::start(state, call, OIDC_CLIENT, callback, refused)
        }
    }
}

fn device_authorization(state: &mut State, call: &Call) -> Result<Response, OAuthError> {
    let client = match call.field("client_id") {
        Some(id) if state.on(Behaviour::DeviceIgnoresSecret) => id.to_owned(),
        _ => client(state, call)?,
    };
    if state.on(Behaviour::DeviceGrantNotAllowed) {
        return Err(OAuthError("unauthorized_client", "The client may not start this flow."));
    }
    if state.on(Behaviour::DeviceClientRefused) {
        return Err(OAuthError("invalid_client", "Invalid client type."));
    }
    if call.field("code_challenge").is_some() && call.field("code_challenge_method") != Some("S256") {
        return Err(OAuthError("invalid_request", "Only the S256 code challenge method is taken."));
    }
    let scope = call.field("scope").unwrap_or_default();
    if !scope.split_whitespace().any(|one| one == "openid") {
        return Err(OAuthError("invalid_scope", "The scope must hold openid."));
    }
    let (device_code, user_code) = device::start(state, call, &client, scope);
    let page = format!("{}/activate", issuer(call));
    let mut body = Map::new();
    body.insert("device_code".to_owned(), json!(device_code));
    body.insert("user_code".to_owned(), json!(user_code));
    body.insert("verification_uri".to_owned(), json!(page));
    body.insert("verification_uri_complete".to_owned(), json!(format!("{page}?user_code={user_code}")));
    body.insert("expires_in".to_owned(), json!(state.settings.code_lifetime.as_secs_f64().ceil() as u64));
    if let Some(interval) = device::announced_interval(state) {
        body.insert("interval".to_owned(), json!(interval));
    }
    if state.on(Behaviour::ControlCharacters) {
        body.insert("message".to_owned(), json!(misbehaviour::with_escapes(state, "To sign in, open the page.")));
    }
    misbehaviour::respell_verification(state, &mut body);
    misbehaviour::respell_numbers(state, &mut body);
    Ok(Response::json(200, &Value::Object(body)))
}

fn token(state: &mut State, call: &Call) -> Result<Reply, OAuthError> {
    let client = client(state, call)?;
    match call.field("grant_type") {
        Some("urn:ietf:params:oauth:grant-type:device_code") => poll(state, call),
        Some("authorization_code") => redeem(state, call, &client),
        Some("refresh_token") => refresh(state, call, &client),
        Some("password") => by_password(state, call, &client),
        Some(_) => Err(OAuthError("unsupported_grant_type", "This grant type is not taken.")),
        None => Err(OAuthError("invalid_request", "grant_type is missing.")),
    }
}

/// The resource owner password grant (RFC 6749 section 4.3).
fn by_password(state: &mut State, call: &Call, client: &str) -> Result<Reply, OAuthError> {
    if state.on(Behaviour::PasswordGrantNotAllowed) {
        return Err(OAuthError("unauthorized_client", "The client may not start this flow."));
    }
    let sent = |name: &str| call.field(name).unwrap_or_default();
    let Some(user) = people::with_password(sent("username"), sent("password")) else {
        let error = if state.on(Behaviour::WrongPasswordAccessDenied) { "access_denied" } else { "invalid_grant" };
        return Err(OAuthError(error, "Invalid user credentials."));
    };
    let refresh_token = tokens::first_refresh_token(state, Server::Oidc, user, client, sent("scope"));
    let response = issue(state, call, user, client, refresh_token, None);
    Ok(misbehaviour::delayed(state, response))
}

fn poll(state: &mut State, call: &Call) -> Result<Reply, OAuthError> {
    const UNKNOWN: OAuthError = OAuthError("invalid_grant", "The device code is unknown.");
    const DENIED: OAuthError = OAuthError("access_denied", "The user refused.");
    const EXPIRED: OAuthError = OAuthError("expired_token", "The device code has expired.");
    for (behaviour, error) in [
        (Behaviour::BadVerificationCode, UNKNOWN),
        (Behaviour::ExpiredToken, EXPIRED),
        (Behaviour::AuthorizationDeclined, OAuthError("authorization_declined", "The user refused.")),
        (Behaviour::AccessDenied, DENIED),
        (Behaviour::DeviceBlocked, OAuthError("access_denied", "A policy does not allow this sign-in.")),
        (Behaviour::ConsentRequired, OAuthError("access_denied", "The user has not consented.")),
        (Behaviour::PublicClientDisabled, OAuthError("invalid_client", "A client secret is needed.")),
    ] {
        if state.on(behaviour) {
            return Err(error);
        }
    }
    match device::poll(state, call) {
        Poll::Dropped => Ok(Reply::Drop),
        Poll::Pending => Err(OAuthError("authorization_pending", "The user has not decided yet.")),
        Poll::SlowDown => Err(OAuthError("slow_down", "Polling too often.")),
        Poll::Expired => Err(EXPIRED),
        Poll::Declined => Err(DENIED),
        Poll::Unknown => Err(UNKNOWN),
        Poll::WrongVerifier => Err(OAuthError("invalid_grant", "The code verifier does not match the challenge.")),
        Poll::Granted { user, client, scope } => {
            let refresh_token = tokens::first_refresh_token(state, Server::Oidc, &user, &client, &scope);
            let response = issue(state, call, &user, &client, refresh_token, None);
            Ok(misbehaviour::delayed(state, response))
        }
    }
}

fn redeem(state: &mut State, call: &Call, client: &str) -> Result<Reply, OAuthError> {
    let (user, granted) = match authorization::redeem(state, call, client) {
        Redeemed::Granted(user, granted) => (user, granted),
        refusal @ Redeemed::Unknown if state.on(Behaviour::UnknownCodeInvalidRequest) => {
            return Err(OAuthError("invalid_request", unredeemed(&refusal)));
        }
        refusal => return Err(OAuthError("invalid_grant", unredeemed(&refusal))),
    };
    let refresh_token = authorization::first_refresh_token(state, &user, &granted);
    let nonce = authorization::nonce(state, &granted);
    let response = issue(state, call, &user, client, refresh_token, nonce.as_deref());
    Ok(misbehaviour::delayed(state, response))
}

fn unredeemed(refusal: &Redeemed) -> &'static str {
    match refusal {
        Redeemed::UsedUp => "The code has been used.",
        Redeemed::Expired => "The code has expired.",
        Redeemed::WrongRedirect => "The redirect address is not the one of the authorization request.",
        Redeemed::WrongVerifier => "The code verifier does not match the challenge.",
        Redeemed::Unknown | Redeemed::Granted(..) => "The code is unknown.",
    }
}

fn refresh(state: &mut State, call: &Call, client: &str) -> Result<Reply, OAuthError> {
    const REFUSED: OAuthError = OAuthError("invalid_grant", "The refresh token is no longer valid.");
    let refusing =
        [Behaviour::RefreshInvalidGrant, Behaviour::RefreshBadToken, Behaviour::RefreshMfa, Behaviour::RefreshBlocked];
    if refusing.into_iter().any(|behaviour| state.on(behaviour)) {
        return Err(REFUSED);
    }
    let presented = call.field("refresh_token").ok_or(OAuthError("invalid_request", "refresh_token is missing."))?;
    let token = tokens::presented(state, presented, Server::Oidc, client).ok_or(REFUSED)?;
    let next = tokens::next_refresh_token(state, presented, true);
    let user = if state.on(Behaviour::RefreshOtherSubject) { people::BOB } else { &token.user };
    let response = issue(state, call, user, client, next, None);
    Ok(misbehaviour::delayed(state, response))
}

fn issue(
    state: &mut State,
    call: &Call,
    user: &str,
    client: &str,
    refresh_token: Option<String>,
    nonce: Option<&str>,
) -> Response {
    let issuer = issuer(call);
    let mut body = Map::new();
    let access_token = tokens::oidc_access_token(state, &issuer, user, client);
    body.insert("access_token".to_owned(), json!(access_token));
    body.insert("token_type".to_owned(), json!("bearer"));
    body.insert("expires_in".to_owned(), json!(state.settings.token_lifetime.as_secs()));
    body.insert("id_token".to_owned(), json!(tokens::oidc_id_token(state, &issuer, user, client, nonce)));
    if let Some(refresh_token) = refresh_token {
        body.insert("refresh_token".to_owned(), json!(refresh_token));
    }
    tokens::spoil_response(state, &mut body);
    Response::json(200, &Value::Object(body))
}

/// RFC 7009: the client has to authenticate. Tokens that are unknown, or another client's, are ignored.
fn revoke(state: &mut State, call: &Call) -> Result<Response, OAuthError> {
    let client = client(state, call)?;
    let token = call.field("token").ok_or(OAuthError("invalid_request", "token is missing."))?;
    if state.on(Behaviour::RevocationRefused) {
        let text = format!("Tokens such as {token} are not revoked here.");
        return Ok(Response::json(400, &json!({ "error": "unsupported_token_type", "error_description": text })));
    }
    tokens::revoke(state, token, &client);
    Ok(Response::text(200, ""))
}

fn userinfo(state: &State, call: &Call) -> Response {
    if state.on(Behaviour::UserinfoUnavailable) {
        return misbehaviour::unavailable();
    }
    let token = call.header("authorization").strip_prefix("Bearer ").unwrap_or_default();
    match state.access_tokens.get(token) {
        Some(user) => tokens::userinfo_response(state, &issuer(call), user),
        None => Response::text(401, "").with("www-authenticate", "Bearer error=\"invalid_token\""),
    }
}

/// The page behind `verification_uri`. It accepts the codes of both issuers, so that one page is enough for a person
/// who experiments with a running world.
fn activate(state: &mut State, call: &Call) -> Response {
    if call.method == "POST" {
        let code = call.field("user_code").unwrap_or_default().to_uppercase();
        let approve = call.field("decision") != Some("deny");
        let decided = device::decide(state, Some(&code), approve);
        let text = if decided == 0 { "No sign-in waits for that code." } else { "Done. You can close this page." };
        return Response::html(200, &format!("<!DOCTYPE html>\n<p>{text}</p>\n"));
    }
    // Only letters, digits and dashes go into the page: anything else in a query is not part of a user code.
    let code = call.query.get("user_code").map_or("", String::as_str);
    let code: String = code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    Response::html(
        200,
        &format!(
            "<!DOCTYPE html>\n<form method=\"post\"><label>Code <input name=\"user_code\" value=\"{code}\"></label> \
             <button name=\"decision\" value=\"approve\">Approve</button> \
             <button name=\"decision\" value=\"deny\">Deny</button></form>\n"
        ),
    )
}
