//! The sessions of one entry: its own, and those that were signed in under certificate authorities which an environment
//! adds (`SSL_CERT_FILE`, `SSL_CERT_DIR`).
//!
//! An entry may use its own session in every environment, since its connections trust nothing that an environment adds.
//! It may use one of the others while this environment still has the authorities that this one was signed in under; so a
//! bundle can be moved or grow, and an entry with authorities of its own never meets the session of another.

use std::cmp::Reverse;

use super::identity::Identity;
use crate::store::{Lookup, SessionFacts, Store, TokenRecord};
use kubectl_login_core::http;
use kubectl_login_core::http::network::Network;

/// A session by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name in the store.
    pub id: String,
    /// The authorities of the environment that it was signed in under.
    pub anchors: Vec<String>,
}

/// Every session of the entry whose own is called `base`, whatever the environment it was signed in in.
pub fn of_entry(store: &Store, base: &str) -> Vec<(String, SessionFacts)> {
    let all = store.sessions().into_iter().map(|(id, _, facts)| (id, facts));
    all.filter(|(id, facts)| facts.base(id) == base).collect()
}

/// The sessions that an entry with this `identity` may use over `network`, the newest sign-in first.
pub(super) fn usable(identity: &Identity, network: &Network, store: &Store) -> Vec<Named> {
    let mut found = of_entry(store, &identity.session);
    found.retain(|(_, facts)| facts.anchors.is_empty() || http::trusts_anchors(network, &facts.anchors));
    found.sort_by_key(|(_, facts)| Reverse(facts.signed_in_at));
    found.into_iter().map(|(id, facts)| Named { id, anchors: facts.anchors }).collect()
}

/// The session that an entry with this `identity` uses over `network`; its own if there is none yet.
pub fn current(identity: &Identity, network: &Network, store: &Store) -> Named {
    usable(identity, network, store).into_iter().next().unwrap_or_else(|| own(identity))
}

/// The entry's own session, whether there is one or not.
pub(super) fn own(identity: &Identity) -> Named {
    Named { id: identity.session.clone(), anchors: Vec::new() }
}

/// What is known of that session without its key.
pub fn current_facts(identity: &Identity, network: &Network, store: &Store) -> Option<SessionFacts> {
    store.session_facts(&current(identity, network, store).id)
}

/// The token that was obtained last for an entry with this `identity` in this environment, however long it is good for. No
/// certificates are read, nor is a second file where the environment adds none.
pub fn newest_token(identity: &Identity, store: &Store) -> Lookup<TokenRecord> {
    let own = store.token(&identity.token);
    let Some(here) = &identity.token_here else { return own };
    match (store.token(here), own) {
        (Lookup::Found(here), Lookup::Found(own)) => {
            Lookup::Found(if here.obtained_at > own.obtained_at { here } else { own })
        }
        (Lookup::Absent, own) => own,
        (here, _) => here,
    }
}
