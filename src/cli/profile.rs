//! From what was typed and what the environment says to a [`Profile`].

use kubectl_login::messages::entra::INVALID_TENANT;
use kubectl_login::messages::{ErrorMessage, Result};
use std::path::{Path, PathBuf};

use kubectl_login::environment::{self, AZURE_ENVIRONMENT_FILEPATH, Environment};
use kubectl_login::messages::Explain as _;
use kubectl_login::paths;
use kubectl_login::profile::{
    Browser, Credentials, GroupSettings, Method, Pkce, Profile, Provider, Storage, TokenKind,
};
use kubectl_login::store::Store;
use kubectl_login_core::entra::{audience, cloud};
use kubectl_login_core::http::network::Network;
use kubectl_login_core::kube::kubeconfig::Entry;
use kubectl_login_core::oauth::discovery;
use kubectl_login_core::secret::Secret;
use kubectl_login_core::text::printable;

use super::args::{BrowserArgs, CacheStorage, GetTokenArgs, go_duration};
use super::authorization;
use super::given_flags::GivenFlags;
use super::headers::headers;
use super::network::{self, CaFiles};
use super::selection::Selection;
use super::sources::Sources;
use crate::ui::PromptMode;

/// Sign-in methods of Azure/kubelogin that are there.
pub(super) const METHODS: &[&str] = &["devicecode", "interactive", "auto"];
/// Those that are known by name, and not supported yet.
pub(super) const LATER_METHODS: &[&str] =
    &["spn", "ropc", "msi", "azurecli", "azd", "workloadidentity", "azurepipelines"];
/// Methods with a human in front: there a flag wins over the environment.
pub(super) const HUMAN_METHODS: &[(&str, Method)] =
    &[("devicecode", Method::DeviceCode), ("interactive", Method::Browser), ("auto", Method::Auto)];
/// Grants of int128/kubelogin that are there.
pub(super) const GRANTS: &[&str] = &["auto", "authcode", "authcode-keyboard", "password", "device-code"];
/// The methods that they mean.
pub(super) const GRANT_METHODS: &[(&str, Method)] = &[
    ("auto", Method::Auto),
    ("authcode", Method::Browser),
    ("authcode-keyboard", Method::Keyboard),
    ("password", Method::Password),
    ("device-code", Method::DeviceCode),
];
/// Those that are known by name, and not supported yet.
pub(super) const LATER_GRANTS: &[&str] = &["client-credentials"];

/// What a `get-token` command line means.
pub(super) struct Settings {
    pub(super) profile: Profile,
    pub(super) cache_dir: Option<String>,
    pub(super) force_refresh: bool,
    pub(super) prompt: PromptMode,
    /// Where the values come from.
    pub(super) sources: Sources,
}

impl Settings {
    /// The same, with commands in next steps led to the entry by `selection`.
    pub(super) fn selected_by(self, selection: Selection) -> Settings {
        Settings { sources: self.sources.selected_by(selection), ..self }
    }

    /// The folder in which the sign-in is remembered, if it is.
    pub(super) fn folder(&self, environment: &Environment) -> Option<PathBuf> {
        match self.profile.storage {
            Storage::None => None,
            // A kubeconfig may name a folder in its owner's home.
            _ => paths::state(self.cache_dir.as_deref(), environment)
                .map(|folder| paths::for_this_user(folder, environment)),
        }
    }

    /// The store in that folder.
    pub(super) fn store(&self, environment: &Environment) -> Store {
        Store::open(self.folder(environment), environment)
    }
}

/// Whose flags an entry uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Those of Azure/kubelogin, written `--flag value`.
    Entra,
    /// Those of int128/kubelogin, written `--flag=value`.
    Oidc,
}

/// The meaning of `args`; `given` tells which of them were not defaults, and `entry` the kubeconfig entry they are from,
/// where they are from one. `files` are those that this command has read.
pub(super) fn settings(
    args: &GetTokenArgs,
    given: &GivenFlags,
    environment: &Environment,
    entry: Option<&Entry>,
    files: &CaFiles,
) -> Result<Settings> {
    let mut sources = entry.map_or_else(Sources::default, |entry| Sources::default().of_entry(entry));
    match read(args, given, environment, files, &mut sources) {
        Ok(settings) => Ok(Settings { sources, ..settings }),
        Err(error) => Err(sources.attributed(error)),
    }
}

