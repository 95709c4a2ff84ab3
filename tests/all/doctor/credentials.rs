//! Kubeconfig users that hold something else than this plugin, or something besides it; held against the real kubectl
//! where it decides which of them counts.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sim::{Behaviour, STATIC_TOKEN, World};

use crate::common::Run;
use crate::common::kubectl::Kubectl;
use crate::doctor::setup::Setup;

/// The line of the file on which `key` stands.
fn line(setup: &Setup, key: &str) -> usize {
    let text = std::fs::read_to_string(setup.kubeconfig()).unwrap();
    let at = text.lines().position(|line| line.trim_start().starts_with(&format!("{key}:")));
    at.expect(key) + 1
}

/// Adds keys to the user, beside its exec.
fn beside_exec(setup: &Setup, keys: &str) {
    setup.replace("    exec:\n", &format!("{keys}    exec:\n"));
}

/// The user with these keys and no exec.
fn without_exec(setup: &Setup, keys: &str) {
    setup.rewrite(|text| text.split("    exec:").next().unwrap().to_owned() + keys);
}

fn certificate(world: &World) -> String {
    let (certificate, key) = world.client_certificate();
    let packed = |pem: &str| STANDARD.encode(pem);
    format!("    client-certificate-data: {}\n    client-key-data: {}\n", packed(certificate), packed(key))
}

/// Whom the real kubectl is.
fn kubectl_whoami(setup: &Setup) -> Run {
    let mut command: Command = setup.home.program(Kubectl::find().path.to_str().unwrap());
    command.env("PATH", setup.path()).args(["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"]);
    Run::of(&mut command)
}

#[test]
fn credentials_beside_exec_fail_with_the_line_to_delete() {
    let setup = Setup::aks();
    let original = std::fs::read_to_string(setup.kubeconfig()).unwrap();
    setup.home.write("token.txt", &format!("{STATIC_TOKEN}\n"));
    let file = format!("    tokenFile: {}\n", setup.home.path().join("token.txt").display());
    let certificate = certificate(&setup.world);
    for (keys, names, user) in [
        (format!("    token: {STATIC_TOKEN}\n"), &["token"][..], "system:serviceaccount:default:ci"),
        (file, &["tokenFile"], "system:serviceaccount:default:ci"),
        ("    username: operator\n    password: basic-password\n".to_owned(), &["username", "password"], "operator"),
        (certificate, &["client-certificate-data", "client-key-data"], "masterclient"),
    ] {
        setup.write(&original);
        beside_exec(&setup, &keys);
        let real = kubectl_whoami(&setup);
        assert_eq!((real.code, real.stdout.as_str()), (Some(0), user), "{keys}: {real}");
        let report = setup.doctor();
        report.only(&[("entry", "FAIL", "kubectl does not run the plugin of the user \"clusterUser_rg_sim\"")]);
        for name in names {
            report.says("entry", "FAIL", &format!("{name} (line {})", line(&setup, name)));
        }
        report.says("entry", "FAIL", "Delete ");
        report.says("entry", "FAIL", &format!("in {}.", setup.kubeconfig().display()));
        report.says("cluster", "OK", &format!("takes kubectl for {user}"));
        report.skips(&["identity"]);
        let whole = setup.run(&["doctor"]).to_string();
        assert!(!whole.contains(STATIC_TOKEN) && !whole.contains("basic-password"), "{whole}");
    }
}

#[test]
fn impersonation_beside_exec_fails_with_the_line_to_delete() {
    let setup = Setup::aks();
    beside_exec(&setup, "    as: admin\n    as-groups:\n    - ops\n");
    let real = kubectl_whoami(&setup);
    assert_eq!((real.code, real.stdout.as_str()), (Some(0), "admin"), "{real}");
    let report = setup.doctor();
    report.only(&[("entry", "FAIL", "kubectl acts as \"admin\" for the user \"clusterUser_rg_sim\", and not as you")]);
    let lines = format!("Delete as (line {}) and as-groups (line {})", line(&setup, "as"), line(&setup, "as-groups"));
    report.says("entry", "FAIL", &lines);
    report.says("cluster", "OK", "takes kubectl for admin");
    setup.world.set(Behaviour::KubeNoImpersonation);
    setup.doctor().only(&[
        ("entry", "FAIL", "kubectl acts as"),
        ("cluster", "FAIL", "does not let kubectl act as \"admin\": users \"admin\" is forbidden"),
    ]);
}

