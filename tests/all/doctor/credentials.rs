//! Kubeconfig users with other credentials than this plugin's, or with additional ones; compared with the real kubectl,
//! which decides which of them are used.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sim::{Behaviour, STATIC_TOKEN, World};

use crate::common::Run;
use crate::common::kubectl::Kubectl;
use crate::doctor::setup::Setup;

/// The line number of `key` in the file.
fn line(setup: &Setup, key: &str) -> usize {
    let text = std::fs::read_to_string(setup.kubeconfig()).unwrap();
    let at = text.lines().position(|line| line.trim_start().starts_with(&format!("{key}:")));
    at.expect(key) + 1
}

/// Adds keys to the user, beside its exec.
fn beside_exec(setup: &Setup, keys: &str) {
    setup.replace("    exec:\n", &format!("{keys}    exec:\n"));
}

/// Gives the user these keys instead of exec.
fn without_exec(setup: &Setup, keys: &str) {
    setup.rewrite(|text| text.split("    exec:").next().unwrap().to_owned() + keys);
}

fn certificate(world: &World) -> String {
    let (certificate, key) = world.client_certificate();
    let packed = |pem: &str| STANDARD.encode(pem);
    format!("    client-certificate-data: {}\n    client-key-data: {}\n", packed(certificate), packed(key))
}

/// The user whom the real kubectl acts as.
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
        report.assert_only(&[("entry", "FAIL", "kubectl does not run the plugin of the user \"clusterUser_rg_sim\"")]);
        for name in names {
            report.assert_check("entry", "FAIL", &format!("{name} (line {})", line(&setup, name)));
        }
        report.assert_check("entry", "FAIL", "Delete ");
        report.assert_check("entry", "FAIL", &format!("in {}.", setup.kubeconfig().display()));
        report.assert_check("cluster", "OK", &format!("authenticates kubectl as {user}"));
        report.assert_skipped(&["identity"]);
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
    report.assert_only(&[(
        "entry",
        "FAIL",
        "kubectl acts as \"admin\" for the user \"clusterUser_rg_sim\", and not as you",
    )]);
    let lines = format!("Delete as (line {}) and as-groups (line {})", line(&setup, "as"), line(&setup, "as-groups"));
    report.assert_check("entry", "FAIL", &lines);
    report.assert_check("cluster", "OK", "authenticates kubectl as admin");
    setup.world.set(Behaviour::KubeNoImpersonation);
    setup.doctor().assert_only(&[
        ("entry", "FAIL", "kubectl acts as"),
        ("cluster", "FAIL", "does not let kubectl act as \"admin\": users \"admin\" is forbidden"),
    ]);
}

#[test]
fn refused_token_beside_exec_should_be_deleted() {
    let setup = Setup::aks();
    beside_exec(&setup, "    token: wrong\n");
    let delete = format!("Delete token (line {}) from the user", line(&setup, "token"));
    let report = setup.doctor();
    report.assert_check("entry", "FAIL", &delete);
    report.assert_check("cluster", "FAIL", "does not accept the kubeconfig's token (HTTP 401)");
    report.assert_check("cluster", "FAIL", &delete);
    let listed = setup.run(&["doctor"]).stdout;
    // Below each of the two checks; a single step needs no list.
    assert!(listed.matches(&delete).count() == 2 && listed.ends_with("\n2 problems: entry, cluster\n"), "{listed}");
}

#[test]
fn login_warns_that_kubectl_does_not_use_the_plugin() {
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
        assert!(real.code == Some(1) && !real.stderr.contains("server"), "kubectl accepts {keys}: {real}");
        let report = setup.doctor();
        report.assert_only(&[("entry", "FAIL", &format!("kubectl refuses the user \"clusterUser_rg_sim\": {words}"))]);
        report.assert_skipped(&["cluster", "identity"]);
    }
}

#[test]
fn keys_that_kubectl_ignores_pass() {
    let setup = Setup::aks();
    beside_exec(&setup, "    token: ''\n    password: lonely\n    client-key-data: QUJD\n    as: ''\n");
    let real = kubectl_whoami(&setup);
    assert_eq!((real.code, real.stdout.as_str()), (Some(0), "alice@contoso.example"), "{real}");
    setup.doctor().assert_only(&[]);
}

