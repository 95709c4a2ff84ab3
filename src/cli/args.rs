//! What was typed, and nothing about what it means. `profile` gives it a meaning.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::ui::Prompt;

/// Headings of the flags that belong to one dialect alone; they are what decides the dialect (see `profile::dialect`).
pub(super) const ENTRA: &str = "Microsoft Entra ID (as in Azure/kubelogin)";
pub(super) const OIDC: &str = "OpenID Connect (as in int128/kubelogin)";

/// Sign in to Kubernetes: with a device code, remembered safely, answered fast
#[derive(Parser)]
#[command(name = "kubectl-login", version, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(
    after_help = "Without a command: sign in now for the current context.\n\nExamples:\n  kubectl login\n  kubectl login --context prod\n  kubectl login status\n  kubectl login logout --all"
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) login: LoginArgs,
    /// Say what is done on stderr (klog's levels: 1 for steps, 5 for requests; never secrets)
    #[arg(short = 'v', long = "v", global = true, value_name = "LEVEL", value_parser = level)]
    pub(super) verbosity: Option<u8>,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Print one ExecCredential: what a kubeconfig's exec entry runs
    GetToken(Box<GetTokenArgs>),
    /// Show what is remembered: accounts, expiry, where it is kept
    Status(StatusArgs),
    /// Forget a sign-in
    Logout(LogoutArgs),
    /// Rewrite kubeconfig users to this plugin
    #[command(hide = true)]
    ConvertKubeconfig {
        /// The flags it will have
        #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Print the version
    #[command(hide = true)]
    Version,
}

/// Which kubeconfig entry is meant, with kubectl's own flag names.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct EntryArgs {
    /// The kubeconfig context (default: the current one)
    #[arg(value_name = "CONTEXT", conflicts_with = "context")]
    positional: Option<String>,
    /// The same as CONTEXT, and the way to name one that is called like a command
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The kubeconfig file (default: $KUBECONFIG, then ~/.kube/config)
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// The kubeconfig user, instead of the context's
    #[arg(long, value_name = "NAME")]
    pub(super) user: Option<String>,
}

impl EntryArgs {
    /// The context that was named, either way.
    pub(super) fn context(&self) -> Option<&str> {
        self.positional.as_deref().or(self.context.as_deref())
    }
}

#[derive(Args)]
pub(super) struct LoginArgs {
    #[command(flatten)]
    pub(super) entry: EntryArgs,
    /// Sign in again even if there is a session
    #[arg(long, conflicts_with = "refresh")]
    pub(super) force: bool,
    /// Get a new token from the session, even if the one at hand is good
    #[arg(long)]
    pub(super) refresh: bool,
    #[command(flatten)]
    pub(super) browser: BrowserArgs,
    /// Whether somebody may be asked to sign in
    #[arg(long, value_name = "WHEN")]
    pub(super) prompt: Option<Prompt>,
}

/// How an address is opened.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct BrowserArgs {
    /// Show the address only
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) skip_open_browser: Option<bool>,
    /// Program that opens the address, its only argument (default: $BROWSER, then the desktop's)
    #[arg(long, value_name = "PROGRAM")]
    pub(super) browser_command: Option<String>,
}

#[derive(Args)]
pub(super) struct StatusArgs {
    /// How to print it
    #[arg(short = 'o', long, value_name = "FORMAT", default_value = "table")]
    pub(super) output: Output,
    /// The folder to look in, where the kubeconfig entry names one
    #[arg(long, visible_alias = "token-cache-dir", value_name = "DIR")]
    pub(super) cache_dir: Option<String>,
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("what").args(["all", "account", "context", "positional"]).multiple(false))]
pub(super) struct LogoutArgs {
    #[command(flatten)]
    pub(super) entry: EntryArgs,
    /// Forget every session of this account
    #[arg(long, value_name = "NAME")]
    pub(super) account: Option<String>,
    /// Forget everything, the key included
    #[arg(long)]
    pub(super) all: bool,
    /// The folder to look in, where the kubeconfig entry names one
    #[arg(long, visible_alias = "token-cache-dir", value_name = "DIR")]
    pub(super) cache_dir: Option<String>,
}

/// Output of `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people
    Table,
    /// One JSON object
    Json,
    /// The same as YAML
    Yaml,
}

/// Where the key of what is remembered is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum CacheStorage {
    /// The keyring where one works, else a key file
    Auto,
    /// The keyring or nothing
    Keyring,
    /// A key file
    #[value(alias = "disk")]
    File,
    /// Remember nothing
    None,
}

