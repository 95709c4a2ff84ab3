//! Rules for the sources that no compiler checks: which room may use which, where sentences and flags are written, which
//! words are not used, and how long a file may be.

use std::fs;
use std::path::{Path, PathBuf};

/// A room, and what it may use besides itself. Rooms that are missing here are used by any.
const ROOMS: &[(&str, &[&str])] = &[
    ("crates/core/src/http", &[]),
    ("crates/core/src/oauth", &["http"]),
    ("crates/core/src/entra", &["http", "oauth"]),
    ("crates/core/src/kube", &["http"]),
    ("src/store", &["profile"]),
    ("src/failure", &["store"]),
    ("src/issued_token", &["store"]),
    ("src/messages", &["profile", "environment", "store", "failure", "issued_token"]),
    // Of "messages", only what the page says that the browser ends on.
    ("src/signin", &["profile", "store", "failure", "messages"]),
    ("src/session", &["profile", "store", "failure", "issued_token", "signin", "messages"]),
    ("src/ui", &["profile", "store", "failure", "issued_token", "signin", "messages", "ui"]),
];
/// The names that the rule is about: others are shared ground.
const NAMED: &[&str] = &[
    "http",
    "oauth",
    "entra",
    "kube",
    "messages",
    "store",
    "failure",
    "issued_token",
    "signin",
    "session",
    "profile",
    "ui",
    "cli",
];
/// Where what happened is told by a clause, what to do next not at all, and no flag is known.
const WITHOUT_MESSAGES: &[&str] = &[
    "crates/core/src",
    "src/store",
    "src/failure",
    "src/issued_token",
    "src/signin",
    "src/session",
    "src/runtime",
    "src/resources",
    "src/children",
    "src/paths",
    "src/hardening",
];
/// Words that make a text hard to read (see docs/STYLE.md), and where they are looked for.
const WORDS: &[&str] = &["whoever", "somebody", "nobody", "anybody"];
const WITHOUT_THOSE_WORDS: &[&str] = &["src", "crates", "docs", "README.md", "install.sh", "CONTRIBUTING.md"];
/// Words after "is no" that are plain English.
const AFTER_IS_NO: &[&str] = &["better", "longer", "more", "worse"];
/// Files that declare the same types for another platform.
const OTHER_PLATFORM: &[&str] = &["src/ui/no_keyboard.rs"];
/// The most lines in one file.
const LINES: usize = 500;

/// A source file: its path from the root of the project, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn is_in(&self, place: &str) -> bool {
        self.path == place || self.path == format!("{place}.rs") || self.path.starts_with(&format!("{place}/"))
    }

    /// The code before the tests, without comments.
    fn code(&self) -> String {
        let is_of_tests = |name: &str| self.path.ends_with(&format!("/{name}.rs"));
        if is_of_tests("tests") || is_of_tests("reference") {
            return String::new();
        }
        let code = self.text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
        code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    }

    /// The string literals in that code.
    fn strings(&self) -> Vec<String> {
        let (mut strings, mut current, mut is_escaped) = (Vec::new(), None::<String>, false);
        let code = self.code().replace("'\"'", "' '").replace("'\\\"'", "' '").replace("b'\"'", "b' '");
        for c in code.chars() {
            match &mut current {
                None if c == '"' => current = Some(String::new()),
                None => {}
                Some(text) if is_escaped => {
                    text.push(c);
                    is_escaped = false;
                }
                Some(_) if c == '\\' => is_escaped = true,
                Some(_) if c == '"' => strings.extend(current.take()),
                Some(text) => text.push(c),
            }
        }
        strings
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file with one of these endings below a folder or at a path.
fn sources(place: &Path, endings: &[&str]) -> Vec<Source> {
    if place.is_dir() {
        let entries = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path());
        return entries.flat_map(|path| sources(&path, endings)).collect();
    }
    let is_wanted = place.extension().is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted));
    let path: PathBuf = place.strip_prefix(root()).unwrap_or(place).to_owned();
    let source = || Source { path: path.display().to_string(), text: fs::read_to_string(place).unwrap() };
    if is_wanted { vec![source()] } else { Vec::new() }
}

