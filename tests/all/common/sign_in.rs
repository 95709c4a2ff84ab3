//! The entries that tests sign in with.

use sim::World;

/// `get-token` for the Entra-shaped tenant, as an AKS kubeconfig has it, with `more` behind.
pub fn entra(world: &World, more: &[&str]) -> Vec<String> {
    world.aks_args().into_iter().chain(more.iter().map(|word| (*word).to_owned())).collect()
}

/// `get-token` for the plain issuer, with `more` behind.
pub fn oidc(world: &World, more: &[&str]) -> Vec<String> {
    world.oidc_args().into_iter().chain(more.iter().map(|word| (*word).to_owned())).collect()
}
