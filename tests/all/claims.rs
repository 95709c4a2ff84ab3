//! Claims challenges, from a flag or from an error: they are sent in the requests of the sign-in that answers them, and
//! in no other.

use crate::common::browser::{BOTH, Issuer, SignIn, get};
use crate::common::scripted::{Scripted, ScriptedResponse, device, json_response, tokens};
use crate::common::{ALMOST_EXPIRED, ALWAYS, Home, entra, entra_at, in_parallel};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sim::{Behaviour, Request, Step, World};

/// A challenge whose base64 contains a character in which the alphabets differ.
const CLAIMS: &str = r#"{"access_token":{"acrs":{"essential":true,"value":"c1?>~"}}}"#;
/// These tests do not need a browser.
const SKIP: &str = "--skip-open-browser";

/// The claims parameter of a request, as JSON.
fn claims(request: &Request) -> Option<Value> {
    let text = request.form.get("claims").or_else(|| request.query.get("claims"))?;
    Some(serde_json::from_str(text).unwrap())
}

fn parsed(text: &str) -> Option<Value> {
    Some(serde_json::from_str(text).unwrap())
}

/// Asserts that all requests for a token since the last call carry these claims, or none. Returns which requests there
/// were.
#[track_caller]
fn assert_all_carry(world: &World, expected: &Option<Value>) -> Vec<String> {
    let requests: Vec<Request> = world
        .requests()
        .into_iter()
        .filter(|request| {
            ["/token", "/devicecode", "/device", "/authorize"].iter().any(|end| request.path.ends_with(end))
        })
        .filter(|request| request.method == "POST" || request.query.contains_key("response_type"))
        .collect();
    for request in &requests {
        assert_eq!(&claims(request), expected, "{} {request:?}", request.path);
    }
    world.reset_requests();
    let what = |request: &Request| match request.field("grant_type") {
        "" => request.path.rsplit('/').next().unwrap().to_owned(),
        grant_type => grant_type.rsplit(':').next().unwrap().to_owned(),
    };
    let mut names: Vec<String> = requests.iter().map(what).collect();
    names.dedup();
    names
}

/// A world and a home directory that has signed in with a code in its only context. The world's log is empty.
fn signed_in(issuer: Issuer) -> (World, Home) {
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("one", issuer.by_code(&world, &[]))]);
    home.login(&[]);
    assert_all_carry(&world, &None);
    (world, home)
}

fn token(world: &World, home: &Home) -> String {
    home.run(&entra(world, &[])).token()
}

#[test]
fn challenge_flag_is_answered_by_a_refresh_in_any_encoding() {
    let (world, home) = signed_in(Issuer::Entra);
    let encoded = [STANDARD.encode(CLAIMS), URL_SAFE.encode(CLAIMS), URL_SAFE_NO_PAD.encode(CLAIMS)];
    assert!(encoded[0].contains('+') || encoded[0].contains('/'), "the alphabets differ: {}", encoded[0]);
    let mut before = token(&world, &home);
    for text in [CLAIMS, &encoded[0], &encoded[1], &encoded[2], &format!(" \"{}\"\n", encoded[0])] {
        // The cached token is valid for an hour, but was not issued for this challenge.
        let run = home.login(&["--claims", text]);
        assert_eq!(assert_all_carry(&world, &parsed(CLAIMS)), ["refresh_token"], "{run}");
        let now = token(&world, &home);
        assert_ne!(now, before, "the new token is cached");
        before = now;
    }
    // The challenge was only for that one call.
    home.set_seconds_left(ALMOST_EXPIRED);
    token(&world, &home);
    assert_eq!(assert_all_carry(&world, &None), ["refresh_token"]);
}

#[test]
fn challenge_flag_with_force_is_in_each_sign_in_request() {
    in_parallel(BOTH, |issuer| {
        let (world, home) = signed_in(issuer);
        home.login(&["--claims", CLAIMS, "--force"]);
        let asked = assert_all_carry(&world, &parsed(CLAIMS));
        assert!(asked.len() == 2 && asked[1] == "device_code", "{asked:?}");

        home.contexts(&[("one", issuer.by_browser(&world, &[]))]);
        let sign_in = SignIn::start(&mut home.plugin(&["--claims", CLAIMS, "--force", SKIP]));
        sign_in.complete().assert_signed_in();
        assert_eq!(sign_in.end().code, Some(0));
        assert_eq!(assert_all_carry(&world, &parsed(CLAIMS)), ["authorize", "authorization_code"]);
    });
}

