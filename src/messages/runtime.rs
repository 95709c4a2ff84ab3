//! What a user reads when async work was not done, or not to its end.

use super::{ErrorMessage, ExitKind};
use crate::runtime::{RuntimeError, StopSignal};

impl From<StopSignal> for ErrorMessage {
    fn from(signal: StopSignal) -> ErrorMessage {
        RuntimeError::Stopped(signal).into()
    }
}

impl From<RuntimeError> for ErrorMessage {
    fn from(error: RuntimeError) -> ErrorMessage {
        match error {
            RuntimeError::NoResources(cause) => ErrorMessage::failed(
                format!("the system gives no resources: {cause}"),
                "Close other programs, or raise the limits of this shell (ulimit -n, ulimit -u), then try again.",
            ),
            RuntimeError::Stopped(signal) => {
                ErrorMessage::new(ExitKind::from(signal), "interrupted", "Run the command again.")
            }
        }
    }
}
