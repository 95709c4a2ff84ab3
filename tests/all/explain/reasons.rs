//! Why something is allowed or not: bindings, unreadable objects, and other authorizers.

use serde_json::json;
use sim::{ALICE, Behaviour};

use super::{Case, binding, group, role};

/// The note for allowed requests that change something.
const ADMISSION: &str = "Admission (Gatekeeper, Kyverno, other webhooks, quotas) can still refuse the request itself.";
/// The command that binds the smallest sufficient default role to Alice.
const BIND: &str = "A cluster administrator would type: kubectl create rolebinding view-alice --clusterrole=view \
                    --user=alice@contoso.example --namespace=dev";

#[test]
fn cluster_role_binding_of_the_user_allows() {
    let case = Case::aks(&[]);
    case.bind("readers", "", "view", "User", ALICE);
    case.assert_lines(
        &["list", "pods"],
        &[
            "You may list pods in namespace dev.",
            "ClusterRoleBinding readers gives ClusterRole view to you, alice@contoso.example. Its rule: get, list, watch on \
             pods, pods/log.",
        ],
    );
    let record = case.record(&["list", "pods"]);
    let expected = json!({
        "verb": "list",
        "resource": { "group": "", "resource": "pods", "subresource": "", "namespace": "dev", "name": "" },
        "context": "sim", "cluster": "sim", "allowed": true, "denied": false, "evaluationError": "",
        "reason": "RBAC: allowed by ClusterRoleBinding \"readers\" of ClusterRole \"view\" to User \"alice@contoso.example\"",
        "by": [{
            "binding": { "kind": "ClusterRoleBinding", "name": "readers", "namespace": "" },
            "role": { "kind": "ClusterRole", "name": "view" },
            "subjects": [{ "kind": "User", "name": ALICE }],
            "rule": "get, list, watch on pods, pods/log",
        }],
        "nearMisses": [], "notHeld": [], "unread": [],
    });
    assert_eq!(record, expected);
}

#[test]
fn role_binding_of_a_group_allows_in_its_namespace() {
    let case = Case::aks(&[]);
    case.world.apply(role("dev", "cleaner", &["delete"], "", &["pods"]));
    case.world.apply(binding("cleaners", "dev", ("Role", "cleaner"), &[("Group", &group(2)), ("User", "bob")]));
    case.assert_lines(
        &["delete", "pods"],
        &[
            "You may delete pods in namespace dev.",
            "RoleBinding cleaners gives Role cleaner to the group 00000002-0000-4000-8000-000000000000, which you are in. Its \
             rule: delete on pods.",
            ADMISSION,
        ],
    );
    let record = case.record(&["delete", "pods"]);
    assert_eq!(record["by"][0]["binding"]["namespace"], "dev");
    assert_eq!(record["by"][0]["subjects"], json!([{ "kind": "Group", "name": group(2) }]), "only the matching ones");
    // It does not apply to another namespace, nor to all of them.
    assert_eq!(case.decision(&["delete", "pods", "-n", "prod"]), "You may not delete pods in namespace prod.");
    assert_eq!(case.decision(&["delete", "pods", "-A"]), "You may not delete pods in all namespaces.");
}

#[test]
fn several_bindings_are_counted() {
    let case = Case::aks(&[]);
    for number in 1..=5 {
        case.bind(&format!("b{number}"), "", "view", "Group", "system:authenticated");
    }
    let lines = case.lines(&["list", "pods"]);
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert!(lines[1].contains("b1 gives ClusterRole view to the group system:authenticated"), "{lines:?}");
    assert_eq!(lines[4], "So do 2 more bindings.");
    assert_eq!(case.record(&["list", "pods"])["by"].as_array().unwrap().len(), 5, "JSON has all of them");
}

