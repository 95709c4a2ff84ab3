//! The groups of whoever is signed in, from Microsoft Graph.
//!
//! `getMemberGroups` gives up to 11,000 ids in one answer; beyond that, and where it is refused, `transitiveMemberOf` is
//! read page by page. Graph's answers decide how much is read, never where from: what they name as the next page has to
//! be at the same server. It must not know where the token comes from, or what becomes of the groups.
//!
//! Sources: <https://learn.microsoft.com/graph/api/directoryobject-getmembergroups>,
//! <https://learn.microsoft.com/graph/api/user-list-transitivememberof>,
//! <https://learn.microsoft.com/graph/api/directoryobject-getbyids>, <https://learn.microsoft.com/graph/errors>.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;
use url::Url;

use crate::budget::{Budget, ParseError};
use crate::error::{Error, Result};
use crate::http::{Http, HttpResponse, Peer, RetryPolicy, TransportError, bearer, origin};
use crate::masking::hide;
use crate::secret::Secret;
use crate::text::printable;

/// The most that is read of one answer, in bytes: 11,000 ids are half a MiB, a page of 999 groups is less.
pub const PAGE_CAP: usize = 8 * 1024 * 1024;
/// The permission that reading one's own groups takes, delegated to the client.
pub const PERMISSION: &str = "GroupMember.Read.All";
/// Groups on a page: the most that Graph gives.
const PAGE: usize = 999;
/// Ids that names are asked for at once: the most that Graph takes.
const NAMES: usize = 1000;
/// Pages that bring nothing new, in a row. A few are possible: roles stand among the groups.
const BARREN: usize = 20;
/// The memory that the answers of one look-up may take up, in bytes: 150,000 groups fit in.
const MEMORY: usize = 96 * 1024 * 1024;
/// Why an answer is not to be taken for all there is.
const NO_GROUP: &str = "some of them are named by nothing that could be a group's id";
/// The longest id or name that is taken, in bytes.
const LONGEST: usize = 512;

/// Whose groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// The person whose token it is.
    Me,
    /// An application, by the object id of its service principal.
    ServicePrincipal(String),
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// What bindings name it by: an object id at Entra.
    pub id: String,
    /// What people call it, where that is known. As the directory has it: not made fit for a terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Groups, and why these are not all of them, where that is so.
#[derive(Debug)]
pub struct Found {
    /// Sorted by id, each once.
    pub groups: Vec<Group>,
    /// What kept the rest from being read.
    pub cut_short: Option<Error>,
}

/// Why Graph says nothing.
#[derive(Debug)]
pub enum GraphError {
    /// The client, or the person, has not been given the permission.
    Denied(Error),
    /// Something else.
    Failed(Error),
}

/// Microsoft Graph, for one look-up.
pub struct Graph<'a> {
    http: &'a Http,
    base: &'a Url,
    headers: HeaderMap,
    token: &'a Secret,
    deadline: Instant,
    /// For one call, the waits that Graph asks for included.
    call_limit: Duration,
    memory: Budget,
    /// Told how many groups there are so far: none when Graph has just been asked.
    on_progress: &'a dyn Fn(usize),
}

#[derive(Deserialize)]
struct Ids {
    value: Vec<String>,
}

#[derive(Deserialize)]
struct Page {
    value: Vec<Object>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    #[serde(rename = "@odata.type")]
    kind: Option<String>,
    id: Option<String>,
    display_name: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: RefusalError,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefusalError {
    code: String,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    inner_error: Option<InnerError>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct InnerError {
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default)]
    date: Option<String>,
}

/// An answer that is no success.
struct NoSuccess {
    status: u16,
    /// Graph's own code, which alone tells what the matter is; the status may be any.
    code: String,
    error: Error,
}

