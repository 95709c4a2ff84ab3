//! The profile of an entry for Microsoft Entra ID, with the flags and variables of Azure/kubelogin.

use std::path::Path;

use kubectl_login::environment::{self, AZURE_ENVIRONMENT_FILEPATH, Environment};
use kubectl_login::messages::settings::SettingsError;
use kubectl_login::messages::{Explain as _, Result};
use kubectl_login::profile::{Credentials, GroupSettings, Method, Profile, Provider, Storage, TokenKind};
use kubectl_login_core::entra::{audience, cloud};
use kubectl_login_core::http::network::Network;

use super::super::args::{GetTokenArgs, go_duration};
use super::super::authorization;
use super::super::sources::Sources;
use super::{INTERACTIVE_METHODS, LATER_METHODS, METHODS, account_hint, browser};

/// What the flags and variables for Entra mean. Notes in `sources` which variables are used.
pub(super) fn profile(
    args: &GetTokenArgs,
    environment: &Environment,
    mut network: Network,
    storage: Storage,
    sources: &mut Sources,
) -> Result<Profile> {
    let variables = Variables::new(args, environment);
    let login = Login::new(args, &variables, sources)?;
    let mut client_or_tenant = |flag: &Option<String>, flag_name, names: &[&'static str]| {
        flag_or_variable(flag.as_deref(), flag_name, variables.first(names), &login, sources)
    };
    let client_id = client_or_tenant(&args.client_id, "--client-id", variables.client_names());
    let tenant = client_or_tenant(&args.tenant_id, "--tenant-id", variables.tenant_names());
    if let Some(text) = variables.get(environment::AZURE_CLI_TIMEOUT)
        && (!login.is_interactive() || args.timeout.is_none())
        && let Ok(timeout) = go_duration(text)
    {
        network.timeout = Some(timeout);
    }
    let method = login.supported_method()?;
    if let Some(name) = args.not_yet() {
        return Err(SettingsError::UnsupportedFlag(name).into());
    }
    let needed = [
        ("--server-id", args.server_id.is_none()),
        ("--client-id", client_id.is_none()),
        ("--tenant-id", tenant.is_none()),
    ];
    let (Some(server_id), Some(client_id), Some(tenant)) = (&args.server_id, client_id, tenant) else {
        let missing = needed.into_iter().filter_map(|(name, is_missing)| is_missing.then_some(name));
        return Err(SettingsError::MissingForEntra(missing.collect()).into());
    };
    if !is_tenant_name(&tenant) {
        return Err(SettingsError::Tenant(tenant).into());
    }
    let stack_file = environment.get_os(AZURE_ENVIRONMENT_FILEPATH).map(Path::new);
    Ok(Profile {
        provider: provider(args, tenant, server_id, stack_file)?,
        client_id,
        client_secret: None,
        method,
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

/// The tenant at its sign-in host, and the server that the token is for.
///
/// Errors: the cloud or its sign-in host cannot be used, or the token would not be for a cluster.
fn provider(args: &GetTokenArgs, tenant: String, server_id: &str, stack_file: Option<&Path>) -> Result<Provider> {
    let authority = cloud::authority(&args.environment, args.authority_host.as_deref(), stack_file)
        .map_err(|error| error.explain("sign in"))?;
    let server_id = audience::normalize_server_id(server_id, &cloud::stack_services(&args.environment, stack_file))
        .map_err(|error| error.explain("sign in"))?;
    Ok(Provider::Entra { authority, tenant, server_id })
}

/// The variables of Azure/kubelogin, of which none is read if the entry says so.
struct Variables<'a> {
    environment: &'a Environment,
    are_ignored: bool,
    are_terraforms: bool,
}

impl<'a> Variables<'a> {
    fn new(args: &GetTokenArgs, environment: &'a Environment) -> Variables<'a> {
        Variables {
            environment,
            are_ignored: args.disable_environment_override.unwrap_or(false),
            are_terraforms: args.use_azurerm_env_vars.unwrap_or(false),
        }
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.environment.get(name).filter(|_| !self.are_ignored)
    }

    /// The first of `names` that is set, and its value.
    fn first(&self, names: &[&'static str]) -> Option<(&'static str, &'a str)> {
        names.iter().find_map(|name| Some((*name, self.get(name)?)))
    }

    fn client_names(&self) -> &'static [&'static str] {
        match self.are_terraforms {
            true => &[environment::ARM_CLIENT_ID],
            false => &[environment::AZURE_CLIENT_ID, environment::AAD_SERVICE_PRINCIPAL_CLIENT_ID],
        }
    }

    fn tenant_names(&self) -> &'static [&'static str] {
        match self.are_terraforms {
            true => &[environment::ARM_TENANT_ID],
            false => &[environment::AZURE_TENANT_ID],
        }
    }
}

/// The sign-in method that is asked for.
struct Login<'a> {
    name: &'a str,
    is_by_variable: bool,
    /// The method, if it is interactive; no other is supported yet.
    interactive: Option<Method>,
}

impl<'a> Login<'a> {
    /// Errors: there is no such method.
    fn new(args: &'a GetTokenArgs, variables: &Variables<'a>, sources: &mut Sources) -> Result<Login<'a>> {
        let by_variable = variables.get(environment::AAD_LOGIN_METHOD);
        let name = by_variable.unwrap_or(&args.login);
        if by_variable.is_some() {
            sources.note(environment::AAD_LOGIN_METHOD, "--login", true);
        }
        if !METHODS.contains(&name) && !LATER_METHODS.contains(&name) {
            return Err(SettingsError::UnknownChoice {
                flag: "--login",
                kind: "sign-in method",
                word: name.to_owned(),
                known: METHODS,
                later: LATER_METHODS,
            }
            .into());
        }
        let interactive = INTERACTIVE_METHODS.iter().find(|(known, _)| *known == name).map(|(_, method)| *method);
        Ok(Login { name, is_by_variable: by_variable.is_some(), interactive })
    }

    fn is_interactive(&self) -> bool {
        self.interactive.is_some()
    }

    /// Errors: the method is not supported yet.
    fn supported_method(&self) -> Result<Method, SettingsError> {
        self.interactive.ok_or_else(|| SettingsError::UnsupportedLogin {
            method: self.name.to_owned(),
            variable: self.is_by_variable.then_some(environment::AAD_LOGIN_METHOD),
        })
    }
}

/// The value of a flag or of the variable that stands for it. A pipeline relies on its variables. A user's shell may hold
/// those of another tool, so there the flag wins.
fn flag_or_variable(
    flag: Option<&str>,
    flag_name: &'static str,
    variable: Option<(&'static str, &str)>,
    login: &Login<'_>,
    sources: &mut Sources,
) -> Option<String> {
    let flag = flag.filter(|text| !text.is_empty());
    let variable_wins = !login.is_interactive();
    if let Some((name, _)) = variable.filter(|_| flag.is_none() || variable_wins) {
        sources.note(name, flag_name, variable_wins);
    }
    let variable = variable.map(|(_, text)| text);
    let (first, second) = if variable_wins { (variable, flag) } else { (flag, variable) };
    first.or(second).map(|text| text.trim().to_owned())
}

/// Whether `text` can be a tenant's id or domain, and nothing but a segment of a path.
fn is_tenant_name(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    !text.is_empty() && text.chars().all(is_allowed) && !text.contains("..")
}
