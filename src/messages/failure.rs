//! Why there is no token.

use kubectl_login_core::text::{in_words, printable};

use super::request::{request_failure, without_code};
use super::step::{IN_A_TERMINAL, SIGN_IN};
use super::{ErrorMessage, ExitKind, Explain as _, sign_in, store};
use crate::failure::{Confirmation, Earlier, Failure, NoConfirmation, NoPrompt, SessionProblem};
use crate::profile::{Method, Profile, Provider};
use kubectl_login_core::entra::error_details::EntraErrorDetails;
use kubectl_login_core::entra::refusals::Remedy;
use kubectl_login_core::oauth::client::TokenRequestError;

/// Why the user of `profile` gets no token.
pub fn explain(failure: &Failure, profile: &Profile) -> ErrorMessage {
    let mut message = words(failure, profile);
    if failure.remedy() != Remedy::Other {
        message.kind = ExitKind::from(failure.remedy());
    }
    message
}

/// Why a session was not revoked, as a clause.
pub fn not_revoked(failure: &Failure, profile: &Profile) -> String {
    match failure {
        Failure::Request(failure) => match &failure.error {
            TokenRequestError::Refused(answer) => format!("the issuer refuses it: {}", EntraErrorDetails(answer)),
            other => other.to_string(),
        },
        other => explain(other, profile).what,
    }
}

/// The same in one line, for a prompt.
pub fn in_one_line(failure: &Failure, profile: &Profile) -> String {
    let ErrorMessage { what, reference, .. } = words(failure, profile);
    match reference {
        Some(reference) => format!("{what} [{reference}]"),
        None => what,
    }
}

/// The words for a failure. If [`Failure::remedy`] tells more about the kind, that counts.
fn words(failure: &Failure, profile: &Profile) -> ErrorMessage {
    match failure {
        Failure::Runtime(error) => error.clone().into(),
        Failure::Http(error) => ErrorMessage::from((**error).clone()),
        Failure::Cloud(error) => error.explain("sign in"),
        Failure::IssuerUrl(error) => error.explain("sign in"),
        Failure::Discovery(error) => error.explain("sign in"),
        Failure::ForeignAudience(error) => error.explain("sign in"),
        Failure::IdToken(error) => error.explain("ID token"),
        Failure::InvalidToken => super::kube::invalid_token(),
        Failure::NoKeysEndpoint | Failure::NoIdToken | Failure::NoAccessToken | Failure::NoExpiry => {
            token_failure(failure, profile)
        }
        Failure::Request(failure) => request_failure(failure, profile),
        Failure::WrongPassword { error, is_typed } => sign_in::wrong_password(error, *is_typed, profile),
        Failure::Redirect(error) => sign_in::redirect_error(error, profile),
        Failure::CodeExpired { trouble, could_use_browser } => {
            sign_in::code_expired(trouble.as_deref(), *could_use_browser, profile)
        }
        Failure::NotTrustedBySession(failure) => words(failure, profile),
        Failure::NotPrompted { reason, cause, keyring_is_locked } => {
            not_prompted(reason.as_deref(), cause, *keyring_is_locked, profile)
        }
        Failure::Cancelled { signal, could_use_browser } => {
            let browser = if *could_use_browser { sign_in::instead_of_code(profile) } else { String::new() };
            let next = format!("{SIGN_IN}\n{browser}").trim_end().to_owned();
            ErrorMessage::new((*signal).into(), "the sign-in was cancelled", next)
        }
        Failure::Earlier(earlier) => earlier.clone().into(),
        Failure::Session(_)
        | Failure::NotSignedIn
        | Failure::TokenEndpointMoved { .. }
        | Failure::DeviceCodeSession { .. }
        | Failure::WrongAccount { .. }
        | Failure::Keyring(_)
        | Failure::SessionInUse { .. }
        | Failure::Unconfirmed { .. }
        | Failure::InputEnded
        | Failure::CancelledElsewhere => session_failure(failure, profile),
        Failure::Prompt(_)
        | Failure::NoDeviceFlow
        | Failure::NoBrowserFlow
        | Failure::InvalidUserCode { .. }
        | Failure::AmbiguousCodePage { .. }
        | Failure::InsecureCodePage { .. }
        | Failure::BrowserTimeout { .. }
        | Failure::NothingPasted { .. }
        | Failure::UnprovenCode
        | Failure::PasswordTimeout { .. } => sign_in::flow_failure(failure, profile),
    }
}

