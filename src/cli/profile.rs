//! From flags and environment to a [`Profile`].

mod entra;
mod oidc;

use std::path::PathBuf;

use kubectl_login::environment::{self, Environment};
use kubectl_login::messages::Result;
use kubectl_login::messages::settings::SettingsError;
use kubectl_login::paths;
use kubectl_login::profile::{Browser, Method, Profile, Storage};
use kubectl_login::store::Store;
use kubectl_login_core::kube::kubeconfig::Entry;

use super::args::{BrowserArgs, CacheStorage, GetTokenArgs};
use super::given_flags::GivenFlags;
use super::network::{self, CaFiles};
use super::selection::Selection;
use super::sources::Sources;
use crate::ui::PromptMode;

/// Sign-in methods of Azure/kubelogin that are supported.
pub(super) const METHODS: &[&str] = &["devicecode", "interactive", "auto"];
/// Those that are known by name and not supported yet.
pub(super) const LATER_METHODS: &[&str] =
    &["spn", "ropc", "msi", "azurecli", "azd", "workloadidentity", "azurepipelines"];
/// Interactive methods. With them, a flag wins over the environment.
pub(super) const INTERACTIVE_METHODS: &[(&str, Method)] =
    &[("devicecode", Method::DeviceCode), ("interactive", Method::Browser), ("auto", Method::Auto)];
/// Grants of int128/kubelogin that are supported.
pub(super) const GRANTS: &[&str] = &["auto", "authcode", "authcode-keyboard", "password", "device-code"];
/// The methods that these mean.
pub(super) const GRANT_METHODS: &[(&str, Method)] = &[
    ("auto", Method::Auto),
    ("authcode", Method::Browser),
    ("authcode-keyboard", Method::Keyboard),
    ("password", Method::Password),
    ("device-code", Method::DeviceCode),
];
/// Those that are known by name and not supported yet.
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
    /// The same; `selection` says how commands in next steps name the entry.
    pub(super) fn selected_by(self, selection: Selection) -> Settings {
        Settings { sources: self.sources.selected_by(selection), ..self }
    }

    /// The folder in which the session is stored; `None` if it is not.
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

/// The meaning of `args`. `entry` is the kubeconfig entry that they are from, if they are from one. `files` are those that
/// this command has read.
pub(super) fn settings(
    args: &GetTokenArgs,
    environment: &Environment,
    entry: Option<&Entry>,
    files: &CaFiles,
) -> Result<Settings> {
    let mut sources = entry.map_or_else(Sources::default, |entry| Sources::default().of_entry(entry));
    match read(args, environment, files, &mut sources) {
        Ok(settings) => Ok(Settings { sources, ..settings }),
        Err(error) => Err(sources.attributed(error)),
    }
}

/// The same; it notes in `sources` where values come from. Errors are as if all values came from flags.
fn read(args: &GetTokenArgs, environment: &Environment, files: &CaFiles, sources: &mut Sources) -> Result<Settings> {
    let network = network::from_flags(args, environment, files);
    let storage = match args.token_cache_storage {
        CacheStorage::Auto => Storage::Auto,
        CacheStorage::Keyring => Storage::Keyring,
        CacheStorage::File => Storage::File,
        CacheStorage::None => Storage::None,
    };
    let profile = match dialect(&args.given)? {
        Dialect::Entra => entra::profile(args, environment, network, storage, sources)?,
        Dialect::Oidc => oidc::profile(args, environment, network, storage)?,
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
pub(super) fn prompt(flag: Option<PromptMode>, environment: &Environment) -> Result<PromptMode, SettingsError> {
    match (flag, environment.get(environment::KUBECTL_LOGIN_PROMPT)) {
        (Some(prompt), _) => Ok(prompt),
        (None, None | Some("auto")) => Ok(PromptMode::Auto),
        (None, Some("always")) => Ok(PromptMode::Always),
        (None, Some("never")) => Ok(PromptMode::Never),
        (None, Some(other)) => Err(SettingsError::PromptVariable(other.to_owned())),
    }
}

/// The flags decide, never the environment.
///
/// Errors: there are flags of both, or of neither.
fn dialect(given: &GivenFlags) -> Result<Dialect, SettingsError> {
    match (given.entra(), given.oidc()) {
        (Some(_), None) => Ok(Dialect::Entra),
        (None, Some(_)) => Ok(Dialect::Oidc),
        (Some(entra), Some(oidc)) => Err(SettingsError::MixedFlags { entra: entra.to_owned(), oidc: oidc.to_owned() }),
        (None, None) => Err(SettingsError::NoProvider),
    }
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

#[cfg(test)]
mod tests;
