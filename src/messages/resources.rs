//! What a user reads if the machine does not provide what this program needs.

use kubectl_login_core::error::Error;

use crate::resources::ClockError;

impl From<ClockError> for Error {
    fn from(error: ClockError) -> Error {
        let when = match error {
            ClockError::BeforeUnixEpoch => "before the year 1970",
            ClockError::AfterYear9999 => "after the year 9999",
        };
        Error::failed(
            format!("this machine's clock shows a date {when}"),
            "Set date and time, then run the command again.",
        )
    }
}
