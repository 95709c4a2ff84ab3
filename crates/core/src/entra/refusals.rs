//! What an error of a token endpoint means to the person who sees it, in two halves.
//!
//! What is done about it follows from `error`, `suberror` and `claims` (see [`EntraErrorDetails::class`]). AADSTS numbers pick
//! the words within that, and decide only where nothing else tells: Microsoft may change them at any time.

pub mod catalogue;

use url::Url;

use self::catalogue::Row;
use super::error_details::EntraErrorDetails;
pub use crate::error::Refusal;
use crate::error::{Error, Kind};
use crate::oauth::error_response::{GrantType, OAuthErrorClass, OAuthErrorResponse};

impl Refusal {
    /// All of them, in the order in which they are explained.
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

    /// Its name, as a heading.
    pub fn title(self) -> &'static str {
        match self {
            Refusal::SignInAgain => "Sign in again",
            Refusal::Device => "The device has to comply",
            Refusal::AskAdmin => "Ask the administrator",
            Refusal::Consent => "Consent",
            Refusal::WrongAccount => "Wrong account or tenant",
            Refusal::SetUp => "Wrong set-up",
            Refusal::FederatedCredential => "Federated credential",
            Refusal::Transient => "It passes",
        }
    }

    /// What happened, in plain words that go on after "cannot sign in: ".
    pub const fn happened(self) -> &'static str {
        match self {
            Refusal::SignInAgain => "a new sign-in is needed",
            Refusal::Device => "your organisation has to know the device, or its state",
            Refusal::AskAdmin => "a policy of your organisation forbids it",
            Refusal::Consent => "nobody has consented to this application",
            Refusal::WrongAccount => "the account does not belong to this tenant",
            Refusal::SetUp => "what is asked for does not fit the application or the tenant",
            Refusal::FederatedCredential => "no federated credential of the application fits this token",
            Refusal::Transient => "the server has a bad moment",
        }
    }

    /// What to do next, one step a line.
    pub const fn next(self) -> &'static str {
        match self {
            Refusal::SignInAgain => "Sign in again: kubectl login",
            Refusal::Device => "Sign in on a device that your organisation manages, or ask your administrator.",
            Refusal::AskAdmin => "Ask your administrator.",
            Refusal::Consent => "Ask your administrator to consent to this application.",
            Refusal::WrongAccount => {
                "Sign in with an account of this tenant, or correct --tenant-id.\nTo choose the account: kubectl login --force --login interactive"
            }
            Refusal::SetUp => "Check client id, tenant or issuer, and scopes in the kubeconfig user's exec.args.",
            Refusal::FederatedCredential => {
                "Compare the token's issuer, subject and audience with the application's federated credential."
            }
            Refusal::Transient => "Try again in a moment.",
        }
    }
}

/// What to do when nobody used the code: the reason need not be slowness (a policy that stops the browser keeps the
/// poll pending until the code ends).
pub const EXPIRED: &str = "Sign in again, with a new code: kubectl login\nIf the browser refused the sign-in, ask your administrator whether a policy (conditional-access, at Entra ID) forbids device codes.";
/// The first step of somebody whose code is of no use because of a policy against codes, or against devices that cannot be
/// told by one.
pub const WITHOUT_A_CODE: &str =
    "Sign in by browser on this machine, which fewer policies forbid: kubectl login --login interactive";
/// The same for somebody who has a session that would be refreshed otherwise.
pub const AFRESH_WITHOUT_A_CODE: &str =
    "Sign in afresh by browser, which fewer policies forbid: kubectl login --force --login interactive";
