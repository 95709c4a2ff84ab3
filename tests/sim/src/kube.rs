//! The small Kubernetes API: enough for `kubectl get pods`, `kubectl auth whoami` and client libraries, for callers
//! with a token that one of the world's issuers has signed.

use serde_json::{Value, json};

use crate::behaviour::Behaviour;
use crate::people::guid_of;
use crate::reply::{Reply, Response};
use crate::state::{Call, State};
use crate::{
    BASIC, OIDC_CLIENT, OTHER_SERVER, SERVER, STATIC_TOKEN, base64_standard, calendar, kube_access, kube_discovery,
    misbehaviour,
};

pub(crate) fn handle(state: &State, call: &Call) -> Reply {
    if state.on(Behaviour::KubeStalls) {
        return Reply::Stall;
    } else if state.on(Behaviour::KubeDown) {
        return status(503, "ServiceUnavailable", "the server is currently unable to handle the request").into();
    } else if state.on(Behaviour::KubeHtml) {
        return Response::html(200, misbehaviour::PAGE).into();
    }
    let Some(claims) = authenticate(state, call) else {
        return status(401, "Unauthorized", "Unauthorized").into();
    };
    let claims = match call.header("impersonate-user") {
        "" => claims,
        _ if state.on(Behaviour::KubeNoImpersonation) => return impersonation_forbidden(state, call, &claims).into(),
        user => json!({ "sub": user, "groups": [call.header("impersonate-group")] }),
    };
    found(state, call, &claims)
        .unwrap_or_else(|| status(404, "NotFound", "the server could not find the requested resource"))
        .into()
}

fn found(state: &State, call: &Call, claims: &Value) -> Option<Response> {
    let response = match (call.method.as_str(), call.path.as_str()) {
        ("GET", "/healthz" | "/livez" | "/readyz") => Response::text(200, "ok"),
        ("GET", "/version") => Response::json(200, &version()),
        ("GET", "/api/v1/namespaces") => Response::json(200, &namespaces(state)),
        ("GET", "/api/v1/namespaces/default/pods" | "/api/v1/pods") => pods(state, call, claims),
        ("GET", "/api/v1/namespaces/default/pods/hello") => Response::json(200, &pod(state)),
        ("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews") if !state.on(Behaviour::KubeNoReviews) => {
            review(state, claims)
        }
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews") => kube_access::review(state, call, claims),
        ("GET", _) => return kube_access::objects(state, call, claims).or_else(|| kube_discovery::handle(call)),
        _ => return None,
    };
    Some(response)
}

/// The claims of the bearer token, if the API server accepts it by signature, audience and the server's clock. For
/// other credentials, claims that result in their user.
fn authenticate(state: &State, call: &Call) -> Option<Value> {
    if state.on(Behaviour::KubeUnauthorized) {
        return None;
    }
    // In the same order as a real API server.
    if call.by_certificate && !state.on(Behaviour::KubeNoCertificates) {
        return Some(json!({ "sub": "masterclient", "groups": ["system:masters"] }));
    }
    let authorization = call.header("authorization");
    if authorization == format!("Basic {}", base64_standard(format!("{}:{}", BASIC.0, BASIC.1).as_bytes())) {
        return Some(json!({ "sub": BASIC.0 }));
    }
    let token = authorization.strip_prefix("Bearer ")?;
    if token == STATIC_TOKEN {
        return Some(json!({ "sub": "system:serviceaccount:default:ci", "groups": ["system:serviceaccounts"] }));
    }
    let claims = state.keys.verify(token)?;
    let now = state.now();
    let audience = claims["aud"].as_str()?;
    let audience = audience.strip_prefix("spn:").unwrap_or(audience);
    let ours: &[&str] =
        if state.on(Behaviour::KubeOtherAudience) { &[OTHER_SERVER] } else { &[SERVER, OTHER_SERVER, OIDC_CLIENT] };
    let in_time = claims["exp"].as_i64()? > now && claims["nbf"].as_i64().is_none_or(|start| start <= now);
    (ours.contains(&audience) && in_time).then_some(claims)
}

fn impersonation_forbidden(state: &State, call: &Call, claims: &Value) -> Response {
    let (user, other) = (username(state, claims), call.header("impersonate-user"));
    let message = format!(
        "users \"{other}\" is forbidden: User \"{user}\" cannot impersonate resource \"users\" in API group \"\" at the \
         cluster scope"
    );
    status(403, "Forbidden", &message)
}

/// The cluster's prefix for names from an issuer.
fn prefix(state: &State) -> &'static str {
    if state.on(Behaviour::KubePrefixes) { "oidc:" } else { "" }
}

