//! The parser of the warm path: for command lines as kubeconfigs write them, without help, errors and suggestions. It reads a
//! command line exactly as clap does, or not at all; then clap reads it, and says what is wrong.

use std::ffi::OsStr;

use super::flags::{FLAGS, Flag, defaults};
use super::get_token::GetTokenArgs;
use super::values::level;

/// The global flag for the level of logs.
const VERBOSITY: (&str, char) = ("v", 'v');

/// A command line of `get-token`.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct WarmCommandLine {
    /// The values of the command's flags.
    pub(in super::super) args: GetTokenArgs,
    /// The level of logs.
    pub(in super::super) verbosity: Option<u8>,
}

/// Reads the words after `get-token`; `None` if clap has to read them.
pub(in super::super) fn parse<W: AsRef<OsStr>>(words: &[W]) -> Option<WarmCommandLine> {
    let mut line = WarmCommandLine { args: defaults(), verbosity: None };
    let mut words = words.iter().map(|word| word.as_ref().to_str());
    while let Some(word) = words.next() {
        let (name, value) = split(word?)?;
        let mut value_of = || value.or_else(|| words.next().flatten().filter(|word| *word != "--"));
        if name.is(VERBOSITY.0, None, Some(VERBOSITY.1)) {
            // If it is there twice, clap has to read it.
            line.verbosity = Some(level(value_of()?).ok().filter(|_| line.verbosity.is_none())?);
            continue;
        }
        let is_this = |flag: &&Flag| name.is(flag.name, flag.other_name, flag.letter);
        let flag = FLAGS.iter().find(is_this)?;
        let value = if flag.is_switch() { value.unwrap_or("true") } else { value_of()? };
        flag.set(&mut line.args, value)?;
    }
    Some(line)
}

/// How a flag is named.
#[derive(Clone, Copy)]
enum FlagName<'w> {
    Long(&'w str),
    Short(char),
}

impl FlagName<'_> {
    fn is(self, name: &str, other_name: Option<&str>, letter: Option<char>) -> bool {
        match self {
            FlagName::Long(given) => given == name || other_name == Some(given),
            FlagName::Short(given) => letter == Some(given),
        }
    }
}

/// A word as a flag's name, and the value in the same word.
fn split(word: &str) -> Option<(FlagName<'_>, Option<&str>)> {
    if let Some(long) = word.strip_prefix("--") {
        return Some(match long.split_once('=') {
            Some((name, value)) => (FlagName::Long(name), Some(value)),
            None => (FlagName::Long(long), None),
        });
    }
    let mut letters = word.strip_prefix('-')?.chars();
    let (letter, rest) = (letters.next()?, letters.as_str());
    let value = rest.strip_prefix('=').unwrap_or(rest);
    Some((FlagName::Short(letter), (!rest.is_empty()).then_some(value)))
}
