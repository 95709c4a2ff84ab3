//! Sign-ins that end without a token: the page and the terminal show the same error, and nothing is stored.

use sim::{ALICE, BOB, Behaviour, World};

use crate::common::browser::{BOTH, Issuer, Page, SHOW_ADDRESS, SignIn, get, with_parameter};
use crate::common::{Home, Run, in_parallel};

/// More time than a successful sign-in needs, and little enough to wait for a timeout.
const SOON: [&str; 2] = ["--authentication-timeout-sec", "2"];

/// A sign-in in a world with these behaviours, up to the page after the callback.
#[track_caller]
pub(crate) fn failed_sign_in(issuer: Issuer, behaviours: &[Behaviour], more: &[&str]) -> (World, Home, Page, Run) {
    let (world, home) = (World::start_with(behaviours), Home::new());
    let sign_in = issuer.start(&world, &home, more);
    let page = sign_in.complete();
    let run = sign_in.end();
    page.assert_shows_error_of(&run);
    assert_eq!((home.files("sessions").len(), home.files("tokens").len()), (0, 0));
    (world, home, page, run)
}

/// The same if the issuer misbehaves between its page and the exchange.
#[track_caller]
fn failed_exchange(issuer: Issuer, behaviour: Behaviour) -> Run {
    failed_exchange_in(issuer, behaviour).2
}

/// The same, with the world and the home directory.
#[track_caller]
fn failed_exchange_in(issuer: Issuer, behaviour: Behaviour) -> (World, Home, Run) {
    let (world, home) = (World::start(), Home::new());
    home.make_failures_quick();
    let sign_in = issuer.start(&world, &home, &[]);
    let back = sign_in.callback_url();
    world.set(behaviour);
    let page = get(&back);
    let run = sign_in.end();
    page.assert_shows_error_of(&run);
    assert_eq!(home.files("sessions").len(), 0);
    assert_eq!(world.token_requests("authorization_code").len(), 1);
    (world, home, run)
}

#[test]
fn declined_sign_in_is_printed_once() {
    for issuer in BOTH {
        let (world, home, page, run) = failed_sign_in(issuer, &[Behaviour::AuthorizeDenied], &[]);
        run.assert_failed(3, &["the sign-in was declined", "\nNext: "]);
        assert!(page.body.contains("the sign-in was declined"), "{page:?}");
        assert!(world.token_requests("authorization_code").is_empty());
        // The same caller has already been told.
        let again = home.run(&issuer.by_browser(&world, &SHOW_ADDRESS));
        again.assert_failed(3, &[]);
        assert_eq!((again.stderr.as_str(), world.authorize_requests().len()), ("", 1));
    }
}

#[test]
fn issuer_text_is_escaped_on_page_and_terminal() {
    for (name, text) in [
        ("error", "<script>alert(1)</script>"),
        (
            "error_description",
            "AADSTS1: <img src=x onerror=alert(1)> \u{1b}[2J\u{9b}31m\r\nforged\u{202e} Trace ID: <b>",
        ),
    ] {
        for issuer in BOTH {
            let (world, home) = (World::start_with(&[Behaviour::AuthorizeDenied]), Home::new());
            let sign_in = issuer.start(&world, &home, &[]);
            let page = get(&with_parameter(&sign_in.callback_url(), name, Some(text)));
            let run = sign_in.end();
            page.assert_shows_error_of(&run);
            for written in [&page.body, &run.stderr] {
                let odd = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
                assert!(!written.contains(odd) && !written.lines().any(|line| line.starts_with("forged")), "{run}");
            }
        }
    }
}

#[test]
fn sign_in_ends_after_authentication_timeout() {
    for behaviours in [&[][..], &[Behaviour::AuthorizeErrorPage]] {
        for issuer in BOTH {
            let (world, home) = (World::start_with(behaviours), Home::new());
            world.approve_automatically(false);
            home.shorten_lives(10);
            let sign_in = issuer.start(&world, &home, &[&SOON[..], &["--listen-address=127.0.0.1:0"]].concat());
            assert_eq!(get(&sign_in.address).header("location"), "");
            let redirect = sign_in.parameter("redirect_uri");
            let run = sign_in.end();
            run.assert_failed(3, &["within 2 seconds", "\nNext: ", "--authentication-timeout-sec"]);
            // Only the browser was told about such a refusal.
            let remedy = match issuer {
                Issuer::Entra => "AADSTS50011",
                Issuer::Oidc => &redirect,
            };
            assert!(run.stderr.contains(remedy), "{run}");
        }
    }
}

#[test]
fn unregistered_redirect_address_says_what_to_register() {
    let (world, home) = (World::start_with(&[Behaviour::RedirectNotRegistered]), Home::new());
    home.shorten_lives(10);
    let sign_in = Issuer::Entra.start(&world, &home, &SOON);
    assert!(get(&sign_in.address).body.contains("AADSTS50011"));
    let next = ["AADSTS50011", "add http://localhost as a redirect address for mobile and desktop applications"];
    sign_in.end().assert_failed(3, &next);
}

