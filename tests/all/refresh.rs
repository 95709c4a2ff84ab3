//! Refreshing: a token is renewed before it expires, a rotated refresh token is never lost, and the user gets a prompt,
//! with a reason, only if nothing else helps.

mod refused;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::common::{ALMOST_EXPIRED, ALWAYS, EXPIRES_SOON, HANG, Home, Run, claims, entra, oidc, signed_in};
use sim::{ALICE, ARC_SERVER, BOB, Behaviour, OTHER_TENANT, OWN_CLIENT, World};

#[track_caller]
fn assert_silent_token(run: &Run, token: &str) {
    assert_eq!(run.token(), token, "{run}");
    assert_eq!(run.stderr, "", "{run}");
}

/// Asserts a new token without a prompt or a message.
#[track_caller]
fn assert_refreshed(world: &World, run: &Run, old: &str) {
    assert_ne!(run.token(), old, "{run}");
    assert_eq!(run.stderr, "", "{run}");
    assert_eq!((world.refreshes().len(), world.device_requests().len()), (1, 0), "{run}");
}

#[test]
fn valid_token_needs_no_network() {
    for args in [entra, oidc] {
        let (world, home, token) = signed_in(args);
        home.set_seconds_left(360);
        assert_silent_token(&home.run(&args(&world, &[])), &token);
        assert!(world.requests().is_empty());
    }
}

#[test]
fn token_about_to_expire_is_refreshed_and_cached() {
    for args in [entra, oidc] {
        let (world, home, old) = signed_in(args);
        home.set_seconds_left(240);
        let run = home.run(&args(&world, &[]));
        assert_refreshed(&world, &run, &old);
        world.reset_requests();
        assert_silent_token(&home.run(&args(&world, &[])), &run.token());
        assert!(world.requests().is_empty());
    }
}

#[test]
fn short_lived_token_is_refreshed_in_its_second_half() {
    let (world, home) = (World::start(), Home::new());
    world.set_token_lifetime(Duration::from_secs(400));
    let first = home.run(&entra(&world, &ALWAYS)).token();
    world.reset_requests();
    // Less than the five minutes from which a longer token is refreshed, but not yet half its lifetime.
    home.advance_time(&world, 120);
    let second = home.run(&entra(&world, &[]));
    assert_silent_token(&second, &first);
    assert!(world.requests().is_empty());
    home.advance_time(&world, 100);
    world.reset_requests();
    assert_refreshed(&world, &home.run(&entra(&world, &[])), &first);
}

#[test]
fn expired_token_is_refreshed_without_prompt() {
    for (args, left) in [(entra as fn(&World, &[&str]) -> Vec<String>, ALMOST_EXPIRED), (oidc, -600)] {
        let (world, home, old) = signed_in(args);
        home.set_seconds_left(left);
        assert_refreshed(&world, &home.run(&args(&world, &ALWAYS)), &old);
    }
}

#[test]
fn rotated_refresh_tokens_are_presented_once() {
    let (world, home, _) = signed_in(oidc);
    let mut tokens = Vec::new();
    for _ in 0..10 {
        let run = home.run(&oidc(&world, &["--force-refresh"]));
        assert_eq!(run.stderr, "", "{run}");
        tokens.push(run.token());
    }
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 10, "each refresh presents another token");
    assert_eq!(world.families_revoked(), 0);
    assert_eq!((world.refreshes().len(), world.device_requests().len()), (10, 0));
    let mut presented: Vec<String> =
        world.refreshes().iter().map(|request| request.field("refresh_token").to_owned()).collect();
    presented.sort();
    presented.dedup();
    assert_eq!(presented.len(), 10);
}

#[test]
fn rotated_refresh_token_is_stored_even_from_an_unusable_response() {
    for spoilt in [Behaviour::IdTokenBadSignature, Behaviour::IdTokenWrongAudience, Behaviour::IdTokenExpired] {
        let (world, home, old) = signed_in(oidc);
        home.set_seconds_left(ALMOST_EXPIRED);
        home.make_failures_quick();
        world.set(spoilt);
        home.run(&oidc(&world, &[])).assert_failed(1, &["Error: ", "ID token", "Next: "]);
        assert_eq!(world.refreshes().len(), 1);
        world.clear(spoilt);
        world.reset_requests();
        assert_refreshed(&world, &home.run(&oidc(&world, &[])), &old);
        assert_eq!(world.families_revoked(), 0);
    }
}

#[test]
fn response_without_refresh_token_keeps_the_old_one() {
    for args in [entra, oidc] {
        let (world, home, mut token) = signed_in(args);
        world.set(Behaviour::RefreshWithoutNewToken);
        for _ in 0..3 {
            home.set_seconds_left(ALMOST_EXPIRED);
            world.reset_requests();
            let run = home.run(&args(&world, &[]));
            assert_refreshed(&world, &run, &token);
            token = run.token();
        }
    }
}

