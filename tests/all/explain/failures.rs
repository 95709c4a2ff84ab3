//! Failures without an explanation, and text that must never be printed.

use serde_json::{Value, json};
use sim::{ALICE, Behaviour, World};

use super::{Case, binding, role};
use crate::common::{Home, entra};

#[test]
fn unavailable_cluster_gives_no_explanation() {
    for (behaviour, words) in [
        (Behaviour::KubeDown, "HTTP 503"),
        (Behaviour::KubeStalls, "did not answer in time"),
        (Behaviour::KubeHtml, "is not a Kubernetes API server"),
        (Behaviour::KubeUnauthorized, "does not accept the token (HTTP 401)"),
    ] {
        let case = Case::aks(&[behaviour]);
        case.home.shorten_limits(4);
        for output in ["table", "json"] {
            let run = case.run(&["list", "pods", "-o", output]);
            run.assert_failed(1, &["Error: cannot ask the cluster who you are: ", words, "Next:"]);
            assert!(run.stderr.contains(&case.world.kube_url()), "the server is missing: {run}");
        }
    }
    // Without --explain it is a warning.
    let case = Case::aks(&[Behaviour::KubeDown]);
    let run = case.home.run(&["whoami"]);
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn unreachable_api_server_is_named() {
    let case = Case::aks(&[]);
    let Case { world, home } = case;
    let url = world.kube_url();
    let kubeconfig = home.path().join(".kube/config");
    let text = std::fs::read_to_string(&kubeconfig).unwrap();
    // The discard port has no listener.
    std::fs::write(&kubeconfig, text.replace(&url, "https://127.0.0.1:9")).unwrap();
    let run = home.run(&["whoami", "--explain", "list", "pods"]);
    run.assert_failed(1, &["https://127.0.0.1:9 cannot be reached", "VPN"]);
}

#[test]
fn missing_session_is_an_error() {
    let case = Case::new(World::start(), sim::CLIENT);
    let run = case.run(&["list", "pods"]);
    run.assert_failed(3, &["Error: not signed in for the context \"sim\"", "Next:  Sign in: kubectl login sim"]);
    assert!(case.world.requests().is_empty(), "there were requests: {:?}", case.world.requests());
}

#[test]
fn invalid_question_is_a_usage_error_before_any_request() {
    let case = Case::aks(&[]);
    case.world.reset_requests();
    for (words, said) in [
        (&["--explain", "list"][..], "--explain"),
        (&["--explain", "", "pods"], "\"\" is not a valid verb"),
        (&["--explain", "list pods", "pods"], "\"list pods\" is not a valid verb"),
        (&["--explain", "list", ""], "\"\" is not a valid resource"),
        (&["--explain", "list", "pods/a/b/c"], "\"pods/a/b/c\" is not a valid resource"),
        (&["-n", "dev"], "--explain"),
        (&["-A"], "--explain"),
        (&["--explain", "list", "pods", "-A", "-n", "dev"], "--namespace"),
    ] {
        let run = case.home.run(&[&["whoami"], words].concat());
        run.assert_failed(2, &["Error: ", "Next:", said]);
    }
    assert!(case.world.requests().is_empty(), "{:?}", case.world.requests());
}

#[test]
fn explanation_always_exits_with_0() {
    let case = Case::aks(&[]);
    let run = case.run(&["delete", "nodes"]);
    run.assert_silent_success();
}

#[test]
fn terminal_escapes_are_not_printed() {
    let world = World::start();
    let case = Case::signed_in(world, sim::CLIENT);
    let evil = "e\u{1b}[2Jvil\u{7}\u{202e}\r\n";
    case.world.apply(json!([
        role("", "odd", &["list", evil], "", &["pods", evil]),
        binding(evil, "", ("ClusterRole", "odd"), &[("Group", evil), ("User", ALICE)]),
        binding(&format!("gone {evil}"), "dev", ("Role", &format!("gone {evil}")), &[("User", ALICE)]),
        role("dev", "cleaner", &["delete"], "", &["pods"]),
        binding(&format!("others {evil}"), "dev", ("Role", "cleaner"), &[("Group", evil), ("User", evil)]),
    ]));
    let acts = |c: &char| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c);
    for words in [
        &["list", "pods"][..],
        &["delete", "pods"],
        &["get", &format!("pods/{evil}")],
        &["get", &format!("/healthz{evil}")],
        &["list", "pods", "-n", evil],
        &[&evil.replace("\r\n", ""), "pods"],
    ] {
        for output in ["table", "json"] {
            let run = case.run(&[words, &["-o", output]].concat());
            let shown = format!("{}{}", run.stdout, run.stderr);
            assert!(shown.contains("vil"), "it is shown in another form: {run}");
            assert_eq!(shown.chars().find(acts), None, "{words:?}: {shown:?}");
            if output == "json" && run.code == Some(0) {
                assert_eq!(run.stdout.lines().count(), 1, "{run}");
                serde_json::from_str::<Value>(&run.stdout).unwrap();
            }
        }
    }
    let lines = case.lines(&["list", "pods"]);
    assert!(lines[1].starts_with("ClusterRoleBinding e") && lines[1].contains("Its rule: list, e"), "{lines:?}");
    let lines = case.lines(&["delete", "pods"]);
    assert!(lines.iter().any(|line| line.starts_with("- RoleBinding others e")), "one line each: {lines:?}");
}

#[test]
fn secrets_are_not_printed() {
    let world = World::start();
    world.set_groups(250);
    let case = Case::signed_in(world, sim::OWN_CLIENT);
    let run = case.home.run(&["whoami", "-v", "9", "--refresh", "--explain", "list", "pods"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(run.stderr.contains("selfsubjectaccessreviews"), "the log is missing: {run}");
    let mut secrets: Vec<String> = Vec::new();
    for request in case.world.requests() {
        secrets.extend(request.header("authorization").strip_prefix("Bearer ").map(str::to_owned));
        secrets.extend(["refresh_token", "device_code"].map(|field| request.field(field).to_owned()));
    }
    secrets.push(case.home.run(&entra(&case.world, &["--client-id", sim::OWN_CLIENT])).token());
    secrets.retain(|secret| !secret.is_empty());
    assert!(secrets.len() > 5, "{secrets:?}");
    for secret in secrets {
        assert!(!format!("{run}").contains(&secret), "{secret} is in {run}");
    }
}

#[test]
fn missing_kubeconfig_is_an_error() {
    let run = Home::new().run(&["whoami", "--explain", "list", "pods"]);
    run.assert_failed(1, &["there is no kubeconfig"]);
}
