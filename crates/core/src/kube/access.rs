//! Why an access is allowed or not: the API server's decision, and the bindings and roles that explain it, as far as the user
//! may read them.
//!
//! Must not know how it is worded for users.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::api::{ApiClient, ApiError};
use super::rbac::{Binding, ObjectMeta, PolicyRule, RbacSubject, Requester, Role, RoleRef};
use super::resource::{QuestionError, ResourceArg};
use super::review::{AccessRequest, AccessTarget, ResourceAttributes, SubjectAccessReviewStatus, review_access};
use crate::text::printable;

/// Where the objects of RBAC are.
const RBAC: [&str; 3] = ["apis", "rbac.authorization.k8s.io", "v1"];
/// The most roles that are requested one by one if they cannot be listed.
const ROLES_ASKED: usize = 100;
/// The roles for users that every cluster has, the least powerful first.
const USER_FACING_ROLES: [&str; 3] = ["view", "edit", "admin"];

/// The access to explain.
#[derive(Clone, Debug)]
pub struct AccessQuestion {
    /// Such as `list`.
    pub verb: String,
    /// The resource or path, as typed.
    pub target: ResourceArg,
    /// The namespace, if the objects are in namespaces; empty for all of them.
    pub namespace: String,
}

impl AccessQuestion {
    /// Reads what was typed. `namespace` is used for namespaced resources; empty means all namespaces. If `subresource` is
    /// given, the part after the slash in `resource` is a name, as in `kubectl auth can-i`.
    ///
    /// # Errors
    /// The verb or the resource is not valid.
    pub fn parse(
        verb: &str,
        resource: &str,
        subresource: Option<&str>,
        namespace: &str,
    ) -> Result<AccessQuestion, QuestionError> {
        if verb.is_empty() || verb.contains(|c: char| c.is_whitespace() || c == '/') {
            return Err(QuestionError::Verb(printable(verb, 60)));
        }
        let target = ResourceArg::parse(resource, subresource)?;
        Ok(AccessQuestion { verb: verb.to_owned(), target, namespace: namespace.to_owned() })
    }
}

/// The decision, and the reasons for it.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The access in question.
    pub access: AccessRequest,
    /// Whether the objects are in namespaces.
    pub is_namespaced: bool,
    /// Whether the cluster has the resource type, as far as can be seen.
    pub is_known: bool,
    /// What the API server decides.
    pub decision: SubjectAccessReviewStatus,
    /// Bindings that name the user, or one of their groups, and whose role allows it. If the server still refuses, it
    /// sees other groups, or another authorizer decides.
    pub by: Vec<AccessGrant>,
    /// Bindings that allow it to other users and groups, those of Kubernetes itself excluded. Empty if it is allowed.
    pub not_held: Vec<AccessGrant>,
    /// Bindings like those in `by`, whose role allows it for other objects only. Empty if it is allowed.
    pub near: Vec<NearMiss>,
    /// An existing role that allows it and could be bound. `None` if it is allowed.
    pub bindable: Option<RoleRef>,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

/// A binding whose role allows the access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccessGrant {
    /// The binding.
    pub binding: ObjectRef,
    /// Its role.
    pub role: RoleRef,
    /// Those of its subjects that are relevant here.
    pub subjects: Vec<RbacSubject>,
    /// The role's rule in words.
    pub rule: String,
}

/// A binding whose role would allow the access if it were for one of these objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NearMiss {
    /// The binding, and the rule that fails by name.
    #[serde(flatten)]
    pub grant: AccessGrant,
    /// The names that the rule lists.
    pub resource_names: Vec<String>,
}

/// An object of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ObjectRef {
    /// Its kind.
    pub kind: &'static str,
    /// Its name and namespace.
    #[serde(flatten)]
    pub metadata: ObjectMeta,
}

/// Something that could not be read.
#[derive(Clone, Debug)]
pub struct Unread {
    /// The objects.
    pub what: UnreadObjects,
    /// Why.
    pub why: ApiError,
}

