//! What a user is told during a sign-in, as facts.

use std::path::Path;

use crate::failure::Failure;
use crate::store::lock::LockHolder;
use crate::store::{FileError, KeyError, StoreError};
use kubectl_login_core::http::RootsProblem;
use kubectl_login_core::oauth::authorization::CallbackError;
use kubectl_login_core::oauth::client::TokenRequestError;
use kubectl_login_core::oauth::error_response::OAuthErrorResponse;

/// What a user is told during a sign-in.
#[derive(Clone, Copy, Debug)]
pub enum Notice<'a> {
    /// The sign-in goes on, although the server does not answer as it should.
    StillWaiting(&'a TokenRequestError),
    /// The issuer does not know the user name or the password.
    WrongPassword(&'a OAuthErrorResponse),
    /// A pasted text is not the answer to this sign-in.
    NotTheAnswer(CallbackError),
    /// The code in a pasted text brought no tokens.
    CodeRefused(&'a Failure),
    /// A certificate authority was skipped.
    SkippedAuthority(&'a RootsProblem),
    /// Another process works on the session.
    WaitingFor(Option<&'a LockHolder>),
    /// Where the session is stored, or why it is not.
    Storage(StorageNotice<'a>),
}

/// Where a session is stored, or why it is not.
#[derive(Clone, Copy, Debug)]
pub enum StorageNotice<'a> {
    /// It could not be written.
    NotWritten {
        /// The state folder.
        folder: Option<&'a Path>,
        /// Why.
        error: &'a StoreError,
    },
    /// It is stored in root's own folder although `HOME` is another user's.
    OtherHome {
        /// The state folder.
        folder: &'a Path,
        /// The other user's home.
        home: &'a Path,
    },
    /// Its key is in a file, since the keyring cannot be used.
    KeyFile {
        /// The state folder.
        folder: &'a Path,
        /// Why the keyring cannot be used.
        error: &'a KeyError,
    },
    /// It is not stored, since there is no key.
    NoKey {
        /// Why.
        error: &'a KeyError,
        /// What is wrong with the state folder.
        folder: Option<(&'a Path, &'a FileError)>,
        /// Why there is no state folder.
        problem: Option<&'a StoreError>,
    },
}
