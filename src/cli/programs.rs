//! Programs that kubeconfigs name: where kubectl finds them, and whether they are this program.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The names that kubectl and kubeconfigs start this program by.
pub(super) const NAMES: [&str; 3] = ["kubectl-login", "kubelogin", "kubectl-oidc_login"];
/// Words in a script that starts it.
const MENTIONS: [&str; 4] = ["kubectl-login", "kubelogin", "oidc-login", "kubectl login"];
/// How much of a script is read, in bytes.
const SCRIPT: u64 = 64 * 1024;

/// This program's own file.
pub(super) fn this_program() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

/// The file that kubectl starts for the `command` of an exec entry, if there is one that can be run.
pub(super) fn located(command: &str) -> Option<PathBuf> {
    if is_path(command) {
        Some(PathBuf::from(command)).filter(|path| path.is_file() && is_executable(path))
    } else {
        on_path(command)
    }
}

/// Whether a command is a path, and not a name to look up.
pub(super) fn is_path(command: &str) -> bool {
    Path::new(command).components().count() > 1
}

/// The first program called `name` in this process's `PATH`. Like kubectl, it skips relative folders.
pub(super) fn on_path(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let name = match std::env::consts::EXE_SUFFIX {
        suffix if name.ends_with(suffix) => name.to_owned(),
        suffix => format!("{name}{suffix}"),
    };
    std::env::split_paths(&folders)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(&name))
        .find(|path| path.is_file() && is_executable(path))
}

#[cfg(unix)]
pub(super) fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).is_ok_and(|found| found.mode() & 0o111 != 0)
}

#[cfg(not(unix))]
pub(super) fn is_executable(_: &Path) -> bool {
    true
}

/// Whether `path` leads to this program, or to a copy of it.
pub(super) fn is_this_program(path: &Path) -> bool {
    let Some(this) = this_program() else { return false };
    let length = |path: &Path| std::fs::metadata(path).map(|found| found.len()).ok();
    let is_link = || matches!((path.canonicalize(), this.canonicalize()), (Ok(one), Ok(other)) if one == other);
    let is_copy = || matches!((std::fs::read(path), std::fs::read(&this)), (Ok(one), Ok(other)) if one == other);
    is_link() || (length(path) == length(&this) && is_copy())
}

/// Whether `path` is a script that mentions this program: probably a wrapper around it.
pub(super) fn is_wrapper(path: &Path) -> bool {
    let mut text = Vec::new();
    let read = path.is_file() && File::open(path).is_ok_and(|file| file.take(SCRIPT).read_to_end(&mut text).is_ok());
    let text = String::from_utf8_lossy(&text);
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let is_script = text.starts_with("#!") || ["bat", "cmd"].iter().any(|known| extension.eq_ignore_ascii_case(known));
    read && is_script && MENTIONS.iter().any(|name| text.contains(name))
}
