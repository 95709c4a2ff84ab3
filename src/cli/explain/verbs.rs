//! The verbs of Kubernetes. Commands of kubectl and methods of HTTP are often mistaken for verbs.

use kubectl_login_core::kube::review::{AccessRequest, AccessTarget, ResourceAttributes};
use kubectl_login_core::text::{printable, shell_word};

/// Verbs for objects. Others mean nothing to Kubernetes, though a cluster's own API may use some.
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
    "proxy",
    "sign",
    "update",
    "use",
    "watch",
];
/// Verbs for paths: the methods of HTTP in lower case
/// (<https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb>).
const PATH_VERBS: &[&str] = &["*", "delete", "get", "head", "options", "patch", "post", "put"];
/// Methods of HTTP, and the verbs that they mean for objects.
const METHODS: &[(&str, &str)] = &[("head", "get"), ("post", "create"), ("put", "update")];
/// Verbs for objects, and the methods that reach a path in the same way.
const FOR_PATHS: &[(&str, &str)] =
    &[("create", "post"), ("deletecollection", "delete"), ("list", "get"), ("update", "put"), ("watch", "get")];

/// Commands of kubectl and what they need; `{}` is what they are used on.
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

/// Whether Kubernetes has this verb for what it is used on.
pub(super) fn is_known(access: &AccessRequest) -> bool {
    let known = if matches!(access.target, AccessTarget::Path(_)) { PATH_VERBS } else { VERBS };
    known.contains(&access.verb.as_str())
}

/// A sentence that says that Kubernetes does not have the verb of `access`.
pub(super) fn unknown(access: &AccessRequest) -> String {
    let verb = printable(&access.verb, 60);
    match access.target {
        AccessTarget::Path(_) => {
            format!("Kubernetes has no verb {verb:?} for paths: they are {}.", PATH_VERBS[1..].join(", "))
        }
        AccessTarget::Resource(_) => format!("Kubernetes itself has no verb {verb:?}."),
    }
}

/// What was probably meant if Kubernetes does not have the verb: a sentence that ends in the command to run instead.
pub(super) fn suggestion(access: &AccessRequest, place: &str) -> Option<String> {
    let verb = access.verb.to_lowercase();
    let of = |table: &[(&str, &'static str)]| table.iter().find(|(from, _)| *from == verb).map(|(_, to)| *to);
    let ask = |question: &str| format!("kubectl login whoami --explain {question}{place}");
    let calls = |verb: &str, on: &str| format!("Kubernetes calls that {verb}: {}", ask(&format!("{verb} {on}")));
    if is_known(access) {
        return None;
    }
    match &access.target {
        AccessTarget::Path(path) => {
            let known = PATH_VERBS.iter().copied().find(|known| *known == verb).or_else(|| of(FOR_PATHS))?;
            Some(calls(known, &shell_word(path)))
        }
        AccessTarget::Resource(resource) => {
            if let Some(known) = VERBS.iter().copied().find(|known| *known == verb).or_else(|| of(METHODS)) {
                return Some(calls(known, &shell_word(&typed(resource))));
            }
            let meant = of(COMMANDS)?;
            let is_plain = resource.subresource.is_empty() && resource.resource != "*";
            let on = typed(&ResourceAttributes { name: String::new(), ..resource.clone() });
            let question = printable(&meant.replace("{}", &on), 200);
            (is_plain || !meant.contains("{}")).then(|| format!("What kubectl {verb} needs: {}", ask(&question)))
        }
    }
}

/// The arguments of `--explain` for the verb of `access` on `resource`, in its namespace.
pub(super) fn question(access: &AccessRequest, resource: &ResourceAttributes) -> String {
    let place = match resource.namespace.as_str() {
        "" => String::new(),
        namespace => format!(" -n {}", shell_word(namespace)),
    };
    format!("{} {}{place}", shell_word(&access.verb), shell_word(&typed(resource)))
}

/// A resource as it is typed after a verb.
fn typed(ResourceAttributes { group, resource, subresource, name, .. }: &ResourceAttributes) -> String {
    let group = if group.is_empty() { String::new() } else { format!(".{group}") };
    let parts = [format!("{resource}{group}"), name.clone(), subresource.clone()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}
