//! The checks over the network, all at the same time: the issuer, the API server with the token and without, the proxies.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use kubectl_login::messages::Explain;
use kubectl_login::messages::kube as messages;
use kubectl_login::messages::token::in_units;
use kubectl_login::messages::{ErrorMessage, Result};
use kubectl_login::profile::{Profile, Provider};
use kubectl_login_core::clock;
use kubectl_login_core::entra::{cloud, tenant};
use kubectl_login_core::http::network::Network;
use kubectl_login_core::http::{self, Http};
use kubectl_login_core::kube::api::{ApiClient, ApiError, ServerInfo};
use kubectl_login_core::kube::api_credentials::ApiCredentials;
use kubectl_login_core::kube::kubeconfig::Entry;
use kubectl_login_core::kube::review::{ClusterUser, who_am_i};
use kubectl_login_core::named_file;
use kubectl_login_core::oauth::discovery;
use kubectl_login_core::text::printable;
use url::Url;

use super::finding::{ENTRY, Finding, PROXY};

/// The time limit of each request. A user waits for it, and a server that needs longer has a problem.
pub(super) const LIMIT: Duration = Duration::from_secs(4);
/// Smaller differences between clocks do no harm.
const ODD: TimeDelta = TimeDelta::seconds(60);
/// The largest difference that servers accept.
const WRONG: TimeDelta = TimeDelta::minutes(5);

/// The results.
pub(super) struct NetworkChecks {
    issuer: Option<IssuerProbe>,
    server: Option<Result<ServerInfo>>,
    /// The user that the API server authenticates; `None` if it is not known what kubectl sends.
    pub(super) review: Option<Result<ClusterUser, ReviewError>>,
    routes: Vec<ServerRoute>,
}

/// Why the API server does not say who the user is.
pub(super) enum ReviewError {
    /// It responds like this.
    Answered(ApiError, ErrorMessage),
    /// It could not be asked.
    NotAsked(ErrorMessage),
}

struct IssuerProbe {
    clock_ahead: Option<TimeDelta>,
    /// The tenant's id, at Entra.
    tenant: Result<Option<String>>,
}

/// How a server is reached.
struct ServerRoute {
    target: Target,
    origin: String,
    proxy: Option<ProxyProbe>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Issuer,
    Server,
}

/// A proxy, without the password in its address.
struct ProxyProbe {
    origin: String,
    /// Why it does not work.
    trouble: Option<String>,
    /// What to check: the setting that names it.
    setting: &'static str,
}

/// Asks all servers. `credentials` are what kubectl sends, if that is known. Without a profile, this plugin does not sign in
/// for the entry, and `network` is the environment's.
pub(super) async fn ask(
    entry: Option<&Entry>,
    profile: Option<&Profile>,
    network: &Network,
    credentials: Option<Result<ApiCredentials>>,
) -> NetworkChecks {
    let issuer = maybe(profile.map(ask_issuer));
    let server = maybe(entry.map(|entry| probe(entry, network)));
    let review = maybe(entry.zip(credentials).map(|(entry, credentials)| review(entry, network, credentials)));
    let (issuer, server, review, routes) = tokio::join!(issuer, server, review, routes(entry, profile, network));
    NetworkChecks { issuer, server, review, routes }
}

async fn maybe<T>(work: Option<impl Future<Output = T>>) -> Option<T> {
    match work {
        Some(work) => Some(work.await),
        None => None,
    }
}

async fn ask_issuer(profile: &Profile) -> IssuerProbe {
    let mut clock_ahead = None;
    let asked = async {
        let base = issuer_url(profile)?;
        let http = Http::new(&profile.network, &base)?;
        match &profile.provider {
            Provider::Oidc { issuer, .. } => {
                let answer =
                    discovery::request(&http, issuer, clock::limit(LIMIT)).await.map_err(|error| error.explain(""))?;
                clock_ahead = answer.clock_ahead();
                discovery::parse(&answer, issuer).map(|_| None).map_err(|error| error.masked(&http).explain(""))
            }
            Provider::Entra { authority, tenant, .. } => {
                let issuer =
                    cloud::endpoints(authority, tenant).map_err(|error| error.explain("find the tenant"))?.issuer;
                let answer =
                    discovery::request(&http, &issuer, clock::limit(LIMIT)).await.map_err(|error| error.explain(""))?;
                clock_ahead = answer.clock_ahead();
                tenant::tenant_id(&answer, authority).map_err(|error| error.explain("find the tenant"))
            }
        }
    };
    let tenant = asked.await;
    IssuerProbe { clock_ahead, tenant }
}

