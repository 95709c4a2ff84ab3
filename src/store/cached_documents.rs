//! Cached documents without secrets, each with its age: issuers' metadata, and claims challenges for the next sign-in.

use chrono::{DateTime, TimeDelta, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::layout::{CHALLENGES, ISSUERS};
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
        self.read_document(ISSUERS, id, age)
    }

    /// Caches a document. A failure is only logged: the document can be fetched again.
    pub fn cache_document<T: Serialize>(&self, id: &str, document: T) {
        self.write_document(ISSUERS, id, document);
    }

    /// The claims challenge for the next sign-in of session `id`, unless it is older than `age`.
    pub fn challenge<T: DeserializeOwned>(&self, id: &str, age: TimeDelta) -> Option<T> {
        self.read_document(CHALLENGES, id, age)
    }

    /// Saves the claims challenge for the next sign-in of session `id`. A failure is only logged.
    pub fn save_challenge<T: Serialize>(&self, id: &str, challenge: T) {
        self.write_document(CHALLENGES, id, challenge);
    }

    /// Deletes the claims challenge of session `id`.
    pub fn delete_challenge(&self, id: &str) {
        if let Err(error) = self.delete(CHALLENGES, id) {
            tracing::debug!(%error, "claims challenge not deleted");
        }
    }

    fn read_document<T: DeserializeOwned>(&self, folder: &str, id: &str, age: TimeDelta) -> Option<T> {
        let bytes = files::read_private(&self.root()?.join(folder).join(id))?;
        let cached: CachedDocument<T> = serde_json::from_slice(&bytes).ok()?;
        let old = clock::now() - cached.at;
        (old >= TimeDelta::zero() && old < age).then_some(cached.document)
    }

    fn write_document<T: Serialize>(&self, folder: &str, id: &str, document: T) {
        let Ok(bytes) = serde_json::to_vec(&CachedDocument { at: clock::now(), document }) else { return };
        match self.write(folder, id, &bytes) {
            Ok(()) | Err(StoreError::NoFolder) => {}
            Err(error) => tracing::debug!(%error, cause = ?error.cause(), folder, "document not cached"),
        }
    }
}
