//! The findings of checks, and how they are shown.

use std::collections::HashSet;

use serde::Serialize;

use super::super::report;
use super::super::sources::Sources;
use crate::ui::style::{self, Emphasis, paint};
use crate::ui::wrap::{self, wrapped};
use kubectl_login::environment::Environment;
use kubectl_login::messages::{ErrorMessage, Result};
use kubectl_login_core::text::without_controls;

/// A check. The names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct CheckName {
    pub(in super::super) name: &'static str,
    /// What it checks, for the documentation.
    #[cfg_attr(not(test), allow(dead_code, reason = "the documentation is written by a test"))]
    pub(in super::super) about: &'static str,
}

macro_rules! checks {
    ($($name:ident $text:literal $about:literal,)*) => {
        $(pub(super) const $name: CheckName = CheckName { name: $text, about: $about };)*
        /// Every check, in the order in which it is shown.
        #[cfg(test)]
        pub(in super::super) const ALL: &[CheckName] = &[$($name,)*];
    };
}

checks! {
    VERSION "version" "Which version this is, and whether its names on the `PATH` lead to this program.",
    KUBECONFIG "kubeconfig" "The files exist, can be read and parsed, have the context, and are not readable by other users.",
    ENTRY "entry" "What the context's user signs in with, whether kubectl runs the plugin for it, and whether this plugin understands its arguments.",
    COMMAND "command" "kubectl finds the entry's command and may run it, and it is this program if it should be.",
    API_VERSION "api-version" "kubectl accepts the entry's `apiVersion` and `interactiveMode`.",
    KEYRING "keyring" "The key of the stored sessions is available, from the keyring or from the key file.",
    FILES "files" "The state folder is yours and can be written, and its records can be opened.",
    CLOCK "clock" "This machine's clock agrees with the issuer's and the API server's.",
    PROXY "proxy" "Which proxies are used for the issuer and the API server, and whether they respond.",
    ISSUER "issuer" "The issuer responds and is trusted, its discovery document is valid, and the tenant exists.",
    SESSION "session" "A user is signed in, and the session can be refreshed.",
    TOKEN "token" "A new token can be obtained without a prompt.",
    AUDIENCE "audience" "The token is for this server, from this tenant or issuer, and for the expected account.",
    GROUPS "groups" "The token lists your groups, or there are more than it can list.",
    SERVER "server" "The API server can be reached and is trusted.",
    CLUSTER "cluster" "The API server accepts what kubectl sends, and reports who you are.",
    IDENTITY "identity" "The cluster sees the same groups as the token.",
}

/// The result of a check. The last one is the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum CheckResult {
    Skip,
    Ok,
    Warn,
    Fail,
}

impl CheckResult {
    fn word(self) -> &'static str {
        match self {
            CheckResult::Skip => "SKIP",
            CheckResult::Ok => "OK",
            CheckResult::Warn => "WARN",
            CheckResult::Fail => "FAIL",
        }
    }

    fn style(self) -> Option<Emphasis> {
        match self {
            CheckResult::Skip => None,
            CheckResult::Ok => Some(Emphasis::Good),
            CheckResult::Warn => Some(Emphasis::Warning),
            CheckResult::Fail => Some(Emphasis::Error),
        }
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) result: CheckResult,
    pub(super) message: String,
    /// What to do about it, one step a line.
    pub(super) next: Option<String>,
}

impl Finding {
    pub(super) fn ok(message: impl Into<String>) -> Finding {
        Finding { result: CheckResult::Ok, message: message.into(), next: None }
    }

    pub(super) fn warn(message: impl Into<String>, next: impl Into<String>) -> Finding {
        Finding { result: CheckResult::Warn, message: message.into(), next: Some(next.into()) }
    }

    pub(super) fn fail(message: impl Into<String>, next: impl Into<String>) -> Finding {
        Finding { result: CheckResult::Fail, message: message.into(), next: Some(next.into()) }
    }

    pub(super) fn skip(message: impl Into<String>) -> Finding {
        Finding { result: CheckResult::Skip, message: message.into(), next: None }
    }

    /// The check needs something that another check did not find.
    pub(super) fn skipped_because(part: CheckName) -> Finding {
        Finding::skip(format!("skipped: needs {:?}", part.name))
    }

