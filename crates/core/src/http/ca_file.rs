//! Files with certificate authorities that settings name: their paths, and their content when the settings were read.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};

use crate::named_file;
use crate::text::hex;

/// A PEM file that settings name. Its digest is part of the name under which sessions and tokens are stored, so the file is not read again for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaFile {
    path: PathBuf,
    digest: OnceLock<String>,
}

impl CaFile {
    /// Reads the file at `path`, 16 MiB at most. One that cannot be read is treated as empty here; connections that need it
    /// fail.
    pub fn read(path: PathBuf) -> CaFile {
        let file = CaFile::unread(path);
        file.digest();
        file
    }

    /// The file at `path`, for connections alone: it is read when they are set up, or when its digest is asked for.
    pub fn unread(path: PathBuf) -> CaFile {
        CaFile { path, digest: OnceLock::new() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The SHA-256 of what it held when it was read, in hexadecimal digits.
    pub fn digest(&self) -> &str {
        self.digest.get_or_init(|| hex(&Sha256::digest(named_file::read_named(&self.path).unwrap_or_default())))
    }
}
