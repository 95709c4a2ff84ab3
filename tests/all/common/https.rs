//! A browser that connects to the listener with TLS, and the listener's certificate.

use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use url::Url;

use crate::common::Home;
use crate::common::page::{Page, connect, exchange, request_bytes};

/// The TLS configuration of a browser that trusts only this authority.
pub fn trusting(ca_pem: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// One GET over TLS, from a browser that trusts this authority.
pub fn https(url: &Url, ca_pem: &str) -> Page {
    let name = ServerName::try_from(url.host_str().unwrap().to_owned()).unwrap();
    let connection = ClientConnection::new(trusting(ca_pem), name).unwrap();
    exchange(StreamOwned::new(connection, connect(url)), &request_bytes("GET", url, &[], ""))
}

/// A certificate for `localhost` and its key, as PEM.
pub fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// The flags for a certificate and its key, as files in this home directory.
pub fn with_certificate(home: &Home, (certificate, key): &(String, String)) -> [String; 4] {
    let file = |name: &str, text: &str| home.write(name, text).to_str().unwrap().to_owned();
    let files = (file("cert.pem", certificate), file("key.pem", key));
    ["--local-server-cert".to_owned(), files.0, "--local-server-key".to_owned(), files.1]
}
