//! `whoami`: who the user is according to the token and to the cluster, and all their groups.

mod kubectl;
pub(super) mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use kubectl_login::environment::Environment;
use kubectl_login::issued_token::IssuedToken;
use kubectl_login::messages::command::not_signed_in;
use kubectl_login::messages::failure::explain as explain_failure;
use kubectl_login::messages::kube as messages;
use kubectl_login::messages::{ErrorMessage, ExitKind, Result};
use kubectl_login::profile::{Profile, Provider, Storage};
use kubectl_login::runtime;
use kubectl_login::session::groups::{GroupMembership, LookupOptions};
use kubectl_login::session::identity::Identity;
use kubectl_login::session::{RequestOptions, TokenRequest, sessions};
use kubectl_login::store::SessionFacts;
use kubectl_login::store::groups::{Group, GroupSource};
use kubectl_login_core::clock;
use kubectl_login_core::entra::subject::Subject;
use kubectl_login_core::http::network::Network;
use kubectl_login_core::kube::access::{AccessQuestion, Explanation};
use kubectl_login_core::kube::kubeconfig::Entry;
use kubectl_login_core::kube::rbac::Requester;
use kubectl_login_core::kube::review::ClusterUser;
use serde::Serialize;

use self::kubectl::KubectlView;
use super::ExitStatus;
use super::args::{MethodArgs, OutputFormat, WhoamiArgs};
use super::cluster::{ClusterClient, ClusterView};
use super::entry_reader::EntryReader;
use super::explain::{AskingUser, Explained, Place};
use super::membership::ClusterSession;
use super::profile::Settings;
use super::selection::Selection;
use super::{entry, explain, kubectl_user, network, report};
use crate::ui::{PromptMode, Terminal};

/// How long each part of an explanation may take: a cluster may have many bindings and roles.
const EXPLAIN_LIMIT: Duration = Duration::from_secs(15);

/// The machine-readable form.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WhoAmI<'a> {
    api_version: &'static str,
    kind: &'static str,
    username: Option<&'a str>,
    object_id: Option<&'a str>,
    tenant_id: Option<&'a str>,
    issuer: Option<&'a str>,
    audience: Option<&'a str>,
    app_only: bool,
    #[serde(serialize_with = "report::seconds")]
    expires_at: DateTime<Utc>,
    groups: GroupsShown<'a>,
    cluster: Option<&'a ClusterView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kubectl: Option<&'a KubectlView>,
    /// Why something is allowed or not, if that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<explain::Record<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupsShown<'a> {
    count: usize,
    source: GroupSource,
    complete: bool,
    overage: bool,
    items: Vec<GroupShown<'a>>,
}

#[derive(Serialize)]
struct GroupShown<'a> {
    id: &'a str,
    name: Option<&'a str>,
}

pub(super) fn run(args: &WhoamiArgs, shell: &Environment) -> Result<ExitStatus> {
    let mut entry = entry::entry_of(&args.entry, shell)?;
    // A user that was named is not the context's user.
    entry.context = entry.context.filter(|_| args.entry.user.is_none());
    let (settings, environment) =
        match entry::settings_in(&entry, &MethodArgs::default(), shell, &EntryReader::default()) {
            Ok(settings) => settings,
            Err(error) => {
                let view = without_sign_in(args, &entry, &network::from_environment(shell))?;
                return view.ok_or(error)?.print(args).map(|()| ExitStatus::Success);
            }
        };
    let mut settings = settings.selected_by(Selection::from_args(&args.entry, &entry));
    args.look_up.apply(&mut settings.profile);
    with_sign_in(args, &entry, &settings, &environment).map_err(|error| settings.sources.attributed(error))
}

/// Who kubectl is to the cluster without this plugin, if nothing else was asked.
fn without_sign_in(args: &WhoamiArgs, entry: &Entry, network: &Network) -> Result<Option<KubectlView>> {
    match args.explain.is_empty() && !kubectl_user::sends_plugins_token(entry) {
        true => KubectlView::ask(entry, network, None),
        false => Ok(None),
    }
}

