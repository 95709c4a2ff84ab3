//! Responses as some issuers send them: compressed, signed with ES512, without an access token; and required claims of
//! ID tokens.

use sim::{Behaviour, World};

use crate::common::{ALWAYS, Home, claims, entra, in_parallel, oidc};

#[test]
fn unrequested_gzip_is_read() {
    let world = World::start_with(&[Behaviour::GzipAnswers]);
    in_parallel([entra, oidc], |args| {
        let home = Home::new();
        home.run(&args(&world, &ALWAYS)).token();
        home.run(&args(&world, &["--force-refresh"])).token();
    });
    assert!(world.count("/keys") == 1 && world.count("openid-configuration") == 1);
    assert!(world.requests().iter().all(|request| request.header("accept-encoding").is_empty()));
}

#[test]
fn oversized_gzip_is_refused() {
    let world = World::start_with(&[Behaviour::GzipBomb]);
    for args in [entra, oidc] {
        Home::new().run(&args(&world, &ALWAYS)).assert_failed(1, &["larger than 1 MiB", "\nNext: "]);
    }
}

#[test]
fn es512_is_verified() {
    let (world, home) = (World::start_with(&[Behaviour::IdTokenEs512]), Home::new());
    let token = home.sign_in(&oidc(&world, &[])).token();
    assert_eq!(claims(&token)["email"], sim::ALICE);
    let refreshed = home.run(&oidc(&world, &["--force-refresh"])).token();
    assert_ne!(refreshed, token);
}

#[test]
fn response_without_access_token_is_enough_for_an_id_token() {
    let (world, home) = (World::start_with(&[Behaviour::MissingAccessToken, Behaviour::NoExpiresIn]), Home::new());
    let token = home.sign_in(&oidc(&world, &[])).token();
    assert_eq!(claims(&token)["email"], sim::ALICE);
    let refreshed = home.run(&oidc(&world, &["--force-refresh"]));
    assert_ne!(refreshed.token(), token);
    assert_eq!(refreshed.stderr, "");
    // If the access token is needed, the sign-in fails.
    let wanted = home.run(&oidc(&world, &["--oidc-use-access-token", "--prompt", "always"]));
    wanted.assert_failed(1, &["the issuer gave no access token", "\nNext: ", "--oidc-extra-scope"]);
}

#[test]
fn id_token_needs_subject_and_issue_time() {
    in_parallel(
        [
            (Behaviour::IdTokenNoSubject, "no subject (sub)"),
            (Behaviour::IdTokenLongSubject, "no subject (sub)"),
            (Behaviour::IdTokenNoIssueTime, "no time of issue (iat)"),
            (Behaviour::IdTokenFutureIssueTime, "one in the future"),
        ],
        |(behaviour, words)| {
            let (world, home) = (World::start_with(&[behaviour]), Home::new());
            home.sign_in(&oidc(&world, &[]))
                .assert_failed(1, &["the issuer's ID token cannot be used", words, "\nNext: "]);
            assert_eq!((home.files("sessions").len(), home.files("tokens").len()), (0, 0), "{behaviour:?}");
        },
    );
}

#[test]
fn refresh_with_another_subject_ends_the_session() {
    let (world, home) = (World::start(), Home::new());
    home.sign_in(&oidc(&world, &[])).token();
    world.set(Behaviour::RefreshOtherSubject);
    home.run(&oidc(&world, &["--force-refresh"])).assert_failed(3, &["another account"]);
    // The refresh token was deleted with the session.
    world.clear(Behaviour::RefreshOtherSubject);
    world.reset_requests();
    home.run_as_new_caller(&oidc(&world, &["--force-refresh", "--prompt", "never"])).assert_failed(3, &[]);
    assert!(world.refreshes().is_empty());
}
