//! Servers with responses that no specification allows: the content is never stored, never printed, and has no
//! influence.

use std::time::Duration;

use crate::common::clock::pause;
use crate::common::scripted::{DEVICE_CODE, REFRESH_TOKEN, Scripted, ScriptedResponse, device, json_response, tokens};
use crate::common::{Home, LENIENCE, Run, entra_at, in_parallel, until};
use serde_json::{Value, json};

fn error(status: &'static str, body: &Value) -> ScriptedResponse {
    json_response(status, body)
}

/// `get-token` against the scripted tenant.
fn get_token(server: &Scripted, home: &Home, more: &[&str]) -> Run {
    home.sign_in(&entra_at(&server.url(), more))
}

#[test]
fn token_with_invalid_characters_is_not_cached() {
    in_parallel(["", "a\nb", "a b"], |unusable| {
        let server = Scripted::start(|url| vec![device(url), tokens(unusable), tokens("good")]);
        let home = Home::new();
        get_token(&server, &home, &[]).assert_failed(1, &["empty or contains spaces", "\nNext: "]);
        // The sign-in itself was valid: its refresh token gets a usable token.
        assert_eq!(get_token(&server, &home, &[]).token(), "good");
        assert_eq!(get_token(&server, &home, &[]).token(), "good");
        assert_eq!(server.requests().len(), 3);
    });
}

