//! One file per command; flags and environment become a profile here, and here alone something is printed.

mod answer;
mod args;
mod authorization;
mod clean;
mod cluster;
mod completion;
mod doctor;
mod entry;
mod explain;
mod get_token;
mod kubectl_user;
mod login;
mod logout;
mod membership;
mod pairs;
mod peers;
mod profile;
mod programs;
#[cfg(test)]
mod reference;
mod report;
mod status;
mod typed;
mod usage;
mod whoami;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use kubectl_login::environment::Environment;
use kubectl_login::error::Error;
use kubectl_login::session::Failed;

use args::{Cli, Command};
use typed::Typed;

const GET_TOKEN: &str = "get-token";

/// Runs the command line; whatever goes wrong has been said when this returns.
pub(crate) fn main(words: Vec<OsString>) -> ExitCode {
    if let Some(question) = completion::Question::of(&words) {
        return question.answer(grammar(&[]), &Environment::of_process());
    }
    let mut grammar = grammar(&words);
    let words = help_last(command_first(words));
    let parsed = grammar
        .try_get_matches_from_mut(&words)
        .and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, typed(&grammar, &matches))));
    let (cli, typed) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return not_parsed(&error, &grammar, &words),
    };
    report::start_logging(cli.verbosity);
    let environment = Environment::of_process();
    let outcome = match &cli.command {
        Some(Command::GetToken(args)) => get_token::run(args, &typed, &environment),
        Some(Command::Status(args)) => status::run(args, &environment).map_err(Failed::from),
        Some(Command::Whoami(args)) => whoami::run(args, &environment),
        Some(Command::Doctor(args)) => doctor::run(args, &environment),
        Some(Command::Logout(args)) => logout::run(args, &environment).map_err(Failed::from),
        Some(Command::ConvertKubeconfig { .. }) => Err(Failed::from(Error::failed(
            "convert-kubeconfig is not supported yet",
            "Write the user's exec entry yourself, with the command kubectl-login and the arguments of get-token.\nTo list these: kubectl login get-token --help",
        ))),
        Some(Command::Completion(args)) => completion::run(args).map_err(Failed::from),
        Some(Command::RemoveCacheDir(args)) => clean::remove_cache_dir(args, &environment).map_err(Failed::from),
        Some(Command::RemoveTokens(args)) => clean::remove_tokens(args, &environment).map_err(Failed::from),
        Some(Command::Clean(args)) => clean::clean(args, &environment).map_err(Failed::from),
        Some(Command::Version) => {
            report::line(&format!("kubectl-login {}", env!("CARGO_PKG_VERSION"))).map_err(Failed::from)
        }
        None => login::run(&cli.login, &environment),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => report::failure(&failed),
    }
}

/// Help and version, or what is wrong with the command line.
fn not_parsed(error: &clap::Error, grammar: &clap::Command, words: &[OsString]) -> ExitCode {
    let outcome =
        if error.use_stderr() { Err(usage::explain(error, grammar, words)) } else { report::help(&error.render()) };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report::failure(&error.into()),
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
            peers::add_passive_flags(command)
                .mut_args(|arg| if takes_a_word(&arg) { arg.allow_hyphen_values(true) } else { arg })
        })
}

/// Which flags of `get-token` were typed, where that is the command.
fn typed(grammar: &clap::Command, matches: &clap::ArgMatches) -> Typed {
    match (matches.subcommand_matches(GET_TOKEN), grammar.find_subcommand(GET_TOKEN)) {
        (Some(given), Some(grammar)) => Typed::of(grammar, given),
        _ => Typed::default(),
    }
}

/// `words` with `help COMMAND`, which the peers have, as `COMMAND --help`.
fn help_last(mut words: Vec<OsString>) -> Vec<OsString> {
    if words.get(1).is_some_and(|word| word == "help") {
        words.remove(1);
        words.push("--help".into());
    }
    words
}

/// `words` with the command before the flags that stand in front of it: the peers take a command's flags there too.
fn command_first(mut words: Vec<OsString>) -> Vec<OsString> {
    let is_flag = |word: &OsString| word.to_str().is_some_and(|word| word.starts_with('-'));
    let takes_level = |word: &OsString| matches!(word.to_str(), Some("-v" | "--v"));
    let mut at = 1;
    while let Some(word) = words.get(at).filter(|word| is_flag(word)) {
        at += if takes_level(word) { 2 } else { 1 };
    }
    if at > 1 && words.get(at).is_some_and(|word| word == GET_TOKEN) {
        words[1..=at].rotate_right(1);
    }
    words
}

/// What `get-token` was given in a kubeconfig entry, parsed as if it had been typed.
fn parse_get_token(words: &[String]) -> Result<(args::GetTokenArgs, Typed), clap::Error> {
    let mut grammar = grammar(&[]);
    let words = std::iter::once("kubectl-login").chain(words.iter().map(String::as_str)).map(OsString::from);
    let matches = grammar.try_get_matches_from_mut(command_first(words.collect()))?;
    match matches.subcommand_matches(GET_TOKEN) {
        Some(given) => Ok((args::GetTokenArgs::from_arg_matches(given)?, typed(&grammar, &matches))),
        None => Err(clap::Error::new(clap::error::ErrorKind::MissingSubcommand)),
    }
}
