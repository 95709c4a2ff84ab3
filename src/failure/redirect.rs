//! Why the browser cannot be redirected to this machine.

use serde::{Deserialize, Serialize};

/// Why the browser cannot be redirected to this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RedirectError {
    /// Another program listens at this address.
    #[error("another program listens at {address}")]
    InUse {
        /// The address.
        address: String,
    },
    /// The system refuses to listen at this address.
    #[error("the system refuses to listen at {address}: {reason}")]
    Refused {
        /// The address.
        address: String,
        /// Whether only privileged users may.
        is_permission: bool,
        /// What the system says.
        reason: String,
    },
    /// The redirect URL is https, and there is no certificate for it.
    #[error("the redirect URL is https, and there is no certificate")]
    NoCertificate {
        /// The URL, fit to be shown.
        url: String,
    },
    /// The host name of the redirect URL does not belong to this machine.
    #[error("the host name of the redirect URL does not belong to this machine")]
    OtherHost {
        /// The name, fit to be shown.
        name: String,
    },
    /// The certificate of the listener, or its key, cannot be used.
    #[error("a file of the listener cannot be used")]
    File {
        /// Which of the two.
        file: ListenerFile,
        /// Its path, fit to be shown.
        path: String,
        /// What is wrong.
        #[source]
        problem: ListenerFileProblem,
    },
}

/// A file of the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListenerFile {
    /// The certificate.
    Certificate,
    /// Its private key.
    Key,
}

/// What is wrong with a file of the listener. Nothing of its content is repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListenerFileProblem {
    /// It cannot be read, and why.
    #[error("{0}")]
    Unreadable(String),
    /// It holds no certificate.
    #[error("it holds no certificate in PEM")]
    NoCertificate,
    /// It holds no private key.
    #[error("it holds no private key in PEM")]
    NoKey,
    /// The key does not belong to the certificate.
    #[error("it is not the certificate's")]
    OtherKey,
}
