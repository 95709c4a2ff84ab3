//! Kubernetes API discovery: the API groups and their resources, one document at a time or all at once (aggregated
//! discovery).

use serde_json::{Value, json};

use crate::reply::Response;
use crate::state::Call;

const ALL_VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// One resource of an API group.
struct Resource {
    plural: &'static str,
    singular: &'static str,
    kind: &'static str,
    short: &'static [&'static str],
    namespaced: bool,
    verbs: &'static [&'static str],
    /// Name, kind, verbs.
    parts: &'static [(&'static str, &'static str, &'static [&'static str])],
}

/// A namespaced resource with the usual verbs.
const fn resource(
    plural: &'static str,
    singular: &'static str,
    kind: &'static str,
    short: &'static [&'static str],
) -> Resource {
    Resource { plural, singular, kind, short, namespaced: true, verbs: ALL_VERBS, parts: &[] }
}

/// A resource without a namespace that can only be created.
const fn review(plural: &'static str, singular: &'static str, kind: &'static str) -> Resource {
    Resource { plural, singular, kind, short: &[], namespaced: false, verbs: &["create"], parts: &[] }
}

const SCALE: (&str, &str, &[&str]) = ("scale", "Scale", &["get", "patch", "update"]);

/// Group (empty for the core group) and resources; every version is `v1`.
const GROUPS: &[(&str, &[Resource])] = &[
    (
        "",
        &[
            resource("configmaps", "configmap", "ConfigMap", &["cm"]),
            resource("events", "event", "Event", &["ev"]),
            Resource { namespaced: false, ..resource("namespaces", "namespace", "Namespace", &["ns"]) },
            Resource { namespaced: false, ..resource("nodes", "node", "Node", &["no"]) },
            Resource {
                parts: &[
                    ("exec", "PodExecOptions", &["create", "get"]),
                    ("log", "Pod", &["get"]),
                    ("portforward", "PodPortForwardOptions", &["create", "get"]),
                ],
                ..resource("pods", "pod", "Pod", &["po"])
            },
            resource("secrets", "secret", "Secret", &[]),
            resource("serviceaccounts", "serviceaccount", "ServiceAccount", &["sa"]),
            resource("services", "service", "Service", &["svc"]),
        ],
    ),
    (
        "apps",
        &[
            resource("daemonsets", "daemonset", "DaemonSet", &["ds"]),
            Resource { parts: &[SCALE], ..resource("deployments", "deployment", "Deployment", &["deploy"]) },
            Resource { parts: &[SCALE], ..resource("replicasets", "replicaset", "ReplicaSet", &["rs"]) },
            Resource { parts: &[SCALE], ..resource("statefulsets", "statefulset", "StatefulSet", &["sts"]) },
        ],
    ),
    ("authentication.k8s.io", &[review("selfsubjectreviews", "selfsubjectreview", "SelfSubjectReview")]),
    (
        "authorization.k8s.io",
        &[review("selfsubjectaccessreviews", "selfsubjectaccessreview", "SelfSubjectAccessReview")],
    ),
    ("batch", &[resource("cronjobs", "cronjob", "CronJob", &["cj"]), resource("jobs", "job", "Job", &[])]),
    ("example.com", &[resource("widgets", "widget", "Widget", &["wd"])]),
    (
        "rbac.authorization.k8s.io",
        &[
            Resource {
                namespaced: false,
                ..resource("clusterrolebindings", "clusterrolebinding", "ClusterRoleBinding", &[])
            },
            Resource { namespaced: false, ..resource("clusterroles", "clusterrole", "ClusterRole", &[]) },
            resource("rolebindings", "rolebinding", "RoleBinding", &[]),
            resource("roles", "role", "Role", &[]),
        ],
    ),
];

