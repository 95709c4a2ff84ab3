//! Requests to a JSON API of a cloud, with a bearer token: one deadline for all of them, error objects, limits, and lists
//! in pages.
//!
//! Microsoft Graph and Azure Resource Manager share these conventions. Answers decide how much is read, but never where
//! from: a next page has to be at the same server. HTTP 429 and 5xx are retried within the deadline, after `Retry-After`
//! (see [`Http::fetch`]).
//!
//! Source: <https://github.com/microsoft/api-guidelines/blob/vNext/azure/Guidelines.md>.

use std::collections::HashSet;
use std::time::Duration;

use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use url::Url;

use super::{Http, HttpResponse, RetryPolicy, TransportError, bearer, origin};
use crate::budget::{Budget, ParseError};
use crate::masking::hide;
use crate::secret::Secret;
use crate::text::printable;

/// Pages in a row that may bring nothing new. A few are possible: a list may hold items of other kinds.
const BARREN_PAGES: usize = 20;

/// How long requests may take.
#[derive(Clone, Copy, Debug)]
pub struct RestLimits {
    /// For all requests of a client.
    pub total: Duration,
    /// For one request, including retries and the waits that the server asks for.
    pub per_request: Duration,
}

/// An API at one server, for requests that share a token and a deadline.
#[derive(Clone)]
pub struct RestClient<'a> {
    http: &'a Http,
    base: &'a Url,
    headers: HeaderMap,
    token: &'a Secret,
    deadline: Instant,
    per_request: Duration,
}

/// An error object of the API, its texts fit to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("the server refused the request ({code}, HTTP {status})")]
pub struct ServiceError {
    /// The HTTP status.
    pub status: u16,
    /// The API's own code, which tells more than the status.
    pub code: String,
    /// The server's words, possibly empty.
    pub message: String,
    /// The id of the request, for the help desk.
    pub request_id: Option<String>,
    /// The server's time, for the help desk.
    pub date: Option<String>,
}

/// Why a request brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum RestError {
    /// The token holds characters that no header can.
    #[error("the token holds control characters")]
    UnusableToken,
    /// There is no usable HTTP response.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The server refused, with an error object.
    #[error(transparent)]
    Refused(#[from] ServiceError),
    /// The server refused, without an error object.
    #[error("{origin} answered with HTTP {status}")]
    Status {
        /// Scheme, host and port.
        origin: String,
        /// The HTTP status.
        status: u16,
    },
    /// The response is not the expected JSON.
    #[error("{origin} answered with something else than expected")]
    Malformed {
        /// Scheme, host and port.
        origin: String,
    },
    /// The response would take up more memory than is allowed.
    #[error("{origin} answered with more than is read")]
    TooLarge {
        /// Scheme, host and port.
        origin: String,
    },
}

/// One page of a list.
#[derive(Debug, Deserialize)]
pub struct ListPage<T> {
    /// The items.
    pub value: Vec<T>,
    /// Where the next page is (`@odata.nextLink` at Graph, `nextLink` at Azure Resource Manager).
    #[serde(rename = "@odata.nextLink", alias = "nextLink")]
    pub next: Option<String>,
}

/// Why the next page of a list is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum PagingError {
    /// It would be at another server.
    #[error("the next page is at another server")]
    OtherServer,
    /// It has been read already.
    #[error("the pages form a loop")]
    Loop,
    /// Too many pages in a row brought nothing new.
    #[error("page after page brings nothing new")]
    NothingNew,
}

/// A position in a list of pages.
#[derive(Debug)]
pub struct PageCursor {
    url: Url,
    seen: HashSet<String>,
    barren: usize,
}

impl PageCursor {
    /// At the first page.
    pub fn new(first: Url) -> PageCursor {
        PageCursor { seen: HashSet::from([first.to_string()]), url: first, barren: 0 }
    }

    /// The page to read now.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Moves to the page at `next`, as the present page names it; `brought_items` if that had items which are new.
    ///
    /// Errors: see [`PagingError`]; the cursor stays where it is.
    pub fn advance(&mut self, next: &str, brought_items: bool) -> Result<(), PagingError> {
        self.barren = if brought_items { 0 } else { self.barren + 1 };
        let next = self.url.join(next).ok().filter(|next| next.origin() == self.url.origin());
        let next = next.ok_or(PagingError::OtherServer)?;
        if self.seen.contains(next.as_str()) {
            return Err(PagingError::Loop);
        }
        if self.barren >= BARREN_PAGES {
            return Err(PagingError::NothingNew);
        }
        self.seen.insert(next.to_string());
        self.url = next;
        Ok(())
    }
}

