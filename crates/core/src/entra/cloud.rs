//! The clouds that Entra ID runs in, and the sign-in host of each.
//!
//! Hosts as listed by Microsoft for its national clouds
//! (<https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud>) and in the trusted hosts of
//! MSAL.

use std::path::Path;

use serde::{Deserialize, Serialize};
use url::Url;

use super::is_guid;
use crate::http::{is_acceptable, is_acceptable_from};
use crate::named_file;
use crate::oauth::{ClientSecretMethod, Endpoints, site};
use crate::text::printable;

/// A cloud with a fixed sign-in host.
struct Cloud {
    /// Its name first, then other spellings.
    names: &'static [&'static str],
    /// Sign-in host.
    authority: &'static str,
    /// Hosts of Microsoft Graph (<https://learn.microsoft.com/graph/deployments>), the usual one first.
    graph: &'static [&'static str],
}

const CLOUDS: &[Cloud] = &[
    Cloud {
        names: &["AzurePublicCloud", "AzureCloud", "AzurePublic"],
        authority: "https://login.microsoftonline.com/",
        graph: &["graph.microsoft.com"],
    },
    Cloud {
        names: &["AzureUSGovernmentCloud", "AzureUSGovernment"],
        authority: "https://login.microsoftonline.us/",
        graph: &["graph.microsoft.us", "dod-graph.microsoft.us"],
    },
    Cloud {
        // login.chinacloudapi.cn is the name other tools use; the two are one host set.
        names: &["AzureChinaCloud"],
        authority: "https://login.partner.microsoftonline.cn/",
        graph: &["microsoftgraph.chinacloudapi.cn"],
    },
    Cloud {
        names: &["BleuCloud"],
        authority: "https://login.sovcloud-identity.fr/",
        graph: &["graph.svc.sovcloud.fr"],
    },
    Cloud {
        names: &["DelosCloud"],
        authority: "https://login.sovcloud-identity.de/",
        graph: &["graph.svc.sovcloud.de"],
    },
    Cloud {
        names: &["GovSGCloud"],
        authority: "https://login.sovcloud-identity.sg/",
        graph: &["graph.svc.sovcloud.sg"],
    },
];

/// The cloud whose hosts come from a file.
pub const STACK: &str = "AzureStackCloud";

/// Names that mean the same sign-in host, each with the one sessions are kept under.
const ALIASES: &[(&str, &str)] = &[
    ("login.windows.net", "login.microsoftonline.com"),
    ("login.microsoft.com", "login.microsoftonline.com"),
    ("sts.windows.net", "login.microsoftonline.com"),
    ("login.usgovcloudapi.net", "login.microsoftonline.us"),
    ("login.chinacloudapi.cn", "login.partner.microsoftonline.cn"),
];

/// Hosts at which the clouds have codes typed.
const CODE_PAGES: &[&str] =
    &["microsoft.com", "www.microsoft.com", "login.microsoft.com", "login.microsoftonline.com", "aka.ms"];

/// Why a cloud's endpoints are not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum CloudError {
    /// No cloud has this name.
    #[error("there is no environment {0:?}")]
    UnknownEnvironment(String),
    /// The given sign-in host cannot be used.
    #[error("the sign-in host {0}")]
    Authority(AuthorityProblem),
    /// No URL can be made with this tenant.
    #[error("the tenant is not valid")]
    InvalidTenant,
    /// The cloud's hosts are in a file, and no file is given.
    #[error("the file with the endpoints of {STACK} is not given")]
    NoStackFile,
    /// That file cannot be used.
    #[error("{problem} in {file}")]
    StackFile {
        /// Its path, fit to be shown.
        file: String,
        /// What is wrong.
        problem: StackFileProblem,
    },
}

/// What is wrong with the URL of a sign-in host. The texts are fit to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum AuthorityProblem {
    /// It cannot be parsed.
    #[error("{0:?} is not a valid URL")]
    NotAUrl(String),
    /// Its scheme is not https.
    #[error("{0:?} is not https")]
    NotHttps(String),
    /// It has a query, a fragment or user info.
    #[error("is more than a base URL")]
    NotABase,
}

/// What is wrong with the file of an Azure Stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum StackFileProblem {
    /// It cannot be read, and why.
    #[error("a read error ({0})")]
    Unreadable(String),
    /// It is not JSON with the expected fields. The position is enough to find the mistake; the parser's own words may
    /// repeat what is there.
    #[error("a mistake at line {line}, column {column}")]
    Malformed {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// The value of a field is not an https URL.
    #[error("{0}, which is not an https URL,")]
    Field(String),
    /// The sign-in host cannot be used.
    #[error("{SIGN_IN_FIELD} {0}")]
    Authority(AuthorityProblem),
}

