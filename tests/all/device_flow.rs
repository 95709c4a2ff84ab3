//! The device authorization grant at the Entra-shaped tenant: what the user sees, how the server is polled, and all the
//! ways in which it can end.

use crate::common;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::common::clock::pause;
use crate::common::scripted::{Scripted, device, json_response};
use crate::common::{ALWAYS, HANG, Home, LENIENCE, Run, entra, entra_at};
use serde_json::json;
use sim::{ALICE, BOB, Behaviour, Request, TENANT, VERIFICATION_URI, World};

/// A sign-in in a world with this behaviour and its own home directory.
fn sign_in_with(behaviour: Behaviour) -> (World, Run) {
    let world = World::start_with(&[behaviour]);
    let run = Home::new().sign_in(&entra(&world, &[]));
    (world, run)
}

fn start(world: &World, home: &Home, more: &[&str]) -> Child {
    home.start(&entra(world, &[&ALWAYS[..], more].concat()))
}

fn polls(world: &World) -> Vec<Request> {
    world.token_requests("device_code")
}

#[track_caller]
fn wait_for_polls(world: &World, count: usize) {
    assert!(world.wait_for(HANG, |log| log.token_requests("device_code").len() >= count), "no {count} polls");
}

#[track_caller]
fn assert_only_plain_text(run: &Run) {
    let odd: Vec<char> = run
        .stderr
        .chars()
        .filter(|c| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c))
        .collect();
    assert!(odd.is_empty(), "{odd:?}: {run}");
}

#[test]
fn prompt_names_the_tenant_and_has_address_and_code_on_own_lines() {
    let (world, home) = (World::start(), Home::new());
    let run = home.sign_in(&entra(&world, &["--login-hint", ALICE]));
    run.token();
    let code = world.wait_for_device_request(1, Duration::ZERO).remove(0);
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert!(lines.contains(&VERIFICATION_URI), "{run}");
    assert!(lines.contains(&code.as_str()), "{run}");
    assert!(lines.iter().any(|line| line.contains(TENANT) && line.contains(ALICE)), "{run}");
    assert_only_plain_text(&run);
    assert_eq!(run.stderr.matches(&code).count(), 1, "{run}");
    for word in ["Error", "Next:", "panicked", "{", "device_code", "null", "None", "zbus", "Platform failure"] {
        assert!(!run.stderr.contains(word), "{word:?} is odd: {run}");
    }
}

#[test]
fn prompt_names_the_cluster_from_exec_info() {
    let (world, home) = (World::start(), Home::new());
    let info = r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",
        "spec":{"interactive":true,"cluster":{"server":"https://prod.contoso.example:6443\u001b[2J"}}}"#;
    let mut command = home.plugin(&entra(&world, &ALWAYS));
    let run = Run::of(command.env("KUBERNETES_EXEC_INFO", info));
    run.token();
    assert!(run.stderr.contains("https://prod.contoso.example:6443"), "{run}");
    assert_only_plain_text(&run);
}

#[test]
fn device_request_has_the_scopes_for_server_and_session() {
    let (world, home) = (World::start(), Home::new());
    home.sign_in(&entra(&world, &[])).token();
    let request = world.device_requests().remove(0);
    let mut scopes: Vec<&str> = request.field("scope").split(' ').collect();
    scopes.sort_unstable();
    let server = format!("{}/.default", sim::SERVER);
    assert_eq!(scopes, [server.as_str(), "offline_access", "openid", "profile"]);
    assert_eq!(request.field("client_id"), sim::CLIENT);
    assert_eq!(request.path, format!("/{TENANT}/oauth2/v2.0/devicecode"));
    assert_eq!(world.count("openid-configuration") + world.count("/discovery/instance"), 0);
}

#[test]
fn polls_keep_the_interval() {
    let world = World::start();
    Home::new().sign_in(&entra(&world, &[])).token();
    let mut times: Vec<Instant> = vec![world.device_requests()[0].at];
    times.extend(polls(&world).iter().map(|poll| poll.at));
    assert!(times.len() >= 3, "{times:?}");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= pause(Duration::from_secs(1) - LENIENCE)), "{times:?}");
    assert_eq!(world.polls_too_early(), 0);
}

