//! Kubeconfig users that have other credentials than this plugin, or additional ones: whether kubectl runs the plugin, and
//! what it sends to the API server.

use kubectl_login::messages::kube as messages;
use kubectl_login::messages::kubeconfig_user::{self, CredentialOverride};
use kubectl_login::messages::{ErrorMessage, Result};
use kubectl_login_core::kube::api::ApiError;
use kubectl_login_core::kube::api_credentials::ApiCredentials;
use kubectl_login_core::kube::kubeconfig::{CredentialKind, Entry};
use kubectl_login_core::secret::Secret;

/// Why kubectl does not send what the user's plugin prints, or not in its name: an error for each reason, with what to
/// delete. Empty for a user that has an exec plugin and nothing else.
pub(super) fn overrides(entry: &Entry) -> Vec<ErrorMessage> {
    reasons(entry).iter().map(|reason| kubeconfig_user::override_error(entry, reason)).collect()
}

fn reasons(entry: &Entry) -> Vec<CredentialOverride> {
    let credentials = &entry.credentials;
    let (instead, acts_as) = (credentials.instead_of_plugin(), credentials.impersonating());
    let has_plugin = entry.exec.is_some();
    if let Some(conflict) = credentials.conflict(has_plugin) {
        let fields = if has_plugin { [instead, acts_as].concat() } else { credentials.fields.clone() };
        return vec![CredentialOverride::Conflict(conflict, fields)];
    }
    if !has_plugin {
        return Vec::new();
    }
    let not_run = (!instead.is_empty()).then_some(CredentialOverride::NotRun(instead));
    let other = credentials.impersonation.user.clone();
    not_run.into_iter().chain(other.map(|other| CredentialOverride::ActsAs(other, acts_as))).collect()
}

/// Whether kubectl sends what the user's plugin prints.
pub(super) fn sends_plugins_token(entry: &Entry) -> bool {
    entry.exec.is_some() && entry.credentials.kind() == CredentialKind::None
}

/// The same, without acting as another user.
pub(super) fn sends_plugins_token_as_it_is(entry: &Entry) -> bool {
    sends_plugins_token(entry) && entry.credentials.impersonating().is_empty()
}

/// What kubectl sends to the API server; `token` is the plugin's, if it is known. `None` if that is not known here: it is
/// the token of a plugin or an auth-provider that was not asked; or kubectl refuses the user's credentials besides `exec`.
///
/// Errors: a file cannot be read, or does not contain what it should.
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

/// What kubectl sends, to follow "by".
pub(super) fn sent(entry: &Entry) -> &'static str {
    kubeconfig_user::sent(entry, sends_plugins_token(entry))
}

/// The error for an API server that refuses what kubectl sends, or the impersonation; `None` if it does neither.
pub(super) fn refusal(entry: &Entry, error: &ApiError) -> Option<ErrorMessage> {
    kubeconfig_user::kubectl_refusal(entry, error, sends_plugins_token(entry))
}

/// What kubectl signs in with, such as `a token (tokenFile, line 9)`.
pub(super) fn described(entry: &Entry) -> String {
    let kind = if sends_plugins_token(entry) { CredentialKind::Plugin } else { entry.credentials.kind() };
    let fields = entry.credentials.instead_of_plugin();
    if fields.is_empty() {
        kind.noun().to_owned()
    } else {
        format!("{}: {}", kind.noun(), kubeconfig_user::listed(&fields))
    }
}
