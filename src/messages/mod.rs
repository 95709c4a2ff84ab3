//! Turns errors, advice and flags into sentences: the only place that does. It must not know how they are printed.
//!
//! Errors of other modules are typed and carry facts. [`Explain`] makes of them what users read: what happened, and what to
//! do next. One file for each module whose errors it explains.

pub mod entra;
mod graph;
pub mod kube;
mod oauth;
pub mod refusals;
mod resources;
mod runtime;
pub mod step;
pub mod store;

use kubectl_login_core::error::Error;

/// What an error means to the user.
pub trait Explain {
    /// The error in two halves, for a user for whom `purpose` failed ("sign in", "refresh the token"): "cannot sign in: …".
    fn explain(&self, purpose: &str) -> Error;
}
