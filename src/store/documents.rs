//! Documents that hold no secret, each with its age: what issuers say of themselves, and what they want of the next sign-in.

use chrono::{DateTime, TimeDelta, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::layout::{CHALLENGES, ISSUERS};
use super::{Store, files};
use kubectl_login_core::clock;

/// A document that anybody may read, with its age.
#[derive(Serialize, Deserialize)]
struct Public<T> {
    at: DateTime<Utc>,
    document: T,
}

impl Store {
    /// A public document called `id`, unless it is older than `age`.
    pub fn public<T: DeserializeOwned>(&self, id: &str, age: TimeDelta) -> Option<T> {
        self.document(ISSUERS, id, age)
    }

    /// Keeps a public document.
    pub fn keep_public<T: Serialize>(&self, id: &str, document: T) {
        self.keep_document(ISSUERS, id, document);
    }

    /// What the issuer wants of the next sign-in of the session called `id`, unless it has said so longer than `age` ago.
    pub fn challenge<T: DeserializeOwned>(&self, id: &str, age: TimeDelta) -> Option<T> {
        self.document(CHALLENGES, id, age)
    }

    /// Keeps what the issuer wants of the next sign-in of the session called `id`.
    pub fn keep_challenge<T: Serialize>(&self, id: &str, challenge: T) {
        self.keep_document(CHALLENGES, id, challenge);
    }

    /// Forgets what the issuer wanted of the session called `id`.
    pub fn forget_challenge(&self, id: &str) {
        if let Err(error) = self.remove(CHALLENGES, id) {
            tracing::debug!(%error, "claims challenge not forgotten");
        }
    }

    fn document<T: DeserializeOwned>(&self, folder: &str, id: &str, age: TimeDelta) -> Option<T> {
        let bytes = files::read_private(&self.root()?.join(folder).join(id))?;
        let public: Public<T> = serde_json::from_slice(&bytes).ok()?;
        let old = clock::now() - public.at;
        (old >= TimeDelta::zero() && old < age).then_some(public.document)
    }

    fn keep_document<T: Serialize>(&self, folder: &str, id: &str, document: T) {
        let Some(root) = self.root() else { return };
        let bytes = serde_json::to_vec(&Public { at: clock::now(), document });
        let kept = bytes.map_err(std::io::Error::other).and_then(|bytes| {
            files::check_folder(root, true)?;
            files::write_private(&root.join(folder).join(id), &bytes)
        });
        if let Err(error) = kept {
            tracing::debug!(%error, folder, "document not remembered");
        }
    }
}
