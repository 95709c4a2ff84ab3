//! Kubeconfig users that do not sign in with this plugin, or not with it alone.

use std::path::Path;

use kubectl_login_core::kube::api::ApiError;
use kubectl_login_core::kube::kubeconfig::{
    CredentialConflict, CredentialKind, Entry, ExecConfig, KubeconfigError, SetField,
};
use kubectl_login_core::text::printable;

use super::ErrorMessage;

/// The command that writes an AKS cluster's entry anew.
pub const NEW_AKS_ENTRY: &str = "az aks get-credentials --resource-group GROUP --name CLUSTER --overwrite-existing";
/// What can be done about an entry of another plugin, or of none.
const SIGN_IN_ELSEWHERE: &str = "To sign in somewhere else: kubectl login CONTEXT\n\
                                 To have this plugin sign in for that user, make kubectl-login the command of its exec entry. \
                                 For the arguments: kubectl login get-token --help";

/// The error for arguments of `entry` that this plugin does not understand. They may hold secrets, so only the `kind` of
/// the error is named, if it has a name.
pub fn unreadable_arguments(entry: &Entry, kind: Option<&str>) -> ErrorMessage {
    ErrorMessage::usage(
        format!(
            "the arguments of the kubeconfig user {:?} make no sense: {}",
            printable(&entry.user, 100),
            kind.unwrap_or("it cannot be read")
        ),
        format!("Check exec.args of that user in {}.", file(entry)),
    )
}

/// The error for a user without an exec plugin, which `error` says. `doctor` is the command that checks the entry.
pub fn no_plugin(entry: &Entry, error: &KubeconfigError, doctor: &str) -> ErrorMessage {
    let first = match (entry.credentials.kind(), &entry.credentials.auth_provider) {
        (CredentialKind::AuthProvider, Some(name)) => {
            if let Some(removed) = refused_auth_provider(name) {
                return removed;
            }
            "Use kubectl as it is: it signs in with the auth-provider by itself.".to_owned()
        }
        (CredentialKind::None, _) => return ErrorMessage::failed(error.to_string(), SIGN_IN_ELSEWHERE),
        // Whether the cluster accepts it is not known here: AKS, for one, can refuse every client certificate.
        _ => format!("kubectl uses that by itself. To check whether the cluster accepts it: {doctor}"),
    };
    ErrorMessage::failed(error.to_string(), format!("{first}\n{SIGN_IN_ELSEWHERE}"))
}

/// What the command of an exec entry is, if it is not this plugin's `get-token`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherCommand {
    /// A script that mentions this plugin.
    Wrapper,
    /// This program, without `get-token`.
    ThisProgram,
    /// Another program.
    Program,
    /// Nothing that can be run.
    Missing,
}

/// The error for a user whose exec entry runs something else. `doctor` is the command that checks the entry.
pub fn other_plugin(entry: &Entry, exec: &ExecConfig, command: OtherCommand, doctor: &str) -> ErrorMessage {
    let (user, name) = (printable(&entry.user, 100), printable(&exec.command, 100));
    let first = match command {
        OtherCommand::Wrapper => {
            format!("It is a script that mentions this plugin. Use kubectl as it is, or check the rest: {doctor}")
        }
        OtherCommand::ThisProgram => {
            return ErrorMessage::failed(
                format!("the kubeconfig user {user:?} runs this plugin without get-token"),
                format!("Put get-token first in exec.args of that user in {}.", file(entry)),
            );
        }
        OtherCommand::Program => "Use kubectl as it is: it runs that by itself when it needs a token.".to_owned(),
        OtherCommand::Missing => format!("Install {name:?}, or correct the command: kubectl cannot run it."),
    };
    ErrorMessage::failed(
        format!("the kubeconfig user {user:?} runs {name:?}, which is not this plugin"),
        format!("{first}\n{SIGN_IN_ELSEWHERE}"),
    )
}

/// The error for an auth-provider that kubectl refuses, with what replaces it; `None` for the one that it still has
/// (client-go's `plugin/pkg/client/auth`).
pub fn refused_auth_provider(name: &str) -> Option<ErrorMessage> {
    let removed = format!("kubectl has no auth-provider {:?} since version 1.26", printable(name, 60));
    match name {
        "oidc" => None,
        "azure" => {
            Some(ErrorMessage::failed(removed, format!("Get an entry that signs in with Entra ID: {NEW_AKS_ENTRY}")))
        }
        "gcp" => Some(ErrorMessage::failed(
            removed,
            "Install gke-gcloud-auth-plugin.\nThen get a new entry: gcloud container clusters get-credentials CLUSTER",
        )),
        _ => Some(ErrorMessage::failed(
            format!("kubectl has no auth-provider {:?}", printable(name, 60)),
            "Ask a cluster administrator for a new kubeconfig.",
        )),
    }
}