#[test]
fn slow_down_adds_five_seconds_permanently() {
    let (world, home) = (World::start_with(&[Behaviour::SlowDown]), Home::new());
    world.approve_automatically(false);
    let child = start(&world, &home, &[]);
    wait_for_polls(&world, 2);
    world.approve_pending();
    Run::wait(child).token();
    let times: Vec<Instant> = polls(&world).iter().map(|poll| poll.at).collect();
    assert_eq!(times.len(), 3, "{times:?}");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= pause(Duration::from_secs(6) - LENIENCE)), "{times:?}");
    assert_eq!(world.polls_too_early(), 0);
}

#[test]
fn default_interval_is_five_seconds() {
    let missing = || {
        let world = World::start_with(&[Behaviour::IntervalMissing]);
        world.set_interval(None);
        world
    };
    let zero = || World::start_with(&[Behaviour::IntervalZero]);
    let runs = [missing(), zero()].map(|world| {
        let home = Home::new();
        (start(&world, &home, &[]), world, home)
    });
    for (mut child, world, _home) in runs {
        wait_for_polls(&world, 1);
        let waited = polls(&world)[0].at - world.device_requests()[0].at;
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(waited >= pause(Duration::from_secs(5) - LENIENCE), "{waited:?}");
        assert_eq!(world.polls_too_early(), 0);
    }
}

#[test]
fn numbers_as_strings_and_verification_url_are_accepted() {
    common::in_parallel([Behaviour::NumbersAsStrings, Behaviour::VerificationUrl], |behaviour| {
        let (world, run) = sign_in_with(behaviour);
        run.token();
        assert!(run.stderr.lines().any(|line| line == VERIFICATION_URI), "{run}");
        assert_eq!(world.polls_too_early(), 0);
    });
}

#[test]
fn decline_exits_with_3() {
    common::in_parallel([Behaviour::AuthorizationDeclined, Behaviour::AccessDenied], |behaviour| {
        let (_world, run) = sign_in_with(behaviour);
        run.assert_failed(3, &["Error: ", "declined", "\nNext: "]);
    });
    let (world, home) = (World::start(), Home::new());
    world.approve_automatically(false);
    let child = start(&world, &home, &[]);
    wait_for_polls(&world, 1);
    assert_eq!(world.deny_pending(), 1);
    Run::wait(child).assert_failed(3, &["declined"]);
}

/// By the name of the standard (RFC 8628 3.5), and by Microsoft's.
#[test]
fn code_that_the_issuer_calls_expired_exits_with_3_and_names_the_browser() {
    for code in ["expired_token", "code_expired"] {
        let answer = json_response("400 Bad Request", &json!({ "error": code }));
        let server = Scripted::start(|url| vec![device(url), answer]);
        let run = Home::new().sign_in(&entra_at(&server.url(), &["--prompt", "always"]));
        run.assert_failed(3, &["the code expired", "kubectl login --login interactive"]);
    }
}

#[test]
fn expired_code_exits_with_3_and_mentions_conditional_access() {
    let (_world, run) = sign_in_with(Behaviour::ExpiredToken);
    run.assert_failed(3, &["the code expired", "conditional-access", "\nNext: "]);
}

#[test]
fn code_lifetime_ends_the_polling() {
    let (world, home) = (World::start(), Home::new());
    world.approve_automatically(false);
    world.set_code_lifetime(Duration::from_secs(10));
    home.shorten_lives(20);
    home.sign_in(&entra(&world, &[])).assert_failed(3, &["the code expired", "conditional-access"]);
    let waited = world.device_requests()[0].at.elapsed();
    assert!(waited >= Duration::from_millis(500), "{waited:?}");
    assert_eq!(world.polls_too_early(), 0);
}

#[test]
fn unknown_code_exits_with_1() {
    let (_world, run) = sign_in_with(Behaviour::BadVerificationCode);
    run.assert_failed(1, &["\nNext: ", "AADSTS70018"]);
}

#[test]
fn policy_refusal_exits_with_4_and_help_desk_ids() {
    let (_world, run) = sign_in_with(Behaviour::DeviceBlocked);
    run.assert_failed(4, &["conditional-access", "AADSTS53003", "correlation", "trace", "\nNext: "]);
    let (_world, run) = sign_in_with(Behaviour::ConsentRequired);
    run.assert_failed(4, &["consent", "AADSTS65001", "administrator", "\nNext: "]);
}

