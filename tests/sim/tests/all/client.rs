//! A very small HTTP client: one request per connection, read to its end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use serde_json::Value;
use sim::World;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use url::form_urlencoded;

/// Status, head (in lower case), redirect and body of a response; status 0 if there was none.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) location: String,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }
}

fn exchange(mut stream: impl Read + Write, request: &str) -> Response {
    stream.write_all(request.as_bytes()).expect("the server reads");
    let mut bytes = Vec::new();
    // A TLS peer that closes without close_notify causes an error, but only after everything was read.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).expect("the response is UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let location = head.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or_default().to_owned();
    Response { status, head: head.to_lowercase(), location, body: body.to_owned() }
}

/// Sends one request; `headers` are whole lines.
pub(crate) fn send(world: &World, method: &str, url: &str, headers: &[String], body: &str) -> Response {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    let stream = TcpStream::connect(host).expect("the server listens");
    if scheme == "http" {
        return exchange(stream, &request);
    }
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(world.ca_pem().as_bytes()).expect("PEM")).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).to_owned();
    let name = ServerName::try_from(name).expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a TLS client");
    exchange(StreamOwned::new(connection, stream), &request)
}

pub(crate) fn get(world: &World, url: &str) -> Response {
    send(world, "GET", url, &[], "")
}

pub(crate) fn get_with_token(world: &World, url: &str, token: &str) -> Response {
    send(world, "GET", url, &[format!("authorization: Bearer {token}")], "")
}

/// Posts JSON with a bearer token.
pub(crate) fn post_json(world: &World, url: &str, token: &str, body: &Value) -> Response {
    let headers = [format!("authorization: Bearer {token}"), "content-type: application/json".to_owned()];
    send(world, "POST", url, &headers, &body.to_string())
}

pub(crate) fn post(world: &World, url: &str, fields: &[(&str, &str)]) -> Response {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    send(world, "POST", url, &["content-type: application/x-www-form-urlencoded".to_owned()], &body)
}