/// Why kubectl does not send what a user's plugin prints, or not in its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialOverride {
    /// kubectl refuses the user because of what stands in these fields.
    Conflict(CredentialConflict, Vec<SetField>),
    /// kubectl uses these fields and does not run the plugin.
    NotRun(Vec<SetField>),
    /// kubectl acts as this user, because of these fields.
    ActsAs(String, Vec<SetField>),
}

/// The error for that, with what to delete.
pub fn override_error(entry: &Entry, reason: &CredentialOverride) -> ErrorMessage {
    let user = printable(&entry.user, 100);
    let (what, fields) = match reason {
        CredentialOverride::Conflict(conflict, fields) => {
            let what = format!("kubectl refuses the user {user:?}: {conflict}");
            if entry.exec.is_none() {
                let next = format!("Correct {} of the user {user:?} in {}.", listed(fields), file(entry));
                return ErrorMessage::failed(what, next);
            }
            (what, fields)
        }
        CredentialOverride::NotRun(fields) => (
            format!("kubectl does not run the plugin of the user {user:?}: it uses {} instead", listed(fields)),
            fields,
        ),
        CredentialOverride::ActsAs(other, fields) => (
            format!(
                "kubectl acts as {:?} for the user {user:?}, and not as you: {}",
                printable(other, 100),
                listed(fields)
            ),
            fields,
        ),
    };
    ErrorMessage::failed(what, delete(entry, fields))
}

/// The error for an API server that refuses what kubectl sends, or the impersonation; `None` if it does neither.
/// `sends_plugins_token`: that is a plugin's token, which other errors are about.
pub fn kubectl_refusal(entry: &Entry, error: &ApiError, sends_plugins_token: bool) -> Option<ErrorMessage> {
    const NEW_ONE: &str = "Ask the cluster's administrator for a new kubeconfig";
    let instead = entry.credentials.instead_of_plugin();
    let next = match (error, entry.credentials.kind(), &entry.credentials.impersonation.user) {
        (ApiError::Unauthorized, ..) if entry.exec.is_some() && !instead.is_empty() => delete(entry, &instead),
        (ApiError::Unauthorized, CredentialKind::Certificate, _) => format!(
            "{NEW_ONE}: the certificate may have expired, or been replaced.\n\
             AKS accepts none while local accounts are disabled. To sign in with Entra ID there: {NEW_AKS_ENTRY}"
        ),
        (ApiError::Unauthorized, ..) if sends_plugins_token => return None,
        (ApiError::Unauthorized, ..) => format!("{NEW_ONE}."),
        (ApiError::Forbidden(said), _, Some(other)) => {
            return Some(ErrorMessage::failed(
                format!("the cluster does not let kubectl act as {:?}: {said}", printable(other, 100)),
                format!(
                    "{} Or ask a cluster administrator to allow it.",
                    delete(entry, &entry.credentials.impersonating())
                ),
            ));
        }
        _ => return None,
    };
    let sent = sent(entry, sends_plugins_token);
    Some(ErrorMessage::failed(format!("the cluster does not accept {sent} (HTTP 401)"), next))
}

/// What kubectl sends, to follow "by".
pub fn sent(entry: &Entry, sends_plugins_token: bool) -> &'static str {
    match entry.credentials.kind() {
        CredentialKind::Certificate => "the client certificate",
        CredentialKind::Password => "the user name and password",
        _ if sends_plugins_token => "the token",
        _ => "the kubeconfig's token",
    }
}

/// Fields with their lines: `token (line 9) and as (line 10)`.
pub fn listed(fields: &[SetField]) -> String {
    let one = |set: &SetField| match set.line {
        Some(line) => format!("{} (line {line})", set.field),
        None => set.field.to_string(),
    };
    let names: Vec<String> = fields.iter().map(one).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

fn delete(entry: &Entry, fields: &[SetField]) -> String {
    format!("Delete {} from the user {:?} in {}.", listed(fields), printable(&entry.user, 100), file(entry))
}

/// The file that defines the user.
fn file(entry: &Entry) -> String {
    shown(&entry.file)
}

fn shown(file: &Path) -> String {
    printable(&file.to_string_lossy(), 200)
}
