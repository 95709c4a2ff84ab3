//! What `kubectl-login` and a server both need: OAuth 2.0 and OpenID Connect, Microsoft Entra ID, and Kubernetes.
//!
//! Dependencies between the modules point downwards only:
//!
//! - [`entra`]: what is special about Microsoft Entra ID: clouds, refusals, Graph.
//! - [`oauth`]: the protocol; knows no vendor.
//! - [`kube`]: ExecCredential, kubeconfig, and requests to an API server.
//! - [`http`]: HTTP policy: connections, proxies, trust, retries, limits.
//! - [`clock`], [`secret`], [`text`], [`masking`], [`budget`], [`named_file`], [`error`]: what all of them use.
//!
//! Nothing here knows flags, a terminal, the plugin's own files or an async runtime of its own.

pub mod budget;
pub mod clock;
pub mod entra;
pub mod error;
pub mod http;
pub mod kube;
pub mod masking;
pub mod named_file;
pub mod oauth;
pub mod secret;
pub mod text;
