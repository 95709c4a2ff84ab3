//! The groups of whoever is signed in, past what a token lists: looked up at the best source that answers, and
//! remembered beside the session for an hour.
//!
//! Never for `get-token`: a look-up takes time, and whom a cluster lets in is not decided here.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{TimeDelta, Utc};

use super::identity::{Identity, issuer_document};
use super::issuer::{Freshness, Issuer};
use super::{Insist, Road};
use crate::entra::cloud;
use crate::entra::graph::{self, Graph, GraphError, Member};
use crate::entra::refusals::{self, Refusal};
use crate::environment::Environment;
use crate::error::{Error, Kind, Result};
use crate::http::Http;
use crate::oauth::discovery;
use crate::oauth::subject::{GroupsClaim, Subject};
use crate::oauth::userinfo;
use crate::profile::{Profile, Provider, TokenKind};
use crate::runtime;
use crate::secret::Secret;
use crate::signin::Person;
use crate::store::Store;
use crate::store::groups::{Group, Groups, GroupsRecord, Source};
use crate::text::printable;

/// How long groups are remembered.
const REMEMBERED: TimeDelta = TimeDelta::hours(1);
/// How long Graph may take in all: a hundred thousand groups are a hundred answers.
const GRAPH_LIMIT: Duration = Duration::from_secs(120);
/// How long one of its answers may take, with what it wants to be waited for; `--timeout` counts for more.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// Tenant metadata are remembered for as long as other issuers' are.
const METADATA: TimeDelta = TimeDelta::days(1);

/// One look-up.
pub struct LookUp<'a> {
    /// Whose sign-in it is.
    pub profile: &'a Profile,
    /// Where it is kept.
    pub store: &'a Store,
    /// What the process was started with.
    pub environment: &'a Environment,
    /// Who is asked to sign in a second client where one is named, and told of waiting.
    pub person: &'a dyn Person,
    /// Whether that person may be asked.
    pub may_ask: bool,
    /// What is remembered does not count.
    pub fresh: bool,
    /// Names are wanted too.
    pub names: bool,
    /// The cluster that is asked, as its address.
    pub server: Option<&'a str>,
    /// What the cluster makes of the token: the groups it sees; `None` where it does not say. Asked only where it is needed.
    pub cluster: &'a dyn Fn() -> Option<Vec<String>>,
    /// Told how many groups have been read.
    pub on_progress: &'a dyn Fn(usize),
}

