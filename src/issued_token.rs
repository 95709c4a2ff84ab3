//! A token for the caller, and where it comes from.

use chrono::{DateTime, Utc};

use crate::store::KeyBackend;
use crate::store::{SessionFacts, TokenRecord};
use kubectl_login_core::secret::Secret;

/// Where a token comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenOrigin {
    /// The cache.
    Cache,
    /// A refresh.
    Refresh,
    /// A sign-in.
    SignIn,
}

/// A token for the caller.
#[derive(Debug)]
pub struct IssuedToken {
    /// The bearer token.
    pub token: Secret,
    /// When it ends, by this machine's clock.
    pub expires_at: DateTime<Utc>,
    /// Where it comes from.
    pub origin: TokenOrigin,
    /// What is known of the session; `None` for a remembered token, which is answered without looking.
    pub facts: Option<SessionFacts>,
    /// Where the key of what was kept now lives; `None` where nothing was, or it could not be kept.
    pub key_backend: Option<KeyBackend>,
    /// The authorities of the environment that its session was signed in under: no others of an environment may hear it.
    pub anchors: Vec<String>,
}

impl IssuedToken {
    /// A token from the cache.
    pub fn from_cache(token: &TokenRecord) -> IssuedToken {
        IssuedToken {
            token: token.token.clone(),
            expires_at: token.expires_at,
            origin: TokenOrigin::Cache,
            facts: None,
            key_backend: None,
            anchors: token.anchors.clone(),
        }
    }
}