/// The field of an Azure Stack's file with its sign-in host.
pub const SIGN_IN_FIELD: &str = "activeDirectoryEndpoint";

/// The file that Azure Stack Hub operators provide (go-autorest's format, in the variable `AZURE_ENVIRONMENT_FILEPATH`).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StackFile {
    /// Sign-in host.
    active_directory_endpoint: String,
    /// Microsoft Graph, if there is one.
    #[serde(default)]
    microsoft_graph_endpoint: Option<String>,
    /// Azure Resource Manager, if there is one.
    #[serde(default)]
    resource_manager_endpoint: Option<String>,
}

/// The sign-in host of a cloud, or `authority_host` if given. `stack_file` describes an Azure Stack.
///
/// Errors: see [`CloudError`]. An authority has to be https, or http on loopback.
pub fn authority(
    environment_name: &str,
    authority_host: Option<&str>,
    stack_file: Option<&Path>,
) -> Result<Url, CloudError> {
    let known = CLOUDS.iter().find(|cloud| cloud.names.iter().any(|name| name.eq_ignore_ascii_case(environment_name)));
    if known.is_none() && !is_stack(environment_name) {
        return Err(CloudError::UnknownEnvironment(printable(environment_name, 60)));
    }
    match (authority_host.filter(|host| !host.is_empty()), known) {
        (Some(host), _) => checked(host).map_err(CloudError::Authority),
        (None, Some(cloud)) => checked(cloud.authority).map_err(CloudError::Authority),
        (None, None) => {
            let file = stack_file.ok_or(CloudError::NoStackFile)?;
            let checked =
                |stack: StackFile| checked(&stack.active_directory_endpoint).map_err(StackFileProblem::Authority);
            StackFile::read(file)
                .and_then(checked)
                .map_err(|problem| CloudError::StackFile { file: printable(&file.to_string_lossy(), 200), problem })
        }
    }
}

/// Azure Resource Manager and Microsoft Graph of an Azure Stack, which only its file names; none for other clouds, or without
/// such a file.
pub fn stack_services(environment_name: &str, stack_file: Option<&Path>) -> Vec<Url> {
    if !is_stack(environment_name) {
        return Vec::new();
    }
    let stack = stack_file.and_then(|file| StackFile::read(file).ok());
    let urls = stack.into_iter().flat_map(|stack| [stack.microsoft_graph_endpoint, stack.resource_manager_endpoint]);
    urls.flatten().filter_map(|url| Url::parse(&url).ok()).collect()
}

/// Microsoft Graph of an Azure Stack, from its file; `None` for other clouds, and if the file names none.
pub fn stack_graph(environment_name: &str, stack_file: Option<&Path>) -> Option<Url> {
    if !is_stack(environment_name) {
        return None;
    }
    let stack = StackFile::read(stack_file?).ok()?;
    Url::parse(&stack.microsoft_graph_endpoint?).ok().filter(is_acceptable)
}

/// Where Microsoft Graph is, for tenants of `authority`. `named` is the host in the tenant's metadata (`msgraph_host`). It
/// counts if it is one of the cloud's, or if the authority belongs to none of the clouds known here: an authority that users
/// trust with their sign-in may name its services too. A token for Graph goes nowhere else.
pub fn graph_url(authority: &Url, named: Option<&str>) -> Option<Url> {
    let canonical = canonical(authority);
    let cloud = CLOUDS.iter().find(|cloud| cloud.authority == canonical);
    let host = match (cloud, named) {
        (Some(cloud), Some(named)) if cloud.graph.contains(&named) => named,
        (Some(cloud), _) => cloud.graph[0],
        (None, named) => named?,
    };
    let at = |scheme: &str| {
        let url = Url::parse(&format!("{scheme}://{host}/")).ok()?;
        let is_host =
            url.path() == "/" && url.username().is_empty() && url.query().is_none() && url.fragment().is_none();
        Some(url).filter(|url| is_host && url.has_host())
    };
    // On loopback http is accepted, as it is for the authority.
    let plain = at("http").filter(|url| authority.scheme() == "http" && is_acceptable_from(authority, url));
    plain.or_else(|| at("https"))
}

fn is_stack(environment_name: &str) -> bool {
    environment_name.eq_ignore_ascii_case(STACK)
}

