//! Sessions that are gone or refused, and tokens that are not what they should be.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use sim::{Behaviour, Step, World};

use crate::common::{HANG, Run};
use crate::doctor::setup::Setup;

const AFTERWARDS: [&str; 5] = ["token", "audience", "groups", "cluster", "identity"];

#[test]
fn nobody_is_signed_in() {
    let setup = Setup::aks_without_sign_in(World::start());
    let report = setup.doctor();
    report.only(&[("session", "FAIL", "not signed in for the context \"sim\"\nSign in: kubectl login sim")]);
    report.skips(&AFTERWARDS);
    report.says("server", "OK", "answers");
}

#[test]
fn missing_sign_in_where_ci_is_set_comes_with_a_command_that_prompts() {
    let setup = Setup::aks_without_sign_in(World::start());
    let next = "If you can sign in here, although CI is set: kubectl login --prompt always sim";
    setup.doctor_in(&[("CI", "true")]).says("session", "FAIL", next);
    let mut whoami = setup.command(&["whoami"]);
    Run::of(whoami.env("CI", "true")).assert_failed(3, &[next]);
    let mut pasted = setup.command(&["--prompt", "always", "sim"]);
    assert_eq!(Run::of(pasted.env("CI", "true")).code, Some(0));
}

#[test]
fn nobody_is_signed_in_as_another_user_of_the_kubeconfig() {
    let setup = Setup::aks();
    setup.rewrite(|text| {
        let user = text.split_once("- name: clusterUser_rg_sim\n").unwrap().1;
        format!(
            "{text}- name: bob\n{}",
            user.replace("\"--login\"", "\"--login-hint=bob@contoso.example\"\n      - \"--login\"")
        )
    });
    let report = setup.doctor_with(&["--user", "bob"], |_| {});
    report.only(&[("session", "FAIL", "not signed in for the user \"bob\"\nSign in: kubectl login --user bob")]);
    setup.doctor().only(&[]);
}

#[test]
fn a_session_that_was_revoked() {
    let setup = Setup::aks();
    setup.world.set(Behaviour::RefreshBadToken);
    let report = setup.doctor();
    // The token is good for a while.
    report.only(&[("token", "WARN", "the one at hand is good for 59 min, and then: cannot refresh the token")]);
    report.says("token", "WARN", "AADSTS50173");
    report.says("cluster", "OK", "alice");
    let report = setup.doctor();
    report.only(&[("session", "WARN", "the session of alice@contoso.example ended at 20")]);
    report.says("session", "WARN", "AADSTS50173");
    setup.home.set_seconds_left(-60);
    let report = setup.doctor();
    report.skips(&AFTERWARDS);
    report.only(&[("session", "FAIL", "AADSTS50173")]);
    report.says("session", "FAIL", "\nSign in again: kubectl login");
}

#[test]
fn a_policy_against_device_codes() {
    let setup = Setup::aks();
    setup.home.set_seconds_left(-60);
    setup.world.set(Behaviour::RefreshBlocked);
    let report = setup.doctor();
    report.only(&[("token", "FAIL", "AADSTS53003")]);
    report.says("token", "FAIL", "kubectl login --force --login interactive");
    report.skips(&AFTERWARDS[1..]);
    setup.world.clear(Behaviour::RefreshBlocked);
    setup.doctor().only(&[]);
}

#[test]
fn a_second_factor_and_a_device() {
    let setup = Setup::aks();
    setup.home.set_seconds_left(-60);
    setup.world.set(Behaviour::RefreshMfa);
    setup.doctor().only(&[("token", "FAIL", "Sign in again with the second factor: kubectl login")]);
    setup.world.clear(Behaviour::RefreshMfa);
    let body =
        json!({ "error": "invalid_grant", "suberror": "device_authentication_failed", "error_codes": [530_033] });
    setup.world.refuse(Step::Refresh, body);
    setup.doctor().only(&[("token", "FAIL", "530033")]);
}

#[test]
fn a_session_that_began_with_a_code_and_must_not() {
    let setup = Setup::aks();
    setup.home.set_seconds_left(-60);
    let body = json!({ "error": "invalid_grant", "suberror": "bad_token", "error_codes": [530_036] });
    setup.world.refuse(Step::Refresh, body);
    setup.doctor().only(&[("token", "FAIL", "--login interactive")]);
    setup.doctor().only(&[("session", "FAIL", "it began with a device code, which a policy forbids")]);
}

#[test]
fn more_than_two_hundred_groups() {
    let world = World::start();
    world.set_groups(201);
    let setup = Setup::aks_without_sign_in(world);
    setup.sign_in(&[]);
    let report = setup.doctor();
    report.only(&[("groups", "WARN", "more than 200, which a token does not list")]);
    report.says("groups", "WARN", "--graph-client-id");
    report.says("identity", "OK", "the cluster has looked up 201 groups of yours");
    setup.world.set(Behaviour::KubeIgnoresOverage);
    setup.doctor().only(&[
        ("groups", "WARN", "kubectl login whoami --groups"),
        ("identity", "WARN", "the cluster sees none of your groups"),
    ]);
}

#[test]
fn an_application_in_more_than_two_hundred_groups() {
    let world = World::start();
    world.set_groups(201);
    world.sign_in_app_only(true);
    let setup = Setup::aks_without_sign_in(world);
    setup.sign_in(&[]);
    setup.world.set(Behaviour::KubeUnauthorized);
    setup.doctor().only(&[
        ("groups", "FAIL", "AKS lets no such application in"),
        ("cluster", "FAIL", "as was to be expected: an application in more than 200 groups"),
    ]);
}

