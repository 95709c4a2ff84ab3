//! The groups of whoever is signed in, past what a token lists: looked up at the best source that answers, and
//! remembered beside the session for an hour.
//!
//! Never for `get-token`: a look-up takes time, and whom a cluster lets in is not decided here.

mod graph;

use std::borrow::Cow;
use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use url::Url;

use self::graph::Directory;
use super::coordination;
use super::identity::Identity;
use super::issuer::{Freshness, Issuer};
use super::sessions::{self, Named};
use super::{IssuedToken, RequestOptions, TokenRequest};
use crate::environment::Environment;
use crate::messages::Explain as _;
use crate::profile::{Profile, Provider, TokenKind};
use crate::runtime;
use crate::signin::Person;
use crate::store::Store;
use crate::store::groups::{Group, GroupList, GroupSource, GroupsRecord};
use kubectl_login_core::clock;
use kubectl_login_core::entra::subject::{self, GroupsClaim, Subject};
use kubectl_login_core::error::{Error, Result};
use kubectl_login_core::http::Http;
use kubectl_login_core::oauth::Endpoints;
use kubectl_login_core::oauth::client::Moves;
use kubectl_login_core::oauth::userinfo::{self, UserInfoResponse};
use kubectl_login_core::secret::Secret;

/// How long groups are remembered.
const REMEMBERED: TimeDelta = TimeDelta::hours(1);

/// One look-up.
pub struct LookUp<'a> {
    /// Whose sign-in it is.
    pub profile: &'a Profile,
    /// What identifies that sign-in.
    pub identity: &'a Identity,
    /// Where it is kept.
    pub store: &'a Store,
    /// What the process was started with.
    pub environment: &'a Environment,
    /// Who is asked to sign in a second client where one is named, and told of waiting.
    pub person: &'a dyn Person,
    /// What is wanted of it.
    pub wish: Wish,
    /// What somebody types to sign in.
    pub command: String,
    /// What tells the cluster that is asked from every other: see [`super::identity::cluster`].
    pub cluster_key: String,
    /// What the cluster makes of the token: the groups it sees; `None` where it does not say. Asked only where it is needed.
    /// Fails where somebody ended it.
    pub cluster: &'a dyn Fn() -> Result<Option<Vec<String>>>,
    /// Told how many groups have been read.
    pub on_progress: &'a (dyn Fn(usize) + Sync),
}

/// What is wanted of a look-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Somebody may be asked to sign in a second client.
    pub may_ask: bool,
    /// What is remembered does not count.
    pub fresh: bool,
    /// Nor does the sign-in of a second client.
    pub forced: bool,
    /// Names are wanted too.
    pub names: bool,
}

/// What is known of somebody's groups.
#[derive(Clone, Debug)]
pub struct Known {
    /// The groups.
    pub groups: GroupList,
    /// There are more than the token can carry.
    pub overage: bool,
    /// When they were looked up, where that was before.
    pub at: Option<DateTime<Utc>>,
    /// Why they do not come from a better source, or are not all.
    pub reason: Option<Error>,
    /// Why they have no names, where names were wanted.
    pub nameless: Option<Error>,
}

