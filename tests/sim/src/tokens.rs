//! The issued access, ID and refresh tokens, with the behaviours that spoil them.

use serde_json::{Map, Value, json};

use crate::behaviour::Behaviour;
use crate::keys::{Signing, opaque};
use crate::misbehaviour::with_escapes;
use crate::people::{display_name, guid_of, subject};
use crate::reply::Response;
use crate::request::Server;
use crate::state::{RefreshToken, State};

/// Claims of each token: issuer, time of issue, expiry.
pub(crate) fn times(state: &State, issuer: &str) -> Map<String, Value> {
    let now = state.now();
    let mut claims = Map::new();
    claims.insert("iss".to_owned(), json!(issuer));
    claims.insert("iat".to_owned(), json!(now));
    if !state.on(Behaviour::TokenWithoutExp) {
        claims.insert("exp".to_owned(), json!(now + state.settings.token_lifetime.as_secs() as i64));
    }
    claims
}

pub(crate) fn extended(mut claims: Map<String, Value>, more: Value) -> Map<String, Value> {
    if let Value::Object(more) = more {
        claims.extend(more);
    }
    claims
}

/// The plain issuer's ID token, which its cluster accepts.
pub(crate) fn oidc_id_token(state: &State, issuer: &str, user: &str, client: &str, nonce: Option<&str>) -> String {
    id_token(state, extended(times(state, issuer), oidc_claims(state, user, client)), nonce)
}

/// The plain issuer's access token.
pub(crate) fn oidc_access_token(state: &mut State, issuer: &str, user: &str, client: &str) -> String {
    let token = if state.on(Behaviour::JwtAccessToken) {
        let claims = extended(times(state, issuer), oidc_claims(state, user, client));
        state.keys.sign(&Value::Object(claims), Signing::Right)
    } else {
        opaque("access-")
    };
    state.access_tokens.insert(token.clone(), user.to_owned());
    token
}

/// The claims about a user in the plain issuer's tokens.
fn oidc_claims(state: &State, user: &str, client: &str) -> Value {
    let claims = oidc_user_claims(state, user, !state.on(Behaviour::GroupsOnlyInUserinfo));
    let more = json!({ "aud": client, "auth_time": state.now(), "jti": guid_of(&opaque("")) });
    Value::Object(extended(claims, more))
}

/// The claims about a user at the plain issuer's userinfo endpoint (OpenID Connect Core 5.3.2).
pub(crate) fn userinfo(state: &State, user: &str) -> Value {
    let mut claims = oidc_user_claims(state, user, true);
    if state.on(Behaviour::UserinfoOtherSubject) {
        claims.insert("sub".to_owned(), json!(subject("another user")));
    }
    Value::Object(claims)
}

/// The same as a response: in JSON, or as a JWT.
pub(crate) fn userinfo_response(state: &State, issuer: &str, user: &str) -> Response {
    let mut claims = userinfo(state, user);
    let signing = match (state.on(Behaviour::UserinfoJwt), state.on(Behaviour::UserinfoForgedJwt)) {
        (false, false) => return Response::json(200, &claims),
        (_, forged) => {
            if forged {
                Signing::Wrong
            } else {
                Signing::Right
            }
        }
    };
    claims["iss"] = json!(issuer);
    claims["aud"] = json!(crate::OIDC_CLIENT);
    Response::text(200, &state.keys.sign(&claims, signing)).typed("application/jwt")
}

fn oidc_user_claims(state: &State, user: &str, with_groups: bool) -> Map<String, Value> {
    let groups = &state.settings.groups;
    let claims = json!({
        "sub": subject(user), "email": user, "email_verified": true,
        "name": with_escapes(state, &display_name(user)), "preferred_username": user, "department": "engineering",
    });
    let claims = extended(Map::new(), claims);
    if with_groups && !state.on(Behaviour::NoGroupsAnywhere) {
        let roles: Vec<String> = (1..=groups.len()).map(|number| format!("role-{number}")).collect();
        extended(claims, json!({ "groups": groups.names(), "roles": roles }))
    } else {
        claims
    }
}

