//! Command lines that cannot be run.
//!
//! Words of a command line may be secrets. Flags are repeated, and values of flags that take one of a few words. Other values
//! are not: the next step says what a flag accepts.

use std::fmt;

use kubectl_login_core::text::printable;

use super::ErrorMessage;
use super::settings::{EXEC_ARGS, are_missing};

/// What is wrong with a command line. Names of flags include their hyphens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLineError {
    /// This command has no such flag.
    UnknownFlag {
        /// The flag.
        flag: String,
        /// Where there is one.
        place: FlagPlace,
    },
    /// A word of `get-token` that is neither a flag nor a value. It may be a secret.
    StrayWord,
    /// A word too many.
    ExtraWord(String),
    /// A flag without a value; another flag may stand in its place.
    NoValue {
        /// The flag.
        flag: String,
        /// What it accepts, if that is known.
        expected: Option<ExpectedValue>,
    },
    /// A flag that takes one of a few words has another one.
    UnknownChoice {
        /// The flag.
        flag: String,
        /// The word.
        word: String,
        /// What it accepts, if that is known.
        expected: Option<ExpectedValue>,
    },
    /// A flag has a value that it does not accept. It may be a secret.
    InvalidValue {
        /// The flag.
        flag: String,
        /// What it accepts, if that is known.
        expected: Option<ExpectedValue>,
    },
    /// A flag has fewer values than it needs.
    MissingValues {
        /// The flag.
        flag: String,
        /// The names of all its values.
        values: Vec<String>,
    },
    /// These are missing.
    Missing(Vec<String>),
    /// A flag with others that exclude it.
    Conflict {
        /// The flag.
        flag: String,
        /// The others.
        others: Vec<String>,
    },
    /// A word is not UTF-8.
    NotUtf8,
    /// What the grammar's library says.
    Other(String),
}

/// Where there is a flag that a command does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlagPlace {
    /// Without a command.
    NoCommand,
    /// In the arguments of kubeconfig users.
    ExecArgs,
    /// With this command.
    Command(String),
    /// Nowhere; this one is similar.
    Similar(String),
    /// Nowhere.
    Nowhere,
}

/// What a flag accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectedValue {
    /// One of these words.
    OneOf(Vec<String>),
    /// True or false.
    Bool,
    /// A level of detail.
    Level,
    /// A number of seconds.
    Seconds,
    /// A duration.
    Duration,
    /// A duration that is not zero.
    PositiveDuration,
}

/// A value that a flag does not accept: what it accepts.
impl std::error::Error for ExpectedValue {}

impl fmt::Display for ExpectedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExpectedValue::OneOf(words) => write!(f, "Use one of {}.", words.join(", ")),
            ExpectedValue::Bool => f.write_str("Write true or false."),
            ExpectedValue::Level => f.write_str("Write a number, such as 1 or 5."),
            ExpectedValue::Seconds => f.write_str("Write a number of seconds, such as 180."),
            ExpectedValue::Duration => f.write_str("Write a duration such as 60s or 1m30s."),
            ExpectedValue::PositiveDuration => f.write_str("Write a duration longer than 0."),
        }
    }
}

/// The error for a command line of `program` (with the name it was started by); `command` is the one it names.
pub fn command_line_error(error: &CommandLineError, program: &str, command: Option<&str>) -> ErrorMessage {
    let text = |expected: &Option<ExpectedValue>| expected.as_ref().map(ToString::to_string);
    let (what, next) = match error {
        CommandLineError::UnknownFlag { flag, place } => {
            let next = match place {
                FlagPlace::NoCommand => Some(format!("Use it without a command: {program} {flag}")),
                FlagPlace::ExecArgs => Some(format!("Add it to {EXEC_ARGS}.")),
                FlagPlace::Command(name) => Some(format!("Use it with its own command: {program} {name}")),
                FlagPlace::Similar(meant) => Some(format!("Did you mean {meant}?")),
                FlagPlace::Nowhere => None,
            };
            (format!("there is no flag {flag} here"), next)
        }
        CommandLineError::StrayWord => (
            "one of the words is neither a flag nor a flag's value".to_owned(),
            Some("Write switches as --flag=false, and values with blanks in quotes.".to_owned()),
        ),
        CommandLineError::ExtraWord(word) => (format!("unexpected argument {:?}", printable(word, 60)), None),
        CommandLineError::NoValue { flag, expected } => (format!("{flag} needs a value"), text(expected)),
        CommandLineError::MissingValues { flag, values } => {
            (format!("{flag} needs {} values: {}", values.len(), values.join(" ")), None)
        }
        CommandLineError::UnknownChoice { flag, word, expected } => {
            (format!("{flag} cannot be {:?}", printable(word, 60)), text(expected))
        }
        CommandLineError::InvalidValue { flag, expected } => {
            (format!("{flag} has a value that it does not take"), text(expected))
        }
        CommandLineError::Missing(names) => (are_missing(names), None),
        CommandLineError::Conflict { flag, others } => {
            (format!("{flag} cannot be combined with {}", others.join(", ")), Some("Leave out one of them.".to_owned()))
        }
        CommandLineError::NotUtf8 => (
            "one of the words is not UTF-8".to_owned(),
            Some("Check the locale of the terminal (LANG), and write it again.".to_owned()),
        ),
        CommandLineError::Other(text) => (text.clone(), None),
    };
    let help = match command {
        Some(command) => format!("To list its flags: {program} {command} --help"),
        None => format!("To list commands and flags: {program} --help"),
    };
    ErrorMessage::usage(what, next.map_or_else(|| help.clone(), |next| format!("{next}\n{help}")))
}