impl LookUp<'_> {
    /// The groups of `subject`, whose token it is that this sign-in gave.
    ///
    /// Errors: somebody ended it. Whatever else goes wrong is told in what comes back.
    pub fn groups(&self, subject: &Subject) -> Result<Known> {
        let is_entra = matches!(self.profile.provider, Provider::Entra { .. });
        let directory = Directory::new(self, subject);
        let mut known = match &subject.groups {
            GroupsClaim::Listed(ids) => Known::of(listed(ids.clone()), GroupSource::Token),
            GroupsClaim::Absent if is_entra => Known::nothing(true, None),
            _ => match self.remembered(subject) {
                Some(known) => known,
                None => {
                    let found = if is_entra { self.at_entra(&directory)? } else { self.at_the_issuer(subject)? };
                    let known = self.or_at_the_cluster(found, subject)?;
                    self.remember(subject, &known);
                    known
                }
            },
        };
        known.overage = matches!(subject.groups, GroupsClaim::Overage { .. });
        if self.wish.names && is_entra && known.groups.items.iter().any(|group| group.name.is_none()) {
            match directory.name(&mut known.groups.items) {
                Ok(()) => self.remember(subject, &known),
                Err(error) if error.kind.is_an_end() => return Err(error),
                Err(error) => known.nameless = Some(error),
            }
        }
        Ok(known)
    }

    /// What is remembered of `subject`'s groups, however long ago; `None` where that is nothing, or was another cluster's.
    pub fn remembered_ever(&self, subject: &Subject) -> Option<Known> {
        let record = self.store.groups(&self.session().id)?;
        let is_ours = self.key(subject, record.groups.source).is_some_and(|key| key == record.of);
        is_ours.then(|| Known {
            groups: record.groups.into_owned(),
            overage: false,
            at: Some(record.at),
            reason: record.reason,
            nameless: None,
        })
    }

    fn remembered(&self, subject: &Subject) -> Option<Known> {
        let known = self.remembered_ever(subject).filter(|_| !self.wish.fresh)?;
        let age = clock::now() - known.at?;
        // The client that was named for Graph may only have been waiting for somebody to sign in.
        let could_ask = self.wish.may_ask
            && self.profile.groups.graph_client.is_some()
            && known.groups.source == GroupSource::Cluster;
        (age >= TimeDelta::zero() && age < REMEMBERED && !could_ask).then_some(known)
    }

    fn remember(&self, subject: &Subject, known: &Known) {
        let Some(of) = self.key(subject, known.groups.source).filter(|_| known.groups.complete) else { return };
        let session = self.session().id;
        // Whoever forgets the session meanwhile forgets its groups as well.
        let _lock = coordination::lock_briefly(self.store, &self.identity.session);
        let groups = Cow::Borrowed(&known.groups);
        let record = GroupsRecord { of, at: known.at.unwrap_or_else(clock::now), groups, reason: known.reason.clone() };
        if let Err(error) = self.store.save_groups(&session, &record) {
            tracing::info!(%error, "groups not remembered");
        }
    }

    /// Whose groups a record from `source` holds, and what decided where they came from.
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

    fn at_entra(&self, directory: &Directory<'_>) -> Result<Known> {
        match directory.groups() {
            Ok((groups, reason @ Some(_))) if groups.is_empty() => Ok(Known::nothing(false, reason)),
            Ok((groups, reason)) => {
                let mut known = Known::of(groups, GroupSource::Graph);
                known.groups.complete = reason.is_none();
                known.reason = reason;
                Ok(known)
            }
            Err(error) if error.kind.is_an_end() => Err(error),
            Err(error) => Ok(Known::nothing(false, Some(error))),
        }
    }

    fn at_the_issuer(&self, subject: &Subject) -> Result<Known> {
        match self.userinfo(subject) {
            Ok(GroupsClaim::Listed(ids)) => Ok(Known::of(listed(ids), GroupSource::Userinfo)),
            Ok(_) if subject.groups == GroupsClaim::Absent => Ok(Known::nothing(true, None)),
            Ok(_) => Ok(Known::nothing(
                false,
                Some(Error::failed(
                    "the token lists no groups, and neither does the issuer's UserInfo",
                    "If the groups stand in another claim, name it with --groups-claim.\nFor Entra ID use --tenant-id, --client-id and --server-id instead of the flags of OpenID Connect.",
                )),
            )),
            Err(error) if error.kind.is_an_end() => Err(error),
            Err(error) => Ok(Known::nothing(false, Some(error))),
        }
    }

    /// `found`, or what the cluster sees where that is more: it has to find the groups out for itself.
    fn or_at_the_cluster(&self, found: Known, subject: &Subject) -> Result<Known> {
        if found.groups.complete {
            return Ok(found);
        }
        let mut of_cluster = (self.cluster)()?.unwrap_or_default();
        // Who is signed in at all is in groups that no directory has.
        of_cluster.retain(|group| !group.starts_with("system:"));
        if of_cluster.len() <= found.groups.items.len() {
            return Ok(found);
        }
        let mut known = Known { reason: found.reason, ..Known::of(listed(of_cluster), GroupSource::Cluster) };
        if let GroupsClaim::Overage { more_than } = subject.groups {
            // A cluster that has not looked them up may still know a few of its own.
            known.groups.complete = known.groups.items.len() > more_than;
        }
        Ok(known)
    }

    fn userinfo(&self, subject: &Subject) -> Result<GroupsClaim> {
        let session = self.session();
        // Where the token is sent is decided over connections that may carry it.
        let network = self.profile.network.pinned_to(&session.anchors);
        let profile = Profile { token_kind: TokenKind::Own, network, ..self.profile.clone() };
        let record = self.store.session(&session.id).found().map(|(_, record, _)| record);
        let (by_sign_in, from) = record.map(|record| (record.subject, record.token_endpoint)).unwrap_or_default();
        let Some(id) = subject.id.clone().or(by_sign_in) else { return Ok(GroupsClaim::Absent) };
        let limit = profile.network.needed();
        let open = || Issuer::open(&profile, self.store, Freshness::Remembered, limit);
        let named = |endpoints: &Endpoints| endpoints.userinfo.clone();
        let endpoint = runtime::run_until_interrupted(async {
            let issuer = open().await?;
            Ok::<_, Error>(
                issuer
                    .client
                    .optional_endpoint(|endpoints| endpoints.userinfo.as_ref(), Moves::WithinSite, limit)
                    .await,
            )
        })??;
        let Some(endpoint) = endpoint else { return Ok(GroupsClaim::Absent) };
        let obtained = self.token(&profile, false)?;
        if obtained.anchors != session.anchors {
            return Err(Error::failed("the session has changed meanwhile", "Try again."));
        }
        let token = &obtained.token;
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
                    issuer.keep_what_was_learnt();
                    userinfo_of(&issuer, &moved, token, &id, end).await
                }
                None => Err(error),
            }
        })?
    }

    fn session(&self) -> Named {
        sessions::current(self.identity, &self.profile.network, self.store)
    }

    /// A token for this program's own use; nobody is asked unless `may_ask`. One that is to be fresh has what was consented
    /// to in the meantime.
    fn token(&self, profile: &Profile, may_ask: bool) -> Result<IssuedToken> {
        let Wish { fresh, forced, .. } = self.wish;
        let options = RequestOptions {
            non_interactive: !may_ask,
            force_refresh: fresh,
            force_sign_in: forced && may_ask,
            ..RequestOptions::default()
        };
        // Another client, audience or kind than the entry's.
        let identity = Identity::of(profile);
        let request = TokenRequest::new(profile, &identity, self.store, self.environment, self.person, options);
        request.obtain().map_err(|failed| failed.error)
    }
}

