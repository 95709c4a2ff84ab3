//! How servers are reached: whom to trust, which proxies to use, and how long to wait.
//!
//! Settings only; the modules beside this one act on them.

use std::path::PathBuf;
use std::time::Duration;

use crate::clock;
use crate::secret::Secret;

/// How the issuer is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// PEM files with certificate authorities that are trusted besides the system's.
    pub ca_files: Vec<PathBuf>,
    /// The same, as base64 of PEM.
    pub ca_data: Vec<String>,
    /// Accept any certificate.
    pub insecure: bool,
    /// Where the environment names more of them.
    pub environment_roots: EnvironmentRoots,
    /// Which of those count, by the SHA-256 of their DER: those that a session was signed in under, for whatever carries
    /// one of its tokens. All of them if it is `None`.
    pub pinned: Option<Vec<String>>,
    /// Headers for every request to the issuer; a value may be a credential.
    pub headers: Vec<(String, Secret)>,
    /// Limit for network work that is needed; 20 seconds unless said otherwise. Human time is never limited by it.
    pub timeout: Option<Duration>,
    /// Proxies, from the environment.
    pub proxies: Proxies,
}

/// Where the environment names certificate authorities. A kubeconfig entry can set it, so what is obtained under one of
/// these is kept apart from what every environment trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvironmentRoots {
    /// The PEM file of `SSL_CERT_FILE`, as an absolute path.
    pub file: Option<PathBuf>,
    /// The folders of `SSL_CERT_DIR`, as absolute paths.
    pub folders: Vec<PathBuf>,
}

impl EnvironmentRoots {
    /// Whether the environment names nothing.
    pub fn is_empty(&self) -> bool {
        self.file.is_none() && self.folders.is_empty()
    }
}

impl Network {
    /// The same, trusting of what the environment adds only `anchors`.
    pub fn pinned_to(&self, anchors: &[String]) -> Network {
        Network { pinned: Some(anchors.to_vec()), ..self.clone() }
    }

    /// The limit for network work that is needed.
    pub fn needed(&self) -> Duration {
        clock::limit(self.needed_at_most())
    }

    /// The same as it was asked for, for other networks to have.
    pub fn needed_at_most(&self) -> Duration {
        self.timeout.unwrap_or(Duration::from_secs(20))
    }
}

/// Proxies as the environment names them, for https URLs and for http URLs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For https URLs.
    pub https: Option<ProxyVariable>,
    /// For http URLs.
    pub http: Option<ProxyVariable>,
    /// Hosts that are reached directly, as `NO_PROXY` lists them.
    pub none_for: Option<String>,
}

/// A variable that names a proxy. The address may hold a password, so Debug does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyVariable {
    /// The variable's name, as it is set.
    pub name: &'static str,
    /// Its value, unchecked.
    pub address: String,
}

impl std::fmt::Debug for ProxyVariable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ProxyVariable").field(&self.name).finish()
    }
}
