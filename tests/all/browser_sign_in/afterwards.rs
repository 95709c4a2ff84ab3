//! The page on which the browser ends, and the traces that a sign-in leaves, which must not contain secrets.

use sim::{Behaviour, World};
use url::Url;

use crate::common::browser::{BOTH, Issuer, SHOW_ADDRESS, callback_secrets, get, with_parameter};
use crate::common::{Home, Run};

#[test]
fn browser_is_redirected_to_the_configured_page() {
    for issuer in BOTH {
        let (world, home) = (World::start(), Home::new());
        let more = ["--open-url-after-authentication", "https://example.com/success"];
        let sign_in = issuer.start(&world, &home, &more);
        let back = sign_in.callback_url();
        // Not before the sign-in is over.
        assert!(!get(&with_parameter(&back, "state", None)).body.contains("example.com"));
        let page = get(&back);
        page.assert_signed_in();
        assert!(page.body.contains("<meta http-equiv=\"refresh\" content=\"0;URL=https://example.com/success\">"));
        sign_in.end().token();

        let (world, home) = (World::start_with(&[Behaviour::AuthorizeDenied]), Home::new());
        let sign_in = issuer.start(&world, &home, &more);
        assert!(!sign_in.complete().body.contains("example.com"));
        sign_in.end().assert_failed(3, &[]);
    }
}

#[test]
fn configured_page_is_escaped() {
    let hostile = "https://example.com/\"><script>alert(1)</script>?a='x'&b=\"onload=\"alert(1)#\"><img src=x>";
    let (world, home) = (World::start(), Home::new());
    let sign_in = Issuer::Oidc.start(&world, &home, &["--open-url-after-authentication", hostile]);
    let page = sign_in.complete();
    sign_in.end().token();
    assert!(!page.body.contains("<script") && !page.body.contains("<img"), "{page:?}");
    let (_, rest) = page.body.split_once("content=\"0;URL=").unwrap();
    let (address, _) = rest.split_once("\">\n").unwrap();
    let decoded = html_escape::decode_html_entities(address);
    assert_eq!(Url::parse(&decoded).unwrap(), Url::parse(hostile).unwrap());
}

#[test]
fn configured_page_must_be_a_web_address() {
    let world = World::start();
    for address in ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "/success", "example.com", "http:"]
    {
        for issuer in BOTH {
            let args =
                issuer.by_browser(&world, &[&SHOW_ADDRESS[..], &["--open-url-after-authentication", address]].concat());
            Home::new().run(&args).assert_failed(2, &["--open-url-after-authentication", "\nNext: "]);
        }
    }
    assert!(world.requests().is_empty());
}

/// Asserts that none of `secrets`, nor half of one, is in the output, except in the address to open.
#[track_caller]
fn assert_hidden(run: &Run, address: &Url, secrets: &[String]) {
    assert!(run.stderr.contains("/token"), "nothing was logged: {run}");
    assert_eq!(run.stderr.matches(address.as_str()).count(), 1, "{run}");
    let written = run.stderr.replace(address.as_str(), "");
    for secret in secrets {
        assert!(secret.len() >= 16, "{secret}");
        assert!(!written.contains(&secret[secret.len() - 16..]), "{secret}: {run}");
    }
}

#[test]
fn logs_have_no_secrets_at_any_verbosity() {
    for issuer in BOTH {
        let (world, home) = (World::start(), Home::new());
        let sign_in = issuer.start(&world, &home, &["-v", "9"]);
        let (address, back) = (sign_in.address.clone(), sign_in.callback_url());
        get(&with_parameter(&back, "state", Some("forged-state-of-an-attacker"))).assert_error(400, &[]);
        get(&back).assert_signed_in();
        let run = sign_in.end();
        let token = run.token();
        let refreshed = home.run(&issuer.by_browser(&world, &["-v", "9", "--force-refresh"]));
        let mut secrets: Vec<String> = callback_secrets(&back);
        secrets.extend(["state", "nonce"].map(|name| world.authorize_requests()[0].query[name].clone()));
        secrets.push("forged-state-of-an-attacker".to_owned());
        secrets.push(world.token_requests("authorization_code")[0].field("code_verifier").to_owned());
        secrets.push(world.refreshes()[0].field("refresh_token").to_owned());
        secrets.extend([token, refreshed.token()]);
        assert_hidden(&run, &address, &secrets);
        for secret in &secrets {
            assert!(!refreshed.stderr.contains(&secret[secret.len() - 16..]), "{refreshed}");
        }
    }
}

#[test]
fn secrets_that_a_server_repeats_are_hidden() {
    for behaviour in [Behaviour::CodeExpired, Behaviour::HtmlErrorPage, Behaviour::NotJson] {
        for issuer in BOTH {
            let (world, home) = (World::start_with(&[behaviour]), Home::new());
            let sign_in = issuer.start(&world, &home, &["-v", "9"]);
            let (address, back) = (sign_in.address.clone(), sign_in.callback_url());
            let page = get(&back);
            let run = sign_in.end();
            let verifier = world.token_requests("authorization_code")[0].field("code_verifier").to_owned();
            let secrets = [callback_secrets(&back), vec![verifier]].concat();
            page.assert_error(400, &secrets);
            assert_hidden(&run, &address, &secrets);
        }
    }
}
