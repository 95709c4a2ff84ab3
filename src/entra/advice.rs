//! What an error of a token endpoint means to the person who sees it, in two halves.
//!
//! The class comes from `error`, `suberror` and `claims` (see [`ErrorAnswer::class`]); AADSTS numbers pick the words, and
//! the exit code only where nothing else tells that it was policy. Meanings after <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>.

use crate::error::{Error, Kind};
use crate::oauth::answer::{Class, ErrorAnswer};

/// The error for a user who wanted `what` ("sign in", "refresh the token").
pub fn explain(answer: &ErrorAnswer, what: &str) -> Error {
    let reference = answer.reference();
    let (kind, otherwise) = match answer.class() {
        Class::Declined if is_policy(answer) => (Kind::Refused, ASK),
        Class::Declined => (Kind::SignInNeeded, "Run the command again, and approve the sign-in."),
        Class::CodeExpired => (Kind::SignInNeeded, EXPIRED),
        Class::GrantRefused if is_policy(answer) => (Kind::Refused, ASK),
        Class::GrantDead | Class::GrantRefused | Class::PersonNeeded => {
            (Kind::SignInNeeded, "Sign in again: kubectl login")
        }
        Class::Policy => (Kind::Refused, ASK),
        Class::Transient | Class::Pending | Class::SlowDown => (Kind::Failed, "Try again in a moment."),
        Class::SetUp => {
            (Kind::Failed, "Check client id, tenant or issuer, and scopes in the kubeconfig user's exec.args.")
        }
    };
    let happened = match answer.class() {
        Class::Declined if is_policy(answer) => format!("cannot {what}: {answer}"),
        Class::Declined if answer.description().is_empty() => "the sign-in was declined".to_owned(),
        // Issuers use this for policy too, and say so.
        Class::Declined => format!("the sign-in was declined: {}", answer.description()),
        Class::CodeExpired => "the code ended before it was used".to_owned(),
        _ => format!("cannot {what}: {answer}"),
    };
    let next = answer.error_codes.iter().flatten().find_map(|number| by_number(*number)).unwrap_or(
        match answer.error.as_str() {
            "bad_verification_code" => {
                "Run the command again to get a new code; the server does not know the one it gave out."
            }
            "unauthorized_client" => "Ask whoever registered the client to allow this way of signing in for it.",
            "invalid_client" => "Check --client-id or --oidc-client-id, and the client secret if the client has one.",
            "invalid_scope" => "Check --server-id or --oidc-extra-scope: the issuer does not know one of the scopes.",
            _ => otherwise,
        },
    );
    let show = reference.is_some() && next.contains("administrator");
    let next = if show { format!("{next}\n{SHOW}") } else { next.to_owned() };
    Error::new(kind, happened, next).with_reference(reference)
}

const ASK: &str = "Ask your administrator.";
/// The step after that, where the server gave numbers.
const SHOW: &str = "Show your administrator the line for the help desk.";

/// Whether the number alone says that policy stands in the way: not assigned, blocked by conditional access, no consent.
/// It counts only where the error's class leaves it open what was refused.
fn is_policy(answer: &ErrorAnswer) -> bool {
    answer
        .error_codes
        .iter()
        .flatten()
        .any(|number| matches!(number, 50105 | 53000..=53004 | 65001 | 530_032..=530_035))
}

/// What to do when nobody used the code: the reason need not be slowness (a policy that stops the browser keeps the
/// poll pending until the code ends).
pub const EXPIRED: &str = "Run the command again to get a new code.\nIf the browser refused the sign-in, ask your administrator whether a policy (conditional-access, at Entra ID) forbids device codes.";

/// The first step of somebody whose code is of no use because of a policy against codes, or against devices that cannot be
/// told by one.
pub const WITHOUT_A_CODE: &str =
    "Sign in by browser on this machine, which fewer policies forbid: kubectl login --login interactive";
/// What has to be done at Entra before anybody can sign in in a browser.
pub const REGISTER_REDIRECT: &str = "Ask whoever registered the application to add http://localhost as a redirect address for mobile and desktop applications.";

/// Whether a sign-in in the browser may succeed where this refusal of a device code was the answer: codes as such are
/// blocked, the device has to prove itself, or a page has something to ask.
pub fn is_about_codes(answer: &ErrorAnswer) -> bool {
    answer.error_codes.iter().flatten().any(
        |number| matches!(number, 50097 | 50129 | 50187 | 50199 | 53000..=53004 | 65001 | 530_003 | 530_032..=530_036),
    )
}

/// The next step for an AADSTS number, where it is more precise than the class.
fn by_number(number: u64) -> Option<&'static str> {
    Some(match number {
        50076 | 50079 | 50072 | 50074 | 50078 => "Sign in again with the second factor: kubectl login",
        50173 | 50132 | 50133 | 700_082 | 70043 => "Sign in again: kubectl login",
        53000 | 53001 | 530_003 | 530_033 | 50097 | 50129 => {
            "Sign in on a device that your organisation manages, or ask your administrator."
        }
        53003 | 530_032 | 530_034 | 530_035 => {
            "Ask your administrator: a conditional-access policy blocks this sign-in."
        }
        50105 => "Ask your administrator to assign you to this application.",
        65001 => "Check --client-id.\nAsk your administrator to consent to this application; nobody has done so yet.",
        65002 => "Check --client-id and --server-id: this application may not ask for that server.",
        65004 => "Run the command again and give your consent, or ask your administrator.",
        90002 | 90038 => "Check --tenant-id and --environment: the tenant is not known in this cloud.",
        700_016 | 700_011 => "Check --client-id and --tenant-id: the tenant does not know this application.",
        500_011 | 500_014 => "Check --server-id and --environment: the tenant does not know this server application.",
        7_000_218 => {
            "Ask whoever registered the application to set \"Allow public client flows\" to yes.\nFor a sign-in in the browser, http://localhost has to be registered for mobile and desktop applications, not for web."
        }
        50011 => REGISTER_REDIRECT,
        700_025 => "Leave out the client secret: the application is a public client.",
        50020 | 16000 | 50034 | 90072 => "Sign in with an account of this tenant, or correct --tenant-id.",
        50053 | 50057 => "Ask your administrator: the account is locked or disabled.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(text: &str) -> Error {
        explain(&serde_json::from_str(text).expect("an error object"), "sign in")
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
    }

    #[test]
    fn the_line_for_the_help_desk_is_named_where_there_is_one() {
        assert_eq!(explained(r#"{"error":"consent_required"}"#).next, "Ask your administrator.");
        let with_line = explained(r#"{"error":"consent_required","correlation_id":"c"}"#);
        assert_eq!(with_line.next, format!("Ask your administrator.\n{SHOW}"));
        assert_eq!(with_line.reference.as_deref(), Some("correlation c"));
    }

    #[test]
    fn a_decline_says_so_plainly() {
        assert_eq!(explained(r#"{"error":"authorization_declined"}"#).what, "the sign-in was declined");
    }
}