/// What has to be done at Entra before anybody can sign in in a browser.
pub const REGISTER_REDIRECT: &str = "Ask whoever registered the application to add http://localhost as a redirect address for mobile and desktop applications.";
/// The step after the others, where the server gave numbers.
const SHOW: &str = "Show your administrator the line for the help desk.";
/// The session is refused for good because it began with a device code (protocol tracking:
/// <https://learn.microsoft.com/entra/identity/conditional-access/concept-authentication-flows>).
const TRACKED: u64 = 530_036;
/// One of Microsoft's applications may not ask for another one, whoever consents.
const NEVER_FOR_THIS_CLIENT: u64 = 65002;
/// The clients of Microsoft's own that kubeconfigs name: of AKS, of Arc, and the Azure CLI.
const MICROSOFTS_CLIENTS: [&str; 3] = [
    "80faf920-1908-4b52-b5ef-a8e7bedfc67a",
    "3f4439ff-e698-4d6d-84fe-09c9d574f06b",
    "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
];
/// A person has not consented, which is no policy.
const NOT_CONSENTED: u64 = 65004;

/// The kind of a refusal: by `error`, `suberror` and `claims`; by the number where these leave it open.
pub fn class_of(answer: &OAuthErrorResponse) -> Refusal {
    fitting_row(answer).map_or(usual(answer), |row| row.class)
}

/// The words of the first number that has any, if they are of a kind that the rest of the answer allows.
fn fitting_row(answer: &OAuthErrorResponse) -> Option<&'static Row> {
    let mut rows = EntraErrorDetails(answer).numbers().into_iter().filter_map(catalogue::find);
    rows.find(|row| row.numbers.contains(&TRACKED) || is_allowed(answer, row.class))
}

