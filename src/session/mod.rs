//! Obtains a token: from the cache, by refresh, or by interactive sign-in.
//!
//! [`TokenRequest::obtain`] returns a valid token from the cache, which takes one sealed file. Otherwise one process at a
//! time works for a session (see `machine`): it takes the session's lock, looks into the cache again, refreshes or has
//! the user sign in, stores the result, and shares how it ended with the processes that waited. It must not know flags,
//! terminals or kubeconfigs.

mod attempt;
pub mod caller;
mod challenge;
mod completed;
mod consent;
mod coordination;
mod grant;
pub mod groups;
mod history;
pub mod identity;
mod interactive;
pub mod issuer;
mod machine;
mod refresh;
mod refused;
pub mod repeats;
mod request;
pub mod revocation;
pub mod sessions;

use std::collections::BTreeSet;

use crate::failure::Failure;
use crate::store::lock::Lock;
use crate::store::{Lookup, SessionFacts, SessionRecord, Store, StoreError};
pub use coordination::{forget_history, last_failed_sign_in};
pub use refused::refusal_of;
pub use request::TokenRequest;

/// What a caller asks for besides a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestOptions {
    /// A new token, even if the cached one is valid.
    pub force_refresh: bool,
    /// A new sign-in, even if there is a session.
    pub force_sign_in: bool,
    /// Never prompt: without a session there is no token.
    pub non_interactive: bool,
    /// A user has typed this command: earlier failures are forgotten, and cached discovery documents are not used.
    pub user_initiated: bool,
}

/// Forgets a session of the entry whose own is called `base`, and its tokens. Waits for a process that works on it, five
/// seconds at most. With `read` it returns what the session was, which takes the key: revoking takes the refresh token.
///
/// Errors: a record cannot be deleted.
pub fn forget(
    store: &Store,
    session: &str,
    base: &str,
    read: bool,
) -> Result<Lookup<(SessionFacts, SessionRecord)>, StoreError> {
    // No folder is made to find nothing in it.
    if !store.root().is_some_and(std::path::Path::exists) {
        return Ok(Lookup::Absent);
    }
    let _lock = coordination::lock_briefly(store, base);
    let known = if read { store.session(session) } else { Lookup::Absent };
    store.delete_session(session)?;
    Ok(known.map(|(facts, record, _)| (facts, record)))
}

/// Locks every session of `store` until the locks are dropped. Waits for processes that work on one, five seconds each.
pub fn hold_all(store: &Store) -> Vec<Lock> {
    let sessions = store.sessions();
    let bases: BTreeSet<&str> = sessions.iter().map(|(session, _, facts)| facts.base(session)).collect();
    bases.into_iter().filter_map(|base| coordination::lock_briefly(store, base)).collect()
}

/// Why there is no token, and whether the caller has been told before.
#[derive(Debug)]
pub struct ObtainError {
    /// What happened.
    pub failure: Failure,
    /// This caller was told already: print nothing, exit with the same code.
    pub is_repeated: bool,
}

impl From<Failure> for ObtainError {
    fn from(failure: Failure) -> Self {
        ObtainError { failure, is_repeated: false }
    }
}
