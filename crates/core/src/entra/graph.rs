//! The groups of a user or an application, from Microsoft Graph.
//!
//! `getMemberGroups` lists up to 11,000 ids in one response; above that, and if it is refused, `transitiveMemberOf` is read
//! page by page. This module does not know where the token comes from, or what the groups are used for.
//!
//! Sources: <https://learn.microsoft.com/graph/api/directoryobject-getmembergroups>,
//! <https://learn.microsoft.com/graph/api/user-list-transitivememberof>,
//! <https://learn.microsoft.com/graph/api/directoryobject-getbyids>, <https://learn.microsoft.com/graph/errors>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use crate::budget::Budget;
use crate::http::Http;
use crate::http::rest::{ListPage, PageCursor, PagingError, RestClient, RestError, RestLimits, ServiceError};
use crate::secret::Secret;

/// The most that is read of one response, in bytes: 11,000 ids are half a MiB, a page of 999 groups is less.
pub const PAGE_CAP: usize = 8 * 1024 * 1024;
/// The permission that reading one's own groups takes, delegated to the client.
pub const PERMISSION: &str = "GroupMember.Read.All";
/// Groups on a page: the most that Graph gives.
const PAGE: usize = 999;
/// Ids that names are requested for at once: the most that Graph takes.
const NAMES: usize = 1000;
/// The memory that the responses of one look-up may take up, in bytes: 150,000 groups fit in.
const MEMORY: usize = 96 * 1024 * 1024;
/// The longest id or name that is kept, in bytes.
const LONGEST: usize = 512;

/// Whose groups are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GraphSubject {
    /// The user whose token it is.
    Me,
    /// A user, by object id or user principal name.
    User(String),
    /// An application, by the object id of its service principal.
    ServicePrincipal(String),
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// How bindings name it: an object id at Entra.
    pub id: String,
    /// The display name, if known. As the directory has it: not made fit for a terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The groups that were found, and why they are not all, if so.
#[derive(Debug)]
pub struct GraphGroups {
    /// Sorted by id, each once.
    pub groups: Vec<Group>,
    /// What kept the rest from being read.
    pub incomplete: Option<GraphError>,
}

/// Why Graph does not list groups, or not all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum GraphError {
    /// The client or the user lacks the permission.
    #[error("access to groups is denied")]
    Denied(#[source] ServiceError),
    /// A request failed for another reason.
    #[error(transparent)]
    Request(RestError),
    /// The list stops before its end.
    #[error("{origin} does not list all groups")]
    Incomplete {
        /// Scheme, host and port of the server.
        origin: String,
        /// Why.
        #[source]
        flaw: ListFlaw,
    },
}

/// What is wrong with a list of groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ListFlaw {
    /// Some entries have no id that a group could have.
    #[error("some groups have no valid id")]
    InvalidId,
    /// The pages lead nowhere.
    #[error(transparent)]
    Paging(#[from] PagingError),
}

/// Microsoft Graph, for one look-up.
pub struct Graph<'a> {
    rest: RestClient<'a>,
    memory: Budget,
    /// Receives the number of groups so far: none at the beginning.
    on_progress: &'a (dyn Fn(usize) + Sync),
}

#[derive(Deserialize)]
struct Ids {
    value: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DirectoryObject {
    #[serde(rename = "@odata.type")]
    kind: Option<String>,
    id: Option<String>,
    display_name: Option<String>,
}

impl<'a> Graph<'a> {
    /// Graph at `base`, with a token for it.
    ///
    /// Errors: the token cannot be sent.
    pub fn new(
        http: &'a Http,
        base: &'a Url,
        token: &'a Secret,
        limits: RestLimits,
        on_progress: &'a (dyn Fn(usize) + Sync),
    ) -> Result<Graph<'a>, GraphError> {
        let rest = RestClient::new(http, base, token, limits)?;
        Ok(Graph { rest, memory: Budget::new(MEMORY), on_progress })
    }