#[test]
fn bindings_of_others_suggest_a_next_step() {
    let case = Case::aks(&[]);
    let ops = group(17);
    let subjects = [("Group", ops.as_str()), ("User", "bob@contoso.example"), ("ServiceAccount", "ci")];
    case.world.apply(binding("ops", "dev", ("ClusterRole", "edit"), &subjects));
    // Users cannot be added to system groups.
    case.bind("system", "", "edit", "Group", "system:masters");
    case.assert_lines(
        &["delete", "pods"],
        &[
            "You may not delete pods in namespace dev.",
            "No binding gives it to you.",
            "Others have it:",
            &format!("- RoleBinding ops gives ClusterRole edit to group {ops}, user bob@contoso.example"),
            "Ask to be added to that group, or for a binding of your own.",
            "If you joined that group since the last token: kubectl login --refresh",
            "A cluster administrator would type: kubectl create rolebinding edit-alice --clusterrole=edit \
             --user=alice@contoso.example --namespace=dev",
        ],
    );
    let record = case.record(&["delete", "pods"]);
    assert_eq!((&record["allowed"], &record["by"]), (&json!(false), &json!([])));
    assert_eq!(
        record["notHeld"][0]["subjects"],
        json!([
            { "kind": "Group", "name": ops }, { "kind": "User", "name": "bob@contoso.example" },
        ])
    );
}

#[test]
fn missing_binding_suggests_a_command() {
    let case = Case::aks(&[]);
    case.assert_lines(
        &["list", "pods"],
        &[
            "You may not list pods in namespace dev.",
            "No binding gives it to you.",
            "Ask a cluster administrator for a binding.",
            BIND,
        ],
    );
    // The cluster has no role that allows it, so one has to be created.
    case.assert_lines(
        &["list", "nodes"],
        &[
            "You may not list nodes.",
            "No binding gives it to you.",
            "Ask a cluster administrator for a binding.",
            "A cluster administrator would type: kubectl create clusterrole list-nodes --verb=list --resource=nodes",
            "and then: kubectl create clusterrolebinding list-nodes-alice --clusterrole=list-nodes \
             --user=alice@contoso.example",
        ],
    );
}

#[test]
fn unreadable_bindings_are_named() {
    let case = Case::aks(&[Behaviour::KubeForbidsRbac]);
    case.assert_lines(
        &["list", "pods"],
        &[
            "You may not list pods in namespace dev.",
            "No binding that you may read gives it to you.",
            "There may be more to it: you may not read ClusterRoleBindings and RoleBindings in namespace dev.",
            "Ask a cluster administrator for a binding.",
            "A cluster administrator would type: kubectl create role list-pods --verb=list --resource=pods --namespace=dev",
            "and then: kubectl create rolebinding list-pods-alice --role=list-pods \
             --user=alice@contoso.example --namespace=dev",
        ],
    );
    let unread = &case.record(&["list", "pods"])["unread"];
    assert_eq!(unread[0]["what"], "ClusterRoleBindings");
    let why = unread[1]["why"].as_str().unwrap();
    assert!(why.contains("cannot list resource \"rolebindings\"") && why.contains("in the namespace \"dev\""), "{why}");

    // The server's own reason still names the binding.
    case.bind("readers", "", "view", "User", ALICE);
    case.assert_lines(
        &["list", "pods"],
        &[
            "You may list pods in namespace dev.",
            "The API server says why: RBAC: allowed by ClusterRoleBinding \"readers\" of ClusterRole \"view\" to User \
             \"alice@contoso.example\"",
            "There may be more to it: you may not read ClusterRoleBindings and RoleBindings in namespace dev.",
        ],
    );
}

