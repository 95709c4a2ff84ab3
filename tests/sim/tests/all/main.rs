//! Tests of the simulated world itself.

mod authorize;
mod client;
mod code_client;
mod kubectl;
mod world;
