//! The words of a command line before they are parsed: where the command is, and what may have been meant.
//!
//! The parser of the other two tools (Cobra) accepts a command's flags before the command as well; clap does not.

use std::ffi::OsString;
use std::sync::LazyLock;

use clap::{Arg, Command};

/// Whether `word` is read as a command where one can be.
pub(super) fn is_command(word: &str) -> bool {
    static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
        let grammar = super::grammar(&[]);
        let names = |command: &Command| {
            [command.get_name()].into_iter().chain(command.get_all_aliases()).map(str::to_owned).collect::<Vec<_>>()
        };
        grammar.get_subcommands().flat_map(names).collect()
    });
    word == "help" || NAMES.iter().any(|name| name == word)
}

/// `words` with the command moved before the flags that precede it. A word after `--` is never a command, nor is the value of
/// a flag.
pub(super) fn command_first(mut words: Vec<OsString>, grammar: &Command) -> Vec<OsString> {
    let is_command = |word: &OsString| word == "help" || grammar.find_subcommand(word).is_some();
    if let Some(at) = first_word(&words, grammar).filter(|at| is_command(&words[*at])) {
        words[1..=at].rotate_right(1);
    }
    words
}

/// `words` with `help COMMAND`, which the other tools have, as `COMMAND --help`.
pub(super) fn help_last(mut words: Vec<OsString>) -> Vec<OsString> {
    if words.get(1).is_some_and(|word| word == "help") {
        words.remove(1);
        words.push("--help".into());
    }
    words
}

/// The name among `names` that is most similar to `word`, if one is similar. The measure and its threshold are those that
/// clap uses for flags.
pub(super) fn similar<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likely = names.map(|name| (strsim::jaro(word, name), name)).filter(|(likeness, _)| *likeness > 0.7);
    likely.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, name)| name)
}

/// The last value of one of `flags`, before anything is parsed.
pub(super) fn last_value<'a>(words: &'a [OsString], flags: &[&str]) -> Option<&'a str> {
    let words: Vec<&str> = words.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    let value_at = |at: usize| match words[at].split_once('=') {
        Some((flag, value)) if flags.contains(&flag) => Some(value),
        None if flags.contains(&words[at]) => words.get(at + 1).copied(),
        _ => None,
    };
    (0..words.len()).rev().find_map(value_at)
}

/// The index of the first word that is neither a flag nor a flag's value.
fn first_word(words: &[OsString], grammar: &Command) -> Option<usize> {
    let mut at = 1;
    loop {
        match words.get(at)?.to_str() {
            // With these, no command follows.
            Some("--" | "--version" | "-V") => return None,
            Some(flag) if flag.len() > 1 && flag.starts_with('-') => at += 1 + values_behind(flag, grammar),
            _ => return Some(at),
        }
    }
}

/// How many of the words after `flag` are its values.
fn values_behind(flag: &str, grammar: &Command) -> usize {
    if let Some(long) = flag.strip_prefix("--") {
        let is_called = |arg: &&Arg| {
            arg.get_long() == Some(long) || arg.get_all_aliases().is_some_and(|names| names.contains(&long))
        };
        return all_flags(grammar).find(is_called).map_or(0, values_of);
    }
    // Several letters may share a dash; for the first that takes a value, the rest of the word is the value.
    let mut letters = flag.trim_start_matches('-').chars();
    while let Some(letter) = letters.next() {
        let values = all_flags(grammar).find(|arg| arg.get_short() == Some(letter)).map_or(0, values_of);
        if values > 0 {
            return if letters.as_str().is_empty() { values } else { 0 };
        }
    }
    0
}

/// The flags of the program and of all its commands. Those with the same name take the same number of values.
fn all_flags(grammar: &Command) -> impl Iterator<Item = &Arg> {
    std::iter::once(grammar).chain(grammar.get_subcommands()).flat_map(Command::get_arguments)
}

/// How many separate words the values of a flag are.
fn values_of(arg: &Arg) -> usize {
    if !arg.get_action().takes_values() || arg.is_require_equals_set() {
        return 0;
    }
    arg.get_num_args().map_or(1, |count| count.min_values())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(line: &str) -> String {
        let words = std::iter::once("kubectl-login").chain(line.split(' ')).map(OsString::from).collect();
        let words = command_first(words, &super::super::grammar(&[]));
        words[1..].iter().filter_map(|word| word.to_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn command_behind_flags_comes_first() {
        for (line, expected) in [
            ("-v1 status", "status -v1"),
            ("-v 1 status -o json", "status -v 1 -o json"),
            ("--v 1 get-token --server-id x", "get-token --v 1 --server-id x"),
            ("--kubeconfig x status", "status --kubeconfig x"),
            ("--kubeconfig=x -o yaml status", "status --kubeconfig=x -o yaml"),
            ("-ojson status", "status -ojson"),
            ("--all logout", "logout --all"),
            ("--token-cache-dir x --all logout", "logout --token-cache-dir x --all"),
            ("-An dev --explain list pods whoami", "whoami -An dev --explain list pods"),
            ("--force-refresh get-token", "get-token --force-refresh"),
            ("-v1 help status", "help -v1 status"),
        ] {
            assert_eq!(ordered(line), expected);
        }
    }

    #[test]
    fn word_that_is_not_a_command_stays_in_place() {
        for line in [
            "--context status",
            "--user whoami --force",
            "--kubeconfig logout",
            "-- status",
            "-v1 -- status",
            "-v 1 prod status",
            "--version status",
            "--no-such x status",
            "status -v1",
            "-",
        ] {
            assert_eq!(ordered(line), line);
        }
    }

    #[test]
    fn flags_of_one_name_take_as_many_values_in_every_command() {
        let grammar = super::super::grammar(&[]);
        for arg in all_flags(&grammar).filter(|arg| !arg.is_positional()) {
            for other in all_flags(&grammar).filter(|other| !other.is_positional()) {
                let is_long = arg.get_long().is_some() && arg.get_long() == other.get_long();
                if is_long || (arg.get_short().is_some() && arg.get_short() == other.get_short()) {
                    assert_eq!(values_of(arg), values_of(other), "{}", arg.get_id());
                }
            }
        }
    }

    #[test]
    fn likeliest_name_is_meant() {
        let commands = ["status", "whoami", "doctor", "logout", "completion", "get-token"];
        let meant = |word| similar(word, commands.into_iter());
        for (word, command) in [
            ("statsu", "status"),
            ("stat", "status"),
            ("whomai", "whoami"),
            ("docter", "doctor"),
            ("log-out", "logout"),
            ("gettoken", "get-token"),
        ] {
            assert_eq!(meant(word), Some(command), "{word}");
        }
        for word in ["prod", "staging", "dev", "kind-kind", "x", ""] {
            assert_eq!(meant(word), None, "{word}");
        }
    }

    #[test]
    fn last_value_of_a_flag_counts() {
        let typed = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            last_value(&words, &["--kubeconfig"]).map(str::to_owned)
        };
        assert_eq!(typed("status --kubeconfig a").as_deref(), Some("a"));
        assert_eq!(typed("--kubeconfig=a --kubeconfig b=c x").as_deref(), Some("b=c"));
        assert_eq!(typed("--kubeconfig a --kubeconfig=b=c").as_deref(), Some("b=c"));
        assert_eq!(typed("--kubeconfig"), None);
        assert_eq!(typed("--kubeconfigs=a --user b"), None);
    }
}
