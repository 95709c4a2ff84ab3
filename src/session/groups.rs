//! The groups of the signed-in user above what a token lists: looked up at the best source that answers, and cached beside
//! the session for an hour.
//!
//! Not for `get-token`: a look-up takes time, and the cluster decides what a user may do.

mod graph;

use std::borrow::Cow;
use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use url::Url;

use self::graph::GraphLookup;
use super::coordination;
use super::identity::Identity;
use super::issuer::{Freshness, Issuer, VerificationError};
use super::sessions::{self, SessionName};
use super::{RequestOptions, TokenRequest};
use crate::environment::Environment;
use crate::failure::{self, Failure, GroupsError};
use crate::issued_token::IssuedToken;
use crate::profile::{Profile, Provider, TokenKind};
use crate::runtime::{self, StopSignal};
use crate::signin::Person;
use crate::store::Store;
use crate::store::groups::{Group, GroupList, GroupSource, GroupsRecord};
use kubectl_login_core::clock;
use kubectl_login_core::entra::subject::{self, GroupsClaim, Subject};
use kubectl_login_core::http::Http;
use kubectl_login_core::oauth::Endpoints;
use kubectl_login_core::oauth::client::Moves;
use kubectl_login_core::oauth::userinfo::{self, UserInfoResponse};
use kubectl_login_core::secret::Secret;

/// How long groups are cached.
const CACHED_FOR: TimeDelta = TimeDelta::hours(1);

/// One look-up.
pub struct GroupLookup<'a> {
    /// The profile whose session it is.
    pub profile: &'a Profile,
    /// The identity of that session.
    pub identity: &'a Identity,
    /// Where it is stored.
    pub store: &'a Store,
    /// The environment of the process.
    pub environment: &'a Environment,
    /// The user interface, for the sign-in of a second client.
    pub person: &'a dyn Person,
    /// The options.
    pub options: LookupOptions,
    /// The identity of the cluster that is asked: see [`super::identity::cluster`].
    pub cluster_key: String,
    /// The groups that the cluster sees in the token; `None` if it does not say. Called only if needed.
    ///
    /// Errors: the process was stopped.
    pub cluster: &'a dyn Fn() -> Result<Option<Vec<String>>, StopSignal>,
    /// Receives the number of groups read so far.
    pub on_progress: &'a (dyn Fn(usize) + Sync),
}

/// The options of a look-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LookupOptions {
    /// The user may be prompted to sign in a second client.
    pub may_prompt: bool,
    /// Cached groups are not used.
    pub force_refresh: bool,
    /// The session of a second client is not used either.
    pub force_sign_in: bool,
    /// Names are wanted too.
    pub names: bool,
}

/// What is known of a user's groups.
#[derive(Clone, Debug)]
pub struct GroupMembership {
    /// The groups.
    pub groups: GroupList,
    /// Whether there are more than the token can carry.
    pub overage: bool,
    /// When they were looked up, if they were cached.
    pub at: Option<DateTime<Utc>>,
    /// Why they do not come from a better source, or are incomplete.
    pub reason: Option<GroupsError>,
    /// Why they have no names, if names were wanted.
    pub nameless: Option<GroupsError>,
}

