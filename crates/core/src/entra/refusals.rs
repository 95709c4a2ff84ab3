//! What an error of a token endpoint means: the kind of refusal, and what remedies it.
//!
//! `error`, `suberror` and `claims` decide (see [`EntraErrorDetails::class`]). AADSTS numbers refine that, and decide only where
//! nothing else tells: Microsoft may change them at any time.

pub mod catalogue;

use serde::{Deserialize, Serialize};
use url::Url;

use self::catalogue::{Meaning, meaning_of};
use super::error_details::EntraErrorDetails;
use crate::oauth::error_response::{OAuthErrorClass, OAuthErrorResponse};

/// The kind of a refusal, by what has to be done about it.
///
/// After the error object of <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>, and after how
/// Microsoft's own libraries read `suberror` (MSAL, `MsalError` and `MsalServiceExceptionFactory`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The session has ended, or the sign-in page has a question: a sign-in helps.
    SignInAgain,
    /// Conditional access requires a device that the organisation manages or knows.
    Device,
    /// A policy forbids it, and only an administrator can change that.
    AskAdmin,
    /// The application lacks consent, or may not have it.
    Consent,
    /// The account does not belong to the tenant, or the tenant is the wrong one.
    WrongAccount,
    /// Tenant, cloud, application, server or credentials are misconfigured.
    SetUp,
    /// The token of another issuer does not match what the application trusts.
    FederatedCredential,
    /// It resolves itself.
    Transient,
}

impl Refusal {
    /// All kinds, in the order in which they are documented.
    pub const ALL: [Refusal; 8] = [
        Refusal::SignInAgain,
        Refusal::Device,
        Refusal::AskAdmin,
        Refusal::Consent,
        Refusal::WrongAccount,
        Refusal::SetUp,
        Refusal::FederatedCredential,
        Refusal::Transient,
    ];
}

/// What lets the next request succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// An interactive sign-in.
    SignIn,
    /// A change of policy, consent or assignment by an administrator.
    PolicyChange,
    /// Another configuration, or time.
    Other,
}

/// Protocol tracking: the session is refused for good because it began with a device code
/// (<https://learn.microsoft.com/entra/identity/conditional-access/concept-authentication-flows>).
const TRACKED: u64 = 530_036;
/// The client is one of Microsoft's applications and may not request tokens for that resource, consent or not.
const NEVER_FOR_THIS_CLIENT: u64 = 65002;
/// Microsoft's own clients that kubeconfigs name: those of AKS, of Arc, and the Azure CLI.
const MICROSOFT_CLIENTS: [&str; 3] = [
    "80faf920-1908-4b52-b5ef-a8e7bedfc67a",
    "3f4439ff-e698-4d6d-84fe-09c9d574f06b",
    "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
];
/// The user declined consent, which is not a policy.
const NOT_CONSENTED: u64 = 65004;

/// The kind of a refusal: by `error`, `suberror` and `claims`, and by the number where these leave it open.
pub fn refusal_of(answer: &OAuthErrorResponse) -> Refusal {
    meaning_within(answer).map_or(refusal_without_number(answer), |meaning| meaning.refusal)
}

/// The meaning of the answer's first known number that does not contradict the rest of the answer.
pub fn meaning_within(answer: &OAuthErrorResponse) -> Option<&'static Meaning> {
    let mut meanings = EntraErrorDetails(answer).numbers().into_iter().filter_map(meaning_of);
    meanings.find(|meaning| meaning.numbers.contains(&TRACKED) || is_allowed(answer, meaning.refusal))
}

