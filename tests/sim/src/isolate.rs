//! Isolates a child process from the machine: it sees no real session, keyring, kubeconfig or CI variable.

use std::path::Path;
use std::process::Command;

/// Prefixes of variables that affect this plugin, the two tools it replaces, or kubectl.
const PREFIXES: [&str; 9] = ["AZURE", "AAD_", "ARM_", "KUBE", "MSI_", "LC_", "SSH_", "VSCODE_", "WSL"];
const NAMES: [&str; 29] = [
    "CI",
    "GITHUB_ACTIONS",
    "GITHUB_TOKEN",
    "TF_BUILD",
    "GITLAB_CI",
    "BUILDKITE",
    "JENKINS_URL",
    "TEAMCITY_VERSION",
    "SYSTEM_OIDCREQUESTURI",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "IMDS_ENDPOINT",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "BROWSER",
    "TERM",
    "COLUMNS",
    "LINES",
    "TMUX",
    "NO_COLOR",
    "LANG",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
];

/// Gives a command its own home directory and removes each variable that could reach outside of it.
///
/// Variables point to the directories `state`, `config` and `run` in `home`; the caller may create them.
pub fn isolate<'a>(command: &'a mut Command, home: &Path) -> &'a mut Command {
    for (name, _) in std::env::vars_os() {
        // Names of variables are case-insensitive on Windows, and those of proxies everywhere.
        let upper = name.to_string_lossy().to_uppercase();
        if NAMES.contains(&upper.as_str()) || PREFIXES.iter().any(|prefix| upper.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
        .env("HOME", home)
        .env("USERPROFILE", home)
        .env("XDG_STATE_HOME", home.join("state"))
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_RUNTIME_DIR", home.join("run"))
}
