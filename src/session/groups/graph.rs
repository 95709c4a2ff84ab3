//! Microsoft Graph as the source of groups: where it is, which token it is asked with, and what it takes where it refuses.

use std::cell::OnceCell;
use std::time::Duration;

use chrono::TimeDelta;
use url::Url;

use super::LookUp;
use crate::messages::Explain;
use crate::profile::{Profile, Provider, Storage};
use crate::runtime;
use crate::session::identity::issuer_document;
use crate::store::groups::Group;
use kubectl_login_core::clock;
use kubectl_login_core::entra::graph::{self, Graph, GraphError, GraphSubject};
use kubectl_login_core::entra::refusals::Refusal;
use kubectl_login_core::entra::subject::Subject;
use kubectl_login_core::entra::{cloud, tenant};
use kubectl_login_core::error::{Error, Kind, Result};
use kubectl_login_core::http::Http;
use kubectl_login_core::http::rest::RestLimits;
use kubectl_login_core::secret::Secret;
use kubectl_login_core::text::printable;

/// How long Graph may take in all: a hundred thousand groups are a hundred answers.
const LIMIT: Duration = Duration::from_secs(120);
/// How long one of its answers may take, with what it wants to be waited for; `--timeout` counts for more.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// Tenant metadata are remembered for as long as other issuers' are.
const METADATA: TimeDelta = TimeDelta::days(1);

/// Graph, for one look-up of one subject's groups.
pub(super) struct Directory<'a> {
    look_up: &'a LookUp<'a>,
    subject: &'a Subject,
    /// Made once, and not where Graph is not needed.
    desk: OnceCell<Result<Desk>>,
}

/// What Graph is asked with.
struct Desk {
    http: Http,
    base: Url,
    token: Secret,
}

