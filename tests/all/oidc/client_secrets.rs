//! How a client sends its secret: in the Authorization header first, and in the body if the issuer refuses that.

use sim::{Behaviour, Request, World};

use crate::common::{ALWAYS, Home, in_parallel, oidc};

const SECRET: &str = "s3 cret:word+%";
const WITH_SECRET: [&str; 2] = ["--oidc-client-secret", SECRET];

fn with_secret(world: &World, more: &[&str]) -> Vec<String> {
    oidc(world, &[&WITH_SECRET[..], more].concat())
}

fn world(behaviours: &[Behaviour]) -> World {
    let world = World::start_with(behaviours);
    world.set_client_secret(Some(SECRET));
    world
}

/// The place of the secret in each request that had one.
fn places(world: &World) -> Vec<&'static str> {
    let place = |request: &Request| match (request.header("authorization"), request.field("client_secret")) {
        (basic, "") if basic.starts_with("Basic ") => Some("header"),
        ("", SECRET) => Some("body"),
        _ => None,
    };
    world.requests().iter().filter_map(place).collect()
}

#[test]
fn secret_works_with_each_listed_and_accepted_method() {
    use Behaviour::{ListsNoSecrets, ListsSecretByBody, ListsSecretByHeader, SecretByBodyOnly, SecretByHeaderOnly};
    in_parallel(
        [
            (&[][..], "header", false),
            (&[SecretByHeaderOnly], "header", false),
            (&[SecretByBodyOnly], "body", true),
            (&[ListsSecretByHeader, SecretByHeaderOnly], "header", false),
            (&[ListsSecretByBody, SecretByBodyOnly], "body", false),
            (&[ListsNoSecrets, SecretByHeaderOnly], "header", false),
            (&[ListsNoSecrets, SecretByBodyOnly], "body", true),
        ],
        |(behaviours, place, falls_back)| {
            let (world, home) = (world(behaviours), Home::new());
            home.run(&with_secret(&world, &ALWAYS)).token();
            let sent = places(&world);
            // The device request may be refused once; all later requests are right.
            let expected = if falls_back { vec!["header", place, place] } else { vec![place, place] };
            assert!(
                sent.starts_with(&expected) && sent[1..].iter().all(|one| *one == place),
                "{behaviours:?}: {sent:?}"
            );

            // The next process knows what works.
            world.reset_requests();
            home.run(&with_secret(&world, &["--force-refresh"])).token();
            assert_eq!(places(&world), [place], "{behaviours:?}");

            home.contexts(&[("sim", with_secret(&world, &[]))]);
            world.reset_requests();
            let logout = home.run(&["logout"]);
            assert!(logout.stdout.contains("and revoked it"), "{logout}");
        },
    );
}

#[test]
fn refused_header_uses_up_neither_code_nor_session() {
    in_parallel([&["--grant-type", "device-code"][..], &["--grant-type", "password"]], |grant| {
        let (world, home) = (world(&[Behaviour::DeviceIgnoresSecret, Behaviour::SecretByBodyOnly]), Home::new());
        let user = ["--username", sim::ALICE, "--password", sim::PASSWORD];
        let more = if grant[1] == "password" { [grant, &user[..]].concat() } else { grant.to_vec() };
        home.run(&with_secret(&world, &[&more[..], &ALWAYS].concat())).token();
        assert!(world.device_requests().len() <= 1, "a second code was asked for");
    });
}

#[test]
fn changed_secret_method_is_found_and_stored() {
    let (world, home) = (world(&[Behaviour::SecretByBodyOnly]), Home::new());
    home.run(&with_secret(&world, &ALWAYS)).token();
    world.clear(Behaviour::SecretByBodyOnly);
    world.set(Behaviour::SecretByHeaderOnly);
    for expected in [&["body", "header"][..], &["header"]] {
        world.reset_requests();
        home.run(&with_secret(&world, &["--force-refresh"])).token();
        assert_eq!(places(&world), expected);
    }
}

#[test]
fn wrong_secret_is_sent_at_most_twice() {
    let (world, home) = (world(&[]), Home::new());
    let run = home.sign_in(&oidc(&world, &["--oidc-client-secret", "wrong-secret"]));
    run.assert_failed(1, &["Client authentication failed", "client secret"]);
    assert_eq!(world.device_requests().len(), 2);

    // Only one place is listed, so the other one is not tried.
    world.set(Behaviour::ListsSecretByHeader);
    world.reset_requests();
    let run = Home::new().run(&oidc(&world, &[&ALWAYS[..], &["--oidc-client-secret", "wrong-secret"]].concat()));
    run.assert_failed(1, &["Client authentication failed"]);
    assert_eq!(world.device_requests().len(), 1);

    world.set(Behaviour::DeviceGrantNotAllowed);
    world.reset_requests();
    Home::new()
        .run(&with_secret(&world, &[&ALWAYS[..], &["--grant-type", "device-code"]].concat()))
        .assert_failed(1, &[]);
    assert_eq!(world.device_requests().len(), 1);
}
