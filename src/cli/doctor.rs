//! `doctor`: checks everything between the user and the cluster, one thing at a time; says what is wrong, and the next step.
//!
//! It never prompts, and changes nothing except what a refresh changes. Its output can be shown to others: no check says more
//! than the errors of the other commands.

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
use kubectl_login_core::kube::kubeconfig::Entry;
use serde::Serialize;

use self::finding::{
    API_VERSION, AUDIENCE, CLOCK, CLUSTER, COMMAND, Check, CheckName, CheckResult, ENTRY, FILES, Finding, GROUPS,
    IDENTITY, ISSUER, KEYRING, KUBECONFIG, PROXY, SERVER, SESSION, TOKEN, VERSION,
};
use self::kubeconfig::Configuration;
use self::network::NetworkChecks;
use self::store::{StoreChecks, StoreFindings};
use self::token::IssuedTokenChecks;
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
    let checks: Vec<Check> = run_checks(args, environment)?.into_iter().map(Check::new).collect();
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

/// Checks everything: this machine, then whether there is a token, then the servers.
///
/// Errors: the user interrupted it.
fn run_checks(args: &DoctorArgs, shell: &Environment) -> Result<Vec<(CheckName, Finding)>> {
    let reader = EntryReader::default();
    let configuration = Configuration::read(&args.entry, shell, &reader);
    let entry = configuration.found.as_ref();
    let settings = configuration.settings.as_ref();
    let profile = settings.map(|(settings, _)| &settings.profile);
    let identity = profile.map(Identity::new);
    let sign_in = profile.zip(identity.as_ref());
    let environment = settings.map_or(shell, |(_, environment)| environment);

    let stored = StoreChecks::new(settings, shell);
    let StoreFindings { key, files, session } = stored.findings(entry.zip(sign_in), environment);
    let session = configuration.with_certainty(session.unwrap_or_else(|| configuration.no_sign_in()));

    let facts =
        sign_in.and_then(|(profile, identity)| sessions::current_facts(identity, &profile.network, &stored.store));
    // First on the network, because Ctrl-C ends a refresh only until something else has listened for it.
    let (obtained, token) = match sign_in {
        Some((profile, identity)) => token::obtain(profile, identity, &stored.store, environment, &session)?,
        None => (Finding::skipped_because(SESSION), None),
    };
    let network = profile.map_or_else(|| from_environment(environment), |profile| profile.network.clone());
    let sent = entry.and_then(|entry| kubectl_user::credentials(entry, token.as_ref()).transpose());
    let servers = runtime::run_until_interrupted(network::ask(entry, profile, &network, sent))?;

    let issued = token.as_ref().zip(profile);
    let issued =
        issued.map(|(token, profile)| IssuedTokenChecks::new(token, profile, servers.tenant(), facts.as_ref()));
    let ServerFindings { clock, server, cluster, identity } =
        server_findings(&servers, entry, issued.as_ref(), obtained.has_failed());
    let (audience, groups) = match issued {
        Some(IssuedTokenChecks { audience, groups, .. }) => (audience, groups),
        None => (token::without(), token::without()),
    };
    let found = vec![
        (VERSION, program::version()),
        (KUBECONFIG, configuration.kubeconfig.clone()),
        (ENTRY, configuration.entry.clone()),
        (COMMAND, program::command(entry, shell, &reader)),
        (API_VERSION, kubeconfig::api_version(entry)),
        (KEYRING, key),
        (FILES, files),
        (CLOCK, clock),
        (PROXY, servers.proxy()),
        (ISSUER, configuration.with_certainty(servers.issuer(profile, configuration.no_sign_in()))),
        (SESSION, session),
        (TOKEN, configuration.with_certainty(obtained)),
        (AUDIENCE, audience),
        (GROUPS, groups),
        (SERVER, server),
        (CLUSTER, cluster),
        (IDENTITY, identity),
    ];
    Ok(found.into_iter().map(|(name, finding)| (name, configuration.with_sources(finding))).collect())
}

/// What was found about the API server, and about this machine's clock compared with the servers'.
struct ServerFindings {
    clock: Finding,
    server: Finding,
    cluster: Finding,
    identity: Finding,
}

/// The findings about the API server. `issued` is this plugin's token, if there is one; `is_without_token`: there should be
/// one, but it could not be obtained.
fn server_findings(
    servers: &NetworkChecks,
    entry: Option<&Entry>,
    issued: Option<&IssuedTokenChecks<'_>>,
    is_without_token: bool,
) -> ServerFindings {
    let (server, clock) = (servers.server(entry), servers.clock());
    let sends_token = entry.is_some_and(kubectl_user::sends_plugins_token_as_it_is);
    let sent = issued.filter(|_| sends_token);
    let cluster = cluster(servers, entry, &server, sent, &clock).unwrap_or_else(|| match issued {
        // kubectl refuses the user.
        Some(_) => Finding::skipped_because(ENTRY),
        None => token::without(),
    });
    // A difference that no server rejects does no harm.
    let is_harmful = cluster.has_failed() || is_without_token;
    let clock = if is_harmful { clock } else { clock.at_most_warning() };
    let review = servers.review.as_ref().and_then(|review| review.as_ref().ok()).filter(|_| sends_token);
    let identity = cluster::identity(review, issued.and_then(|issued| issued.subject.as_ref()));
    ServerFindings { clock, server, cluster, identity }
}

/// Whether the API server accepts what kubectl sends; `sent` is this plugin's token, if kubectl sends that and nothing else.
/// `None` if the server was not asked.
fn cluster(
    servers: &NetworkChecks,
    entry: Option<&Entry>,
    server: &Finding,
    sent: Option<&IssuedTokenChecks<'_>>,
    clock: &Finding,
) -> Option<Finding> {
    let (review, entry) = (servers.review.as_ref()?, entry?);
    if server.result < CheckResult::Ok || server.has_failed() {
        return Some(Finding::skipped_because(SERVER));
    }
    Some(match sent {
        Some(token) => cluster::cluster(review, token, clock),
        None => credentials::cluster(review, entry),
    })
}
