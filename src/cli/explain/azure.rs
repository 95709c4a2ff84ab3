//! Azure RBAC. All that is known about its decision is the text of its reason.
//!
//! Source: the AKS authorizer (Azure/guard, `authz/providers/azure`) and the built-in roles of
//! <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/containers>.

use kubectl_login_core::kube::review::{AccessRequest, AccessTarget, ResourceAttributes, SubjectAccessReviewStatus};
use kubectl_login_core::text::printable;

/// The built-in roles by their ids.
const ROLES: [(&str, &str); 4] = [
    ("7f6c6a51-bcf8-42ba-9220-52d62157d7db", READER),
    ("a7ffa36f-339b-4b5c-8bdf-e2c188b2c0eb", WRITER),
    ("3498e952-d568-435e-9b2c-8d77e338d7f7", ADMIN),
    ("b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b", CLUSTER_ADMIN),
];
const READER: &str = "Azure Kubernetes Service RBAC Reader";
const WRITER: &str = "Azure Kubernetes Service RBAC Writer";
const ADMIN: &str = "Azure Kubernetes Service RBAC Admin";
const CLUSTER_ADMIN: &str = "Azure Kubernetes Service RBAC Cluster Admin";
/// What the reader may read and the writer may write in a namespace; not more than both have.
const WORKLOADS: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "configmaps",
            "endpoints",
            "persistentvolumeclaims",
            "pods",
            "replicationcontrollers",
            "serviceaccounts",
            "services",
        ],
    ),
    ("apps", &["daemonsets", "deployments", "replicasets", "statefulsets"]),
    ("autoscaling", &["horizontalpodautoscalers"]),
    ("batch", &["cronjobs", "jobs"]),
    ("networking.k8s.io", &["ingresses", "networkpolicies"]),
    ("policy", &["poddisruptionbudgets"]),
];
/// What both may read but not write.
const READ_ONLY: &[(&str, &[&str])] = &[
    ("", &["events", "limitranges", "resourcequotas"]),
    ("apps", &["controllerrevisions"]),
    ("discovery.k8s.io", &["endpointslices"]),
    ("events.k8s.io", &["events"]),
];

/// Why it is allowed, if Azure RBAC says that it is.
pub(super) fn allowed(reason: &str) -> Option<String> {
    let assignment = reason.split_once("Access allowed by Azure RBAC")?.1.trim_start();
    let named = assignment.strip_prefix("Role Assignment ").and_then(|rest| rest.split_once(" of Role "));
    let Some((assignment, rest)) = named else { return Some("Azure RBAC allows it.".to_owned()) };
    let role = rest.split_once(" to user ").map_or(rest, |(role, _)| role);
    let known = ROLES.iter().find(|(id, _)| role.contains(id)).map(|(_, name)| *name);
    let role = known.map_or_else(|| printable(role, 200), str::to_owned);
    Some(format!("Azure RBAC allows it by the role {role}, assignment {}.", printable(assignment, 300)))
}

/// Whether Azure RBAC refuses it.
pub(super) fn refuses(decision: &SubjectAccessReviewStatus) -> bool {
    decision.denied && decision.reason.contains("Azure") && !decision.reason.contains("does not have opinion")
}

/// The smallest built-in role that allows this, at the scope of the namespace or, without one, of the cluster.
pub(super) fn role(access: &AccessRequest) -> &'static str {
    let AccessTarget::Resource(ResourceAttributes { group, resource, subresource, namespace, .. }) = &access.target
    else {
        return CLUSTER_ADMIN;
    };
    let is = |of: &str, name: &str| group == of && resource == name;
    let is_in = |list: &[(&str, &[&str])]| list.iter().any(|(of, names)| names.iter().any(|name| is(of, name)));
    let is_workload = is_in(WORKLOADS);
    let reads = matches!(access.verb.as_str(), "get" | "list" | "watch");
    let writes = matches!(access.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection");
    if reads && (is_workload && subresource != "exec" || is_in(READ_ONLY) || is("", "namespaces")) {
        READER
    } else if (reads || writes) && (is_workload || is("", "secrets")) {
        WRITER
    } else if namespace.is_empty() {
        CLUSTER_ADMIN
    } else {
        ADMIN
    }
}
