//! The listener's flags, and https. `networks.rs` tests the addresses it listens on.

use sim::World;

use crate::common::browser::{BOTH, Issuer, SHOW_ADDRESS, get, with_parameter};
use crate::common::https::{certificate, https, with_certificate};
use crate::common::{Home, Run};

/// A sign-in that fails before it shows an address.
#[track_caller]
pub(crate) fn refused(issuer: Issuer, world: &World, more: &[&str]) -> Run {
    let run = Home::new().run(&issuer.by_browser(world, &[&SHOW_ADDRESS[..], more].concat()));
    assert!(!run.stderr.contains("/authorize"), "{run}");
    run
}

#[test]
fn invalid_listen_address_is_a_usage_error() {
    for address in ["10.9.8.1:5001", "example.com:5001", "127.0.0.1", "5001", "127.0.0.1:port", "127.0.0.1:65536"] {
        for issuer in BOTH {
            refused(issuer, &World::start(), &["--listen-address", address])
                .assert_failed(2, &["--listen-address", address, "\nNext: "]);
        }
    }
    refused(Issuer::Entra, &World::start(), &["--redirect-url", "localhost:5001"])
        .assert_failed(2, &["--redirect-url"]);
    refused(Issuer::Oidc, &World::start(), &["--oidc-redirect-url", "callback"])
        .assert_failed(2, &["--oidc-redirect-url"]);
}

/// RFC 9700 2.1: the code is never sent over a network without TLS.
#[test]
fn remote_redirect_address_must_be_https() {
    let world = World::start();
    for address in ["http://other.example/cb", "http://localhost.other.example:8000/", "http://192.0.2.1:8000"] {
        refused(Issuer::Oidc, &world, &["--oidc-redirect-url", address])
            .assert_failed(2, &["--oidc-redirect-url", address, "is not https", "\nNext: "]);
    }
    assert!(world.requests().is_empty());
}

/// The browser could not reach the listener. Users at a terminal can still paste the address (see `paste.rs`).
#[test]
fn unreachable_redirect_address_is_an_error() {
    let (world, address) = (World::start(), "https://localhost:5001/cb");
    let words = ["cannot come back", address, "there is no certificate", "\nNext: ", "--local-server-cert"];
    refused(Issuer::Oidc, &world, &["--oidc-redirect-url", address]).assert_failed(1, &words);
    let words = ["--oidc-redirect-url-hostname \"other.example\"", "\nNext: ", "--oidc-redirect-url."];
    refused(Issuer::Oidc, &world, &["--oidc-redirect-url-hostname", "other.example"]).assert_failed(1, &words);
    // A sign-in without a listener still works.
    Home::new()
        .run(&Issuer::Oidc.by_code(&world, &[&SHOW_ADDRESS[..], &["--oidc-redirect-url", address]].concat()))
        .token();
    let home = Home::new();
    let more = ["--oidc-redirect-url", address, "--listen-address", "127.0.0.1:0"];
    assert_eq!(Issuer::Oidc.start(&world, &home, &more).parameter("redirect_uri"), address);
}

#[test]
fn invalid_redirect_address_names_its_flag() {
    let more = ["--grant-type", "authcode-keyboard", "--oidc-redirect-url-authcode-keyboard", "nothing"];
    refused(Issuer::Oidc, &World::start(), &more)
        .assert_failed(2, &["--oidc-redirect-url-authcode-keyboard \"nothing\" is not a web address"]);
}

#[test]
fn certificate_makes_the_listener_use_https() {
    let (world, home) = (World::start(), Home::new());
    let made = certificate();
    let more = with_certificate(&home, &made);
    let sign_in = Issuer::Oidc.start(&world, &home, &more.each_ref().map(String::as_str));
    assert_eq!(sign_in.parameter("redirect_uri"), format!("https://localhost:{}", sign_in.port()));
    let back = sign_in.callback_url();
    // Without TLS, the browser gets a plain-text error or no response.
    let mut plain = back.clone();
    plain.set_scheme("http").unwrap();
    assert_ne!(get(&plain).status, 200);
    let forged = with_parameter(&back, "state", Some("forged"));
    https(&forged, &made.0).assert_error(400, &[]);
    https(&back, &made.0).assert_signed_in();
    let run = sign_in.end();
    run.token();
    assert!(!run.stderr.contains("PRIVATE KEY"), "{run}");
}

#[test]
fn certificate_without_key_is_a_usage_error() {
    let world = World::start();
    for issuer in BOTH {
        for (given, missing) in
            [("--local-server-cert", "--local-server-key"), ("--local-server-key", "--local-server-cert")]
        {
            let words = [format!("{missing} is missing"), "\nNext: ".to_owned()];
            refused(issuer, &world, &[given, "/nowhere.pem"]).assert_failed(2, &words.each_ref().map(String::as_str));
        }
    }
}

#[test]
fn unusable_certificate_is_named_without_its_key() {
    let (world, home) = (World::start(), Home::new());
    let ((certificate, key), (_, other_key)) = (certificate(), certificate());
    let part = key.lines().nth(1).unwrap().to_owned();
    let write = |name: &str, text: &str| home.write(name, text).to_str().unwrap().to_owned();
    let good = [write("cert.pem", &certificate), write("key.pem", &key)];
    let garbled = key.replace('A', "B").replace("END PRIVATE", "END PRIVAT");
    for (flag, file) in [
        ("--local-server-cert", "/nowhere/cert.pem".to_owned()),
        ("--local-server-cert", write("no-certificate.pem", "nothing")),
        ("--local-server-cert", good[1].clone()),
        ("--local-server-key", "/nowhere/key.pem".to_owned()),
        ("--local-server-key", write("garbled.pem", &garbled)),
        ("--local-server-key", write("plain.pem", &part)),
        ("--local-server-key", write("other.pem", &other_key)),
        ("--local-server-key", good[0].clone()),
    ] {
        let more = ["--local-server-cert", &good[0], "--local-server-key", &good[1], flag, &file, "-v", "9"];
        let run = refused(Issuer::Oidc, &world, &more);
        run.assert_failed(1, &[flag, &file, "\nNext: "]);
        for text in [key.as_str(), &garbled, &other_key].map(|key| key.lines().nth(1).unwrap()) {
            assert!(!run.stderr.contains(&text[..16]), "{run}");
        }
    }
}
