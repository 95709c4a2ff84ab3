//! Looks up groups for commands, and says for `kubectl login` how many there are if a token cannot list them, and what has
//! changed.

use kubectl_login::environment::Environment;
use kubectl_login::failure::GroupsError;
use kubectl_login::issued_token::{IssuedToken, TokenOrigin};
use kubectl_login::messages::Result;
use kubectl_login::messages::groups::{self, GroupsFlaw};
use kubectl_login::profile::{Profile, Provider};
use kubectl_login::runtime::StopSignal;
use kubectl_login::session::groups::{GroupLookup, GroupMembership, LookupOptions, difference};
use kubectl_login::session::identity::{self, Identity};
use kubectl_login::session::sessions;
use kubectl_login::store::Store;
use kubectl_login::store::groups::{Group, GroupSource};
use kubectl_login_core::entra::refusals;
use kubectl_login_core::entra::subject::{GroupsClaim, Subject};
use kubectl_login_core::kube::kubeconfig::Entry;
use kubectl_login_core::named_file;

use super::cluster::ClusterClient;
use super::whoami::text::{by, group_line};
use super::{entry, report};
use crate::ui::Terminal;
use crate::ui::progress::Progress;

/// What a second sign-in is for, if the groups need another client.
pub(super) const FOR_GROUPS: &str = "Microsoft Graph, which knows your groups";

/// A session and its cluster.
pub(super) struct ClusterSession<'a> {
    pub(super) entry: &'a Entry,
    pub(super) profile: &'a Profile,
    pub(super) identity: &'a Identity,
    pub(super) store: &'a Store,
    pub(super) environment: &'a Environment,
    pub(super) terminal: &'a Terminal<'a>,
}

/// The groups before a new token: the user they belong to, and where they come from.
pub(super) struct EarlierGroups {
    of: Option<String>,
    source: GroupSource,
    items: Vec<Group>,
}

