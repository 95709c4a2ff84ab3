//! Programs that tests need, and programs that tests write.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The path of a program that a test needs. If it is missing, the test fails and says which package to install.
#[track_caller]
pub fn needed(program: &str, package: &str) -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("this test needs {program}: apt-get install {package}"))
}

/// Writes an executable file, and creates its directories.
///
/// Another process writes the file. If this process opened it, a process that another test starts at that moment could
/// keep it open for writing, and such a file cannot be executed ("Text file busy").
#[track_caller]
pub fn write_program(file: &Path, text: &str) {
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "cat >\"$0\" && chmod 755 \"$0\""]).arg(file).stdin(Stdio::piped());
    let mut shell = shell.spawn().unwrap();
    shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(shell.wait().unwrap().success(), "{} cannot be written", file.display());
}

/// Copies an executable file; see [`write_program`].
#[track_caller]
pub fn copy_program(from: &Path, to: &Path) {
    let status = Command::new("cp").arg(from).arg(to).status().unwrap();
    assert!(status.success(), "{} cannot be copied", from.display());
}
