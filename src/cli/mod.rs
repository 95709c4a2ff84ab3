//! One file per command; flags and environment become a profile here, and here alone something is printed.

mod answer;
mod args;
pub(crate) use args::Prompt;
mod get_token;
mod login;
mod logout;
mod peers;
mod profile;
mod report;
mod status;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use kubectl_login::environment::Environment;
use kubectl_login::session::Failed;

use args::{Cli, Command};

/// Runs the command line; whatever goes wrong has been said when this returns.
pub(crate) fn main(words: Vec<OsString>) -> ExitCode {
    let matches = match command(&words).try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return report::command_line(&error),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return report::command_line(&error),
    };
    report::start_logging(cli.verbosity);
    let environment = Environment::of_process();
    let outcome = match (&cli.command, matches.subcommand()) {
        (Some(Command::GetToken(args)), Some((_, given))) => get_token::run(args, given, &environment),
        (Some(Command::Status(args)), _) => status::run(args, &environment).map_err(Failed::from),
        (Some(Command::Logout(args)), _) => logout::run(args, &environment).map_err(Failed::from),
        (Some(Command::Version), _) => {
            report::line(&format!("kubectl-login {}", env!("CARGO_PKG_VERSION"))).map_err(Failed::from)
        }
        _ => login::run(&cli.login, &environment),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => report::failure(&failed),
    }
}

/// The command line's grammar, under the name it was started by. The peers' flags that change nothing here are added
/// to `get-token`.
fn command(words: &[OsString]) -> clap::Command {
    let started_as = words.first().map(std::path::Path::new).and_then(|path| path.file_stem()?.to_str());
    let shown = match started_as {
        Some("kubelogin") => "kubelogin",
        Some("kubectl-oidc_login") => "kubectl oidc-login",
        _ => "kubectl login",
    };
    Cli::command().bin_name(shown).mut_subcommand("get-token", peers::add_passive_flags)
}

/// What `get-token` was given in a kubeconfig entry, parsed as if it had been typed.
fn parse_get_token(words: &[String]) -> Result<(args::GetTokenArgs, clap::ArgMatches), clap::Error> {
    let typed = ["kubectl-login", "get-token"].into_iter().chain(words.iter().map(String::as_str));
    let mut matches = command(&[]).try_get_matches_from(typed)?;
    match matches.remove_subcommand() {
        Some((_, given)) => Ok((args::GetTokenArgs::from_arg_matches(&given)?, given)),
        None => Err(clap::Error::new(clap::error::ErrorKind::MissingSubcommand)),
    }
}
