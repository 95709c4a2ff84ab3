//! The clouds that Entra ID runs in, and the sign-in host of each.
//!
//! Hosts as listed by Microsoft for its national clouds
//! (<https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud>) and in the trusted hosts of
//! MSAL.

use std::path::Path;

use serde::Deserialize;
use url::Url;

use crate::error::{Error, Result};
use crate::http::{is_acceptable, is_acceptable_from};
use crate::named_file;
use crate::oauth::{ClientSecretMethod, Endpoints, site};
use crate::text::printable;

/// A cloud with a fixed sign-in host.
struct Cloud {
    /// The name `--environment` takes first, and its other spellings.
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

/// The variable that names the file of an Azure Stack, for messages.
const AZURE_ENVIRONMENT_FILEPATH: &str = "AZURE_ENVIRONMENT_FILEPATH";

/// The cloud whose hosts come from a file.
const STACK: &str = "AzureStackCloud";

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

/// The file behind `AZURE_ENVIRONMENT_FILEPATH`, as Azure Stack Hub operators hand it out (go-autorest's format).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StackFile {
    /// Sign-in host.
    pub active_directory_endpoint: String,
    /// Microsoft Graph, where there is one.
    #[serde(default)]
    pub microsoft_graph_endpoint: Option<String>,
    /// Azure Resource Manager, where there is one.
    #[serde(default)]
    pub resource_manager_endpoint: Option<String>,
}

/// The sign-in host for `--environment`, or for `--authority-host` where that is given.
///
/// Errors: an unknown environment, an authority that is no https URL (http on loopback apart), a bad Azure Stack file.
pub fn authority(environment_name: &str, authority_host: Option<&str>, stack_file: Option<&Path>) -> Result<Url> {
    let known = CLOUDS.iter().find(|cloud| cloud.names.iter().any(|name| name.eq_ignore_ascii_case(environment_name)));
    if known.is_none() && !is_stack(environment_name) {
        return Err(Error::usage(
            format!("there is no environment {:?}", printable(environment_name, 60)),
            format!(
                "Use one of {}.\nFor another sign-in host add --authority-host to one of them.",
                names().join(", ")
            ),
        ));
    }
    match (authority_host.filter(|host| !host.is_empty()), known) {
        (Some(host), _) => checked(host, "--authority-host"),
        (None, Some(cloud)) => checked(cloud.authority, "the authority"),
        (None, None) => {
            let stack = StackFile::read(stack_file)?;
            checked(&stack.active_directory_endpoint, "activeDirectoryEndpoint").map_err(|error| {
                let file = stack_file.map(Path::to_string_lossy).unwrap_or_default();
                let name = format!("{} ({AZURE_ENVIRONMENT_FILEPATH})", printable(&file, 200));
                Error::failed(format!("{} in {name}", error.what), STACK_NEXT)
            })
        }
    }
}

/// Azure Resource Manager and Microsoft Graph of an Azure Stack, which are known only from its file; none for other
/// clouds, or where there is no such file.
pub fn own_services(environment_name: &str, stack_file: Option<&Path>) -> Vec<Url> {
    if !is_stack(environment_name) {
        return Vec::new();
    }
    let stack = StackFile::read(stack_file).ok();
    let urls = stack.into_iter().flat_map(|stack| [stack.microsoft_graph_endpoint, stack.resource_manager_endpoint]);
    urls.flatten().filter_map(|url| Url::parse(&url).ok()).collect()
}

/// Microsoft Graph of an Azure Stack, from its file; `None` for other clouds, and where the file names none.
pub fn stack_graph(environment_name: &str, stack_file: Option<&Path>) -> Option<Url> {
    if !is_stack(environment_name) {
        return None;
    }
    let stack = StackFile::read(stack_file).ok()?;
    Url::parse(&stack.microsoft_graph_endpoint?).ok().filter(is_acceptable)
}

/// Where Microsoft Graph is, for tenants of `authority`. `named` is the host that the tenant's metadata name
/// (`msgraph_host`); it counts where it is one of the cloud's, and where the authority is in no cloud that is known here:
/// whoever signs people in there names their services too. A token for Graph goes nowhere else.
pub fn graph(authority: &Url, named: Option<&str>) -> Option<Url> {
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
    // On this machine http will do, for whom it does to sign in.
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

/// The names `--environment` takes.
pub fn names() -> Vec<&'static str> {
    CLOUDS.iter().map(|cloud| cloud.names[0]).chain([STACK]).collect()
}

/// The authority that sessions are kept under: aliases of one host are one.
pub fn canonical(authority: &Url) -> String {
    // An authority with a port or path of its own is somebody's gateway, whatever its name.
    let plain = authority.port().is_none() && authority.path() == "/";
    let alias = ALIASES.iter().find(|(alias, _)| plain && Some(*alias) == authority.host_str());
    match alias {
        Some((_, host)) => format!("https://{host}/"),
        None => authority.as_str().to_owned(),
    }
}

