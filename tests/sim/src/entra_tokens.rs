//! The tokens that Entra issues: access tokens of both versions, for a cluster or for Graph, for a user or a service
//! principal; and ID tokens.

use serde_json::{Map, Value, json};

use crate::behaviour::Behaviour;
use crate::directory::Account;
use crate::keys::{Signing, opaque};
use crate::misbehaviour::with_escapes;
use crate::people::{display_name, object_id, subject};
use crate::resource::{GRAPH_PERMISSIONS, Resource};
use crate::state::State;
use crate::tokens::{self, extended, times};

/// Above this number of groups, Entra omits the claim and names a claim source instead.
const MOST_GROUPS: usize = 200;
/// The role template that every user of a tenant has.
const DEFAULT_ROLE: &str = "b79fbf4d-3ef9-4689-8143-76b194e85509";
const GUEST: &str = "guest@outlook.example";

/// An access token. A cluster's token has version 1.0, as the AKS server application requests, unless a behaviour says
/// otherwise; Graph's always has.
pub(crate) fn access_token(
    state: &State,
    base: &str,
    tenant: &str,
    user: &str,
    client: &str,
    resource: &Resource,
) -> String {
    if state.on(Behaviour::OpaqueAccessToken) {
        return opaque("opaque-");
    }
    let Resource { audience, graph } = resource;
    let version_2 = state.on(Behaviour::Version2Tokens) && !graph;
    let issuer = if version_2 { format!("{base}/{tenant}/v2.0") } else { format!("https://sts.windows.net/{tenant}/") };
    let audience =
        if state.on(Behaviour::SpnAudience) && !graph { format!("spn:{audience}") } else { audience.clone() };
    let tenant_roles: Vec<&str> =
        state.settings.tenant_roles.iter().map(String::as_str).chain([DEFAULT_ROLE]).collect();
    let mut claims = extended(
        times(state, &issuer),
        json!({
            "aud": audience, "nbf": state.now(), "ipaddr": "192.0.2.1", "tid": tenant,
            "uti": &opaque("")[..22], "wids": tenant_roles,
        }),
    );
    claims = extended(
        claims,
        if version_2 {
            json!({ "ver": "2.0", "azp": client, "azpacr": "0" })
        } else {
            json!({ "ver": "1.0", "appid": client, "appidacr": "0", "acr": "1" })
        },
    );
    claims = extended(claims, principal(state, user, client, resource, version_2));
    let mut roles = state.settings.roles.clone();
    if *graph {
        roles = Vec::new();
        if state.settings.account == Account::App {
            roles = ["GroupMember.Read.All", "Application.Read.All"].map(str::to_owned).to_vec();
        }
    } else {
        claims = extended(claims, groups(state, tenant, &principal_id(state, user, client)));
    }
    if !roles.is_empty() {
        claims.insert("roles".to_owned(), json!(roles));
    }
    state.keys.sign(&Value::Object(claims), Signing::Right)
}

/// The object id of the token's subject: a service principal has its own.
fn principal_id(state: &State, user: &str, client: &str) -> String {
    object_id(if state.settings.account == Account::App { client } else { user })
}

/// The claims about the subject and the client's permissions.
fn principal(state: &State, user: &str, client: &str, resource: &Resource, version_2: bool) -> Value {
    let oid = principal_id(state, user, client);
    if state.settings.account == Account::App {
        return json!({ "idtyp": "app", "oid": oid, "sub": oid });
    }
    let name = with_escapes(state, &display_name(user));
    let scp = if resource.graph { GRAPH_PERMISSIONS } else { "user.read" };
    let person = json!({ "oid": oid, "sub": subject(user), "name": name, "scp": scp, "amr": ["pwd", "mfa"] });
    let known_as = match (state.settings.account, version_2) {
        (Account::Guest, true) => json!({ "preferred_username": GUEST, "email": GUEST, "idp": "live.com" }),
        (Account::Guest, false) => {
            json!({ "unique_name": format!("live.com#{GUEST}"), "email": GUEST, "idp": "live.com" })
        }
        (_, true) => json!({ "preferred_username": user }),
        (_, false) => json!({ "unique_name": user, "upn": user }),
    };
    Value::Object(extended(extended(Map::new(), person), known_as))
}

/// The groups, or their claim source. The address is that of the retired Azure AD Graph: Entra never changed it.
fn groups(state: &State, tenant: &str, oid: &str) -> Value {
    let groups = &state.settings.groups;
    if state.on(Behaviour::NoGroupsClaim) {
        json!({})
    } else if groups.len() <= MOST_GROUPS {
        json!({ "groups": groups.ids() })
    } else if state.on(Behaviour::Hasgroups) {
        json!({ "hasgroups": true })
    } else {
        let kind = if state.settings.account == Account::App { "servicePrincipals" } else { "users" };
        let endpoint = if state.on(Behaviour::HostileClaimSource) {
            state.claim_source.clone()
        } else {
            format!("https://graph.windows.net/{tenant}/{kind}/{oid}/getMemberObjects")
        };
        json!({
            "_claim_names": { "groups": "src1" }, "_claim_sources": { "src1": { "endpoint": endpoint } },
        })
    }
}

/// An ID token, version 2.0.
pub(crate) fn id_token(
    state: &State,
    base: &str,
    tenant: &str,
    user: &str,
    client: &str,
    nonce: Option<&str>,
) -> String {
    let known_as = if state.settings.account == Account::Guest {
        json!({ "preferred_username": GUEST, "email": GUEST, "idp": "live.com" })
    } else {
        json!({ "preferred_username": user })
    };
    let claims = json!({
        "aud": client, "nbf": state.now(), "name": with_escapes(state, &display_name(user)), "oid": object_id(user),
        "sub": subject(user), "tid": tenant, "uti": &opaque("")[..22], "ver": "2.0",
    });
    let claims = extended(extended(times(state, &format!("{base}/{tenant}/v2.0")), claims), known_as);
    tokens::id_token(state, claims, nonce)
}
