//! `kubectl-login`: parse, dispatch, exit code.

mod cli;
mod hardening;
mod ui;

use std::process::ExitCode;

fn main() -> ExitCode {
    hardening::apply();
    cli::main(std::env::args_os().collect())
}
