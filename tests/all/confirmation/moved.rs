//! A mix-up attack (RFC 9700 4.4) with two valid documents: an issuer names another issuer's endpoints until the user
//! has signed in there, and its own token endpoint afterwards.

use std::io::Write as _;

use serde_json::{Value, json};
use sim::{OIDC_CLIENT, World};

use crate::common::Home;
use crate::common::browser::{SHOW_ADDRESS, SignIn, get};
use crate::common::scripted::{Scripted, ScriptedResponse, json_response};

/// The arguments of an entry for the attacker's issuer.
fn args(evil: &Scripted, more: &[&str]) -> Vec<String> {
    let issuer = evil.url();
    let own = ["get-token", "--oidc-issuer-url", &issuer, "--oidc-client-id", OIDC_CLIENT, "--grant-type=authcode"];
    own.iter().chain(more).map(|word| (*word).to_owned()).collect()
}

/// A discovery document of the attacker, with the endpoints of `honest` except for those in `own`.
fn document(evil: &str, honest: &World, own: &Value) -> ScriptedResponse {
    let page = get(&format!("{}/.well-known/openid-configuration", honest.issuer()).parse().unwrap());
    let mut document: Value = serde_json::from_str(&page.body).unwrap();
    document["issuer"] = json!(evil);
    document.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    json_response("200 OK", &document)
}

/// The requests to the attacker besides discovery.
fn sent(evil: &Scripted) -> Vec<String> {
    let asked = evil.requests().into_iter().map(|asked| asked.text);
    asked.filter(|text| !text.starts_with("GET /.well-known/openid-configuration ")).collect()
}

fn sign_in(home: &Home, evil: &Scripted, more: &[&str]) -> crate::common::Run {
    let sign_in = SignIn::start(&mut home.plugin(&args(evil, &[&SHOW_ADDRESS[..], more].concat())));
    sign_in.complete();
    sign_in.end()
}

/// An attacker that names its own token endpoint only in the second document.
fn endpoint_read_later(honest: &World) -> Scripted {
    let nowhere = json!({ "token_endpoint": format!("{}/nowhere", honest.issuer()) });
    Scripted::start(|url| {
        let own = json!({ "token_endpoint": format!("{url}/token") });
        vec![document(url, honest, &nowhere), document(url, honest, &own)]
    })
}

#[test]
fn code_is_not_sent_to_a_token_endpoint_from_a_later_document() {
    let (honest, home) = (World::start(), Home::new());
    home.make_failures_quick();
    let evil = endpoint_read_later(&honest);
    // The first sign-in caches the document; in the second one it no longer matches.
    for _ in 0..2 {
        sign_in(&home, &evil, &[]).assert_failed(1, &["HTTP 404"]);
    }
    assert_eq!((evil.requests().len(), sent(&evil)), (2, Vec::new()));
}

#[test]
fn tokens_of_another_issuer_are_rejected() {
    let (honest, home) = (World::start(), Home::new());
    let no_keys = json!({ "jwks_uri": format!("{}/nowhere", honest.issuer()) });
    for (own, flags) in [(json!({}), &["--oidc-use-access-token"][..]), (json!({}), &[]), (no_keys, &[])] {
        let evil = Scripted::start(|url| vec![document(url, &honest, &own)]);
        let run = sign_in(&home, &evil, flags);
        run.assert_failed(1, &["the issuer's ID token cannot be used: the token is from another issuer"]);
        let status = home.run(&["status".to_owned()]);
        assert!(status.stdout.contains("There are no sessions"), "{status}");
    }
}

#[test]
fn refresh_token_is_not_sent_to_a_later_token_endpoint() {
    // Without an ID token, the issuer of the tokens is unknown.
    let (honest, home) = (World::start_with(&[sim::Behaviour::MissingIdToken]), Home::new());
    let evil = Scripted::start(|url| {
        let own = json!({ "token_endpoint": format!("{url}/token"), "revocation_endpoint": format!("{url}/revoke"),
            "userinfo_endpoint": format!("{url}/userinfo") });
        vec![document(url, &honest, &json!({})), document(url, &honest, &own)]
    });
    let flags = ["--oidc-use-access-token"];
    sign_in(&home, &evil, &flags).token();
    home.contexts(&[("evil", args(&evil, &flags))]);
    for words in [&["evil", "--refresh", "--prompt=never"][..], &["whoami", "evil"]] {
        let run = home.run(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(sent(&evil), Vec::<String>::new(), "{run}");
    }
    let refresh = home.run(&args(&evil, &[&flags[..], &["--force-refresh", "--prompt=never"]].concat()));
    let moved = format!("the issuer gives out tokens at another site now, 127.0.0.1:{}", evil.port);
    refresh.assert_failed(3, &[&moved]);
    let logout = home.run(&["logout", "evil"].map(str::to_owned));
    assert!(logout.stderr.contains(&moved), "{logout}");
    assert_eq!(sent(&evil), Vec::<String>::new());
}

/// If the issuer rejects a code, the user can paste another one in the same sign-in.
#[test]
fn second_pasted_code_is_not_sent_to_another_site() {
    let (honest, home) = (World::start(), Home::new());
    let evil = endpoint_read_later(&honest);
    sign_in(&home, &evil, &[]).assert_failed(1, &["HTTP 404"]);
    let (stdin, mut keyboard) = std::io::pipe().unwrap();
    let words = args(&evil, &["--grant-type=authcode-keyboard", "--prompt=always"]);
    let sign_in = SignIn::start(home.new_caller(&words).stdin(stdin));
    let page = get(&sign_in.address).body;
    let code = page.split("<code>").nth(1).unwrap().split("</code>").next().unwrap();
    write!(keyboard, "{code}\n{code}\n").unwrap();
    drop(keyboard);
    sign_in.end().assert_failed(3, &["HTTP 404"]);
    assert_eq!(sent(&evil), Vec::<String>::new());
}
