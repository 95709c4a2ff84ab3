//! Systems without Unix terminals: no input is read, since the browser runs on the same machine.

use kubectl_login::signin::Lines;

use super::InputSource;

/// A reader; none can be created.
pub(super) enum Keyboard {}

impl Keyboard {
    /// Always `None`.
    pub(super) fn listen(_source: InputSource) -> Option<(Keyboard, Lines)> {
        None
    }
}

/// Whether this process is in the foreground: always, without job control.
pub(super) fn is_in_front() -> bool {
    true
}

/// Whether a full-screen program has taken over this terminal; not known here.
pub(super) fn is_raw<T>(_terminal: T) -> bool {
    false
}

/// Whether a user may read stderr as it is written.
pub(super) fn is_stderr_read() -> bool {
    true
}

/// Whether stdin is a pipe or a file; it is not read here.
pub(super) fn is_stdin_piped() -> bool {
    false
}
