//! Issuers refuse refresh tokens with many different errors. Each of them leads to a sign-in that gives the reason;
//! failures of the network, the server or the configuration do not.

use serde_json::{Value, json};
use sim::{Behaviour, Step, World};

use crate::common::{ALMOST_EXPIRED, ALWAYS, Home, Run, in_parallel, oidc, signed_in};

/// Words about a device code or a decline, which must not appear for a refresh.
const WORDS_OF_A_SIGN_IN: [&str; 4] = ["the code", "a new code", "declined", "Check client id"];

/// How an issuer refuses to refresh.
enum Refusal {
    As(Behaviour),
    With(Value),
}

use Refusal::{As, With};

/// A home directory with an expired token, at an issuer that refuses refreshes in this way.
fn refused(refusal: Refusal) -> (World, Home) {
    let (world, home, _) = signed_in(oidc);
    home.set_seconds_left(ALMOST_EXPIRED);
    match refusal {
        As(behaviour) => world.set(behaviour),
        With(body) => world.refuse(Step::Refresh, body),
    }
    (world, home)
}

fn assert_leads_to_a_sign_in(world: &World, home: &Home, why: &str) {
    let silent = home.run_as_new_caller(&oidc(world, &[]));
    silent.assert_failed(3, &["cannot refresh the token", why, "\nNext: ", "kubectl login"]);
    for words in WORDS_OF_A_SIGN_IN {
        assert!(!silent.stderr.contains(words), "{words:?}: {silent}");
    }
    let asked = home.run_as_new_caller(&oidc(world, &ALWAYS));
    asked.token();
    assert!(asked.stderr.contains("A new sign-in is needed") && asked.stderr.contains(why), "{asked}");
    for words in ["the code expired", "declined", "Check client id"] {
        assert!(!asked.stderr.contains(words), "{words:?}: {asked}");
    }
}

#[test]
fn each_refusal_starts_a_sign_in_with_the_reason() {
    let cases = [
        (As(Behaviour::RefreshInvalidToken), "The refresh token has been revoked."),
        (As(Behaviour::RefreshOwnJson), "without a reason"),
        (As(Behaviour::RefreshEmptyAnswer), "(HTTP 401)"),
        (With(json!({ "error": "session_expired" })), "session_expired"),
        (With(json!({ "error": "expired_token" })), "expired_token"),
        (With(json!({ "error": "access_denied", "error_description": "Over." })), "Over. (access_denied)"),
        (With(json!({ "error": "authorization_pending" })), "authorization_pending"),
        (With(json!({ "error": "unsupported_grant_type" })), "unsupported_grant_type"),
        (With(json!({ "error": { "code": 401, "message": "gone" } })), "without a reason"),
        (With(json!({ "error": "invalid_grant", "error_codes": [70008] })), "the session was not used"),
        (With(json!({ "error": "invalid_grant", "error_codes": [70019] })), "a new sign-in is needed"),
    ];
    in_parallel(cases, |(refusal, why)| {
        let (world, home) = refused(refusal);
        assert_leads_to_a_sign_in(&world, &home, why);
        assert_eq!(world.device_requests().len(), 1, "{why}");
    });
}

#[test]
fn network_server_and_configuration_failures_start_no_sign_in() {
    let cases = [
        (As(Behaviour::RefreshFirewall), "a web page (HTTP 403)"),
        (As(Behaviour::HtmlSuccessPage), "a web page"),
        (As(Behaviour::Refresh5xx), "HTTP 502"),
        (With(json!({ "error": "invalid_client" })), "invalid_client"),
        (With(json!({ "error": "unauthorized_client" })), "unauthorized_client"),
        (With(json!({ "error": "invalid_scope" })), "invalid_scope"),
        (With(json!({ "error": "slow_down" })), "slow_down"),
        (With(json!({ "error": "temporarily_unavailable" })), "temporarily_unavailable"),
    ];
    in_parallel(cases, |(refusal, why)| {
        let (world, home) = refused(refusal);
        let run: Run = home.run(&oidc(&world, &ALWAYS));
        run.assert_failed(1, &["cannot refresh the token", why, "\nNext: "]);
        assert!(!run.stderr.contains("the code"), "{run}");
        assert!(world.device_requests().is_empty(), "{why}");
    });
}