#[test]
fn policy_refusal_exits_with_4() {
    in_parallel(BOTH, |issuer| {
        let (.., run) = failed_sign_in(issuer, &[Behaviour::ConsentRequired], &[]);
        run.assert_failed(4, &["consented", "administrator"]);
    });
    failed_exchange(Issuer::Entra, Behaviour::ConsentRequired).assert_failed(4, &["AADSTS65001", "administrator"]);
    let blocked = failed_exchange(Issuer::Entra, Behaviour::ConditionalAccessBlocksBrowser);
    blocked.assert_failed(4, &["AADSTS53003", "conditional-access"]);

    // If the page itself blocks, there is no callback.
    let (world, home) = (World::start_with(&[Behaviour::ConditionalAccessBlocksBrowser]), Home::new());
    home.shorten_lives(10);
    let sign_in = Issuer::Entra.start(&world, &home, &SOON);
    assert!(get(&sign_in.address).body.contains("AADSTS53003"));
    sign_in.end().assert_failed(3, &["within 2 seconds"]);
}

#[test]
fn confidential_client_error_names_both_settings() {
    let run = failed_exchange(Issuer::Entra, Behaviour::PublicClientNotAllowed);
    run.assert_failed(1, &["AADSTS7000218", "Allow public client flows", "mobile and desktop applications"]);
}

#[test]
fn expired_code_suggests_another_sign_in() {
    for issuer in BOTH {
        let (world, home, run) = failed_exchange_in(issuer, Behaviour::CodeExpired);
        run.assert_failed(3, &["expired", "\nNext:  Sign in again: kubectl login"]);
        // The user has not declined, so the next command may prompt.
        world.clear(Behaviour::CodeExpired);
        let again = issuer.by_browser(&world, &SHOW_ADDRESS);
        SignIn::start(&mut home.new_caller(&again)).finish().1.credential();
    }
}

/// It is unknown whether the code was used up, and a code that is sent twice looks stolen.
#[test]
fn code_is_sent_once_even_if_the_connection_breaks() {
    for issuer in BOTH {
        let (world, home, run) = failed_exchange_in(issuer, Behaviour::ConnectionLostAtExchange);
        run.assert_failed(1, &["the connection to ", " broke: ", "\nNext:  Check the network"]);
        world.clear(Behaviour::ConnectionLostAtExchange);
        issuer.start(&world, &home, &[]).finish();
    }
}

#[test]
fn token_endpoint_failure_exits_with_1() {
    for (behaviour, word) in [
        (Behaviour::HtmlErrorPage, "captive portal"),
        (Behaviour::HtmlSuccessPage, "captive portal"),
        (Behaviour::NotJson, "captive portal"),
        (Behaviour::RedirectToken, "redirects"),
        (Behaviour::OversizedAnswer, "larger than 1 MiB"),
    ] {
        for issuer in BOTH {
            failed_exchange(issuer, behaviour).assert_failed(1, &[word, "\nNext: "]);
        }
    }
}

#[test]
fn temporary_token_endpoint_failure_is_retried() {
    in_parallel([Behaviour::ServerError, Behaviour::Token503WithRetryAfter], |behaviour| {
        for issuer in BOTH {
            let (world, home) = (World::start_with(&[behaviour]), Home::new());
            issuer.start(&world, &home, &[]).finish();
            assert_eq!((world.token_requests("authorization_code").len(), world.families_revoked()), (2, 0));
        }
    });
}

#[test]
fn unexpected_user_is_refused_on_page_and_terminal() {
    for issuer in BOTH {
        let (world, home, page, run) = failed_sign_in(issuer, &[Behaviour::OtherUser], &["--login-hint", ALICE]);
        run.assert_failed(3, &[ALICE, BOB, "--login-hint", "\nNext: "]);
        assert!(page.body.contains(&format!("{BOB} signed in, but {ALICE} was expected")), "{page:?}");
        for hint in [ALICE, BOB] {
            let never = issuer.by_browser(&world, &["--login-hint", hint, "--prompt", "never"]);
            home.run_as_new_caller(&never).assert_failed(3, &[]);
        }
    }
}

#[test]
fn issuer_without_pkce_suggests_the_flag() {
    let (_world, _home, page, run) = failed_sign_in(Issuer::Oidc, &[Behaviour::PkceRefused], &[]);
    run.assert_failed(1, &["code_challenge", "--oidc-pkce-method=no"]);
    assert!(page.body.contains("--oidc-pkce-method=no"), "{page:?}");

    let (world, home) = (World::start_with(&[Behaviour::PkceRefused]), Home::new());
    Issuer::Oidc.start(&world, &home, &["--oidc-pkce-method=no"]).finish();
    assert!(!world.authorize_requests()[0].query.contains_key("code_challenge"));
    assert_eq!(world.token_requests("authorization_code")[0].field("code_verifier"), "");
}

#[test]
fn pkce_is_used_unless_the_issuer_has_only_plain() {
    for (behaviours, more, used) in [
        (&[][..], &[][..], true),
        (&[Behaviour::PkceRequired], &[], true),
        (&[Behaviour::PkceRequired], &["--oidc-pkce-method=S256"], true),
        (&[Behaviour::PlainPkceOnly], &[], false),
        (&[Behaviour::PlainPkceOnly], &["--oidc-use-pkce"], true),
        (&[], &["--oidc-pkce-method=no"], false),
    ] {
        let (world, home) = (World::start_with(behaviours), Home::new());
        Issuer::Oidc.start(&world, &home, more).finish();
        let method = world.authorize_requests()[0].query.get("code_challenge_method").cloned();
        assert_eq!(method.as_deref(), used.then_some("S256"), "{behaviours:?} {more:?}");
    }
    let (.., run) = failed_sign_in(Issuer::Oidc, &[Behaviour::PkceRequired], &["--oidc-pkce-method=no"]);
    run.assert_failed(1, &["requires PKCE", "\nNext: "]);
}
