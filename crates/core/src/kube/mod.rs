//! What this program shares with kubectl: the exec-credential protocol, the kubeconfig files, and what it asks of an API
//! server.
//!
//! Nothing in here may know how a token is obtained or kept, read the environment, or talk to a person: callers pass in
//! what they found and print what comes back.

pub mod access;
pub mod api;
pub mod api_credentials;
pub mod exec_credential;
pub mod kubeconfig;
pub mod kuberc;
pub mod rbac;
pub mod resource;
pub mod review;
