//! HTTP policy: which servers are contacted, deadlines, limits on responses, and retries.
//!
//! https only, except on loopback; no redirect on a POST; responses are capped; every request has a deadline; 429, 5xx and
//! broken connections are retried with back-off within it. It must not know what the responses mean.

pub mod ca_file;
mod certificate;
mod client;
mod connection;
mod dial;
mod encoding;
mod handshake;
pub mod network;
mod proxy;
mod proxy_fault;
pub mod rest;
mod roots;
mod server_facts;
mod setup_error;
mod transport_error;
mod verify;
mod x509;

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use chrono::{DateTime, TimeDelta, Utc};
use http_body_util::BodyExt as _;
use hyper::header::{HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use tokio::time::Instant;
use url::Url;

use crate::clock;
use crate::secret::Secret;
use crate::text::printable;

use client::{Client, Request};
pub use connection::ClusterRoute;
use dial::{DialError, LookupError};
pub use network::Network;
use verify::Verifier;

pub use certificate::{CertificateProblem, written_out};
pub use connection::install_crypto_provider;
pub use proxy::{Proxy, ProxySource, environment_proxy};
pub use proxy_fault::{ProxyFacts, ProxyFault, SocksRefusal};
pub use server_facts::ServerFacts;
pub use setup_error::{HttpSetupError, RootsProblem, RootsProblemKind, RootsSource, UnsendableToken};
pub use transport_error::{TransportError, TransportErrorKind};
pub use verify::trusts_anchors;

/// An error of the HTTP and TLS libraries.
type BoxError = Box<dyn StdError + Send + Sync>;

/// The largest response that is read, in bytes, unless a client sets another cap.
const RESPONSE_CAP: usize = 1024 * 1024;
/// Tries for one request. Retries that the server asks for with `Retry-After` do not count.
const TRIES: usize = 4;
/// Redirects followed on a GET.
const REDIRECTS: usize = 5;

/// A client for one issuer. Build it only when a request is needed: loading the system's certificates takes longer than a
/// whole call that is answered from the cache.
pub struct Http {
    client: Client,
    /// Checks certificates; `None` if verification is off.
    verifier: Option<Arc<Verifier>>,
    /// Whether requests carry headers that the user has set.
    own_headers: bool,
    /// Secrets that every request carries, to be removed from what a server says.
    secrets: Vec<Secret>,
    /// The largest response that is read, in bytes.
    cap: usize,
}

/// A complete response.
pub struct HttpResponse {
    /// HTTP status code.
    pub status: u16,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// When the response was complete, by this machine's clock.
    pub received: DateTime<Utc>,
}

impl HttpResponse {
    /// By how much this machine's clock is ahead of the server's, from the `Date` field; `None` without one, and for a
    /// response from a cache (RFC 9111 section 5.1), whose date may be old.
    pub fn clock_ahead(&self) -> Option<TimeDelta> {
        if self.headers.contains_key(hyper::header::AGE) {
            return None;
        }
        let date = self.headers.get(hyper::header::DATE)?.to_str().ok()?;
        let date = DateTime::parse_from_rfc2822(date).ok()?;
        Some(self.received - date.with_timezone(&Utc))
    }
}

/// Whether a request may be sent again after its connection broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryPolicy {
    /// It may: sending it twice does no harm.
    Idempotent,
    /// Not if the server may have received it: it contains something that can be used once, such as a code.
    SingleUse,
}

/// Whether requests to `url` are allowed: https anywhere, http on this machine only.
pub fn is_acceptable(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        "http" => is_loopback(url),
        _ => false,
    }
}

/// Whether an issuer at `issuer` may send this program, or the user, to `url`. Only an issuer on this machine may name plain
/// http.
pub fn is_acceptable_from(issuer: &Url, url: &Url) -> bool {
    is_acceptable(url) && (url.scheme() == "https" || is_loopback(issuer))
}

/// Whether `name` is `localhost` or a subdomain: this machine, without asking a name server (RFC 6761 section 6.3).
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether `url` names this machine by `localhost` or a loopback address.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => is_localhost(name),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The value of an Authorization header with a bearer token (RFC 6750 section 2.1).
///
/// Errors: the token contains characters that a header cannot.
pub fn bearer(token: &Secret) -> Result<HeaderValue, UnsendableToken> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| UnsendableToken)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Scheme, host and port of `url`, fit for a message (never user info, path or query).
pub fn origin(url: &Url) -> String {
    printable(&url.origin().ascii_serialization(), 200)
}

