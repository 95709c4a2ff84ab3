//! Texts and screens compared with stored ones: insta's snapshots, in a folder for each area of `tests/all/snapshots/`.
//!
//! With `INSTA_UPDATE=always` in the environment, insta writes what differs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use insta::{Comparator, Settings, Snapshot};

use crate::common::tmux::Screen;

/// How long a screen may take to become what is expected.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a screen has to stay as it is to be written down.
const REST: Duration = Duration::from_millis(700);
/// Stands before the rows that have colours.
const COLOURS: &str = "---- in colour ----\n";

/// Asserts that `text` is what `tests/all/snapshots/AREA/NAME.snap` holds. Its last line ends as lines do.
#[track_caller]
pub fn assert_text(area: &str, name: &str, text: &str) {
    // A snapshot cannot tell.
    assert_eq!(text, format!("{}\n", text.trim_end()), "white space at the end of {name}");
    let mut settings = Settings::clone_current();
    settings.set_snapshot_path(folder(area));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_comparator(Box::new(Exactly));
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// Asserts that the screen is what `tests/all/snapshots/screens/NAME.snap` holds, or soon becomes so.
///
/// The snapshot has the text, then the rows with colours, with these in braces. A screen without colours has the same
/// text and no style at all.
#[track_caller]
pub fn assert_screen(name: &str, screen: &Screen) {
    let stored = stored(&folder("screens").join(format!("{name}.snap")));
    assert_text("screens", name, &settled(screen, stored.as_deref()));
}

/// Whether insta was told to write all snapshots, also those that it finds as they should be.
pub fn are_all_written() -> bool {
    std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "force")
}

/// Whether insta was told to write the snapshots that differ.
fn are_written() -> bool {
    std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") || are_all_written()
}

fn folder(area: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/snapshots").join(area)
}

/// The text in a snapshot's file: what stands below its header.
fn stored(file: &Path) -> Option<String> {
    let file = fs::read_to_string(file).ok()?;
    let (_, text) = file.strip_prefix("---\n")?.split_once("\n---\n")?;
    Some(text.to_owned())
}

/// What the screen shows as soon as that is what is stored; otherwise what it shows in the end.
fn settled(screen: &Screen, stored: Option<&str>) -> String {
    let expected = stored.filter(|_| !are_written());
    let started = Instant::now();
    let (mut last, mut since) = (String::new(), started);
    loop {
        // Before the look at the screen, which has everything that was written until then.
        let has_ended = screen.has_ended();
        let now = shown(screen, stored.unwrap_or_default());
        if now != last {
            (last, since) = (now, Instant::now());
        }
        let is_settled = match expected {
            Some(expected) => last == expected,
            None => since.elapsed() >= REST,
        };
        if is_settled || has_ended || started.elapsed() >= PATIENCE {
            return last;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The screen as its snapshot holds it. That of one without colours says nothing on them, so `stored` is left to.
#[track_caller]
fn shown(screen: &Screen, stored: &str) -> String {
    let picture = screen.picture().masked(&[(screen.home().display().to_string(), "HOME".to_owned())]);
    let (text, mut styled) = (picture.text(), picture.styled());
    if !screen.is_coloured() {
        assert_eq!(styled, "", "styles where there are to be none");
        styled = stored.split_once(COLOURS).map_or_else(String::new, |(_, styled)| styled.to_owned());
    }
    if styled.is_empty() { text } else { format!("{text}{COLOURS}{styled}") }
}

/// Every line counts. insta's own comparison overlooks empty lines at the beginning.
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
