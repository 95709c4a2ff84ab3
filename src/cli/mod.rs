//! One file per command. Only here do flags and environment become a profile, and only here is something printed.

#[cfg(test)]
mod advice;
mod args;
mod authorization;
mod clean;
mod cluster;
mod command_line;
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
use kubectl_login::messages::{ErrorMessage, ExitKind, Result};
use kubectl_login::resources;
use kubectl_login::session::repeats::Repeats;

use args::{Cli, Command, WarmCommandLine};

const GET_TOKEN: &str = "get-token";

/// Runs the command line, and prints any error.
pub(crate) fn main(words: Vec<OsString>) -> ExitCode {
    if let Some(request) = completion::CompletionRequest::from_command_line(&words) {
        return request.answer(grammar(&[]), &Environment::from_process());
    }
    let environment = Environment::from_process();
    if let Some(line) = warm_command_line(&words) {
        return warm_get_token(&line, &words, &environment);
    }
    let mut grammar = grammar(&words);
    let words = not_yet::context_instead(command_line::command_first(words, &grammar), &environment);
    let words = command_line::help_last(words);
    let clock = resources::read_clock();
    let repeats = Repeats::new(&words, &environment, clock.as_ref().copied().unwrap_or_default());
    let parsed = grammar.try_get_matches_from_mut(&words).and_then(|matches| Cli::from_arg_matches(&matches));
    let mut cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error, &grammar, &words, repeats),
    };
    let needs_a_clock = !matches!(cli.command, Some(Command::Version | Command::Completion(_)));
    if let (true, Err(error)) = (needs_a_clock, clock) {
        return report::failure(&error.into());
    }
    report::start_logging(cli.verbosity);
    let done = |()| ExitStatus::Success;
    let outcome = match &cli.command {
        Some(Command::GetToken(args)) => get_token::run(args, &environment, repeats),
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
    ended(outcome, &words, repeats)
}

/// `get-token` as kubeconfigs write it. The grammar of all commands is not needed for that.
fn warm_command_line(words: &[OsString]) -> Option<WarmCommandLine> {
    let [_, command, flags @ ..] = words else { return None };
    if command == GET_TOKEN { args::parse_warm(flags) } else { None }
}

fn warm_get_token(line: &WarmCommandLine, words: &[OsString], environment: &Environment) -> ExitCode {
    let clock = resources::read_clock();
    let repeats = Repeats::new(words, environment, clock.as_ref().copied().unwrap_or_default());
    if let Err(error) = clock {
        return report::failure(&error.into());
    }
    report::start_logging(line.verbosity);
    ended(get_token::run(&line.args, environment, repeats), words, repeats)
}

/// Prints a failure, and returns the exit code.
fn ended(outcome: Result<ExitStatus>, words: &[OsString], repeats: Repeats<'_>) -> ExitCode {
    match outcome {
        Ok(ExitStatus::Success) => ExitCode::SUCCESS,
        Ok(ExitStatus::Failure(kind)) => ExitCode::from(kind.exit_code()),
        Err(error) => failure(&error, words, repeats),
    }
}

/// How a command ended that has printed everything it had to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExitStatus {
    /// It did what the user wanted.
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

/// The command line's grammar, with the name that the program was started by.
fn grammar(words: &[OsString]) -> clap::Command {
    let started_as = words.first().map(std::path::Path::new).and_then(|path| path.file_stem()?.to_str());
    let shown = match started_as {
        Some("kubelogin") => "kubelogin",
        Some("kubectl-oidc_login") => "kubectl oidc-login",
        _ => "kubectl login",
    };
    Cli::command()
        .bin_name(shown)
        .max_term_width(args::HELP_WIDTH)
        .help_template(args::HELP_TEMPLATE)
        .mut_subcommands(|command| command.help_template(args::HELP_TEMPLATE))
}
