//! Whole texts, so that they are read as people will read them.

use kubectl_login_core::kube::access::{ObjectRef, UnreadObjects};
use kubectl_login_core::kube::rbac::ObjectMeta;
use kubectl_login_core::kube::review::{AccessRequest, SubjectAccessReviewStatus};

use super::*;

const PLACE: Place<'_> = Place { context: Some("prod"), cluster: Some("aks") };

pub(super) fn who() -> AskingUser {
    let groups = ["1f2e", "9a8b", "system:authenticated"].map(str::to_owned);
    AskingUser {
        requester: Requester { username: "alice@contoso.example".to_owned(), groups: groups.into() },
        unseen: ["9a8b".to_owned()].into(),
        names: [("1f2e".to_owned(), "developers".to_owned())].into(),
        aliases: vec!["alice@contoso.example".to_owned()],
        groups_are_ids: false,
        group_prefix: String::new(),
        overage: true,
        may_be_in_others: false,
        is_of_token: false,
    }
}

fn explanation(verb: &str, resource: &str, namespace: &str) -> Explanation {
    let resource = ResourceAttributes {
        resource: resource.to_owned(),
        namespace: namespace.to_owned(),
        ..ResourceAttributes::default()
    };
    Explanation {
        access: AccessRequest { verb: verb.to_owned(), target: AccessTarget::Resource(resource) },
        is_namespaced: !namespace.is_empty(),
        is_known: true,
        decision: SubjectAccessReviewStatus::default(),
        by: Vec::new(),
        near: Vec::new(),
        not_held: Vec::new(),
        bindable: None,
        unread: Vec::new(),
    }
}

fn decided(allowed: bool, denied: bool, reason: &str) -> SubjectAccessReviewStatus {
    SubjectAccessReviewStatus { allowed, denied, reason: reason.to_owned(), evaluation_error: String::new() }
}

fn grant(name: &str, namespace: &str, role: &str, subjects: &[(&str, &str)]) -> AccessGrant {
    let subject = |(kind, name): &(&str, &str)| RbacSubject {
        kind: (*kind).to_owned(),
        name: (*name).to_owned(),
        namespace: String::new(),
    };
    AccessGrant {
        binding: ObjectRef {
            kind: if namespace.is_empty() { "ClusterRoleBinding" } else { "RoleBinding" },
            metadata: ObjectMeta { name: name.to_owned(), namespace: namespace.to_owned() },
        },
        role: cluster_role(role),
        subjects: subjects.iter().map(subject).collect(),
        rule: "get, list on pods".to_owned(),
    }
}

fn cluster_role(name: &str) -> RoleRef {
    RoleRef { kind: "ClusterRole".to_owned(), name: name.to_owned() }
}

#[track_caller]
fn assert_says(explanation: Explanation, who: &AskingUser, lines: &[&str]) {
    let text = Explained { explanation, place: PLACE, who }.text();
    let mut paragraphs: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    let known_as = if who.is_of_token { "the token says you are" } else { "the cluster knows you as" };
    assert_eq!(
        paragraphs.remove(1),
        format!("In context \"prod\", cluster \"aks\", {known_as} alice@contoso.example.")
    );
    assert_eq!(paragraphs, lines);
}

#[test]
fn what_is_allowed_names_the_binding_and_the_rule() {
    let old_role = UnreadObjects::Role {
        role: RoleRef { kind: "ClusterRole".into(), name: "old".into() },
        binding: ObjectRef {
            kind: "RoleBinding",
            metadata: ObjectMeta { name: "stale".into(), namespace: "dev".into() },
        },
    };
    let explanation = Explanation {
        decision: decided(true, false, "RBAC: allowed by …"),
        by: vec![
            grant("developers", "", "edit", &[("Group", "1f2e")]),
            grant("alice", "dev", "view", &[("User", "alice@contoso.example")]),
        ],
        unread: vec![Unread { what: old_role, why: ApiError::NotFound }],
        ..explanation("list", "pods", "dev")
    };
    assert_says(
        explanation,
        &who(),
        &[
            "You may list pods in namespace dev.",
            "ClusterRoleBinding developers gives ClusterRole edit to the group developers (1f2e), which you are in. Its rule: get, list on pods.",
            "RoleBinding alice gives ClusterRole view to you, alice@contoso.example. Its rule: get, list on pods.",
            "The ClusterRole old of the RoleBinding stale is not there, so it gives nothing.",
        ],
    );
}

