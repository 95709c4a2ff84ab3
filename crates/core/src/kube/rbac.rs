//! Kubernetes RBAC: whether its objects allow an access, by the rules of the API server's own authorizer.
//!
//! Evaluation only: must not know how the objects are read, or what the API server itself decides.
//!
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/rbac/>; the comparisons are those of
//! `pkg/apis/rbac/v1/evaluation_helpers.go` and `plugin/pkg/auth/authorizer/rbac/rbac.go`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::api::null_as_default;
use super::review::{AccessRequest, AccessTarget, ResourceAttributes};
use crate::text::printable;

/// The longest description of a rule, in characters.
const WORDS: usize = 200;

/// A ClusterRoleBinding, or a RoleBinding if it has a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Binding {
    /// Its name and namespace.
    #[serde(deserialize_with = "null_as_default")]
    pub metadata: ObjectMeta,
    /// The role that it grants.
    #[serde(deserialize_with = "null_as_default")]
    pub role_ref: RoleRef,
    /// Who gets the role.
    #[serde(deserialize_with = "null_as_default")]
    pub subjects: Vec<RbacSubject>,
}

/// Name and namespace of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct ObjectMeta {
    /// Name.
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// Namespace; empty for objects that are not in one.
    #[serde(deserialize_with = "null_as_default")]
    pub namespace: String,
}

/// A role as a binding names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(default)]
pub struct RoleRef {
    /// `ClusterRole`, or `Role` in the binding's own namespace.
    #[serde(deserialize_with = "null_as_default")]
    pub kind: String,
    /// Name.
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
}

/// A user, group or service account that a binding names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct RbacSubject {
    /// `User`, `Group` or `ServiceAccount`.
    #[serde(deserialize_with = "null_as_default")]
    pub kind: String,
    /// Name.
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// The namespace of a service account; empty for the binding's own.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

/// A ClusterRole, or a Role if it has a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Role {
    /// Its name and namespace.
    #[serde(deserialize_with = "null_as_default")]
    pub metadata: ObjectMeta,
    /// What it allows; an aggregated one has the rules of all its parts.
    #[serde(deserialize_with = "null_as_default")]
    pub rules: Vec<PolicyRule>,
}

/// What a role allows (`PolicyRule`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PolicyRule {
    /// Verbs, or `*`.
    #[serde(deserialize_with = "null_as_default")]
    pub verbs: Vec<String>,
    /// API groups, or `*`; the core group is empty.
    #[serde(deserialize_with = "null_as_default")]
    pub api_groups: Vec<String>,
    /// Plurals, with a subresource or without; `*` for all of both, `*/scale` for one subresource of all.
    #[serde(deserialize_with = "null_as_default")]
    pub resources: Vec<String>,
    /// The only objects that are meant; empty for all.
    #[serde(deserialize_with = "null_as_default")]
    pub resource_names: Vec<String>,
    /// URL paths that stand for no object; a `*` at the end is for all that begin so.
    #[serde(rename = "nonResourceURLs", deserialize_with = "null_as_default")]
    pub non_resource_urls: Vec<String>,
}

/// The user who requests access.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requester {
    /// The name that the API server uses.
    pub username: String,
    /// Groups by the names that bindings use. `system:authenticated` is understood.
    pub groups: BTreeSet<String>,
}

impl Binding {
    /// Whether it applies to this access: a RoleBinding applies only within its namespace.
    pub fn reaches(&self, access: &AccessRequest) -> bool {
        self.metadata.namespace.is_empty()
            || matches!(&access.target, AccessTarget::Resource(resource) if resource.namespace == self.metadata.namespace)
    }

    /// The first of its subjects that is `requester`.
    pub fn subject_for(&self, requester: &Requester) -> Option<&RbacSubject> {
        self.subjects.iter().find(|subject| subject.is(requester, &self.metadata.namespace))
    }

    /// `ClusterRoleBinding` or `RoleBinding`.
    pub fn kind(&self) -> &'static str {
        if self.metadata.namespace.is_empty() { "ClusterRoleBinding" } else { "RoleBinding" }
    }
}

