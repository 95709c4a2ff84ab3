//! `whoami` in a terminal: snapshots in `tests/all/snapshots/screens/`, and the progress of a look-up.

use sim::Behaviour;

use super::{Case, OWN};
use crate::common::entra;
use crate::common::snapshot::assert_screen;
use crate::common::tmux::{Screen, Setting};

const WIDTHS: [usize; 2] = [80, 40];

/// `whoami` in a terminal with so many columns.
fn whoami(case: &Case, columns: usize, more: &[&str]) -> Screen {
    Setting::new(&case.home).size(columns, 40).plugin(&[&["whoami"], more].concat())
}

#[track_caller]
fn assert_shown(case: &Case, name: &str, more: &[&str], code: i32) {
    // The token's remaining time is shown in minutes.
    case.home.set_seconds_left(59 * 60 + 30);
    for columns in WIDTHS {
        let screen = whoami(case, columns, more);
        assert_eq!(screen.wait_for_exit(), code, "{}", screen.capture());
        assert_screen(&format!("whoami-{name}-{columns}"), &screen);
    }
}

#[test]
fn screens_of_the_user() {
    assert_shown(&Case::entra(&[]).signed_in(), "entra", &[], 0);
    assert_shown(&Case::oidc(&[]).signed_in(), "oidc", &["--groups"], 0);
    let case = Case::entra(&OWN).groups(201).signed_in();
    assert_shown(&case, "names", &["--names", "--filter", "group 20"], 0);
}

#[test]
fn screen_of_groups_from_the_cluster() {
    assert_shown(&Case::entra(&[]).groups(201).signed_in(), "cluster", &["--filter", "00000c"], 0);
}

#[test]
fn screen_of_unknown_groups() {
    let case = Case::entra(&[]).groups(201).signed_in();
    case.world.set(Behaviour::KubeUnauthorized);
    assert_shown(&case, "unknown", &["--groups"], 1);
}

#[test]
fn screen_of_a_missing_session() {
    let case = Case::entra(&[]);
    for columns in WIDTHS {
        let screen = whoami(&case, columns, &[]);
        assert_eq!(screen.wait_for_exit(), 3);
        assert_screen(&format!("whoami-not-signed-in-{columns}"), &screen);
    }
}

/// The third page is retried for a while, so that the progress is visible.
#[test]
fn long_look_up_shows_progress_and_removes_it() {
    let case = Case::entra(&OWN).paged(2_500).signed_in();
    case.world.set(Behaviour::GraphOnePageFails);
    let screen = whoami(&case, 80, &[]);
    screen.wait_for("1996 groups so far");
    assert_eq!(screen.wait_for_exit(), 0);
    assert!(!screen.history().contains("so far"), "{}", screen.history());
    // Before the first page, it says that it waits.
    case.context(&entra(&case.world, &[&OWN[..], &["--timeout=3s"]].concat()));
    case.world.set(Behaviour::GraphStalls);
    case.home.shorten_limits(3);
    let screen = whoami(&case, 80, &["--refresh"]);
    screen.wait_for("asking Microsoft Graph for groups");
    assert_eq!(screen.wait_for_exit(), 0);
    assert!(!screen.history().contains("asking"), "{}", screen.history());
    case.world.clear(Behaviour::GraphStalls);
    case.home.shorten_limits(1);
    // Without a terminal, there is no progress.
    let run = case.whoami(&["--refresh"]);
    assert!(run.code == Some(0) && !run.stderr.contains("so far"), "{run}");
}
