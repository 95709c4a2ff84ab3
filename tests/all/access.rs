//! Why an access is allowed or denied: the requests to the API server, and the conclusions from its responses. The
//! tests call the library as the command does.

use std::time::Duration;

use crate::common::scripted::{Scripted, ScriptedResponse, json_response, no_response};
use crate::common::{HANG, block_on};
use kubectl_login_core::http::network::Network;
use kubectl_login_core::kube::access::{AccessQuestion, Explanation, explain};
use kubectl_login_core::kube::api::{ApiClient, ApiError};
use kubectl_login_core::kube::kubeconfig::KubeconfigCluster;
use kubectl_login_core::kube::rbac::Requester;
use kubectl_login_core::kube::review::{AccessTarget, ResourceAttributes};
use kubectl_login_core::secret::Secret;
use serde_json::{Value, json};

fn ok(body: Value) -> ScriptedResponse {
    json_response("200 OK", &body)
}

fn decided(allowed: bool) -> ScriptedResponse {
    json_response("201 Created", &json!({ "status": { "allowed": allowed } }))
}

fn list(items: Value) -> ScriptedResponse {
    ok(json!({ "metadata": {}, "items": items }))
}

fn forbidden() -> ScriptedResponse {
    json_response("403 Forbidden", &json!({ "kind": "Status", "message": "you cannot list that" }))
}

fn not_found() -> ScriptedResponse {
    json_response("404 Not Found", &json!({ "kind": "Status", "message": "not found" }))
}

fn binding(name: &str, namespace: &str, role: (&str, &str), subjects: &[(&str, &str)]) -> Value {
    let subjects: Vec<_> = subjects.iter().map(|(kind, name)| json!({ "kind": kind, "name": name })).collect();
    json!({
        "metadata": { "name": name, "namespace": namespace }, "roleRef": { "kind": role.0, "name": role.1 },
        "subjects": subjects,
    })
}

fn role(name: &str, namespace: &str, verbs: &[&str]) -> Value {
    json!({
        "metadata": { "name": name, "namespace": namespace },
        "rules": [{ "verbs": verbs, "apiGroups": [""], "resources": ["pods"] }],
    })
}

/// Alice asks a server with scripted responses. Returns its requests too, as method and path without a query.
fn explained(
    script: Vec<ScriptedResponse>,
    verb: &str,
    resource: &str,
) -> (Result<Explanation, ApiError>, Vec<String>) {
    explained_within(HANG, script, verb, resource)
}

/// The same with another timeout.
fn explained_within(
    limit: Duration,
    script: Vec<ScriptedResponse>,
    verb: &str,
    resource: &str,
) -> (Result<Explanation, ApiError>, Vec<String>) {
    let server = Scripted::start(|_| script);
    let cluster = KubeconfigCluster { server: Some(server.url()), ..KubeconfigCluster::default() };
    let api = ApiClient::new(&cluster, &Network::default(), &Secret::new("TOKEN"), limit).unwrap();
    let question = AccessQuestion::parse(verb, resource, None, "dev").unwrap();
    let alice = Requester { username: "alice".into(), groups: ["developers".to_owned()].into() };
    let explanation = block_on(explain(&api, &question, &alice));
    let lines = server.requests().into_iter().map(|request| {
        let line = request.text.lines().next().unwrap().trim_end_matches(" HTTP/1.1");
        line.split('?').next().unwrap().to_owned()
    });
    (explanation, lines.collect())
}

const REVIEW: &str = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
const RBAC: &str = "GET /apis/rbac.authorization.k8s.io/v1";

#[test]
fn allowed_access_names_its_bindings_with_few_requests() {
    let (explanation, requests) = explained(
        vec![
            decided(true),
            list(json!([
                binding("all", "", ("ClusterRole", "view"), &[("Group", "others"), ("Group", "developers")]),
                binding("others", "", ("ClusterRole", "cluster-admin"), &[("Group", "others")]),
            ])),
            list(json!([
                binding("alice", "dev", ("Role", "reader"), &[("User", "alice")]),
                binding("again", "dev", ("ClusterRole", "view"), &[("User", "alice")]),
                binding("gone", "dev", ("Role", "gone"), &[("User", "alice")]),
            ])),
            ok(role("view", "", &["get", "list"])),
            ok(role("reader", "dev", &["delete"])),
            not_found(),
        ],
        "list",
        "po",
    );
    let explanation = explanation.unwrap();
    let by: Vec<_> = explanation.by.iter().map(|grant| grant.binding.metadata.name.as_str()).collect();
    assert_eq!(by, ["all", "again"], "the other binding's role does not allow it");
    assert_eq!(explanation.by[0].subjects[0].name, "developers");
    assert_eq!(explanation.by[0].rule, "get, list on pods");
    assert!(explanation.not_held.is_empty() && explanation.bindable.is_none());
    assert_eq!(explanation.unread[0].what.to_string(), "the Role gone of the RoleBinding gone");
    let expected = [
        REVIEW.to_owned(),
        format!("{RBAC}/clusterrolebindings"),
        format!("{RBAC}/namespaces/dev/rolebindings"),
        format!("{RBAC}/clusterroles/view"),
        format!("{RBAC}/namespaces/dev/roles/reader"),
        format!("{RBAC}/namespaces/dev/roles/gone"),
    ];
    assert_eq!(requests, expected);
}

