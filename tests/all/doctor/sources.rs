//! Problems are attributed to the source of the value: a variable, `exec.env`, or the first of two kubeconfig files.

use sim::World;

use crate::common::Run;
use crate::doctor::setup::Setup;

const NOWHERE: &str = "99999999-0000-4000-8000-000000000000";

/// An entry without one of its flags.
fn without(flag: &str) -> Setup {
    let setup = Setup::aks_without_sign_in(World::start());
    setup.rewrite(|text| {
        let (before, rest) = text.split_once(&format!("      - \"{flag}\"\n")).unwrap();
        format!("{before}{}", rest.split_once('\n').unwrap().1)
    });
    setup
}

fn exec_env(setup: &Setup, name: &str, value: &str) {
    setup.replace("      env: null\n", &format!("      env:\n      - name: {name}\n        value: {value}\n"));
}

/// The entry's own command line, as kubectl starts it.
fn get_token(setup: &Setup, variables: &[(&str, &str)]) -> Run {
    let text = std::fs::read_to_string(setup.kubeconfig()).unwrap();
    let args = text.lines().filter_map(|line| line.strip_prefix("      - \"")?.strip_suffix('"'));
    let words: Vec<&str> = args.chain(["--prompt=always"]).collect();
    Run::of(setup.command(&words).envs(variables.iter().copied()))
}

#[test]
fn wrong_tenant_in_the_environment_names_the_variable() {
    let setup = without("--tenant-id");
    let variables = [("AZURE_TENANT_ID", "unknown.example")];
    let report = setup.doctor_in(&variables);
    report.assert_only(&[
        ("session", "FAIL", "kubectl login sim"),
        ("issuer", "FAIL", "there is no such tenant in this cloud"),
    ]);
    report.assert_check("entry", "OK", "by devicecode, with --tenant-id from AZURE_TENANT_ID");
    report.assert_check("issuer", "FAIL", "Check AZURE_TENANT_ID and --environment");
    let place = "AZURE_TENANT_ID is set in your environment and counts because exec.args has no --tenant-id.";
    report.assert_check("issuer", "FAIL", place);
    let login = Run::of(setup.command(&["sim"]).envs(variables));
    login.assert_failed(1, &["Check AZURE_TENANT_ID", place]);
    assert!(!login.stderr.contains("Check --tenant-id"), "{login}");
    let place = "AZURE_TENANT_ID is set in the environment (your shell's, or exec.env of the kubeconfig user)";
    get_token(&setup, &variables).assert_failed(1, &["Check AZURE_TENANT_ID", place]);
    let report = setup.doctor_in(&variables);
    report.assert_check("session", "FAIL", "the last try failed at 20");
    report.assert_check("session", "FAIL", "Check AZURE_TENANT_ID and --environment");
}

#[test]
fn malformed_tenant_in_the_environment_names_the_variable() {
    let setup = without("--tenant-id");
    let report = setup.doctor_in(&[("AZURE_TENANT_ID", "a b")]);
    report.assert_only(&[("entry", "FAIL", "AZURE_TENANT_ID \"a b\" is not a valid tenant")]);
    report.assert_check("entry", "FAIL", "AZURE_TENANT_ID is set in your environment");
    get_token(&setup, &[("AZURE_TENANT_ID", "a b")])
        .assert_failed(2, &["AZURE_TENANT_ID \"a b\" is not a valid tenant"]);
}

#[test]
fn wrong_client_in_exec_env_names_the_entry() {
    let setup = without("--client-id");
    exec_env(&setup, "AZURE_CLIENT_ID", NOWHERE);
    let file = setup.kubeconfig();
    let place = format!(
        "AZURE_CLIENT_ID is set in exec.env of the kubeconfig user \"clusterUser_rg_sim\" in {} and counts because",
        file.display()
    );
    let login = setup.run(&["sim"]);
    login.assert_failed(1, &["Check AZURE_CLIENT_ID and --tenant-id", &place]);
    // A flag has priority.
    let setup = Setup::aks();
    exec_env(&setup, "AZURE_CLIENT_ID", NOWHERE);
    setup.doctor().assert_only(&[]);
}

#[test]
fn wrong_method_in_a_variable_names_the_variable() {
    let setup = Setup::aks();
    let report = setup.doctor_in(&[("AAD_LOGIN_METHOD", "carrier-pigeon")]);
    report.assert_only(&[("entry", "FAIL", "AAD_LOGIN_METHOD \"carrier-pigeon\" is not a valid sign-in method")]);
    report.assert_check(
        "entry",
        "FAIL",
        "AAD_LOGIN_METHOD is set in your environment and counts for more than --login.",
    );
    exec_env(&setup, "KUBECTL_LOGIN_PROMPT", "perhaps");
    let report = setup.doctor();
    report.assert_only(&[("entry", "FAIL", "KUBECTL_LOGIN_PROMPT cannot be \"perhaps\"")]);
    report.assert_check("entry", "FAIL", "KUBECTL_LOGIN_PROMPT is set in exec.env of the kubeconfig user");
}

#[test]
fn dead_proxy_in_exec_env_names_the_entry() {
    let setup = Setup::aks_without_sign_in(World::start());
    let authority = setup.world.authority();
    setup.rewrite(|text| text.replace(&authority, "https://login.example.invalid/"));
    exec_env(&setup, "https_proxy", "http://127.0.0.1:1");
    let report = setup.doctor();
    report.assert_check(
        "proxy",
        "FAIL",
        "https_proxy is set in exec.env of the kubeconfig user \"clusterUser_rg_sim\"",
    );
}

#[test]
fn first_of_two_files_with_the_user_is_named() {
    let setup = Setup::aks();
    let second = setup.kubeconfig();
    let text = std::fs::read_to_string(&second).unwrap();
    let first = setup.home.write("first.yaml", &text.replace(sim::TENANT, "unknown.example"));
    setup.chmod(&first, 0o600);
    let list = format!("{}:{}", first.display(), second.display());
    let report = setup.doctor_in(&[("KUBECONFIG", &list)]);
    report.assert_check(
        "entry",
        "OK",
        &format!("kubectl takes this user from {}, and not from {}", first.display(), second.display()),
    );
    let correct = format!("Correct the user \"clusterUser_rg_sim\" in {}: {}", first.display(), second.display());
    report.assert_check("issuer", "FAIL", &correct);
    Run::of(setup.command(&["--force"]).env("KUBECONFIG", &list)).assert_failed(1, &[&correct]);
    setup.doctor().assert_only(&[]);
}
