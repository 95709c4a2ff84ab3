//! The listener that the browser comes back to (RFC 8252 7.3), on the loopback interface only.
//!
//! Anybody on this machine can knock, every web page included, so it takes nothing for the answer that does not prove
//! it, keeps no secret that it could give away, and is held up by nobody. It must not know what becomes of an answer.

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

use super::page::Page;
use crate::profile::Listen;
use kubectl_login_core::clock;
use kubectl_login_core::oauth::authorization::{AuthorizationResponse, CallbackValidator};

/// Ports that are tried where any will do: one may be taken on one address and free on the other.
const RANDOM_PORTS: usize = 10;
/// Open connections; past that the oldest has to make room. A browser's own are over in milliseconds.
const CONNECTIONS: usize = 64;
/// How long each may take to be heard before it has to make room: those who come and come again must not push out a browser
/// between its connection and its request.
const HEARING: Duration = Duration::from_secs(1);
/// Open connections past which the oldest has to go although it had no time to be heard.
const MOST_CONNECTIONS: usize = 256;
/// How many may wait to be accepted. Past that the system lets nobody in, and whoever has tried longest tries least often.
const WAITING: u32 = 4096;
/// How long a request may take to arrive.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest request line and header fields: issuers send codes of several KiB.
const HEAD: usize = 64 * 1024;
/// The longest form.
const FORM: usize = 64 * 1024;
/// How long the last page may take to be sent: no time at all, but for a machine that is busy with something else.
const READING: Duration = Duration::from_secs(5);

/// Sockets that listen, one port on every usual address of this machine.
pub(super) struct Listener {
    sockets: Vec<TcpListener>,
    pub(super) port: u16,
}

/// Why nothing listens.
#[derive(Debug)]
pub(super) enum Unbound {
    /// Somebody else has the address.
    InUse(SocketAddr),
    /// The system says no.
    Refused(SocketAddr, io::Error),
}

/// What a request has to have to be let in.
pub(super) struct Door {
    /// The path of the redirect address.
    pub(super) path: String,
    /// Host names with port that the browser may have been told to go to.
    pub(super) hosts: Vec<String>,
    /// How an answer is recognised.
    pub(super) expected: CallbackValidator,
    /// Certificate and key, where it speaks https.
    pub(super) tls: Option<TlsAcceptor>,
}

/// An answer, and the browser that brought it.
pub(super) struct Visit {
    pub(super) answer: AuthorizationResponse,
    pub(super) visitor: Visitor,
}

/// A browser that waits for its page.
pub struct Visitor {
    page: oneshot::Sender<Page>,
    /// Ends when the page has been sent.
    sent: oneshot::Receiver<()>,
    /// What keeps the connection going.
    server: Option<Server>,
}

/// A running listener. It ends when this is dropped.
pub(super) struct Server(JoinHandle<()>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Visitor {
    /// Keeps `server` running until the browser has been told how it ended.
    pub(super) fn kept_by(self, server: Option<Server>) -> Visitor {
        Visitor { server, ..self }
    }

    /// Shows how it ended, and waits until that has been sent, for a few seconds at most.
    pub(super) async fn show(self, page: Page) {
        let Visitor { page: sender, sent, server } = self;
        if sender.send(page).is_ok() {
            let _ = tokio::time::timeout(clock::limit(READING), sent).await;
        }
        drop(server);
    }
}

impl Listener {
    /// Takes the first of `wanted` that is free. It has to be called within the runtime.
    ///
    /// Errors: none is; the reason is the last one's.
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

    /// `localhost` may mean either address to a browser, and whoever had the other one would get the answer: both are
    /// taken where both are there.
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

    /// Lets in what fits through `door`. Answers come out at the other end; there is one at most.
    pub(super) fn start(self, door: Door) -> (Server, mpsc::Receiver<Visit>) {
        let (visits, visit) = mpsc::channel(1);
        let door = Arc::new(Hall { door, visits: Mutex::new(Some(visits)) });
        let serve = async move {
            let mut tasks = JoinSet::new();
            for socket in self.sockets {
                tasks.spawn(accept(socket, Arc::clone(&door)));
            }
            while tasks.join_next().await.is_some() {}
        };
        (Server(tokio::spawn(serve)), visit)
    }
}

/// As [`TcpListener::bind`] does it, with more room for those who wait.
fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Windows would let others have the port as well.
    socket.set_reuseaddr(!cfg!(windows))?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

/// The door, and the one way from it to whoever waits for the answer.
struct Hall {
    door: Door,
    visits: Mutex<Option<mpsc::Sender<Visit>>>,
}

/// Takes connections for ever.
async fn accept(socket: TcpListener, hall: Arc<Hall>) {
    let mut connections = JoinSet::new();
    let mut open: VecDeque<Connection> = VecDeque::new();
    let most = most_connections();
    loop {
        let stream = tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!(%error, "connection not accepted");
                    // There may be no more open files to be had.
                    make_room(&mut open, 1, clock::limit(HEARING));
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
        };
        if open.len() >= CONNECTIONS {
            // They may all have come at once, and be over as soon as they are looked at.
            tokio::task::yield_now().await;
        }
        make_room(&mut open, CONNECTIONS, clock::limit(HEARING));
        make_room(&mut open, most, Duration::ZERO);
        let has_answered = Arc::new(AtomicBool::new(false));
        let task = connections.spawn(connection(stream, Arc::clone(&hall), Arc::clone(&has_answered)));
        open.push_back(Connection { task, has_answered, since: Instant::now() });
    }
}

