//! The commands that grant an access: they bind a role, and create it first if there is none.
//!
//! Source: what `kubectl create role` and `kubectl create clusterrole` accept, in `pkg/cmd/create/create_role.go` and
//! `create_clusterrole.go` of k8s.io/kubectl. For the rest the role is written as a manifest.

use kubectl_login_core::kube::rbac::RoleRef;
use kubectl_login_core::kube::review::{AccessRequest, AccessTarget, ResourceAttributes};
use kubectl_login_core::text::shell_word;
use serde_json::{Value, json};

use super::misnamed::{IntendedSubject, Misnamed};
use super::{Explained, namespace};

/// The label of a command that only an administrator can run.
pub(super) const ADMINISTRATOR: &str = "A cluster administrator would type:";
/// The role that allows everything, in every cluster.
const EVERYTHING: &str = "cluster-admin";
const RBAC: &str = "rbac.authorization.k8s.io";
/// Verbs that kubectl accepts for some types only: verb, API group, types.
const SPECIAL: &[(&str, &str, &[&str])] = &[
    ("bind", RBAC, &["clusterroles", "roles"]),
    ("escalate", RBAC, &["clusterroles", "roles"]),
    ("impersonate", "", &["groups", "serviceaccounts", "users"]),
    ("impersonate", "authentication.k8s.io", &["userextras"]),
    ("use", "extensions", &["podsecuritypolicies"]),
    ("use", "policy", &["podsecuritypolicies"]),
];
/// Verbs that kubectl accepts for every type.
const GENERAL: &[&str] =
    &["*", "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"];

/// The commands that allow exactly the access in question, or bind a role that does; none if there is no such command.
pub(super) fn to_allow(explained: &Explained) -> Vec<String> {
    let explanation = &explained.explanation;
    let access = &explanation.access;
    let user = user_flag(&explained.who.requester.username);
    let bind = |role: &RoleRef| bind(role, &user, plain(&explained.who.requester.username), namespace(access));
    if let Some(role) = explanation.bindable.clone().or_else(|| is_everything(access).then(everything)) {
        return vec![format!("{ADMINISTRATOR} {}", bind(&role))];
    }
    // A type that does not exist may be misspelt.
    let Some(make) = explanation.is_known.then(|| make(access)).flatten() else { return Vec::new() };
    let kind = if namespace(access).is_some() { "Role" } else { "ClusterRole" };
    let role = RoleRef { kind: kind.to_owned(), name: name(access) };
    vec![format!("{ADMINISTRATOR} {make}"), format!("and then: {}", bind(&role))]
}

