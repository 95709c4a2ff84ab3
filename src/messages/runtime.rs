//! What a user reads when async work was not done, or not to its end.

use kubectl_login_core::error::Error;

use crate::runtime::RuntimeError;

impl From<RuntimeError> for Error {
    fn from(error: RuntimeError) -> Error {
        match error {
            RuntimeError::NoResources(cause) => Error::failed(
                format!("the system gives no resources: {cause}"),
                "Close other programs, or raise the limits of this shell (ulimit -n, ulimit -u), then try again.",
            ),
            RuntimeError::Stopped(kind) => Error::new(kind, "interrupted", "Run the command again."),
        }
    }
}