/// A quarter of the files that this process may open: there may be two sockets, and the exchange needs some as well.
#[cfg(unix)]
fn most_connections() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files / 4).unwrap_or(usize::MAX).clamp(CONNECTIONS, MOST_CONNECTIONS)
}

#[cfg(not(unix))]
fn most_connections() -> usize {
    MOST_CONNECTIONS
}

/// A connection that was taken.
struct Connection {
    task: AbortHandle,
    /// Whether it brought the answer, and now waits for its page.
    has_answered: Arc<AtomicBool>,
    since: Instant,
}

/// Where `most` are open, closes the oldest, if it has been open for `time`. Whoever waits for the last page stays.
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

async fn connection(stream: TcpStream, hall: Arc<Hall>, has_answered: Arc<AtomicBool>) {
    match &hall.door.tls {
        None => serve(stream, &hall, &has_answered).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(clock::limit(PATIENCE), tls.accept(stream)).await {
                serve(stream, &hall, &has_answered).await;
            }
        }
    }
}

/// Answers the one request of a connection.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, hall: &Hall, has_answered: &AtomicBool) {
    // Dropped, and thereby told, when everything has been sent.
    let (_told_when_sent, sent) = oneshot::channel::<()>();
    let sent = Mutex::new(Some(sent));
    let service = service_fn(|request| {
        let sent = sent.lock().unwrap_or_else(PoisonError::into_inner).take();
        async {
            let page = answered(request, hall, has_answered, sent).await;
            Ok::<_, Infallible>(response(&page))
        }
    });
    let mut http = http1::Builder::new();
    // A browser that leaves at once has brought the answer all the same; without half_close it may never be heard.
    http.half_close(true).keep_alive(false);
    http.timer(TokioTimer::new()).header_read_timeout(clock::limit(PATIENCE)).max_buf_size(HEAD);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "connection ended");
    }
}

/// The page for a request. For the answer itself it comes from whoever waits for that.
async fn answered(
    request: Request<Incoming>,
    hall: &Hall,
    has_answered: &AtomicBool,
    sent: Option<oneshot::Receiver<()>>,
) -> Page {
    let parameters = match parameters(request, &hall.door).await {
        Ok(parameters) => parameters,
        Err(page) => return page,
    };
    let answer = match hall.door.expected.read(&parameters) {
        Ok(answer) => answer,
        Err(not_ours) => {
            tracing::debug!(why = %not_ours, "call-back not accepted");
            return Page::of_no_use(400, &not_ours.to_string());
        }
    };
    let (Some(visits), Some(sent)) = (hall.visits.lock().unwrap_or_else(PoisonError::into_inner).take(), sent) else {
        return Page::repeated();
    };
    has_answered.store(true, Ordering::Relaxed);
    let (page, shown) = oneshot::channel();
    let visitor = Visitor { page, sent, server: None };
    if visits.send(Visit { answer, visitor }).await.is_err() {
        return Page::repeated();
    }
    shown.await.unwrap_or_else(|_| Page::repeated())
}

/// What a call-back says, in its query or, as OAuth 2.0 Form Post Response Mode has it, in a form.
async fn parameters(request: Request<Incoming>, door: &Door) -> Result<Vec<(String, String)>, Page> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    // A name of somebody else's that leads here would make this their page (DNS rebinding).
    let named = request.uri().authority().map_or(host, |authority| authority.as_str());
    let is_ours = |name: &str| door.hosts.iter().any(|known| known.eq_ignore_ascii_case(name));
    // RFC 9112 3.2: one, and one only.
    if !is_ours(host) || !is_ours(named) || request.headers().get_all(HOST).iter().count() != 1 {
        return Err(Page::of_no_use(403, "it was sent to another name than this machine's own"));
    }
    if request.uri().path() != door.path {
        return Err(Page::of_no_use(404, "nothing is here"));
    }
    let form = match *request.method() {
        Method::GET => request.uri().query().unwrap_or_default().as_bytes().to_vec(),
        Method::POST => {
            let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
            let kind = kind.split(';').next().unwrap_or_default().trim();
            if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
                return Err(Page::of_no_use(415, "it is no form"));
            }
            let body = Limited::new(request.into_body(), FORM).collect();
            match tokio::time::timeout(clock::limit(PATIENCE), body).await {
                Ok(Ok(body)) => body.to_bytes().to_vec(),
                _ => return Err(Page::of_no_use(400, "the form did not arrive whole")),
            }
        }
        _ => return Err(Page::of_no_use(405, "only GET and POST are taken")),
    };
    Ok(form_urlencoded::parse(&form).into_owned().collect())
}

fn response(page: &Page) -> Response<Full<Bytes>> {
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
