//! Requests for tokens that failed, for the user of a profile: with the ways out that this profile leaves.

use kubectl_login_core::entra::error_details::EntraErrorDetails;
use kubectl_login_core::entra::refusals::{self, Refusal};
use kubectl_login_core::oauth::client::TokenRequestError;
use kubectl_login_core::oauth::error_response::{OAuthErrorClass, OAuthErrorResponse};

use super::refusals::{advice, with_browser_first};
use super::step::Step;
use super::{ErrorMessage, ExitKind, Explain as _};
use crate::failure::{RequestFailure, RequestPhase};
use crate::profile::{Profile, Provider};

/// Another flow, at an issuer that has a page.
pub(super) const BY_BROWSER: &str = "Sign in in a browser instead: kubectl login --grant-type authcode";

/// A request for tokens that failed.
pub(super) fn request_failure(failure: &RequestFailure, profile: &Profile) -> ErrorMessage {
    let RequestFailure { error, phase } = failure;
    let purpose = match phase {
        RequestPhase::Refresh { .. } if failure.is_refused_without_reason() => {
            return ErrorMessage::sign_in_needed(
                format!("cannot refresh the token: the issuer refuses it without a reason ({error})"),
                advice(Refusal::SignInAgain).steps,
            );
        }
        RequestPhase::Refresh { .. } => "refresh the token",
        RequestPhase::Revocation => "revoke the session",
        _ => "sign in",
    };
    let mut message = token_request_error(error, profile, purpose);
    message.kind = ExitKind::from(failure.remedy());
    if let TokenRequestError::Refused(answer) = error {
        add_ways_out(&mut message, answer, *phase, profile);
    }
    message
}

/// Puts other ways to sign in before the advice for a refusal.
fn add_ways_out(message: &mut ErrorMessage, answer: &OAuthErrorResponse, phase: RequestPhase, profile: &Profile) {
    let is_entra = matches!(profile.provider, Provider::Entra { .. });
    let first = match phase {
        RequestPhase::DeviceCode if is_entra => return with_browser_first(answer, message),
        RequestPhase::DeviceCode if answer.error == "unauthorized_client" => BY_BROWSER.to_owned(),
        RequestPhase::Page { pkce_is_a_guess: true } if answer.error == "invalid_request" && !is_entra => {
            message.next += "\nIf the issuer knows no PKCE, add --oidc-pkce-method=no.";
            return;
        }
        RequestPhase::Password
            if matches!(answer.error.as_str(), "unsupported_grant_type" | "unauthorized_client")
                || EntraErrorDetails(answer).class() == OAuthErrorClass::InteractionRequired =>
        {
            "Sign in on the issuer's own page instead: kubectl login --grant-type authcode".to_owned()
        }
        RequestPhase::Refresh { is_forced, .. } if refusals::is_tracked(answer) => {
            message.next = without_code(profile, is_forced);
            return;
        }
        RequestPhase::Refresh { began_with_code: true, .. }
            if refusals::is_about_codes(answer) && message.kind != ExitKind::SignInNeeded =>
        {
            Step::SignInByBrowser { force: true }.to_string()
        }
        _ => return,
    };
    message.next = format!("{first}\n{}", message.next);
}

/// The way out for a session that was refused because it began with a device code. A forced refresh means that there may be
/// a valid token, which would be all that `kubectl login` brings.
pub(super) fn without_code(profile: &Profile, is_forced: bool) -> String {
    match profile.provider {
        Provider::Entra { .. } => Step::SignInByBrowser { force: is_forced }.to_string(),
        // Entra, by the flags for any issuer.
        Provider::Oidc { .. } => "Sign in by browser: kubectl login --force --grant-type authcode".to_owned(),
    }
}

/// A request for tokens that failed while the user of `profile` wanted `purpose`.
pub(super) fn token_request_error(error: &TokenRequestError, profile: &Profile, purpose: &str) -> ErrorMessage {
    let mut message = error.explain(purpose);
    let TokenRequestError::Refused(answer) = error else { return message };
    if lacks_a_secret(profile, answer) {
        message.next =
            "If this client has a secret, add it to the kubeconfig user's exec.args: --oidc-client-secret=SECRET\n\
             Otherwise check --oidc-client-id."
                .to_owned();
    }
    if let Provider::Entra { authority, tenant, .. } = &profile.provider
        && let Some(address) = refusals::consent_address(answer, authority, tenant, &profile.client_id)
    {
        message.next += &format!("\nAn administrator consents here: {address}");
    }
    message
}

/// Whether the issuer refuses the client as such (RFC 6749 5.2) while the profile has no client secret. Keycloak says
/// `unauthorized_client`, and speaks of credentials; Google refuses a type of client, which a secret does not change.
fn lacks_a_secret(profile: &Profile, answer: &OAuthErrorResponse) -> bool {
    let words = EntraErrorDetails(answer).description().to_lowercase();
    let is_about_the_client = match answer.error.as_str() {
        "invalid_client" => !words.contains("client type") && !words.contains("clients of type"),
        "unauthorized_client" => words.contains("credential") || words.contains("secret"),
        _ => false,
    };
    let is_oidc = matches!(profile.provider, Provider::Oidc { .. });
    is_oidc && profile.client_secret.is_none() && is_about_the_client && EntraErrorDetails(answer).numbers().is_empty()
}

/// What came instead of tokens, as a clause.
pub(super) fn reason(error: &TokenRequestError) -> String {
    match error {
        TokenRequestError::Refused(answer) => super::refusals::reason(answer),
        other => other.to_string(),
    }
}
