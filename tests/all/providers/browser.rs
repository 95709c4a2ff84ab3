//! Sign-ins on a page of the provider, in a browser that sends the callback to the plugin's listener.

use url::Url;

use super::*;

/// JavaScript: the last page of a sign-in has been replaced by another one.
const IS_NOT_SIGNED_IN: &str = "!document.body.innerText.includes('Signed in as')";

/// The steps in a browser at a provider up to the consent page, and the button there.
struct SignInFlow {
    provider: Provider,
    identify: fn(&Tab<'_>),
    approve: &'static str,
    deny: &'static str,
}

impl SignInFlow {
    fn oidc_provider(home: &Home) -> SignInFlow {
        let provider = Provider::oidc_provider(home);
        SignInFlow { provider, identify: type_name, approve: "[value=approve]", deny: "[value=deny]" }
    }

    fn dex(home: &Home) -> SignInFlow {
        let provider = Provider::dex(home, LONG);
        SignInFlow { provider, identify: type_password, approve: ".theme-btn--success", deny: ".theme-btn-provider" }
    }

    fn start(&self, home: &Home, more: &[&str]) -> SignIn {
        SignIn::start(home, &get_token(&self.provider, &[&["--grant-type", "authcode"], more].concat()))
    }

    fn approve(&self, tab: &Tab<'_>) {
        (self.identify)(tab);
        tab.click(self.approve);
    }
}

/// Runs a test with both providers in parallel, each with its own home directory, and in one browser.
fn both(body: impl Fn(&SignInFlow, &Home, &Chromium) + Sync) {
    let home = Home::new();
    let browser = Chromium::start(&home);
    in_parallel([SignInFlow::oidc_provider as fn(&Home) -> SignInFlow, SignInFlow::dex], |flow| {
        let home = Home::new();
        body(&flow(&home), &home, &browser);
    });
}

/// The result of a successful sign-in.
fn assert_signed_in(sign_in: SignIn) -> Value {
    let claims = claims(&sign_in.finish().token());
    assert_eq!(claims["email"], "alice@contoso.example");
    claims
}

/// The redirect address.
fn redirect_url(sign_in: &SignIn) -> Url {
    let address = Url::parse(&sign_in.address).unwrap();
    let (_, redirect_uri) = address.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap();
    Url::parse(&redirect_uri).unwrap()
}

#[test]
fn browser_sign_in_works_and_refreshes() {
    both(|flow, home, browser| {
        let sign_in = flow.start(home, &[]);
        let tab = browser.open(&sign_in.address);
        flow.approve(&tab);
        tab.wait_for_text("Signed in as alice@contoso.example");
        let claims = assert_signed_in(sign_in);
        assert_eq!(
            (claims["iss"].as_str(), claims["aud"].as_str()),
            (Some(&*flow.provider.issuer), Some("kubernetes"))
        );
        assert_refreshes_twice(&flow.provider, home, &claims);
    });
}

#[test]
fn denial_at_oidc_provider_ends_the_sign_in() {
    let home = Home::new();
    let (flow, browser) = (SignInFlow::oidc_provider(&home), Chromium::start(&home));
    let sign_in = flow.start(&home, &[]);
    let tab = browser.open(&sign_in.address);
    tab.click(flow.deny);
    tab.wait_for_text("Not signed in");
    sign_in.finish().assert_failed(3, &["Error: ", "declined", "\nNext: "]);
}

/// Dex tells the user that the request is denied, but not the plugin: the sign-in continues to wait.
#[test]
fn denial_at_dex_can_be_reverted() {
    let home = Home::new();
    let (flow, browser) = (SignInFlow::dex(&home), Chromium::start(&home));
    let sign_in = flow.start(&home, &[]);
    let tab = browser.open(&sign_in.address);
    (flow.identify)(&tab);
    tab.click(flow.deny);
    tab.wait_for_text("Approval rejected");
    tab.back();
    tab.wait_for_text("Grant Access");
    tab.click(flow.approve);
    assert_signed_in(sign_in);
}

#[test]
fn closed_tab_can_be_opened_again() {
    both(|flow, home, browser| {
        let sign_in = flow.start(home, &[]);
        let tab = browser.open(&sign_in.address);
        (flow.identify)(&tab);
        tab.close();
        let tab = browser.open(&sign_in.address);
        flow.approve(&tab);
        assert_signed_in(sign_in);
    });
}

#[test]
fn closed_tab_ends_with_a_timeout() {
    let home = Home::new();
    let (flow, browser) = (SignInFlow::oidc_provider(&home), Chromium::start(&home));
    let sign_in = flow.start(&home, &["--authentication-timeout-sec", "3"]);
    browser.open(&sign_in.address).close();
    sign_in.finish().assert_failed(3, &["Error: ", "in the browser", "\nNext: "]);
}

#[test]
fn second_callback_is_ignored() {
    both(|flow, home, browser| {
        let sign_in = flow.start(home, &[]);
        // Two tabs with the same page, both of which could complete the sign-in.
        let first = browser.open(&sign_in.address);
        (flow.identify)(&first);
        let second = browser.open(&sign_in.address);
        (flow.identify)(&second);
        first.click(flow.approve);
        first.wait_for_text("Signed in as");
        let claims = assert_signed_in(sign_in);
        second.click(flow.approve);
        second.wait_until(&format!("!document.querySelector({})", json!(flow.approve)));
        assert!(!second.text().contains("Signed in as"), "{}", second.text());
        first.reload();
        first.wait_until(IS_NOT_SIGNED_IN);
        assert_refreshes_twice(&flow.provider, home, &claims);
    });
}

#[test]
fn back_button_is_harmless() {
    both(|flow, home, browser| {
        let sign_in = flow.start(home, &[]);
        let tab = browser.open(&format!("{}/.well-known/openid-configuration", flow.provider.issuer));
        tab.wait_for_text("issuer");
        tab.go(&sign_in.address);
        (flow.identify)(&tab);
        // Back from the last page of the sign-in, and forward again.
        tab.back();
        tab.go(&sign_in.address);
        flow.approve(&tab);
        tab.wait_for_text("Signed in as");
        let claims = assert_signed_in(sign_in);
        tab.back();
        tab.wait_until(IS_NOT_SIGNED_IN);
        assert_refreshes_twice(&flow.provider, home, &claims);
    });
}

#[test]
fn forged_callback_does_not_end_the_sign_in() {
    both(|flow, home, browser| {
        let sign_in = flow.start(home, &[]);
        for query in ["code=forged&state=forged", "error=access_denied&state=forged", "error=access_denied", ""] {
            let mut forged = redirect_url(&sign_in);
            forged.set_query(Some(query));
            browser.open(forged.as_str()).wait_for_text("Not signed in");
        }
        let tab = browser.open(&sign_in.address);
        flow.approve(&tab);
        assert_signed_in(sign_in);
    });
}

/// Some clients are registered without PKCE, and others with it.
#[test]
fn pkce_is_used_if_optional() {
    let home = Home::new();
    let (flow, browser) = (SignInFlow::oidc_provider(&home), Chromium::start(&home));
    let sign_in = flow.start(&home, &["--oidc-client-id", "without-pkce"]);
    assert!(sign_in.address.contains("code_challenge_method=S256"), "{}", sign_in.address);
    flow.approve(&browser.open(&sign_in.address));
    assert_signed_in(sign_in);
}

/// The screenshot in the documentation. Only `INSTA_UPDATE=force` takes it again, because screenshots differ between
/// machines.
#[test]
fn last_page_fits_a_small_window() {
    let (world, home) = (sim::World::start(), Home::new());
    let browser = Chromium::start(&home);
    let sign_in = SignIn::start(&home, &crate::common::entra(&world, &["--login", "interactive"]));
    let tab = browser.open("about:blank");
    tab.size(480, 420);
    tab.go(&sign_in.address);
    tab.wait_for_text("Signed in as alice@contoso.example");
    tab.wait_until("document.documentElement.scrollWidth <= 480");
    tab.wait_until("document.documentElement.scrollHeight <= 420");
    tab.wait_until("document.scripts.length == 0");
    let picture = home.path().join("page.png");
    tab.screenshot(&picture);
    sign_in.finish().token();
    if crate::common::snapshot::are_all_written() {
        std::fs::copy(picture, concat!(env!("CARGO_MANIFEST_DIR"), "/docs/images/signed-in.png")).unwrap();
    }
}
