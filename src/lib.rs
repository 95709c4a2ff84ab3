//! The road to a Kubernetes bearer token, without a terminal.
//!
//! `kubectl-login` is a thin binary over this library. The rooms, and who may call whom (downwards only):
//!
//! - [`session`]: the one road to a token: remembered, refreshed, signed in; locks and shared outcomes.
//! - [`signin`]: one file per way of signing in, behind one trait.
//! - [`entra`]: what is special about Microsoft Entra ID: clouds, scopes, the catalogue of its refusals.
//! - [`oauth`]: the protocol: discovery, device authorization, refresh, errors, JWTs.
//! - [`store`]: what is remembered: key homes, sealed files, locks.
//! - [`kube`]: ExecCredential, kubeconfig, and what is asked of an API server.
//! - the shared ground: [`error`], [`secret`], [`text`], [`environment`], [`children`], [`clock`], [`paths`], [`http`], [`budget`],
//!   [`profile`], [`runtime`], [`masking`], [`resources`].
//!
//! Nothing here writes to a terminal, reads one, or ends the process; what a person has to see goes through
//! [`signin::Person`].

pub mod budget;
pub mod children;
pub mod clock;
pub mod entra;
pub mod environment;
pub mod error;
pub mod http;
pub mod kube;
pub mod masking;
pub mod named_file;
pub mod oauth;
pub mod paths;
pub mod profile;
pub mod resources;
pub mod runtime;
pub mod secret;
pub mod session;
pub mod signin;
pub mod store;
pub mod text;