impl Http {
    /// A client for the issuer at `url` and its endpoints.
    ///
    /// Errors: see [`HttpSetupError`].
    pub fn new(network: &Network, url: &Url) -> Result<Http, HttpSetupError> {
        let (client, verifier) = connection::client(network, url)?;
        let secrets = connection::secrets(network, None);
        Ok(Http { client, verifier, own_headers: !network.headers.is_empty(), secrets, cap: RESPONSE_CAP })
    }

    /// A client for the API server of a cluster. The certificate authorities of `network` are the cluster's: if there are
    /// any, no others are trusted. Its proxies are the environment's; its headers are not sent.
    ///
    /// Errors: see [`HttpSetupError`].
    pub fn for_cluster(network: &Network, route: &ClusterRoute) -> Result<Http, HttpSetupError> {
        let (client, verifier) = connection::cluster_client(network, route)?;
        let secrets = connection::secrets(network, route.proxy);
        Ok(Http { client, verifier, own_headers: false, secrets, cap: RESPONSE_CAP })
    }

    /// The authorities of the environment that connections have needed so far, as the SHA-256 of their DER: the owner of
    /// one of them could have impersonated the server. Authorities of the platform and of settings are not listed.
    pub fn anchors(&self) -> Vec<String> {
        self.verifier.as_ref().map(|verifier| verifier.anchors.noted()).unwrap_or_default()
    }

    /// All authorities of the environment that connections may need, as the SHA-256 of their DER.
    pub fn extra_roots(&self) -> Vec<String> {
        self.verifier.as_ref().map(|verifier| verifier.extra()).unwrap_or_default()
    }

    /// Whether a connection failed because it needed an authority of the environment that is not trusted here.
    pub fn needed_withheld_roots(&self) -> bool {
        self.verifier.as_ref().is_some_and(|verifier| verifier.anchors.needed_withheld())
    }

    /// What was skipped while certificate authorities were read.
    pub fn skipped(&self) -> &[RootsProblem] {
        self.verifier.as_ref().map_or(&[], |verifier| &verifier.skipped)
    }

    /// The same client with responses of up to `cap` bytes.
    pub fn with_cap(self, cap: usize) -> Http {
        Http { cap, ..self }
    }

