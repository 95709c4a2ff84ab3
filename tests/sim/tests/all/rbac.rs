//! Roles and bindings decide as in Kubernetes, and can be readable or not.

use serde_json::{Value, json};
use sim::{ALICE, Behaviour, World, group_ids};

use crate::client::{Response, get_with_token, post_json};
use crate::code_client::entra;

fn role(kind: &str, name: &str, rules: Value) -> Value {
    json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": { "name": name }, "rules": rules })
}

fn binding(kind: &str, name: &str, namespace: &str, role: (&str, &str), subject: (&str, &str)) -> Value {
    let group = "rbac.authorization.k8s.io";
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
        "metadata": { "name": name, "namespace": namespace },
        "roleRef": { "apiGroup": group, "kind": role.0, "name": role.1 },
        "subjects": [{ "apiGroup": group, "kind": subject.0, "name": subject.1 }],
    })
}

/// A cluster, and the token of a signed-in user.
struct Cluster {
    world: World,
    token: String,
}

impl Cluster {
    fn start(groups: usize) -> Self {
        let world = World::start();
        world.set_groups(groups);
        let tokens = entra(&world).sign_in(&world).json();
        let token = tokens["access_token"].as_str().expect("a token").to_owned();
        Self { world, token }
    }

    fn review(&self, spec: Value) -> Value {
        let url = format!("{}/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", self.world.kube_url());
        let response = post_json(&self.world, &url, &self.token, &json!({ "spec": spec }));
        assert_eq!(response.status, 201, "{}", response.body);
        response.json()["status"].clone()
    }

    /// `VERB RESOURCE[.GROUP][/SUBRESOURCE] [NAME]` in a namespace: the reason, if it is allowed.
    fn can(&self, asked: &str, namespace: &str) -> Option<String> {
        let words: Vec<&str> = asked.split(' ').collect();
        let (resource, subresource) = words[1].split_once('/').unwrap_or((words[1], ""));
        let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
        let status = self.review(json!({ "resourceAttributes": {
            "verb": words[0], "resource": resource, "group": group, "subresource": subresource,
            "namespace": namespace, "name": words.get(2),
        } }));
        let reason = status["reason"].as_str().unwrap_or_default().to_owned();
        assert_eq!(status["allowed"] == true, !reason.is_empty(), "{status}");
        status["allowed"].as_bool().expect("a verdict").then_some(reason)
    }

    fn get(&self, path: &str) -> Response {
        let url = format!("{}/apis/rbac.authorization.k8s.io/v1/{path}", self.world.kube_url());
        get_with_token(&self.world, &url, &self.token)
    }
}

#[test]
fn group_above_200_gives_access_with_a_reason() {
    let cluster = Cluster::start(201);
    let last = group_ids(201)[200].clone();
    assert_eq!(cluster.can("list pods", "default"), None);
    let view = json!([{ "verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"] }]);
    cluster.world.apply(json!([
        role("ClusterRole", "view", view),
        binding("ClusterRoleBinding", "viewers", "", ("ClusterRole", "view"), ("Group", &last)),
    ]));
    let reason = format!("RBAC: allowed by ClusterRoleBinding \"viewers\" of ClusterRole \"view\" to Group \"{last}\"");
    assert_eq!(cluster.can("list pods", ""), Some(reason.clone()));
    assert_eq!(cluster.can("list pods", "default"), Some(reason));
    assert_eq!(cluster.can("delete pods", "default"), None);
    cluster.world.set(Behaviour::KubeIgnoresOverage);
    assert_eq!(cluster.can("list pods", "default"), None);
    cluster.world.clear_all();
    cluster.world.set(Behaviour::KubePrefixes);
    assert_eq!(cluster.can("list pods", "default"), None, "the binding has no prefix");
}

#[test]
fn role_binding_applies_in_its_namespace() {
    let cluster = Cluster::start(1);
    cluster.world.apply(json!({ "kind": "List", "items": [
        role("ClusterRole", "edit", json!([{ "verbs": ["*"], "apiGroups": ["apps"], "resources": ["*"] }])),
        role("Role", "local", json!([{ "verbs": ["get"], "apiGroups": [""], "resources": ["secrets"] }])),
        binding("RoleBinding", "editors", "team", ("ClusterRole", "edit"), ("User", ALICE)),
        binding("RoleBinding", "locals", "default", ("Role", "local"), ("Group", "system:authenticated")),
        binding("RoleBinding", "lost", "other", ("Role", "local"), ("User", ALICE)),
    ] }));
    let reason = format!("RBAC: allowed by RoleBinding \"editors/team\" of ClusterRole \"edit\" to User \"{ALICE}\"");
    assert_eq!(cluster.can("create deployments.apps", "team"), Some(reason));
    assert_eq!(cluster.can("create deployments.apps", "default"), None);
    assert_eq!(cluster.can("create deployments.apps", ""), None);
    assert!(cluster.can("get secrets", "default").is_some());
    let attributes = json!({ "verb": "get", "resource": "secrets", "namespace": "other" });
    let missing = cluster.review(json!({ "resourceAttributes": attributes }));
    let text = "RBAC: role.rbac.authorization.k8s.io \"local\" not found";
    assert_eq!((&missing["allowed"], &missing["reason"]), (&json!(false), &json!(text)));
}

