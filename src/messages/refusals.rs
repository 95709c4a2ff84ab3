//! The words for refusals of a token endpoint: by kind, and by AADSTS number where a number says more.
//!
//! The kind of a refusal and what remedies it are facts of `entra::refusals`; nothing is decided here.

mod catalogue;

use kubectl_login_core::entra::error_details::EntraErrorDetails;
use kubectl_login_core::entra::refusals::catalogue::{MEANINGS, Meaning, meaning_of};
use kubectl_login_core::entra::refusals::{self, Refusal, Remedy};
use kubectl_login_core::oauth::error_response::{GrantType, OAuthErrorClass, OAuthErrorResponse};

use super::step::Step;
use super::{ErrorMessage, ExitKind, Explain};
use catalogue::words_for;

/// What to do next, and what these steps are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// One step a line.
    pub steps: &'static str,
    /// Whether an administrator is asked, who needs the reference.
    asks_admin: bool,
    /// Whether a sign-in in the browser is among them.
    by_browser: bool,
}

impl Advice {
    const fn new(steps: &'static str) -> Advice {
        Advice { steps, asks_admin: false, by_browser: false }
    }

    const fn asks_admin(mut self) -> Advice {
        self.asks_admin = true;
        self
    }

    const fn by_browser(mut self) -> Advice {
        self.by_browser = true;
        self
    }
}

/// What to do when a code expired unused. The user need not have been slow: if a policy stops the browser, the poll stays
/// pending until the code expires.
pub const EXPIRED: Advice = Advice::new(
    "Sign in again, with a new code: kubectl login\nIf the browser refused the sign-in, ask your administrator whether a policy (conditional-access, at Entra ID) forbids device codes.",
)
.asks_admin();
/// The last step where the server gave a reference and an administrator is asked.
const SHOW: &str = "Show your administrator the line for the help desk.";

/// The name of a kind of refusal, as a heading.
pub const fn title(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::SignInAgain => "Sign in again",
        Refusal::Device => "Device",
        Refusal::AskAdmin => "Ask the administrator",
        Refusal::Consent => "Consent",
        Refusal::WrongAccount => "Wrong account or tenant",
        Refusal::SetUp => "Wrong configuration",
        Refusal::FederatedCredential => "Federated credential",
        Refusal::Transient => "Temporary",
    }
}

/// What happened, for a kind of refusal; continues "cannot sign in: ".
const fn happened(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::SignInAgain => "a new sign-in is needed",
        Refusal::Device => "your organisation has requirements that this device does not meet",
        Refusal::AskAdmin => "a policy of your organisation forbids it",
        Refusal::Consent => "this application lacks consent",
        Refusal::WrongAccount => "the account does not belong to this tenant",
        Refusal::SetUp => "the request does not match the application or the tenant",
        Refusal::FederatedCredential => "no federated credential of the application matches this token",
        Refusal::Transient => "the server is temporarily unavailable",
    }
}

/// What to do next, for a kind of refusal.
pub const fn advice(refusal: Refusal) -> Advice {
    match refusal {
        Refusal::SignInAgain => Advice::new("Sign in again: kubectl login"),
        Refusal::Device => {
            Advice::new("Sign in on a device that your organisation manages, or ask your administrator.").asks_admin()
        }
        Refusal::AskAdmin => Advice::new("Ask your administrator.").asks_admin(),
        Refusal::Consent => Advice::new("Ask your administrator to consent to this application.").asks_admin(),
        Refusal::WrongAccount => Advice::new(
            "Sign in with an account of this tenant, or correct --tenant-id.\nTo choose the account: kubectl login --force --login interactive",
        ),
        Refusal::SetUp => {
            Advice::new("Check client id, tenant or issuer, and scopes in the kubeconfig user's exec.args.")
        }
        Refusal::FederatedCredential => {
            Advice::new("Compare the token's issuer, subject and audience with the application's federated credential.")
        }
        Refusal::Transient => Advice::new("Try again in a moment."),
    }
}

/// The words for a known number, for a table: what happened, and what to do next.
pub struct TableRow {
    /// Numbers that mean the same.
    pub numbers: &'static [u64],
    /// What happened.
    pub happened: &'static str,
    /// What to do next, one step a line.
    pub next: &'static str,
}