#[test]
fn secrets_that_a_server_repeats_are_neither_printed_nor_stored() {
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
fn error_code_overrides_the_http_status() {
    in_parallel(["429 Too Many Requests", "503 Service Unavailable"], |status| {
        let server = Scripted::start(|url| {
            let slow_down = error(status, &json!({ "error": "slow_down" }));
            let declined = error(status, &json!({ "error": "access_denied" }));
            vec![device(url), slow_down, declined]
        });
        get_token(&server, &Home::new(), &[]).assert_failed(3, &["declined"]);
        let asked = server.requests();
        assert_eq!(asked.len(), 3);
        assert!(asked[2].at - asked[1].at >= pause(Duration::from_secs(6) - LENIENCE));
    });
}

#[test]
fn unassigned_user_is_refused_by_policy() {
    in_parallel(["invalid_grant", "access_denied"], |name| {
        let refusal =
            json!({ "error": name, "error_codes": [50105], "error_description": "AADSTS50105: not assigned" });
        let server = Scripted::start(|url| vec![device(url), error("400 Bad Request", &refusal)]);
        get_token(&server, &Home::new(), &[]).assert_failed(4, &["not assigned", "AADSTS50105"]);
    });
}

#[test]
fn refresh_for_another_account_is_rejected() {
    // An access token does not show its subject; the ID tokens beside it do.
    let id_token = |subject: &str| {
        use base64::Engine as _;
        let encode = |value: Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", encode(json!({ "alg": "RS256" })), encode(json!({ "sub": subject })))
    };
    let answer = |subject: &str, access_token: &str| {
        let (_, headers, body) = tokens(access_token);
        let mut body: Value = serde_json::from_str(&body).unwrap();
        body["id_token"] = id_token(subject).into();
        let (status, _, body) = json_response("200 OK", &body);
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
fn both_client_secret_methods_are_tried_if_discovery_lists_none() {
    let server = Scripted::start(|url| {
        let discovery = json!({
            "issuer": url, "token_endpoint": format!("{url}/token"),
            "device_authorization_endpoint": format!("{url}/device"),
        });
        let refused = error("401 Unauthorized", &json!({ "error": "invalid_client" }));
        vec![json_response("200 OK", &discovery), refused, device(url), tokens("good")]
    });
    let url = server.url();
    let issuer = url.trim_end_matches('/');
    let args =
        ["get-token", "--oidc-issuer-url", issuer, "--oidc-client-id", "c", "--oidc-client-secret", "the-secret"];
    let more = ["--oidc-use-access-token", "--skip-open-browser", "--prompt", "always"];
    assert_eq!(Home::new().run(&[&args[..], &more].concat()).token(), "good");
    let asked: Vec<String> = server.requests().into_iter().map(|asked| asked.text.to_ascii_lowercase()).collect();
    let (basic, body) = ("authorization: basic ", "client_secret=the-secret");
    assert!(asked[1].contains(basic) && !asked[1].contains(body) && asked[1].contains("client_id=c"), "{}", asked[1]);
    for later in &asked[2..] {
        assert!(!later.contains(basic) && later.contains(body), "{later}");
    }
}

/// A device response of the scripted tenant with another address and code.
fn device_with(address: &str, code: &str) -> ScriptedResponse {
    json_response(
        "200 OK",
        &json!({ "device_code": DEVICE_CODE, "user_code": code, "verification_uri": address, "expires_in": 60, "interval": 1 }),
    )
}

#[test]
fn misleading_address_is_refused_and_not_shown() {
    let long = format!("https://evil.example/{}", "a".repeat(400));
    let addresses = [
        "https://login.microsoft.com@evil.example/device",
        "https://login.microsoft.com:443@evil.example/device",
        "https://evil.example\\@login.microsoft.com/device",
        "https://evil.example/ or call 555-0100 at once",
        "https://evil.example/\nThen: https://login.microsoft.com",
        "https://evil.example/\u{a0}https://login.microsoft.com",
        long.as_str(),
    ];
    in_parallel(addresses, |address| {
        let server = Scripted::start(|_| vec![device_with(address, "USER-CODE"), tokens("good")]);
        let run = get_token(&server, &Home::new(), &[]);
        run.assert_failed(1, &["Error: ", "evil.example", "\nNext: "]);
        for word in ["microsoft", "555-0100", "aaaa", "USER-CODE"] {
            assert!(!run.stderr.contains(word), "{word}: {run}");
        }
        assert_eq!(server.requests().len(), 1);
    });
}

#[test]
fn address_is_shown_as_parsed_with_its_site() {
    for (address, shown, host) in [
        ("HTTPS://LOGIN.Example:443/a/../device", "https://login.example/device", "login.example"),
        (
            "https://login.micr\u{43e}soft.com/device",
            "https://login.xn--micrsoft-qbh.com/device",
            "login.xn--micrsoft-qbh.com",
        ),
        ("https://login.example:8443/d?c=1", "https://login.example:8443/d?c=1", "login.example:8443"),
    ] {
        let server = Scripted::start(|_| vec![device_with(address, "USER-CODE"), tokens("good")]);
        let run = get_token(&server, &Home::new(), &[]);
        assert_eq!(run.token(), "good");
        assert!(run.stderr.lines().any(|line| line == shown), "{shown}: {run}");
        assert!(run.stderr.contains(&format!("another site, {host}.")), "{run}");
        // The prompt names the authority from the kubeconfig.
        assert!(run.stderr.contains(&format!(" at 127.0.0.1:{})", server.port)), "{run}");
    }
    // The server's own page needs no warning.
    let server = Scripted::start(|url| vec![device(url), tokens("good")]);
    let run = get_token(&server, &Home::new(), &[]);
    assert!(!run.stderr.contains("another site"), "{run}");
}

#[test]
fn complete_address_at_another_site_is_not_opened() {
    let home = Home::new();
    let opened = home.path().join("opened");
    let script = format!("#!/bin/sh\necho \"$1\" >'{at}.new'\nmv '{at}.new' '{at}'\n", at = opened.display());
    let browser = home.write_program("browser", &script);
    let server = Scripted::start(|_| {
        let answer = json!({
            "device_code": DEVICE_CODE, "user_code": "USER-CODE", "expires_in": 60, "interval": 1,
            "verification_uri": "https://login.example/device",
            "verification_uri_complete": "https://evil.example/device?user_code=USER-CODE",
        });
        vec![json_response("200 OK", &answer), tokens("good")]
    });
    let run = get_token(&server, &home, &["--browser-command", browser.to_str().unwrap()]);
    assert_eq!(run.token(), "good");
    until(|| opened.exists());
    assert_eq!(std::fs::read_to_string(&opened).unwrap(), "https://login.example/device\n");
    assert!(!run.stderr.contains("evil"), "{run}");
}

#[test]
fn invalid_user_code_is_not_shown() {
    let prose = "Call 555-0100 and read them the number on your card. ".repeat(2);
    in_parallel(
        [
            prose.as_str(),
            "A\u{1b}[2JB",
            "\u{410}\u{412}\u{421}",
            "",
            "-",
            "a/b",
            "A  B",
            "https://evil.example",
            "CALL 555 0100 TO VERIFY IT",
        ],
        |code| {
            let server = Scripted::start(|_| vec![device_with("https://login.example/device", code), tokens("good")]);
            let run = get_token(&server, &Home::new(), &[]);
            run.assert_failed(1, &["sent a code that is not one", "\nNext: "]);
            assert!(!run.stderr.contains("555") && !run.stderr.contains("evil"), "{run}");
            assert_eq!(server.requests().len(), 1);
        },
    );
    for code in ["ABCD-EFGH", "123 456 789", "A1B2C3D4E", "ABCD EFGH"] {
        let server = Scripted::start(|_| vec![device_with("https://login.example/device", code), tokens("good")]);
        let run = get_token(&server, &Home::new(), &[]);
        assert!(run.stderr.lines().any(|line| line == code), "{run}");
        run.token();
    }
}

#[test]
fn misleading_issuer_is_refused() {
    for issuer in [
        "https://login.microsoft.com@evil.example",
        "https://evil.example\\@login.microsoft.com",
        "https://l\u{43e}gin.example",
        "https://evil.example/ login.microsoft.com",
    ] {
        let args = ["get-token", "--oidc-issuer-url", issuer, "--oidc-client-id", "x", "--prompt", "always"];
        Home::new().run(&args).assert_failed(2, &["--oidc-issuer-url", "\nNext: "]);
    }
}

#[test]
fn client_refused_without_a_secret_suggests_the_flag() {
    let keycloak =
        json!({ "error": "unauthorized_client", "error_description": "Invalid client or Invalid client credentials" });
    let refusals = [json!({ "error": "invalid_client" }), keycloak];
    in_parallel(refusals, |refusal| {
        let server = Scripted::start(|url| {
            let discovery = json!({
                "issuer": url, "token_endpoint": format!("{url}/token"),
                "device_authorization_endpoint": format!("{url}/device"),
            });
            vec![json_response("200 OK", &discovery), device(url), error("401 Unauthorized", &refusal)]
        });
        let url = server.url();
        let args = ["get-token", "--oidc-issuer-url", &url, "--oidc-client-id", "c", "--grant-type", "device-code"];
        let get_token = |more: &[&str]| Home::new().run(&[&args[..], &["--prompt", "always"], more].concat());
        get_token(&[]).assert_failed(1, &["exec.args: --oidc-client-secret=SECRET", "check --oidc-client-id."]);
        let with_secret = get_token(&["--oidc-client-secret", "the-secret"]);
        assert!(!with_secret.stderr.contains("--oidc-client-secret=SECRET"), "{with_secret}");
    });
}
