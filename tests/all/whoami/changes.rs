//! What `kubectl login` says of groups: how many there are where a token cannot list them, and what has changed since.

use sim::{Behaviour, group_ids};

use super::{Case, OWN};
use crate::common::{JSON, Run};

/// What is said of changes: the lines behind the sentence about the sign-in.
fn changes(run: &Run) -> String {
    let from = run.stdout.find("+").or_else(|| run.stdout.find('−')).or_else(|| run.stdout.find("The same"));
    run.stdout[from.unwrap_or_else(|| panic!("no word of changes: {run}"))..].to_owned()
}

/// Everybody is in the groups of these numbers, counted from 1.
fn are_in(case: &Case, numbers: impl IntoIterator<Item = usize>) {
    let all = group_ids(400);
    case.world.set_group_ids(Some(numbers.into_iter().map(|number| all[number - 1].clone()).collect()));
}

fn id(number: usize) -> String {
    group_ids(number).pop().unwrap()
}

#[test]
fn a_new_token_is_fetched_without_asking_and_what_came_and_went_is_named() {
    for own in [&[][..], &OWN] {
        let case = Case::entra(own);
        are_in(&case, 1..=3);
        let case = case.signed_in();
        let before = case.get_token(&[]).token();
        are_in(&case, [1, 2, 4, 5]);
        let run = case.home.login(&["--refresh"]);
        let expected = format!("+2 groups, −1 since the last token:\n  + {}\n  + {}\n  − {}\n", id(4), id(5), id(3));
        assert_eq!(changes(&run), expected);
        assert_eq!((case.world.refreshes().len(), case.world.device_requests().len()), (1, 0));
        let after = case.get_token(&[]).token();
        assert_ne!(before, after, "kubectl would still get the old token");
        assert!(case.asked_graph().is_empty(), "the token lists them");
        let run = case.home.login(&["--refresh"]);
        assert_eq!(changes(&run), "The same 4 groups as before.\n");
        are_in(&case, [1, 2, 4]);
        let run = case.home.login(&["--refresh"]);
        assert_eq!(changes(&run), format!("−1 group since the last token:\n  − {}\n", id(5)));
    }
}

#[test]
fn past_what_a_token_lists_it_is_held_against_what_was_looked_up() {
    for (own, source) in [(&[][..], "as the cluster sees them"), (&OWN, "from Microsoft Graph")] {
        let case = Case::entra(own);
        are_in(&case, 1..=250);
        let case = case.signed_in();
        let first = case.home.login(&[]);
        assert!(
            first.stdout.contains(&format!("You are in 250 groups, {source}; a token carries 200 at most.")),
            "{first}"
        );
        are_in(&case, (2..=250).chain([301, 302]));
        let run = case.home.login(&["--refresh"]);
        let expected =
            format!("+2 groups, −1 since the last token:\n  + {}\n  + {}\n  − {}\n", id(301), id(302), id(1));
        assert_eq!(changes(&run), expected);
        assert!(run.stdout.contains("You are in 251 groups"), "{run}");
        assert_eq!(case.whoami(&JSON).object()["groups"]["count"], 251, "the new look-up is the one remembered");
    }
}

#[test]
fn from_what_a_token_lists_to_more_and_back() {
    let case = Case::entra(&OWN);
    are_in(&case, 1..=200);
    let case = case.signed_in();
    are_in(&case, 1..=201);
    let run = case.home.login(&["--refresh"]);
    assert_eq!(changes(&run), format!("+1 group since the last token:\n  + {}\n", id(201)));
    are_in(&case, 1..=199);
    let run = case.home.login(&["--refresh"]);
    assert_eq!(changes(&run), format!("−2 groups since the last token:\n  − {}\n  − {}\n", id(200), id(201)));
}

#[test]
fn groups_that_are_not_all_known_are_not_compared() {
    let case = Case::entra(&OWN).groups(250).signed_in();
    case.home.login(&[]);
    case.world.set(Behaviour::GraphForbidden);
    case.world.set(Behaviour::KubeDown);
    let run = case.home.login(&["--refresh"]);
    assert!(run.stderr.contains("Warning: not all of your groups are known"), "{run}");
    assert!(!run.stdout.contains("since the last token") && !run.stdout.contains("The same"), "{run}");
}

#[test]
fn at_a_plain_issuer_too() {
    let case = Case::oidc(&[]).signed_in();
    case.world.set_groups(4);
    let run = case.home.login(&["--refresh"]);
    assert_eq!(changes(&run), "+1 group since the last token:\n  + group-4\n");
    assert!(case.world.device_requests().is_empty());
}

#[test]
fn a_sign_in_without_anything_to_say_of_groups_says_nothing() {
    for count in [0, 3, 200] {
        let case = Case::entra(&OWN).groups(count);
        let run = case.home.login(&[]);
        assert!(run.stdout.contains("Signed in as") && !run.stdout.contains("group"), "{run}");
        assert!(case.asked_graph().is_empty());
    }
}

#[test]
fn a_refresh_that_fails_is_an_error_and_asks_nobody() {
    let case = Case::entra(&OWN).signed_in();
    case.world.set(Behaviour::Refresh5xx);
    let run = case.home.run(&["--refresh", "--timeout", "2s"]);
    assert_ne!(run.code, Some(0), "{run}");
    assert!(case.world.device_requests().is_empty());
}