#[test]
fn what_others_may_comes_with_the_way_to_get_it() {
    let explanation = Explanation {
        not_held: vec![grant("admins", "dev", "admin", &[("Group", "77aa"), ("User", "bob")])],
        bindable: Some(cluster_role("edit")),
        ..explanation("delete", "pods", "dev")
    };
    assert_says(
        explanation,
        &who(),
        &[
            "You may not delete pods in namespace dev.",
            "No binding gives it to you.",
            "Others have it:",
            "- RoleBinding admins gives ClusterRole admin to group 77aa, user bob",
            "Ask to be added to that group, or for a binding of your own.",
            "If you joined that group since the last token: kubectl login --refresh",
            "A cluster administrator would type: kubectl create rolebinding edit-alice --clusterrole=edit --user=alice@contoso.example --namespace=dev",
        ],
    );
}

#[test]
fn a_role_is_made_where_none_is_there() {
    let forbidden = |what| Unread { what, why: ApiError::Forbidden("no".into()) };
    let explanation = Explanation {
        unread: vec![
            forbidden(UnreadObjects::ClusterRoleBindings),
            forbidden(UnreadObjects::RoleBindings { namespace: "dev".into() }),
        ],
        ..explanation("list", "nodes", "")
    };
    assert_says(
        explanation,
        &who(),
        &[
            "You may not list nodes.",
            "No binding that you may read gives it to you.",
            "There may be more to it: you may not read ClusterRoleBindings and RoleBindings in namespace dev.",
            "Ask a cluster administrator for a binding.",
            "A cluster administrator would type: kubectl create clusterrole list-nodes --verb=list --resource=nodes",
            "and then: kubectl create clusterrolebinding list-nodes-alice --clusterrole=list-nodes --user=alice@contoso.example",
        ],
    );
}

#[test]
fn a_group_that_the_cluster_does_not_see_is_the_culprit() {
    let explanation = Explanation {
        by: vec![grant("ops", "dev", "edit", &[("Group", "9a8b")])],
        bindable: Some(cluster_role("edit")),
        ..explanation("delete", "pods", "dev")
    };
    let text = Explained { place: PLACE, explanation: explanation.clone(), who: &who() }.text();
    assert!(
        text.contains(
            "\nThe cluster does not see that you are in that group, so the binding does not count.\n\nA token carries 200"
        ),
        "{text}"
    );
    let seen = AskingUser { unseen: BTreeSet::new(), ..who() };
    let text = Explained { place: PLACE, explanation: explanation.clone(), who: &seen }.text();
    assert!(text.contains("\nBut the API server decides otherwise") && !text.contains("200"), "{text}");
    let of_few = AskingUser { overage: false, ..who() };
    let text = Explained { explanation, place: PLACE, who: &of_few }.text();
    assert!(text.contains("which claim of the token") && !text.contains("200"), "{text}");
}

#[test]
fn where_groups_are_not_all_known_it_is_not_claimed_that_others_are_not_theirs() {
    let explanation = Explanation {
        not_held: vec![grant("admins", "dev", "admin", &[("Group", "77aa")])],
        ..explanation("delete", "pods", "dev")
    };
    let who = AskingUser { may_be_in_others: true, ..who() };
    let text = Explained { explanation, place: PLACE, who: &who }.text();
    assert!(text.contains("you may be in one of these") && !text.contains("Ask to be added to"), "{text}");
}

