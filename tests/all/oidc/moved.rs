//! A cached discovery document that is out of date: it is fetched again before a request fails.

use std::net::{Ipv4Addr, TcpListener};

use serde_json::json;
use sim::{Behaviour, World};

use crate::common::scripted::{DEVICE_CODE, Scripted, json_response};
use crate::common::{ALWAYS, HANG, Home, Run, in_parallel, oidc};

/// A world whose endpoints have moved since the sign-in in this home directory.
fn moved(behaviours: &[Behaviour]) -> (World, Home) {
    let (world, home) = (World::start(), Home::new());
    home.sign_in(&oidc(&world, &[])).token();
    world.set(Behaviour::EndpointsMoved);
    behaviours.iter().for_each(|behaviour| world.set(*behaviour));
    world.reset_requests();
    (world, home)
}

#[test]
fn refresh_finds_a_moved_token_endpoint() {
    in_parallel([&[][..], &[Behaviour::OldEndpointsShowPages]], |behaviours| {
        let (world, home) = moved(behaviours);
        let refresh = oidc(&world, &["--force-refresh"]);
        let run = home.run(&refresh);
        run.token();
        assert_eq!((run.stderr.as_str(), world.count("openid-configuration")), ("", 1), "{behaviours:?}");
        // The new document replaces the old one.
        world.reset_requests();
        home.run(&refresh).token();
        assert_eq!((world.count("openid-configuration"), world.refreshes().len()), (0, 1), "{behaviours:?}");
        assert_eq!(world.families_revoked(), 0);
    });
}

/// A hostile issuer could use an honest issuer's endpoints until it is given tokens from there, and its own afterwards.
#[test]
fn refresh_token_is_not_sent_to_another_site_in_a_newer_document() {
    let (world, home) = moved(&[Behaviour::DelegatedEndpoints]);
    let run = home.run(&oidc(&world, &["--force-refresh"]));
    run.assert_failed(1, &["cannot refresh the token", "(HTTP 404)"]);
    assert!(!run.stderr.contains("other-issuer"), "{run}");
    // By now the newer document is cached.
    let args = oidc(&world, &["--force-refresh", "--prompt", "never"]);
    let run = home.run_as_new_caller(&args);
    run.assert_failed(3, &["at another site now, login.other-issuer.example", "\nNext: "]);
    assert_eq!(world.count("openid-configuration"), 1);
}

#[test]
fn sign_in_finds_a_moved_device_endpoint() {
    let (world, home) = moved(&[]);
    // The session lacks this scope, so a sign-in is needed.
    let run = home.sign_in(&oidc(&world, &["--oidc-extra-scope", "email"]));
    run.token();
    assert_eq!(world.count("openid-configuration"), 1, "{run}");
}

#[test]
fn token_endpoint_that_moves_during_a_sign_in_is_found() {
    let (world, home) = (World::start(), Home::new());
    home.sign_in(&oidc(&world, &[])).token();
    world.revoke_all();
    world.reset_requests();
    world.approve_automatically(false);
    let process = home.start(&oidc(&world, &["--force-refresh", "--prompt", "always"]));
    assert_eq!(world.wait_for_device_request(1, HANG).len(), 1);
    world.set(Behaviour::EndpointsMoved);
    assert_eq!(world.approve_pending(), 1);
    Run::wait(process).token();
    assert_eq!((world.count("openid-configuration"), world.device_requests().len()), (1, 1));
}

#[test]
fn moved_key_set_is_found_for_an_unknown_key() {
    let (world, home) = moved(&[]);
    world.rotate_keys();
    let run = home.run(&oidc(&world, &["--force-refresh"]));
    run.token();
    assert_eq!((run.stderr.as_str(), world.count("openid-configuration")), ("", 1));
}

#[test]
fn new_signature_algorithm_is_read_from_the_new_document() {
    let (world, home) = (World::start(), Home::new());
    home.sign_in(&oidc(&world, &[])).token();
    world.set(Behaviour::IdTokenEs512);
    world.reset_requests();
    let run = home.run(&oidc(&world, &["--force-refresh"]));
    run.token();
    assert_eq!((run.stderr.as_str(), world.count("openid-configuration")), ("", 1));
}

#[test]
fn unreachable_token_host_is_looked_up_in_discovery() {
    // A port that refuses connections, because it has just been closed.
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let issuer = Scripted::start(|url| {
        let document = |host: &str| {
            let device = format!("{host}/device");
            json_response(
                "200 OK",
                &json!({ "issuer": url, "token_endpoint": format!("{host}/token"), "device_authorization_endpoint": device }),
            )
        };
        let device = json!({
            "device_code": DEVICE_CODE, "user_code": "BCDF-GHJK", "verification_uri": format!("{url}/activate"),
            "expires_in": 60, "interval": 1,
        });
        let declined = json_response("400 Bad Request", &json!({ "error": "access_denied" }));
        let old = document(&format!("http://{gone}"));
        vec![old, document(url), json_response("200 OK", &device), declined]
    });
    let args =
        ["get-token", "--oidc-issuer-url", &issuer.url(), "--oidc-client-id", "c", "--grant-type", "device-code"];
    let args = [&args[..], &ALWAYS].concat();
    let home = Home::new();
    home.run(&args).assert_failed(1, &["cannot be reached"]);
    home.run_as_new_caller(&args).assert_failed(3, &["declined"]);
    assert_eq!(issuer.requests().len(), 4);
}

#[test]
fn unchanged_document_is_fetched_once_and_the_error_stays() {
    let (world, home) = (World::start(), Home::new());
    home.sign_in(&oidc(&world, &[])).token();
    home.set_seconds_left(20);
    world.reset_requests();
    world.set(Behaviour::HtmlErrorPage);
    home.run(&oidc(&world, &[])).assert_failed(1, &["cannot refresh the token", "a web page (HTTP 403)"]);
    assert_eq!((world.count("openid-configuration"), world.refreshes().len()), (1, 1));
}