    /// All groups of `subject`, including those by way of other groups.
    ///
    /// Errors: see [`GraphError`]. A failure after the first groups is not an error but [`GraphGroups::incomplete`].
    pub async fn groups(&self, subject: &GraphSubject) -> Result<GraphGroups, GraphError> {
        let url = |call: &str| match subject {
            GraphSubject::Me => self.url(&["me", call]),
            GraphSubject::User(id) => self.url(&["users", id, call]),
            GraphSubject::ServicePrincipal(id) => self.url(&["servicePrincipals", id, call]),
        };
        (self.on_progress)(0);
        // A cluster needs security groups only, but Graph filters by that for users alone.
        let body = json!({ "securityEnabledOnly": false });
        match self.rest.query::<Ids>(&url("getMemberGroups"), &body, &self.memory).await {
            Ok(ids) => {
                let (valid, others): (Vec<String>, Vec<String>) = ids.value.into_iter().partition(|id| is_valid(id));
                let groups = group_list(valid.into_iter().map(|id| (id, None)).collect());
                let incomplete = (!others.is_empty()).then(|| self.incomplete(ListFlaw::InvalidId));
                Ok(GraphGroups { groups, incomplete })
            }
            Err(error) if asks_for_pages(&error) => {
                let mut first = url("transitiveMemberOf");
                first.query_pairs_mut().append_pair("$select", "id,displayName").append_pair("$top", &PAGE.to_string());
                self.pages(first).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Adds the names of groups that have none, as far as Graph knows them.
    ///
    /// Errors: see [`GraphError`].
    pub async fn name(&self, groups: &mut [Group]) -> Result<(), GraphError> {
        (self.on_progress)(0);
        let url = self.url(&["directoryObjects", "getByIds"]);
        let mut nameless: Vec<&mut Group> = groups.iter_mut().filter(|group| group.name.is_none()).collect();
        for some in nameless.chunks_mut(NAMES) {
            let ids: Vec<&str> = some.iter().map(|group| group.id.as_str()).collect();
            // A limit of its own, because only names of known groups are kept.
            let memory = Budget::new(MEMORY);
            let body = json!({ "ids": ids, "types": ["group"] });
            let page: ListPage<DirectoryObject> = self.rest.query(&url, &body, &memory).await?;
            let mut names: BTreeMap<String, String> = page
                .value
                .into_iter()
                .filter_map(|object| Some((object.id?, object.display_name?)))
                .filter(|(_, name)| is_valid(name))
                .collect();
            for group in some {
                group.name = names.remove(&group.id);
            }
        }
        Ok(())
    }

    /// Reads page after page.
    async fn pages(&self, first: Url) -> Result<GraphGroups, GraphError> {
        let mut groups: BTreeMap<String, Option<String>> = BTreeMap::new();
        let mut has_invalid = false;
        let mut cursor = PageCursor::new(first);
        let incomplete = loop {
            let page: ListPage<DirectoryObject> = match self.rest.get(cursor.url(), &self.memory).await {
                Ok(page) => page,
                Err(error) if groups.is_empty() => return Err(error.into()),
                Err(error) => break Some(error.into()),
            };
            let before = groups.len();
            // Directory roles are in the list too.
            let is_group = |object: &DirectoryObject| object.kind.as_deref() == Some("#microsoft.graph.group");
            for DirectoryObject { id, display_name, .. } in page.value.into_iter().filter(is_group) {
                match id.filter(|id| is_valid(id)) {
                    Some(id) => _ = groups.insert(id, display_name.filter(|name| is_valid(name))),
                    None => has_invalid = true,
                }
            }
            (self.on_progress)(groups.len());
            let Some(next) = page.next else { break has_invalid.then(|| self.incomplete(ListFlaw::InvalidId)) };
            if let Err(error) = cursor.advance(&next, groups.len() > before) {
                break Some(self.incomplete(error.into()));
            }
        };
        Ok(GraphGroups { groups: group_list(groups), incomplete })
    }

    fn incomplete(&self, flaw: ListFlaw) -> GraphError {
        GraphError::Incomplete { origin: self.rest.origin(), flaw }
    }

    fn url(&self, parts: &[&str]) -> Url {
        self.rest.url(["v1.0"].into_iter().chain(parts.iter().copied()))
    }
}

/// Whether `getMemberGroups` failed in a way that reading pages may not.
fn asks_for_pages(error: &RestError) -> bool {
    match error {
        RestError::Refused(refused) => refused.status == 403 || refused.code == "Directory_ResultSizeLimitExceeded",
        RestError::Status { status, .. } => *status == 403,
        _ => false,
    }
}

impl From<RestError> for GraphError {
    fn from(error: RestError) -> Self {
        match error {
            RestError::Refused(refused) if refused.code == "Authorization_RequestDenied" => GraphError::Denied(refused),
            other => GraphError::Request(other),
        }
    }
}

fn group_list(groups: BTreeMap<String, Option<String>>) -> Vec<Group> {
    groups.into_iter().map(|(id, name)| Group { id, name }).collect()
}

/// Whether an id or a name is worth keeping.
fn is_valid(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use crate::http::Network;

    const LIMITS: RestLimits = RestLimits { total: Duration::from_secs(20), per_request: Duration::from_secs(20) };

    /// Answers one request with a list of one group, and returns the request line.
    async fn answer_once(listener: &TcpListener) -> String {
        let (mut stream, _): (TcpStream, _) = listener.accept().await.expect("a connection");
        let mut request = Vec::new();
        while !request.ends_with(b"}") {
            let read = stream.read_buf(&mut request).await.expect("a request");
            assert_ne!(read, 0, "{}", String::from_utf8_lossy(&request));
        }
        let body = r#"{"value":["group-1"]}"#;
        let length = body.len();
        let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
        stream.write_all(response.as_bytes()).await.expect("sent");
        let request = String::from_utf8_lossy(&request).into_owned();
        request.lines().next().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn groups_of_any_user_or_service_principal_are_requested_by_id() {
        crate::http::install_crypto_provider();
        for (subject, path) in [
            (GraphSubject::Me, "/v1.0/me/getMemberGroups"),
            (GraphSubject::User("id-1".to_owned()), "/v1.0/users/id-1/getMemberGroups"),
            (
                GraphSubject::User("a/b?c@contoso.example".to_owned()),
                "/v1.0/users/a%2Fb%3Fc@contoso.example/getMemberGroups",
            ),
            (GraphSubject::ServicePrincipal("id-2".to_owned()), "/v1.0/servicePrincipals/id-2/getMemberGroups"),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let base = Url::parse(&format!("http://{address}/")).expect("a URL");
            let http = Http::new(&Network::default(), &base).expect("a client");
            let token = Secret::new("token".to_owned());
            let graph = Graph::new(&http, &base, &token, LIMITS, &|_| {}).expect("Graph");
            let (list, request) = tokio::join!(graph.groups(&subject), answer_once(&listener));
            assert_eq!(request, format!("POST {path} HTTP/1.1"));
            let list = list.expect("groups");
            assert!(list.incomplete.is_none());
            assert_eq!(list.groups, [Group { id: "group-1".to_owned(), name: None }]);
        }
    }

    #[test]
    fn graph_can_be_used_by_a_server_with_threads() {
        fn assert_send_sync<T: Send + Sync>() {}
        fn assert_send<T: Send>(_: T) {}
        assert_send_sync::<Graph<'static>>();
        assert_send_sync::<GraphError>();
        // Never run: the compiler is the judge.
        let _ = |graph: &Graph<'static>, groups: &mut [Group]| {
            assert_send(graph.groups(&GraphSubject::Me));
            assert_send(graph.name(groups));
        };
    }
}
