//! What to do about an access that is not allowed: whom to ask for what, and the command that an administrator of the
//! cluster would run.

use kubectl_login::messages::kube::ASK_CLUSTER_ADMIN;
use kubectl_login_core::kube::rbac::RbacSubject;
use kubectl_login_core::text::{printable, shell_word};

use super::commands::{self, ADMINISTRATOR};
use super::misnamed::{self, IntendedSubject};
use super::{Explained, NAME, azure, namespace, verbs};

/// The next steps, one per line; none if what was meant is allowed.
pub(super) fn lines(explained: &Explained) -> Vec<String> {
    let explanation = &explained.explanation;
    let access = &explanation.access;
    let place = match (namespace(access), explanation.is_namespaced) {
        (Some(name), _) => format!(" -n {}", shell_word(name)),
        (None, true) => " -A".to_owned(),
        (None, false) => String::new(),
    };
    if let Some(meant) = verbs::suggestion(access, &place) {
        return vec![meant];
    }
    if explanation.decision.allowed {
        return if explained.is_core_group_alone() {
            vec![format!("For the types of all groups: kubectl login whoami --explain '*' '*.*'{place}")]
        } else {
            Vec::new()
        };
    }
    if azure::refuses(&explanation.decision) {
        return role_assignment(explained);
    }
    if let Some(lines) = without_another_binding(explained) {
        return lines;
    }
    let mut lines = ask_for_binding(explained);
    lines.extend(commands::to_allow(explained));
    lines
}

/// What to do if Azure RBAC decides.
fn role_assignment(explained: &Explained) -> Vec<String> {
    let access = &explained.explanation.access;
    let scope = namespace(access).map(|name| format!("/namespaces/{name}")).unwrap_or_default();
    let (role, user) = (azure::role(access), shell_word(&explained.who.requester.username));
    vec![
        format!(
            "Ask a cluster administrator for a role assignment, such as {role}. It takes effect within five minutes."
        ),
        format!(
            "{ADMINISTRATOR} az role assignment create --role {} --assignee {user} --scope {}",
            shell_word(role),
            shell_word(&format!("CLUSTER_RESOURCE_ID{scope}"))
        ),
    ]
}

/// What to do if another binding would not help, or the one that is there has to be corrected.
fn without_another_binding(explained: &Explained) -> Option<Vec<String>> {
    let explanation = &explained.explanation;
    let one = |line: &str| Some(vec![line.to_owned()]);
    if explained.is_unseen() {
        None
    } else if explanation.decision.denied {
        one(ASK_CLUSTER_ADMIN)
    } else if !explanation.by.is_empty() {
        // If RBAC is enabled, it sees a binding within seconds.
        one("Try again in a minute. If it stays so, ask a cluster administrator whether RBAC decides there.")
    } else if !verbs::is_known(&explanation.access) {
        one("Check the verb. Those for most objects are get, list, watch, create, update, patch and delete.")
    } else if !explanation.is_known {
        None
    } else {
        misnamed::all(explanation, explained.who).first().map(|first| corrected(explained, first))
    }
}

/// Whom to ask for a binding, or for a group that has one.
fn ask_for_binding(explained: &Explained) -> Vec<String> {
    let explanation = &explained.explanation;
    if explained.is_unseen() {
        let line = match explained.who.overage {
            true => {
                "A token carries 200 groups at most. Ask a cluster administrator to bind you by name, or a group that it sees."
            }
            false => {
                "Ask a cluster administrator to bind you by name, or which claim of the token its groups come from."
            }
        };
        return vec![line.to_owned()];
    }
    if !explanation.is_known {
        return vec![
            "Check the spelling; what the cluster has: kubectl api-resources".to_owned(),
            "If it is right, ask a cluster administrator for a binding.".to_owned(),
        ];
    }
    if explained.may_hold() {
        return vec!["Ask a cluster administrator to bind you by name.".to_owned()];
    }
    let others = explanation.not_held.iter().flat_map(|grant| &grant.subjects);
    let is_group =
        |subject: &&RbacSubject| subject.kind == "Group" && misnamed::intended(subject, explained.who).is_none();
    let which = match others.filter(is_group).count() {
        0 => return vec!["Ask a cluster administrator for a binding.".to_owned()],
        1 => "that group",
        _ => "one of those groups",
    };
    vec![
        format!("Ask to be added to {which}, or for a binding of your own."),
        // A token lists the groups of the time when it was issued.
        format!("If you joined {which} since the last token: kubectl login --refresh"),
    ]
}

/// What to do about a binding that can never match.
fn corrected(explained: &Explained, misnamed: &misnamed::Misnamed<'_>) -> Vec<String> {
    let mut lines = vec![match misnamed.intended {
        IntendedSubject::User | IntendedSubject::Group(_) => {
            "Ask a cluster administrator to bind the name that the cluster knows.".to_owned()
        }
        IntendedSubject::DisplayName => format!(
            "If you are in that group, ask a cluster administrator to bind its object id: az ad group show --group {} --query id",
            shell_word(&printable(&misnamed.subject.name, NAME))
        ),
    }];
    lines.push(commands::to_correct(misnamed, &explained.who.requester.username));
    lines
}
