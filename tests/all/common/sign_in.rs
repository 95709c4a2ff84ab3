//! The kubeconfig entries that tests sign in with.

use sim::World;

use crate::common::{AKS, Home, V1};

/// `get-token` for the Entra-shaped tenant, as in an AKS kubeconfig, followed by `more`.
pub fn entra(world: &World, more: &[&str]) -> Vec<String> {
    world.aks_args().into_iter().chain(more.iter().map(|word| (*word).to_owned())).collect()
}

/// `get-token` for the plain issuer, followed by `more`.
pub fn oidc(world: &World, more: &[&str]) -> Vec<String> {
    world.oidc_args().into_iter().chain(more.iter().map(|word| (*word).to_owned())).collect()
}

/// `get-token` for the Entra-shaped tenant at a host that is not a world's, followed by `more`.
pub fn entra_at(host: &str, more: &[&str]) -> Vec<String> {
    AKS.iter().chain(&["--authority-host", host]).chain(more).map(|word| (*word).to_owned()).collect()
}

/// A kubeconfig with which kubectl runs the plugin with these arguments.
pub fn kubeconfig(world: &World, args: &[String]) -> String {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    world.kubeconfig("kubectl-login", &args, V1)
}

/// A world, a home directory that has just signed in with this kind of entry, and the token. The world's log is empty.
pub fn signed_in(entry: fn(&World, &[&str]) -> Vec<String>) -> (World, Home, String) {
    let (world, home) = (World::start(), Home::new());
    let token = home.sign_in(&entry(&world, &[])).token();
    world.reset_requests();
    (world, home, token)
}
