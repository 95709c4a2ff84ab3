//! Three typical explanations in a terminal.

use sim::Behaviour;

use super::{Case, binding, group};
use crate::common::snapshot::assert_screen;
use crate::common::tmux::Setting;

#[track_caller]
fn assert_shown(case: &Case, words: &[&str], name: &str) {
    for setting in [Setting::new(&case.home), Setting::new(&case.home).no_color()] {
        let screen = setting.plugin(&[&["whoami", "--explain"], words].concat());
        assert_eq!(screen.wait_for_exit(), 0, "{}", screen.capture());
        assert_screen(&format!("explain-{name}-80x24"), &screen);
    }
}

#[test]
fn screen_of_an_allowed_access() {
    let case = Case::own_client(3, &[]);
    case.bind("readers", "", "view", "Group", &group(2));
    case.bind("alice", "dev", "edit", "User", sim::ALICE);
    assert_shown(&case, &["list", "pods", "--names"], "allowed");
}

#[test]
fn screen_of_a_missing_group() {
    let case = Case::aks(&[]);
    let subjects = [("Group", group(17)), ("User", "bob@contoso.example".to_owned())];
    let subjects = subjects.each_ref().map(|(kind, name)| (*kind, name.as_str()));
    case.world.apply(binding("ops", "dev", ("ClusterRole", "edit"), &subjects));
    assert_shown(&case, &["delete", "pods"], "not-held");
}

#[test]
fn screen_of_a_group_that_the_cluster_does_not_see() {
    let case = Case::own_client(250, &[Behaviour::KubeIgnoresOverage]);
    case.bind("readers", "dev", "view", "Group", &group(222));
    assert_shown(&case, &["list", "pods"], "unseen");
}