fn with_sign_in(
    args: &WhoamiArgs,
    entry: &Entry,
    settings: &Settings,
    environment: &Environment,
) -> Result<ExitStatus> {
    let profile = &settings.profile;
    let question = question(args, entry)?;
    let store = settings.store(environment);
    let terminal = Terminal::new(PromptMode::Never, profile, None, environment);
    let identity = &Identity::new(profile);
    let session = ClusterSession { entry, profile, identity, store: &store, environment, terminal: &terminal };
    let current = CurrentToken::without_prompt(&session, args.refresh);
    let overrides = kubectl_user::overrides(entry);
    overrides.iter().for_each(report::warn);
    let current = match current {
        Ok(current) => current,
        // kubectl may need no token of this plugin.
        Err(error) if !error.kind.is_stopped() => {
            let view = without_sign_in(args, entry, &profile.network)?.ok_or(error)?;
            return view.print(args).map(|()| ExitStatus::Success);
        }
        Err(error) => return Err(error),
    };

    let token = &current.issued.token;
    let cluster = ClusterClient::new(entry, profile, token);
    let options = LookupOptions { force_refresh: args.refresh, names: args.names, ..LookupOptions::default() };
    let known = session.groups(&current.subject, &cluster, options)?;
    let explanation = question.map(|question| explanation(args, &session, &current, &cluster, &known, &question));
    let (explanation, who) = explanation.transpose()?.unzip();
    let place = Place { context: entry.context.as_deref(), cluster: entry.cluster.as_deref() };
    let explained = explanation.zip(who.as_ref()).map(|(explanation, who)| Explained { explanation, place, who });
    // What is known is shown even if the rest is not available.
    let warn = |error: ErrorMessage| report::warn(&settings.sources.attributed(error));
    let view = match cluster.review() {
        Ok(review) => Some(ClusterView::new(review, &known.groups.items)),
        Err(error) if error.kind.is_stopped() => return Err(error),
        Err(error) => {
            warn(error);
            None
        }
    };
    let ask_for_kubectl = || KubectlView::ask(entry, &profile.network, Some(token));
    let kubectl = match overrides.is_empty() {
        true => None,
        false => ask_for_kubectl().unwrap_or_else(|error| {
            warn(error);
            None
        }),
    };
    let whoami = WhoamiReport { current: &current, known: &known, cluster: view, kubectl };
    whoami.print(args, explained.as_ref(), &session)
}

/// What to explain, if anything.
///
/// Errors: it is not a verb, or not a resource.
fn question(args: &WhoamiArgs, entry: &Entry) -> Result<Option<AccessQuestion>> {
    let [verb, resource] = args.explain.as_slice() else { return Ok(None) };
    let named = args.namespace.as_ref().filter(|name| !name.is_empty());
    let namespace = match (args.all_namespaces, named.or(entry.namespace.as_ref())) {
        (true, _) => "",
        (false, Some(namespace)) => namespace,
        (false, None) => "default",
    };
    let subresource = args.subresource.as_deref().filter(|name| !name.is_empty());
    AccessQuestion::parse(verb, resource, subresource, namespace)
        .map(Some)
        .map_err(|error| messages::question_error(&error))
}

