//! The terminal, prompts and the browser: the only code that talks to a user.

mod browser;
mod countdown;
#[cfg(unix)]
mod keyboard;
#[cfg(not(unix))]
#[path = "no_keyboard.rs"]
mod keyboard;
mod notice;
pub(crate) mod progress;
mod prompt;
mod qr;
pub(crate) mod style;
mod target;
mod terminal;
mod terminal_features;
pub(crate) mod timed_write;
pub(crate) mod wrap;

pub(crate) use target::SignInTarget;
pub(crate) use terminal::{PromptMode, Terminal};

/// Where the user's input is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InputSource {
    /// The terminal as it is: input is displayed and can be edited.
    VisibleTerminal,
    /// The terminal without echo.
    HiddenTerminal,
    /// The same, and stdin if another program writes to it.
    HiddenTerminalOrStdin,
}
