//! The world's certificate authority, and the certificate of its https servers.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::calendar;

/// A name that does not exist (RFC 6761 section 6.4). It is in the certificates too: only a proxy can resolve it.
pub const HOST: &str = "login.example.invalid";

const DAY: i64 = 86_400;

/// A certificate authority for one world, and the configurations of its servers.
pub(crate) struct Tls {
    pub(crate) ca_pem: String,
    pub(crate) server: Arc<ServerConfig>,
    /// The same, but it asks for a client certificate of this authority. A browser would show that to its user.
    pub(crate) kube: Arc<ServerConfig>,
    /// A client certificate and its key, in PEM.
    pub(crate) client: (String, String),
}

/// Certificate parameters, valid from two days ago for three months: platforms refuse very long validities.
fn params(name: &str, alternatives: Vec<String>) -> CertificateParams {
    let now = calendar::unix_now();
    let (from, until) = (calendar::date(now - 2 * DAY), calendar::date(now + 90 * DAY));
    let mut params = CertificateParams::new(alternatives).expect("the names are plain ASCII");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(until.0, until.1, until.2);
    params
}

impl Tls {
    /// With a certificate for `localhost`, [`HOST`] and an address.
    pub(crate) fn new(address: IpAddr) -> Self {
        let ca_key = KeyPair::generate().expect("ring makes keys");
        let mut ca = params("simulated world CA", Vec::new());
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_pem = ca.self_signed(&ca_key).expect("the authority signs itself").pem();
        let issuer = Issuer::new(ca, ca_key);

        let key = KeyPair::generate().expect("ring makes keys");
        let mut leaf = params("simulated world", vec![address.to_string(), "localhost".to_owned(), HOST.to_owned()]);
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        let certificate = leaf.signed_by(&key, &issuer).expect("the authority signs");

        let client_key = KeyPair::generate().expect("ring makes keys");
        let mut client = params("masterclient", Vec::new());
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let client = client.signed_by(&client_key, &issuer).expect("the authority signs");

        let provider = Arc::new(default_provider());
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(ca_pem.as_bytes()).expect("a certificate in PEM");
        roots.add(authority).expect("an authority");
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let verifier = verifier.allow_unauthenticated().build().expect("an authority to verify with");
        let server = |verifier: Arc<dyn ClientCertVerifier>| {
            let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
            let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions()
                .expect("ring has the default versions")
                .with_client_cert_verifier(verifier)
                .with_single_cert(vec![certificate.der().clone()], private)
                .expect("key and certificate belong together");
            server.alpn_protocols = vec![b"http/1.1".to_vec()];
            Arc::new(server)
        };
        Self {
            ca_pem,
            server: server(WebPkiClientVerifier::no_client_auth()),
            kube: server(verifier),
            client: (client.pem(), client_key.serialize_pem()),
        }
    }
}
