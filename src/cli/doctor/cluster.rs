//! Whether the cluster accepts the token, and which groups it sees.

use kubectl_login::messages::kubeconfig_user::NEW_AKS_ENTRY;
use kubectl_login::profile::Provider;
use kubectl_login::store::groups::Group;
use kubectl_login_core::entra::subject::{GroupsClaim, Subject};
use kubectl_login_core::kube::api::ApiError;
use kubectl_login_core::kube::review::ClusterUser;
use kubectl_login_core::text::printable;

use super::super::cluster::ClusterView;
use super::finding::{CLUSTER, CheckResult, Finding};
use super::network::ReviewError;
use super::token::{AKS, IssuedTokenChecks};

/// The user that the cluster authenticates.
pub(super) fn cluster(
    review: &Result<ClusterUser, ReviewError>,
    token: &IssuedTokenChecks<'_>,
    clock: &Finding,
) -> Finding {
    match review {
        Ok(review) => Finding::ok(format!("authenticated as {}", printable(&review.username, 200))),
        Err(ReviewError::NotAsked(error)) => Finding::from(error),
        Err(ReviewError::Answered(ApiError::Unauthorized, _)) => not_accepted(token, clock),
        Err(ReviewError::Answered(ApiError::Forbidden(_), _)) => {
            Finding::ok("accepts the token, but does not let you ask who you are")
        }
        Err(ReviewError::Answered(ApiError::NotFound, _)) => too_old(),
        Err(ReviewError::Answered(_, error)) => Finding::from(error),
    }
}

/// An API server without that API.
pub(super) fn too_old() -> Finding {
    Finding::skip("the API server is too old to report who you are (before Kubernetes 1.28)")
}

/// A valid token that the cluster does not accept: anything unusual about it is the likeliest reason.
fn not_accepted(token: &IssuedTokenChecks<'_>, clock: &Finding) -> Finding {
    let what = "does not accept the token (HTTP 401)";
    for odd in [&token.audience, clock, &token.groups] {
        if odd.has_failed() || (odd.result == CheckResult::Warn && *odd != token.groups) {
            let next = odd.next.clone().unwrap_or_default();
            return Finding::fail(format!("{what}, as expected: {}", odd.message), next);
        }
    }
    let said = |claim: fn(&Subject) -> Option<&str>| {
        printable(token.subject.as_ref().and_then(claim).unwrap_or("no user"), 200)
    };
    let audience = said(|subject| subject.audience.as_deref());
    match &token.profile.provider {
        Provider::Entra { server_id, .. } => {
            let tenant = said(|subject| subject.tenant.as_deref());
            let server = match server_id.eq_ignore_ascii_case(AKS) {
                true => String::new(),
                false => format!("Check --server-id: AKS accepts only tokens for {AKS}.\n"),
            };
            Finding::fail(
                format!(
                    "{what}: it is valid, but for {audience} in the tenant {tenant}, which this cluster does not accept"
                ),
                format!(
                    "{server}Check that the cluster belongs to that tenant and uses Entra ID.\nTo get a new entry for an AKS cluster: {NEW_AKS_ENTRY}"
                ),
            )
        }
        Provider::Oidc { .. } => {
            let issuer = said(|subject| subject.issuer.as_deref());
            Finding::fail(
                format!("{what}: it is valid, but for {audience} from {issuer}, which this cluster does not accept"),
                "Ask the cluster's administrator which issuer and client its API server accepts (--oidc-issuer-url, --oidc-client-id).",
            )
        }
    }
}

/// The groups that the cluster sees, compared with those of the token.
pub(super) fn identity(review: Option<&ClusterUser>, subject: Option<&Subject>) -> Finding {
    let Some(review) = review else { return Finding::skipped_because(CLUSTER) };
    let seen = review.groups.iter().filter(|group| !group.starts_with("system:")).count();
    let listed = match subject.map(|subject| &subject.groups) {
        Some(GroupsClaim::Listed(ids)) => ids,
        Some(GroupsClaim::Overage { .. }) if seen == 0 => {
            return Finding::warn(
                "the cluster sees none of your groups: the token does not list them, and it does not look them up",
                "Bind your user, or ask the cluster's administrator to have more than 200 groups looked up.",
            );
        }
        Some(GroupsClaim::Overage { .. }) => {
            return Finding::ok(format!("the cluster has looked up {seen} of your groups"));
        }
        _ => return Finding::ok(format!("the cluster sees {seen} of your groups, and the token lists none")),
    };
    let groups: Vec<Group> = listed.iter().map(|id| Group { id: id.clone(), name: None }).collect();
    let missing = ClusterView::new(review, &groups).missing_groups;
    if missing.is_empty() {
        return Finding::ok(format!("the cluster sees all {} groups of the token", groups.len()));
    }
    let names: Vec<String> = missing.iter().take(5).map(|id| printable(id, 100)).collect();
    let more = if missing.len() > names.len() { ", …" } else { "" };
    Finding::warn(
        format!(
            "the cluster does not see {} of the {} groups of the token: {}{more}",
            missing.len(),
            groups.len(),
            names.join(", ")
        ),
        "Ask the cluster's administrator which claim it reads groups from, and which prefix it adds to their names (--oidc-groups-claim, --oidc-groups-prefix).",
    )
}
