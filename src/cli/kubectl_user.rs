//! What kubectl makes of a kubeconfig user that holds more than this plugin, or something else: whether it runs the
//! plugin, and what it sends to the API server.

use kubectl_login::messages::kube as messages;
use kubectl_login::messages::{ErrorMessage, Result};
use kubectl_login_core::kube::api::ApiError;
use kubectl_login_core::kube::api_credentials::ApiCredentials;
use kubectl_login_core::kube::kubeconfig::{CredentialKind, Entry, SetField};
use kubectl_login_core::secret::Secret;
use kubectl_login_core::text::printable;

/// Why kubectl does not send what the user's plugin prints, or not in its name: an error for each reason, with what to
/// delete. Empty for a user that has an exec plugin and nothing else.
pub(super) fn overrides(entry: &Entry) -> Vec<ErrorMessage> {
    let credentials = &entry.credentials;
    let user = printable(&entry.user, 100);
    let instead = credentials.instead_of_plugin();
    let acts_as = credentials.impersonating();
    if let Some(reason) = credentials.conflict(entry.exec.is_some()) {
        let keys = if entry.exec.is_some() { [instead, acts_as].concat() } else { credentials.fields.clone() };
        let next = if entry.exec.is_some() {
            delete(entry, &keys)
        } else {
            format!("Correct {} of the user {user:?} in {}.", named(&keys), file(entry))
        };
        return vec![ErrorMessage::failed(format!("kubectl refuses the user {user:?}: {reason}"), next)];
    }
    let mut all = Vec::new();
    if entry.exec.is_some() && !instead.is_empty() {
        let what = format!("kubectl does not run the plugin of the user {user:?}: it uses {} instead", named(&instead));
        all.push(ErrorMessage::failed(what, delete(entry, &instead)));
    }
    if let Some(other) = &credentials.impersonation.user
        && entry.exec.is_some()
    {
        let what = format!(
            "kubectl acts as {:?} for the user {user:?}, and not as you: {}",
            printable(other, 100),
            named(&acts_as)
        );
        all.push(ErrorMessage::failed(what, delete(entry, &acts_as)));
    }
    all
}

/// Whether kubectl sends what the user's plugin prints.
pub(super) fn sends_plugins_token(entry: &Entry) -> bool {
    entry.exec.is_some() && entry.credentials.kind() == CredentialKind::None
}

/// The same, and not in the name of another user.
pub(super) fn sends_plugins_token_as_it_is(entry: &Entry) -> bool {
    sends_plugins_token(entry) && entry.credentials.impersonating().is_empty()
}

/// What kubectl sends to the API server; `token` is the plugin's, where it is known. `None` if that is not known here:
/// a plugin's or an auth-provider's token that was not asked for; and if kubectl refuses what the user has beside `exec`.
///
/// Errors: a file that cannot be read or does not hold what it should.
pub(super) fn credentials(entry: &Entry, token: Option<&Secret>) -> Result<Option<ApiCredentials>> {
    let is_known = match entry.credentials.kind() {
        _ if entry.exec.is_some() && entry.credentials.conflict(true).is_some() => false,
        CredentialKind::None => token.is_some() && entry.exec.is_some(),
        CredentialKind::AuthProvider => false,
        _ => true,
    };
    let credentials = is_known.then(|| ApiCredentials::from_user(&entry.credentials, token)).transpose();
    credentials.map_err(|error| messages::credential_error(&error))
}

/// What kubectl sends, for `… by …`.
pub(super) fn sent(entry: &Entry) -> &'static str {
    match entry.credentials.kind() {
        CredentialKind::Certificate => "the client certificate",
        CredentialKind::Password => "the user name and password",
        _ if sends_plugins_token(entry) => "the token",
        _ => "the kubeconfig's token",
    }
}

/// The error for an API server that refuses what kubectl sends, or the impersonation; `None` if it does neither.
pub(super) fn refusal(entry: &Entry, failure: &ApiError) -> Option<ErrorMessage> {
    const NEW_ONE: &str = "Ask the cluster's administrator for a new kubeconfig";
    let instead = entry.credentials.instead_of_plugin();
    let next = match (failure, entry.credentials.kind(), &entry.credentials.impersonation.user) {
        (ApiError::Unauthorized, ..) if entry.exec.is_some() && !instead.is_empty() => delete(entry, &instead),
        (ApiError::Unauthorized, CredentialKind::Certificate, _) => format!(
            "{NEW_ONE}: the certificate may have expired, or been replaced.\n\
             AKS accepts none while local accounts are disabled. To sign in with Entra ID there: az aks get-credentials --resource-group GROUP --name CLUSTER --overwrite-existing"
        ),
        (ApiError::Unauthorized, ..) if sends_plugins_token(entry) => return None,
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
    Some(ErrorMessage::failed(format!("the cluster does not accept {} (HTTP 401)", sent(entry)), next))
}

/// What kubectl signs in with, such as `a token (tokenFile, line 9)`.
pub(super) fn described(entry: &Entry) -> String {
    let kind = if sends_plugins_token(entry) { CredentialKind::Plugin } else { entry.credentials.kind() };
    let keys = entry.credentials.instead_of_plugin();
    if keys.is_empty() { kind.noun().to_owned() } else { format!("{}: {}", kind.noun(), named(&keys)) }
}

fn delete(entry: &Entry, keys: &[SetField]) -> String {
    format!("Delete {} from the user {:?} in {}.", named(keys), printable(&entry.user, 100), file(entry))
}

/// Keys with their lines: `token (line 9) and as (line 10)`.
fn named(keys: &[SetField]) -> String {
    let one = |set: &SetField| match set.line {
        Some(line) => format!("{} (line {line})", set.field),
        None => set.field.to_string(),
    };
    let names: Vec<String> = keys.iter().map(one).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

fn file(entry: &Entry) -> String {
    printable(&entry.file.to_string_lossy(), 200)
}