impl GroupLookup<'_> {
    /// The groups of `subject`, the user of the session's token.
    ///
    /// Errors: the process was stopped. All other failures are part of the result.
    pub fn groups(&self, subject: &Subject) -> Result<GroupMembership, StopSignal> {
        let is_entra = matches!(self.profile.provider, Provider::Entra { .. });
        let graph = GraphLookup::new(self, subject);
        let mut known = match &subject.groups {
            GroupsClaim::Listed(ids) => GroupMembership::complete(listed(ids.clone()), GroupSource::Token),
            GroupsClaim::Absent if is_entra => GroupMembership::none(true, None),
            _ => match self.cached(subject) {
                Some(known) => known,
                None => {
                    let found = if is_entra { graph_groups(&graph)? } else { self.issuer_groups(subject)? };
                    let known = self.or_from_cluster(found, subject)?;
                    self.cache(subject, &known);
                    known
                }
            },
        };
        known.overage = matches!(subject.groups, GroupsClaim::Overage { .. });
        if self.options.names && is_entra && known.groups.items.iter().any(|group| group.name.is_none()) {
            match graph.name(&mut known.groups.items) {
                Ok(()) => self.cache(subject, &known),
                Err(error) => known.nameless = Some(unless_stopped(error)?),
            }
        }
        Ok(known)
    }

    /// The cached groups of `subject`, however old; `None` if there are none, or they are another cluster's.
    pub fn cached_ever(&self, subject: &Subject) -> Option<GroupMembership> {
        let record = self.store.groups(&self.session().id)?;
        let is_ours = self.key(subject, record.groups.source).is_some_and(|key| key == record.of);
        is_ours.then(|| GroupMembership {
            groups: record.groups.into_owned(),
            overage: false,
            at: Some(record.at),
            reason: record.reason.as_ref().and_then(failure::from_value),
            nameless: None,
        })
    }

    fn cached(&self, subject: &Subject) -> Option<GroupMembership> {
        let known = self.cached_ever(subject).filter(|_| !self.options.force_refresh)?;
        let age = clock::now() - known.at?;
        // The client for Graph may have lacked a sign-in, for which the user can be prompted now.
        let could_ask = self.options.may_prompt
            && self.profile.groups.graph_client.is_some()
            && known.groups.source == GroupSource::Cluster;
        (age >= TimeDelta::zero() && age < CACHED_FOR && !could_ask).then_some(known)
    }

    fn cache(&self, subject: &Subject, known: &GroupMembership) {
        let Some(of) = self.key(subject, known.groups.source).filter(|_| known.groups.complete) else { return };
        let session = self.session().id;
        // With the lock, so that a process that deletes the session deletes its groups too.
        let _lock = coordination::lock_briefly(self.store, &self.identity.session);
        let groups = Cow::Borrowed(&known.groups);
        let record = GroupsRecord {
            of,
            at: known.at.unwrap_or_else(clock::now),
            groups,
            reason: known.reason.as_ref().map(failure::to_value),
        };
        if let Err(error) = self.store.save_groups(&session, &record) {
            tracing::info!(%error, "groups not cached");
        }
    }

    /// The owner of the groups in a record from `source`, and what decided on that source.
    fn key(&self, subject: &Subject, source: GroupSource) -> Option<String> {
        let graph_client = self.profile.groups.graph_client.as_deref().unwrap_or_default();
        let audience = subject.audience.as_deref().unwrap_or_default();
        let besides = match source {
            GroupSource::Graph => graph_client.to_owned(),
            GroupSource::Cluster => format!("{graph_client} {audience} {}", self.cluster_key),
            GroupSource::Userinfo => self.profile.groups.claim.clone(),
            GroupSource::Token | GroupSource::None => return None,
        };
        Some(format!("{} {besides}", subject.key()?))
    }

    fn issuer_groups(&self, subject: &Subject) -> Result<GroupMembership, StopSignal> {
        match self.userinfo(subject) {
            Ok(GroupsClaim::Listed(ids)) => Ok(GroupMembership::complete(listed(ids), GroupSource::Userinfo)),
            Ok(_) if subject.groups == GroupsClaim::Absent => Ok(GroupMembership::none(true, None)),
            Ok(_) => Ok(GroupMembership::none(false, Some(GroupsError::NotListed))),
            Err(error) => Ok(GroupMembership::none(false, Some(unless_stopped(error)?))),
        }
    }

    /// `found`, or what the cluster sees if that is more: the cluster may have looked the groups up itself.
    fn or_from_cluster(&self, found: GroupMembership, subject: &Subject) -> Result<GroupMembership, StopSignal> {
        if found.groups.complete {
            return Ok(found);
        }
        let mut of_cluster = (self.cluster)()?.unwrap_or_default();
        // Kubernetes adds these to every user.
        of_cluster.retain(|group| !group.starts_with("system:"));
        if of_cluster.len() <= found.groups.items.len() {
            return Ok(found);
        }
        let complete = GroupMembership::complete(listed(of_cluster), GroupSource::Cluster);
        let mut known = GroupMembership { reason: found.reason, ..complete };
        if let GroupsClaim::Overage { more_than } = subject.groups {
            // A cluster that has not looked them up may still add a few of its own.
            known.groups.complete = known.groups.items.len() > more_than;
        }
        Ok(known)
    }

    fn userinfo(&self, subject: &Subject) -> Result<GroupsClaim, GroupsError> {
        let session = self.session();
        // The connections that decide where the token is sent have to be trusted by its session.
        let network = self.profile.network.pinned_to(&session.anchors);
        let profile = Profile { token_kind: TokenKind::Own, network, ..self.profile.clone() };
        let record = self.store.session(&session.id).found().map(|(_, record, _)| record);
        let (by_sign_in, from) = record.map(|record| (record.subject, record.token_endpoint)).unwrap_or_default();
        let Some(id) = subject.id.clone().or(by_sign_in) else { return Ok(GroupsClaim::Absent) };
        let limit = profile.network.needed();
        let open = async || Issuer::open(&profile, self.store, Freshness::Cached, limit).await.map_err(Failure::from);
        let named = |endpoints: &Endpoints| endpoints.userinfo.clone();
        let endpoint = runtime::run_until_interrupted(async {
            let client = open().await?.client;
            Ok::<_, Failure>(client.optional_endpoint(|all| all.userinfo.as_ref(), Moves::WithinSite, limit).await)
        })??;
        let Some(endpoint) = endpoint else { return Ok(GroupsClaim::Absent) };
        let issued = self.token(&profile, false)?;
        if issued.anchors != session.anchors {
            return Err(GroupsError::SessionChanged);
        }
        let token = &issued.token;
        runtime::run_until_interrupted(async {
            let issuer = open().await?;
            issuer.check_site(from.as_deref())?;
            let endpoint = named(&issuer.client.endpoints()).unwrap_or(endpoint);
            let end = Instant::now() + limit;
            let error = match userinfo_of(&issuer, &endpoint, token, &id, end).await {
                Err(error) if issuer.client.read_discovery_again(Moves::WithinSite, limit).await => error,
                outcome => return outcome,
            };
            // It has moved since the discovery document was cached.
            match named(&issuer.client.endpoints()).filter(|moved| *moved != endpoint) {
                Some(moved) => {
                    issuer.cache_what_was_learned();
                    userinfo_of(&issuer, &moved, token, &id, end).await
                }
                None => Err(error),
            }
        })?
    }

    fn session(&self) -> SessionName {
        sessions::current(self.identity, &self.profile.network, self.store)
    }

    /// A token for this program's own use. A forced refresh brings the permissions of a consent given in the meantime.
    fn token(&self, profile: &Profile, may_prompt: bool) -> Result<IssuedToken, Failure> {
        let LookupOptions { force_refresh, force_sign_in, .. } = self.options;
        let options = RequestOptions {
            non_interactive: !may_prompt,
            force_refresh,
            force_sign_in: force_sign_in && may_prompt,
            ..RequestOptions::default()
        };
        // Another client, audience or kind than the entry's.
        let identity = Identity::new(profile);
        let request = TokenRequest::new(profile, &identity, self.store, self.environment, self.person, options);
        request.obtain().map_err(|error| error.failure)
    }
}

