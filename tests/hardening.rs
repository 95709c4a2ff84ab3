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

use common::{Home, is_root};

/// A user id that no one has here.
const STRANGER: u32 = 61_234;

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
