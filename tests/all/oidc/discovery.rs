//! The discovery document: invalid documents, and how long a document is cached.

use serde_json::json;
use sim::{Behaviour, World};

use crate::common::scripted::{Scripted, json_response};
use crate::common::{ALWAYS, Home, Run, in_parallel, oidc};

/// `get-token` for any issuer.
fn args(issuer: &str, more: &[&str]) -> Vec<String> {
    let words = ["get-token", "--oidc-issuer-url", issuer, "--oidc-client-id", "c", "--grant-type", "device-code"];
    words.iter().chain(&ALWAYS).chain(more).map(|word| (*word).to_owned()).collect()
}

#[test]
fn unusable_document_exits_with_1_before_a_prompt() {
    in_parallel(
        [
            (Behaviour::Discovery404, "HTTP 404"),
            (Behaviour::WrongIssuer, "https://issuer.example.invalid"),
            (Behaviour::DiscoveryHttpEndpoints, "not an https URL"),
            (Behaviour::OversizedDiscovery, "larger than 1 MiB"),
            (Behaviour::NotJsonDiscovery, "something else than an OpenID Connect document"),
            (Behaviour::NoDeviceEndpoint, "offers no device code sign-in"),
        ],
        |(behaviour, word)| {
            let (world, home) = (World::start_with(&[behaviour]), Home::new());
            home.make_failures_quick();
            let run = home.sign_in(&oidc(&world, &[]));
            run.assert_failed(1, &["Error: ", word, "\nNext: "]);
            assert!(!run.stderr.contains("enter this code"), "{run}");
            assert_eq!(world.requests().len(), 1, "{}", behaviour.name());
            // It was not cached, so it is fetched again after a correction.
            world.clear(behaviour);
            if behaviour != Behaviour::NoDeviceEndpoint {
                home.run(&oidc(&world, &ALWAYS)).token();
            }
        },
    );
}

#[test]
fn web_page_instead_of_document_exits_with_1() {
    let page = Scripted::start(|_| {
        vec![("200 OK", vec!["content-type: text/html".to_owned()], "<html>Sign in to the hotel</html>".to_owned())]
    });
    let run = Home::new().run(&args(&page.url(), &[]));
    run.assert_failed(1, &["something else than an OpenID Connect document", "\nNext: "]);
    assert!(!run.stderr.contains("hotel"), "{run}");
}

#[test]
fn trailing_slash_of_the_issuer_matters() {
    let (world, home) = (World::start(), Home::new());
    let slash = format!("{}/", world.issuer());
    let run = home.sign_in(&oidc(&world, &["--oidc-issuer-url", &slash]));
    run.assert_failed(1, &[&world.issuer(), &slash, "trailing slash"]);

    // The opposite case: an issuer with a trailing slash.
    let issuer = Scripted::start(|url| {
        vec![json_response("200 OK", &json!({ "issuer": format!("{url}/"), "token_endpoint": format!("{url}/token") }))]
    });
    Home::new().run(&args(&issuer.url(), &[])).assert_failed(1, &["trailing slash"]);
    let run = Home::new().run(&args(&format!("{}/", issuer.url()), &[]));
    run.assert_failed(1, &["offers no device code sign-in"]);
    let paths: Vec<String> =
        issuer.requests().iter().map(|asked| asked.text.lines().next().unwrap().to_owned()).collect();
    assert!(paths.iter().all(|line| line == "GET /.well-known/openid-configuration HTTP/1.1"), "{paths:?}");
}

#[test]
fn unresponsive_issuer_ends_with_the_timeout() {
    let (world, home) = (World::start_with(&[Behaviour::StallDiscovery]), Home::new());
    // The default is twenty seconds: a process that started earlier is still waiting.
    let patient_home = Home::new();
    let mut patient = patient_home.start(&oidc(&world, &ALWAYS));
    home.sign_in(&oidc(&world, &["--timeout", "50ms"])).assert_failed(1, &["did not answer in time", "--timeout"]);
    assert!(patient.try_wait().unwrap().is_none(), "--timeout makes no difference");
    patient.kill().unwrap();
    patient.wait().unwrap();
}

