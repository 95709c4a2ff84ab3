//! Plain OpenID Connect issuers: groups are in a claim with any name, or at the UserInfo endpoint.

use serde_json::{Value, json};
use sim::{Behaviour, Server};

use super::{Case, ids};
use crate::common::{JSON, in_parallel};

/// The number of requests to UserInfo since the last call.
fn userinfo_requests(case: &Case) -> usize {
    let count = case.world.count("/userinfo");
    case.world.reset_requests();
    count
}

/// A context whose tokens have no groups.
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
fn groups_claim_can_have_any_name_and_be_a_string() {
    let case = Case::oidc(&[]).signed_in();
    let named = case.json(&["--groups-claim", "roles"]);
    assert_eq!(ids(&named), ["role-1", "role-2", "role-3"]);
    assert_eq!(named["cluster"]["missingGroups"], json!(["role-1", "role-2", "role-3"]), "the cluster reads `groups`");
    assert_eq!(ids(&case.json(&["--groups-claim", "department"])), ["engineering"]);
    assert_eq!(ids(&case.json(&["--groups-claim", ""])), ["group-1", "group-2", "group-3"]);
    assert!(case.requests(Server::Oidc).is_empty());
    // As in the entry, and as in the command.
    let case = Case::oidc(&["--groups-claim", "roles"]).signed_in();
    assert_eq!(ids(&case.json(&[])), ["role-1", "role-2", "role-3"]);
    assert_eq!(ids(&case.json(&["--groups-claim", "groups"])), ["group-1", "group-2", "group-3"]);
}

#[test]
fn plain_issuer_lists_all_groups() {
    let case = Case::oidc(&[]).groups(300).signed_in();
    let whoami = case.json(&[]);
    assert_eq!(facts(&whoami), [json!(300), json!("token"), json!(true)]);
    assert_eq!(whoami["groups"]["overage"], false);
    assert!(case.requests(Server::Oidc).is_empty());
}

#[test]
fn groups_from_userinfo_are_cached_for_an_hour() {
    let case = without_groups(Behaviour::GroupsOnlyInUserinfo);
    let whoami = case.json(&[]);
    assert_eq!(facts(&whoami), [json!(3), json!("userinfo"), json!(true)]);
    assert_eq!(ids(&whoami), ["group-1", "group-2", "group-3"]);
    assert_eq!(userinfo_requests(&case), 1);
    let table = case.whoami(&["--groups"]);
    assert!(table.stdout.contains("3, from the issuer's UserInfo") && table.stdout.contains("\ngroup-2\n"), "{table}");
    assert_eq!(userinfo_requests(&case), 0);
    case.world.set_groups(4);
    assert_eq!(case.json(&["--refresh"])["groups"]["count"], 4);
    assert_eq!(userinfo_requests(&case), 1);
    // Another claim needs another request.
    assert_eq!(ids(&case.json(&["--groups-claim", "roles"]))[0], "role-1");
    assert_eq!(userinfo_requests(&case), 1);
}

#[test]
fn userinfo_without_groups_means_none() {
    for behaviour in [Behaviour::NoGroupsAnywhere, Behaviour::NoUserinfoEndpoint] {
        let case = without_groups(behaviour);
        let run = case.whoami(&[&JSON[..], &["--groups"]].concat());
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{behaviour:?}: {run}");
        assert_eq!(facts(&run.object()), [json!(0), json!("none"), json!(true)], "{behaviour:?}");
    }
}

#[test]
fn unusable_userinfo_is_named_if_groups_were_requested() {
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
    // A JWT about another user is rejected, like JSON.
    let case = without_groups(Behaviour::UserinfoJwt);
    case.world.set(Behaviour::UserinfoOtherSubject);
    let run = case.whoami(&["--groups"]);
    run.assert_stderr(&["the UserInfo of another user"]);
}

#[test]
fn moved_userinfo_endpoint_is_found() {
    let case = without_groups(Behaviour::GroupsOnlyInUserinfo);
    case.world.set(Behaviour::EndpointsMoved);
    assert_eq!(facts(&case.json(&[])), [json!(3), json!("userinfo"), json!(true)]);
}

#[test]
fn graph_client_is_ignored_at_a_plain_issuer() {
    let case = Case::oidc(&[]).signed_in();
    let run = case.whoami(&["--groups", "--graph-client-id", sim::OWN_CLIENT]);
    assert!(run.code == Some(0) && run.stdout.contains("\ngroup-1\n"), "{run}");
    assert!(case.graph_requests().is_empty());
}
