//! Verbs: what Kubernetes calls what can be done. kubectl's commands are often taken for verbs, and few are.

use kubectl_login::kube::review::{Access, Resource, Target};

/// What Kubernetes knows. Others mean nothing to it, though a cluster's own API may use some.
const VERBS: &[&str] = &[
    "*",
    "approve",
    "attest",
    "bind",
    "create",
    "delete",
    "deletecollection",
    "escalate",
    "get",
    "impersonate",
    "list",
    "patch",
    "sign",
    "update",
    "use",
    "watch",
];

/// Commands of kubectl and what has to be allowed for them; `{}` is what they are used on.
const COMMANDS: &[(&str, &str)] = &[
    ("annotate", "patch {}"),
    ("apply", "patch {}"),
    ("attach", "create pods/attach"),
    ("cordon", "patch nodes"),
    ("cp", "create pods/exec"),
    ("debug", "patch pods/ephemeralcontainers"),
    ("describe", "get {}"),
    ("drain", "create pods/eviction"),
    ("edit", "patch {}"),
    ("exec", "create pods/exec"),
    ("expose", "create services"),
    ("label", "patch {}"),
    ("log", "get pods/log"),
    ("logs", "get pods/log"),
    ("port-forward", "create pods/portforward"),
    ("replace", "update {}"),
    ("rollout", "patch {}"),
    ("run", "create pods"),
    ("scale", "patch {}/scale"),
    ("set", "patch {}"),
    ("taint", "patch nodes"),
    ("top", "list {}.metrics.k8s.io"),
    ("uncordon", "patch nodes"),
];

pub(super) fn is_known(verb: &str) -> bool {
    VERBS.contains(&verb)
}

/// Verb and resource that have to be allowed for a command of kubectl, where one was taken for a verb.
pub(super) fn meant(access: &Access) -> Option<String> {
    let Target::Resource(Resource { group, resource, subresource, .. }) = &access.target else { return None };
    let (_, meant) = COMMANDS.iter().find(|(command, _)| *command == access.verb)?;
    let is_plain = subresource.is_empty() && resource != "*";
    let on = if group.is_empty() { resource.clone() } else { format!("{resource}.{group}") };
    (is_plain || !meant.contains("{}")).then(|| meant.replace("{}", &on))
}
