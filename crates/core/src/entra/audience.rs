//! Audiences: which belong to a cluster, which never do, and how each is spelled.
//!
//! A kubeconfig decides which server gets the token, so a stranger's kubeconfig could ask for a token for Microsoft
//! Graph or Azure Resource Manager and have it sent to the stranger's server. Audiences of Microsoft's own services are
//! therefore refused before a sign-in begins. No list of those is ever complete, so callers use a session without a question
//! only for the audiences of clusters in every tenant, and have the user confirm any other.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use super::is_guid;
use crate::text::printable;

/// Why an audience or a scope is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum AudienceError {
    /// The id is empty.
    #[error("the server id is empty")]
    Empty,
    /// The id holds blanks or control characters, so it may be several scopes.
    #[error("the server id holds more than one word")]
    SeveralWords,
    /// No application has such an id.
    #[error("the server id {0:?} is not a valid application id or URI")]
    Invalid(String),
    /// It belongs to a service that is not a cluster.
    #[error("{audience:?} belongs to {service}")]
    ForeignService {
        /// The audience or scope, fit to be shown.
        audience: String,
        /// The service.
        service: ForeignService,
    },
    /// An access token without the scope of an application would be for Microsoft Graph.
    #[error("without the scope of an application, Entra ID gives an access token for Microsoft Graph")]
    GraphByDefault,
}

/// A service that is not a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForeignService {
    /// One that is known by name.
    Named(String),
    /// One in a domain of Microsoft's clouds.
    OfMicrosoft,
    /// One of those that the caller named.
    OfThisCloud,
}

impl fmt::Display for ForeignService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ForeignService::Named(name) => name,
            ForeignService::OfMicrosoft => "a Microsoft service",
            ForeignService::OfThisCloud => "a service of this cloud",
        })
    }
}

/// Application ids of services that keep data, mail, secrets or subscriptions
/// (<https://learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in>).
const APPLICATIONS: &[(&str, &str)] = &[
    ("00000003-0000-0000-c000-000000000000", "Microsoft Graph"),
    ("00000002-0000-0000-c000-000000000000", "Azure AD Graph"),
    ("00000002-0000-0ff1-ce00-000000000000", "Exchange Online"),
    ("00000003-0000-0ff1-ce00-000000000000", "SharePoint Online"),
    ("797f4846-ba00-4fd7-ba43-dac1f8f63013", "Azure Resource Manager"),
    ("cfa8b339-82a2-471a-a3c9-0fc0be7a4093", "Azure Key Vault"),
    ("e406a681-f3d4-42a8-90b6-c2b029497af1", "Azure Storage"),
    ("022907d3-0f1b-48f7-badc-1ba6abab6d66", "Azure SQL Database"),
    ("499b84ac-1321-427f-aa17-267ca6975798", "Azure DevOps"),
];

/// Server applications of clusters in every tenant: AKS
/// (<https://learn.microsoft.com/azure/aks/kubelogin-authentication>) and Kubernetes enabled by Azure Arc
/// (<https://learn.microsoft.com/azure/azure-arc/kubernetes/cluster-connect>).
const CLUSTERS: &[&str] = &["6dae42f8-4368-4678-94ff-3960e28e3630", "6256c85f-0aad-4d50-b960-e6e9b21efe35"];

/// Domains in which Microsoft's clouds have their services, present and future. A cluster's own application cannot have a
/// name there: an application's URI is in a domain of its tenant.
const DOMAINS: &[&str] = &[
    "applicationinsights.io",
    "azconfig.io",
    "azure-api.net",
    "azure-automation.net",
    "azure-devices.net",
    "azure.cn",
    "azure.com",
    "azure.net",
    "azure.us",
    "azurecr.io",
    "azuredatabricks.net",
    "azuredatalakestore.net",
    "azurehdinsight.net",
    "azuresynapse.net",
    "chinacloudapi.cn",
    "dynamics.com",
    "live.com",
    "loganalytics.io",
    "microsoft.com",
    "microsoft.us",
    "microsoftazure.us",
    "microsoftonline.com",
    "microsoftonline.us",
    "office.com",
    "office.net",
    "office365.com",
    "office365.us",
    "outlook.com",
    "powerbi.cn",
    "powerbi.com",
    "powerbigov.us",
    "sharepoint.com",
    "sharepoint.us",
    "skype.com",
    "sovcloud-api.de",
    "sovcloud-api.fr",
    "sovcloud-api.sg",
    "sovcloud-identity.de",
    "sovcloud-identity.fr",
    "sovcloud-identity.sg",
    "svc.sovcloud.de",
    "svc.sovcloud.fr",
    "svc.sovcloud.sg",
    "usgovcloudapi.net",
    "visualstudio.com",
    "windows.net",
    "windowsazure.com",
    "windowsazure.us",
    "yammer.com",
];