/// The same, which notes in `sources` where values come from. Errors are as if they came from flags.
fn read(
    args: &GetTokenArgs,
    given: &GivenFlags,
    environment: &Environment,
    files: &CaFiles,
    sources: &mut Sources,
) -> Result<Settings> {
    let network = network::from_flags(args, environment, files);
    let storage = match args.token_cache_storage {
        CacheStorage::Auto => Storage::Auto,
        CacheStorage::Keyring => Storage::Keyring,
        CacheStorage::File => Storage::File,
        CacheStorage::None => Storage::None,
    };
    let profile = match dialect(given)? {
        Dialect::Entra => entra(args, given, environment, network, storage, sources)?,
        Dialect::Oidc => oidc(args, environment, network, storage)?,
    };
    Ok(Settings {
        profile,
        cache_dir: args.cache_dir.clone(),
        force_refresh: args.force_refresh.unwrap_or(false),
        prompt: prompt(args.prompt, environment)?,
        sources: Sources::default(),
    })
}

/// Whether to prompt: the flag, else the variable, else `auto`.
pub(super) fn prompt(flag: Option<PromptMode>, environment: &Environment) -> Result<PromptMode> {
    match (flag, environment.get(environment::KUBECTL_LOGIN_PROMPT)) {
        (Some(prompt), _) => Ok(prompt),
        (None, None | Some("auto")) => Ok(PromptMode::Auto),
        (None, Some("always")) => Ok(PromptMode::Always),
        (None, Some("never")) => Ok(PromptMode::Never),
        (None, Some(other)) => Err(ErrorMessage::usage(
            format!("{} cannot be {:?}", environment::KUBECTL_LOGIN_PROMPT, printable(other, 40)),
            "Set it to auto, always or never.",
        )),
    }
}

/// The flags decide, never the environment; both at once make no sense.
fn dialect(given: &GivenFlags) -> Result<Dialect> {
    match (&given.entra, &given.oidc) {
        (Some(_), None) => Ok(Dialect::Entra),
        (None, Some(_)) => Ok(Dialect::Oidc),
        (Some(entra), Some(oidc)) => Err(ErrorMessage::usage(
            format!(
                "--{entra} is for Microsoft Entra ID and --{oidc} for OpenID Connect issuers; one entry is for one of them"
            ),
            "Keep the flags of one and remove the other's.",
        )),
        (None, None) => Err(ErrorMessage::usage(
            "nothing says who issues the token",
            "For AKS give --server-id, --client-id and --tenant-id.\nFor an OpenID Connect issuer give --oidc-issuer-url and --oidc-client-id.",
        )),
    }
}

