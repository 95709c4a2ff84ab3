//! Messages for the user during a sign-in.

use kubectl_login::messages::{self, Explain as _};
use kubectl_login::signin::{Notice, StorageNotice};
use kubectl_login::store::lock::LockHolder;
use kubectl_login_core::entra::error_details::EntraErrorDetails;
use kubectl_login_core::oauth::client::TokenRequestError;

/// The sentences of `notice`.
pub(super) fn text(notice: Notice<'_>) -> String {
    match notice {
        Notice::StillWaiting(error) => {
            let next = error.explain("ask whether the code was used").next;
            format!("Still waiting for the sign-in, but {}.\n{next}", trouble(error))
        }
        Notice::WrongPassword(answer) => {
            let words = EntraErrorDetails(answer).with_number();
            format!("The issuer does not accept that user name and password ({words}). Try again.")
        }
        Notice::NotTheAnswer(error) => {
            format!("That does not help: {error}. {}", messages::sign_in::paste_instead(error))
        }
        Notice::CodeRefused(failure) => {
            let why = messages::sign_in::code_reason(failure);
            format!("The issuer does not accept that code: {why}. Copy it again.")
        }
        Notice::SkippedAuthority(problem) => format!("Warning: {problem}."),
        Notice::WaitingFor(holder) => waiting_for(holder),
        Notice::Storage(notice) => storage(notice),
    }
}

/// What came instead of a usable response.
fn trouble(error: &TokenRequestError) -> String {
    match error {
        TokenRequestError::Refused(answer) => format!("the issuer answers: {}", EntraErrorDetails(answer)),
        other => other.to_string(),
    }
}

fn waiting_for(holder: Option<&LockHolder>) -> String {
    match holder {
        Some(LockHolder { pid, asks_until: Some(_), .. }) => format!(
            "Waiting for process {pid}, which is waiting for a sign-in.\nComplete it there, or stop that process to sign in here."
        ),
        Some(LockHolder { pid, .. }) => format!("Waiting for process {pid}, which is getting a token."),
        None => "Waiting for another process, which is getting a token.".to_owned(),
    }
}

fn storage(notice: StorageNotice<'_>) -> String {
    match notice {
        StorageNotice::NotWritten { folder, error } => {
            let next = folder.map(|folder| messages::store::next_steps(folder, error)).unwrap_or_default();
            let folder = folder.map(|folder| folder.display().to_string()).unwrap_or_default();
            format!("The session could not be stored in {folder}: {}.\n{next}", messages::store::reason(error))
        }
        StorageNotice::OtherHome { folder, home } => format!(
            "This runs as root, and {} is another user's home. The session is stored in {}, for root alone.",
            home.display(),
            folder.display()
        ),
        StorageNotice::KeyFile { folder, error } => format!(
            "The session is stored in {}, encrypted with a key file that only your user can read ({}).\nPrograms that run as you, and copies of the whole folder, can use it.",
            folder.display(),
            messages::store::key_reason(error)
        ),
        StorageNotice::NoKey { error, folder, problem } => {
            let next = folder.map(|(folder, error)| messages::store::file_steps(folder, error));
            let next = next.or_else(|| problem.map(messages::store::problem_steps)).unwrap_or_default();
            let reason = messages::store::key_reason(error);
            format!("The session is not stored: {reason}.\n{next}").trim_end().to_owned()
        }
    }
}