/// Host names (and everything below them) of the best known services.
const HOSTS: &[(&str, &str)] = &[
    ("graph.microsoft.com", "Microsoft Graph"),
    ("graph.microsoft.us", "Microsoft Graph"),
    ("dod-graph.microsoft.us", "Microsoft Graph"),
    ("microsoftgraph.chinacloudapi.cn", "Microsoft Graph"),
    ("graph.svc.sovcloud.fr", "Microsoft Graph"),
    ("graph.svc.sovcloud.de", "Microsoft Graph"),
    ("graph.svc.sovcloud.sg", "Microsoft Graph"),
    ("graph.windows.net", "Azure AD Graph"),
    ("graph.chinacloudapi.cn", "Azure AD Graph"),
    ("management.azure.com", "Azure Resource Manager"),
    ("management.core.windows.net", "Azure Resource Manager"),
    ("management.usgovcloudapi.net", "Azure Resource Manager"),
    ("management.core.usgovcloudapi.net", "Azure Resource Manager"),
    ("management.chinacloudapi.cn", "Azure Resource Manager"),
    ("management.core.chinacloudapi.cn", "Azure Resource Manager"),
    ("management.sovcloud-api.fr", "Azure Resource Manager"),
    ("management.sovcloud-api.de", "Azure Resource Manager"),
    ("management.sovcloud-api.sg", "Azure Resource Manager"),
    ("vault.azure.net", "Azure Key Vault"),
    ("managedhsm.azure.net", "Azure Key Vault"),
    ("vault.usgovcloudapi.net", "Azure Key Vault"),
    ("vault.azure.cn", "Azure Key Vault"),
    ("storage.azure.com", "Azure Storage"),
    ("core.windows.net", "Azure Storage"),
    ("database.windows.net", "Azure SQL Database"),
    ("ossrdbms-aad.database.windows.net", "Azure SQL Database"),
    ("outlook.office.com", "Exchange Online"),
    ("outlook.office365.com", "Exchange Online"),
    ("sharepoint.com", "SharePoint Online"),
    ("app.vssps.visualstudio.com", "Azure DevOps"),
];

/// What a scope for all permissions of a resource ends with.
const DEFAULT: &str = "/.default";

/// The server id in its normal form: without `spn:`, `/.default`, trailing slashes, brackets and the default port, GUIDs and
/// host names in lower case. `services` are services of this cloud besides those known here.
///
/// Errors: see [`AudienceError`].
pub fn normalize_server_id(text: &str, services: &[Url]) -> Result<String, AudienceError> {
    let id = bare(text);
    if id.is_empty() {
        return Err(AudienceError::Empty);
    }
    if id.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(AudienceError::SeveralWords);
    }
    refuse_foreign(id)?;
    let id = normal(id).ok_or_else(|| AudienceError::Invalid(printable(id, 80)))?;
    let is_service = |host: String| services.iter().any(|service| service.host_str() == Some(&*host));
    if hosts(&id).into_iter().any(is_service) {
        return Err(foreign(&id, ForeignService::OfThisCloud));
    }
    Ok(id)
}

/// Whether `server_id` is the audience of clusters in every tenant.
pub fn is_in_every_tenant(server_id: &str) -> bool {
    CLUSTERS.iter().any(|known| known.eq_ignore_ascii_case(server_id))
}

/// The resource of `scope` at Entra; `None` for a permission without one, which is Microsoft Graph's
/// (<https://learn.microsoft.com/entra/identity-platform/scopes-oidc>).
pub fn resource_of(scope: &str) -> Option<&str> {
    scope.rsplit_once('/').map(|(resource, _)| resource.trim_end_matches('/')).filter(|resource| !resource.is_empty())
}

/// Checks that at least one of `scopes` names an application, without which Entra's access token is for Microsoft Graph.
///
/// Errors: [`AudienceError::GraphByDefault`].
pub fn refuse_graph_by_default(scopes: &[String]) -> Result<(), AudienceError> {
    if scopes.iter().any(|scope| resource_of(scope).is_some()) {
        return Ok(());
    }
    Err(AudienceError::GraphByDefault)
}

