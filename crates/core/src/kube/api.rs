//! The client for the API server of one cluster: connection, requests, and lists page by page.
//!
//! Must not know where the token comes from, or what the requested objects mean.
//!
//! Source: <https://kubernetes.io/docs/reference/using-api/api-concepts/>; for how it is reached, client-go's `rest` and
//! `transport` packages.

use std::collections::HashSet;
use std::future::Future;
use std::time::Duration;

use chrono::TimeDelta;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::budget::{Budget, ParseError};
use crate::http::ca_file::CaFile;
use crate::http::network::Network;
use crate::http::{self, ClusterRoute, Http, HttpResponse, RetryPolicy, TransportError};
use crate::kube::api_credentials::ApiCredentials;
use crate::kube::kubeconfig::KubeconfigCluster;
use crate::secret::Secret;
use crate::text::printable;

mod error;

pub use error::{ApiClientError, ApiError};

/// The most that is read of an answer, in bytes. A page of large roles is far below it.
const ANSWER_CAP: usize = 16 * 1024 * 1024;
/// The memory that all objects may take up that are read from one server, in bytes: tens of thousands of bindings fit in.
const MEMORY: usize = 128 * 1024 * 1024;
/// The same for a review: 300,000 groups fit in.
const REVIEW_MEMORY: usize = 32 * 1024 * 1024;
/// Objects in one page of a list, as kubectl has it.
const PAGE: &str = "500";
/// Objects that are read of a list, more than a cluster has of bindings or of roles, and the pages that these may come in.
const OBJECTS: usize = 100_000;
const PAGES: usize = 1000;
/// One API server, and the credentials that are sent to it.
pub struct ApiClient {
    http: Http,
    /// The URL below which everything is.
    base: Url,
    /// The server's own scheme, host and port, for messages.
    server: String,
    headers: HeaderMap,
    /// Secrets to hide if the server repeats them.
    credentials: ApiCredentials,
    limit: Duration,
    /// For the objects of this server together.
    memory: Budget,
}

impl ApiClient {
    /// A client that sends `token` to the API server of `cluster`. It uses the environment's part of `network` (proxies and
    /// `SSL_CERT_FILE`), not the settings for an issuer. `limit` is the time for each call.
    ///
    /// # Errors
    /// [`ApiClientError`]: no URL, or one that is neither https nor on this machine; http through a proxy on another
    /// machine; a certificate authority or a proxy that cannot be used.
    pub fn new(
        cluster: &KubeconfigCluster,
        network: &Network,
        token: &Secret,
        limit: Duration,
    ) -> Result<ApiClient, ApiClientError> {
        ApiClient::with_credentials(cluster, network, &ApiCredentials::bearer(token), limit)
    }

    /// The same without a token.
    ///
    /// # Errors
    /// Those of [`ApiClient::new`].
    pub fn anonymous(
        cluster: &KubeconfigCluster,
        network: &Network,
        limit: Duration,
    ) -> Result<ApiClient, ApiClientError> {
        ApiClient::with_credentials(cluster, network, &ApiCredentials::default(), limit)
    }

    /// The same with other credentials than a token.
    ///
    /// # Errors
    /// Those of [`ApiClient::new`]; credentials that cannot be sent.
    pub fn with_credentials(
        cluster: &KubeconfigCluster,
        network: &Network,
        credentials: &ApiCredentials,
        limit: Duration,
    ) -> Result<ApiClient, ApiClientError> {
        let mut url = server_url(cluster)?;
        // A password in the URL must not be sent beside the token.
        let _ = (url.set_username(""), url.set_password(None));
        url.set_query(None);
        url.set_fragment(None);
        let data = cluster.certificate_authority_data.iter().cloned().collect::<Vec<_>>();
        let file = cluster.certificate_authority.clone().filter(|_| data.is_empty());
        // kubectl refuses both, so the stricter one applies.
        let insecure = cluster.insecure_skip_tls_verify && data.is_empty() && file.is_none();
        let network = Network {
            ca_files: file.into_iter().map(CaFile::unread).collect(),
            ca_data: data,
            insecure,
            environment_roots: network.environment_roots.clone(),
            proxies: network.proxies.clone(),
            ..Network::default()
        };
        let route = ClusterRoute {
            url: &url,
            tls_server_name: cluster.tls_server_name.as_deref(),
            proxy: cluster.proxy_url.as_deref(),
            certificate: credentials.certificate.as_ref(),
        };
        let http = Http::for_cluster(&network, &route).map_err(ApiClientError::Connection)?.with_cap(ANSWER_CAP);
        if route.sends_token_in_clear() {
            return Err(ApiClientError::ExposedByProxy { server: http::origin(&url) });
        }
        let headers = credentials.headers()?;
        let (server, credentials, memory) = (http::origin(&url), credentials.clone(), Budget::new(MEMORY));
        Ok(ApiClient { http, base: url, server, headers, credentials, limit, memory })
    }