impl RbacSubject {
    /// Whether this is `requester`, in a binding of `namespace`.
    fn is(&self, requester: &Requester, namespace: &str) -> bool {
        match self.kind.as_str() {
            "User" => self.name == requester.username,
            // A user whose token was accepted is authenticated.
            "Group" => self.name == "system:authenticated" || requester.groups.contains(&self.name),
            "ServiceAccount" => {
                let namespace = if self.namespace.is_empty() { namespace } else { &self.namespace };
                !namespace.is_empty()
                    && requester.username.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'))
                        == Some((namespace, self.name.as_str()))
            }
            _ => false,
        }
    }

    /// Whether this is a user or a group that users can be added to: not a service account, and not one of Kubernetes itself.
    pub fn is_for_users(&self) -> bool {
        matches!(self.kind.as_str(), "User" | "Group") && !self.name.starts_with("system:")
    }
}

impl Role {
    /// The first of its rules that allows this.
    pub fn rule_for(&self, access: &AccessRequest) -> Option<&PolicyRule> {
        self.rules.iter().find(|rule| rule.allows(access))
    }

    /// The first of its rules that allows this for other objects only, which its `resourceNames` list.
    pub fn near_miss(&self, access: &AccessRequest) -> Option<&PolicyRule> {
        self.rules.iter().find(|rule| rule.allows_some(access) && !rule.allows(access))
    }
}

impl PolicyRule {
    /// Whether it allows this. Namespaces are not compared: see [`Binding::reaches`].
    pub fn allows(&self, access: &AccessRequest) -> bool {
        self.allows_some(access)
            && match &access.target {
                AccessTarget::Resource(resource) => self.has_name(&resource.name),
                AccessTarget::Path(_) => true,
            }
    }

    /// Whether it allows this for some objects at least: their names are not compared.
    fn allows_some(&self, access: &AccessRequest) -> bool {
        has(&self.verbs, &access.verb)
            && match &access.target {
                AccessTarget::Resource(resource) => {
                    has(&self.api_groups, &resource.group) && self.has_resource(resource)
                }
                AccessTarget::Path(path) => self.non_resource_urls.iter().any(|url| covers(url, path)),
            }
    }

    fn has_resource(&self, ResourceAttributes { resource, subresource, .. }: &ResourceAttributes) -> bool {
        self.resources.iter().any(|named| {
            if subresource.is_empty() {
                return named == "*" || named == resource;
            }
            named == "*"
                || named.split_once('/').is_some_and(|(of, sub)| (of == resource || of == "*") && sub == subresource)
        })
    }

    /// A rule for named objects does not allow requests that name no object, such as a list of all.
    fn has_name(&self, name: &str) -> bool {
        self.resource_names.is_empty() || self.resource_names.iter().any(|named| named == name)
    }

    /// The rule in one printable line: "get, list on pods, pods/log".
    pub fn in_words(&self) -> String {
        let verbs = if has_star(&self.verbs) { "any verb".to_owned() } else { self.verbs.join(", ") };
        let mut things = self.non_resource_urls.clone();
        if has_star(&self.resources) {
            things.push("any resource".to_owned());
        } else {
            let group = match self.api_groups.as_slice() {
                [group] if group != "*" && !group.is_empty() => format!(".{group}"),
                _ => String::new(),
            };
            things.extend(self.resources.iter().map(|resource| match resource.split_once('/') {
                Some((of, sub)) => format!("{of}{group}/{sub}"),
                None => format!("{resource}{group}"),
            }));
        }
        let mut words = format!("{verbs} on {}", things.join(", "));
        if !self.resources.is_empty() {
            words += &match self.api_groups.as_slice() {
                groups if has_star(groups) => " of any group".to_owned(),
                [group] if has_star(&self.resources) && group.is_empty() => " of the core group".to_owned(),
                [group] if has_star(&self.resources) => format!(" of {group}"),
                [] | [_] => String::new(),
                groups => {
                    let named = groups.iter().map(|group| if group.is_empty() { "core" } else { group });
                    format!(" of the groups {}", named.collect::<Vec<_>>().join(", "))
                }
            };
        }
        if !self.resource_names.is_empty() {
            words += &format!(" named {}", self.resource_names.join(", "));
        }
        printable(&words, WORDS)
    }
}

fn has_star(list: &[String]) -> bool {
    list.iter().any(|entry| entry == "*")
}

fn has(list: &[String], wanted: &str) -> bool {
    list.iter().any(|entry| entry == "*" || entry == wanted)
}

