//! Objects of a question: types by all their names, subresources, single objects, paths, namespaces.

use std::process::Command;

use serde_json::json;
use sim::{ALICE, Behaviour};

use super::{Case, role};
use crate::common::kubectl::Kubectl;

/// The arguments, and the expected decision. kubectl is asked the same.
const QUESTIONS: &[(&[&str], &str)] = &[
    (&["list", "pods"], "You may list pods in namespace dev."),
    (&["list", "po"], "You may list pods in namespace dev."),
    (&["get", "pods/log"], "You may get pods/log in namespace dev."),
    (&["create", "pods/exec"], "You may not create pods/exec in namespace dev."),
    (&["get", "pods/web"], "You may get pods \"web\" in namespace dev."),
    (&["list", "deployments.apps"], "You may list deployments.apps in namespace dev."),
    (&["list", "deploy"], "You may list deployments.apps in namespace dev."),
    (&["patch", "deployments/scale"], "You may not patch deployments.apps/scale in namespace dev."),
    (&["list", "widgets.example.com"], "You may list widgets.example.com in namespace dev."),
    (&["list", "wd"], "You may list widgets.example.com in namespace dev."),
    (&["list", "wd", "-n", "prod"], "You may not list widgets.example.com in namespace prod."),
    (&["list", "pods", "-n", "prod"], "You may list pods in namespace prod."),
    (&["list", "pods", "-A"], "You may list pods in all namespaces."),
    (&["list", "widgets.example.com", "-A"], "You may not list widgets.example.com in all namespaces."),
    (&["list", "nodes"], "You may not list nodes."),
    (&["list", "namespaces"], "You may list namespaces."),
    (&["list", "secrets"], "You may not list secrets in namespace dev."),
    (&["*", "*"], "You may not do everything with everything in namespace dev."),
    (&["*", "*", "-n", "core"], "You may do everything with everything of the core group in namespace core."),
    (&["get", "pods", "--subresource=log"], "You may get pods/log in namespace dev."),
    (&["get", "pods/log", "--subresource=log"], "You may get pods/log \"log\" in namespace dev."),
    (&["create", "pods/web", "--subresource", "exec"], "You may not create pods/exec \"web\" in namespace dev."),
    (&["impersonate", "users"], "You may not impersonate users."),
    (&["get", "/healthz"], "You may get /healthz."),
    (&["get", "/metrics"], "You may not get /metrics."),
];

fn case() -> Case {
    let case = Case::aks(&[]);
    case.world.apply(json!([
        { "kind": "ClusterRole", "metadata": { "name": "health" },
          "rules": [{ "verbs": ["get"], "nonResourceURLs": ["/healthz", "/healthz/*"] }] },
        role("", "namespaces", &["list"], "", &["namespaces"]),
        role("", "deployments", &["list"], "apps", &["deployments"]),
        role("", "widgets", &["*"], "example.com", &["widgets"]),
        role("", "core", &["*"], "", &["*"]),
    ]));
    case.bind("core", "core", "core", "User", ALICE);
    for name in ["health", "namespaces", "view"] {
        case.bind(name, "", name, "User", ALICE);
    }
    for name in ["deployments", "widgets"] {
        case.bind(name, "dev", name, "User", ALICE);
    }
    case
}

#[test]
fn questions_are_parsed_as_by_kubectl() {
    let (case, kubectl) = (case(), Kubectl::find());
    for (words, answer) in QUESTIONS {
        assert_eq!(case.decision(words), *answer, "{words:?}");
        let mut command: Command = case.home.program(kubectl.path.to_str().unwrap());
        // In kubectl, the part after the slash is an object's name.
        let (resource, subresource) = match words[1].split_once('/') {
            Some((kind, sub @ ("log" | "exec" | "scale"))) if words.len() == 2 => {
                (kind, Some(format!("--subresource={sub}")))
            }
            _ => (words[1], None),
        };
        command.args(["auth", "can-i", words[0], resource]).args(subresource).args(&words[2..]);
        let can = command.output().unwrap();
        let said = String::from_utf8(can.stdout).unwrap();
        let expected = if answer.contains("may not") { "no" } else { "yes" };
        assert!(said.starts_with(expected), "{words:?}: {said} {}", String::from_utf8_lossy(&can.stderr));
    }
}

#[test]
fn json_names_the_type_as_the_api_does() {
    let case = case();
    let of = |words: &[&str]| {
        let record = case.record(words);
        let resource = &record["resource"];
        ["group", "resource", "subresource", "namespace", "name"]
            .map(|field| resource[field].as_str().unwrap().to_owned())
    };
    assert_eq!(of(&["list", "wd"]), ["example.com", "widgets", "", "dev", ""]);
    assert_eq!(of(&["get", "pod/web/log", "-n", "prod"]), ["", "pods", "log", "prod", "web"]);
    assert_eq!(of(&["list", "nodes"]), ["", "nodes", "", "", ""]);
    assert_eq!(of(&["list", "deploy", "-A"]), ["apps", "deployments", "", "", ""]);
    let record = case.record(&["get", "/healthz"]);
    assert_eq!((&record["path"], record.get("resource")), (&json!("/healthz"), None));
}

