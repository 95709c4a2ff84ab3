//! Sign-ins that end without a token: the page and the terminal say the same, and nothing is remembered.

use sim::{ALICE, BOB, Behaviour, World};

use crate::common::browser::{BOTH, Issuer, Page, SHOW_ADDRESS, SignIn, get, with_parameter};
use crate::common::{Home, Run, in_parallel};

/// More time than a sign-in takes that comes back, and little enough to wait for one that does not.
const SOON: [&str; 2] = ["--authentication-timeout-sec", "2"];

/// The sign-in of a world with this behaviour, in a home of its own, as far as the browser comes back.
#[track_caller]
pub(crate) fn ends(issuer: Issuer, behaviours: &[Behaviour], more: &[&str]) -> (World, Home, Page, Run) {
    let (world, home) = (World::start_with(behaviours), Home::new());
    let sign_in = issuer.start(&world, &home, more);
    let page = sign_in.complete();
    let run = sign_in.end();
    page.assert_shows_error_of(&run);
    assert_eq!((home.files("sessions").len(), home.files("tokens").len()), (0, 0));
    (world, home, page, run)
}

/// The same where the issuer goes wrong between its page and the exchange.
#[track_caller]
fn exchange_ends(issuer: Issuer, behaviour: Behaviour) -> Run {
    exchange_in(issuer, behaviour).2
}

/// The same, and where it was.
#[track_caller]
fn exchange_in(issuer: Issuer, behaviour: Behaviour) -> (World, Home, Run) {
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
fn somebody_who_says_no_has_said_so() {
    for issuer in BOTH {
        let (world, home, page, run) = ends(issuer, &[Behaviour::AuthorizeDenied], &[]);
        run.assert_failed(3, &["the sign-in was declined", "\nNext: "]);
        assert!(page.body.contains("the sign-in was declined"), "{page:?}");
        assert!(world.token_requests("authorization_code").is_empty());
        // The same caller has heard it.
        let again = home.run(&issuer.by_browser(&world, &SHOW_ADDRESS));
        again.assert_failed(3, &[]);
        assert_eq!((again.stderr.as_str(), world.authorize_requests().len()), ("", 1));
    }
}

#[test]
fn what_the_issuer_says_becomes_neither_markup_nor_a_terminals_command() {
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
fn nobody_is_waited_for_longer_than_was_said() {
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
            // What a refusal looks like that only the browser was told.
            let remedy = match issuer {
                Issuer::Entra => "AADSTS50011",
                Issuer::Oidc => &redirect,
            };
            assert!(run.stderr.contains(remedy), "{run}");
        }
    }
}

#[test]
fn an_address_that_is_not_registered_is_told_with_what_to_register() {
    let (world, home) = (World::start_with(&[Behaviour::RedirectNotRegistered]), Home::new());
    home.shorten_lives(10);
    let sign_in = Issuer::Entra.start(&world, &home, &SOON);
    assert!(get(&sign_in.address).body.contains("AADSTS50011"));
    let next = ["AADSTS50011", "add http://localhost as a redirect address for mobile and desktop applications"];
    sign_in.end().assert_failed(3, &next);
}

#[test]
fn policy_is_exit_4() {
    in_parallel(BOTH, |issuer| {
        let (.., run) = ends(issuer, &[Behaviour::ConsentRequired], &[]);
        run.assert_failed(4, &["consented", "administrator"]);
    });
    exchange_ends(Issuer::Entra, Behaviour::ConsentRequired).assert_failed(4, &["AADSTS65001", "administrator"]);
    let blocked = exchange_ends(Issuer::Entra, Behaviour::ConditionalAccessBlocksBrowser);
    blocked.assert_failed(4, &["AADSTS53003", "conditional-access"]);

    // Where the page itself blocks, nothing comes back.
    let (world, home) = (World::start_with(&[Behaviour::ConditionalAccessBlocksBrowser]), Home::new());
    home.shorten_lives(10);
    let sign_in = Issuer::Entra.start(&world, &home, &SOON);
    assert!(get(&sign_in.address).body.contains("AADSTS53003"));
    sign_in.end().assert_failed(3, &["within 2 seconds"]);
}