#[test]
fn names_that_are_the_tokens_are_called_that() {
    let who = AskingUser { unseen: BTreeSet::new(), is_of_token: true, ..who() };
    let names =
        "The cluster is too old to report who you are: these names are from the token, and the cluster may use others.";
    let allowed = Explanation { decision: decided(true, false, ""), ..explanation("list", "pods", "dev") };
    assert_says(allowed, &who, &["You may list pods in namespace dev.", "The reason could not be determined.", names]);
    let refused = explanation("list", "pods", "dev");
    let text = Explained { place: PLACE, explanation: refused, who: &who }.text();
    let said = "No binding gives it to alice@contoso.example, or to a group that the token lists.";
    assert!(text.contains(&format!("\n{said}\n{names}\n\n")), "{text}");
}

#[test]
fn what_a_command_of_kubectl_needs_is_told() {
    for (verb, resource, asked) in [
        ("exec", "pods", "create pods/exec -n dev"),
        ("describe", "services", "get services -n dev"),
        ("scale", "deployments", "patch deployments/scale -n dev"),
    ] {
        for decision in [decided(false, false, ""), decided(true, false, "")] {
            let explanation = Explanation { decision, ..explanation(verb, resource, "dev") };
            let text = Explained { explanation, place: PLACE, who: &who() }.text();
            let said = format!("What kubectl {verb} needs: kubectl login whoami --explain {asked}");
            assert_eq!(text.lines().last(), Some(said.as_str()), "{text}");
        }
    }
    for (verb, resource) in [("describe", "*"), ("frobnicate", "pods")] {
        let text = Explained { place: PLACE, explanation: explanation(verb, resource, "dev"), who: &who() }.text();
        assert!(text.contains("no verb") && !text.contains("What kubectl"), "{text}");
    }
}

#[test]
fn azure_is_recognised_by_its_own_words() {
    let refused = "User does not have access to the resource in Azure. Update role assignment to allow access.";
    let explanation_of = |decision| Explanation { decision, ..explanation("list", "pods", "dev") };
    assert_says(
        explanation_of(decided(false, true, refused)),
        &who(),
        &[
            "You may not list pods in namespace dev.",
            "Azure RBAC decides it here, and none of your role assignments allows it.",
            "Ask a cluster administrator for a role assignment, such as Azure Kubernetes Service RBAC Reader. It takes effect within five minutes.",
            "A cluster administrator would type: az role assignment create --role 'Azure Kubernetes Service RBAC Reader' --assignee alice@contoso.example --scope CLUSTER_RESOURCE_ID/namespaces/dev",
        ],
    );
    let allowed = "Access allowed by Azure RBAC Role Assignment 12ab of Role \
                   /providers/x/b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b to user alice";
    assert_says(
        explanation_of(decided(true, false, allowed)),
        &who(),
        &[
            "You may list pods in namespace dev.",
            "Azure RBAC allows it by the role Azure Kubernetes Service RBAC Cluster Admin, assignment 12ab.",
        ],
    );
    let no_opinion = "Azure does not have opinion for this user.";
    let text =
        Explained { place: PLACE, explanation: explanation_of(decided(false, false, no_opinion)), who: &who() }.text();
    assert!(text.contains("No binding gives it to you.") && !text.contains("Azure"), "{text}");
}

#[test]
fn the_least_role_of_azure_is_named() {
    for (verb, resource, namespace, expected) in [
        ("list", "pods", "", "Azure Kubernetes Service RBAC Reader"),
        ("list", "namespaces", "", "Azure Kubernetes Service RBAC Reader"),
        ("get", "secrets", "dev", "Azure Kubernetes Service RBAC Writer"),
        ("delete", "pods", "dev", "Azure Kubernetes Service RBAC Writer"),
        ("create", "limitranges", "dev", "Azure Kubernetes Service RBAC Admin"),
        ("list", "nodes", "", "Azure Kubernetes Service RBAC Cluster Admin"),
        ("list", "events", "dev", "Azure Kubernetes Service RBAC Reader"),
        ("delete", "limitranges", "dev", "Azure Kubernetes Service RBAC Admin"),
    ] {
        assert_eq!(azure::role(&explanation(verb, resource, namespace).access), expected, "{verb} {resource}");
    }
}

