//! What was typed, and nothing about what it means. `profile` gives it a meaning.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use kubectl_login::profile::Profile;

use crate::ui::Prompt;

/// Headings of the flags that belong to one dialect alone; they are what decides the dialect (see `profile::dialect`).
pub(super) const ENTRA: &str = "Microsoft Entra ID (as in Azure/kubelogin)";
pub(super) const OIDC: &str = "OpenID Connect (as in int128/kubelogin)";
/// The other headings only sort.
const BROWSER: &str = "Sign-in in a browser";
const ASKING: &str = "Asking";
const REMEMBERING: &str = "Remembering";
const NETWORK: &str = "Network";
const GROUPS: &str = "Groups";

/// The order of a help page: what it is, a paragraph about it, how it is written, flags, examples.
pub(super) const HELP_TEMPLATE: &str =
    "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";
/// Lines of help are no longer than this, however wide the terminal is.
pub(super) const HELP_WIDTH: usize = 80;
/// How the shells' scripts are loaded.
const HOW_TO_COMPLETE: &str = "\
`kubectl login <TAB>` needs none of this: it works where kubectl's own
completion is loaded and kubectl_complete-login is on the PATH, which
install.sh sees to. The script is for the program under its own names,
kubectl-login and kubelogin.

bash, in ~/.bashrc:
  source <(kubectl-login completion bash)
bash 3.2, as on macOS:
  eval \"$(kubectl-login completion bash)\"
zsh, in ~/.zshrc, after compinit:
  source <(kubectl-login completion zsh)
zsh, as a file, before compinit:
  kubectl-login completion zsh >\"${fpath[1]}/_kubectl-login\"
fish, in ~/.config/fish/config.fish:
  kubectl-login completion fish | source
PowerShell, in $PROFILE:
  kubectl-login completion powershell | Out-String | Invoke-Expression";

/// Sign in to Kubernetes clusters, and hand kubectl the tokens
#[derive(Parser)]
#[command(name = "kubectl-login", version, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(before_help = "Without a command: sign in for the current context of the kubeconfig, or for\n\
                   CONTEXT. From then on kubectl and other clients get their tokens by themselves:\n\
                   the kubeconfig has them run get-token, which asks only when it has to.")]
#[command(after_help = "Examples:\n  \
                        kubectl login\n  \
                        kubectl login prod\n  \
                        kubectl login --force\n  \
                        kubectl login status\n  \
                        kubectl login logout --all")]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) login: LoginArgs,
    /// Log to stderr: steps from level 1, requests from 5; never secrets
    #[arg(short = 'v', long = "v", global = true, value_name = "LEVEL", value_parser = level)]
    pub(super) verbosity: Option<u8>,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Print one ExecCredential: what a kubeconfig's exec entry runs
    GetToken(Box<GetTokenArgs>),
    /// Show what is remembered: accounts, how long for, where it is kept
    #[command(before_help = "It reads what is on this machine: no network, and nothing is unlocked.")]
    #[command(after_help = "Examples:\n  \
                            kubectl login status\n  \
                            kubectl login status -o json")]
    Status(StatusArgs),
    /// Show who you are, to the issuer and to the cluster, and your groups
    #[command(before_help = "Who the token of the current context, or of CONTEXT, says you are, and whom the\n\
                             cluster takes you for. It asks nobody to sign in.")]
    #[command(after_help = "Examples:\n  \
                            kubectl login whoami\n  \
                            kubectl login whoami prod --groups --names\n  \
                            kubectl login whoami --explain list pods -n dev\n  \
                            kubectl login whoami -o json")]
    Whoami(Box<WhoamiArgs>),
    /// Check everything between you and the cluster, and say what is wrong
    #[command(before_help = "Looks at the kubeconfig, this machine, the issuer, the sign-in and the cluster of\n\
                             the current context or of CONTEXT. It asks nobody to sign in; what it prints\n\
                             holds no secrets. Exit 1 where something is wrong.")]
    #[command(after_help = "Examples:\n  \
                            kubectl login doctor\n  \
                            kubectl login doctor prod\n  \
                            kubectl login doctor -o json")]
    Doctor(DoctorArgs),
    /// Forget a sign-in, and revoke it where the issuer can
    #[command(before_help = "Forgets the sign-in of the current context, of CONTEXT, of an account, or\n\
                             everything. Contexts that share a sign-in lose it together.")]
    #[command(after_help = "Examples:\n  \
                            kubectl login logout\n  \
                            kubectl login logout prod\n  \
                            kubectl login logout --account alice@contoso.example\n  \
                            kubectl login logout --all")]
    Logout(LogoutArgs),
    /// Rewrite kubeconfig users to this plugin
    #[command(hide = true)]
    ConvertKubeconfig {
        /// The flags it will have
        #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Print the script that completes this program in a shell
    Completion(CompletionArgs),
    /// Print the version
    #[command(hide = true)]
    Version,
    /// Forget everything in a folder and remove it, as Azure/kubelogin's command of this name
    #[command(hide = true, args_override_self = true)]
    RemoveCacheDir(CleanArgs),
    /// Forget everything in a folder and remove it: the older name of remove-cache-dir
    #[command(hide = true, args_override_self = true)]
    RemoveTokens(CleanArgs),
    /// Forget everything in a folder and remove it, as int128/kubelogin's command of this name
    #[command(hide = true, args_override_self = true)]
    Clean(CleanArgs),
}