/// The kind of a refusal without a known number, or with one that contradicts the rest of the answer.
fn refusal_without_number(answer: &OAuthErrorResponse) -> Refusal {
    match EntraErrorDetails(answer).class() {
        OAuthErrorClass::Declined
        | OAuthErrorClass::CodeExpired
        | OAuthErrorClass::GrantRevoked
        | OAuthErrorClass::GrantRefused
        | OAuthErrorClass::InteractionRequired => Refusal::SignInAgain,
        OAuthErrorClass::Policy => match EntraErrorDetails(answer).suberror() {
            Some("additional_action" | "device_authentication_failed" | "protection_policy_required") => {
                Refusal::Device
            }
            Some("message_only") => Refusal::AskAdmin,
            _ => Refusal::Consent,
        },
        OAuthErrorClass::Misconfigured | OAuthErrorClass::Unknown => Refusal::SetUp,
        OAuthErrorClass::Transient | OAuthErrorClass::AuthorizationPending | OAuthErrorClass::SlowDown => {
            Refusal::Transient
        }
    }
}

/// Whether a number of kind `refusal` refines what the rest of the answer says, without contradicting it.
fn is_allowed(answer: &OAuthErrorResponse, refusal: Refusal) -> bool {
    use Refusal::{AskAdmin, Consent, Device, WrongAccount};
    refusal == refusal_without_number(answer)
        || match (EntraErrorDetails(answer).class(), EntraErrorDetails(answer).suberror()) {
            (
                OAuthErrorClass::Declined
                | OAuthErrorClass::GrantRefused
                | OAuthErrorClass::Misconfigured
                | OAuthErrorClass::Unknown,
                _,
            ) => true,
            (OAuthErrorClass::InteractionRequired, None) => matches!(refusal, Consent | WrongAccount),
            (OAuthErrorClass::Policy, Some("additional_action" | "message_only")) => {
                matches!(refusal, AskAdmin | Consent | Device)
            }
            _ => false,
        }
}

/// What remedies a refusal.
pub fn remedy_of(answer: &OAuthErrorResponse) -> Remedy {
    let refusal = refusal_of(answer);
    let is_policy = matches!(refusal, Refusal::AskAdmin | Refusal::Consent | Refusal::Device)
        && !EntraErrorDetails(answer).numbers().contains(&NOT_CONSENTED);
    match EntraErrorDetails(answer).class() {
        OAuthErrorClass::Policy => Remedy::PolicyChange,
        OAuthErrorClass::Declined | OAuthErrorClass::GrantRefused if is_policy || is_tracked(answer) => {
            Remedy::PolicyChange
        }
        OAuthErrorClass::GrantRefused
            if matches!(refusal, Refusal::SetUp | Refusal::FederatedCredential | Refusal::Transient) =>
        {
            Remedy::Other
        }
        OAuthErrorClass::Declined
        | OAuthErrorClass::CodeExpired
        | OAuthErrorClass::GrantRevoked
        | OAuthErrorClass::GrantRefused
        | OAuthErrorClass::InteractionRequired => Remedy::SignIn,
        OAuthErrorClass::Misconfigured
        | OAuthErrorClass::Unknown
        | OAuthErrorClass::Transient
        | OAuthErrorClass::AuthorizationPending
        | OAuthErrorClass::SlowDown => Remedy::Other,
    }
}

/// Whether a sign-in in the browser may succeed after this refusal of a device code: because codes as such are blocked,
/// because the device has to authenticate, or because the sign-in page has a question.
pub fn is_about_codes(answer: &OAuthErrorResponse) -> bool {
    let names = |number: &u64| {
        matches!(number, 50199 | 53003 | 53004 | 65001 | 530_032 | 530_034 | 530_035) || *number == TRACKED
    };
    meaning_within(answer)
        .is_some_and(|meaning| meaning.refusal == Refusal::Device || meaning.numbers.iter().any(names))
}

/// Where an administrator of `tenant` consents to an application; `None` if consent is not what `answer` is about, or
/// cannot be given there, as for Microsoft's own applications
/// (<https://learn.microsoft.com/entra/identity-platform/v2-admin-consent>).
pub fn consent_address(answer: &OAuthErrorResponse, authority: &Url, tenant: &str, client: &str) -> Option<String> {
    let helps =
        refusal_of(answer) == Refusal::Consent && !EntraErrorDetails(answer).numbers().contains(&NEVER_FOR_THIS_CLIENT);
    if !helps || is_microsoft_client(client) {
        return None;
    }
    let mut address = authority.join(&format!("{tenant}/adminconsent")).ok()?;
    address.query_pairs_mut().append_pair("client_id", client);
    Some(address.into())
}

