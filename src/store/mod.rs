//! The state folder: sealed records, the key they are sealed with, locks, and cached documents.
//!
//! One folder contains all of it; [`layout`] names what is in there. Damage is treated as absence. It must not know the
//! protocol, nor what a session means.

mod cached_documents;
pub mod error;
pub mod facts;
pub mod files;
pub mod groups;
pub mod key;
pub mod key_backends;
pub mod layout;
pub mod lock;
pub mod records;
pub mod removal;
pub mod seal;
#[cfg(target_os = "linux")]
mod secret_service;

pub use error::{FileError, KeyError, StoreError};
pub use facts::{RefusedRefresh, SessionFacts, SessionRecord, TokenFacts, TokenRecord};
pub use key::SealingKey;
pub use key_backends::KeyBackend;
pub use records::{Lookup, Store};
