//! A QR code in half blocks: two modules per character, as small as a phone can read.

use qrcode::{Color, EcLevel, QrCode};

/// Light modules around the code. The standard requires four; two are read as well and take less space.
const QUIET: usize = 2;

/// The lines of a QR code of `text`; `None` if the text is too long.
///
/// Scanners expect dark on light, which is drawn with `colour`. Without, the light modules are drawn in the text's colour,
/// which is right on a dark background, and inverted on a light one, which most scanners read too.
pub(super) fn lines(text: &str, colour: bool) -> Option<Vec<String>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let width = code.width();
    let modules = code.to_colors();
    let is_light = |x: usize, y: usize| {
        let inside = (QUIET..QUIET + width).contains(&x) && (QUIET..QUIET + width).contains(&y);
        !inside || modules[(y - QUIET) * width + x - QUIET] == Color::Light
    };
    let side = width + 2 * QUIET;
    let line = |y: usize| -> String {
        let blocks: String = (0..side)
            .map(|x| match (is_light(x, y), y + 1 < side && is_light(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            })
            .collect();
        // White on black by number: a theme may have changed the named colours.
        if colour { format!("\x1b[38;5;231;48;5;16m{blocks}\x1b[0m") } else { blocks }
    };
    Some((0..side).step_by(2).map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_of_entra_fits_into_a_small_window() {
        let lines = lines("https://microsoft.com/devicelogin", false).expect("short enough");
        assert_eq!((lines.len(), lines[0].chars().count()), (17, 33));
        assert!(lines.iter().all(|line| line.chars().count() == 33));
        assert_eq!(lines[0], "█".repeat(33));
    }

    #[test]
    fn text_that_is_too_long_is_not_drawn() {
        assert_eq!(lines(&"x".repeat(5000), false), None);
    }
}
