//! Tests of the simulated world itself.

mod authorize;
mod client;
mod code_client;
mod entra_tokens;
mod graph;
mod kube;
mod kubectl;
mod oidc_groups;
mod rbac;
mod world;
