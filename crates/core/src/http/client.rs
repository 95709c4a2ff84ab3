//! The HTTP client: one request, its connection and its response.
//!
//! reqwest handles servers that are reached directly. It does not report the status with which a proxy refuses a
//! connection, and it expects every certificate to be for the host in the URL. So requests through a proxy, and to a server
//! with another certificate name, use connections that `dial` makes.
//!
//! Must not know which requests are made, or which certificates TLS trusts.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Bytes};
use hyper::header::{ACCEPT, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Method, Response, Uri};
use hyper_rustls::{DefaultServerNameResolver, FixedServerNameResolver, HttpsConnector};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use url::Url;

use super::dial::{Dialer, Resolver};
use super::proxy::{Proxy, ProxyRules};
use super::setup_error::HttpSetupError;
use super::{BoxError, deepest};

/// A response whose body is read piece by piece.
pub(super) type ResponseStream = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// How long a connection is kept for the next request. Node's servers close an idle connection after five seconds (nginx and
/// others after a minute or more); a request that is just being sent then is lost, and one with a code in it is not repeated.
const IDLE: Duration = Duration::from_secs(4);

/// Why there is no response.
pub(super) struct SendError {
    /// The error of the HTTP library.
    pub(super) error: BoxError,
    /// Whether no connection could be made.
    pub(super) is_connect: bool,
}

/// A request that can be sent more than once.
pub(super) struct Request {
    method: Method,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    pub(super) fn get(headers: HeaderMap) -> Request {
        Request { method: Method::GET, headers, body: Bytes::new() }
    }

    pub(super) fn post(headers: HeaderMap, body: Vec<u8>) -> Request {
        Request { method: Method::POST, headers, body: body.into() }
    }
}

/// A client that reuses its connections.
pub(super) struct Client {
    /// For servers that are reached directly.
    direct: reqwest::Client,
    /// For every other server.
    dialing: legacy::Client<HttpsConnector<Dialer>, Full<Bytes>>,
    dialer: Dialer,
    rules: Arc<ProxyRules>,
    /// Whether certificates have to be for another name than the URL's host.
    has_server_name: bool,
    /// Headers of every request that does not set them itself.
    headers: HeaderMap,
}

impl Client {
    /// A client that uses proxies by `rules`, with separate TLS settings for proxies that are reached by https. Certificates
    /// have to be for `server_name` if there is one, otherwise for the URL's host.
    ///
    /// Errors: the library refuses `tls`.
    pub(super) fn new(
        (rules, tls_to_proxy): (ProxyRules, ClientConfig),
        tls: ClientConfig,
        server_name: Option<ServerName<'static>>,
        user_agent: &str,
        mut headers: HeaderMap,
    ) -> Result<Client, HttpSetupError> {
        let direct = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .dns_resolver(Resolver)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_idle_timeout(IDLE)
            .build()
            .map_err(|error| HttpSetupError::Client(deepest(&error)))?;
        let rules = Arc::new(rules);
        let dialer = Dialer::new(Arc::clone(&rules), tls_to_proxy, user_agent);
        let has_server_name = server_name.is_some();
        let connector = match server_name {
            Some(name) => HttpsConnector::new(dialer.clone(), tls, false, Arc::new(FixedServerNameResolver::new(name))),
            None => HttpsConnector::new(dialer.clone(), tls, false, Arc::new(DefaultServerNameResolver::default())),
        };
        let dialing = legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(connector);
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        // The program's own User-Agent has only characters that a header can contain.
        if let Ok(own) = HeaderValue::from_str(user_agent) {
            headers.entry(USER_AGENT).or_insert(own);
        }
        Ok(Client { direct, dialing, dialer, rules, has_server_name, headers })
    }

    /// Sends a request and waits for the head of its response; `None` if `url` cannot be written as a URI of HTTP.
    ///
    /// Errors: there is no response.
    pub(super) async fn send(&self, url: &Url, request: &Request) -> Option<Result<ResponseStream, SendError>> {
        let uri: Uri = url.as_str().parse().ok()?;
        let mut headers = self.headers.clone();
        headers.extend(request.headers.clone());
        if self.has_server_name || self.proxy_for(url).is_some() {
            let mut message = hyper::Request::new(Full::new(request.body.clone()));
            *message.uri_mut() = uri;
            *message.method_mut() = request.method.clone();
            *message.headers_mut() = headers;
            let answer = self.dialing.request(message).await;
            return Some(
                answer.map(boxed).map_err(|error| SendError { is_connect: error.is_connect(), error: error.into() }),
            );
        }
        let message =
            self.direct.request(request.method.clone(), url.clone()).headers(headers).body(request.body.clone());
        let answer = message.send().await.map(Response::from);
        Some(
            answer
                .map(boxed)
                .map_err(|error| SendError { is_connect: error.is_connect(), error: error.without_url().into() }),
        )
    }

    /// The proxy that requests to `url` go through.
    pub(super) fn proxy_for(&self, url: &Url) -> Option<&Proxy> {
        self.rules.proxy_for(url)
    }

    /// Whether the last connection is still being set up with a proxy.
    pub(super) fn is_at_proxy(&self) -> bool {
        self.dialer.is_at_proxy().load(Ordering::Relaxed)
    }
}

fn boxed<B>(answer: Response<B>) -> ResponseStream
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    answer.map(|body| body.map_err(Into::into).boxed_unsync())
}