#[test]
fn unsafe_issuer_url_is_a_usage_error() {
    let home = Home::new();
    for issuer in ["http://issuer.example.invalid", "issuer.example.invalid", "file:///etc/passwd", "https://"] {
        home.run(&args(issuer, &[])).assert_failed(2, &["--oidc-issuer-url", "\nNext: "]);
    }
}

#[test]
fn redirect_to_unsafe_address_is_not_followed() {
    let issuer = Scripted::start(|_| {
        vec![("302 Found", vec!["location: http://login.example.invalid/document".to_owned()], String::new())]
    });
    Home::new().run(&args(&issuer.url(), &[])).assert_failed(1, &["redirect", "\nNext: "]);
    let around = Scripted::start(|url| vec![("302 Found", vec![format!("location: {url}/again")], String::new())]);
    Home::new().run(&args(&around.url(), &[])).assert_failed(1, &["redirect"]);
    assert!(around.requests().len() <= 10, "{}", around.requests().len());
}

#[test]
fn document_and_keys_are_cached_until_login() {
    let (world, home) = (World::start(), Home::new());
    home.sign_in(&oidc(&world, &[])).token();
    assert_eq!((world.count("openid-configuration"), world.count("/keys")), (1, 1));

    world.reset_requests();
    home.run(&oidc(&world, &["--force-refresh"])).token();
    world.revoke_all();
    let again = home.sign_in(&oidc(&world, &["--force-refresh"]));
    again.token();
    assert!(again.stderr.contains("A new sign-in is needed"), "{again}");
    assert_eq!(world.device_requests().len(), 1);
    assert_eq!((world.count("openid-configuration"), world.count("/keys")), (0, 0));

    let kubeconfig = home.path().join("config");
    std::fs::write(&kubeconfig, world.oidc_kubeconfig("kubelogin")).unwrap();
    let run = home.run(&["--kubeconfig", kubeconfig.to_str().unwrap(), "--force"]);
    assert!(run.stdout.starts_with("Signed in"), "{run}");
    assert_eq!(world.count("openid-configuration"), 1);
}

#[test]
fn pkce_is_omitted_if_not_offered_unless_requested() {
    in_parallel([(&[][..], false), (&["--oidc-pkce-method", "S256"], true)], |(more, sent)| {
        let issuer = Scripted::start(|url| {
            let document = json!({
                "issuer": url, "token_endpoint": format!("{url}/token"),
                "device_authorization_endpoint": format!("{url}/device"),
            });
            let device = json!({
                "device_code": "d", "user_code": "U", "verification_uri": format!("{url}/activate"),
                "expires_in": 60, "interval": 1,
            });
            let declined = json!({ "error": "access_denied" });
            [("200 OK", document), ("200 OK", device), ("400 Bad Request", declined)]
                .map(|(status, body)| json_response(status, &body))
                .to_vec()
        });
        Home::new().run(&args(&issuer.url(), more)).assert_failed(3, &["declined"]);
        let asked = issuer.requests();
        assert!(asked[1].text.starts_with("POST /device "), "{asked:?}");
        assert_eq!(asked[1].text.contains("code_challenge="), sent, "{asked:?}");
        assert_eq!(asked[1].text.contains("code_challenge_method=S256"), sent, "{asked:?}");
        assert_eq!(asked[2].text.contains("code_verifier="), sent, "{asked:?}");
    });
}

#[test]
fn logs_have_no_secrets_at_any_verbosity() {
    let (world, home) = (World::start(), Home::new());
    let verbose = |more: &[&str]| -> Run { home.run(&oidc(&world, &[&["-v", "9"], more].concat())) };
    let runs = [verbose(&ALWAYS), verbose(&["--force-refresh"]), verbose(&["--oidc-use-access-token"])];
    let polls = world.token_requests("device_code");
    let mut secrets: Vec<String> = runs.iter().map(Run::token).collect();
    secrets.extend(["device_code", "code_verifier"].map(|name| polls[0].field(name).to_owned()));
    secrets.extend(world.refreshes().iter().map(|request| request.field("refresh_token").to_owned()));
    assert!(secrets.iter().all(|secret| secret.len() > 20), "{secrets:?}");
    for run in &runs {
        assert!(run.stderr.contains("/oidc/token"), "nothing was logged: {run}");
        assert!(secrets.iter().all(|secret| !run.stderr.contains(secret.as_str())), "{run}");
    }
}
