//! How the demo looks: numbered steps in at most 80 columns, no whole token, colours on a terminal only.

use std::env;
use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::child::Outcome;

const COLUMNS: usize = 80;
const TOKEN_SHOWN: usize = 12;
static STEPS: AtomicUsize = AtomicUsize::new(0);

/// What stands before each line of a command's stdout; as wide as that for stderr.
const STDOUT: &str = "   > ";
const STDERR: &str = "   ! ";

/// Parameters of escape sequences (ECMA-48, SGR).
const BOLD: &str = "1";
const DIM: &str = "2";
const STEP: &str = "1;36";

/// Columns beside the prefix of a command's output.
#[cfg(unix)]
pub(crate) fn room() -> u16 {
    u16::try_from(COLUMNS - STDOUT.len()).unwrap_or(u16::MAX)
}

/// Colours only on a terminal that knows them, and not if `NO_COLOR` is set.
pub(crate) fn is_coloured() -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal()
        && is_set("TERM")
        && env::var_os("TERM").is_some_and(|term| term != "dumb")
        && !is_set("NO_COLOR")
}

fn paint(style: &str, text: &str) -> String {
    if is_coloured() { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
}

pub(crate) fn title(text: &str) {
    println!("{}", paint(BOLD, text));
}

pub(crate) fn step(text: &str) {
    let number = STEPS.fetch_add(1, Ordering::Relaxed) + 1;
    println!("\n{}", paint(STEP, &format!("{number}. {text}")));
}

pub(crate) fn note(text: &str) {
    println!("   {}", paint(DIM, &format!("({text})")));
}

pub(crate) fn end(text: &str) {
    println!("\n{}", paint(BOLD, text));
}

/// A command line, continued with backslashes where it is too long.
pub(crate) fn command(name: &str, args: &[String]) {
    let mut line = format!("   $ {name}");
    let mut args = args.iter().peekable();
    while let Some(arg) = args.next() {
        let mut word = arg.clone();
        // A flag stays on one line with its value.
        if arg.starts_with("--")
            && let Some(value) = args.next_if(|next| !next.starts_with('-'))
        {
            word = format!("{arg} {value}");
        }
        if line.len() + word.len() + 3 > COLUMNS {
            println!("{} \\", paint(BOLD, &line));
            line = format!("       {word}");
        } else {
            line = format!("{line} {word}");
        }
    }
    println!("{}", paint(BOLD, &line));
}

/// What a command printed: stderr after `!`, stdout after `>`.
pub(crate) fn output(outcome: &Outcome) {
    for line in outcome.stderr.lines() {
        wrapped(STDERR, line);
    }
    for line in outcome.stdout.lines() {
        match shortened(line) {
            Some(credential) => wrapped(STDOUT, &credential),
            // Not wrapped: it may be a row of a table, or be laid out for this width already.
            None => println!("{}", format!("{STDOUT}{line}").trim_end()),
        }
    }
}

/// Breaks a line after the last space or comma that fits, but not within the command that it may end with.
fn wrapped(prefix: &str, line: &str) {
    let room = COLUMNS - prefix.len();
    let command = line.find(": kubectl ").map_or(line.len(), |at| at + 2);
    let mut rest: Vec<char> = line[..command].chars().chain(line[command..].replace(' ', NO_BREAK).chars()).collect();
    while rest.len() > room {
        let fits = rest[..room].iter().rposition(|letter| matches!(letter, ' ' | ','));
        let tail = rest.split_off(fits.map_or(room, |last| last + 1));
        print_line(prefix, &rest);
        rest = tail;
    }
    print_line(prefix, &rest);
}

/// A space at which nothing is broken.
const NO_BREAK: &str = "\u{a0}";

fn print_line(prefix: &str, letters: &[char]) {
    let text = letters.iter().collect::<String>().replace(NO_BREAK, " ");
    println!("{}", format!("{prefix}{text}").trim_end());
}

/// An ExecCredential with only the first characters of its token; `None` for any other line.
fn shortened(line: &str) -> Option<String> {
    let mut credential: Value = serde_json::from_str(line).ok()?;
    let start: String = credential["status"]["token"].as_str()?.chars().take(TOKEN_SHOWN).collect();
    credential["status"]["token"] = Value::String(format!("{start}…"));
    Some(credential.to_string())
}