#[test]
fn denied_access_names_allowed_users_and_bindable_roles() {
    let (explanation, requests) = explained(
        vec![
            decided(false),
            list(json!([
                binding("system", "", ("ClusterRole", "edit"), &[("Group", "system:masters"), ("User", "system:x")]),
                binding("ops", "", ("ClusterRole", "edit"), &[("Group", "ops"), ("ServiceAccount", "ci")]),
                binding("readers", "", ("ClusterRole", "view"), &[("Group", "developers")]),
            ])),
            list(json!([binding("bob", "dev", ("Role", "cleaner"), &[("User", "bob")])])),
            list(json!([role("view", "", &["get"]), role("edit", "", &["*"]), role("admin", "", &["*"])])),
            list(json!([role("cleaner", "dev", &["delete"])])),
        ],
        "delete",
        "pods",
    );
    let explanation = explanation.unwrap();
    assert!(explanation.by.is_empty() && explanation.unread.is_empty());
    let others: Vec<_> =
        explanation.not_held.iter().map(|grant| (grant.subjects.len(), &*grant.subjects[0].name)).collect();
    assert_eq!(others, [(1, "ops"), (1, "bob")], "no system objects, no service accounts");
    assert_eq!(explanation.bindable.unwrap().name, "edit");
    assert_eq!(requests.len(), 5, "{requests:?}");
}

#[test]
fn unreadable_objects_are_listed_beside_the_rest() {
    let mine = binding("mine", "dev", ("Role", "reader"), &[("User", "alice")]);
    let (explanation, _) = explained(
        vec![decided(true), forbidden(), list(json!([mine])), ok(role("reader", "dev", &["list"]))],
        "list",
        "pods",
    );
    let explanation = explanation.unwrap();
    assert_eq!(explanation.by.len(), 1);
    assert_eq!(explanation.unread[0].what.to_string(), "ClusterRoleBindings");
    assert!(matches!(&explanation.unread[0].why, ApiError::Forbidden(why) if why == "you cannot list that"));
    let (explanation, requests) = explained(vec![forbidden()], "list", "pods");
    assert!(matches!(explanation, Err(ApiError::Forbidden(_))), "without a decision there is no explanation");
    assert_eq!(requests, [REVIEW]);
}

#[test]
fn endless_list_counts_as_unread() {
    let round = ok(json!({ "metadata": { "continue": "again" }, "items": [] }));
    let (explanation, requests) = explained(vec![decided(true), round.clone(), round, list(json!([]))], "list", "pods");
    let [unread] = &explanation.unwrap().unread[..] else { panic!("expected one unread object") };
    assert_eq!(unread.what.to_string(), "ClusterRoleBindings");
    assert_eq!(unread.why.to_string(), "the API server's list does not end");
    assert_eq!(requests.len(), 4, "{requests:?}");
}

#[test]
fn decision_is_returned_when_reasons_time_out() {
    let limit = Duration::from_secs(1);
    let (explanation, requests) = explained_within(limit, vec![decided(false), no_response()], "list", "pods");
    let explanation = explanation.unwrap();
    assert!(!explanation.decision.allowed && explanation.is_known);
    let unread: Vec<_> = explanation.unread.iter().map(|unread| unread.what.to_string()).collect();
    assert_eq!(unread, ["ClusterRoleBindings", "RoleBindings in namespace dev"]);
    for unread in &explanation.unread {
        assert!(unread.why.to_string().ends_with(" did not answer in time"), "{}", unread.why);
    }
    assert_eq!(requests, [REVIEW.to_owned(), format!("{RBAC}/clusterrolebindings")], "all requests share one timeout");

    // The bindings arrive in time, and the roles do not.
    let ours = binding("ours", "", ("ClusterRole", "view"), &[("Group", "developers")]);
    let theirs = binding("theirs", "", ("ClusterRole", "edit"), &[("Group", "ops")]);
    let script = vec![decided(false), list(json!([ours, theirs])), list(json!([])), no_response()];
    let (explanation, _) = explained_within(limit, script, "list", "pods");
    let explanation = explanation.unwrap();
    let unread: Vec<_> = explanation.unread.iter().map(|unread| unread.what.to_string()).collect();
    assert_eq!(unread, ["the ClusterRole view of the ClusterRoleBinding ours", "the roles in bindings of others"]);
}

