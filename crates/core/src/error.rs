//! Errors of the system, as values.

use std::io;

/// An [`io::Error`] as a value that can be cloned, compared and stored: its kind, and the system's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("{text}")]
pub struct IoFailure {
    /// The kind; [`io::ErrorKind::Other`] after deserialization, unless it is one of those that decide about words or behaviour.
    #[serde(default = "other_kind", serialize_with = "write_kind", deserialize_with = "read_kind")]
    pub kind: io::ErrorKind,
    /// What the system says, such as `No such file or directory (os error 2)`.
    pub text: String,
}

/// The kinds that are stored, by name: those that decide about words or behaviour.
const STORED_KINDS: [(io::ErrorKind, &str); 6] = [
    (io::ErrorKind::NotFound, "not-found"),
    (io::ErrorKind::PermissionDenied, "permission-denied"),
    (io::ErrorKind::StorageFull, "storage-full"),
    (io::ErrorKind::QuotaExceeded, "quota-exceeded"),
    (io::ErrorKind::ReadOnlyFilesystem, "read-only-filesystem"),
    (io::ErrorKind::FileTooLarge, "file-too-large"),
];

fn write_kind<S: serde::Serializer>(kind: &io::ErrorKind, serializer: S) -> Result<S::Ok, S::Error> {
    let name = STORED_KINDS.iter().find(|(stored, _)| stored == kind).map_or("other", |(_, name)| name);
    serializer.serialize_str(name)
}

fn read_kind<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<io::ErrorKind, D::Error> {
    let name = <String as serde::Deserialize>::deserialize(deserializer)?;
    Ok(STORED_KINDS.iter().find(|(_, stored)| *stored == name).map_or(io::ErrorKind::Other, |(kind, _)| *kind))
}

fn other_kind() -> io::ErrorKind {
    io::ErrorKind::Other
}

impl From<io::Error> for IoFailure {
    fn from(error: io::Error) -> IoFailure {
        IoFailure { kind: error.kind(), text: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_failure_keeps_the_kinds_that_matter() {
        for kind in STORED_KINDS.map(|(kind, _)| kind) {
            let failure = IoFailure::from(io::Error::from(kind));
            let stored = serde_json::to_string(&failure).expect("JSON");
            assert_eq!(serde_json::from_str::<IoFailure>(&stored).expect("the failure"), failure, "{stored}");
        }
        let other = serde_json::from_str::<IoFailure>(r#"{"text":"of an earlier version"}"#).expect("the failure");
        assert_eq!(other.kind, io::ErrorKind::Other);
    }
}
