//! The real kubectl works with the world's kubeconfigs and its API. Skipped if kubectl is not installed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use crate::client::post;
use serde_json::json;
use sim::{OIDC_CLIENT, World, isolate};

fn kubectl(home: &Path, args: &[&str]) -> Option<Output> {
    let mut command = Command::new("kubectl");
    isolate(&mut command, home).env("KUBECONFIG", home.join("config.yaml")).args(args);
    command.output().ok()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn kubectl_lists_pod_and_user() {
    let world = World::start();
    let home = tempfile::tempdir().expect("a temporary folder");
    let fields = [("client_id", OIDC_CLIENT), ("scope", "openid")];
    let device = post(&world, &format!("{}/device", world.issuer()), &fields).json();
    world.approve_pending();
    world.advance(Duration::from_secs(1));
    let grant_type = "urn:ietf:params:oauth:grant-type:device_code";
    let code = device["device_code"].as_str().unwrap_or_default();
    let fields = [("client_id", OIDC_CLIENT), ("grant_type", grant_type), ("device_code", code)];
    let tokens = post(&world, &format!("{}/token", world.issuer()), &fields).json();

    // The smallest possible exec plugin: a file and a program that prints it.
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": { "token": tokens["id_token"] },
    });
    let file = home.path().join("credential.json");
    fs::write(&file, credential.to_string()).expect("a file");
    let args = [file.to_str().expect("a plain path")];
    let config = world.kubeconfig("cat", &args, "client.authentication.k8s.io/v1");
    fs::write(home.path().join("config.yaml"), config).expect("a file");

    let Some(pods) = kubectl(home.path(), &["get", "pods"]) else { return };
    let pods = stdout(&pods);
    assert!(pods.starts_with("NAME") && pods.contains("hello"), "{pods}");
    for args in [&["get", "--raw", "/healthz"][..], &["version"], &["get", "pods", "-A"], &["get", "ns"]] {
        stdout(&kubectl(home.path(), args).expect("kubectl runs"));
    }
    let whoami = stdout(&kubectl(home.path(), &["auth", "whoami"]).expect("kubectl runs"));
    assert!(whoami.contains(sim::ALICE) && whoami.contains("group-3"), "{whoami}");

    world.apply(json!([
        { "kind": "ClusterRole", "metadata": { "name": "view" }, "rules": [
            { "verbs": ["list"], "apiGroups": ["", "example.com"], "resources": ["pods", "widgets", "pods/log"] },
            { "verbs": ["get"], "nonResourceURLs": ["/metrics"] },
        ] },
        { "kind": "ClusterRoleBinding", "metadata": { "name": "viewers" },
          "roleRef": { "kind": "ClusterRole", "name": "view" },
          "subjects": [{ "kind": "Group", "name": "group-3" }] },
    ]));
    for (asked, response) in [
        ("list pods", "yes"),
        ("list wd", "yes"),
        ("list pods --subresource=log", "yes"),
        ("get /metrics", "yes"),
        ("delete pods", "no"),
        ("list deploy", "no"),
    ] {
        let args: Vec<&str> = ["auth", "can-i"].into_iter().chain(asked.split(' ')).collect();
        let output = kubectl(home.path(), &args).expect("kubectl runs");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), response, "{asked}: {output:?}");
    }
    let bindings = stdout(&kubectl(home.path(), &["get", "clusterrolebindings"]).expect("kubectl runs"));
    assert!(bindings.contains("viewers"), "{bindings}");
    let role = stdout(&kubectl(home.path(), &["get", "clusterrole", "view", "-o", "json"]).expect("kubectl runs"));
    assert!(role.contains("/metrics"), "{role}");

    fs::write(&file, credential.to_string().replace("\"token\":\"", "\"token\":\"x")).expect("a file");
    let refused = kubectl(home.path(), &["get", "pods"]).expect("kubectl runs");
    assert!(!refused.status.success());
}

#[test]
fn kubectl_reads_kubeconfigs() {
    let world = World::start();
    let home = tempfile::tempdir().expect("a temporary folder");
    for config in [world.aks_kubeconfig("kubectl-login"), world.oidc_kubeconfig("C:\\a b\\kubectl-login.exe")] {
        fs::write(home.path().join("config.yaml"), &config).expect("a file");
        let args = ["config", "view", "--minify", "-o", "jsonpath={.users[0].user.exec.args[0]}"];
        let Some(view) = kubectl(home.path(), &args) else { return };
        assert_eq!(stdout(&view), "get-token", "{config}");
    }
}
