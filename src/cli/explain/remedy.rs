//! What can be done about an access that is not given: whom to ask for what, and the command that whoever runs the cluster
//! would type.

use kubectl_login::kube::rbac::RoleRef;
use kubectl_login::kube::review::{Access, Resource, Target};
use kubectl_login::text::{printable, shell_word};

use super::{Explained, azure, verbs};

/// The next steps, one a line; none where access is given to what was meant.
pub(super) fn lines(explained: &Explained) -> Vec<String> {
    let explanation = &explained.explanation;
    let access = &explanation.access;
    if let Some(meant) = verbs::meant(access) {
        let place = namespace(access).map(|name| format!(" -n {}", shell_word(name))).unwrap_or_default();
        let meant = printable(&meant, 200);
        return vec![format!("What kubectl {} needs: kubectl login whoami --explain {meant}{place}", access.verb)];
    }
    if explanation.decision.allowed {
        return Vec::new();
    }
    if azure::refuses(&explanation.decision) {
        let scope = namespace(access).map(|name| format!("/namespaces/{name}")).unwrap_or_default();
        let (role, user) = (azure::role(access), shell_word(&explained.who.holder.username));
        return vec![
            format!(
                "Ask whoever runs the cluster for a role assignment, such as {role}. It counts within five minutes."
            ),
            format!(
                "Whoever runs the cluster would type: az role assignment create --role {} --assignee {user} --scope {}",
                shell_word(role),
                shell_word(&format!("CLUSTER_RESOURCE_ID{scope}"))
            ),
        ];
    }
    let mut lines = Vec::new();
    let others = explanation.not_held.iter().flat_map(|grant| &grant.subjects);
    let groups = others.filter(|subject| subject.kind == "Group").count();
    if explained.is_unseen() {
        lines.push(if explained.who.overage {
            "A token carries 200 groups at most. Ask whoever runs the cluster to bind you by name, or a group that it sees."
                .to_owned()
        } else {
            "Ask whoever runs the cluster to bind you by name, or which claim of the token its groups come from.".to_owned()
        });
    } else if explanation.decision.denied {
        return vec!["Ask whoever runs the cluster.".to_owned()];
    } else if !explanation.by.is_empty() {
        // RBAC that is switched on knows of a binding within seconds.
        return vec![
            "Try again in a minute. If it stays so, ask whoever runs the cluster whether RBAC decides there."
                .to_owned(),
        ];
    } else if !explanation.is_known {
        lines.push("Check the spelling; what the cluster has: kubectl api-resources".to_owned());
        lines.push("If it is right, ask whoever runs the cluster for a binding.".to_owned());
    } else if explained.may_hold() {
        lines.push("Ask whoever runs the cluster to bind you by name.".to_owned());
    } else if groups == 0 {
        lines.push("Ask whoever runs the cluster for a binding.".to_owned());
    } else {
        let which = if groups == 1 { "that group" } else { "one of those groups" };
        lines.push(format!("Ask to be put into {which}, or for a binding of your own."));
        // A token keeps the groups that it was issued with.
        lines.push(format!("If you came into {which} since the last token: kubectl login --refresh"));
    }
    lines.extend(commands(explained));
    lines
}

/// The namespace that is meant, where one is.
fn namespace(access: &Access) -> Option<&str> {
    match &access.target {
        Target::Resource(Resource { namespace, .. }) if !namespace.is_empty() => Some(namespace),
        _ => None,
    }
}

/// The commands that would allow exactly this, or bind a role that does.
fn commands(explained: &Explained) -> Vec<String> {
    let explanation = &explained.explanation;
    let access = &explanation.access;
    let username = &explained.who.holder.username;
    let user = match username.strip_prefix("system:serviceaccount:") {
        Some(account) => format!("--serviceaccount={}", shell_word(account)),
        None => format!("--user={}", shell_word(username)),
    };
    let (prefix, place) = match namespace(access) {
        Some(namespace) => ("", format!(" --namespace={}", shell_word(namespace))),
        None => ("cluster", String::new()),
    };
    if let Some(RoleRef { name, .. }) = &explanation.bindable {
        let binding = shell_word(&format!("{name}-{}", plain(username)));
        return vec![format!(
            "Whoever runs the cluster would type: kubectl create rolebinding {binding} --clusterrole={} {user}{place}",
            shell_word(name)
        )];
    }
    // kubectl makes roles for resource types that the cluster has, and none for everything.
    let Some(what) = role_flags(access).filter(|_| explanation.is_known) else { return Vec::new() };
    let role = match &access.target {
        Target::Resource(resource) => format!("{}-{}", plain(&access.verb), plain(&resource.resource)),
        Target::Path(path) => format!("{}-{}", plain(&access.verb), plain(path)),
    };
    let binding = shell_word(&format!("{role}-{}", plain(username)));
    vec![
        format!("Whoever runs the cluster would type: kubectl create {prefix}role {role} {what}{place}"),
        format!("and then: kubectl create {prefix}rolebinding {binding} --{prefix}role={role} {user}{place}"),
    ]
}

/// The flags of `kubectl create role` for exactly this.
fn role_flags(access: &Access) -> Option<String> {
    let verb = shell_word(&access.verb);
    match &access.target {
        Target::Path(path) => Some(format!("--verb={verb} --non-resource-url={}", shell_word(path))),
        Target::Resource(Resource { resource, .. }) if resource == "*" => None,
        Target::Resource(Resource { group, resource, subresource, name, .. }) => {
            let group = if group.is_empty() { String::new() } else { format!(".{group}") };
            let sub = if subresource.is_empty() { String::new() } else { format!("/{subresource}") };
            let name = if name.is_empty() { String::new() } else { format!(" --resource-name={}", shell_word(name)) };
            Some(format!("--verb={verb} --resource={}{name}", shell_word(&format!("{resource}{group}{sub}"))))
        }
    }
}

/// The part of a name before its `@`, in what a name of Kubernetes may have.
fn plain(text: &str) -> String {
    let text = text.split('@').next().unwrap_or_default().to_lowercase();
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "all".to_owned() } else { words.join("-") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_objects_are_plain() {
        assert_eq!(plain("Alice.Smith@contoso.example"), "alice-smith");
        assert_eq!((plain("*").as_str(), plain("/healthz/etcd").as_str()), ("all", "healthz-etcd"));
    }
}
