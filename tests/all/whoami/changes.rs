//! What `kubectl login` prints about groups: how many there are if a token cannot list them, and what has changed.

use sim::{Behaviour, group_ids};

use super::{Case, OWN};
use crate::common::{JSON, Run};

/// The lines about changes, which follow the sentence about the sign-in.
fn changes(run: &Run) -> String {
    let from = run.stdout.find("+").or_else(|| run.stdout.find('−')).or_else(|| run.stdout.find("The same"));
    run.stdout[from.unwrap_or_else(|| panic!("no lines about changes: {run}"))..].to_owned()
}

/// Makes all users members of the groups with these numbers, counted from 1.
fn set_members(case: &Case, numbers: impl IntoIterator<Item = usize>) {
    let all = group_ids(400);
    case.world.set_group_ids(Some(numbers.into_iter().map(|number| all[number - 1].clone()).collect()));
}

fn id(number: usize) -> String {
    group_ids(number).pop().unwrap()
}

#[test]
fn refresh_prints_added_and_removed_groups() {
    for own in [&[][..], &OWN] {
        let case = Case::entra(own);
        set_members(&case, 1..=3);
        let case = case.signed_in();
        let before = case.get_token(&[]).token();
        set_members(&case, [1, 2, 4, 5]);
        let run = case.home.login(&["--refresh"]);
        let expected = format!("+2 groups, −1 since the last token:\n  + {}\n  + {}\n  − {}\n", id(4), id(5), id(3));
        assert_eq!(changes(&run), expected);
        assert_eq!((case.world.refreshes().len(), case.world.device_requests().len()), (1, 0));
        let after = case.get_token(&[]).token();
        assert_ne!(before, after, "kubectl still gets the old token");
        assert!(case.graph_requests().is_empty(), "the token lists them");
        let run = case.home.login(&["--refresh"]);
        assert_eq!(changes(&run), "The same 4 groups as before.\n");
        set_members(&case, [1, 2, 4]);
        let run = case.home.login(&["--refresh"]);
        assert_eq!(changes(&run), format!("−1 group since the last token:\n  − {}\n", id(5)));
    }
}

#[test]
fn changes_above_200_groups_are_compared_with_the_look_up() {
    for (own, source) in [(&[][..], "as the cluster sees them"), (&OWN, "from Microsoft Graph")] {
        let case = Case::entra(own);
        set_members(&case, 1..=250);
        let case = case.signed_in();
        let first = case.home.login(&[]);
        assert!(
            first.stdout.contains(&format!("You are in 250 groups, {source}; a token carries 200 at most.")),
            "{first}"
        );
        set_members(&case, (2..=250).chain([301, 302]));
        let run = case.home.login(&["--refresh"]);
        let expected =
            format!("+2 groups, −1 since the last token:\n  + {}\n  + {}\n  − {}\n", id(301), id(302), id(1));
        assert_eq!(changes(&run), expected);
        assert!(run.stdout.contains("You are in 251 groups"), "{run}");
        assert_eq!(case.whoami(&JSON).object()["groups"]["count"], 251, "the new look-up is cached");
    }
}

#[test]
fn changes_across_200_groups_are_printed() {
    let case = Case::entra(&OWN);
    set_members(&case, 1..=200);
    let case = case.signed_in();
    set_members(&case, 1..=201);
    let run = case.home.login(&["--refresh"]);
    assert_eq!(changes(&run), format!("+1 group since the last token:\n  + {}\n", id(201)));
    set_members(&case, 1..=199);
    let run = case.home.login(&["--refresh"]);
    assert_eq!(changes(&run), format!("−2 groups since the last token:\n  − {}\n  − {}\n", id(200), id(201)));
}

#[test]
fn incomplete_groups_are_not_compared() {
    let case = Case::entra(&OWN).groups(250).signed_in();
    case.home.login(&[]);
    case.world.set(Behaviour::GraphForbidden);
    case.world.set(Behaviour::KubeDown);
    let run = case.home.login(&["--refresh"]);
    assert!(run.stderr.contains("Warning: not all of your groups are known"), "{run}");
    assert!(!run.stdout.contains("since the last token") && !run.stdout.contains("The same"), "{run}");
}

#[test]
fn changes_at_a_plain_issuer_are_printed() {
    let case = Case::oidc(&[]).signed_in();
    case.world.set_groups(4);
    let run = case.home.login(&["--refresh"]);
    assert_eq!(changes(&run), "+1 group since the last token:\n  + group-4\n");
    assert!(case.world.device_requests().is_empty());
}

#[test]
fn sign_in_without_group_changes_prints_nothing_about_groups() {
    for count in [0, 3, 200] {
        let case = Case::entra(&OWN).groups(count);
        let run = case.home.login(&[]);
        assert!(run.stdout.contains("Signed in as") && !run.stdout.contains("group"), "{run}");
        assert!(case.graph_requests().is_empty());
    }
}

#[test]
fn failed_refresh_is_an_error_without_prompt() {
    let case = Case::entra(&OWN).signed_in();
    case.world.set(Behaviour::Refresh5xx);
    let run = case.home.run(&["--refresh", "--timeout", "2s"]);
    assert_ne!(run.code, Some(0), "{run}");
    assert!(case.world.device_requests().is_empty());
}
