//! Resource types as users write them: `po`, `deploy`, `deployments.v1.apps`, `pods/log`, `/healthz`.
//!
//! Must not know which verb is applied to them.
//!
//! Source: `kubectl auth can-i --help`; <https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api>.

use serde::{Deserialize, Serialize};

use super::api::{ApiClient, ApiError, null_as_default};
use super::review::{AccessTarget, ResourceAttributes};
use crate::text::printable;

/// Types that every cluster has: group, whether namespaced, and plural, singular and short names. With the table, most
/// questions need no discovery. Among types of the same name the first is used, as in kubectl.
#[rustfmt::skip]
const WELL_KNOWN: &[(&str, bool, &[&str])] = &[
    ("", true, &["pods", "pod", "po"]),
    ("", true, &["services", "service", "svc"]),
    ("", true, &["configmaps", "configmap", "cm"]),
    ("", true, &["secrets", "secret"]),
    ("", true, &["serviceaccounts", "serviceaccount", "sa"]),
    ("", true, &["persistentvolumeclaims", "persistentvolumeclaim", "pvc"]),
    ("", true, &["endpoints", "ep"]),
    ("", true, &["events", "event", "ev"]),
    ("", true, &["limitranges", "limitrange", "limits"]),
    ("", true, &["resourcequotas", "resourcequota", "quota"]),
    ("", true, &["replicationcontrollers", "replicationcontroller", "rc"]),
    ("", true, &["podtemplates", "podtemplate"]),
    ("", false, &["namespaces", "namespace", "ns"]),
    ("", false, &["nodes", "node", "no"]),
    ("", false, &["persistentvolumes", "persistentvolume", "pv"]),
    ("", false, &["componentstatuses", "componentstatus", "cs"]),
    ("", false, &["users", "user"]),
    ("", false, &["groups", "group"]),
    ("authentication.k8s.io", false, &["userextras"]),
    ("authentication.k8s.io", false, &["uids"]),
    ("apps", true, &["deployments", "deployment", "deploy"]),
    ("apps", true, &["statefulsets", "statefulset", "sts"]),
    ("apps", true, &["daemonsets", "daemonset", "ds"]),
    ("apps", true, &["replicasets", "replicaset", "rs"]),
    ("apps", true, &["controllerrevisions", "controllerrevision"]),
    ("batch", true, &["jobs", "job"]),
    ("batch", true, &["cronjobs", "cronjob", "cj"]),
    ("autoscaling", true, &["horizontalpodautoscalers", "horizontalpodautoscaler", "hpa"]),
    ("networking.k8s.io", true, &["ingresses", "ingress", "ing"]),
    ("networking.k8s.io", true, &["networkpolicies", "networkpolicy", "netpol"]),
    ("networking.k8s.io", false, &["ingressclasses", "ingressclass"]),
    ("policy", true, &["poddisruptionbudgets", "poddisruptionbudget", "pdb"]),
    ("rbac.authorization.k8s.io", true, &["roles", "role"]),
    ("rbac.authorization.k8s.io", true, &["rolebindings", "rolebinding"]),
    ("rbac.authorization.k8s.io", false, &["clusterroles", "clusterrole"]),
    ("rbac.authorization.k8s.io", false, &["clusterrolebindings", "clusterrolebinding"]),
    ("coordination.k8s.io", true, &["leases", "lease"]),
    ("discovery.k8s.io", true, &["endpointslices", "endpointslice"]),
    ("storage.k8s.io", false, &["storageclasses", "storageclass", "sc"]),
    ("storage.k8s.io", false, &["volumeattachments", "volumeattachment"]),
    ("storage.k8s.io", false, &["csidrivers", "csidriver"]),
    ("storage.k8s.io", false, &["csinodes", "csinode"]),
    ("scheduling.k8s.io", false, &["priorityclasses", "priorityclass", "pc"]),
    ("certificates.k8s.io", false, &["certificatesigningrequests", "certificatesigningrequest", "csr"]),
    ("apiextensions.k8s.io", false, &["customresourcedefinitions", "customresourcedefinition", "crd", "crds"]),
    ("apiregistration.k8s.io", false, &["apiservices", "apiservice"]),
    ("admissionregistration.k8s.io", false, &["validatingwebhookconfigurations", "validatingwebhookconfiguration"]),
    ("admissionregistration.k8s.io", false, &["mutatingwebhookconfigurations", "mutatingwebhookconfiguration"]),
];

/// Types without objects: they name what a user may be allowed to impersonate
/// (<https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation>).
const FOR_IMPERSONATION: &[(&str, &[&str])] =
    &[("", &["users", "groups"]), ("authentication.k8s.io", &["userextras", "uids"])];