/// Which kubeconfig entry is meant, with kubectl's own flag names.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct EntryArgs {
    /// Context of the kubeconfig (default: the current one)
    #[arg(value_name = "CONTEXT", conflicts_with = "context")]
    positional: Option<String>,
    /// The same, also for a context called like a command
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Kubeconfig (default: $KUBECONFIG, else ~/.kube/config)
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// User of the kubeconfig, instead of the context's
    #[arg(long, value_name = "NAME")]
    pub(super) user: Option<String>,
}

impl EntryArgs {
    /// The context that was named, either way.
    pub(super) fn context(&self) -> Option<&str> {
        self.positional.as_deref().or(self.context.as_deref())
    }

    /// Whether it was named without `--context`, where a command might have been meant.
    pub(super) fn is_positional(&self) -> bool {
        self.positional.is_some()
    }
}

#[derive(Args)]
pub(super) struct LoginArgs {
    #[command(flatten)]
    pub(super) entry: EntryArgs,
    /// Sign in again even if there is a session
    #[arg(long, conflicts_with = "refresh")]
    pub(super) force: bool,
    /// Get a new token from the session even if the one at hand is good
    #[arg(long)]
    pub(super) refresh: bool,
    /// Get a new token that answers a claims challenge: JSON, or base64 of it
    #[arg(long, value_name = "CLAIMS")]
    pub(super) claims: Option<String>,
    #[command(flatten)]
    pub(super) method: MethodArgs,
    #[command(flatten)]
    pub(super) browser: BrowserArgs,
    #[command(flatten)]
    pub(super) look_up: GroupsArgs,
    /// Whether somebody may be asked: auto (not where $CI is set), always, never
    #[arg(long, help_heading = ASKING, value_name = "WHEN", hide_possible_values = true)]
    pub(super) prompt: Option<Prompt>,
}

/// Another way of signing in than the entry's, for this once; the sign-in is the same.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct MethodArgs {
    /// Sign-in method for this once, at Entra: auto, interactive or devicecode
    #[arg(long, help_heading = ASKING, value_name = "METHOD", conflicts_with = "grant_type")]
    pub(super) login: Option<String>,
    /// Sign-in method for this once, at other issuers: auto, authcode, authcode-keyboard or device-code
    #[arg(long, help_heading = ASKING, value_name = "GRANT")]
    pub(super) grant_type: Option<String>,
}

/// How an address is opened.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct BrowserArgs {
    /// Open no browser: only show the address
    #[arg(long, help_heading = ASKING, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) skip_open_browser: Option<bool>,
    /// Program that opens the address (default: $BROWSER, else the desktop's)
    #[arg(long, help_heading = ASKING, value_name = "PROGRAM")]
    pub(super) browser_command: Option<String>,
}

