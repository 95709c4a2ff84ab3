//! Texts and screens that are compared with stored ones: insta's snapshots, in a directory for each area of
//! `tests/all/snapshots/`.
//!
//! With `INSTA_UPDATE=always` in the environment, insta writes the snapshots that differ.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use insta::{Comparator, Settings, Snapshot};

use crate::common::tmux::Screen;

/// The timeout for a screen to match its snapshot.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a screen has to stay the same before it is stored.
const STABLE: Duration = Duration::from_millis(700);
/// The heading of the rows with colours.
const COLOURS: &str = "---- in colour ----\n";

/// Asserts that `text` matches `tests/all/snapshots/AREA/NAME.snap`. It must end with one line break.
#[track_caller]
pub fn assert_text(area: &str, name: &str, text: &str) {
    // insta ignores it.
    assert_eq!(text, format!("{}\n", text.trim_end()), "white space at the end of {name}");
    let mut settings = Settings::clone_current();
    settings.set_snapshot_path(folder(area));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_comparator(Box::new(Exactly));
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// Asserts that the screen matches `tests/all/snapshots/screens/NAME.snap`, or does so soon.
///
/// The snapshot has the text, then the rows with colours, which are in braces. A screen without colours has the same
/// text and must have no styles.
#[track_caller]
pub fn assert_screen(name: &str, screen: &Screen) {
    let stored = stored(&folder("screens").join(format!("{name}.snap")));
    assert_text("screens", name, &settled(screen, stored.as_deref()));
}

/// Whether insta writes all snapshots, also those that match.
pub fn are_all_written() -> bool {
    std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "force")
}

/// Whether insta writes the snapshots that differ.
fn are_written() -> bool {
    std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") || are_all_written()
}

fn folder(area: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/snapshots").join(area)
}

/// The text in a snapshot file, without its header.
fn stored(file: &Path) -> Option<String> {
    let file = fs::read_to_string(file).ok()?;
    let (_, text) = file.strip_prefix("---\n")?.split_once("\n---\n")?;
    Some(text.to_owned())
}

/// The screen as soon as it matches the stored one; otherwise as it is in the end.
fn settled(screen: &Screen, stored: Option<&str>) -> String {
    let expected = stored.filter(|_| !are_written());
    let started = Instant::now();
    let (mut last, mut since) = (String::new(), started);
    loop {
        // Before reading the screen, which then has everything that was written until the end.
        let has_ended = screen.has_ended();
        let now = shown(screen, stored.unwrap_or_default());
        if now != last {
            (last, since) = (now, Instant::now());
        }
        let is_settled = match expected {
            Some(expected) => last == expected,
            None => since.elapsed() >= STABLE,
        };
        if is_settled || has_ended || started.elapsed() >= TIMEOUT {
            return last;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The screen in the format of a snapshot. For a screen without colours, the colours are taken from `stored`.
#[track_caller]
fn shown(screen: &Screen, stored: &str) -> String {
    let picture = screen.picture().masked(&[(screen.home().display().to_string(), "HOME".to_owned())]);
    let (text, mut styled) = (picture.text(), picture.styled());
    if !screen.is_coloured() {
        assert_eq!(styled, "", "styles on a screen without colours");
        styled = stored.split_once(COLOURS).map_or_else(String::new, |(_, styled)| styled.to_owned());
    }
    if styled.is_empty() { text } else { format!("{text}{COLOURS}{styled}") }
}

/// Compares all lines. insta's own comparison ignores empty lines at the beginning.
struct Exactly;

impl Comparator for Exactly {
    fn matches(&self, reference: &Snapshot, test: &Snapshot) -> bool {
        let text = |snapshot: &Snapshot| snapshot.as_text().map(ToString::to_string);
        text(reference) == text(test)
    }

    fn dyn_clone(&self) -> Box<dyn Comparator> {
        Box::new(Exactly)
    }
}
