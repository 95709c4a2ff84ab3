//! Obtains Kubernetes bearer tokens, without a terminal.
//!
//! `kubectl-login` is a thin binary over this library. The modules; each may use those below it:
//!
//! - [`session`]: obtains a token: from the cache, by refresh, or by interactive sign-in; locks and shared outcomes.
//! - [`signin`]: the interactive flows, one file each.
//! - [`messages`]: errors and advice as sentences.
//! - [`store`]: the state folder: sealed records, the key and its backends, locks.
//! - [`failure`] and [`issued_token`]: the two results of a request for a token.
//! - shared: [`environment`], [`children`], [`paths`], [`profile`], [`runtime`], [`resources`].
//! - below all of it: [`kubectl_login_core`], which a server can use too.
//!
//! Nothing here writes to a terminal, reads one, or ends the process; what the user has to see goes through
//! [`signin::Person`].

pub mod children;
pub mod environment;
pub mod failure;
pub mod issued_token;
pub mod messages;
pub mod paths;
pub mod profile;
pub mod resources;
pub mod runtime;
pub mod session;
pub mod signin;
pub mod store;
