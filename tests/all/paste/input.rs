//! Which pasted text is accepted, and which is not.

use sim::Behaviour;

use super::{SignIn, WRAPPER, authcode, interactive};
use crate::common::in_parallel;
use crate::common::remote_browser::{address_on, parameter};

#[test]
fn final_address_can_be_pasted_beside_the_listener() {
    in_parallel([interactive, authcode], |args| {
        let sign_in = SignIn::start(args, &[]);
        sign_in.screen.wait_for("paste that page's address here and press Enter. (What you paste is not shown.)");
        let answer = sign_in.final_address();
        sign_in.screen.paste_line(&answer);
        sign_in.assert_succeeds(&[&parameter(&answer, "code"), "localhost:"]);
        assert_eq!(sign_in.exchanges(), 1);
    });
}

#[test]
fn address_may_be_longer_than_a_terminal_line() {
    in_parallel([5_000, 25_000], |length| {
        let sign_in = SignIn::start(interactive, &[]);
        let answer = sign_in.final_address();
        let (start, query) = answer.split_once('?').unwrap();
        sign_in.screen.paste_line(&format!("{start}?padding={}&{query}", "x".repeat(length)));
        sign_in.assert_succeeds(&[&parameter(&answer, "code"), "xxxx"]);
    });
}

/// As copied from a chat window, with spaces around it and the fragment of some issuers.
#[test]
fn surrounding_text_is_ignored() {
    let sign_in = SignIn::start(authcode, &[]);
    sign_in.screen.paste_line(&format!("\n\n  {}#_=_  ", sign_in.final_address()));
    sign_in.assert_succeeds(&[]);
}

#[test]
fn address_of_another_sign_in_is_rejected() {
    let sign_in = SignIn::start(interactive, &[]);
    let answer = sign_in.final_address();
    let forged = answer.replace(&parameter(&answer, "state"), "another-state");
    sign_in.screen.paste_line(&forged);
    sign_in.screen.wait_for("it belongs to another sign-in (state). Sign in at the address above");
    let (before, _) = answer.split_once("state=").unwrap();
    sign_in.screen.paste_line(before.trim_end_matches('&'));
    sign_in.screen.wait_for("the address is incomplete: the state parameter is missing. Copy the whole address");
    assert_eq!(sign_in.exchanges(), 0);
    sign_in.screen.paste_line(&answer);
    sign_in.assert_succeeds(&[&parameter(&answer, "code"), "another-state"]);
}

#[test]
fn address_of_the_sign_in_page_is_rejected() {
    let sign_in = SignIn::start(interactive, &[]);
    sign_in.screen.paste_line(&sign_in.address);
    sign_in.screen.wait_for("there is no code in it. Sign in at the address above, then copy the whole address");
    sign_in.screen.paste_line(&sign_in.final_address());
    sign_in.assert_succeeds(&[]);
}

/// Pasted text is not shown, so users may paste it again before they press Enter.
#[test]
fn address_pasted_twice_is_rejected() {
    let sign_in = SignIn::start(authcode, &[]);
    let answer = sign_in.final_address();
    sign_in.screen.paste_line(&format!("{answer}{answer}"));
    sign_in.screen.wait_for("it says the same thing twice. Paste the address once, and press Enter.");
    sign_in.screen.paste_line(&answer);
    sign_in.assert_succeeds(&[]);
}

#[test]
fn typed_text_can_be_deleted() {
    let sign_in = SignIn::start(authcode, &[]);
    sign_in.screen.paste("half of something else");
    sign_in.screen.press(&["C-u"]);
    sign_in.screen.paste(&format!("{}xy", sign_in.final_address()));
    sign_in.screen.press(&["BSpace", "BSpace", "Enter"]);
    sign_in.assert_succeeds(&["half"]);
    assert_eq!(sign_in.exchanges(), 1);
}

#[test]
fn bare_code_is_accepted_with_pkce() {
    in_parallel([interactive, authcode], |args| {
        let sign_in = SignIn::start(args, &[]);
        let code = parameter(&sign_in.final_address(), "code");
        sign_in.screen.paste_line(&code[..code.len() - 3]);
        sign_in.screen.wait_for("Copy it again.");
        sign_in.screen.paste_line(&code);
        sign_in.assert_succeeds(&[&code[..code.len() - 3]]);
        assert_eq!(sign_in.exchanges(), 2);
    });
}