async fn probe(entry: &Entry, network: &Network) -> Result<ServerInfo> {
    let api = ApiClient::anonymous(&entry.api_server, network, clock::limit(LIMIT))
        .map_err(|error| messages::api_client_error(&error))?;
    api.probe().await.map_err(|error| messages::api_error(&error, &api, "ask the API server"))
}

async fn review(
    entry: &Entry,
    network: &Network,
    credentials: Result<ApiCredentials>,
) -> Result<ClusterUser, ReviewError> {
    let api = credentials
        .and_then(|credentials| {
            ApiClient::with_credentials(&entry.api_server, network, &credentials, clock::limit(LIMIT))
                .map_err(|error| messages::api_client_error(&error))
        })
        .map_err(ReviewError::NotAsked)?;
    let said = who_am_i(&api).await;
    said.map_err(|failure| match failure {
        ApiError::Unreachable(_) => {
            ReviewError::NotAsked(messages::api_error(&failure, &api, messages::ASK_WHO_YOU_ARE))
        }
        _ => {
            let error = messages::api_error(&failure, &api, messages::ASK_WHO_YOU_ARE);
            ReviewError::Answered(failure, error)
        }
    })
}

/// The URL of the profile's issuer.
pub(super) fn issuer_url(profile: &Profile) -> Result<Url> {
    match &profile.provider {
        Provider::Entra { authority, .. } => Ok(authority.clone()),
        Provider::Oidc { issuer, .. } => discovery::issuer_url(issuer).map_err(|error| error.explain("")),
    }
}

async fn routes(entry: Option<&Entry>, profile: Option<&Profile>, network: &Network) -> Vec<ServerRoute> {
    const OF_ENVIRONMENT: &str = "Check HTTPS_PROXY and NO_PROXY.";
    const OF_CLUSTER: &str = "Check the kubeconfig cluster's proxy-url.";
    let by_environment = |url: &Url| Some((http::environment_proxy(network, url)?.to_owned(), OF_ENVIRONMENT));
    let issuer = profile.and_then(|profile| issuer_url(profile).ok()).map(|url| {
        let proxy = by_environment(&url);
        route(Target::Issuer, url, proxy)
    });
    let server = entry.and_then(|entry| {
        let cluster = &entry.api_server;
        let url = Url::parse(cluster.server.as_deref()?).ok()?;
        let proxy = cluster.proxy_url.clone().map(|own| (own, OF_CLUSTER)).or_else(|| by_environment(&url));
        Some(route(Target::Server, url, proxy))
    });
    let (issuer, server) = tokio::join!(maybe(issuer), maybe(server));
    issuer.into_iter().chain(server).collect()
}

