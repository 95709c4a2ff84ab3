//! Sign-ins at real identity providers, with a real browser: npm's oidc-provider, and Dex. Run
//! `tests/providers/prepare` first; `tests/run` does that.
#![cfg(target_os = "linux")]

mod browser;

use std::process::Child;
use std::time::{Duration, Instant};

use crate::common::chromium::{Chromium, Tab};
use crate::common::provider::Provider;
use crate::common::{HANG, Home, Run, claims, in_parallel};
use serde_json::{Value, json};

/// Longer than any test.
const LONG: u32 = 600;

/// `get-token` for the client that both providers have, followed by `more`.
fn get_token(provider: &Provider, more: &[&str]) -> Vec<String> {
    let fixed = ["get-token", "--oidc-issuer-url", &provider.issuer, "--oidc-client-id", "kubernetes"];
    let scopes = ["--oidc-extra-scope", "email,groups,offline_access"];
    [&fixed[..], &scopes, more].concat().into_iter().map(str::to_owned).collect()
}

/// A plugin process that waits for the user, and the address that it has opened.
struct SignIn {
    process: Child,
    address: String,
}

impl SignIn {
    fn by_device_code(provider: &Provider, home: &Home) -> SignIn {
        SignIn::start(home, &get_token(provider, &["--grant-type", "device-code"]))
    }

    fn start(home: &Home, args: &[String]) -> SignIn {
        let opened = home.path().join("opened");
        let at = opened.display();
        let browser =
            home.write_program("browser", &format!("#!/bin/sh\necho \"$1\" >'{at}.new'\nmv '{at}.new' '{at}'\n"));
        let browser = ["--prompt", "always", "--browser-command", browser.to_str().unwrap()].map(str::to_owned);
        let mut process = home.start(&[args, &browser].concat());
        let until = Instant::now() + HANG;
        while !opened.exists() {
            if process.try_wait().unwrap().is_some() {
                panic!("it opened nothing: {}", Run::wait(process));
            }
            assert!(Instant::now() < until, "no browser was opened");
            std::thread::sleep(Duration::from_millis(20));
        }
        let address = std::fs::read_to_string(opened).unwrap().trim().to_owned();
        SignIn { process, address }
    }

    /// The address without the code, and the code.
    fn address_and_code(&self) -> (&str, &str) {
        self.address.split_once("?user_code=").expect("a code in the address")
    }

    fn finish(self) -> Run {
        Run::wait(self.process)
    }
}

/// Enters Alice's name at oidc-provider.
fn type_name(tab: &Tab<'_>) {
    tab.type_into("[name=login]", "alice");
}

/// Enters Alice's name and password at Dex, up to the consent page.
fn type_password(tab: &Tab<'_>) {
    tab.click("a[href*='/local']");
    tab.type_into("#login", "alice@contoso.example");
    tab.type_into("#password", "correct horse");
    tab.click("#submit-login");
    tab.wait_for_text("Grant Access");
}

/// Both providers accept a refresh token once and rotate it. So the second refresh proves that the new one was stored;
/// the first one, restored, is refused with each provider's own error.
fn assert_refreshes_twice(provider: &Provider, home: &Home, first: &Value) {
    let refresh = || home.run(&get_token(provider, &["--prompt", "never", "--force-refresh"]));
    let sessions: Vec<_> =
        home.files("sessions").into_iter().map(|file| (std::fs::read(&file).unwrap(), file)).collect();
    for _ in 0..2 {
        let again = claims(&refresh().token());
        for claim in ["iss", "sub", "aud", "email", "groups"] {
            assert_eq!(again[claim], first[claim], "{claim}");
        }
    }
    for (bytes, file) in sessions {
        std::fs::write(file, bytes).unwrap();
    }
    refresh().assert_failed(3, &["sign-in required", "cannot refresh the token"]);
}

/// Dex has its own error for a wrong password.
#[test]
fn password_signs_in_at_dex_and_refreshes() {
    let home = Home::new();
    let provider = Provider::dex(&home, LONG);
    let with = |password: &str| {
        let credentials = ["--username", "alice@contoso.example", "--password", password];
        get_token(&provider, &credentials)
    };
    home.run(&with("battery staple")).assert_failed(1, &["does not accept that user name and password", "--password"]);
    let run = home.run_as_new_caller(&with("correct horse"));
    assert_eq!(run.stderr, "");
    let first = claims(&run.token());
    assert_eq!(first["email"], "alice@contoso.example");
    let again = home.run(&[with("correct horse"), vec!["--force-refresh".to_owned()]].concat());
    assert_eq!(claims(&again.token())["sub"], first["sub"]);
}

#[test]
fn typed_code_signs_in_at_oidc_provider_and_refreshes() {
    let home = Home::new();
    let (provider, browser) = (Provider::oidc_provider(&home), Chromium::start(&home));
    let sign_in = SignIn::by_device_code(&provider, &home);
    let (address, code) = sign_in.address_and_code();
    let tab = browser.open(address);
    tab.type_into("[name=user_code]", code);
    tab.click("button[type=submit]");
    tab.wait_for_text(code);
    tab.click("button[autofocus]");
    type_name(&tab);
    tab.click("[value=approve]");
    tab.wait_for_text("Sign-in Success");
    let claims = claims(&sign_in.finish().token());
    assert_eq!((claims["iss"].as_str(), claims["aud"].as_str()), (Some(&*provider.issuer), Some("kubernetes")));
    assert_eq!(claims["email"], "alice@contoso.example");
    assert_eq!(claims["groups"], json!(["developers", "on-call"]));
    assert_refreshes_twice(&provider, &home, &claims);
}

