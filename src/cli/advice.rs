//! Checks every command, flag and method that a message or a page names against the grammar, so that nothing is advised
//! that does not exist.

use std::path::{Path, PathBuf};

use clap::{Arg, Command};

use super::profile::{LATER_GRANTS, LATER_METHODS};
use super::{grammar, not_yet};

/// Files about commands that do not exist yet, and about nothing else.
const ABOUT_LATER: &[&str] = &["src/messages/unsupported_command.rs"];
/// Flags of other programs, and what is in the same text, so that they are not mistaken for this program's.
const OF_OTHERS: &[(&str, &[&str])] = &[
    ("az aks ", &["--name", "--overwrite-existing", "--resource-group"]),
    ("az role ", &["--assignee", "--role", "--scope"]),
    ("az ad ", &["--group", "--query"]),
    ("kubectl config ", &["--exec-api-version", "--exec-arg", "--exec-command", "--server"]),
    ("kubectl kuberc ", &["--allowlist-entry", "--policy", "--section"]),
    // Parts of `kubectl create role` and its like, which tests/all/explain checks against kubectl itself.
    ("--verb=", &["--non-resource-url", "--resource", "--verb"]),
    (" --resource-name=", &["--resource-name"]),
    ("--group=oidc:", &["--group"]),
    ("--exec-arg=", &["--exec-arg"]),
    ("docker run", &["--network"]),
    // The API server's own, which administrators know by these names.
    ("", &["--authentication-config", "--oidc-groups-claim", "--oidc-groups-prefix"]),
    // Those of install.sh.
    ("", &["--force-links", "--keep-sign-ins", "--no-completion", "--prefix"]),
    // A placeholder.
    ("", &["--flag"]),
];
/// Words that continue a sentence after the program's name.
const PROSE: &[&str] = &["and", "does", "the", "to"];
/// The context in examples.
const CONTEXT: &str = "prod";

/// A text that users read, and where it is.
struct Text {
    place: String,
    text: String,
}

/// The string literals of a Rust source, with line numbers. Comments are passed over, and so are tests at the end.
fn literals(source: &str) -> Vec<(usize, String)> {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut chars = source.char_indices().peekable();
    let line_at = |at: usize| source[..at].matches('\n').count() + 1;
    while let Some((at, c)) = chars.next() {
        let rest = &source[at..];
        match c {
            '/' if rest.starts_with("//") => while chars.next_if(|(_, c)| *c != '\n').is_some() {},
            '\'' => {
                // A character, or a lifetime.
                // The character after a backslash may be a quote.
                let length = match rest.strip_prefix("'\\").map(|escaped| escaped.chars().skip(1)) {
                    Some(mut escaped) => escaped.position(|c| c == '\'').map_or(0, |end| end + 3),
                    None if rest.chars().nth(2) == Some('\'') => 2,
                    None => 0,
                };
                chars.by_ref().take(length).for_each(|_| {});
            }
            'r' if rest.starts_with("r\"") || rest.starts_with("r#") => {
                let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
                let Some(body) = rest[1 + hashes..].strip_prefix('"') else { continue };
                let end = body.find(&format!("\"{}", "#".repeat(hashes))).expect("a raw string ends");
                found.push((line_at(at), body[..end].to_owned()));
                let past = at + 1 + hashes + 1 + end + 1 + hashes;
                while chars.next_if(|(at, _)| *at < past).is_some() {}
            }
            '"' => {
                let mut text = String::new();
                while let Some((_, c)) = chars.next().filter(|(_, c)| *c != '"') {
                    match (c, c == '\\') {
                        (_, false) => text.push(c),
                        _ => match chars.next() {
                            Some((_, 'n')) => text.push('\n'),
                            // The compiler leaves out the line's end and what the next one begins with.
                            Some((_, '\n')) => while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {},
                            Some((_, c)) => text.push(c),
                            None => {}
                        },
                    }
                }
                found.push((line_at(at), text));
            }
            _ => {}
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            sources(&path, found);
        } else if name.ends_with(".rs") && !["tests.rs", "advice.rs", "reference.rs"].contains(&name) {
            found.push(path);
        }
    }
}