/// The route to a server. `proxy` is the address of its proxy, and what to check if that does not work.
async fn route(target: Target, url: Url, proxy: Option<(String, &'static str)>) -> ServerRoute {
    let proxy = match &proxy {
        Some((address, setting)) => Some(probe_proxy(address, setting).await),
        None => None,
    };
    ServerRoute { target, origin: http::origin(&url), proxy }
}

/// Whether something listens at the address of a proxy.
async fn probe_proxy(address: &str, setting: &'static str) -> ProxyProbe {
    // Without a scheme it is an http proxy.
    let with_scheme = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let url = Url::parse(&with_scheme).ok();
    let port = url.as_ref().and_then(|url| match url.scheme() {
        scheme if scheme.starts_with("socks") => url.port().or(Some(1080)),
        _ => url.port_or_known_default(),
    });
    let Some((url, host, port)) = url.as_ref().and_then(|url| Some((url, url.host_str()?, port?))) else {
        let trouble = Some("its address is not a URL".to_owned());
        return ProxyProbe { origin: "in the settings".to_owned(), trouble, setting };
    };
    let host = host.trim_matches(['[', ']']);
    let trouble = match tokio::time::timeout(clock::limit(LIMIT), tokio::net::TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(printable(&error.to_string(), 200)),
        Err(_) => Some("it did not answer in time".to_owned()),
    };
    let origin = printable(&format!("{}://{}:{port}", url.scheme(), url.host_str().unwrap_or(host)), 200);
    ProxyProbe { origin, trouble, setting }
}

impl NetworkChecks {
    /// Which proxies are used, and whether they respond.
    pub(super) fn proxy(&self) -> Finding {
        let found = |route: &ServerRoute| match &route.proxy {
            None => Finding::ok(format!("{} directly", route.origin)),
            Some(ProxyProbe { origin, trouble: None, .. }) => Finding::ok(format!("{} through {origin}", route.origin)),
            Some(ProxyProbe { origin, trouble: Some(why), setting }) => {
                Finding::fail(format!("the proxy {origin} for {} does not work: {why}", route.origin), *setting)
            }
        };
        match self.routes.is_empty() {
            true => Finding::skipped_because(ENTRY),
            false => Finding::merged(self.routes.iter().map(found).collect()),
        }
    }

    /// Whether a server does not respond because its proxy does not.
    fn is_behind_a_dead_proxy(&self, target: Target) -> bool {
        let route = self.routes.iter().find(|route| route.target == target);
        route.and_then(|route| route.proxy.as_ref()).is_some_and(|proxy| proxy.trouble.is_some())
    }

    /// The issuer; `without` is the finding if this plugin does not sign in.
    pub(super) fn issuer(&self, profile: Option<&Profile>, without: Finding) -> Finding {
        let (Some(seen), Some(profile)) = (&self.issuer, profile) else { return without };
        let origin = issuer_url(profile).map(|url| http::origin(&url)).unwrap_or_default();
        match &seen.tenant {
            Err(_) if self.is_behind_a_dead_proxy(Target::Issuer) => Finding::skipped_because(PROXY),
            Err(error) => Finding::from(error),
            Ok(_) if profile.network.insecure => Finding::warn(
                format!("{origin} responds, but certificates are not verified: another server could impersonate it"),
                "Remove --insecure-skip-tls-verify from the kubeconfig user's exec.args; to trust your own certificate authority, use --certificate-authority FILE.",
            ),
            Ok(tenant) => {
                let who = match &profile.provider {
                    Provider::Oidc { issuer, .. } => printable(issuer, 200),
                    Provider::Entra { .. } => origin,
                };
                let tenant = tenant.as_ref().map(|id| format!(", for the tenant {}", printable(id, 60)));
                let tenant = tenant.unwrap_or_default();
                Finding::ok(format!("{who} responds{tenant}{}", trusted_besides(&profile.network)))
            }
        }
    }

    /// The id of the tenant that the profile names by its id or a domain.
    pub(super) fn tenant(&self) -> Option<&str> {
        self.issuer.as_ref()?.tenant.as_ref().ok()?.as_deref()
    }

    /// The API server.
    pub(super) fn server(&self, entry: Option<&Entry>) -> Finding {
        let (Some(seen), Some(entry)) = (&self.server, entry) else { return Finding::skipped_because(ENTRY) };
        let cluster = &entry.api_server;
        let has_own = cluster.certificate_authority.is_some() || cluster.certificate_authority_data.is_some();
        match seen {
            Err(_) if self.is_behind_a_dead_proxy(Target::Server) => Finding::skipped_because(PROXY),
            Err(error) => Finding::from(error),
            // client-go's `tools/clientcmd/client_config.go`, `IsConfigTransportTLS`.
            Ok(_) if cluster.server.as_ref().is_some_and(|url| url.starts_with("http://")) => Finding::warn(
                "the API server responds, but kubectl sends no credentials to an http address: it never runs the plugin",
                "Use an https address in the kubeconfig cluster's server, unless a proxy there authenticates for you.",
            ),
            Ok(_) if cluster.insecure_skip_tls_verify && !has_own => Finding::warn(
                "the API server responds, but its certificate is not verified: another server could impersonate it",
                "Set certificate-authority in the kubeconfig's cluster, and remove insecure-skip-tls-verify.",
            ),
            Ok(ServerInfo { version, .. }) => {
                let origin = self.origin(Target::Server);
                let version = version.as_ref().map(|version| format!(" (Kubernetes {version})")).unwrap_or_default();
                let whom = if has_own { "the kubeconfig's certificate authority" } else { "the system" };
                Finding::ok(format!("{origin} responds{version}, trusted by {whom}"))
            }
        }
    }

    fn origin(&self, target: Target) -> String {
        self.routes.iter().find(|route| route.target == target).map(|route| route.origin.clone()).unwrap_or_default()
    }

    /// This machine's clock compared with those of the servers.
    pub(super) fn clock(&self) -> Finding {
        let issuer = self.issuer.as_ref().and_then(|seen| seen.clock_ahead);
        let server = self.server.as_ref().and_then(|seen| seen.as_ref().ok()?.clock_ahead);
        let times = [(Target::Issuer, issuer), (Target::Server, server)];
        let found: Vec<Finding> =
            times.into_iter().filter_map(|(target, ahead)| Some(clock(&self.origin(target), ahead?))).collect();
        if found.is_empty() { Finding::skip("no server has sent its time") } else { Finding::merged(found) }
    }
}

fn clock(origin: &str, ahead: TimeDelta) -> Finding {
    let off = ahead.abs();
    if off < ODD {
        return Finding::ok(format!("agrees with {origin}"));
    }
    // To the nearest minute: servers send whole seconds.
    let span = match (off + TimeDelta::seconds(30)).num_minutes() {
        1 => "a minute".to_owned(),
        minutes @ 2..120 => format!("{minutes} minutes"),
        _ => in_units(off),
    };
    let direction = if ahead > TimeDelta::zero() { "ahead of" } else { "behind" };
    let what = format!("this machine's clock is {span} {direction} that of {origin}");
    let next = "Set this machine's date and time. If they are right, tell the administrator of that server.";
    if off < WRONG { Finding::warn(what, next) } else { Finding::fail(what, next) }
}

/// What connections to the issuer trust besides the system.
fn trusted_besides(network: &Network) -> String {
    let shown = |file: &Path| printable(&file.to_string_lossy(), 200);
    let mut names: Vec<String> = network.ca_files.iter().map(|file| shown(file.path())).collect();
    if !network.ca_data.is_empty() {
        names.push("--certificate-authority-data".to_owned());
    }
    names.extend(network.environment_roots.file.iter().map(|file| match named_file::read_named(file) {
        Ok(_) => format!("{} (SSL_CERT_FILE)", shown(file)),
        Err(_) => format!("{} (SSL_CERT_FILE, which cannot be read)", shown(file)),
    }));
    names.extend(network.environment_roots.folders.iter().map(|folder| format!("{} (SSL_CERT_DIR)", shown(folder))));
    if names.is_empty() { String::new() } else { format!("; trusted besides the system: {}", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::CheckResult;

    #[test]
    fn a_minute_is_odd_and_five_are_wrong() {
        let found = |seconds| clock("https://i", TimeDelta::seconds(seconds));
        assert_eq!(found(-59).result, CheckResult::Ok);
        assert_eq!((found(60).result, found(-299).result), (CheckResult::Warn, CheckResult::Warn));
        assert_eq!(found(60).message, "this machine's clock is a minute ahead of that of https://i");
        assert_eq!(found(-600).message, "this machine's clock is 10 minutes behind that of https://i");
        assert_eq!(found(90_000).message, "this machine's clock is 1 d 1 h ahead of that of https://i");
        assert_eq!(found(300).result, CheckResult::Fail);
    }
}
