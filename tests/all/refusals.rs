//! Refusals by the issuer: the message of each kind, what is retried, and what is never presented again.
//!
//! `tests/all/snapshots/refusals/` has the whole messages; `INSTA_UPDATE=always` in the environment writes them.
#![cfg(unix)]

use crate::common::browser;
use crate::common::browser::{Issuer, SignIn, get, with_parameter};
use crate::common::scripted::{Scripted, ScriptedResponse, device, json_response, tokens};
use crate::common::snapshot::assert_text;
use crate::common::{ALMOST_EXPIRED, ALWAYS, EXPIRES_SOON, Home, NEVER, Run, entra_at, in_parallel};
use serde_json::{Value, json};
use sim::World;

const TRACE: &str = "0d5c3c3c-7d3b-4f0e-9d5e-5b2f0a6b1c00";
const CORRELATION: &str = "6f3c2a1b-9a8d-4c7e-8f60-2d1e0c9b8a77";
const AT: &str = "2026-11-22 14:04:11Z";

/// A refusal in Entra's format; an empty suberror is omitted.
fn refusal(error: &str, suberror: &str, number: u32, text: &str) -> Value {
    let mut body = json!({
        "error": error,
        "error_description":
            format!("AADSTS{number}: {text} Trace ID: {TRACE} Correlation ID: {CORRELATION} Timestamp: {AT}"),
        "error_codes": [number], "timestamp": AT, "trace_id": TRACE, "correlation_id": CORRELATION,
        "error_uri": format!("https://login.microsoftonline.com/error?code={number}"),
    });
    if !suberror.is_empty() {
        body["suberror"] = suberror.into();
    }
    body
}

fn refused(body: &Value) -> ScriptedResponse {
    json_response("400 Bad Request", body)
}

fn blocked() -> Value {
    refusal("invalid_grant", "message_only", 53003, "Access has been blocked by Conditional Access policies.")
}

fn second_factor() -> Value {
    let mut body = refusal("invalid_grant", "basic_action", 50076, "You must use multi-factor authentication.");
    body["claims"] = r#"{"access_token":{"capolids":{"essential":true,"values":["7cc0e6ab"]}}}"#.into();
    body
}

fn tracked(suberror: &str) -> Value {
    refusal("invalid_grant", suberror, 530_036, "The refresh token will never be usable and should be deleted.")
}

fn get_token(server: &Scripted, home: &Home, more: &[&str]) -> Run {
    home.run_as_new_caller(&entra_at(&server.url(), more))
}

/// A home directory that has signed in with a code, at a tenant that returns these responses from then on.
fn signed_in(answers: Vec<ScriptedResponse>) -> (Scripted, Home) {
    let server = Scripted::start(|url| [vec![device(url), tokens("first")], answers].concat());
    let home = Home::new();
    assert_eq!(get_token(&server, &home, &ALWAYS).token(), "first");
    home.set_seconds_left(ALMOST_EXPIRED);
    (server, home)
}

/// The kinds of requests since the sign-in.
fn request_kinds(server: &Scripted) -> Vec<String> {
    let kind = |text: &str| match text {
        text if text.contains("/devicecode ") => "code",
        text if text.contains("grant_type=refresh_token") => "refresh",
        _ => "other",
    };
    server.requests().iter().skip(2).map(|request| kind(&request.text).to_owned()).collect()
}

/// Asserts that the exit code and the message, from "Error:" on, match the snapshot of that name.
#[track_caller]
fn assert_message(name: &str, run: &Run) {
    let message = run.stderr.find("Error: ").map_or("", |at| &run.stderr[at..]);
    assert_text("refusals", name, &format!("exit {}\n{message}", run.code.unwrap()));
}

#[test]
fn known_numbers_have_message_exit_code_and_next_step() {
    let cases = [
        (500_341, 3, "the account was deleted from this tenant", "Sign in with another account"),
        (50178, 3, "the account does not belong to this tenant", "Sign in with an account of this tenant"),
        (50085, 3, "has to confirm it again", "Sign in again"),
        (80012, 4, "may not sign in at this time of day", "Sign in within the hours"),
        (500_571, 4, "the guest account is disabled", "enable the guest account"),
        (530_004, 4, "does not accept those of other tenants", "cross-tenant access settings"),
        (240_001, 4, "may not register devices", "Ask your administrator"),
        (5_000_224, 4, "unavailable", "--client-id"),
        (9_002_332, 1, "personal accounts", "Set --tenant-id"),
        (90009, 1, "a token for itself", "Set --server-id"),
        (53003, 4, "a conditional-access policy blocks", "your organisation's network or VPN"),
    ];
    in_parallel(cases, |(number, code, happened, next)| {
        let error = if code == 1 { "invalid_request" } else { "invalid_grant" };
        let body = refusal(error, "", number, "What Entra says.");
        let server = Scripted::start(|url| vec![device(url), refused(&body)]);
        let run = get_token(&server, &Home::new(), &ALWAYS);
        run.assert_failed(code, &[happened, &format!("AADSTS{number}"), next, "For the help desk: "]);
    });
}

