//! A sign-in in the browser, which runs on another machine: from its address to each way in which it can end.

use std::net::TcpListener;

use super::{Case, Dialect, Looks, SIZES, everywhere, with};
use crate::common::remote_browser::{address_on, open, parameter, sign_in_at};
use crate::common::tmux::Screen;

/// `get-token` in the browser, as kubectl starts it.
fn get_token(case: &Case, more: &[&str]) -> Screen {
    let method = match case.dialect {
        Dialect::Entra => ["--login", "interactive"],
        Dialect::Oidc => ["--grant-type", "authcode"],
    };
    // Any port: the usual ones may be somebody else's.
    let port = if more.contains(&"--listen-address") { &[][..] } else { &["--listen-address", "127.0.0.1:0"] };
    let args = case.args(&[&method[..], port, more].concat());
    case.world.approve_automatically(true);
    case.setting().redirect_stdout().plugin(&args)
}

fn prompt_and_success(case: &Case) {
    let screen = get_token(case, &[]);
    let address = address_on(&screen);
    case.assert_screen("browser-prompt", &screen);
    screen.paste_line(&sign_in_at(&address));
    assert_eq!(screen.wait_for_exit(), 0);
    case.assert_screen("browser-success", &screen);
}

#[test]
fn the_prompt_and_a_success() {
    everywhere(prompt_and_success);
}

#[test]
fn the_prompt_and_a_success_on_a_terminal_that_can_do_less() {
    with(&SIZES[..1], &[Looks::Dumb, Looks::Ascii], prompt_and_success);
}

#[test]
fn pastes_that_do_not_help() {
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
        screen.wait_for("does not take that code");
        // The countdown stops for what is said, and goes on below it.
        screen.wait_for("left to sign in");
        case.assert_screen("browser-wrong-paste", &screen);
        open(&answer).assert_signed_in();
        assert_eq!(screen.wait_for_exit(), 0);
    });
}

#[test]
fn nobody_comes() {
    everywhere(|case| {
        let screen = get_token(case, &["--authentication-timeout-sec=1"]);
        assert_eq!(screen.wait_for_exit(), 3);
        case.assert_screen("browser-timeout", &screen);
    });
}

#[test]
fn a_port_that_somebody_else_has() {
    everywhere(|case| {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let screen = get_token(case, &["--listen-address", &other.local_addr().unwrap().to_string()]);
        assert_eq!(screen.wait_for_exit(), 1);
        case.assert_screen("browser-port-in-use", &screen);
    });
}

#[test]
fn login_in_the_browser() {
    everywhere(|case| {
        // The other issuer's usual ports may be somebody else's.
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
fn by_keyboard() {
    everywhere(|case| {
        if let Dialect::Oidc = case.dialect {
            let screen = case.setting().redirect_stdout().plugin(&case.args(&["--grant-type", "authcode-keyboard"]));
            address_on(&screen);
            case.assert_screen("keyboard-prompt", &screen);
        }
    });
}

/// Name and password, the second time rightly.
#[test]
fn by_password() {
    everywhere(|case| {
        if let Dialect::Oidc = case.dialect {
            let screen = case.setting().redirect_stdout().plugin(&case.args(&["--grant-type", "password"]));
            for (password, times) in [("no such password", 1), (sim::PASSWORD, 2)] {
                let asked = |question: &str| screen.history().matches(question).count() == times;
                screen.until("a name is asked for", || asked("Type your user name").then_some(()));
                screen.type_line("alice");
                let is_asked = || asked("Type the password of alice") && !screen.echoes();
                screen.until("a password is asked for", || is_asked().then_some(()));
                screen.type_line(password);
            }
            assert_eq!(screen.wait_for_exit(), 0);
            case.assert_screen("password", &screen);
        }
    });
}

/// Where there is no browser, a code is used, and the prompt says why.
#[test]
fn whichever_way_there_is() {
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
