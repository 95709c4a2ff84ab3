//! The cluster of a kubeconfig entry: who the user is to it, and which of the user's groups it sees.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use kubectl_login::messages::kube as messages;
use kubectl_login::messages::{ErrorMessage, Result};
use kubectl_login::profile::Profile;
use kubectl_login::runtime;
use kubectl_login::store::groups::Group;
use kubectl_login_core::clock;
use kubectl_login_core::kube::api::{ApiClient, ApiError};
use kubectl_login_core::kube::kubeconfig::Entry;
use kubectl_login_core::kube::review::{ClusterUser, who_am_i};
use kubectl_login_core::secret::Secret;
use serde::Serialize;

/// How long the API server may take. It is only half of the result; the other half is shown without it.
const LIMIT: Duration = Duration::from_secs(3);
/// The longest prefix that is recognised, in bytes.
const PREFIX: usize = 200;

/// The cluster of a kubeconfig entry. It is asked once, when that is first needed.
pub(super) struct ClusterClient<'a> {
    entry: &'a Entry,
    profile: &'a Profile,
    token: &'a Secret,
    review: OnceCell<Result<ClusterUser, ReviewFailure>>,
}

/// Why a cluster does not say who the user is.
struct ReviewFailure {
    error: ErrorMessage,
    /// Nothing is wrong: it does not have the API for that.
    is_too_old: bool,
}

impl From<ErrorMessage> for ReviewFailure {
    fn from(error: ErrorMessage) -> ReviewFailure {
        ReviewFailure { error, is_too_old: false }
    }
}

impl<'a> ClusterClient<'a> {
    pub(super) fn new(entry: &'a Entry, profile: &'a Profile, token: &'a Secret) -> ClusterClient<'a> {
        ClusterClient { entry, profile, token, review: OnceCell::new() }
    }

    /// Its API server.
    ///
    /// Errors: the kubeconfig does not say how to reach it.
    pub(super) fn api(&self) -> Result<ApiClient> {
        ApiClient::new(&self.entry.api_server, &self.profile.network, self.token, clock::limit(LIMIT))
            .map_err(|error| messages::api_client_error(&error))
    }

    /// The user that the token authenticates.
    ///
    /// Errors: the cluster does not say.
    pub(super) fn review(&self) -> Result<&ClusterUser> {
        self.asked().map_err(|failure| failure.error.clone())
    }

    /// The same; `None` if the cluster is too old to say.
    ///
    /// Errors: it does not say for another reason.
    pub(super) fn review_unless_too_old(&self) -> Result<Option<&ClusterUser>> {
        match self.asked() {
            Ok(review) => Ok(Some(review)),
            Err(failure) if failure.is_too_old => Ok(None),
            Err(failure) => Err(failure.error.clone()),
        }
    }

    fn asked(&self) -> Result<&ClusterUser, &ReviewFailure> {
        let ask = || {
            let api = self.api()?;
            runtime::run_until_interrupted(who_am_i(&api)).map_err(ErrorMessage::from)?.map_err(|failure| {
                ReviewFailure {
                    error: messages::api_error(&failure, &api, messages::ASK_WHO_YOU_ARE),
                    is_too_old: matches!(failure, ApiError::NotFound),
                }
            })
        };
        self.review.get_or_init(ask).as_ref()
    }
}

/// The user as the cluster sees them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClusterView<'a> {
    pub(super) username: String,
    uid: Option<String>,
    /// How many groups it sees, including those of Kubernetes itself.
    pub(super) groups_count: usize,
    /// The user's groups that the cluster does not see.
    pub(super) missing_groups: Vec<&'a str>,
    /// The prefix that it puts before the issuer's names of groups.
    #[serde(skip)]
    pub(super) prefix: String,
}

impl<'a> ClusterView<'a> {
    /// What it sees of the user's `groups`.
    pub(super) fn new(review: &ClusterUser, groups: &'a [Group]) -> ClusterView<'a> {
        let seen = VisibleGroups::new(&review.groups, groups);
        ClusterView {
            username: review.username.clone(),
            uid: Some(review.uid.clone()).filter(|uid| !uid.is_empty()),
            groups_count: review.groups.len(),
            missing_groups: groups.iter().filter(|group| !seen.has(&group.id)).map(|group| group.id.as_str()).collect(),
            prefix: seen.prefix,
        }
    }
}

/// The groups that a cluster sees, by its own names: it may put a prefix before the issuer's.
struct VisibleGroups<'a> {
    groups: HashSet<&'a str>,
    prefix: String,
}