/// The name that `--environment` takes for the cloud whose own sign-in host is `authority`; `None` if it is not a cloud's own.
pub fn environment_name(authority: &Url) -> Option<&'static str> {
    CLOUDS.iter().find(|cloud| cloud.authority == authority.as_str()).map(|cloud| cloud.names[0])
}

/// The names of the clouds.
pub fn environment_names() -> Vec<&'static str> {
    CLOUDS.iter().map(|cloud| cloud.names[0]).chain([STACK]).collect()
}

/// The canonical form of an authority, in which aliases of one host are equal. Sessions are stored under it.
pub fn canonical(authority: &Url) -> String {
    // An authority with its own port or path is a gateway, whatever its name.
    let plain = authority.port().is_none() && authority.path() == "/";
    let alias = ALIASES.iter().find(|(alias, _)| plain && Some(*alias) == authority.host_str());
    match alias {
        Some((_, host)) => format!("https://{host}/"),
        None => authority.as_str().to_owned(),
    }
}

/// Entra's endpoints follow from authority and tenant; neither discovery nor instance discovery is needed
/// (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code>).
///
/// Errors: [`CloudError::InvalidTenant`].
pub fn endpoints(authority: &Url, tenant: &str) -> Result<Endpoints, CloudError> {
    let endpoint = |path: &str| authority.join(&format!("{tenant}/{path}")).map_err(|_| CloudError::InvalidTenant);
    Ok(Endpoints {
        issuer: endpoint("v2.0")?.to_string(),
        token: endpoint("oauth2/v2.0/token")?,
        authorization: Some(endpoint("oauth2/v2.0/authorize")?),
        device_authorization: Some(endpoint("oauth2/v2.0/devicecode")?),
        revocation: None,
        userinfo: None,
        keys: None,
        supports_s256: None,
        requires_iss: false,
        is_issuer,
        signing_algorithms: Vec::new(),
        userinfo_algorithms: Vec::new(),
        client_secret_methods: vec![ClientSecretMethod::Post],
    })
}

/// Whether `named` is the issuer of the tenant whose own is `ours`, as version 1.0 or 2.0 writes it: at the same sign-in
/// host (or at another one of its site, as Entra External ID has it), and the same tenant. A tenant's domain and its id are
/// two names of one issuer, so a domain stands for any id.
fn is_issuer(ours: &str, named: &str) -> bool {
    let (Ok(ours), Ok(named)) = (Url::parse(ours), Url::parse(named)) else { return false };
    let tenant = |url: &Url| url.path_segments().and_then(|mut parts| parts.next()).map(str::to_ascii_lowercase);
    let host = |url: &Url| Some(url.join("/").ok()?).and_then(|base| Url::parse(&canonical(&base)).ok());
    let is_same_site = match (host(&ours), host(&named)) {
        (Some(ours), Some(named)) => {
            let parent = |url: &Url| url.host_str().and_then(|host| Some(host.split_once('.')?.1.to_owned()));
            let are_siblings = parent(&ours)
                .filter(|parent| parent.contains('.'))
                .is_some_and(|of_ours| parent(&named) == Some(of_ours));
            site::foreign(&named, &ours).is_none() || (are_siblings && named.scheme() == "https")
        }
        _ => false,
    };
    let is_same_tenant = match (tenant(&ours), tenant(&named)) {
        (Some(ours), Some(named)) => ours == named || (!is_guid(&ours) && is_guid(&named)),
        _ => false,
    };
    is_same_site && is_same_tenant
}

/// How a prompt names `authority`: its host, with its port and path if it has any; `None` for the public cloud, which users
/// expect.
pub fn unexpected_host(authority: &Url) -> Option<String> {
    let is_expected = canonical(authority) == CLOUDS[0].authority;
    let path = printable(authority.path().trim_end_matches('/'), 60);
    (!is_expected).then(|| format!("{}{path}", site::host(authority)))
}

/// Whether `issuer` is at the sign-in host of a cloud.
pub fn is_cloud_issuer(issuer: &Url) -> bool {
    let authority = issuer.join("/").map(|base| canonical(&base)).unwrap_or_default();
    CLOUDS.iter().any(|cloud| cloud.authority == authority)
}

/// Whether a cloud whose sign-in host is `authority` has users type their codes at `page`
/// (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code>: `microsoft.com/devicelogin`).
pub fn is_code_page(authority: &Url, page: &Url) -> bool {
    is_cloud_issuer(authority)
        && page.scheme() == "https"
        && page.host_str().is_some_and(|host| CODE_PAGES.contains(&host))
}

