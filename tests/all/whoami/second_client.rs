//! `--graph-client-id`: another client uses Graph, with its own session.

use serde_json::{Value, json};
use sim::{BOB, Behaviour};

use super::{Case, PERMISSION, assert_all};
use crate::common::{ALWAYS, JSON, entra};

const GRAPH_CLIENT: [&str; 2] = ["--graph-client-id", sim::OWN_CLIENT];

/// An AKS context of a user in 201 groups, who is signed in only for the cluster.
fn aks(more: &[&str]) -> Case {
    Case::entra(more).groups(201).signed_in()
}

/// The clients of the sign-ins since the last call.
fn signed_in_to(case: &Case) -> Vec<String> {
    let asked = case.world.device_requests();
    case.world.reset_requests();
    asked.iter().map(|request| request.field("client_id").to_owned()).collect()
}

fn clients(case: &Case) -> Vec<Value> {
    let status = case.home.status();
    let mut clients: Vec<Value> =
        status["sessions"].as_array().unwrap().iter().map(|session| session["client"].clone()).collect();
    clients.sort_by_key(Value::to_string);
    clients
}

#[test]
fn login_signs_in_both_clients_once() {
    for in_kubeconfig in [true, false] {
        let case = if in_kubeconfig { Case::entra(&GRAPH_CLIENT) } else { Case::entra(&[]) }.groups(201);
        let typed: &[&str] = if in_kubeconfig { &[] } else { &GRAPH_CLIENT };
        let run = case.home.login(typed);
        assert_eq!(signed_in_to(&case), [sim::CLIENT, sim::OWN_CLIENT]);
        assert!(run.stdout.contains("You are in 201 groups, from Microsoft Graph"), "{run}");
        run.assert_stderr(&["Microsoft Graph, which knows your groups"]);
        assert_eq!(clients(&case), [json!(sim::OWN_CLIENT), json!(sim::CLIENT)]);
        let run = case.whoami(&[&JSON, typed].concat());
        assert_all(&run.object(), 201, "graph");
        run.assert_silent_success();
        assert_all(&case.json(&[&["--refresh"], typed].concat()), 201, "graph");
        case.home.login(typed);
        assert!(signed_in_to(&case).is_empty());
        // The cluster's token is still issued to the first client.
        let token = crate::common::claims(&case.get_token(&[]).token());
        assert_eq!((&token["appid"], &token["aud"]), (&json!(sim::CLIENT), &json!(sim::SERVER)));
    }
}

#[test]
fn whoami_suggests_the_login_command() {
    let case = aks(&[]);
    let run = case.whoami(&[&JSON[..], &["--groups"], &GRAPH_CLIENT].concat());
    assert_eq!(run.code, Some(0), "{run}");
    assert_all(&run.object(), 201, "cluster");
    let command = format!("kubectl login sim --graph-client-id {}", sim::OWN_CLIENT);
    run.assert_stderr(&["is not signed in for Microsoft Graph", &command, "they come from the cluster"]);
    assert!(case.world.device_requests().is_empty());
    assert_eq!(clients(&case), [json!(sim::CLIENT)]);
    // The suggested command helps.
    case.home.login(&GRAPH_CLIENT);
    assert_eq!(signed_in_to(&case), [sim::OWN_CLIENT]);
    assert_all(&case.json(&GRAPH_CLIENT), 201, "graph");
}

#[test]
fn get_token_never_prompts_for_the_second_client() {
    let case = Case::entra(&GRAPH_CLIENT).groups(201);
    case.get_token(&ALWAYS);
    assert_eq!(signed_in_to(&case), [sim::CLIENT]);
    case.home.set_seconds_left(20);
    case.get_token(&ALWAYS);
    assert!(signed_in_to(&case).is_empty());
}

#[test]
fn groups_of_another_user_are_rejected() {
    let case = aks(&GRAPH_CLIENT);
    case.world.sign_in_as(BOB);
    let run = case.home.run(&[] as &[&str]);
    assert_eq!(signed_in_to(&case), [sim::OWN_CLIENT]);
    run.assert_stderr(&[BOB, "not of the same account", "\nNext: ", "kubectl login sim --force --graph-client-id"]);
    assert!(!run.stdout.contains("from Microsoft Graph"), "{run}");
    case.world.set_groups(300);
    let whoami = case.json(&["--refresh"]);
    assert_eq!(whoami["groups"]["source"], "cluster");
    assert!(case.graph_requests().is_empty(), "the other user's token was sent to Graph");
}

#[test]
fn client_without_consent_needs_the_administrator() {
    let case = aks(&[]);
    case.world.set(Behaviour::GraphNotConsented);
    let run = case.home.run(&GRAPH_CLIENT);
    run.assert_stderr(&[PERMISSION, "\nNext: ", "administrator"]);
    run.assert_stderr(&[sim::OWN_CLIENT]);
    // With an existing session too.
    case.world.clear(Behaviour::GraphNotConsented);
    case.home.login(&GRAPH_CLIENT);
    case.home.set_seconds_left(20);
    case.world.set(Behaviour::GraphNotConsented);
    let run = case.whoami(&[&JSON[..], &["--refresh"], &GRAPH_CLIENT].concat());
    assert_eq!((run.code, &run.object()["groups"]["source"]), (Some(0), &json!("cluster")), "{run}");
    run.assert_stderr(&[PERMISSION, "administrator"]);
}

#[test]
fn other_graph_client_needs_a_new_look_up() {
    let case = aks(&[]);
    assert_all(&case.json(&[]), 201, "cluster");
    case.context(&entra(&case.world, &GRAPH_CLIENT));
    case.home.login(&[]);
    assert_all(&case.json(&[]), 201, "graph");
}
