//! What a user confirms once, because a kubeconfig or an issuer asks for it: by typing `kubectl login CONTEXT`, or by a yes
//! at the terminal.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{FlowError, Interactivity, Person, Question, Shown};
use crate::failure::{Confirmation, Failure, NoConfirmation};
use kubectl_login_core::clock;

/// The failure if it is not confirmed and the user is not asked.
pub fn missing(confirmation: Confirmation) -> Failure {
    Failure::Unconfirmed { confirmation, answer: NoConfirmation::NotAsked }
}

/// Has the user confirm it, within `limit`; `on_wait` is told that the wait begins.
///
/// Errors: the user says no, does not answer, or cannot be asked here.
pub async fn ask(
    confirmation: Confirmation,
    person: &dyn Person,
    limit: Duration,
    on_wait: &dyn Fn(Duration),
) -> Result<(), FlowError> {
    if person.interactivity() != Interactivity::Terminal {
        return Err(FlowError::NotShown(missing(confirmation)));
    }
    on_wait(limit);
    let end = Instant::now() + clock::life(limit);
    let Ok(mut lines) = person.ask(Question::Confirm(&confirmation), None, limit) else {
        return Err(FlowError::NotShown(missing(confirmation)));
    };
    let _shown = Shown(person);
    match timeout_at(end, lines.recv()).await {
        Ok(Some(line)) if is_yes(line.expose()) => Ok(()),
        Ok(_) => Err(FlowError::Refused(Failure::Unconfirmed { confirmation, answer: NoConfirmation::Declined })),
        Err(_) => {
            let answer = NoConfirmation::TimedOut(limit);
            Err(FlowError::Unanswered(Failure::Unconfirmed { confirmation, answer }))
        }
    }
}

fn is_yes(line: &str) -> bool {
    ["y", "yes"].iter().any(|yes| line.trim().eq_ignore_ascii_case(yes))
}