#[test]
fn type_is_used_as_typed_when_discovery_times_out() {
    let group = |name: &str| json!({ "name": name, "preferredVersion": { "groupVersion": format!("{name}/v1"), "version": "v1" } });
    let groups = ok(json!({ "kind": "APIGroupList", "groups": [group("a.example"), group("b.example")] }));
    let script = vec![groups, no_response(), decided(true), list(json!([]))];
    let (explanation, requests) = explained_within(Duration::from_secs(1), script, "list", "widgets");
    let explanation = explanation.unwrap();
    assert!(explanation.decision.allowed && !explanation.is_known && explanation.unread.is_empty());
    assert_eq!(requests[..3], ["GET /apis", "GET /apis/a.example/v1", REVIEW], "all groups share one timeout");
}

#[test]
fn paths_and_cluster_resources_need_no_role_bindings() {
    for resource in ["/healthz", "nodes"] {
        let (explanation, requests) = explained(vec![decided(true), list(json!([]))], "get", resource);
        assert!(!explanation.unwrap().is_namespaced);
        assert_eq!(requests, [REVIEW.to_owned(), format!("{RBAC}/clusterrolebindings")]);
    }
    // A namespace itself is an exception: it is authorized as if it were in that namespace.
    let (_, requests) = explained(vec![decided(true), list(json!([]))], "get", "ns/prod");
    assert_eq!(requests[2], format!("{RBAC}/namespaces/prod/rolebindings"));
}

#[test]
fn types_are_found_by_both_discovery_formats() {
    let target = |explanation: Explanation| match explanation.access.target {
        AccessTarget::Resource(ResourceAttributes { group, resource, namespace, .. }) => (group, resource, namespace),
        AccessTarget::Path(path) => panic!("{path} is not a type"),
    };
    let issuers = json!({
        "resource": "issuers", "singularResource": "issuer", "scope": "Namespaced", "subresources": [{}],
    });
    let cluster = json!({ "resource": "clusterissuers", "shortNames": ["ciss"], "scope": "Cluster" });
    let aggregated = ok(json!({ "kind": "APIGroupDiscoveryList", "items": [
        { "metadata": { "name": "empty" } },
        { "metadata": { "name": "cert.example" }, "versions": [{ "version": "v1", "resources": [issuers, cluster] }] },
    ] }));
    let rest = [decided(true), list(json!([]))];
    let after = |discovery: &ScriptedResponse| vec![discovery.clone(), rest[0].clone(), rest[1].clone()];
    let (explanation, _) = explained(after(&aggregated), "get", "ciss");
    let found = |group: &str, resource: &str, namespace: &str| (group.into(), resource.into(), namespace.into());
    assert_eq!(target(explanation.unwrap()), found("cert.example", "clusterissuers", ""));
    let (explanation, _) = explained(after(&aggregated), "get", "issuer.cert.example");
    assert_eq!(target(explanation.unwrap()), found("cert.example", "issuers", "dev"));
    let (explanation, _) = explained(after(&aggregated), "get", "widgets.other.example");
    let explanation = explanation.unwrap();
    assert!(!explanation.is_known);
    assert_eq!(target(explanation), found("other.example", "widgets", "dev"));

    let version = |group: &str| json!({ "groupVersion": format!("{group}/v2"), "version": "v2" });
    let group = |name: &str| json!({ "name": name, "versions": [version(name)], "preferredVersion": version(name) });
    let legacy = ok(json!({ "kind": "APIGroupList", "groups": [group("first.example"), group("cert.example")] }));
    let types = json!([{ "name": "issuers", "singularName": "issuer", "namespaced": true, "shortNames": ["iss"] }]);
    let found_second = [legacy, forbidden(), ok(json!({ "kind": "APIResourceList", "resources": types }))];
    let (explanation, requests) = explained([&found_second[..], &rest].concat(), "get", "iss");
    assert_eq!(target(explanation.unwrap()), found("cert.example", "issuers", "dev"));
    assert_eq!(requests[..3], ["GET /apis", "GET /apis/first.example/v2", "GET /apis/cert.example/v2"]);
}
