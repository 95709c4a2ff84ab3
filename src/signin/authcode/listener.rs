//! The listener for the redirect (RFC 8252 7.3), on the loopback interface only.
//!
//! Every program and web page on this machine can connect. So a callback is accepted only with the state of this sign-in, the
//! listener has no secrets that it could reveal, and idle connections make room for new ones. It must not know what is done
//! with a callback.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use url::form_urlencoded;

use crate::messages::CallbackPage;
use crate::profile::Listen;
use kubectl_login_core::clock;
use kubectl_login_core::oauth::authorization::{AuthorizationResponse, CallbackValidator};

/// How many ports are tried if any will do: a port may be free on one address and taken on the other.
const RANDOM_PORTS: usize = 10;
/// Open connections above which the oldest is closed. Those of a browser take milliseconds.
const CONNECTIONS: usize = 64;
/// How long a connection is safe from that: a flood of connections must not push out a browser between its connection and its
/// request.
const HEARING: Duration = Duration::from_secs(1);
/// Open connections above which the oldest is closed in any case.
const MOST_CONNECTIONS: usize = 256;
/// Listen backlog. When it is full, clients back off and may never get in.
const BACKLOG: u32 = 4096;
/// How long a request may take to arrive.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest request line and header fields: issuers send codes of several KiB.
const HEAD: usize = 64 * 1024;
/// The longest form.
const FORM: usize = 64 * 1024;
/// How long the last page may take to be sent, on a busy machine.
const READING: Duration = Duration::from_secs(5);

/// Sockets that listen, one port on every usual address of this machine.
pub(super) struct Listener {
    sockets: Vec<TcpListener>,
    pub(super) port: u16,
}

/// Why nothing listens.
#[derive(Debug)]
pub(super) enum Unbound {
    /// Another program has the address.
    InUse(SocketAddr),
    /// The system refuses.
    Refused(SocketAddr, io::Error),
}

/// What a callback has to look like.
pub(super) struct CallbackMatcher {
    /// The path of the redirect URI.
    pub(super) path: String,
    /// Host names with port that the browser may have been redirected to.
    pub(super) hosts: Vec<String>,
    /// Checks the parameters.
    pub(super) expected: CallbackValidator,
    /// Certificate and key, for https.
    pub(super) tls: Option<TlsAcceptor>,
}

/// The callback of the browser: the response, and what answers the browser.
pub(super) struct Callback {
    pub(super) response: AuthorizationResponse,
    pub(super) responder: CallbackResponder,
}

/// Answers the browser, which waits for its page.
pub struct CallbackResponder {
    page: oneshot::Sender<CallbackPage>,
    /// Ends when the page has been sent.
    sent: oneshot::Receiver<()>,
    /// Keeps the connection open.
    server: Option<Server>,
}

