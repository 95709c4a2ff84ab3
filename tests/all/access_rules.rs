//! The conclusions from roles and bindings match the simulated cluster's own decisions, for many kinds of access.

use std::cell::Cell;

use crate::api_server::{api, cluster};
use crate::common::{Home, entra};
use kubectl_login_core::kube::access::{AccessQuestion, explain};
use kubectl_login_core::kube::rbac::Requester;
use kubectl_login_core::kube::review::who_am_i;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use sim::World;

/// A role or cluster role with a rule for objects and possibly one for paths.
fn role() -> impl Strategy<Value = Value> {
    let some = |from: &'static [&'static str], least| subsequence(from, least..=from.len());
    let rule = (
        some(&["get", "list", "delete", "*"], 1),
        some(&["", "apps", "*"], 1),
        some(&["pods", "pods/log", "deployments", "*/scale", "nodes", "namespaces", "*"], 1),
        prop_oneof![Just(Vec::new()), some(&["web", "prod"], 0)],
    );
    let paths = some(&["/healthz", "/healthz/*", "*"], 0);
    (rule, paths, select(&["ClusterRole", "Role"][..]), 0..4).prop_map(|((verbs, groups, resources, names), urls, kind, name)| {
        json!({
            "kind": kind, "metadata": { "name": format!("r{name}"), "namespace": if kind == "Role" { "dev" } else { "" } },
            "rules": [
                { "verbs": verbs, "apiGroups": groups, "resources": resources, "resourceNames": names },
                { "verbs": verbs, "nonResourceURLs": urls },
            ],
        })
    })
}

fn binding() -> impl Strategy<Value = Value> {
    let subject = select(vec![
        ("User", sim::ALICE),
        ("User", "bob"),
        ("Group", "ours"),
        ("Group", "theirs"),
        ("Group", "system:authenticated"),
        ("ServiceAccount", "ci"),
    ]);
    let subjects = proptest::collection::vec(subject, 1..4);
    (select(&["", "dev", "prod"][..]), select(&["ClusterRole", "Role"][..]), 0..5, subjects, 0..4).prop_map(
        |(namespace, role, of, subjects, name)| {
            let kind = if namespace.is_empty() { "ClusterRoleBinding" } else { "RoleBinding" };
            let role = if namespace.is_empty() { "ClusterRole" } else { role };
            let subjects: Vec<_> = subjects.iter().map(|(kind, name)| json!({ "kind": kind, "name": name })).collect();
            json!({
                "kind": kind, "metadata": { "name": format!("b{name}"), "namespace": namespace },
                "roleRef": { "kind": role, "name": format!("r{of}") }, "subjects": subjects,
            })
        },
    )
}

/// Replaces the bindings of an earlier case by bindings without subjects.
fn without_subjects() -> Value {
    let numbered = |place: usize| (0..4).map(move |number| (["", "dev", "prod"][place], format!("b{number}")));
    let empty = |(namespace, name): (&str, String)| {
        let kind = if namespace.is_empty() { "ClusterRoleBinding" } else { "RoleBinding" };
        json!({ "kind": kind, "metadata": { "name": name, "namespace": namespace }, "subjects": null })
    };
    (0..3).flat_map(numbered).map(empty).collect::<Vec<_>>().into()
}

#[test]
fn explanation_matches_the_cluster_decision() {
    let home = Home::new();
    let world = World::start();
    world.set_group_ids(Some(vec!["ours".to_owned()]));
    let token = home.sign_in(&entra(&world, &[])).token();
    let api = api(&cluster(&world), &token);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let me = runtime.block_on(who_am_i(&api)).unwrap();
    let requester = Requester { username: me.username, groups: me.groups.into_iter().collect() };

    let objects = (proptest::collection::vec(role(), 4..8), proptest::collection::vec(binding(), 1..8));
    let verb = select(&["get", "list", "delete", "*"][..]);
    let resource = select(
        &[
            "pods",
            "pods/web",
            "pods/log",
            "deploy",
            "deployments.apps/scale",
            "nodes",
            "ns/prod",
            "*",
            "/healthz",
            "/healthz/x",
        ][..],
    );
    let (yes, no) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(Config { cases: 150, failure_persistence: None, ..Config::default() });
    runner
        .run(&(objects, verb, resource), |((roles, bindings), verb, resource)| {
            world.apply(without_subjects());
            world.apply(json!([roles, bindings].concat()));
            let question = AccessQuestion::parse(verb, resource, None, "dev").unwrap();
            let explanation = runtime.block_on(explain(&api, &question, &requester)).unwrap();
            prop_assert_eq!(explanation.decision.allowed, !explanation.by.is_empty(), "{:?}", explanation);
            let count = if explanation.decision.allowed { &yes } else { &no };
            count.set(count.get() + 1);
            Ok(())
        })
        .unwrap();
    assert!(yes.get() > 5 && no.get() > 5, "{yes:?} and {no:?}: both kinds must occur");
}