/// The user that bindings have to name: as the cluster calls them, in the groups that it sees and in those that it does not.
/// If the cluster is too old to say, as the token names them.
///
/// Errors: neither the cluster nor the token says who the user is.
fn who(
    cluster: &ClusterClient<'_>,
    known: &GroupMembership,
    CurrentToken { subject, facts, .. }: &CurrentToken,
    profile: &Profile,
) -> Result<AskingUser> {
    let said = cluster.review_unless_too_old()?;
    let of_token = subject.account.as_ref().filter(|_| said.is_none()).map(|account| ClusterUser {
        username: account.clone(),
        groups: known.groups.items.iter().map(|group| group.id.clone()).collect(),
        ..ClusterUser::default()
    });
    let review = match said.or(of_token.as_ref()) {
        Some(review) => review,
        None => cluster.review()?,
    };
    let view = ClusterView::new(review, &known.groups.items);
    // Bindings use the cluster's names.
    let of_cluster = |id: &str| format!("{}{id}", view.prefix);
    let unseen: BTreeSet<String> = view.missing_groups.iter().map(|id| of_cluster(id)).collect();
    let account = facts.as_ref().and_then(|facts| facts.account.as_ref());
    let aliases = [Some(&review.username), subject.account.as_ref(), subject.object_id.as_ref(), account];
    let mut ids = review.groups.iter().filter(|name| !name.starts_with("system:"));
    let is_id = |name: &String| explain::misnamed::is_guid(name.strip_prefix(view.prefix.as_str()).unwrap_or(name));
    Ok(AskingUser {
        requester: Requester {
            username: review.username.clone(),
            groups: review.groups.iter().chain(&unseen).cloned().collect(),
        },
        names: names(known, &view.prefix),
        aliases: aliases.into_iter().flatten().cloned().collect(),
        // With an own application, Entra can send names instead; the groups that the cluster sees show that.
        groups_are_ids: matches!(profile.provider, Provider::Entra { .. }) && ids.all(is_id),
        group_prefix: view.prefix,
        overage: known.overage,
        may_be_in_others: !known.groups.complete,
        is_of_token: of_token.is_some(),
        unseen,
    })
}

/// The known display names of the groups, by the cluster's names for these groups.
fn names(known: &GroupMembership, prefix: &str) -> BTreeMap<String, String> {
    let named = |group: &Group| Some((format!("{prefix}{}", group.id), group.name.clone()?));
    known.groups.items.iter().filter_map(named).collect()
}

/// Why the user is allowed or not what `question` says, and who they are to the cluster.
///
/// Errors: the cluster does not decide, or not who the user is; the user interrupted it.
fn explanation(
    args: &WhoamiArgs,
    session: &ClusterSession<'_>,
    current: &CurrentToken,
    cluster: &ClusterClient<'_>,
    known: &GroupMembership,
    question: &AccessQuestion,
) -> Result<(Explanation, AskingUser)> {
    let mut who = who(cluster, known, current, session.profile)?;
    let api = cluster.api()?.with_limit(clock::limit(EXPLAIN_LIMIT));
    let explanation = runtime::run_until_interrupted(explain::run(&api, question, &who.requester))??;
    if !args.names && explain::misnamed::needs_names(&explanation, &who) {
        // Which group is meant by its display name can only be said with the names of the user's own.
        let options = LookupOptions { names: true, ..LookupOptions::default() };
        who.names = names(&session.groups(&current.subject, cluster, options)?, &who.group_prefix);
    }
    Ok((explanation, who))
}

/// A token, what it says, and what is known of its session.
struct CurrentToken {
    issued: IssuedToken,
    subject: Subject,
    facts: Option<SessionFacts>,
}

impl CurrentToken {
    /// The cached token, refreshed if needed or if it is to be `fresh`; never with a prompt.
    ///
    /// Errors: there is none (exit 3).
    fn without_prompt(session: &ClusterSession<'_>, fresh: bool) -> Result<CurrentToken> {
        let ClusterSession { entry, profile, identity, store, environment, terminal } = *session;
        let facts = sessions::current_facts(identity, &profile.network, store);
        if facts.is_none() && profile.prompts() {
            return Err(no_sign_in(entry, profile, environment));
        }
        let options = RequestOptions { non_interactive: true, force_refresh: fresh, ..RequestOptions::default() };
        let issued = TokenRequest::new(profile, identity, store, environment, terminal, options).obtain();
        let issued = issued.map_err(|error| explain_failure(&error.failure, profile))?;
        let subject = Subject::read(issued.token.expose(), &profile.groups.claim).unwrap_or_default();
        let facts = issued.facts.clone().or(facts);
        Ok(CurrentToken { issued, subject, facts })
    }
}