fn covers(url: &str, path: &str) -> bool {
    url == "*" || url == path || (url.ends_with('*') && path.starts_with(url.trim_end_matches('*')))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn access(verb: &str, group: &str, resource: &str, name: &str) -> AccessRequest {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let target = ResourceAttributes {
            group: group.into(),
            resource: resource.into(),
            subresource: subresource.into(),
            namespace: "dev".into(),
            name: name.into(),
        };
        AccessRequest { verb: verb.into(), target: AccessTarget::Resource(target) }
    }

    fn rule(value: Value) -> PolicyRule {
        serde_json::from_value(value).unwrap()
    }

    fn on(verbs: &[&str], groups: &[&str], resources: &[&str], names: &[&str]) -> PolicyRule {
        rule(json!({ "verbs": verbs, "apiGroups": groups, "resources": resources, "resourceNames": names }))
    }

    #[test]
    fn rules_match_as_in_the_api_server() {
        let pods = access("get", "", "pods", "web");
        let log = access("get", "", "pods/log", "web");
        let scale = access("get", "apps", "deployments/scale", "web");
        for (rule, allowed) in [
            (on(&["get"], &[""], &["pods"], &[]), [true, false, false]),
            (on(&["*"], &["*"], &["*"], &[]), [true, true, true]),
            (on(&["get"], &["apps"], &["*"], &[]), [false, false, true]),
            (on(&["get"], &[""], &["pods/log"], &[]), [false, true, false]),
            (on(&["get"], &["*"], &["*/scale"], &[]), [false, false, true]),
            (on(&["get"], &[""], &["pods/*"], &[]), [false, false, false]),
            (on(&["get"], &[], &["pods"], &[]), [false, false, false]),
            (on(&["list"], &[""], &["pods"], &[]), [false, false, false]),
            (on(&["GET"], &[""], &["Pods"], &[]), [false, false, false]),
            (on(&["get"], &[""], &["pods"], &["web", "db"]), [true, false, false]),
            (on(&["get"], &[""], &["pods"], &["db"]), [false, false, false]),
        ] {
            let found = [&pods, &log, &scale].map(|access| rule.allows(access));
            assert_eq!(found, allowed, "{}", rule.in_words());
        }
    }

    #[test]
    fn resource_names_restrict_and_requested_wildcards_need_wildcards() {
        let named = on(&["*"], &[""], &["pods"], &["web"]);
        assert!(named.allows(&access("delete", "", "pods", "web")));
        assert!(!named.allows(&access("list", "", "pods", "")) && !named.allows(&access("create", "", "pods", "")));
        let everything = access("*", "*", "*", "");
        assert!(on(&["*"], &["*"], &["*"], &[]).allows(&everything));
        assert!(!on(&["get", "list"], &["*"], &["*"], &[]).allows(&everything));
        assert!(!on(&["*"], &["", "apps"], &["*"], &[]).allows(&everything));
    }

    #[test]
    fn rule_that_fails_by_name_alone_is_a_near_miss() {
        let role = |rules: &[PolicyRule]| Role { rules: rules.to_vec(), ..Role::default() };
        let named = role(&[on(&["get"], &[""], &["pods"], &["web"])]);
        assert!(named.near_miss(&access("get", "", "pods", "")).is_some());
        assert!(named.near_miss(&access("get", "", "pods", "db")).is_some());
        for other in [access("get", "", "pods", "web"), access("list", "", "pods", ""), access("get", "", "nodes", "")]
        {
            assert!(named.near_miss(&other).is_none(), "{other:?}");
        }
    }

    #[test]
    fn paths_match_non_resource_urls_only() {
        let get = |path: &str| AccessRequest { verb: "get".into(), target: AccessTarget::Path(path.into()) };
        let urls = |urls: &[&str]| rule(json!({ "verbs": ["get"], "nonResourceURLs": urls }));
        assert!(urls(&["/healthz"]).allows(&get("/healthz")) && !urls(&["/healthz"]).allows(&get("/healthz/etcd")));
        assert!(urls(&["/healthz/*"]).allows(&get("/healthz/etcd")) && !urls(&["/healthz/*"]).allows(&get("/healthz")));
        assert!(urls(&["*"]).allows(&get("/metrics")) && urls(&["/api*"]).allows(&get("/apis")));
        assert!(!on(&["*"], &["*"], &["*"], &[]).allows(&get("/healthz")));
        assert!(!urls(&["*"]).allows(&access("get", "", "pods", "")));
    }

    fn binding(namespace: &str, kind: &str, name: &str) -> Binding {
        serde_json::from_value(json!({
            "metadata": { "name": "b", "namespace": namespace }, "roleRef": { "kind": "Role", "name": "r" },
            "subjects": [{ "kind": "Group", "name": "others" }, { "kind": kind, "name": name }],
        }))
        .unwrap()
    }

    #[test]
    fn subjects_are_users_groups_and_service_accounts() {
        let alice = Requester { username: "alice".into(), groups: ["g1".to_owned()].into() };
        let robot = Requester { username: "system:serviceaccount:dev:ci".into(), ..Requester::default() };
        for (requester, kind, name, is) in [
            (&alice, "User", "alice", true),
            (&alice, "User", "Alice", false),
            (&alice, "Group", "g1", true),
            (&alice, "Group", "alice", false),
            (&alice, "Group", "system:authenticated", true),
            (&alice, "Group", "system:unauthenticated", false),
            (&alice, "Robot", "alice", false),
            (&robot, "ServiceAccount", "ci", true),
            (&robot, "ServiceAccount", "cd", false),
            (&robot, "User", "system:serviceaccount:dev:ci", true),
        ] {
            let found = binding("dev", kind, name);
            assert_eq!(
                found.subject_for(requester).map(|subject| subject.name.as_str()),
                is.then_some(name),
                "{kind} {name}"
            );
        }
        assert!(binding("", "ServiceAccount", "ci").subject_for(&robot).is_none(), "of no namespace");
        let mut elsewhere = binding("prod", "ServiceAccount", "ci");
        assert!(elsewhere.subject_for(&robot).is_none());
        elsewhere.subjects[1].namespace = "dev".into();
        assert!(elsewhere.subject_for(&robot).is_some(), "bound from another namespace");
    }

    #[test]
    fn role_binding_applies_in_its_namespace_only() {
        let in_dev = access("get", "", "pods", "");
        let path = AccessRequest { verb: "get".into(), target: AccessTarget::Path("/healthz".into()) };
        assert!(binding("", "User", "a").reaches(&in_dev) && binding("", "User", "a").reaches(&path));
        assert!(binding("dev", "User", "a").reaches(&in_dev) && !binding("prod", "User", "a").reaches(&in_dev));
        assert!(!binding("dev", "User", "a").reaches(&path));
    }

    #[test]
    fn rules_are_described_in_one_line() {
        for (rule, words) in [
            (on(&["get", "list"], &[""], &["pods", "pods/log"], &[]), "get, list on pods, pods/log"),
            (on(&["get"], &["apps"], &["deployments/scale"], &["web"]), "get on deployments.apps/scale named web"),
            (on(&["*"], &["*"], &["*"], &[]), "any verb on any resource of any group"),
            (on(&["*"], &[""], &["*"], &[]), "any verb on any resource of the core group"),
            (on(&["get"], &["", "apps"], &["a"], &[]), "get on a of the groups core, apps"),
            (rule(json!({ "verbs": ["get"], "nonResourceURLs": ["/a", "/b*"] })), "get on /a, /b*"),
        ] {
            assert_eq!(rule.in_words(), words);
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let word = prop_oneof![
            Just("*".to_owned()),
            Just("pods".to_owned()),
            Just("User".to_owned()),
            Just("/".to_owned()),
            "\\PC{0,6}"
        ];
        let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), word.prop_map(Value::from)];
        let key = prop::sample::select(vec![
            "metadata",
            "name",
            "namespace",
            "roleRef",
            "kind",
            "subjects",
            "rules",
            "verbs",
            "apiGroups",
            "resources",
            "resourceNames",
            "nonResourceURLs",
        ]);
        leaf.prop_recursive(4, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_object_is_evaluated_without_panic(value in any_json(), words in prop::collection::vec("[*/.a-z]{0,5}", 4)) {
            let access = access(&words[0], &words[1], &words[2], &words[3]);
            let requester = Requester { username: words[3].clone(), groups: words.iter().cloned().collect() };
            if let Ok(binding) = Binding::deserialize(&value) {
                let _ = (binding.reaches(&access), binding.subject_for(&requester), binding.kind());
            }
            if let Ok(role) = Role::deserialize(&value) {
                let _ = role.rule_for(&access);
                for rule in &role.rules {
                    prop_assert!(rule.in_words().chars().count() <= WORDS + 1);
                }
            }
        }
    }
}
