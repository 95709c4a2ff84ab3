//! Private files: owner and mode checked before a read, written beside the target and renamed over it.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::error::FileError;
use kubectl_login_core::clock;

/// The most that is read of a file of ours, in bytes.
pub const FILE_CAP: u64 = 1024 * 1024;
/// How temporary files of ours begin; a crash can leave one behind.
const TEMPORARY: &str = ".kubectl-login-";
/// After this long a temporary file belongs to no writer any more.
const STALE: Duration = Duration::from_secs(3600);

/// Checks that files can be kept in `folder`: this user owns it, and not everyone may write to it. (A group may write if
/// the umask is 002; files are checked one by one, so it could only delete them.) A missing folder is created (0700, parents
/// included) if `create` says so.
///
/// Errors: it cannot be created, is not a folder, belongs to another user, all users may write to it, or another user
/// made the link that leads to it.
pub fn check_folder(folder: &Path, create: bool) -> Result<(), FileError> {
    let metadata = match fs::metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound && create => {
            create_private(folder)?;
            fs::metadata(folder)?
        }
        Err(error) => return Err(error.into()),
    };
    if !metadata.is_dir() {
        return Err(FileError::NotAFolder);
    }
    // Only now: until the folder exists, another user could still put a link in its place.
    platform::check_link(&fs::symlink_metadata(folder)?)?;
    platform::check_owner(&metadata)?;
    platform::check_not_shared(&metadata)
}

#[cfg(unix)]
fn create_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn create_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// Reads a private file: a regular one that this user owns and no other may read, not reached through a symbolic link.
///
/// Anything else is `None`, as is a file beyond 1 MiB: files that cannot be trusted or read are treated as absent.
pub fn read_private(path: &Path) -> Option<Vec<u8>> {
    read_private_within(path, FILE_CAP)
}

/// Like [`read_private`], for files of up to `cap` bytes.
pub fn read_private_within(path: &Path, cap: u64) -> Option<Vec<u8>> {
    try_read_within(path, cap).ok().flatten()
}

/// Like [`read_private`], for files whose absence has consequences.
///
/// Errors: it may exist and cannot be read at the moment (too many open files, a stale network mount).
pub fn try_read_private(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    try_read_within(path, FILE_CAP)
}

fn try_read_within(path: &Path, cap: u64) -> Result<Option<Vec<u8>>, FileError> {
    let file = match platform::open_no_follow(path) {
        Ok(file) => file,
        Err(error) if platform::is_transient(&error) => return Err(error.into()),
        Err(_) => return Ok(None),
    };
    let metadata = file.metadata()?;
    if metadata.len() > cap {
        return Ok(None);
    }
    if let Err(error) = check_trusted(&metadata) {
        tracing::debug!(path = %path.display(), %error, "file ignored");
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    file.take(cap).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Whether [`read_private`] would read the file at `path`, as far as its kind, owner and mode go.
///
/// Errors: it does not exist, or why it is treated as absent.
pub fn check_private(path: &Path) -> Result<(), FileError> {
    check_trusted(&fs::symlink_metadata(path)?)
}

fn check_trusted(metadata: &fs::Metadata) -> Result<(), FileError> {
    if !metadata.is_file() {
        return Err(FileError::NotAFile);
    }
    platform::check_owner(metadata).and_then(|()| platform::check_private(metadata))
}

/// Checks that files can be written in `folder`, with one that has no name.
///
/// Errors: they cannot: a read-only file system, no permission, no space left.
pub fn check_writable(folder: &Path) -> Result<(), FileError> {
    let mut file = tempfile::tempfile_in(folder)?;
    file.write_all(&[0; 4096])?;
    Ok(file.sync_all()?)
}

/// Whether a file has to survive a crash of the whole machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Yes: it is on disk before the write returns. For what cannot be obtained again without the user.
    Synced,
    /// No: after a power failure it may be missing or damaged, which is treated as absence. A sync takes milliseconds.
    Cached,
}

/// Writes a private file so that a crash of the process leaves the old file or the new one: a temporary file beside it, renamed
/// over it. The folder is made if it is missing.
///
/// Errors: the folder is not trusted, or the file cannot be written; the old one is then untouched.
pub fn write_private(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), FileError> {
    let folder = path.parent().ok_or(FileError::WithoutFolder)?;
    check_folder(folder, true)?;
    let opened = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder);
    // Its text would name the temporary file, which means nothing to a reader.
    let mut file = opened.map_err(|error| match error.kind() {
        kind @ io::ErrorKind::PermissionDenied => kind.into(),
        _ => error,
    })?;
    file.write_all(bytes)?;
    if durability == Durability::Synced {
        file.as_file().sync_all()?;
    }
    file.persist(path).map_err(|error| error.error)?;
    if durability == Durability::Synced {
        platform::sync_folder(folder);
    }
    Ok(())
}

