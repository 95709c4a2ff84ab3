//! Flags of the two peers that are accepted so that their kubeconfigs work as they are, and change nothing here (yet).

use clap::{Arg, ArgAction, Command, value_parser};

use super::args::{ENTRA, OIDC, go_bool};

/// Flags with a value.
const WITH_VALUE: &[(Option<&str>, &str)] = &[
    (Some(ENTRA), "client-secret"),
    (Some(ENTRA), "client-certificate"),
    (Some(ENTRA), "client-certificate-password"),
    (Some(ENTRA), "subscription"),
    (Some(ENTRA), "identity-resource-id"),
    (Some(ENTRA), "federated-token-file"),
    (Some(ENTRA), "azure-pipelines-service-connection-id"),
    (Some(ENTRA), "pop-claims"),
    (None, "vmodule"),
    (None, "alsologtostderrthreshold"),
    (None, "stderrthreshold"),
    (None, "log_dir"),
    (None, "log_file"),
    (None, "log_file_max_size"),
    (None, "log_backtrace_at"),
];

/// Flags that are on or off.
const SWITCHES: &[(Option<&str>, &str)] = &[
    (Some(ENTRA), "legacy"),
    (Some(ENTRA), "pop-enabled"),
    (Some(OIDC), "tls-renegotiation-once"),
    (Some(OIDC), "tls-renegotiation-freely"),
    (Some(OIDC), "force-keyring"),
    (Some(OIDC), "no-keyring"),
    (None, "logtostderr"),
    (None, "alsologtostderr"),
    (None, "legacy_stderr_threshold_behavior"),
    (None, "one_output"),
    (None, "skip_headers"),
    (None, "skip_log_headers"),
    (None, "add_dir_header"),
];

/// Switches that would change what is asked of the issuer; they are refused until they do.
pub(super) const NOT_YET: &[&str] = &["legacy", "pop-enabled"];

/// `command` with the peers' passive flags, hidden from help.
pub(super) fn add_passive_flags(command: Command) -> Command {
    let with_value = WITH_VALUE.iter().map(|(heading, name)| flag(heading, name).action(ArgAction::Append));
    let switches = SWITCHES.iter().map(|(heading, name)| {
        flag(heading, name).num_args(0..=1).require_equals(true).default_missing_value("true").value_parser(go_bool)
    });
    let command = command.args(with_value).args(switches);
    command.mut_arg("subscription", |arg| arg.short('s').value_parser(value_parser!(String)))
}

fn flag(heading: &Option<&'static str>, name: &'static str) -> Arg {
    let arg = Arg::new(name).long(name).hide(true);
    match heading {
        Some(heading) => arg.help_heading(*heading),
        None => arg,
    }
}