/// What stands for a subresource after one slash; any other word there is an object's name, as for kubectl.
const SUBRESOURCES: &[&str] = &[
    "approval",
    "attach",
    "binding",
    "ephemeralcontainers",
    "eviction",
    "exec",
    "finalize",
    "log",
    "portforward",
    "proxy",
    "resize",
    "scale",
    "status",
    "token",
];

/// The most API groups that are requested one by one if the server has no aggregated discovery.
const GROUPS_ASKED: usize = 150;

/// All resource types in one response, if the server supports that (Kubernetes 1.26 and later).
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                          application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// Why a verb or a resource that a user typed is refused. Holds that text, shortened and printable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuestionError {
    /// The verb is empty, or has white space or a slash in it.
    #[error("{0:?} is not a valid verb")]
    Verb(String),
    /// The resource is neither a resource type nor a path.
    #[error("{0:?} is not a valid resource")]
    Resource(String),
    /// A path with a subresource beside it.
    #[error("the path {0:?} has no subresources")]
    PathWithSubresource(String),
}

/// A resource argument, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceArg {
    /// A URL path that is not a resource.
    Path(String),
    /// A resource type.
    Type {
        /// Plural, singular or short name, in lower case; `*` for any.
        word: String,
        /// The API group, if it was named.
        group: Option<String>,
        /// One object's name, or nothing.
        name: String,
        /// The subresource, or nothing.
        subresource: String,
    },
}

/// A target, and what is known about its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedResource {
    /// What is meant.
    pub target: AccessTarget,
    /// Whether there are such objects in namespaces.
    pub is_namespaced: bool,
    /// Whether the type was found. If not, it is used as typed.
    pub is_known: bool,
}