fn rust() -> Vec<Source> {
    ["src", "crates"].iter().flat_map(|place| sources(&root().join(place), &["rs"])).collect()
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The named rooms that a file uses.
fn used(source: &Source) -> Vec<&'static str> {
    let code = source.code();
    let is_used = |room: &&&str| {
        let starts = ["crate::", "kubectl_login::", "kubectl_login_core::"].map(|start| format!("{start}{room}"));
        starts.iter().any(|start| {
            code.match_indices(start.as_str()).any(|(at, found)| !code[at + found.len()..].starts_with(is_word))
        })
    };
    NAMED.iter().filter(is_used).copied().collect()
}

/// What rooms use although they may not.
fn forbidden_uses(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for (room, allowed) in ROOMS {
        let own = room.rsplit('/').next().unwrap();
        let is_core = room.starts_with("crates/core");
        for source in sources.iter().filter(|source| source.is_in(room)) {
            // Everything of the plugin may use the core, and the core nothing of the plugin.
            let is_of_core = |name: &&str| ["http", "oauth", "entra", "kube"].contains(name);
            let is_allowed = |name: &&str| *name == own || allowed.contains(name) || (!is_core && is_of_core(name));
            found.extend(
                used(source)
                    .into_iter()
                    .filter(|name| !is_allowed(name))
                    .map(|name| format!("{} uses {name}", source.path)),
            );
        }
    }
    found
}

/// Whether a string is advice or another whole sentence.
fn is_sentence(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.trim_end().ends_with('.')
        && text.split_whitespace().count() > 2
}

/// Whether a string names a flag.
fn names_flag(text: &str) -> bool {
    text.match_indices("--").any(|(at, _)| {
        let rest = &text[at + 2..];
        rest.starts_with(|c: char| c.is_ascii_lowercase()) && !text[..at].ends_with('-')
    })
}

/// The strings of some places that a rule forbids.
fn strings(sources: &[Source], places: &[&str], is_forbidden: fn(&str) -> bool) -> Vec<String> {
    let concerned = sources.iter().filter(|source| places.iter().any(|place| source.is_in(place)));
    concerned
        .flat_map(|source| {
            let found = source.strings().into_iter().filter(|text| is_forbidden(text));
            found.map(|text| format!("{}: {text:?}", source.path)).collect::<Vec<_>>()
        })
        .collect()
}

/// Whether a line says "X is no Y" instead of "X is not a Y". ("There is no Y" is plain English.)
fn says_is_no(line: &str) -> bool {
    let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '\'').collect();
    words.windows(3).enumerate().any(|(at, three)| {
        let is_there = at > 0 && words[at - 1] == "there";
        matches!(three[0], "is" | "was" | "are" | "were")
            && three[1] == "no"
            && !three[2].is_empty()
            && !is_there
            && !AFTER_IS_NO.contains(&three[2])
    })
}

/// The types of these sources, each with the file that declares it.
fn types(sources: &[Source]) -> Vec<(String, String)> {
    let mut types = Vec::new();
    for source in sources {
        for line in source.code().lines() {
            let declaration = line.strip_prefix("pub ").unwrap_or(line);
            let declaration = match declaration.strip_prefix("pub(") {
                Some(rest) => rest.split_once(") ").map_or("", |(_, rest)| rest),
                None => declaration,
            };
            let name = ["struct ", "enum ", "trait ", "type "].iter().find_map(|kind| declaration.strip_prefix(kind));
            let name = name.map(|name| name.split(|c| !is_word(c)).next().unwrap_or_default().to_owned());
            types.extend(name.map(|name| (name, source.path.clone())));
        }
    }
    types
}

