//! What the terminal behind a stream can do.

use kubectl_login::environment::{self, Environment};

use super::style;

/// The features of a terminal that output depends on. If the stream is not a terminal, it has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TerminalFeatures {
    /// Columns and rows, if known.
    pub(super) size: Option<(usize, usize)>,
    /// Whether colours may be used.
    pub(super) colour: bool,
    /// Whether a line can be overwritten.
    pub(super) rewrites: bool,
    /// Whether a countdown may run. Not if a log is written to the same terminal.
    pub(super) counts_down: bool,
    /// Whether block characters are displayed.
    pub(super) blocks: bool,
    /// Whether text can be offered to the clipboard (OSC 52).
    pub(super) clipboard: bool,
}

impl TerminalFeatures {
    /// The terminal of `size` that `environment` describes.
    pub(super) fn new(
        size: Option<(terminal_size::Width, terminal_size::Height)>,
        environment: &Environment,
    ) -> TerminalFeatures {
        let rewrites = style::takes_escapes(environment);
        TerminalFeatures {
            size: size.map(|(width, height)| (width.0.into(), height.0.into())).filter(|(width, _)| *width > 0),
            colour: style::enabled(true, environment),
            rewrites,
            counts_down: rewrites && !tracing::enabled!(tracing::Level::INFO),
            blocks: rewrites && speaks_utf8(environment),
            clipboard: rewrites && knows_osc52(environment),
        }
    }

    /// The number of columns, if known.
    pub(super) fn columns(&self) -> Option<usize> {
        self.size.map(|(columns, _)| columns)
    }
}

/// Whether the locale's character set contains block characters.
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

/// Whether the terminal supports OSC 52, or ignores it silently. A query would have to read from the terminal, where the
/// user may be typing for another program.
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

/// The control sequence that copies `text` to the terminal's clipboard (xterm's control sequences, OSC 52).
pub(super) fn to_clipboard(text: &str) -> String {
    use base64::Engine as _;
    format!("\x1b]52;c;{}\x07", base64::engine::general_purpose::STANDARD.encode(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(variables: &[(&str, &str)]) -> TerminalFeatures {
        TerminalFeatures::new(None, &Environment::from_iter(variables.iter().copied()))
    }

    #[test]
    fn unknown_or_dumb_terminal_has_no_features() {
        if !cfg!(any(target_os = "macos", windows)) {
            assert_eq!(screen(&[]), TerminalFeatures::default());
            assert_eq!(screen(&[("TERM", "dumb"), ("LANG", "C.UTF-8"), ("TMUX", "x")]), TerminalFeatures::default());
        }
    }

    #[test]
    fn no_color_disables_colours_only() {
        let with = screen(&[("TERM", "xterm-256color"), ("LANG", "de_DE.UTF-8")]);
        assert_eq!(
            with,
            TerminalFeatures {
                size: None,
                colour: true,
                rewrites: true,
                counts_down: true,
                blocks: true,
                clipboard: true
            }
        );
        let without = screen(&[("TERM", "xterm-256color"), ("LANG", "de_DE.UTF-8"), ("NO_COLOR", "1")]);
        assert_eq!(without, TerminalFeatures { colour: false, ..with });
    }

    #[test]
    fn first_locale_variable_that_is_set_decides() {
        assert!(!screen(&[("TERM", "xterm"), ("LC_ALL", "C"), ("LANG", "C.UTF-8")]).blocks);
        assert!(screen(&[("TERM", "linux"), ("LC_ALL", ""), ("LANG", "C.utf8")]).blocks);
    }

    #[test]
    fn plain_console_is_not_sent_clipboard_sequences() {
        assert!(!screen(&[("TERM", "linux")]).clipboard);
        assert!(!screen(&[("TERM", "screen-256color")]).clipboard);
        assert!(screen(&[("TERM", "screen-256color"), ("TMUX", "/tmp/tmux-0/default,1,0")]).clipboard);
    }
}