fn entra(
    args: &GetTokenArgs,
    given: &GivenFlags,
    environment: &Environment,
    mut network: Network,
    storage: Storage,
    sources: &mut Sources,
) -> Result<Profile> {
    let ignored = args.disable_environment_override.unwrap_or(false);
    let variable = |name: &str| environment.get(name).filter(|_| !ignored);
    let by_variable = variable(environment::AAD_LOGIN_METHOD);
    let method = by_variable.unwrap_or(&args.login);
    if by_variable.is_some() {
        sources.note(environment::AAD_LOGIN_METHOD, "--login", true);
    }
    if ![METHODS, LATER_METHODS].concat().contains(&method) {
        return Err(no_such("--login", method, "sign-in method", METHODS, LATER_METHODS));
    }
    let by_human = HUMAN_METHODS.iter().find(|(name, _)| *name == method).map(|(_, method)| *method);
    let human = by_human.is_some();
    let arm = args.use_azurerm_env_vars.unwrap_or(false);
    let (client_names, tenant_names): (&[&str], &[&str]) = if arm {
        (&[environment::ARM_CLIENT_ID], &[environment::ARM_TENANT_ID])
    } else {
        (&[environment::AZURE_CLIENT_ID, environment::AAD_SERVICE_PRINCIPAL_CLIENT_ID], &[environment::AZURE_TENANT_ID])
    };
    // A pipeline relies on its variables; a person's shell may hold some other tool's, so a flag wins there.
    let mut either = |flag: &Option<String>, flag_name, names: &[&'static str]| {
        let flag = flag.as_deref().filter(|text| !text.is_empty());
        let set = names.iter().find_map(|name| Some((*name, variable(name)?)));
        if let Some((name, _)) = set.filter(|_| flag.is_none() || !human) {
            sources.note(name, flag_name, !human);
        }
        let variable = set.map(|(_, text)| text);
        let (first, second) = if human { (flag, variable) } else { (variable, flag) };
        first.or(second).map(|text| text.trim().to_owned())
    };
    let client_id = either(&args.client_id, "--client-id", client_names);
    let tenant = either(&args.tenant_id, "--tenant-id", tenant_names);
    if let Some(text) = variable(environment::AZURE_CLI_TIMEOUT)
        && (!human || args.timeout.is_none())
        && let Ok(timeout) = go_duration(text)
    {
        network.timeout = Some(timeout);
    }
    let Some(by_human) = by_human else {
        // The variable wins over the flag, so the flag would not help.
        return Err(match by_variable {
            Some(_) => not_yet(&format!("{}={method}", environment::AAD_LOGIN_METHOD), "devicecode there"),
            None => not_yet(&format!("--login {method}"), "--login devicecode"),
        });
    };
    if let Some(name) = given.not_yet {
        return Err(not_yet(&format!("--{name}"), &format!("the command without --{name}")));
    }
    let missing: Vec<&str> = [
        ("--server-id", args.server_id.is_none()),
        ("--client-id", client_id.is_none()),
        ("--tenant-id", tenant.is_none()),
    ]
    .into_iter()
    .filter_map(|(name, missing)| missing.then_some(name))
    .collect();
    let (Some(server_id), Some(client_id), Some(tenant)) = (&args.server_id, client_id, tenant) else {
        return Err(ErrorMessage::usage(
            format!("{} {} missing", missing.join(", "), if missing.len() == 1 { "is" } else { "are" }),
            "Add what is missing to the kubeconfig user's exec.args.\nTo have all of them written for an AKS cluster: az aks get-credentials --resource-group GROUP --name CLUSTER",
        ));
    };
    if tenant.is_empty()
        || !tenant.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
        || tenant.contains("..")
    {
        return Err(ErrorMessage::usage(
            format!("--tenant-id {:?} is not a valid tenant", printable(&tenant, 60)),
            INVALID_TENANT,
        ));
    }
    let stack_file = environment.get_os(AZURE_ENVIRONMENT_FILEPATH).map(Path::new);
    Ok(Profile {
        provider: Provider::Entra {
            authority: cloud::authority(&args.environment, args.authority_host.as_deref(), stack_file)
                .map_err(|error| error.explain("sign in"))?,
            tenant,
            server_id: audience::normalize_server_id(server_id, &cloud::stack_services(&args.environment, stack_file))
                .map_err(|error| error.explain("sign in"))?,
        },
        client_id,
        client_secret: None,
        method: by_human,
        account_hint: account_hint(args),
        credentials: Credentials::default(),
        token_kind: TokenKind::Access,
        network,
        storage,
        browser: browser(&args.browser),
        authorization: authorization::entra_settings(args, environment)?,
        groups: GroupSettings {
            graph_client: args.graph_client_id.clone().filter(|id| !id.is_empty()),
            graph: cloud::stack_graph(&args.environment, stack_file),
            ..GroupSettings::default()
        },
    })
}

fn oidc(args: &GetTokenArgs, environment: &Environment, network: Network, storage: Storage) -> Result<Profile> {
    let grant = args.grant_type.as_str();
    if ![GRANTS, LATER_GRANTS].concat().contains(&grant) {
        return Err(no_such("--grant-type", grant, "grant", GRANTS, LATER_GRANTS));
    }
    let missing = |name: &str, value: &Option<String>| {
        value.clone().filter(|text| !text.is_empty()).ok_or_else(|| {
            ErrorMessage::usage(format!("{name} is missing"), "Add it to the kubeconfig user's exec.args.")
        })
    };
    let issuer = missing("--oidc-issuer-url", &args.oidc_issuer_url)?;
    let client_id = missing("--oidc-client-id", &args.oidc_client_id)?;
    let issuer_url = discovery::issuer_url(&issuer).map_err(|error| error.explain(""))?;
    let by_grant = GRANT_METHODS.iter().find(|(name, _)| *name == grant).map(|(_, method)| *method);
    let method = match (by_grant, &args.username) {
        (Some(Method::Auto), Some(name)) if !name.is_empty() => Method::Password,
        (Some(method), _) => method,
        (None, _) => return Err(not_yet(&format!("--grant-type {grant}"), "--grant-type device-code")),
    };
    let (authorization, other_scopes) = authorization::oidc_settings(args, method, environment)?;
    let extra_scopes = other_scopes.unwrap_or_else(|| args.oidc_extra_scope.clone());
    let use_access_token = args.oidc_use_access_token.unwrap_or(false);
    // Whatever token is handed out here: entries with other settings share the session, and with it the scopes.
    for scope in &extra_scopes {
        audience::refuse_foreign(scope).map_err(|error| error.explain("sign in"))?;
    }
    if use_access_token && cloud::is_cloud_issuer(&issuer_url) {
        audience::refuse_graph_by_default(&extra_scopes).map_err(|error| error.explain("sign in"))?;
    }
    Ok(Profile {
        provider: Provider::Oidc {
            issuer,
            extra_scopes: scopes(&extra_scopes)?,
            pkce: match (args.oidc_use_pkce, args.oidc_pkce_method.as_str()) {
                (Some(true), _) | (_, "S256") => Pkce::Always,
                (_, "no") => Pkce::Never,
                _ => Pkce::Auto,
            },
        },
        client_id,
        client_secret: args.oidc_client_secret.clone().filter(|text| !text.is_empty()).map(Secret::new),
        method,
        account_hint: account_hint(args),
        credentials: Credentials {
            username: args.username.clone().filter(|name| !name.is_empty()),
            password: args.password.clone().filter(|text| !text.is_empty()).map(Secret::new),
        },
        token_kind: if use_access_token { TokenKind::Access } else { TokenKind::Id },
        network: Network { headers: headers(&args.oidc_request_header)?, ..network },
        storage,
        browser: browser(&args.browser),
        authorization,
        groups: match args.groups_claim.clone().filter(|claim| !claim.is_empty()) {
            Some(claim) => GroupSettings { claim, ..GroupSettings::default() },
            None => GroupSettings::default(),
        },
    })
}

