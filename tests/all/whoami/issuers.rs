//! Plain OpenID Connect issuers: groups are in a claim of any name, or at the UserInfo endpoint.

use serde_json::{Value, json};
use sim::{Behaviour, Server};

use super::{Case, ids};
use crate::common::{JSON, in_parallel};

/// How often UserInfo was asked since the last look.
fn asked_userinfo(case: &Case) -> usize {
    let count = case.world.count("/userinfo");
    case.world.reset_requests();
    count
}

/// A context whose tokens name no groups.
fn without_groups(behaviour: Behaviour) -> Case {
    let case = Case::oidc(&[]);
    case.world.set(Behaviour::GroupsOnlyInUserinfo);
    case.world.set(behaviour);
    case.signed_in()
}

fn facts(whoami: &Value) -> [Value; 3] {
    ["count", "source", "complete"].map(|name| whoami["groups"][name].clone())
}

#[test]
fn the_claim_with_the_groups_may_have_any_name_and_may_be_one_text() {
    let case = Case::oidc(&[]).signed_in();
    let named = case.json(&["--groups-claim", "roles"]);
    assert_eq!(ids(&named), ["role-1", "role-2", "role-3"]);
    assert_eq!(named["cluster"]["missingGroups"], json!(["role-1", "role-2", "role-3"]), "the cluster reads `groups`");
    assert_eq!(ids(&case.json(&["--groups-claim", "department"])), ["engineering"]);
    assert_eq!(ids(&case.json(&["--groups-claim", ""])), ["group-1", "group-2", "group-3"]);
    assert!(case.requests(Server::Oidc).is_empty());
    // As the entry has it, and as it is typed.
    let case = Case::oidc(&["--groups-claim", "roles"]).signed_in();
    assert_eq!(ids(&case.json(&[])), ["role-1", "role-2", "role-3"]);
    assert_eq!(ids(&case.json(&["--groups-claim", "groups"])), ["group-1", "group-2", "group-3"]);
}

#[test]
fn however_many_a_plain_issuer_lists_they_are_all() {
    let case = Case::oidc(&[]).groups(300).signed_in();
    let whoami = case.json(&[]);
    assert_eq!(facts(&whoami), [json!(300), json!("token"), json!(true)]);
    assert_eq!(whoami["groups"]["overage"], false);
    assert!(case.requests(Server::Oidc).is_empty());
}

#[test]
fn groups_that_only_userinfo_has_are_asked_for_once_an_hour() {
    let case = without_groups(Behaviour::GroupsOnlyInUserinfo);
    let whoami = case.json(&[]);
    assert_eq!(facts(&whoami), [json!(3), json!("userinfo"), json!(true)]);
    assert_eq!(ids(&whoami), ["group-1", "group-2", "group-3"]);
    assert_eq!(asked_userinfo(&case), 1);
    let table = case.whoami(&["--groups"]);
    assert!(table.stdout.contains("3, from the issuer's UserInfo") && table.stdout.contains("\ngroup-2\n"), "{table}");
    assert_eq!(asked_userinfo(&case), 0);
    case.world.set_groups(4);
    assert_eq!(case.json(&["--refresh"])["groups"]["count"], 4);
    assert_eq!(asked_userinfo(&case), 1);
    // Another claim is another question.
    assert_eq!(ids(&case.json(&["--groups-claim", "roles"]))[0], "role-1");
    assert_eq!(asked_userinfo(&case), 1);
}

#[test]
fn where_userinfo_says_nothing_of_groups_there_are_none() {
    for behaviour in [Behaviour::NoGroupsAnywhere, Behaviour::NoUserinfoEndpoint] {
        let case = without_groups(behaviour);
        let run = case.whoami(&[&JSON[..], &["--groups"]].concat());
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{behaviour:?}: {run}");
        assert_eq!(facts(&run.object()), [json!(0), json!("none"), json!(true)], "{behaviour:?}");
    }
}

#[test]
fn userinfo_that_is_of_no_use_is_said_where_groups_were_wanted() {
    let cases = [
        (Behaviour::UserinfoUnavailable, "not available (HTTP 503)"),
        (Behaviour::UserinfoOtherSubject, "the UserInfo of another user"),
        (Behaviour::UserinfoForgedJwt, "the issuer's UserInfo cannot be used: the token's signature is wrong"),
    ];
    in_parallel(cases, |(behaviour, words)| {
        let case = without_groups(behaviour);
        let run = case.whoami(&[&JSON[..], &["--groups"]].concat());
        assert_eq!(run.code, Some(1), "{run}");
        assert_eq!(facts(&run.object()), [json!(0), json!("none"), json!(false)]);
        run.assert_stderr(&["Warning: not all of your groups are known: ", words, "\nNext: "]);
        let unwanted = case.whoami(&JSON);
        unwanted.assert_silent_success();
    });
}

#[test]
fn userinfo_in_a_signed_jwt_is_verified_and_read() {
    let case = without_groups(Behaviour::UserinfoJwt);
    assert_eq!(facts(&case.json(&[])), [json!(3), json!("userinfo"), json!(true)]);
    // About another user it is worth no more than in JSON.
    let case = without_groups(Behaviour::UserinfoJwt);
    case.world.set(Behaviour::UserinfoOtherSubject);
    let run = case.whoami(&["--groups"]);
    run.assert_stderr(&["the UserInfo of another user"]);
}

#[test]
fn userinfo_endpoint_that_has_moved_is_found() {
    let case = without_groups(Behaviour::GroupsOnlyInUserinfo);
    case.world.set(Behaviour::EndpointsMoved);
    assert_eq!(facts(&case.json(&[])), [json!(3), json!("userinfo"), json!(true)]);
}

#[test]
fn a_second_client_for_graph_says_nothing_to_a_plain_issuer() {
    let case = Case::oidc(&[]).signed_in();
    let run = case.whoami(&["--groups", "--graph-client-id", sim::OWN_CLIENT]);
    assert!(run.code == Some(0) && run.stdout.contains("\ngroup-1\n"), "{run}");
    assert!(case.asked_graph().is_empty());
}
