//! The kubectl of this machine.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::common::{V1, V1BETA1, needed};

/// The path of kubectl, and its minor version.
pub struct Kubectl {
    pub path: PathBuf,
    pub minor: u32,
}

impl Kubectl {
    pub fn find() -> Kubectl {
        let path = needed("kubectl", "kubernetes-client").canonicalize().unwrap();
        // Some distributions install a dispatcher, which asks the cluster for its version first (with a token, so it
        // runs the plugin too) and then starts the right kubectl. To count calls of the plugin, tests need that kubectl
        // itself.
        let sibling = |minor| path.with_file_name(format!("kubectl.1.{minor}"));
        let path = [33, 32, 31, 30].map(sibling).into_iter().find(|path| path.is_file()).unwrap_or(path);
        let version = Command::new(&path).args(["version", "--client", "-o", "json"]).output().unwrap();
        let version: Value = serde_json::from_slice(&version.stdout).expect("kubectl prints its version");
        let minor = version["clientVersion"]["minor"].as_str().unwrap().trim_end_matches('+').parse().unwrap();
        Kubectl { path, minor }
    }

    /// The API versions that it supports: v1 exists since 1.22.
    pub fn api_versions(&self) -> &'static [&'static str] {
        if self.minor < 22 { &[V1BETA1] } else { &[V1BETA1, V1] }
    }
}