#[test]
fn refused_token_beside_exec_is_to_be_deleted() {
    let setup = Setup::aks();
    beside_exec(&setup, "    token: wrong\n");
    let delete = format!("Delete token (line {}) from the user", line(&setup, "token"));
    let report = setup.doctor();
    report.says("entry", "FAIL", &delete);
    report.says("cluster", "FAIL", "does not accept the kubeconfig's token (HTTP 401)");
    report.says("cluster", "FAIL", &delete);
    let listed = setup.run(&["doctor"]).stdout;
    // Below each of the two checks; one step needs no list.
    assert!(listed.matches(&delete).count() == 2 && listed.ends_with("\n2 problems: entry, cluster\n"), "{listed}");
}

#[test]
fn login_warns_that_kubectl_does_not_use_it() {
    let setup = Setup::aks();
    beside_exec(&setup, "    token: a\n");
    let login = setup.run(&["sim"]);
    assert!(login.code == Some(0) && login.stdout.starts_with("Already signed in as alice"), "{login}");
    assert!(login.stderr.starts_with("Warning: kubectl does not run the plugin of the user"), "{login}");
}

#[test]
fn entries_that_kubectl_refuses_fail() {
    let setup = Setup::aks();
    let original = std::fs::read_to_string(setup.kubeconfig()).unwrap();
    for (keys, words) in [
        ("    auth-provider: {name: oidc}\n", "it has both exec and auth-provider"),
        ("    as-groups: [ops]\n", "it has as-uid, as-groups or as-user-extra, and no as"),
        ("    token: a\n    username: b\n", "it has both a token and a user name or password"),
        ("    client-certificate-data: QUJD\n", "it has a client certificate and neither client-key nor"),
    ] {
        setup.write(&original);
        beside_exec(&setup, keys);
        let real = kubectl_whoami(&setup);
        assert!(real.code == Some(1) && !real.stderr.contains("server"), "kubectl refuses {keys}: {real}");
        let report = setup.doctor();
        report.only(&[("entry", "FAIL", &format!("kubectl refuses the user \"clusterUser_rg_sim\": {words}"))]);
        report.skips(&["cluster", "identity"]);
    }
}

#[test]
fn keys_that_kubectl_passes_over_are_no_problem() {
    let setup = Setup::aks();
    beside_exec(&setup, "    token: ''\n    password: lonely\n    client-key-data: QUJD\n    as: ''\n");
    let real = kubectl_whoami(&setup);
    assert_eq!((real.code, real.stdout.as_str()), (Some(0), "alice@contoso.example"), "{real}");
    setup.doctor().only(&[]);
}

#[test]
fn user_without_a_plugin_is_no_failure_and_the_cluster_is_asked() {
    let setup = Setup::aks_without_sign_in(World::start());
    without_exec(&setup, "    token: static-token-of-the-service-account-ci\n");
    let report = setup.doctor();
    report.only(&[]);
    report.says("entry", "OK", "signs in without a plugin, by a token: token (line ");
    report.says("cluster", "OK", "takes kubectl for system:serviceaccount:default:ci, by the kubeconfig's token");
    report.says("session", "SKIP", "does not sign in with this plugin");
    report.skips(&["command", "api-version", "issuer", "token", "audience", "groups", "identity"]);
    setup.world.set(Behaviour::KubeUnauthorized);
    setup.doctor().only(&[("cluster", "FAIL", "does not accept the kubeconfig's token (HTTP 401)")]);

    let setup = Setup::aks_without_sign_in(World::start());
    without_exec(&setup, "    tokenFile: nowhere.txt\n");
    setup.doctor().only(&[("cluster", "FAIL", "tokenFile of the kubeconfig user cannot be used")]);
    setup.replace("    tokenFile: nowhere.txt", "    foo: bar");
    setup.doctor().only(&[("entry", "FAIL", "it has nothing to sign in with")]);
}

