//! How the demonstration looks: numbered steps, plain text, no whole token, no more than 80 columns but for tables.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::child::Outcome;

const COLUMNS: usize = 80;
const TOKEN_SHOWN: usize = 12;
static STEPS: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn title(text: &str) {
    println!("{text}");
}

pub(crate) fn step(text: &str) {
    let number = STEPS.fetch_add(1, Ordering::Relaxed) + 1;
    println!("\n{number}. {text}");
}

pub(crate) fn note(text: &str) {
    println!("   ({text})");
}

pub(crate) fn end(text: &str) {
    println!("\n{text}");
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
            println!("{line} \\");
            line = format!("       {word}");
        } else {
            line = format!("{line} {word}");
        }
    }
    println!("{line}");
}

/// The plugin's command line once more.
pub(crate) fn again() {
    println!("   $ kubectl-login get-token …   (the same arguments)");
}

/// What a command said: stderr behind `!`, stdout behind `>`.
pub(crate) fn output(outcome: &Outcome) {
    for line in outcome.stderr.lines() {
        wrapped("   ! ", line);
    }
    for line in outcome.stdout.lines() {
        match shortened(line) {
            Some(credential) => wrapped("   > ", &credential),
            // A table would be no table any more.
            None => println!("   > {line}"),
        }
    }
}

/// Breaks a line behind the last space or comma that fits, as people would.
fn wrapped(prefix: &str, line: &str) {
    let room = COLUMNS - prefix.len();
    let mut rest: Vec<char> = line.chars().collect();
    while rest.len() > room {
        let fits = rest[..room].iter().rposition(|letter| matches!(letter, ' ' | ','));
        let tail = rest.split_off(fits.map_or(room, |last| last + 1));
        println!("{}", format!("{prefix}{}", rest.iter().collect::<String>()).trim_end());
        rest = tail;
    }
    println!("{}", format!("{prefix}{}", rest.iter().collect::<String>()).trim_end());
}

/// An ExecCredential with the first characters of its token only; nothing for any other line.
fn shortened(line: &str) -> Option<String> {
    let mut credential: Value = serde_json::from_str(line).ok()?;
    let start: String = credential["status"]["token"].as_str()?.chars().take(TOKEN_SHOWN).collect();
    credential["status"]["token"] = Value::String(format!("{start}…"));
    Some(credential.to_string())
}