/// Checks that a scope or audience does not belong to a service other than a cluster.
///
/// Errors: [`AudienceError::ForeignService`].
pub fn refuse_foreign(scope: &str) -> Result<(), AudienceError> {
    owner(scope).map_or(Ok(()), |service| Err(foreign(scope, service)))
}

fn foreign(scope: &str, service: ForeignService) -> AudienceError {
    AudienceError::ForeignService { audience: printable(scope, 80), service }
}

/// `text` without the prefixes and suffixes that may surround an id.
fn bare(text: &str) -> &str {
    let mut id = text.trim();
    while let Some((_, rest)) = id.split_at_checked(4).filter(|(start, _)| start.eq_ignore_ascii_case("spn:")) {
        id = rest.trim_start();
    }
    loop {
        let shorter = id.trim_end_matches('/');
        let split = shorter.len().checked_sub(DEFAULT.len()).and_then(|at| shorter.split_at_checked(at));
        match split.filter(|(_, end)| end.eq_ignore_ascii_case(DEFAULT)) {
            Some((rest, _)) => id = rest,
            None => return shorter,
        }
    }
}

/// The normal form of a bare id; `None` if no application has such an id.
fn normal(id: &str) -> Option<String> {
    let inner = id.trim_start_matches(['{', '(']).trim_end_matches(['}', ')']);
    if is_guid(inner) {
        return Some(inner.to_ascii_lowercase());
    }
    match Url::parse(id) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => {
            let is_plain = url.username().is_empty() && url.password().is_none();
            let is_whole = url.query().is_none() && url.fragment().is_none();
            (is_plain && is_whole).then(|| url.as_str().trim_end_matches('/').to_owned())
        }
        _ if !id.is_ascii() => None,
        // The rest of such a URI is the tenant's to spell, and what a cluster compares with.
        _ => Some(match id.split_once("://") {
            Some((scheme, rest)) => format!("{}://{rest}", scheme.to_ascii_lowercase()),
            None => id.to_owned(),
        }),
    }
}

/// The hosts that a scope or audience may name, also without a scheme or with another one than https. An `api://` URI names
/// none, because applications of a tenant have theirs there.
fn hosts(scope: &str) -> Vec<String> {
    let scheme = scope.split_once(':').map(|(scheme, _)| scheme);
    if scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("api")) {
        return Vec::new();
    }
    let behind_scheme = scope.split_once("://").map_or(scope, |(_, rest)| rest);
    let forms = [scope.to_owned(), format!("https://{behind_scheme}")];
    let host = |form: &String| Some(Url::parse(form).ok()?.host_str()?.trim_end_matches('.').to_ascii_lowercase());
    forms.iter().filter_map(host).collect()
}

