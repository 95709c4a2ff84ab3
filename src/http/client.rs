//! The HTTP client: one request, its connection and its answer.
//!
//! Must not know which requests are made, or whom TLS trusts.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Method, Uri};
use hyper_rustls::{DefaultServerNameResolver, FixedServerNameResolver, HttpsConnector};
use hyper_util::client::legacy::{self, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use url::Url;

use super::dial::Dialer;
use super::proxy::{Proxy, ProxyRules};

/// A request that can be made more than once.
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

/// A client with connections that are used again.
pub(super) struct Client {
    inner: legacy::Client<HttpsConnector<Dialer>, Full<Bytes>>,
    dialer: Dialer,
    rules: Arc<ProxyRules>,
    /// What every request carries, unless it has its own.
    headers: HeaderMap,
}

impl Client {
    /// A client that goes through proxies by `rules` and expects certificates for `server_name` instead of the URL's host, if
    /// there is one.
    pub(super) fn new(
        rules: ProxyRules,
        tls: ClientConfig,
        server_name: Option<ServerName<'static>>,
        user_agent: &str,
        mut headers: HeaderMap,
    ) -> Client {
        let rules = Arc::new(rules);
        let dialer = Dialer::new(Arc::clone(&rules), tls.clone(), user_agent);
        let connector = match server_name {
            Some(name) => HttpsConnector::new(dialer.clone(), tls, false, Arc::new(FixedServerNameResolver::new(name))),
            None => HttpsConnector::new(dialer.clone(), tls, false, Arc::new(DefaultServerNameResolver::default())),
        };
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(60))
            .pool_timer(TokioTimer::new())
            .build(connector);
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        // A user agent of this program's own has only characters that a header can hold.
        headers.extend(HeaderValue::from_str(user_agent).ok().map(|value| (USER_AGENT, value)));
        Client { inner, dialer, rules, headers }
    }

    /// Sends a request; `None` if `url` cannot be written as HTTP wants it.
    pub(super) fn send(&self, url: &Url, request: &Request) -> Option<ResponseFuture> {
        let uri: Uri = url.as_str().parse().ok()?;
        let mut message = hyper::Request::new(Full::new(request.body.clone()));
        *message.uri_mut() = uri;
        *message.method_mut() = request.method.clone();
        *message.headers_mut() = self.headers.clone();
        message.headers_mut().extend(request.headers.clone());
        Some(self.inner.request(message))
    }

    /// The proxy that requests to `url` go through.
    pub(super) fn proxy_for(&self, url: &Url) -> Option<&Proxy> {
        self.rules.proxy_for(url)
    }

    /// Whether the connection that was made last is still a matter between this program and a proxy.
    pub(super) fn is_at_proxy(&self) -> bool {
        self.dialer.is_at_proxy().load(Ordering::Relaxed)
    }
}