    /// Several findings of one check as one. If something is wrong, what is right is left out.
    pub(super) fn merged(findings: Vec<Finding>) -> Finding {
        let worst = findings.iter().map(|finding| finding.result).max().unwrap_or(CheckResult::Skip);
        let is_bad = |finding: &&Finding| worst <= CheckResult::Ok || finding.result > CheckResult::Ok;
        let mut whole = Finding { result: worst, message: String::new(), next: None };
        for finding in findings.iter().filter(is_bad) {
            if !whole.message.is_empty() {
                whole.message += "; ";
            }
            whole.message += &finding.message;
            for step in finding.next.iter().flat_map(|next| next.lines()) {
                let steps = whole.next.get_or_insert_default();
                if !steps.lines().any(|known| known == step) {
                    *steps += if steps.is_empty() { "" } else { "\n" };
                    *steps += step;
                }
            }
        }
        whole
    }

    pub(super) fn has_failed(&self) -> bool {
        self.result == CheckResult::Fail
    }

    /// The same, naming the places that values come from.
    pub(super) fn corrected_by(self, sources: &Sources) -> Finding {
        match &self.next {
            Some(next) => {
                let (message, next) = sources.corrected(&self.message, next, false);
                Finding { message, next: Some(next), ..self }
            }
            None => self,
        }
    }

    /// The same, no worse than a warning.
    pub(super) fn at_most_warning(self) -> Finding {
        Finding { result: self.result.min(CheckResult::Warn), ..self }
    }
}

impl From<&ErrorMessage> for Finding {
    fn from(error: &ErrorMessage) -> Finding {
        let for_the_help_desk = error.reference.as_ref().map(|numbers| format!(" [{numbers}]"));
        let message = format!("{}{}", error.what, for_the_help_desk.unwrap_or_default());
        Finding { result: CheckResult::Fail, message, next: Some(error.next.clone()).filter(|next| !next.is_empty()) }
    }
}

impl From<ErrorMessage> for Finding {
    fn from(error: ErrorMessage) -> Finding {
        Finding::from(&error)
    }
}

/// A check with its finding: the machine-readable form.
#[derive(Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) result: CheckResult,
    message: String,
    next: Option<String>,
}

impl Check {
    pub(super) fn new((part, finding): (CheckName, Finding)) -> Check {
        let Finding { result, message, next } = finding;
        Check { name: part.name, result, message, next }
    }
}

/// The widths of the result and the name, including the blanks after them.
const RESULT: usize = 6;
const NAME: usize = 13;

/// The checks in the order in which to try their steps: first what others depend on, and the network before a sign-in.
const TO_TRY: [CheckName; 17] = [
    KUBECONFIG,
    ENTRY,
    API_VERSION,
    COMMAND,
    VERSION,
    CLOCK,
    PROXY,
    ISSUER,
    SERVER,
    FILES,
    KEYRING,
    SESSION,
    TOKEN,
    AUDIENCE,
    GROUPS,
    CLUSTER,
    IDENTITY,
];

/// The `checks` with this `result`, in the order in which to try their steps.
fn with_result(checks: &[Check], result: CheckResult) -> Vec<&Check> {
    let found = |part: &CheckName| checks.iter().find(|check| check.name == part.name && check.result == result);
    TO_TRY.iter().filter_map(found).collect()
}

/// The summary line: `2 problems: issuer, session`.
fn summary(checks: &[Check]) -> String {
    let counted = |noun: &str, result| {
        let names: Vec<&str> = with_result(checks, result).iter().map(|check| check.name).collect();
        let plural = if names.len() == 1 { "" } else { "s" };
        (!names.is_empty()).then(|| format!("{} {noun}{plural}: {}", names.len(), names.join(", ")))
    };
    match (counted("problem", CheckResult::Fail), counted("warning", CheckResult::Warn)) {
        (None, None) => "everything is in order".to_owned(),
        (None, Some(warnings)) => format!("no problems, {warnings}"),
        (Some(problems), None) => problems,
        (Some(problems), Some(warnings)) => format!("{problems}; {warnings}"),
    }
}