/// Signs an ID token, spoilt as the behaviours require.
pub(crate) fn id_token(state: &State, mut claims: Map<String, Value>, nonce: Option<&str>) -> String {
    if let Some(nonce) = nonce {
        claims.insert("nonce".to_owned(), json!(nonce));
    }
    if state.on(Behaviour::IdTokenWrongIssuer) {
        claims.insert("iss".to_owned(), json!("https://issuer.example.invalid"));
    }
    if state.on(Behaviour::IdTokenWrongAudience) {
        claims.insert("aud".to_owned(), json!("another-client"));
    }
    if state.on(Behaviour::IdTokenExpired) {
        claims.insert("iat".to_owned(), json!(state.now() - 7_200));
        claims.insert("exp".to_owned(), json!(state.now() - 3_600));
    }
    if state.on(Behaviour::IdTokenNoSubject) {
        claims.remove("sub");
    }
    if state.on(Behaviour::IdTokenLongSubject) {
        claims.insert("sub".to_owned(), json!("s".repeat(256)));
    }
    if state.on(Behaviour::IdTokenNoIssueTime) {
        claims.remove("iat");
    }
    if state.on(Behaviour::IdTokenFutureIssueTime) {
        claims.insert("iat".to_owned(), json!(state.now() + 600));
    }
    if state.on(Behaviour::IdTokenUnreadable) {
        return "no JWT".to_owned();
    }
    let signing = if state.on(Behaviour::IdTokenAlgNone) {
        Signing::None
    } else if state.on(Behaviour::IdTokenBadSignature) {
        Signing::Wrong
    } else if state.on(Behaviour::IdTokenEs512) {
        Signing::Es512
    } else if state.on(Behaviour::IdTokenUnknownKidOnce) {
        Signing::Next
    } else {
        Signing::Right
    };
    state.keys.sign(&Value::Object(claims), signing)
}

/// The key set, for one request.
pub(crate) fn key_set(state: &mut State) -> Value {
    let fetches = state.occurrence(Behaviour::IdTokenUnknownKidOnce);
    let newest = state.keys.current + u32::from(fetches >= 2);
    let mut set = state.keys.set(newest);
    if state.on(Behaviour::IdTokenEs512) {
        set["keys"] = json!([state.keys.es512()]);
    }
    set
}

/// A refresh token of a new family.
pub(crate) fn first_refresh_token(
    state: &mut State,
    server: Server,
    user: &str,
    client: &str,
    scope: &str,
) -> Option<String> {
    if state.on(Behaviour::NoRefreshToken) {
        return None;
    }
    state.last_family += 1;
    let token = RefreshToken {
        server,
        family: state.last_family,
        user: user.to_owned(),
        client: client.to_owned(),
        scope: scope.to_owned(),
        used: false,
    };
    Some(keep(state, token))
}

fn keep(state: &mut State, token: RefreshToken) -> String {
    let value = opaque(match token.server {
        Server::Entra => "1.A",
        _ => "refresh-",
    });
    state.refresh_tokens.insert(value.clone(), token);
    value
}

/// The presented refresh token, if it is still valid.
///
/// If refresh tokens rotate, presenting a used one revokes its whole family.
pub(crate) fn presented(state: &mut State, value: &str, server: Server, client: &str) -> Option<RefreshToken> {
    let token = state.refresh_tokens.get(value)?.clone();
    if token.server != server || token.client != client || state.dead_families.contains(&token.family) {
        return None;
    }
    if token.used {
        revoke_family(state, token.family);
        return None;
    }
    Some(token)
}

/// Revokes a family because a used refresh token or code of it was presented again.
pub(crate) fn revoke_family(state: &mut State, family: u64) {
    if state.dead_families.insert(family) {
        state.families_revoked += 1;
    }
}

/// The refresh token that a refresh returns for the presented one.
pub(crate) fn next_refresh_token(state: &mut State, value: &str, rotate: bool) -> Option<String> {
    if state.on(Behaviour::RefreshWithoutNewToken) || state.on(Behaviour::NoRefreshToken) {
        return None;
    }
    let next = state.refresh_tokens.get(value)?.clone();
    if rotate && let Some(old) = state.refresh_tokens.get_mut(value) {
        old.used = true;
    }
    Some(keep(state, next))
}

/// Revokes the family of a client's refresh token (RFC 7009).
pub(crate) fn revoke(state: &mut State, value: &str, client: &str) {
    if let Some(token) = state.refresh_tokens.get(value).filter(|token| token.client == client) {
        state.dead_families.insert(token.family);
    }
}

/// Revokes all families.
pub(crate) fn revoke_all(state: &mut State) {
    state.dead_families.extend(state.refresh_tokens.values().map(|token| token.family));
}

/// Removes or respells fields of a token response, as the behaviours require.
pub(crate) fn spoil_response(state: &State, body: &mut Map<String, Value>) {
    for (behaviour, field) in [
        (Behaviour::MissingIdToken, "id_token"),
        (Behaviour::MissingAccessToken, "access_token"),
        (Behaviour::NoExpiresIn, "expires_in"),
        (Behaviour::NoExpiresIn, "ext_expires_in"),
    ] {
        if state.on(behaviour) {
            body.remove(field);
        }
    }
    crate::misbehaviour::respell_numbers(state, body);
}
