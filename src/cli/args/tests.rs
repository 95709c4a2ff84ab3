//! The two parsers of `get-token` against each other, on random command lines.

use clap::FromArgMatches as _;
use proptest::prelude::*;

use super::flags::{FLAGS, Flag, defaults};
use super::get_token::GetTokenArgs;
use super::{Cli, Command, parse_warm};
use crate::cli::{GET_TOKEN, grammar};

/// Values that flags may have, good and bad ones, and what is easily confused with flags.
const VALUES: &[&str] = &[
    "",
    "-",
    "--",
    "-x",
    "--login",
    "=",
    "a=b",
    "a,b",
    ",",
    "true",
    "false",
    "T",
    "0",
    "1",
    "2",
    "maybe",
    "60s",
    "1m30s",
    "0s",
    "180",
    "auto",
    "always",
    "never",
    "keyring",
    "file",
    "disk",
    "none",
    "no",
    "S256",
    "devicecode",
    "Devicecode",
    "ä",
    "https://issuer.example",
    "-v5",
    "--v=1",
    "--oidc-client-id=x",
];

fn flag_word() -> impl Strategy<Value = String> {
    let names: Vec<String> = FLAGS
        .iter()
        .flat_map(|flag| {
            let short = flag.letter.map(|letter| format!("-{letter}"));
            [Some(format!("--{}", flag.name)), flag.other_name.map(|name| format!("--{name}")), short]
        })
        .flatten()
        .chain(["-v", "--v", "--verbose", "--no-such", "-z", "--help", "-h", "--version", "--LOGIN"].map(str::to_owned))
        .collect();
    proptest::sample::select(names)
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(VALUES).prop_map(str::to_owned),
        1 => "[ -~]{0,12}",
    ]
}

/// One or two words: a flag with its value in each spelling, a flag alone, or a word that is not a flag.
fn words() -> impl Strategy<Value = Vec<String>> {
    prop_oneof![
        6 => (flag_word(), value()).prop_map(|(flag, value)| vec![flag, value]),
        6 => (flag_word(), value()).prop_map(|(flag, value)| vec![format!("{flag}={value}")]),
        2 => (flag_word(), value()).prop_map(|(flag, value)| vec![format!("{flag}{value}")]),
        2 => flag_word().prop_map(|flag| vec![flag]),
        1 => value().prop_map(|value| vec![value]),
    ]
}

/// A flag with a valid value, as kubeconfigs have it.
fn usual_words() -> impl Strategy<Value = Vec<String>> {
    (proptest::sample::select((0..FLAGS.len()).collect::<Vec<_>>()), any::<bool>()).prop_map(|(at, with_equals)| {
        let flag = &FLAGS[at];
        let is_valid = |value: &&&str| !value.is_empty() && !value.starts_with('-') && accepts(flag, value);
        let value = VALUES.iter().find(is_valid).expect("a value that the flag accepts");
        match with_equals || flag.is_switch() {
            true => vec![format!("--{}={value}", flag.name)],
            false => vec![format!("--{}", flag.name), (*value).to_owned()],
        }
    })
}

fn accepts(flag: &'static Flag, value: &str) -> bool {
    flag.set(&mut defaults(), value).is_some()
}

/// What clap makes of the words behind `get-token`.
fn by_clap(grammar: &mut clap::Command, flags: &[String]) -> Option<(GetTokenArgs, Option<u8>)> {
    let words = ["kubectl-login", GET_TOKEN].into_iter().chain(flags.iter().map(String::as_str));
    let matches = grammar.try_get_matches_from_mut(words).ok()?;
    let Cli { command: Some(Command::GetToken(args)), verbosity, .. } = Cli::from_arg_matches(&matches).ok()? else {
        return None;
    };
    Some((*args, verbosity))
}

fn assert_agreement(strategy: &impl Strategy<Value = Vec<String>>, cases: u32, reads_all: bool) {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases, ..ProptestConfig::default() });
    let grammar = std::cell::RefCell::new(grammar(&[]));
    let outcome = runner.run(strategy, |flags| {
        let clap = by_clap(&mut grammar.borrow_mut(), &flags);
        let warm = parse_warm(&flags).map(|line| (line.args, line.verbosity));
        if warm.is_some() || reads_all {
            prop_assert_eq!(warm, clap, "{:?}", flags);
        }
        Ok(())
    });
    assert_eq!(outcome, Ok(()));
}

/// How many random command lines are tried; the full number is `WARM_CASES=100000`.
fn cases() -> u32 {
    std::env::var("WARM_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2_000)
}

#[test]
fn warm_parser_reads_a_command_line_as_clap_does_or_not_at_all() {
    let lines = proptest::collection::vec(words(), 0..6).prop_map(|words| words.concat());
    assert_agreement(&lines, cases(), false);
}

#[test]
fn warm_parser_reads_what_kubeconfigs_have() {
    let lines = proptest::collection::vec(usual_words(), 0..8).prop_map(|words| words.concat());
    assert_agreement(&lines, cases() / 4, true);
}

#[test]
fn each_flag_has_names_of_its_own_and_a_valid_default() {
    let mut names: Vec<String> = FLAGS
        .iter()
        .flat_map(|flag| {
            [Some(flag.name.to_owned()), flag.other_name.map(str::to_owned), flag.letter.map(String::from)]
        })
        .flatten()
        .collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    assert_eq!(defaults().login, "devicecode");
}
