//! From what the grammar's library says about a command line to what the program says about it.

use std::error::Error as _;
use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use kubectl_login::messages::ErrorMessage;
use kubectl_login::messages::command_line::{CommandLineError, ExpectedValue, FlagPlace, command_line_error};
use kubectl_login_core::text::printable;

use super::GET_TOKEN;

/// What `error` says about `words`, which `grammar` does not accept.
pub(super) fn explain(error: &clap::Error, grammar: &Command, words: &[OsString]) -> ErrorMessage {
    let command = words.get(1).and_then(|word| grammar.find_subcommand(word)).map(Command::get_name);
    let program = grammar.get_bin_name().unwrap_or_else(|| grammar.get_name());
    command_line_error(&typed(error, grammar, command), program, command)
}

/// The facts in `error`, for the command that was named.
fn typed(error: &clap::Error, grammar: &Command, command: Option<&str>) -> CommandLineError {
    let flag = one(error, ContextKind::InvalidArg).map(|text| name(&text)).unwrap_or_default();
    let word = one(error, ContextKind::InvalidValue).unwrap_or_default();
    let names = |kind| all(error, kind).iter().map(|text| name(text)).collect::<Vec<_>>();
    match error.kind() {
        ErrorKind::UnknownArgument if flag.starts_with('-') => {
            CommandLineError::UnknownFlag { place: place(&flag, error, grammar), flag }
        }
        ErrorKind::UnknownArgument if command == Some(GET_TOKEN) => CommandLineError::StrayWord,
        ErrorKind::UnknownArgument => CommandLineError::ExtraWord(flag),
        // A flag that was left without its value takes the next flag for it, which may carry a secret.
        ErrorKind::InvalidValue if word.is_empty() || word.starts_with('-') => {
            CommandLineError::NoValue { flag, expected: choices(error) }
        }
        ErrorKind::InvalidValue => CommandLineError::UnknownChoice { flag, word, expected: choices(error) },
        ErrorKind::ValueValidation if word.starts_with('-') => {
            CommandLineError::NoValue { flag, expected: expected(error) }
        }
        ErrorKind::ValueValidation => CommandLineError::InvalidValue { flag, expected: expected(error) },
        ErrorKind::WrongNumberOfValues | ErrorKind::TooFewValues => {
            let shown = one(error, ContextKind::InvalidArg).unwrap_or_default();
            CommandLineError::MissingValues { values: shown.split(' ').skip(1).map(name).collect(), flag }
        }
        ErrorKind::MissingRequiredArgument => CommandLineError::Missing(names(ContextKind::InvalidArg)),
        // The library takes a second word for a command.
        ErrorKind::ArgumentConflict if flag.is_empty() => {
            CommandLineError::ExtraWord(one(error, ContextKind::InvalidSubcommand).unwrap_or_default())
        }
        ErrorKind::ArgumentConflict => CommandLineError::Conflict { flag, others: names(ContextKind::PriorArg) },
        ErrorKind::InvalidUtf8 => CommandLineError::NotUtf8,
        _ => CommandLineError::Other(first_paragraph(error)),
    }
}

/// Where there is a flag that a command does not have.
fn place(flag: &str, error: &clap::Error, grammar: &Command) -> FlagPlace {
    let has_it = |command: &Command| {
        command.get_arguments().any(|arg| arg.get_long().is_some_and(|long| flag.strip_prefix("--") == Some(long)))
    };
    match grammar.get_subcommands().find(|command| has_it(command)) {
        None if has_it(grammar) => FlagPlace::NoCommand,
        None => one(error, ContextKind::SuggestedArg).map_or(FlagPlace::Nowhere, FlagPlace::Similar),
        Some(command) if command.get_name() == GET_TOKEN => FlagPlace::ExecArgs,
        Some(command) => FlagPlace::Command(command.get_name().to_owned()),
    }
}

/// The words that a flag accepts, if it accepts only some.
fn choices(error: &clap::Error) -> Option<ExpectedValue> {
    Some(all(error, ContextKind::ValidValue)).filter(|words| !words.is_empty()).map(ExpectedValue::OneOf)
}

/// What the flag's own parser says that it accepts.
fn expected(error: &clap::Error) -> Option<ExpectedValue> {
    error.source()?.downcast_ref().cloned()
}

fn one(error: &clap::Error, kind: ContextKind) -> Option<String> {
    all(error, kind).into_iter().next()
}

fn all(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}

/// The name alone of an argument that is written with its value, as in `--output <FORMAT>`.
fn name(shown: &str) -> String {
    let first = printable(shown.split([' ', '=']).next().unwrap_or_default(), 60);
    let bare = first.trim_matches(['<', '>', '[', ']', '.']);
    bare.split('[').next().unwrap_or(bare).to_owned()
}

/// What the library says, for errors without a variant of their own.
fn first_paragraph(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    printable(paragraph.strip_prefix("error: ").unwrap_or(paragraph), 300)
}
