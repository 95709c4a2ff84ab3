//! What `kubectl login` says of groups: how many there are where a token cannot list them, and what has changed.

use kubectl_login::environment::Environment;
use kubectl_login::error::Result;
use kubectl_login::kube::kubeconfig::Entry;
use kubectl_login::oauth::subject::{GroupsClaim, Subject};
use kubectl_login::profile::Profile;
use kubectl_login::session::Obtained;
use kubectl_login::session::groups::{LookUp, difference};
use kubectl_login::session::identity::Identity;
use kubectl_login::store::Store;
use kubectl_login::store::groups::Group;

use super::cluster::Cluster;
use super::whoami::words::{by, group_line};
use super::{report, whoami};
use crate::ui::Terminal;
use crate::ui::progress::Progress;

/// What a second sign-in is for, where the groups need one of a client of its own.
pub(super) const FOR_GROUPS: &str = "Microsoft Graph, which knows your groups";

/// The groups that are known from before, by the remembered token or beside the session; `None` where none are.
pub(super) fn before(profile: &Profile, store: &Store) -> Option<Vec<Group>> {
    let identity = Identity::of(profile);
    let token = store.token(&identity.token).found()?;
    match Subject::read(token.token.expose(), &profile.groups.claim).ok()?.groups {
        GroupsClaim::Listed(ids) => Some(ids.into_iter().map(|id| Group { id, name: None }).collect()),
        GroupsClaim::Overage => store.groups(&identity.session).map(|record| record.groups.into_owned().items),
        GroupsClaim::Absent => None,
    }
}

/// Looks the groups up where the token cannot list them, and says how many there are; against those from `before`, what
/// has changed.
///
/// Errors: somebody ended it, or it cannot be printed.
pub(super) fn tell(
    entry: &Entry,
    profile: &Profile,
    store: &Store,
    environment: &Environment,
    person: &Terminal<'_>,
    obtained: &Obtained,
    (fresh, before): (bool, Option<Vec<Group>>),
) -> Result<()> {
    let Ok(subject) = Subject::read(obtained.token.expose(), &profile.groups.claim) else { return Ok(()) };
    let overage = subject.groups == GroupsClaim::Overage;
    if !overage && before.is_none() {
        return Ok(());
    }
    let cluster = Cluster::new(entry, profile, &obtained.token);
    let progress = Progress::of("groups");
    let known = LookUp {
        profile,
        store,
        environment,
        person,
        may_ask: true,
        fresh,
        names: false,
        server: entry.api_server.server.as_deref(),
        cluster: &|| cluster.review().ok().map(|review| review.groups.clone()),
        on_progress: &|count| progress.at(count),
    }
    .groups(&subject);
    drop(progress);
    let known = known?;
    let groups = &known.groups;
    if overage && !groups.items.is_empty() {
        let count = groups.items.len();
        report::sentence(&format!("You are in {count} groups, {}; a token carries 200 at most.", by(groups.source)))?;
    }
    whoami::warn(&known, true);
    if let (Some(before), true) = (before, groups.complete) {
        let (came, went) = difference(&before, &groups.items);
        report::print(&changes(&came, &went, groups.items.len()))?;
    }
    Ok(())
}

fn changes(came: &[&Group], went: &[&Group], count: usize) -> String {
    let of = |count: usize| if count == 1 { "group" } else { "groups" };
    let head = match (came.len(), went.len()) {
        (0, 0) => return format!("The same {count} {} as before.\n", of(count)),
        (came, 0) => format!("+{came} {}", of(came)),
        (0, went) => format!("−{went} {}", of(went)),
        (came, went) => format!("+{came} {}, −{went}", of(came)),
    };
    let line = |sign: char| move |group: &&Group| format!("  {sign} {}", group_line(group, true));
    let lines = came.iter().map(line('+')).chain(went.iter().map(line('−')));
    std::iter::once(format!("{head} since the last token:\n")).chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_counted_and_named() {
        let group = |id: &str| Group { id: id.to_owned(), name: None };
        let (a, b, c) = (group("a"), group("b"), group("c"));
        assert_eq!(changes(&[&a, &b], &[&c], 2), "+2 groups, −1 since the last token:\n  + a\n  + b\n  − c\n");
        assert_eq!(changes(&[&a], &[], 1), "+1 group since the last token:\n  + a\n");
        assert_eq!(changes(&[], &[&c], 0), "−1 group since the last token:\n  − c\n");
        assert_eq!(changes(&[], &[], 3), "The same 3 groups as before.\n");
    }
}
