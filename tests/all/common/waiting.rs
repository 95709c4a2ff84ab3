//! Waiting for what another process does.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::HANG;

/// Waits for something that another process does.
#[track_caller]
pub fn until(is_done: impl Fn() -> bool) {
    let end = Instant::now() + HANG;
    while !is_done() {
        assert!(Instant::now() < end, "it did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How many processes have a session's lock in this state folder open: those who wait for it, and the one that has it.
pub fn at_the_lock(state: &Path) -> usize {
    let locks = state.join("locks");
    let is_lock = |link: &Path| link.parent() == Some(&locks) && link.file_name().is_some_and(|name| name.len() == 64);
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read_dir(entry.unwrap().path().join("fd")).ok());
    processes
        .filter_map(|mut files| {
            files.find(|file| {
                file.as_ref().is_ok_and(|file| fs::read_link(file.path()).is_ok_and(|link| is_lock(&link)))
            })
        })
        .count()
}

/// Waits until so many processes stand at the lock, and still do a moment later.
#[track_caller]
pub fn wait_at_the_lock(state: &Path, count: usize) {
    let started = Instant::now();
    let mut seen = 0;
    while seen < 3 {
        assert!(started.elapsed() < HANG, "{} of {count} wait", at_the_lock(state));
        std::thread::sleep(Duration::from_millis(20));
        seen = if at_the_lock(state) >= count { seen + 1 } else { 0 };
    }
}