fn account_hint(args: &GetTokenArgs) -> Option<String> {
    args.login_hint.clone().filter(|hint| !hint.trim().is_empty())
}

/// The browser that the flags ask for.
pub(super) fn browser(args: &BrowserArgs) -> Browser {
    match (&args.browser_command, args.skip_open_browser) {
        (_, Some(true)) => Browser::Skip,
        (Some(command), _) if !command.is_empty() => Browser::Command(command.clone()),
        _ => Browser::Desktop,
    }
}

/// A word that is none of `known`. One that begins with a hyphen is a flag that stands where the value is missing; that
/// may carry a secret.
fn no_such(flag: &str, word: &str, kind: &str, known: &[&str], later: &[&str]) -> ErrorMessage {
    let what = match word.starts_with('-') {
        true => format!("{flag} needs a value"),
        false => format!("{flag} {:?} is not a valid {kind}", printable(word, 40)),
    };
    let (known, later) = (known.join(", "), later.join(", "));
    ErrorMessage::usage(what, format!("Use one of {known}.\nKnown by name, and not supported yet: {later}."))
}

fn not_yet(what: &str, instead: &str) -> ErrorMessage {
    ErrorMessage::failed(format!("{what} is not supported yet"), format!("Use {instead} for now."))
}

fn scopes(given: &[String]) -> Result<Vec<String>> {
    given
        .iter()
        .map(|scope| scope.trim())
        .filter(|scope| !scope.is_empty())
        .map(|scope| {
            // RFC 6749 3.3: a scope is one word of visible ASCII without quotes and backslashes.
            if scope.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')) {
                Ok(scope.to_owned())
            } else {
                Err(ErrorMessage::usage(
                    format!("--oidc-extra-scope {:?} is not one scope", printable(scope, 60)),
                    "Repeat the flag, or separate scopes with commas.",
                ))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubectl_login::messages::ExitKind;

    const AKS: &[&str] = &["--server-id", "s", "--client-id", "flag-client", "--tenant-id", "flag-tenant"];

    fn read(words: &[&str], variables: &[(&str, &str)]) -> Result<Settings> {
        let words: Vec<String> = ["get-token"].iter().chain(words).map(|word| (*word).to_owned()).collect();
        let (args, given) = super::super::entry_reader::EntryReader::default()
            .parse(&words)
            .map_err(|error| ErrorMessage::usage(error.to_string(), ""))?;
        let environment = Environment::from_iter(variables.iter().copied());
        settings(&args, &given, &environment, None, &CaFiles::default())
    }

    fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
        AKS.iter().copied().chain(more.iter().copied()).collect()
    }

    fn client_and_tenant(settings: &Settings) -> (&str, &str) {
        match &settings.profile.provider {
            Provider::Entra { tenant, .. } => (&settings.profile.client_id, tenant),
            Provider::Oidc { .. } => panic!("an Entra profile"),
        }
    }

    #[test]
    fn a_flag_wins_over_the_environment_where_a_human_is() {
        let variables = [("AZURE_CLIENT_ID", "env-client"), ("AZURE_TENANT_ID", "env-tenant")];
        assert_eq!(client_and_tenant(&read(AKS, &variables).expect("fine")), ("flag-client", "flag-tenant"));
        assert_eq!(
            client_and_tenant(&read(&["--server-id", "s"], &variables).expect("fine")),
            ("env-client", "env-tenant")
        );
        let empty = [("AZURE_CLIENT_ID", ""), ("AZURE_TENANT_ID", "")];
        assert_eq!(client_and_tenant(&read(AKS, &empty).expect("fine")), ("flag-client", "flag-tenant"));
        let off = with(&["--disable-environment-override"]);
        assert!(
            read(&off[..2], &variables).is_ok()
                && read(&["--server-id", "s", "--disable-environment-override"], &variables).is_err()
        );
    }

    #[test]
    fn the_method_variable_always_wins() {
        let error = read(&with(&["-l", "devicecode"]), &[("AAD_LOGIN_METHOD", "spn")]).err().expect("not yet");
        assert_eq!(error.what, "AAD_LOGIN_METHOD=spn is not supported yet");
        assert!(read(&with(&["-l", "spn"]), &[("AAD_LOGIN_METHOD", "devicecode")]).is_ok());
        assert_eq!(read(&with(&["-l", "carrier-pigeon"]), &[]).err().expect("wrong").kind, ExitKind::Usage);
    }

    #[test]
    fn flags_of_both_dialects_are_refused_and_the_environment_decides_nothing() {
        let both = with(&["--oidc-issuer-url", "https://i"]);
        assert_eq!(read(&both, &[]).err().expect("both").kind, ExitKind::Usage);
        let azure = [("AZURE_CLIENT_ID", "x"), ("AAD_LOGIN_METHOD", "spn")];
        let settings = read(&["--oidc-issuer-url=https://i", "--oidc-client-id=c"], &azure).expect("fine");
        assert!(matches!(settings.profile.provider, Provider::Oidc { .. }));
        assert_eq!(read(&["--force-refresh"], &azure).err().expect("neither").kind, ExitKind::Usage);
    }

    #[test]
    fn the_peers_spellings_are_understood() {
        let settings = read(
            &[
                "--oidc-issuer-url=https://i",
                "--oidc-client-id=c",
                "--oidc-extra-scope=email,groups",
                "--oidc-extra-scope",
                "x",
                "-v1",
                "--logtostderr=false",
                "--log_dir=/tmp",
                "--listen-address=127.0.0.1:8000,127.0.0.1:18000",
                "--token-cache-storage=disk",
                "--token-cache-dir=/a",
                "--token-cache-dir=/b",
                "--skip-open-browser=false",
                "--tls-renegotiation-once",
                "--authentication-timeout-sec=60",
                "--oidc-request-header=a=b,c=d",
            ],
            &[],
        )
        .expect("fine");
        assert_eq!(settings.profile.wanted_scopes(), ["email", "groups", "openid", "x"]);
        assert_eq!((settings.profile.storage, settings.cache_dir.as_deref()), (Storage::File, Some("/b")));
        assert_eq!(settings.profile.network.headers.len(), 2);
        assert_eq!(settings.profile.browser, Browser::Desktop);
        assert!(read(&with(&["-s", "sub", "-e", "AzureChinaCloud", "--legacy=false", "-v", "5"]), &[]).is_ok());
        assert!(read(&with(&["--legacy"]), &[]).is_err());
    }

    #[test]
    fn foreign_audiences_are_refused_in_both_dialects() {
        assert!(
            read(&["--server-id", "https://graph.microsoft.com", "--client-id", "c", "--tenant-id", "t"], &[]).is_err()
        );
        let oidc = [
            "--oidc-issuer-url=https://i",
            "--oidc-client-id=c",
            "--oidc-extra-scope=https://management.azure.com/.default",
        ];
        assert!(read(&oidc, &[]).is_err());
        assert!(read(&[&oidc[..], &["--oidc-use-access-token"]].concat(), &[]).is_err());
    }

    #[test]
    fn a_tenant_cannot_lead_elsewhere() {
        for tenant in ["a/b", "..", "a?b", "a#b", "a b", "%2e"] {
            assert!(read(&["--server-id", "s", "--client-id", "c", "--tenant-id", tenant], &[]).is_err(), "{tenant}");
        }
    }
}
