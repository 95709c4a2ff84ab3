//! Rejected certificates, by reason, and certificates that are accepted as in kubectl.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::common::{Home, Run, V1};

/// A TLS server that responds with 404 to everything: a client that sees this has accepted its certificate.
struct TlsServer {
    url: String,
    /// Its certificate.
    pem: String,
    /// The authority that signed it.
    ca_pem: String,
}

const ACCEPTED: &str = "has no discovery document (HTTP 404)";

impl TlsServer {
    /// With a certificate for 127.0.0.1 from an authority called "Corp Proxy CA", changed by `change`.
    fn start(change: impl FnOnce(&mut CertificateParams)) -> TlsServer {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.distinguished_name.push(DnType::CommonName, "Corp Proxy CA");
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let issuer = Issuer::new(ca, ca_key);
        let (key, mut leaf) = (KeyPair::generate().unwrap(), params());
        change(&mut leaf);
        let certificate = leaf.signed_by(&key, &issuer).unwrap();
        Self::showing(&certificate, &key, ca_pem)
    }

    /// With a self-signed certificate.
    fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> TlsServer {
        let (key, mut leaf) = (KeyPair::generate().unwrap(), params());
        change(&mut leaf);
        let certificate = leaf.self_signed(&key).unwrap();
        Self::showing(&certificate, &key, certificate.pem())
    }

    fn showing(certificate: &rcgen::Certificate, key: &KeyPair, ca_pem: String) -> TlsServer {
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
        std::thread::spawn(move || {
            use std::io::{Read as _, Write as _};
            for stream in listener.incoming().flatten() {
                let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
                if stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {
                    let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                    let _ = stream.write_all(answer.as_bytes());
                    let _ = stream.flush();
                }
            }
        });
        TlsServer { url, pem: certificate.pem(), ca_pem }
    }

    /// A sign-in at this server, with `more` flags and variables.
    fn sign_in(&self, home: &Home, more: &[&str], variables: &[(&str, &str)]) -> Run {
        let own = ["get-token", "--oidc-issuer-url", &self.url, "--oidc-client-id", "c", "--prompt", "always"];
        Run::of(home.plugin(&[&own[..], more].concat()).envs(variables.iter().copied()))
    }

    fn sign_in_trusting(&self, pem: &str) -> Run {
        let home = Home::new();
        let file = home.write("ca.pem", pem);
        self.sign_in(&home, &["--certificate-authority", file.to_str().unwrap()], &[])
    }
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "the server");
    params
}

#[test]
fn expired_certificate_names_its_date_and_who_can_renew_it() {
    let server = TlsServer::start(|leaf| leaf.not_after = date_time_ymd(2021, 3, 1));
    let run = server.sign_in_trusting(&server.ca_pem);
    run.assert_failed(1, &["has expired: it was valid until 1 March 2021", "administrator to renew", "date and time"]);
    assert!(!run.stderr.contains("--certificate-authority"), "{run}");
}

#[test]
fn certificates_of_api_servers_have_specific_errors() {
    let expired = TlsServer::start(|leaf| leaf.not_after = date_time_ymd(2021, 3, 1));
    let unknown = TlsServer::start(|_| {});
    let of_other = TlsServer::start(|leaf| {
        leaf.subject_alt_names = CertificateParams::new(vec!["kubernetes".to_owned()]).unwrap().subject_alt_names;
    });
    let cases = [
        (&expired, &expired.ca_pem, ["has expired: it was valid until 1 March 2021", "the cluster's administrator"]),
        (&unknown, &expired.ca_pem, ["signed by \"Corp Proxy CA\"", "the kubeconfig cluster's certificate-authority"]),
        (&of_other, &of_other.ca_pem, ["is for another name: kubernetes", "tls-server-name"]),
    ];
    for (server, ca, words) in cases {
        let home = Home::new();
        let ca = home.write("ca.pem", ca);
        let kubeconfig = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{ "name": "c", "cluster": { "server": server.url, "certificate-authority": ca } }],
            "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "c" } }],
            "users": [{ "name": "c", "user": { "exec": {
                "apiVersion": V1, "command": "kubectl-login", "interactiveMode": "IfAvailable",
                "args": ["get-token", "--oidc-issuer-url", "http://127.0.0.1:1", "--oidc-client-id", "c"],
            } } }],
        });
        home.write(".kube/config", &kubeconfig.to_string());
        let doctor = home.run(&["doctor"]);
        for word in ["FAIL  server"].iter().chain(&words) {
            assert!(doctor.stdout.contains(word), "{word}: {doctor}");
        }
    }
}

#[test]
fn certificate_of_the_future_suggests_checking_the_clock() {
    let server = TlsServer::start(|leaf| leaf.not_before = date_time_ymd(2101, 3, 1));
    let run = server.sign_in_trusting(&server.ca_pem);
    run.assert_failed(
        1,
        &["is not valid yet: it is valid from 1 March 2101", "\nNext:  Check this machine's date and time"],
    );
}

