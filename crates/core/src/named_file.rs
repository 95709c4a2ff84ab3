//! Reads files that settings name. They may be devices or pipes, such as `/dev/zero`.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::path::Path;

/// How much of a file is read at most, in bytes.
const NAMED_FILE_CAP: u64 = 16 * 1024 * 1024;

/// The content of a regular file of 16 MiB at most. The limit is on what is read: files of `/proc` report no length and may
/// have no end.
///
/// Errors: it is not a regular file, it is larger, or it cannot be read.
pub fn read_named(path: &Path) -> io::Result<Vec<u8>> {
    let check = |metadata: Metadata| match metadata.is_file() {
        true => Ok(usize::try_from(metadata.len().min(NAMED_FILE_CAP)).unwrap_or_default()),
        false => Err(io::Error::other("it is not a regular file")),
    };
    // Checked before it is opened, because opening some devices has effects.
    check(std::fs::metadata(path)?)?;
    let file = open_named(path)?;
    let mut content = Vec::with_capacity(check(file.metadata()?)?);
    // Whole blocks, because some files of `/proc` refuse other sizes.
    file.take(NAMED_FILE_CAP + 4096).read_to_end(&mut content)?;
    if content.len() as u64 > NAMED_FILE_CAP {
        return Err(io::Error::other("it is larger than 16 MiB"));
    }
    Ok(content)
}

/// Opens a file that settings name. A pipe without a writer is opened at once, and not when there is one.
///
/// Errors: it cannot be opened.
#[cfg(unix)]
pub(crate) fn open_named(path: &Path) -> io::Result<File> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    std::fs::OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Opens a file that settings name.
///
/// Errors: it cannot be opened.
#[cfg(not(unix))]
pub(crate) fn open_named(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn named_file_without_length_or_end_is_refused() {
        let refusal = |path: &str| read_named(Path::new(path)).expect_err(path).to_string();
        assert_eq!(refusal("/proc/self/pagemap"), "it is larger than 16 MiB");
        assert_eq!(refusal("/dev/zero"), "it is not a regular file");
        assert_eq!(refusal("/"), "it is not a regular file");
    }
}