/// Which objects could not be read. Displayed with the names that the API server gave, as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnreadObjects {
    /// All ClusterRoleBindings.
    ClusterRoleBindings,
    /// The RoleBindings in a namespace.
    RoleBindings {
        /// The namespace.
        namespace: String,
    },
    /// The role of one binding, whose subject asks.
    Role {
        /// The role.
        role: RoleRef,
        /// The binding.
        binding: ObjectRef,
    },
    /// Roles in bindings of other users and groups.
    OtherRoles,
}

impl fmt::Display for UnreadObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClusterRoleBindings => f.write_str("ClusterRoleBindings"),
            Self::RoleBindings { namespace } => write!(f, "RoleBindings in namespace {namespace}"),
            Self::Role { role: RoleRef { kind, name }, binding } => {
                write!(f, "the {kind} {name} of the {} {}", binding.kind, binding.metadata.name)
            }
            Self::OtherRoles => f.write_str("the roles in bindings of others"),
        }
    }
}

/// Asks the API server whether `requester`, whose token `api` sends, may do what `question` says, and looks for the reasons.
/// Each part (finding the type, the decision, the reasons) has the limit that `api` has for one call, so that the
/// decision is returned no matter how many bindings and roles there are.
///
/// # Errors
/// [`ApiError`]: the API server returns no decision. Other objects that cannot be read are part of the answer.
pub async fn explain(
    api: &ApiClient,
    question: &AccessQuestion,
    requester: &Requester,
) -> Result<Explanation, ApiError> {
    let resolved = question.target.resolve(api, &question.namespace).await;
    let access = AccessRequest { verb: question.verb.clone(), target: resolved.target };
    let decision = review_access(api, &access).await?;
    let reader = Reader { api, deadline: api.deadline() };
    let mut unread = Vec::new();
    let bindings = bindings(&reader, &access, &mut unread).await;
    let mut roles = Roles { reader, known: HashMap::new(), asked: 0 };
    if !decision.allowed {
        // All roles are needed to find those that would allow it: one list takes fewer requests.
        roles.list(&access).await;
    }

    let (mut by, mut near, mut not_held, mut cut_off) = (Vec::new(), Vec::new(), Vec::new(), None);
    for binding in &bindings {
        let held = binding.subject_for(requester);
        let subjects: Vec<RbacSubject> = match held {
            Some(subject) => vec![subject.clone()],
            None if decision.allowed => continue,
            None => binding.subjects.iter().filter(|subject| subject.is_for_users()).cloned().collect(),
        };
        if subjects.is_empty() {
            continue;
        }
        let named = || ObjectRef { kind: binding.kind(), metadata: binding.metadata.clone() };
        let grant = |rule: &PolicyRule| AccessGrant {
            binding: named(),
            role: binding.role_ref.clone(),
            subjects,
            rule: rule.in_words(),
        };
        match roles.get(binding).await {
            Ok(role) => match (role.rule_for(&access), role.near_miss(&access)) {
                (Some(rule), _) if held.is_some() => by.push(grant(rule)),
                (Some(rule), _) => not_held.push(grant(rule)),
                (None, Some(rule)) if held.is_some() && !decision.allowed => {
                    near.push(NearMiss { grant: grant(rule), resource_names: rule.resource_names.clone() });
                }
                _ => {}
            },
            Err(why) if held.is_some() => {
                let what = UnreadObjects::Role { role: binding.role_ref.clone(), binding: named() };
                unread.push(Unread { what, why: why.clone() });
            }
            Err(why @ ApiError::Unreachable(_)) => cut_off = Some(why.clone()),
            // A binding of other users is not essential.
            Err(_) => {}
        }
    }
    unread.extend(cut_off.map(|why| Unread { what: UnreadObjects::OtherRoles, why }));
    let bindable = if decision.allowed { None } else { roles.bindable(&access) };
    let (is_namespaced, is_known) = (resolved.is_namespaced, resolved.is_known);
    Ok(Explanation { access, is_namespaced, is_known, decision, by, near, not_held, bindable, unread })
}

