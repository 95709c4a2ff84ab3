//! The flags of `get-token`: what stands in a kubeconfig.

use std::time::Duration;

use clap::{Parser, ValueEnum};

use super::values::{go_bool, go_duration, seconds};
use super::{ASKING, BROWSER, BrowserArgs, ENTRA, NETWORK, OIDC, REMEMBERING};
use crate::ui::PromptMode;

/// Where the key of what is remembered is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in super::super) enum CacheStorage {
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
#[command(before_help = "kubectl runs this. Its flags are in the kubeconfig, in the user's exec.args:\n\
                         those for Microsoft Entra ID or those for OpenID Connect, never both. A cached\n\
                         token is returned without the network; only if a sign-in is needed does it\n\
                         prompt.")]
#[command(after_help = "Examples:\n  \
                        kubectl login get-token --server-id 6dae42f8-4368-4678-94ff-3960e28e3630 \\\n    \
                        --client-id 80faf920-1908-4b52-b5ef-a8e7bedfc67a \\\n    \
                        --tenant-id contoso.example\n  \
                        kubectl login get-token --oidc-issuer-url https://issuer.example \\\n    \
                        --oidc-client-id kubernetes")]
pub(in super::super) struct GetTokenArgs {
    /// Sign-in method: auto, interactive or devicecode
    #[arg(short = 'l', long, help_heading = ENTRA, value_name = "METHOD", default_value = "devicecode")]
    pub(in super::super) login: String,
    /// Application id or URI of the cluster's API server
    #[arg(long, help_heading = ENTRA, value_name = "ID")]
    pub(in super::super) server_id: Option<String>,
    /// Application id of the client (else $AZURE_CLIENT_ID)
    #[arg(long, help_heading = ENTRA, value_name = "ID")]
    pub(in super::super) client_id: Option<String>,
    /// Tenant: its id or a domain of it (else $AZURE_TENANT_ID)
    #[arg(short = 't', long, help_heading = ENTRA, value_name = "TENANT")]
    pub(in super::super) tenant_id: Option<String>,
    /// Cloud the tenant is in
    #[arg(short = 'e', long, help_heading = ENTRA, value_name = "CLOUD", default_value = "AzurePublicCloud")]
    pub(in super::super) environment: String,
    /// Sign-in host instead of the cloud's
    #[arg(long, help_heading = ENTRA, value_name = "URL")]
    pub(in super::super) authority_host: Option<String>,
    /// Port the browser comes back to; the rest of the URL counts for nothing
    #[arg(long, help_heading = ENTRA, value_name = "URL")]
    pub(in super::super) redirect_url: Option<String>,
    /// Client that may read groups in Microsoft Graph, where --client-id may not
    #[arg(long, help_heading = ENTRA, value_name = "ID")]
    pub(in super::super) graph_client_id: Option<String>,
    /// Nothing: no instance discovery is ever made
    #[arg(long, help_heading = ENTRA, hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(in super::super) disable_instance_discovery: Option<bool>,
    /// Ignore the variables AZURE_* and AAD_*
    #[arg(long, help_heading = ENTRA, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(in super::super) disable_environment_override: Option<bool>,
    /// Read the variables ARM_* instead of AZURE_*
    #[arg(long, help_heading = ENTRA, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(in super::super) use_azurerm_env_vars: Option<bool>,

