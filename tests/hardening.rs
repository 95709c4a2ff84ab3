//! Memory that is not for others, limits of the system, and folders that another user has prepared.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;
#[path = "hardening/folders.rs"]
mod folders;
#[path = "hardening/limits.rs"]
mod limits;
#[path = "hardening/other_users.rs"]
mod other_users;
#[path = "common/scripted.rs"]
mod scripted;
#[path = "hardening/secrets.rs"]
mod secrets;

use std::path::Path;
use std::process::{Command, Stdio};

use common::Home;

/// A user id that no one has here.
const STRANGER: u32 = 61_234;

/// Whether this test can change users. CI runs as root; elsewhere the test says that it is skipped.
fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        use std::io::Write as _;
        // Past the test harness, which would swallow it.
        let _ = writeln!(std::io::stderr(), "skipped: this test needs root");
    }
    is_root
}

/// `program` of `home`, run as the stranger.
fn as_stranger(home: &Home, program: impl AsRef<Path>) -> Command {
    let mut command = home.program("setpriv");
    let id = STRANGER.to_string();
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(program.as_ref());
    command.stdin(Stdio::null());
    command
}

/// Gives `path` and everything below it to `user`.
fn give(path: &Path, user: u32) {
    let done = Command::new("chown").arg("-R").arg(user.to_string()).arg(path).status().unwrap();
    assert!(done.success());
}