#[test]
fn failed_early_refresh_returns_the_old_token_silently() {
    use Behaviour::{Always503, HtmlErrorPage, JsonArray, NotJson, OversizedAnswer, RedirectToken, Refresh5xx};
    for args in [entra, oidc] {
        let (world, home, token) = signed_in(args);
        home.set_seconds_left(EXPIRES_SOON);
        for trouble in [Refresh5xx, Always503, HtmlErrorPage, NotJson, JsonArray, OversizedAnswer, RedirectToken] {
            world.reset_requests();
            world.set(trouble);
            // `--prompt always` would show a code if the plugin prompted.
            assert_silent_token(&home.run_as_new_caller(&args(&world, &ALWAYS)), &token);
            assert!(!world.refreshes().is_empty() && world.device_requests().is_empty(), "{trouble:?}");
            world.clear(trouble);
        }
    }
}

#[test]
fn refused_early_refresh_returns_the_old_token_silently() {
    use Behaviour::{RefreshBadToken, RefreshBlocked, RefreshInvalidGrant, RefreshMfa};
    for (args, refusal) in [
        (entra as fn(&World, &[&str]) -> Vec<String>, RefreshBadToken),
        (entra, RefreshMfa),
        (entra, RefreshBlocked),
        (oidc, RefreshInvalidGrant),
    ] {
        let (world, home, token) = signed_in(args);
        home.set_seconds_left(EXPIRES_SOON);
        world.set(refusal);
        for _ in 0..2 {
            assert_silent_token(&home.run(&args(&world, &ALWAYS)), &token);
        }
        assert!(!world.refreshes().is_empty() && world.device_requests().is_empty(), "{refusal:?}");
    }
}

#[test]
fn early_refresh_has_a_timeout_of_five_seconds() {
    let (world, home, token) = signed_in(entra);
    home.set_seconds_left(EXPIRES_SOON);
    world.set(Behaviour::RefreshStall);
    home.shorten_limits(10);
    let began = Instant::now();
    assert_silent_token(&home.run(&entra(&world, &["--timeout", "10m"])), &token);
    assert!(!world.refreshes().is_empty());
    // It did not end by the timeout of a needed refresh, which is a minute now.
    assert!(began.elapsed() < Duration::from_secs(50), "took {:?}", began.elapsed());
}

#[test]
fn early_refresh_without_network_returns_the_old_token_silently() {
    for args in [entra, oidc] {
        let (world, home, token) = signed_in(args);
        let args = args(&world, &ALWAYS);
        home.set_seconds_left(EXPIRES_SOON);
        drop(world);
        assert_silent_token(&home.run(&args), &token);
    }
}

#[test]
fn needed_refresh_without_network_fails_and_keeps_the_session() {
    for args in [entra, oidc] {
        let (world, home, _) = signed_in(args);
        let args = args(&world, &["--timeout", "2s", "--prompt", "always"]);
        home.set_seconds_left(ALMOST_EXPIRED);
        let before = home.contents("sessions");
        drop(world);
        home.run(&args).assert_failed(1, &["Error: ", "Next: "]);
        assert_eq!(home.contents("sessions"), before);
    }
}

#[test]
fn failed_needed_refresh_is_retried_by_the_next_call() {
    for args in [entra, oidc] {
        for trouble in [Behaviour::Refresh5xx, Behaviour::RefreshStall, Behaviour::HtmlErrorPage] {
            let (world, home, old) = signed_in(args);
            home.set_seconds_left(ALMOST_EXPIRED);
            world.set(trouble);
            let run = home.run(&args(&world, &["--timeout", "500ms", "--prompt", "always"]));
            run.assert_failed(1, &["Error: ", "Next: "]);
            assert!(world.device_requests().is_empty(), "{trouble:?} caused a prompt: {run}");
            world.clear(trouble);
            world.reset_requests();
            // The same caller: network errors are never stored against it.
            assert_refreshed(&world, &home.run(&args(&world, &[])), &old);
        }
    }
}

