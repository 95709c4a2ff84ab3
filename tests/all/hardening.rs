//! Memory that is not for others, limits of the system, and folders that another user has prepared.
#![cfg(target_os = "linux")]

mod folders;
mod limits;
mod other_users;
mod secrets;

use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{Home, is_root};

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
