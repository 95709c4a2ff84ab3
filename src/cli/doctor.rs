//! `doctor`: everything between you and the cluster, looked at one by one; what is wrong, and the next step.
//!
//! It never prompts, and changes nothing but what a refresh changes. Its output can be shown to others: no check
//! says more than the errors of the other commands do.

mod cluster;
mod credentials;
pub(super) mod finding;
mod kubeconfig;
mod network;
mod program;
mod store;
mod token;

use kubectl_login::environment::Environment;
use kubectl_login::messages::{ExitKind, Result};
use kubectl_login::runtime;
use kubectl_login::session::identity::Identity;
use kubectl_login::session::sessions;
use kubectl_login_core::entra::subject::Subject;
use kubectl_login_core::kube::kubeconfig::Entry;
use serde::Serialize;

use self::cluster::TokenFindings;
use self::finding::{
    API_VERSION, AUDIENCE, CLOCK, CLUSTER, COMMAND, Check, CheckName, CheckResult, ENTRY, FILES, Finding, GROUPS,
    IDENTITY, ISSUER, KEYRING, KUBECONFIG, PROXY, SERVER, SESSION, TOKEN, VERSION,
};
use self::kubeconfig::Configuration;
use self::network::NetworkChecks;
use self::store::StoreChecks;
use super::ExitStatus;
use super::args::{DoctorArgs, OutputFormat};
use super::entry_reader::EntryReader;
use super::network::from_environment;
use super::{kubectl_user, report};

/// The machine-readable form.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Doctor<'a> {
    api_version: &'static str,
    kind: &'static str,
    checks: &'a [Check],
}

impl Doctor<'_> {
    fn new(checks: &[Check]) -> Doctor<'_> {
        Doctor { api_version: "kubectl-login/v1", kind: "Doctor", checks }
    }
}

pub(super) fn run(args: &DoctorArgs, environment: &Environment) -> Result<ExitStatus> {
    let checks: Vec<Check> = look(args, environment)?.into_iter().map(Check::new).collect();
    match args.output {
        OutputFormat::Json => report::json(&Doctor::new(&checks))?,
        OutputFormat::Yaml => report::yaml(&Doctor::new(&checks))?,
        OutputFormat::Table => finding::print(&checks)?,
    }
    match checks.iter().any(|check| check.result == CheckResult::Fail) {
        true => Ok(ExitStatus::Failure(ExitKind::Failed)),
        false => Ok(ExitStatus::Success),
    }
}

/// Looks at everything: at this machine, then for a token, then at the servers.
///
/// Errors: the user interrupted it.
fn look(args: &DoctorArgs, shell: &Environment) -> Result<Vec<(CheckName, Finding)>> {
    let reader = EntryReader::default();
    let configuration = Configuration::read(&args.entry, shell, &reader);
    let entry = configuration.found.as_ref();
    let settings = configuration.settings.as_ref();
    let profile = settings.map(|(settings, _)| &settings.profile);
    let identity = profile.map(Identity::of);
    let sign_in = profile.zip(identity.as_ref());
    let environment = settings.map_or(shell, |(_, environment)| environment);

    let kept = StoreChecks::new(settings, shell);
    let (folder, key) = (kept.folder(), kept.key());
    let files = Finding::merged([Some(folder.clone()), kept.records(&key)].into_iter().flatten().collect());
    let located = |finding: Finding| match settings {
        Some((settings, _)) => finding.corrected_by(&settings.sources),
        None => finding,
    };
    // What a script passes on is not certain.
    let certain = |finding: Finding| if configuration.by_wrapper { finding.at_most_warning() } else { finding };
    let session = certain(match entry.zip(sign_in) {
        Some((entry, (profile, identity))) => kept.session(entry, profile, identity, environment, &key, &folder),
        None => configuration.no_sign_in(),
    });

    let facts =
        sign_in.and_then(|(profile, identity)| sessions::current_facts(identity, &profile.network, &kept.store));
    // Before anything else on the network, because Ctrl-C ends a refresh only as long as nothing has listened for it.
    let (token_found, token) = match sign_in {
        Some((profile, identity)) => token::obtain(profile, identity, &kept.store, environment, &session)?,
        None => (Finding::skipped_because(SESSION), None),
    };

    let network = profile.map_or_else(|| from_environment(environment), |profile| profile.network.clone());
    let sent = entry.and_then(|entry| kubectl_user::credentials(entry, token.as_ref()).transpose());
    let answers = runtime::run_until_interrupted(network::ask(entry, profile, &network, sent))?;
    let (server, clock) = (answers.server(entry), answers.clock());

    let claim = profile.map(|profile| profile.groups.claim.as_str()).unwrap_or_default();
    let subject = token.as_ref().and_then(|token| Subject::read(token.expose(), claim).ok());
    let with_token = profile.filter(|_| token.is_some());
    let audience = with_token.map_or_else(token::without, |profile| {
        token::audience(profile, subject.as_ref(), answers.tenant(), facts.as_ref())
    });
    let groups = with_token.map_or_else(token::without, |profile| token::groups(profile, subject.as_ref()));
    let with_this_token = entry.is_some_and(kubectl_user::sends_plugins_token_as_it_is);
    let cluster = {
        let (subject, audience, groups, clock) = (subject.as_ref(), &audience, &groups, &clock);
        let sent = profile.filter(|_| with_this_token);
        let sent = sent.map(|profile| TokenFindings { profile, subject, audience, groups, clock });
        cluster(&answers, entry, &server, sent.as_ref()).unwrap_or_else(|| match token {
            // kubectl refuses the user.
            Some(_) => Finding::skipped_because(ENTRY),
            None => token::without(),
        })
    };
    // A difference that no server objects to does no harm.
    let is_harmful = cluster.has_failed() || token_found.has_failed();
    let clock = if is_harmful { clock } else { clock.at_most_warning() };
    let review = answers.review.as_ref().and_then(|review| review.as_ref().ok()).filter(|_| with_this_token);
    let found = vec![
        (VERSION, program::version()),
        (KUBECONFIG, configuration.kubeconfig.clone()),
        (ENTRY, configuration.entry.clone()),
        (COMMAND, program::command(entry, shell, &reader)),
        (API_VERSION, kubeconfig::api_version(entry)),
        (KEYRING, key),
        (FILES, files),
        (CLOCK, clock),
        (PROXY, answers.proxy()),
        (ISSUER, certain(answers.issuer(profile, configuration.no_sign_in()))),
        (SESSION, session),
        (TOKEN, certain(token_found)),
        (AUDIENCE, audience),
        (GROUPS, groups),
        (SERVER, server),
        (CLUSTER, cluster),
        (IDENTITY, cluster::identity(review, subject.as_ref())),
    ];
    // A step names the place where a value comes from, and the context that was meant.
    Ok(found.into_iter().map(|(part, finding)| (part, located(finding))).collect())
}

/// What the API server makes of what kubectl sends; `token` is this plugin's, if kubectl sends that and nothing else. `None`
/// if it was not asked.
fn cluster(
    answers: &NetworkChecks,
    entry: Option<&Entry>,
    server: &Finding,
    token: Option<&TokenFindings<'_>>,
) -> Option<Finding> {
    let (review, entry) = (answers.review.as_ref()?, entry?);
    if server.result < CheckResult::Ok || server.has_failed() {
        return Some(Finding::skipped_because(SERVER));
    }
    Some(match token {
        Some(token) => cluster::cluster(review, token),
        None => credentials::cluster(review, entry),
    })
}