/// Entra's endpoints follow from authority and tenant; neither discovery nor instance discovery is needed
/// (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code>).
pub fn endpoints(authority: &Url, tenant: &str) -> Result<Endpoints> {
    let endpoint = |path: &str| {
        authority.join(&format!("{tenant}/{path}")).map_err(|_| {
            Error::usage(
                "--tenant-id is not a valid tenant",
                "Give the tenant's id, a verified domain of it, or organizations.",
            )
        })
    };
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
    let is_id =
        |tenant: &str| tenant.len() == 36 && tenant.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
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
        (Some(ours), Some(named)) => ours == named || (!is_id(&ours) && is_id(&named)),
        _ => false,
    };
    is_same_site && is_same_tenant
}

/// Where people sign in whose authority is `authority`, for a prompt: its host, with its port and path where there are
/// any; `None` for the public cloud, which is what everyone expects.
pub fn named(authority: &Url) -> Option<String> {
    let is_expected = canonical(authority) == CLOUDS[0].authority;
    let path = printable(authority.path().trim_end_matches('/'), 60);
    (!is_expected).then(|| format!("{}{path}", site::host(authority)))
}

/// Whether `issuer` is at the sign-in host of a cloud.
pub fn is_at_a_cloud(issuer: &Url) -> bool {
    let authority = issuer.join("/").map(|base| canonical(&base)).unwrap_or_default();
    CLOUDS.iter().any(|cloud| cloud.authority == authority)
}

/// Whether a cloud whose sign-in host is `authority` has users type their codes at `page`
/// (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code>: `microsoft.com/devicelogin`).
pub fn has_codes_typed_at(authority: &Url, page: &Url) -> bool {
    is_at_a_cloud(authority)
        && page.scheme() == "https"
        && page.host_str().is_some_and(|host| CODE_PAGES.contains(&host))
}

/// An authority from outside: a base URL that ends in a slash, without query, fragment or user info.
fn checked(text: &str, what: &str) -> Result<Url> {
    let next = "Give the base URL of the sign-in host, such as: https://login.microsoftonline.com/";
    let shown = printable(text, 100);
    let mut url = Url::parse(text.trim()).map_err(|_| Error::usage(format!("{what} {shown:?} is no URL"), next))?;
    if !is_acceptable(&url) {
        return Err(Error::usage(format!("{what} {shown:?} is not https"), next));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(Error::usage(format!("{what} is more than a base URL"), next));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

const STACK_NEXT: &str = "Correct the file: JSON with activeDirectoryEndpoint, resourceManagerEndpoint and microsoftGraphEndpoint, each an https URL.";

impl StackFile {
    /// Errors: the variable is not set, the file cannot be read, is not as expected, or names what is no https URL.
    fn read(stack_file: Option<&Path>) -> Result<StackFile> {
        let Some(file) = stack_file else {
            return Err(Error::failed(
                format!("{STACK} needs to know where its endpoints are"),
                format!(
                    "Set {AZURE_ENVIRONMENT_FILEPATH} to the JSON file that describes them, or use --authority-host."
                ),
            ));
        };
        let name = format!("{} ({AZURE_ENVIRONMENT_FILEPATH})", printable(&file.to_string_lossy(), 200));
        let bytes = named_file::read_named(file)
            .map_err(|error| Error::failed(format!("{name} cannot be read: {error}"), STACK_NEXT))?;
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        // The position is enough to find a mistake; the parser's own words may repeat what stands there.
        let stack: StackFile = serde_json::from_slice(text).map_err(|error| {
            let at = format!("line {}, column {}", error.line(), error.column());
            Error::failed(format!("{name} is not as expected ({at})"), STACK_NEXT)
        })?;
        for (field, value) in [
            ("activeDirectoryEndpoint", Some(&stack.active_directory_endpoint)),
            ("microsoftGraphEndpoint", stack.microsoft_graph_endpoint.as_ref()),
            ("resourceManagerEndpoint", stack.resource_manager_endpoint.as_ref()),
        ] {
            let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
            if !Url::parse(value).is_ok_and(|url| url.scheme() == "https" && url.has_host()) {
                return Err(Error::failed(format!("{field} in {name} is no https URL"), STACK_NEXT));
            }
        }
        Ok(stack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> Result<String> {
        authority(name, None, None).map(|url| url.to_string())
    }

    #[test]
    fn names_are_found_in_any_case() {
        assert_eq!(host("azurecloud").expect("known"), "https://login.microsoftonline.com/");
        assert_eq!(host("AZUREUSGOVERNMENT").expect("known"), "https://login.microsoftonline.us/");
    }

    #[test]
    fn an_unknown_environment_lists_the_known_ones() {
        let error = host("AzureGermanCloud").expect_err("unknown");
        assert!(error.next.contains("AzureChinaCloud") && error.next.contains("AzureStackCloud"), "{}", error.next);
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
        let name = |text: &str| named(&Url::parse(text).expect("a URL"));
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
        let of = |text: &str| canonical(&Url::parse(text).expect("a URL"));
        assert_eq!(of("https://login.windows.net/"), of("https://login.microsoftonline.com/"));
        assert_ne!(of("https://login.microsoftonline.us/"), of("https://login.microsoftonline.com/"));
    }
}
