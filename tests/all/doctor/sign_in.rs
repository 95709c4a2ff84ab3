//! Sessions that are missing or refused, and tokens that are unusable.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use sim::{Behaviour, Step, World};

use crate::common::{HANG, Run};
use crate::doctor::setup::Setup;

const SKIPPED: [&str; 5] = ["token", "audience", "groups", "cluster", "identity"];

#[test]
fn missing_session_fails() {
    let setup = Setup::aks_without_sign_in(World::start());
    let report = setup.doctor();
    report.assert_only(&[("session", "FAIL", "not signed in for the context \"sim\"\nSign in: kubectl login sim")]);
    report.assert_skipped(&SKIPPED);
    report.assert_check("server", "OK", "responds");
}

#[test]
fn missing_session_in_ci_suggests_a_command_that_prompts() {
    let setup = Setup::aks_without_sign_in(World::start());
    let next = "If you can sign in here, although CI is set: kubectl login --prompt always sim";
    setup.doctor_in(&[("CI", "true")]).assert_check("session", "FAIL", next);
    let mut whoami = setup.command(&["whoami"]);
    Run::of(whoami.env("CI", "true")).assert_failed(3, &[next]);
    let mut pasted = setup.command(&["--prompt", "always", "sim"]);
    assert_eq!(Run::of(pasted.env("CI", "true")).code, Some(0));
}

#[test]
fn missing_session_of_another_user_fails() {
    let setup = Setup::aks();
    setup.rewrite(|text| {
        let user = text.split_once("- name: clusterUser_rg_sim\n").unwrap().1;
        format!(
            "{text}- name: bob\n{}",
            user.replace("\"--login\"", "\"--login-hint=bob@contoso.example\"\n      - \"--login\"")
        )
    });
    let report = setup.doctor_with(&["--user", "bob"], |_| {});
    report.assert_only(&[("session", "FAIL", "not signed in for the user \"bob\"\nSign in: kubectl login --user bob")]);
    setup.doctor().assert_only(&[]);
}

#[test]
fn revoked_session_is_reported() {
    let setup = Setup::aks();
    setup.world.set(Behaviour::RefreshBadToken);
    let report = setup.doctor();
    // The token is still valid for a while.
    report.assert_only(&[(
        "token",
        "WARN",
        "the cached one is valid for 59 min; after that: cannot refresh the token",
    )]);
    report.assert_check("token", "WARN", "AADSTS50173");
    report.assert_check("cluster", "OK", "alice");
    let report = setup.doctor();
    report.assert_only(&[("session", "WARN", "the session of alice@contoso.example ended at 20")]);
    report.assert_check("session", "WARN", "AADSTS50173");
    setup.home.set_seconds_left(-60);
    let report = setup.doctor();
    report.assert_skipped(&SKIPPED);
    report.assert_only(&[("session", "FAIL", "AADSTS50173")]);
    report.assert_check("session", "FAIL", "\nSign in again: kubectl login");
}

#[test]
fn device_code_policy_is_reported() {
    let setup = Setup::aks();
    setup.home.set_seconds_left(-60);
    setup.world.set(Behaviour::RefreshBlocked);
    let report = setup.doctor();
    report.assert_only(&[("token", "FAIL", "AADSTS53003")]);
    report.assert_check("token", "FAIL", "kubectl login --force --login interactive");
    report.assert_skipped(&SKIPPED[1..]);
    setup.world.clear(Behaviour::RefreshBlocked);
    setup.doctor().assert_only(&[]);
}

#[test]
fn second_factor_and_device_policies_are_reported() {
    let setup = Setup::aks();
    setup.home.set_seconds_left(-60);
    setup.world.set(Behaviour::RefreshMfa);
    setup.doctor().assert_only(&[("token", "FAIL", "Sign in again with the second factor: kubectl login")]);
    setup.world.clear(Behaviour::RefreshMfa);
    let body =
        json!({ "error": "invalid_grant", "suberror": "device_authentication_failed", "error_codes": [530_033] });
    setup.world.refuse(Step::Refresh, body);
    setup.doctor().assert_only(&[("token", "FAIL", "530033")]);
}

#[test]
fn session_from_a_forbidden_code_is_reported() {
    let setup = Setup::aks();
    setup.home.set_seconds_left(-60);
    let body = json!({ "error": "invalid_grant", "suberror": "bad_token", "error_codes": [530_036] });
    setup.world.refuse(Step::Refresh, body);
    setup.doctor().assert_only(&[("token", "FAIL", "--login interactive")]);
    setup.doctor().assert_only(&[("session", "FAIL", "it began with a device code, which a policy forbids")]);
}

#[test]
fn more_than_200_groups_are_reported() {
    let world = World::start();
    world.set_groups(201);
    let setup = Setup::aks_without_sign_in(world);
    setup.sign_in(&[]);
    let report = setup.doctor();
    report.assert_only(&[("groups", "WARN", "more than 200, which a token does not list")]);
    report.assert_check("groups", "WARN", "--graph-client-id");
    report.assert_check("identity", "OK", "the cluster has looked up 201 of your groups");
    setup.world.set(Behaviour::KubeIgnoresOverage);
    setup.doctor().assert_only(&[
        ("groups", "WARN", "kubectl login whoami --groups"),
        ("identity", "WARN", "the cluster sees none of your groups"),
    ]);
}

#[test]
fn application_with_more_than_200_groups_is_reported() {
    let world = World::start();
    world.set_groups(201);
    world.sign_in_app_only(true);
    let setup = Setup::aks_without_sign_in(world);
    setup.sign_in(&[]);
    setup.world.set(Behaviour::KubeUnauthorized);
    setup.doctor().assert_only(&[
        ("groups", "FAIL", "AKS rejects such applications"),
        ("cluster", "FAIL", "as expected: an application in more than 200 groups"),
    ]);
}

