//! The Entra-shaped tenants: metadata, authorization by browser and by device, and the token endpoint of the v2.0
//! protocol.

use serde_json::{Map, Value, json};
use url::Url;

use crate::authorization::{self, Redeemed};
use crate::behaviour::Behaviour;
use crate::callback::Callback;
use crate::device::{self, Poll};
use crate::directory::Account;
use crate::entra_errors::{Refusal, refusal_of_behaviour};
use crate::misbehaviour::{self, MOVED};
use crate::reply::{Reply, Response};
use crate::request::{Server, Step};
use crate::resource::{Resource, check_consent, resource};
use crate::state::{Call, State};
use crate::{CLIENT, OTHER_TENANT, OWN_CLIENT, TENANT, VERIFICATION_URI, entra_tokens, people, tokens};

pub(crate) fn handle(state: &mut State, call: &Call) -> Reply {
    let path = call.path.strip_suffix(MOVED).unwrap_or(&call.path);
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (call.method.as_str(), parts.as_slice()) {
        ("GET", ["common", "discovery", "instance"]) => instance(call).into(),
        ("GET", [tenant, ".well-known", "openid-configuration"]) => metadata(state, call, tenant, 1),
        ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => metadata(state, call, tenant, 2),
        ("GET", [_, "discovery", "keys"] | [_, "discovery", "v2.0", "keys"]) => {
            Response::json(200, &tokens::key_set(state)).into()
        }
        ("GET" | "POST", [tenant, "oauth2", "v2.0", "authorize"]) => match misbehaviour::at_authorize(state) {
            Some(reply) => reply,
            None => authorize(state, call, tenant).unwrap_or_else(|refusal| refusal.page(state, call)).into(),
        },
        ("POST", [tenant, "oauth2", "v2.0", "devicecode"]) => match misbehaviour::at_device(state, call) {
            Some(reply) => reply,
            None => {
                device_authorization(state, call, tenant).unwrap_or_else(|refusal| refusal.response(state, call)).into()
            }
        },
        ("POST", [tenant, "oauth2", "v2.0", "token"]) => match misbehaviour::at_token(state, call) {
            Some(reply) => reply,
            None => match token(state, call, tenant) {
                Ok(reply) => reply,
                Err(refusal) => misbehaviour::delayed(state, refusal.response(state, call)),
            },
        },
        _ => Response::html(404, "<html><body>404 - File or directory not found.</body></html>\n").into(),
    }
}

/// The tenant id for a path segment: an id, a verified domain, or one of the two names for "any tenant".
fn tenant_id(tenant: &str) -> Result<&'static str, Refusal> {
    match tenant {
        TENANT | "common" | "organizations" | "contoso.example" => Ok(TENANT),
        OTHER_TENANT | "fabrikam.example" => Ok(OTHER_TENANT),
        _ => Err(Refusal::new(
            "invalid_request",
            90002,
            format!(
                "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into \
                 the correct cloud. Check with your subscription administrator, this may happen if there are no active \
                 subscriptions for the tenant."
            ),
        )),
    }
}

/// Host and port, as the client wrote them.
fn host(call: &Call) -> &str {
    call.base.split("://").nth(1).unwrap_or_default()
}

fn instance(call: &Call) -> Response {
    let host = host(call);
    Response::json(
        200,
        &json!({
            "tenant_discovery_endpoint": format!("{}/{TENANT}/v2.0/.well-known/openid-configuration", call.base),
            "api-version": "1.1",
            "metadata": [{ "preferred_network": host, "preferred_cache": host, "aliases": [host] }],
        }),
    )
}

fn metadata(state: &State, call: &Call, tenant: &str, version: u8) -> Reply {
    if let Some(reply) = misbehaviour::at_discovery(state) {
        return reply;
    }
    let tid = match tenant_id(tenant) {
        Ok(tid) => tid,
        Err(refusal) => return Refusal { error: "invalid_tenant", ..refusal }.response(state, call).into(),
    };
    let base = &call.base;
    let endpoints = if state.on(Behaviour::DiscoveryHttpEndpoints) { "http://example.invalid" } else { base };
    let issuer = match (state.on(Behaviour::WrongIssuer), version) {
        (true, _) => "https://issuer.example.invalid".to_owned(),
        (false, 1) => format!("https://sts.windows.net/{tid}/"),
        (false, _) => format!("{base}/{tid}/v2.0"),
    };
    let mut body = json!({
            "issuer": issuer,
            "token_endpoint": format!("{endpoints}/{tenant}/oauth2/v2.0/token"),
            "authorization_endpoint": format!("{endpoints}/{tenant}/oauth2/v2.0/authorize"),
            "device_authorization_endpoint": format!("{endpoints}/{tenant}/oauth2/v2.0/devicecode"),
            "end_session_endpoint": format!("{endpoints}/{tenant}/oauth2/v2.0/logout"),
            "jwks_uri": format!("{endpoints}/{tenant}/discovery/v2.0/keys"),
            "token_endpoint_auth_methods_supported":
                ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "request_uri_parameter_supported": false,
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
            "cloud_graph_host_name": "graph.windows.net",
            "msgraph_host": host(call),
            "rbac_url": "https://pas.windows.net",
    });
    misbehaviour::respell_metadata(state, &mut body);
    Response::json(200, &body).into()
}