/// What is known of somebody's groups.
#[derive(Clone, Debug)]
pub struct Known {
    /// The groups.
    pub groups: Groups,
    /// There are more than the token can carry.
    pub overage: bool,
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
        let overage = subject.groups == GroupsClaim::Overage;
        let mut known = match &subject.groups {
            GroupsClaim::Listed(ids) => Known::from_token(ids),
            GroupsClaim::Absent if is_entra => Known::none(true, None),
            _ => match self.remembered(subject) {
                Some(known) => known,
                None => {
                    let found = if is_entra { self.at_entra(subject)? } else { self.at_the_issuer(subject)? };
                    self.remember(subject, &found);
                    found
                }
            },
        };
        known.overage = overage;
        if self.names && is_entra && known.groups.items.iter().any(|group| group.name.is_none()) {
            known.nameless = self.name(&mut known.groups.items, subject)?;
            if known.nameless.is_none() && known.groups.source != Source::Token {
                self.remember(subject, &known);
            }
        }
        Ok(known)
    }

    /// From Graph, else from the cluster.
    fn at_entra(&self, subject: &Subject) -> Result<Known> {
        let from_graph = self.graph(subject).and_then(|desk| {
            runtime::run_until_interrupted(async {
                let graph = self.asked(&desk)?;
                graph.groups(&desk.member).await.map_err(|error| self.without_graph(error))
            })?
        });
        let (partly, reason) = match from_graph {
            Ok(found) if found.cut_short.is_none() => {
                let groups = Groups { items: found.groups, source: Source::Graph, complete: true };
                return Ok(Known { groups, ..Known::none(true, None) });
            }
            Ok(found) => (found.groups, found.cut_short),
            Err(error) if is_an_end(&error) => return Err(error),
            Err(error) => (Vec::new(), Some(error)),
        };
        let of_cluster = (self.cluster)().unwrap_or_default();
        // Who is signed in at all is in groups that no directory has.
        let mut of_cluster: Vec<String> =
            of_cluster.into_iter().filter(|group| !group.starts_with("system:")).collect();
        of_cluster.sort();
        of_cluster.dedup();
        Ok(if !of_cluster.is_empty() {
            let items = of_cluster.into_iter().map(|id| Group { id, name: None }).collect();
            Known { groups: Groups { items, source: Source::Cluster, complete: true }, ..Known::none(true, reason) }
        } else if partly.is_empty() {
            Known::none(false, reason)
        } else {
            Known {
                groups: Groups { items: partly, source: Source::Graph, complete: false },
                ..Known::none(false, reason)
            }
        })
    }

    /// From the issuer's UserInfo.
    fn at_the_issuer(&self, subject: &Subject) -> Result<Known> {
        let asked = self.userinfo(subject);
        Ok(match asked {
            Ok(GroupsClaim::Listed(ids)) => {
                let mut known = Known::from_token(&ids);
                known.groups.source = Source::Userinfo;
                known
            }
            Ok(GroupsClaim::Absent) => Known::none(subject.groups == GroupsClaim::Absent, None),
            Ok(GroupsClaim::Overage) => Known::none(false, None),
            Err(error) if is_an_end(&error) => return Err(error),
            Err(error) => Known::none(false, Some(error)),
        })
    }

    fn userinfo(&self, subject: &Subject) -> Result<GroupsClaim> {
        let profile = Profile { token_kind: TokenKind::Own, ..self.profile.clone() };
        let Some(id) = &subject.id else { return Ok(GroupsClaim::Absent) };
        let limit = profile.network.needed();
        let endpoint = runtime::run_until_interrupted(async {
            let issuer = Issuer::open(&profile, self.store, Freshness::Remembered, limit).await?;
            Ok(issuer.client.endpoints.userinfo)
        })??;
        let Some(endpoint) = endpoint else { return Ok(GroupsClaim::Absent) };
        let token = self.token(&profile, false)?;
        runtime::run_until_interrupted(async {
            let http = Http::new(&profile.network, &endpoint)?;
            userinfo::groups(&http, &endpoint, &token, id, &profile.groups.claim, limit).await
        })?
    }

    /// Gives names to those without one; why that is not possible.
    fn name(&self, groups: &mut [Group], subject: &Subject) -> Result<Option<Error>> {
        let named = self.graph(subject).and_then(|desk| {
            runtime::run_until_interrupted(async {
                let graph = self.asked(&desk)?;
                graph.name(groups).await.map_err(|error| self.without_graph(error))
            })?
        });
        match named {
            Ok(()) => Ok(None),
            Err(error) if is_an_end(&error) => Err(error),
            Err(error) => Ok(Some(error)),
        }
    }

    /// What Graph is asked with: a token of the same session, or of the second client's.
    fn graph(&self, subject: &Subject) -> Result<Desk> {
        let base = self.graph_base()?;
        let client = self.profile.groups.graph_client.as_deref();
        let profile = self
            .profile
            .for_service(base.as_str().trim_end_matches('/'), client)
            .ok_or_else(|| Error::failed("only Entra tenants have Microsoft Graph", "Leave out --graph-client-id."))?;
        let token = self
            .token(&profile, client.is_some() && self.may_ask)
            .map_err(|error| self.without_token(error, &profile))?;
        // Its own session may be somebody else's.
        if let (Some(ours), Ok(Subject { object_id: Some(theirs), account, .. })) =
            (&subject.object_id, Subject::read(token.expose(), "groups"))
            && *ours != theirs
        {
            return Err(Error::failed(
                format!(
                    "the sign-in for Microsoft Graph is that of {}, and not of the same account",
                    account.unwrap_or_else(|| printable(&theirs, 60))
                ),
                format!(
                    "Sign in with one account for both: kubectl login --force --graph-client-id {}",
                    profile.client_id
                ),
            ));
        }
        let http = Http::new(&profile.network, &base)?.with_cap(graph::PAGE_CAP);
        let member = match (subject.app_only, &subject.object_id) {
            (true, Some(id)) => Member::ServicePrincipal(id.clone()),
            _ => Member::Me,
        };
        Ok(Desk { http, base, token, member })
    }

    fn asked<'d>(&'d self, desk: &'d Desk) -> Result<Graph<'d>> {
        let limits = (GRAPH_LIMIT, self.profile.network.timeout.unwrap_or(CALL_LIMIT));
        Graph::new(&desk.http, &desk.base, &desk.token, limits, self.on_progress)
    }

    /// Where the tenant's Graph is: by the cloud's own file, or by the cloud, whose tenants may name one of its hosts.
    fn graph_base(&self) -> Result<url::Url> {
        let Provider::Entra { authority, tenant, .. } = &self.profile.provider else {
            return Err(Error::failed("only Entra tenants have Microsoft Graph", "Leave out --graph-client-id."));
        };
        if let Some(base) = &self.profile.groups.graph {
            return Ok(base.clone());
        }
        let id = issuer_document(&format!("{authority}{tenant}"), &self.profile.network, "graph");
        let named = self.store.public::<String>(&id, METADATA).or_else(|| {
            let limit = self.profile.network.needed();
            let issuer = cloud::endpoints(authority, tenant).ok()?.issuer;
            let named = runtime::run_until_interrupted(async {
                let http = Http::new(&self.profile.network, authority).ok()?;
                discovery::graph_host(&http, &issuer, limit).await
            });
            let named = named.ok().flatten()?;
            self.store.keep_public(&id, &named);
            Some(named)
        });
        cloud::graph(authority, named.as_deref()).ok_or_else(|| {
            Error::failed(
                "it is not known where Microsoft Graph is in this cloud: the tenant's metadata do not name it",
                "Check --authority-host.",
            )
        })
    }

    /// A token for this program's own use; nobody is asked unless `may_ask`.
    fn token(&self, profile: &Profile, may_ask: bool) -> Result<Secret> {
        let insist = Insist { on_silence: !may_ask, ..Insist::default() };
        let road = Road::new(profile, self.store, self.environment, self.person, insist);
        road.token().map(|obtained| obtained.token).map_err(|failed| failed.error)
    }

    /// Why there is no token for Graph, and the way to one.
    fn without_token(&self, error: Error, profile: &Profile) -> Error {
        let client = printable(&profile.client_id, 60);
        let is_own = self.profile.groups.graph_client.is_some();
        if is_consent(&error) {
            return self.not_permitted(&error);
        }
        match error.kind {
            Kind::SignInNeeded if is_own => Error::sign_in_needed(
                format!("the client {client} is not signed in for Microsoft Graph: {}", error.what),
                format!("Sign in: kubectl login --graph-client-id {client}"),
            )
            .with_reference(error.reference),
            _ => error,
        }
    }

    fn without_graph(&self, error: GraphError) -> Error {
        match error {
            GraphError::Denied(error) => self.not_permitted(&error),
            GraphError::Failed(error) => error,
        }
    }

    /// The client may not read groups: what that takes.
    fn not_permitted(&self, error: &Error) -> Error {
        let client = self.profile.groups.graph_client.as_deref().unwrap_or(&self.profile.client_id);
        let step = match self.profile.groups.graph_client {
            None => format!(
                "Name a client of your own that has the delegated permission {}, with --graph-client-id ID.",
                graph::PERMISSION
            ),
            Some(_) => format!(
                "Ask your administrator to consent to the delegated permission {} for the client of --graph-client-id.",
                graph::PERMISSION
            ),
        };
        let number = error.reference.as_deref().and_then(|reference| reference.split(',').next());
        let what = format!(
            "Microsoft Graph does not list your groups: the client {} may not ask it{}",
            printable(client, 60),
            number.map(|number| format!(" ({number})")).unwrap_or_default()
        );
        Error::failed(what, step).with_reference(error.reference.clone())
    }

    /// Whose groups a record from `source` holds, and what decided where they came from.
    fn of(&self, subject: &Subject, source: Source) -> Option<String> {
        let graph_client = self.profile.groups.graph_client.as_deref().unwrap_or_default();
        let besides = match source {
            Source::Graph => graph_client.to_owned(),
            Source::Cluster => format!("{graph_client} {}", self.server?),
            Source::Userinfo => self.profile.groups.claim.clone(),
            Source::Token | Source::None => return None,
        };
        Some(format!("{} {besides}", subject.key()?))
    }

    fn remembered(&self, subject: &Subject) -> Option<Known> {
        if self.fresh {
            return None;
        }
        let record = self.store.groups(&Identity::of(self.profile).session)?;
        let age = Utc::now() - record.at;
        let is_recent = age >= TimeDelta::zero() && age < REMEMBERED;
        let is_ours = self.of(subject, record.groups.source).is_some_and(|of| of == record.of);
        // The client that was named for Graph may only have been waiting for somebody to sign in.
        let may_be_better =
            self.may_ask && self.profile.groups.graph_client.is_some() && record.groups.source == Source::Cluster;
        (is_recent && is_ours && !may_be_better).then(|| {
            let reason = record.reason.map(|(what, next)| Error::failed(what, next));
            Known { groups: record.groups.into_owned(), overage: false, reason, nameless: None }
        })
    }

    fn remember(&self, subject: &Subject, known: &Known) {
        let Some(of) = self.of(subject, known.groups.source).filter(|_| known.groups.complete) else { return };
        let reason = known.reason.as_ref().map(|error| (error.what.clone(), error.next.clone()));
        let record = GroupsRecord { of, at: Utc::now(), groups: Cow::Borrowed(&known.groups), reason };
        if let Err(error) = self.store.keep_groups(&Identity::of(self.profile).session, &record) {
            tracing::info!(%error, "groups not remembered");
        }
    }
}

