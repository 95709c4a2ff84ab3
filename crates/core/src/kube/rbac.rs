//! Kubernetes RBAC: what its objects say about an access, by the rules of the API server's own authorizer.
//!
//! Evaluation only: must not know how the objects are got, or what the API server itself decides.
//!
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/rbac/>; the comparisons are those of
//! `pkg/apis/rbac/v1/evaluation_helpers.go` and `plugin/pkg/auth/authorizer/rbac/rbac.go`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::api::null_as_default;
use super::review::{Access, Resource, Target};
use crate::text::printable;

/// How much of a rule is put into words, in characters.
const WORDS: usize = 200;

/// A ClusterRoleBinding, or a RoleBinding if it has a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Binding {
    /// Its name and namespace.
    #[serde(deserialize_with = "null_as_default")]
    pub metadata: Metadata,
    /// What it gives.
    #[serde(deserialize_with = "null_as_default")]
    pub role_ref: RoleRef,
    /// To whom.
    #[serde(deserialize_with = "null_as_default")]
    pub subjects: Vec<Subject>,
}

/// What objects are called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Metadata {
    /// Name.
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// Namespace; empty for what is in none.
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

/// Somebody whom a binding names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Subject {
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
    pub metadata: Metadata,
    /// What it allows; an aggregated one has the rules of all its parts.
    #[serde(deserialize_with = "null_as_default")]
    pub rules: Vec<Rule>,
}

/// What a role allows (`PolicyRule`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Rule {
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

/// Somebody who wants access.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// The name that the API server uses.
    pub username: String,
    /// Groups by the names that bindings use. `system:authenticated` is understood.
    pub groups: BTreeSet<String>,
}

impl Binding {
    /// Whether it counts for this access at all: a RoleBinding does within its namespace only.
    pub fn reaches(&self, access: &Access) -> bool {
        self.metadata.namespace.is_empty()
            || matches!(&access.target, Target::Resource(resource) if resource.namespace == self.metadata.namespace)
    }

    /// The first of its subjects that is `holder`.
    pub fn subject_for(&self, holder: &Holder) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.is(holder, &self.metadata.namespace))
    }

    /// `ClusterRoleBinding` or `RoleBinding`.
    pub fn kind(&self) -> &'static str {
        if self.metadata.namespace.is_empty() { "ClusterRoleBinding" } else { "RoleBinding" }
    }
}

impl Subject {
    /// Whether this is `holder`, in a binding of `namespace`.
    fn is(&self, holder: &Holder, namespace: &str) -> bool {
        match self.kind.as_str() {
            "User" => self.name == holder.username,
            // Whoever a token has been taken from is authenticated.
            "Group" => self.name == "system:authenticated" || holder.groups.contains(&self.name),
            "ServiceAccount" => {
                let namespace = if self.namespace.is_empty() { namespace } else { &self.namespace };
                !namespace.is_empty()
                    && holder.username.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'))
                        == Some((namespace, self.name.as_str()))
            }
            _ => false,
        }
    }

    /// Whether a person can be this, or be made part of it: no service account, and nothing of Kubernetes' own.
    pub fn is_for_people(&self) -> bool {
        matches!(self.kind.as_str(), "User" | "Group") && !self.name.starts_with("system:")
    }
}

impl Role {
    /// The first of its rules that allows this.
    pub fn rule_for(&self, access: &Access) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.allows(access))
    }

    /// The first of its rules that allows this for other objects only, which its `resourceNames` list.
    pub fn near_miss(&self, access: &Access) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.allows_some(access) && !rule.allows(access))
    }
}

impl Rule {
    /// Whether it allows this. Namespaces are not its matter: see [`Binding::reaches`].
    pub fn allows(&self, access: &Access) -> bool {
        self.allows_some(access)
            && match &access.target {
                Target::Resource(resource) => self.has_name(&resource.name),
                Target::Path(_) => true,
            }
    }

