//! Files and directories as tests see them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A path as text.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// All files and directories below a directory, sorted; none if it does not exist. Does not follow links.
pub fn all_below(folder: &Path) -> Vec<PathBuf> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        entries => entries.unwrap(),
    };
    let mut found = Vec::new();
    for entry in entries.map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(all_below(&entry.path()));
        }
        found.push(entry.path());
    }
    found.sort();
    found
}

/// The permission bits of a file or directory, or of the link itself.
#[cfg(unix)]
pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    path.symlink_metadata().unwrap().mode() & 0o7777
}

/// Sets the permission bits of a file or directory.
#[cfg(unix)]
pub fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
