//! `kubectl login doctor`: on working set-ups, and on broken ones, for which it has to name the cause and nothing else.

mod config;
mod credentials;
mod network;
mod setup;
mod sign_in;
mod sources;
mod store;

use crate::common;
use serde_json::Value;
use setup::{NAMES, Setup};
use sim::Behaviour;

#[test]
fn working_aks_set_up_passes() {
    let report = Setup::aks().doctor();
    report.assert_only(&[]);
    for (name, words) in [
        ("version", "on the PATH as kubectl-login"),
        ("kubeconfig", ".kube/config, context \"sim\""),
        ("entry", "the user \"clusterUser_rg_sim\" signs in with this plugin, by devicecode"),
        ("command", "kubectl-login at "),
        ("api-version", "client.authentication.k8s.io/v1beta1"),
        ("keyring", "the key file "),
        ("files", "2 records, all of which can be opened"),
        ("clock", "agrees with http://127.0.0.1:"),
        ("proxy", " directly; https://127.0.0.1:"),
        ("issuer", sim::TENANT),
        ("session", "alice@contoso.example is signed in, by devicecode; it can be refreshed"),
        ("token", "obtained without a prompt, valid for 59 min"),
        ("audience", sim::SERVER),
        ("groups", "3, all of them in the token"),
        ("server", "trusted by the kubeconfig's certificate authority"),
        ("cluster", "authenticated as alice@contoso.example"),
        ("identity", "the cluster sees all 3 groups of the token"),
    ] {
        report.assert_check(name, "OK", words);
    }
}

#[test]
fn working_oidc_set_up_passes() {
    let report = Setup::oidc().doctor();
    report.assert_only(&[]);
    report.assert_check("api-version", "OK", "client.authentication.k8s.io/v1, interactiveMode IfAvailable");
    report.assert_check("issuer", "OK", "/oidc responds");
    report.assert_check("audience", "OK", sim::OIDC_CLIENT);
}

#[test]
fn table_has_a_line_for_each_check_and_its_next_step() {
    let setup = Setup::aks();
    setup.world.set(Behaviour::KubeUnauthorized);
    let run = setup.run(&["doctor"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""), "{run}");
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.last(), Some(&"1 problem: cluster"), "{run}");
    let named: Vec<&str> = lines
        .iter()
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with(' '))
        .map(|line| line.split_whitespace().nth(1).unwrap())
        .collect();
    assert_eq!(named, NAMES, "{run}");
    let at = lines.iter().position(|line| line.starts_with("FAIL  cluster      does not accept")).expect("a failure");
    assert!(lines[at + 1].starts_with("      Next:        "), "{run}");
    assert!(lines[at + 2].starts_with("                   To get a new entry"), "{run}");
}

#[test]
fn doctor_ends_with_a_summary_and_lists_steps_in_the_order_to_try() {
    let setup = Setup::aks();
    let run = setup.run(&["doctor"]);
    assert!(run.stdout.ends_with("\n\neverything is in order\n"), "{run}");
    let (issuer, server) = (setup.world.authority(), setup.world.kube_url());
    // With another issuer, there is another session.
    setup.rewrite(|text| text.replace(&issuer, "http://127.0.0.1:1/").replace(&server, "https://127.0.0.1:1"));
    let run = setup.run(&["doctor"]);
    assert_eq!(run.code, Some(1), "{run}");
    let (_, end) = run.stdout.split_once("\nTo try, in this order:\n").expect("an order");
    let numbered: Vec<&str> = end.lines().filter(|line| line.contains(". ") && !line.starts_with(' ')).collect();
    assert!(numbered[0].starts_with("1.    issuer       Check"), "{run}");
    assert!(numbered[1].starts_with("2.    server       Check"), "{run}");
    assert!(numbered[2].starts_with("3.    session      Sign in: kubectl login sim"), "{run}");
    assert_eq!(end.lines().last(), Some("3 problems: issuer, server, session"), "{run}");
}

#[test]
fn json_has_all_checks_in_order() {
    let run = Setup::aks().run(&["doctor", "-o", "json"]);
    let whole = run.object();
    assert_eq!((whole["apiVersion"].as_str(), whole["kind"].as_str()), (Some("kubectl-login/v1"), Some("Doctor")));
    assert_eq!(whole.as_object().unwrap().len(), 3);
    let checks = whole["checks"].as_array().unwrap();
    let names: Vec<&str> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(names, NAMES);
    for check in checks {
        let keys: Vec<&String> = check.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["message", "name", "next", "result"]);
        assert!(check["next"].is_null() && check["result"] == "OK", "{check}");
    }
}

#[test]
fn yaml_equals_json() {
    let setup = Setup::aks();
    let json = setup.run(&["doctor", "-o", "json"]).object();
    let run = setup.run(&["doctor", "--output=yaml"]);
    let yaml: Value = serde_saphyr::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, yaml), (Some(0), json), "{run}");
}

#[test]
fn secrets_are_not_shown() {
    let setup = Setup::oidc();
    setup.world.set_client_secret(Some("CLIENT-SECRET"));
    let with_secret = |text: &str| {
        text.replace("device-code\"", "device-code\"\n      - \"--oidc-client-secret=CLIENT-SECRET\"\n      - \"--oidc-request-header=X-Key=HEADER-SECRET\"")
    };
    setup.rewrite(with_secret);
    setup.rewrite(|text| {
        text.replace(
            "certificate-authority-data",
            "proxy-url: http://user:PROXY-SECRET@127.0.0.1:1\n    certificate-authority-data",
        )
    });
    setup.sign_in(&["--oidc-client-secret=CLIENT-SECRET", "--oidc-request-header=X-Key=HEADER-SECRET"]);
    let secrets = setup.secrets();
    assert!(secrets.len() >= 2, "{secrets:?}");
    for words in [&["doctor"][..], &["doctor", "-o", "json"], &["doctor", "-v", "5"]] {
        let mut command = setup.command(words);
        command.env("HTTPS_PROXY", "http://user:ENVIRONMENT-SECRET@proxy.example:1");
        let run = common::Run::of(&mut command);
        let all = run.to_string();
        assert!(all.contains("proxy http") && all.contains("127.0.0.1:1 "), "{all}");
        let known = ["CLIENT-SECRET", "HEADER-SECRET", "PROXY-SECRET", "ENVIRONMENT-SECRET", "eyJ"];
        for secret in known.iter().copied().chain(secrets.iter().map(String::as_str)) {
            assert!(!all.contains(secret), "{secret}: {all}");
        }
    }
}

#[test]
fn doctor_does_not_prompt_or_change_the_session() {
    let setup = Setup::aks();
    let requests = setup.world.device_requests().len();
    setup.home.set_seconds_left(-60);
    setup.doctor().assert_only(&[]);
    setup.run(&["logout", "--all"]);
    setup.doctor().assert_check("session", "FAIL", "not signed in");
    assert_eq!(setup.world.device_requests().len(), requests);
    assert!(setup.world.authorize_requests().is_empty());
}
