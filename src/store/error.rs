//! Why a file or the state folder cannot be used: facts, which `messages::store` explains.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use kubectl_login_core::error::IoFailure;

/// Why one file or folder cannot be used. An untrusted one is treated as absent where it is read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileError {
    /// The system refused.
    #[error(transparent)]
    Io(#[from] IoFailure),
    /// Something else has the folder's name.
    #[error("it is not a folder")]
    NotAFolder,
    /// Something else has the file's name: a folder, a link, a pipe.
    #[error("it is not a regular file")]
    NotAFile,
    /// The path has no folder part.
    #[error("it has no folder")]
    WithoutFolder,
    /// Another user owns it.
    #[error("it belongs to another user")]
    OtherOwner,
    /// Another user owns the symbolic link to it, and could change where that leads.
    #[error("another user made the link to it")]
    LinkOfOtherOwner,
    /// It has a second name, so that writing to it would change another file.
    #[error("it is a file with a second name (a hard link)")]
    HardLink,
    /// All users may write to the folder.
    #[error("it is writable by everyone")]
    WorldWritable,
    /// The mode lets other users read or write the file.
    #[error("other users may read it")]
    NotPrivate,
}

impl FileError {
    /// The kind of the system's refusal, if it is one.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            FileError::Io(failure) => Some(failure.kind),
            _ => None,
        }
    }

    /// Whether the file or folder does not exist.
    pub fn is_not_found(&self) -> bool {
        self.io_kind() == Some(io::ErrorKind::NotFound)
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> FileError {
        FileError::Io(error.into())
    }
}

/// Why the store cannot do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreError {
    /// No state folder is known: the home folder is unknown, and no other folder was named.
    #[error("no state folder is known")]
    NoFolder,
    /// The state folder is not trusted, or cannot be created.
    #[error("the state folder {} cannot be used", folder.display())]
    Folder {
        /// The state folder.
        folder: PathBuf,
        /// Why.
        #[source]
        cause: FileError,
    },
    /// The state folder, or a folder in it, cannot be listed, so its records are not known.
    #[error("{} cannot be listed", folder.display())]
    List {
        /// The state folder.
        folder: PathBuf,
        /// Why.
        #[source]
        cause: FileError,
    },
    /// A file cannot be written; the one that it would have replaced is untouched.
    #[error("{} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: FileError,
    },
    /// A file cannot be deleted.
    #[error("{} cannot be deleted", path.display())]
    Delete {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: FileError,
    },
    /// A lock file cannot be locked at all, so it is not known whether it is in use.
    #[error("{} cannot be locked", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: FileError,
    },
    /// The record cannot be encrypted: no random bytes, or facts that are not JSON. Neither happens on a healthy machine.
    #[error("the record cannot be sealed")]
    Seal,
    /// The record is larger than what would be read again.
    #[error("the record has {size} bytes, and at most {limit} would be read again")]
    TooLarge {
        /// The size of the file in bytes.
        size: u64,
        /// The most that is read, in bytes.
        limit: u64,
    },
}

impl StoreError {
    /// The file or folder that the failure is about, and why.
    pub fn cause(&self) -> Option<&FileError> {
        match self {
            StoreError::Folder { cause, .. }
            | StoreError::List { cause, .. }
            | StoreError::Write { cause, .. }
            | StoreError::Delete { cause, .. }
            | StoreError::Lock { cause, .. } => Some(cause),
            StoreError::NoFolder | StoreError::Seal | StoreError::TooLarge { .. } => None,
        }
    }
}

/// Why a key to seal or open records is not available.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyError {
    /// The keyring is locked.
    #[error("the keyring is locked")]
    Locked,
    /// The keyring does not answer.
    #[error("the keyring does not answer")]
    Frozen,
    /// No keyring exists, or it does not work. (The log has the reason, in the words of libraries.)
    #[error("there is no working keyring")]
    NoKeyring,
    /// The key file cannot be read, written or deleted.
    #[error("the key file {} cannot be used", path.display())]
    File {
        /// The key file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: FileError,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomBytes,
    /// No state folder can be used.
    #[error("no state folder can be used")]
    Store(#[source] Box<StoreError>),
    /// The user wants nothing stored.
    #[error("storage is switched off")]
    SwitchedOff,
}