    /// The secrets that every request carries besides its own: values of headers, passwords of proxies.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.secrets.iter()
    }

    /// Sends a POST with secrets in it. Temporary failures are retried within `limit`; a redirect is an error.
    ///
    /// Errors: there is no usable response.
    pub async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Vec<u8>,
        limit: Duration,
        retry: RetryPolicy,
    ) -> Result<HttpResponse, TransportError> {
        let request = Request::post(headers, body);
        self.send_with_retries(url, limit, retry, &request).await.and_then(|answer| not_redirected(url, answer))
    }

    /// Like [`Http::post`] without retries, for callers that poll. The response may have any status but a redirect's.
    ///
    /// Errors: there is no usable response.
    pub async fn post_once(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<HttpResponse, TransportError> {
        let request = Request::post(headers, body);
        self.send_once(url, &request, Instant::now() + limit).await.and_then(|answer| not_redirected(url, answer))
    }

    /// Gets a public document, following redirects to addresses that are acceptable from `url`. Headers that the user has
    /// set may be credentials, so with them only redirects to the same origin are followed.
    ///
    /// Errors: there is no usable response.
    pub async fn get(&self, url: &Url, limit: Duration) -> Result<HttpResponse, TransportError> {
        let deadline = Instant::now() + limit;
        let may_follow = |to: &Url| is_acceptable_from(url, to) && (!self.own_headers || to.origin() == url.origin());
        let request = Request::get(HeaderMap::new());
        let mut at = url.clone();
        for _ in 0..=REDIRECTS {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = self.send_with_retries(&at, left, RetryPolicy::Idempotent, &request).await?;
            if !(300..400).contains(&answer.status) {
                return Ok(answer);
            }
            let target = answer.headers.get(LOCATION).and_then(|value| at.join(value.to_str().ok()?).ok());
            match target.filter(may_follow) {
                Some(target) => at = target,
                None => break,
            }
        }
        Err(TransportError::new(url, TransportErrorKind::Redirect))
    }

    /// Gets a document with `headers` that may hold a credential: no redirect is followed.
    ///
    /// Errors: there is no usable response.
    pub async fn fetch(&self, url: &Url, headers: HeaderMap, limit: Duration) -> Result<HttpResponse, TransportError> {
        let request = Request::get(headers);
        self.send_with_retries(url, limit, RetryPolicy::Idempotent, &request)
            .await
            .and_then(|answer| not_redirected(url, answer))
    }

    /// Retries until there is a response that is neither 429 nor 5xx, a few times at most, and within `limit`.
    async fn send_with_retries(
        &self,
        url: &Url,
        limit: Duration,
        retry: RetryPolicy,
        request: &Request,
    ) -> Result<HttpResponse, TransportError> {
        let deadline = Instant::now() + limit;
        let mut pause = Duration::from_millis(250);
        let mut tries = 0;
        loop {
            let error = match self.send_once(url, request, deadline).await {
                Ok(answer) => match unavailable(url, &answer) {
                    Some(error) => error,
                    None => return Ok(answer),
                },
                Err(error)
                    if retry == RetryPolicy::SingleUse && matches!(error.kind, TransportErrorKind::Broken(_)) =>
                {
                    return Err(error);
                }
                Err(error) if error.is_transient() && !error.kind.is_timeout() => error,
                Err(error) => return Err(error),
            };
            tries += usize::from(error.retry_after.is_none());
            let wait = error.retry_after.unwrap_or_default().max(pause);
            if tries >= TRIES || clock::limit(wait) >= deadline.saturating_duration_since(Instant::now()) {
                return Err(error);
            }
            tracing::debug!(origin = error.origin, kind = ?error.kind, ?wait, "trying again");
            tokio::time::sleep(clock::wait(wait)).await;
            pause *= 2;
        }
    }

    /// Sends one request and reads the whole response before `deadline`.
    async fn send_once(&self, url: &Url, request: &Request, deadline: Instant) -> Result<HttpResponse, TransportError> {
        if !is_acceptable(url) {
            return Err(TransportError::new(url, TransportErrorKind::Url));
        }
        tracing::debug!(origin = origin(url), path = printable(url.path(), 200), "request");
        let exchange = async {
            let sent = self.client.send(url, request).await.ok_or(TransportErrorKind::Url)?;
            let sent = sent.map_err(|sent| error_kind_of(&*sent.error, sent.is_connect))?;
            let (head, mut incoming) = sent.into_parts();
            let mut body = Vec::new();
            while let Some(frame) = incoming.frame().await {
                let Ok(chunk) = frame.map_err(|error| error_kind_of(&*error, false))?.into_data() else { continue };
                if body.len() + chunk.len() > self.cap {
                    return Err(TransportErrorKind::Oversized(self.cap >> 20));
                }
                body.extend_from_slice(&chunk);
            }
            let body = encoding::unpacked(body, self.cap)?;
            Ok(HttpResponse { status: head.status.as_u16(), headers: head.headers, body, received: clock::now() })
        };
        match tokio::time::timeout_at(deadline, exchange).await {
            Ok(Ok(answer)) => {
                tracing::debug!(status = answer.status, bytes = answer.body.len(), "answer");
                Ok(answer)
            }
            Ok(Err(kind)) => Err(TransportError { proxy: self.proxy_for(url), ..TransportError::new(url, kind) }),
            Err(_) => Err(self.timed_out(url)),
        }
    }

    /// The error for the last request, which was to `url`, if the caller stops waiting for it now.
    pub fn timed_out(&self, url: &Url) -> TransportError {
        let proxy = self.proxy_for(url);
        let is_at_proxy = proxy.is_some() && self.client.is_at_proxy();
        let kind =
            if is_at_proxy { TransportErrorKind::Proxy(ProxyFault::Timeout) } else { TransportErrorKind::Timeout };
        TransportError { proxy, ..TransportError::new(url, kind) }
    }

    fn proxy_for(&self, url: &Url) -> Option<Box<ProxyFacts>> {
        self.client.proxy_for(url).map(|proxy| Box::new(proxy.into()))
    }
}

/// The error for a response with status 429 or 5xx; `None` for every other status.
pub fn unavailable(url: &Url, answer: &HttpResponse) -> Option<TransportError> {
    match answer.status {
        status @ (429 | 500..) => Some(TransportError {
            retry_after: retry_after(answer),
            ..TransportError::new(url, TransportErrorKind::Unavailable(status))
        }),
        _ => None,
    }
}