/// An authority from outside: a base URL that ends in a slash, without query, fragment or user info.
fn checked(text: &str) -> Result<Url, AuthorityProblem> {
    let shown = || printable(text, 100);
    let mut url = Url::parse(text.trim()).map_err(|_| AuthorityProblem::NotAUrl(shown()))?;
    if !is_acceptable(&url) {
        return Err(AuthorityProblem::NotHttps(shown()));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(AuthorityProblem::NotABase);
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

impl StackFile {
    fn read(file: &Path) -> Result<StackFile, StackFileProblem> {
        let bytes = named_file::read_named(file).map_err(|error| StackFileProblem::Unreadable(error.to_string()))?;
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let stack: StackFile = serde_json::from_slice(text)
            .map_err(|error| StackFileProblem::Malformed { line: error.line(), column: error.column() })?;
        for (field, value) in [
            (SIGN_IN_FIELD, Some(&stack.active_directory_endpoint)),
            ("microsoftGraphEndpoint", stack.microsoft_graph_endpoint.as_ref()),
            ("resourceManagerEndpoint", stack.resource_manager_endpoint.as_ref()),
        ] {
            let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
            if !Url::parse(value).is_ok_and(|url| url.scheme() == "https" && url.has_host()) {
                return Err(StackFileProblem::Field(field.to_owned()));
            }
        }
        Ok(stack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> Result<String, CloudError> {
        authority(name, None, None).map(|url| url.to_string())
    }

    #[test]
    fn names_are_found_in_any_case() {
        assert_eq!(host("azurecloud").expect("known"), "https://login.microsoftonline.com/");
        assert_eq!(host("AZUREUSGOVERNMENT").expect("known"), "https://login.microsoftonline.us/");
    }

    #[test]
    fn unknown_environment_is_an_error() {
        let error = host("AzureGermanCloud").expect_err("unknown");
        assert_eq!(error, CloudError::UnknownEnvironment("AzureGermanCloud".to_owned()));
    }

    #[test]
    fn an_authority_gets_its_slash_and_must_be_https() {
        let ask = |host: &str| authority("AzurePublicCloud", Some(host), None);
        assert_eq!(ask("https://login.example/dir").expect("fine").as_str(), "https://login.example/dir/");
        assert!(ask("http://login.example/").is_err());
        assert!(ask("https://u:p@login.example/").is_err());
        assert!(ask("login.example").is_err());
    }

    #[test]
    fn issuer_in_a_response_is_the_tenants() {
        const ID: &str = "11f6c3a2-5a8e-4d0b-9c36-2f4f3f7a8e10";
        const OTHER: &str = "22b8e1d4-7c1f-4e6a-8a57-6d0c9b3e5f20";
        let at = |host: &str, tenant: &str| format!("https://{host}/{tenant}/v2.0");
        let public = "login.microsoftonline.com";
        for (ours, named, fits) in [
            (at(public, ID), at(public, ID), true),
            (at(public, ID), format!("https://sts.windows.net/{ID}/"), true),
            (at(public, "contoso.example"), at(public, ID), true),
            (at(public, "organizations"), at(public, ID), true),
            (at("contoso.ciamlogin.com", ID), at(&format!("{ID}.ciamlogin.com"), ID), true),
            (at(public, ID), at(public, OTHER), false),
            (at(public, ID), at(public, "contoso.example"), false),
            (at(public, ID), at("login.microsoftonline.us", ID), false),
            (at("login.evil.example", ID), at(public, ID), false),
            (at(public, ID), at("evil.com", ID), false),
            (at(public, ID), "not a URL".to_owned(), false),
        ] {
            assert_eq!(is_issuer(&ours, &named), fits, "{ours} {named}");
        }
    }

    #[test]
    fn authority_is_named_unless_it_is_the_public_clouds() {
        let name = |text: &str| unexpected_host(&Url::parse(text).expect("a URL"));
        assert_eq!(name("https://login.microsoftonline.com/"), None);
        assert_eq!(name("https://login.windows.net/"), None);
        assert_eq!(name("https://login.microsoftonline.us/").as_deref(), Some("login.microsoftonline.us"));
        assert_eq!(
            name("https://login.microsoftonline.com:8443/x/").as_deref(),
            Some("login.microsoftonline.com:8443/x")
        );
    }

    #[test]
    fn aliases_are_one_authority() {
        let canonical_of = |text: &str| canonical(&Url::parse(text).expect("a URL"));
        assert_eq!(canonical_of("https://login.windows.net/"), canonical_of("https://login.microsoftonline.com/"));
        assert_ne!(
            canonical_of("https://login.microsoftonline.us/"),
            canonical_of("https://login.microsoftonline.com/")
        );
    }
}
