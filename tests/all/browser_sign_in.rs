//! Browser sign-ins, from the address that is shown to the token: the test plays the browser.
//!
//! What can go wrong is tested in `browser_sign_in/`.
#![cfg(unix)]

mod afterwards;
mod callbacks;
mod choices;
mod failures;
mod id_tokens;
mod listener_flags;
#[cfg(target_os = "linux")]
mod networks;
mod parallel;

use crate::common::browser::{BOTH, Issuer, SHOW_ADDRESS, SignIn};
use crate::common::{Home, claims, in_parallel};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use sim::{ALICE, BOB, World};

#[test]
fn callback_completes_the_sign_in_on_page_and_terminal() {
    for issuer in BOTH {
        let (world, home) = (World::start(), Home::new());
        let (page, run) = issuer.start(&world, &home, &[]).finish();
        let token = run.token();
        assert_eq!(claims(&token)[if issuer == Issuer::Entra { "upn" } else { "email" }], ALICE);
        // The remaining time may have changed by now.
        let last = run.stderr.lines().last().unwrap().split(" (").next().unwrap();
        assert!(last.starts_with(&format!("Signed in as {ALICE}, ")) && last.contains("valid until"), "{run}");
        assert!(page.sentences()[0].starts_with(last), "{page:?}: {run}");
        assert!(page.sentences()[1].contains("close this page"), "{page:?}");
        assert_eq!(world.token_requests("authorization_code").len(), 1);

        world.reset_requests();
        let warm = home.run(&issuer.by_browser(&world, &[]));
        assert_eq!((warm.token(), warm.stderr.as_str()), (token, ""), "{warm}");
        assert!(world.requests().is_empty());
        let status = home.status();
        assert_eq!(status["sessions"][0]["method"], issuer.browser_method());
        assert_eq!(status["sessions"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn requests_have_state_nonce_and_pkce() {
    for issuer in BOTH {
        let (world, home) = (World::start(), Home::new());
        let sign_in = issuer.start(&world, &home, &["--login-hint", ALICE]);
        let (port, redirect) = (sign_in.port(), sign_in.parameter("redirect_uri"));
        sign_in.finish();
        let asked = world.authorize_requests().remove(0).query;
        assert_eq!(redirect, format!("http://localhost:{port}"));
        let (client, scope) = match issuer {
            Issuer::Entra => (sim::CLIENT, format!("{}/.default openid offline_access profile", sim::SERVER)),
            Issuer::Oidc => (sim::OIDC_CLIENT, "openid".to_owned()),
        };
        for (name, value) in [
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", &redirect),
            ("scope", &scope),
            ("code_challenge_method", "S256"),
            ("login_hint", ALICE),
        ] {
            assert_eq!(asked[name], value, "{name}");
        }
        assert!(asked["state"].len() >= 22 && asked["nonce"].len() >= 22 && asked["state"] != asked["nonce"]);
        let mut others: Vec<&str> = asked.keys().map(String::as_str).collect();
        others.retain(|name| !["state", "nonce", "code_challenge"].contains(name));
        assert_eq!(others.contains(&"access_type"), issuer == Issuer::Oidc, "{others:?}");
        assert!(!others.contains(&"prompt"), "{others:?}");

        let exchanges = world.token_requests("authorization_code");
        let fields = &exchanges[0].form;
        let proof = URL_SAFE_NO_PAD.encode(Sha256::digest(&fields["code_verifier"]));
        assert!(fields["code_verifier"].len() >= 43 && proof == asked["code_challenge"]);
        assert_eq!((fields["redirect_uri"].as_str(), fields["client_id"].as_str()), (redirect.as_str(), client));
        assert!(!fields.contains_key("client_secret") && exchanges[0].header("authorization").is_empty());
        assert_eq!(exchanges.len(), 1);
    }
}

#[test]
fn state_nonce_and_verifier_are_new_each_time() {
    let (world, home) = (World::start(), Home::new());
    for _ in 0..2 {
        Issuer::Oidc.start(&world, &home, &["--token-cache-storage", "none"]).finish();
    }
    let [first, second] = world.authorize_requests().try_into().unwrap_or_else(|all| panic!("{all:?}"));
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(first.query[name], second.query[name], "{name}");
    }
}

#[test]
fn forced_login_asks_entra_for_an_account() {
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("one", Issuer::Entra.by_browser(&world, &[])), ("two", Issuer::Oidc.by_browser(&world, &[]))]);
    for (words, prompt) in [
        (&["one", "--skip-open-browser"][..], None),
        (&["one", "--skip-open-browser", "--force"], Some("select_account")),
        (&["two", "--skip-open-browser", "--force"], None),
    ] {
        world.reset_requests();
        let sign_in = SignIn::start(&mut home.plugin(words));
        sign_in.complete().assert_signed_in();
        assert_eq!(sign_in.end().code, Some(0));
        assert_eq!(world.authorize_requests()[0].query.get("prompt").map(String::as_str), prompt, "{words:?}");
    }
}

#[test]
fn extra_parameters_are_sent_to_the_issuer() {
    let (world, home) = (World::start(), Home::new());
    let more = ["--oidc-auth-request-extra-params", "hd=contoso.example,access_type=online", "--login-hint", ALICE];
    let again = ["--oidc-auth-request-extra-params=acr_values=a b", "--oidc-extra-scope=email,groups"];
    let sign_in = Issuer::Oidc.start(&world, &home, &[&more[..], &again].concat());
    let mut names: Vec<String> = sign_in.address.query_pairs().map(|(name, _)| name.into_owned()).collect();
    names.sort();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    sign_in.finish();
    let asked = world.authorize_requests().remove(0).query;
    for (name, value) in [
        ("hd", "contoso.example"),
        ("access_type", "online"),
        ("acr_values", "a b"),
        ("login_hint", ALICE),
        ("scope", "email groups openid"),
    ] {
        assert_eq!(asked[name], value, "{name}");
    }
    for own in ["state=x", "nonce=x", "redirect_uri=http://localhost:1", "client_id=x", "code_challenge=x"] {
        let args = Issuer::Oidc.by_browser(&world, &["--oidc-auth-request-extra-params", own]);
        home.run(&args).assert_failed(2, &["--oidc-auth-request-extra-params", own.split('=').next().unwrap()]);
    }
}

/// pflag's stringToString: one `=` makes one pair, including commas; more `=` make a line of CSV; the last value of a
/// name wins.
#[test]
fn extra_parameters_are_parsed_as_in_the_peer() {
    let (world, home) = (World::start(), Home::new());
    let given = [
        "hd=one.example",
        "acr_values=urn:a,urn:b",
        r#""claims_locales=de,en","display=a ""page""",ui_locales="#,
        "hd=two.example",
        "domain=a=b,max_age=60",
    ];
    let more = given.map(|value| format!("--oidc-auth-request-extra-params={value}"));
    Issuer::Oidc.start(&world, &home, &more.each_ref().map(String::as_str)).finish();
    let asked = world.authorize_requests().remove(0).query;
    for (name, value) in [
        ("hd", "two.example"),
        ("acr_values", "urn:a,urn:b"),
        ("claims_locales", "de,en"),
        ("display", r#"a "page""#),
        ("ui_locales", ""),
        ("domain", "a=b"),
        ("max_age", "60"),
    ] {
        assert_eq!(asked.get(name).map(String::as_str), Some(value), "{name}");
    }
}

#[test]
fn dangerous_extra_parameters_are_rejected() {
    let (world, home) = (World::start(), Home::new());
    for (parameter, named) in [
        ("Redirect_Uri=http://localhost:1", "Redirect_Uri"),
        ("hd=contoso.example,STATE=x", "STATE"),
        ("request_uri=https://a.example/request", "request_uri"),
        ("response_mode=fragment", "response_mode"),
        ("Response_Mode=web_message", "Response_Mode"),
        ("resource=https://graph.microsoft.com", "graph.microsoft.com"),
        ("audience=https://management.azure.com/", "management.azure.com"),
        ("scope=openid https://graph.microsoft.com/.default", "graph.microsoft.com"),
        ("no-equals-sign-but-a-secret", "is not NAME=VALUE"),
    ] {
        let args = Issuer::Oidc.by_browser(&world, &["--oidc-auth-request-extra-params", parameter]);
        let run = home.run(&args);
        run.assert_failed(2, &[named, "\nNext: "]);
        assert!(!run.stderr.contains("but-a-secret"), "{run}");
    }
    assert!(world.requests().is_empty());
}

#[test]
fn client_with_secret_authenticates_and_uses_pkce() {
    let (world, home) = (World::start(), Home::new());
    world.set_client_secret(Some("client-secret-word"));
    let (_, run) = Issuer::Oidc.start(&world, &home, &["--oidc-client-secret", "client-secret-word"]).finish();
    assert!(!run.stderr.contains("client-secret-word"), "{run}");
    let exchange = world.token_requests("authorization_code").remove(0);
    assert!(!exchange.field("code_verifier").is_empty());
    assert!(!world.authorize_requests()[0].query.values().any(|value| value.contains("client-secret-word")));
}

#[test]
fn code_and_browser_sign_ins_share_one_session() {
    in_parallel(BOTH, |issuer| {
        for by_browser_first in [true, false] {
            let (world, home) = (World::start(), Home::new());
            let [browser, code] = [issuer.by_browser(&world, &[]), issuer.by_code(&world, &[])];
            let never = |args: &[String]| home.run(&[args, &["--prompt=never".to_owned()]].concat());
            let ways = if by_browser_first {
                issuer.start(&world, &home, &[]).finish();
                [code, browser]
            } else {
                home.run(&issuer.by_code(&world, &SHOW_ADDRESS)).token();
                [browser, code]
            };
            world.reset_requests();
            let mut token = never(&ways[0]).token();
            assert!(world.requests().is_empty());
            for way in &ways {
                home.set_seconds_left(0);
                let refreshed = never(way);
                assert_ne!(refreshed.token(), token);
                assert_eq!(refreshed.stderr, "");
                token = refreshed.token();
            }
            assert_eq!((world.refreshes().len(), world.families_revoked()), (2, 0));
            assert_eq!(home.files("sessions").len(), 1);
        }
    });
}

#[test]
fn refused_refresh_starts_a_browser_sign_in_with_the_reason() {
    for issuer in BOTH {
        let (world, home) = (World::start(), Home::new());
        issuer.start(&world, &home, &[]).finish();
        home.set_seconds_left(0);
        world.revoke_all();
        let (_, run) = issuer.start(&world, &home, &[]).finish();
        assert!(run.stderr.contains("A new sign-in is needed: "), "{run}");
    }
}

#[test]
fn session_belongs_to_the_user_who_signed_in() {
    let (world, home) = (World::start(), Home::new());
    world.sign_in_as(BOB);
    let (page, run) = Issuer::Entra.start(&world, &home, &["--login-hint", "Bob@Contoso.Example"]).finish();
    assert!(page.sentences()[0].contains(BOB), "{page:?}");
    assert_eq!(claims(&run.token())["upn"], BOB);
}
