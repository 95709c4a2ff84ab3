//! Groups beyond the 200 in a token, and groups that only one side knows.

use serde_json::json;
use sim::{Behaviour, World};

use super::{Case, group};

#[test]
fn group_above_200_applies_if_the_cluster_looks_it_up() {
    // The AKS client cannot use Graph, so the groups come from the cluster; the tenant's own client reads them from
    // Graph.
    let world = World::start();
    world.set_groups(250);
    for (case, source) in [(Case::signed_in(world, sim::CLIENT), "cluster"), (Case::own_client(250, &[]), "graph")] {
        case.bind("readers", "dev", "view", "Group", &group(222));
        case.assert_lines(
            &["list", "pods"],
            &[
                "You may list pods in namespace dev.",
                "RoleBinding readers gives ClusterRole view to the group 000000de-0000-4000-8000-000000000000, which you are \
                 in. Its rule: get, list, watch on pods, pods/log.",
            ],
        );
        let run = case.run(&["list", "pods", "-o", "json"]);
        let whole = run.object();
        assert_eq!((&whole["groups"]["source"], &whole["groups"]["count"]), (&json!(source), &json!(250)), "{run}");
        assert_eq!(run.stderr, "", "all groups are known");
    }
}

#[test]
fn group_that_the_cluster_does_not_see_is_named() {
    let case = Case::own_client(250, &[Behaviour::KubeIgnoresOverage]);
    case.bind("readers", "dev", "view", "Group", &group(222));
    case.assert_lines(
        &["list", "pods"],
        &[
            "You may not list pods in namespace dev.",
            "RoleBinding readers gives ClusterRole view to the group 000000de-0000-4000-8000-000000000000, which you are in. \
             Its rule: get, list, watch on pods, pods/log.",
            "The cluster does not see that you are in that group, so the binding does not count.",
            "A token carries 200 groups at most. Ask a cluster administrator to bind you by name, or a group that it sees.",
            "A cluster administrator would type: kubectl create rolebinding view-alice --clusterrole=view \
             --user=alice@contoso.example --namespace=dev",
        ],
    );
    let run = case.run(&["list", "pods", "-o", "json"]);
    let whole = run.object();
    assert_eq!(whole["explain"]["allowed"], false);
    assert_eq!(whole["explain"]["by"][0]["subjects"][0]["name"], group(222));
    assert!(whole["cluster"]["missingGroups"].as_array().unwrap().contains(&json!(group(222))), "{run}");
    // A binding by name allows the same user.
    case.bind("alice", "dev", "view", "User", sim::ALICE);
    assert_eq!(case.decision(&["list", "pods"]), "You may list pods in namespace dev.");
}

#[test]
fn unknown_groups_are_not_called_other_groups() {
    let world = World::start_with(&[Behaviour::KubeIgnoresOverage]);
    world.set_groups(250);
    let case = Case::signed_in(world, sim::CLIENT);
    case.bind("readers", "dev", "view", "Group", &group(222));
    let run = case.run(&["list", "pods"]);
    assert_eq!(run.code, Some(0), "{run}");
    let lines: Vec<_> = run.stdout.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines[4], "- RoleBinding readers gives ClusterRole view to group 000000de-0000-4000-8000-000000000000");
    assert_eq!(lines[5], "Not all of your groups are known: you may be in one of these, unseen by the cluster.");
    assert_eq!(lines[6], "Ask a cluster administrator to bind you by name.");
    assert!(run.stderr.contains("GroupMember.Read.All") && run.stderr.contains("--graph-client-id"), "{run}");
}

#[test]
fn bound_group_without_the_user_is_named() {
    let case = Case::own_client(250, &[]);
    case.bind("ops", "", "edit", "Group", &group(251));
    let lines = case.lines(&["delete", "pods"]);
    assert_eq!(
        lines[3],
        "- ClusterRoleBinding ops gives ClusterRole edit to group 000000fb-0000-4000-8000-000000000000"
    );
    assert_eq!(lines[4], "Ask to be added to that group, or for a binding of your own.");

    // A new membership is only seen after a new look-up.
    case.world.set_groups(251);
    let refreshed = case.lines(&["delete", "pods", "--refresh"]);
    assert_eq!(refreshed[0], "You may delete pods in namespace dev.");
    assert!(refreshed[1].contains("to the group 000000fb"), "{refreshed:?}");
}

#[test]
fn names_flag_shows_display_names() {
    let case = Case::own_client(3, &[]);
    case.bind("readers", "", "view", "Group", &group(2));
    let lines = case.lines(&["list", "pods", "--names"]);
    assert!(
        lines[1].contains("to the group Group 2 (00000002-0000-4000-8000-000000000000), which you are in"),
        "{lines:?}"
    );
}

#[test]
fn cluster_prefix_is_part_of_the_names() {
    let case = Case::aks(&[Behaviour::KubePrefixes]);
    case.bind("readers", "dev", "view", "Group", &format!("oidc:{}", group(2)));
    case.bind("editors", "dev", "edit", "User", "bob");
    let lines = case.lines(&["list", "pods"]);
    assert!(lines[1].contains("to the group oidc:00000002-0000-4000-8000-000000000000, which you are in"), "{lines:?}");
    let lines = case.lines(&["delete", "pods"]);
    assert!(lines.last().unwrap().contains("--user=oidc:alice@contoso.example "), "{lines:?}");

    // The prefix also applies to a group that the cluster does not see.
    case.world.set(Behaviour::KubeDropsGroups);
    case.bind("editors", "dev", "edit", "Group", &format!("oidc:{}", group(3)));
    let lines = case.lines(&["delete", "pods"]);
    assert!(lines[1].contains("to the group oidc:00000003-0000-4000-8000-000000000000, which you are in"), "{lines:?}");
    assert_eq!(lines[2], "The cluster does not see that you are in that group, so the binding does not count.");
    assert!(lines[3].contains("which claim of the token its groups come from"), "{lines:?}");
}

#[test]
fn groups_only_in_userinfo_are_explained() {
    let case = Case::plain_issuer(&[Behaviour::GroupsOnlyInUserinfo]);
    case.bind("readers", "dev", "view", "Group", "group-2");
    case.assert_lines(
        &["list", "pods"],
        &[
            "You may not list pods in namespace dev.",
            "RoleBinding readers gives ClusterRole view to the group group-2, which you are in. Its rule: get, list, watch \
             on pods, pods/log.",
            "The cluster does not see that you are in that group, so the binding does not count.",
            "Ask a cluster administrator to bind you by name, or which claim of the token its groups come from.",
            "A cluster administrator would type: kubectl create rolebinding view-alice --clusterrole=view \
             --user=alice@contoso.example --namespace=dev",
        ],
    );
    // With the claim in the token, the same binding applies.
    let case = Case::plain_issuer(&[]);
    case.bind("readers", "dev", "view", "Group", "group-2");
    assert_eq!(case.decision(&["list", "pods"]), "You may list pods in namespace dev.");
}