#[derive(Args)]
pub(super) struct StatusArgs {
    /// How to print it: table, json or yaml
    #[arg(short = 'o', long, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    pub(super) output: Output,
    /// Kubeconfig (default: $KUBECONFIG, else ~/.kube/config)
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// Folder to look in (default: the usual one and those the kubeconfig names)
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
    /// Folder to look in (default: the entry's; for --account and --all those of status)
    #[arg(long, visible_alias = "token-cache-dir", value_name = "DIR")]
    pub(super) cache_dir: Option<String>,
}

#[derive(Args)]
pub(super) struct CleanArgs {
    /// The folder (default: the usual one)
    #[arg(long, visible_alias = "token-cache-dir", value_name = "DIR")]
    pub(super) cache_dir: Option<String>,
}

#[derive(Args)]
#[command(after_help = HOW_TO_COMPLETE)]
pub(super) struct CompletionArgs {
    /// Shell that the script is for
    #[arg(value_name = "SHELL")]
    pub(super) shell: Shell,
}

/// The shells there is a script for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
    #[value(name = "powershell", alias = "pwsh")]
    Pwsh,
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

/// Output of `whoami` and `doctor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Printed {
    /// For people
    Table,
    /// One JSON object
    Json,
}

/// Where groups are looked up that a token does not list, for this once.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct GroupsArgs {
    /// Client that may read groups in Microsoft Graph, where the entry's may not
    #[arg(long, help_heading = GROUPS, value_name = "ID")]
    graph_client_id: Option<String>,
    /// Claim that lists the groups, at other issuers than Entra (default: groups)
    #[arg(long, help_heading = GROUPS, value_name = "CLAIM")]
    groups_claim: Option<String>,
}

impl GroupsArgs {
    /// What was typed counts for more than what the entry says.
    pub(super) fn apply(&self, profile: &mut Profile) {
        let typed = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        profile.groups.graph_client = typed(&self.graph_client_id).or(profile.groups.graph_client.take());
        if let Some(claim) = typed(&self.groups_claim) {
            profile.groups.claim = claim;
        }
    }
}

#[derive(Args)]
pub(super) struct WhoamiArgs {
    #[command(flatten)]
    pub(super) entry: EntryArgs,
    /// List the groups, those past the 200 that a token carries included
    #[arg(long)]
    pub(super) groups: bool,
    /// List them with their names
    #[arg(long)]
    pub(super) names: bool,
    /// List those with this text in id or name
    #[arg(long, value_name = "TEXT")]
    pub(super) filter: Option<String>,
    /// Say why something is allowed or not, such as: --explain list pods
    #[arg(long, num_args = 2, value_names = ["VERB", "RESOURCE"])]
    pub(super) explain: Vec<String>,
    /// Namespace of what is to be explained (default: the context's)
    #[arg(short = 'n', long, value_name = "NAME", requires = "explain")]
    pub(super) namespace: Option<String>,
    /// Explain it for all namespaces
    #[arg(short = 'A', long, requires = "explain", conflicts_with = "namespace")]
    pub(super) all_namespaces: bool,
    /// Get a new token, and look the groups up again
    #[arg(long)]
    pub(super) refresh: bool,
    #[command(flatten)]
    pub(super) look_up: GroupsArgs,
    /// How to print it: table or json
    #[arg(short = 'o', long, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    pub(super) output: Printed,
}

#[derive(Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    pub(super) entry: EntryArgs,
    /// How to print it: table or json
    #[arg(short = 'o', long, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    pub(super) output: Printed,
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
#[command(before_help = "kubectl runs this. Its flags stand in the kubeconfig, in the user's exec.args:\n\
                         those of Microsoft Entra ID or those of OpenID Connect, never both. A\n\
                         remembered token is answered without the network; only a missing sign-in asks\n\
                         somebody.")]
