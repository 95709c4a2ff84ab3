//! Sign-ins on a page of the provider's, in a browser that comes back to the plugin's listener.

use url::Url;

use super::*;

/// That the last page of a sign-in has given way to another.
const IS_NOT_SIGNED_IN: &str = "!document.body.innerText.includes('Signed in as')";

/// What is done in a browser at a provider up to where consent is given, and what gives it.
struct Way {
    provider: Provider,
    identify: fn(&Tab<'_>),
    approve: &'static str,
    deny: &'static str,
}

impl Way {
    fn oidc_provider(home: &Home) -> Way {
        let provider = Provider::oidc_provider(home);
        Way { provider, identify: type_name, approve: "[value=approve]", deny: "[value=deny]" }
    }

    fn dex(home: &Home) -> Way {
        let provider = Provider::dex(home, LONG);
        Way { provider, identify: type_password, approve: ".theme-btn--success", deny: ".theme-btn-provider" }
    }

    fn start(&self, home: &Home, more: &[&str]) -> SignIn {
        SignIn::start(home, &get_token(&self.provider, &[&["--grant-type", "authcode"], more].concat()))
    }

    fn approve(&self, tab: &Tab<'_>) {
        (self.identify)(tab);
        tab.click(self.approve);
    }
}

/// Each way in a home of its own, all of them at the same time and in one browser.
fn both(body: impl Fn(&Way, &Home, &Chromium) + Sync) {
    let home = Home::new();
    let browser = Chromium::start(&home);
    in_parallel([Way::oidc_provider as fn(&Home) -> Way, Way::dex], |way| {
        let home = Home::new();
        body(&way(&home), &home, &browser);
    });
}

/// The end that every sign-in of these comes to.
fn assert_signed_in(sign_in: SignIn) -> Value {
    let claims = claims(&sign_in.ends().token());
    assert_eq!(claims["email"], "alice@contoso.example");
    claims
}

/// Where the browser comes back to.
fn way_back(sign_in: &SignIn) -> Url {
    let address = Url::parse(&sign_in.address).unwrap();
    let (_, redirect_uri) = address.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap();
    Url::parse(&redirect_uri).unwrap()
}

#[test]
fn a_browser_signs_in_and_the_session_refreshes() {
    both(|way, home, browser| {
        let sign_in = way.start(home, &[]);
        let tab = browser.open(&sign_in.address);
        way.approve(&tab);
        tab.wait_for_text("Signed in as alice@contoso.example");
        let claims = assert_signed_in(sign_in);
        assert_eq!((claims["iss"].as_str(), claims["aud"].as_str()), (Some(&*way.provider.issuer), Some("kubernetes")));
        assert_refreshes_twice(&way.provider, home, &claims);
    });
}

#[test]
fn a_denial_at_oidc_provider_ends_the_sign_in() {
    let home = Home::new();
    let (way, browser) = (Way::oidc_provider(&home), Chromium::start(&home));
    let sign_in = way.start(&home, &[]);
    let tab = browser.open(&sign_in.address);
    tab.click(way.deny);
    tab.wait_for_text("Not signed in");
    sign_in.ends().assert_failed(3, &["Error: ", "declined", "\nNext: "]);
}

/// Dex tells the person that it is declined, and the plugin nothing: the sign-in waits for a change of mind.
#[test]
fn a_denial_at_dex_can_be_taken_back() {
    let home = Home::new();
    let (way, browser) = (Way::dex(&home), Chromium::start(&home));
    let sign_in = way.start(&home, &[]);
    let tab = browser.open(&sign_in.address);
    (way.identify)(&tab);
    tab.click(way.deny);
    tab.wait_for_text("Approval rejected");
    tab.back();
    tab.wait_for_text("Grant Access");
    tab.click(way.approve);
    assert_signed_in(sign_in);
}

#[test]
fn a_closed_tab_can_be_opened_again() {
    both(|way, home, browser| {
        let sign_in = way.start(home, &[]);
        let tab = browser.open(&sign_in.address);
        (way.identify)(&tab);
        tab.close();
        let tab = browser.open(&sign_in.address);
        way.approve(&tab);
        assert_signed_in(sign_in);
    });
}

#[test]
fn a_tab_that_stays_closed_is_not_waited_for_for_ever() {
    let home = Home::new();
    let (way, browser) = (Way::oidc_provider(&home), Chromium::start(&home));
    let sign_in = way.start(&home, &["--authentication-timeout-sec", "3"]);
    browser.open(&sign_in.address).close();
    sign_in.ends().assert_failed(3, &["Error: ", "in the browser", "\nNext: "]);
}

#[test]
fn a_second_call_back_changes_nothing() {
    both(|way, home, browser| {
        let sign_in = way.start(home, &[]);
        // Two tabs at the same page, both with an answer that is good.
        let first = browser.open(&sign_in.address);
        (way.identify)(&first);
        let second = browser.open(&sign_in.address);
        (way.identify)(&second);
        first.click(way.approve);
        first.wait_for_text("Signed in as");
        let claims = assert_signed_in(sign_in);
        second.click(way.approve);
        second.wait_until(&format!("!document.querySelector({})", json!(way.approve)));
        assert!(!second.text().contains("Signed in as"), "{}", second.text());
        first.reload();
        first.wait_until(IS_NOT_SIGNED_IN);
        assert_refreshes_twice(&way.provider, home, &claims);
    });
}

#[test]
fn the_back_button_changes_nothing() {
    both(|way, home, browser| {
        let sign_in = way.start(home, &[]);
        let tab = browser.open(&format!("{}/.well-known/openid-configuration", way.provider.issuer));
        tab.wait_for_text("issuer");
        tab.go(&sign_in.address);
        (way.identify)(&tab);
        // Out of the sign-in, as far as that goes in one step, and into it again.
        tab.back();
        tab.go(&sign_in.address);
        way.approve(&tab);
        tab.wait_for_text("Signed in as");
        let claims = assert_signed_in(sign_in);
        tab.back();
        tab.wait_until(IS_NOT_SIGNED_IN);
        assert_refreshes_twice(&way.provider, home, &claims);
    });
}

#[test]
fn a_page_with_a_forged_call_back_does_not_end_the_sign_in() {
    both(|way, home, browser| {
        let sign_in = way.start(home, &[]);
        for query in ["code=forged&state=forged", "error=access_denied&state=forged", "error=access_denied", ""] {
            let mut forged = way_back(&sign_in);
            forged.set_query(Some(query));
            browser.open(forged.as_str()).wait_for_text("Not signed in");
        }
        let tab = browser.open(&sign_in.address);
        way.approve(&tab);
        assert_signed_in(sign_in);
    });
}

/// Some clients are registered where nobody asks for PKCE, and others where somebody does.
#[test]
fn pkce_is_used_where_it_is_optional() {
    let home = Home::new();
    let (way, browser) = (Way::oidc_provider(&home), Chromium::start(&home));
    let sign_in = way.start(&home, &["--oidc-client-id", "without-pkce"]);
    assert!(sign_in.address.contains("code_challenge_method=S256"), "{}", sign_in.address);
    way.approve(&browser.open(&sign_in.address));
    assert_signed_in(sign_in);
}

/// What the book shows. `INSTA_UPDATE=force` takes the picture anew, and not `always`, as those of two machines differ.
#[test]
fn the_last_page_fits_a_small_window() {
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
    sign_in.ends().token();
    if crate::common::snapshot::are_all_written() {
        std::fs::copy(picture, concat!(env!("CARGO_MANIFEST_DIR"), "/docs/images/signed-in.png")).unwrap();
    }
}
