//! What is remembered: sealed records, the key they are sealed with, locks, and a few public documents.
//!
//! One folder holds all of it; [`layout`] names what is in there.
//!
//! Damage is treated as absence. It must not know the protocol, nor what a session means.

mod documents;
pub mod facts;
pub mod files;
pub mod groups;
pub mod homes;
pub mod key;
pub mod layout;
pub mod lock;
pub mod records;
pub mod remedy;
pub mod removal;
pub mod seal;
#[cfg(target_os = "linux")]
mod secret_service;

pub use facts::{RefusedRefresh, SessionFacts, SessionRecord, TokenFacts, TokenRecord};
pub use records::{Recall, Store};
