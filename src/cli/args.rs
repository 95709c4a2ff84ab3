//! The command line as it is written. What it means is up to `profile`.

mod flags;
mod get_token;
#[cfg(test)]
mod tests;
mod values;
mod warm;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use kubectl_login::profile::Profile;

pub(super) use self::flags::Flag;
#[cfg(test)]
pub(super) use self::flags::NOT_YET;
pub(super) use self::get_token::{CacheStorage, GetTokenArgs};
use self::values::level;
pub(super) use self::values::{go_bool, go_duration, go_duration_text};
pub(super) use self::warm::{WarmCommandLine, parse as parse_warm};
use crate::ui::PromptMode;

/// Headings of the flags that belong to one dialect; they decide which dialect is used (see `profile::dialect`).
pub(super) const ENTRA: &str = "Microsoft Entra ID (as in Azure/kubelogin)";
pub(super) const OIDC: &str = "OpenID Connect (as in int128/kubelogin)";
/// The other headings only group flags.
const BROWSER: &str = "Sign-in in a browser";
const PROMPTS: &str = "Prompts";
const CACHE: &str = "Cache";
const NETWORK: &str = "Network";
const GROUPS: &str = "Groups";

/// The order of a help page: summary, details, usage, flags, examples.
pub(super) const HELP_TEMPLATE: &str =
    "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";
/// Lines of help are no longer than this, however wide the terminal is.
pub(super) const HELP_WIDTH: usize = 80;
/// How to load the completion scripts.
const HOW_TO_COMPLETE: &str = "\
`kubectl login <TAB>` needs none of this: it works if kubectl's own
completion is loaded and kubectl_complete-login is on the PATH, where
install.sh puts it. The script completes the program's own names,
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

/// Sign in to Kubernetes clusters and get tokens for kubectl
#[derive(Parser)]
#[command(name = "kubectl-login", version, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(before_help = "Without a command: sign in for the current context of the kubeconfig, or for\n\
                   CONTEXT. After that, kubectl and other clients get their tokens by running\n\
                   get-token, as the kubeconfig says; it prompts only if a sign-in is needed.")]
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
    /// Print an ExecCredential: the command of a kubeconfig's exec entry
    #[command(args_override_self = true)]
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
    GetToken(Box<GetTokenArgs>),
    /// Show stored sessions: account, issuer, expiry, contexts
    #[command(before_help = "Reads files on this machine only: no network, and nothing is unlocked.")]
    #[command(after_help = "Examples:\n  \
                            kubectl login status\n  \
                            kubectl login status -o json")]
    Status(StatusArgs),
    /// Show who you are to the cluster, and all your groups
    #[command(before_help = "Shows who you are according to the token of the current context or of CONTEXT,\n\
                             and according to the cluster. It never prompts.")]
    #[command(after_help = "Examples:\n  \
                            kubectl login whoami\n  \
                            kubectl login whoami prod --groups --names\n  \
                            kubectl login whoami --explain list pods -n dev\n  \
                            kubectl login whoami -o json")]
    Whoami(Box<WhoamiArgs>),
    /// Check everything between you and the cluster
    #[command(before_help = "Checks the kubeconfig, this machine, the issuer, the session and the cluster\n\
                             of the current context or of CONTEXT, and says what is wrong and what to do.\n\
                             It never prompts, and its output contains no secrets.")]
    #[command(after_help = "Examples:\n  \
                            kubectl login doctor\n  \
                            kubectl login doctor prod\n  \
                            kubectl login doctor -o json")]
    Doctor(DoctorArgs),
    /// Log out: forget a session, and revoke it if possible
    #[command(before_help = "Forgets the session of the current context, of CONTEXT or of an account, or all\n\
                             sessions. Contexts that share a session lose it together.")]
    #[command(after_help = "Examples:\n  \
                            kubectl login logout\n  \
                            kubectl login logout prod\n  \
                            kubectl login logout --account alice@contoso.example\n  \
                            kubectl login logout --all")]
    Logout(LogoutArgs),
    /// Rewrite kubeconfig users to this plugin (not supported yet)
    #[command(hide = true)]
    ConvertKubeconfig(UnsupportedArgs),
    /// Set a kubeconfig up for an OpenID Connect issuer (not supported yet)
    #[command(hide = true)]
    Setup(UnsupportedArgs),
    /// List AKS clusters and get their credentials (not supported yet)
    #[command(hide = true)]
    Aks(UnsupportedArgs),
    /// Print the completion script for a shell
    Completion(CompletionArgs),
    /// Print the version
    #[command(hide = true)]
    Version,
    /// Forget everything in a folder and remove it, like Azure/kubelogin's command of this name
    #[command(hide = true, args_override_self = true)]
    RemoveCacheDir(CleanArgs),
    /// Forget everything in a folder and remove it: the older name of remove-cache-dir
    #[command(hide = true, args_override_self = true)]
    RemoveTokens(CleanArgs),
    /// Forget everything in a folder and remove it, like int128/kubelogin's command of this name
    #[command(hide = true, args_override_self = true)]
    Clean(CleanArgs),
}

/// The arguments of a command that does not exist yet.
#[derive(Args)]
pub(super) struct UnsupportedArgs {
    /// Its arguments
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(super) words: Vec<String>,
}

/// Which kubeconfig entry to use, with kubectl's own flag names.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct EntryArgs {
    /// Context of the kubeconfig (default: the current one)
    #[arg(value_name = "CONTEXT", conflicts_with = "context")]
    positional: Option<String>,
    /// The same, even if it has the name of a command
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Kubeconfig (default: $KUBECONFIG, else ~/.kube/config)
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// User of the kubeconfig, instead of the context's
    #[arg(long, value_name = "NAME")]
    pub(super) user: Option<String>,
    /// The word for the context may be a mistyped command: it is where a command can be.
    #[arg(skip)]
    pub(super) may_be_command: bool,
}