#[test]
fn unknown_type_is_used_as_typed_with_a_note() {
    let case = case();
    case.assert_lines(
        &["list", "gadgets"],
        &[
            "You may not list gadgets in namespace dev.",
            "The cluster seems to have no resource type \"gadgets\"; it was asked as typed.",
            "No binding gives it to you.",
            "Check the spelling; what the cluster has: kubectl api-resources",
            "If it is right, ask a cluster administrator for a binding.",
        ],
    );
}

#[test]
fn kubectl_commands_suggest_verbs() {
    let case = case();
    let last = |words: &[&str]| case.lines(words).pop().unwrap();
    assert_eq!(
        last(&["exec", "pods", "-n", "prod"]),
        "What kubectl exec needs: kubectl login whoami --explain create pods/exec -n prod"
    );
    assert_eq!(
        last(&["describe", "deploy"]),
        "What kubectl describe needs: kubectl login whoami --explain get deployments.apps -n dev"
    );
    assert!(case.lines(&["frobnicate", "pods"]).contains(&"Kubernetes itself has no verb \"frobnicate\".".to_owned()));
}

#[test]
fn star_means_the_core_group_and_suggests_all_groups() {
    let case = case();
    let lines = case.lines(&["*", "*", "-n", "core"]);
    assert_eq!(lines.last().unwrap(), "For the types of all groups: kubectl login whoami --explain '*' '*.*' -n core");
    let all = case.decision(&["*", "*.*", "-n", "core"]);
    assert_eq!(all, "You may not do everything with everything in namespace core.");
}

#[test]
fn unknown_verb_suggests_a_known_one() {
    let case = case();
    for (words, meant) in [
        (&["GET", "pods/web"][..], "Kubernetes calls that get: kubectl login whoami --explain get pods/web -n dev"),
        (&["POST", "pods", "-A"], "Kubernetes calls that create: kubectl login whoami --explain create pods -A"),
        (&["List", "nodes"], "Kubernetes calls that list: kubectl login whoami --explain list nodes"),
        (&["GET", "/healthz"], "Kubernetes calls that get: kubectl login whoami --explain get /healthz"),
        (&["list", "/metrics"], "Kubernetes calls that get: kubectl login whoami --explain get /metrics"),
        (&["create", "/metrics"], "Kubernetes calls that post: kubectl login whoami --explain post /metrics"),
    ] {
        let lines = case.lines(words);
        assert_eq!(lines.last().unwrap(), meant);
        assert!(lines[1].contains(&format!("no verb {:?}", words[0])), "{lines:?}");
    }
    for words in [["frobnicate", "pods"], ["frobnicate", "/metrics"]] {
        let lines = case.lines(&words);
        assert!(lines.last().unwrap().starts_with("Check the verb."), "{lines:?}");
    }
}

#[test]
fn invalid_subresource_is_a_usage_error() {
    let case = case();
    case.run(&["get", "/healthz", "--subresource=log"])
        .assert_failed(2, &["the path \"/healthz\" has no subresources"]);
    case.run(&["get", "pods/web/log", "--subresource=exec"]).assert_failed(2, &["pods/web/log"]);
    case.home.run(&["whoami", "--subresource", "log"]).assert_failed(2, &["--explain"]);
}

#[test]
fn default_namespace_is_used_without_one_in_the_context() {
    let case = case();
    let kubeconfig = case.home.path().join(".kube/config");
    let text = std::fs::read_to_string(&kubeconfig).unwrap();
    std::fs::write(&kubeconfig, text.replace("    namespace: dev\n", "")).unwrap();
    assert_eq!(case.decision(&["list", "wd"]), "You may not list widgets.example.com in namespace default.");
    assert_eq!(case.decision(&["list", "wd", "-n", ""]), "You may not list widgets.example.com in namespace default.");
}

#[test]
fn other_context_uses_its_cluster() {
    let (case, other) = (case(), Case::aks(&[Behaviour::KubeAzureDenies]));
    let kubeconfig = std::fs::read_to_string(other.home.path().join(".kube/config")).unwrap();
    let renamed = kubeconfig.replace("cluster: sim\n", "cluster: far\n").replace("name: sim\n", "name: far\n");
    let file = other.home.write("far", &renamed);
    let run = other.home.run(&["whoami", "far", "--kubeconfig", file.to_str().unwrap(), "--explain", "list", "pods"]);
    assert!(run.stdout.contains("Azure RBAC decides it here"), "{run}");
    assert_eq!(case.decision(&["list", "pods"]), "You may list pods in namespace dev.");
}
