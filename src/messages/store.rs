//! Why the state folder, a file or a key cannot be used, in words, and the command that repairs it.

use std::io::ErrorKind;
use std::path::Path;

use crate::store::layout::{FOLDERS, LOCKS};
use crate::store::{FileError, KeyError, StoreError};
use kubectl_login_core::text::{printable, shell_word};

/// What a user can do if the folder cannot be repaired.
const USE_ANOTHER_FOLDER: &str =
    "keep sign-ins elsewhere: --cache-dir DIR in the kubeconfig user's exec.args, or KUBECACHEDIR in the environment.";

/// Why a file or folder cannot be used: in the system's own words, except for failures that have a plain name.
pub fn file_reason(error: &FileError) -> String {
    match error.io_kind() {
        Some(ErrorKind::StorageFull) => "the disk is full".to_owned(),
        Some(ErrorKind::QuotaExceeded) => "your disk quota is used up".to_owned(),
        Some(ErrorKind::ReadOnlyFilesystem) => "the file system is read-only".to_owned(),
        Some(ErrorKind::FileTooLarge) => "files may not become larger here (ulimit -f)".to_owned(),
        _ => printable(&error.to_string(), 200),
    }
}

/// Why the store did not do what it was asked for, without the file: the caller names the folder.
pub fn reason(error: &StoreError) -> String {
    match error {
        StoreError::Lock { path, cause } => format!("{} cannot be locked: {}", path.display(), file_reason(cause)),
        _ => error.cause().map_or_else(|| error.to_string(), file_reason),
    }
}

/// Why the store cannot be used at all, or a folder in it not be read.
pub fn problem(error: &StoreError) -> String {
    match error {
        StoreError::NoFolder => "there is no folder to keep anything in".to_owned(),
        StoreError::Folder { folder, cause } => format!("{} is not used: {}", folder.display(), file_reason(cause)),
        StoreError::List { folder, cause } => format!("{} cannot be read: {}", folder.display(), file_reason(cause)),
        error => reason(error),
    }
}

/// Why a key is not available.
pub fn key_reason(error: &KeyError) -> String {
    match error {
        KeyError::File { path, cause } => format!("{}: {}", path.display(), file_reason(cause)),
        KeyError::Store(error) => problem(error),
        KeyError::Locked | KeyError::Frozen | KeyError::NoKeyring | KeyError::NoRandomBytes | KeyError::SwitchedOff => {
            error.to_string()
        }
    }
}

/// The next steps after `error` with the state folder `folder` or something in it, one per line.
pub fn next_steps(folder: &Path, error: &StoreError) -> String {
    match (error, error.cause()) {
        (StoreError::NoFolder, _) => {
            "Set HOME, or name a folder with --cache-dir in the kubeconfig user's exec.args.".to_owned()
        }
        (_, Some(cause)) => file_steps(folder, cause),
        (_, None) => format!("Check the folder and its file system, or {USE_ANOTHER_FOLDER}"),
    }
}

/// The next steps if the store cannot be used at all.
pub fn problem_steps(error: &StoreError) -> String {
    match error {
        StoreError::Folder { folder, .. } => next_steps(folder, error),
        error => next_steps(Path::new(""), error),
    }
}

/// The next steps after `error` with `folder` or a file in it.
pub fn file_steps(folder: &Path, error: &FileError) -> String {
    let place = existing(folder);
    let name = shell_word(&place.to_string_lossy());
    let step = match error.io_kind() {
        Some(ErrorKind::StorageFull) => format!("Free some space on that disk. To see how much is left: df -h {name}"),
        Some(ErrorKind::QuotaExceeded) => "Delete files of yours on that disk, or ask for a larger quota.".to_owned(),
        Some(ErrorKind::ReadOnlyFilesystem) => {
            format!("Mount the file system for writing. To see how it is mounted: findmnt -T {name}")
        }
        Some(ErrorKind::FileTooLarge) => "Raise the limit of the shell: ulimit -f unlimited".to_owned(),
        _ => match repair_command(folder) {
            Some(command) => format!("Mend owner and permissions: {command}"),
            None => return format!("Check the folder and its file system, or {USE_ANOTHER_FOLDER}"),
        },
    };
    format!("{step}\nOr {USE_ANOTHER_FOLDER}")
}

