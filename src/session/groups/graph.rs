//! Microsoft Graph as the source of groups: where it is, and which token it is asked with.

use std::cell::OnceCell;
use std::time::Duration;

use chrono::TimeDelta;
use url::Url;

use super::GroupLookup;
use crate::failure::{Failure, GroupsError};
use crate::profile::{Provider, Storage};
use crate::runtime;
use crate::session::identity::issuer_document;
use crate::store::groups::Group;
use kubectl_login_core::clock;
use kubectl_login_core::entra::graph::{self, Graph, GraphError, GraphSubject};
use kubectl_login_core::entra::subject::Subject;
use kubectl_login_core::entra::{cloud, tenant};
use kubectl_login_core::http::Http;
use kubectl_login_core::http::rest::RestLimits;
use kubectl_login_core::secret::Secret;

/// How long Graph may take in all: a hundred thousand groups are a hundred responses.
const LIMIT: Duration = Duration::from_secs(120);
/// How long one of its responses may take, waits that it asks for included; `--timeout` takes precedence.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// Tenant metadata are cached for as long as other issuers' metadata.
const METADATA: TimeDelta = TimeDelta::days(1);

/// Graph, for one look-up of the groups of one subject.
pub(super) struct GraphLookup<'a> {
    lookup: &'a GroupLookup<'a>,
    subject: &'a Subject,
    /// Prepared once, when Graph is needed.
    endpoint: OnceCell<Result<GraphEndpoint, GroupsError>>,
}

/// Where Graph is, and the token for it.
struct GraphEndpoint {
    http: Http,
    base: Url,
    token: Secret,
}

impl<'a> GraphLookup<'a> {
    pub(super) fn new(lookup: &'a GroupLookup<'a>, subject: &'a Subject) -> GraphLookup<'a> {
        GraphLookup { lookup, subject, endpoint: OnceCell::new() }
    }

    /// All groups of the subject, or some of them and why they are not all.
    ///
    /// Errors: Graph does not list them, or the process was stopped.
    pub(super) fn groups(&self) -> Result<(Vec<Group>, Option<GroupsError>), GroupsError> {
        let of = match (self.subject.app_only, &self.subject.object_id) {
            (true, Some(id)) => GraphSubject::ServicePrincipal(id.clone()),
            _ => GraphSubject::Me,
        };
        let list = self.ask(async |graph| graph.groups(&of).await)?;
        Ok((list.groups, list.incomplete.map(|error| self.error(error))))
    }

    /// Gives names to those of `groups` without one.
    ///
    /// Errors: as for [`Self::groups`].
    pub(super) fn name(&self, groups: &mut [Group]) -> Result<(), GroupsError> {
        self.ask(async |graph| graph.name(groups).await)
    }

    fn ask<T>(&self, question: impl AsyncFnOnce(&Graph<'_>) -> Result<T, GraphError>) -> Result<T, GroupsError> {
        let endpoint = self.endpoint.get_or_init(|| self.prepared()).as_ref().map_err(GroupsError::clone)?;
        let limits = RestLimits {
            total: clock::limit(LIMIT),
            per_request: clock::limit(self.lookup.profile.network.timeout.unwrap_or(CALL_LIMIT)),
        };
        let answer = runtime::run_until_interrupted(async {
            let progress = self.lookup.on_progress;
            question(&Graph::new(&endpoint.http, &endpoint.base, &endpoint.token, limits, progress)?).await
        })?;
        answer.map_err(|error| self.error(error))
    }

    fn error(&self, error: GraphError) -> GroupsError {
        GroupsError::Graph { error, is_service_principal: self.subject.app_only }
    }

    /// A token of the same session, or of the second client's, for the Graph of the tenant's cloud.
    fn prepared(&self) -> Result<GraphEndpoint, GroupsError> {
        let GroupLookup { profile, options, .. } = self.lookup;
        let base = self.base()?;
        let client = profile.groups.graph_client.as_deref();
        let for_graph = profile.for_service(base.as_str().trim_end_matches('/'), client);
        let for_graph = for_graph.ok_or(GroupsError::NotEntra)?;
        if profile.storage == Storage::None {
            return Err(GroupsError::CacheIsOff);
        }
        let may_prompt = client.is_some() && options.may_prompt;
        let issued = self
            .lookup
            .token(&for_graph, may_prompt)
            .map_err(|failure| GroupsError::NoGraphToken { failure, is_service_principal: self.subject.app_only })?;
        self.check_account(&issued.token, client)?;
        let http = Http::new(&profile.network.pinned_to(&issued.anchors), &base)?.with_cap(graph::PAGE_CAP);
        Ok(GraphEndpoint { http, base, token: issued.token })
    }

    /// Checks that the token is the subject's: a second client's session may be another user's.
    fn check_account(&self, token: &Secret, client: Option<&str>) -> Result<(), GroupsError> {
        let theirs = Subject::read(token.expose(), "groups").unwrap_or_default();
        let ours = self.subject;
        let is_same = |ours: &Option<String>, theirs: &Option<String>| match (ours, theirs) {
            (Some(ours), Some(theirs)) => ours == theirs,
            // The same session is the same account.
            _ => client.is_none(),
        };
        if is_same(&ours.object_id, &theirs.object_id) && is_same(&ours.tenant, &theirs.tenant) {
            return Ok(());
        }
        Err(GroupsError::OtherAccount { account: theirs.account })
    }

    /// The base URL of the tenant's Graph: from the cloud's own file, or from the cloud, whose tenants may name one of its
    /// hosts.
    fn base(&self) -> Result<Url, GroupsError> {
        let GroupLookup { profile, store, .. } = self.lookup;
        let Provider::Entra { authority, tenant, .. } = &profile.provider else { return Err(GroupsError::NotEntra) };
        if let Some(base) = &profile.groups.graph {
            return Ok(base.clone());
        }
        let http = Http::new(&profile.network, authority)?;
        let id = issuer_document(&format!("{authority}{tenant}"), &profile.network, &http.extra_roots(), "graph");
        let named = match store.cached_document::<String>(&id, METADATA) {
            Some(named) => Some(named),
            None => {
                let issuer = cloud::endpoints(authority, tenant).map_err(Failure::from)?.issuer;
                let asked = tenant::graph_host(&http, &issuer, profile.network.needed());
                let named = runtime::run_until_interrupted(asked)?;
                named.inspect(|named| store.cache_document(&id, named))
            }
        };
        cloud::graph_url(authority, named.as_deref()).ok_or(GroupsError::UnknownHost)
    }
}