/// A running listener. It ends when this is dropped.
pub(super) struct Server(JoinHandle<()>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl CallbackResponder {
    /// Keeps `server` running until the browser has its page.
    pub(super) fn kept_by(self, server: Option<Server>) -> CallbackResponder {
        CallbackResponder { server, ..self }
    }

    /// Sends the page, and waits until it has been sent, for a few seconds at most.
    pub(super) async fn show(self, page: CallbackPage) {
        let CallbackResponder { page: sender, sent, server } = self;
        if sender.send(page).is_ok() {
            let _ = tokio::time::timeout(clock::limit(READING), sent).await;
        }
        drop(server);
    }
}

impl Listener {
    /// Binds the first of `wanted` that is free. It has to be called within the runtime.
    ///
    /// Errors: none is free; the reason is that of the last one.
    pub(super) fn bind(wanted: &[Listen]) -> Result<Listener, Unbound> {
        let mut last = Unbound::Refused(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), io::ErrorKind::NotFound.into());
        for listen in wanted {
            for _ in 0..if listen.port == 0 { RANDOM_PORTS } else { 1 } {
                match Listener::bind_one(*listen) {
                    Ok(listener) => return Ok(listener),
                    Err(unbound) => last = unbound,
                }
            }
        }
        Err(last)
    }

    /// `localhost` may mean either address to a browser, and a program at the other one would receive the callback: both are
    /// bound if both exist.
    fn bind_one(listen: Listen) -> Result<Listener, Unbound> {
        let usual = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let others = usual.into_iter().filter(|address| *address != listen.address);
        let (mut sockets, mut port, mut refused) = (Vec::new(), listen.port, None);
        for address in std::iter::once(listen.address).chain(others) {
            let address = SocketAddr::from((address, port));
            match listen_on(address).and_then(|socket| Ok((socket.local_addr()?.port(), socket))) {
                Ok((its_port, socket)) => {
                    port = its_port;
                    sockets.push(socket);
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(Unbound::InUse(address)),
                // Machines without IPv6, or without IPv4, say so in many ways.
                Err(error) => refused = refused.or(Some(Unbound::Refused(address, error))),
            }
        }
        match refused {
            Some(refused) if sockets.is_empty() => Err(refused),
            _ => Ok(Listener { sockets, port }),
        }
    }

    /// Serves the callback that fits `matcher`. There is one at most.
    pub(super) fn start(self, matcher: CallbackMatcher) -> (Server, mpsc::Receiver<Callback>) {
        let (callbacks, callback) = mpsc::channel(1);
        let state = Arc::new(ListenerState { matcher, callbacks: Mutex::new(Some(callbacks)) });
        let serve = async move {
            let mut tasks = JoinSet::new();
            for socket in self.sockets {
                tasks.spawn(accept(socket, Arc::clone(&state)));
            }
            while tasks.join_next().await.is_some() {}
        };
        (Server(tokio::spawn(serve)), callback)
    }
}

/// Like [`TcpListener::bind`], with a longer backlog.
fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // On Windows another program could bind the same port.
    socket.set_reuseaddr(!cfg!(windows))?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What all connections share.
struct ListenerState {
    matcher: CallbackMatcher,
    /// Taken by the callback.
    callbacks: Mutex<Option<mpsc::Sender<Callback>>>,
}

/// Accepts connections until the task is aborted.
async fn accept(socket: TcpListener, state: Arc<ListenerState>) {
    let mut connections = JoinSet::new();
    let mut open: VecDeque<Connection> = VecDeque::new();
    let most = most_connections();
    loop {
        let stream = tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!(%error, "connection not accepted");
                    // The process may have no file descriptors left.
                    make_room(&mut open, 1, clock::limit(HEARING));
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
        };
        if open.len() >= CONNECTIONS {
            // They may all have arrived at once, and be finished after a look at each.
            tokio::task::yield_now().await;
        }
        make_room(&mut open, CONNECTIONS, clock::limit(HEARING));
        make_room(&mut open, most, Duration::ZERO);
        let has_answered = Arc::new(AtomicBool::new(false));
        let task = connections.spawn(connection(stream, Arc::clone(&state), Arc::clone(&has_answered)));
        open.push_back(Connection { task, has_answered, since: Instant::now() });
    }
}

/// A quarter of the files that this process may open: there may be two sockets, and the token request needs some too.
#[cfg(unix)]
fn most_connections() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files / 4).unwrap_or(usize::MAX).clamp(CONNECTIONS, MOST_CONNECTIONS)
}

#[cfg(not(unix))]
fn most_connections() -> usize {
    MOST_CONNECTIONS
}

/// An accepted connection.
struct Connection {
    task: AbortHandle,
    /// Whether it brought the callback, and now waits for its page.
    has_answered: Arc<AtomicBool>,
    since: Instant,
}

/// If `most` are open, closes the oldest, if it has been open for `time`. The connection of the callback stays open.
fn make_room(open: &mut VecDeque<Connection>, most: usize, time: Duration) {
    open.retain(|connection| !connection.task.is_finished());
    if open.len() >= most
        && let Some(oldest) = open.iter().position(|connection| !connection.has_answered.load(Ordering::Relaxed))
        && open[oldest].since.elapsed() >= time
        && let Some(connection) = open.remove(oldest)
    {
        connection.task.abort();
    }
}

async fn connection(stream: TcpStream, state: Arc<ListenerState>, has_answered: Arc<AtomicBool>) {
    match &state.matcher.tls {
        None => serve(stream, &state, &has_answered).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(clock::limit(PATIENCE), tls.accept(stream)).await {
                serve(stream, &state, &has_answered).await;
            }
        }
    }
}