/// What Graph is asked with.
struct Desk {
    http: Http,
    base: url::Url,
    token: Secret,
    member: Member,
}

impl Known {
    fn from_token(ids: &[String]) -> Known {
        let mut ids = ids.to_vec();
        ids.sort();
        ids.dedup();
        let items = ids.into_iter().map(|id| Group { id, name: None }).collect();
        Known { groups: Groups { items, source: Source::Token, complete: true }, ..Known::none(true, None) }
    }

    fn none(complete: bool, reason: Option<Error>) -> Known {
        let groups = Groups { items: Vec::new(), source: Source::None, complete };
        Known { groups, overage: false, reason, nameless: None }
    }
}

/// What came and went between two looks at somebody's groups: the ids.
pub fn difference<'g>(before: &'g [Group], after: &'g [Group]) -> (Vec<&'g Group>, Vec<&'g Group>) {
    let ids =
        |groups: &'g [Group]| groups.iter().map(|group| group.id.as_str()).collect::<std::collections::HashSet<_>>();
    let (old, new) = (ids(before), ids(after));
    let only = |groups: &'g [Group], others: &std::collections::HashSet<&str>| {
        groups.iter().filter(|group| !others.contains(group.id.as_str())).collect::<Vec<_>>()
    };
    (only(after, &old), only(before, &new))
}

/// Whether somebody ended the work.
fn is_an_end(error: &Error) -> bool {
    matches!(error.kind, Kind::Interrupted | Kind::Terminated)
}

/// Whether it is consent that is missing, or cannot be given at all.
fn is_consent(error: &Error) -> bool {
    error.reference.as_deref().and_then(refusals::class_by_reference) == Some(Refusal::Consent)
}
