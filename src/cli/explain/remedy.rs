//! What can be done about an access that is not given: whom to ask for what, and the command that an administrator of the
//! cluster would type.

use kubectl_login_core::text::{printable, shell_word};

use super::commands::{self, ADMINISTRATOR};
use super::misnamed::{self, IntendedSubject};
use super::{Explained, NAME, azure, namespace, verbs};

/// The next steps, one a line; none where access is given to what was meant.
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
        let scope = namespace(access).map(|name| format!("/namespaces/{name}")).unwrap_or_default();
        let (role, user) = (azure::role(access), shell_word(&explained.who.requester.username));
        return vec![
            format!(
                "Ask a cluster administrator for a role assignment, such as {role}. It counts within five minutes."
            ),
            format!(
                "{ADMINISTRATOR} az role assignment create --role {} --assignee {user} --scope {}",
                shell_word(role),
                shell_word(&format!("CLUSTER_RESOURCE_ID{scope}"))
            ),
        ];
    }
    let mut lines = Vec::new();
    let others = explanation.not_held.iter().flat_map(|grant| &grant.subjects);
    let groups = others
        .filter(|subject| subject.kind == "Group" && misnamed::intended(subject, explained.who).is_none())
        .count();
    if explained.is_unseen() {
        lines.push(if explained.who.overage {
            "A token carries 200 groups at most. Ask a cluster administrator to bind you by name, or a group that it sees."
                .to_owned()
        } else {
            "Ask a cluster administrator to bind you by name, or which claim of the token its groups come from.".to_owned()
        });
    } else if explanation.decision.denied {
        return vec!["Ask a cluster administrator.".to_owned()];
    } else if !explanation.by.is_empty() {
        // RBAC that is switched on knows of a binding within seconds.
        return vec![
            "Try again in a minute. If it stays so, ask a cluster administrator whether RBAC decides there.".to_owned(),
        ];
    } else if !verbs::is_known(access) {
        return vec![
            "Check the verb. Those for most objects are get, list, watch, create, update, patch and delete.".to_owned(),
        ];
    } else if !explanation.is_known {
        lines.push("Check the spelling; what the cluster has: kubectl api-resources".to_owned());
        lines.push("If it is right, ask a cluster administrator for a binding.".to_owned());
    } else if let Some(first) = misnamed::all(explanation, explained.who).first() {
        return corrected(explained, first);
    } else if explained.may_hold() {
        lines.push("Ask a cluster administrator to bind you by name.".to_owned());
    } else if groups == 0 {
        lines.push("Ask a cluster administrator for a binding.".to_owned());
    } else {
        let which = if groups == 1 { "that group" } else { "one of those groups" };
        lines.push(format!("Ask to be put into {which}, or for a binding of your own."));
        // A token keeps the groups that it was issued with.
        lines.push(format!("If you came into {which} since the last token: kubectl login --refresh"));
    }
    lines.extend(commands::to_allow(explained));
    lines
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
