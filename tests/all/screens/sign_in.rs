//! A sign-in that kubectl asks for, from the code to each way in which it can end.

use super::{Case, Looks, SIZES, everywhere, with};
use crate::common::tmux::Screen;
use crate::common::{HANG, Run};

/// The ExecCredential that kubectl would have got.
#[track_caller]
fn assert_answered(screen: &Screen) {
    assert!(screen.stdout().contains("\"token\""), "no answer; the screen:\n{}", screen.capture());
}

fn prompt_and_success(case: &Case) {
    let screen = case.get_token();
    let code = case.wait_for_code(&screen);
    case.assert_screen("prompt", &screen);
    assert!(case.world.approve(&code));
    assert_eq!(screen.wait_for_exit(), 0);
    assert_answered(&screen);
    case.assert_screen("success", &screen);
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
fn a_code_that_nobody_used() {
    everywhere(|case| {
        case.home.let_codes_expire(&case.world);
        let screen = case.get_token();
        assert_eq!(screen.wait_for_exit(), 3);
        assert_eq!(screen.stdout(), "");
        case.assert_screen("expiry", &screen);
    });
}

#[test]
fn a_decline() {
    everywhere(|case| {
        let screen = case.get_token();
        let code = case.wait_for_code(&screen);
        assert!(case.world.deny(&code));
        assert_eq!(screen.wait_for_exit(), 3);
        assert_eq!(screen.stdout(), "");
        case.assert_screen("decline", &screen);
    });
}

#[test]
fn ctrl_c() {
    everywhere(|case| {
        let screen = case.get_token();
        case.wait_for_code(&screen);
        screen.press(&["C-c"]);
        assert_eq!(screen.wait_for_exit(), 130);
        assert_eq!(screen.stdout(), "");
        case.assert_screen("ctrl-c", &screen);
    });
}

/// The other process shows its code elsewhere.
#[test]
fn another_process_asks_already() {
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
fn a_terminal_that_was_stopped_holds_up_neither_the_answer_nor_the_end() {
    with(&SIZES[..1], &[Looks::Yes], |case| {
        let screen = case.get_token();
        let code = case.wait_for_code(&screen);
        screen.press(&["C-s"]);
        assert!(case.world.approve(&code));
        screen.until("kubectl has its answer", || screen.stdout().contains("\"token\"").then_some(()));
        screen.press(&["C-q"]);
        assert_eq!(screen.wait_for_exit(), 0);
    });
}
