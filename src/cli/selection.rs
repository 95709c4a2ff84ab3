//! The arguments that select a kubeconfig entry for `kubectl login`, so that a command in a next step can be pasted as it is.
//!
//! Next steps are written as if for the current context; this module completes them.

use kubectl_login::environment::Environment;
use kubectl_login_core::kube::kubeconfig::Entry;
use kubectl_login_core::text::shell_word;

use super::args::EntryArgs;
use super::{command_line, entry};

/// How a next step names the context, whichever it is.
const PLACEHOLDER: &str = " CONTEXT";
const LOGIN: &str = ": kubectl login";
/// The commands besides `kubectl login` itself that are for one entry.
const OF_ONE_ENTRY: [&str; 2] = ["doctor", "whoami"];

/// The arguments that select an entry. The default needs none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selection {
    /// The context or the user, quoted for a shell; empty if neither is known.
    entry: String,
    /// It is selected even without arguments.
    is_default: bool,
    /// The flag for another kubeconfig, if one is in use.
    kubeconfig: String,
}

impl Selection {
    /// The selection of `entry`, which `args` select.
    pub(super) fn from_args(args: &EntryArgs, entry: &Entry) -> Selection {
        let user = args.user.as_ref();
        let context = entry.context.as_deref().filter(|_| user.is_none() || args.context().is_some());
        let kubeconfig = args.kubeconfig.as_ref();
        Selection {
            entry: words_for(context, user.map_or(entry.user.as_str(), String::as_str), user.is_some()),
            is_default: args.context().is_none() && user.is_none(),
            kubeconfig: kubeconfig
                .map(|file| format!("--kubeconfig {}", shell_word(&file.to_string_lossy())))
                .unwrap_or_default(),
        }
    }

    /// The selection of the entry that started this process, if it can be identified.
    pub(super) fn from_process(environment: &Environment) -> Selection {
        let Some(own) = entry::calling_users(environment) else {
            return Selection { is_default: true, ..Selection::default() };
        };
        let context = own.context();
        Selection {
            entry: words_for(context, own.user(), false),
            is_default: context.is_some() && context == own.kubeconfig.current_context(),
            kubeconfig: String::new(),
        }
    }

    /// All arguments, for a command that names the entry in any case.
    pub(super) fn words(&self) -> String {
        let all = [self.entry.as_str(), self.kubeconfig.as_str()];
        all.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// The arguments without which another entry would be selected.
    pub(super) fn needed_words(&self) -> String {
        if self.is_default { self.kubeconfig.clone() } else { self.words() }
    }

    /// `next` with the entry added to each command that needs it.
    pub(super) fn completed(&self, next: &str) -> String {
        next.split('\n').map(|line| self.completed_line(line)).collect::<Vec<_>>().join("\n")
    }

    fn completed_line(&self, line: &str) -> String {
        let Some((_, rest)) = line.split_once(LOGIN).filter(|(_, rest)| is_about_one_entry(rest)) else {
            return line.to_owned();
        };
        let (line, is_placed) = match line.strip_suffix(PLACEHOLDER) {
            Some(line) => (line, true),
            None => (line, false),
        };
        let is_named = !self.entry.is_empty() && rest.ends_with(&format!(" {}", self.entry));
        let entry = Some(&self.entry).filter(|_| is_placed || !(is_named || self.is_default));
        let kubeconfig = Some(&self.kubeconfig).filter(|_| !rest.contains(" --kubeconfig "));
        let added = [entry, kubeconfig].into_iter().flatten().filter(|words| !words.is_empty());
        added.fold(line.to_owned(), |line, words| format!("{line} {words}"))
    }
}

/// A context's name as the first word after `kubectl login`, where a command or a flag can be too.
fn context_word(name: &str) -> String {
    let word = shell_word(name);
    match is_like_a_flag(&word) || command_line::is_command(name) {
        true => format!("--context={word}"),
        false => word,
    }
}

/// The arguments for `context`, and for `user` if there is no context or if `with_user`.
pub(super) fn words_for(context: Option<&str>, user: &str, with_user: bool) -> String {
    let context = context.map(context_word);
    let user = (with_user || context.is_none()).then(|| {
        let word = shell_word(user);
        format!("--user{}{word}", if is_like_a_flag(&word) { "=" } else { " " })
    });
    context.into_iter().chain(user).collect::<Vec<_>>().join(" ")
}

/// Whether `word` is read as a flag. It is checked after unprintable characters have been removed.
fn is_like_a_flag(word: &str) -> bool {
    word.trim_start_matches('\'').starts_with('-')
}

/// Whether the words after `kubectl login` are those of a command for one entry.
fn is_about_one_entry(rest: &str) -> bool {
    let first = rest.split_whitespace().next().unwrap_or_default();
    let is_whole = rest.is_empty() || rest.starts_with(' ');
    is_whole && first != "--help" && (OF_ONE_ENTRY.contains(&first) || !command_line::is_command(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(entry: &str, is_default: bool, kubeconfig: &str) -> Selection {
        Selection { entry: entry.to_owned(), is_default, kubeconfig: kubeconfig.to_owned() }
    }

    #[test]
    fn command_names_the_entry_where_another_would_be_meant() {
        let other = selection("prod", false, "");
        for (next, expected) in [
            ("Sign in: kubectl login", "Sign in: kubectl login prod"),
            ("So: kubectl login --login interactive\nOr ask.", "So: kubectl login --login interactive prod\nOr ask."),
            ("Sign in: kubectl login prod", "Sign in: kubectl login prod"),
            ("Groups: kubectl login whoami --groups", "Groups: kubectl login whoami --groups prod"),
            ("Confirm: kubectl login CONTEXT", "Confirm: kubectl login prod"),
            ("Forget: kubectl login logout --all", "Forget: kubectl login logout --all"),
            ("Flags: kubectl login get-token --help", "Flags: kubectl login get-token --help"),
            ("Commands: kubectl login --help", "Commands: kubectl login --help"),
            ("Contexts: kubectl config get-contexts", "Contexts: kubectl config get-contexts"),
        ] {
            assert_eq!(other.completed(next), expected);
        }
    }

    #[test]
    fn command_for_the_current_context_stays_short() {
        let current = selection("prod", true, "");
        assert_eq!(current.completed("Sign in: kubectl login"), "Sign in: kubectl login");
        assert_eq!(current.completed("Confirm: kubectl login CONTEXT"), "Confirm: kubectl login prod");
        let unknown = Selection { is_default: true, ..Selection::default() };
        assert_eq!(unknown.completed("Confirm: kubectl login CONTEXT"), "Confirm: kubectl login");
    }

    #[test]
    fn command_names_the_kubeconfig_that_was_typed() {
        let typed = selection("prod", true, "--kubeconfig f");
        assert_eq!(typed.completed("Sign in: kubectl login"), "Sign in: kubectl login --kubeconfig f");
        assert_eq!(typed.completed("Sign in: kubectl login prod"), "Sign in: kubectl login prod --kubeconfig f");
        assert_eq!(typed.words(), "prod --kubeconfig f");
    }

    #[test]
    fn context_that_could_be_taken_for_a_command_is_named_by_its_flag() {
        assert_eq!(context_word("status"), "--context=status");
        assert_eq!(context_word("--all"), "--context=--all");
        assert_eq!(context_word("my prod"), "'my prod'");
        assert_eq!(words_for(None, "bob", false), "--user bob");
    }
}