#[test]
fn challenge_flag_without_session_starts_a_sign_in() {
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("one", entra(&world, &[]))]);
    home.login(&["--claims", CLAIMS]);
    assert_eq!(assert_all_carry(&world, &parsed(CLAIMS)), ["devicecode", "device_code"]);
}

#[test]
fn challenge_flag_yields_to_a_parameter_of_the_entry() {
    let (world, home) = (World::start(), Home::new());
    let own = r#"{"id_token":{"auth_time":{"essential":true}}}"#;
    let parameter = format!("claims={own}");
    let more = ["--oidc-auth-request-extra-params", &parameter];
    home.contexts(&[("one", Issuer::Oidc.by_browser(&world, &more))]);
    let sign_in = SignIn::start(&mut home.plugin(&["--claims", CLAIMS, SKIP]));
    sign_in.complete().assert_signed_in();
    assert_eq!(sign_in.end().code, Some(0));
    let page = world.authorize_requests();
    assert_eq!(claims(&page[0]), parsed(own));
}

#[test]
fn invalid_challenge_is_a_usage_error_and_not_printed() {
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("one", entra(&world, &[]))]);
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(9000));
    for (text, why) in [
        ("", "neither a JSON object"),
        ("gibberish\u{1b}[31m", "neither a JSON object"),
        ("gibberish", "neither a JSON object"),
        (r#"["gibberish"]"#, "neither a JSON object"),
        (r#"{"gibberish":"#, "neither a JSON object"),
        ("{}", "asks for nothing"),
        (&long, "longer than 8 KiB"),
    ] {
        let run = home.run(&["--claims", text]);
        run.assert_failed(2, &["Error: --claims is not a claims challenge: it ", why, "\nNext: "]);
        assert!(!run.stderr.contains("gibberish") && !run.stderr.contains("xxx"), "{run}");
    }
    assert!(world.requests().is_empty());
}

/// The simulated tenant's `refresh_mfa` requires a policy by its id.
#[track_caller]
fn required_claims(world: &World) -> Option<Value> {
    let sign_in = world.requests().into_iter().find(|request| request.path.ends_with("/devicecode"));
    let wanted = claims(&sign_in.unwrap());
    assert!(wanted.as_ref().is_some_and(|claims| claims["access_token"]["capolids"].is_object()), "{wanted:?}");
    wanted
}

#[test]
fn challenge_of_refused_refresh_is_sent_by_the_sign_in() {
    let (world, home) = signed_in(Issuer::Entra);
    world.set(Behaviour::RefreshMfa);
    home.set_seconds_left(ALMOST_EXPIRED);
    home.run(&entra(&world, &ALWAYS)).token();
    let wanted = required_claims(&world);
    let (refreshes, rest): (Vec<_>, Vec<_>) =
        world.requests().into_iter().partition(|request| request.field("grant_type") == "refresh_token");
    assert!(refreshes.len() == 1 && claims(&refreshes[0]).is_none(), "{refreshes:?}");
    assert!(rest.len() >= 2 && rest.iter().all(|request| claims(request) == wanted), "{rest:?}");

    // The sign-in has answered it, so the next one does not carry it.
    world.reset_requests();
    home.login(&["--force"]);
    assert_all_carry(&world, &None);

    // The same with a browser.
    let args = entra(&world, &["--login", "interactive"]);
    home.contexts(&[("one", args)]);
    login_by_browser(&home, &["--force"]);
    home.set_seconds_left(ALMOST_EXPIRED);
    world.reset_requests();
    login_by_browser(&home, &[]);
    let asked = world.requests();
    let page = asked.iter().find(|request| request.path.ends_with("/authorize")).unwrap();
    let redeemed = asked.iter().find(|request| request.field("grant_type") == "authorization_code").unwrap();
    assert_eq!((claims(page), claims(redeemed)), (wanted.clone(), wanted));
}

#[track_caller]
fn login_by_browser(home: &Home, more: &[&str]) {
    let sign_in = SignIn::start(&mut home.plugin(&[&[SKIP], more].concat()));
    sign_in.complete().assert_signed_in();
    assert_eq!(sign_in.end().code, Some(0));
}

#[test]
fn challenges_from_flag_and_error_are_merged() {
    let (world, home) = signed_in(Issuer::Entra);
    world.set(Behaviour::RefreshMfa);
    home.login(&["--claims", CLAIMS]);
    let refresh = world.refreshes().remove(0);
    assert_eq!(claims(&refresh), parsed(CLAIMS));
    let wanted = required_claims(&world).unwrap();
    assert_eq!(wanted["access_token"]["acrs"], parsed(CLAIMS).unwrap()["access_token"]["acrs"]);
}

#[test]
fn unanswered_challenge_is_kept_for_the_next_sign_in() {
    let (world, home) = signed_in(Issuer::Entra);
    world.set(Behaviour::RefreshMfa);
    home.set_seconds_left(ALMOST_EXPIRED);
    for _ in 0..2 {
        home.run(&entra(&world, &["--prompt", "never"])).assert_failed(3, &["AADSTS50076"]);
    }
    assert_eq!(assert_all_carry(&world, &None), ["refresh_token"]);
    home.login(&["--force"]);
    let wanted = required_claims(&world);
    assert_all_carry(&world, &wanted);
    home.login(&["--force"]);
    assert_all_carry(&world, &None);
}

#[test]
fn challenge_from_group_look_up_is_answered_by_the_next_login() {
    for suberror in ["basic_action", "bad_token"] {
        let (world, home) = (World::start(), Home::new());
        world.set_groups(250);
        world.refuse_unless_claims(
            Step::Refresh,
            json!({ "error": "invalid_grant", "suberror": suberror, "claims": CLAIMS }),
        );
        home.contexts(&[("one", entra(&world, &["--client-id", sim::OWN_CLIENT]))]);
        // The cluster's token is valid; the one for Graph is refused.
        let run = home.login(&[]);
        assert!(run.stderr.contains("kubectl login"), "{run}");
        world.reset_requests();
        home.login(&[]);
        let sign_in = world.device_requests();
        assert!(sign_in.len() == 1 && claims(&sign_in[0]) == parsed(CLAIMS), "{suberror}: {sign_in:?}");
    }
}

#[test]
fn login_tries_a_refresh_with_the_challenge_first() {
    let (world, home) = signed_in(Issuer::Entra);
    world.refuse_unless_claims(Step::Refresh, json!({ "error": "interaction_required", "claims": CLAIMS }));
    home.run(&["--refresh", "--prompt", "never"]).assert_failed(3, &[]);
    assert_all_carry(&world, &None);
    let run = home.login(&[]);
    assert!(run.stdout.starts_with("Still signed in"), "{run}");
    assert_eq!(assert_all_carry(&world, &parsed(CLAIMS)), ["refresh_token"]);
    // That sign-in has answered it.
    let run = home.login(&[]);
    assert!(run.stdout.starts_with("Already signed in"), "{run}");
}

#[test]
fn logout_forgets_the_challenge() {
    for logout in [&["logout"][..], &["logout", "--all"]] {
        let (world, home) = signed_in(Issuer::Entra);
        world.set(Behaviour::RefreshMfa);
        home.set_seconds_left(ALMOST_EXPIRED);
        home.run(&entra(&world, &["--prompt", "never"])).assert_failed(3, &["AADSTS50076"]);
        assert_eq!(home.files("outcomes").len(), 1);
        home.login(logout);
        assert_eq!(home.files("outcomes").len(), 0, "{logout:?}");
        world.reset_requests();
        home.login(&[]);
        assert_eq!(assert_all_carry(&world, &None), ["devicecode", "device_code"]);
    }
}

#[test]
fn policy_refusal_starts_no_sign_in() {
    let (world, home) = signed_in(Issuer::Entra);
    world.set(Behaviour::RefreshBlocked);
    home.set_seconds_left(ALMOST_EXPIRED);
    for _ in 0..2 {
        home.run(&entra(&world, &ALWAYS)).assert_failed(4, &["AADSTS53003"]);
    }
    assert_eq!(assert_all_carry(&world, &None), ["refresh_token"]);
    home.login(&["--force"]);
    assert_all_carry(&world, &None);
}

#[test]
fn challenge_is_not_logged() {
    let (world, home) = signed_in(Issuer::Entra);
    world.set(Behaviour::RefreshMfa);
    let run = home.login(&["--claims", CLAIMS, "-v9"]);
    assert!(run.stderr.contains("/devicecode"), "nothing was logged: {run}");
    for word in ["acrs", "c1?", "capolids", &STANDARD.encode(CLAIMS)[..20]] {
        assert!(!run.stderr.contains(word), "{word}: {run}");
    }
}

fn refused(error: &str, suberror: &str, claims: &str) -> ScriptedResponse {
    json_response("400 Bad Request", &json!({ "error": error, "suberror": suberror, "claims": claims }))
}

/// The claims in the requests to a scripted server.
fn sent_claims(server: &Scripted) -> Vec<Option<String>> {
    let form = |text: &str| text.split_once("\r\n\r\n").unwrap().1.to_owned();
    let claims = |text: &str| {
        let form = form(text);
        url::form_urlencoded::parse(form.as_bytes()).find(|(name, _)| name == "claims").map(|(_, value)| value.into())
    };
    server.requests().iter().map(|asked| claims(&asked.text)).collect()
}

/// Runs `kubectl login`, which has to fail.
#[track_caller]
fn assert_fails(home: &Home) {
    let run = home.run::<&str>(&[]);
    assert!(run.code != Some(0) && run.stderr.contains("Error: cannot sign in: "), "{run}");
}

/// A home directory with one context, for a scripted server.
fn at(server: &Scripted) -> (Home, Vec<String>) {
    let home = Home::new();
    let args = entra_at(&server.url(), &[]);
    home.contexts(&[("one", args.clone())]);
    (home, args)
}

#[test]
fn challenge_of_refused_sign_in_is_kept_for_the_next_process() {
    let server = Scripted::start(|url| {
        let refusal = refused("invalid_grant", "basic_action", CLAIMS);
        vec![
            device(url),
            refusal.clone(),
            device(url),
            refusal,
            device(url),
            tokens("good"),
            device(url),
            tokens("good"),
        ]
    });
    let (home, args) = at(&server);
    let ask = [&args.iter().map(String::as_str).collect::<Vec<_>>()[..], &ALWAYS].concat();
    // One sign-in per process, whatever the server returns.
    home.run_as_new_caller(&ask).assert_failed(3, &["invalid_grant"]);
    home.run(&["--prompt", "always"]).assert_failed(3, &["invalid_grant"]);
    assert_eq!(home.run_as_new_caller(&ask).token(), "good");
    home.login(&["--force"]);
    let claims = || Some(CLAIMS.to_owned());
    assert_eq!(sent_claims(&server), [None, None, claims(), claims(), claims(), claims(), None, None]);
}

#[test]
fn unusable_challenge_is_ignored() {
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(9000));
    let refusals = [
        refused("invalid_grant", "basic_action", "no JSON"),
        refused("invalid_grant", "basic_action", "[1]"),
        refused("invalid_grant", "basic_action", &long),
        refused("invalid_grant", "message_only", CLAIMS),
        refused("invalid_scope", "", CLAIMS),
    ];
    in_parallel(refusals, |refusal| {
        let server = Scripted::start(|url| vec![device(url), refusal, device(url), tokens("good")]);
        let (home, _) = at(&server);
        assert_fails(&home);
        home.login(&[]);
        assert_eq!(sent_claims(&server), [None, None, None, None]);
    });
}

