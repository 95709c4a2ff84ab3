//! Which callers a failed sign-in keeps from prompting again, and for how long: never one that has a token or can
//! refresh.

use std::fs;
use std::time::Duration;

use crate::common::{ALWAYS, HANG, Home, PLUGIN, Run, entra, oidc};
use sim::{Behaviour, World};

#[test]
fn valid_token_is_returned_after_a_decline() {
    let (world, home) = (World::start(), Home::new());
    let token = home.run(&entra(&world, &ALWAYS)).token();
    world.set(Behaviour::RefreshBadToken);
    world.set(Behaviour::AuthorizationDeclined);
    home.run(&entra(&world, &["--force-refresh", "--prompt", "always"])).assert_failed(3, &["declined"]);
    for left in [3000, 120] {
        home.set_seconds_left(left);
        let run = home.run(&entra(&world, &ALWAYS));
        assert_eq!((run.token(), run.stderr.as_str()), (token.clone(), ""), "{left} s left: {run}");
    }
}

#[test]
fn decline_stops_prompts_but_not_refreshes() {
    let (world, home) = (World::start(), Home::new());
    let old = home.run(&oidc(&world, &ALWAYS)).token();
    world.set(Behaviour::AccessDenied);
    let wide = home.run(&oidc(&world, &["--oidc-extra-scope", "email", "--prompt", "always"]));
    wide.assert_failed(3, &["declined"]);
    // The same caller, such as a long-lived one, uses the entry that works, which needs no prompt.
    home.set_seconds_left(0);
    let run = home.run(&oidc(&world, &ALWAYS));
    assert_eq!(run.code, Some(0), "no refresh after a decline for another token: {run}");
    assert!(run.token() != old && run.stderr.is_empty(), "{run}");
}

#[test]
fn expired_prompt_stops_callers_without_terminal_until_login() {
    let (world, home) = (World::start(), Home::new());
    world.approve_automatically(false);
    home.let_codes_expire(&world);
    home.run(&entra(&world, &ALWAYS)).assert_failed(3, &["the code expired before it was used"]);
    let other = home.run_as_new_caller(&entra(&world, &[]));
    other.assert_failed(3, &["Error: ", "Next: "]);
    // Permission to prompt on stderr does not make it a terminal.
    let other = home.run_as_new_caller(&entra(&world, &ALWAYS));
    other.assert_failed(3, &["the code expired before it was used"]);
    assert_eq!(world.device_requests().len(), 1);

    world.approve_automatically(true);
    world.set_code_lifetime(Duration::from_secs(900));
    home.shorten_lives(1);
    let kubeconfig = home.path().join("kubeconfig");
    fs::write(&kubeconfig, world.aks_kubeconfig(PLUGIN)).unwrap();
    let typed = home.run(&["--kubeconfig", kubeconfig.to_str().unwrap()]);
    assert_eq!(typed.code, Some(0), "{typed}");
    assert!(typed.stderr.contains("enter this code") && typed.stdout.contains("Signed in as"), "{typed}");
    assert_eq!(home.run(&entra(&world, &[])).stderr, "");
}

#[test]
fn login_prompts_even_after_a_decline() {
    let (world, home) = (World::start_with(&[Behaviour::AuthorizationDeclined]), Home::new());
    home.run(&entra(&world, &ALWAYS)).assert_failed(3, &["declined"]);
    assert_eq!(home.run(&entra(&world, &ALWAYS)).stderr, "");
    assert_eq!(world.device_requests().len(), 1);
    let kubeconfig = home.path().join("kubeconfig");
    fs::write(&kubeconfig, world.aks_kubeconfig(PLUGIN)).unwrap();
    let typed = home.run(&["--kubeconfig", kubeconfig.to_str().unwrap()]);
    typed.assert_failed(3, &["enter this code", "the sign-in was declined"]);
    assert_eq!(world.device_requests().len(), 2);
}

#[test]
fn refresh_does_not_clear_a_decline() {
    let (world, home) = (World::start(), Home::new());
    home.run(&oidc(&world, &ALWAYS)).token();
    world.set(Behaviour::AccessDenied);
    let wide = oidc(&world, &["--oidc-extra-scope", "email", "--prompt", "always"]);
    home.run(&wide).assert_failed(3, &["declined"]);
    home.run(&oidc(&world, &["--force-refresh"])).token();
    let again = home.run(&wide);
    again.assert_failed(3, &[]);
    assert_eq!(again.stderr, "");
    assert_eq!(world.device_requests().len(), 2);
}

#[test]
fn waiting_caller_that_can_refresh_does_not_share_a_decline() {
    let (world, home) = (World::start(), Home::new());
    let old = home.run(&oidc(&world, &ALWAYS)).token();
    home.set_seconds_left(0);
    world.reset_requests();
    world.approve_automatically(false);
    let wide = home.start(&oidc(&world, &["--oidc-extra-scope", "email", "--prompt", "always"]));
    assert_eq!(world.wait_for_device_request(1, HANG).len(), 1);
    let narrow = home.start(&oidc(&world, &ALWAYS));
    world.deny_pending();
    Run::wait(wide).assert_failed(3, &["declined"]);
    assert_ne!(Run::wait(narrow).token(), old);
    assert_eq!(world.device_requests().len(), 1);
}

#[test]
fn policy_refusal_is_printed_once_per_caller() {
    let (world, home) = (World::start_with(&[Behaviour::DeviceBlocked]), Home::new());
    home.run(&entra(&world, &ALWAYS)).assert_failed(4, &["AADSTS53003"]);
    let again = home.run(&entra(&world, &ALWAYS));
    again.assert_failed(4, &[]);
    assert_eq!(again.stderr, "");
    assert_eq!(world.device_requests().len(), 1);
    home.run_as_new_caller(&entra(&world, &ALWAYS)).assert_failed(4, &["AADSTS53003"]);
    assert_eq!(world.device_requests().len(), 2);
}

#[test]
fn network_errors_and_missing_terminals_are_printed_for_each_caller() {
    let (world, home) = (World::start_with(&[Behaviour::HtmlDevicePage]), Home::new());
    for _ in 0..2 {
        home.run_as_new_caller(&entra(&world, &[])).assert_failed(3, &["no user can be prompted here", "Next: "]);
        home.run_as_new_caller(&entra(&world, &ALWAYS)).assert_failed(1, &["Error: ", "Next: "]);
    }
    world.clear(Behaviour::HtmlDevicePage);
    home.run(&entra(&world, &ALWAYS)).token();
}
