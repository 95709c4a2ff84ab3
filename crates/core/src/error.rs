//! Errors of the system, as values.

use std::io;

/// An [`io::Error`] as a value that can be cloned, compared and stored: its kind, and the system's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("{text}")]
pub struct IoFailure {
    /// The kind; not stored, so that it is [`io::ErrorKind::Other`] after deserialization.
    #[serde(skip, default = "other_kind")]
    pub kind: io::ErrorKind,
    /// What the system says, such as `No such file or directory (os error 2)`.
    pub text: String,
}

fn other_kind() -> io::ErrorKind {
    io::ErrorKind::Other
}

impl From<io::Error> for IoFailure {
    fn from(error: io::Error) -> IoFailure {
        IoFailure { kind: error.kind(), text: error.to_string() }
    }
}
