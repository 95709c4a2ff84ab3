//! The whole road once, in each dialect.

use crate::common::{Home, entra, oidc};
use sim::World;

#[test]
fn a_code_then_a_token_then_the_same_token_without_asking_anybody() {
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
