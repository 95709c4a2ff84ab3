//! `kubectl-login`: parse, dispatch, exit code.

mod cli;
mod ui;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(std::env::args_os().collect())
}