#[test]
fn bare_code_is_rejected_without_pkce() {
    let sign_in = SignIn::start(authcode, &["--oidc-pkce-method=no"]);
    assert!(!sign_in.address.contains("code_challenge"), "{}", sign_in.address);
    let answer = sign_in.final_address();
    sign_in.screen.paste_line(&parameter(&answer, "code"));
    sign_in.screen.wait_for("a code by itself proves nothing where PKCE is not used. Copy the whole address");
    assert_eq!(sign_in.exchanges(), 0);
    sign_in.screen.paste_line(&answer);
    sign_in.assert_succeeds(&[]);
}

/// It may be a password, or half a code.
#[test]
fn short_word_is_not_sent() {
    let sign_in = SignIn::start(authcode, &[]);
    sign_in.world.reset_requests();
    sign_in.screen.paste_line("hunter2");
    sign_in.screen.wait_for("a code is longer than that. Copy the whole address");
    assert!(sign_in.world.requests().is_empty());
    sign_in.screen.paste_line(&sign_in.final_address());
    sign_in.assert_succeeds(&["hunter2"]);
    assert_eq!(sign_in.exchanges(), 1);
}

/// Dex returns `invalid_request` for an unknown code (RFC 6749 5.2 requires `invalid_grant`).
#[test]
fn invalid_request_for_a_bare_code_allows_another_try() {
    let sign_in = SignIn::within(WRAPPER, &[Behaviour::UnknownCodeInvalidRequest], authcode, &[]);
    let code = parameter(&sign_in.final_address(), "code");
    sign_in.screen.paste_line("no-code-of-this-issuer");
    sign_in.screen.wait_for("The issuer does not accept that code: ");
    sign_in.screen.wait_for("Copy it again.");
    sign_in.screen.paste_line(&code);
    sign_in.assert_succeeds(&["no-code-of-this-issuer"]);
    assert_eq!(sign_in.exchanges(), 2);
}

#[test]
fn network_error_for_a_bare_code_allows_another_try() {
    in_parallel([Behaviour::ConnectionLostAtExchange, Behaviour::Always503, Behaviour::HtmlErrorPage], |behaviour| {
        let sign_in = SignIn::start(authcode, &[]);
        let code = parameter(&sign_in.final_address(), "code");
        sign_in.world.set(behaviour);
        sign_in.screen.paste_line(&code);
        sign_in.screen.wait_for("Copy it again.");
        sign_in.world.clear(behaviour);
        sign_in.screen.paste_line(&code);
        sign_in.assert_succeeds(&[&code]);
    });
}

#[test]
fn pasted_denial_ends_the_sign_in() {
    in_parallel([interactive, authcode], |args| {
        let sign_in = SignIn::within(WRAPPER, &[Behaviour::AuthorizeDenied], args, &[]);
        let answer = sign_in.final_address();
        assert!(answer.contains("error=access_denied"), "{answer}");
        sign_in.screen.paste_line(&answer);
        sign_in.assert_ends(3);
        assert_eq!((sign_in.screen.stdout().as_str(), sign_in.exchanges()), ("", 0));
        assert!(sign_in.screen.history().contains("Next: "), "{}", sign_in.screen.history());
    });
}

/// A code that is refused although everything else is right was not mistyped.
#[test]
fn refused_code_in_an_address_ends_the_sign_in() {
    let sign_in = SignIn::within(WRAPPER, &[Behaviour::CodeExpired], interactive, &[]);
    sign_in.screen.paste_line(&sign_in.final_address());
    sign_in.assert_ends(3);
    assert!(sign_in.screen.history().contains("Next: "), "{}", sign_in.screen.history());
}

#[test]
fn browser_callback_still_works_at_a_terminal() {
    let sign_in = SignIn::start(interactive, &[]);
    sign_in.screen.paste_line("http://localhost/?code=c&state=s");
    sign_in.screen.wait_for("it belongs to another sign-in");
    assert_eq!(address_on(&sign_in.screen), sign_in.address);
    crate::common::remote_browser::open(&sign_in.final_address()).assert_signed_in();
    sign_in.assert_succeeds(&[]);
}
