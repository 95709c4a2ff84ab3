//! Keeps a child process away from the machine it runs on: no real sign-in, keyring, kubeconfig or CI switch is seen.

use std::path::Path;
use std::process::Command;

/// Whole families of variables that steer this plugin, the two it stands in for, or kubectl.
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

/// Gives a command a home of its own, and takes away every variable that could reach outside of it.
///
/// The folders `state`, `config` and `run` under `home` are named to it; they are for the caller to create or not.
pub fn isolate<'a>(command: &'a mut Command, home: &Path) -> &'a mut Command {
    for (name, _) in std::env::vars_os() {
        // Windows has variables in any case, and so have proxies everywhere.
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