/// What messages and help say.
fn messages() -> Vec<Text> {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut texts = Vec::new();
    for file in files {
        let name = file.strip_prefix(root()).expect("a source").display().to_string();
        let source = std::fs::read_to_string(&file).expect("a source");
        let sentences = literals(&source).into_iter().filter(|(_, text)| text.contains(' '));
        texts.extend(sentences.map(|(line, text)| Text { place: format!("{name}:{line}"), text }));
    }
    let grammar = grammar(&[]);
    for command in std::iter::once(&grammar).chain(grammar.get_subcommands()) {
        let parts = [command.get_about(), command.get_before_help(), command.get_after_help()];
        let of_flags = command.get_arguments().map(Arg::get_help);
        let parts = parts.into_iter().chain(of_flags).flatten().map(ToString::to_string);
        texts.extend(parts.map(|text| Text { place: format!("{} --help", command.get_name()), text }));
    }
    texts
}

/// The code spans of the book.
fn code_spans() -> Vec<Text> {
    let book = std::fs::read_dir(root().join("docs")).expect("docs/").map(|entry| entry.expect("a page").path());
    let pages = book.filter(|file| file.extension().is_some_and(|extension| extension == "md"));
    let mut spans = Vec::new();
    for file in pages.chain([root().join("README.md")]) {
        let page = std::fs::read_to_string(&file).expect("a page");
        let name = file.strip_prefix(root()).expect("a page").display().to_string();
        // Blocks are lines of a shell, which `reference` parses, or what a program has printed.
        for part in page.split("```").step_by(2) {
            let of_part = part.split('`').skip(1).step_by(2);
            spans.extend(of_part.map(|span| Text { place: name.clone(), text: span.replace('\n', " ") }));
        }
    }
    spans
}

/// Whether a flag may be advised: it does something here.
fn does_something(arg: &Arg) -> bool {
    !arg.is_hide_set() || arg.get_help().is_some()
}

fn has_flag(command: &Command, flag: &str, counts: fn(&Arg) -> bool) -> bool {
    let is_called = |arg: &&Arg| {
        let aliases = arg.get_all_aliases().unwrap_or_default();
        arg.get_long().into_iter().chain(aliases).any(|long| flag.strip_prefix("--") == Some(long))
    };
    flag == "--help" || command.get_arguments().filter(is_called).any(counts)
}

/// The flags in a text, each with what stands before it on its line.
fn flags(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for line in text.lines() {
        for (at, _) in line.match_indices("--") {
            let before = &line[..at];
            let is_start = !before.ends_with(|c: char| c.is_alphanumeric() || c == '-' || c == '}');
            let name = line[at + 2..].split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).next();
            let name = name.unwrap_or_default();
            if is_start && name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('-') {
                found.push((before, &line[at..at + 2 + name.len()]));
            }
        }
    }
    found
}

/// The command in the words after the program's name: `None` for a sign-in, an error for one that does not exist.
fn command_in<'g>(grammar: &'g Command, words: &str) -> Result<Option<&'g Command>, String> {
    let first = words.split_whitespace().next().unwrap_or_default().trim_end_matches(['.', ',', ';', ':', '`', ')']);
    // A placeholder, a flag, or nothing: the context may be left out.
    let is_name = first.starts_with(|c: char| c.is_ascii_lowercase());
    // What is hashed into names of files begins with the program's name and ends in a version.
    let version = words.rsplit(' ').next().and_then(|word| word.strip_prefix('v'));
    let is_hashed = version.is_some_and(|number| number.parse::<u32>().is_ok());
    if !is_name || PROSE.contains(&first) || first == CONTEXT || is_hashed {
        return Ok(None);
    }
    match grammar.find_subcommand(first) {
        Some(command) if !not_yet::NAMES.contains(&first) => Ok(Some(command)),
        _ => Err(first.to_owned()),
    }
}

