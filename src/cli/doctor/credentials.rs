//! A kubeconfig user that has something else to sign in with than a plugin, or besides it.

use kubectl_login::kube::api::Failure;
use kubectl_login::kube::kubeconfig::{CredentialKind, Entry};
use kubectl_login::kube::review::Review;
use kubectl_login::text::printable;

use super::super::{entry, kubectl_user};
use super::finding::Finding;
use super::network::Unreviewed;

/// A user without an exec plugin.
pub(super) fn alone(found: &Entry) -> Finding {
    let credentials = &found.credentials;
    if let Some(error) = credentials.auth_provider.as_deref().and_then(entry::refused_auth_provider) {
        return Finding::from(error);
    }
    match found.plugin() {
        Err(error) if credentials.kind() == CredentialKind::None => Finding::fail(error.to_string(), error.next()),
        _ => Finding::ok(format!(
            "the user {:?} signs in without a plugin, by {}",
            printable(&found.user, 100),
            kubectl_user::described(found)
        )),
    }
}

/// Whom the cluster takes kubectl for, where kubectl does not send this plugin's token, or not in its name.
pub(super) fn cluster(review: &Result<Review, Unreviewed>, found: &Entry) -> Finding {
    let kind = found.credentials.kind();
    let sent = match kind {
        CredentialKind::Certificate => "the client certificate",
        CredentialKind::Password => "the user name and password",
        _ if kubectl_user::sends_plugins_token(found) => "the token",
        _ => "the kubeconfig's token",
    };
    match review {
        Ok(review) => Finding::ok(format!("takes kubectl for {}, by {sent}", printable(&review.username, 200))),
        Err(Unreviewed::Answered(Failure::Unauthorized, _)) => {
            let what = format!("does not accept {sent} (HTTP 401)");
            match kind {
                CredentialKind::Certificate => Finding::fail(
                    what,
                    "Ask whoever runs the cluster for a new kubeconfig: the certificate may have expired, or been replaced.\n\
                     AKS accepts none while local accounts are disabled. To sign in with Entra ID there: az aks get-credentials --resource-group GROUP --name CLUSTER --overwrite-existing",
                ),
                _ => Finding::fail(what, "Ask whoever runs the cluster for a new kubeconfig."),
            }
        }
        Err(Unreviewed::Answered(Failure::Forbidden(said), _)) => match &found.credentials.impersonation.user {
            Some(other) => Finding::fail(
                format!("does not let kubectl act as {:?}: {said}", printable(other, 100)),
                "Delete as and what begins with as- from the kubeconfig user, or ask whoever runs the cluster to allow it.",
            ),
            None => Finding::ok(format!("knows who kubectl is, by {sent}, and does not say more")),
        },
        Err(Unreviewed::Answered(Failure::NotFound, _)) => super::cluster::too_old(),
        Err(Unreviewed::Answered(_, error) | Unreviewed::NotAsked(error)) => Finding::from(error),
    }
}
