//! The one error a caller sees: what happened, what to do next, and the exit code that goes with it.
//!
//! Inner modules may have narrower errors of their own; at the edge of a room they become an [`Error`]. It must not
//! know how it is printed.

use std::fmt;
use std::io;

use crate::entra::refusals::Refusal;

/// What a failure means for whoever called; the number is the exit code of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Network, set-up, or bad input at run time: exit 1.
    Failed,
    /// The command line makes no sense: exit 2.
    Usage,
    /// A person has to sign in: nobody there, declined, expired, no session: exit 3.
    SignInNeeded,
    /// Refused by policy: conditional access, consent, not assigned: exit 4.
    Refused,
    /// Ctrl-C: exit 130, as shells have it.
    Interrupted,
    /// SIGTERM or SIGHUP: exit 143, as shells have it.
    Terminated,
}

impl Kind {
    /// The exit code, stable and documented in `docs/exit-codes.md`.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::SignInNeeded => 3,
            Kind::Refused => 4,
            Kind::Interrupted => 130,
            Kind::Terminated => 143,
        }
    }

    /// Whether somebody ended the work.
    pub fn is_an_end(self) -> bool {
        matches!(self, Kind::Interrupted | Kind::Terminated)
    }
}

/// A failure in two halves (what happened, what to do next), optionally with what a help desk wants to know.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Error {
    /// Decides the exit code.
    pub kind: Kind,
    /// What happened, one sentence without a full stop.
    pub what: String,
    /// What to do next, one step a line.
    pub next: String,
    /// Error number, correlation id, trace id and time, as the server gave them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What kind of refusal it was, where an issuer refused something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
}

impl Error {
    /// An error of `kind` in two halves.
    pub fn new(kind: Kind, what: impl Into<String>, next: impl Into<String>) -> Self {
        Error { kind, what: what.into(), next: next.into(), reference: None, refusal: None }
    }

    /// Exit 1: network, set-up, or bad input at run time.
    pub fn failed(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Kind::Failed, what, next)
    }

    /// Exit 2: the command line makes no sense.
    pub fn usage(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Kind::Usage, what, next)
    }

    /// Exit 3: a person has to sign in.
    pub fn sign_in_needed(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Kind::SignInNeeded, what, next)
    }

    /// Exit 4: refused by policy.
    pub fn refused(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Kind::Refused, what, next)
    }

    /// Adds what a help desk needs to find this failure on its side.
    pub fn with_reference(mut self, reference: Option<String>) -> Self {
        self.reference = reference;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Error {}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

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
