//! The commands that people type.

use super::{Case, everywhere};
use crate::common::tmux::Screen;

/// A command typed in a shell that knows the kubeconfig.
fn typed(case: &Case, args: &[&str]) -> Screen {
    case.setting().env("KUBECONFIG", case.home.path().join("kubeconfig").to_str().unwrap()).plugin(args)
}

/// The last screen of a command that asks nobody.
#[track_caller]
fn assert_typed(case: &Case, args: &[&str], code: i32, what: &str) {
    let screen = typed(case, args);
    assert_eq!(screen.wait_for_exit(), code, "{}", screen.capture());
    case.assert_screen(what, &screen);
}

#[test]
fn login_status_logout() {
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
fn a_context_that_there_is_not() {
    everywhere(|case| {
        case.kubeconfig();
        assert_typed(case, &["--context", "nowhere"], 1, "login-nowhere");
    });
}
