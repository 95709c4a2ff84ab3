//! One file per command; flags and environment become a profile here, and here alone something is printed.

#[cfg(test)]
mod advice;
mod args;
mod authorization;
mod clean;
mod cluster;
mod command_line;
mod compat_flags;
mod completion;
mod doctor;
mod entry;
mod entry_reader;
mod exec_args;
mod explain;
mod get_token;
mod given_flags;
mod headers;
mod kubectl_user;
mod login;
mod logout;
mod membership;
mod name_value;
mod network;
mod not_yet;
mod profile;
mod programs;
#[cfg(test)]
mod reference;
mod report;
mod reserved_stdout;
mod selection;
mod sources;
mod status;
mod usage;
mod whoami;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use kubectl_login::environment::Environment;
use kubectl_login::messages::unsupported_command::UnsupportedCommand;
use kubectl_login::messages::{ErrorMessage, ExitKind};
use kubectl_login::resources;
use kubectl_login::session::repeats::Repeats;

use args::{Cli, Command};
use given_flags::GivenFlags;

const GET_TOKEN: &str = "get-token";

/// Runs the command line, and prints any error.
pub(crate) fn main(words: Vec<OsString>) -> ExitCode {
    if let Some(request) = completion::CompletionRequest::from_command_line(&words) {
        return request.answer(grammar(&[]), &Environment::from_process());
    }
    let mut grammar = grammar(&words);
    let environment = Environment::from_process();
    let words = not_yet::context_instead(command_line::command_first(words, &grammar), &environment);
    let words = command_line::help_last(words);
    let clock = resources::read_clock();
    let repeats = Repeats::new(&words, &environment, clock.as_ref().copied().unwrap_or_default());
    let parsed = grammar
        .try_get_matches_from_mut(&words)
        .and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, given_flags(&grammar, &matches))));
    let (mut cli, given) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return not_parsed(&error, &grammar, &words, repeats),
    };
    let needs_a_clock = !matches!(cli.command, Some(Command::Version | Command::Completion(_)));
    if let (true, Err(error)) = (needs_a_clock, clock) {
        return report::failure(&error.into());
    }
    report::start_logging(cli.verbosity);
    let done = |()| ExitStatus::Success;
    let outcome = match &cli.command {
        Some(Command::GetToken(args)) => get_token::run(args, &given, &environment, repeats),
        Some(Command::Status(args)) => status::run(args, &environment).map(done),
        Some(Command::Whoami(args)) => whoami::run(args, &environment),
        Some(Command::Doctor(args)) => doctor::run(args, &environment),
        Some(Command::Logout(args)) => logout::run(args, &environment).map(done),
        Some(Command::ConvertKubeconfig(_)) => Err(UnsupportedCommand::ConvertKubeconfig.into()),
        Some(Command::Setup(_)) => Err(UnsupportedCommand::Setup.into()),
        Some(Command::Aks(_)) => Err(UnsupportedCommand::Aks.into()),
        Some(Command::Completion(args)) => completion::run(args).map(done),
        Some(Command::RemoveCacheDir(args)) => clean::remove_cache_dir(args, &environment).map(done),
        Some(Command::RemoveTokens(args)) => clean::remove_tokens(args, &environment).map(done),
        Some(Command::Clean(args)) => clean::clean(args, &environment).map(done),
        Some(Command::Version) => report::line(&format!("kubectl-login {}", env!("CARGO_PKG_VERSION"))).map(done),
        None => {
            cli.login.entry.may_be_command = true;
            login::run(&cli.login, &environment).map(done)
        }
    };
    match outcome {
        Ok(ExitStatus::Success) => ExitCode::SUCCESS,
        Ok(ExitStatus::Failure(kind)) => ExitCode::from(kind.exit_code()),
        Err(error) => failure(&error, &words, repeats),
    }
}

/// How a command ended that has printed everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExitStatus {
    /// As the user wanted.
    Success,
    /// With this exit code.
    Failure(ExitKind),
}

/// Prints a failure and returns the exit code.
fn failure(error: &ErrorMessage, words: &[OsString], repeats: Repeats<'_>) -> ExitCode {
    match words.get(1) {
        Some(command) if command == GET_TOKEN => get_token::failure(error, repeats),
        _ => report::failure(error),
    }
}

/// Help and version, or what is wrong with the command line.
fn not_parsed(error: &clap::Error, grammar: &clap::Command, words: &[OsString], repeats: Repeats<'_>) -> ExitCode {
    let outcome =
        if error.use_stderr() { Err(usage::explain(error, grammar, words)) } else { report::help(&error.render()) };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(&error, words, repeats),
    }
}

/// The command line's grammar, under the name it was started by. The peers' flags that change nothing here are added
/// to `get-token`.
fn grammar(words: &[OsString]) -> clap::Command {
    let started_as = words.first().map(std::path::Path::new).and_then(|path| path.file_stem()?.to_str());
    let shown = match started_as {
        Some("kubelogin") => "kubelogin",
        Some("kubectl-oidc_login") => "kubectl oidc-login",
        _ => "kubectl login",
    };
    // The peers' parser takes the next word for the value, whatever it begins with; a secret may begin with a hyphen.
    let takes_a_word = |arg: &clap::Arg| arg.get_action().takes_values() && !arg.is_require_equals_set();
    Cli::command()
        .bin_name(shown)
        .max_term_width(args::HELP_WIDTH)
        .help_template(args::HELP_TEMPLATE)
        .mut_subcommands(|command| command.help_template(args::HELP_TEMPLATE))
        .mut_subcommand(GET_TOKEN, |command| {
            compat_flags::add_passive_flags(command)
                .mut_args(|arg| if takes_a_word(&arg) { arg.allow_hyphen_values(true) } else { arg })
        })
}

/// Which flags of `get-token` were typed, where that is the command.
fn given_flags(grammar: &clap::Command, matches: &clap::ArgMatches) -> GivenFlags {
    match (matches.subcommand_matches(GET_TOKEN), grammar.find_subcommand(GET_TOKEN)) {
        (Some(given), Some(grammar)) => GivenFlags::from_matches(grammar, given),
        _ => GivenFlags::default(),
    }
}