/// The lines of some places that use one of the words.
fn words(sources: &[Source], places: &[&str]) -> Vec<String> {
    let concerned = sources.iter().filter(|source| places.iter().any(|place| source.is_in(place)));
    concerned
        .flat_map(|source| {
            let lines = source.text.lines().enumerate();
            let is_found = |line: &str| WORDS.iter().any(|word| line.contains(word)) || says_is_no(line);
            let found = lines.filter(|(_, line)| is_found(&line.to_lowercase()));
            found.map(|(number, line)| format!("{}:{}: {}", source.path, number + 1, line.trim())).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn rooms_use_only_what_is_below_them() {
    let sources = rust();
    for (room, _) in ROOMS {
        assert!(sources.iter().any(|source| source.is_in(room)), "the room {room} has gone");
    }
    let found = forbidden_uses(&sources);
    assert!(found.is_empty(), "dependencies point downwards only: {found:#?}");
}

#[test]
fn sentences_are_made_in_one_place() {
    let found = strings(&rust(), WITHOUT_MESSAGES, is_sentence);
    assert!(found.is_empty(), "these belong in src/messages: {found:#?}");
}

#[test]
fn core_knows_no_flags() {
    let found = strings(&rust(), WITHOUT_MESSAGES, names_flag);
    assert!(found.is_empty(), "these belong in src/messages: {found:#?}");
}

#[test]
fn text_is_plain_english() {
    let places = WITHOUT_THOSE_WORDS;
    let sources: Vec<Source> =
        places.iter().flat_map(|place| sources(&root().join(place), &["rs", "md", "sh", "toml"])).collect();
    let found = words(&sources, WITHOUT_THOSE_WORDS);
    assert!(found.is_empty(), "say who or what it is: {found:#?}");
}

#[test]
fn type_names_occur_once() {
    let mut types = types(&rust());
    types.retain(|(_, path)| !OTHER_PLATFORM.contains(&path.as_str()));
    // In one file a type may have a declaration for each platform.
    types.sort();
    types.dedup();
    let twice: Vec<_> = types.windows(2).filter(|two| two[0].0 == two[1].0).collect();
    assert!(types.len() > 300 && twice.is_empty(), "{} types; twice: {twice:#?}", types.len());
}

#[test]
fn files_have_one_purpose_and_a_length_to_match() {
    let sources: Vec<Source> =
        ["src", "crates", "tests"].iter().flat_map(|place| sources(&root().join(place), &["rs"])).collect();
    let too_long: Vec<String> = sources
        .iter()
        .map(|source| (source.text.lines().count(), &source.path))
        .filter(|(lines, _)| *lines > LINES)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert!(too_long.is_empty(), "{too_long:#?}");
}

#[test]
fn broken_rules_are_noticed() {
    let source = |path: &str, text: &str| vec![Source { path: path.to_owned(), text: text.to_owned() }];
    let upwards = source("crates/core/src/http/a.rs", "use crate::oauth::device;\n// use crate::entra;\n");
    assert_eq!(forbidden_uses(&upwards), ["crates/core/src/http/a.rs uses oauth"]);
    let sideways = source("src/store/a.rs", "use crate::session;\nuse kubectl_login_core::http;\n");
    assert_eq!(forbidden_uses(&sideways), ["src/store/a.rs uses session"]);

    let texts = source("src/x.rs", "// \"A comment is not it.\"\nlet a = (\"Sign in again.\", '\"', \"no --flag\");\n");
    assert_eq!(strings(&texts, &["src/x.rs"], is_sentence), ["src/x.rs: \"Sign in again.\""]);
    assert_eq!(strings(&texts, &["src"], names_flag), ["src/x.rs: \"no --flag\""]);
    assert!(strings(&texts, &["src/y"], names_flag).is_empty());
    assert_eq!(words(&source("docs/a.md", "one\nWhoever reads\n"), &["docs"]), ["docs/a.md:2: Whoever reads"]);
    assert_eq!(words(&source("docs/a.md", "there is no file\nThis is no file.\n"), &["docs"]).len(), 1);
    let declared = types(&source("src/a.rs", "pub(crate) struct A<T>(T);\nenum B {}\nstruct C;\n// struct D;\n"));
    assert_eq!(declared.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["A", "B", "C"]);
}
