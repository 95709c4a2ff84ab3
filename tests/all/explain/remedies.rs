//! The suggested commands for an administrator: the real kubectl accepts them, and they give the requested access.

use std::process::Command;

use serde_json::{Value, json};

use super::Case;
use crate::common::kubectl::Kubectl;
use crate::common::{Run, in_parallel};

/// Denied questions, and how a role for them is created.
const QUESTIONS: &[(&[&str], Made)] = &[
    (&["list", "pods"], Made::Bound),
    (&["*", "*"], Made::Bound),
    (&["*", "*.*", "-A"], Made::Bound),
    (&["get", "secrets/one"], Made::ByFlags),
    (&["create", "pods/exec"], Made::ByFlags),
    (&["create", "configmaps/one"], Made::ByFlags),
    (&["deletecollection", "configmaps"], Made::ByFlags),
    (&["proxy", "services/web"], Made::ByFlags),
    (&["patch", "deploy", "--subresource=scale"], Made::ByFlags),
    (&["list", "wd", "-A"], Made::ByFlags),
    (&["watch", "nodes"], Made::ByFlags),
    (&["get", "ns/prod"], Made::ByFlags),
    (&["get", "*"], Made::ByFlags),
    (&["get", "*.*"], Made::ByFlags),
    (&["get", "*.apps", "-A"], Made::ByFlags),
    (&["get", "*.*", "--subresource=scale"], Made::ByFlags),
    (&["*", "secrets"], Made::ByFlags),
    (&["bind", "clusterroles/view"], Made::ByFlags),
    (&["escalate", "roles"], Made::ByFlags),
    (&["impersonate", "users/bob"], Made::ByFlags),
    (&["impersonate", "groups"], Made::ByFlags),
    (&["impersonate", "sa"], Made::ByFlags),
    (&["impersonate", "userextras.authentication.k8s.io", "--subresource=scopes"], Made::ByFlags),
    (&["get", "/metrics"], Made::ByFlags),
    (&["post", "/debug/*"], Made::ByFlags),
    (&["*", "/metrics"], Made::ByFlags),
    (&["use", "services"], Made::ByManifest),
    (&["bind", "secrets"], Made::ByManifest),
    (&["escalate", "deploy", "-A"], Made::ByManifest),
    (&["impersonate", "uids"], Made::ByManifest),
    (&["impersonate", "services/web"], Made::ByManifest),
    (&["sign", "configmaps"], Made::ByManifest),
    (&["list", "users"], Made::ByManifest),
    (&["get", "/a*b"], Made::ByManifest),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    /// An existing role is bound.
    Bound,
    /// `kubectl create role` creates one.
    ByFlags,
    /// kubectl cannot create one from flags, so there is a manifest.
    ByManifest,
}

/// The object that kubectl creates with a suggested command.
fn made(case: &Case, kubectl: &Kubectl, command: &str) -> Value {
    let validation = if command.contains(" apply ") { " --validate=false" } else { "" };
    let mut shell: Command = case.home.program("sh");
    let path = format!("{}:/usr/bin:/bin", kubectl.path.parent().unwrap().display());
    shell.env("PATH", path).args(["-c", &format!("{command}{validation} --dry-run=client -o json")]);
    let run = Run::of(&mut shell);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{command}: {run}");
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn suggested_commands_work_in_kubectl_and_give_access() {
    in_parallel(QUESTIONS.chunks(9), ask);
}

/// Asks these questions in one cluster, one after the other.
fn ask(questions: &[(&[&str], Made)]) {
    let (case, kubectl) = (Case::aks(&[]), Kubectl::find());
    let everything = json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] });
    case.world.apply(json!({ "kind": "ClusterRole", "metadata": { "name": "cluster-admin" }, "rules": [everything] }));
    for (words, made_by) in questions {
        let lines = case.lines(words);
        assert!(lines[0].starts_with("You may not "), "{lines:?}");
        let printed = |line: &String| {
            let rest = line.strip_prefix("A cluster administrator would type: ").or(line.strip_prefix("and then: "))?;
            Some(rest.to_owned())
        };
        let commands: Vec<String> = lines.iter().filter_map(printed).collect();
        let is_made_by = match commands.first().map(String::as_str) {
            Some(first) if first.starts_with("echo ") => Made::ByManifest,
            Some(first) if first.starts_with("kubectl create ") && commands.len() == 2 => Made::ByFlags,
            Some(first) if first.starts_with("kubectl create ") => Made::Bound,
            _ => panic!("{words:?}: {lines:?}"),
        };
        assert_eq!(is_made_by, *made_by, "{words:?}: {commands:?}");
        let objects: Vec<Value> = commands.iter().map(|command| made(&case, &kubectl, command)).collect();
        case.world.apply(Value::from(objects.clone()));
        assert_eq!(case.record(words)["allowed"], true, "{words:?}: {objects:?}");
        // Removes the objects before the next question.
        for mut object in objects {
            object["subjects"] = Value::Null;
            object["rules"] = Value::Null;
            case.world.apply(object);
        }
        case.world.apply(json!([
            super::role("", "view", &["get", "list", "watch"], "", &["pods", "pods/log"]),
            { "kind": "ClusterRole", "metadata": { "name": "cluster-admin" }, "rules": [everything] },
        ]));
    }
}
