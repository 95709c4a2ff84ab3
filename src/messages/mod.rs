//! Turns errors, advice and flags into sentences: the only place that does. (Prompts are in `ui`, the results of commands in
//! `cli`.) It must not know how they are printed.
//!
//! Errors of other modules are typed and carry facts. [`Explain`] makes of them what users read: what happened, and what to
//! do next. One file for each module whose errors it explains.

mod callback_page;
pub mod command;
pub mod command_line;
pub mod entra;
mod error_message;
pub mod failure;
mod graph;
pub mod groups;
pub mod http;
pub mod kube;
pub mod kubeconfig_user;
mod oauth;
pub mod refusals;
mod request;
mod resources;
mod runtime;
pub mod settings;
pub mod sign_in;
pub mod step;
pub mod store;
pub mod token;
pub mod unsupported_command;

pub use callback_page::CallbackPage;
pub use error_message::{ErrorMessage, ExitKind, Result};

/// What an error means to the user.
pub trait Explain {
    /// The error in two halves, for a user for whom `purpose` failed ("sign in", "refresh the token"): "cannot sign in: …".
    fn explain(&self, purpose: &str) -> ErrorMessage;
}