/// What `endpoint` says of the groups of the user whose ID token has `subject`.
///
/// Errors: there is no answer until `end`, or none that may be used.
async fn userinfo_of(
    issuer: &Issuer<'_>,
    endpoint: &Url,
    token: &Secret,
    subject: &str,
    end: Instant,
) -> Result<GroupsClaim> {
    let http = Http::new(&issuer.profile.network, endpoint)?;
    let left = end.saturating_duration_since(Instant::now());
    let claims = match userinfo::fetch(&http, endpoint, token, left).await.map_err(|error| error.explain(""))? {
        UserInfoResponse::Claims(claims) => claims,
        UserInfoResponse::Signed(jwt) => issuer.verified_userinfo(jwt.expose(), end).await?,
    };
    userinfo::check_subject(&claims, endpoint, subject).map_err(|error| error.explain(""))?;
    Ok(subject::groups(&claims, &issuer.profile.groups.claim))
}

impl Known {
    /// All groups, as `source` says.
    fn of(items: Vec<Group>, source: GroupSource) -> Known {
        Known { groups: GroupList { items, source, complete: true }, ..Known::nothing(true, None) }
    }

    fn nothing(complete: bool, reason: Option<Error>) -> Known {
        let groups = GroupList { items: Vec::new(), source: GroupSource::None, complete };
        Known { groups, overage: false, at: None, reason, nameless: None }
    }
}

/// Groups without names: sorted, each once.
fn listed(mut ids: Vec<String>) -> Vec<Group> {
    ids.sort();
    ids.dedup();
    ids.into_iter().map(|id| Group { id, name: None }).collect()
}

/// What came and went between two looks at somebody's groups.
pub fn difference<'g>(before: &'g [Group], after: &'g [Group]) -> (Vec<&'g Group>, Vec<&'g Group>) {
    let ids = |groups: &'g [Group]| groups.iter().map(|group| group.id.as_str()).collect::<HashSet<_>>();
    let (old, new) = (ids(before), ids(after));
    let only = |groups: &'g [Group], others: &HashSet<&str>| {
        groups.iter().filter(|group| !others.contains(group.id.as_str())).collect::<Vec<_>>()
    };
    (only(after, &old), only(before, &new))
}