#[test]
fn confidential_client_exits_with_1_and_names_the_setting() {
    let (_world, run) = sign_in_with(Behaviour::PublicClientDisabled);
    run.assert_failed(1, &["Allow public client flows", "AADSTS7000218"]);
}

#[test]
fn unknown_tenant_client_or_server_names_the_flag() {
    common::in_parallel(
        [
            ("--tenant-id", "unknown.example", "--tenant-id"),
            ("--client-id", "00000000-1111-4222-8333-444444444444", "--client-id"),
            ("--server-id", sim::UNREGISTERED_SERVER, "--server-id"),
        ],
        |(flag, value, word)| {
            let (world, home) = (World::start(), Home::new());
            let run = home.sign_in(&entra(&world, &[flag, value]));
            run.assert_failed(1, &[word, "\nNext: ", "AADSTS"]);
            assert!(polls(&world).is_empty());
        },
    );
}

#[test]
fn polling_survives_web_pages_server_errors_and_lost_connections() {
    let behaviours = [
        Behaviour::HtmlErrorPage,
        Behaviour::HtmlSuccessPage,
        Behaviour::NotJson,
        Behaviour::JsonArray,
        Behaviour::ConnectionResetWhilePolling,
        Behaviour::ServerError,
        Behaviour::Token503WithRetryAfter,
    ];
    common::in_parallel(behaviours, |behaviour| {
        let (world, home) = (World::start_with(&[behaviour]), Home::new());
        let child = start(&world, &home, &[]);
        wait_for_polls(&world, 2);
        // These two end by themselves, after two polls and after one.
        if !matches!(behaviour, Behaviour::ConnectionResetWhilePolling | Behaviour::ServerError) {
            world.clear(behaviour);
        }
        let run = Run::wait(child);
        run.token();
        assert!(!run.stderr.contains("Error"), "{}: {run}", behaviour.name());
        assert_eq!(world.device_requests().len(), 1, "{}", behaviour.name());
    });
}

