//! Roles and bindings, and what they allow: Kubernetes' role-based access control, by its rules and with its wording.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use crate::people::guid_of;

pub(crate) const GROUP: &str = "rbac.authorization.k8s.io";

/// A user, as the cluster knows them.
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) groups: HashSet<String>,
}

/// An access that a user asks for.
pub(crate) enum AccessRequest<'a> {
    /// To an object: verb, namespace (empty for none), API group, resource, subresource, name.
    Resource {
        verb: &'a str,
        namespace: &'a str,
        group: &'a str,
        resource: &'a str,
        subresource: &'a str,
        name: &'a str,
    },
    /// To a path of the API server: verb and path.
    Path { verb: &'a str, path: &'a str },
}

/// The decision of RBAC: allowed and why, or no opinion, with the errors that were found on the way.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed(String),
    NoOpinion(String),
}

/// Resource, namespace (empty for none), name.
type Key = (&'static str, String, String);

/// The objects of a cluster, in the order of lists.
#[derive(Default)]
pub(crate) struct Objects {
    objects: BTreeMap<Key, Value>,
}

/// The resource of a kind, and whether its objects have a namespace.
fn resource_of(kind: &str) -> Option<(&'static str, bool)> {
    match kind {
        "ClusterRole" => Some(("clusterroles", false)),
        "ClusterRoleBinding" => Some(("clusterrolebindings", false)),
        "Role" => Some(("roles", true)),
        "RoleBinding" => Some(("rolebindings", true)),
        _ => None,
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// The strings in a list.
fn texts<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    items(value, name).filter_map(Value::as_str)
}

fn items<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

impl Objects {
    /// Stores an object, or each of a list's, and replaces an object of the same name. A namespaced one without a
    /// namespace
    /// goes to `default`.
    ///
    /// # Panics
    ///
    /// If it is not an RBAC object, or has no name.
    pub(crate) fn apply(&mut self, mut object: Value, created: &str) {
        if object.is_array() || object["items"].is_array() {
            let items = if object.is_array() { object.take() } else { object["items"].take() };
            items.as_array().into_iter().flatten().for_each(|item| self.apply(item.clone(), created));
            return;
        }
        let (resource, namespaced) =
            resource_of(text(&object, "kind")).unwrap_or_else(|| panic!("a role or a binding, and not {object}"));
        let name = text(&object["metadata"], "name").to_owned();
        assert!(!name.is_empty(), "{object} has a name");
        let namespace = if namespaced {
            object["metadata"]["namespace"].as_str().unwrap_or("default").to_owned()
        } else {
            String::new()
        };
        object["apiVersion"] = json!(format!("{GROUP}/v1"));
        if namespaced {
            object["metadata"]["namespace"] = json!(namespace);
        }
        object["metadata"]["uid"] = json!(guid_of(&format!("{resource} {namespace} {name}")));
        object["metadata"]["resourceVersion"] = json!("1");
        object["metadata"]["creationTimestamp"] = json!(created);
        self.objects.insert((resource, namespace, name), object);
    }

    /// One object; the namespace is empty if the resource has none.
    pub(crate) fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<&Value> {
        let asked = |key: &Key| (key.0, key.1.as_str(), key.2.as_str()) == (resource, namespace, name);
        self.objects.iter().find(|(key, _)| asked(key)).map(|(_, object)| object)
    }

    /// All objects of a resource, in one namespace or in all.
    pub(crate) fn list<'a>(&'a self, resource: &'a str, namespace: Option<&'a str>) -> impl Iterator<Item = &'a Value> {
        let asked = move |key: &Key| key.0 == resource && namespace.is_none_or(|namespace| key.1 == namespace);
        self.objects.iter().filter(move |(key, _)| asked(key)).map(|(_, object)| object)
    }

    /// Whether a user may do something, by the first rule that allows it.
    pub(crate) fn authorize(&self, user: &User, request: &AccessRequest) -> Verdict {
        let namespace = match request {
            AccessRequest::Resource { namespace, .. } => namespace,
            AccessRequest::Path { .. } => "",
        };
        let cluster_wide = self.list("clusterrolebindings", None).map(|binding| (binding, ""));
        // Role bindings are namespaced, so none applies to a request without a namespace.
        let namespaced = self.list("rolebindings", Some(namespace)).map(|binding| (binding, namespace));
        let mut missing = Vec::new();
        for (binding, namespace) in cluster_wide.chain(namespaced) {
            let Some(subject) = items(binding, "subjects").find(|one| applies(one, user, namespace)) else { continue };
            match self.role(&binding["roleRef"], namespace) {
                Ok(role) if items(role, "rules").any(|rule| allows(rule, request)) => {
                    return Verdict::Allowed(reason(binding, subject, namespace));
                }
                Ok(_) => {}
                Err(text) => missing.push(text),
            }
        }
        Verdict::NoOpinion(match missing.as_slice() {
            [] => String::new(),
            [one] => format!("RBAC: {one}"),
            several => format!("RBAC: [{}]", several.join(", ")),
        })
    }

    fn role(&self, reference: &Value, namespace: &str) -> Result<&Value, String> {
        let (kind, name) = (text(reference, "kind"), text(reference, "name"));
        let (resource, namespaced) = resource_of(kind).unwrap_or_default();
        let found = self.get(resource, if namespaced { namespace } else { "" }, name);
        found.ok_or_else(|| format!("{}.{GROUP} \"{name}\" not found", kind.to_lowercase()))
    }
}