/// What it is where the number says nothing, or something else than the rest of the answer.
fn usual(answer: &OAuthErrorResponse) -> Refusal {
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

/// Whether a number of kind `class` says more of this answer, and nothing else than it does.
fn is_allowed(answer: &OAuthErrorResponse, class: Refusal) -> bool {
    use Refusal::{AskAdmin, Consent, Device, WrongAccount};
    class == usual(answer)
        || match (EntraErrorDetails(answer).class(), EntraErrorDetails(answer).suberror()) {
            (
                OAuthErrorClass::Declined
                | OAuthErrorClass::GrantRefused
                | OAuthErrorClass::Misconfigured
                | OAuthErrorClass::Unknown,
                _,
            ) => true,
            (OAuthErrorClass::InteractionRequired, None) => matches!(class, Consent | WrongAccount),
            (OAuthErrorClass::Policy, Some("additional_action" | "message_only")) => {
                matches!(class, AskAdmin | Consent | Device)
            }
            _ => false,
        }
}

/// The error for a user who wanted `what` ("sign in", "refresh the token").
pub fn explain(answer: &OAuthErrorResponse, what: &str) -> Error {
    let row = fitting_row(answer);
    let class = class_of(answer);
    let kind = kind_of(answer, class);
    let next = match (EntraErrorDetails(answer).class(), row.and_then(|row| row.own_next(answer.grant))) {
        (OAuthErrorClass::CodeExpired, _) => EXPIRED,
        (_, Some(next)) => next,
        (OAuthErrorClass::Declined, None) if kind == Kind::SignInNeeded => {
            "Run the command again, and approve the sign-in."
        }
        (OAuthErrorClass::Misconfigured, None) => match answer.error.as_str() {
            "bad_verification_code" => {
                "Sign in again, with a new code, since the server does not know the one that it gave out: kubectl login"
            }
            "unauthorized_client" if answer.grant == GrantType::RefreshToken => {
                "Sign in again: kubectl login\nAsk the owner of the client registration to allow it the refresh_token grant."
            }
            "unauthorized_client" => "Ask whoever registered the client to allow this way of signing in for it.",
            "invalid_client" => "Check --client-id or --oidc-client-id, and the client secret if the client has one.",
            "invalid_scope" => "Check --server-id or --oidc-extra-scope: the issuer does not know one of the scopes.",
            _ => class.next(),
        },
        _ => class.next(),
    };
    let reference = EntraErrorDetails(answer).reference();
    let show = reference.is_some() && next.contains("administrator");
    let next = if show { format!("{next}\n{SHOW}") } else { next.to_owned() };
    let error = Error::new(kind, happened(answer, what, kind), next).with_reference(reference);
    Error { refusal: Some(class), ..error }
}

/// What happened: in words of ours for numbers that have any, and where the server has none, with what it sent behind;
/// else in the server's.
fn happened(answer: &OAuthErrorResponse, what: &str, kind: Kind) -> String {
    let is_known = EntraErrorDetails(answer).numbers().into_iter().any(|number| catalogue::find(number).is_some())
        || (EntraErrorDetails(answer).suberror().is_some() && EntraErrorDetails(answer).description().is_empty());
    match EntraErrorDetails(answer).class() {
        OAuthErrorClass::Declined if kind == Kind::SignInNeeded => match EntraErrorDetails(answer).description() {
            text if text.is_empty() => "the sign-in was declined".to_owned(),
            // Issuers use this for policy too, and say so.
            text => format!("the sign-in was declined: {text}"),
        },
        OAuthErrorClass::CodeExpired => "the code ended before it was used".to_owned(),
        _ if is_known => {
            let row = fitting_row(answer);
            let words = row.map_or(class_of(answer).happened(), |row| row.happened_to(answer.grant));
            format!("cannot {what}: {words} ({})", EntraErrorDetails(answer).with_number())
        }
        _ => format!("cannot {what}: {}", EntraErrorDetails(answer)),
    }
}

fn kind_of(answer: &OAuthErrorResponse, class: Refusal) -> Kind {
    let is_policy = matches!(class, Refusal::AskAdmin | Refusal::Consent | Refusal::Device)
        && !EntraErrorDetails(answer).numbers().contains(&NOT_CONSENTED);
    match EntraErrorDetails(answer).class() {
        OAuthErrorClass::Policy => Kind::Refused,
        OAuthErrorClass::Declined | OAuthErrorClass::GrantRefused if is_policy || is_tracked(answer) => Kind::Refused,
        OAuthErrorClass::GrantRefused
            if matches!(class, Refusal::SetUp | Refusal::FederatedCredential | Refusal::Transient) =>
        {
            Kind::Failed
        }
        OAuthErrorClass::Declined
        | OAuthErrorClass::CodeExpired
        | OAuthErrorClass::GrantRevoked
        | OAuthErrorClass::GrantRefused
        | OAuthErrorClass::InteractionRequired => Kind::SignInNeeded,
        OAuthErrorClass::Misconfigured
        | OAuthErrorClass::Unknown
        | OAuthErrorClass::Transient
        | OAuthErrorClass::AuthorizationPending
        | OAuthErrorClass::SlowDown => Kind::Failed,
    }
}

/// Whether a sign-in in the browser may succeed where this refusal of a device code was the answer: codes as such are
/// blocked, the device has to prove itself, or a page has something to ask.
pub fn is_about_codes(answer: &OAuthErrorResponse) -> bool {
    let names = |number: &u64| {
        matches!(number, 50199 | 53003 | 53004 | 65001 | 530_032 | 530_034 | 530_035) || *number == TRACKED
    };
    fitting_row(answer).is_some_and(|row| row.class == Refusal::Device || row.numbers.iter().any(names))
}

/// Where an administrator of `tenant` consents to an application, if that is what `answer` is about and may be of use:
/// nobody can consent to applications of Microsoft's own in this way
/// (<https://learn.microsoft.com/entra/identity-platform/v2-admin-consent>).
pub fn consent_address(answer: &OAuthErrorResponse, authority: &Url, tenant: &str, client: &str) -> Option<String> {
    let helps =
        class_of(answer) == Refusal::Consent && !EntraErrorDetails(answer).numbers().contains(&NEVER_FOR_THIS_CLIENT);
    if !helps || is_microsofts(client) {
        return None;
    }
    let mut address = authority.join(&format!("{tenant}/adminconsent")).ok()?;
    address.query_pairs_mut().append_pair("client_id", client);
    Some(address.into())
}

/// Whether this is a client of Microsoft's own that kubeconfigs name. The permissions of those cannot be changed.
pub fn is_microsofts(client: &str) -> bool {
    MICROSOFTS_CLIENTS.contains(&client.to_ascii_lowercase().as_str())
}

/// Whether the refresh token is never to be presented again.
pub fn ends_the_session(answer: &OAuthErrorResponse) -> bool {
    EntraErrorDetails(answer).class() == OAuthErrorClass::GrantRevoked || is_tracked(answer)
}

/// Whether the session is refused because it began with a device code, so that another one is of no use. The one number
/// that decides something: Entra says by nothing else that the token "will never be usable".
pub fn is_tracked(answer: &OAuthErrorResponse) -> bool {
    EntraErrorDetails(answer).numbers().contains(&TRACKED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(text: &str) -> Error {
        explain(&answer(text), "sign in")
    }

    fn answer(text: &str) -> OAuthErrorResponse {
        OAuthErrorResponse::from_json(text.as_bytes(), GrantType::DeviceCode, 0).expect("an error object")
    }

    #[test]
    fn numbers_pick_the_words_and_the_exit_code_only_where_nothing_else_tells() {
        assert_eq!(explained(r#"{"error":"invalid_grant","error_codes":[50105]}"#).kind, Kind::Refused);
        assert_eq!(explained(r#"{"error":"access_denied","error_codes":[50105]}"#).kind, Kind::Refused);
        let blocked = explained(r#"{"error":"invalid_grant","suberror":"message_only","error_codes":[53003]}"#);
        assert_eq!(blocked.kind, Kind::Refused);
        assert!(blocked.next.contains("conditional-access"), "{}", blocked.next);
        let same_number_other_class =
            explained(r#"{"error":"invalid_grant","suberror":"bad_token","error_codes":[53003]}"#);
        assert_eq!(same_number_other_class.kind, Kind::SignInNeeded);
        assert_eq!(same_number_other_class.next, Refusal::SignInAgain.next());
        assert_eq!(
            same_number_other_class.what,
            "cannot sign in: a new sign-in is needed (AADSTS53003, invalid_grant)"
        );
    }

    #[test]
    fn the_kind_is_that_of_the_suberror_and_of_the_number_within_it() {
        let class = |text: &str| class_of(&answer(text));
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
            assert_eq!(class(text), expected, "{text}");
        }
    }

    #[test]
    fn the_line_for_the_help_desk_is_named_where_there_is_one() {
        let ask = Refusal::Consent.next();
        assert_eq!(explained(r#"{"error":"consent_required"}"#).next, ask);
        let with_line = explained(r#"{"error":"consent_required","correlation_id":"c"}"#);
        assert_eq!(with_line.next, format!("{ask}\n{SHOW}"));
        assert_eq!(with_line.reference.as_deref(), Some("correlation c"));
    }

    #[test]
    fn a_decline_says_so_plainly() {
        assert_eq!(explained(r#"{"error":"authorization_declined"}"#).what, "the sign-in was declined");
    }

    #[test]
    fn what_is_not_known_is_said_in_the_servers_words() {
        let error = explained(r#"{"error":"invalid_scope","error_description":"No such scope.","error_codes":[1]}"#);
        assert_eq!(error.what, "cannot sign in: No such scope. (invalid_scope)");
    }

    #[test]
    fn a_number_stands_in_the_catalogue_once_and_has_both_halves() {
        let mut seen = Vec::new();
        for row in catalogue::ROWS {
            for number in row.numbers {
                assert!(!seen.contains(number), "{number} twice");
                seen.push(*number);
            }
            assert!(!row.happened().ends_with('.') && !row.happened().contains("AADSTS"), "{row:?}");
            for step in row.next().lines() {
                assert!(step.ends_with('.') || step.contains(": kubectl login"), "{row:?}");
            }
        }
        assert!(seen.len() > 120, "{} numbers", seen.len());
    }
}