/// The error for an entry without a sign-in.
pub(super) fn no_sign_in(entry: &Entry, profile: &Profile, environment: &Environment) -> ErrorMessage {
    let cache_is_off = profile.storage == Storage::None;
    not_signed_in(entry.context.as_deref(), &entry.user, cache_is_off, environment.ci())
}

/// Everything that is known and will be printed.
struct WhoamiReport<'a> {
    current: &'a CurrentToken,
    known: &'a GroupMembership,
    cluster: Option<ClusterView<'a>>,
    /// Who kubectl is to the cluster, if that does not follow from the token.
    kubectl: Option<KubectlView>,
}

impl WhoamiReport<'_> {
    /// Prints it in the format that `args` ask for, or only `explained` for people, and warns about what is missing.
    ///
    /// Errors: it cannot be printed.
    fn print(
        &self,
        args: &WhoamiArgs,
        explained: Option<&Explained<'_>>,
        session: &ClusterSession<'_>,
    ) -> Result<ExitStatus> {
        let wanted = args.groups || args.names || args.filter.is_some();
        let for_programs = || {
            let explain = explained.map(Explained::record);
            WhoAmI { explain, ..self.for_programs(args) }
        };
        match args.output {
            OutputFormat::Json => report::json(&for_programs())?,
            OutputFormat::Yaml => report::yaml(&for_programs())?,
            OutputFormat::Table => match explained {
                Some(explained) => explained.print()?,
                None => text::print(self, wanted, args)?,
            },
        }
        let is_complete = self.known.groups.complete;
        // An explanation needs the groups that the cluster sees; it does not matter why they are not from Graph.
        if explained.is_none() || wanted || !is_complete {
            session.warn(self.known, wanted);
        }
        match wanted && !is_complete {
            true => Ok(ExitStatus::Failure(ExitKind::Failed)),
            false => Ok(ExitStatus::Success),
        }
    }

    fn account(&self) -> Option<&str> {
        let CurrentToken { subject, facts, .. } = self.current;
        subject.account.as_deref().or_else(|| facts.as_ref()?.account.as_deref())
    }

    /// The groups that `args` ask for.
    fn items(&self, args: &WhoamiArgs) -> Vec<&Group> {
        let filter = args.filter.as_ref().map(|text| text.to_lowercase());
        let matches = |text: &str| filter.as_ref().is_none_or(|filter| text.to_lowercase().contains(filter));
        let wanted = |group: &&Group| matches(&group.id) || group.name.as_deref().is_some_and(matches);
        self.known.groups.items.iter().filter(wanted).collect()
    }

    fn for_programs(&self, args: &WhoamiArgs) -> WhoAmI<'_> {
        let CurrentToken { issued, subject, facts } = self.current;
        let GroupMembership { groups, overage, .. } = self.known;
        let items = self.items(args).into_iter().map(|group| GroupShown { id: &group.id, name: group.name.as_deref() });
        WhoAmI {
            api_version: "kubectl-login/v1",
            kind: "WhoAmI",
            username: self.account(),
            object_id: subject.object_id.as_deref(),
            tenant_id: subject.tenant.as_deref(),
            issuer: subject.issuer.as_deref().or(facts.as_ref().map(|facts| facts.issuer.as_str())),
            audience: subject.audience.as_deref(),
            app_only: subject.app_only,
            expires_at: issued.expires_at,
            groups: GroupsShown {
                count: groups.items.len(),
                source: groups.source,
                complete: groups.complete,
                overage: *overage,
                items: items.collect(),
            },
            cluster: self.cluster.as_ref(),
            kubectl: self.kubectl.as_ref(),
            explain: None,
        }
    }
}
