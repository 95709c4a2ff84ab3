//! What is wrong with a command line, in two halves. The grammar's library knows it; the words are ours.
//!
//! Words of a command line may be secrets. Flags are repeated, and the value of a flag that takes one of a few words. Other
//! values are not, nor is what else stands in a `get-token`: what a flag accepts is said instead.

use std::error::Error as _;
use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use kubectl_login::messages::ErrorMessage;
use kubectl_login_core::text::printable;

use super::GET_TOKEN;

/// What `error` says about `words`, which `grammar` does not take.
pub(super) fn explain(error: &clap::Error, grammar: &Command, words: &[OsString]) -> ErrorMessage {
    let command = words.get(1).and_then(|word| grammar.find_subcommand(word));
    let program = grammar.get_bin_name().unwrap_or_else(|| grammar.get_name());
    let help = match command {
        Some(command) => format!("To list its flags: {program} {} --help", command.get_name()),
        None => format!("To list commands and flags: {program} --help"),
    };
    let flag = one(error, ContextKind::InvalidArg).map(|text| name(&text)).unwrap_or_default();
    let value = one(error, ContextKind::InvalidValue).unwrap_or_default();
    let several = |kind| all(error, kind).iter().map(|text| name(text)).collect::<Vec<_>>();

    let (what, next) = match error.kind() {
        ErrorKind::UnknownArgument if flag.starts_with('-') => {
            let elsewhere = grammar.get_subcommands().find(|command| {
                command.get_arguments().any(|arg| arg.get_long().is_some_and(|long| flag[1..] == format!("-{long}")))
            });
            let is_here =
                grammar.get_arguments().any(|arg| arg.get_long().is_some_and(|long| flag[1..] == format!("-{long}")));
            let next = match (elsewhere, one(error, ContextKind::SuggestedArg)) {
                (None, _) if is_here => Some(format!("Use it without a command: {program} {flag}")),
                (Some(command), _) if command.get_name() == GET_TOKEN => {
                    Some("Add it to the kubeconfig user's exec.args.".to_owned())
                }
                (Some(command), _) => Some(format!("Use it with its own command: {program} {}", command.get_name())),
                (None, Some(meant)) => Some(format!("Did you mean {meant}?")),
                (None, None) => None,
            };
            (format!("there is no flag {flag} here"), next)
        }
        ErrorKind::UnknownArgument if command.is_some_and(|command| command.get_name() == GET_TOKEN) => (
            "one of the words is neither a flag nor a flag's value".to_owned(),
            Some("Write switches as --flag=false, and values with blanks in quotes.".to_owned()),
        ),
        ErrorKind::UnknownArgument => (format!("{flag:?} is one word too many"), None),
        // A flag that was left without its value takes the next one for it, which may carry a secret.
        ErrorKind::InvalidValue if value.is_empty() || value.starts_with('-') => {
            (format!("{flag} needs a value"), one_of(error))
        }
        ErrorKind::ValueValidation if value.starts_with('-') => {
            (format!("{flag} needs a value"), error.source().map(ToString::to_string))
        }
        ErrorKind::InvalidValue => (format!("{flag} cannot be {:?}", printable(&value, 60)), one_of(error)),
        // What the flag's own parser says is the next step.
        ErrorKind::ValueValidation => {
            (format!("{flag} has a value that it does not take"), error.source().map(ToString::to_string))
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = several(ContextKind::InvalidArg);
            (format!("{} {} missing", missing.join(", "), if missing.len() == 1 { "is" } else { "are" }), None)
        }
        // The library takes a second word for a command.
        ErrorKind::ArgumentConflict if flag.is_empty() => {
            let word = one(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            (format!("{:?} is one word too many", printable(&word, 60)), None)
        }
        ErrorKind::ArgumentConflict => {
            let others = several(ContextKind::PriorArg).join(", ");
            (format!("{flag} cannot be combined with {others}"), Some("Leave out one of them.".to_owned()))
        }
        ErrorKind::InvalidUtf8 => (
            "one of the words is not UTF-8".to_owned(),
            Some("Check the locale of the terminal (LANG), and write it again.".to_owned()),
        ),
        _ => (first_paragraph(error), None),
    };
    ErrorMessage::usage(what, next.map_or_else(|| help.clone(), |next| format!("{next}\n{help}")))
}

/// The values there are, where it is a choice.
fn one_of(error: &clap::Error) -> Option<String> {
    let values = all(error, ContextKind::ValidValue);
    (!values.is_empty()).then(|| format!("Use one of {}.", values.join(", ")))
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

/// What the library says, for what has no words of ours.
fn first_paragraph(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    printable(paragraph.strip_prefix("error: ").unwrap_or(paragraph), 300)
}