/// Whether a binding's subject is this user. A service account without a namespace is in the binding's.
fn applies(subject: &Value, user: &User, namespace: &str) -> bool {
    let name = text(subject, "name");
    match text(subject, "kind") {
        "User" => user.name == name,
        "Group" => user.groups.contains(name),
        "ServiceAccount" => {
            let own = subject["namespace"].as_str().unwrap_or(namespace);
            user.name == format!("system:serviceaccount:{own}:{name}")
        }
        _ => false,
    }
}

/// The reason that Kubernetes gives for an allowed request, word for word.
fn reason(binding: &Value, subject: &Value, namespace: &str) -> String {
    let name = text(&binding["metadata"], "name");
    let (kind, role) = (text(&binding["roleRef"], "kind"), text(&binding["roleRef"], "name"));
    let which = match namespace {
        "" => format!("ClusterRoleBinding {name:?}"),
        _ => format!("RoleBinding {:?}", format!("{name}/{namespace}")),
    };
    let (whose, subject_name) = (text(subject, "kind"), text(subject, "name"));
    let subject = if whose == "ServiceAccount" {
        let own = subject["namespace"].as_str().unwrap_or(namespace);
        format!("{subject_name}/{own}")
    } else {
        subject_name.to_owned()
    };
    format!("RBAC: allowed by {which} of {kind} {role:?} to {whose} {subject:?}")
}

/// Whether one rule allows a request.
fn allows(rule: &Value, request: &AccessRequest) -> bool {
    let has = |list: &str, wanted: &str| texts(rule, list).any(|one| one == "*" || one == wanted);
    match *request {
        AccessRequest::Path { verb, path } => {
            let covers = |url: &str| {
                url == "*" || url == path || url.ends_with('*') && path.starts_with(url.trim_end_matches('*'))
            };
            has("verbs", verb) && texts(rule, "nonResourceURLs").any(covers)
        }
        AccessRequest::Resource { verb, group, resource, subresource, name, .. } => {
            let combined =
                if subresource.is_empty() { resource.to_owned() } else { format!("{resource}/{subresource}") };
            let of_any = |one: &str| !subresource.is_empty() && one.strip_prefix("*/") == Some(subresource);
            has("verbs", verb)
                && has("apiGroups", group)
                && texts(rule, "resources").any(|one| one == "*" || one == combined || of_any(one))
                && (texts(rule, "resourceNames").next().is_none()
                    || texts(rule, "resourceNames").any(|one| one == name))
        }
    }
}
