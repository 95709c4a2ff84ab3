//! The release build of the plugin, and how much memory it uses.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Builds the plugin with the release profile.
pub(crate) fn build() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--release", "--locked", "--bin", "kubectl-login"]);
    let built = cargo.arg("--message-format=json").stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success(), "the release build failed");
    let lines = built.stdout.split(|&byte| byte == b'\n');
    let messages = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let mut programs = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    programs.next_back().expect("cargo names what it has built")
}

/// The most memory that one call uses, in MiB, by `/usr/bin/time` (package `time`); `None` if that is not installed or
/// the call fails. `command` makes a command in the environment of the call.
pub(crate) fn peak(program: &Path, args: &[String], command: impl Fn(&Path) -> Command) -> Option<f64> {
    let folder = tempfile::tempdir().ok()?;
    let file = folder.path().join("peak");
    let mut timed = command(Path::new("/usr/bin/time"));
    timed.args(["-f", "%M", "-o"]).arg(&file).arg(program).args(args);
    timed.status().ok().filter(std::process::ExitStatus::success)?;
    let kib: f64 = std::fs::read_to_string(&file).ok()?.trim().parse().ok()?;
    Some(kib / 1024.0)
}
