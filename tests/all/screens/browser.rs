//! A sign-in with a browser on another machine, from the address to each of its endings.

use std::net::TcpListener;

use super::{Case, Dialect, everywhere, on_limited_terminals};
use crate::common::remote_browser::{address_on, open, parameter, sign_in_at};
use crate::common::tmux::Screen;

/// `get-token` with a browser sign-in, as kubectl starts it.
fn get_token(case: &Case, more: &[&str]) -> Screen {
    let method = match case.dialect {
        Dialect::Entra => ["--login", "interactive"],
        Dialect::Oidc => ["--grant-type", "authcode"],
    };
    // Any free port, because another program may use the default ones.
    let port = if more.contains(&"--listen-address") { &[][..] } else { &["--listen-address", "127.0.0.1:0"] };
    let args = case.args(&[&method[..], port, more].concat());
    case.world.approve_automatically(true);
    case.setting().redirect_stdout().plugin(&args)
}

fn assert_prompt_and_success(case: &Case) {
    let screen = get_token(case, &[]);
    let address = address_on(&screen);
    case.assert_succeeds("browser-", &screen, || screen.paste_line(&sign_in_at(&address)));
}

#[test]
fn screens_of_browser_prompt_and_success() {
    everywhere(assert_prompt_and_success);
}

#[test]
fn screens_of_browser_prompt_and_success_on_limited_terminals() {
    on_limited_terminals(assert_prompt_and_success);
}

#[test]
fn screen_of_wrong_pastes() {
    everywhere(|case| {
        let screen = get_token(case, &[]);
        let address = address_on(&screen);
        screen.paste_line(&address);
        screen.wait_for("no code in it");
        let answer = sign_in_at(&address);
        screen.paste_line(&format!("{answer}{answer}"));
        screen.wait_for("the same thing twice");
        screen.paste_line(&answer.replace(&parameter(&answer, "state"), "another-state"));
        screen.wait_for("another sign-in");
        screen.paste_line("no-such-code");
        screen.wait_for("does not accept that code");
        // The countdown continues below the message.
        screen.wait_for("left to sign in");
        case.assert_screen("browser-wrong-paste", &screen);
        open(&answer).assert_signed_in();
        assert_eq!(screen.wait_for_exit(), 0);
    });
}

#[test]
fn screen_of_a_timeout() {
    everywhere(|case| {
        let screen = get_token(case, &["--authentication-timeout-sec=1"]);
        case.assert_fails(3, "browser-timeout", &screen);
    });
}

#[test]
fn screen_of_a_port_in_use() {
    everywhere(|case| {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let screen = get_token(case, &["--listen-address", &other.local_addr().unwrap().to_string()]);
        case.assert_fails(1, "browser-port-in-use", &screen);
    });
}

#[test]
fn screen_of_a_browser_login() {
    everywhere(|case| {
        // Another program may use the default ports of the other issuer.
        if let Dialect::Entra = case.dialect {
            let setting = case.setting().env("KUBECONFIG", &case.kubeconfig());
            case.world.approve_automatically(true);
            let screen = setting.plugin(&["--login", "interactive"]);
            screen.paste_line(&sign_in_at(&address_on(&screen)));
            assert_eq!(screen.wait_for_exit(), 0);
            case.assert_screen("browser-login", &screen);
        }
    });
}

#[test]
fn screen_of_authcode_keyboard() {
    everywhere(|case| {
        if let Dialect::Oidc = case.dialect {
            let screen = case.setting().redirect_stdout().plugin(&case.args(&["--grant-type", "authcode-keyboard"]));
            address_on(&screen);
            case.assert_screen("keyboard-prompt", &screen);
        }
    });
}

/// Name and password, with a wrong password first.
#[test]
fn screen_of_a_password_sign_in() {
    everywhere(|case| {
        if let Dialect::Oidc = case.dialect {
            let screen = case.setting().redirect_stdout().plugin(&case.args(&["--grant-type", "password"]));
            for (password, times) in [("no such password", 1), (sim::PASSWORD, 2)] {
                let prompted = |question: &str| screen.history().matches(question).count() == times;
                screen.until("the name prompt appears", || prompted("Type your user name").then_some(()));
                screen.type_line("alice");
                let is_ready = || prompted("Type the password of alice") && !screen.echoes();
                screen.until("the password prompt appears", || is_ready().then_some(()));
                screen.type_line(password);
            }
            assert_eq!(screen.wait_for_exit(), 0);
            case.assert_screen("password", &screen);
        }
    });
}

/// Without a browser, a code is used, and the prompt says why.
#[test]
fn screen_of_the_automatic_choice() {
    everywhere(|case| {
        let method = match case.dialect {
            Dialect::Entra => ["--login", "auto"],
            Dialect::Oidc => ["--grant-type", "auto"],
        };
        let screen = case.setting().redirect_stdout().plugin(&case.args(&method));
        case.wait_for_code(&screen);
        case.assert_screen("auto-prompt", &screen);
    });
}