#[test]
fn each_kind_of_refusal_has_its_message() {
    let numberless = json!({ "error": "invalid_grant", "suberror": "message_only", "correlation_id": CORRELATION });
    let wordless = json!({ "error": "invalid_grant", "suberror": "message_only", "error_codes": [53003] });
    let of = refusal;
    let cases = [
        ("sign-in-again", second_factor()),
        ("sign-in-again-disagreeing", of("invalid_grant", "bad_token", 53003, "Blocked.")),
        ("device", of("invalid_grant", "additional_action", 53000, "Device is not in required device state.")),
        ("question", of("interaction_required", "", 50199, "For security reasons, user confirmation is required.")),
        ("device-code", of("invalid_grant", "", 530_033, "Your admin requires the device to be managed.")),
        ("ask-the-admin", blocked()),
        ("ask-the-admin-assignment", of("invalid_grant", "", 50105, "The signed in user is not assigned to a role.")),
        ("ask-the-admin-without-number", numberless),
        ("ask-the-admin-without-words", wordless),
        ("consent", of("invalid_grant", "consent_required", 65001, "The user has not consented.")),
        ("consent-never", of("invalid_grant", "", 65002, "Consent must be configured via preauthorization.")),
        ("wrong-account", of("invalid_grant", "", 50020, "User account does not exist in tenant.")),
        ("set-up", of("unauthorized_client", "", 700_016, "Application was not found in the directory.")),
        ("set-up-tenant", of("invalid_request", "", 90002, "Tenant 'contoso.exmaple' not found.")),
        ("federated-credential", of("invalid_client", "", 700_213, "No matching federated identity record found.")),
        ("transient", of("invalid_grant", "", 90033, "A transient error has occurred. Please try again.")),
        ("transient-loop", of("invalid_grant", "", 50196, "The client has been found to be in a loop.")),
        ("tracked", tracked("")),
        ("unknown-number", of("invalid_grant", "", 1, "Something that this program has never heard of.")),
    ];
    in_parallel(cases, |(name, body)| {
        let server = Scripted::start(|url| vec![device(url), refused(&body)]);
        assert_message(name, &get_token(&server, &Home::new(), &ALWAYS));
        assert_eq!(server.requests().len(), 2, "{name} was retried");
    });
}

/// A page can ask for more than a code can, and prove the device on which it is shown.
#[test]
fn refused_code_suggests_the_browser_if_that_may_help() {
    let about_codes = [50199, 53003, 53004, 65001, 530_032, 530_034, 530_035, 530_036];
    let about_devices = [50005, 50097, 50129, 50131, 50155, 50187, 53000, 53001, 53002, 135_011, 530_003, 530_033];
    let about_neither = [1, 50020, 50057, 50105, 50126, 65002, 65004, 70016, 90033, 500_021, 700_016];
    let leads = about_codes.into_iter().chain(about_devices).map(|number| ("invalid_grant", number, true));
    let other_words = [("interaction_required", 50199, true), ("authorization_declined", 50199, true)];
    let leads_not = about_neither.into_iter().map(|number| ("invalid_grant", number, false));
    let cases: Vec<_> = leads.chain(other_words).chain(leads_not).collect();
    // In groups of twelve, because each sign-in needs CPU time for polling.
    for cases in cases.chunks(12) {
        in_parallel(cases, |(error, number, leads)| {
            let server = Scripted::start(|url| vec![device(url), refused(&refusal(error, "", *number, "No."))]);
            let run = get_token(&server, &Home::new(), &ALWAYS);
            assert!(run.code != Some(0) && run.stderr.contains(&format!("AADSTS{number}")), "{run}");
            // The prompt before the error always mentions the browser.
            let (_, message) = run.stderr.split_once("Error: ").unwrap();
            assert_eq!(message.contains("kubectl login --login interactive"), *leads, "{error} {number}: {run}");
        });
    }
}