fn known_client(call: &Call) -> Result<String, Refusal> {
    let client = call.parameter("client_id").ok_or_else(|| Refusal::missing("client_id"))?;
    if [CLIENT, OWN_CLIENT].contains(&client) {
        return Ok(client.to_owned());
    }
    Err(Refusal::new(
        "unauthorized_client",
        700016,
        format!(
            "Application with identifier '{client}' was not found in the directory 'Contoso'. This can happen if the \
             application has not been installed by the administrator of the tenant or consented to by any user in the \
             tenant. You may have sent your authentication request to the wrong tenant."
        ),
    ))
}

/// A claims challenge is JSON (or the request is refused as malformed).
fn check_claims(call: &Call) -> Result<(), Refusal> {
    match call.parameter("claims") {
        Some(claims) if serde_json::from_str::<Map<String, Value>>(claims).is_err() => {
            Err(Refusal::new("invalid_request", 9_000_202, "The claims parameter is not valid JSON."))
        }
        _ => Ok(()),
    }
}

/// Whether an address is the one registered for native clients. For `localhost`, Entra ignores the port.
fn is_redirect(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| {
        (url.scheme(), url.host_str(), url.path()) == ("http", Some("localhost"), "/")
            && (url.query(), url.fragment(), url.username()) == (None, None, "")
    })
}

/// Entra shows these errors in the browser instead of redirecting to the client.
fn authorize(state: &mut State, call: &Call, tenant: &str) -> Result<Response, Refusal> {
    if let Some(response) = authorization::page_request(state, call) {
        return Ok(response);
    }
    let tid = tenant_id(tenant)?;
    let client = known_client(call)?;
    let callback = Callback::new(state, call, &format!("{}/{tid}/v2.0", call.base));
    if state.on(Behaviour::RedirectNotRegistered) || !is_redirect(&callback.redirect_uri) {
        return Err(Refusal::not_registered(&callback.redirect_uri, &client));
    }
    if state.on(Behaviour::ConditionalAccessBlocksBrowser) {
        return Err(Refusal::blocked());
    }
    if let Err(refusal) = check_authorize(state, call, &client) {
        return Ok(callback.response(state, call, refusal.parameters(state, call)));
    }
    let refused = Refusal::declined("access_denied").parameters(state, call);
    Ok(authorization::start(state, call, &client, callback, refused))
}

/// The errors that Entra sends to the client's redirect address.
fn check_authorize(state: &State, call: &Call, client: &str) -> Result<(), Refusal> {
    if let Some((error, text)) = authorization::request_error(state, call) {
        let number = match error {
            "unsupported_response_type" => 70005,
            "login_required" => 50058,
            _ => 9_002_313,
        };
        return Err(Refusal::new(error, number, text));
    }
    let scope = call.parameter("scope").ok_or_else(|| Refusal::missing("scope"))?;
    let resource = resource(state, scope, client)?;
    check_claims(call)?;
    let consented = if state.on(Behaviour::ConsentRequired) {
        Err(Refusal::not_consented())
    } else {
        check_consent(state, &resource)
    };
    consented.map_err(|refusal| Refusal { error: "consent_required", ..refusal })
}

fn device_authorization(state: &mut State, call: &Call, tenant: &str) -> Result<Response, Refusal> {
    tenant_id(tenant)?;
    let client = known_client(call)?;
    let scope = call.field("scope").ok_or_else(|| Refusal::missing("scope"))?;
    resource(state, scope, &client)?;
    check_claims(call)?;
    let (device_code, user_code) = device::start(state, call, &client, scope);
    let message = format!(
        "To sign in, use a web browser to open the page {VERIFICATION_URI} and enter the code {user_code} to \
         authenticate."
    );
    let mut body = Map::new();
    body.insert("user_code".to_owned(), json!(user_code));
    body.insert("device_code".to_owned(), json!(device_code));
    body.insert("verification_uri".to_owned(), json!(VERIFICATION_URI));
    body.insert("expires_in".to_owned(), json!(state.settings.code_lifetime.as_secs_f64().ceil() as u64));
    if let Some(interval) = device::announced_interval(state) {
        body.insert("interval".to_owned(), json!(interval));
    }
    body.insert("message".to_owned(), json!(misbehaviour::with_escapes(state, &message)));
    misbehaviour::respell_verification(state, &mut body);
    misbehaviour::respell_numbers(state, &mut body);
    Ok(Response::json(200, &Value::Object(body)))
}

fn token(state: &mut State, call: &Call, tenant: &str) -> Result<Reply, Refusal> {
    let tid = tenant_id(tenant)?;
    let client = known_client(call)?;
    check_claims(call)?;
    let grant_type = call.field("grant_type").ok_or_else(|| Refusal::missing("grant_type"))?;
    match Step::from_grant_type(grant_type) {
        Some(Step::Poll) => poll(state, call, tid),
        Some(Step::Code) => redeem(state, call, tid, &client),
        Some(Step::Refresh) => refresh(state, call, tid, &client),
        None => {
            let text = format!("The app requested an unsupported grant type '{grant_type}'.");
            Err(Refusal::new("unsupported_grant_type", 70003, text))
        }
    }
}

