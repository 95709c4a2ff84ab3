//! Audiences that no cluster has.
//!
//! A kubeconfig decides which server gets the token, so a stranger's kubeconfig could ask for a token of Microsoft
//! Graph or Azure Resource Manager and have it sent to a server of the stranger's. Such audiences are refused before
//! anybody signs in.

use url::Url;

use crate::error::{Error, Result};
use crate::text::printable;

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

/// Host names (and everything below them) of the same services, in all clouds.
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

const ITS_ID: &str = "Give --server-id the application id of the cluster's API server. That of AKS: 6dae42f8-4368-4678-94ff-3960e28e3630";

/// The server id as it is asked for: trailing slashes and `/.default` dropped.
///
/// Errors: an empty id, one that holds more than one scope, an audience that no cluster has; `services` are such ones
/// besides those known here.
pub fn server_id(text: &str, services: &[Url]) -> Result<String> {
    let id = text.trim().trim_end_matches('/');
    let id = id.strip_suffix("/.default").unwrap_or(id).trim_end_matches('/');
    if id.is_empty() {
        return Err(Error::usage("--server-id is empty", ITS_ID));
    }
    if id.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Error::usage("--server-id holds more than one word", "Give one application id or URI."));
    }
    refuse_foreign(id)?;
    let host = Url::parse(id).ok().and_then(|url| url.host_str().map(str::to_owned));
    match services.iter().any(|service| service.host_str() == host.as_deref() && host.is_some()) {
        true => Err(foreign(id, "a service of this cloud")),
        false => Ok(id.to_owned()),
    }
}

/// Refuses a scope or audience that belongs to a service and not to a cluster.
pub fn refuse_foreign(scope: &str) -> Result<()> {
    owner(scope).map_or(Ok(()), |service| Err(foreign(scope, service)))
}

fn foreign(scope: &str, service: &str) -> Error {
    Error::usage(
        format!("{:?} belongs to {service}, and a token for it is not handed to a cluster", printable(scope, 80)),
        format!("If this kubeconfig came from somebody else, ask them what it is for.\n{ITS_ID}"),
    )
}

/// The service that a scope or audience belongs to, if it is one that no cluster is.
fn owner(scope: &str) -> Option<&'static str> {
    let scope = scope.trim().to_ascii_lowercase();
    let scope = scope.strip_prefix("spn:").unwrap_or(&scope);
    // An id may stand alone, before a path (`<id>/.default`), or in a URI (`api://<id>`).
    let by_id = APPLICATIONS.iter().find(|(id, _)| scope.split(['/', ':', '{', '}', '(', ')']).any(|part| part == *id));
    if let Some((_, service)) = by_id {
        return Some(service);
    }
    // Scopes without a scheme are names of Microsoft Graph permissions to Entra only if they stand alone; a host
    // without a scheme is looked up all the same.
    let with_scheme = if scope.contains("://") { scope.to_owned() } else { format!("https://{scope}") };
    let url = Url::parse(&with_scheme).ok()?;
    let host = url.host_str()?.trim_end_matches('.');
    HOSTS
        .iter()
        .find(|(known, _)| host == *known || host.strip_suffix(known).is_some_and(|rest| rest.ends_with('.')))
        .map(|(_, service)| *service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_served() {
        assert_eq!(
            server_id("6dae42f8-4368-4678-94ff-3960e28e3630/.default", &[]).expect("fine"),
            "6dae42f8-4368-4678-94ff-3960e28e3630"
        );
        assert_eq!(server_id("api://my-cluster/", &[]).expect("fine"), "api://my-cluster");
        assert!(server_id("https://aks.contoso.example", &[]).is_ok());
    }

    #[test]
    fn services_are_refused_however_they_are_spelled() {
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
        ] {
            assert!(server_id(foreign, &[]).is_err(), "{foreign}");
        }
    }

    #[test]
    fn services_of_a_private_cloud_are_refused_too() {
        let services = [Url::parse("https://management.local.example/").expect("a URL")];
        assert!(server_id("https://management.local.example/x", &services).is_err());
        assert!(server_id("https://aks.local.example", &services).is_ok());
        assert!(server_id("6dae42f8-4368-4678-94ff-3960e28e3630", &services).is_ok());
    }

    #[test]
    fn two_scopes_in_one_are_refused() {
        assert!(server_id("api://cluster/x https://graph.microsoft.com", &[]).is_err());
        assert!(server_id("a\u{0}b", &[]).is_err());
    }
}