/// A response without a usable token.
fn token_failure(failure: &Failure, profile: &Profile) -> ErrorMessage {
    let (what, next) = match failure {
        Failure::NoKeysEndpoint => (
            "the issuer's ID token cannot be used: the discovery document names no jwks_uri",
            "Ask the issuer's administrator.",
        ),
        Failure::NoIdToken => (
            "the issuer gave no ID token",
            "Ask the issuer's administrator to allow the scope openid for this client, or use --oidc-use-access-token.",
        ),
        Failure::NoAccessToken => (
            "the issuer gave no access token",
            match profile.provider {
                Provider::Entra { .. } => {
                    "Check the authority URL: Entra ID sends an access token whenever it signs a user in."
                }
                Provider::Oidc { .. } => {
                    "Ask the issuer's administrator which scope brings an access token, and add it with --oidc-extra-scope."
                }
            },
        ),
        _ => (
            "the token says nothing about when it ends, so no cluster would take it",
            "Ask the issuer's administrator: tokens need an exp claim, or expires_in in the answer.",
        ),
    };
    ErrorMessage::failed(what, next)
}

/// A session that brings no token.
fn session_failure(failure: &Failure, profile: &Profile) -> ErrorMessage {
    let (what, next) = match failure {
        Failure::Session(problem) => (session_problem(problem), SIGN_IN.to_owned()),
        Failure::NotSignedIn => ("not signed in".to_owned(), SIGN_IN.to_owned()),
        Failure::TokenEndpointMoved { host } => (
            format!("the issuer gives out tokens at another site now, {host}"),
            "If you know that this issuer does that, sign in: kubectl login".to_owned(),
        ),
        Failure::DeviceCodeSession { is_forced } => (
            "the last sign-in has ended: it began with a device code, which a policy forbids".to_owned(),
            without_code(profile, *is_forced),
        ),
        Failure::WrongAccount { signed_in, expected } => (
            format!(
                "{} signed in, but {} was expected",
                signed_in.as_deref().unwrap_or("a user without a name"),
                printable(expected, 100)
            ),
            "Sign in with the expected account (a private browser window helps), or change --login-hint to the name that is shown first, if that is the right one.".to_owned(),
        ),
        Failure::Keyring(error) => (
            format!("the keyring was asked for and cannot be used: {}", store::key_reason(error)),
            "Unlock or start the keyring, or use --token-cache-storage auto (or file).".to_owned(),
        ),
        Failure::SessionInUse { pid, is_prompting } => return session_in_use(*pid, *is_prompting),
        Failure::Unconfirmed { confirmation, answer } => {
            let what = confirmation_clause(confirmation);
            let what = match answer {
                NoConfirmation::NotAsked => what,
                NoConfirmation::Declined => format!("{what}, and you did not confirm it"),
                NoConfirmation::TimedOut(limit) => {
                    format!("{what}, and it was not confirmed within {}", in_words(*limit))
                }
            };
            (what, format!("If {}, confirm it: kubectl login CONTEXT", confirmation_trust(confirmation)))
        }
        Failure::InputEnded => ("the sign-in was cancelled".to_owned(), SIGN_IN.to_owned()),
        _ => ("the sign-in that this process waited for was cancelled".to_owned(), SIGN_IN.to_owned()),
    };
    ErrorMessage::failed(what, next)
}

/// Another process holds the session for too long, or prompts the user, which this process cannot.
fn session_in_use(pid: Option<u32>, is_prompting: bool) -> ErrorMessage {
    let process = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
    match is_prompting {
        true => ErrorMessage::failed(
            format!("{process} is waiting for a sign-in"),
            "Complete that sign-in, then try again.\nIf its prompt cannot be seen any more, stop that process and sign in, in a terminal: kubectl login",
        ),
        false => ErrorMessage::failed(
            format!("{process} holds the session and does not finish"),
            "If it hangs, stop it, then try again.",
        ),
    }
}