    /// Issuer, exactly as it writes itself
    #[arg(long, help_heading = OIDC, value_name = "URL")]
    pub(in super::super) oidc_issuer_url: Option<String>,
    /// Id of the client
    #[arg(long, help_heading = OIDC, value_name = "ID")]
    pub(in super::super) oidc_client_id: Option<String>,
    /// Secret of the client, if it has one
    #[arg(long, help_heading = OIDC, value_name = "SECRET")]
    pub(in super::super) oidc_client_secret: Option<String>,
    /// Scope besides openid; may be repeated
    #[arg(long, help_heading = OIDC, value_name = "SCOPE", value_delimiter = ',')]
    pub(in super::super) oidc_extra_scope: Vec<String>,
    /// Hand out the access token instead of the ID token
    #[arg(long, help_heading = OIDC, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(in super::super) oidc_use_access_token: Option<bool>,
    /// Header for every request to the issuer; may be repeated
    #[arg(long, help_heading = OIDC, value_name = "NAME=VALUE")]
    pub(in super::super) oidc_request_header: Vec<String>,
    /// Sign-in method: auto, authcode, authcode-keyboard, device-code or password
    #[arg(long, help_heading = OIDC, value_name = "GRANT", default_value = "auto")]
    pub(in super::super) grant_type: String,
    /// Redirect address as it is registered (default: http://localhost:PORT)
    #[arg(long, help_heading = OIDC, value_name = "URL")]
    pub(in super::super) oidc_redirect_url: Option<String>,
    /// Name in the redirect address instead of localhost: the older spelling
    #[arg(long, help_heading = OIDC, hide = true, value_name = "NAME")]
    pub(in super::super) oidc_redirect_url_hostname: Option<String>,
    /// The same for authcode-keyboard: the older spelling
    #[arg(long, help_heading = OIDC, hide = true, value_name = "URL")]
    pub(in super::super) oidc_redirect_url_authcode_keyboard: Option<String>,
    /// Parameter for the issuer's sign-in page; may be repeated
    #[arg(long, help_heading = OIDC, value_name = "NAME=VALUE")]
    pub(in super::super) oidc_auth_request_extra_params: Vec<String>,
    /// PKCE: S256, no, or auto (as the issuer offers it)
    #[arg(long, help_heading = OIDC, value_name = "METHOD", default_value = "auto", hide_possible_values = true, value_parser = ["auto", "no", "S256"])]
    pub(in super::super) oidc_pkce_method: String,
    /// The same as --oidc-pkce-method=S256
    #[arg(long, help_heading = OIDC, hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(in super::super) oidc_use_pkce: Option<bool>,
    /// Claim that lists the groups (default: groups)
    #[arg(long, help_heading = OIDC, value_name = "CLAIM")]
    pub(in super::super) groups_claim: Option<String>,
    /// Get a new token even if the remembered one is good
    #[arg(long, help_heading = REMEMBERING, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(in super::super) force_refresh: Option<bool>,
    /// Whether to prompt: auto, always, never (default: $KUBECTL_LOGIN_PROMPT, else auto)
    #[arg(long, help_heading = ASKING, value_name = "WHEN", hide_possible_values = true)]
    pub(in super::super) prompt: Option<PromptMode>,
    #[command(flatten)]
    pub(in super::super) browser: BrowserArgs,
    /// Account that has to sign in; another one is refused
    #[arg(long, help_heading = ASKING, value_name = "ACCOUNT")]
    pub(in super::super) login_hint: Option<String>,
    /// Name for the password grant, which auto means where it is given
    #[arg(long, help_heading = ASKING, value_name = "NAME")]
    pub(in super::super) username: Option<String>,
    /// Password for the password grant; asked for where it is missing
    #[arg(long, help_heading = ASKING, value_name = "PASSWORD")]
    pub(in super::super) password: Option<String>,
    /// Address to listen on for the browser; may be repeated, the first that is free counts
    #[arg(long, help_heading = BROWSER, value_name = "ADDRESS", value_delimiter = ',')]
    pub(in super::super) listen_address: Vec<String>,
    /// Port on 127.0.0.1 to listen on: the older spelling of --listen-address
    #[arg(long, help_heading = BROWSER, hide = true, value_name = "PORT", value_delimiter = ',')]
    pub(in super::super) listen_port: Vec<String>,
    /// Seconds that a user has to sign in (default: 180)
    #[arg(long, help_heading = BROWSER, value_name = "SECONDS", value_parser = seconds)]
    pub(in super::super) authentication_timeout_sec: Option<Duration>,
    /// PEM file with a certificate: the browser comes back by https
    #[arg(long, help_heading = BROWSER, value_name = "FILE")]
    pub(in super::super) local_server_cert: Option<String>,
    /// PEM file with the certificate's key
    #[arg(long, help_heading = BROWSER, value_name = "FILE")]
    pub(in super::super) local_server_key: Option<String>,
    /// Page the browser goes to in the end
    #[arg(long, help_heading = BROWSER, value_name = "URL")]
    pub(in super::super) open_url_after_authentication: Option<String>,
    /// Where the key is kept: auto, keyring, file, or none to remember nothing
    #[arg(long, help_heading = REMEMBERING, value_name = "WHERE", default_value = "auto", hide_possible_values = true)]
    pub(in super::super) token_cache_storage: CacheStorage,
    /// Folder for all that is remembered
    #[arg(long, help_heading = REMEMBERING, alias = "token-cache-dir", value_name = "DIR")]
    pub(in super::super) cache_dir: Option<String>,
    /// Limit for network work, such as 60s (default: 20s); people have longer
    #[arg(long, help_heading = NETWORK, value_name = "DURATION", value_parser = go_duration)]
    pub(in super::super) timeout: Option<Duration>,
    /// PEM file of an authority to trust besides the system's; may be repeated
    #[arg(long, help_heading = NETWORK, value_name = "FILE")]
    pub(in super::super) certificate_authority: Vec<String>,
    /// The same as base64 of PEM
    #[arg(long, help_heading = NETWORK, value_name = "BASE64")]
    pub(in super::super) certificate_authority_data: Vec<String>,
    /// Accept any certificate: an attacker on the way can read the tokens
    #[arg(long, help_heading = NETWORK, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(in super::super) insecure_skip_tls_verify: Option<bool>,
}
