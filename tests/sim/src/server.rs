//! Sockets and HTTP: parses a request, logs it, passes it to the right part of the world, and carries out the reply.
//! Knows no protocol above HTTP.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{DATE, HOST};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request as HttpRequest, Response as HttpResponse};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio_rustls::TlsAcceptor;
use url::form_urlencoded;

use crate::behaviour::Behaviour;
use crate::reply::{Reply, Response};
use crate::request::{Request, Server};
use crate::state::{Call, Shared, State};
use crate::{calendar, entra, graph, kube, kube_protobuf, oidc};

/// More than any legitimate client sends.
const LARGEST_BODY: usize = 1 << 20;
/// How often to check whether a delayed response is due.
const RECHECK_INTERVAL: Duration = Duration::from_millis(10);

/// What listens on a port.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    /// Both issuers, and Graph.
    Issuers,
    /// The Kubernetes API.
    Kube,
    /// A server that no client should contact, on any path.
    ClaimSource,
}

/// Opens a port on an address and serves it until the runtime ends.
pub(crate) fn listen(
    runtime: &Handle,
    shared: &Arc<Shared>,
    address: IpAddr,
    port: Port,
    tls: Option<TlsAcceptor>,
) -> io::Result<SocketAddr> {
    let socket = StdListener::bind((address, 0))?;
    socket.set_nonblocking(true)?;
    let address = socket.local_addr()?;
    // A listener belongs to the runtime in which it is created.
    let _inside = runtime.enter();
    let listener = TcpListener::from_std(socket)?;
    let shared = Arc::clone(shared);
    runtime.spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let shared = Arc::clone(&shared);
            let tls = tls.clone();
            tokio::spawn(async move {
                match tls {
                    // A client that does not trust the certificate leaves during the handshake, which is fine.
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            let by_certificate = stream.get_ref().1.peer_certificates().is_some();
                            serve(stream, &shared, port, Transport { tls: true, by_certificate }).await;
                        }
                    }
                    None => serve(stream, &shared, port, Transport::default()).await,
                }
            });
        }
    });
    Ok(address)
}

/// How a connection was made.
#[derive(Clone, Copy, Default)]
struct Transport {
    tls: bool,
    /// With a client certificate from the world's authority.
    by_certificate: bool,
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, shared: &Shared, port: Port, transport: Transport) {
    let service = service_fn(|request| respond(request, shared, port, transport));
    // An error here means that the client went away, or that the reply was to drop the connection.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// The response, or an error, which makes hyper close the connection without one.
async fn respond(
    request: HttpRequest<Incoming>,
    shared: &Shared,
    port: Port,
    Transport { tls, by_certificate }: Transport,
) -> Result<HttpResponse<Full<Bytes>>, io::Error> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Err(io::Error::other("the body ended early or is too large")),
    };
    let path = head.uri.path().to_owned();
    let server = match port {
        Port::Kube => Server::Kube,
        Port::ClaimSource => Server::ClaimSource,
        Port::Issuers if path == "/oidc" || path.starts_with("/oidc/") => Server::Oidc,
        Port::Issuers if graph::is_path(&path) => Server::Graph,
        Port::Issuers => Server::Entra,
    };
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
    let mut call = Call {
        id: 0,
        server,
        base: format!("{}://{host}", if tls { "https" } else { "http" }),
        method: head.method.as_str().to_owned(),
        path,
        query: pairs(head.uri.query().unwrap_or_default().as_bytes()),
        form: BTreeMap::new(),
        body: Value::Null,
        headers: headers(&head.headers),
        by_certificate,
    };
    if call.header("content-type").starts_with("application/x-www-form-urlencoded") {
        call.form = pairs(&body);
    } else if call.header("content-type").starts_with("application/json") {
        call.body = serde_json::from_slice(&body).unwrap_or_default();
    } else if call.header("content-type").starts_with("application/vnd.kubernetes.protobuf") {
        call.body = kube_protobuf::review(&body);
    }

    let (reply, now, encoding) = {
        let mut state = shared.lock();
        call.id = record(&mut state, &call, tls);
        let reply = match server {
            Server::Entra => entra::handle(&mut state, &call),
            Server::Oidc => oidc::handle(&mut state, &call),
            Server::Graph => graph::handle(&mut state, &call),
            Server::ClaimSource => graph::claim_source(&state).into(),
            Server::Kube => kube::handle(&state, &call),
        };
        (reply, state.now(), Encoding::new(&state))
    };
    shared.notify();
    let response = match reply {
        Reply::Now(response) => response,
        Reply::Later(delay, response) => {
            let until = Instant::now() + delay;
            while Instant::now() < until && shared.lock().on(Behaviour::DelayToken) {
                tokio::time::sleep(RECHECK_INTERVAL.min(delay)).await;
            }
            response
        }
        Reply::Drop => return Err(io::Error::other("dropped, as the behaviour wants it")),
        Reply::Stall => {
            let before = shared.lock().ended_stalls;
            while shared.lock().ended_stalls == before {
                tokio::time::sleep(RECHECK_INTERVAL).await;
            }
            return Err(io::Error::other("the stall has ended"));
        }
    };
    if let Some(entry) = shared.lock().log.entries.iter_mut().find(|entry| entry.id == call.id) {
        entry.status = response.status;
    }
    shared.notify();
    Ok(encoded(response, now, encoding))
}

/// How a body is encoded.
enum Encoding {
    None,
    Gzip,
    Bomb,
}

impl Encoding {
    fn new(state: &State) -> Encoding {
        match (state.on(Behaviour::GzipAnswers), state.on(Behaviour::GzipBomb)) {
            (_, true) => Encoding::Bomb,
            (true, false) => Encoding::Gzip,
            (false, false) => Encoding::None,
        }
    }

    fn encode(self, body: String) -> Vec<u8> {
        let plain = match self {
            Encoding::None => return body.into_bytes(),
            Encoding::Gzip => body.into_bytes(),
            Encoding::Bomb => vec![b' '; 64 << 20],
        };
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&plain).and_then(|()| encoder.finish()).expect("memory does not fail")
    }
}

fn record(state: &mut State, call: &Call, tls: bool) -> u64 {
    state.last_id += 1;
    state.log.entries.push(Request {
        id: state.last_id,
        server: call.server,
        tls,
        method: call.method.clone(),
        path: call.path.clone(),
        query: call.query.clone(),
        form: call.form.clone(),
        body: call.body.clone(),
        headers: call.headers.clone(),
        status: 0,
        too_early: false,
        at: Instant::now(),
    });
    state.last_id
}

fn pairs(encoded: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(encoded).into_owned().collect()
}

fn headers(map: &HeaderMap) -> BTreeMap<String, String> {
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    map.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

fn encoded(response: Response, now: i64, encoding: Encoding) -> HttpResponse<Full<Bytes>> {
    let mut builder = HttpResponse::builder().status(response.status).header(DATE, calendar::http(now));
    for (name, value) in response.headers {
        builder = builder.header(name, value);
    }
    if !matches!(encoding, Encoding::None) {
        builder = builder.header("content-encoding", "gzip");
    }
    builder.body(Full::new(Bytes::from(encoding.encode(response.body)))).expect("the handlers send plain headers")
}