fn graph_groups(graph: &GraphLookup<'_>) -> Result<GroupMembership, StopSignal> {
    match graph.groups() {
        Ok((groups, reason @ Some(_))) if groups.is_empty() => Ok(GroupMembership::none(false, reason)),
        Ok((groups, reason)) => {
            let mut known = GroupMembership::complete(groups, GroupSource::Graph);
            known.groups.complete = reason.is_none();
            known.reason = reason;
            Ok(known)
        }
        Err(error) => Ok(GroupMembership::none(false, Some(unless_stopped(error)?))),
    }
}

/// `error`, unless the process was stopped.
fn unless_stopped(error: GroupsError) -> Result<GroupsError, StopSignal> {
    error.stopped_by().map_or(Ok(error), Err)
}

/// What `endpoint` says of the groups of the user whose ID token has `subject`.
///
/// Errors: there is no valid response before `end`.
async fn userinfo_of(
    issuer: &Issuer<'_>,
    endpoint: &Url,
    token: &Secret,
    subject: &str,
    end: Instant,
) -> Result<GroupsClaim, GroupsError> {
    let http = Http::new(&issuer.profile.network, endpoint)?;
    let left = end.saturating_duration_since(Instant::now());
    let claims = match userinfo::fetch(&http, endpoint, token, left).await? {
        UserInfoResponse::Claims(claims) => claims,
        UserInfoResponse::Signed(jwt) => {
            issuer.verified_userinfo(jwt.expose(), end).await.map_err(|error| match error {
                VerificationError::Token(error) => GroupsError::InvalidUserInfo(error),
                VerificationError::Keys(failure) => failure.into(),
            })?
        }
    };
    userinfo::check_subject(&claims, endpoint, subject)?;
    Ok(subject::groups(&claims, &issuer.profile.groups.claim))
}

impl GroupMembership {
    /// All groups, as `source` says.
    fn complete(items: Vec<Group>, source: GroupSource) -> GroupMembership {
        GroupMembership { groups: GroupList { items, source, complete: true }, ..GroupMembership::none(true, None) }
    }

    fn none(complete: bool, reason: Option<GroupsError>) -> GroupMembership {
        let groups = GroupList { items: Vec::new(), source: GroupSource::None, complete };
        GroupMembership { groups, overage: false, at: None, reason, nameless: None }
    }
}

/// Groups without names: sorted, each once.
fn listed(mut ids: Vec<String>) -> Vec<Group> {
    ids.sort();
    ids.dedup();
    ids.into_iter().map(|id| Group { id, name: None }).collect()
}

/// The groups that were added and removed between two look-ups.
pub fn difference<'g>(before: &'g [Group], after: &'g [Group]) -> (Vec<&'g Group>, Vec<&'g Group>) {
    let ids = |groups: &'g [Group]| groups.iter().map(|group| group.id.as_str()).collect::<HashSet<_>>();
    let (old, new) = (ids(before), ids(after));
    let only = |groups: &'g [Group], others: &HashSet<&str>| {
        groups.iter().filter(|group| !others.contains(group.id.as_str())).collect::<Vec<_>>()
    };
    (only(after, &old), only(before, &new))
}
