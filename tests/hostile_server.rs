//! Servers that answer what no specification has: what they send back never lasts, never leaks, and decides nothing it
//! should not.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;
#[path = "common/scripted.rs"]
mod scripted;

use std::time::Duration;

use common::{AKS, Home, Run, at_once};
use scripted::{DEVICE_CODE, Line, REFRESH_TOKEN, Scripted, device, json as json_answer, tokens};
use serde_json::{Value, json};

/// Clocks of two processes are compared.
const LENIENCE: Duration = Duration::from_millis(200);

fn error(status: &'static str, body: &Value) -> Line {
    json_answer(status, body)
}

/// `get-token` against the scripted tenant.
fn get_token(server: &Scripted, home: &Home, more: &[&str]) -> Run {
    let url = server.url();
    home.run(&[&AKS[..], &["--authority-host", &url, "--prompt", "always"], more].concat())
}

#[test]
fn a_token_that_no_header_can_hold_is_not_remembered() {
    at_once(["", "a\nb", "a b"], |unusable| {
        let server = Scripted::start(|url| vec![device(url), tokens(unusable), tokens("good")]);
        let home = Home::new();
        get_token(&server, &home, &[]).assert_failed(1, &["empty or holds spaces", "\nNext: "]);
        // The sign-in itself was good: the refresh token brings a token that can be used.
        assert_eq!(get_token(&server, &home, &[]).token(), "good");
        assert_eq!(get_token(&server, &home, &[]).token(), "good");
        assert_eq!(server.asked().len(), 3);
    });
}

#[test]
fn secrets_that_the_server_repeats_reach_neither_the_terminal_nor_the_disk() {
    let server = Scripted::start(|url| {
        let with_refresh_token = format!("bad token {REFRESH_TOKEN} given");
        let with_device_code = format!("bad code {DEVICE_CODE} given");
        vec![
            device(url),
            tokens("good"),
            error("400 Bad Request", &json!({ "error": "invalid_scope", "error_description": with_refresh_token })),
            device(url),
            error("400 Bad Request", &json!({ "error": "invalid_request", "error_description": with_device_code })),
        ]
    });
    let home = Home::new();
    get_token(&server, &home, &[]).token();
    let refresh = get_token(&server, &home, &["--force-refresh"]);
    refresh.assert_failed(1, &["bad token [hidden] given"]);
    let hint = get_token(&server, &home, &["--login-hint", "a@b.example"]);
    hint.assert_failed(1, &["bad code [hidden] given"]);
    for path in home.files("outcomes") {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(!text.contains(REFRESH_TOKEN) && !text.contains(DEVICE_CODE), "{text}");
    }
}

#[test]
fn the_error_decides_and_not_the_status() {
    at_once(["429 Too Many Requests", "503 Service Unavailable"], |status| {
        let server = Scripted::start(|url| {
            let slow_down = error(status, &json!({ "error": "slow_down" }));
            let declined = error(status, &json!({ "error": "access_denied" }));
            vec![device(url), slow_down, declined]
        });
        get_token(&server, &Home::new(), &[]).assert_failed(3, &["declined"]);
        let asked = server.asked();
        assert_eq!(asked.len(), 3);
        assert!(asked[2].at - asked[1].at >= Duration::from_secs(6) - LENIENCE);
    });
}

#[test]
fn who_is_not_assigned_is_refused_by_policy() {
    at_once(["invalid_grant", "access_denied"], |name| {
        let refusal =
            json!({ "error": name, "error_codes": [50105], "error_description": "AADSTS50105: not assigned" });
        let server = Scripted::start(|url| vec![device(url), error("400 Bad Request", &refusal)]);
        get_token(&server, &Home::new(), &[]).assert_failed(4, &["not assigned", "AADSTS50105"]);
    });
}

#[test]
fn another_account_on_refresh_is_not_the_same_session() {
    // An access token tells nobody's subject; the ID tokens beside it do.
    let id_token = |subject: &str| {
        use base64::Engine as _;
        let encode = |value: Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", encode(json!({ "alg": "RS256" })), encode(json!({ "sub": subject })))
    };
    let answer = |subject: &str, access_token: &str| {
        let (_, headers, body) = tokens(access_token);
        let mut body: Value = serde_json::from_str(&body).unwrap();
        body["id_token"] = id_token(subject).into();
        let (status, _, body) = json_answer("200 OK", &body);
        (status, headers, body)
    };
    let server = Scripted::start(|url| {
        vec![device(url), answer("alice", "one"), answer("bob", "two"), device(url), answer("alice", "three")]
    });
    let home = Home::new();
    assert_eq!(get_token(&server, &home, &[]).token(), "one");
    let again = get_token(&server, &home, &["--force-refresh"]);
    assert_eq!(again.token(), "three");
    assert!(again.stderr.contains("another account"), "{again}");
}

#[test]
fn where_the_issuer_does_not_say_how_the_secret_is_taken_both_ways_are_tried() {
    let server = Scripted::start(|url| {
        let discovery = json!({
            "issuer": url, "token_endpoint": format!("{url}/token"),
            "device_authorization_endpoint": format!("{url}/device"),
        });
        let refused = error("401 Unauthorized", &json!({ "error": "invalid_client" }));
        vec![json_answer("200 OK", &discovery), refused, device(url), tokens("good")]
    });
    let url = server.url();
    let issuer = url.trim_end_matches('/');
    let args =
        ["get-token", "--oidc-issuer-url", issuer, "--oidc-client-id", "c", "--oidc-client-secret", "the-secret"];
    let more = ["--oidc-use-access-token", "--skip-open-browser", "--prompt", "always"];
    assert_eq!(Home::new().run(&[&args[..], &more].concat()).token(), "good");
    let asked: Vec<String> = server.asked().into_iter().map(|asked| asked.text.to_ascii_lowercase()).collect();
    let (basic, body) = ("authorization: basic ", "client_secret=the-secret");
    assert!(asked[1].contains(basic) && !asked[1].contains(body) && asked[1].contains("client_id=c"), "{}", asked[1]);
    for later in &asked[2..] {
        assert!(!later.contains(basic) && later.contains(body), "{later}");
    }
}
