//! Kubernetes: the exec-credential protocol, kubeconfig files, and requests to an API server.
//!
//! Must not know how a token is obtained or stored, read the environment, or talk to a user: callers pass in what they
//! found and print the result.

pub mod access;
pub mod api;
pub mod api_credentials;
pub mod exec_credential;
pub mod kubeconfig;
pub mod kuberc;
pub mod rbac;
pub mod resource;
pub mod review;
