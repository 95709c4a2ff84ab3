//! Reviews by the API server: who the user is, and whether they may do something.
//!
//! Must not know why: that is up to RBAC objects (`rbac`) and to other authorizers, which do not say.
//!
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#self-subject-review> and
//! <https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access>.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::api::{ApiClient, ApiError, null_as_default};
use crate::text::printable;

/// The longest reason that is kept, in characters.
const REASON: usize = 1000;

/// The user as the API server authenticates them (`UserInfo` of authentication.k8s.io). Not printable as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct ClusterUser {
    /// The name that bindings use.
    #[serde(deserialize_with = "null_as_default")]
    pub username: String,
    /// The user's id, if the authenticator has one.
    #[serde(deserialize_with = "null_as_default")]
    pub uid: String,
    /// All groups, including those of Kubernetes itself (`system:authenticated`).
    #[serde(deserialize_with = "null_as_default")]
    pub groups: Vec<String>,
}

/// Asks the API server who the bearer of the token is, within the limit that `api` has for one call.
///
/// # Errors
/// [`ApiError`]; [`ApiError::NotFound`] from a server that does not have this API (before Kubernetes 1.26).
pub async fn who_am_i(api: &ApiClient) -> Result<ClusterUser, ApiError> {
    let (deadline, mut answer) = (api.deadline(), Err(ApiError::NotFound));
    // v1 is in Kubernetes from 1.28 on; the others had to be switched on before.
    for version in ["v1", "v1beta1", "v1alpha1"] {
        let group_version = format!("authentication.k8s.io/{version}");
        let body = json!({ "apiVersion": group_version, "kind": "SelfSubjectReview" });
        let path = ["apis", "authentication.k8s.io", version, "selfsubjectreviews"];
        let reviewed = api.before(deadline, api.post::<SelfSubjectReview>(&path, &body)).await;
        answer = reviewed.map(|reviewed| reviewed.status.user_info);
        if !matches!(answer, Err(ApiError::NotFound)) {
            break;
        }
    }
    answer
}

/// A request to be authorized: a verb, and what it applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRequest {
    /// Such as `list`; `*` for any.
    pub verb: String,
    /// What the verb applies to.
    pub target: AccessTarget,
}

/// What a verb applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessTarget {
    /// Objects.
    Resource(ResourceAttributes),
    /// A URL path that is not a resource, such as `/healthz`.
    Path(String),
}

/// Objects of one resource type, or one of them (`ResourceAttributes` of authorization.k8s.io, without the verb).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceAttributes {
    /// API group; empty for the core group, `*` for any.
    pub group: String,
    /// The plural in lower case, such as `pods`; `*` for any.
    pub resource: String,
    /// Such as `log`; empty for the objects themselves.
    pub subresource: String,
    /// The namespace; empty for all of them and for cluster-scoped objects.
    pub namespace: String,
    /// One object's name; empty for all.
    pub name: String,
}

/// The API server's decision (`SubjectAccessReviewStatus` of authorization.k8s.io).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SubjectAccessReviewStatus {
    /// The request is allowed.
    #[serde(deserialize_with = "null_as_default")]
    pub allowed: bool,
    /// An authorizer denied the request, and no later authorizer can allow it.
    #[serde(deserialize_with = "null_as_default")]
    pub denied: bool,
    /// The authorizer's reason, printable; may be empty.
    #[serde(deserialize_with = "null_as_default")]
    pub reason: String,
    /// What went wrong during the evaluation, printable; may be empty.
    #[serde(deserialize_with = "null_as_default")]
    pub evaluation_error: String,
}

/// Asks the API server whether the bearer of the token may do this.
///
/// # Errors
/// [`ApiError`]
pub async fn review_access(api: &ApiClient, access: &AccessRequest) -> Result<SubjectAccessReviewStatus, ApiError> {
    let verb = &access.verb;
    let spec = match &access.target {
        AccessTarget::Resource(ResourceAttributes { group, resource, subresource, namespace, name }) => json!({
            "resourceAttributes": {
                "verb": verb, "group": group, "resource": resource, "subresource": subresource,
                "namespace": namespace, "name": name,
            }
        }),
        AccessTarget::Path(path) => json!({ "nonResourceAttributes": { "verb": verb, "path": path } }),
    };
    let body = json!({ "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec });
    let path = ["apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews"];
    let SelfSubjectAccessReview { status } = api.post(&path, &body).await?;
    Ok(SubjectAccessReviewStatus {
        reason: printable(&status.reason, REASON),
        evaluation_error: printable(&status.evaluation_error, REASON),
        ..status
    })
}

#[derive(Deserialize)]
struct SelfSubjectReview {
    status: SelfSubjectReviewStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SelfSubjectReviewStatus {
    user_info: ClusterUser,
}

#[derive(Deserialize)]
struct SelfSubjectAccessReview {
    status: SubjectAccessReviewStatus,
}