#[test]
fn refused_refresh_has_its_message() {
    let frequency = "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access. \
                     The token was issued on 2026-11-20T05:15:31.6070000Z and the maximum allowed lifetime for this \
                     request is 36000.";
    let cases = [
        ("refresh-frequency", refusal("invalid_grant", "token_expired", 70043, frequency)),
        ("refresh-second-factor", second_factor()),
        ("refresh-blocked", blocked()),
        ("refresh-not-assigned", refusal("invalid_grant", "", 50105, "The signed in user is not assigned to a role.")),
        ("refresh-tenant", refusal("invalid_request", "", 90002, "Tenant 'contoso.exmaple' not found.")),
        ("refresh-tracked", tracked("bad_token")),
        ("refresh-transient", refusal("temporarily_unavailable", "", 90055, "Too many requests.")),
    ];
    in_parallel(cases, |(name, body)| {
        let (server, home) = signed_in(vec![refused(&body)]);
        assert_message(name, &get_token(&server, &home, &NEVER));
    });
}

#[test]
fn refusal_in_a_callback_has_its_message_and_is_printed_once() {
    let text = |words: &str| format!("{words} Trace ID: {TRACE} Correlation ID: {CORRELATION} Timestamp: {AT}");
    for (name, error, words, code) in [
        ("callback-blocked", "access_denied", "AADSTS53003: Access has been blocked by Conditional Access.", 4),
        ("callback-consent", "consent_required", "AADSTS90094: An administrator has to consent.", 4),
        ("callback-busy", "temporarily_unavailable", "AADSTS90033: A transient error has occurred.", 1),
    ] {
        let (world, home) = (World::start(), Home::new());
        home.make_failures_quick();
        let sign_in = Issuer::Entra.start(&world, &home, &[]);
        let callback_url = with_parameter(&with_parameter(&sign_in.callback_url(), "code", None), "error", Some(error));
        get(&with_parameter(&callback_url, "error_description", Some(&text(words))));
        assert_message(name, &sign_in.end());
        if code == 4 {
            let again = home.run(&Issuer::Entra.by_browser(&world, &browser::SHOW_ADDRESS));
            assert_eq!(again.assert_failed(code, &[]).stderr, "", "{name}");
        } else {
            // It was not a decline, so another call prompts.
            drop(Issuer::Entra.start(&world, &home, &[]));
        }
    }
}

#[test]
fn consent_page_is_named_for_own_applications() {
    let missing = refusal("invalid_grant", "consent_required", 65001, "Not consented.");
    let never = refusal("invalid_grant", "", 65002, "Not preauthorized.");
    for (client, body, is_shown) in
        [(sim::OWN_CLIENT, &missing, true), (sim::CLIENT, &missing, false), (sim::OWN_CLIENT, &never, false)]
    {
        let server = Scripted::start(|url| vec![device(url), refused(body)]);
        let run = get_token(&server, &Home::new(), &["--client-id", client, "--prompt", "always"]);
        let address = format!("{}/{}/adminconsent?client_id={client}\n", server.url(), sim::TENANT);
        assert_eq!(run.assert_failed(4, &["onsent"]).stderr.contains(&address), is_shown, "{run}");
    }
}

#[test]
fn unsolvable_refusal_is_not_retried_automatically() {
    let (server, home) = signed_in(vec![refused(&blocked())]);
    for _ in 0..2 {
        get_token(&server, &home, &ALWAYS).assert_failed(4, &["AADSTS53003"]);
    }
    // Each call makes one refresh and no sign-in.
    assert_eq!(request_kinds(&server), ["refresh", "refresh"]);

    let server = Scripted::start(|url| vec![device(url), refused(&blocked())]);
    let home = Home::new();
    home.run(&entra_at(&server.url(), &ALWAYS)).assert_failed(4, &["AADSTS53003"]);
    let again = home.run(&entra_at(&server.url(), &ALWAYS));
    assert_eq!((again.assert_failed(4, &[]).stderr.as_str(), server.requests().len()), ("", 2));
}

#[test]
fn refresh_token_is_kept_after_a_temporary_refusal() {
    let kept = [
        (second_factor(), 3),
        (blocked(), 4),
        (refusal("invalid_grant", "consent_required", 65001, "Not consented."), 4),
        (refusal("interaction_required", "", 50079, "Enrol."), 3),
        (refusal("temporarily_unavailable", "", 90033, "Later."), 1),
        (refusal("invalid_grant", "", 50196, "A loop."), 1),
    ];
    in_parallel(kept, |(body, code)| {
        let (server, home) = signed_in(vec![refused(&body), tokens("second")]);
        get_token(&server, &home, &NEVER).assert_failed(code, &["Next: "]);
        let later = get_token(&server, &home, &NEVER);
        assert_eq!((later.token().as_str(), later.stderr.as_str()), ("second", ""));
        assert_eq!(request_kinds(&server), ["refresh", "refresh"]);
    });
}

