//! Why a folder or a file cannot be used, in words, and the command that mends it.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::layout::{FOLDERS, LOCKS};
use kubectl_login_core::text::{printable, shell_word};

/// What is possible where the folder cannot be mended.
const ELSEWHERE: &str =
    "keep sign-ins elsewhere: --cache-dir DIR in the kubeconfig user's exec.args, or KUBECACHEDIR in the environment.";

/// `error` in words: the system's own, except for those that have a plain name.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::StorageFull => "the disk is full".to_owned(),
        ErrorKind::QuotaExceeded => "your disk quota is used up".to_owned(),
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        ErrorKind::FileTooLarge => "files may not become larger here (ulimit -f)".to_owned(),
        _ => printable(&error.to_string(), 200),
    }
}

/// The next steps after `error` with the state folder `folder` or something in it, one to a line.
pub fn next(folder: &Path, error: &io::Error) -> String {
    let place = existing(folder);
    let name = shell_word(&place.to_string_lossy());
    let step = match error.kind() {
        ErrorKind::StorageFull => format!("Free some space on that disk. To see how much is left: df -h {name}"),
        ErrorKind::QuotaExceeded => "Delete files of yours on that disk, or ask for a larger quota.".to_owned(),
        ErrorKind::ReadOnlyFilesystem => {
            format!("Mount the file system for writing. To see how it is mounted: findmnt -T {name}")
        }
        ErrorKind::FileTooLarge => "Raise the limit of the shell: ulimit -f unlimited".to_owned(),
        _ => match mend(folder) {
            Some(command) => format!("Mend owner and permissions: {command}"),
            None => return format!("Check the folder and its file system, or {ELSEWHERE}"),
        },
    };
    format!("{step}\nOr {ELSEWHERE}")
}

/// The step for a state folder that may have a wrong owner or wrong permissions.
pub fn mending(folder: &Path) -> String {
    match mend(folder) {
        Some(command) => format!("Mend owner and permissions: {command}"),
        None => "Check the folder's owner, permissions and file system.".to_owned(),
    }
}

/// The command that gives the state folder `folder` the owner and the permissions it needs; `None` if they are not at
/// fault, or if it is not for this user to change them.
pub fn mend(folder: &Path) -> Option<String> {
    if !folder.exists() {
        // It is made in the first folder above that exists.
        return platform::mend(existing(folder), "");
    }
    let parts = FOLDERS.into_iter().chain([LOCKS]).map(|part| folder.join(part)).filter(|part| part.exists());
    // Root's files come in numbers, under sudo; so a wrong owner of one part is mended for all.
    platform::mend(folder, "-R ").or_else(|| parts.into_iter().find_map(|part| platform::mend_part(&part, folder)))
}

/// The same for one private file.
pub fn mend_file(path: &Path) -> Option<String> {
    platform::mend_file(path)
}

/// What does not exist yet is made in the first folder above that does.
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

    pub(super) fn mend(folder: &Path, options: &str) -> Option<String> {
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

    pub(super) fn mend_part(part: &Path, folder: &Path) -> Option<String> {
        match give(part, "") {
            Some(_) => Some(format!("sudo chown -R {} {}", geteuid().as_raw(), name(folder))),
            None => mend(part, ""),
        }
    }

    pub(super) fn mend_file(path: &Path) -> Option<String> {
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

    pub(super) fn mend(_: &Path, _: &str) -> Option<String> {
        None
    }

    pub(super) fn mend_part(_: &Path, _: &Path) -> Option<String> {
        None
    }

    pub(super) fn mend_file(_: &Path) -> Option<String> {
        None
    }
}
