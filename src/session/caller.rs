//! The process that started this one: its id and start time.
//!
//! kubectl runs a failing plugin up to five times per command; the same parent is not told the same thing twice.

use serde::{Deserialize, Serialize};

/// A parent process. Process ids are reused, so the start time is part of it, if the system tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Process id.
    pub pid: u32,
    /// Start time in clock ticks after boot; 0 if it is unknown.
    pub started: u64,
}

impl Caller {
    /// The parent of this process.
    #[cfg(unix)]
    pub fn of_process() -> Caller {
        let pid = std::os::unix::process::parent_id();
        Caller { pid, started: start_time(pid).unwrap_or_default() }
    }

    /// The parent of this process; unknown on this platform, so no two calls have the same caller.
    #[cfg(not(unix))]
    pub fn of_process() -> Caller {
        Caller { pid: std::process::id(), started: 0 }
    }
}

/// Whether this process has the stderr of its parent, so that the user can still read what was printed there. A client that
/// captures stderr may show only the output of the last run. Without `/proc`, a terminal counts as the parent's.
#[cfg(unix)]
pub fn shares_stderr() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let file = |process: &str| {
        let metadata = std::fs::metadata(format!("/proc/{process}/fd/2")).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    let parent = std::os::unix::process::parent_id().to_string();
    match file("self") {
        Some(own) => file(&parent) == Some(own),
        None => std::io::IsTerminal::is_terminal(&std::io::stderr()),
    }
}

/// Whether this process has the stderr of its parent; unknown on this platform.
#[cfg(not(unix))]
pub fn shares_stderr() -> bool {
    false
}

/// Field 22 of `/proc/<pid>/stat` (proc(5)). The name in field 2 may hold blanks and parentheses, so counting starts
/// after the last one.
#[cfg(unix)]
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_parent_stays_the_same() {
        let caller = Caller::of_process();
        assert!(caller.started > 0);
        assert_eq!(caller, Caller::of_process());
    }
}
