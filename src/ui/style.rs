//! Colours: what they mean, and when there are any.

use kubectl_login::environment::{self, Environment};

/// What a piece of text is. Nothing is told by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// The word that begins an error.
    Error,
    /// The word before the next step.
    Next,
    /// The word that begins a warning.
    Warning,
    /// Success.
    Good,
    /// What the eye should find: the address, the code.
    Strong,
}

/// Whether text on a stream may have colours.
pub(crate) fn enabled(stream_is_terminal: bool, environment: &Environment) -> bool {
    stream_is_terminal && understands_escapes(environment) && environment.get_os(environment::NO_COLOR).is_none()
}

/// Whether the terminal does more than print characters.
pub(crate) fn understands_escapes(environment: &Environment) -> bool {
    match environment.get(environment::TERM) {
        Some(term) => term != "dumb",
        // Nothing sets it there, and every console of the last years understands them.
        None => cfg!(windows),
    }
}

/// `text` in its style, where `on`.
pub(crate) fn paint(on: bool, style: Style, text: &str) -> String {
    let codes = match style {
        Style::Error => "1;31",
        Style::Next => "36",
        Style::Warning => "33",
        Style::Good => "1;32",
        Style::Strong => "1",
    };
    if on { format!("\x1b[{codes}m{text}\x1b[0m") } else { text.to_owned() }
}
