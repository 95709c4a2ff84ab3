//! Groups, as commands look them up; and what `kubectl login` says of them: how many there are where a token cannot list
//! them, and what has changed.

use kubectl_login::environment::Environment;
use kubectl_login::profile::{Profile, Provider};
use kubectl_login::session::groups::{Known, LookUp, Wish, difference};
use kubectl_login::session::identity::{self, Identity};
use kubectl_login::session::{IssuedToken, TokenOrigin, sessions};
use kubectl_login::store::Store;
use kubectl_login::store::groups::{Group, GroupSource};
use kubectl_login_core::entra::refusals;
use kubectl_login_core::entra::subject::{GroupsClaim, Subject};
use kubectl_login_core::error::{Error, Result};
use kubectl_login_core::kube::kubeconfig::Entry;
use kubectl_login_core::named_file;

use super::cluster::Cluster;
use super::whoami::words::{by, group_line};
use super::{entry, report};
use crate::ui::Terminal;
use crate::ui::progress::Progress;

/// What a second sign-in is for, where the groups need one of a client of its own.
pub(super) const FOR_GROUPS: &str = "Microsoft Graph, which knows your groups";

/// A sign-in and its cluster.
pub(super) struct SignIn<'a> {
    pub(super) entry: &'a Entry,
    pub(super) profile: &'a Profile,
    pub(super) identity: &'a Identity,
    pub(super) store: &'a Store,
    pub(super) environment: &'a Environment,
    pub(super) person: &'a Terminal<'a>,
}

/// Groups as they were, of whom, and who said so.
pub(super) struct Before {
    of: Option<String>,
    source: GroupSource,
    items: Vec<Group>,
}

impl SignIn<'_> {
    /// The groups of `subject`, with a line on a terminal that says how far it is.
    ///
    /// Errors: the user interrupted it.
    pub(super) fn groups(&self, subject: &Subject, cluster: &Cluster<'_>, wish: Wish) -> Result<Known> {
        let progress = Progress::start("groups", self.environment);
        let of_cluster = || match cluster.review() {
            Ok(review) => Ok(Some(review.groups.clone())),
            Err(error) if error.kind.is_an_end() => Err(error),
            Err(_) => Ok(None),
        };
        self.look_up(wish, &of_cluster, &progress.reporter()).groups(subject)
    }

    /// The groups that are known from before a new token, by the old one or beside the session; `None` where none are.
    pub(super) fn groups_before(&self) -> Option<Before> {
        let token = sessions::newest_token(self.identity, self.store).found()?;
        let subject = Subject::read(token.token.expose(), &self.profile.groups.claim).ok()?;
        let of = subject.key().map(str::to_owned);
        let by_token = |items| Before { of: of.clone(), source: GroupSource::Token, items };
        match &subject.groups {
            GroupsClaim::Listed(ids) => {
                Some(by_token(ids.iter().map(|id| Group { id: id.clone(), name: None }).collect()))
            }
            // A user in no group has no claim there.
            GroupsClaim::Absent if matches!(self.profile.provider, Provider::Entra { .. }) => {
                Some(by_token(Vec::new()))
            }
            _ => {
                let known = self.look_up(Wish::default(), &|| Ok(None), &|_| {}).remembered_ever(&subject)?;
                Some(Before { of, source: known.groups.source, items: known.groups.items })
            }
        }
    }

    /// Looks the groups up where the token cannot list them, and says how many there are; against those from `before`, what
    /// has changed.
    ///
    /// Errors: the user interrupted it, or it cannot be printed.
    pub(super) fn tell(&self, obtained: &IssuedToken, wish: Wish, before: Option<Before>) -> Result<()> {
        let subject = Subject::read(obtained.token.expose(), &self.profile.groups.claim).unwrap_or_default();
        let overage = matches!(subject.groups, GroupsClaim::Overage { .. });
        if !overage && before.is_none() {
            return Ok(());
        }
        let cluster = Cluster::new(self.entry, self.profile, &obtained.token);
        let fresh = wish.fresh || obtained.origin == TokenOrigin::SignIn;
        let known = self.groups(&subject, &cluster, Wish { fresh, ..wish })?;
        let groups = &known.groups;
        if overage && !groups.items.is_empty() {
            let count = groups.items.len();
            report::sentence(&format!(
                "You are in {count} groups, {}; a token carries 200 at most.",
                by(groups.source)
            ))?;
        }
        warn(&known, self.profile, false);
        match before.filter(|before| groups.complete && before.compares(&subject, groups.source)) {
            Some(before) => {
                let (came, went) = difference(&before.items, &groups.items);
                report::print(&changes(&came, &went, groups.items.len()))
            }
            None => Ok(()),
        }
    }

    fn look_up<'l>(
        &'l self,
        wish: Wish,
        cluster: &'l dyn Fn() -> Result<Option<Vec<String>>>,
        on_progress: &'l (dyn Fn(usize) + Sync),
    ) -> LookUp<'l> {
        let api_server = &self.entry.api_server;
        let file =
            api_server.certificate_authority.as_deref().filter(|_| api_server.certificate_authority_data.is_none());
        let authority = file.and_then(|file| named_file::read_named(file).ok()).unwrap_or_default();
        LookUp {
            profile: self.profile,
            identity: self.identity,
            store: self.store,
            environment: self.environment,
            person: self.person,
            wish,
            command: entry::sign_in_command(self.entry),
            cluster_key: identity::cluster(api_server, &authority, &self.profile.network),
            cluster,
            on_progress,
        }
    }
}

impl Before {
    /// Whether groups of `subject` that come from `source` go by the same names as these, and are the same person's.
    fn compares(&self, subject: &Subject, source: GroupSource) -> bool {
        // A cluster may have names of its own.
        let is_alike = self.source == source || ![self.source, source].contains(&GroupSource::Cluster);
        is_alike && source != GroupSource::None && self.of.as_deref() == subject.key()
    }
}

/// Says why groups are not all, come from a second-best source, or have no names. What has been said within the hour need not
/// be said again, unless groups are `wanted`. That a client of Microsoft's own may not ask Graph is nothing to mend: if the
/// cluster knows all groups, it is not said.
pub(super) fn warn(known: &Known, profile: &Profile, wanted: bool) {
    let asks_graph = profile.groups.graph_client.as_ref().unwrap_or(&profile.client_id);
    let is_expected = known.groups.source == GroupSource::Cluster && refusals::is_microsoft_client(asks_graph);
    match (&known.reason, known.groups.complete) {
        // In no group by the token, which was not asked for.
        (_, false) if !wanted && !known.overage => {}
        (None, false) => report::warning("not all of your groups are known", None),
        (Some(error), false) => {
            report::warn(&Error { what: format!("not all of your groups are known: {}", error.what), ..error.clone() });
        }
        (Some(error), true) if !is_expected && (wanted || known.at.is_none()) => {
            report::warn(&Error { what: format!("{}; they come from the cluster", error.what), ..error.clone() });
        }
        _ => {}
    }
    // Why they have no names may be why they come from elsewhere.
    let is_said = |error: &Error| !(is_expected && known.groups.complete) && known.reason.as_ref() == Some(error);
    if let Some(error) = known.nameless.as_ref().filter(|error| !is_said(error)) {
        report::warn(&Error { what: format!("the groups have no names here: {}", error.what), ..error.clone() });
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
