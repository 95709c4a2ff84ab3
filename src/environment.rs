//! Every environment variable that this program reads, in one place, and a snapshot of them.
//!
//! The rest of the program reads the snapshot and not the environment of the process: `kubectl login` uses the settings of a
//! kubeconfig entry, whose `exec.env` is added to the shell's environment. (Programs are looked up in the `PATH` of the
//! process.)

use std::collections::HashMap;
use std::ffi::OsString;

macro_rules! variables {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => {
        $( $(#[doc = $doc])+ pub const $name: &str = stringify!($name); )+
        /// Every variable with what it is for, in the order of this file.
        pub const ALL: &[(&str, &str)] = &[$((stringify!($name), concat!($($doc),+)),)+];
    };
}

variables! {
    /// ExecCredential request from kubectl and other clients (JSON); only its `apiVersion` and `spec.cluster.server` are used.
    /// Without a version in it, the version of the kubeconfig entry with this command and these arguments is used.
    KUBERNETES_EXEC_INFO;
    /// List of kubeconfig files, as for kubectl.
    KUBECONFIG;
    /// File with kubectl's preferences, which may limit the plugins that it runs; `off` for none. Only `doctor` reads it.
    KUBERC;
    /// `false`: kubectl reads no preferences.
    KUBECTL_KUBERC;
    /// kubectl's cache folder; if set, everything is stored in `kubectl-login` in it.
    KUBECACHEDIR;
    /// `auto`, `always` or `never`: whether a user may be prompted to sign in; `--prompt` overrides it.
    KUBECTL_LOGIN_PROMPT;
    /// Sign-in method (Entra); overrides `--login`.
    AAD_LOGIN_METHOD;
    /// Application id (Entra); older name of `AZURE_CLIENT_ID`, which overrides it.
    AAD_SERVICE_PRINCIPAL_CLIENT_ID;
    /// Application id (Entra); `--client-id` overrides it.
    AZURE_CLIENT_ID;
    /// Tenant (Entra); `--tenant-id` overrides it.
    AZURE_TENANT_ID;
    /// Application id (Entra) instead of `AZURE_CLIENT_ID`, with `--use-azurerm-env-vars`.
    ARM_CLIENT_ID;
    /// Tenant (Entra) instead of `AZURE_TENANT_ID`, with `--use-azurerm-env-vars`.
    ARM_TENANT_ID;
    /// Network time limit (Entra), a Go duration such as `90s`; `--timeout` overrides it for interactive methods.
    AZURE_CLI_TIMEOUT;
    /// JSON file that describes the cloud of `--environment AzureStackCloud`.
    AZURE_ENVIRONMENT_FILEPATH;
    /// Folder for state that survives a reboot (XDG base directories).
    XDG_STATE_HOME;
    /// Folder for locks if the state folder cannot be written (XDG base directories).
    XDG_RUNTIME_DIR;
    /// Home folder; if unset, the one in the user database.
    HOME;
    /// PEM file with certificate authorities to trust.
    SSL_CERT_FILE;
    /// Folders with certificate authorities to trust, as a list like `PATH`.
    SSL_CERT_DIR;
    /// Proxy for https requests (`http`, `https`, `socks5` or `socks5h`); never used for loopback addresses.
    HTTPS_PROXY;
    /// Proxy for http requests; never used for loopback addresses.
    HTTP_PROXY;
    /// Proxy if the variable for the scheme is unset.
    ALL_PROXY;
    /// Hosts that are reached without a proxy: names with their subdomains, `*.example`, addresses, `10.0.0.0/8`, each with a port or without, or `*`.
    NO_PROXY;
    /// Set in a CGI program: `HTTP_PROXY` is then ignored.
    REQUEST_METHOD;
    /// X11 display: a sign that the user sits in front of a desktop.
    DISPLAY;
    /// Wayland display: a sign that the user sits in front of a desktop.
    WAYLAND_DISPLAY;
    /// Set under WSL: pages are opened in Windows' browser.
    WSL_DISTRO_NAME;
    /// Set in an SSH session: no browser is opened there, unless `--browser-command` names one.
    SSH_CONNECTION;
    /// Set in an SSH session with a terminal; the same.
    SSH_TTY;
    /// Programs that open a page, separated as in `PATH`, tried before the desktop's own; each gets the address as its only argument.
    BROWSER;
    /// Set in a terminal of Visual Studio Code: `BROWSER` is then used over SSH and without a display too.
    VSCODE_IPC_HOOK_CLI;
    /// Terminal type; `dumb` or unset: no colours, no countdown, no QR code.
    TERM;
    /// Set by Windows Terminal, which does not set `TERM` but supports colours.
    WT_SESSION;
    /// Set to anything: no colours.
    NO_COLOR;
    /// Locale; a QR code is shown only if its character set is UTF-8.
    LC_ALL;
    /// The same, if `LC_ALL` is unset.
    LC_CTYPE;
    /// The same, if `LC_CTYPE` is unset too.
    LANG;
    /// Set by tmux: the code is copied to its clipboard, whatever terminal `TERM` names.
    TMUX;
    /// Set by most build systems: no sign-in prompts there.
    CI;
    /// Set by GitHub Actions: no sign-in prompts there.
    GITHUB_ACTIONS;
    /// Set by Azure Pipelines: no sign-in prompts there.
    TF_BUILD;
    /// Set by GitLab: no sign-in prompts there.
    GITLAB_CI;
    /// Set by Jenkins: no sign-in prompts there.
    JENKINS_URL;
    /// Set by Buildkite: no sign-in prompts there.
    BUILDKITE;
    /// Set by TeamCity: no sign-in prompts there.
    TEAMCITY_VERSION;
    /// Set by AWS CodeBuild: no sign-in prompts there.
    CODEBUILD_BUILD_ID;
}

/// The variables that mean that a build system runs this program, not a user.
pub const CI_VARIABLES: &[&str] =
    &[CI, GITHUB_ACTIONS, TF_BUILD, GITLAB_CI, JENKINS_URL, BUILDKITE, TEAMCITY_VERSION, CODEBUILD_BUILD_ID];

/// The variables that a kubeconfig entry may set with `exec.env` for the commands that read entries themselves (`kubectl
/// login`, `doctor`, `whoami`, `status`, `logout`): they choose the session, how its issuer is reached, and the state folder.
/// The author of an entry must not choose the user's browser, desktop, terminal, programs or folders.
pub const ALLOWED_IN_ENTRIES: &[&str] = &[
    KUBECACHEDIR,
    KUBECTL_LOGIN_PROMPT,
    AAD_LOGIN_METHOD,
    AAD_SERVICE_PRINCIPAL_CLIENT_ID,
    AZURE_CLIENT_ID,
    AZURE_TENANT_ID,
    ARM_CLIENT_ID,
    ARM_TENANT_ID,
    AZURE_CLI_TIMEOUT,
    AZURE_ENVIRONMENT_FILEPATH,
    XDG_STATE_HOME,
    SSL_CERT_FILE,
    SSL_CERT_DIR,
    HTTPS_PROXY,
    HTTP_PROXY,
    ALL_PROXY,
    NO_PROXY,
];

/// Variables that no child process gets: secrets for tools like this one, and the request from kubectl.
pub const NOT_FOR_CHILDREN: &[&str] = &[
    KUBERNETES_EXEC_INFO,
    "AAD_SERVICE_PRINCIPAL_CLIENT_SECRET",
    "AAD_SERVICE_PRINCIPAL_CLIENT_CERTIFICATE_PASSWORD",
    "AAD_USER_PRINCIPAL_PASSWORD",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ARM_CLIENT_CERTIFICATE_PASSWORD",
    "ARM_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_CLIENT_SECRET",
    "AZURE_PASSWORD",
    "SYSTEM_ACCESSTOKEN",
];

/// A snapshot of the environment.
#[derive(Clone, Default)]
pub struct Environment(HashMap<OsString, OsString>);

impl Environment {
    /// The environment of this process.
    pub fn from_process() -> Self {
        Environment(std::env::vars_os().collect())
    }

    /// This environment with `variables` on top.
    pub fn with(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.0.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// This environment with the `exec.env` of a kubeconfig entry on top, as far as an entry may set it ([`ALLOWED_IN_ENTRIES`]).
    pub fn with_entry(self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        // Proxies have names in lower case too, and Windows has all names in any.
        self.with(
            variables
                .into_iter()
                .filter(|(name, _)| ALLOWED_IN_ENTRIES.iter().any(|own| own.eq_ignore_ascii_case(name))),
        )
    }

    /// The value of `name` as text. An empty variable counts as unset, and so does one that is not Unicode.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_os(name).and_then(|value| value.to_str())
    }

    /// The value of `name` as the platform's string, for paths. An empty variable counts as unset.
    pub fn get_os(&self, name: &str) -> Option<&OsString> {
        self.0.get(std::ffi::OsStr::new(name)).filter(|value| !value.is_empty())
    }

    /// Every variable with its value, by name.
    pub fn sorted(&self) -> Vec<(&OsString, &OsString)> {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort();
        all
    }

    /// The CI variable that is set, if any. `CI=false` and `CI=0` count as unset.
    pub fn ci(&self) -> Option<&'static str> {
        CI_VARIABLES
            .iter()
            .copied()
            .find(|name| self.get_os(name).is_some_and(|value| !value.eq_ignore_ascii_case("false") && value != "0"))
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Environment(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_variable_counts_as_unset() {
        let environment = Environment::from_iter([("AZURE_CLIENT_ID", ""), ("CI", "")]);
        assert_eq!(environment.get(AZURE_CLIENT_ID), None);
        assert_eq!(environment.ci(), None);
    }

    #[test]
    fn entry_sets_only_allowed_variables() {
        let variables =
            ["BROWSER", "PATH", "LD_PRELOAD", "DISPLAY", "HOME", "CI", "SSH_TTY", "AZURE_CLIENT_ID", "https_proxy"];
        let environment = Environment::default().with_entry(variables.map(|name| (name.to_owned(), "x".to_owned())));
        let set: Vec<&str> = variables.into_iter().filter(|name| environment.get(name).is_some()).collect();
        assert_eq!(set, ["AZURE_CLIENT_ID", "https_proxy"]);
    }

    #[test]
    fn ci_set_to_false_counts_as_unset() {
        assert_eq!(Environment::from_iter([("CI", "false")]).ci(), None);
        assert_eq!(Environment::from_iter([("CI", "false"), ("TF_BUILD", "True")]).ci(), Some("TF_BUILD"));
    }
}
