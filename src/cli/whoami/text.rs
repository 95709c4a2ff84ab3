//! The text of `whoami` for people.

use chrono::{DateTime, TimeDelta, Utc};
use kubectl_login::messages::Result;
use kubectl_login::messages::token::in_units;
use kubectl_login::store::groups::{Group, GroupSource};
use kubectl_login_core::clock;
use kubectl_login_core::text::printable;

use super::super::args::WhoamiArgs;
use super::super::report;
use super::kubectl::KubectlView;
use super::{CurrentToken, WhoamiReport};
use crate::ui::wrap::{self, wrapped};

/// The width of the labels, including the blanks after them.
const LABEL: usize = 13;
/// How many roles are shown.
const SHOWN: usize = 8;

/// Prints what is known, and the groups if they are wanted.
pub(super) fn print(whoami: &WhoamiReport<'_>, wanted: bool, args: &WhoamiArgs) -> Result<()> {
    let mut text: String = facts(whoami).into_iter().map(|(label, fact)| line(label, fact)).collect();
    if wanted {
        let items = whoami.items(args);
        if let Some(filter) = &args.filter {
            let (some, all) = (items.len(), whoami.known.groups.items.len());
            text += &line("", format!("{some} of {all} have {:?} in them", printable(filter, 60)));
        }
        if !items.is_empty() {
            text += "\n";
        }
        items.iter().for_each(|group| text += &group_line(group, args.names));
    }
    report::print(&text)
}

/// A fact beside its label, wrapped to the terminal.
pub(super) fn line(label: &str, fact: String) -> String {
    wrapped(&format!("{label:LABEL$}{fact}\n"), LABEL, wrap::columns(&std::io::stdout()))
}

/// A group on its own line: the id, which bindings use, and its name.
pub(in super::super) fn group_line(group: &Group, names: bool) -> String {
    let id = printable(&group.id, 200);
    match group.name.as_deref().filter(|_| names) {
        Some(name) => format!("{id}  {}\n", printable(name, 200)),
        None => format!("{id}\n"),
    }
}

fn facts(whoami: &WhoamiReport<'_>) -> Vec<(&'static str, String)> {
    let CurrentToken { issued, subject, .. } = whoami.current;
    let shown = |text: &Option<String>| text.as_deref().map(|text| printable(text, 200));
    let left = issued.expires_at - clock::now();
    let account = whoami.account().map_or_else(|| "?".to_owned(), |account| printable(account, 200));
    let all = [
        ("account", Some(if subject.app_only { format!("{account} (an application)") } else { account })),
        ("tenant", shown(&subject.tenant)),
        ("object id", shown(&subject.object_id)),
        ("issuer", shown(&subject.issuer)),
        ("audience", shown(&subject.audience)),
        ("valid for", Some(if left > TimeDelta::zero() { in_units(left) } else { "expired".to_owned() })),
        ("groups", Some(groups(whoami))),
        ("app roles", Some(some_of(&subject.roles)).filter(|roles| !roles.is_empty())),
        ("tenant roles", Some(some_of(&subject.tenant_roles)).filter(|roles| !roles.is_empty())),
        ("cluster", Some(cluster(whoami))),
        ("kubectl", whoami.kubectl.as_ref().map(KubectlView::fact)),
    ];
    all.into_iter().filter_map(|(label, fact)| Some((label, fact?))).collect()
}

/// A few names, and how many more there are.
fn some_of(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| printable(name, 100)).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn groups(whoami: &WhoamiReport<'_>) -> String {
    let known = whoami.known;
    let count = known.groups.items.len();
    let beyond = if known.overage { "; more than a token carries" } else { "" };
    let all = if known.groups.complete { "" } else { " that are known, and there are more" };
    match known.groups.source {
        GroupSource::None if known.groups.complete => "none in the token".to_owned(),
        GroupSource::None => "not known".to_owned() + beyond,
        source => format!("{count}{all}, {}{}{beyond}", by(source), ago(known.at)),
    }
}

/// How long ago they were looked up, if that was at least a minute.
fn ago(at: Option<DateTime<Utc>>) -> String {
    let age = at.map(|at| clock::now() - at).filter(|age| *age >= TimeDelta::minutes(1));
    age.map(|age| format!(" {} ago", in_units(age))).unwrap_or_default()
}

/// Where the groups come from.
pub(in super::super) fn by(source: GroupSource) -> &'static str {
    match source {
        GroupSource::Token => "in the token",
        GroupSource::Graph => "from Microsoft Graph",
        GroupSource::Cluster => "as the cluster sees them",
        GroupSource::Userinfo => "from the issuer's UserInfo",
        GroupSource::None => "not looked up",
    }
}

fn cluster(whoami: &WhoamiReport<'_>) -> String {
    let Some(view) = &whoami.cluster else { return "identity not reported".to_owned() };
    let username = printable(&view.username, 200);
    let (count, missing) = (view.groups_count, view.missing_groups.len());
    let one = |count: usize| if count == 1 { "1 group".to_owned() } else { format!("{count} groups") };
    let besides = match missing {
        0 => String::new(),
        _ => format!("; it does not see {} of yours", one(missing)),
    };
    format!("authenticated as {username}, in {}{besides}", one(count))
}
