//! The black-box tests: one program, so that it links once. Each file tests one thing that a user can see.
#![allow(clippy::unwrap_used, reason = "a test that cannot continue should stop")]
#![allow(unreachable_pub, reason = "what tests share is public within this program")]

mod common;

mod access;
mod access_rules;
mod api_server;
mod bounds;
mod browser;
mod browser_sign_in;
mod claims;
mod clean;
mod command_line;
mod completion;
mod concurrency;
mod confirmation;
mod device_flow;
mod docs;
mod doctor;
mod explain;
mod hardening;
mod hostile_programs;
mod hostile_server;
mod install;
mod interrupted;
mod keyring;
mod kill;
mod kubectl;
mod layout;
mod logout;
mod network;
mod oidc;
mod old_state;
mod password;
mod paste;
mod prompt_limits;
mod providers;
mod refresh;
mod refusals;
mod repeated_calls;
mod screens;
mod smoke;
mod state_directory;
mod status;
mod store;
mod tidy;
mod trust;
mod warm_path;
mod whoami;
