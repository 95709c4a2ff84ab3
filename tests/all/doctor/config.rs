//! Broken kubeconfigs and entries.

use std::fs;
use std::path::Path;

use sim::World;

use crate::common::PLUGIN;
use crate::common::programs::copy_program;
use crate::doctor::setup::{NAMES, Setup};

fn setup() -> Setup {
    Setup::aks_without_sign_in(World::start())
}

/// What cannot be looked at without an entry.
const AFTERWARDS: [&str; 8] = ["issuer", "session", "token", "audience", "groups", "server", "cluster", "identity"];

#[test]
fn no_kubeconfig() {
    let setup = setup();
    fs::remove_file(setup.kubeconfig()).unwrap();
    let report = setup.doctor();
    report.only(&[("kubeconfig", "FAIL", "there is no kubeconfig at ")]);
    report.skips(&AFTERWARDS);
    report.skips(&["entry", "command", "api-version", "proxy", "clock"]);
}

#[test]
fn a_kubeconfig_that_is_no_yaml() {
    let setup = setup();
    setup.write("clusters: [");
    setup.doctor().only(&[("kubeconfig", "FAIL", "cannot be understood")]);
}

#[test]
fn a_kubeconfig_that_is_not_there_although_it_was_named() {
    let setup = setup();
    let report = setup.doctor_with(&["--kubeconfig", "/nowhere/config"], |_| {});
    report.only(&[("kubeconfig", "FAIL", "cannot read the kubeconfig /nowhere/config")]);
}

#[test]
fn a_context_that_does_not_exist() {
    let report = setup().doctor_with(&["prod"], |_| {});
    report.only(&[("kubeconfig", "FAIL", "has no context \"prod\"; it has sim")]);
    report.skips(&AFTERWARDS);
}

#[test]
fn no_current_context() {
    let setup = setup();
    setup.replace("current-context: sim", "current-context: \"\"");
    setup.doctor().only(&[("kubeconfig", "FAIL", "kubectl config use-context")]);
}

#[test]
fn a_kubeconfig_that_others_may_read() {
    let setup = Setup::aks();
    setup.chmod(&setup.kubeconfig(), 0o644);
    setup.doctor().only(&[("kubeconfig", "WARN", "chmod 600 ")]);
}

#[test]
fn a_user_who_is_nowhere() {
    let setup = setup();
    setup.replace("- name: clusterUser_rg_sim", "- name: other");
    setup.doctor().only(&[("entry", "FAIL", "has no user \"clusterUser_rg_sim\"")]);
}

#[test]
fn user_with_another_plugin_is_no_failure() {
    let setup = setup();
    setup.home.write_program("bin/aws", "");
    setup.replace("command: \"kubectl-login\"", "command: aws");
    let report = setup.doctor();
    report.only(&[]);
    report.says("entry", "OK", "gets its token from \"aws\", which is not this plugin");
    // The cluster is there, whoever signs in.
    report.says("server", "OK", "answers");
    report.says("session", "SKIP", "does not sign in with this plugin");
    report.skips(&["issuer", "token", "cluster"]);
    fs::remove_file(setup.home.path().join("bin/aws")).unwrap();
    setup.doctor().only(&[("command", "FAIL", "the command \"aws\" is not on the PATH")]);
}

#[test]
fn arguments_that_make_no_sense() {
    let setup = setup();
    setup.replace("\"--server-id\"", "\"--sever-id\"");
    let report = setup.doctor();
    report.only(&[("entry", "FAIL", "make no sense")]);
    report.says("server", "OK", "answers");
}

#[test]
fn a_method_that_is_none() {
    let setup = setup();
    setup.replace("\"devicecode\"", "\"carrier-pigeon\"");
    setup.doctor().only(&[("entry", "FAIL", "--login \"carrier-pigeon\" is not a valid sign-in method")]);
    setup.replace("\"carrier-pigeon\"", "\"msi\"");
    setup.doctor().only(&[("entry", "FAIL", "--login msi is not supported yet")]);
}

#[test]
fn a_command_that_is_nowhere() {
    let setup = Setup::aks();
    setup.replace("command: \"kubectl-login\"", "command: \"kubelogin\"");
    setup.doctor().only(&[("command", "FAIL", "the command \"kubelogin\" is not on the PATH")]);
    setup.replace("command: \"kubelogin\"", "command: \"./bin/kubelogin\"");
    setup.doctor().only(&[("command", "FAIL", ".kube/bin/kubelogin")]);
    fs::remove_file(setup.home.path().join("bin/kubectl-login")).unwrap();
    setup.replace("command: \"./bin/kubelogin\"", &format!("command: {PLUGIN}"));
    setup.doctor().only(&[("version", "WARN", "kubectl-login is not on the PATH")]);
}

#[test]
fn a_command_that_cannot_be_run() {
    let setup = Setup::aks();
    let file = setup.home.write("tools/kubelogin", "");
    setup.replace("command: \"kubectl-login\"", &format!("command: {}", file.display()));
    setup.doctor().only(&[("command", "FAIL", "is not executable")]);
}