/// The Kubernetes user name. Entra's guests and service principals have no `upn`; their object id is used.
pub(crate) fn username(state: &State, claims: &Value) -> String {
    let names: &[&str] = if claims["tid"].is_string() { &["upn", "oid"] } else { &["email", "sub"] };
    let name = names.iter().find_map(|name| claims[name].as_str()).unwrap_or("unknown");
    format!("{}{name}", prefix(state))
}

/// The groups as the cluster sees them: the token's, or the directory's if the token has too many to list.
pub(crate) fn group_names(state: &State, claims: &Value) -> Vec<String> {
    let overage = claims["_claim_names"]["groups"].is_string() || claims["hasgroups"] == true;
    let mut groups = if overage && !state.on(Behaviour::KubeIgnoresOverage) {
        state.settings.groups.ids()
    } else {
        claims["groups"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    if state.on(Behaviour::KubeDropsGroups) {
        groups.pop();
    }
    let prefix = prefix(state);
    let named = groups.into_iter().map(|group| format!("{prefix}{group}"));
    named.chain(["system:authenticated".to_owned()]).collect()
}

pub(crate) fn status(code: u16, reason: &str, message: &str) -> Response {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    Response::json(code, &body)
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "33", "gitVersion": "v1.33.1", "gitCommit": "0000000", "gitTreeState": "clean",
        "buildDate": "2025-05-15T00:00:00Z", "goVersion": "go1.24", "compiler": "gc", "platform": "linux/amd64",
    })
}

fn metadata(state: &State, name: &str) -> Value {
    json!({
        "name": name, "uid": guid_of(name), "resourceVersion": "1",
        "creationTimestamp": calendar::rfc3339(state.now() - 3_600),
    })
}

fn namespaces(state: &State) -> Value {
    let namespace = json!({
        "kind": "Namespace", "apiVersion": "v1",
        "metadata": metadata(state, "default"), "spec": {}, "status": { "phase": "Active" },
    });
    json!({
        "kind": "NamespaceList", "apiVersion": "v1", "metadata": { "resourceVersion": "1" }, "items": [namespace],
    })
}

fn pod(state: &State) -> Value {
    let mut metadata = metadata(state, "hello");
    metadata["namespace"] = json!("default");
    json!({
        "kind": "Pod", "apiVersion": "v1", "metadata": metadata,
        "spec": { "containers": [{ "name": "hello", "image": "registry.example/hello:1" }] },
        "status": { "phase": "Running" },
    })
}

/// The one pod, as a table for kubectl and as a list for other clients.
fn pods(state: &State, call: &Call, claims: &Value) -> Response {
    if state.on(Behaviour::KubeForbidden) {
        let user = username(state, claims);
        let message = format!(
            "pods is forbidden: User \"{user}\" cannot list resource \"pods\" in API group \"\" in the namespace \
             \"default\""
        );
        return status(403, "Forbidden", &message);
    }
    let list_metadata = json!({ "resourceVersion": "1" });
    if !call.header("accept").contains("as=Table") {
        let list = json!({ "kind": "PodList", "apiVersion": "v1", "metadata": list_metadata, "items": [pod(state)] });
        return Response::json(200, &list);
    }
    let column =
        |name: &str, kind: &str| json!({ "name": name, "type": kind, "format": "", "description": "", "priority": 0 });
    let partial = json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": pod(state)["metadata"],
    });
    let table = json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": list_metadata,
        "columnDefinitions": [
            column("Name", "string"), column("Ready", "string"), column("Status", "string"),
            column("Restarts", "string"), column("Age", "string"),
        ],
        "rows": [{ "cells": ["hello", "1/1", "Running", "0", "60m"], "object": partial }],
    });
    Response::json(200, &table)
}

fn review(state: &State, claims: &Value) -> Response {
    let mut user = json!({ "username": username(state, claims), "groups": null });
    if let Some(oid) = claims["oid"].as_str() {
        user["uid"] = json!(oid);
        user["extra"] = json!({ "oid": [oid] });
    }
    let body = json!({
        "kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1",
        "metadata": { "creationTimestamp": calendar::rfc3339(state.now()) }, "status": { "userInfo": user },
    });
    let names = match state.on(Behaviour::KubeDenseReview) {
        true => format!("[{}]", misbehaviour::dense("\"a\"", 15)),
        false => list(&group_names(state, claims)),
    };
    let groups = format!("\"groups\":{names}");
    Response::json(201, &Value::Null).with_body(&body.to_string().replacen("\"groups\":null", &groups, 1))
}

/// A JSON list of names. The usual names are only joined: a debug build needs a second to escape a hundred thousand,
/// and clients do not wait that long.
fn list(names: &[String]) -> String {
    let plain = |name: &String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-:._@".contains(&byte));
    if names.iter().all(plain) { format!("[\"{}\"]", names.join("\",\"")) } else { json!(names).to_string() }
}