impl<'a> VisibleGroups<'a> {
    fn new(of_cluster: &'a [String], groups: &[Group]) -> VisibleGroups<'a> {
        let seen: HashSet<&str> = of_cluster.iter().map(String::as_str).collect();
        let prefix = prefix(&seen, groups).to_owned();
        VisibleGroups { groups: seen, prefix }
    }

    fn has(&self, id: &str) -> bool {
        match self.prefix.is_empty() {
            true => self.groups.contains(id),
            false => self.groups.contains(format!("{}{id}", self.prefix).as_str()),
        }
    }
}

/// The prefix that most of `groups` have in `seen`, which may be empty; of two that are equally common, the shorter. The
/// prefix of user names does not help: it is a separate setting. (`--oidc-groups-prefix` of the API server usually ends in
/// a colon, and in any case in a separator.)
fn prefix<'a>(seen: &HashSet<&'a str>, groups: &[Group]) -> &'a str {
    let ids: HashSet<&str> = groups.iter().map(|group| group.id.as_str()).filter(|id| !id.is_empty()).collect();
    let longest = ids.iter().map(|id| id.len()).max().unwrap_or_default();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for name in seen.iter().filter(|name| !name.starts_with("system:") && name.len() <= longest + PREFIX) {
        let ends = name.char_indices().filter(|(_, c)| !c.is_alphanumeric()).map(|(at, c)| at + c.len_utf8());
        for (prefix, id) in std::iter::once(0).chain(ends).map(|end| name.split_at(end)) {
            if prefix.len() <= PREFIX && ids.contains(id) {
                *counts.entry(prefix).or_default() += 1;
            }
        }
    }
    let best = counts.into_iter().max_by_key(|(prefix, count)| (*count, Reverse((prefix.len(), *prefix))));
    best.map(|(prefix, _)| prefix).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(of_cluster: &[&str], groups: &[&str]) -> Vec<String> {
        let review = ClusterUser {
            groups: of_cluster.iter().map(|name| (*name).to_owned()).collect(),
            ..ClusterUser::default()
        };
        let groups: Vec<Group> = groups.iter().map(|id| Group { id: (*id).to_owned(), name: None }).collect();
        let view = ClusterView::new(&review, &groups);
        assert_eq!(view.groups_count, of_cluster.len());
        view.missing_groups.into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn groups_that_the_cluster_does_not_see_are_named() {
        assert!(missing(&["system:authenticated", "a", "b"], &["a", "b"]).is_empty());
        assert_eq!(missing(&["a"], &["a", "b"]), ["b"]);
        assert_eq!(missing(&[], &["a", "b"]), ["a", "b"]);
    }

    #[test]
    fn a_prefix_of_the_clusters_own_is_seen_through() {
        assert_eq!(missing(&["system:authenticated", "oidc:a", "oidc:b"], &["a", "b", "c"]), ["c"]);
    }

    #[test]
    fn the_prefix_is_the_one_that_explains_most_groups() {
        // The order in hash tables differs each time.
        for _ in 0..20 {
            assert!(missing(&["oidc:dev", "oidc:ops", "team-dev"], &["dev", "ops"]).is_empty());
            assert_eq!(missing(&["dev", "oidc:dev", "oidc:ops"], &["dev", "ops", "qa"]), ["qa"]);
            assert_eq!(missing(&["aad:dev", "oidc:ops"], &["dev", "ops"]), ["ops"], "a tie has one outcome");
        }
        assert_eq!(missing(&["dev", "team-ops"], &["dev", "ops"]), ["ops"], "none is the shortest");
        assert_eq!(missing(&["oidc:team/dev", "oidc:dev"], &["dev", "team/dev"]), [""; 0]);
    }

    #[test]
    fn not_everything_before_a_groups_name_is_a_prefix() {
        assert_eq!(missing(&["webdev"], &["dev"]), ["dev"], "another word");
        assert_eq!(missing(&["system:authenticated"], &["authenticated"]), ["authenticated"], "Kubernetes' own");
        assert_eq!(missing(&["oidc:", "x"], &["", "dev"]), ["", "dev"], "a group without a name");
    }
}
