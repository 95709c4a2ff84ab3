//! A request for tokens that failed, and what it was for.

use serde::{Deserialize, Serialize};

use kubectl_login_core::entra::error_details::EntraErrorDetails;
use kubectl_login_core::entra::refusals::{self, Refusal, Remedy};
use kubectl_login_core::oauth::client::TokenRequestError;

use super::Failure;

/// A request for tokens that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("the request for tokens failed")]
pub struct RequestFailure {
    /// How.
    #[source]
    pub error: TokenRequestError,
    /// What it was for.
    pub phase: RequestPhase,
}

/// What a request for tokens was for, with what is known then about the ways out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestPhase {
    /// To redeem an authorization code.
    SignIn,
    /// To begin or to complete a sign-in with a device code.
    DeviceCode,
    /// To sign in on the issuer's page, which answered through the browser.
    Page {
        /// Whether PKCE was used although the issuer's discovery document does not mention it.
        pkce_is_a_guess: bool,
    },
    /// To sign in with a user name and a password.
    Password,
    /// To revoke a refresh token.
    Revocation,
    /// To refresh a token.
    Refresh {
        /// Whether the session began with a device code of Entra ID.
        began_with_code: bool,
        /// Whether the next sign-in would be one with a device code.
        would_show_code: bool,
        /// Whether the user forced the refresh.
        is_forced: bool,
    },
}

impl RequestFailure {
    /// A request of this phase that failed. Of an error object only what is needed later is kept.
    pub fn new(error: TokenRequestError, phase: RequestPhase) -> RequestFailure {
        RequestFailure { error: without_unknown_members(error), phase }
    }

    /// What lets the next request succeed.
    pub fn remedy(&self) -> Remedy {
        match (&self.error, self.phase) {
            (TokenRequestError::Refused(answer), RequestPhase::Refresh { would_show_code, .. })
                if refusals::is_tracked(answer) =>
            {
                // With another code the same would happen.
                if would_show_code { Remedy::PolicyChange } else { Remedy::SignIn }
            }
            (TokenRequestError::Refused(answer), _) => refusals::remedy_of(answer),
            (_, RequestPhase::Refresh { .. }) if self.is_refused_without_reason() => Remedy::SignIn,
            _ => Remedy::Other,
        }
    }

    /// Whether the server refused the request (HTTP 400 or 401) without an error object.
    pub fn is_refused_without_reason(&self) -> bool {
        match &self.error {
            TokenRequestError::NotOAuth(response) | TokenRequestError::Malformed(response) => response.is_refusal(),
            TokenRequestError::Transport(_) | TokenRequestError::Refused(_) => false,
        }
    }

    /// The kind of refusal, if the issuer refused the request with an error object.
    pub fn refusal(&self) -> Option<Refusal> {
        refusal(&self.error)
    }

    /// Whether both have the same reason: an issuer's ids and times differ from one response to the next.
    pub(super) fn has_same_reason_as(&self, other: &RequestFailure) -> bool {
        match (&self.error, &other.error) {
            (TokenRequestError::Refused(one), TokenRequestError::Refused(two)) => {
                let reason = |answer| {
                    let details = EntraErrorDetails(answer);
                    (
                        answer.error.clone(),
                        details.description(),
                        details.numbers(),
                        details.suberror().map(str::to_owned),
                    )
                };
                reason(one) == reason(two)
            }
            _ => self.error == other.error,
        }
    }
}

/// The error with only those members of an error object that this program reads.
pub(crate) fn without_unknown_members(error: TokenRequestError) -> TokenRequestError {
    match error {
        TokenRequestError::Refused(answer) => {
            TokenRequestError::Refused(Box::new(answer.restricted_to(&EntraErrorDetails::MEMBERS)))
        }
        other => other,
    }
}

/// The kind of refusal, if the issuer refused a request with an error object.
pub(super) fn refusal(error: &TokenRequestError) -> Option<Refusal> {
    match error {
        TokenRequestError::Refused(answer) => Some(refusals::refusal_of(answer)),
        _ => None,
    }
}

impl From<RequestFailure> for Failure {
    fn from(failure: RequestFailure) -> Failure {
        Failure::Request(Box::new(failure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubectl_login_core::oauth::error_response::{GrantType, OAuthErrorResponse};

    #[test]
    fn unknown_and_long_members_are_not_kept() {
        let body = format!(
            r#"{{"error":"mfa_required","mfa_token":"secret","suberror":"basic_action","claims":"{}","correlation_id":"c"}}"#,
            "x".repeat(10_000)
        );
        let answer = OAuthErrorResponse::from_json(body.as_bytes(), GrantType::Password, 403).expect("an error object");
        let error = TokenRequestError::Refused(Box::new(answer));
        let failure = RequestFailure::new(error, RequestPhase::Password);
        let stored = serde_json::to_string(&failure).expect("JSON");
        assert!(!stored.contains("secret") && !stored.contains("xxx"), "{stored}");
        assert!(stored.contains("basic_action") && stored.contains("correlation_id"), "{stored}");
    }
}
