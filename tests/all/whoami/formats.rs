//! Output formats: JSON and YAML, and a few lines for users.

use serde_json::json;
use sim::{ALICE, Behaviour};

use super::{Case, OWN, ids};
use crate::common::{JSON, claims};

/// The varying fields, taken from the token itself.
fn token(case: &Case) -> serde_json::Value {
    claims(&case.get_token(&[]).token())
}

fn expires_at(case: &Case) -> serde_json::Value {
    case.get_token(&[]).credential()["status"]["expirationTimestamp"].clone()
}

#[test]
fn json_has_the_documented_format() {
    let case = Case::entra(&[]).signed_in();
    let oid = token(&case)["oid"].clone();
    let groups = sim::group_ids(3);
    let expected = json!({
        "apiVersion": "kubectl-login/v1",
        "kind": "WhoAmI",
        "username": ALICE,
        "objectId": oid,
        "tenantId": sim::TENANT,
        "issuer": format!("https://sts.windows.net/{}/", sim::TENANT),
        "audience": sim::SERVER,
        "appOnly": false,
        "expiresAt": expires_at(&case),
        "groups": {
            "count": 3, "source": "token", "complete": true, "overage": false,
            "items": groups.iter().map(|id| json!({ "id": id, "name": null })).collect::<Vec<_>>(),
        },
        "cluster": { "username": ALICE, "uid": oid, "groupsCount": 4, "missingGroups": [] },
    });
    let run = case.whoami(&JSON);
    run.assert_silent_success();
    assert_eq!(run.object(), expected);
}

#[test]
fn yaml_equals_json() {
    let case = Case::entra(&OWN).signed_in();
    for words in [&["--names"][..], &["--explain", "list", "pods"]] {
        let json = case.json(words);
        for flag in [&["-o", "yaml"][..], &["-oyaml"], &["--output=yaml"]] {
            let run = case.whoami(&[words, flag].concat());
            run.assert_silent_success();
            let yaml: serde_json::Value = serde_saphyr::from_str(&run.stdout).unwrap();
            assert_eq!(yaml, json, "{run}");
        }
    }
}

#[test]
fn entra_fields_are_null_at_a_plain_issuer() {
    let case = Case::oidc(&[]).signed_in();
    let items: Vec<_> = (1..=3).map(|number| json!({ "id": format!("group-{number}"), "name": null })).collect();
    let expected = json!({
        "apiVersion": "kubectl-login/v1",
        "kind": "WhoAmI",
        "username": ALICE,
        "objectId": null,
        "tenantId": null,
        "issuer": case.world.issuer(),
        "audience": sim::OIDC_CLIENT,
        "appOnly": false,
        "expiresAt": expires_at(&case),
        "groups": { "count": 3, "source": "token", "complete": true, "overage": false, "items": items },
        "cluster": { "username": ALICE, "uid": null, "groupsCount": 4, "missingGroups": [] },
    });
    assert_eq!(case.json(&[]), expected);
}

#[test]
fn missing_session_exits_with_3_without_prompt() {
    for case in [Case::entra(&[]), Case::oidc(&[])] {
        for more in [&[][..], &["--groups"], &["--refresh"], &JSON] {
            case.whoami(more).assert_failed(3, &["not signed in", "\"sim\"", "\nNext: ", "kubectl login sim"]);
        }
        let by_user = case.whoami(&["--user", "sim-user"]);
        by_user.assert_failed(3, &["\"sim-user\"", "kubectl login --user sim-user"]);
        assert!(case.world.requests().is_empty());
    }
    Case::entra(&[]).whoami(&["nowhere"]).assert_failed(1, &["nowhere", "\nNext: "]);
    Case::entra(&[]).whoami(&["-o", "xml"]).assert_failed(2, &["yaml", "json"]);
}