#[test]
fn polling_survives_json_of_a_gateway() {
    let server = Scripted::start(|url| {
        let device = json!({
            "device_code": "d", "user_code": "U", "verification_uri": format!("{url}/activate"),
            "expires_in": 60, "interval": 1,
        });
        let gateway = json!({ "message": "Forbidden", "request_id": "x" });
        let declined = json!({ "error": "access_denied" });
        [("200 OK", device), ("403 Forbidden", gateway), ("400 Bad Request", declined)]
            .map(|(status, body)| json_response(status, &body))
            .to_vec()
    });
    let (world, home) = (World::start(), Home::new());
    home.sign_in(&entra(&world, &["--authority-host", &server.url()])).assert_failed(3, &["declined"]);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn failures_until_the_code_expires_are_named() {
    common::in_parallel([(Behaviour::HtmlErrorPage, "HTTP 403"), (Behaviour::HtmlSuccessPage, "a web page")], |case| {
        let (world, home) = (World::start_with(&[case.0]), Home::new());
        home.let_codes_expire(&world);
        home.sign_in(&entra(&world, &[])).assert_failed(3, &["the code expired", case.1, "captive portal"]);
    });
}

#[test]
fn web_page_while_polling_is_printed_after_a_few_polls() {
    for behaviour in [Behaviour::HtmlSuccessPage, Behaviour::NotJson] {
        let (world, home) = (World::start_with(&[behaviour]), Home::new());
        let child = start(&world, &home, &[]);
        wait_for_polls(&world, 4);
        world.clear(behaviour);
        let run = Run::wait(child);
        run.token();
        assert_eq!(run.stderr.matches("Still waiting for the sign-in, but ").count(), 1, "{run}");
        assert!(run.stderr.contains("captive portal or a proxy"), "{run}");
    }
}

#[test]
fn control_characters_never_reach_the_terminal() {
    common::in_parallel([None, Some(Behaviour::PublicClientDisabled), Some(Behaviour::DeviceBlocked)], |spoilt| {
        let world = World::start_with(&[Behaviour::ControlCharacters]);
        if let Some(behaviour) = spoilt {
            world.set(behaviour);
        }
        let home = Home::new();
        let run = home.sign_in(&entra(&world, &["-v", "9"]));
        assert_eq!(run.code == Some(0), spoilt.is_none(), "{run}");
        assert_only_plain_text(&run);
        assert!(!run.stderr.lines().any(|line| line.starts_with("forged")), "{run}");
    });
}

#[test]
fn hostile_address_is_refused_immediately() {
    let (world, run) = sign_in_with(Behaviour::HostileVerificationUri);
    run.assert_failed(1, &["not an https address", "\nNext: "]);
    assert!(polls(&world).is_empty());
}

#[test]
fn redirect_is_not_followed() {
    common::in_parallel([Behaviour::RedirectDevice, Behaviour::RedirectToken], |behaviour| {
        let (world, run) = sign_in_with(behaviour);
        run.assert_failed(1, &["redirects", "\nNext: "]);
        assert_eq!(world.redirects_followed(), 0);
    });
}

#[test]
fn oversized_response_exits_with_1() {
    let (_world, run) = sign_in_with(Behaviour::OversizedAnswer);
    run.assert_failed(1, &["larger than 1 MiB", "\nNext: "]);
}

#[test]
fn unexpected_device_response_exits_with_1() {
    common::in_parallel([Behaviour::HtmlDevicePage, Behaviour::NotJsonDevice], |behaviour| {
        let (world, run) = sign_in_with(behaviour);
        run.assert_failed(1, &["answered with", "proxy", "\nNext: "]);
        assert!(polls(&world).is_empty());
    });
}

#[test]
fn unresponsive_server_ends_with_the_timeout() {
    let (world, home) = (World::start_with(&[Behaviour::StallDevice]), Home::new());
    let began = Instant::now();
    home.sign_in(&entra(&world, &["--timeout", "50ms"])).assert_failed(1, &["did not answer in time", "--timeout"]);
    // The default is twenty seconds.
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn response_without_access_token_exits_with_1() {
    let (_world, run) = sign_in_with(Behaviour::MissingAccessToken);
    run.assert_failed(1, &["the issuer gave no access token", "\nNext: "]);
}

#[test]
fn token_without_exp_uses_expires_in() {
    common::in_parallel([Behaviour::TokenWithoutExp, Behaviour::OpaqueAccessToken], |behaviour| {
        let (world, home) = (World::start_with(&[behaviour]), Home::new());
        let credential = home.sign_in(&entra(&world, &[])).credential();
        let sign_in_with: chrono::DateTime<chrono::Utc> =
            credential["status"]["expirationTimestamp"].as_str().unwrap().parse().unwrap();
        let left = (sign_in_with - chrono::Utc::now()).num_seconds();
        assert!((3_500..=3_600).contains(&left), "{left}");
        world.reset_requests();
        let again = home.run(&entra(&world, &[])).credential();
        assert_eq!(again["status"]["token"], credential["status"]["token"]);
        assert!(world.requests().is_empty());
    });
}

#[test]
fn jwt_without_any_expiry_is_refused() {
    let world = World::start_with(&[Behaviour::TokenWithoutExp, Behaviour::NoExpiresIn]);
    Home::new().sign_in(&entra(&world, &[])).assert_failed(1, &["when it ends", "expires_in"]);
    // The expiry of an opaque token is unknown, so it is trusted for an hour.
    let world = World::start_with(&[Behaviour::OpaqueAccessToken, Behaviour::NoExpiresIn]);
    let credential = Home::new().sign_in(&entra(&world, &[])).credential();
    let sign_in_with: chrono::DateTime<chrono::Utc> =
        credential["status"]["expirationTimestamp"].as_str().unwrap().parse().unwrap();
    assert!((3_500..=3_600).contains(&(sign_in_with - chrono::Utc::now()).num_seconds()));
}

#[test]
fn unexpected_user_is_refused_and_not_stored() {
    let (world, home) = (World::start_with(&[Behaviour::OtherUser]), Home::new());
    home.sign_in(&entra(&world, &["--login-hint", ALICE])).assert_failed(3, &[ALICE, BOB, "\nNext: "]);
    world.clear(Behaviour::OtherUser);
    world.reset_requests();
    home.run_as_new_caller(&entra(&world, &["--login-hint", ALICE, "--prompt", "never"])).assert_failed(3, &[]);
    home.run_as_new_caller(&entra(&world, &["--login-hint", BOB, "--prompt", "never"])).assert_failed(3, &[]);
    assert!(world.requests().is_empty());
    assert_eq!((home.files("sessions").len(), home.files("tokens").len()), (0, 0));
}

#[test]
fn hinted_account_is_case_insensitive_and_has_its_own_session() {
    let (world, home) = (World::start(), Home::new());
    let alice = home.sign_in(&entra(&world, &["--login-hint", "Alice@Contoso.Example"])).token();
    world.sign_in_as(BOB);
    let bob = home.sign_in(&entra(&world, &["--login-hint", BOB])).token();
    assert_eq!(common::claims(&bob)["upn"], BOB);
    world.reset_requests();
    assert_eq!(home.run(&entra(&world, &["--login-hint", ALICE])).token(), alice);
    assert_eq!(home.run(&entra(&world, &["--login-hint", BOB])).token(), bob);
    assert!(world.requests().is_empty());
}

#[test]
fn timeout_does_not_limit_the_user_time() {
    let (world, home) = (World::start(), Home::new());
    world.approve_automatically(false);
    let child = start(&world, &home, &["--timeout", "1s"]);
    // There is a pause before each poll; together they exceed the timeout.
    let polls = Duration::from_millis(1_200).as_millis() / pause(Duration::from_secs(1)).as_millis();
    wait_for_polls(&world, usize::try_from(polls).unwrap());
    assert_eq!(world.approve_pending(), 1);
    let run = Run::wait(child);
    run.token();
}

#[test]
fn logs_have_no_secrets_at_any_verbosity() {
    let (world, home) = (World::start(), Home::new());
    let first = home.sign_in(&entra(&world, &["-v", "9"]));
    let second = home.run(&entra(&world, &["-v", "9", "--force-refresh"]));
    let third = home.run(&entra(&world, &["-v", "9", "--force-refresh"]));
    let refreshes = world.refreshes();
    assert_eq!(refreshes.len(), 2);
    let device_code = polls(&world)[0].field("device_code").to_owned();
    let mut secrets = vec![device_code, first.token(), second.token(), third.token()];
    secrets.extend(refreshes.iter().map(|request| request.field("refresh_token").to_owned()));
    for run in [&first, &second, &third] {
        assert!(run.stderr.contains("/oauth2/v2.0/token"), "nothing was logged: {run}");
        for secret in &secrets {
            assert!(secret.len() > 20, "{secret}");
            assert!(!run.stderr.contains(secret.as_str()), "{run}");
            // Nor a part of it.
            assert!(!run.stderr.contains(&secret[secret.len() - 16..]), "{run}");
        }
    }
}

/// A page that refuses the user does not tell the plugin.
#[cfg(unix)]
#[test]
fn prompt_and_timeout_say_what_to_do_if_the_browser_refuses() {
    let refused = "If the browser refuses, press Ctrl-C, then: kubectl login";
    let (world, home) = (World::start(), Home::new());
    let run = home.run(&common::oidc(&world, &ALWAYS));
    assert!(run.stderr.contains(&format!("{refused} --grant-type authcode\n")), "{run}");
    let run = home.sign_in(&entra(&world, &[]));
    assert!(run.stderr.contains(&format!("{refused} --login interactive\n")), "{run}");

    // With the context, if it is known; and the command works.
    let home = Home::new();
    home.contexts(&[("prod", entra(&world, &[])), ("another", entra(&world, &[]))]);
    let run = home.run(&["another"]);
    assert!(run.stderr.contains(&format!("{refused} --login interactive another\n")), "{run}");
    let again = home.run(&["--login", "interactive", "another"]);
    assert!(again.code == Some(0) && again.stdout.starts_with("Already signed in"), "{again}");

    let end = "kubectl login --login interactive";
    sign_in_with(Behaviour::ExpiredToken).1.assert_failed(3, &["\nNext: ", end]);
    let (world, home) = (World::start(), Home::new());
    world.approve_automatically(false);
    let child = start(&world, &home, &[]);
    wait_for_polls(&world, 1);
    let child_id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(child_id, rustix::process::Signal::INT).unwrap();
    Run::wait(child).assert_failed(130, &["cancelled", end]);
}
