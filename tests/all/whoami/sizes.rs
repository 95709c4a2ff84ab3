//! However many groups somebody is in, whoever they are, and whatever shape their token has.

use serde_json::{Value, json};
use sim::{Behaviour, Server};

use super::{Case, OWN, PERMISSION, assert_all};
use crate::common::{JSON, in_parallel};

const PAGE: usize = 999;
/// What stands among the groups on Graph's pages.
const OTHER_OBJECTS: usize = 3;

#[test]
fn groups_that_a_token_carries_are_nobody_elses_business() {
    in_parallel([0, 3, 200], |count| {
        for own in [&[][..], &OWN] {
            let case = Case::entra(own).groups(count).signed_in();
            assert_all(&case.json(&["--groups"]), count, "token");
            let asked = case.world.requests();
            assert!(asked.iter().all(|request| request.server == Server::Kube) && asked.len() == 1, "{asked:?}");
        }
    });
}

#[test]
fn up_to_11000_groups_are_one_answer_of_graphs() {
    in_parallel([201, 5_000, 11_000], |count| {
        let case = Case::entra(&OWN).groups(count).signed_in();
        let run = case.whoami(&JSON);
        run.assert_silent_success();
        let whoami = run.object();
        assert_all(&whoami, count, "graph");
        assert_eq!(whoami["cluster"]["groupsCount"], count + 1);
        let bodies: Vec<Value> = case.requests(Server::Graph).into_iter().map(|request| request.body).collect();
        assert_eq!(bodies, [json!({ "securityEnabledOnly": false })]);
        assert_eq!(case.asked_graph(), ["me/getMemberGroups"]);
    });
}

#[test]
fn beyond_11000_they_are_read_page_by_page() {
    for count in [11_001, 100_000] {
        let case = Case::entra(&OWN).groups(count).signed_in();
        let whoami = case.json(&[]);
        assert_all(&whoami, count, "graph");
        assert_eq!(whoami["groups"]["items"][count - 1]["name"], format!("Group {count}"));
        let first = &case.requests(Server::Graph)[1];
        assert_eq!((first.query["$top"].as_str(), first.query["$select"].as_str()), ("999", "id,displayName"));
        let asked = case.asked_graph();
        assert_eq!(asked[0], "me/getMemberGroups");
        assert!(asked[1..].iter().all(|path| path == "me/transitiveMemberOf"), "{asked:?}");
        assert_eq!(asked.len() - 1, (count + OTHER_OBJECTS).div_ceil(PAGE));
    }
}

/// The client of AKS kubeconfigs may not ask Graph, and the cluster knows them all.
#[test]
fn with_the_client_of_aks_they_come_from_the_cluster() {
    for count in [201, 5_000, 11_000, 11_001, 100_000] {
        let case = Case::entra(&[]).groups(count).signed_in();
        let run = case.whoami(&[&JSON[..], &["--groups"]].concat());
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let whoami = run.object();
        assert_all(&whoami, count, "cluster");
        assert_eq!(
            (&whoami["cluster"]["groupsCount"], &whoami["cluster"]["missingGroups"]),
            (&json!(count + 1), &json!([]))
        );
        // That this client may not ask Graph is nothing to mend where the list is complete.
        assert_eq!(run.stderr, "");
        assert!(case.asked_graph().is_empty());
    }
}

#[test]
fn complete_list_of_the_cluster_needs_no_warning_about_graph_but_for_names() {
    let case = Case::entra(&[]).groups(201).signed_in();
    for words in [&[][..], &["--groups"], &["--filter", "0"], &["--refresh"]] {
        assert_eq!(case.whoami(words).stderr, "", "{words:?}");
    }
    let run = case.whoami(&["--names"]);
    assert_eq!(run.code, Some(0), "{run}");
    run.assert_stderr(&["Warning: the groups have no names here: ", PERMISSION, "--graph-client-id"]);
    // Where the cluster does not know them either, it is said.
    case.world.set(Behaviour::KubeIgnoresOverage);
    case.whoami(&["--refresh"]).assert_stderr(&["Warning: not all of your groups are known: ", PERMISSION]);
}

#[test]
fn a_service_principal_asks_about_itself() {
    let case = Case::entra(&OWN);
    case.world.sign_in_app_only(true);
    let case = case.paged(1_500).signed_in();
    let whoami = case.json(&[]);
    assert_eq!(whoami["appOnly"], true);
    assert_all(&whoami, 1_500, "graph");
    let oid = whoami["objectId"].as_str().unwrap();
    let asked = case.asked_graph();
    assert_eq!(asked[0], format!("servicePrincipals/{oid}/getMemberGroups"));
    assert!(asked[1..].iter().all(|path| *path == format!("servicePrincipals/{oid}/transitiveMemberOf")), "{asked:?}");
    let table = case.whoami(&[]);
    assert!(table.stdout.contains("(an application)"), "{table}");
}

#[test]
fn a_guest_is_known_by_mail() {
    let case = Case::entra(&OWN);
    case.world.sign_in_guest(true);
    let case = case.groups(201).signed_in();
    let whoami = case.json(&[]);
    assert_eq!((&whoami["appOnly"], &whoami["cluster"]["username"]), (&json!(false), &whoami["objectId"]));
    assert!(whoami["username"].as_str().unwrap().contains("guest@outlook.example"), "{}", whoami["username"]);
    assert_all(&whoami, 201, "graph");
}

#[test]
fn tokens_say_that_there_are_more_in_several_ways() {
    for behaviour in [Behaviour::Hasgroups, Behaviour::Version2Tokens, Behaviour::SpnAudience] {
        let case = Case::entra(&OWN).groups(201);
        case.world.set(behaviour);
        let case = case.signed_in();
        let whoami = case.json(&[]);
        assert_all(&whoami, 201, "graph");
        assert_eq!(whoami["username"], sim::ALICE);
        assert_eq!(whoami["cluster"]["groupsCount"], 202, "{behaviour:?}");
        match behaviour {
            Behaviour::SpnAudience => assert_eq!(whoami["audience"], format!("spn:{}", sim::SERVER)),
            Behaviour::Version2Tokens => assert!(whoami["issuer"].as_str().unwrap().ends_with("/v2.0")),
            _ => {}
        }
    }
}

#[test]
fn a_token_that_says_nothing_of_groups_leaves_nothing_to_look_up() {
    let case = Case::entra(&OWN).groups(201);
    case.world.set(Behaviour::NoGroupsClaim);
    let case = case.signed_in();
    let groups = case.json(&["--groups"])["groups"].clone();
    let nothing = json!({ "count": 0, "source": "none", "complete": true, "overage": false, "items": [] });
    assert_eq!(groups, nothing);
    assert!(case.asked_graph().is_empty());
}

#[test]
fn where_to_ask_is_never_taken_from_the_token() {
    for more in [&[][..], &OWN] {
        let case = Case::entra(more).groups(201);
        case.world.set(Behaviour::HostileClaimSource);
        case.home.run(&[] as &[&str]);
        assert_eq!(case.json(&["--groups"])["groups"]["count"], 201);
        assert_eq!(case.json(&["--names", "--refresh"])["groups"]["count"], 201);
        case.get_token(&[]);
        assert_eq!(case.world.claim_source_contacted(), 0);
    }
}
