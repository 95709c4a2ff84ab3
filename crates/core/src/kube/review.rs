//! What the API server says of whoever asks: who they are, and whether they may do something.
//!
//! Must not know why: that is for the objects of RBAC (`rbac`) and for other authorizers, which do not tell.
//!
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#self-subject-review> and
//! <https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access>.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::api::{Api, ApiError, null_as_default};
use crate::text::printable;

/// How much is kept of a reason.
const REASON: usize = 1000;

/// Whom the API server takes the bearer of a token for. Nothing in here is fit to be shown as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Review {
    /// The name that bindings have to name.
    #[serde(deserialize_with = "null_as_default")]
    pub username: String,
    /// The user's id, where the authenticator gives one.
    #[serde(deserialize_with = "null_as_default")]
    pub uid: String,
    /// All groups, those of Kubernetes' own (`system:authenticated`) included.
    #[serde(deserialize_with = "null_as_default")]
    pub groups: Vec<String>,
}

/// Asks the API server who it takes the bearer of the token for, within the limit that `api` has for one call.
///
/// # Errors
/// [`ApiError`]; [`ApiError::NotFound`] from a server that does not have this API (before Kubernetes 1.26).
pub async fn who_am_i(api: &Api) -> Result<Review, ApiError> {
    let (deadline, mut answer) = (api.deadline(), Err(ApiError::NotFound));
    // v1 is in Kubernetes from 1.28 on; the others had to be switched on before.
    for version in ["v1", "v1beta1", "v1alpha1"] {
        let group_version = format!("authentication.k8s.io/{version}");
        let body = json!({ "apiVersion": group_version, "kind": "SelfSubjectReview" });
        let path = ["apis", "authentication.k8s.io", version, "selfsubjectreviews"];
        let reviewed = api.before(deadline, api.post::<Reviewed>(&path, &body)).await;
        answer = reviewed.map(|reviewed| reviewed.status.user_info);
        if !matches!(answer, Err(ApiError::NotFound)) {
            break;
        }
    }
    answer
}

/// Something that somebody may or may not be allowed to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Such as `list`; `*` for any.
    pub verb: String,
    /// What it is done to.
    pub target: Target,
}

/// What something is done to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Objects.
    Resource(Resource),
    /// A URL path that stands for no object, such as `/healthz`.
    Path(String),
}

/// Objects of one resource type, or one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// API group; empty for the core group, `*` for any.
    pub group: String,
    /// The plural in lower case, such as `pods`; `*` for any.
    pub resource: String,
    /// Such as `log`; empty for the objects themselves.
    pub subresource: String,
    /// The namespace; empty for all of them and for what is in none.
    pub namespace: String,
    /// One object's name; empty for all.
    pub name: String,
}

/// What the API server decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Decision {
    /// Yes.
    #[serde(deserialize_with = "null_as_default")]
    pub allowed: bool,
    /// An authorizer said no in a way that nobody after it can change.
    #[serde(deserialize_with = "null_as_default")]
    pub denied: bool,
    /// The authorizer's own words, fit to be shown; may be empty.
    #[serde(deserialize_with = "null_as_default")]
    pub reason: String,
    /// What went wrong while it was decided, fit to be shown; may be empty.
    #[serde(deserialize_with = "null_as_default")]
    pub evaluation_error: String,
}

/// Asks the API server whether the bearer of the token may do this.
///
/// # Errors
/// [`ApiError`]
pub async fn may(api: &Api, access: &Access) -> Result<Decision, ApiError> {
    let verb = &access.verb;
    let spec = match &access.target {
        Target::Resource(Resource { group, resource, subresource, namespace, name }) => json!({
            "resourceAttributes": {
                "verb": verb, "group": group, "resource": resource, "subresource": subresource,
                "namespace": namespace, "name": name,
            }
        }),
        Target::Path(path) => json!({ "nonResourceAttributes": { "verb": verb, "path": path } }),
    };
    let body = json!({ "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec });
    let path = ["apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews"];
    let Decided { status } = api.post(&path, &body).await?;
    Ok(Decision {
        reason: printable(&status.reason, REASON),
        evaluation_error: printable(&status.evaluation_error, REASON),
        ..status
    })
}

#[derive(Deserialize)]
struct Reviewed {
    status: ReviewStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReviewStatus {
    user_info: Review,
}

#[derive(Deserialize)]
struct Decided {
    status: Decision,
}