impl<'a> Directory<'a> {
    pub(super) fn new(look_up: &'a LookUp<'a>, subject: &'a Subject) -> Directory<'a> {
        Directory { look_up, subject, desk: OnceCell::new() }
    }

    /// All groups of the subject, or some of them and why they are not all.
    ///
    /// Errors: Graph does not list them, and what can be done about it; or somebody ended it.
    pub(super) fn groups(&self) -> Result<(Vec<Group>, Option<Error>)> {
        let of = match (self.subject.app_only, &self.subject.object_id) {
            (true, Some(id)) => GraphSubject::ServicePrincipal(id.clone()),
            _ => GraphSubject::Me,
        };
        let list = self.ask(async |graph| graph.groups(&of).await)?;
        Ok((list.groups, list.incomplete.map(|error| error.explain(PURPOSE))))
    }

    /// Gives names to those of `groups` without one.
    ///
    /// Errors: as above.
    pub(super) fn name(&self, groups: &mut [Group]) -> Result<()> {
        self.ask(async |graph| graph.name(groups).await)
    }

    fn ask<T>(&self, question: impl AsyncFnOnce(&Graph<'_>) -> Result<T, GraphError>) -> Result<T> {
        let desk = self.desk.get_or_init(|| self.prepared()).as_ref().map_err(Error::clone)?;
        let limits = RestLimits {
            total: clock::limit(LIMIT),
            per_request: clock::limit(self.look_up.profile.network.timeout.unwrap_or(CALL_LIMIT)),
        };
        let asked = runtime::run_until_interrupted(async {
            question(&Graph::new(&desk.http, &desk.base, &desk.token, limits, self.look_up.on_progress)?).await
        })?;
        asked.map_err(|error| {
            let explained = error.explain(PURPOSE);
            match error {
                GraphError::Denied(refused) => self.not_permitted(Some(refused.code), explained.reference),
                _ => explained,
            }
        })
    }

    /// A token of the same session, or of the second client's, for the Graph of the tenant's cloud.
    fn prepared(&self) -> Result<Desk> {
        let LookUp { profile, wish, .. } = self.look_up;
        let base = self.base()?;
        let client = profile.groups.graph_client.as_deref();
        let for_graph = profile.for_service(base.as_str().trim_end_matches('/'), client).ok_or_else(no_entra)?;
        if profile.storage == Storage::None {
            return Err(Error::failed(
                "Microsoft Graph cannot be asked for your groups, since nothing is remembered (--token-cache-storage none)",
                "Leave --token-cache-storage none out of the kubeconfig user's exec.args.",
            ));
        }
        let may_ask = client.is_some() && wish.may_ask;
        let obtained =
            self.look_up.token(&for_graph, may_ask).map_err(|error| self.without_token(error, &for_graph))?;
        self.check_account(&obtained.token, client)?;
        let http = Http::new(&profile.network.pinned_to(&obtained.anchors), &base)?.with_cap(graph::PAGE_CAP);
        Ok(Desk { http, base, token: obtained.token })
    }

    /// Whether the token is the subject's: a second client's session may be somebody else's.
    ///
    /// Errors: it is not, or cannot be told.
    fn check_account(&self, token: &Secret, client: Option<&str>) -> Result<()> {
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
        let whose = theirs.account.unwrap_or_else(|| "an unknown user".to_owned());
        let words = client.map(|client| format!(" --graph-client-id {}", printable(client, 60))).unwrap_or_default();
        Err(Error::failed(
            format!("the sign-in for Microsoft Graph is that of {whose}, and not of the same account"),
            format!("Sign in with one account for both: {} --force{words}", self.look_up.command),
        ))
    }

    /// Where the tenant's Graph is: by the cloud's own file, or by the cloud, whose tenants may name one of its hosts.
    fn base(&self) -> Result<Url> {
        let LookUp { profile, store, .. } = self.look_up;
        let Provider::Entra { authority, tenant, .. } = &profile.provider else { return Err(no_entra()) };
        if let Some(base) = &profile.groups.graph {
            return Ok(base.clone());
        }
        let http = Http::new(&profile.network, authority)?;
        let id = issuer_document(&format!("{authority}{tenant}"), &profile.network, &http.extra_roots(), "graph");
        let named = match store.cached_document::<String>(&id, METADATA) {
            Some(named) => Some(named),
            None => {
                let issuer = cloud::endpoints(authority, tenant).map_err(|error| error.explain(PURPOSE))?.issuer;
                let asked = tenant::graph_host(&http, &issuer, profile.network.needed());
                let named = runtime::run_until_interrupted(asked)?;
                named.inspect(|named| store.cache_document(&id, named))
            }
        };
        cloud::graph_url(authority, named.as_deref()).ok_or_else(|| {
            Error::failed(
                "it is not known where Microsoft Graph is in this cloud: the tenant's metadata do not name it",
                "Check --authority-host.",
            )
        })
    }

    /// Why there is no token for Graph, and the way to one.
    fn without_token(&self, error: Error, profile: &Profile) -> Error {
        let client = printable(&profile.client_id, 60);
        let is_second = self.look_up.profile.groups.graph_client.is_some();
        let next = match (error.kind, error.refusal) {
            _ if error.kind.is_an_end() => return error,
            (_, Some(Refusal::Consent)) => {
                let number = error.reference.as_deref().and_then(|reference| reference.split(',').next());
                let number = number.filter(|number| !number.contains(' ')).map(str::to_owned);
                return self.not_permitted(number, error.reference);
            }
            (Kind::SignInNeeded, _) if is_second => {
                format!("Sign in: {} --graph-client-id {client}", self.look_up.command)
            }
            // The session may be as good as ever for the cluster, so that only a sign-in that is insisted on is one.
            (Kind::SignInNeeded, _) => format!("Sign in afresh: {} --force", self.look_up.command),
            (_, Some(Refusal::SetUp)) => NAME_A_CLIENT.to_owned(),
            _ => return error,
        };
        let what = match is_second {
            true => format!("the client {client} is not signed in for Microsoft Graph: {}", error.what),
            false => format!("Microsoft Graph cannot be asked for your groups: {}", error.what),
        };
        Error { what, next, ..error }
    }

    /// The client may not read groups: what that takes. `code` is what the server says, `reference` what the help desk needs.
    fn not_permitted(&self, code: Option<String>, reference: Option<String>) -> Error {
        let second = self.look_up.profile.groups.graph_client.as_deref();
        let client = printable(second.unwrap_or(&self.look_up.profile.client_id), 60);
        let permission = graph::PERMISSION;
        let next = match second {
            _ if self.subject.app_only => format!(
                "Ask your administrator to consent to the application permissions {permission} and Application.Read.All for this application."
            ),
            None => NAME_A_CLIENT.to_owned(),
            Some(_) => format!(
                "Ask your administrator to consent to the delegated permissions {permission} and User.Read for the client of --graph-client-id.\nThen: {} --refresh",
                self.look_up.command
            ),
        };
        let code = code.map(|code| format!(" ({code})"));
        let what = format!(
            "Microsoft Graph does not list your groups: the client {client} may not ask it{}",
            code.unwrap_or_default()
        );
        Error::failed(what, next).with_reference(reference)
    }
}

/// What Graph is asked for.
const PURPOSE: &str = "read your groups";
/// What there is to do where the kubeconfig's client is not for Graph.
const NAME_A_CLIENT: &str =
    "Name a client of your own that has the delegated permission GroupMember.Read.All, with --graph-client-id ID.";

fn no_entra() -> Error {
    Error::failed("only Entra tenants have Microsoft Graph", "Leave out --graph-client-id.")
}
