//! Failures as they are stored for other processes: versioned, and readable in the form of earlier versions.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use kubectl_login_core::entra::refusals::{Refusal, Remedy};

use super::Failure;

/// The version of what is written.
const VERSION: u32 = 2;

/// A failure in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<T>(pub T);

/// A failure as versions before 2 stored it: in sentences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// The name of its exit code: `failed`, `usage`, `sign-in-needed`, `refused`.
    pub kind: String,
    /// What happened.
    pub what: String,
    /// What to do next, one step a line.
    pub next: String,
    /// What a help desk needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The kind of refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
}

impl Earlier {
    /// What lets the next request succeed.
    pub(super) fn remedy(&self) -> Remedy {
        match self.kind.as_str() {
            "sign-in-needed" => Remedy::SignIn,
            "refused" => Remedy::PolicyChange,
            _ => Remedy::Other,
        }
    }
}

/// A failure for a record of the store.
pub fn to_value<T: Serialize>(failure: T) -> serde_json::Value {
    serde_json::to_value(Stored(failure)).unwrap_or_default()
}

/// A failure from a record of the store; `None` if this version cannot read it. A record is worth more than the reason in it.
pub fn from_value<T: DeserializeOwned + From<Earlier>>(value: &serde_json::Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok().map(|Stored(failure)| failure)
}

#[derive(Serialize)]
struct Written<'a, T> {
    version: u32,
    failure: &'a T,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Found<T> {
    Current { version: u32, failure: T },
    Earlier(Earlier),
}

impl<T: Serialize> Serialize for Stored<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written { version: VERSION, failure: &self.0 }.serialize(serializer)
    }
}

impl<'de, T: DeserializeOwned + From<Earlier>> Deserialize<'de> for Stored<T> {
    /// Errors: it was written by a later version.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Found::<T>::deserialize(deserializer)? {
            Found::Current { version: VERSION, failure } => Ok(Stored(failure)),
            Found::Current { version, .. } => Err(serde::de::Error::custom(format!("version {version}"))),
            Found::Earlier(earlier) => Ok(Stored(earlier.into())),
        }
    }
}

impl From<Earlier> for Failure {
    fn from(earlier: Earlier) -> Failure {
        Failure::Earlier(earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::SessionProblem;

    #[test]
    fn stored_failure_reads_back_the_same() {
        for failure in [
            Failure::NotSignedIn,
            Failure::Session(SessionProblem::Scopes),
            Failure::TokenEndpointMoved { host: "other.example".to_owned() },
        ] {
            let text = serde_json::to_string(&Stored(failure.clone())).expect("JSON");
            assert_eq!(serde_json::from_str::<Stored<Failure>>(&text).expect("a failure").0, failure, "{text}");
        }
    }

    #[test]
    fn sentences_of_earlier_versions_are_kept() {
        let text = r#"{"kind":"refused","what":"no","next":"ask","refusal":"consent"}"#;
        let Stored::<Failure>(failure) = serde_json::from_str(text).expect("a failure");
        assert_eq!(failure.remedy(), Remedy::PolicyChange);
        assert_eq!(failure.refusal(), Some(Refusal::Consent));
        // A later version reads it from what this one stores.
        let again = serde_json::to_string(&Stored(failure.clone())).expect("JSON");
        assert_eq!(serde_json::from_str::<Stored<Failure>>(&again).expect("a failure").0, failure);
    }

    #[test]
    fn later_version_is_refused() {
        let text = r#"{"version":3,"failure":"not-signed-in"}"#;
        assert!(serde_json::from_str::<Stored<Failure>>(text).is_err());
        assert_eq!(from_value::<Failure>(&serde_json::from_str(text).expect("JSON")), None);
    }
}
