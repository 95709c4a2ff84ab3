//! The road to a Kubernetes bearer token, without a terminal.
//!
//! `kubectl-login` is a thin binary over this library. The rooms, and who may call whom (downwards only):
//!
//! - [`session`]: the one road to a token: remembered, refreshed, signed in; locks and shared outcomes.
//! - [`signin`]: one file per way of signing in, behind one trait.
//! - [`store`]: the state folder: sealed records, the key and its backends, locks.
//! - [`messages`]: errors and advice as sentences.
//! - the shared ground: [`environment`], [`children`], [`paths`], [`profile`], [`runtime`], [`resources`].
//! - below all of it: [`kubectl_login_core`], which a server can use too.
//!
//! Nothing here writes to a terminal, reads one, or ends the process; what a person has to see goes through
//! [`signin::Person`].

pub mod children;
pub mod environment;
pub mod messages;
pub mod paths;
pub mod profile;
pub mod resources;
pub mod runtime;
pub mod session;
pub mod signin;
pub mod store;