#[test]
fn rules_match_as_in_kubernetes() {
    let cluster = Cluster::start(1);
    cluster.world.apply(json!([
        role(
            "ClusterRole",
            "some",
            json!([
                { "verbs": ["get"], "apiGroups": [""], "resources": ["pods", "*/scale"] },
                { "verbs": ["create"], "apiGroups": [""], "resources": ["pods/exec"] },
                { "verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["one"] },
                { "verbs": ["list"], "apiGroups": ["*"], "resources": ["*"] },
                { "verbs": ["get"], "nonResourceURLs": ["/healthz", "/metrics/*"] },
            ])
        ),
        binding("ClusterRoleBinding", "some", "", ("ClusterRole", "some"), ("User", ALICE)),
    ]));
    for (asked, allowed) in [
        ("get pods", true),
        ("get pods/log", false),
        ("get services/scale", true),
        ("get deployments.apps/scale", false),
        ("create pods/exec", true),
        ("create pods", false),
        ("get configmaps one", true),
        ("get configmaps two", false),
        ("get configmaps", false),
        ("list widgets.example.com", true),
        ("list pods/log", true),
        ("watch pods", false),
        ("* *", false),
    ] {
        assert_eq!(cluster.can(asked, "default").is_some(), allowed, "{asked}");
    }
    for (path, allowed) in [("/healthz", true), ("/healthz/x", false), ("/metrics/a/b", true), ("/metrics", false)] {
        let status = cluster.review(json!({ "nonResourceAttributes": { "verb": "get", "path": path } }));
        assert_eq!(status["allowed"], allowed, "{path}");
    }
    let url = format!("{}/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", cluster.world.kube_url());
    assert_eq!(post_json(&cluster.world, &url, &cluster.token, &json!({ "spec": {} })).status, 400);
}

#[test]
fn azure_overrides_rbac() {
    let cluster = Cluster::start(1);
    let asked = || cluster.review(json!({ "resourceAttributes": { "verb": "get", "resource": "pods" } }));
    cluster.world.set(Behaviour::KubeAzureRbac);
    let status = asked();
    let reason = status["reason"].as_str().expect("a reason");
    assert!(
        status["allowed"] == true && reason.starts_with("Access allowed by Azure RBAC Role Assignment"),
        "{status}"
    );
    cluster.world.set(Behaviour::KubeAzureDenies);
    assert_eq!((&asked()["allowed"], &asked()["denied"]), (&json!(false), &json!(true)));
}

#[test]
fn lists_are_paged() {
    let cluster = Cluster::start(1);
    for number in 0..5 {
        for namespace in ["one", "two"] {
            let name = format!("binding-{number}");
            cluster.world.apply(binding("RoleBinding", &name, namespace, ("Role", "some"), ("User", "carol")));
        }
    }
    let mut found = Vec::new();
    let mut more = String::new();
    loop {
        let list = cluster.get(&format!("rolebindings?limit=4{more}")).json();
        assert_eq!(list["kind"], "RoleBindingList");
        let items = list["items"].as_array().expect("items");
        found.extend(items.iter().map(|one| format!("{}/{}", one["metadata"]["namespace"], one["metadata"]["name"])));
        match list["metadata"]["continue"].as_str() {
            Some(token) => more = format!("&continue={token}"),
            None => break,
        }
    }
    assert_eq!((found.len(), found[0].as_str()), (10, "\"one\"/\"binding-0\""));
    assert_eq!(cluster.get("namespaces/two/rolebindings").json()["items"].as_array().map(Vec::len), Some(5));
    let empty = cluster.get("clusterroles").json();
    assert_eq!((&empty["kind"], &empty["items"]), (&json!("ClusterRoleList"), &json!([])));
    assert_eq!(cluster.get("clusterroles?limit=1&continue=x").status, 400);
}

#[test]
fn objects_are_readable_unless_forbidden() {
    let cluster = Cluster::start(1);
    cluster.world.apply(json!([
        role("ClusterRole", "view", json!([])),
        role("Role", "local", json!([])),
        binding("RoleBinding", "locals", "default", ("Role", "local"), ("User", ALICE)),
    ]));
    assert_eq!(cluster.get("clusterroles/view").json()["kind"], "ClusterRole");
    assert_eq!(cluster.get("namespaces/default/roles/local").json()["metadata"]["namespace"], "default");
    let unknown = cluster.get("clusterroles/other");
    let message = "clusterroles.rbac.authorization.k8s.io \"other\" not found";
    assert_eq!((unknown.status, &unknown.json()["message"]), (404, &json!(message)));

    cluster.world.set(Behaviour::KubeForbidsClusterRbac);
    let statuses = |paths: [&str; 4]| paths.map(|path| cluster.get(path).status);
    let paths =
        ["clusterroles/view", "rolebindings", "namespaces/default/roles/local", "namespaces/default/rolebindings"];
    assert_eq!(statuses(paths), [403, 403, 200, 200]);
    cluster.world.set(Behaviour::KubeForbidsRbac);
    assert_eq!(statuses(paths), [403; 4]);
    let message = format!(
        "rolebindings.rbac.authorization.k8s.io is forbidden: User \"{ALICE}\" cannot list resource \"rolebindings\" \
         in API group \"rbac.authorization.k8s.io\" in the namespace \"default\""
    );
    assert_eq!(cluster.get("namespaces/default/rolebindings").json()["message"], message);
}
