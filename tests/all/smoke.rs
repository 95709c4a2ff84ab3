//! One complete sign-in with each dialect.

use crate::common::{Home, entra, oidc};
use sim::World;

#[test]
fn sign_in_returns_a_token_and_caches_it() {
    let (world, home) = (World::start(), Home::new());
    for args in [entra(&world, &[]), oidc(&world, &[])] {
        let first = home.run(&[&args[..], &["--prompt".into(), "always".into()]].concat());
        let token = first.token();
        world.reset_requests();
        let second = home.run(&args);
        assert_eq!(second.token(), token);
        assert_eq!(second.stderr, "");
        assert!(world.requests().is_empty());
    }
}
