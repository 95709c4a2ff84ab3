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

/// The checks that are skipped without an entry.
const SKIPPED: [&str; 8] = ["issuer", "session", "token", "audience", "groups", "server", "cluster", "identity"];

#[test]
fn missing_kubeconfig_fails() {
    let setup = setup();
    fs::remove_file(setup.kubeconfig()).unwrap();
    let report = setup.doctor();
    report.assert_only(&[("kubeconfig", "FAIL", "there is no kubeconfig at ")]);
    report.assert_skipped(&SKIPPED);
    report.assert_skipped(&["entry", "command", "api-version", "proxy", "clock"]);
}

#[test]
fn invalid_yaml_fails() {
    let setup = setup();
    setup.write("clusters: [");
    setup.doctor().assert_only(&[("kubeconfig", "FAIL", "cannot be understood")]);
}

#[test]
fn missing_named_kubeconfig_fails() {
    let setup = setup();
    let report = setup.doctor_with(&["--kubeconfig", "/nowhere/config"], |_| {});
    report.assert_only(&[("kubeconfig", "FAIL", "cannot read the kubeconfig /nowhere/config")]);
}

#[test]
fn unknown_context_fails() {
    let report = setup().doctor_with(&["prod"], |_| {});
    report.assert_only(&[("kubeconfig", "FAIL", "has no context \"prod\"; it has sim")]);
    report.assert_skipped(&SKIPPED);
}

#[test]
fn missing_current_context_fails() {
    let setup = setup();
    setup.replace("current-context: sim", "current-context: \"\"");
    setup.doctor().assert_only(&[("kubeconfig", "FAIL", "kubectl config use-context")]);
}

#[test]
fn readable_kubeconfig_is_a_warning() {
    let setup = Setup::aks();
    setup.chmod(&setup.kubeconfig(), 0o644);
    setup.doctor().assert_only(&[("kubeconfig", "WARN", "chmod 600 ")]);
}

#[test]
fn unknown_user_fails() {
    let setup = setup();
    setup.replace("- name: clusterUser_rg_sim", "- name: other");
    setup.doctor().assert_only(&[("entry", "FAIL", "has no user \"clusterUser_rg_sim\"")]);
}

#[test]
fn user_with_another_plugin_passes() {
    let setup = setup();
    setup.home.write_program("bin/aws", "");
    setup.replace("command: \"kubectl-login\"", "command: aws");
    let report = setup.doctor();
    report.assert_only(&[]);
    report.assert_check("entry", "OK", "gets its token from \"aws\", which is not this plugin");
    // The cluster can be checked without a sign-in.
    report.assert_check("server", "OK", "responds");
    report.assert_check("session", "SKIP", "does not sign in with this plugin");
    report.assert_skipped(&["issuer", "token", "cluster"]);
    fs::remove_file(setup.home.path().join("bin/aws")).unwrap();
    setup.doctor().assert_only(&[("command", "FAIL", "the command \"aws\" is not on the PATH")]);
}

#[test]
fn invalid_arguments_fail() {
    let setup = setup();
    setup.replace("\"--server-id\"", "\"--sever-id\"");
    let report = setup.doctor();
    report.assert_only(&[("entry", "FAIL", "make no sense")]);
    report.assert_check("server", "OK", "responds");
}

#[test]
fn unknown_method_fails() {
    let setup = setup();
    setup.replace("\"devicecode\"", "\"carrier-pigeon\"");
    setup.doctor().assert_only(&[("entry", "FAIL", "--login \"carrier-pigeon\" is not a valid sign-in method")]);
    setup.replace("\"carrier-pigeon\"", "\"msi\"");
    setup.doctor().assert_only(&[("entry", "FAIL", "--login msi is not supported yet")]);
}

#[test]
fn missing_command_fails() {
    let setup = Setup::aks();
    setup.replace("command: \"kubectl-login\"", "command: \"kubelogin\"");
    setup.doctor().assert_only(&[("command", "FAIL", "the command \"kubelogin\" is not on the PATH")]);
    setup.replace("command: \"kubelogin\"", "command: \"./bin/kubelogin\"");
    setup.doctor().assert_only(&[("command", "FAIL", ".kube/bin/kubelogin")]);
    fs::remove_file(setup.home.path().join("bin/kubectl-login")).unwrap();
    setup.replace("command: \"./bin/kubelogin\"", &format!("command: {PLUGIN}"));
    setup.doctor().assert_only(&[("version", "WARN", "kubectl-login is not on the PATH")]);
}

#[test]
fn command_that_is_not_executable_fails() {
    let setup = Setup::aks();
    let file = setup.home.write("tools/kubelogin", "");
    setup.replace("command: \"kubectl-login\"", &format!("command: {}", file.display()));
    setup.doctor().assert_only(&[("command", "FAIL", "is not executable")]);
}