impl EntryArgs {
    /// The context that was named, in either way.
    pub(super) fn context(&self) -> Option<&str> {
        self.positional.as_deref().or(self.context.as_deref())
    }

    /// The context that was named, if a command may have been meant.
    pub(super) fn command_or_context(&self) -> Option<&str> {
        self.positional.as_deref().filter(|_| self.may_be_command)
    }
}

#[derive(Args)]
pub(super) struct LoginArgs {
    #[command(flatten)]
    pub(super) entry: EntryArgs,
    /// Sign in again even if there is a session
    #[arg(long, conflicts_with = "refresh")]
    pub(super) force: bool,
    /// Refresh the token even if the cached one is valid
    #[arg(long)]
    pub(super) refresh: bool,
    /// Claims challenge for the new token: JSON, or its base64
    #[arg(long, value_name = "CLAIMS")]
    pub(super) claims: Option<String>,
    #[command(flatten)]
    pub(super) method: MethodArgs,
    #[command(flatten)]
    pub(super) browser: BrowserArgs,
    #[command(flatten)]
    pub(super) look_up: GroupsArgs,
    /// Whether to prompt: auto (not if $CI is set), always, never
    #[arg(long, help_heading = PROMPTS, value_name = "WHEN", hide_possible_values = true)]
    pub(super) prompt: Option<PromptMode>,
}

/// Another sign-in method than the entry's, for one sign-in; the session is the same.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct MethodArgs {
    /// Method for this sign-in only, at Entra: auto, interactive or devicecode
    #[arg(long, help_heading = PROMPTS, value_name = "METHOD", conflicts_with = "grant_type")]
    pub(super) login: Option<String>,
    /// Method for this sign-in only, at other issuers: auto, authcode, authcode-keyboard, device-code or password
    #[arg(long, help_heading = PROMPTS, value_name = "GRANT")]
    pub(super) grant_type: Option<String>,
}

/// How an address is opened.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BrowserArgs {
    /// Do not open a browser, only show the address
    #[arg(long, help_heading = PROMPTS, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) skip_open_browser: Option<bool>,
    /// Program that opens the address (default: $BROWSER, else the desktop's)
    #[arg(long, help_heading = PROMPTS, value_name = "PROGRAM")]
    pub(super) browser_command: Option<String>,
}

#[derive(Args)]
pub(super) struct StatusArgs {
    /// Output format: table, json or yaml
    #[arg(short = 'o', long, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    pub(super) output: OutputFormat,
    /// Kubeconfig (default: $KUBECONFIG, else ~/.kube/config)
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// Folder to read (default: the usual one and those in the kubeconfig)
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
    /// Forget everything, including the key
    #[arg(long)]
    pub(super) all: bool,
    /// Folder to read (default: the entry's; with --account or --all, those of status)
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

/// The shells that there is a script for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
    #[value(name = "powershell", alias = "pwsh")]
    Pwsh,
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputFormat {
    /// For people
    Table,
    /// One JSON object
    Json,
    /// The same as YAML
    Yaml,
}

/// Where to look up groups that a token does not list, for one command.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct GroupsArgs {
    /// Client that may read groups in Microsoft Graph, if the entry's may not
    #[arg(long, help_heading = GROUPS, value_name = "ID")]
    graph_client_id: Option<String>,
    /// Claim that lists the groups, at other issuers than Entra (default: groups)
    #[arg(long, help_heading = GROUPS, value_name = "CLAIM")]
    groups_claim: Option<String>,
}

impl GroupsArgs {
    /// Flags win over the entry.
    pub(super) fn apply(&self, profile: &mut Profile) {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        profile.groups.graph_client = given(&self.graph_client_id).or(profile.groups.graph_client.take());
        if let Some(claim) = given(&self.groups_claim) {
            profile.groups.claim = claim;
        }
    }
}

#[derive(Args)]
pub(super) struct WhoamiArgs {
    #[command(flatten)]
    pub(super) entry: EntryArgs,
    /// List all groups, including those beyond the 200 that a token can list
    #[arg(long)]
    pub(super) groups: bool,
    /// List the groups with their names
    #[arg(long)]
    pub(super) names: bool,
    /// List the groups with this text in their id or name
    #[arg(long, value_name = "TEXT")]
    pub(super) filter: Option<String>,
    /// Say why something is allowed or not, such as: --explain list pods
    #[arg(long, num_args = 2, value_names = ["VERB", "RESOURCE"])]
    pub(super) explain: Vec<String>,
    /// Subresource to explain, such as log or scale
    #[arg(long, value_name = "NAME", requires = "explain")]
    pub(super) subresource: Option<String>,
    /// Namespace for --explain (default: the context's)
    #[arg(short = 'n', long, value_name = "NAME", requires = "explain")]
    pub(super) namespace: Option<String>,
    /// Explain it for all namespaces
    #[arg(short = 'A', long, requires = "explain", conflicts_with = "namespace")]
    pub(super) all_namespaces: bool,
    /// Refresh the token, and look up the groups again
    #[arg(long)]
    pub(super) refresh: bool,
    #[command(flatten)]
    pub(super) look_up: GroupsArgs,
    /// Output format: table, json or yaml
    #[arg(short = 'o', long, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    pub(super) output: OutputFormat,
}

#[derive(Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    pub(super) entry: EntryArgs,
    /// Output format: table, json or yaml
    #[arg(short = 'o', long, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    pub(super) output: OutputFormat,
}
