//! Network settings: trust, proxies, headers and timeouts.
//!
//! Data only; the modules beside this one use it.

use std::path::PathBuf;
use std::time::Duration;

use super::ca_file::CaFile;
use crate::clock;
use crate::secret::Secret;

/// How the issuer is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// PEM files with certificate authorities that are trusted in addition to the system's.
    pub ca_files: Vec<CaFile>,
    /// More of them, as base64 of PEM.
    pub ca_data: Vec<String>,
    /// Accept any certificate.
    pub insecure: bool,
    /// Where the environment names certificate authorities.
    pub environment_roots: EnvironmentRoots,
    /// Which authorities of the environment are trusted, as the SHA-256 of their DER: requests that carry a session's
    /// token trust only those that its sign-in needed. `None` for all of them.
    pub pinned: Option<Vec<String>>,
    /// Headers for every request to the issuer; a value may be a credential.
    pub headers: Vec<(String, Secret)>,
    /// Timeout for network work that a command depends on; 20 seconds by default. It does not limit the user's time.
    pub timeout: Option<Duration>,
    /// Proxies, from the environment.
    pub proxies: Proxies,
}

/// Where the environment names certificate authorities. A kubeconfig entry can set it, so tokens that were obtained through
/// one of these authorities are kept apart from others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EnvironmentRoots {
    /// The PEM file of `SSL_CERT_FILE`, as an absolute path.
    pub file: Option<PathBuf>,
    /// The folders of `SSL_CERT_DIR`, as absolute paths.
    pub folders: Vec<PathBuf>,
}

impl EnvironmentRoots {
    /// Whether the environment names no authorities.
    pub fn is_empty(&self) -> bool {
        self.file.is_none() && self.folders.is_empty()
    }
}

impl Network {
    /// The same settings, trusting only `anchors` among the authorities of the environment.
    pub fn pinned_to(&self, anchors: &[String]) -> Network {
        Network { pinned: Some(anchors.to_vec()), ..self.clone() }
    }

    /// The timeout for network work that a command depends on.
    pub fn needed(&self) -> Duration {
        clock::limit(self.needed_at_most())
    }

    /// The same as it was configured, to be copied to other settings.
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
    /// Hosts that are reached directly: the value of `NO_PROXY`.
    pub no_proxy: Option<String>,
}

/// A variable that names a proxy. The address may contain a password, so Debug does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyVariable {
    /// The variable's name, in the case in which it is set.
    pub name: &'static str,
    /// Its value, unchecked.
    pub address: String,
}

impl std::fmt::Debug for ProxyVariable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ProxyVariable").field(&self.name).finish()
    }
}