#[test]
fn a_command_that_is_another_program_of_the_same_name() {
    let setup = Setup::aks();
    let file = setup.home.write_program("bin/kubelogin", "#!/bin/sh\n");
    setup.doctor().only(&[("version", "WARN", "kubelogin on the PATH is another program: ")]);
    setup.replace("command: \"kubectl-login\"", "command: kubelogin");
    setup.doctor().only(&[
        ("version", "WARN", "kubelogin on the PATH is another program"),
        ("command", "WARN", "is another program than this one"),
    ]);
    // A copy is as good as the original.
    fs::remove_file(&file).unwrap();
    copy_program(Path::new(PLUGIN), &file);
    setup.doctor().only(&[]);
}

#[test]
fn v1_without_interactive_mode() {
    let setup = Setup::oidc();
    setup.replace("      interactiveMode: IfAvailable\n", "");
    setup.doctor().only(&[("api-version", "FAIL", "Set interactiveMode: IfAvailable")]);
}

#[test]
fn interactive_modes_that_keep_people_out() {
    let setup = Setup::oidc();
    for (mode, result, words) in [
        ("Never", "WARN", "the plugin cannot prompt"),
        ("Always", "WARN", "a client without a terminal refuses"),
        ("Sometimes", "FAIL", "\"Sometimes\""),
    ] {
        setup.rewrite(|text| {
            let rest = text.split_once("interactiveMode: ").unwrap();
            format!("{}interactiveMode: {mode}\n{}", rest.0, rest.1.split_once('\n').unwrap().1)
        });
        setup.doctor().only(&[("api-version", result, words)]);
    }
}

#[test]
fn a_version_of_the_protocol_that_no_client_speaks() {
    let setup = Setup::aks();
    setup.replace("/v1beta1", "/v1alpha1");
    setup.doctor().only(&[("api-version", "FAIL", "v1alpha1")]);
    setup.replace("apiVersion: client.authentication.k8s.io/v1alpha1\n", "provideClusterInfo: false\n");
    setup.doctor().only(&[("api-version", "FAIL", "has no apiVersion")]);
}

#[test]
fn whatever_is_wrong_every_check_has_its_line() {
    let setup = setup();
    setup.write("");
    let run = setup.run(&["doctor"]);
    for name in NAMES {
        assert!(run.stdout.contains(&format!(" {name} ")), "{name}: {run}");
    }
}

#[test]
fn a_plugin_by_way_of_kubectl() {
    let setup = Setup::aks();
    setup.home.write_program("bin/kubectl", "#!/bin/sh\n");
    setup.replace("command: \"kubectl-login\"", "command: kubectl");
    setup.replace("      args:\n", "      args:\n      - login\n");
    setup.doctor().only(&[]);
    fs::remove_file(setup.home.path().join("bin/kubectl-login")).unwrap();
    setup.doctor().only(&[
        ("version", "WARN", "kubectl-login is not on the PATH"),
        ("command", "FAIL", "runs a plugin that is not on the PATH"),
    ]);
}

#[test]
fn context_with_a_missing_cluster_fails() {
    let setup = Setup::aks();
    setup.replace("    cluster: sim\n", "    cluster: gone\n");
    setup.doctor().only(&[
        ("kubeconfig", "FAIL", "the context \"sim\" names the cluster \"gone\", which no file defines"),
        ("server", "FAIL", "names no API server"),
    ]);
}

#[test]
fn plugin_policy_of_kubectl_that_denies_the_command_is_a_warning() {
    let setup = Setup::aks();
    let kuberc = |text: &str| setup.home.write(".kube/kuberc", text);
    kuberc("kind: Preference\ncredentialPluginPolicy: DenyAll\n");
    let report = setup.doctor();
    report.only(&[("command", "WARN", ".kube/kuberc: its credentialPluginPolicy is DenyAll")]);
    report.says("command", "WARN", "--policy Allowlist --allowlist-entry command=kubectl-login");
    setup.doctor_in(&[("KUBERC", "off")]).only(&[]);
    setup.doctor_in(&[("KUBECTL_KUBERC", "false")]).only(&[]);
    let list = "kind: Preference\ncredentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- command: ";
    kuberc(&format!("{list}aws\n"));
    setup.doctor().only(&[("command", "WARN", "it is not in its credentialPluginAllowlist")]);
    kuberc(&format!("{list}{}\n", setup.home.path().join("bin/kubectl-login").display()));
    setup.doctor().only(&[]);
}

#[test]
fn flags_with_values_before_get_token_are_understood() {
    let setup = Setup::aks();
    setup.replace(
        "- \"get-token\"\n",
        "- \"--login-hint\"\n      - \"alice@contoso.example\"\n      - \"-v\"\n      - \"1\"\n      - \"get-token\"\n",
    );
    setup.doctor().only(&[("session", "FAIL", "not signed in")]);
    let login = setup.run(&["--prompt=always"]);
    assert_eq!(login.code, Some(0), "{login}");
    setup.doctor().only(&[]);
    assert!(setup.run(&["status"]).stdout.contains("*sim"));

    setup.replace("\"--login-hint\"", "\"--no-such-flag\"");
    setup.doctor_with(&[], |_| {}).says("entry", "FAIL", "runs this plugin without get-token");
}