#[test]
fn bindings_readable_in_one_namespace_are_used() {
    let case = Case::aks(&[Behaviour::KubeForbidsClusterRbac]);
    case.world.apply(role("dev", "cleaner", &["delete"], "", &["pods"]));
    case.world.apply(binding("cleaners", "dev", ("Role", "cleaner"), &[("User", ALICE)]));
    case.assert_lines(
        &["delete", "pods"],
        &[
            "You may delete pods in namespace dev.",
            "RoleBinding cleaners gives Role cleaner to you, alice@contoso.example. Its rule: delete on pods.",
            "There may be more to it: you may not read ClusterRoleBindings.",
            ADMISSION,
        ],
    );
    // A ClusterRole in a readable binding cannot be read.
    case.bind("readers", "dev", "view", "User", ALICE);
    let lines = case.lines(&["list", "pods"]);
    assert_eq!(lines[0], "You may list pods in namespace dev.");
    assert!(lines[1].starts_with("The API server says why: RBAC: allowed by RoleBinding \"readers/dev\""), "{lines:?}");
    assert!(lines[2].contains("the ClusterRole view of the RoleBinding readers"), "{lines:?}");
}

#[test]
fn missing_role_is_named() {
    let case = Case::aks(&[]);
    case.bind("stale", "dev", "gone", "User", ALICE);
    case.assert_lines(
        &["list", "pods"],
        &[
            "You may not list pods in namespace dev.",
            "No binding gives it to you.",
            "The ClusterRole gone of the RoleBinding stale is not there, so it gives nothing.",
            "Ask a cluster administrator for a binding.",
            BIND,
        ],
    );
}

#[test]
fn azure_rbac_decisions_are_explained() {
    let case = Case::aks(&[Behaviour::KubeAzureRbac]);
    let role = "Azure Kubernetes Service RBAC Reader";
    case.assert_lines(
        &["list", "pods"],
        &[
            "You may list pods in namespace dev.",
            "Azure RBAC allows it by the role Azure Kubernetes Service RBAC Reader, assignment \
             2f4a6c80-1b3d-4e5f-8a90-b1c2d3e4f506.",
        ],
    );
    case.world.clear(Behaviour::KubeAzureRbac);
    case.world.set(Behaviour::KubeAzureDenies);
    let ask = format!(
        "Ask a cluster administrator for a role assignment, such as {role}. It takes effect within five minutes."
    );
    let command = format!(
        "A cluster administrator would type: az role assignment create --role '{role}' --assignee {ALICE} --scope \
         CLUSTER_RESOURCE_ID/namespaces/dev"
    );
    case.assert_lines(
        &["list", "pods"],
        &[
            "You may not list pods in namespace dev.",
            "Azure RBAC decides it here, and none of your role assignments allows it.",
            &ask,
            &command,
        ],
    );
    assert_eq!(case.record(&["list", "pods"])["denied"], true);
    // A binding would not apply there, so none is suggested.
    case.bind("readers", "", "view", "User", ALICE);
    let lines = case.lines(&["list", "pods"]);
    assert!(
        lines[1].starts_with("ClusterRoleBinding readers") && lines[2].starts_with("Azure RBAC decides"),
        "{lines:?}"
    );
    assert!(!lines.iter().any(|line| line.contains("kubectl create")), "{lines:?}");
}

#[test]
fn older_cluster_without_reviews_still_decides() {
    let case = Case::aks(&[Behaviour::KubeNoReviews]);
    let names =
        "The cluster is too old to report who you are: these names are from the token, and the cluster may use others.";
    let lines = case.lines(&["list", "pods"]);
    let none = format!("No binding gives it to {ALICE}, or to a group that the token lists.");
    assert_eq!(lines[..3], ["You may not list pods in namespace dev.", none.as_str(), names]);
    assert_eq!(lines.last().unwrap(), BIND);

    case.bind("readers", "", "view", "User", ALICE);
    case.bind("developers", "dev", "view", "Group", &group(3));
    let lines = case.lines(&["list", "pods"]);
    assert_eq!(lines[0], "You may list pods in namespace dev.");
    assert!(lines[1].starts_with("ClusterRoleBinding readers gives ClusterRole view to you, alice@"), "{lines:?}");
    assert!(lines[2].contains(&format!("to the group {}, which you are in", group(3))), "{lines:?}");
    assert_eq!(lines[3..], [names]);
    assert_eq!(case.record(&["list", "pods"])["by"].as_array().unwrap().len(), 2);
}