#[test]
fn refused_client_certificate_leads_to_local_accounts_and_not_back_to_kubectl() {
    let setup = Setup::aks_without_sign_in(World::start());
    without_exec(&setup, &certificate(&setup.world));
    let report = setup.doctor();
    report.only(&[]);
    report.says("cluster", "OK", "takes kubectl for masterclient, by the client certificate");
    setup.world.set(Behaviour::KubeNoCertificates);
    setup.doctor().only(&[("cluster", "FAIL", "AKS accepts none while local accounts are disabled")]);
    let run = setup.run(&["sim"]);
    run.assert_failed(1, &["it has a client certificate", "kubectl login doctor sim"]);
    assert!(!run.stderr.contains("as it is"), "{run}");
}

#[test]
fn removed_auth_provider_fails_with_its_replacement() {
    for (name, next) in [
        ("azure", "az aks get-credentials --resource-group GROUP --name CLUSTER --overwrite-existing"),
        ("gcp", "gcloud container clusters get-credentials CLUSTER"),
    ] {
        let setup = Setup::aks_without_sign_in(World::start());
        without_exec(&setup, &format!("    auth-provider: {{name: {name}, config: {{access-token: SECRET}}}}\n"));
        let report = setup.doctor();
        report.only(&[("entry", "FAIL", &format!("kubectl has no auth-provider \"{name}\" since version 1.26"))]);
        report.says("entry", "FAIL", next);
        let run = setup.run(&["sim"]);
        run.assert_failed(1, &[next]);
        assert!(!run.stderr.contains("as it is") && !run.stderr.contains("SECRET"), "{run}");
    }
    let setup = Setup::aks_without_sign_in(World::start());
    without_exec(&setup, "    auth-provider: {name: oidc}\n");
    setup.doctor().only(&[]);
}

#[test]
fn wrapper_script_is_no_failure() {
    let setup = Setup::aks();
    let script = setup.home.write_program("tools/login.sh", "#!/bin/sh\nexec kubectl-login \"$@\"\n");
    setup.replace("command: \"kubectl-login\"", &format!("command: {}", script.display()));
    let report = setup.doctor();
    report.only(&[]);
    report.says(
        "entry",
        "OK",
        "a script that mentions this plugin; with the entry's arguments it signs in by devicecode",
    );
    report.says("command", "OK", "a script that mentions this plugin");
    report.says("cluster", "OK", "takes you for alice@contoso.example");
    // The script may pass on other arguments: what follows from these is a guess.
    setup.run(&["logout", "--all"]);
    let report = setup.doctor();
    report.says("session", "WARN", "not signed in");
    assert_eq!(setup.run(&["doctor"]).code, Some(0));
}

#[test]
fn other_plugin_that_is_missing_is_not_to_be_used_as_it_is() {
    let setup = Setup::aks_without_sign_in(World::start());
    setup.replace("command: \"kubectl-login\"", "command: other-auth-plugin");
    let run = setup.run(&["sim"]);
    run.assert_failed(1, &["which is not this plugin", "Install \"other-auth-plugin\", or correct the command"]);
    assert!(!run.stderr.contains("as it is"), "{run}");
    setup.home.write_program("bin/other-auth-plugin", "");
    setup.run(&["sim"]).assert_failed(1, &["Use kubectl as it is"]);
    setup.doctor().only(&[]);
}

#[test]
fn this_plugin_without_get_token_fails() {
    let setup = Setup::aks();
    setup.replace("      - \"get-token\"\n", "");
    setup.doctor().only(&[("entry", "FAIL", "runs this plugin without get-token\nPut get-token first in exec.args")]);
}

#[test]
fn nameless_variable_in_exec_env_fails() {
    let setup = Setup::aks();
    setup.replace("      env: null\n", "      env: [{name: null, value: x}]\n");
    let real = kubectl_whoami(&setup);
    real.assert_failed(1, &["env variable name must be specified"]);
    setup.doctor().only(&[("api-version", "FAIL", "exec.env has an item without a name")]);
}