impl ClusterSession<'_> {
    /// The groups of `subject`. A line on the terminal shows the progress.
    ///
    /// Errors: the user interrupted it.
    pub(super) fn groups(
        &self,
        subject: &Subject,
        cluster: &ClusterClient<'_>,
        options: LookupOptions,
    ) -> Result<GroupMembership, StopSignal> {
        let progress = Progress::start("groups", self.environment);
        let of_cluster = || match cluster.review() {
            Ok(review) => Ok(Some(review.groups.clone())),
            Err(error) => error.kind.stop_signal().map_or(Ok(None), Err),
        };
        self.lookup(options, &of_cluster, &progress.reporter()).groups(subject)
    }

    /// The groups before a new token, from the old token or cached beside the session; `None` if there are none.
    pub(super) fn groups_before(&self) -> Option<EarlierGroups> {
        let token = sessions::newest_token(self.identity, self.store).found()?;
        let subject = Subject::read(token.token.expose(), &self.profile.groups.claim).ok()?;
        let of = subject.key().map(str::to_owned);
        let by_token = |items| EarlierGroups { of: of.clone(), source: GroupSource::Token, items };
        match &subject.groups {
            GroupsClaim::Listed(ids) => {
                Some(by_token(ids.iter().map(|id| Group { id: id.clone(), name: None }).collect()))
            }
            // A user in no group has no claim there.
            GroupsClaim::Absent if matches!(self.profile.provider, Provider::Entra { .. }) => {
                Some(by_token(Vec::new()))
            }
            _ => {
                let known = self.lookup(LookupOptions::default(), &|| Ok(None), &|_| {}).cached_ever(&subject)?;
                Some(EarlierGroups { of, source: known.groups.source, items: known.groups.items })
            }
        }
    }

    /// Looks up the groups if the token cannot list them, and prints how many there are, and what has changed since `before`.
    ///
    /// Errors: the user interrupted it, or it cannot be printed.
    pub(super) fn tell(
        &self,
        issued: &IssuedToken,
        options: LookupOptions,
        before: Option<EarlierGroups>,
    ) -> Result<()> {
        let subject = Subject::read(issued.token.expose(), &self.profile.groups.claim).unwrap_or_default();
        let overage = matches!(subject.groups, GroupsClaim::Overage { .. });
        if !overage && before.is_none() {
            return Ok(());
        }
        let cluster = ClusterClient::new(self.entry, self.profile, &issued.token);
        let force_refresh = options.force_refresh || issued.origin == TokenOrigin::SignIn;
        let known = self.groups(&subject, &cluster, LookupOptions { force_refresh, ..options })?;
        let groups = &known.groups;
        if overage && !groups.items.is_empty() {
            let count = groups.items.len();
            report::sentence(&format!(
                "You are in {count} groups, {}; a token carries 200 at most.",
                by(groups.source)
            ))?;
        }
        self.warn(&known, false);
        match before.filter(|before| groups.complete && before.compares(&subject, groups.source)) {
            Some(before) => {
                let (came, went) = difference(&before.items, &groups.items);
                report::print(&changes(&came, &went, groups.items.len()))
            }
            None => Ok(()),
        }
    }

    fn lookup<'l>(
        &'l self,
        options: LookupOptions,
        cluster: &'l dyn Fn() -> Result<Option<Vec<String>>, StopSignal>,
        on_progress: &'l (dyn Fn(usize) + Sync),
    ) -> GroupLookup<'l> {
        let api_server = &self.entry.api_server;
        let file =
            api_server.certificate_authority.as_deref().filter(|_| api_server.certificate_authority_data.is_none());
        let authority = file.and_then(|file| named_file::read_named(file).ok()).unwrap_or_default();
        GroupLookup {
            profile: self.profile,
            identity: self.identity,
            store: self.store,
            environment: self.environment,
            person: self.terminal,
            options,
            cluster_key: identity::cluster(api_server, &authority, &self.profile.network),
            cluster,
            on_progress,
        }
    }

    /// Warns if groups are missing, come from a second-best source, or have no names. A warning is not repeated within an hour
    /// unless groups are `wanted`. That Microsoft's own clients may not ask Graph is not mentioned if the cluster knows all
    /// groups.
    pub(super) fn warn(&self, known: &GroupMembership, wanted: bool) {
        let profile = self.profile;
        let asks_graph = profile.groups.graph_client.as_ref().unwrap_or(&profile.client_id);
        let is_expected = known.groups.source == GroupSource::Cluster && refusals::is_microsoft_client(asks_graph);
        let command = entry::sign_in_command(self.entry);
        let warn = |error: &GroupsError, flaw| report::warn(&groups::warning(error, flaw, profile, &command));
        match (&known.reason, known.groups.complete) {
            // The token has no groups claim, and groups are not wanted.
            (_, false) if !wanted && !known.overage => {}
            (None, false) => report::warning(groups::INCOMPLETE, None),
            (Some(error), false) => warn(error, GroupsFlaw::Incomplete),
            (Some(error), true) if !is_expected && (wanted || known.at.is_none()) => {
                warn(error, GroupsFlaw::FromCluster);
            }
            _ => {}
        }
        // The reason why they have no names may also be why they come from another source.
        let is_told =
            |error: &GroupsError| !(is_expected && known.groups.complete) && known.reason.as_ref() == Some(error);
        if let Some(error) = known.nameless.as_ref().filter(|error| !is_told(error)) {
            warn(error, GroupsFlaw::Nameless);
        }
    }
}

impl EarlierGroups {
    /// Whether groups of `subject` that come from `source` have the same kind of names as these, and belong to the same user.
    fn compares(&self, subject: &Subject, source: GroupSource) -> bool {
        // A cluster may use other names.
        let is_alike = self.source == source || ![self.source, source].contains(&GroupSource::Cluster);
        is_alike && source != GroupSource::None && self.of.as_deref() == subject.key()
    }
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