    /// Scheme, host and port of the server, for messages.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The same server with another limit for every call.
    pub fn with_limit(self, limit: Duration) -> ApiClient {
        ApiClient { limit, ..self }
    }

    /// The end of the limit, if it begins now: for several calls that have it together.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.limit
    }

    /// The result of `asking`, if it is there before `deadline`. After that, no request is sent.
    ///
    /// # Errors
    /// [`ApiError`], a late one being [`crate::http::TransportErrorKind::Timeout`].
    pub async fn before<T>(
        &self,
        deadline: Instant,
        asking: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        let late = || Err(ApiError::Unreachable(self.http.timed_out(&self.base)));
        // `timeout_at` polls once even if the deadline has passed.
        if Instant::now() >= deadline {
            return late();
        }
        timeout_at(deadline, asking).await.unwrap_or_else(|_| late())
    }

    /// Gets the object at the path of these `segments`.
    ///
    /// # Errors
    /// [`ApiError`]
    pub async fn get<T: DeserializeOwned>(&self, segments: &[&str]) -> Result<T, ApiError> {
        self.get_as(segments, "application/json").await
    }

    /// The same in a form that `accept` asks for (RFC 9110 section 12.5.1); a server that does not have it answers in
    /// another.
    ///
    /// # Errors
    /// [`ApiError`]
    pub async fn get_as<T: DeserializeOwned>(&self, segments: &[&str], accept: &'static str) -> Result<T, ApiError> {
        parsed(&self.fetch(&self.at(segments), accept).await?, &self.memory)
    }

    /// All objects of the list at the path of these `segments`, page by page.
    ///
    /// # Errors
    /// [`ApiError`]; [`ApiError::EndlessList`] where these would not be all.
    pub async fn list<T: DeserializeOwned>(&self, segments: &[&str]) -> Result<Vec<T>, ApiError> {
        let mut found = Vec::new();
        let mut token = String::new();
        let mut seen = HashSet::new();
        for _ in 0..PAGES {
            let mut url = self.at(segments);
            url.query_pairs_mut().append_pair("limit", PAGE);
            if !token.is_empty() {
                url.query_pairs_mut().append_pair("continue", &token);
            }
            let page: ObjectList<T> = match self.fetch(&url, "application/json").await {
                // The rest of the list has expired while it was read: all of it at once then, as client-go does.
                Err(ApiError::Status { status: 410, .. }) if !token.is_empty() => {
                    let whole = self.fetch(&self.at(segments), "application/json").await?;
                    let whole: ObjectList<T> = parsed(&whole, &self.memory)?;
                    return Ok(whole.items);
                }
                answer => parsed(&answer?, &self.memory)?,
            };
            found.extend(page.items);
            token = page.metadata.next;
            if token.is_empty() {
                return Ok(found);
            }
            if found.len() >= OBJECTS || !seen.insert(token.clone()) {
                break;
            }
        }
        Err(ApiError::EndlessList)
    }

    /// Sends `body` to the path of these `segments` and reads the object that comes back.
    ///
    /// # Errors
    /// [`ApiError`]
    pub async fn post<T: DeserializeOwned>(&self, segments: &[&str], body: &impl Serialize) -> Result<T, ApiError> {
        let mut headers = self.headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // Bodies are types of this program, whose serialization cannot fail.
        let body = serde_json::to_vec(body).unwrap_or_default();
        let answer = self.http.post(&self.at(segments), headers, body, self.limit, RetryPolicy::Idempotent).await;
        parsed(&self.read(answer)?, &Budget::new(REVIEW_MEMORY))
    }

    /// Asks for `GET /version`. A server that refuses anonymous requests is reachable, so its version is `None`.
    ///
    /// # Errors
    /// [`ApiError`]
    pub async fn probe(&self) -> Result<ServerInfo, ApiError> {
        let answer = self.http.fetch(&self.at(&["version"]), self.headers.clone(), self.limit).await;
        let clock_ahead = answer.as_ref().ok().and_then(HttpResponse::clock_ahead);
        if answer.as_ref().is_ok_and(|answer| error::is_page(&answer.body)) {
            return Err(ApiError::NotKubernetes);
        }
        let version = match self.read(answer) {
            Ok(body) => Some(printable(&parsed::<VersionInfo>(&body, &self.memory)?.git_version, 60)),
            Err(ApiError::Unauthorized | ApiError::Forbidden(_) | ApiError::NotFound) => None,
            Err(error) => return Err(error),
        };
        Ok(ServerInfo { version, clock_ahead })
    }

    fn at(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    async fn fetch(&self, url: &Url, accept: &'static str) -> Result<Vec<u8>, ApiError> {
        let mut headers = self.headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        self.read(self.http.fetch(url, headers, self.limit).await)
    }

    /// The body of a good answer.
    fn read(&self, answer: Result<HttpResponse, TransportError>) -> Result<Vec<u8>, ApiError> {
        let answer = answer.map_err(ApiError::Unreachable)?;
        let HttpResponse { status, body, .. } = answer;
        let body = self.credentials.hidden_in(body);
        let secrets = self.credentials.secrets().chain(self.http.secrets()).map(Secret::expose);
        error::status_error(status, &body, &secrets.collect::<Vec<_>>()).map_or(Ok(body), Err)
    }
}