#[test]
fn user_without_plugin_passes_and_the_cluster_is_checked() {
    let setup = Setup::aks_without_sign_in(World::start());
    without_exec(&setup, "    token: static-token-of-the-service-account-ci\n");
    let report = setup.doctor();
    report.assert_only(&[]);
    report.assert_check("entry", "OK", "signs in without a plugin, by a token: token (line ");
    report.assert_check(
        "cluster",
        "OK",
        "authenticates kubectl as system:serviceaccount:default:ci, by the kubeconfig's token",
    );
    report.assert_check("session", "SKIP", "does not sign in with this plugin");
    report.assert_skipped(&["command", "api-version", "issuer", "token", "audience", "groups", "identity"]);
    setup.world.set(Behaviour::KubeUnauthorized);
    setup.doctor().assert_only(&[("cluster", "FAIL", "does not accept the kubeconfig's token (HTTP 401)")]);

    let setup = Setup::aks_without_sign_in(World::start());
    without_exec(&setup, "    tokenFile: nowhere.txt\n");
    setup.doctor().assert_only(&[("cluster", "FAIL", "tokenFile of the kubeconfig user cannot be used")]);
    setup.replace("    tokenFile: nowhere.txt", "    foo: bar");
    setup.doctor().assert_only(&[("entry", "FAIL", "it has nothing to sign in with")]);
}

#[test]
fn refused_client_certificate_suggests_local_accounts() {
    let setup = Setup::aks_without_sign_in(World::start());
    without_exec(&setup, &certificate(&setup.world));
    let report = setup.doctor();
    report.assert_only(&[]);
    report.assert_check("cluster", "OK", "authenticates kubectl as masterclient, by the client certificate");
    setup.world.set(Behaviour::KubeNoCertificates);
    setup.doctor().assert_only(&[("cluster", "FAIL", "AKS accepts none while local accounts are disabled")]);
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
        report.assert_only(&[(
            "entry",
            "FAIL",
            &format!("kubectl has no auth-provider \"{name}\" since version 1.26"),
        )]);
        report.assert_check("entry", "FAIL", next);
        let run = setup.run(&["sim"]);
        run.assert_failed(1, &[next]);
        assert!(!run.stderr.contains("as it is") && !run.stderr.contains("SECRET"), "{run}");
    }
    let setup = Setup::aks_without_sign_in(World::start());
    without_exec(&setup, "    auth-provider: {name: oidc}\n");
    setup.doctor().assert_only(&[]);
}

#[test]
fn wrapper_script_passes() {
    let setup = Setup::aks();
    let script = setup.home.write_program("tools/login.sh", "#!/bin/sh\nexec kubectl-login \"$@\"\n");
    setup.replace("command: \"kubectl-login\"", &format!("command: {}", script.display()));
    let report = setup.doctor();
    report.assert_only(&[]);
    report.assert_check(
        "entry",
        "OK",
        "a script that mentions this plugin; with the entry's arguments it signs in by devicecode",
    );
    report.assert_check("command", "OK", "a script that mentions this plugin");
    report.assert_check("cluster", "OK", "authenticated as alice@contoso.example");
    // The script may pass other arguments, so findings about these are uncertain.
    setup.run(&["logout", "--all"]);
    let report = setup.doctor();
    report.assert_check("session", "WARN", "not signed in");
    assert_eq!(setup.run(&["doctor"]).code, Some(0));
}

#[test]
fn missing_other_plugin_fails() {
    let setup = Setup::aks_without_sign_in(World::start());
    setup.replace("command: \"kubectl-login\"", "command: other-auth-plugin");
    let run = setup.run(&["sim"]);
    run.assert_failed(1, &["which is not this plugin", "Install \"other-auth-plugin\", or correct the command"]);
    assert!(!run.stderr.contains("as it is"), "{run}");
    setup.home.write_program("bin/other-auth-plugin", "");
    setup.run(&["sim"]).assert_failed(1, &["Use kubectl as it is"]);
    setup.doctor().assert_only(&[]);
}

#[test]
fn this_plugin_without_get_token_fails() {
    let setup = Setup::aks();
    setup.replace("      - \"get-token\"\n", "");
    setup.doctor().assert_only(&[(
        "entry",
        "FAIL",
        "runs this plugin without get-token\nPut get-token first in exec.args",
    )]);
}

#[test]
fn nameless_variable_in_exec_env_fails() {
    let setup = Setup::aks();
    setup.replace("      env: null\n", "      env: [{name: null, value: x}]\n");
    let real = kubectl_whoami(&setup);
    real.assert_failed(1, &["env variable name must be specified"]);
    setup.doctor().assert_only(&[("api-version", "FAIL", "exec.env has an item without a name")]);
}