/// The step for a state folder that may have a wrong owner or wrong permissions.
pub fn repair_step(folder: &Path) -> String {
    match repair_command(folder) {
        Some(command) => format!("Mend owner and permissions: {command}"),
        None => "Check the folder's owner, permissions and file system.".to_owned(),
    }
}

/// The command that gives the state folder `folder` the owner and the permissions it needs; `None` if these are not the
/// cause, or if this user may not change them.
fn repair_command(folder: &Path) -> Option<String> {
    if !folder.exists() {
        // It is created in the first folder above that exists.
        return platform::repair_folder(existing(folder), "");
    }
    let parts = FOLDERS.into_iter().chain([LOCKS]).map(|part| folder.join(part)).filter(|part| part.exists());
    // Under sudo, root creates many files at once; so a wrong owner of one part is repaired for all.
    platform::repair_folder(folder, "-R ")
        .or_else(|| parts.into_iter().find_map(|part| platform::repair_part(&part, folder)))
}

/// The command that gives one private file the owner and the permissions it needs; `None` as above.
pub fn repair_file_command(path: &Path) -> Option<String> {
    platform::repair_file(path)
}

/// The first folder of `folder` and those above it that exists.
fn existing(folder: &Path) -> &Path {
    folder.ancestors().find(|place| place.exists()).unwrap_or(folder)
}

#[cfg(unix)]
mod platform {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    use rustix::process::geteuid;

    use kubectl_login_core::text::shell_word;

    pub(super) fn repair_folder(folder: &Path, options: &str) -> Option<String> {
        let mode = fs::metadata(folder).ok()?.mode();
        if let Some(command) = give(folder, options) {
            Some(command)
        } else if fs::metadata(folder).ok()?.uid() != geteuid().as_raw() {
            None
        } else if mode & 0o002 != 0 {
            Some(format!("chmod o-w {}", name(folder)))
        } else if mode & 0o700 != 0o700 {
            Some(format!("chmod u+rwx {}", name(folder)))
        } else {
            None
        }
    }

    pub(super) fn repair_part(part: &Path, folder: &Path) -> Option<String> {
        match give(part, "") {
            Some(_) => Some(format!("sudo chown -R {} {}", geteuid().as_raw(), name(folder))),
            None => repair_folder(part, ""),
        }
    }

    pub(super) fn repair_file(path: &Path) -> Option<String> {
        give(path, "").or_else(|| {
            let found = fs::symlink_metadata(path).ok()?;
            let is_ours = found.is_file() && found.uid() == geteuid().as_raw();
            (is_ours && found.mode() & 0o777 != 0o600).then(|| format!("chmod 600 {}", name(path)))
        })
    }

    /// The command that gives `path` to this user, if another user owns it in a folder of this one's. Root is not told
    /// to take what belongs to another user.
    fn give(path: &Path, options: &str) -> Option<String> {
        let user = geteuid();
        let owner = |path: &Path| fs::metadata(path).ok().map(|found| found.uid());
        let is_misplaced = owner(path)? != user.as_raw() && owner(path.parent()?)? == user.as_raw();
        (is_misplaced && !user.is_root()).then(|| format!("sudo chown {options}{} {}", user.as_raw(), name(path)))
    }

    fn name(path: &Path) -> String {
        shell_word(&path.to_string_lossy())
    }
}

#[cfg(not(unix))]
mod platform {
    //! Access lists take the place of owner and mode.
    use std::path::Path;

    pub(super) fn repair_folder(_: &Path, _: &str) -> Option<String> {
        None
    }

    pub(super) fn repair_part(_: &Path, _: &Path) -> Option<String> {
        None
    }

    pub(super) fn repair_file(_: &Path) -> Option<String> {
        None
    }
}