impl<'a> Graph<'a> {
    /// Graph at `base`, asked with a token of its own for no longer than `limit` in all, and `call_limit` at a time.
    ///
    /// Errors: the token cannot be sent.
    pub fn new(
        http: &'a Http,
        base: &'a Url,
        token: &'a Secret,
        (limit, call_limit): (Duration, Duration),
        on_progress: &'a dyn Fn(usize),
    ) -> Result<Graph<'a>> {
        let accept = (ACCEPT, HeaderValue::from_static("application/json"));
        let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer(token)?), accept]);
        let (deadline, memory) = (Instant::now() + limit, Budget::new(MEMORY));
        Ok(Graph { http, base, headers, token, deadline, call_limit, memory, on_progress })
    }

    /// All groups, those by way of other groups included.
    ///
    /// Errors: see [`GraphError`]. What was read before something went wrong is no error but [`Found::cut_short`].
    pub async fn groups(&self, of: &Member) -> Result<Found, GraphError> {
        let at = |call: &str| match of {
            Member::Me => self.address(&["me", call]),
            Member::ServicePrincipal(id) => self.address(&["servicePrincipals", id, call]),
        };
        (self.on_progress)(0);
        // People's own: security groups would do for a cluster, but only users may be asked about those alone.
        let body = json!({ "securityEnabledOnly": false });
        match self.post::<Ids>(&at("getMemberGroups"), &body, &self.memory).await? {
            Ok(ids) => {
                let (some, others): (Vec<String>, Vec<String>) = ids.value.into_iter().partition(|id| is_sensible(id));
                let groups = listed(some.into_iter().map(|id| (id, None)).collect());
                let cut_short = (!others.is_empty()).then(|| self.lies(NO_GROUP));
                Ok(Found { groups, cut_short })
            }
            Err(refused) if refused.code == "Directory_ResultSizeLimitExceeded" || refused.status == 403 => {
                let mut first = at("transitiveMemberOf");
                first.query_pairs_mut().append_pair("$select", "id,displayName").append_pair("$top", &PAGE.to_string());
                self.pages(first).await
            }
            Err(refused) => Err(refused.into()),
        }
    }

    /// What the groups are called, as far as Graph knows them; asked for those without a name.
    ///
    /// Errors: see [`GraphError`].
    pub async fn name(&self, groups: &mut [Group]) -> Result<(), GraphError> {
        (self.on_progress)(0);
        let at = self.address(&["directoryObjects", "getByIds"]);
        let mut nameless: Vec<&mut Group> = groups.iter_mut().filter(|group| group.name.is_none()).collect();
        for some in nameless.chunks_mut(NAMES) {
            let ids: Vec<&str> = some.iter().map(|group| group.id.as_str()).collect();
            // Of these only names are kept, of groups that are known.
            let memory = Budget::new(MEMORY);
            let page: Page = self.post(&at, &json!({ "ids": ids, "types": ["group"] }), &memory).await??;
            let mut names: BTreeMap<String, String> = page
                .value
                .into_iter()
                .filter_map(|object| Some((object.id?, object.display_name?)))
                .filter(|(_, name)| is_sensible(name))
                .collect();
            for group in some {
                group.name = names.remove(&group.id);
            }
        }
        Ok(())
    }

    /// Reads page after page, as long as they bring something new and stay where they began.
    async fn pages(&self, first: Url) -> Result<Found, GraphError> {
        let mut groups: BTreeMap<String, Option<String>> = BTreeMap::new();
        let mut seen: HashSet<String> = HashSet::new();
        let (mut barren, mut flawed) = (0, false);
        let mut at = first;
        let cut_short = loop {
            seen.insert(at.to_string());
            let page: Page = match self.get(&at).await {
                Ok(Ok(page)) => page,
                Ok(Err(refused)) if groups.is_empty() => return Err(refused.into()),
                Err(error) if groups.is_empty() => return Err(error),
                Ok(Err(refused)) => break Some(refused.error),
                Err(GraphError::Denied(error) | GraphError::Failed(error)) => break Some(error),
            };
            let before = groups.len();
            let of_groups =
                page.value.into_iter().filter(|object| object.kind.as_deref() == Some("#microsoft.graph.group"));
            for Object { id, display_name, .. } in of_groups {
                match id.filter(|id| is_sensible(id)) {
                    Some(id) => _ = groups.insert(id, display_name.filter(|name| is_sensible(name))),
                    None => flawed = true,
                }
            }
            (self.on_progress)(groups.len());
            let Some(next) = page.next else { break flawed.then(|| self.lies(NO_GROUP)) };
            barren = if groups.len() > before { 0 } else { barren + 1 };
            let next = at.join(&next).ok().filter(|next| next.origin() == self.base.origin());
            let why = match next {
                None => "it names a next page at another server, which is not asked",
                Some(next) if seen.contains(next.as_str()) => "its pages lead back to where they began",
                Some(_) if barren >= BARREN => "page after page brings nothing new",
                Some(next) => {
                    at = next;
                    continue;
                }
            };
            break Some(self.lies(why));
        };
        Ok(Found { groups: listed(groups), cut_short })
    }

    fn lies(&self, why: &str) -> Error {
        Error::failed(
            format!("{} does not list all groups: {why}", origin(self.base)),
            "Check the proxy, and whether something stands between this machine and Microsoft Graph.",
        )
    }

    /// An address below `v1.0`; each part is one segment of the path, whatever is in it.
    fn address(&self, parts: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().push("v1.0").extend(parts);
        }
        url
    }

    async fn post<T: DeserializeOwned>(
        &self,
        url: &Url,
        body: &serde_json::Value,
        memory: &Budget,
    ) -> Result<Result<T, NoSuccess>, GraphError> {
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let sent = body.to_string().into_bytes();
        // Both calls only read, however they are spelled.
        let answer = self.http.post(url, headers, sent, self.left(), RetryPolicy::Idempotent).await;
        self.read(answer, memory)
    }

    async fn get<T: DeserializeOwned>(&self, url: &Url) -> Result<Result<T, NoSuccess>, GraphError> {
        let answer = self.http.fetch(url, self.headers.clone(), self.left()).await;
        self.read(answer, &self.memory)
    }

    fn read<T: DeserializeOwned>(
        &self,
        answer: Result<HttpResponse, TransportError>,
        memory: &Budget,
    ) -> Result<Result<T, NoSuccess>, GraphError> {
        let answer = answer.map_err(|trouble| {
            GraphError::Failed(trouble.explain("read your groups", Peer::Service("Microsoft Graph")))
        })?;
        let body = self.token.hidden_in(answer.body);
        if answer.status == 200 {
            return memory.parse(&body).map(Ok).map_err(|error| {
                GraphError::Failed(self.no_graph(match error {
                    ParseError::TooLarge => "more groups than a user can be in",
                    ParseError::Malformed => "something that is not a list of groups",
                }))
            });
        }
        Ok(Err(match serde_json::from_slice::<Refusal>(&body) {
            Ok(refusal) => refusal.error.without(&self.secrets()).explained(answer.status),
            Err(_) => NoSuccess {
                status: answer.status,
                code: String::new(),
                error: self.no_graph(&format!("HTTP {}", answer.status)),
            },
        }))
    }

    /// What Graph must not be heard repeating.
    fn secrets(&self) -> Vec<&str> {
        self.http.secrets().chain([self.token]).map(Secret::expose).collect()
    }

    fn no_graph(&self, found: &str) -> Error {
        Error::failed(
            format!("cannot read your groups: {} answered with {found}", origin(self.base)),
            "Check the proxy, and whether something stands between this machine and Microsoft Graph.",
        )
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now()).min(self.call_limit)
    }
}

