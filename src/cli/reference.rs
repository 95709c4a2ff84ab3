//! The tables of docs/flags.md, docs/environment.md, docs/errors.md and docs/doctor.md, written from the grammar, the
//! list of variables, the words for refusals and the doctor's checks, so that they always agree with the
//! program. `INSTA_UPDATE=always cargo test --bin kubectl-login reference` brings them up to date.
//!
//! A part of a page between `<!-- generated: NAME -->` and `<!-- end -->` is written here; the rest is written by hand.

use clap::{Arg, Command};
use kubectl_login::environment;
use kubectl_login::messages::ExitKind;
use kubectl_login::messages::refusals::{self, TableRow};
use kubectl_login_core::entra::refusals::Refusal;

use super::args::{ENTRA, NOT_YET, OIDC};
use super::doctor::finding::{ALL, CheckName};
use super::{GET_TOKEN, grammar};

/// The parts of a page, by name.
type GeneratedParts = Vec<(&'static str, String)>;

fn flags_page() -> GeneratedParts {
    let grammar = grammar(&[]);
    let get_token = grammar.find_subcommand(GET_TOKEN).expect("the command is there");
    let shown =
        |heading: fn(&Arg) -> bool| table(get_token.get_arguments().filter(|arg| !arg.is_hide_set() && heading(arg)));
    vec![
        ("everywhere", table(grammar.get_arguments().filter(|arg| arg.is_global_set()))),
        ("login", arguments(&grammar)),
        ("commands", commands(&grammar)),
        ("get-token for Entra", shown(|arg| arg.get_help_heading() == Some(ENTRA))),
        ("get-token for OpenID Connect", shown(|arg| arg.get_help_heading() == Some(OIDC))),
        ("get-token for both", shown(|arg| !is_of_a_dialect(arg) && !arg.is_global_set())),
        ("unlisted", unlisted(get_token)),
        ("ignored", ignored(get_token)),
        ("compatibility names", hidden_commands(&grammar)),
    ]
}

fn environment_page() -> GeneratedParts {
    let mut variables = "| variable | what it is for |\n|---|---|\n".to_owned();
    for (name, what) in environment::ALL {
        variables += &format!("| `{name}` | {} |\n", cell(what));
    }
    let mut withheld = environment::NOT_FOR_CHILDREN.to_vec();
    withheld.sort_unstable();
    vec![("variables", variables), ("not for children", list(withheld.iter().map(ToString::to_string)))]
}

/// A table for each kind of refusal.
fn errors_page() -> GeneratedParts {
    let row = |row: TableRow| {
        let numbers: Vec<String> = row.numbers.iter().map(|number| format!("AADSTS{number}")).collect();
        format!("| {} | {} | {} |\n", numbers.join(", "), cell(row.happened), cell(&with_code(row.next)))
    };
    let table = |kind: Refusal| {
        let rows = refusals::table(kind).map(row).collect::<String>();
        format!("| number | what happened | what to do |\n|---|---|---|\n{rows}")
    };
    Refusal::ALL.map(|kind| (refusals::title(kind), table(kind))).to_vec()
}

/// The doctor's checks.
fn doctor_page() -> GeneratedParts {
    let row = |part: &CheckName| format!("| `{}` | {} |\n", part.name, cell(part.about));
    vec![("checks", format!("| name | what it checks |\n|---|---|\n{}", ALL.iter().map(row).collect::<String>()))]
}

/// Steps in one cell of a table, with flags and commands as code.
fn with_code(steps: &str) -> String {
    let step = |step: &str| match step.split_once(": kubectl login") {
        Some((sentence, rest)) => format!("{sentence}: `kubectl login{rest}`"),
        None => {
            let words = step.split(' ').map(|word| match word.trim_end_matches([',', '.', ':']) {
                flag if flag.starts_with("--") => format!("`{flag}`{}", &word[flag.len()..]),
                _ => word.to_owned(),
            });
            words.collect::<Vec<_>>().join(" ")
        }
    };
    steps.lines().map(step).collect::<Vec<_>>().join("<br>")
}

fn is_of_a_dialect(arg: &Arg) -> bool {
    matches!(arg.get_help_heading(), Some(ENTRA | OIDC))
}

/// Every visible command except `get-token`, which has its own chapter.
fn commands(grammar: &Command) -> String {
    let shown = grammar.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != GET_TOKEN);
    shown
        .map(|command| {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            format!("### kubectl login {}\n\n{about}.\n\n{}", command.get_name(), arguments(command))
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// The arguments of a command, positional ones first.
fn arguments(command: &Command) -> String {
    let shown = |arg: &&Arg| !arg.is_hide_set() && !arg.is_global_set();
    let flags = command.get_arguments().filter(|arg| !arg.is_positional());
    table(command.get_positionals().filter(shown).chain(flags.filter(shown)))
}

/// Flags that help does not list but that have an effect: they have a help text.
fn unlisted(get_token: &Command) -> String {
    table(get_token.get_arguments().filter(|arg| arg.is_hide_set() && arg.get_help().is_some()))
}

/// The other tools' flags that have no effect, and those that are refused until they are supported.
fn ignored(get_token: &Command) -> String {
    let of = |heading: Option<&str>| {
        let passive = get_token.get_arguments().filter(|arg| arg.is_hide_set() && arg.get_help().is_none());
        let passive = passive.filter(|arg| arg.get_help_heading() == heading);
        list(passive.filter(|arg| !NOT_YET.contains(&arg.get_id().as_str())).map(long))
    };
    let refused = list(NOT_YET.iter().map(|name| format!("--{name}")));
    format!(
        "Of Azure/kubelogin:\n{}\nOf int128/kubelogin:\n{}\nOf either:\n{}\nRefused for now, because leaving them out would change what is asked for:\n{refused}",
        of(Some(ENTRA)),
        of(Some(OIDC)),
        of(None),
    )
}

fn hidden_commands(grammar: &Command) -> String {
    let names = grammar.get_subcommands().filter(|command| command.is_hide_set()).map(Command::get_name);
    list(names.map(str::to_owned))
}

fn table<'a>(args: impl Iterator<Item = &'a Arg>) -> String {
    let mut text = "| flag | value | default | what it does |\n|---|---|---|---|\n".to_owned();
    for arg in args {
        let default = arg.get_default_values().first().map(|value| format!("`{}`", value.to_string_lossy()));
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        assert!(!help.is_empty(), "{} has no help", arg.get_id());
        text += &format!("| {} | {} | {} | {} |\n", names(arg), values(arg), default.unwrap_or_default(), cell(&help));
    }
    text
}

/// An argument with all its names.
fn names(arg: &Arg) -> String {
    if arg.is_positional() {
        return format!("`{}`", value_name(arg));
    }
    let short = arg.get_short().map(|short| format!("-{short}"));
    let aliases = arg.get_all_aliases().unwrap_or_default().into_iter().map(|alias| format!("--{alias}"));
    let names = std::iter::once(long(arg)).chain(short).chain(aliases);
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The value of an argument: one of some words, or a placeholder; empty for a switch.
fn values(arg: &Arg) -> String {
    let can_stand_alone = arg.get_num_args().is_some_and(|count| count.min_values() == 0);
    if arg.is_positional() || can_stand_alone || !arg.get_action().takes_values() {
        return String::new();
    }
    let possible = arg.get_possible_values();
    if possible.is_empty() {
        return value_name(arg);
    }
    possible.iter().map(|value| format!("`{}`", value.get_name())).collect::<Vec<_>>().join(", ")
}

fn value_name(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn long(arg: &Arg) -> String {
    format!("--{}", arg.get_long().unwrap_or_else(|| panic!("{} has no long form", arg.get_id())))
}

/// Names separated by commas, in lines of a readable length.
fn list(names: impl Iterator<Item = String>) -> String {
    let mut lines = vec![String::new()];
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    for (at, name) in names.iter().enumerate() {
        let word = format!("{name}{}", if at + 1 == names.len() { "." } else { "," });
        match lines.last_mut() {
            Some(line) if line.is_empty() => *line = word,
            Some(line) if line.len() + word.len() < 118 => *line += &format!(" {word}"),
            _ => lines.push(word),
        }
    }
    lines.join("\n") + "\n"
}

/// `text` for a cell of a table: the only markup in it is code between backticks.
fn cell(text: &str) -> String {
    let escaped = |(at, part): (usize, &str)| if at % 2 == 0 { part.replace('*', "\\*") } else { part.to_owned() };
    let parts: Vec<String> = text.trim().split('`').enumerate().map(escaped).collect();
    parts.join("`").replace('|', "\\|")
}

/// `page` with its generated parts as they should be.
fn renewed(page: &str, parts: &GeneratedParts) -> String {
    let mut text = String::new();
    let mut rest = page;
    for (name, part) in parts {
        let begin = format!("<!-- generated: {name} -->\n");
        let (before, behind) = rest.split_once(&begin).unwrap_or_else(|| panic!("{begin} is missing or out of order"));
        let (_, after) = behind.split_once("<!-- end -->").unwrap_or_else(|| panic!("{begin} has no end"));
        text += &format!("{before}{begin}\n{part}\n<!-- end -->");
        rest = after;
    }
    assert!(!rest.contains("<!-- generated: "), "a part that nothing writes: {rest}");
    text + rest
}

/// Compares a page with its expected content, or writes it.
fn check(name: &str, parts: &GeneratedParts) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    let page = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
    let wanted = renewed(&page, parts);
    // insta compares whole files, and these are parts of pages. They use its variable, so that there is only one.
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| matches!(update.as_str(), "always" | "force")) {
        std::fs::write(&file, wanted).unwrap_or_else(|error| panic!("{name}: {error}"));
        return;
    }
    let differs = page.lines().zip(wanted.lines()).find(|(is, should)| is != should);
    assert!(
        page == wanted,
        "docs/{name} does not say what the program does; bring it up to date with: INSTA_UPDATE=always cargo test --bin kubectl-login reference\nthe first difference: {differs:#?}"
    );
}

#[test]
fn the_page_of_flags_is_up_to_date() {
    check("flags.md", &flags_page());
}

#[test]
fn the_page_of_variables_is_up_to_date() {
    check("environment.md", &environment_page());
}

#[test]
fn the_page_of_errors_is_up_to_date() {
    check("errors.md", &errors_page());
}

#[test]
fn the_page_of_the_doctor_is_up_to_date() {
    check("doctor.md", &doctor_page());
}

#[test]
fn the_page_of_exit_codes_has_them_all() {
    let page = include_str!("../../docs/exit-codes.md");
    for kind in [
        ExitKind::Failed,
        ExitKind::Usage,
        ExitKind::SignInNeeded,
        ExitKind::Refused,
        ExitKind::Interrupted,
        ExitKind::Terminated,
    ] {
        assert!(page.contains(&format!("\n| {} |", kind.exit_code())), "docs/exit-codes.md lacks {kind:?}");
    }
}

/// Asserts that the words after the program's name on a line of a shell can be parsed.
fn assert_parses(line: &str, whence: &str) {
    let words = ["kubectl login", "kubectl-login"].into_iter().find_map(|name| Some(line.split_once(name)?.1));
    // The rest of the line is the shell's, and `…` means more of the same.
    let words = words.unwrap_or_else(|| panic!("{whence}: {line}")).split(['|', '>', ')', '#', '…']).next();
    let words = words.unwrap_or_default().split_whitespace();
    let parsed = grammar(&[]).try_get_matches_from(std::iter::once("kubectl-login").chain(words));
    assert!(parsed.is_ok(), "{whence}: {line}: {}", parsed.err().map(|error| error.to_string()).unwrap_or_default());
}

#[test]
fn examples_in_help_are_command_lines_that_parse() {
    let grammar = grammar(&[]);
    let visible = grammar.get_subcommands().filter(|command| !command.is_hide_set());
    for command in std::iter::once(&grammar).chain(visible) {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default().replace("\\\n", " ");
        let examples: Vec<&str> = text.lines().filter(|line| line.starts_with("  ")).collect();
        assert!(!examples.is_empty(), "{} has none", command.get_name());
        for example in examples {
            assert_parses(example, command.get_name());
        }
    }
}

#[test]
fn commands_on_the_pages_are_command_lines_that_parse() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let book = std::fs::read_dir(root.join("docs")).expect("docs/").map(|entry| entry.expect("a page").path());
    let mut count = 0;
    let pages = book.filter(|file| file.extension().is_some_and(|extension| extension == "md"));
    for file in pages.chain([root.join("README.md")]) {
        let page = std::fs::read_to_string(&file).expect("a page").replace("\\\n", " ");
        let name = file.display().to_string();
        for block in page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()) {
            for line in block.lines() {
                if line.starts_with("kubectl login") {
                    assert_parses(line, &name);
                    count += 1;
                } else if line.contains("--exec-command=kubectl-login") {
                    let words: Vec<&str> =
                        line.split_whitespace().filter_map(|word| word.strip_prefix("--exec-arg=")).collect();
                    assert_parses(&format!("kubectl-login {}", words.join(" ")), &name);
                    count += 1;
                }
            }
        }
    }
    assert!(count > 10, "{count} commands: are they still found?");
}