#[test]
fn certificate_for_another_name_suggests_no_trust() {
    let other = |leaf: &mut CertificateParams| {
        leaf.subject_alt_names =
            CertificateParams::new(vec!["portal.hotel.example".to_owned()]).unwrap().subject_alt_names;
    };
    let known = TlsServer::start(other);
    let unknown = TlsServer::self_signed(other);
    for run in [known.sign_in_trusting(&known.ca_pem), unknown.sign_in(&Home::new(), &[], &[])] {
        run.assert_failed(1, &["is for another name: portal.hotel.example", "captive portal"]);
        for word in ["--certificate-authority", "SSL_CERT_FILE", "insecure", "not trusted"] {
            assert!(!run.stderr.contains(word), "{word}: {run}");
        }
    }
}

#[test]
fn unknown_signer_is_named() {
    let server = TlsServer::start(|_| {});
    let run = server.sign_in(&Home::new(), &[], &[]);
    run.assert_failed(
        1,
        &[
            "not trusted: it is signed by \"Corp Proxy CA\"",
            "--certificate-authority FILE in the kubeconfig user's exec.args, or with SSL_CERT_FILE",
        ],
    );
    // As `openssl req -x509` makes them, and as they should be.
    for is_ca in [IsCa::Ca(BasicConstraints::Unconstrained), IsCa::NoCa] {
        let itself = TlsServer::self_signed(|leaf| leaf.is_ca = is_ca);
        itself.sign_in(&Home::new(), &[], &[]).assert_failed(1, &["not trusted: it is signed by itself"]);
    }
}

#[test]
fn unusable_certificate_file_in_the_environment_is_named() {
    let server = TlsServer::start(|_| {});
    let home = Home::new();
    let empty = home.write("empty.pem", "");
    let none = home.write("none.pem", "nothing of use\n");
    for (file, words) in [
        ("/nowhere/ca.pem", "/nowhere/ca.pem, cannot be read"),
        (empty.to_str().unwrap(), "empty.pem, is empty"),
        (none.to_str().unwrap(), "none.pem, holds no certificate"),
    ] {
        let run = server.sign_in(&home, &[], &[("SSL_CERT_FILE", file)]);
        run.assert_failed(1, &["SSL_CERT_FILE", words, "\nNext:  Correct SSL_CERT_FILE"]);
    }
    server.sign_in(&home, &[], &[("SSL_CERT_DIR", "/nowhere")]).assert_failed(1, &["SSL_CERT_DIR", "/nowhere"]);
    // It is ignored if it is not needed.
    let file = home.write("ca.pem", &server.ca_pem);
    let more = ["--certificate-authority", file.to_str().unwrap()];
    server.sign_in(&home, &more, &[("SSL_CERT_FILE", "/nowhere/ca.pem")]).assert_failed(1, &[ACCEPTED]);
}

#[test]
fn leaf_certificate_as_authority_is_accepted_as_by_kubectl() {
    let as_authority = |leaf: &mut CertificateParams| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = TlsServer::self_signed(as_authority);
    authority.sign_in_trusting(&authority.pem).assert_failed(1, &[ACCEPTED]);
    let home = Home::new();
    let file = home.write("own.pem", &authority.pem);
    authority.sign_in(&home, &[], &[("SSL_CERT_FILE", file.to_str().unwrap())]).assert_failed(1, &[ACCEPTED]);
    let plain = TlsServer::self_signed(|_| {});
    plain.sign_in_trusting(&plain.pem).assert_failed(1, &[ACCEPTED]);

    // Not if it has expired, is for another name, or is for another purpose.
    let expired = TlsServer::self_signed(|leaf| {
        as_authority(leaf);
        leaf.not_after = date_time_ymd(2021, 3, 1);
    });
    expired.sign_in_trusting(&expired.pem).assert_failed(1, &["has expired"]);
    let of_clients = TlsServer::self_signed(|leaf| {
        as_authority(leaf);
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    of_clients.sign_in_trusting(&of_clients.pem).assert_failed(1, &["certificate", "not"]);
    authority.sign_in_trusting(&expired.pem).assert_failed(1, &["not trusted"]);
}

#[test]
fn unreadable_certificate_in_a_bundle_is_skipped_with_a_warning() {
    let server = TlsServer::start(|_| {});
    let broken = "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n";
    let bundle = format!("{broken}{}", server.ca_pem);
    let run = server.sign_in_trusting(&bundle);
    run.assert_failed(1, &[ACCEPTED]);
    let world = sim::World::start();
    let home = Home::new();
    let bundle = home.write("bundle.pem", &format!("{broken}{}{broken}", world.ca_pem()));
    let issuer = world.tls_issuer();
    let args =
        ["get-token", "--oidc-issuer-url", &issuer, "--oidc-client-id", sim::OIDC_CLIENT, "--grant-type=device-code"];
    let args = [&args[..], &["--certificate-authority", bundle.to_str().unwrap()]].concat();
    let run = home.run(&[&args[..], &["--prompt", "always"]].concat());
    run.token();
    assert!(run.stderr.contains("Warning: ") && run.stderr.contains("bundle.pem"), "{run}");
    assert!(run.stderr.contains("certificates that cannot be read: they are skipped"), "{run}");
    // A refresh does not prompt, so it prints nothing.
    let refresh = home.run(&[&args[..], &["--force-refresh"]].concat());
    refresh.token();
    assert_eq!(refresh.stderr, "");
    let only_broken = home.write("broken.pem", broken);
    let more = ["--certificate-authority", only_broken.to_str().unwrap()];
    server.sign_in(&home, &more, &[]).assert_failed(1, &["there is no certificate in", "broken.pem"]);
}