impl<'a> RestClient<'a> {
    /// A client for the API at `base`. The deadline for all of its requests begins now.
    ///
    /// Errors: [`RestError::UnusableToken`].
    pub fn new(http: &'a Http, base: &'a Url, token: &'a Secret, limits: RestLimits) -> Result<Self, RestError> {
        let authorization = bearer(token).map_err(|_| RestError::UnusableToken)?;
        let accept = (ACCEPT, HeaderValue::from_static("application/json"));
        let headers = HeaderMap::from_iter([(AUTHORIZATION, authorization), accept]);
        let deadline = Instant::now() + limits.total;
        Ok(RestClient { http, base, headers, token, deadline, per_request: limits.per_request })
    }

    /// Scheme, host and port of the server, fit to be shown.
    pub fn origin(&self) -> String {
        origin(self.base)
    }

    /// A URL at the server. Each part is one segment of the path, whatever characters it holds.
    pub fn url<'p>(&self, parts: impl IntoIterator<Item = &'p str>) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(parts);
        }
        url
    }

    /// Gets JSON, which takes its memory off `memory`.
    ///
    /// Errors: see [`RestError`].
    pub async fn get<T: DeserializeOwned>(&self, url: &Url, memory: &Budget) -> Result<T, RestError> {
        let response = self.http.fetch(url, self.headers.clone(), self.time_left()).await?;
        self.read(response, memory)
    }

    /// Sends a POST that only reads, so that it may be repeated, and gets JSON.
    ///
    /// Errors: see [`RestError`].
    pub async fn query<T: DeserializeOwned>(
        &self,
        url: &Url,
        body: &serde_json::Value,
        memory: &Budget,
    ) -> Result<T, RestError> {
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let sent = body.to_string().into_bytes();
        let response = self.http.post(url, headers, sent, self.time_left(), RetryPolicy::Idempotent).await?;
        self.read(response, memory)
    }

    fn read<T: DeserializeOwned>(&self, response: HttpResponse, memory: &Budget) -> Result<T, RestError> {
        let status = response.status;
        let body = self.token.hidden_in(response.body);
        if status == 200 {
            return memory.parse(&body).map_err(|error| match error {
                ParseError::TooLarge => RestError::TooLarge { origin: self.origin() },
                ParseError::Malformed => RestError::Malformed { origin: self.origin() },
            });
        }
        Err(match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(ErrorBody { error }) => RestError::Refused(error.shown(status, &self.secrets())),
            Err(_) => RestError::Status { origin: self.origin(), status },
        })
    }

    /// What the server could repeat and must not be shown.
    fn secrets(&self) -> Vec<&str> {
        self.http.secrets().chain([self.token]).map(Secret::expose).collect()
    }

    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now()).min(self.per_request)
    }
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorFields,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErrorFields {
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

impl ErrorFields {
    /// The same fit to be shown, without `secrets`: code and ids are the API's own, but another server may answer for it.
    fn shown(self, status: u16, secrets: &[&str]) -> ServiceError {
        let shown = |text: &str, length: usize| printable(&hide(text, secrets.iter().copied()), length);
        let InnerError { request_id, date } = self.inner_error.unwrap_or(InnerError { request_id: None, date: None });
        ServiceError {
            status,
            code: shown(&self.code, 80),
            message: shown(self.message.as_deref().unwrap_or_default(), 300),
            request_id: request_id.map(|id| shown(&id, 60)),
            date: date.map(|date| shown(&date, 60)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor() -> PageCursor {
        PageCursor::new(Url::parse("https://api.example/list?page=1").expect("a URL"))
    }

    #[test]
    fn next_page_is_read_at_the_same_server_only() {
        let mut cursor = cursor();
        for elsewhere in ["https://evil.example/list", "//evil.example/", "http://api.example/list", "https://[x/"] {
            assert_eq!(cursor.advance(elsewhere, true), Err(PagingError::OtherServer), "{elsewhere}");
        }
        assert_eq!(cursor.advance("https://api.example/list?page=2", true), Ok(()));
        assert_eq!(cursor.url().query(), Some("page=2"));
    }

    #[test]
    fn pages_in_a_loop_or_without_news_come_to_an_end() {
        let mut looping = cursor();
        assert_eq!(looping.advance("?page=2", true), Ok(()));
        assert_eq!(looping.advance("?page=1", true), Err(PagingError::Loop));
        let mut barren = cursor();
        let end = (2..100).map(|page| barren.advance(&format!("?page={page}"), false)).position(|moved| moved.is_err());
        assert_eq!(end, Some(BARREN_PAGES - 1));
    }

    #[test]
    fn error_object_is_shown_without_secrets_and_control_characters() {
        let body = r#"{"error":{"code":"Denied","message":"no \u001b[31m for s3cr3t-token","innerError":{"request-id":"r","date":"d"}}}"#;
        let body: ErrorBody = serde_json::from_str(body).expect("an error object");
        let error = body.error.shown(403, &["s3cr3t-token"]);
        assert!(!error.message.contains("s3cr3t") && !error.message.contains('\u{1b}'), "{error:?}");
        assert_eq!((error.status, error.code.as_str(), error.request_id.as_deref()), (403, "Denied", Some("r")));
    }
}
