//! Connections before TLS to the server begins: directly, or through a proxy.
//!
//! Must not know what is sent over them.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll};

use hyper::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;
use url::Url;

use super::handshake;
use super::proxy::{Proxy, ProxyRules};
use super::proxy_fault::ProxyFault;
use super::{BoxError, deepest, is_localhost};

type Tcp = HttpConnector<Resolver>;
/// A connection to a server, or to the proxy that leads to it.
pub(super) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Makes connections to servers.
#[derive(Clone)]
pub(super) struct Dialer {
    tcp: Tcp,
    /// For connections to proxies, by http or https.
    to_proxy: HttpsConnector<Tcp>,
    rules: Arc<ProxyRules>,
    user_agent: Arc<str>,
    is_at_proxy: Arc<AtomicBool>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    /// The server cannot be reached.
    #[error("the server cannot be reached")]
    Direct(#[source] BoxError),
    /// The proxy is at fault.
    #[error("the proxy {0}")]
    Proxy(ProxyFault),
}

/// A host's name that could not be looked up.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct LookupError(io::Error);

impl Dialer {
    /// A dialer that uses proxies by these rules. `tls` is for proxies that are reached by https.
    pub(super) fn new(rules: Arc<ProxyRules>, mut tls: rustls::ClientConfig, user_agent: &str) -> Dialer {
        let mut tcp = HttpConnector::new_with_resolver(Resolver);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // CONNECT is sent as HTTP/1.1.
        tls.alpn_protocols.clear();
        let to_proxy = HttpsConnector::from((tcp.clone(), tls));
        Dialer { tcp, to_proxy, rules, user_agent: user_agent.into(), is_at_proxy: Arc::default() }
    }

    /// Whether the last connection is, or was when it was abandoned, still being set up with a proxy.
    pub(super) fn is_at_proxy(&self) -> &Arc<AtomicBool> {
        &self.is_at_proxy
    }

    async fn dial(mut self, server: Uri) -> Result<Stream, DialError> {
        let url = Url::parse(&server.to_string()).ok();
        let rules = Arc::clone(&self.rules);
        let Some(proxy) = url.as_ref().and_then(|url| rules.proxy_for(url)) else {
            let stream = self.tcp.call(server).await.map_err(|error| DialError::Direct(error.into()))?;
            return Ok(MaybeHttpsStream::Http(stream));
        };
        self.is_at_proxy.store(true, Ordering::Relaxed);
        let stream = match proxy.has_credentials() {
            true => send_credentials_once(proxy, self.dial_through(proxy, &server)).await,
            false => self.dial_through(proxy, &server).await,
        };
        self.is_at_proxy.store(false, Ordering::Relaxed);
        stream.map_err(DialError::Proxy)
    }

    async fn dial_through(&self, proxy: &Proxy, server: &Uri) -> Result<Stream, ProxyFault> {
        let stream = self.to_proxy.clone().call(proxy.transport()).await;
        let stream = stream.map_err(|error| ProxyFault::Unreachable(deepest(&*error)))?;
        let mut stream = TokioIo::new(stream);
        let port = server.port_u16().unwrap_or(if server.scheme_str() == Some("http") { 80 } else { 443 });
        let target = (server.host().unwrap_or_default(), port);
        handshake::ask(&mut stream, proxy, target, &self.user_agent).await?;
        Ok(stream.into_inner())
    }
}

impl Service<Uri> for Dialer {
    type Response = Stream;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        Box::pin(self.clone().dial(server))
    }
}

/// Looks up host names. `localhost` and its subdomains are resolved without a name server (RFC 6761 section 6.3).
#[derive(Clone)]
pub(super) struct Resolver;

async fn look_up(name: &str) -> Result<std::vec::IntoIter<SocketAddr>, LookupError> {
    let found: Vec<SocketAddr> = match is_localhost(name) {
        true => vec![(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()],
        false => tokio::net::lookup_host((name, 0)).await.map_err(LookupError)?.collect(),
    };
    Ok(found.into_iter())
}

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        Box::pin(async move { Ok(Box::new(look_up(name.as_str()).await?) as reqwest::dns::Addrs) })
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = LookupError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, LookupError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), LookupError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move { look_up(name.as_str()).await })
    }
}

/// Whether a proxy has accepted the credentials in its address; `None` until it has been asked.
type ProxyVerdict = Arc<tokio::sync::Mutex<Option<Result<(), ProxyFault>>>>;

/// The verdicts of this process, by a hash of the proxy's address. A wrong password may lock an account after a few tries, so
/// it is sent once, even if requests to several servers go through the proxy at the same time.
static VERDICTS: LazyLock<Mutex<HashMap<u64, ProxyVerdict>>> = LazyLock::new(Mutex::default);

async fn send_credentials_once(
    proxy: &Proxy,
    dial: impl Future<Output = Result<Stream, ProxyFault>>,
) -> Result<Stream, ProxyFault> {
    let mut hasher = DefaultHasher::new();
    proxy.url().as_str().hash(&mut hasher);
    let verdict = {
        let mut verdicts = VERDICTS.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(verdicts.entry(hasher.finish()).or_default())
    };
    let mut verdict = verdict.lock().await;
    match &*verdict {
        Some(Err(fault)) => return Err(fault.clone()),
        Some(Ok(())) => {
            drop(verdict);
            return dial.await;
        }
        None => {}
    }
    let outcome = dial.await;
    match &outcome {
        Ok(_) => *verdict = Some(Ok(())),
        Err(ProxyFault::Credentials) => *verdict = Some(Err(ProxyFault::Credentials)),
        // The proxy did not check the password.
        Err(_) => {}
    }
    outcome
}
