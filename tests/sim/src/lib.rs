//! The simulated world that `kubectl-login` is tested against.
//!
//! One [`World`] is an Entra-shaped cloud with two tenants and its Graph, a plain OpenID Connect issuer, and a small
//! Kubernetes API that checks the signature of the bearer token. All of them run in this process on their own loopback
//! ports. The world is well behaved until a [`Behaviour`] is set. It also simulates a user who approves device codes
//! and browser sign-ins, and who can refuse, be another user, or wait until the test decides.
//!
//! The tests that use it are synchronous Rust: nothing here requires an async runtime.
//!
//! ```
//! use std::time::Duration;
//! use sim::{Behaviour, World};
//!
//! let world = World::start();
//! world.set(Behaviour::SlowDown);
//! assert!(world.issuer().starts_with("http://127.0.0.1:"));
//! assert!(!world.wait_for(Duration::from_millis(10), |log| log.count("/token") > 0));
//! ```

mod authorization;
mod behaviour;
mod calendar;
mod callback;
mod device;
mod directory;
mod entra;
mod entra_errors;
mod entra_tokens;
mod form;
mod graph;
mod isolate;
mod keys;
mod knobs;
mod kube;
mod kube_access;
mod kube_discovery;
mod kube_protobuf;
mod kubeconfig;
mod misbehaviour;
mod oidc;
mod pace;
mod people;
mod rbac;
mod reply;
mod request;
mod resource;
mod server;
mod state;
mod tls;
mod tokens;
mod world;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

pub use behaviour::Behaviour;
pub use form::Form;
pub use isolate::isolate;
pub use pace::expect_shorter_pauses;
pub use people::{ALICE, BOB, PASSWORD, group_ids};
pub use request::{Log, Request, Server, Step};
pub use tls::HOST;
pub use world::World;

/// The tenant, also known as `common`, `organizations` and `contoso.example`.
pub const TENANT: &str = "11f6c3a2-5a8e-4d0b-9c36-2f4f3f7a8e10";
/// A second tenant, also known as `fabrikam.example`.
pub const OTHER_TENANT: &str = "22b8e1d4-7c1f-4e6a-8a57-6d0c9b3e5f20";
/// The client in AKS kubeconfigs: Microsoft's public client for kubelogin. It cannot get Graph tokens.
pub const CLIENT: &str = "80faf920-1908-4b52-b5ef-a8e7bedfc67a";
/// A public client of the tenant, which can get Graph tokens.
pub const OWN_CLIENT: &str = "3a5d7c90-44e2-4f1b-8d36-0b9e6f2a7c30";
/// The AKS server application.
pub const SERVER: &str = "6dae42f8-4368-4678-94ff-3960e28e3630";
/// A server application of the tenant, which the cluster accepts too.
pub const OTHER_SERVER: &str = "4c9b2e17-8f3d-4a65-9e0c-7d1a5b6c8f40";
/// The server application of Kubernetes enabled by Azure Arc, which is in each tenant.
pub const ARC_SERVER: &str = "6256c85f-0aad-4d50-b960-e6e9b21efe35";
/// A server application that is in neither tenant: Entra's error is 500011.
pub const UNREGISTERED_SERVER: &str = "5e1f8d26-0b7c-4d93-a4f8-9c2e6a3b1d50";
/// The client of the plain issuer, and the audience of its ID tokens.
pub const OIDC_CLIENT: &str = "kubernetes";
/// A token that the cluster accepts for the service account `ci`, as from an API server's token file.
pub const STATIC_TOKEN: &str = "static-token-of-the-service-account-ci";
/// A name and a password that the cluster accepts.
pub const BASIC: (&str, &str) = ("operator", "basic-password");
/// The page where Entra's users enter their code.
pub const VERIFICATION_URI: &str = "https://microsoft.com/devicelogin";

fn base64url(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn base64_standard(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