fn session_problem(problem: &SessionProblem) -> String {
    match problem {
        SessionProblem::Unreadable(error) => {
            format!("the stored session cannot be read: {}", store::key_reason(error))
        }
        SessionProblem::UnreadableToken(error) => {
            format!("the cached token cannot be read: {}", store::key_reason(error))
        }
        SessionProblem::Expired => "the last sign-in has ended".to_owned(),
        SessionProblem::Scopes => "this cluster asks for more scopes than the last sign-in gave".to_owned(),
        SessionProblem::Claims => "the issuer asks for more than the last sign-in gave".to_owned(),
        SessionProblem::OtherAccount => "the issuer answered for another account".to_owned(),
        SessionProblem::NoIdToken => "the issuer gives no ID token without a new sign-in".to_owned(),
    }
}

/// A sign-in is needed, for `reason` if there is more to say, and the user cannot be prompted.
fn not_prompted(
    reason: Option<&Failure>,
    cause: &NoPrompt,
    keyring_is_locked: bool,
    profile: &Profile,
) -> ErrorMessage {
    let reason = reason.map(|reason| words(reason, profile));
    let (clause, reference) =
        reason.map_or_else(Default::default, |reason| (format!(" ({})", reason.what), reason.reference));
    let unlock = if keyring_is_locked { "Unlock the keyring, then try again.\n" } else { "" };
    // Only what is supported is advised: Entra has no such method here.
    let unattended = match (profile.method, &profile.provider) {
        (Method::Password, _) => {
            "\nTo sign in without a prompt: --username and --password in the kubeconfig user's exec.args."
        }
        (_, Provider::Oidc { .. }) => {
            "\nIn a pipeline, if the issuer allows it: --grant-type password with --username and --password in the kubeconfig user's exec.args."
        }
        (_, Provider::Entra { .. }) => "",
    };
    let (why, next) = no_prompt(cause);
    ErrorMessage::sign_in_needed(
        format!("sign-in required{clause}, but no user can be prompted here: {why}"),
        format!("{unlock}{next}{unattended}"),
    )
    .with_reference(reference)
}

/// Why a user cannot be prompted, and what to do about it.
fn no_prompt(cause: &NoPrompt) -> (String, &'static str) {
    const ALLOW: &str = "If you can sign in here: kubectl login --prompt always";
    match cause {
        NoPrompt::SwitchedOff => ("prompts are switched off".to_owned(), ALLOW),
        NoPrompt::Ci(variable) => (format!("{variable} is set, so this terminal is not interactive"), ALLOW),
        NoPrompt::TerminalTaken => {
            ("another program has taken over the terminal".to_owned(), "In another terminal, sign in: kubectl login")
        }
        NoPrompt::NeitherTerminalNorBrowser(why) => {
            (format!("there is no terminal, and {why}"), sign_in::NAME_A_BROWSER)
        }
        NoPrompt::NoTerminal => ("there is no terminal".to_owned(), IN_A_TERMINAL),
    }
}

/// What is not confirmed yet, as a clause.
pub fn confirmation_clause(confirmation: &Confirmation) -> String {
    match confirmation {
        Confirmation::Audience(audience) => {
            format!("this sign-in has not been used for the audience {:?} yet", printable(audience, 200))
        }
        Confirmation::Page(host) => format!("the issuer's sign-in page belongs to another site, {host}"),
    }
}

/// What a user who confirms it says.
pub fn confirmation_trust(confirmation: &Confirmation) -> &'static str {
    match confirmation {
        Confirmation::Audience(_) => "you trust this kubeconfig and its cluster",
        Confirmation::Page(_) => "you know that this issuer signs users in there",
    }
}

impl From<Earlier> for ErrorMessage {
    fn from(Earlier { kind, what, next, reference, refusal }: Earlier) -> ErrorMessage {
        let kind = match kind.as_str() {
            "usage" => ExitKind::Usage,
            "sign-in-needed" => ExitKind::SignInNeeded,
            "refused" => ExitKind::Refused,
            "interrupted" => ExitKind::Interrupted,
            "terminated" => ExitKind::Terminated,
            _ => ExitKind::Failed,
        };
        ErrorMessage { kind, what, next, reference, refusal }
    }
}
