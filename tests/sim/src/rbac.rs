//! Roles and their bindings, and what follows from them: Kubernetes' role-based access control, by its own rules and
//! with its own words.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use crate::people::guid_of;

pub(crate) const GROUP: &str = "rbac.authorization.k8s.io";

/// Who asks, as the cluster knows them.
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) groups: HashSet<String>,
}

/// What somebody wants to do.
pub(crate) enum Request<'a> {
    /// With an object: verb, namespace (empty for none), API group, resource, subresource, name.
    Resource {
        verb: &'a str,
        namespace: &'a str,
        group: &'a str,
        resource: &'a str,
        subresource: &'a str,
        name: &'a str,
    },
    /// With an address of the API server: verb and path.
    Path { verb: &'a str, path: &'a str },
}

/// What RBAC says: yes and why, or nothing, with what kept it from looking further.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Allowed(String),
    NoOpinion(String),
}

/// Resource, namespace (empty for none), name.
type Key = (&'static str, String, String);

/// The objects of a cluster, in the order in which lists have them.
#[derive(Default)]
pub(crate) struct Objects {
    objects: BTreeMap<Key, Value>,
}

/// The resource of a kind, and whether its objects are in namespaces.
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

/// The texts of a list.
fn texts<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    items(value, name).filter_map(Value::as_str)
}

fn items<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

impl Objects {
    /// Keeps an object, or each of a list's, in place of one of the same name. A namespaced one without a namespace
    /// is in `default`.
    ///
    /// # Panics
    ///
    /// If it is no RBAC object, or has no name.
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

    /// One object; the namespace is empty for those that have none.
    pub(crate) fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<&Value> {
        let asked = |key: &Key| (key.0, key.1.as_str(), key.2.as_str()) == (resource, namespace, name);
        self.objects.iter().find(|(key, _)| asked(key)).map(|(_, object)| object)
    }

    /// All objects of a resource, in one namespace or in all.
    pub(crate) fn list<'a>(&'a self, resource: &'a str, namespace: Option<&'a str>) -> impl Iterator<Item = &'a Value> {
        let asked = move |key: &Key| key.0 == resource && namespace.is_none_or(|namespace| key.1 == namespace);
        self.objects.iter().filter(move |(key, _)| asked(key)).map(|(_, object)| object)
    }

    /// Whether somebody may do something, by the first rule that says so.
    pub(crate) fn authorize(&self, user: &User, request: &Request) -> Decision {
        let namespace = match request {
            Request::Resource { namespace, .. } => namespace,
            Request::Path { .. } => "",
        };
        let cluster_wide = self.list("clusterrolebindings", None).map(|binding| (binding, ""));
        // None where no namespace is asked about: every role binding is in one.
        let namespaced = self.list("rolebindings", Some(namespace)).map(|binding| (binding, namespace));
        let mut missing = Vec::new();
        for (binding, namespace) in cluster_wide.chain(namespaced) {
            let Some(subject) = items(binding, "subjects").find(|one| applies(one, user, namespace)) else { continue };
            match self.role(&binding["roleRef"], namespace) {
                Ok(role) if items(role, "rules").any(|rule| allows(rule, request)) => {
                    return Decision::Allowed(reason(binding, subject, namespace));
                }
                Ok(_) => {}
                Err(text) => missing.push(text),
            }
        }
        Decision::NoOpinion(match missing.as_slice() {
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

/// Whether a subject of a binding is somebody. A service account without a namespace is in the binding's.
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

/// What Kubernetes gives as the reason of a yes, to the letter.
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
fn allows(rule: &Value, request: &Request) -> bool {
    let has = |list: &str, wanted: &str| texts(rule, list).any(|one| one == "*" || one == wanted);
    match *request {
        Request::Path { verb, path } => {
            let covers = |url: &str| {
                url == "*" || url == path || url.ends_with('*') && path.starts_with(url.trim_end_matches('*'))
            };
            has("verbs", verb) && texts(rule, "nonResourceURLs").any(covers)
        }
        Request::Resource { verb, group, resource, subresource, name, .. } => {
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