#[test]
fn groups_that_the_cluster_does_not_see_are_reported() {
    let setup = Setup::oidc();
    setup.world.set(Behaviour::KubeDropsGroups);
    setup.doctor().assert_only(&[("identity", "WARN", "does not see 1 of the 3 groups of the token")]);
    setup.world.clear(Behaviour::KubeDropsGroups);
    setup.world.set(Behaviour::KubePrefixes);
    setup.doctor().assert_only(&[]);
}

#[test]
fn other_tenant_needs_its_own_sign_in() {
    let setup = Setup::aks();
    setup.replace(sim::TENANT, sim::OTHER_TENANT);
    let report = setup.doctor();
    report.assert_only(&[("session", "FAIL", "not signed in")]);
    report.assert_check("issuer", "OK", sim::OTHER_TENANT);
}

#[test]
fn version_2_token_is_not_for_aks() {
    let setup = Setup::aks();
    setup.world.set(Behaviour::Version2Tokens);
    setup.doctor().assert_only(&[("audience", "WARN", "AKS accepts those of version 1.0")]);
    setup.world.set(Behaviour::KubeUnauthorized);
    setup.doctor().assert_only(&[
        ("audience", "WARN", "version 2.0"),
        ("cluster", "FAIL", "as expected: it is a token of version 2.0"),
    ]);
}

#[test]
fn spn_audience_passes() {
    let setup = Setup::aks();
    setup.world.set(Behaviour::SpnAudience);
    setup.doctor().assert_only(&[]);
}

#[test]
fn opaque_token_passes() {
    let setup = Setup::oidc();
    setup.replace("\"device-code\"", "\"device-code\"\n      - \"--oidc-use-access-token\"");
    setup.sign_in(&["--oidc-use-access-token"]);
    let report = setup.doctor();
    report.assert_skipped(&["audience", "groups"]);
    report.assert_only(&[("cluster", "FAIL", "does not accept the token")]);
}

#[test]
fn cluster_that_refuses_the_token_fails() {
    let setup = Setup::aks();
    setup.world.set(Behaviour::KubeOtherAudience);
    let report = setup.doctor();
    report.assert_only(&[("cluster", "FAIL", "does not accept the token (HTTP 401): it is valid, but for 6dae42f8-")]);
    report.assert_check("cluster", "FAIL", "az aks get-credentials");
    report.assert_skipped(&["identity"]);

    let setup = Setup::aks();
    setup.replace(sim::SERVER, sim::ARC_SERVER);
    setup.world.set(Behaviour::KubeUnauthorized);
    setup.doctor().assert_only(&[("cluster", "FAIL", "AKS accepts only tokens for 6dae42f8-")]);

    let setup = Setup::oidc();
    setup.world.set(Behaviour::KubeUnauthorized);
    setup.doctor().assert_only(&[("cluster", "FAIL", "which issuer and client its API server accepts")]);
}

#[test]
fn refused_sign_in_has_its_own_next_step() {
    let setup = Setup::aks_without_sign_in(World::start_with(&[Behaviour::AuthorizationDeclined]));
    let declined = setup.home.run(&crate::common::entra(&setup.world, &["--prompt=always"]));
    assert_eq!(declined.code, Some(3), "{declined}");
    let words = "not signed in for the context \"sim\"; the last try failed at 20";
    let report = setup.doctor();
    report.assert_only(&[("session", "FAIL", words)]);
    report.assert_check("session", "FAIL", "the sign-in was declined");
    report.assert_skipped(&SKIPPED);

    let setup = Setup::aks_without_sign_in(World::start());
    let body =
        json!({ "error": "invalid_grant", "error_codes": [50_105], "error_description": "AADSTS50105: no role" });
    setup.world.refuse(Step::Poll, body);
    let refused = setup.home.run(&crate::common::entra(&setup.world, &["--prompt=always"]));
    assert_eq!(refused.code, Some(4), "{refused}");
    let next = refused.stderr.lines().find_map(|line| line.strip_prefix("Next:  ")).unwrap();
    let report = setup.doctor();
    report.assert_only(&[("session", "FAIL", "AADSTS50105")]);
    report.assert_check("session", "FAIL", next);
    setup.world.stop_refusing();
    let signed_in = setup.run(&["--prompt=always"]);
    assert_eq!(signed_in.code, Some(0), "{signed_in}");
    setup.doctor().assert_only(&[]);
}

#[test]
fn unused_code_suggests_the_browser() {
    const STEP: &str = "fewer policies forbid: kubectl login --login interactive";
    let setup = Setup::aks_without_sign_in(World::start_with(&[Behaviour::ExpiredToken]));
    let words = crate::common::entra(&setup.world, &["--prompt=always"]);
    setup.home.run(&words).assert_failed(3, &["the code expired", STEP]);
    let report = setup.doctor();
    report.assert_only(&[(
        "session",
        "FAIL",
        "the code expired before it was used\nSign in again, with a new code: kubectl login\n",
    )]);
    report.assert_check("session", "FAIL", STEP);

    let setup = Setup::aks_without_sign_in(World::start());
    setup.world.approve_automatically(false);
    let child = setup.home.start(&crate::common::entra(&setup.world, &["--prompt=always"]));
    assert!(setup.world.wait_for(HANG, |log| !log.token_requests("device_code").is_empty()), "no poll came");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    Run::wait(child).assert_failed(130, &["cancelled", STEP]);
    let report = setup.doctor();
    report.assert_only(&[("session", "FAIL", "the sign-in was cancelled")]);
    report.assert_check("session", "FAIL", STEP);
}
