//! Bindings that do not match because of a name: of the object, the user, or a group.

use serde_json::json;
use sim::{ALICE, Behaviour, World};

use super::{Case, binding, group};

/// The guest's mail address in the home tenant.
const GUEST: &str = "guest@outlook.example";

#[test]
fn rule_for_another_object_name_is_a_near_miss() {
    let case = Case::aks(&[]);
    let rule =
        json!({ "verbs": ["get", "create"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["web"] });
    case.world.apply(json!([
        { "kind": "Role", "metadata": { "name": "one", "namespace": "dev" }, "rules": [rule] },
        binding("one", "dev", ("Role", "one"), &[("User", ALICE)]),
    ]));
    let given = "RoleBinding one gives Role one to you, alice@contoso.example, for objects of certain names only. Its rule: \
                 get, create on pods named web.";
    let lines = case.lines(&["get", "pods"]);
    assert_eq!(
        lines[..4],
        [
            "You may not get pods in namespace dev.",
            "No binding gives it to you.",
            given,
            "A request for all of them names no object. For one of them: kubectl login whoami --explain get pods/web -n dev",
        ]
    );
    let lines = case.lines(&["get", "pods/db"]);
    assert_eq!(lines[2], given);
    assert!(!lines[3].contains("names no object"), "{lines:?}");
    let lines = case.lines(&["create", "pods"]);
    assert_eq!(lines[3], "A create request names no object, so a rule with names never allows it.");
    assert_eq!(case.decision(&["get", "pods/web"]), "You may get pods \"web\" in namespace dev.");

    let near = &case.record(&["get", "pods"])["nearMisses"];
    assert_eq!(near[0]["binding"]["name"], "one");
    assert_eq!(near[0]["resourceNames"], json!(["web"]));
    assert_eq!(case.record(&["list", "pods"])["nearMisses"], json!([]), "another verb is not a near miss");
}

#[test]
fn binding_of_a_guest_mail_address_names_the_object_id() {
    let world = World::start();
    world.sign_in_guest(true);
    let case = Case::signed_in(world, sim::CLIENT);
    let invited = "guest_outlook.example#EXT#@contoso.example";
    for name in [GUEST, "Guest@Outlook.example", invited] {
        case.bind("readers", "dev", "view", "User", name);
        let run = case.run(&["list", "pods", "-o", "json"]);
        let whole = run.object();
        let id = whole["objectId"].as_str().unwrap();
        assert_eq!(whole["cluster"]["username"], id);
        let lines = case.lines(&["list", "pods"]);
        assert_eq!(
            lines[1..],
            [
                "No binding gives it to you.",
                &format!(
                    "RoleBinding readers names you {name:?}, but the cluster knows you as {id}: it does not match."
                ),
                "Ask a cluster administrator to bind the name that the cluster knows.",
                &format!(
                    "A cluster administrator would type: kubectl create rolebinding view-{id} --clusterrole=view \
                     --user={id} --namespace=dev"
                ),
            ]
        );
    }
    case.bind("readers", "dev", "view", "User", "other@outlook.example");
    let lines = case.lines(&["list", "pods"]);
    assert!(lines.contains(&"Others have it:".to_owned()), "another user's binding is still listed: {lines:?}");
}

#[test]
fn binding_of_a_display_name_never_matches() {
    let case = Case::aks(&[]);
    case.bind("devs", "", "view", "Group", "Developers");
    case.assert_lines(
        &["list", "pods"],
        &[
            "You may not list pods in namespace dev.",
            "No binding gives it to you.",
            "ClusterRoleBinding devs names the group \"Developers\", but Entra sends the object ids of groups: it can never \
             match.",
            "If you are in that group, ask a cluster administrator to bind its object id: az ad group show --group \
             Developers --query id",
            "A cluster administrator would type: kubectl create clusterrolebinding view-developers --clusterrole=view \
             --group=OBJECT_ID",
        ],
    );
    // Another issuer may send names.
    let case = Case::plain_issuer(&[]);
    case.bind("devs", "", "view", "Group", "Developers");
    let lines = case.lines(&["list", "pods"]);
    assert!(lines.contains(&"Ask to be added to that group, or for a binding of your own.".to_owned()), "{lines:?}");
}

#[test]
fn display_name_of_a_held_group_names_its_object_id() {
    // This client can ask Graph for the names, which also happens without --names if a binding needs it.
    let case = Case::own_client(3, &[]);
    case.bind("devs", "dev", "view", "Group", "group 2");
    let id = group(2);
    case.assert_lines(
        &["list", "pods"],
        &[
            "You may not list pods in namespace dev.",
            "No binding gives it to you.",
            &format!(
                "RoleBinding devs names your group \"group 2\", but the cluster knows it as {id}: it does not match."
            ),
            "Ask a cluster administrator to bind the name that the cluster knows.",
            &format!(
                "A cluster administrator would type: kubectl create rolebinding view-group-2 --clusterrole=view \
                 --group={id} --namespace=dev"
            ),
        ],
    );
}

#[test]
fn binding_without_the_cluster_prefix_is_recognised() {
    let case = Case::aks(&[Behaviour::KubePrefixes]);
    case.bind("alice", "dev", "view", "User", ALICE);
    case.bind("devs", "dev", "view", "Group", &group(2));
    let lines = case.lines(&["list", "pods"]);
    for said in [
        format!("names you \"{ALICE}\", but the cluster knows you as oidc:{ALICE}: it does not match."),
        format!("names your group {:?}, but the cluster knows it as oidc:{}: it does not match.", group(2), group(2)),
    ] {
        assert!(lines.iter().any(|line| line.ends_with(&said)), "{said}: {lines:?}");
    }
}
