//! ID tokens that are not taken, by whatever way they came, and what becomes of the sign-in then.

use std::process::Command;

use sim::{ALICE, Behaviour, World};

use crate::browser_sign_in::endings::ends;
use crate::common::browser::{BOTH, Issuer, SHOW_ADDRESS, SignIn};
use crate::common::{Home, Run, in_parallel};

/// `get-token` by one of the two ways.
type Way = fn(Issuer, &World, &[&str]) -> Vec<String>;

const WAYS: [Way; 2] = [Issuer::by_browser, Issuer::by_code];

/// Signs in at the plain issuer, with the browser's part where there is one.
fn signs_in(way: Way, command: &mut Command) -> Run {
    if std::ptr::fn_addr_eq(way, Issuer::by_code as Way) {
        return Run::of(command);
    }
    let sign_in = SignIn::start(command);
    sign_in.complete();
    sign_in.end()
}

/// How often somebody was asked.
fn asked(world: &World) -> usize {
    world.authorize_requests().len() + world.device_requests().len()
}

#[test]
fn one_of_another_sign_in_is_not_taken_and_nothing_of_it_is_kept() {
    in_parallel([Behaviour::WrongNonce, Behaviour::NoNonce, Behaviour::IdTokenUnreadable], |behaviour| {
        for issuer in BOTH {
            let (world, home, page, run) = ends(issuer, &[behaviour], &[]);
            run.assert_failed(1, &["\nNext: "]);
            assert!(!run.stderr.contains("Signed in") && !page.body.contains(ALICE), "{page:?}");
            home.run(&issuer.by_browser(&world, &["--prompt", "never"])).assert_failed(3, &[]);
        }
    });
}

#[test]
fn one_that_does_not_check_out_is_not_handed_over() {
    for behaviour in [Behaviour::IdTokenBadSignature, Behaviour::IdTokenAlgNone, Behaviour::IdTokenWrongAudience] {
        let (.., run) = ends(Issuer::Oidc, &[behaviour], &[]);
        run.assert_failed(1, &["\nNext: "]);
    }
}

#[test]
fn one_that_does_not_check_out_leaves_no_trace_and_an_older_sign_in_as_it_was() {
    let behaviours = [
        (Behaviour::IdTokenBadSignature, "signature"),
        (Behaviour::IdTokenWrongAudience, "not for this client"),
        (Behaviour::IdTokenWrongIssuer, "issuer.example.invalid"),
    ];
    in_parallel(WAYS.into_iter().flat_map(|way| behaviours.map(|bad| (way, bad))), |(way, (behaviour, word))| {
        let (world, home) = (World::start_with(&[behaviour]), Home::new());
        let first = way(Issuer::Oidc, &world, &SHOW_ADDRESS);
        signs_in(way, &mut home.plugin(&first)).assert_failed(1, &["ID token", word, "\nNext: "]);
        assert_eq!((home.files("sessions").len(), home.files("tokens").len()), (0, 0));

        world.clear(behaviour);
        let token = signs_in(way, &mut home.new_caller(&first)).token();
        let older = home.contents("sessions");
        home.contexts(&[("prod", way(Issuer::Oidc, &world, &[]))]);
        world.set(behaviour);
        let again = ["prod", "--force", "--skip-open-browser"];
        signs_in(way, &mut home.plugin(&again)).assert_failed(1, &["ID token", word]);
        assert_eq!(home.contents("sessions"), older);

        world.clear(behaviour);
        let never = way(Issuer::Oidc, &world, &["--prompt", "never"]);
        assert_eq!(home.run(&never).token(), token);
        home.set_seconds_left(0);
        world.reset_requests();
        assert_ne!(home.run(&never).token(), token);
        assert_eq!((world.refreshes().len(), world.families_revoked()), (1, 0));
    });
}

/// The sign-in may be as good as any, and a person's time was spent on it.
#[test]
fn where_the_keys_cannot_be_had_the_sign_in_is_kept_and_the_next_call_asks_nobody() {
    let behaviours = [Behaviour::Keys503, Behaviour::StallKeys];
    in_parallel(WAYS.into_iter().flat_map(|way| behaviours.map(|bad| (way, bad))), |(way, behaviour)| {
        let (world, home) = (World::start_with(&[behaviour]), Home::new());
        home.shorten_limits(2);
        let first = way(Issuer::Oidc, &world, &[&SHOW_ADDRESS[..], &["--timeout", "5s"]].concat());
        signs_in(way, &mut home.plugin(&first)).assert_failed(1, &["127.0.0.1", "\nNext: "]);
        home.shorten_limits(1);
        assert_eq!((home.files("sessions").len(), home.files("tokens").len(), asked(&world)), (1, 0, 1));

        world.clear(behaviour);
        let run = home.run(&way(Issuer::Oidc, &world, &[]));
        run.token();
        assert_eq!((run.stderr.as_str(), world.refreshes().len(), asked(&world)), ("", 1, 1));
    });
}