impl RefusalError {
    /// The same without `secrets`. Code and ids are Graph's own, but who answers may be another.
    fn without(self, secrets: &[&str]) -> Self {
        let hidden = |text: String| hide(&text, secrets.iter().copied());
        let inner_error = self
            .inner_error
            .map(|inner| InnerError { request_id: inner.request_id.map(hidden), date: inner.date.map(hidden) });
        RefusalError { code: hidden(self.code), message: self.message.map(hidden), inner_error }
    }

    fn explained(self, status: u16) -> NoSuccess {
        let code = printable(&self.code, 80);
        let message = printable(self.message.as_deref().unwrap_or_default(), 300);
        let what = match message.is_empty() {
            true => format!("Microsoft Graph does not list your groups ({code})"),
            false => format!("Microsoft Graph does not list your groups: {message} ({code})"),
        };
        let inner = self.inner_error;
        let request = inner.as_ref().and_then(|inner| inner.request_id.as_deref());
        let date = inner.as_ref().and_then(|inner| inner.date.as_deref());
        let labelled = |label: &str, text: Option<&str>| text.map(|text| format!("{label} {}", printable(text, 60)));
        let reference: Vec<String> =
            [Some(code), labelled("request", request), labelled("at", date)].into_iter().flatten().collect();
        let error = Error::failed(what, "Try again later, or show your administrator the line for the help desk.")
            .with_reference(Some(reference.join(", ")));
        NoSuccess { status, code: self.code, error }
    }
}

impl From<NoSuccess> for GraphError {
    fn from(refused: NoSuccess) -> Self {
        match refused.code.as_str() {
            "Authorization_RequestDenied" => GraphError::Denied(refused.error),
            _ => GraphError::Failed(refused.error),
        }
    }
}

fn listed(groups: BTreeMap<String, Option<String>>) -> Vec<Group> {
    groups.into_iter().map(|(id, name)| Group { id, name }).collect()
}

/// Whether a text from outside is worth keeping.
fn is_sensible(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST
}