impl ResourceArg {
    /// Reads what stands for a resource: `TYPE[.VERSION][.GROUP][/NAME][/SUBRESOURCE]`, or a path that begins with `/`. A
    /// `subresource` that is given beside it cannot be in it as well, and a path has none.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str, subresource: Option<&str>) -> Result<ResourceArg, QuestionError> {
        if text.starts_with('/') {
            return match subresource {
                None => Ok(ResourceArg::Path(text.to_owned())),
                Some(_) => Err(QuestionError::PathWithSubresource(printable(text, 60))),
            };
        }
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, name, subresource) = match (parts.as_slice(), subresource) {
            ([kind], beside) => (kind, "", beside.unwrap_or_default()),
            ([kind, name], Some(beside)) if !name.is_empty() => (kind, *name, beside),
            ([kind, sub], None) if SUBRESOURCES.contains(sub) => (kind, "", *sub),
            ([kind, name], None) if !name.is_empty() => (kind, *name, ""),
            ([kind, name, sub], None) if !name.is_empty() && !sub.is_empty() => (kind, *name, *sub),
            _ => return Err(Self::unreadable(text)),
        };
        let kind = kind.to_lowercase();
        let (word, rest) = kind.split_once('.').map_or((kind.as_str(), None), |(word, rest)| (word, Some(rest)));
        if word.is_empty() || kind.contains(char::is_whitespace) {
            return Err(Self::unreadable(text));
        }
        let group = rest.map(|rest| match rest.split_once('.') {
            Some((version, group)) if is_version(version) => group,
            _ => rest,
        });
        Ok(ResourceArg::Type {
            word: word.to_owned(),
            // `pods.v1` is how the core group is named, which has no name.
            group: group.map(|group| if is_version(group) { String::new() } else { group.to_owned() }),
            name: name.to_owned(),
            subresource: subresource.to_owned(),
        })
    }

    fn unreadable(text: &str) -> QuestionError {
        QuestionError::Resource(printable(text, 60))
    }

    /// Finds the type: in the table, else at the server within the limit that `api` has for one call, else as typed.
    /// `namespace` is used if the type is namespaced; empty means all namespaces.
    pub async fn resolve(&self, api: &ApiClient, namespace: &str) -> ResolvedResource {
        let (word, group, name, subresource) = match self {
            ResourceArg::Path(path) => {
                return ResolvedResource {
                    target: AccessTarget::Path(path.clone()),
                    is_namespaced: false,
                    is_known: true,
                };
            }
            ResourceArg::Type { word, group, name, subresource } => (word, group, name, subresource),
        };
        let found = match well_known(word, group.as_deref()) {
            Some(found) => Some(found),
            None => {
                let asking = async { Ok(discovered(api, word, group.as_deref()).await) };
                api.before(api.deadline(), asking).await.ok().flatten()
            }
        };
        let is_known = found.is_some();
        let found = found.unwrap_or_else(|| DiscoveredType {
            group: group.clone().unwrap_or_default(),
            plural: word.clone(),
            is_namespaced: true,
        });
        // One namespace is authorized as if it were in itself, so that a RoleBinding in it can allow it.
        let is_one_namespace = found.group.is_empty() && found.plural == "namespaces" && !name.is_empty();
        let namespace = match (found.is_namespaced, is_one_namespace) {
            (true, _) => namespace,
            (_, true) => name,
            _ => "",
        };
        let resource = ResourceAttributes {
            group: found.group,
            resource: found.plural,
            subresource: subresource.clone(),
            namespace: namespace.to_owned(),
            name: name.clone(),
        };
        ResolvedResource { target: AccessTarget::Resource(resource), is_namespaced: found.is_namespaced, is_known }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct DiscoveredType {
    group: String,
    plural: String,
    is_namespaced: bool,
}

impl ResourceAttributes {
    /// Whether this type has no objects, and only names what can be impersonated.
    pub fn is_for_impersonation(&self) -> bool {
        let is_here =
            |(group, types): &(&str, &[&str])| *group == self.group && types.contains(&self.resource.as_str());
        FOR_IMPERSONATION.iter().any(is_here)
    }
}

/// `v1`, `v1beta2` and the like.
fn is_version(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(rest) = text.strip_prefix('v') else { return false };
    let parts = rest.split_once("alpha").or_else(|| rest.split_once("beta"));
    parts.map_or(is_number(rest), |(major, minor)| is_number(major) && is_number(minor))
}

fn well_known(word: &str, group: Option<&str>) -> Option<DiscoveredType> {
    if word == "*" {
        // Of the core group, unless another is named: so does `kubectl auth can-i`. `*.*` is everything.
        let group = group.unwrap_or_default().to_owned();
        return Some(DiscoveredType { group, plural: word.to_owned(), is_namespaced: true });
    }
    let known =
        WELL_KNOWN.iter().find(|(of, _, names)| names.contains(&word) && group.is_none_or(|group| group == *of));
    known.map(|(group, is_namespaced, names)| DiscoveredType {
        group: (*group).to_owned(),
        plural: names[0].to_owned(),
        is_namespaced: *is_namespaced,
    })
}

/// Looks the type up in the server's discovery documents; `None` if they cannot be read or do not have it.
async fn discovered(api: &ApiClient, word: &str, group: Option<&str>) -> Option<DiscoveredType> {
    if group == Some("") {
        return in_version(api, &["api", "v1"], "", word).await;
    }
    let groups: DiscoveryGroups = api.get_as(&["apis"], AGGREGATED).await.ok()?;
    let wanted = |name: &str| group.is_none_or(|group| group == name);
    for item in groups.items.iter().filter(|item| wanted(&item.metadata.name)) {
        let types = item.versions.iter().flat_map(|version| &version.resources);
        if let Some(found) = types.into_iter().find(|found| found.is_called(word)) {
            return Some(found.found(&item.metadata.name));
        }
    }
    for item in groups.groups.iter().filter(|item| wanted(&item.name)).take(GROUPS_ASKED) {
        let version = item.preferred_version.group_version.rsplit('/').next().unwrap_or_default();
        if let Some(found) = in_version(api, &["apis", &item.name, version], &item.name, word).await {
            return Some(found);
        }
    }
    None
}

/// The type in one version of one group.
async fn in_version(api: &ApiClient, path: &[&str], group: &str, word: &str) -> Option<DiscoveredType> {
    let list: Result<Types, ApiError> = api.get(path).await;
    list.ok()?.resources.iter().find(|found| found.is_called(word)).map(|found| found.found(group))
}

/// The answer of `/apis`: `items` of aggregated discovery, `groups` of the older one.
#[derive(Deserialize)]
struct DiscoveryGroups {
    #[serde(default, deserialize_with = "null_as_default")]
    items: Vec<AggregatedGroup>,
    #[serde(default, deserialize_with = "null_as_default")]
    groups: Vec<DiscoveryGroup>,
}

#[derive(Deserialize)]
struct AggregatedGroup {
    metadata: GroupMetadata,
    #[serde(default, deserialize_with = "null_as_default")]
    versions: Vec<Types>,
}

#[derive(Deserialize)]
struct GroupMetadata {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DiscoveryGroup {
    name: String,
    preferred_version: GroupVersion,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupVersion {
    group_version: String,
}

#[derive(Deserialize)]
struct Types {
    #[serde(default, deserialize_with = "null_as_default")]
    resources: Vec<Type>,
}

/// A type, as both kinds of discovery write it.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Type {
    #[serde(alias = "resource", deserialize_with = "null_as_default")]
    name: String,
    #[serde(alias = "singularResource", deserialize_with = "null_as_default")]
    singular_name: String,
    #[serde(deserialize_with = "null_as_default")]
    short_names: Vec<String>,
    namespaced: Option<bool>,
    scope: Option<String>,
}

impl Type {
    fn is_called(&self, word: &str) -> bool {
        self.name == word || self.singular_name == word || self.short_names.iter().any(|name| name == word)
    }

    fn found(&self, group: &str) -> DiscoveredType {
        let is_namespaced = self.namespaced.unwrap_or(self.scope.as_deref() != Some("Cluster"));
        DiscoveredType { group: group.to_owned(), plural: self.name.clone(), is_namespaced }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn typed(word: &str, group: Option<&str>, name: &str, subresource: &str) -> ResourceArg {
        ResourceArg::Type {
            word: word.into(),
            group: group.map(str::to_owned),
            name: name.into(),
            subresource: subresource.into(),
        }
    }

    #[test]
    fn resource_arguments_are_parsed_like_kubectl() {
        for (text, expected) in [
            ("Pods", typed("pods", None, "", "")),
            ("deploy.apps", typed("deploy", Some("apps"), "", "")),
            ("deployments.v1.apps", typed("deployments", Some("apps"), "", "")),
            ("certificates.cert-manager.io", typed("certificates", Some("cert-manager.io"), "", "")),
            ("certificates.v1alpha2.cert-manager.io", typed("certificates", Some("cert-manager.io"), "", "")),
            ("pods.v1", typed("pods", Some(""), "", "")),
            ("pods/log", typed("pods", None, "", "log")),
            ("pods/Web-1", typed("pods", None, "Web-1", "")),
            ("pods/web/exec", typed("pods", None, "web", "exec")),
            ("deployments.apps/scale", typed("deployments", Some("apps"), "", "scale")),
            ("*", typed("*", None, "", "")),
            ("*/scale", typed("*", None, "", "scale")),
            ("*.*", typed("*", Some("*"), "", "")),
            ("/healthz/etcd", ResourceArg::Path("/healthz/etcd".into())),
        ] {
            assert_eq!(ResourceArg::parse(text, None).unwrap(), expected, "{text}");
        }
        for (text, expected) in [
            ("pods", typed("pods", None, "", "exec")),
            ("pods/web", typed("pods", None, "web", "exec")),
            ("pods/log", typed("pods", None, "log", "exec")),
        ] {
            assert_eq!(ResourceArg::parse(text, Some("exec")).unwrap(), expected, "{text}");
        }
        for text in ["pods/web/log", "pods/", "/healthz"] {
            assert!(ResourceArg::parse(text, Some("exec")).is_err(), "{text}");
        }
        for text in ["", "pods/", "pods//log", ".apps", "a/b/c/d", "po ds", "pods/a/"] {
            assert!(ResourceArg::parse(text, None).is_err(), "{text}");
        }
    }

    #[test]
    fn versions_are_distinguished_from_groups() {
        assert!(["v1", "v10", "v1beta1", "v2alpha11"].iter().all(|text| is_version(text)));
        assert!(
            !["", "v", "vault", "v1beta", "v1x", "1", "beta1", "apps", "v1beta1x"].iter().any(|text| is_version(text))
        );
    }

    #[test]
    fn table_has_short_names_and_groups() {
        let found = |word, group| well_known(word, group).map(|found| (found.plural, found.group, found.is_namespaced));
        let known = |plural: &str, group: &str, namespaced| Some((plural.to_owned(), group.to_owned(), namespaced));
        assert_eq!(found("po", None), known("pods", "", true));
        assert_eq!(found("no", None), known("nodes", "", false));
        assert_eq!(found("deploy", Some("apps")), known("deployments", "apps", true));
        assert_eq!(found("pods", Some("metrics.k8s.io")), None);
        assert_eq!(found("*", None), known("*", "", true));
        assert_eq!(found("*", Some("*")), known("*", "*", true));
        assert_eq!(found("*", Some("apps")), known("*", "apps", true));
        let mut names: Vec<_> = WELL_KNOWN.iter().flat_map(|(_, _, names)| *names).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "a name stands for one type");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*", word in "[./*a-z0-9]{0,12}") {
            let _ = (ResourceArg::parse(&text, None), ResourceArg::parse(&word, None), ResourceArg::parse(&word, Some(&text)));
        }
    }
}