#[test]
fn other_program_of_the_same_name_is_reported() {
    let setup = Setup::aks();
    let file = setup.home.write_program("bin/kubelogin", "#!/bin/sh\n");
    setup.doctor().assert_only(&[("version", "WARN", "kubelogin on the PATH is another program: ")]);
    setup.replace("command: \"kubectl-login\"", "command: kubelogin");
    setup.doctor().assert_only(&[
        ("version", "WARN", "kubelogin on the PATH is another program"),
        ("command", "WARN", "is not this program"),
    ]);
    // A copy of the plugin is fine.
    fs::remove_file(&file).unwrap();
    copy_program(Path::new(PLUGIN), &file);
    setup.doctor().assert_only(&[]);
}

#[test]
fn v1_without_interactive_mode_fails() {
    let setup = Setup::oidc();
    setup.replace("      interactiveMode: IfAvailable\n", "");
    setup.doctor().assert_only(&[("api-version", "FAIL", "Set interactiveMode: IfAvailable")]);
}

#[test]
fn unsuitable_interactive_modes_are_reported() {
    let setup = Setup::oidc();
    for (mode, result, words) in [
        ("Never", "WARN", "the plugin then has no terminal and cannot prompt"),
        ("Always", "WARN", "a client without a terminal refuses"),
        ("Sometimes", "FAIL", "\"Sometimes\""),
    ] {
        setup.rewrite(|text| {
            let rest = text.split_once("interactiveMode: ").unwrap();
            format!("{}interactiveMode: {mode}\n{}", rest.0, rest.1.split_once('\n').unwrap().1)
        });
        setup.doctor().assert_only(&[("api-version", result, words)]);
    }
}

#[test]
fn unknown_api_version_fails() {
    let setup = Setup::aks();
    setup.replace("/v1beta1", "/v1alpha1");
    setup.doctor().assert_only(&[("api-version", "FAIL", "v1alpha1")]);
    setup.replace("apiVersion: client.authentication.k8s.io/v1alpha1\n", "provideClusterInfo: false\n");
    setup.doctor().assert_only(&[("api-version", "FAIL", "has no apiVersion")]);
}

#[test]
fn table_always_has_all_checks() {
    let setup = setup();
    setup.write("");
    let run = setup.run(&["doctor"]);
    for name in NAMES {
        assert!(run.stdout.contains(&format!(" {name} ")), "{name}: {run}");
    }
}

#[test]
fn kubectl_as_command_is_accepted() {
    let setup = Setup::aks();
    setup.home.write_program("bin/kubectl", "#!/bin/sh\n");
    setup.replace("command: \"kubectl-login\"", "command: kubectl");
    setup.replace("      args:\n", "      args:\n      - login\n");
    setup.doctor().assert_only(&[]);
    fs::remove_file(setup.home.path().join("bin/kubectl-login")).unwrap();
    setup.doctor().assert_only(&[
        ("version", "WARN", "kubectl-login is not on the PATH"),
        ("command", "FAIL", "runs a plugin that is not on the PATH"),
    ]);
}

#[test]
fn context_with_a_missing_cluster_fails() {
    let setup = Setup::aks();
    setup.replace("    cluster: sim\n", "    cluster: gone\n");
    setup.doctor().assert_only(&[
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
    report.assert_only(&[("command", "WARN", ".kube/kuberc: its credentialPluginPolicy is DenyAll")]);
    report.assert_check("command", "WARN", "--policy Allowlist --allowlist-entry command=kubectl-login");
    setup.doctor_in(&[("KUBERC", "off")]).assert_only(&[]);
    setup.doctor_in(&[("KUBECTL_KUBERC", "false")]).assert_only(&[]);
    let list = "kind: Preference\ncredentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- command: ";
    kuberc(&format!("{list}aws\n"));
    setup.doctor().assert_only(&[("command", "WARN", "it is not in its credentialPluginAllowlist")]);
    kuberc(&format!("{list}{}\n", setup.home.path().join("bin/kubectl-login").display()));
    setup.doctor().assert_only(&[]);
}

#[test]
fn flags_with_values_before_get_token_are_accepted() {
    let setup = Setup::aks();
    setup.replace(
        "- \"get-token\"\n",
        "- \"--login-hint\"\n      - \"alice@contoso.example\"\n      - \"-v\"\n      - \"1\"\n      - \"get-token\"\n",
    );
    setup.doctor().assert_only(&[("session", "FAIL", "not signed in")]);
    let login = setup.run(&["--prompt=always"]);
    assert_eq!(login.code, Some(0), "{login}");
    setup.doctor().assert_only(&[]);
    assert!(setup.run(&["status"]).stdout.contains("*sim"));

    setup.replace("\"--login-hint\"", "\"--no-such-flag\"");
    setup.doctor_with(&[], |_| {}).assert_check("entry", "FAIL", "runs this plugin without get-token");
}