/// The words for every known number of a kind of refusal, as for a sign-in.
pub fn table(refusal: Refusal) -> impl Iterator<Item = TableRow> {
    MEANINGS.iter().filter(move |meaning| meaning.refusal == refusal).map(move |meaning| TableRow {
        numbers: meaning.numbers,
        happened: happened_to(meaning, GrantType::DeviceCode),
        next: own_advice(meaning, GrantType::DeviceCode).unwrap_or(advice(refusal)).steps,
    })
}

fn happened_to(meaning: &Meaning, grant: GrantType) -> &'static str {
    words_for(meaning).and_then(|words| words.happened_to(grant)).unwrap_or(happened(meaning.refusal))
}

fn own_advice(meaning: &Meaning, grant: GrantType) -> Option<Advice> {
    words_for(meaning).and_then(|words| words.next_for(grant))
}

impl Explain for OAuthErrorResponse {
    fn explain(&self, purpose: &str) -> ErrorMessage {
        let advice = advice_for(self);
        let reference = EntraErrorDetails(self).reference();
        let next = match reference.is_some() && advice.asks_admin {
            true => format!("{}\n{SHOW}", advice.steps),
            false => advice.steps.to_owned(),
        };
        let kind = ExitKind::from(refusals::remedy_of(self));
        let error = ErrorMessage::new(kind, what_happened(self, purpose), next).with_reference(reference);
        ErrorMessage { refusal: Some(refusals::refusal_of(self)), ..error }
    }
}

/// Puts a sign-in by browser before the advice for a refused device code at Entra, if that may succeed.
pub(super) fn with_browser_first(answer: &OAuthErrorResponse, message: &mut ErrorMessage) {
    if refusals::is_about_codes(answer) && !advice_for(answer).by_browser {
        message.next = format!("{}\n{}", Step::SignInByBrowser { force: false }, message.next);
    }
}

fn advice_for(answer: &OAuthErrorResponse) -> Advice {
    let refusal = refusals::refusal_of(answer);
    let own = refusals::meaning_within(answer).and_then(|meaning| own_advice(meaning, answer.grant));
    match (EntraErrorDetails(answer).class(), own) {
        (OAuthErrorClass::CodeExpired, _) => EXPIRED,
        (_, Some(advice)) => advice,
        (OAuthErrorClass::Declined, None) if refusals::remedy_of(answer) == Remedy::SignIn => {
            Advice::new("Run the command again, and approve the sign-in.")
        }
        (OAuthErrorClass::Misconfigured, None) => match answer.error.as_str() {
            "bad_verification_code" => Advice::new(
                "Sign in again, with a new code, because the server does not recognise its own code: kubectl login",
            ),
            "unauthorized_client" if answer.grant == GrantType::RefreshToken => Advice::new(
                "Sign in again: kubectl login\nAsk the owner of the client registration to allow it the refresh_token grant.",
            ),
            "unauthorized_client" => {
                Advice::new("Ask the owner of the client registration to allow this sign-in method for it.")
            }
            "invalid_client" => {
                Advice::new("Check --client-id or --oidc-client-id, and the client secret if the client has one.")
            }
            "invalid_scope" => {
                Advice::new("Check --server-id or --oidc-extra-scope: the issuer does not know one of the scopes.")
            }
            _ => advice(refusal),
        },
        _ => advice(refusal),
    }
}

/// What happened to a user who wanted `purpose`.
fn what_happened(answer: &OAuthErrorResponse, purpose: &str) -> String {
    let is_users = match EntraErrorDetails(answer).class() {
        OAuthErrorClass::Declined => refusals::remedy_of(answer) == Remedy::SignIn,
        OAuthErrorClass::CodeExpired => true,
        _ => false,
    };
    let reason = reason(answer);
    // What the user did, or did not do, needs no introduction.
    if is_users { reason } else { format!("cannot {purpose}: {reason}") }
}