/// Print one ExecCredential: what a kubeconfig's exec entry runs
#[derive(Parser)]
#[command(name = "get-token", args_override_self = true)]
pub(super) struct GetTokenArgs {
    /// Sign-in method
    #[arg(short = 'l', long, help_heading = ENTRA, value_name = "METHOD", default_value = "devicecode")]
    pub(super) login: String,
    /// Application id of the API server
    #[arg(long, help_heading = ENTRA, value_name = "ID")]
    pub(super) server_id: Option<String>,
    /// Application id of the client
    #[arg(long, help_heading = ENTRA, value_name = "ID")]
    pub(super) client_id: Option<String>,
    /// Tenant id or domain
    #[arg(short = 't', long, help_heading = ENTRA, value_name = "TENANT")]
    pub(super) tenant_id: Option<String>,
    /// Cloud
    #[arg(short = 'e', long, help_heading = ENTRA, value_name = "CLOUD", default_value = "AzurePublicCloud")]
    pub(super) environment: String,
    /// Sign-in host, instead of the cloud's
    #[arg(long, help_heading = ENTRA, value_name = "URL")]
    pub(super) authority_host: Option<String>,
    /// The account that should sign in; another one is refused
    #[arg(long, help_heading = ENTRA, value_name = "ACCOUNT")]
    pub(super) login_hint: Option<String>,
    /// Accepted: no instance discovery is ever made
    #[arg(long, help_heading = ENTRA, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) disable_instance_discovery: Option<bool>,
    /// Ignore AZURE_* and AAD_* variables
    #[arg(long, help_heading = ENTRA, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) disable_environment_override: Option<bool>,
    /// Read ARM_* variables instead of AZURE_*
    #[arg(long, help_heading = ENTRA, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) use_azurerm_env_vars: Option<bool>,

    /// Issuer URL, exactly as the issuer writes it
    #[arg(long, help_heading = OIDC, value_name = "URL")]
    pub(super) oidc_issuer_url: Option<String>,
    /// Client id
    #[arg(long, help_heading = OIDC, value_name = "ID")]
    pub(super) oidc_client_id: Option<String>,
    /// Client secret
    #[arg(long, help_heading = OIDC, value_name = "SECRET")]
    pub(super) oidc_client_secret: Option<String>,
    /// Scopes besides openid
    #[arg(long, help_heading = OIDC, value_name = "SCOPE", value_delimiter = ',')]
    pub(super) oidc_extra_scope: Vec<String>,
    /// Hand out the access token instead of the ID token
    #[arg(long, help_heading = OIDC, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) oidc_use_access_token: Option<bool>,
    /// Headers for every request to the issuer
    #[arg(long, help_heading = OIDC, value_name = "NAME=VALUE", value_delimiter = ',')]
    pub(super) oidc_request_header: Vec<String>,
    /// Grant
    #[arg(long, help_heading = OIDC, value_name = "GRANT", default_value = "auto")]
    pub(super) grant_type: String,
    /// PKCE
    #[arg(long, help_heading = OIDC, value_name = "METHOD", default_value = "auto", value_parser = ["auto", "no", "S256"])]
    pub(super) oidc_pkce_method: String,
    /// The same as --oidc-pkce-method=S256
    #[arg(long, help_heading = OIDC, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) oidc_use_pkce: Option<bool>,
    /// Get a new token even if the remembered one is good
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) force_refresh: Option<bool>,
    /// Whether somebody may be asked to sign in (default: $KUBECTL_LOGIN_PROMPT, else auto)
    #[arg(long, value_name = "WHEN")]
    pub(super) prompt: Option<Prompt>,
    #[command(flatten)]
    pub(super) browser: BrowserArgs,
    /// Where the key of what is remembered is kept
    #[arg(long, value_name = "WHERE", default_value = "auto")]
    pub(super) token_cache_storage: CacheStorage,
    /// Folder for what is remembered
    #[arg(long, alias = "token-cache-dir", value_name = "DIR")]
    pub(super) cache_dir: Option<String>,
    /// Limit for network work; never for people
    #[arg(long, value_name = "DURATION", value_parser = go_duration)]
    pub(super) timeout: Option<Duration>,
    /// PEM file of a certificate authority to trust besides the system's
    #[arg(long, value_name = "FILE")]
    pub(super) certificate_authority: Vec<String>,
    /// The same as base64 of PEM
    #[arg(long, value_name = "BASE64")]
    pub(super) certificate_authority_data: Vec<String>,
    /// Accept any certificate
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) insecure_skip_tls_verify: Option<bool>,
    /// User name, for the password grant
    #[arg(long, hide = true, value_name = "NAME")]
    pub(super) username: Option<String>,
}

// What these parsers say of a wrong value is shown as the next step.

/// Go's strconv.ParseBool, which the peers' flags are read with.
pub(super) fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("Write true or false.".to_owned()),
    }
}

/// A level of detail.
pub(super) fn level(text: &str) -> Result<u8, String> {
    text.parse().map_err(|_| "Write a number, such as 1 or 5.".to_owned())
}

/// Go's time.ParseDuration for positive durations: `60s`, `1m30s`, `1.5h`, `250ms`.
pub(super) fn go_duration(text: &str) -> Result<Duration, String> {
    let wrong = || "Write a duration such as 60s or 1m30s.".to_owned();
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        let amount: f64 = number.parse().map_err(|_| wrong())?;
        let part = Duration::try_from_secs_f64(amount * seconds).map_err(|_| wrong())?;
        // Go counts nanoseconds in 64 bits; nothing longer is a duration there.
        total = total.checked_add(part).filter(|total| i64::try_from(total.as_nanos()).is_ok()).ok_or_else(wrong)?;
        rest = tail;
    }
    if total.is_zero() { Err("Write a duration longer than 0.".to_owned()) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        assert_eq!(go_duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(go_duration("1.5h"), Ok(Duration::from_secs(5400)));
        assert_eq!(go_duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "60", "s", "-1s", "0s", "1x", "1s2", ".s", "1e999h", "99999999999999999999h"] {
            assert!(go_duration(wrong).is_err(), "{wrong}");
        }
    }
}