#[test]
fn refused_refresh_token_starts_a_sign_in_with_the_reason() {
    for (args, refusal, why) in [
        (entra as fn(&World, &[&str]) -> Vec<String>, Behaviour::RefreshBadToken, "AADSTS50173"),
        (entra, Behaviour::RefreshInvalidGrant, "AADSTS70000"),
        (entra, Behaviour::RefreshMfa, "AADSTS50076"),
        (oidc, Behaviour::RefreshInvalidGrant, "no longer valid"),
    ] {
        let (world, home, old) = signed_in(args);
        world.set(refusal);
        home.set_seconds_left(ALMOST_EXPIRED);
        let asked = home.run(&args(&world, &ALWAYS));
        assert!(asked.stderr.contains("A new sign-in is needed") && asked.stderr.contains(why), "{asked}");
        assert_ne!(asked.token(), old);
        assert_eq!(world.device_requests().len(), 1);
        world.clear(refusal);
        world.reset_requests();
        assert_refreshed(&world, &home.run(&args(&world, &["--force-refresh"])), &asked.token());

        world.set(refusal);
        world.reset_requests();
        home.set_seconds_left(ALMOST_EXPIRED);
        let without_prompt = home.run(&args(&world, &[]));
        without_prompt.assert_failed(3, &["sign-in required", why, "no user can be prompted", "kubectl login"]);
        assert!(world.device_requests().is_empty());
    }
}

#[test]
fn temporary_second_factor_keeps_the_session() {
    let (world, home, old) = signed_in(entra);
    home.set_seconds_left(ALMOST_EXPIRED);
    world.set(Behaviour::RefreshMfa);
    home.run(&entra(&world, &[])).assert_failed(3, &["AADSTS50076"]);
    world.clear(Behaviour::RefreshMfa);
    world.reset_requests();
    assert_refreshed(&world, &home.run_as_new_caller(&entra(&world, &[])), &old);
}

#[test]
fn policy_refusal_keeps_the_refresh_token_without_a_prompt() {
    let (world, home, old) = signed_in(entra);
    home.set_seconds_left(ALMOST_EXPIRED);
    world.set(Behaviour::RefreshBlocked);
    let run = home.run(&entra(&world, &ALWAYS));
    run.assert_failed(4, &["AADSTS53003", "Next: ", "For the help desk: ", "correlation"]);
    assert!(world.device_requests().is_empty());
    world.clear(Behaviour::RefreshBlocked);
    world.reset_requests();
    assert_refreshed(&world, &home.run_as_new_caller(&entra(&world, &ALWAYS)), &old);
}

#[test]
fn force_refresh_with_a_session_refreshes() {
    for args in [entra, oidc] {
        let (world, home, old) = signed_in(args);
        assert_refreshed(&world, &home.run(&args(&world, &["--force-refresh", "--prompt", "always"])), &old);
    }
}

#[test]
fn force_refresh_without_a_refresh_token_signs_in() {
    let (world, home) = (World::start_with(&[Behaviour::NoRefreshToken]), Home::new());
    let first = home.run(&entra(&world, &ALWAYS)).token();
    assert_silent_token(&home.run(&entra(&world, &[])), &first);
    world.reset_requests();
    home.run(&entra(&world, &["--force-refresh"])).assert_failed(3, &["no user can be prompted"]);
    assert!(world.requests().is_empty());
    let second = home.run(&entra(&world, &["--force-refresh", "--prompt", "always"])).token();
    assert_ne!(second, first);
    assert_eq!((world.device_requests().len(), world.refreshes().len()), (1, 0));
}

#[test]
fn failed_force_refresh_is_an_error_even_with_a_valid_token() {
    let (world, home, token) = signed_in(entra);
    world.set(Behaviour::Refresh5xx);
    let run = home.run(&entra(&world, &["--force-refresh", "--timeout", "2s", "--prompt", "always"]));
    run.assert_failed(1, &["Error: ", "Next: "]);
    assert!(!run.stderr.contains(&token));
    // Without --force-refresh, the token is still valid.
    assert_silent_token(&home.run(&entra(&world, &[])), &token);
}

#[test]
fn other_server_of_the_same_client_needs_no_sign_in() {
    let (world, home, token) = signed_in(entra);
    let other = home.run(&entra(&world, &["--server-id", ARC_SERVER]));
    assert_refreshed(&world, &other, &token);
    assert_eq!(claims(&other.token())["aud"], ARC_SERVER);
    world.reset_requests();
    assert_silent_token(&home.run(&entra(&world, &[])), &token);
    assert_silent_token(&home.run(&entra(&world, &["--server-id", ARC_SERVER])), &other.token());
    assert!(world.requests().is_empty());
}

#[test]
fn sign_in_as_another_user_deletes_the_first_users_tokens() {
    let (world, home) = (World::start(), Home::new());
    world.set_groups(250);
    let args = |more: &[&str]| entra(&world, &[&["--client-id", OWN_CLIENT], more].concat());
    let account = |run: &Run| claims(&run.token())["upn"].as_str().unwrap().to_owned();
    let other_server = args(&["--server-id", ARC_SERVER]);
    home.contexts(&[("one", args(&[]))]);
    let login = |more: &[&str]| {
        let run = home.run(more);
        assert_eq!(run.code, Some(0), "{run}");
        // The group look-up has its own token for Graph.
        assert!(run.stdout.contains("You are in 250 groups, "), "{run}");
    };
    login(&[]);
    let alices = home.run(&other_server);
    assert_eq!(account(&alices), ALICE);

    // The same user again: everything is kept.
    login(&["--force"]);
    world.reset_requests();
    assert_silent_token(&home.run(&other_server), &alices.token());
    assert!(world.requests().is_empty());

    world.sign_in_as(BOB);
    login(&["--force"]);
    for args in [args(&[]), other_server] {
        assert_eq!(account(&home.run(&args)), BOB);
    }
}