/// Whether this is one of Microsoft's own clients that kubeconfigs name. Their permissions cannot be changed.
pub fn is_microsoft_client(client: &str) -> bool {
    MICROSOFT_CLIENTS.contains(&client.to_ascii_lowercase().as_str())
}

/// Whether the refresh token must never be presented again.
pub fn ends_the_session(answer: &OAuthErrorResponse) -> bool {
    EntraErrorDetails(answer).class() == OAuthErrorClass::GrantRevoked || is_tracked(answer)
}

/// Whether the session is refused because it began with a device code, so that another code does not help. This number
/// decides alone: nothing else in the answer says that the token "will never be usable".
pub fn is_tracked(answer: &OAuthErrorResponse) -> bool {
    EntraErrorDetails(answer).numbers().contains(&TRACKED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::error_response::GrantType;

    fn answer(text: &str) -> OAuthErrorResponse {
        OAuthErrorResponse::from_json(text.as_bytes(), GrantType::DeviceCode, 0).expect("an error object")
    }

    #[test]
    fn refusal_follows_the_suberror_and_the_number_within_it() {
        for (text, expected) in [
            (r#"{"error":"invalid_grant","suberror":"message_only","error_codes":[53000]}"#, Refusal::Device),
            (r#"{"error":"invalid_grant","suberror":"message_only","error_codes":[50076]}"#, Refusal::AskAdmin),
            (r#"{"error":"invalid_grant","suberror":"additional_action"}"#, Refusal::Device),
            (r#"{"error":"invalid_grant","suberror":"consent_required","error_codes":[53003]}"#, Refusal::Consent),
            (r#"{"error":"consent_required"}"#, Refusal::Consent),
            (r#"{"error":"invalid_grant","error_codes":[65002]}"#, Refusal::Consent),
            (r#"{"error":"invalid_request","error_codes":[65002]}"#, Refusal::Consent),
            (r#"{"error":"interaction_required","error_codes":[50020]}"#, Refusal::WrongAccount),
            (
                r#"{"error":"interaction_required","suberror":"basic_action","error_codes":[65001]}"#,
                Refusal::SignInAgain,
            ),
            (r#"{"error":"invalid_client","error_codes":[700213]}"#, Refusal::FederatedCredential),
            (r#"{"error":"temporarily_unavailable","error_codes":[53003]}"#, Refusal::Transient),
            (r#"{"error":"authorization_declined","error_codes":[70016]}"#, Refusal::SignInAgain),
            (r#"{"error":"invalid_grant","error_codes":[1, 50105]}"#, Refusal::AskAdmin),
            (r#"{"error":"invalid_grant","error_description":"AADSTS50196: a loop"}"#, Refusal::Transient),
        ] {
            assert_eq!(refusal_of(&answer(text)), expected, "{text}");
        }
    }

    #[test]
    fn remedy_follows_the_number_only_within_the_error_class() {
        for (text, expected) in [
            (r#"{"error":"invalid_grant","error_codes":[50105]}"#, Remedy::PolicyChange),
            (r#"{"error":"access_denied","error_codes":[50105]}"#, Remedy::PolicyChange),
            (r#"{"error":"invalid_grant","suberror":"message_only","error_codes":[53003]}"#, Remedy::PolicyChange),
            (r#"{"error":"invalid_grant","suberror":"bad_token","error_codes":[53003]}"#, Remedy::SignIn),
            (r#"{"error":"access_denied","error_codes":[65004]}"#, Remedy::SignIn),
            (r#"{"error":"invalid_grant","error_codes":[50196]}"#, Remedy::Other),
        ] {
            assert_eq!(remedy_of(&answer(text)), expected, "{text}");
        }
    }
}
