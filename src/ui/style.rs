//! Emphasis: which words stand out on a terminal, and whether any do (see docs/STYLE.md). Colour alone never carries
//! information, so text without it is complete.

use kubectl_login::environment::{self, Environment};

/// The role of a word, not its appearance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emphasis {
    /// `Error:`
    Error,
    /// `Next:`
    Next,
    /// `Warning:`
    Warning,
    /// A success.
    Good,
    /// Text that has to be read or typed exactly, such as a code.
    Strong,
}

impl Emphasis {
    /// The parameters of the escape sequence that switches it on (ECMA-48, SGR).
    fn parameters(self) -> &'static str {
        match self {
            Emphasis::Error => "1;31",
            Emphasis::Next => "36",
            Emphasis::Warning => "1;33",
            Emphasis::Good => "1;32",
            Emphasis::Strong => "1",
        }
    }
}

/// Whether emphasis is used on a stream: only on a terminal that supports it, and not if `NO_COLOR` is set.
pub(crate) fn enabled(stream_is_terminal: bool, environment: &Environment) -> bool {
    stream_is_terminal && takes_escapes(environment) && environment.get_os(environment::NO_COLOR).is_none()
}

/// Whether the terminal supports escape sequences: colours, and lines that are overwritten.
pub(crate) fn takes_escapes(environment: &Environment) -> bool {
    match environment.get(environment::TERM) {
        Some(terminal) => terminal != "dumb",
        // Windows consoles have no TERM, and not all of them interpret escapes by default. Windows Terminal does.
        None => cfg!(windows) && environment.get_os(environment::WT_SESSION).is_some(),
    }
}

/// `text` in a style if `on`, else as it is.
pub(crate) fn paint(on: bool, style: Emphasis, text: &str) -> String {
    if on { format!("\x1b[{}m{text}\x1b[0m", style.parameters()) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emphasis_needs_a_capable_terminal_without_no_color() {
        let on = |variables: &[(&str, &str)]| enabled(true, &Environment::from_iter(variables.iter().copied()));
        assert!(on(&[("TERM", "xterm-256color")]));
        assert!(on(&[("TERM", "linux"), ("NO_COLOR", "")]), "an empty NO_COLOR counts as unset");
        assert!(!on(&[("TERM", "xterm"), ("NO_COLOR", "1")]));
        assert!(!on(&[("TERM", "dumb")]));
        assert!(!on(&[]));
        assert_eq!(on(&[("WT_SESSION", "x")]), cfg!(windows));
        assert!(!enabled(false, &Environment::from_iter([("TERM", "xterm")])));
    }

    #[test]
    fn emphasis_ends_with_its_text() {
        assert_eq!(paint(true, Emphasis::Error, "Error:"), "\x1b[1;31mError:\x1b[0m");
        assert_eq!(paint(false, Emphasis::Error, "Error:"), "Error:");
    }
}