/// The words after each mention of the program on a line.
fn mentions(line: &str) -> Vec<&str> {
    let named = |name: &str| line.match_indices(name).map(|(at, name)| &line[at + name.len()..]).collect::<Vec<_>>();
    [named("kubectl login "), named("kubectl-login ")].concat()
}

/// What `text` advises that is not there.
fn wrong_in(text: &Text, grammar: &Command, counts: fn(&Arg) -> bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut complain = |what: String| wrong.push(format!("{}: {what}: {:?}", text.place, text.text));
    for line in text.text.lines() {
        for words in mentions(line) {
            if let Err(word) = command_in(grammar, words) {
                complain(format!("there is no command {word}"));
            }
        }
    }
    for (before, flag) in flags(&text.text) {
        if OF_OTHERS.iter().any(|(beside, flags)| flags.contains(&flag) && text.text.contains(beside)) {
            continue;
        }
        let of_command = mentions(before).pop().and_then(|words| command_in(grammar, words).ok());
        let is_there = match of_command {
            Some(command) => has_flag(command.unwrap_or(grammar), flag, counts) || flag == "--v",
            None => {
                std::iter::once(grammar).chain(grammar.get_subcommands()).any(|command| has_flag(command, flag, counts))
            }
        };
        if !is_there {
            complain(format!("there is no flag {flag}"));
        }
    }
    wrong
}

#[test]
fn messages_name_only_commands_and_flags_that_exist() {
    let grammar = grammar(&[]);
    let messages = messages();
    assert!(messages.len() > 500, "{} texts: are they still found?", messages.len());
    let about_later = |text: &&Text| !ABOUT_LATER.iter().any(|file| text.place.starts_with(file));
    let wrong: Vec<String> =
        messages.iter().filter(about_later).flat_map(|text| wrong_in(text, &grammar, does_something)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn messages_name_only_methods_that_exist() {
    let mut wrong = Vec::new();
    for Text { place, text } in messages() {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        let later = words.filter(|word| LATER_METHODS.contains(word) || LATER_GRANTS.contains(word));
        wrong.extend(later.map(|word| format!("{place}: {word} is not supported yet: {text:?}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pages_name_only_commands_and_flags_that_exist() {
    let grammar = grammar(&[]);
    let spans = code_spans();
    assert!(spans.len() > 500, "{} code spans: are they still found?", spans.len());
    // The pages also say which flags of the other two tools change nothing here.
    let wrong: Vec<String> = spans.iter().flat_map(|span| wrong_in(span, &grammar, |_| true)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn advice_that_does_not_exist_is_found() {
    let grammar = grammar(&[]);
    let wrong = |text: &str| {
        let text = Text { place: "here".to_owned(), text: text.to_owned() };
        wrong_in(&text, &grammar, does_something).len()
    };
    for (text, count) in [
        ("Sign in: kubectl login", 0),
        ("Sign in: kubectl login {context} --force", 0),
        ("Forget it: kubectl login logout --all", 0),
        ("To have this plugin: kubectl login convert-kubeconfig", 1),
        ("Type kubectl login statsu", 1),
        ("Type kubectl login status --all", 1),
        ("Use --no-such-flag", 1),
        ("Use --client-secret and --pop-enabled", 2),
    ] {
        assert_eq!(wrong(text), count, "{text}");
    }
    assert!(super::args::NOT_YET.iter().all(|flag| wrong(&format!("Use --{flag}")) == 1));
}

#[test]
fn literals_of_a_source_are_found() {
    let source = "// \"no\"\nlet a = \"one \\\n    two\"; let b = ['\"', '\\'', '\\n']; let c: &'a str = r#\"th\"ree\"#; /// \"x\"\nf(\"\\\"q\\\"\")\n#[cfg(test)]\nmod tests {\n\"no\" }";
    let texts: Vec<String> = literals(source).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["one two", "th\"ree", "\"q\""]);
}
