//! Cached documents of issuers, each with its age.

use chrono::{DateTime, TimeDelta, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::layout::ISSUERS;
use super::{Store, files};
use kubectl_login_core::clock;

/// A cached document, and when it was cached.
#[derive(Serialize, Deserialize)]
struct CachedDocument<T> {
    at: DateTime<Utc>,
    document: T,
}

impl Store {
    /// The cached document `id`, unless it is older than `age`.
    pub fn cached_document<T: DeserializeOwned>(&self, id: &str, age: TimeDelta) -> Option<T> {
        let bytes = files::read_private(&self.root()?.join(ISSUERS).join(id))?;
        let cached: CachedDocument<T> = serde_json::from_slice(&bytes).ok()?;
        let old = clock::now() - cached.at;
        (old >= TimeDelta::zero() && old < age).then_some(cached.document)
    }

    /// Caches a document. A failure is only logged: the document can be fetched again.
    pub fn cache_document<T: Serialize>(&self, id: &str, document: T) {
        let Ok(bytes) = serde_json::to_vec(&CachedDocument { at: clock::now(), document }) else { return };
        match self.write(ISSUERS, id, &bytes) {
            Ok(()) | Err(StoreError::NoFolder) => {}
            Err(error) => tracing::debug!(%error, cause = ?error.cause(), "document not cached"),
        }
    }
}
