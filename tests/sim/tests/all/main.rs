//! Tests of the simulated world itself.

mod client;
mod kubectl;
mod world;