/// Why an issuer refuses, as a clause: in our words for known numbers and if the server has none, with what the server sent
/// in brackets; otherwise in the server's words.
pub(super) fn reason(answer: &OAuthErrorResponse) -> String {
    let details = EntraErrorDetails(answer);
    let is_known = details.numbers().into_iter().any(|number| meaning_of(number).is_some())
        || (details.suberror().is_some() && details.description().is_empty());
    match details.class() {
        OAuthErrorClass::Declined if refusals::remedy_of(answer) == Remedy::SignIn => match details.description() {
            text if text.is_empty() => "the sign-in was declined".to_owned(),
            // Some issuers use this error for policy, and say so in the description.
            text => format!("the sign-in was declined: {text}"),
        },
        OAuthErrorClass::CodeExpired => "the code expired before it was used".to_owned(),
        _ if is_known => {
            let own = refusals::meaning_within(answer).map(|meaning| happened_to(meaning, answer.grant));
            let words = own.unwrap_or(happened(refusals::refusal_of(answer)));
            format!("{words} ({})", details.with_number())
        }
        _ => details.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::catalogue::WORDS;
    use super::*;

    fn explained(text: &str) -> ErrorMessage {
        let answer = OAuthErrorResponse::from_json(text.as_bytes(), GrantType::DeviceCode, 0);
        answer.expect("an error object").explain("sign in")
    }

    #[test]
    fn number_selects_words_and_exit_code_only_within_the_error_class() {
        assert_eq!(explained(r#"{"error":"invalid_grant","error_codes":[50105]}"#).kind, ExitKind::Refused);
        assert_eq!(explained(r#"{"error":"access_denied","error_codes":[50105]}"#).kind, ExitKind::Refused);
        let blocked = explained(r#"{"error":"invalid_grant","suberror":"message_only","error_codes":[53003]}"#);
        assert_eq!(blocked.kind, ExitKind::Refused);
        assert!(blocked.next.contains("conditional-access"), "{}", blocked.next);
        let same_number_other_class =
            explained(r#"{"error":"invalid_grant","suberror":"bad_token","error_codes":[53003]}"#);
        assert_eq!(same_number_other_class.kind, ExitKind::SignInNeeded);
        assert_eq!(same_number_other_class.next, advice(Refusal::SignInAgain).steps);
        assert_eq!(
            same_number_other_class.what,
            "cannot sign in: a new sign-in is needed (AADSTS53003, invalid_grant)"
        );
    }

    #[test]
    fn administrator_is_shown_the_help_desk_line_if_there_is_one() {
        let ask = advice(Refusal::Consent).steps;
        assert_eq!(explained(r#"{"error":"consent_required"}"#).next, ask);
        let with_line = explained(r#"{"error":"consent_required","correlation_id":"c"}"#);
        assert_eq!(with_line.next, format!("{ask}\n{SHOW}"));
        assert_eq!(with_line.reference.as_deref(), Some("correlation c"));
    }

    #[test]
    fn decline_without_a_description_is_plain() {
        assert_eq!(explained(r#"{"error":"authorization_declined"}"#).what, "the sign-in was declined");
    }

    #[test]
    fn unknown_refusal_is_in_the_servers_words() {
        let error = explained(r#"{"error":"invalid_scope","error_description":"No such scope.","error_codes":[1]}"#);
        assert_eq!(error.what, "cannot sign in: No such scope. (invalid_scope)");
    }

    #[test]
    fn words_are_for_one_known_meaning_each() {
        for (at, words) in WORDS.iter().enumerate() {
            let number = words.number;
            let names_a_meaning = MEANINGS.iter().any(|meaning| meaning.numbers.first() == Some(&number));
            assert!(names_a_meaning, "{number} does not name a meaning");
            assert!(WORDS[..at].iter().all(|other| other.number != number), "{number} twice");
        }
    }

    #[test]
    fn every_known_number_has_both_halves_and_true_marks() {
        for refusal in Refusal::ALL {
            for row in table(refusal) {
                assert!(!row.happened.ends_with('.') && !row.happened.contains("AADSTS"), "{:?}", row.numbers);
                for step in row.next.lines() {
                    assert!(step.ends_with('.') || step.contains(": kubectl login"), "{:?}", row.numbers);
                }
            }
        }
        let own = MEANINGS.iter().filter_map(|meaning| own_advice(meaning, GrantType::DeviceCode));
        for advice in own.chain(Refusal::ALL.map(advice)).chain([EXPIRED]) {
            assert_eq!(advice.asks_admin, advice.steps.contains("administrator"), "{advice:?}");
        }
    }
}