/// What changes when a file is replaced: its time and size, and where the platform tells its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileVersion {
    modified: Option<SystemTime>,
    size: u64,
    number: u64,
}

/// The version of the file at `path`; `None` if it does not exist.
pub fn version(path: &Path) -> Option<FileVersion> {
    let metadata = fs::symlink_metadata(path).ok()?;
    let (modified, size) = (metadata.modified().ok(), metadata.len());
    Some(FileVersion { modified, size, number: platform::number(&metadata) })
}

/// Deletes a file, if it exists.
///
/// Errors: it exists and cannot be deleted.
pub fn delete(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// The names of the files in `folder` that look like ours (64 hexadecimal digits), sorted.
pub fn list(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| is_id(name))
        .collect();
    names.sort();
    names
}

/// Whether `name` is an id that files here are named by.
pub fn is_id(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Deletes temporary files that a killed writer left in `folder`; with `all` also those of a writer at work.
pub fn sweep(folder: &Path, all: bool) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_str().and_then(|name| name.strip_prefix(TEMPORARY)).is_some_and(is_random);
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let stale = modified.is_ok_and(|at| clock::system().duration_since(at).is_ok_and(|age| age > STALE));
        if ours && (all || stale) {
            let _ = delete(&entry.path());
        }
    }
}

/// Whether this user has a regular file at `path`, not reached through a symbolic link.
pub fn is_own_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && platform::check_owner(&found).is_ok())
}

/// Whether this user has a folder at `path`, not reached through a symbolic link.
pub fn is_own_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir() && platform::check_owner(&found).is_ok())
}