#[test]
fn an_application_that_is_not_public_is_told_with_both_settings() {
    let run = exchange_ends(Issuer::Entra, Behaviour::PublicClientNotAllowed);
    run.assert_failed(1, &["AADSTS7000218", "Allow public client flows", "mobile and desktop applications"]);
}

#[test]
fn a_code_that_came_too_late_asks_for_another_sign_in() {
    for issuer in BOTH {
        let (world, home, run) = exchange_in(issuer, Behaviour::CodeExpired);
        run.assert_failed(3, &["expired", "\nNext:  Sign in again: kubectl login"]);
        // The user has not declined, so the next command may prompt.
        world.clear(Behaviour::CodeExpired);
        let again = issuer.by_browser(&world, &SHOW_ADDRESS);
        SignIn::start(&mut home.new_caller(&again)).finish().1.credential();
    }
}

/// Whether the code was used up nobody can tell, and one that is seen twice is taken for stolen.
#[test]
fn a_code_is_sent_once_if_the_connection_breaks_and_the_next_call_asks_again() {
    for issuer in BOTH {
        let (world, home, run) = exchange_in(issuer, Behaviour::ConnectionLostAtExchange);
        run.assert_failed(1, &["the connection to ", " broke: ", "\nNext:  Check the network"]);
        world.clear(Behaviour::ConnectionLostAtExchange);
        issuer.start(&world, &home, &[]).finish();
    }
}

#[test]
fn a_token_endpoint_in_trouble_is_exit_1() {
    for (behaviour, word) in [
        (Behaviour::HtmlErrorPage, "captive portal"),
        (Behaviour::HtmlSuccessPage, "captive portal"),
        (Behaviour::NotJson, "captive portal"),
        (Behaviour::RedirectToken, "redirects"),
        (Behaviour::OversizedAnswer, "larger than 1 MiB"),
    ] {
        for issuer in BOTH {
            exchange_ends(issuer, behaviour).assert_failed(1, &[word, "\nNext: "]);
        }
    }
}

#[test]
fn a_bad_moment_of_the_token_endpoint_is_waited_out() {
    in_parallel([Behaviour::ServerError, Behaviour::Token503WithRetryAfter], |behaviour| {
        for issuer in BOTH {
            let (world, home) = (World::start_with(&[behaviour]), Home::new());
            issuer.start(&world, &home, &[]).finish();
            assert_eq!((world.token_requests("authorization_code").len(), world.families_revoked()), (2, 0));
        }
    });
}

#[test]
fn somebody_else_than_was_expected_is_refused_in_both_places() {
    for issuer in BOTH {
        let (world, home, page, run) = ends(issuer, &[Behaviour::OtherUser], &["--login-hint", ALICE]);
        run.assert_failed(3, &[ALICE, BOB, "--login-hint", "\nNext: "]);
        assert!(page.body.contains(&format!("{BOB} signed in, but {ALICE} was expected")), "{page:?}");
        for hint in [ALICE, BOB] {
            let never = issuer.by_browser(&world, &["--login-hint", hint, "--prompt", "never"]);
            home.run_as_new_caller(&never).assert_failed(3, &[]);
        }
    }
}

#[test]
fn an_issuer_that_knows_no_pkce_is_told_with_the_flag_to_use() {
    let (_world, _home, page, run) = ends(Issuer::Oidc, &[Behaviour::PkceRefused], &[]);
    run.assert_failed(1, &["code_challenge", "--oidc-pkce-method=no"]);
    assert!(page.body.contains("--oidc-pkce-method=no"), "{page:?}");

    let (world, home) = (World::start_with(&[Behaviour::PkceRefused]), Home::new());
    Issuer::Oidc.start(&world, &home, &["--oidc-pkce-method=no"]).finish();
    assert!(!world.authorize_requests()[0].query.contains_key("code_challenge"));
    assert_eq!(world.token_requests("authorization_code")[0].field("code_verifier"), "");
}

#[test]
fn pkce_is_used_unless_the_issuer_knows_only_something_weaker() {
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
    let (.., run) = ends(Issuer::Oidc, &[Behaviour::PkceRequired], &["--oidc-pkce-method=no"]);
    run.assert_failed(1, &["requires PKCE", "\nNext: "]);
}
