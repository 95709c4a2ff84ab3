//! Bindings that name the user or a group by a name that the cluster does not use, so that they can never match.
//!
//! Entra sends object ids for groups, and for guests it sends no name: see
//! <https://learn.microsoft.com/azure/aks/azure-ad-rbac> and <https://learn.microsoft.com/azure/aks/concepts-identity>.

use kubectl_login_core::kube::access::{AccessGrant, Explanation};
use kubectl_login_core::kube::rbac::RbacSubject;
use kubectl_login_core::text::printable;

use super::{AskingUser, NAME};

/// What follows a guest's mail address in the tenant that invited the guest: `bob_outlook.example#EXT#@contoso.example`.
const INVITED: &str = "#ext#";

/// The user or group that is meant by a subject that cannot match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IntendedSubject<'a> {
    /// The user, whom the cluster knows by another name.
    User,
    /// One of the user's groups, which the cluster knows by this name.
    Group(&'a str),
    /// A group by its display name, although the cluster gets object ids.
    DisplayName,
}

/// A subject of a binding that cannot match, and what it is meant for.
pub(super) struct Misnamed<'a> {
    pub(super) grant: &'a AccessGrant,
    pub(super) subject: &'a RbacSubject,
    pub(super) intended: IntendedSubject<'a>,
}

/// Whether the display names of the user's groups are needed to say which group a binding means.
pub(in super::super) fn needs_names(explanation: &Explanation, who: &AskingUser) -> bool {
    all(explanation, who).iter().any(|misnamed| misnamed.intended == IntendedSubject::DisplayName)
}

/// The subjects that cannot match in bindings that would allow the access.
pub(super) fn all<'a>(explanation: &'a Explanation, who: &'a AskingUser) -> Vec<Misnamed<'a>> {
    let subjects =
        explanation.not_held.iter().flat_map(|grant| grant.subjects.iter().map(move |subject| (grant, subject)));
    subjects
        .filter_map(|(grant, subject)| Some(Misnamed { grant, subject, intended: intended(subject, who)? }))
        .collect()
}

/// What a subject that cannot match is meant for; `None` for any other.
pub(super) fn intended<'a>(subject: &RbacSubject, who: &'a AskingUser) -> Option<IntendedSubject<'a>> {
    let name = subject.name.as_str();
    if subject.kind == "User" {
        let name = name.to_lowercase();
        let invited = name.split_once(INVITED).map(|(local, _)| local);
        let is_alias = |alias: &String| {
            let alias = alias.to_lowercase();
            alias == name || invited == Some(alias.replacen('@', "_", 1).as_str())
        };
        return who.aliases.iter().any(is_alias).then_some(IntendedSubject::User);
    }
    let is_display_name = |known: &String| known.eq_ignore_ascii_case(name);
    let by_name = who.names.iter().find(|(_, known)| is_display_name(known)).map(|(id, _)| id.as_str());
    let without_prefix = || {
        let is_it = |group: &&String| group.strip_prefix(who.group_prefix.as_str()) == Some(name);
        who.requester.groups.iter().find(is_it).map(String::as_str).filter(|_| !who.group_prefix.is_empty())
    };
    let bare = name.strip_prefix(who.group_prefix.as_str()).unwrap_or(name);
    by_name
        .or_else(without_prefix)
        .map(IntendedSubject::Group)
        .or_else(|| (who.groups_are_ids && !is_guid(bare)).then_some(IntendedSubject::DisplayName))
}

impl Misnamed<'_> {
    /// Why the binding does not count.
    pub(super) fn reason(&self, who: &AskingUser) -> String {
        let binding = format!("{} {}", self.grant.binding.kind, printable(&self.grant.binding.metadata.name, NAME));
        let name = printable(&self.subject.name, NAME);
        match self.intended {
            IntendedSubject::User => format!(
                "{binding} names you {name:?}, but the cluster knows you as {}: it does not match.",
                printable(&who.requester.username, NAME)
            ),
            IntendedSubject::Group(id) => format!(
                "{binding} names your group {name:?}, but the cluster knows it as {}: it does not match.",
                printable(id, NAME)
            ),
            IntendedSubject::DisplayName => format!(
                "{binding} names the group {name:?}, but Entra sends the object ids of groups: it can never match."
            ),
        }
    }
}

/// Whether this has the form of an object id.
pub(in super::super) fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths = groups.iter().map(|group| group.len());
    lengths.eq([8, 4, 4, 4, 12]) && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who() -> AskingUser {
        AskingUser {
            aliases: vec!["guest@outlook.example".to_owned(), "live.com#guest@outlook.example".to_owned()],
            groups_are_ids: true,
            ..super::super::tests::who()
        }
    }

    fn intended_by<'a>(kind: &str, name: &str, who: &'a AskingUser) -> Option<IntendedSubject<'a>> {
        intended(&RbacSubject { kind: kind.to_owned(), name: name.to_owned(), namespace: String::new() }, who)
    }

    #[test]
    fn user_by_another_name_is_recognised() {
        let who = who();
        for name in ["guest@outlook.example", "Guest@Outlook.example", "guest_outlook.example#EXT#@contoso.example"] {
            assert_eq!(intended_by("User", name, &who), Some(IntendedSubject::User), "{name}");
        }
        for name in ["bob@outlook.example", "outlook.example", "guest_other.example#EXT#@contoso.example"] {
            assert_eq!(intended_by("User", name, &who), None, "{name}");
        }
    }

    #[test]
    fn group_by_display_name_is_recognised() {
        let who = who();
        assert_eq!(intended_by("Group", "Developers", &who), Some(IntendedSubject::Group("1f2e")));
        assert_eq!(intended_by("Group", "ops", &who), Some(IntendedSubject::DisplayName));
        assert_eq!(intended_by("Group", "00000002-0000-4000-8000-000000000000", &who), None, "a group of others");
        let anywhere = AskingUser { groups_are_ids: false, ..who };
        assert_eq!(intended_by("Group", "ops", &anywhere), None, "other issuers may send names");
    }

    #[test]
    fn group_without_the_prefix_of_the_cluster_is_recognised() {
        let groups = ["oidc:dev".to_owned()].into();
        let prefixed = AskingUser { group_prefix: "oidc:".to_owned(), groups_are_ids: false, ..who() };
        let prefixed = AskingUser {
            requester: kubectl_login_core::kube::rbac::Requester { groups, ..prefixed.requester.clone() },
            ..prefixed
        };
        assert_eq!(intended_by("Group", "dev", &prefixed), Some(IntendedSubject::Group("oidc:dev")));
        assert_eq!(intended_by("Group", "ops", &prefixed), None);
    }
}
