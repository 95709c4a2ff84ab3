//! Any number of groups, for all kinds of users and tokens.

use serde_json::{Value, json};
use sim::{Behaviour, Server};

use super::{Case, OWN, PERMISSION, assert_all};
use crate::common::{JSON, in_parallel};

const PAGE: usize = 999;
/// The objects on Graph's pages that are not groups.
const OTHER_OBJECTS: usize = 3;

#[test]
fn groups_in_the_token_need_no_look_up() {
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
fn up_to_11000_groups_need_one_graph_request() {
    in_parallel([201, 5_000, 11_000], |count| {
        let case = Case::entra(&OWN).groups(count).signed_in();
        let run = case.whoami(&JSON);
        run.assert_silent_success();
        let whoami = run.object();
        assert_all(&whoami, count, "graph");
        assert_eq!(whoami["cluster"]["groupsCount"], count + 1);
        let bodies: Vec<Value> = case.requests(Server::Graph).into_iter().map(|request| request.body).collect();
        assert_eq!(bodies, [json!({ "securityEnabledOnly": false })]);
        assert_eq!(case.graph_requests(), ["me/getMemberGroups"]);
    });
}

#[test]
fn more_than_11000_groups_are_read_in_pages() {
    for count in [11_001, 100_000] {
        let case = Case::entra(&OWN).groups(count).signed_in();
        let whoami = case.json(&[]);
        assert_all(&whoami, count, "graph");
        assert_eq!(whoami["groups"]["items"][count - 1]["name"], format!("Group {count}"));
        let first = &case.requests(Server::Graph)[1];
        assert_eq!((first.query["$top"].as_str(), first.query["$select"].as_str()), ("999", "id,displayName"));
        let asked = case.graph_requests();
        assert_eq!(asked[0], "me/getMemberGroups");
        assert!(asked[1..].iter().all(|path| path == "me/transitiveMemberOf"), "{asked:?}");
        assert_eq!(asked.len() - 1, (count + OTHER_OBJECTS).div_ceil(PAGE));
    }
}

/// The client of AKS kubeconfigs cannot use Graph, and the cluster knows all groups.
#[test]
fn aks_client_gets_groups_from_the_cluster() {
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
        // Because the list is complete, a missing Graph permission is not a problem.
        assert_eq!(run.stderr, "");
        assert!(case.graph_requests().is_empty());
    }
}

#[test]
fn complete_list_of_the_cluster_only_warns_about_names() {
    let case = Case::entra(&[]).groups(201).signed_in();
    for words in [&[][..], &["--groups"], &["--filter", "0"], &["--refresh"]] {
        assert_eq!(case.whoami(words).stderr, "", "{words:?}");
    }
    let run = case.whoami(&["--names"]);
    assert_eq!(run.code, Some(0), "{run}");
    run.assert_stderr(&["Warning: the groups have no names here: ", PERMISSION, "--graph-client-id"]);
    // If the cluster does not know the groups either, there is a warning.
    case.world.set(Behaviour::KubeIgnoresOverage);
    case.whoami(&["--refresh"]).assert_stderr(&["Warning: not all of your groups are known: ", PERMISSION]);
}

#[test]
fn service_principal_looks_up_its_own_groups() {
    let case = Case::entra(&OWN);
    case.world.sign_in_app_only(true);
    let case = case.paged(1_500).signed_in();
    let whoami = case.json(&[]);
    assert_eq!(whoami["appOnly"], true);
    assert_all(&whoami, 1_500, "graph");
    let oid = whoami["objectId"].as_str().unwrap();
    let asked = case.graph_requests();
    assert_eq!(asked[0], format!("servicePrincipals/{oid}/getMemberGroups"));
    assert!(asked[1..].iter().all(|path| *path == format!("servicePrincipals/{oid}/transitiveMemberOf")), "{asked:?}");
    let table = case.whoami(&[]);
    assert!(table.stdout.contains("(an application)"), "{table}");
}

#[test]
fn guest_is_shown_by_mail_address() {
    let case = Case::entra(&OWN);
    case.world.sign_in_guest(true);
    let case = case.groups(201).signed_in();
    let whoami = case.json(&[]);
    assert_eq!((&whoami["appOnly"], &whoami["cluster"]["username"]), (&json!(false), &whoami["objectId"]));
    assert!(whoami["username"].as_str().unwrap().contains("guest@outlook.example"), "{}", whoami["username"]);
    assert_all(&whoami, 201, "graph");
}

#[test]
fn each_overage_claim_is_recognised() {
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
fn token_without_group_claims_needs_no_look_up() {
    let case = Case::entra(&OWN).groups(201);
    case.world.set(Behaviour::NoGroupsClaim);
    let case = case.signed_in();
    let groups = case.json(&["--groups"])["groups"].clone();
    let nothing = json!({ "count": 0, "source": "none", "complete": true, "overage": false, "items": [] });
    assert_eq!(groups, nothing);
    assert!(case.graph_requests().is_empty());
}

#[test]
fn claim_source_of_the_token_is_never_contacted() {
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
