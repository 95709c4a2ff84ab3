//! The kubectl of this machine.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::common::{V1, V1BETA1, needed};

/// Where kubectl is, and the minor version of it.
pub struct Kubectl {
    pub path: PathBuf,
    pub minor: u32,
}

impl Kubectl {
    pub fn find() -> Kubectl {
        let path = needed("kubectl", "kubernetes-client").canonicalize().unwrap();
        // Some distributions put a dispatcher there, which asks the cluster for its version first (with a token, so the
        // plugin runs once more) and then starts one of its siblings. Counting needs the sibling itself.
        let sibling = |minor| path.with_file_name(format!("kubectl.1.{minor}"));
        let path = [33, 32, 31, 30].map(sibling).into_iter().find(|path| path.is_file()).unwrap_or(path);
        let version = Command::new(&path).args(["version", "--client", "-o", "json"]).output().unwrap();
        let version: Value = serde_json::from_slice(&version.stdout).expect("kubectl tells its version");
        let minor = version["clientVersion"]["minor"].as_str().unwrap().trim_end_matches('+').parse().unwrap();
        Kubectl { path, minor }
    }

    /// What it can speak: v1 came with 1.22.
    pub fn api_versions(&self) -> &'static [&'static str] {
        if self.minor < 22 { &[V1BETA1] } else { &[V1BETA1, V1] }
    }
}