fn poll(state: &mut State, call: &Call, tid: &str) -> Result<Reply, Refusal> {
    call.field("device_code").ok_or_else(|| Refusal::missing("device_code"))?;
    if let Some(refusal) = refusal_of_behaviour(state, Step::Poll) {
        return Err(refusal);
    }
    match device::poll(state, call) {
        Poll::Dropped => Ok(Reply::Drop),
        Poll::Pending => Err(Refusal::new(
            "authorization_pending",
            70016,
            "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
        )),
        Poll::SlowDown => Err(Refusal::new("slow_down", 0, "Polling too often.")),
        Poll::Expired => Err(Refusal::expired_code()),
        Poll::Declined => Err(Refusal::declined("authorization_declined")),
        Poll::Unknown => Err(Refusal::bad_code()),
        Poll::WrongVerifier => Err(Refusal::wrong_verifier()),
        Poll::Granted { user, client, scope } => {
            let resource = resource(state, &scope, &client)?;
            check_consent(state, &resource)?;
            let refresh_token = scope
                .split_whitespace()
                .any(|one| one == "offline_access")
                .then(|| tokens::first_refresh_token(state, Server::Entra, &user, &client, &scope))
                .flatten();
            let response = issue(state, call, tid, (&user, &client, &scope, &resource), refresh_token, None);
            Ok(misbehaviour::delayed(state, response))
        }
    }
}

fn redeem(state: &mut State, call: &Call, tid: &str, client: &str) -> Result<Reply, Refusal> {
    call.field("code").ok_or_else(|| Refusal::missing("code"))?;
    if let Some(refusal) = refusal_of_behaviour(state, Step::Code) {
        return Err(refusal);
    }
    let (user, granted) = match authorization::redeem(state, call, client) {
        Redeemed::Granted(user, granted) => (user, granted),
        refused => return Err(Refusal::unredeemed(&refused)),
    };
    let scope = call.field("scope").unwrap_or(&granted.scope);
    let resource = resource(state, scope, client)?;
    check_consent(state, &resource)?;
    let with_refresh_token = granted.scope.split_whitespace().any(|one| one == "offline_access");
    let refresh_token =
        if with_refresh_token { authorization::first_refresh_token(state, &user, &granted) } else { None };
    let nonce = authorization::nonce(state, &granted);
    let response = issue(state, call, tid, (&user, client, scope, &resource), refresh_token, nonce.as_deref());
    Ok(misbehaviour::delayed(state, response))
}

/// A refresh token belongs to a user and a client, and is valid for each resource of the client in each tenant.
fn refresh(state: &mut State, call: &Call, tid: &str, client: &str) -> Result<Reply, Refusal> {
    let presented = call.field("refresh_token").ok_or_else(|| Refusal::missing("refresh_token"))?;
    if let Some(refusal) = refusal_of_behaviour(state, Step::Refresh) {
        return Err(refusal);
    }
    let Some(token) = tokens::presented(state, presented, Server::Entra, client) else {
        return Err(Refusal::revoked());
    };
    let scope = call.field("scope").unwrap_or(&token.scope);
    let resource = resource(state, scope, client)?;
    check_consent(state, &resource)?;
    let rotate = state.on(Behaviour::RotatedRefreshToken);
    let next = tokens::next_refresh_token(state, presented, rotate);
    let response = issue(state, call, tid, (&token.user, client, scope, &resource), next, None);
    Ok(misbehaviour::delayed(state, response))
}

fn issue(
    state: &State,
    call: &Call,
    tid: &str,
    (user, client, scope, resource): (&str, &str, &str, &Resource),
    refresh_token: Option<String>,
    nonce: Option<&str>,
) -> Response {
    let lifetime = state.settings.token_lifetime.as_secs();
    let mut body = Map::new();
    body.insert("token_type".to_owned(), json!("Bearer"));
    body.insert("scope".to_owned(), json!(resource.granted()));
    body.insert("expires_in".to_owned(), json!(lifetime));
    body.insert("ext_expires_in".to_owned(), json!(lifetime));
    let access_token = entra_tokens::access_token(state, &call.base, tid, user, client, resource);
    body.insert("access_token".to_owned(), json!(access_token));
    if let Some(refresh_token) = refresh_token {
        body.insert("refresh_token".to_owned(), json!(refresh_token));
    }
    // Both identify a user, which a service principal is not.
    let is_user = state.settings.account != Account::App;
    if is_user && scope.split_whitespace().any(|one| one == "openid") {
        let id_token = entra_tokens::id_token(state, &call.base, tid, user, client, nonce);
        body.insert("id_token".to_owned(), json!(id_token));
    }
    if is_user && call.field("client_info") == Some("1") {
        let info = json!({ "uid": people::object_id(user), "utid": tid });
        body.insert("client_info".to_owned(), json!(crate::base64url(&info)));
    }
    tokens::spoil_response(state, &mut body);
    Response::json(200, &Value::Object(body))
}