#[command(after_help = "Examples:\n  \
                        kubectl login get-token --server-id 6dae42f8-4368-4678-94ff-3960e28e3630 \\\n    \
                        --client-id 80faf920-1908-4b52-b5ef-a8e7bedfc67a \\\n    \
                        --tenant-id contoso.example\n  \
                        kubectl login get-token --oidc-issuer-url https://issuer.example \\\n    \
                        --oidc-client-id kubernetes")]
pub(super) struct GetTokenArgs {
    /// Sign-in method: auto, interactive or devicecode
    #[arg(short = 'l', long, help_heading = ENTRA, value_name = "METHOD", default_value = "devicecode")]
    pub(super) login: String,
    /// Application id or URI of the cluster's API server
    #[arg(long, help_heading = ENTRA, value_name = "ID")]
    pub(super) server_id: Option<String>,
    /// Application id of the client (else $AZURE_CLIENT_ID)
    #[arg(long, help_heading = ENTRA, value_name = "ID")]
    pub(super) client_id: Option<String>,
    /// Tenant: its id or a domain of it (else $AZURE_TENANT_ID)
    #[arg(short = 't', long, help_heading = ENTRA, value_name = "TENANT")]
    pub(super) tenant_id: Option<String>,
    /// Cloud the tenant is in
    #[arg(short = 'e', long, help_heading = ENTRA, value_name = "CLOUD", default_value = "AzurePublicCloud")]
    pub(super) environment: String,
    /// Sign-in host instead of the cloud's
    #[arg(long, help_heading = ENTRA, value_name = "URL")]
    pub(super) authority_host: Option<String>,
    /// Port the browser comes back to; the rest of the URL counts for nothing
    #[arg(long, help_heading = ENTRA, value_name = "URL")]
    pub(super) redirect_url: Option<String>,
    /// Client that may read groups in Microsoft Graph, where --client-id may not
    #[arg(long, help_heading = ENTRA, value_name = "ID")]
    pub(super) graph_client_id: Option<String>,
    /// Nothing: no instance discovery is ever made
    #[arg(long, help_heading = ENTRA, hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) disable_instance_discovery: Option<bool>,
    /// Ignore the variables AZURE_* and AAD_*
    #[arg(long, help_heading = ENTRA, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) disable_environment_override: Option<bool>,
    /// Read the variables ARM_* instead of AZURE_*
    #[arg(long, help_heading = ENTRA, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) use_azurerm_env_vars: Option<bool>,