#[test]
fn disabled_cache_counts_as_missing_session() {
    let case = Case::entra(&["--token-cache-storage", "none"]).groups(201).signed_in();
    case.whoami(&[]).assert_failed(3, &["no session is stored", "--token-cache-storage none", "\nNext: "]);
    assert!(case.world.requests().is_empty());
}

#[test]
fn expired_token_is_refreshed_or_needs_a_sign_in() {
    let case = Case::entra(&[]).signed_in();
    case.home.set_seconds_left(-60);
    assert_eq!(case.json(&[])["groups"]["count"], 3);
    assert_eq!(case.world.refreshes().len(), 1);
    case.home.set_seconds_left(-60);
    case.world.revoke_all();
    case.whoami(&[]).assert_failed(3, &["\nNext: ", "kubectl login"]);
    assert!(case.world.device_requests().is_empty());
}

#[test]
fn groups_can_be_listed_and_filtered_by_id_and_name() {
    let case = Case::entra(&OWN).groups(20).signed_in();
    let list = |more: &[&str]| {
        let run = case.whoami(more);
        run.assert_silent_success();
        let (_, list) = run.stdout.split_once("\n\n").unwrap_or_else(|| panic!("no list: {run}"));
        list.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let groups = sim::group_ids(20);
    assert!(!case.whoami(&[]).stdout.contains(&groups[0]), "listed without being asked for");
    assert_eq!(list(&["--groups"]), groups);
    let named: Vec<String> = (1..=20).map(|number| format!("{}  Group {number}", groups[number - 1])).collect();
    assert_eq!(list(&["--groups", "--names"]), named);
    assert_eq!(list(&["--names"]), named);
    assert_eq!(list(&["--filter", "0000000A"]), groups[9..10]);
    assert_eq!(list(&["--names", "--filter", "gROUP 1"]), [&named[..1], &named[9..19]].concat());
    let none = case.whoami(&["--filter", "nothing"]);
    assert!(none.stdout.ends_with("0 of 20 have \"nothing\" in them\n"), "{none}");

    let found = case.json(&["--names", "--filter", "group 20"]);
    assert_eq!(found["groups"]["items"], json!([{ "id": groups[19], "name": "Group 20" }]));
    assert_eq!(found["groups"]["count"], 20, "the count includes filtered groups");
    assert_eq!(ids(&case.json(&["--groups"])), groups);
}

#[test]
fn roles_are_shown_if_there_are_any() {
    let case = Case::entra(&[]);
    case.world.set_roles(&["Reader", "Writer"]);
    case.world.set_tenant_roles(&["62e90394-69f5-4237-9190-012177145e10"]);
    let case = case.signed_in();
    let table = case.whoami(&[]).stdout;
    assert!(
        table.contains("\napp roles    Reader, Writer\ntenant roles 62e90394-69f5-4237-9190-012177145e10\n"),
        "{table}"
    );
    // Every user has the default role.
    let table = Case::entra(&[]).signed_in().whoami(&[]).stdout;
    assert!(table.contains("account") && !table.contains("roles"), "{table}");
}

#[test]
fn group_names_are_printed_without_control_characters() {
    let case = Case::entra(&OWN).groups(201).signed_in();
    case.world.set(Behaviour::GraphControlCharacters);
    let table = case.whoami(&["--names"]);
    assert!(table.code == Some(0) && table.stdout.contains("Group 7"), "{table}");
    let acts = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!table.stdout.contains(acts) && !table.stderr.contains(acts), "{table}");
    let run = case.whoami(&[&JSON[..], &["--names"]].concat());
    assert!(!run.stdout.contains(acts), "{run}");
    let name = run.object()["groups"]["items"][6]["name"].as_str().unwrap().to_owned();
    assert!(name.contains("Group 7") && name.contains('\u{1b}'), "the name is not the directory's: {name:?}");
    let changed = case.home.run(&["--refresh"]);
    assert!(changed.code == Some(0) && !changed.stdout.contains(acts), "{changed}");
}
