//! The values of the flags of `get-token`, which are in kubeconfigs.

use std::time::Duration;

use clap::{ArgMatches, Args, FromArgMatches, ValueEnum};

use super::BrowserArgs;
use super::flags::{self, FLAGS, NOT_YET};
use crate::cli::given_flags::GivenFlags;
use crate::ui::PromptMode;

/// Where the key is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in super::super) enum CacheStorage {
    /// The keyring if it works, else a key file
    #[default]
    Auto,
    /// The keyring only
    Keyring,
    /// A key file
    #[value(alias = "disk")]
    File,
    /// Store nothing
    None,
}

/// The values of the flags of `get-token`; `flags` says what each flag means.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct GetTokenArgs {
    /// Which flags were given.
    pub(in super::super) given: GivenFlags,
    pub(in super::super) login: String,
    pub(in super::super) server_id: Option<String>,
    pub(in super::super) client_id: Option<String>,
    pub(in super::super) tenant_id: Option<String>,
    pub(in super::super) environment: String,
    pub(in super::super) authority_host: Option<String>,
    pub(in super::super) redirect_url: Option<String>,
    pub(in super::super) graph_client_id: Option<String>,
    pub(in super::super) disable_instance_discovery: Option<bool>,
    pub(in super::super) disable_environment_override: Option<bool>,
    pub(in super::super) use_azurerm_env_vars: Option<bool>,
    pub(in super::super) oidc_issuer_url: Option<String>,
    pub(in super::super) oidc_client_id: Option<String>,
    pub(in super::super) oidc_client_secret: Option<String>,
    pub(in super::super) oidc_extra_scope: Vec<String>,
    pub(in super::super) oidc_use_access_token: Option<bool>,
    pub(in super::super) oidc_request_header: Vec<String>,
    pub(in super::super) grant_type: String,
    pub(in super::super) oidc_redirect_url: Option<String>,
    pub(in super::super) oidc_redirect_url_hostname: Option<String>,
    pub(in super::super) oidc_redirect_url_authcode_keyboard: Option<String>,
    pub(in super::super) oidc_auth_request_extra_params: Vec<String>,
    pub(in super::super) oidc_pkce_method: String,
    pub(in super::super) oidc_use_pkce: Option<bool>,
    pub(in super::super) groups_claim: Option<String>,
    pub(in super::super) force_refresh: Option<bool>,
    pub(in super::super) prompt: Option<PromptMode>,
    pub(in super::super) browser: BrowserArgs,
    pub(in super::super) login_hint: Option<String>,
    pub(in super::super) username: Option<String>,
    pub(in super::super) password: Option<String>,
    pub(in super::super) listen_address: Vec<String>,
    pub(in super::super) listen_port: Vec<String>,
    pub(in super::super) authentication_timeout_sec: Option<Duration>,
    pub(in super::super) local_server_cert: Option<String>,
    pub(in super::super) local_server_key: Option<String>,
    pub(in super::super) open_url_after_authentication: Option<String>,
    pub(in super::super) token_cache_storage: CacheStorage,
    pub(in super::super) cache_dir: Option<String>,
    pub(in super::super) timeout: Option<Duration>,
    pub(in super::super) certificate_authority: Vec<String>,
    pub(in super::super) certificate_authority_data: Vec<String>,
    pub(in super::super) insecure_skip_tls_verify: Option<bool>,
    pub(in super::super) legacy: Option<bool>,
    pub(in super::super) pop_enabled: Option<bool>,
}

impl GetTokenArgs {
    /// A flag that was switched on and would change the request to the issuer; it is refused until it is supported.
    pub(in super::super) fn not_yet(&self) -> Option<&'static str> {
        let is_on = [self.legacy, self.pop_enabled];
        NOT_YET.into_iter().zip(is_on).find_map(|(name, is_on)| is_on.unwrap_or(false).then_some(name))
    }
}

impl Args for GetTokenArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        flags::add_to(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        flags::add_to(command)
    }
}

impl FromArgMatches for GetTokenArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = flags::defaults();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let is_given = |name| matches.value_source(name) == Some(clap::parser::ValueSource::CommandLine);
        for flag in FLAGS.iter().filter(|flag| is_given(flag.name)) {
            for value in matches.get_raw(flag.name).into_iter().flatten().filter_map(|value| value.to_str()) {
                let invalid = || clap::Error::new(clap::error::ErrorKind::ValueValidation);
                flag.set(self, value).ok_or_else(invalid)?;
            }
        }
        Ok(())
    }
}
