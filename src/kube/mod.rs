//! What this program shares with kubectl: the exec-credential protocol and the kubeconfig files.
//!
//! Formats only. Nothing in here may know how a token is obtained or kept, read the environment, or talk to a person:
//! callers pass in what they found and print what comes back.

pub mod exec_credential;
pub mod kubeconfig;
