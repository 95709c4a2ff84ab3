//! Where terminals are no Unix terminals nothing is read by hand: the browser there runs on the same machine.

use kubectl_login::signin::Lines;

use super::Source;

/// A reader that there is none of.
pub(super) enum Keyboard {}

impl Keyboard {
    /// Nothing to read from.
    pub(super) fn listen(_source: Source) -> Option<(Keyboard, Lines)> {
        None
    }
}

/// Whether the terminal is for this process just now: there is no job control.
pub(super) fn is_in_front() -> bool {
    true
}

/// Whether a program with a screen of its own has taken over this terminal; not known here.
pub(super) fn is_raw<T>(_terminal: T) -> bool {
    false
}

/// Whether somebody may read what is written to stderr when it is written.
pub(super) fn is_followed() -> bool {
    true
}

/// Whether stdin is a pipe or a file that somebody means to be read: not read here.
pub(super) fn is_fed() -> bool {
    false
}
