//! The cluster's responses about access: what a user may do, and the roles and bindings that decide it.

use serde_json::{Value, json};

use crate::behaviour::Behaviour;
use crate::kube::{group_names, status, username};
use crate::misbehaviour;
use crate::rbac::{AccessRequest, GROUP, User, Verdict};
use crate::reply::Response;
use crate::state::{Call, State};

/// `POST …/selfsubjectaccessreviews`.
pub(crate) fn review(state: &State, call: &Call, claims: &Value) -> Response {
    let spec = &call.body["spec"];
    let text = |value: &'static str, of: &'static str| spec[of][value].as_str().unwrap_or_default();
    let request = if spec["resourceAttributes"].is_object() {
        let of = "resourceAttributes";
        AccessRequest::Resource {
            verb: text("verb", of),
            namespace: text("namespace", of),
            group: text("group", of),
            resource: text("resource", of),
            subresource: text("subresource", of),
            name: text("name", of),
        }
    } else if spec["nonResourceAttributes"].is_object() {
        AccessRequest::Path { verb: text("verb", "nonResourceAttributes"), path: text("path", "nonResourceAttributes") }
    } else {
        return status(
            400,
            "BadRequest",
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        );
    };
    let body = json!({
        "kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
        "metadata": { "creationTimestamp": null }, "spec": spec, "status": verdict(state, claims, &request),
    });
    Response::json(201, &body)
}

fn verdict(state: &State, claims: &Value, request: &AccessRequest) -> Value {
    if state.on(Behaviour::KubeAzureDenies) {
        let text = "User does not have access to the resource in Azure. Update role assignment to allow access.";
        return json!({ "allowed": false, "denied": true, "reason": text });
    }
    let name = username(state, claims);
    if state.on(Behaviour::KubeAzureRbac) {
        let text = format!(
            "Access allowed by Azure RBAC Role Assignment 2f4a6c80-1b3d-4e5f-8a90-b1c2d3e4f506 of Role \
             7f6c6a51-bcf8-42ba-9220-52d62157d7db to user {name}"
        );
        return json!({ "allowed": true, "reason": text });
    }
    let user = User { name, groups: group_names(state, claims).into_iter().collect() };
    match state.rbac.authorize(&user, request) {
        Verdict::Allowed(reason) => json!({ "allowed": true, "reason": reason }),
        Verdict::NoOpinion(reason) if reason.is_empty() => json!({ "allowed": false }),
        Verdict::NoOpinion(reason) => json!({ "allowed": false, "reason": reason }),
    }
}

/// `GET` below `/apis/rbac.authorization.k8s.io/v1/`, if it is one of these paths.
pub(crate) fn objects(state: &State, call: &Call, claims: &Value) -> Option<Response> {
    let path = call.path.strip_prefix(&format!("/apis/{GROUP}/v1/"))?;
    let parts: Vec<&str> = path.split('/').collect();
    let (namespace, resource, name) = match parts.as_slice() {
        [resource @ ("clusterroles" | "clusterrolebindings"), name] => (Some(""), *resource, Some(*name)),
        [resource @ ("clusterroles" | "clusterrolebindings" | "roles" | "rolebindings")] => (None, *resource, None),
        ["namespaces", namespace, resource @ ("roles" | "rolebindings"), name] => {
            (Some(*namespace), *resource, Some(*name))
        }
        ["namespaces", namespace, resource @ ("roles" | "rolebindings")] => (Some(*namespace), *resource, None),
        _ => return None,
    };
    let of_namespace = namespace.filter(|namespace| !namespace.is_empty());
    let hidden =
        state.on(Behaviour::KubeForbidsRbac) || state.on(Behaviour::KubeForbidsClusterRbac) && of_namespace.is_none();
    Some(match name {
        _ if hidden => forbidden(&username(state, claims), of_namespace, resource, name),
        Some(name) => match state.rbac.get(resource, namespace.unwrap_or_default(), name) {
            Some(object) => Response::json(200, object),
            None => status_of(404, "NotFound", &format!("{resource}.{GROUP} {name:?} not found"), resource, Some(name)),
        },
        None => list(state, call, resource, namespace),
    })
}

/// In pages, if the client asks for them; the continue token is the offset.
fn list(state: &State, call: &Call, resource: &str, namespace: Option<&str>) -> Response {
    let number = |name: &str| call.query.get(name).map_or("0", String::as_str).parse::<usize>();
    let (Ok(limit), Ok(from)) = (number("limit"), number("continue")) else {
        return status(400, "BadRequest", "continue key is not valid");
    };
    if state.on(Behaviour::KubeDenseLists) {
        let items = misbehaviour::dense("{}", 15);
        let text = format!("{{\"metadata\":{{\"continue\":\"{}\"}},\"items\":[{items}]}}", from + 1);
        return Response::json(200, &Value::Null).with_body(&text);
    }
    let mut found: Vec<Value> = state.rbac.list(resource, namespace).skip(from).cloned().collect();
    let mut metadata = json!({ "resourceVersion": "1" });
    if limit > 0 && found.len() > limit {
        metadata["continue"] = json!((from + limit).to_string());
        metadata["remainingItemCount"] = json!(found.len() - limit);
        found.truncate(limit);
    }
    let kind = found.first().and_then(|object| object["kind"].as_str()).unwrap_or(match resource {
        "clusterroles" => "ClusterRole",
        "clusterrolebindings" => "ClusterRoleBinding",
        "roles" => "Role",
        _ => "RoleBinding",
    });
    let kind = format!("{kind}List");
    // The items of a list have no kind, because all have the same.
    for fields in found.iter_mut().filter_map(Value::as_object_mut) {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    let body = json!({ "kind": kind, "apiVersion": format!("{GROUP}/v1"), "metadata": metadata, "items": found });
    Response::json(200, &body)
}

fn forbidden(user: &str, namespace: Option<&str>, resource: &str, name: Option<&str>) -> Response {
    let scope = namespace
        .map_or_else(|| "at the cluster scope".to_owned(), |namespace| format!("in the namespace {namespace:?}"));
    let (which, verb) = name.map_or_else(|| (String::new(), "list"), |name| (format!(" {name:?}"), "get"));
    let message = format!(
        "{resource}.{GROUP}{which} is forbidden: User {user:?} cannot {verb} resource {resource:?} in API group \
         {GROUP:?} {scope}"
    );
    status_of(403, "Forbidden", &message, resource, name)
}

fn status_of(code: u16, reason: &str, message: &str, resource: &str, name: Option<&str>) -> Response {
    let mut details = json!({ "group": GROUP, "kind": resource });
    if let Some(name) = name {
        details["name"] = json!(name);
    }
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "details": details, "code": code,
    });
    Response::json(code, &body)
}
