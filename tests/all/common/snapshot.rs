//! Screens compared with what they were: text files in `tests/screens/`, one each.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::picture::Picture;
use crate::common::tmux::Screen;

/// How long a screen may take to become what is expected.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a screen has to stay as it is to be written down.
const REST: Duration = Duration::from_millis(700);
/// Stands before the rows that have colours.
const COLOURS: &str = "---- in colour ----\n";

/// Asserts that the screen is what `tests/screens/NAME.txt` holds, or soon becomes so.
///
/// The file has the text, then the rows with colours, with these in braces. A screen without colours has the same text
/// and no style at all. With `WRITE_SCREENS` in the environment the file is written instead: by the screen in colour,
/// and by the other one if its text differs.
#[track_caller]
pub fn assert_screen(name: &str, screen: &Screen) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/screens/{name}.txt"));
    let expected = fs::read_to_string(&file).unwrap_or_default();
    if std::env::var_os("WRITE_SCREENS").is_some() {
        let shown = at_rest(screen);
        if shown != wanted(&expected, screen.is_coloured()) {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, shown).unwrap();
        }
        return;
    }
    let wanted = wanted(&expected, screen.is_coloured());
    let started = Instant::now();
    loop {
        let shown = shown(screen);
        if shown == wanted {
            return;
        }
        // What has ended does not change any more.
        assert!(
            started.elapsed() < PATIENCE && !screen.has_ended(),
            "not the screen {name}. Expected:\n{}\nShown:\n{}\nIf this is right, run the test with WRITE_SCREENS=1.",
            framed(wanted),
            framed(&shown)
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What a screen should show: without colours, only the text.
fn wanted(expected: &str, is_coloured: bool) -> &str {
    let text = expected.split(COLOURS).next().unwrap_or_default();
    if is_coloured { expected } else { text }
}

fn masked(screen: &Screen) -> Picture {
    screen.picture().masked(&[(screen.home().display().to_string(), "HOME".to_owned())])
}

fn shown(screen: &Screen) -> String {
    let picture = masked(screen);
    let (text, styled) = (picture.text(), picture.styled());
    if styled.is_empty() { text } else { format!("{text}{COLOURS}{styled}") }
}

/// The screen once it has stayed the same for a while.
fn at_rest(screen: &Screen) -> String {
    let (mut last, mut since) = (shown(screen), Instant::now());
    while since.elapsed() < REST {
        std::thread::sleep(Duration::from_millis(50));
        let now = shown(screen);
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    last
}

/// So that blanks and empty lines can be seen in a failure.
fn framed(text: &str) -> String {
    text.lines().map(|line| format!("|{line}|\n")).collect()
}
