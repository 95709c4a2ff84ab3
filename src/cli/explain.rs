//! Why an access is allowed or not: as text for people, and as a record for programs.

use std::collections::{BTreeMap, BTreeSet};

use kubectl_login::messages::Result;
use kubectl_login::messages::kube as messages;
use kubectl_login_core::kube::access::{self, AccessGrant, AccessQuestion, Explanation, NearMiss, Unread};
use kubectl_login_core::kube::api::{ApiClient, ApiError};
use kubectl_login_core::kube::rbac::{RbacSubject, Requester, RoleRef};
use kubectl_login_core::kube::review::{AccessRequest, AccessTarget, ResourceAttributes};
use kubectl_login_core::text::{printable, without_controls};
use serde::Serialize;

use super::report;
use crate::ui::wrap::{self, wrapped};

mod azure;
mod commands;
pub(super) mod misnamed;
mod remedy;
mod verbs;

/// Subresources that are connections. Admission checks them whatever the verb is.
const CONNECTIONS: [&str; 4] = ["attach", "exec", "portforward", "proxy"];
/// Verbs of requests that admission checks.
const CHANGES: [&str; 6] = ["*", "create", "delete", "deletecollection", "patch", "update"];

/// How many bindings are shown; the record contains all of them.
const SHOWN: usize = 3;
/// How much of a name is shown.
const NAME: usize = 120;

/// The user whose access is explained.
pub(super) struct AskingUser {
    /// The name and the groups to look for in bindings.
    pub(super) requester: Requester,
    /// Those of the groups that the cluster does not see.
    pub(super) unseen: BTreeSet<String>,
    /// Names of groups by their ids, if they are known.
    pub(super) names: BTreeMap<String, String>,
    /// Other names of the user, such as a mail address, which the cluster may not use.
    pub(super) aliases: Vec<String>,
    /// The cluster identifies groups only by Entra's object ids.
    pub(super) groups_are_ids: bool,
    /// The prefix that the cluster puts before the issuer's names of groups.
    pub(super) group_prefix: String,
    /// The user is in more groups than a token can list.
    pub(super) overage: bool,
    /// The user may be in groups that are not known.
    pub(super) may_be_in_others: bool,
    /// The names are those of the token, because the cluster does not report its own.
    pub(super) is_of_token: bool,
}

/// Which cluster was asked, by the names in the kubeconfig.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Place<'a> {
    /// The context, unless a user was named instead.
    pub(super) context: Option<&'a str>,
    /// The context's cluster.
    pub(super) cluster: Option<&'a str>,
}

/// An explanation, the cluster, and the user.
pub(super) struct Explained<'a> {
    pub(super) explanation: Explanation,
    pub(super) place: Place<'a>,
    pub(super) who: &'a AskingUser,
}

/// Asks `api` why `requester` may or may not do what `question` says.
///
/// Errors: the API server does not decide.
pub(super) async fn run(api: &ApiClient, question: &AccessQuestion, requester: &Requester) -> Result<Explanation> {
    access::explain(api, question, requester)
        .await
        .map_err(|failure| messages::api_error(&failure, api, "ask the cluster whether this is allowed"))
}

/// The record for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record<'a> {
    verb: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a ResourceAttributes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(flatten)]
    place: Place<'a>,
    allowed: bool,
    denied: bool,
    reason: &'a str,
    evaluation_error: &'a str,
    by: &'a [AccessGrant],
    near_misses: &'a [NearMiss],
    not_held: &'a [AccessGrant],
    unread: Vec<UnreadRecord>,
}

#[derive(Serialize)]
struct UnreadRecord {
    what: String,
    why: String,
}