#[test]
fn other_tenant_cloud_account_or_client_needs_its_own_sign_in() {
    let (world, home, token) = signed_in(entra);
    let (authority, ca) = (world.tls_authority(), world.ca_file().to_str().unwrap());
    for other in [
        &["--tenant-id", OTHER_TENANT][..],
        &["--client-id", OWN_CLIENT],
        &["--login-hint", ALICE],
        &["--authority-host", &authority, "--certificate-authority", ca],
    ] {
        home.run(&entra(&world, other)).assert_failed(3, &["no user can be prompted"]);
    }
    assert!(world.requests().is_empty(), "a session was used for another user");
    assert_silent_token(&home.run(&entra(&world, &[])), &token);
}

#[test]
fn clock_set_back_causes_a_refresh() {
    let (world, home, old) = signed_in(entra);
    // According to the clock, the token was issued in five hours.
    home.set_seconds_left(6 * 3600);
    assert_refreshed(&world, &home.run(&entra(&world, &[])), &old);
}

#[test]
fn entries_with_different_scopes_share_a_session() {
    let (world, home, narrow) = signed_in(oidc);
    let more = ["--oidc-extra-scope", "email,groups"];
    home.run(&oidc(&world, &more)).assert_failed(3, &["more scopes"]);
    let run = home.run(&oidc(&world, &[&more[..], &ALWAYS].concat()));
    assert!(run.stderr.contains("A new sign-in is needed") && run.stderr.contains("more scopes"), "{run}");
    let wide = run.token();
    assert_eq!(world.device_requests().len(), 1);
    assert_silent_token(&home.run(&oidc(&world, &[])), &narrow);
    world.reset_requests();
    for _ in 0..3 {
        home.set_seconds_left(ALMOST_EXPIRED);
        for (args, old) in [(oidc(&world, &more), &wide), (oidc(&world, &[]), &narrow)] {
            let run = home.run(&args);
            assert_eq!(run.stderr, "", "{run}");
            assert_ne!(&run.token(), old);
        }
    }
    assert_eq!((world.refreshes().len(), world.device_requests().len()), (6, 0));
    assert_eq!(world.families_revoked(), 0);
}

#[test]
fn refresh_without_id_token_keeps_the_old_one_until_it_expires() {
    let (world, home, token) = signed_in(oidc);
    world.set(Behaviour::MissingIdToken);
    home.set_seconds_left(EXPIRES_SOON);
    assert_silent_token(&home.run(&oidc(&world, &ALWAYS)), &token);
    assert!(world.device_requests().is_empty());
    home.set_seconds_left(ALMOST_EXPIRED);
    home.run(&oidc(&world, &[])).assert_failed(3, &["no ID token", "no user can be prompted"]);
    let asked = home.start(&oidc(&world, &ALWAYS));
    assert_eq!(world.wait_for_device_request(1, HANG).len(), 1);
    world.clear(Behaviour::MissingIdToken);
    let run = Run::wait(asked);
    assert!(run.stderr.contains("A new sign-in is needed") && run.stderr.contains("no ID token"), "{run}");
    assert_ne!(run.token(), token);
    assert_eq!(world.families_revoked(), 0);
}

#[test]
fn storage_none_caches_nothing() {
    let (world, home) = (World::start(), Home::new());
    let nothing = ["--token-cache-storage", "none", "--prompt", "always"];
    let first = home.run(&oidc(&world, &nothing));
    let second = home.run(&oidc(&world, &nothing));
    assert_ne!(first.token(), second.token());
    assert_eq!((world.device_requests().len(), world.refreshes().len()), (2, 0));
    for folder in ["sessions", "tokens"] {
        assert_eq!(home.files(folder), [] as [PathBuf; 0]);
    }
    assert!(!home.state().join("kubectl-login.key").exists());
    // The cache of other calls is neither used nor lost.
    let kept = home.run(&oidc(&world, &ALWAYS)).token();
    assert_ne!(home.run(&oidc(&world, &nothing)).token(), kept);
    assert_silent_token(&home.run(&oidc(&world, &[])), &kept);
    home.run(&oidc(&world, &["--token-cache-storage", "none"])).assert_failed(3, &["no user can be prompted"]);
}
