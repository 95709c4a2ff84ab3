//! The flags of `get-token`, declared in one [`table`]. Two parsers use it: the small one of the warm path (`warm`), and clap,
//! which also derives help, errors and completion from it. A property test checks that the two agree.

mod table;

use std::time::Duration;

use clap::builder::{PossibleValuesParser, ValueParser};
use clap::{Arg, ArgAction, ValueEnum};

pub(in super::super) use self::table::FLAGS;
use super::get_token::{CacheStorage, GetTokenArgs};
use super::values::go_bool;
use crate::ui::PromptMode;
use kubectl_login::messages::command_line::ExpectedValue;

/// A flag of `get-token`.
#[derive(Debug)]
pub(in super::super) struct Flag {
    /// The name after two hyphens.
    pub(in super::super) name: &'static str,
    /// The letter after one hyphen.
    pub(super) letter: Option<char>,
    /// Another name, which help does not show.
    pub(super) other_name: Option<&'static str>,
    /// The heading in help; that of a dialect decides the dialect.
    pub(in super::super) heading: Option<&'static str>,
    value: FlagValue,
    value_name: Option<&'static str>,
    default: Option<&'static str>,
    help: &'static str,
    is_hidden: bool,
}

/// Where the value of a flag goes, and which values are valid.
#[derive(Clone, Copy, Debug)]
enum FlagValue {
    /// Any text; the flag has a default.
    Text(fn(&mut GetTokenArgs) -> &mut String),
    /// One of these texts; the flag has a default.
    Choice(fn(&mut GetTokenArgs) -> &mut String, &'static [&'static str]),
    /// Any text.
    OptionalText(fn(&mut GetTokenArgs) -> &mut Option<String>),
    /// Any texts; the flag may be repeated.
    List(fn(&mut GetTokenArgs) -> &mut Vec<String>),
    /// The same, with commas between several.
    SplitList(fn(&mut GetTokenArgs) -> &mut Vec<String>),
    /// On or off. The value needs an equals sign; without a value the flag is on.
    Switch(fn(&mut GetTokenArgs) -> &mut Option<bool>),
    /// A duration, as this function reads it.
    Duration(fn(&mut GetTokenArgs) -> &mut Option<Duration>, fn(&str) -> Result<Duration, ExpectedValue>),
    /// Whether to prompt.
    Prompt(fn(&mut GetTokenArgs) -> &mut Option<PromptMode>),
    /// Where the key is stored.
    Storage(fn(&mut GetTokenArgs) -> &mut CacheStorage),
    /// Any text, without effect.
    IgnoredText,
    /// On or off, without effect.
    IgnoredSwitch,
}

/// Switches of the other two tools that would change the request to the issuer; they are refused until they are supported.
pub(in super::super) const NOT_YET: [&str; 2] = ["legacy", "pop-enabled"];

impl Flag {
    const fn new(
        name: &'static str,
        value_name: &'static str,
        heading: &'static str,
        value: FlagValue,
        help: &'static str,
    ) -> Flag {
        let (value_name, heading) = (Some(value_name), Some(heading));
        Flag { value_name, help, is_hidden: false, ..Flag::passive(name, heading, value) }
    }

    /// A flag of another tool that has no effect here, so that its kubeconfigs work unchanged.
    const fn passive(name: &'static str, heading: Option<&'static str>, value: FlagValue) -> Flag {
        let (letter, other_name, value_name, default) = (None, None, None, None);
        Flag { name, letter, other_name, heading, value, value_name, default, help: "", is_hidden: true }
    }

    const fn short(self, letter: char) -> Flag {
        Flag { letter: Some(letter), ..self }
    }

    const fn alias(self, name: &'static str) -> Flag {
        Flag { other_name: Some(name), ..self }
    }

    const fn default(self, value: &'static str) -> Flag {
        Flag { default: Some(value), ..self }
    }

    const fn hidden(self) -> Flag {
        Flag { is_hidden: true, ..self }
    }

    /// Whether the flag needs no value, and has one only after an equals sign.
    pub(super) const fn is_switch(&self) -> bool {
        matches!(self.value, FlagValue::Switch(_) | FlagValue::IgnoredSwitch)
    }

