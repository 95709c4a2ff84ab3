//! Why a client cannot be built: what is wrong with the settings of trust, proxies and headers.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::proxy::ProxySource;
use crate::error::IoFailure;
use crate::text::printable;

/// Why a client cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum HttpSetupError {
    /// A setting that names certificate authorities cannot be used.
    #[error(transparent)]
    Roots(#[from] RootsProblem),
    /// Neither the platform nor the environment has certificate authorities. Holds what is wrong with those of the environment.
    #[error("no secure connection can be made: this system has no certificate authorities{}", listed(.0))]
    NoRoots(Vec<RootsProblem>),
    /// A proxy's address is not a URL. It may hold a password and is not repeated.
    #[error("the proxy address in {0} is not a valid URL")]
    InvalidProxy(ProxySource),
    /// A proxy is of a kind that is not supported.
    #[error("{setting} names a {scheme} proxy, which is not supported")]
    UnsupportedProxy {
        /// Where it is set.
        setting: ProxySource,
        /// The scheme of its address.
        scheme: String,
    },
    /// A cluster's `tls-server-name` is not a host name.
    #[error("the cluster's tls-server-name {0:?} is not a valid host name")]
    InvalidServerName(String),
    /// A request header cannot be sent. Its value may be a credential and is not repeated.
    #[error("the request header {0:?} is not a valid HTTP header")]
    InvalidHeader(String),
    /// A client certificate or its key is not PEM, or they do not belong together.
    #[error("the client certificate of the kubeconfig user cannot be used: certificate and key are not PEM")]
    UnusableClientCertificate,
    /// The TLS library refuses its configuration, in its words.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// The HTTP library refuses its configuration, in its words.
    #[error("no secure connection can be made: {0}")]
    Client(String),
}

/// A token that holds characters which no HTTP header can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token cannot be sent: it holds control characters")]
pub struct UnsendableToken;

/// Where certificate authorities are named. Paths are fit for a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootsSource {
    /// A file that a setting names.
    File(String),
    /// A setting that holds them itself, for the issuer.
    Data,
    /// The kubeconfig cluster's `certificate-authority-data`.
    ClusterData,
    /// The file of `SSL_CERT_FILE`.
    EnvironmentFile(String),
    /// A folder of `SSL_CERT_DIR`.
    EnvironmentFolder(String),
    /// A file in such a folder.
    FileInFolder(String),
}

/// What is wrong with certificate authorities that are named somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootsProblem {
    /// Where they are named.
    pub place: RootsSource,
    /// What is wrong with them.
    pub kind: RootsProblemKind,
}

/// Kinds of [`RootsProblem`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootsProblemKind {
    /// The file or folder cannot be read.
    Unreadable(IoFailure),
    /// The file is empty.
    Empty,
    /// There is no certificate in it.
    NoCertificate,
    /// So many certificates in it cannot be read, and are skipped.
    Damaged(usize),
    /// The folder holds more than is read of all folders together; the rest is skipped.
    TooLarge,
}

impl RootsProblem {
    pub(super) fn new(place: RootsSource, kind: RootsProblemKind) -> RootsProblem {
        RootsProblem { place, kind }
    }
}

impl fmt::Display for RootsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RootsSource::File(path) => write!(f, "the certificate authority file {path}"),
            RootsSource::Data => f.write_str("the certificate authority data"),
            RootsSource::ClusterData => f.write_str("the kubeconfig cluster's certificate-authority-data"),
            RootsSource::EnvironmentFile(path) => write!(f, "the file of SSL_CERT_FILE, {path},"),
            RootsSource::EnvironmentFolder(path) => write!(f, "the folder of SSL_CERT_DIR, {path},"),
            RootsSource::FileInFolder(path) => f.write_str(path),
        }
    }
}

impl fmt::Display for RootsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RootsProblem { place, kind } = self;
        match (kind, place) {
            (RootsProblemKind::Unreadable(error), _) => write!(f, "{place} cannot be read: {error}"),
            (RootsProblemKind::Empty, _) => write!(f, "{place} is empty"),
            (RootsProblemKind::NoCertificate, RootsSource::EnvironmentFile(_) | RootsSource::EnvironmentFolder(_)) => {
                write!(f, "{place} holds no certificate")
            }
            (RootsProblemKind::NoCertificate, _) => write!(f, "there is no certificate in {place}"),
            (RootsProblemKind::Damaged(1), _) => {
                write!(f, "{place} holds a certificate that cannot be read: it is skipped")
            }
            (RootsProblemKind::Damaged(_), _) => {
                write!(f, "{place} holds certificates that cannot be read: they are skipped")
            }
            (RootsProblemKind::TooLarge, _) => write!(f, "{place} holds too much: the rest of it is skipped"),
        }
    }
}

impl std::error::Error for RootsProblem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            RootsProblemKind::Unreadable(error) => Some(error),
            _ => None,
        }
    }
}

/// A path, fit for a terminal.
pub(super) fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy(), 200)
}

/// Problems as further clauses of a sentence.
pub(super) fn listed(problems: &[RootsProblem]) -> String {
    problems.iter().map(|problem| format!("; {problem}")).collect()
}