/// The command that binds a role to the subject that a misnamed binding is meant for.
pub(super) fn to_correct(misnamed: &Misnamed<'_>, username: &str) -> String {
    let (subject, whom) = match misnamed.intended {
        IntendedSubject::User => (user_flag(username), plain(username)),
        IntendedSubject::Group(id) => (format!("--group={}", shell_word(id)), plain(&misnamed.subject.name)),
        IntendedSubject::DisplayName => ("--group=OBJECT_ID".to_owned(), plain(&misnamed.subject.name)),
    };
    let namespace = Some(misnamed.grant.binding.metadata.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    format!("{ADMINISTRATOR} {}", bind(&misnamed.grant.role, &subject, whom, namespace))
}

fn user_flag(username: &str) -> String {
    match username.strip_prefix("system:serviceaccount:") {
        Some(account) => format!("--serviceaccount={}", shell_word(account)),
        None => format!("--user={}", shell_word(username)),
    }
}

/// The command that binds `role`, in a namespace or, without one, in the whole cluster.
fn bind(role: &RoleRef, subject: &str, whom: String, namespace: Option<&str>) -> String {
    let binding = shell_word(&format!("{}-{whom}", role.name));
    let (kind, place) = match namespace {
        Some(namespace) => ("rolebinding", format!(" --namespace={}", shell_word(namespace))),
        None => ("clusterrolebinding", String::new()),
    };
    let (flag, role) = (if role.kind == "Role" { "role" } else { "clusterrole" }, shell_word(&role.name));
    format!("kubectl create {kind} {binding} --{flag}={role} {subject}{place}")
}

fn everything() -> RoleRef {
    RoleRef { kind: "ClusterRole".to_owned(), name: EVERYTHING.to_owned() }
}

/// Whether this is the greatest possible access.
fn is_everything(access: &AccessRequest) -> bool {
    let is_all = |resource: &ResourceAttributes| {
        resource.resource == "*" && resource.subresource.is_empty() && ["", "*"].contains(&resource.group.as_str())
    };
    access.verb == "*" && matches!(&access.target, AccessTarget::Resource(resource) if is_all(resource))
}

/// The command that creates a role for exactly this; `None` if it cannot be written.
fn make(access: &AccessRequest) -> Option<String> {
    let (kind, place) = match namespace(access) {
        Some(namespace) => ("role", format!(" --namespace={}", shell_word(namespace))),
        None => ("clusterrole", String::new()),
    };
    match flags(access) {
        Some(flags) => Some(format!("kubectl create {kind} {} {flags}{place}", name(access))),
        None => manifest(access).map(|role| format!("echo '{role}' | kubectl apply -f -")),
    }
}

/// The name of the role.
fn name(access: &AccessRequest) -> String {
    let of = match &access.target {
        AccessTarget::Resource(resource) => plain(&resource.resource),
        AccessTarget::Path(path) => plain(path),
    };
    format!("{}-{of}", plain(&access.verb))
}

/// The flags of `kubectl create role` for this, if it accepts them.
fn flags(access: &AccessRequest) -> Option<String> {
    let verb = shell_word(&access.verb);
    let resource = match &access.target {
        AccessTarget::Path(path) => {
            let is_pattern = path.trim_end_matches('*').contains('*');
            return (!is_pattern).then(|| format!("--verb={verb} --non-resource-url={}", shell_word(path)));
        }
        AccessTarget::Resource(resource) => resource,
    };
    let ResourceAttributes { group, resource: plural, subresource, .. } = resource;
    let is_special = SPECIAL.iter().any(|(verb, ..)| *verb == access.verb);
    let takes_type = |(verb, of, types): &(&str, &str, &[&str])| {
        *verb == access.verb && of == group && types.contains(&plural.as_str())
    };
    let is_general = GENERAL.contains(&access.verb.as_str()) && !resource.is_for_impersonation();
    let is_taken = if is_special { SPECIAL.iter().any(takes_type) } else { is_general };
    let group = if group.is_empty() { String::new() } else { format!(".{group}") };
    let sub = if subresource.is_empty() { String::new() } else { format!("/{subresource}") };
    let name = rule_name(access).map(|name| format!(" --resource-name={}", shell_word(name))).unwrap_or_default();
    is_taken.then(|| format!("--verb={verb} --resource={}{name}", shell_word(&format!("{plural}{group}{sub}"))))
}

/// The object that the rule can be limited to. A request that creates an object or deletes several names none, so a rule with
/// a name would never allow it.
fn rule_name(access: &AccessRequest) -> Option<&str> {
    let AccessTarget::Resource(ResourceAttributes { name, subresource, .. }) = &access.target else { return None };
    let has_no_name = access.verb == "deletecollection" || (access.verb == "create" && subresource.is_empty());
    Some(name.as_str()).filter(|name| !name.is_empty() && !has_no_name)
}

/// The role as JSON for single quotes of a shell; `None` if a name in it cannot be quoted like that.
fn manifest(access: &AccessRequest) -> Option<Value> {
    let rule = match &access.target {
        AccessTarget::Path(path) => json!({ "verbs": [access.verb], "nonResourceURLs": [path] }),
        AccessTarget::Resource(ResourceAttributes { group, resource, subresource, .. }) => {
            let sub = if subresource.is_empty() { String::new() } else { format!("/{subresource}") };
            let mut rule =
                json!({ "verbs": [access.verb], "apiGroups": [group], "resources": [format!("{resource}{sub}")] });
            if let Some(name) = rule_name(access) {
                rule["resourceNames"] = json!([name]);
            }
            rule
        }
    };
    let (kind, mut metadata) = match namespace(access) {
        Some(namespace) => ("Role", json!({ "namespace": namespace })),
        None => ("ClusterRole", json!({})),
    };
    metadata["name"] = json!(name(access));
    let role = json!({ "apiVersion": format!("{RBAC}/v1"), "kind": kind, "metadata": metadata, "rules": [rule] });
    let is_plain = |c: char| (c.is_ascii_graphic() || c == ' ') && !matches!(c, '\'' | '\\');
    role.to_string().chars().all(is_plain).then_some(role)
}

/// The part of a name before its `@`, in characters that a name in Kubernetes may have.
fn plain(text: &str) -> String {
    let text = text.split('@').next().unwrap_or_default().to_lowercase();
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "all".to_owned() } else { words.join("-") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(verb: &str, group: &str, resource: &str, name: &str) -> AccessRequest {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let target = ResourceAttributes {
            group: group.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            namespace: "dev".to_owned(),
            name: name.to_owned(),
        };
        AccessRequest { verb: verb.to_owned(), target: AccessTarget::Resource(target) }
    }

    #[test]
    fn names_of_objects_are_plain() {
        assert_eq!(plain("Alice.Smith@contoso.example"), "alice-smith");
        assert_eq!((plain("*").as_str(), plain("/healthz/etcd").as_str()), ("all", "healthz-etcd"));
    }

    #[test]
    fn role_that_kubectl_refuses_to_create_is_a_manifest() {
        for (access, flags) in [
            (
                on("use", "policy", "podsecuritypolicies", "p"),
                Some("--verb=use --resource=podsecuritypolicies.policy --resource-name=p"),
            ),
            (
                on("impersonate", "authentication.k8s.io", "userextras/scopes", ""),
                Some("--verb=impersonate --resource=userextras.authentication.k8s.io/scopes"),
            ),
            (on("get", "*", "*/scale", ""), Some("--verb=get --resource='*.*/scale'")),
            (on("create", "", "pods", "web"), Some("--verb=create --resource=pods")),
            (on("create", "", "pods/exec", "web"), Some("--verb=create --resource=pods/exec --resource-name=web")),
            (on("use", "", "pods", ""), None),
            (on("bind", "", "pods", ""), None),
            (on("escalate", "apps", "roles", ""), None),
            (on("impersonate", "authentication.k8s.io", "uids", ""), None),
            (on("get", "", "users", ""), None),
            (on("approve", "certificates.k8s.io", "signers", ""), None),
        ] {
            assert_eq!(super::flags(&access).as_deref(), flags, "{access:?}");
            assert_eq!(make(&access).is_some_and(|line| line.starts_with("echo '")), flags.is_none(), "{access:?}");
        }
    }

    #[test]
    fn name_that_a_shell_would_act_on_gives_no_manifest() {
        assert!(
            manifest(&on("use", "", "pods", "it's")).is_none() && manifest(&on("use", "", "pods", "a\nb")).is_none()
        );
    }
}
