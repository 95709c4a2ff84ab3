//! What the flags for the listener may say, and how it speaks https. Where it listens is in `networks.rs`.

use sim::World;

use crate::common::browser::{BOTH, Issuer, SHOW_ADDRESS, get, with_parameter};
use crate::common::https::{certificate, https, with_certificate};
use crate::common::{Home, Run};

/// A sign-in that does not come as far as to show an address.
#[track_caller]
pub(crate) fn refused(issuer: Issuer, world: &World, more: &[&str]) -> Run {
    let run = Home::new().run(&issuer.by_browser(world, &[&SHOW_ADDRESS[..], more].concat()));
    assert!(!run.stderr.contains("/authorize"), "{run}");
    run
}

#[test]
fn an_address_that_makes_no_sense_is_a_wrong_command_line() {
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

/// RFC 9700 2.1: the code is not sent over a network in the open.
#[test]
fn a_redirect_address_elsewhere_has_to_be_https() {
    let world = World::start();
    for address in ["http://other.example/cb", "http://localhost.other.example:8000/", "http://192.0.2.1:8000"] {
        refused(Issuer::Oidc, &world, &["--oidc-redirect-url", address])
            .assert_failed(2, &["--oidc-redirect-url", address, "is not https", "\nNext: "]);
    }
    assert!(world.requests().is_empty());
}

/// Nobody could answer the browser there. Somebody at a terminal can still carry the answer over (see tests/paste).
#[test]
fn where_the_browser_cannot_come_back_it_is_said() {
    let (world, address) = (World::start(), "https://localhost:5001/cb");
    let words = ["cannot come back", address, "there is no certificate", "\nNext: ", "--local-server-cert"];
    refused(Issuer::Oidc, &world, &["--oidc-redirect-url", address]).assert_failed(1, &words);
    let words = ["--oidc-redirect-url-hostname \"other.example\"", "\nNext: ", "--oidc-redirect-url."];
    refused(Issuer::Oidc, &world, &["--oidc-redirect-url-hostname", "other.example"]).assert_failed(1, &words);
    // Whoever needs no listener is not kept from anything.
    Home::new()
        .run(&Issuer::Oidc.by_code(&world, &[&SHOW_ADDRESS[..], &["--oidc-redirect-url", address]].concat()))
        .token();
    let home = Home::new();
    let more = ["--oidc-redirect-url", address, "--listen-address", "127.0.0.1:0"];
    assert_eq!(Issuer::Oidc.start(&world, &home, &more).parameter("redirect_uri"), address);
}

#[test]
fn a_wrong_redirect_address_is_told_by_the_flag_that_has_it() {
    let more = ["--grant-type", "authcode-keyboard", "--oidc-redirect-url-authcode-keyboard", "nothing"];
    refused(Issuer::Oidc, &World::start(), &more)
        .assert_failed(2, &["--oidc-redirect-url-authcode-keyboard \"nothing\" is not a web address"]);
}

#[test]
fn with_a_certificate_the_browser_comes_back_by_https() {
    let (world, home) = (World::start(), Home::new());
    let made = certificate();
    let more = with_certificate(&home, &made);
    let sign_in = Issuer::Oidc.start(&world, &home, &more.each_ref().map(String::as_str));
    assert_eq!(sign_in.parameter("redirect_uri"), format!("https://localhost:{}", sign_in.port()));
    let back = sign_in.callback_url();
    // The browser is told in plain text that it has to speak TLS, or nothing: no answer is one.
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
fn half_a_certificate_is_a_wrong_command_line() {
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
fn a_certificate_that_cannot_be_used_is_named_and_nothing_of_the_key_is_shown() {
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
