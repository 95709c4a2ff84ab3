//! Private memory, system limits, and directories that another user has prepared.
#![cfg(target_os = "linux")]

mod folders;
mod limits;
mod other_users;
mod secrets;

use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{Home, is_root};

/// An unused user id.
const OTHER_USER: u32 = 61_234;

/// A program in `home`, run as the other user.
fn as_other_user(home: &Home, program: impl AsRef<Path>) -> Command {
    let mut command = home.program("setpriv");
    let id = OTHER_USER.to_string();
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(program.as_ref());
    command.stdin(Stdio::null());
    command
}

/// Changes the owner of `path` and everything below it to `user`.
fn change_owner(path: &Path, user: u32) {
    let done = Command::new("chown").arg("-R").arg(user.to_string()).arg(path).status().unwrap();
    assert!(done.success());
}
