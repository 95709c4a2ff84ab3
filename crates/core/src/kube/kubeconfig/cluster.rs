//! How the API server of a cluster is reached.
//!
//! Must not know who reads the files that are named here, or who connects.

use std::fmt;
use std::path::PathBuf;

/// A kubeconfig's cluster, as written and unchecked. The default is a cluster of which nothing is known.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Cluster {
    /// The API server's URL.
    pub server: Option<String>,
    /// A PEM file of the only certificate authorities that count.
    pub certificate_authority: Option<PathBuf>,
    /// The same as base64 of PEM, which wins over the file.
    pub certificate_authority_data: Option<String>,
    /// Accept any certificate.
    pub insecure_skip_tls_verify: bool,
    /// The name that the certificate has to be for, if it is not the URL's.
    pub tls_server_name: Option<String>,
    /// The proxy in front of this cluster; the environment's do not count then. May hold a password.
    pub proxy_url: Option<String>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("server", &self.server).finish_non_exhaustive()
    }
}