#[test]
fn revoked_refresh_token_is_never_presented_again() {
    let dead = [
        refusal("invalid_grant", "bad_token", 50173, "Revoked."),
        refusal("invalid_grant", "token_expired", 70043, "Too old."),
        // The suberror decides, not the number.
        refusal("invalid_grant", "bad_token", 53003, "Blocked."),
        refusal("invalid_grant", "bad_token", 90033, "Later."),
        json!({ "error": "invalid_grant", "suberror": "bad_token" }),
    ];
    in_parallel(dead, |body| {
        let (server, home) = signed_in(vec![refused(&body)]);
        get_token(&server, &home, &NEVER).assert_failed(3, &["sign-in required", "kubectl login"]);
        get_token(&server, &home, &NEVER).assert_failed(3, &["sign-in required"]);
        assert_eq!(request_kinds(&server), ["refresh"]);
        let status = home.run(&["status"]);
        assert!(status.stdout.contains(sim::TENANT) && !status.stdout.contains("renewable"), "{status}");
    });
}

#[test]
fn session_refused_for_its_code_suggests_the_browser() {
    let advice = "kubectl login --login interactive";
    in_parallel(["", "bad_token", "message_only", "basic_action"], |suberror| {
        let (server, home) = signed_in(vec![refused(&tracked(suberror))]);
        get_token(&server, &home, &ALWAYS).assert_failed(4, &["AADSTS530036", advice]);
        // `auto` would also use a code, because there is no browser.
        for more in [&ALWAYS[..], &["--prompt", "always", "--login", "auto"]] {
            get_token(&server, &home, more).assert_failed(4, &["device code", advice]);
        }
        assert_eq!(request_kinds(&server), ["refresh"]);
        // A browser sign-in continues with the same session.
        let by_browser = entra_at(&server.url(), &[&["--login", "interactive"], &browser::SHOW_ADDRESS[..]].concat());
        drop(SignIn::start(&mut home.plugin(&by_browser)));
        assert_eq!(request_kinds(&server), ["refresh"]);
    });
}

#[test]
fn session_refused_for_its_code_continues_in_the_browser() {
    let (server, home) = signed_in(vec![refused(&tracked(""))]);
    let by_browser = entra_at(&server.url(), &[&["--login", "interactive"], &browser::SHOW_ADDRESS[..]].concat());
    drop(SignIn::start(&mut home.plugin(&by_browser)));
    assert_eq!(request_kinds(&server), ["refresh"]);
}

#[test]
fn session_refused_for_its_code_keeps_its_token_until_it_expires() {
    let (server, home) = signed_in(vec![refused(&tracked(""))]);
    home.set_seconds_left(EXPIRES_SOON);
    for _ in 0..2 {
        let run = get_token(&server, &home, &ALWAYS);
        assert_eq!((run.token().as_str(), run.stderr.as_str()), ("first", ""));
    }
    home.set_seconds_left(ALMOST_EXPIRED);
    get_token(&server, &home, &ALWAYS).assert_failed(4, &["device code", "kubectl login --login interactive"]);
    assert_eq!(request_kinds(&server), ["refresh"]);
}

