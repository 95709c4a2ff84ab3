//! A line that says how far something is, while somebody waits for it at a terminal.

use std::cell::Cell;
use std::io::{self, IsTerminal as _, Write as _};

use super::countdown::CLEAR_LINE;

/// A progress line on stderr; nothing where that is no terminal. Dropping it leaves an empty line.
pub(crate) struct Progress {
    what: &'static str,
    is_shown: Cell<bool>,
    can_show: bool,
}

impl Progress {
    /// Says how many of `what` there are.
    pub(crate) fn of(what: &'static str) -> Progress {
        Progress { what, is_shown: Cell::new(false), can_show: io::stderr().is_terminal() }
    }

    /// So many so far.
    pub(crate) fn at(&self, count: usize) {
        if self.can_show {
            self.is_shown.set(true);
            let _ = write!(io::stderr(), "{CLEAR_LINE}{count} {} so far", self.what);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown.get() {
            let _ = write!(io::stderr(), "{CLEAR_LINE}");
        }
    }
}
