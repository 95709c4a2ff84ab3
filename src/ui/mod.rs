//! The terminal, prompts and the browser: the only place that talks to a person.

pub(crate) mod briefly;
mod browser;
mod countdown;
#[cfg(unix)]
mod keyboard;
#[cfg(not(unix))]
#[path = "no_keyboard.rs"]
mod keyboard;
pub(crate) mod progress;
mod prompt;
mod qr;
mod screen;
pub(crate) mod style;
mod target;
mod terminal;
pub(crate) mod wrap;

pub(crate) use target::Target;
pub(crate) use terminal::{Prompt, Terminal};

/// Where what somebody types or pastes comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// The terminal as it is: what is typed there can be seen, and edited.
    Seen,
    /// The terminal, which shows nothing of what is typed.
    Unseen,
    /// The same, and stdin where somebody else is at its other end.
    UnseenOrStdin,
}
