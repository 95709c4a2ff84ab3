//! What is remembered: sealed records, the key they are sealed with, locks, and a few public documents.
//!
//! One folder holds all of it:
//!
//! ```text
//! kubectl-login.home    where the key of new records lives (decided once)
//! kubectl-login.key     the key, where the keyring is of no use (0600)
//! sessions/<id>         a refresh token and whose it is, sealed
//! tokens/<id>           one token, sealed: all that a warm call opens besides the key
//! issuers/<id>          discovery documents and signing keys (public)
//! locks/<id>            lock files, unlinked only when the whole folder is to go
//! outcomes/<id>         how the last sign-in ended (no secrets)
//! ```
//!
//! Damage is treated as absence. It must not know the protocol, nor what a session means.

pub mod files;
pub mod homes;
pub mod key;
pub mod lock;
pub mod records;
pub mod removal;
pub mod seal;
#[cfg(target_os = "linux")]
mod secret_service;

pub use records::{Recall, SessionFacts, SessionRecord, Store, TokenFacts, TokenRecord};