#[test]
fn whatever_else_decides_is_quoted() {
    let with = |decision| Explanation { decision, ..explanation("get", "pods", "dev") };
    for (decision, said) in [
        (decided(true, false, "because"), "The API server says why: because"),
        (decided(true, false, ""), "No RBAC binding of yours allows it, so something else in the cluster does."),
        (decided(false, true, "policy"), "An authorizer of the cluster refuses it: policy"),
    ] {
        let text = Explained { place: PLACE, explanation: with(decision), who: &who() }.text();
        assert!(text.lines().any(|line| line == said), "{text}");
    }
    let unsure = Explanation { is_known: false, ..explanation("lst", "foos", "dev") };
    let text = Explained { place: PLACE, explanation: unsure, who: &who() }.text();
    assert!(text.contains("no resource type \"foos\"") && text.contains("no verb \"lst\""), "{text}");
    assert!(!text.contains("create role"), "kubectl makes no role for a type that is not there: {text}");
}

#[test]
fn rule_with_names_is_shown_as_a_near_miss() {
    let near = |verb: &str| Explanation {
        near: vec![NearMiss {
            grant: AccessGrant {
                rule: format!("{verb} on pods named web"),
                ..grant("b", "dev", "r", &[("Group", "1f2e")])
            },
            resource_names: vec!["web".to_owned()],
        }],
        ..explanation(verb, "pods", "dev")
    };
    let given = |verb: &str| {
        format!(
            "RoleBinding b gives ClusterRole r to the group developers (1f2e), which you are in, for objects of certain names only. Its rule: {verb} on pods named web."
        )
    };
    for (verb, second) in [
        (
            "get",
            "A request for all of them names no object. For one of them: kubectl login whoami --explain get pods/web -n dev",
        ),
        ("create", "A create request names no object, so a rule with names never allows it."),
    ] {
        let text = Explained { explanation: near(verb), place: PLACE, who: &who() }.text();
        assert!(text.contains(&format!("\n{}\n{second}\n", given(verb))), "{text}");
    }
}

#[test]
fn admission_is_mentioned_where_it_can_refuse() {
    let says = |verb: &str, subresource: &str, allowed: bool| {
        let mut explanation = Explanation { decision: decided(allowed, false, ""), ..explanation(verb, "pods", "dev") };
        if let AccessTarget::Resource(resource) = &mut explanation.access.target {
            resource.subresource = subresource.to_owned();
        }
        Explained { explanation, place: PLACE, who: &who() }.text().contains("Admission")
    };
    assert!(says("create", "", true) && says("*", "", true) && says("get", "exec", true));
    assert!(!says("list", "", true) && !says("get", "log", true) && !says("create", "", false));
}

#[test]
fn the_record_has_all_of_it() {
    let explanation = Explanation {
        not_held: vec![grant("b", "dev", "admin", &[("Group", "g")])],
        unread: vec![Unread { what: UnreadObjects::ClusterRoleBindings, why: ApiError::Forbidden("no".into()) }],
        ..explanation("list", "pods", "dev")
    };
    let record = serde_json::to_value(Explained { explanation, place: PLACE, who: &who() }.record()).expect("JSON");
    let grant = serde_json::json!({
        "binding": { "kind": "RoleBinding", "name": "b", "namespace": "dev" },
        "role": { "kind": "ClusterRole", "name": "admin" },
        "subjects": [{ "kind": "Group", "name": "g" }], "rule": "get, list on pods",
    });
    assert_eq!(record["notHeld"][0], grant);
    assert_eq!(record["unread"][0], serde_json::json!({ "what": "ClusterRoleBindings", "why": "no" }));
    assert_eq!((&record["allowed"], &record["resource"]["namespace"]), (&false.into(), &"dev".into()));
    assert!(record.get("path").is_none());
}