impl Explained<'_> {
    /// Whether the API server allows it.
    pub(super) fn is_allowed(&self) -> bool {
        self.explanation.decision.allowed
    }

    /// All of it for programs.
    pub(super) fn record(&self) -> Record<'_> {
        let Explanation { access, decision, by, near, not_held, unread, .. } = &self.explanation;
        let (resource, path) = match &access.target {
            AccessTarget::Resource(resource) => (Some(resource), None),
            AccessTarget::Path(path) => (None, Some(path.as_str())),
        };
        Record {
            verb: &access.verb,
            resource,
            path,
            place: self.place,
            allowed: decision.allowed,
            denied: decision.denied,
            reason: &decision.reason,
            evaluation_error: &decision.evaluation_error,
            by,
            near_misses: near,
            not_held,
            unread: unread
                .iter()
                .map(|Unread { what, why }| UnreadRecord { what: what.to_string(), why: why.to_string() })
                .collect(),
        }
    }

    /// Prints the decision, the reason, and what to do next.
    ///
    /// Errors: it cannot be printed.
    pub(super) fn print(&self) -> Result<()> {
        let width = wrap::columns(&std::io::stdout());
        let set =
            |line: &str| wrapped(&without_controls(line), if line.starts_with("- ") { 2 } else { 0 }, width) + "\n";
        report::print(&self.text().lines().map(set).collect::<String>())
    }

    /// The three parts, separated by empty lines, because readers usually look for one of them. One paragraph per line.
    fn text(&self) -> String {
        let mut answer = vec![self.answer(), self.place()];
        answer.extend(self.doubts());
        let mut why = if self.is_allowed() { self.reasons() } else { self.obstacles() };
        let error = &self.explanation.decision.evaluation_error;
        if !error.is_empty() {
            why.push(format!("The API server could not check everything: {error}"));
        }
        why.extend(self.gaps());
        if self.is_allowed() && self.meets_admission() {
            why.push(
                "Admission (Gatekeeper, Kyverno, other webhooks, quotas) can still refuse the request itself."
                    .to_owned(),
            );
        }
        let parts = [answer, why, remedy::lines(self)];
        parts.iter().filter(|part| !part.is_empty()).map(|part| part.join("\n")).collect::<Vec<_>>().join("\n\n")
    }

    fn answer(&self) -> String {
        let Explanation { access, is_namespaced, decision, .. } = &self.explanation;
        let verb = if access.verb == "*" { "do everything with".to_owned() } else { printable(&access.verb, NAME) };
        let may = if decision.allowed { "may" } else { "may not" };
        match &access.target {
            AccessTarget::Path(path) => format!("You {may} {verb} {}.", printable(path, NAME)),
            AccessTarget::Resource(resource) => {
                let place = match (*is_namespaced, resource.namespace.as_str()) {
                    (false, _) => String::new(),
                    (true, "") => " in all namespaces".to_owned(),
                    (true, namespace) => format!(" in namespace {}", printable(namespace, NAME)),
                };
                // If less than everything is refused, everything is refused too.
                let what = if self.is_core_group_alone() && !decision.allowed {
                    "everything".to_owned()
                } else {
                    thing(resource)
                };
                format!("You {may} {verb} {what}{place}.")
            }
        }
    }

    /// The cluster and the user.
    fn place(&self) -> String {
        let quoted = |kind: &str, name: Option<&str>| name.map(|name| format!("{kind} {:?}", printable(name, NAME)));
        let Place { context, cluster } = self.place;
        let names = [quoted("context", context), quoted("cluster", cluster)];
        let place = names.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let user = printable(&self.who.requester.username, NAME);
        let by = if self.who.is_of_token { "the token says you are" } else { "the cluster knows you as" };
        if place.is_empty() { format!("Here {by} {user}.") } else { format!("In {place}, {by} {user}.") }
    }

    /// What may have been mistyped.
    fn doubts(&self) -> Vec<String> {
        let Explanation { access, is_known, .. } = &self.explanation;
        let mut lines = Vec::new();
        if let AccessTarget::Resource(resource) = &access.target {
            let name = printable(&resource.resource, NAME);
            if !is_known {
                lines.push(format!("The cluster seems to have no resource type {name:?}; it was asked as typed."));
            } else if resource.is_for_impersonation() && !["*", "impersonate"].contains(&access.verb.as_str()) {
                lines.push(format!(
                    "There are no objects of the type {name:?}: it stands for what can be impersonated."
                ));
            }
        }
        if !verbs::is_known(access) {
            lines.push(verbs::unknown(access));
        }
        lines
    }

    /// Whether the question is about `*`, which means only the types of the core group.
    fn is_core_group_alone(&self) -> bool {
        let is_core = |resource: &ResourceAttributes| resource.resource == "*" && resource.group.is_empty();
        matches!(&self.explanation.access.target, AccessTarget::Resource(resource) if is_core(resource))
    }

    /// Whether admission checks a request that RBAC allows; it does not check reads.
    fn meets_admission(&self) -> bool {
        let access = &self.explanation.access;
        let is_connection = |resource: &ResourceAttributes| CONNECTIONS.contains(&resource.subresource.as_str());
        match &access.target {
            AccessTarget::Resource(resource) => CHANGES.contains(&access.verb.as_str()) || is_connection(resource),
            AccessTarget::Path(_) => false,
        }
    }

    /// Why it is allowed.
    fn reasons(&self) -> Vec<String> {
        let Explanation { decision, by, .. } = &self.explanation;
        if !by.is_empty() {
            return self.granted(by);
        }
        let reason = &decision.reason;
        vec![if let Some(words) = azure::allowed(reason) {
            words
        } else if self.who.requester.groups.contains("system:masters") {
            "You are in the group system:masters, which may do everything without a binding.".to_owned()
        } else if !reason.is_empty() {
            format!("The API server says why: {reason}")
        } else if self.all_is_read() && !self.who.is_of_token {
            "No RBAC binding of yours allows it, so something else in the cluster does.".to_owned()
        } else {
            "The reason could not be determined.".to_owned()
        }]
    }

    fn granted(&self, grants: &[AccessGrant]) -> Vec<String> {
        let mut lines = Vec::new();
        for grant in grants.iter().take(SHOWN) {
            let AccessGrant { binding, role, rule, .. } = grant;
            let name = printable(&binding.metadata.name, NAME);
            let subject = grant.subjects.first().map(|subject| self.held(subject)).unwrap_or_default();
            lines.push(format!("{} {name} gives {} to {subject}. Its rule: {rule}.", binding.kind, role_words(role)));
        }
        match grants.len().saturating_sub(SHOWN) {
            0 => {}
            1 => lines.push("So does one more binding.".to_owned()),
            more => lines.push(format!("So do {more} more bindings.")),
        }
        lines
    }

    /// Why it is not allowed.
    fn obstacles(&self) -> Vec<String> {
        let Explanation { access, decision, by, near, not_held, .. } = &self.explanation;
        let mut lines = self.granted(by);
        if azure::refuses(decision) {
            lines.push("Azure RBAC decides it here, and none of your role assignments allows it.".to_owned());
            return lines;
        }
        if self.is_unseen() {
            lines
                .push("The cluster does not see that you are in that group, so the binding does not count.".to_owned());
        } else if decision.denied {
            lines.push(match decision.reason.as_str() {
                "" => "An authorizer of the cluster refuses it.".to_owned(),
                reason => format!("An authorizer of the cluster refuses it: {reason}"),
            });
        } else if !by.is_empty() {
            lines.push("But the API server decides otherwise.".to_owned());
        } else {
            let which = if self.all_is_read() { "" } else { " that you may read" };
            let whom = match self.who.is_of_token {
                false => "you".to_owned(),
                true => {
                    format!("{}, or to a group that the token lists", printable(&self.who.requester.username, NAME))
                }
            };
            lines.push(format!("No binding{which} gives it to {whom}."));
        }
        if by.is_empty() {
            lines.extend(near.iter().take(SHOWN).flat_map(|near| self.nearly(near, access)));
            lines.extend(misnamed::all(&self.explanation, self.who).iter().take(SHOWN).map(|one| one.reason(self.who)));
            lines.extend(self.given_to_others(not_held));
        }
        lines
    }

    /// A binding that allows it for other objects, and how to ask about one of those.
    fn nearly(&self, NearMiss { grant, resource_names }: &NearMiss, access: &AccessRequest) -> Vec<String> {
        let AccessGrant { binding, role, subjects, rule } = grant;
        let subject = subjects.first().map(|subject| self.held(subject)).unwrap_or_default();
        let (name, role) = (printable(&binding.metadata.name, NAME), role_words(role));
        let first = format!(
            "{} {name} gives {role} to {subject}, for objects of certain names only. Its rule: {rule}.",
            binding.kind
        );
        let AccessTarget::Resource(resource) = &access.target else { return vec![first] };
        let is_nameless =
            ["create", "deletecollection"].contains(&access.verb.as_str()) && resource.subresource.is_empty();
        let second = match resource_names.first().filter(|name| !name.is_empty()) {
            _ if is_nameless => {
                format!("A {} request names no object, so a rule with names never allows it.", access.verb)
            }
            Some(name) if resource.name.is_empty() => format!(
                "A request for all of them names no object. For one of them: kubectl login whoami --explain {}",
                verbs::question(access, &ResourceAttributes { name: name.clone(), ..resource.clone() })
            ),
            _ => return vec![first],
        };
        vec![first, second]
    }

    /// Bindings that give it to others.
    fn given_to_others(&self, not_held: &[AccessGrant]) -> Vec<String> {
        let others = |grant: &AccessGrant| -> Vec<String> {
            let others = grant.subjects.iter().filter(|subject| misnamed::intended(subject, self.who).is_none());
            others.map(|subject| self.other(subject)).collect()
        };
        let given: Vec<_> =
            not_held.iter().map(|grant| (grant, others(grant))).filter(|(_, whom)| !whom.is_empty()).collect();
        if given.is_empty() {
            return Vec::new();
        }
        let mut lines = vec!["Others have it:".to_owned()];
        for (AccessGrant { binding, role, .. }, whom) in given.iter().take(SHOWN) {
            let more = if whom.len() > SHOWN { " and others" } else { "" };
            let whom = whom.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
            let (name, role) = (printable(&binding.metadata.name, NAME), role_words(role));
            lines.push(format!("- {} {name} gives {role} to {whom}{more}", binding.kind));
        }
        if given.len() > SHOWN {
            lines.push(format!("- {} more", given.len() - SHOWN));
        }
        if self.may_hold() {
            lines.push(
                "Not all of your groups are known: you may be in one of these, unseen by the cluster.".to_owned(),
            );
        }
        lines
    }

    /// What could not be read, and what that means.
    fn gaps(&self) -> Vec<String> {
        let (forbidden, others): (Vec<_>, Vec<_>) =
            self.explanation.unread.iter().partition(|unread| matches!(unread.why, ApiError::Forbidden(_)));
        let mut lines = Vec::new();
        if self.who.is_of_token {
            lines.push(
                "The cluster is too old to report who you are: these names are from the token, and the cluster may use others."
                    .to_owned(),
            );
        }
        if !forbidden.is_empty() {
            let what: Vec<_> =
                forbidden.iter().take(SHOWN).map(|unread| printable(&unread.what.to_string(), NAME)).collect();
            let more = if forbidden.len() > SHOWN { " and more" } else { "" };
            lines.push(format!("There may be more to it: you may not read {}{more}.", what.join(" and ")));
        }
        for Unread { what, why } in others.into_iter().take(SHOWN) {
            let what = printable(&what.to_string(), 2 * NAME);
            lines.push(match why {
                ApiError::NotFound => format!("{} is not there, so it gives nothing.", capitalized(&what)),
                _ => format!("There may be more to it: {what} cannot be read: {why}"),
            });
        }
        lines
    }

    /// Whether everything could be read. What does not exist allows nothing.
    fn all_is_read(&self) -> bool {
        self.explanation.unread.iter().all(|unread| matches!(unread.why, ApiError::NotFound))
    }

    /// Whether a binding would match if the cluster saw all groups.
    fn is_unseen(&self) -> bool {
        let mut subjects = self.explanation.by.iter().flat_map(|grant| &grant.subjects).peekable();
        subjects.peek().is_some()
            && subjects.all(|subject| subject.kind == "Group" && self.who.unseen.contains(&subject.name))
    }

    /// Whether the user may be in one of the groups that have it, because not all of their groups are known.
    fn may_hold(&self) -> bool {
        let mut others = self.explanation.not_held.iter().flat_map(|grant| &grant.subjects);
        self.who.may_be_in_others
            && others.any(|subject| subject.kind == "Group" && misnamed::intended(subject, self.who).is_none())
    }

    /// The user, as a binding names them.
    fn held(&self, subject: &RbacSubject) -> String {
        match subject.kind.as_str() {
            "Group" => format!("the {}, which you are in", self.other(subject)),
            _ => format!("you, {}", printable(&subject.name, NAME)),
        }
    }

    fn other(&self, subject: &RbacSubject) -> String {
        let name = printable(&subject.name, NAME);
        match (subject.kind.as_str(), self.who.names.get(&subject.name)) {
            ("Group", Some(known)) => format!("group {} ({name})", printable(known, NAME)),
            ("Group", None) => format!("group {name}"),
            _ => format!("user {name}"),
        }
    }
}

/// `text` with its first letter in upper case, for the beginning of a sentence.
fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The namespace, if there is one.
fn namespace(access: &AccessRequest) -> Option<&str> {
    match &access.target {
        AccessTarget::Resource(ResourceAttributes { namespace, .. }) if !namespace.is_empty() => Some(namespace),
        _ => None,
    }
}

fn role_words(role: &RoleRef) -> String {
    format!("{} {}", printable(&role.kind, NAME), printable(&role.name, NAME))
}

/// Objects as kubectl names them, the core group without a name.
fn thing(ResourceAttributes { group, resource, subresource, name, .. }: &ResourceAttributes) -> String {
    let mut words = match (resource.as_str(), group.as_str()) {
        ("*", "*") => "everything".to_owned(),
        ("*", "") => "everything of the core group".to_owned(),
        ("*", group) => format!("everything of {group}"),
        (resource, "") => resource.to_owned(),
        (resource, group) => format!("{resource}.{group}"),
    };
    if !subresource.is_empty() {
        words += &format!("/{subresource}");
    }
    if !name.is_empty() {
        words += &format!(" {name:?}");
    }
    printable(&words, 2 * NAME)
}

#[cfg(test)]
mod tests;