/// The server's version and time, as an anonymous client sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// The Kubernetes version, printable, if the server shows it to this client.
    pub version: Option<String>,
    /// How far this machine's clock is ahead of the server's, if the answer has a date.
    pub clock_ahead: Option<TimeDelta>,
}

fn server_url(cluster: &KubeconfigCluster) -> Result<Url, ApiClientError> {
    let server = cluster.server.as_ref().ok_or(ApiClientError::NoServer)?;
    match Url::parse(server) {
        Ok(url) if http::is_acceptable(&url) => Ok(url),
        Ok(url) if matches!(url.scheme(), "http" | "https") => {
            Err(ApiClientError::InsecureUrl { server: http::origin(&url) })
        }
        _ => Err(ApiClientError::InvalidUrl),
    }
}

fn parsed<T: DeserializeOwned>(body: &[u8], memory: &Budget) -> Result<T, ApiError> {
    memory.parse(body).map_err(|error| match error {
        ParseError::TooLarge => ApiError::TooLarge,
        ParseError::Malformed => ApiError::NotKubernetes,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VersionInfo {
    git_version: String,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct ObjectList<T> {
    #[serde(default, deserialize_with = "null_as_default")]
    metadata: ListMeta,
    /// Go writes an empty list as null.
    #[serde(default = "Vec::new", deserialize_with = "null_as_default")]
    items: Vec<T>,
}

#[derive(Default, Deserialize)]
struct ListMeta {
    #[serde(default, rename = "continue", deserialize_with = "null_as_default")]
    next: String,
}

/// For fields that Go leaves out or writes as null when they are empty.
pub(super) fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(cluster: &KubeconfigCluster) -> Result<ApiClient, ApiClientError> {
        ApiClient::new(cluster, &Network::default(), &Secret::new("TOKEN"), Duration::from_secs(1))
    }

    fn cluster(server: &str) -> KubeconfigCluster {
        KubeconfigCluster {
            server: Some(server.to_owned()),
            insecure_skip_tls_verify: true,
            ..KubeconfigCluster::default()
        }
    }

    #[test]
    fn insecure_and_invalid_server_urls_are_refused() {
        let error = |server: &str| api(&cluster(server)).map(|_| ()).expect_err("it is refused");
        assert_eq!(
            error("http://user:PASSWORD@api.example:8080/x"),
            ApiClientError::InsecureUrl { server: "http://api.example:8080".to_owned() }
        );
        assert_eq!(error("PASSWORD@api"), ApiClientError::InvalidUrl);
        assert_eq!(api(&KubeconfigCluster::default()).map(|_| ()), Err(ApiClientError::NoServer));
        assert!(api(&cluster("http://127.0.0.1:1")).is_ok() && api(&cluster("https://api.example")).is_ok());
    }

    #[test]
    fn http_through_a_proxy_on_another_machine_is_refused() {
        let through = |server: &str, proxy: &str| {
            api(&KubeconfigCluster { proxy_url: Some(proxy.to_owned()), ..cluster(server) }).map(|_| ())
        };
        for proxy in ["http://proxy.example:3128", "https://u:PASSWORD@10.0.0.1"] {
            let server = "http://127.0.0.1:8080".to_owned();
            assert_eq!(through(&server.clone(), proxy), Err(ApiClientError::ExposedByProxy { server }));
            assert_eq!(through("https://127.0.0.1:6443", proxy), Ok(()));
        }
        for proxy in ["http://localhost:3128", "http://[::1]:3128"] {
            assert_eq!(through("http://127.0.0.1:8080", proxy), Ok(()), "{proxy}");
        }
    }

    #[test]
    fn paths_are_below_the_server_url_and_names_are_escaped() {
        let api = api(&cluster("https://u:p@rancher.example/k8s/clusters/c-1/?a=b#c")).expect("an API");
        assert_eq!(
            api.at(&["api", "v1", "namespaces", "../a?b/c", "pods"]).as_str(),
            "https://rancher.example/k8s/clusters/c-1/api/v1/namespaces/..%2Fa%3Fb%2Fc/pods"
        );
        assert!(format!("{:?}", api.headers).contains("Sensitive"));
    }

    #[test]
    fn empty_list_may_be_absent_or_null() {
        for text in ["{}", r#"{"items":null,"metadata":null}"#, r#"{"items":[],"metadata":{"continue":null}}"#] {
            let page: ObjectList<String> = serde_json::from_str(text).expect(text);
            assert!(page.items.is_empty() && page.metadata.next.is_empty());
        }
    }
}
