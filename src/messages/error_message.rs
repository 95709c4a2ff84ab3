//! An error as a user reads it, and the exit code that goes with it.

use kubectl_login_core::entra::refusals::{Refusal, Remedy};

use crate::runtime::StopSignal;

/// What a failure means to the caller; the number is the exit code of the process, stable and documented in
/// `docs/exit-codes.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitKind {
    /// Network, configuration, or bad input at run time: exit 1.
    Failed,
    /// The command line is not valid: exit 2.
    Usage,
    /// The user has to sign in: 3.
    SignInNeeded,
    /// Refused by policy, such as conditional access, consent or assignment: exit 4.
    Refused,
    /// Ctrl-C: exit 130, as in shells.
    Interrupted,
    /// SIGTERM or SIGHUP: exit 143, as in shells.
    Terminated,
}

impl ExitKind {
    /// The exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            ExitKind::Failed => 1,
            ExitKind::Usage => 2,
            ExitKind::SignInNeeded => 3,
            ExitKind::Refused => 4,
            ExitKind::Interrupted => 130,
            ExitKind::Terminated => 143,
        }
    }

    /// The signal that stopped the process, if one did.
    pub fn stop_signal(self) -> Option<StopSignal> {
        match self {
            ExitKind::Interrupted => Some(StopSignal::Interrupt),
            ExitKind::Terminated => Some(StopSignal::Terminate),
            _ => None,
        }
    }

    /// Whether a signal stopped the process.
    pub fn is_stopped(self) -> bool {
        self.stop_signal().is_some()
    }
}

impl From<Remedy> for ExitKind {
    fn from(remedy: Remedy) -> ExitKind {
        match remedy {
            Remedy::SignIn => ExitKind::SignInNeeded,
            Remedy::PolicyChange => ExitKind::Refused,
            Remedy::Other => ExitKind::Failed,
        }
    }
}

impl From<StopSignal> for ExitKind {
    fn from(signal: StopSignal) -> ExitKind {
        match signal {
            StopSignal::Interrupt => ExitKind::Interrupted,
            StopSignal::Terminate => ExitKind::Terminated,
        }
    }
}

/// An error in two halves (what happened, what to do next), optionally with what a help desk needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorMessage {
    /// Decides the exit code.
    pub kind: ExitKind,
    /// What happened, one sentence without a full stop.
    pub what: String,
    /// What to do next, one step a line.
    pub next: String,
    /// Error number, correlation id, trace id and time, as the server gave them.
    pub reference: Option<String>,
    /// The kind of refusal, if an issuer refused something.
    pub refusal: Option<Refusal>,
}

impl ErrorMessage {
    /// An error of `kind` in two halves.
    pub fn new(kind: ExitKind, what: impl Into<String>, next: impl Into<String>) -> Self {
        ErrorMessage { kind, what: what.into(), next: next.into(), reference: None, refusal: None }
    }

    /// Exit 1: network, configuration, or bad input at run time.
    pub fn failed(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(ExitKind::Failed, what, next)
    }

    /// Exit 2: the command line is not valid.
    pub fn usage(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(ExitKind::Usage, what, next)
    }

    /// Exit 3: the user has to sign in.
    pub fn sign_in_needed(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(ExitKind::SignInNeeded, what, next)
    }

    /// Exit 4: refused by policy.
    pub fn refused(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(ExitKind::Refused, what, next)
    }

    /// Adds what a help desk needs to find this failure on its side.
    pub fn with_reference(mut self, reference: Option<String>) -> Self {
        self.reference = reference;
        self
    }
}

/// The result of something that a user asked for.
pub type Result<T, E = ErrorMessage> = std::result::Result<T, E>;
