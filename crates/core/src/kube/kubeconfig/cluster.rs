//! How the API server of a cluster is reached.
//!
//! Must not read the files that are named here, or connect.

use std::fmt;
use std::path::PathBuf;

/// A cluster of a kubeconfig, as written and unchecked. The default has no values.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KubeconfigCluster {
    /// The API server's URL.
    pub server: Option<String>,
    /// A PEM file with the only certificate authorities to trust.
    pub certificate_authority: Option<PathBuf>,
    /// The same as base64 of PEM, which wins over the file.
    pub certificate_authority_data: Option<String>,
    /// Accept any certificate.
    pub insecure_skip_tls_verify: bool,
    /// The name that the certificate must be valid for, if it is not the URL's host.
    pub tls_server_name: Option<String>,
    /// The proxy for this cluster, used instead of the environment's. May hold a password.
    pub proxy_url: Option<String>,
}

impl fmt::Debug for KubeconfigCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("server", &self.server).finish_non_exhaustive()
    }
}