#[test]
fn a_cluster_that_does_not_see_all_groups() {
    let setup = Setup::oidc();
    setup.world.set(Behaviour::KubeDropsGroups);
    setup.doctor().only(&[("identity", "WARN", "does not see 1 of the 3 groups of the token")]);
    setup.world.clear(Behaviour::KubeDropsGroups);
    setup.world.set(Behaviour::KubePrefixes);
    setup.doctor().only(&[]);
}

#[test]
fn another_tenant_is_another_sign_in() {
    let setup = Setup::aks();
    setup.replace(sim::TENANT, sim::OTHER_TENANT);
    let report = setup.doctor();
    report.only(&[("session", "FAIL", "not signed in")]);
    report.says("issuer", "OK", sim::OTHER_TENANT);
}

#[test]
fn a_token_of_version_two_is_not_for_aks() {
    let setup = Setup::aks();
    setup.world.set(Behaviour::Version2Tokens);
    setup.doctor().only(&[("audience", "WARN", "AKS takes those of version 1.0")]);
    setup.world.set(Behaviour::KubeUnauthorized);
    setup.doctor().only(&[
        ("audience", "WARN", "version 2.0"),
        ("cluster", "FAIL", "as was to be expected: it is a token of version 2.0"),
    ]);
}

#[test]
fn an_older_spelling_of_the_audience_is_as_good() {
    let setup = Setup::aks();
    setup.world.set(Behaviour::SpnAudience);
    setup.doctor().only(&[]);
}

#[test]
fn an_opaque_token_is_left_to_the_issuer() {
    let setup = Setup::oidc();
    setup.replace("\"device-code\"", "\"device-code\"\n      - \"--oidc-use-access-token\"");
    setup.sign_in(&["--oidc-use-access-token"]);
    let report = setup.doctor();
    report.skips(&["audience", "groups"]);
    report.only(&[("cluster", "FAIL", "does not accept the token")]);
}

#[test]
fn a_cluster_that_takes_no_such_token() {
    let setup = Setup::aks();
    setup.world.set(Behaviour::KubeOtherAudience);
    let report = setup.doctor();
    report.only(&[("cluster", "FAIL", "does not accept the token (HTTP 401): it is good, and for 6dae42f8-")]);
    report.says("cluster", "FAIL", "az aks get-credentials");
    report.skips(&["identity"]);

    let setup = Setup::aks();
    setup.replace(sim::SERVER, sim::ARC_SERVER);
    setup.world.set(Behaviour::KubeUnauthorized);
    setup.doctor().only(&[("cluster", "FAIL", "AKS takes tokens for 6dae42f8-")]);

    let setup = Setup::oidc();
    setup.world.set(Behaviour::KubeUnauthorized);
    setup.doctor().only(&[("cluster", "FAIL", "which issuer and which client its API server takes")]);
}

#[test]
fn refused_sign_in_is_shown_with_its_own_next_step() {
    let setup = Setup::aks_without_sign_in(World::start_with(&[Behaviour::AuthorizationDeclined]));
    let declined = setup.home.run(&crate::common::entra(&setup.world, &["--prompt=always"]));
    assert_eq!(declined.code, Some(3), "{declined}");
    let words = "not signed in for the context \"sim\"; the last try failed at 20";
    let report = setup.doctor();
    report.only(&[("session", "FAIL", words)]);
    report.says("session", "FAIL", "the sign-in was declined");
    report.skips(&AFTERWARDS);

    let setup = Setup::aks_without_sign_in(World::start());
    let body =
        json!({ "error": "invalid_grant", "error_codes": [50_105], "error_description": "AADSTS50105: no role" });
    setup.world.refuse(Step::Poll, body);
    let refused = setup.home.run(&crate::common::entra(&setup.world, &["--prompt=always"]));
    assert_eq!(refused.code, Some(4), "{refused}");
    let next = refused.stderr.lines().find_map(|line| line.strip_prefix("Next:  ")).unwrap();
    let report = setup.doctor();
    report.only(&[("session", "FAIL", "AADSTS50105")]);
    report.says("session", "FAIL", next);
    setup.world.stop_refusing();
    let signed_in = setup.run(&["--prompt=always"]);
    assert_eq!(signed_in.code, Some(0), "{signed_in}");
    setup.doctor().only(&[]);
}

#[test]
fn unused_code_is_shown_with_the_step_for_a_browser_that_refuses() {
    const STEP: &str = "fewer policies forbid: kubectl login --login interactive";
    let setup = Setup::aks_without_sign_in(World::start_with(&[Behaviour::ExpiredToken]));
    let words = crate::common::entra(&setup.world, &["--prompt=always"]);
    setup.home.run(&words).assert_failed(3, &["the code expired", STEP]);
    let report = setup.doctor();
    report.only(&[(
        "session",
        "FAIL",
        "the code expired before it was used\nSign in again, with a new code: kubectl login\n",
    )]);
    report.says("session", "FAIL", STEP);

    let setup = Setup::aks_without_sign_in(World::start());
    setup.world.approve_automatically(false);
    let child = setup.home.start(&crate::common::entra(&setup.world, &["--prompt=always"]));
    assert!(setup.world.wait_for(HANG, |log| !log.token_requests("device_code").is_empty()), "no poll came");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    Run::wait(child).assert_failed(130, &["cancelled", STEP]);
    let report = setup.doctor();
    report.only(&[("session", "FAIL", "the sign-in was cancelled")]);
    report.says("session", "FAIL", STEP);
}
