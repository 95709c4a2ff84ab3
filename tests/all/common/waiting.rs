//! Waiting for other processes.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::HANG;

/// Waits until a condition is true because of another process.
#[track_caller]
pub fn until(is_done: impl Fn() -> bool) {
    wait_until("it happens", is_done);
}

/// The same, with a description for the error message.
#[track_caller]
pub fn wait_until(what: &str, mut is_done: impl FnMut() -> bool) {
    let end = Instant::now() + HANG;
    while !is_done() {
        assert!(Instant::now() < end, "still waiting until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How many processes in this state directory have a session's lock file open: those that wait for the lock, and its
/// owner.
///
/// A process that another test is just starting is a copy of this one for a moment, with its files. It is not counted.
pub fn count_at_lock(state: &Path) -> usize {
    let locks = state.join("locks");
    let is_lock = |link: &Path| link.parent() == Some(&locks) && link.file_name().is_some_and(|name| name.len() == 64);
    let has_lock = |process: &Path| {
        let mut files = fs::read_dir(process.join("fd")).into_iter().flatten();
        files.any(|file| file.is_ok_and(|file| fs::read_link(file.path()).is_ok_and(|link| is_lock(&link))))
    };
    let this = fs::canonicalize("/proc/self").unwrap();
    let program = fs::read_link("/proc/self/exe").unwrap();
    let is_copy =
        |process: &Path| *process != this && fs::read_link(process.join("exe")).is_ok_and(|other| other == program);
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    // In this order: a copy that has become another program has closed the files.
    processes.filter(|process| !is_copy(process) && has_lock(process)).count()
}

/// Waits until so many processes have the lock file open, and have it for a moment.
#[track_caller]
pub fn wait_for_count_at_lock(state: &Path, count: usize) {
    let started = Instant::now();
    let mut seen = 0;
    while seen < 3 {
        assert!(started.elapsed() < HANG, "{} of {count} wait", count_at_lock(state));
        std::thread::sleep(Duration::from_millis(20));
        seen = if count_at_lock(state) >= count { seen + 1 } else { 0 };
    }
}
