//! ID tokens that are rejected, with either method, and the state after that.

use std::process::Command;

use sim::{ALICE, Behaviour, World};

use crate::browser_sign_in::failures::failed_sign_in;
use crate::common::browser::{BOTH, Issuer, SHOW_ADDRESS, SignIn};
use crate::common::{Home, Run, in_parallel};

/// `get-token` with one of the two methods.
type Method = fn(Issuer, &World, &[&str]) -> Vec<String>;

const METHODS: [Method; 2] = [Issuer::by_browser, Issuer::by_code];

/// Signs in at the plain issuer, and plays the browser if necessary.
fn sign_in_with(method: Method, command: &mut Command) -> Run {
    if std::ptr::fn_addr_eq(method, Issuer::by_code as Method) {
        return Run::of(command);
    }
    let sign_in = SignIn::start(command);
    sign_in.complete();
    sign_in.end()
}

/// How many prompts there were.
fn prompts(world: &World) -> usize {
    world.authorize_requests().len() + world.device_requests().len()
}

#[test]
fn id_token_with_wrong_nonce_is_rejected_and_not_stored() {
    in_parallel([Behaviour::WrongNonce, Behaviour::NoNonce, Behaviour::IdTokenUnreadable], |behaviour| {
        for issuer in BOTH {
            let (world, home, page, run) = failed_sign_in(issuer, &[behaviour], &[]);
            run.assert_failed(1, &["\nNext: "]);
            assert!(!run.stderr.contains("Signed in") && !page.body.contains(ALICE), "{page:?}");
            home.run(&issuer.by_browser(&world, &["--prompt", "never"])).assert_failed(3, &[]);
        }
    });
}

#[test]
fn invalid_id_token_is_not_returned() {
    for behaviour in [Behaviour::IdTokenBadSignature, Behaviour::IdTokenAlgNone, Behaviour::IdTokenWrongAudience] {
        let (.., run) = failed_sign_in(Issuer::Oidc, &[behaviour], &[]);
        run.assert_failed(1, &["\nNext: "]);
    }
}

#[test]
fn invalid_id_token_keeps_the_older_session() {
    let behaviours = [
        (Behaviour::IdTokenBadSignature, "signature"),
        (Behaviour::IdTokenWrongAudience, "not for this client"),
        (Behaviour::IdTokenWrongIssuer, "issuer.example.invalid"),
    ];
    in_parallel(
        METHODS.into_iter().flat_map(|method| behaviours.map(|bad| (method, bad))),
        |(method, (behaviour, word))| {
            let (world, home) = (World::start_with(&[behaviour]), Home::new());
            let first = method(Issuer::Oidc, &world, &SHOW_ADDRESS);
            sign_in_with(method, &mut home.plugin(&first)).assert_failed(1, &["ID token", word, "\nNext: "]);
            assert_eq!((home.files("sessions").len(), home.files("tokens").len()), (0, 0));

            world.clear(behaviour);
            let token = sign_in_with(method, &mut home.new_caller(&first)).token();
            let older = home.contents("sessions");
            home.contexts(&[("prod", method(Issuer::Oidc, &world, &[]))]);
            world.set(behaviour);
            let again = ["prod", "--force", "--skip-open-browser"];
            sign_in_with(method, &mut home.plugin(&again)).assert_failed(1, &["ID token", word]);
            assert_eq!(home.contents("sessions"), older);

            world.clear(behaviour);
            let never = method(Issuer::Oidc, &world, &["--prompt", "never"]);
            assert_eq!(home.run(&never).token(), token);
            home.set_seconds_left(0);
            world.reset_requests();
            assert_ne!(home.run(&never).token(), token);
            assert_eq!((world.refreshes().len(), world.families_revoked()), (1, 0));
        },
    );
}

/// The sign-in may be valid, and the user's time was spent on it.
#[test]
fn session_is_stored_if_the_key_set_is_unavailable() {
    let behaviours = [Behaviour::Keys503, Behaviour::StallKeys];
    in_parallel(METHODS.into_iter().flat_map(|method| behaviours.map(|bad| (method, bad))), |(method, behaviour)| {
        let (world, home) = (World::start_with(&[behaviour]), Home::new());
        home.shorten_limits(2);
        let first = method(Issuer::Oidc, &world, &[&SHOW_ADDRESS[..], &["--timeout", "5s"]].concat());
        sign_in_with(method, &mut home.plugin(&first)).assert_failed(1, &["127.0.0.1", "\nNext: "]);
        home.shorten_limits(1);
        assert_eq!((home.files("sessions").len(), home.files("tokens").len(), prompts(&world)), (1, 0, 1));

        world.clear(behaviour);
        let run = home.run(&method(Issuer::Oidc, &world, &[]));
        run.token();
        assert_eq!((run.stderr.as_str(), world.refreshes().len(), prompts(&world)), ("", 1, 1));
    });
}
