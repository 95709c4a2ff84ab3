//! The version of the output if the client does not send `KUBERNETES_EXEC_INFO`: the one in the kubeconfig entry.

use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};
use sim::World;

use crate::common::{ALWAYS, Home, PLUGIN, Run, V1, V1BETA1, entra, oidc};

/// A kubeconfig with these users: command, arguments, version.
fn kubeconfig(entries: &[(&str, &[String], &str)]) -> String {
    let users = entries.iter().enumerate().map(|(at, (command, args, version))| {
        json!({ "name": at.to_string(), "user": { "exec": { "apiVersion": version, "command": command, "args": args } } })
    });
    json!({ "apiVersion": "v1", "kind": "Config", "users": users.collect::<Vec<Value>>() }).to_string()
}

/// The version of the output.
#[track_caller]
fn version(command: &mut Command) -> String {
    let run = Run::of(command);
    assert_eq!(run.stderr, "", "{run}");
    run.credential()["apiVersion"].as_str().unwrap().to_owned()
}

fn words(start: &[&str], args: &[String]) -> Vec<String> {
    start.iter().map(|word| (*word).to_owned()).chain(args.iter().cloned()).collect()
}

#[test]
fn own_entry_decides_without_exec_info() {
    let (world, home) = (World::start(), Home::new());
    let (args, other) = (entra(&world, &[]), oidc(&world, &[]));
    home.run(&entra(&world, &ALWAYS)).token();
    let short = "kubectl-login";
    let by_kubectl = words(&["login"], &args);
    let by_name: (&str, &[String], &str) = (short, &args, V1);
    for (entries, expected) in [
        (vec![by_name], V1),
        (vec![(PLUGIN, &args[..], V1)], V1),
        (vec![("kubelogin", &args, V1)], V1),
        (vec![("/opt/a-wrapper", &args, V1)], V1),
        (vec![("kubectl", &by_kubectl, V1)], V1),
        (vec![(short, &other, V1), (short, &args, V1BETA1)], V1BETA1),
        (vec![(short, &other, V1)], V1BETA1),
        (vec![by_name, by_name], V1),
        (vec![by_name, (short, &args, V1BETA1)], V1BETA1),
        (vec![by_name, (PLUGIN, &args, V1BETA1)], V1BETA1),
        (vec![("kubelogin", &args, V1BETA1), by_name], V1),
        (vec![(short, &args, "client.authentication.k8s.io/v1alpha1")], V1BETA1),
    ] {
        home.write(".kube/config", &kubeconfig(&entries));
        assert_eq!(version(&mut home.plugin(&args)), expected, "{entries:?}");
    }

    // The client's information has priority.
    home.write(".kube/config", &kubeconfig(&[by_name]));
    let info = json!({ "apiVersion": V1BETA1 }).to_string();
    assert_eq!(version(home.plugin(&args).env("KUBERNETES_EXEC_INFO", info)), V1BETA1);
    assert_eq!(version(home.plugin(&args).env("KUBERNETES_EXEC_INFO", "{}")), V1);
}

#[test]
fn entry_is_looked_up_in_each_file_and_under_each_name() {
    let (world, home) = (World::start(), Home::new());
    let args = words(&["-v1"], &entra(&world, &[]));
    home.run(&entra(&world, &ALWAYS)).token();
    let link = home.path().join("kubectl-oidc_login");
    symlink(PLUGIN, &link).unwrap();
    let one = home.write("one", &kubeconfig(&[]));
    let two = home.write("two", &kubeconfig(&[("kubectl", &words(&["oidc-login"], &args), V1)]));
    let list = std::env::join_paths([&one, &home.path().join("missing"), &two]).unwrap();
    let run = |list: &std::ffi::OsStr| {
        let mut command = home.program(link.to_str().unwrap());
        let mut run = Run::of(command.args(&args).env("KUBECONFIG", list));
        // Ignores the logs of -v1.
        run.stderr.clear();
        run.credential()["apiVersion"].clone()
    };
    assert_eq!(run(&list), V1);
    assert_eq!(run(two.as_os_str()), V1);
    assert_eq!(run(one.as_os_str()), V1BETA1);
}

#[test]
fn unusable_kubeconfig_is_ignored() {
    let (world, home) = (World::start(), Home::new());
    let args = entra(&world, &[]);
    home.run(&entra(&world, &ALWAYS)).token();
    for text in ["users: [", "\u{0}", "[]", ""] {
        home.write(".kube/config", text);
        assert_eq!(version(&mut home.plugin(&args)), V1BETA1, "{text}");
    }
    let pipe = home.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(version(home.plugin(&args).env("KUBECONFIG", &pipe)), V1BETA1);
    assert_eq!(version(home.plugin(&args).env("KUBECONFIG", home.path())), V1BETA1);
}