/// Prints a line for each check, with the next step below it; then, if there are several problems, their steps in the order
/// in which to try them, each once; and a summary line.
pub(super) fn print(checks: &[Check]) -> Result<()> {
    let stdout = std::io::stdout();
    let look = (
        style::enabled(std::io::IsTerminal::is_terminal(&stdout), &Environment::from_process()),
        wrap::columns(&stdout),
    );
    let mut text: String = checks.iter().map(|check| lines(check, look)).collect();
    let mut problems = with_result(checks, CheckResult::Fail);
    // One cause can fail several checks, with the same step.
    let mut listed = HashSet::new();
    problems.retain(|check| listed.insert(&check.next));
    if problems.len() > 1 {
        text += "\nTo try, in this order:\n";
        for (check, number) in problems.iter().zip(1..) {
            let number = format!("{number}.");
            text += &labelled(&number, None, check.name, check.next.as_deref().unwrap_or_default(), look);
        }
    }
    report::print(&format!("{text}\n{}\n", summary(checks)))
}

fn lines(check: &Check, (colours, columns): (bool, Option<usize>)) -> String {
    let mut text = labelled(check.result.word(), check.result.style(), check.name, &check.message, (colours, columns));
    if let Some(next) = &check.next {
        text += &labelled("", None, "Next:", next, (colours, columns)).replacen(
            "Next:",
            &paint(colours, Emphasis::Next, "Next:"),
            1,
        );
    }
    text
}

/// A result, a name, and lines beside and below them.
fn labelled(
    result: &str,
    style: Option<Emphasis>,
    name: &str,
    text: &str,
    (colours, columns): (bool, Option<usize>),
) -> String {
    let indent = RESULT + NAME;
    let below = format!("\n{}", " ".repeat(indent));
    let plain = format!("{result:RESULT$}{name:NAME$}{}", without_controls(text).trim_end().replace('\n', &below));
    let set = wrapped(&plain, indent, columns);
    let painted = style.map_or_else(|| result.to_owned(), |style| paint(colours, style, result));
    format!("{painted}{}\n", &set[result.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_hides_what_is_right() {
        let all = Finding::merged(vec![
            Finding::ok("a is fine"),
            Finding::warn("b is odd", "Look."),
            Finding::skip("d"),
            Finding::fail("c is wrong", "Look.\nMend it."),
        ]);
        assert_eq!(all, Finding::fail("b is odd; c is wrong", "Look.\nMend it."));
        assert_eq!(Finding::merged(vec![Finding::ok("a"), Finding::ok("b")]), Finding::ok("a; b"));
        assert_eq!(all.at_most_warning().result, CheckResult::Warn);
    }

    #[test]
    fn steps_stand_below_what_they_are_for() {
        let check = Check::new((SESSION, Finding::fail("not signed in", "Sign in: kubectl login\nOr ask.")));
        let text = lines(&check, (false, None));
        assert_eq!(
            text,
            "FAIL  session      not signed in\n      Next:        Sign in: kubectl login\n                   Or ask.\n"
        );
        let narrow = lines(
            &Check::new((SESSION, Finding::ok("a few words that do not fit into one line of this terminal"))),
            (true, Some(60)),
        );
        assert_eq!(
            narrow,
            "\u{1b}[1;32mOK\u{1b}[0m    session      a few words that do not fit into one line\n                   of this terminal\n"
        );
    }

    #[test]
    fn summary_names_problems_in_the_order_to_try() {
        let all = |found: &[(CheckName, Finding)]| summary(&found.iter().cloned().map(Check::new).collect::<Vec<_>>());
        let (session, server) = ((SESSION, Finding::fail("s", "t")), (SERVER, Finding::fail("s", "t")));
        let groups = (GROUPS, Finding::warn("s", "t"));
        assert_eq!(all(&[(VERSION, Finding::ok("v")), (TOKEN, Finding::skip("t"))]), "everything is in order");
        assert_eq!(all(&[session.clone(), server]), "2 problems: server, session");
        assert_eq!(all(&[session, groups.clone()]), "1 problem: session; 1 warning: groups");
        assert_eq!(all(&[groups]), "no problems, 1 warning: groups");
        assert!(ALL.iter().all(|part| TO_TRY.contains(part)));
    }

    #[test]
    fn names_are_words_with_hyphens() {
        assert!(
            ALL.len() == 17 && ALL.iter().all(|part| part.name.bytes().all(|c| c.is_ascii_lowercase() || c == b'-'))
        );
    }
}