/// Reads RBAC objects until a deadline.
struct Reader<'a> {
    api: &'a ApiClient,
    deadline: Instant,
}

impl Reader<'_> {
    /// All objects at the path of these segments below [`RBAC`].
    async fn list<T: DeserializeOwned>(&self, segments: &[&str]) -> Result<Vec<T>, ApiError> {
        self.api.before(self.deadline, self.api.list(&[&RBAC, segments].concat())).await
    }

    /// The object there.
    async fn get<T: DeserializeOwned>(&self, segments: &[&str]) -> Result<T, ApiError> {
        self.api.before(self.deadline, self.api.get(&[&RBAC, segments].concat())).await
    }
}

/// The bindings that apply to this access.
async fn bindings(reader: &Reader<'_>, access: &AccessRequest, unread: &mut Vec<Unread>) -> Vec<Binding> {
    let mut found = match reader.list::<Binding>(&["clusterrolebindings"]).await {
        Ok(found) => found,
        Err(why) => {
            unread.push(Unread { what: UnreadObjects::ClusterRoleBindings, why });
            Vec::new()
        }
    };
    if let Some(namespace) = namespace(access) {
        match reader.list::<Binding>(&["namespaces", namespace, "rolebindings"]).await {
            Ok(more) => found.extend(more),
            Err(why) => {
                unread.push(Unread { what: UnreadObjects::RoleBindings { namespace: namespace.to_owned() }, why });
            }
        }
    }
    found.retain(|binding| binding.reaches(access));
    found
}

/// The namespace whose RoleBindings apply.
fn namespace(access: &AccessRequest) -> Option<&str> {
    match &access.target {
        AccessTarget::Resource(ResourceAttributes { namespace, .. }) if !namespace.is_empty() => Some(namespace),
        _ => None,
    }
}

/// Roles by namespace and name, each read once. A ClusterRole has no namespace.
struct Roles<'a> {
    reader: Reader<'a>,
    known: HashMap<(String, String), Result<Role, ApiError>>,
    asked: usize,
}

impl Roles<'_> {
    /// Reads all roles that bindings for this access can name, as far as that is allowed.
    async fn list(&mut self, access: &AccessRequest) {
        let mut found: Vec<Role> = self.reader.list(&["clusterroles"]).await.unwrap_or_default();
        if let Some(namespace) = namespace(access) {
            found.extend(self.reader.list::<Role>(&["namespaces", namespace, "roles"]).await.unwrap_or_default());
        }
        let keyed =
            found.into_iter().map(|role| ((role.metadata.namespace.clone(), role.metadata.name.clone()), Ok(role)));
        self.known.extend(keyed);
    }

    /// The role of a binding.
    async fn get(&mut self, binding: &Binding) -> Result<&Role, &ApiError> {
        let RoleRef { kind, name } = &binding.role_ref;
        let namespace = if kind == "Role" { binding.metadata.namespace.as_str() } else { "" };
        let key = (namespace.to_owned(), name.clone());
        if !self.known.contains_key(&key) {
            let read = self.read(namespace, name).await;
            self.known.insert(key.clone(), read);
        }
        self.known[&key].as_ref()
    }

    async fn read(&mut self, namespace: &str, name: &str) -> Result<Role, ApiError> {
        if self.asked >= ROLES_ASKED {
            return Err(ApiError::NotRequested { limit: ROLES_ASKED });
        }
        self.asked += 1;
        if namespace.is_empty() {
            self.reader.get(&["clusterroles", name]).await
        } else {
            self.reader.get(&["namespaces", namespace, "roles", name]).await
        }
    }

    /// The least powerful of the roles for users that allows this in a namespace.
    fn bindable(&self, access: &AccessRequest) -> Option<RoleRef> {
        namespace(access)?;
        USER_FACING_ROLES.into_iter().find_map(|name| {
            let role = self.known.get(&(String::new(), name.to_owned()))?.as_ref().ok()?;
            role.rule_for(access).map(|_| RoleRef { kind: "ClusterRole".to_owned(), name: name.to_owned() })
        })
    }
}
