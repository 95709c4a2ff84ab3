//! A sign-in for kubectl, from the code to each of its endings.

use super::{Case, Features, SIZES, everywhere, on_limited_terminals, with};
use crate::common::{HANG, Run};

fn assert_prompt_and_success(case: &Case) {
    let screen = case.get_token();
    let code = case.wait_for_code(&screen);
    case.assert_succeeds("", &screen, || assert!(case.world.approve(&code)));
}

#[test]
fn screens_of_prompt_and_success() {
    everywhere(assert_prompt_and_success);
}

#[test]
fn screens_of_prompt_and_success_on_limited_terminals() {
    on_limited_terminals(assert_prompt_and_success);
}

#[test]
fn screen_of_an_expired_code() {
    everywhere(|case| {
        case.home.let_codes_expire(&case.world);
        case.assert_fails(3, "expiry", &case.get_token());
    });
}

#[test]
fn screen_of_a_decline() {
    everywhere(|case| {
        let screen = case.get_token();
        let code = case.wait_for_code(&screen);
        assert!(case.world.deny(&code));
        case.assert_fails(3, "decline", &screen);
    });
}

#[test]
fn screen_of_ctrl_c() {
    everywhere(|case| {
        let screen = case.get_token();
        case.wait_for_code(&screen);
        screen.press(&["C-c"]);
        case.assert_fails(130, "ctrl-c", &screen);
    });
}

/// The other process shows its code elsewhere.
#[test]
fn screens_of_waiting_for_another_process() {
    everywhere(|case| {
        let first = case.home.start(&case.args(&["--prompt", "always"]));
        assert_eq!(case.world.wait_for_device_request(1, HANG).len(), 1);
        case.home.shorten_limits(4);
        let screen = case.get_token();
        screen.wait_for("Waiting for process");
        case.assert_screen("waiting", &screen);
        assert_eq!(case.world.approve_pending(), 1);
        Run::wait(first).token();
        assert_eq!(screen.wait_for_exit(), 0);
        assert_eq!(case.world.device_requests().len(), 1);
        case.assert_screen("waited", &screen);
    });
}

#[test]
fn stopped_terminal_delays_neither_the_token_nor_the_exit() {
    with(&SIZES[..1], &[Features::Yes], |case| {
        let screen = case.get_token();
        let code = case.wait_for_code(&screen);
        screen.press(&["C-s"]);
        assert!(case.world.approve(&code));
        screen.until("stdout has the token", || screen.stdout().contains("\"token\"").then_some(()));
        screen.press(&["C-q"]);
        assert_eq!(screen.wait_for_exit(), 0);
    });
}