/// The service that a scope or audience belongs to, unless it may be a cluster's.
fn owner(scope: &str) -> Option<ForeignService> {
    let scope = bare(scope);
    let lower = scope.to_ascii_lowercase();
    // An id may stand alone, before a path (`<id>/.default`), or in a URI (`api://<id>`).
    let by_id = APPLICATIONS.iter().find(|(id, _)| lower.split(['/', ':', '{', '}', '(', ')']).any(|part| part == *id));
    if let Some((_, service)) = by_id {
        return Some(ForeignService::Named((*service).to_owned()));
    }
    let is_within =
        |host: &str, domain: &str| host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    hosts(scope).iter().find_map(|host| {
        let known = HOSTS
            .iter()
            .find(|(known, _)| is_within(host, known))
            .map(|(_, service)| ForeignService::Named((*service).to_owned()));
        known.or_else(|| DOMAINS.iter().any(|domain| is_within(host, domain)).then_some(ForeignService::OfMicrosoft))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audience_of_a_cluster_is_accepted() {
        assert_eq!(
            normalize_server_id("6dae42f8-4368-4678-94ff-3960e28e3630/.default", &[]).expect("fine"),
            "6dae42f8-4368-4678-94ff-3960e28e3630"
        );
        assert_eq!(normalize_server_id("api://my-cluster/", &[]).expect("fine"), "api://my-cluster");
        assert!(normalize_server_id("https://aks.contoso.example", &[]).is_ok());
    }

    #[test]
    fn services_are_refused_in_every_spelling() {
        for foreign in [
            "00000003-0000-0000-c000-000000000000",
            "00000003-0000-0000-C000-000000000000/.default",
            "spn:797f4846-ba00-4fd7-ba43-dac1f8f63013",
            "https://graph.microsoft.com",
            "https://graph.microsoft.com/User.Read",
            "HTTPS://GRAPH.MICROSOFT.COM//.default",
            "https://graph.microsoft.com./",
            "https://management.azure.com/",
            "https://management.core.windows.net//.default",
            "https://vault.azure.net",
            "https://contoso.vault.azure.net/",
            "graph.microsoft.com",
            "{00000003-0000-0000-c000-000000000000}",
            "https://user@graph.microsoft.com:443/x",
            "https:graph.microsoft.com",
            "https:/graph.microsoft.com",
            "https:\\\\graph.microsoft.com",
            "graph.microsoft.com:443/x",
            "https://%67raph.microsoft.com",
            "https://graph\u{3002}microsoft\u{3002}com",
            "SPN:spn:https://graph.microsoft.com/",
            "https://servicebus.azure.net",
            "https://kusto.kusto.windows.net",
            "https://api.kusto.windows.net/.default",
            "https://analysis.windows.net/powerbi/api",
            "https://westeurope.azuredatabricks.net",
            "https://dev.azure.com",
            "https://cognitiveservices.azure.com/",
            "https://management.microsoft.com",
            "ftp://servicebus.azure.net",
            "windows.net",
        ] {
            assert!(normalize_server_id(foreign, &[]).is_err(), "{foreign}");
        }
    }

    #[test]
    fn spellings_of_one_audience_have_one_form() {
        for (spelling, form) in [
            ("6DAE42F8-4368-4678-94FF-3960E28E3630", "6dae42f8-4368-4678-94ff-3960e28e3630"),
            ("spn:6dae42f8-4368-4678-94ff-3960e28e3630/.DEFAULT//", "6dae42f8-4368-4678-94ff-3960e28e3630"),
            ("{6dae42f8-4368-4678-94ff-3960e28e3630}", "6dae42f8-4368-4678-94ff-3960e28e3630"),
            ("HTTPS://AKS.Contoso.example:443/.default", "https://aks.contoso.example"),
            ("https:\\\\aks.contoso.example/Path/", "https://aks.contoso.example/Path"),
            ("https://%61ks.contoso.example", "https://aks.contoso.example"),
            ("API://My-Cluster//", "api://My-Cluster"),
        ] {
            assert_eq!(normalize_server_id(spelling, &[]).expect("fine"), form, "{spelling}");
        }
        for odd in ["https://user@aks.contoso.example", "https://aks.contoso.example?x", "api://m\u{443}-cluster"] {
            assert!(normalize_server_id(odd, &[]).is_err(), "{odd}");
        }
        assert!(is_in_every_tenant("6dae42f8-4368-4678-94ff-3960e28e3630") && !is_in_every_tenant("api://My-Cluster"));
    }

    #[test]
    fn domain_that_only_ends_alike_is_not_a_service() {
        for id in ["https://notwindows.net", "https://azure.com.contoso.example", "api://servicebus.azure.net"] {
            assert!(normalize_server_id(id, &[]).is_ok(), "{id}");
        }
    }

    #[test]
    fn scope_without_a_resource_belongs_to_graph() {
        let scopes = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(refuse_graph_by_default(&scopes("email User.Read")).is_err());
        assert!(refuse_graph_by_default(&scopes("email api://cluster/.default")).is_ok());
        assert_eq!(resource_of("api://cluster//.default"), Some("api://cluster"));
    }

    #[test]
    fn services_of_a_private_cloud_are_refused_too() {
        let services = [Url::parse("https://management.local.example/").expect("a URL")];
        assert!(normalize_server_id("https://management.local.example/x", &services).is_err());
        assert!(normalize_server_id("https://aks.local.example", &services).is_ok());
        assert!(normalize_server_id("6dae42f8-4368-4678-94ff-3960e28e3630", &services).is_ok());
    }

    #[test]
    fn two_scopes_in_one_are_refused() {
        assert!(normalize_server_id("api://cluster/x https://graph.microsoft.com", &[]).is_err());
        assert!(normalize_server_id("a\u{0}b", &[]).is_err());
    }
}
