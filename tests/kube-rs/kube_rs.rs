//! kube-rs's own client lists pods through the plugin: once with a sign-in, then from the cache.
//!
//! A crate of its own, because kube switches on features of crates that the plugin uses too. It runs the plugin that
//! the workspace has built: `cargo build` before `cargo test -p kube-rs`, as `tests/run` does.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use sim::World;

/// The plugin beside this test in the target folder.
fn plugin() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let plugin = this.ancestors().nth(2).unwrap().join("kubectl-login");
    assert!(plugin.is_file(), "{} is not there: run cargo build first", plugin.display());
    plugin
}

/// Nothing of the developer's environment gets to the plugin; what kube-rs tells it does.
const IN_A_HOME: &str =
    r#"exec env -i KUBERNETES_EXEC_INFO="$KUBERNETES_EXEC_INFO" KUBECTL_LOGIN_PROMPT=always HOME="$0" "$@""#;

/// `get-token` in a home of its own, at somebody's terminal.
fn kubeconfig(world: &World, home: &Path, get_token: &[String], api_version: &str) -> String {
    let (home, plugin) = (home.display().to_string(), plugin().display().to_string());
    let words = ["-c", IN_A_HOME, &home, &plugin].into_iter();
    let args: Vec<&str> = words.chain(get_token.iter().map(String::as_str)).collect();
    world.kubeconfig("/bin/sh", &args, api_version)
}

/// The names of the pods, through a new client: as another program would see them.
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

/// Lists twice: the first time somebody signs in, the second time nobody hears of it.
fn lists_twice(get_token: impl Fn(&World) -> Vec<String>) {
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
fn an_entra_sign_in_serves_kube_rs_and_is_remembered() {
    lists_twice(World::aks_args);
}

#[test]
fn an_oidc_sign_in_serves_kube_rs_and_is_remembered() {
    lists_twice(World::oidc_args);
}
