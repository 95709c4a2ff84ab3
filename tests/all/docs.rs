//! Checks of the documentation: links have targets, and the messages that it explains exist.

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All pages: those of docs/, and the two beside it.
fn pages() -> Vec<(PathBuf, String)> {
    let book = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let beside = ["README.md", "CONTRIBUTING.md"].map(|name| root().join(name));
    let pages = book.chain(beside).filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// The anchors of a page's headings, as repository websites generate them.
fn anchors(page: &str) -> Vec<String> {
    let headings = page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let letter = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let anchor = |text: &str| text.to_lowercase().chars().filter(|c| letter(*c)).collect::<String>().replace(' ', "-");
    headings.map(anchor).collect()
}

#[test]
fn links_have_targets() {
    let mut seen = 0;
    for (file, page) in pages() {
        for link in page.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            if link.contains("://") {
                continue;
            }
            seen += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            assert!(target.exists(), "{}: {link}", file.display());
            if !anchor.is_empty() {
                let target = std::fs::read_to_string(target).unwrap();
                assert!(anchors(&target).iter().any(|known| known == anchor), "{}: {link}", file.display());
            }
        }
    }
    assert!(seen > 20, "{seen} links; check how they are found");
}

/// The text of all sources, with multi-line string literals joined as the compiler does it.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let mut parts = std::fs::read_to_string(&path).unwrap().replace("\\\"", "\"");
            while let Some(at) = parts.find("\\\n") {
                let rest = parts[at + 2..].trim_start().len();
                parts.replace_range(at..parts.len() - rest, "");
            }
            text += &parts;
        }
    }
    text
}

/// Entries of the troubleshooting page that are not messages of this program: other programs' messages, and symptoms
/// without a message.
const NOT_OURS: &[&str] = &[
    "The plugin fails and says nothing",
    "The browser does not open, or the wrong one does",
    "insufficient_claims",
    "You must be logged in to the server (Unauthorized)",
    "Error from server (Forbidden)",
    "unknown command \"login\" for \"kubectl\"",
    "Flags of another kubelogin are refused, or sign-ins are not remembered",
];

#[test]
fn explained_messages_are_in_the_sources() {
    let page = std::fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    let sources = sources(&root().join("src")) + &sources(&root().join("crates"));
    let numbers = sources.replace('_', "");
    let messages: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert!(messages.len() > 30, "{messages:?}");
    for name in NOT_OURS {
        assert!(messages.contains(name), "{name} is no longer explained");
    }
    let mut unknown = Vec::new();
    for message in messages.iter().filter(|message| !NOT_OURS.contains(message)) {
        let (words, number) = message.split_once("AADSTS").unwrap_or((message, ""));
        let number: String = number.chars().take_while(char::is_ascii_digit).collect();
        assert!(numbers.contains(&number), "{message}: no entry for {number}");
        for fragment in words.split(['…', ':']).map(|part| part.trim_matches([' ', ',', '(', ')'])) {
            if !sources.contains(fragment) {
                unknown.push(format!("{message}: {fragment:?}"));
            }
        }
    }
    assert!(unknown.is_empty(), "not in the sources: {unknown:#?}");
}
