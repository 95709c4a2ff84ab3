//! The commands for users.

use super::{Case, everywhere};
use crate::common::tmux::Screen;

/// A command in a shell with KUBECONFIG set.
fn typed(case: &Case, args: &[&str]) -> Screen {
    case.setting().env("KUBECONFIG", case.home.path().join("kubeconfig").to_str().unwrap()).plugin(args)
}

/// Asserts the last screen of a command without a prompt.
#[track_caller]
fn assert_typed(case: &Case, args: &[&str], code: i32, what: &str) {
    let screen = typed(case, args);
    assert_eq!(screen.wait_for_exit(), code, "{}", screen.capture());
    case.assert_screen(what, &screen);
}

#[test]
fn screens_of_login_status_and_logout() {
    everywhere(|case| {
        case.kubeconfig();
        assert_typed(case, &["status"], 0, "status-empty");
        let login = typed(case, &[]);
        let code = case.wait_for_code(&login);
        assert!(case.world.approve(&code));
        assert_eq!(login.wait_for_exit(), 0);
        case.assert_screen("login", &login);
        assert_typed(case, &[], 0, "login-again");
        assert_typed(case, &["status"], 0, "status");
        assert_typed(case, &["logout"], 0, "logout");
        assert_typed(case, &["logout"], 0, "logout-again");
    });
}

#[test]
fn screen_of_an_unknown_context() {
    everywhere(|case| {
        case.kubeconfig();
        assert_typed(case, &["--context", "nowhere"], 1, "login-unknown-context");
    });
}