impl Resource {
    /// As in the list of its group, with its subresources.
    fn listed(&self) -> Vec<Value> {
        let mut own = json!({
            "name": self.plural, "singularName": self.singular, "namespaced": self.namespaced, "kind": self.kind,
            "verbs": self.verbs,
        });
        if !self.short.is_empty() {
            own["shortNames"] = json!(self.short);
        }
        if self.plural == "pods" {
            own["categories"] = json!(["all"]);
        }
        let part = |(name, kind, verbs): &(&str, &str, &[&str])| {
            json!({
                "name": format!("{}/{name}", self.plural), "singularName": "", "namespaced": self.namespaced,
                "kind": kind, "verbs": verbs,
            })
        };
        [own].into_iter().chain(self.parts.iter().map(part)).collect()
    }

    /// As in the aggregated document.
    fn aggregated(&self, group: &str) -> Value {
        let kind = |kind: &str| json!({ "group": group, "version": "v1", "kind": kind });
        let part = |(name, of, verbs): &(&str, &str, &[&str])| json!({ "subresource": name, "responseKind": kind(of), "verbs": verbs });
        let mut found = json!({
            "resource": self.plural, "responseKind": kind(self.kind), "singularResource": self.singular,
            "scope": if self.namespaced { "Namespaced" } else { "Cluster" }, "verbs": self.verbs,
        });
        if !self.short.is_empty() {
            found["shortNames"] = json!(self.short);
        }
        if self.plural == "pods" {
            found["categories"] = json!(["all"]);
        }
        if !self.parts.is_empty() {
            found["subresources"] = json!(self.parts.iter().map(part).collect::<Vec<_>>());
        }
        found
    }
}

fn group(name: &str) -> Value {
    let version = json!({ "groupVersion": format!("{name}/v1"), "version": "v1" });
    json!({ "name": name, "versions": [version], "preferredVersion": version })
}

/// The response, if the path belongs to discovery.
pub(crate) fn handle(call: &Call) -> Option<Response> {
    let parts: Vec<&str> = call.path.trim_matches('/').split('/').collect();
    let aggregated = call.header("accept").split(',').any(|one| one.trim().replace(' ', "") == AGGREGATED);
    match parts.as_slice() {
        ["api"] if aggregated => Some(everything(|group| group.is_empty())),
        ["apis"] if aggregated => Some(everything(|group| !group.is_empty())),
        ["api"] => Some(Response::json(200, &json!({ "kind": "APIVersions", "versions": ["v1"] }))),
        ["apis"] => {
            let groups: Vec<Value> = named_groups().map(group).collect();
            Some(Response::json(200, &json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })))
        }
        ["api", "v1"] => resources(""),
        ["apis", name, "v1"] => resources(name),
        ["apis", name] => named_groups().find(|group| group == name).map(|name| {
            let mut found = group(name);
            found["kind"] = json!("APIGroup");
            found["apiVersion"] = json!("v1");
            Response::json(200, &found)
        }),
        _ => None,
    }
}

fn named_groups() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().map(|(name, _)| *name).filter(|name| !name.is_empty())
}

fn resources(group: &str) -> Option<Response> {
    let (_, resources) = GROUPS.iter().find(|(name, _)| *name == group)?;
    let version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
    let listed: Vec<Value> = resources.iter().flat_map(Resource::listed).collect();
    let body = json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": listed });
    Some(Response::json(200, &body))
}

fn everything(wanted: impl Fn(&str) -> bool) -> Response {
    let item = |(name, resources): &(&str, &[Resource])| {
        let resources: Vec<Value> = resources.iter().map(|one| one.aggregated(name)).collect();
        let metadata = if name.is_empty() { json!({}) } else { json!({ "name": name }) };
        json!({
            "metadata": metadata,
            "versions": [{ "version": "v1", "resources": resources, "freshness": "Current" }],
        })
    };
    let items: Vec<Value> = GROUPS.iter().filter(|(name, _)| wanted(name)).map(item).collect();
    let body = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items,
    });
    Response::json_as(200, AGGREGATED, &body)
}
