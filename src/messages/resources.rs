//! What a user reads if the machine does not provide what this program needs.

use super::ErrorMessage;
use crate::resources::ClockError;

impl From<ClockError> for ErrorMessage {
    fn from(error: ClockError) -> ErrorMessage {
        let when = match error {
            ClockError::BeforeUnixEpoch => "before the year 1970",
            ClockError::AfterYear9999 => "after the year 9999",
        };
        ErrorMessage::failed(
            format!("this machine's clock shows a date {when}"),
            "Set date and time, then run the command again.",
        )
    }
}