#[test]
fn forced_login_uses_another_code() {
    let server =
        Scripted::start(|url| vec![device(url), tokens("first"), refused(&tracked("")), device(url), tokens("second")]);
    let home = Home::new();
    home.contexts(&[("prod", entra_at(&server.url(), &["--login", "devicecode"]))]);
    assert_eq!(home.run(&["prod"]).code, Some(0));
    // The token is still valid; without --force the command would only return that.
    let advice = "kubectl login --force --login interactive";
    home.run(&["prod", "--refresh"]).assert_failed(4, &["AADSTS530036", advice]);
    let run = home.run(&["prod", "--force"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn permanent_refusal_is_printed_unchanged_without_a_prompt() {
    let cases = [
        ("invalid_grant", 50057, 4, "administrator"),
        ("invalid_grant", 65002, 4, "--client-id"),
        ("unauthorized_client", 700_016, 1, "--client-id"),
        ("invalid_client", 7_000_218, 1, "public client"),
    ];
    in_parallel(cases, |(error, number, code, step)| {
        let (server, home) = signed_in(vec![refused(&refusal(error, "", number, "No."))]);
        home.contexts(&[("prod", entra_at(&server.url(), &[]))]);
        for run in [get_token(&server, &home, &NEVER), home.run(&["--refresh", "--prompt", "never"])] {
            run.assert_failed(code, &[&format!("AADSTS{number}"), step, "For the help desk: "]);
            assert!(!run.stderr.contains("sign-in required"), "{run}");
        }
        assert_eq!(request_kinds(&server), ["refresh", "refresh"]);
    });
}

/// A home directory with one context, whose token is valid for an hour, at a tenant that returns these responses from
/// then on.
fn with_valid_token(answers: Vec<ScriptedResponse>) -> (Scripted, Home) {
    let (server, home) = signed_in(answers);
    home.contexts(&[("prod", entra_at(&server.url(), &[]))]);
    home.set_seconds_left(3600);
    (server, home)
}

/// Runs `kubectl login`, and asserts the beginning of its output.
#[track_caller]
fn assert_login(home: &Home, beginning: &str) {
    let run = home.run::<&str>(&[]);
    assert!(run.code == Some(0) && run.stdout.starts_with(beginning), "{run}");
}

#[test]
fn login_after_a_refused_refresh_prompts() {
    let dead = refusal("invalid_grant", "bad_token", 50173, "Revoked.");
    let inactive = refusal("invalid_grant", "", 700_082, "The refresh token has expired due to inactivity.");
    let cases = [(dead, false), (inactive, true), (second_factor(), true)];
    in_parallel(cases, |(body, is_tried_again)| {
        let again = if is_tried_again { vec![refused(&body)] } else { vec![] };
        let (server, home) = with_valid_token(
            [vec![refused(&body)], again, vec![device("http://127.0.0.1:1"), tokens("second")]].concat(),
        );
        home.run(&["--refresh", "--prompt", "never"]).assert_failed(3, &["kubectl login --prompt always"]);
        // Other calls keep using the valid token.
        assert_eq!(get_token(&server, &home, &NEVER).token(), "first");
        assert_login(&home, "Signed in");
        assert_eq!(
            request_kinds(&server)[1..],
            [&["refresh"][..usize::from(is_tried_again)], &["code", "other"]].concat()
        );
        assert_login(&home, "Already signed in");
        assert_eq!(get_token(&server, &home, &NEVER).token(), "second");
    });
}

#[test]
fn login_prompts_even_if_the_token_expires_soon() {
    let dead = refusal("invalid_grant", "bad_token", 50173, "Revoked.");
    let (_server, home) = with_valid_token(vec![refused(&dead), device("http://127.0.0.1:1"), tokens("second")]);
    home.set_seconds_left(EXPIRES_SOON);
    assert_login(&home, "Signed in");
}

#[test]
fn successful_refresh_clears_a_refusal() {
    let enrol = refusal("interaction_required", "", 50079, "Enrol.");
    let (server, home) = with_valid_token(vec![refused(&enrol), tokens("second")]);
    home.run(&["--refresh", "--prompt", "never"]).assert_failed(3, &["AADSTS50079"]);
    assert_eq!(get_token(&server, &home, &["--force-refresh"]).token(), "second");
    assert_login(&home, "Already signed in");
    assert_eq!(request_kinds(&server), ["refresh", "refresh"]);
}

#[test]
fn refusal_for_administrators_does_not_affect_login() {
    let not_assigned = refusal("invalid_grant", "", 50105, "Not assigned.");
    let (server, home) = with_valid_token(vec![refused(&not_assigned)]);
    home.run(&["--refresh", "--prompt", "never"]).assert_failed(4, &["AADSTS50105"]);
    assert_login(&home, "Already signed in");
    assert_eq!(request_kinds(&server), ["refresh"]);
}

#[test]
fn overloaded_server_is_not_retried() {
    let loop_found = refusal("invalid_grant", "", 50196, "A loop.");
    let busy = refusal("temporarily_unavailable", "", 90033, "Later.");
    let later = ("429 Too Many Requests", vec!["retry-after: 3600".to_owned()], busy.to_string());
    in_parallel([refused(&loop_found), refused(&busy), later], |answer| {
        let (server, home) = signed_in(vec![answer]);
        let run = get_token(&server, &home, &ALWAYS);
        run.assert_failed(1, &["Next: "]);
        assert_eq!(request_kinds(&server), ["refresh"], "{run}");
    });
}
