//! Request headers: which ones an entry may add, and that they belong to the session's identity.

use crate::common::{Home, in_parallel, oidc};
use sim::World;

#[test]
fn routing_framing_and_authentication_headers_are_refused() {
    let world = World::start();
    let names = [
        "Host",
        "HOST",
        "host",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "TE",
        "Upgrade",
        "Expect",
        "Via",
        "Forwarded",
        "X-Forwarded-Host",
        "X-Forwarded-For",
        "X-Real-IP",
        "X-Original-URL",
        "X-Rewrite-URL",
        "Proxy-Authorization",
        "Authorization",
        "Cookie",
    ];
    in_parallel(names, |name| {
        let run = Home::new().run(&oidc(&world, &["--oidc-request-header", &format!("{name}=evil.example")]));
        run.assert_failed(2, &["--oidc-request-header", name, "\nNext: "]);
        assert!(!run.stderr.contains("evil.example"), "{run}");
    });
    assert!(world.requests().is_empty());
}

#[test]
fn other_headers_have_their_own_session() {
    let (world, home) = (World::start(), Home::new());
    home.run(&oidc(&world, &["--prompt", "always"])).token();
    world.reset_requests();
    let with = |value: &str| oidc(&world, &["--oidc-request-header", &format!("X-Route={value}")]);
    for value in ["a", "b"] {
        home.run_as_new_caller(&with(value)).assert_failed(3, &[]);
    }
    assert_eq!(world.refreshes().len(), 0, "the refresh token is not sent with other headers");
    home.run_as_new_caller(&[&with("a")[..], &["--prompt".to_owned(), "always".to_owned()]].concat()).token();
    home.run(&with("a")).token();
    home.run_as_new_caller(&with("b")).assert_failed(3, &[]);
}

#[test]
fn user_agent_of_an_entry_replaces_the_default() {
    let (world, home) = (World::start(), Home::new());
    let agent = ["--oidc-request-header", "User-Agent=corp/1", "--prompt", "always"];
    home.run(&oidc(&world, &agent)).token();
    assert!(world.requests().iter().all(|request| request.header("user-agent") == "corp/1"), "{:?}", world.requests());
}