    /// Stores a value from the command line; `None` if it is not valid.
    pub(super) fn set(&'static self, args: &mut GetTokenArgs, value: &str) -> Option<()> {
        args.given.note(self);
        self.store(args, value)
    }

    fn store(&self, args: &mut GetTokenArgs, value: &str) -> Option<()> {
        match self.value {
            FlagValue::Text(field) => value.clone_into(field(args)),
            FlagValue::Choice(field, choices) if choices.contains(&value) => value.clone_into(field(args)),
            FlagValue::Choice(..) => return None,
            FlagValue::OptionalText(field) => *field(args) = Some(value.to_owned()),
            FlagValue::List(field) => field(args).push(value.to_owned()),
            FlagValue::SplitList(field) => field(args).extend(value.split(',').map(str::to_owned)),
            FlagValue::Switch(field) => *field(args) = Some(go_bool(value).ok()?),
            FlagValue::Duration(field, read) => *field(args) = Some(read(value).ok()?),
            FlagValue::Prompt(field) => *field(args) = Some(PromptMode::from_str(value, false).ok()?),
            FlagValue::Storage(field) => *field(args) = CacheStorage::from_str(value, false).ok()?,
            FlagValue::IgnoredText => {}
            FlagValue::IgnoredSwitch => drop(go_bool(value).ok()?),
        }
        Some(())
    }

    /// The flag for clap. Values stay text there, and [`Flag::set`] reads them again.
    fn to_arg(&self) -> Arg {
        let arg = Arg::new(self.name).long(self.name).hide(self.is_hidden).hide_possible_values(true);
        let mut arg = match self.value {
            FlagValue::Switch(_) | FlagValue::IgnoredSwitch => {
                arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_parser(checked(go_bool))
            }
            FlagValue::SplitList(_) => arg.action(ArgAction::Append).value_delimiter(','),
            FlagValue::List(_) | FlagValue::IgnoredText => arg.action(ArgAction::Append),
            FlagValue::Choice(_, choices) => arg.value_parser(PossibleValuesParser::new(choices)),
            FlagValue::Duration(_, read) => arg.value_parser(checked(read)),
            FlagValue::Prompt(_) => arg.value_parser(names_of::<PromptMode>()),
            FlagValue::Storage(_) => arg.value_parser(names_of::<CacheStorage>()),
            FlagValue::Text(_) | FlagValue::OptionalText(_) => arg,
        };
        if !self.help.is_empty() {
            arg = arg.help(self.help);
        }
        if let Some(letter) = self.letter {
            arg = arg.short(letter);
        }
        if let Some(name) = self.other_name {
            arg = arg.alias(name);
        }
        if let Some(heading) = self.heading {
            arg = arg.help_heading(heading);
        }
        if let Some(name) = self.value_name {
            arg = arg.value_name(name);
        }
        if let Some(value) = self.default {
            arg = arg.default_value(value);
        }
        // Go's parser reads the next word as the value, whatever it begins with; a secret may begin with a hyphen.
        if self.is_switch() { arg } else { arg.allow_hyphen_values(true) }
    }
}

/// A parser for clap that keeps the text and checks it with `read`.
fn checked<T: 'static>(read: fn(&str) -> Result<T, ExpectedValue>) -> ValueParser {
    ValueParser::from(move |text: &str| read(text).map(|_| text.to_owned()))
}

/// A parser for clap that keeps the text and checks that it names one of the values.
fn names_of<T: ValueEnum>() -> ValueParser {
    PossibleValuesParser::new(T::value_variants().iter().filter_map(ValueEnum::to_possible_value)).into()
}

/// `command` with all flags.
pub(super) fn add_to(command: clap::Command) -> clap::Command {
    command.args(FLAGS.iter().map(Flag::to_arg))
}

/// The arguments with the defaults of all flags.
pub(super) fn defaults() -> GetTokenArgs {
    let mut args = GetTokenArgs::default();
    for (flag, value) in FLAGS.iter().filter_map(|flag| Some((flag, flag.default?))) {
        let stored = flag.store(&mut args, value);
        debug_assert_eq!(stored, Some(()), "the default of --{}", flag.name);
    }
    args
}