fn not_redirected(url: &Url, answer: HttpResponse) -> Result<HttpResponse, TransportError> {
    if (300..400).contains(&answer.status) {
        Err(TransportError::new(url, TransportErrorKind::Redirect))
    } else {
        Ok(answer)
    }
}

/// How long the server asks to wait: `Retry-After` in seconds, or until a date (RFC 9110 section 10.2.3).
fn retry_after(answer: &HttpResponse) -> Option<Duration> {
    let value = answer.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(value).ok()?;
    let at = UNIX_EPOCH + Duration::from_secs(u64::try_from(date.timestamp()).ok()?);
    at.duration_since(clock::system()).ok()
}

/// An error and its sources. `io::Error::source` skips the error that it wraps, so that is added.
fn chain<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|wrapped| wrapped as &(dyn StdError + 'static)).or_else(|| error.source())
    })
}

/// The kind of an error; `is_connect` says that no connection could be made.
fn error_kind_of(error: &(dyn StdError + 'static), is_connect: bool) -> TransportErrorKind {
    if let Some(DialError::Proxy(fault)) = chain(error).find_map(|error| error.downcast_ref()) {
        return TransportErrorKind::Proxy(fault.clone());
    }
    if let Some(problem) = chain(error).find_map(certificate_problem) {
        return TransportErrorKind::Certificate(problem);
    }
    let detail = deepest(error);
    let is_timeout = |error: &io::Error| error.kind() == io::ErrorKind::TimedOut;
    if chain(error).any(|error| error.is::<LookupError>()) {
        TransportErrorKind::NameNotFound(detail)
    } else if chain(error).filter_map(|error| error.downcast_ref()).any(is_timeout) {
        TransportErrorKind::Timeout
    } else if is_connect {
        TransportErrorKind::Connection(detail)
    } else {
        TransportErrorKind::Broken(detail)
    }
}

/// The problem with the server's certificate, if that is what this error is about.
fn certificate_problem(error: &(dyn StdError + 'static)) -> Option<CertificateProblem> {
    if let Some(problem) = error.downcast_ref::<CertificateProblem>() {
        return Some(problem.clone());
    }
    match error.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) => {
            Some(match other.0.downcast_ref::<CertificateProblem>() {
                Some(problem) => problem.clone(),
                None => CertificateProblem::Other(printable(&other.0.to_string(), 200)),
            })
        }
        rustls::Error::InvalidCertificate(other) => Some(CertificateProblem::Other(printable(&other.to_string(), 200))),
        _ => None,
    }
}

/// The innermost source: "connection refused" says more than "client error (Connect)".
fn deepest(error: &(dyn StdError + 'static)) -> String {
    printable(&chain(error).last().unwrap_or(error).to_string(), 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_this_machine() {
        let ok = |text: &str| is_acceptable(&Url::parse(text).expect("a URL"));
        assert!(
            ok("https://login.example/")
                && ok("http://127.0.0.1:8080/")
                && ok("http://[::1]/")
                && ok("http://localhost/")
        );
        assert!(!ok("http://login.example/") && !ok("http://127.0.0.1.example/") && !ok("http://localhost.example/"));
        assert!(!ok("file:///etc/passwd") && !ok("javascript:alert(1)"));
    }

    #[test]
    fn an_origin_has_no_secrets() {
        let url = Url::parse("https://user:pw@host:444/path?code=x#y").expect("a URL");
        assert_eq!(origin(&url), "https://host:444");
    }

    #[test]
    fn client_can_be_shared_by_the_threads_of_a_server() {
        fn assert_send_sync<T: Send + Sync>() {}
        fn assert_send<T: Send>(_: T) {}
        assert_send_sync::<Http>();
        assert_send_sync::<Network>();
        assert_send_sync::<TransportError>();
        assert_send_sync::<HttpSetupError>();
        // Never run: the compiler decides.
        let _ = |http: &Http, url: &Url, limit: Duration| {
            assert_send(http.get(url, limit));
            assert_send(http.fetch(url, HeaderMap::new(), limit));
            assert_send(http.post(url, HeaderMap::new(), Vec::new(), limit, RetryPolicy::Idempotent));
            assert_send(http.post_once(url, HeaderMap::new(), Vec::new(), limit));
        };
    }
}
