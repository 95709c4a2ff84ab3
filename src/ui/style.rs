//! Emphasis: which words stand out on a terminal, and whether any do (see docs/STYLE.md). Nothing is said by colour
//! alone, so text without it loses nothing.

use kubectl_login::environment::{self, Environment};

/// What a word is, not how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// `Error:`
    Error,
    /// `Next:`
    Next,
    /// `Warning:`
    Warning,
    /// The word that says it worked.
    Good,
    /// What has to be read or typed exactly, such as a code.
    Strong,
}

impl Style {
    /// The parameters of the escape sequence that switches it on (ECMA-48, SGR).
    fn parameters(self) -> &'static str {
        match self {
            Style::Error => "1;31",
            Style::Next => "36",
            Style::Warning => "1;33",
            Style::Good => "1;32",
            Style::Strong => "1",
        }
    }
}

/// Whether words stand out on a stream: only on a terminal that can do it, and not if `NO_COLOR` is set.
pub(crate) fn enabled(stream_is_terminal: bool, environment: &Environment) -> bool {
    stream_is_terminal && takes_escapes(environment) && environment.get_os(environment::NO_COLOR).is_none()
}

/// Whether the terminal does more than print characters: colours, and lines that are written over.
pub(crate) fn takes_escapes(environment: &Environment) -> bool {
    match environment.get(environment::TERM) {
        Some(terminal) => terminal != "dumb",
        // The consoles of Windows have no TERM, and not all of them take escapes unless told to. Windows Terminal does.
        None => cfg!(windows) && environment.get_os(environment::WT_SESSION).is_some(),
    }
}

/// `text` in a style where that is on, else as it is.
pub(crate) fn paint(on: bool, style: Style, text: &str) -> String {
    if on { format!("\x1b[{}m{text}\x1b[0m", style.parameters()) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_that_can_and_may_shows_styles() {
        let on = |variables: &[(&str, &str)]| enabled(true, &Environment::from_iter(variables.iter().copied()));
        assert!(on(&[("TERM", "xterm-256color")]));
        assert!(on(&[("TERM", "linux"), ("NO_COLOR", "")]), "an empty NO_COLOR is none");
        assert!(!on(&[("TERM", "xterm"), ("NO_COLOR", "1")]));
        assert!(!on(&[("TERM", "dumb")]));
        assert!(!on(&[]));
        assert_eq!(on(&[("WT_SESSION", "x")]), cfg!(windows));
        assert!(!enabled(false, &Environment::from_iter([("TERM", "xterm")])));
    }

    #[test]
    fn a_style_ends_with_its_text() {
        assert_eq!(paint(true, Style::Error, "Error:"), "\x1b[1;31mError:\x1b[0m");
        assert_eq!(paint(false, Style::Error, "Error:"), "Error:");
    }
}