#[test]
fn rejected_challenge_is_tried_once() {
    let server = Scripted::start(|url| {
        let not_understood = refused("invalid_request", "", "");
        vec![device(url), refused("interaction_required", "", CLAIMS), not_understood, device(url), tokens("good")]
    });
    let (home, _) = at(&server);
    for _ in 0..2 {
        assert_fails(&home);
    }
    home.login(&[]);
    assert_eq!(sent_claims(&server), [None, None, Some(CLAIMS.to_owned()), None, None]);
}

#[test]
fn challenge_expires_after_an_hour() {
    let server = Scripted::start(|url| {
        vec![device(url), refused("invalid_grant", "basic_action", CLAIMS), device(url), tokens("good")]
    });
    let (home, _) = at(&server);
    assert_fails(&home);
    let file = home.files("outcomes").remove(0);
    let mut note: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    note["challenge"]["at"] = json!(chrono::Utc::now() - chrono::TimeDelta::minutes(61));
    std::fs::write(&file, note.to_string()).unwrap();
    home.login(&[]);
    assert_eq!(sent_claims(&server), [None, None, None, None]);
}

#[test]
fn challenge_of_failed_code_exchange_is_sent_to_the_next_page() {
    let server = Scripted::start(|_| vec![refused("invalid_grant", "basic_action", CLAIMS)]);
    let (home, args) = at(&server);
    home.contexts(&[("one", [args, vec!["--login".to_owned(), "interactive".to_owned()]].concat())]);
    let sign_in = SignIn::start(&mut home.plugin(&[SKIP]));
    assert_eq!(sign_in.parameter("claims"), "");
    let answer = [("code", "a-code-of-a-code"), ("state", &sign_in.parameter("state"))];
    let mut callback_url = sign_in.redirect_url();
    callback_url.query_pairs_mut().extend_pairs(answer);
    get(&callback_url);
    sign_in.end().assert_failed(3, &["cannot sign in: a new sign-in is needed (invalid_grant)"]);
    let next = SignIn::start(&mut home.plugin(&[SKIP]));
    assert_eq!(next.parameter("claims"), CLAIMS);
}