    /// Issuer, exactly as it writes itself
    #[arg(long, help_heading = OIDC, value_name = "URL")]
    pub(super) oidc_issuer_url: Option<String>,
    /// Id of the client
    #[arg(long, help_heading = OIDC, value_name = "ID")]
    pub(super) oidc_client_id: Option<String>,
    /// Secret of the client, if it has one
    #[arg(long, help_heading = OIDC, value_name = "SECRET")]
    pub(super) oidc_client_secret: Option<String>,
    /// Scope besides openid; may be repeated
    #[arg(long, help_heading = OIDC, value_name = "SCOPE", value_delimiter = ',')]
    pub(super) oidc_extra_scope: Vec<String>,
    /// Hand out the access token instead of the ID token
    #[arg(long, help_heading = OIDC, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) oidc_use_access_token: Option<bool>,
    /// Header for every request to the issuer; may be repeated
    #[arg(long, help_heading = OIDC, value_name = "NAME=VALUE")]
    pub(super) oidc_request_header: Vec<String>,
    /// Sign-in method: auto, authcode, authcode-keyboard or device-code
    #[arg(long, help_heading = OIDC, value_name = "GRANT", default_value = "auto")]
    pub(super) grant_type: String,
    /// Redirect address as it is registered (default: http://localhost:PORT)
    #[arg(long, help_heading = OIDC, value_name = "URL")]
    pub(super) oidc_redirect_url: Option<String>,
    /// The same for authcode-keyboard: the older spelling
    #[arg(long, help_heading = OIDC, hide = true, value_name = "URL")]
    pub(super) oidc_redirect_url_authcode_keyboard: Option<String>,
    /// Parameter for the issuer's sign-in page; may be repeated
    #[arg(long, help_heading = OIDC, value_name = "NAME=VALUE")]
    pub(super) oidc_auth_request_extra_params: Vec<String>,
    /// PKCE: S256, no, or auto (as the issuer offers it)
    #[arg(long, help_heading = OIDC, value_name = "METHOD", default_value = "auto", hide_possible_values = true, value_parser = ["auto", "no", "S256"])]
    pub(super) oidc_pkce_method: String,
    /// The same as --oidc-pkce-method=S256
    #[arg(long, help_heading = OIDC, hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) oidc_use_pkce: Option<bool>,
    /// Claim that lists the groups (default: groups)
    #[arg(long, help_heading = OIDC, value_name = "CLAIM")]
    pub(super) groups_claim: Option<String>,
    /// Get a new token even if the remembered one is good
    #[arg(long, help_heading = REMEMBERING, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) force_refresh: Option<bool>,
    /// Whether somebody may be asked: auto, always, never (default: $KUBECTL_LOGIN_PROMPT, else auto)
    #[arg(long, help_heading = ASKING, value_name = "WHEN", hide_possible_values = true)]
    pub(super) prompt: Option<Prompt>,
    #[command(flatten)]
    pub(super) browser: BrowserArgs,
    /// Account that has to sign in; another one is refused
    #[arg(long, help_heading = ASKING, value_name = "ACCOUNT")]
    pub(super) login_hint: Option<String>,
    /// Address to listen on for the browser; may be repeated, the first that is free counts
    #[arg(long, help_heading = BROWSER, value_name = "ADDRESS", value_delimiter = ',')]
    pub(super) listen_address: Vec<String>,
    /// Port on 127.0.0.1 to listen on: the older spelling of --listen-address
    #[arg(long, help_heading = BROWSER, hide = true, value_name = "PORT", value_delimiter = ',')]
    pub(super) listen_port: Vec<String>,
    /// How long somebody may take to sign in (default: 180)
    #[arg(long, help_heading = BROWSER, value_name = "SECONDS", value_parser = seconds)]
    pub(super) authentication_timeout_sec: Option<Duration>,
    /// PEM file with a certificate: the browser comes back by https
    #[arg(long, help_heading = BROWSER, value_name = "FILE")]
    pub(super) local_server_cert: Option<String>,
    /// PEM file with the certificate's key
    #[arg(long, help_heading = BROWSER, value_name = "FILE")]
    pub(super) local_server_key: Option<String>,
    /// Page the browser goes to in the end
    #[arg(long, help_heading = BROWSER, value_name = "URL")]
    pub(super) open_url_after_authentication: Option<String>,
    /// Where the key is kept: auto, keyring, file, or none to remember nothing
    #[arg(long, help_heading = REMEMBERING, value_name = "WHERE", default_value = "auto", hide_possible_values = true)]
    pub(super) token_cache_storage: CacheStorage,
    /// Folder for all that is remembered
    #[arg(long, help_heading = REMEMBERING, alias = "token-cache-dir", value_name = "DIR")]
    pub(super) cache_dir: Option<String>,
    /// Limit for network work, such as 60s (default: 20s); people have longer
    #[arg(long, help_heading = NETWORK, value_name = "DURATION", value_parser = go_duration)]
    pub(super) timeout: Option<Duration>,
    /// PEM file of an authority to trust besides the system's; may be repeated
    #[arg(long, help_heading = NETWORK, value_name = "FILE")]
    pub(super) certificate_authority: Vec<String>,
    /// The same as base64 of PEM
    #[arg(long, help_heading = NETWORK, value_name = "BASE64")]
    pub(super) certificate_authority_data: Vec<String>,
    /// Accept any certificate: whoever is on the way can read the tokens
    #[arg(long, help_heading = NETWORK, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
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

/// A number of seconds, as int128/kubelogin takes it.
fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse::<u32>().ok().filter(|number| *number > 0);
    number
        .map(|number| Duration::from_secs(number.into()))
        .ok_or_else(|| "Write a number of seconds, such as 180.".to_owned())
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