/// Whether `end` is what the temporary files' names are told apart by.
fn is_random(end: &str) -> bool {
    end.len() == 6 && end.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Opens (or creates) a lock file for reading and writing. Its holder writes to it, so it has to be a regular file that has
/// no other name.
///
/// Errors: it cannot be created, is of another kind, has a second name, or belongs to another user.
pub fn open_lock(path: &Path) -> Result<File, FileError> {
    if let Some(folder) = path.parent() {
        check_folder(folder, true)?;
    }
    let file = platform::open_or_create(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(FileError::NotAFile);
    }
    platform::check_owner(&metadata)?;
    platform::check_only_name(&metadata)?;
    Ok(file)
}

#[cfg(unix)]
mod platform {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};

    use rustix::fs::OFlags;

    pub(super) fn number(metadata: &fs::Metadata) -> u64 {
        metadata.ino()
    }

    fn no_follow() -> i32 {
        (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC).bits().cast_signed()
    }

    pub(super) fn open_no_follow(path: &Path) -> io::Result<File> {
        fs::OpenOptions::new().read(true).custom_flags(no_follow()).open(path)
    }

    pub(super) fn is_transient(error: &io::Error) -> bool {
        use rustix::io::Errno;
        let transient =
            [Errno::MFILE, Errno::NFILE, Errno::IO, Errno::STALE, Errno::INTR, Errno::NOMEM, Errno::TIMEDOUT];
        error.raw_os_error().is_some_and(|number| transient.iter().any(|known| known.raw_os_error() == number))
    }

    pub(super) fn open_or_create(path: &Path) -> io::Result<File> {
        fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(no_follow())
            .open(path)
    }

    pub(super) fn check_owner(metadata: &fs::Metadata) -> Result<(), FileError> {
        if metadata.uid() == rustix::process::geteuid().as_raw() { Ok(()) } else { Err(FileError::OtherOwner) }
    }

    /// A link that another user made can be pointed anywhere. Root's are an administrator's.
    pub(super) fn check_link(metadata: &fs::Metadata) -> Result<(), FileError> {
        if metadata.is_symlink() && metadata.uid() != 0 {
            check_owner(metadata).map_err(|_| FileError::LinkOfOtherOwner)
        } else {
            Ok(())
        }
    }

    /// One without a name was deleted after it was opened, which is safe.
    pub(super) fn check_only_name(metadata: &fs::Metadata) -> Result<(), FileError> {
        if metadata.nlink() <= 1 { Ok(()) } else { Err(FileError::HardLink) }
    }

    pub(super) fn check_not_shared(metadata: &fs::Metadata) -> Result<(), FileError> {
        if metadata.mode() & 0o002 == 0 { Ok(()) } else { Err(FileError::WorldWritable) }
    }

    pub(super) fn check_private(metadata: &fs::Metadata) -> Result<(), FileError> {
        if metadata.mode() & 0o077 == 0 { Ok(()) } else { Err(FileError::NotPrivate) }
    }

    pub(super) fn sync_folder(folder: &Path) {
        // The rename is done; without the sync it is only less durable.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

#[cfg(not(unix))]
mod platform {
    //! On other systems the access list of the profile folder keeps other users out.
    use super::*;

    pub(super) fn number(_: &fs::Metadata) -> u64 {
        0
    }

    pub(super) fn open_no_follow(path: &Path) -> io::Result<File> {
        File::open(path)
    }

    pub(super) fn is_transient(error: &io::Error) -> bool {
        error.kind() != io::ErrorKind::NotFound
    }

    pub(super) fn open_or_create(path: &Path) -> io::Result<File> {
        fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
    }

    pub(super) fn check_owner(_: &fs::Metadata) -> Result<(), FileError> {
        Ok(())
    }

    pub(super) fn check_link(_: &fs::Metadata) -> Result<(), FileError> {
        Ok(())
    }

    pub(super) fn check_only_name(_: &fs::Metadata) -> Result<(), FileError> {
        Ok(())
    }

    pub(super) fn check_not_shared(_: &fs::Metadata) -> Result<(), FileError> {
        Ok(())
    }

    pub(super) fn check_private(_: &fs::Metadata) -> Result<(), FileError> {
        Ok(())
    }

    pub(super) fn sync_folder(_: &Path) {}
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn written_file_is_private_and_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a/b");
        write_private(&path, b"one", Durability::Cached).expect("written");
        write_private(&path, b"two", Durability::Synced).expect("written again");
        assert_eq!(read_private(&path).as_deref(), Some(&b"two"[..]));
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(folder.path().join("a")).expect("there").permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn file_that_others_can_read_or_redirect_is_treated_as_absent() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        write_private(&path, b"one", Durability::Cached).expect("written");
        let link = folder.path().join("link");
        symlink(&path, &link).expect("linked");
        assert_eq!(read_private(&link), None);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
        assert_eq!(read_private(&path), None);
        // Writing replaces the link, not what it points to.
        write_private(&link, b"two", Durability::Cached).expect("written");
        assert_eq!(fs::read(&path).expect("there"), b"one");
    }

    #[test]
    fn lock_of_another_kind_or_with_a_second_name_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        write_private(&path("precious"), b"content", Durability::Cached).expect("written");
        fs::hard_link(path("precious"), path("second-name")).expect("linked");
        symlink(path("precious"), path("symbolic")).expect("linked");
        let fifo = std::process::Command::new("mkfifo").arg(path("fifo")).status().expect("mkfifo runs");
        assert!(fifo.success());
        fs::create_dir(path("folder")).expect("made");
        for name in ["second-name", "symbolic", "fifo", "folder"] {
            assert!(open_lock(&path(name)).is_err(), "{name}");
        }
        assert!(open_lock(&path("lock")).is_ok());
        assert_eq!(fs::read(path("precious")).expect("there"), b"content");
    }

    #[test]
    fn folder_that_all_users_can_write_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("changed");
        assert_eq!(check_folder(folder.path(), true), Err(FileError::WorldWritable));
    }
}