/// Answers the one request of a connection.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, state: &ListenerState, has_answered: &AtomicBool) {
    // Dropped when everything has been sent, which the receiver notices.
    let (_told_when_sent, sent) = oneshot::channel::<()>();
    let sent = Mutex::new(Some(sent));
    let service = service_fn(|request| {
        let sent = sent.lock().unwrap_or_else(PoisonError::into_inner).take();
        async {
            let page = answered(request, state, has_answered, sent).await;
            Ok::<_, Infallible>(response(&page))
        }
    });
    let mut http = http1::Builder::new();
    // A browser that disconnects at once has still brought the callback; without half_close it might not be read.
    http.half_close(true).keep_alive(false);
    http.timer(TokioTimer::new()).header_read_timeout(clock::limit(PATIENCE)).max_buf_size(HEAD);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "connection ended");
    }
}

/// The page for a request. For the callback it comes from the sign-in that waits for it.
async fn answered(
    request: Request<Incoming>,
    state: &ListenerState,
    has_answered: &AtomicBool,
    sent: Option<oneshot::Receiver<()>>,
) -> CallbackPage {
    let parameters = match parameters(request, &state.matcher).await {
        Ok(parameters) => parameters,
        Err(page) => return page,
    };
    let response = match state.matcher.expected.read(&parameters) {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!(%error, "callback not accepted");
            return CallbackPage::not_the_callback(400, &error.to_string());
        }
    };
    let (Some(callbacks), Some(sent)) = (state.callbacks.lock().unwrap_or_else(PoisonError::into_inner).take(), sent)
    else {
        return CallbackPage::repeated();
    };
    has_answered.store(true, Ordering::Relaxed);
    let (page, shown) = oneshot::channel();
    let responder = CallbackResponder { page, sent, server: None };
    if callbacks.send(Callback { response, responder }).await.is_err() {
        return CallbackPage::repeated();
    }
    shown.await.unwrap_or_else(|_| CallbackPage::repeated())
}

/// The parameters of a callback, in its query or (OAuth 2.0 Form Post Response Mode) in a form.
async fn parameters(
    request: Request<Incoming>,
    matcher: &CallbackMatcher,
) -> Result<Vec<(String, String)>, CallbackPage> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    // Another site's name that resolves to this machine would make this that site's page (DNS rebinding).
    let named = request.uri().authority().map_or(host, |authority| authority.as_str());
    let is_ours = |name: &str| matcher.hosts.iter().any(|known| known.eq_ignore_ascii_case(name));
    // RFC 9112 3.2: exactly one.
    if !is_ours(host) || !is_ours(named) || request.headers().get_all(HOST).iter().count() != 1 {
        return Err(CallbackPage::not_the_callback(403, "it was sent to another name than this machine's own"));
    }
    if request.uri().path() != matcher.path {
        return Err(CallbackPage::not_the_callback(404, "nothing is here"));
    }
    let form = match *request.method() {
        Method::GET => request.uri().query().unwrap_or_default().as_bytes().to_vec(),
        Method::POST => {
            let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
            let kind = kind.split(';').next().unwrap_or_default().trim();
            if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
                return Err(CallbackPage::not_the_callback(415, "it is not a form"));
            }
            let body = Limited::new(request.into_body(), FORM).collect();
            match tokio::time::timeout(clock::limit(PATIENCE), body).await {
                Ok(Ok(body)) => body.to_bytes().to_vec(),
                _ => return Err(CallbackPage::not_the_callback(400, "the form did not arrive whole")),
            }
        }
        _ => return Err(CallbackPage::not_the_callback(405, "only GET and POST are taken")),
    };
    Ok(form_urlencoded::parse(&form).into_owned().collect())
}

fn response(page: &CallbackPage) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(page.html())));
    *response.status_mut() = page.status.try_into().unwrap_or_default();
    let headers = [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        // The address has the code in it.
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        (
            "content-security-policy",
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, hyper::header::HeaderValue::from_static(value));
    }
    if page.status == 405 {
        response.headers_mut().insert("allow", hyper::header::HeaderValue::from_static("GET, POST"));
    }
    response
}
