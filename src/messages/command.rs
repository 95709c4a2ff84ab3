//! Why commands did not do what they should: sign-ins that are missing or not forgotten, and results that are not printed.

use std::error::Error;
use std::io;
use std::path::Path;

use kubectl_login_core::oauth::challenge::ClaimsChallengeError;
use kubectl_login_core::text::printable;

use super::settings::EXEC_ARGS;
use super::{ErrorMessage, store};
use crate::store::{KeyError, StoreError};

const RUN_AGAIN: &str = "then run the command again.";
const LOGOUT_ALL: &str = "kubectl login logout --all";

/// The error for an entry without a session: of a context, or of a user.
///
/// `cache_is_off`: nothing is ever stored for it. `ci` is the variable that says that this is a pipeline.
pub fn not_signed_in(context: Option<&str>, user: &str, cache_is_off: bool, ci: Option<&str>) -> ErrorMessage {
    let whom = match context {
        Some(context) => format!("the context {:?}", printable(context, 100)),
        None => format!("the user {:?}", printable(user, 100)),
    };
    if cache_is_off {
        return ErrorMessage::sign_in_needed(
            format!(
                "no session is stored for {whom} (--token-cache-storage none), so it is not known who is signed in"
            ),
            format!("Leave --token-cache-storage none out of {EXEC_ARGS}, then sign in."),
        );
    }
    // Without the flag the command would be refused, as the plugin was.
    let next = match ci {
        Some(variable) => {
            format!("If you can sign in here, although {variable} is set: kubectl login --prompt always CONTEXT")
        }
        None => "Sign in: kubectl login CONTEXT".to_owned(),
    };
    ErrorMessage::sign_in_needed(format!("not signed in for {whom}"), next)
}

/// The error for a value of `--claims`.
pub fn invalid_claims(error: &ClaimsChallengeError) -> ErrorMessage {
    ErrorMessage::usage(
        format!("--claims is not a claims challenge: {error}"),
        "Copy all of the value of claims from the WWW-Authenticate header or the error, in single quotes.",
    )
}

/// `error`, which kept one sign-in from being forgotten, with what forgets all of them.
pub fn with_logout_all(error: ErrorMessage) -> ErrorMessage {
    ErrorMessage { next: format!("{}\nTo forget everything: {LOGOUT_ALL}", error.next), ..error }
}

/// The error for a record that is there and stays.
pub fn not_forgotten(error: &StoreError) -> ErrorMessage {
    let reason = store::reason(error);
    ErrorMessage::failed(format!("not everything could be forgotten: {reason}"), format!("Fix that, {RUN_AGAIN}"))
}

/// The error for a folder of which something stays.
pub fn not_deleted(error: &StoreError) -> ErrorMessage {
    let reason = store::reason(error);
    ErrorMessage::failed(format!("not everything could be deleted: {reason}"), format!("Fix that, {RUN_AGAIN}"))
}

/// The error for a store to forget sessions in, or for `folder` if that is known, that cannot be used.
pub fn cannot_forget(problem: &StoreError, folder: Option<&Path>) -> ErrorMessage {
    match folder {
        Some(folder) => ErrorMessage::failed(
            format!("{}; nothing in it can be forgotten", store::problem(problem)),
            repair_and_repeat(folder),
        ),
        None => ErrorMessage::failed(store::problem(problem), store::problem_steps(problem)),
    }
}

/// The error for a folder to delete that cannot be used.
pub fn cannot_delete(problem: Option<&StoreError>, folder: Option<&Path>) -> ErrorMessage {
    ErrorMessage::failed(
        format!("nothing can be deleted: {}", problem.map(store::problem).unwrap_or_default()),
        match folder {
            Some(folder) => repair_and_repeat(folder),
            None => problem.map(store::problem_steps).unwrap_or_default(),
        },
    )
}

fn repair_and_repeat(folder: &Path) -> String {
    format!("{}\nThen run the command again.", store::repair_step(folder))
}

/// The error for a key that may be left in the keyring after everything was to be forgotten.
pub fn key_may_be_left(error: &KeyError) -> ErrorMessage {
    ErrorMessage::failed(
        format!("the key may be left in the keyring: {error}"),
        format!("Unlock or start the keyring, then run the command again: {LOGOUT_ALL}"),
    )
}

/// The warning for a key that is left in the keyring.
pub fn key_is_left(error: &KeyError) -> ErrorMessage {
    ErrorMessage::failed(
        format!("the key is left in the keyring: {}", store::key_reason(error)),
        format!("Unlock or start the keyring, {RUN_AGAIN}"),
    )
}

/// The warning for a folder that stays because a sign-in is in progress there.
pub fn folder_is_in_use(folder: &str) -> ErrorMessage {
    ErrorMessage::failed(
        format!("{folder} stays, because a sign-in is in progress there"),
        "Run the command again when the sign-in has ended.",
    )
}

/// The warning for a session that was forgotten and could not be revoked.
pub fn revocation_failed(account: Option<&str>, issuer: &str, reason: &str) -> ErrorMessage {
    let whose = account.map(|account| format!(" of {}", printable(account, 100))).unwrap_or_default();
    ErrorMessage::failed(
        format!("the session{whose} at {issuer} could not be revoked: {reason}"),
        "End it on your account's page at the issuer. On this machine it is forgotten.",
    )
}

/// The error for `clean` without a folder, if a context has that name: the context may be meant, and nothing could be
/// undone.
pub fn clean_may_be_a_context() -> ErrorMessage {
    ErrorMessage::usage(
        "there is a context called \"clean\", and the command clean forgets every session",
        format!("To sign in to it: kubectl login --context clean\nTo forget every session: {LOGOUT_ALL}"),
    )
}

/// The error for a token that cannot be written to stdout.
pub fn token_not_written(error: &io::Error) -> ErrorMessage {
    ErrorMessage::failed(
        format!("the token cannot be written to stdout: {error}"),
        format!("{CHECK_STDOUT}, {RUN_AGAIN}"),
    )
}

const CHECK_STDOUT: &str = "Check where stdout goes";

/// The error for a result that cannot be printed.
pub fn not_printed(error: &io::Error) -> ErrorMessage {
    ErrorMessage::failed(format!("the result cannot be printed: {error}"), format!("{CHECK_STDOUT}."))
}

/// The error for a result that cannot be written as YAML.
pub fn not_yaml(error: &dyn Error) -> ErrorMessage {
    ErrorMessage::failed(format!("the result cannot be written as YAML: {error}"), "Print it as JSON instead: -o json")
}