    /// Whether it allows this for some objects at least: their names are not compared.
    fn allows_some(&self, access: &Access) -> bool {
        has(&self.verbs, &access.verb)
            && match &access.target {
                Target::Resource(resource) => has(&self.api_groups, &resource.group) && self.has_resource(resource),
                Target::Path(path) => self.non_resource_urls.iter().any(|url| covers(url, path)),
            }
    }

    fn has_resource(&self, Resource { resource, subresource, .. }: &Resource) -> bool {
        self.resources.iter().any(|named| {
            if subresource.is_empty() {
                return named == "*" || named == resource;
            }
            named == "*"
                || named.split_once('/').is_some_and(|(of, sub)| (of == resource || of == "*") && sub == subresource)
        })
    }

    /// A rule for named objects is none for what names no object, such as a list of all.
    fn has_name(&self, name: &str) -> bool {
        self.resource_names.is_empty() || self.resource_names.iter().any(|named| named == name)
    }

    /// The rule in one line, fit to be shown: "get, list on pods, pods/log".
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

    fn access(verb: &str, group: &str, resource: &str, name: &str) -> Access {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let target = Resource {
            group: group.into(),
            resource: resource.into(),
            subresource: subresource.into(),
            namespace: "dev".into(),
            name: name.into(),
        };
        Access { verb: verb.into(), target: Target::Resource(target) }
    }

    fn rule(value: Value) -> Rule {
        serde_json::from_value(value).unwrap()
    }

    fn on(verbs: &[&str], groups: &[&str], resources: &[&str], names: &[&str]) -> Rule {
        rule(json!({ "verbs": verbs, "apiGroups": groups, "resources": resources, "resourceNames": names }))
    }

    #[test]
    fn rules_are_compared_as_the_api_server_does() {
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
    fn names_restrict_and_stars_that_are_asked_for_need_stars() {
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
        let role = |rules: &[Rule]| Role { rules: rules.to_vec(), ..Role::default() };
        let named = role(&[on(&["get"], &[""], &["pods"], &["web"])]);
        assert!(named.near_miss(&access("get", "", "pods", "")).is_some());
        assert!(named.near_miss(&access("get", "", "pods", "db")).is_some());
        for other in [access("get", "", "pods", "web"), access("list", "", "pods", ""), access("get", "", "nodes", "")]
        {
            assert!(named.near_miss(&other).is_none(), "{other:?}");
        }
    }

    #[test]
    fn paths_have_rules_of_their_own() {
        let get = |path: &str| Access { verb: "get".into(), target: Target::Path(path.into()) };
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
        let alice = Holder { username: "alice".into(), groups: ["g1".to_owned()].into() };
        let robot = Holder { username: "system:serviceaccount:dev:ci".into(), ..Holder::default() };
        for (holder, kind, name, is) in [
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
                found.subject_for(holder).map(|subject| subject.name.as_str()),
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
    fn a_role_binding_counts_in_its_namespace_only() {
        let in_dev = access("get", "", "pods", "");
        let path = Access { verb: "get".into(), target: Target::Path("/healthz".into()) };
        assert!(binding("", "User", "a").reaches(&in_dev) && binding("", "User", "a").reaches(&path));
        assert!(binding("dev", "User", "a").reaches(&in_dev) && !binding("prod", "User", "a").reaches(&in_dev));
        assert!(!binding("dev", "User", "a").reaches(&path));
    }

    #[test]
    fn rules_in_words() {
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
        fn no_object_panics(value in any_json(), words in prop::collection::vec("[*/.a-z]{0,5}", 4)) {
            let access = access(&words[0], &words[1], &words[2], &words[3]);
            let holder = Holder { username: words[3].clone(), groups: words.iter().cloned().collect() };
            if let Ok(binding) = Binding::deserialize(&value) {
                let _ = (binding.reaches(&access), binding.subject_for(&holder), binding.kind());
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
