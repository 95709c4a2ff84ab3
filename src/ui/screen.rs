//! What the terminal at the other end of a stream can do.

use kubectl_login::environment::{self, Environment};

use super::style;

/// A terminal, as far as it matters to what is written there. One that is none can do nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Screen {
    /// Columns and rows, where they are known.
    pub(super) size: Option<(usize, usize)>,
    /// Whether there may be colours.
    pub(super) colour: bool,
    /// Whether a line can be written over.
    pub(super) rewrites: bool,
    /// Whether the time that is left is written over and over. Not where a log runs through the same terminal.
    pub(super) counts_down: bool,
    /// Whether block characters are shown as such.
    pub(super) blocks: bool,
    /// Whether text can be offered to the clipboard (OSC 52).
    pub(super) clipboard: bool,
}

impl Screen {
    /// The terminal of `size` that `environment` describes.
    pub(super) fn of(size: Option<(terminal_size::Width, terminal_size::Height)>, environment: &Environment) -> Screen {
        let rewrites = style::takes_escapes(environment);
        Screen {
            size: size.map(|(width, height)| (width.0.into(), height.0.into())).filter(|(width, _)| *width > 0),
            colour: style::enabled(true, environment),
            rewrites,
            counts_down: rewrites && !tracing::enabled!(tracing::Level::INFO),
            blocks: rewrites && speaks_utf8(environment),
            clipboard: rewrites && knows_osc52(environment),
        }
    }

    /// How wide it is, where that is known.
    pub(super) fn columns(&self) -> Option<usize> {
        self.size.map(|(columns, _)| columns)
    }
}

/// Whether the locale's character set has block characters.
fn speaks_utf8(environment: &Environment) -> bool {
    let locale = [environment::LC_ALL, environment::LC_CTYPE, environment::LANG];
    match locale.into_iter().find_map(|name| environment.get(name)) {
        Some(locale) => {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        }
        None => cfg!(any(target_os = "macos", windows)),
    }
}

/// Whether the terminal takes OSC 52, or passes over it without a trace. There is no way to ask that does not read from
/// the terminal, and what is typed there may be meant for somebody else.
fn knows_osc52(environment: &Environment) -> bool {
    const FAMILIES: &[&str] = &[
        "xterm",
        "tmux",
        "alacritty",
        "foot",
        "wezterm",
        "contour",
        "rio",
        "konsole",
        "iterm",
        "mintty",
        "st-",
        "ghostty",
    ];
    let term = environment.get(environment::TERM).unwrap_or_default();
    FAMILIES.iter().any(|family| term.starts_with(family)) || environment.get_os(environment::TMUX).is_some()
}

/// What offers `text` to the terminal's clipboard (xterm's control sequences, OSC 52).
pub(super) fn to_clipboard(text: &str) -> String {
    use base64::Engine as _;
    format!("\x1b]52;c;{}\x07", base64::engine::general_purpose::STANDARD.encode(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(variables: &[(&str, &str)]) -> Screen {
        Screen::of(None, &Environment::from_iter(variables.iter().copied()))
    }

    #[test]
    fn a_terminal_that_says_nothing_can_do_nothing() {
        if !cfg!(any(target_os = "macos", windows)) {
            assert_eq!(screen(&[]), Screen::default());
            assert_eq!(screen(&[("TERM", "dumb"), ("LANG", "C.UTF-8"), ("TMUX", "x")]), Screen::default());
        }
    }

    #[test]
    fn no_color_takes_the_colours_and_nothing_else() {
        let with = screen(&[("TERM", "xterm-256color"), ("LANG", "de_DE.UTF-8")]);
        assert_eq!(
            with,
            Screen { size: None, colour: true, rewrites: true, counts_down: true, blocks: true, clipboard: true }
        );
        let without = screen(&[("TERM", "xterm-256color"), ("LANG", "de_DE.UTF-8"), ("NO_COLOR", "1")]);
        assert_eq!(without, Screen { colour: false, ..with });
    }

    #[test]
    fn the_first_locale_variable_that_is_set_counts() {
        assert!(!screen(&[("TERM", "xterm"), ("LC_ALL", "C"), ("LANG", "C.UTF-8")]).blocks);
        assert!(screen(&[("TERM", "linux"), ("LC_ALL", ""), ("LANG", "C.utf8")]).blocks);
    }

    #[test]
    fn a_plain_console_is_not_sent_the_clipboard() {
        assert!(!screen(&[("TERM", "linux")]).clipboard);
        assert!(!screen(&[("TERM", "screen-256color")]).clipboard);
        assert!(screen(&[("TERM", "screen-256color"), ("TMUX", "/tmp/tmux-0/default,1,0")]).clipboard);
    }
}