/// The client secret in `tests/providers/oidc-provider/server.mjs`.
const SECRET: &str = "s3cret: with+odd%signs";

#[test]
fn client_secret_is_sent_to_oidc_provider_in_header_or_body() {
    let home = Home::new();
    let (provider, browser) = (Provider::oidc_provider(&home), Chromium::start(&home));
    in_parallel(["by-header", "by-body"], |client| {
        let home = Home::new();
        let secret = ["--oidc-client-id", client, "--oidc-client-secret", SECRET];
        let args = get_token(&provider, &[&secret[..], &["--grant-type", "device-code"]].concat());
        let sign_in = SignIn::start(&home, &args);
        let tab = browser.open(&sign_in.address);
        tab.click("button[autofocus]");
        type_name(&tab);
        tab.click("[value=approve]");
        tab.wait_for_text("Sign-in Success");
        assert_eq!(claims(&sign_in.finish().token())["aud"], client);
        let refreshed = home.run(&[&args[..], &["--force-refresh".to_owned()]].concat());
        assert_eq!(claims(&refreshed.token())["aud"], client);
        home.contexts(&[("provider", args)]);
        let logout = home.run(&["logout"]);
        assert!(logout.stdout.contains("and revoked it"), "{logout}");
    });
}

#[test]
fn typed_code_signs_in_at_dex_and_refreshes() {
    let home = Home::new();
    let (provider, browser) = (Provider::dex(&home, LONG), Chromium::start(&home));
    let sign_in = SignIn::by_device_code(&provider, &home);
    let (address, code) = sign_in.address_and_code();
    let tab = browser.open(address);
    tab.type_into("#user_code", code);
    tab.click("#submit-login");
    tab.click("a[href*='/mock']");
    tab.wait_for_text("Grant Access");
    tab.click(".theme-btn--success");
    tab.wait_for_text("Login Successful");
    let claims = claims(&sign_in.finish().token());
    assert_eq!((claims["iss"].as_str(), claims["aud"].as_str()), (Some(&*provider.issuer), Some("kubernetes")));
    assert_eq!(claims["email"], "kilgore@kilgore.trout");
    assert_eq!(claims["groups"], json!(["authors"]));
    assert_refreshes_twice(&provider, &home, &claims);
}

#[test]
fn code_in_the_address_needs_no_typing() {
    let home = Home::new();
    let (oidc_provider, dex) = (Provider::oidc_provider(&home), Provider::dex(&home, LONG));
    let browser = Chromium::start(&home);
    let at_oidc_provider = |home: &Home| {
        let sign_in = SignIn::by_device_code(&oidc_provider, home);
        let tab = browser.open(&sign_in.address);
        tab.click("button[autofocus]");
        type_name(&tab);
        tab.click("[value=approve]");
        sign_in
    };
    let at_dex = |home: &Home| {
        let sign_in = SignIn::by_device_code(&dex, home);
        let tab = browser.open(&sign_in.address);
        tab.click("#submit-login");
        type_password(&tab);
        tab.click(".theme-btn--success");
        sign_in
    };
    let ways: [&(dyn Fn(&Home) -> SignIn + Sync); 2] = [&at_oidc_provider, &at_dex];
    in_parallel(ways, |flow| {
        let home = Home::new();
        assert_eq!(claims(&flow(&home).finish().token())["email"], "alice@contoso.example");
    });
}

#[test]
fn declined_code_at_oidc_provider_ends_the_sign_in() {
    let home = Home::new();
    let (provider, browser) = (Provider::oidc_provider(&home), Chromium::start(&home));
    // On the page that shows the code, or on the sign-in page.
    in_parallel([false, true], |code_is_confirmed| {
        let home = Home::new();
        let sign_in = SignIn::by_device_code(&provider, &home);
        let tab = browser.open(&sign_in.address);
        if code_is_confirmed {
            tab.click("button[autofocus]");
            tab.click("[value=deny]");
        } else {
            tab.click("[name=abort]");
        }
        sign_in.finish().assert_failed(3, &["Error: ", "declined", "\nNext: "]);
        assert_eq!(home.files("tokens"), Vec::<std::path::PathBuf>::new());
    });
}

/// Dex tells the user that the request is denied, but not the plugin.
#[test]
fn declined_code_at_dex_can_still_be_used() {
    let home = Home::new();
    let (provider, browser) = (Provider::dex(&home, LONG), Chromium::start(&home));
    let sign_in = SignIn::by_device_code(&provider, &home);
    let tab = browser.open(&sign_in.address);
    tab.click("#submit-login");
    type_password(&tab);
    tab.click(".theme-btn-provider");
    tab.wait_for_text("Approval rejected");
    tab.go(&sign_in.address);
    tab.click("#submit-login");
    type_password(&tab);
    tab.click(".theme-btn--success");
    assert_eq!(claims(&sign_in.finish().token())["email"], "alice@contoso.example");
}

#[test]
fn unused_code_at_dex_expires() {
    let home = Home::new();
    let provider = Provider::dex(&home, 1);
    SignIn::by_device_code(&provider, &home).finish().assert_failed(3, &["Error: ", "code", "\nNext: "]);
}
