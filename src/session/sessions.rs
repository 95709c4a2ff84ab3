//! The sessions of one profile: the plain one, and those that were signed in under certificate authorities which an
//! environment adds (`SSL_CERT_FILE`, `SSL_CERT_DIR`).
//!
//! The plain session may be used in every environment, since its connections trust nothing that an environment adds. Another
//! session may be used while this environment still has the authorities that it was signed in under; so a bundle can be moved
//! or grow.

use std::cmp::Reverse;

use super::identity::Identity;
use crate::store::{Lookup, SessionFacts, Store, TokenRecord};
use kubectl_login_core::http;
use kubectl_login_core::http::network::Network;

/// The name of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionName {
    /// Its name in the store.
    pub id: String,
    /// The authorities of the environment that it was signed in under.
    pub anchors: Vec<String>,
}

/// Every session whose plain name is `base`, with the environment of any sign-in.
pub fn of_entry(store: &Store, base: &str) -> Vec<(String, SessionFacts)> {
    let all = store.sessions().into_iter().map(|(id, _, facts)| (id, facts));
    all.filter(|(id, facts)| facts.base(id) == base).collect()
}

/// The sessions that may be used over `network`, the newest sign-in first.
pub(super) fn usable(identity: &Identity, network: &Network, store: &Store) -> Vec<SessionName> {
    let mut found = of_entry(store, &identity.session);
    found.retain(|(_, facts)| facts.anchors.is_empty() || http::trusts_anchors(network, &facts.anchors));
    found.sort_by_key(|(_, facts)| Reverse(facts.signed_in_at));
    found.into_iter().map(|(id, facts)| SessionName { id, anchors: facts.anchors }).collect()
}

/// The session that is used over `network`; the plain one if there is none yet.
pub fn current(identity: &Identity, network: &Network, store: &Store) -> SessionName {
    usable(identity, network, store).into_iter().next().unwrap_or_else(|| own(identity))
}

/// The plain session, whether it exists or not.
pub(super) fn own(identity: &Identity) -> SessionName {
    SessionName { id: identity.session.clone(), anchors: Vec::new() }
}

/// The facts of the current session, which need no key.
pub fn current_facts(identity: &Identity, network: &Network, store: &Store) -> Option<SessionFacts> {
    store.session_facts(&current(identity, network, store).id)
}

/// The token that was obtained last in this environment, even if it has expired. Reads no certificates, and no second file if
/// the environment adds no authorities.
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
