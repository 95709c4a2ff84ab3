//! kube-rs's own client lists pods through the plugin: first with a sign-in, then from the cache.
//!
//! A crate of its own, because kube enables features of crates that the plugin uses too. It runs the plugin that the
//! workspace has built: run `cargo build` before `cargo test -p kube-rs`, as `tests/run` does.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use sim::World;

/// The plugin beside this test in the target directory.
fn plugin() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let plugin = this.ancestors().nth(2).unwrap().join("kubectl-login");
    assert!(plugin.is_file(), "{} is not there: run cargo build first", plugin.display());
    plugin
}

/// Runs the plugin without the developer's environment, except for what kube-rs passes to it.
const ISOLATED: &str =
    r#"exec env -i KUBERNETES_EXEC_INFO="$KUBERNETES_EXEC_INFO" KUBECTL_LOGIN_PROMPT=always HOME="$0" "$@""#;

/// A kubeconfig that runs `get-token` in its own home directory, as if at a terminal.
fn kubeconfig(world: &World, home: &Path, get_token: &[String], api_version: &str) -> String {
    let (home, plugin) = (home.display().to_string(), plugin().display().to_string());
    let words = ["-c", ISOLATED, &home, &plugin].into_iter();
    let args: Vec<&str> = words.chain(get_token.iter().map(String::as_str)).collect();
    world.kubeconfig("/bin/sh", &args, api_version)
}

/// The names of the pods, through a new client, as another program would see them.
fn pods(kubeconfig: &str) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let kubeconfig = Kubeconfig::from_yaml(kubeconfig).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let pods: Api<Pod> = Api::namespaced(client, "default");
        let list = pods.list(&ListParams::default()).await.unwrap();
        list.items.into_iter().filter_map(|pod| pod.metadata.name).collect()
    })
}

/// Lists twice: the first call signs in, the second one does not contact the issuer.
fn assert_second_list_uses_cache(get_token: impl Fn(&World) -> Vec<String>) {
    for api_version in ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"] {
        let world = World::start();
        let home = tempfile::tempdir().unwrap();
        let kubeconfig = kubeconfig(&world, home.path(), &get_token(&world), api_version);
        assert_eq!(pods(&kubeconfig), ["hello"]);
        assert_eq!(world.device_requests().len(), 1);

        world.reset_requests();
        assert_eq!(pods(&kubeconfig), ["hello"]);
        let requests = world.requests();
        assert!(requests.iter().all(|request| request.server == sim::Server::Kube), "{requests:?}");
        assert!(requests.iter().any(|request| request.path.ends_with("/pods") && request.status == 200));
    }
}

#[test]
fn entra_token_is_cached_for_kube_rs() {
    assert_second_list_uses_cache(World::aks_args);
}

#[test]
fn oidc_token_is_cached_for_kube_rs() {
    assert_second_list_uses_cache(World::oidc_args);
}
