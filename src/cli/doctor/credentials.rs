//! Kubeconfig users that have other credentials than a plugin, or additional ones.

use kubectl_login::messages::{kube as messages, kubeconfig_user};
use kubectl_login_core::kube::api::ApiError;
use kubectl_login_core::kube::kubeconfig::{CredentialKind, Entry};
use kubectl_login_core::kube::review::ClusterUser;
use kubectl_login_core::text::printable;

use super::super::kubectl_user;
use super::finding::Finding;
use super::network::ReviewError;

/// A user without an exec plugin.
pub(super) fn alone(found: &Entry) -> Finding {
    let credentials = &found.credentials;
    if let Some(error) = credentials.auth_provider.as_deref().and_then(kubeconfig_user::refused_auth_provider) {
        return Finding::from(error);
    }
    match found.plugin() {
        Err(error) if credentials.kind() == CredentialKind::None => Finding::from(messages::kubeconfig_error(&error)),
        _ => Finding::ok(format!(
            "the user {:?} signs in without a plugin, by {}",
            printable(&found.user, 100),
            kubectl_user::described(found)
        )),
    }
}

/// The user that the cluster authenticates, if kubectl does not send this plugin's token, or acts as another user.
pub(super) fn cluster(review: &Result<ClusterUser, ReviewError>, found: &Entry) -> Finding {
    let sent = kubectl_user::sent(found);
    match review {
        Ok(review) => Finding::ok(format!("authenticates kubectl as {}, by {sent}", printable(&review.username, 200))),
        Err(ReviewError::Answered(failure, error)) => match (kubectl_user::refusal(found, failure), failure) {
            (Some(refusal), _) => Finding::from(refusal),
            (None, ApiError::Forbidden(_)) => {
                Finding::ok(format!("accepts {sent}, but does not let kubectl ask who it is"))
            }
            (None, ApiError::NotFound) => super::cluster::too_old(),
            (None, _) => Finding::from(error),
        },
        Err(ReviewError::NotAsked(error)) => Finding::from(error),
    }
}
