//! Where settings come from, so that an error names the place to correct: a flag, a variable of the shell, `exec.env` of a
//! kubeconfig user, or the one of several kubeconfig files that is used.
//!
//! Errors are written as if every value came from its flag, and as if for the current context; this module corrects them.

use kubectl_login::environment;
use kubectl_login::messages::ErrorMessage;
use kubectl_login::messages::settings::{VariablePlace, user_is_shadowed, variable_is_set, variable_is_used};
use kubectl_login_core::entra::refusals::Refusal;
use kubectl_login_core::kube::kubeconfig::Entry;
use kubectl_login_core::text::printable;

use super::selection::Selection;

/// Where the settings of one entry, or of one command line, come from.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    variables: Vec<VariableInUse>,
    /// The entry; `None` for a command line, whose environment contains the shell's variables and those of `exec.env`.
    entry: Option<EntryOrigin>,
    /// How commands select the entry.
    selection: Selection,
}

/// A variable that is used instead of a flag.
#[derive(Clone, Copy, Debug)]
struct VariableInUse {
    variable: &'static str,
    flag: &'static str,
    /// It wins over the flag, which may be there too.
    wins: bool,
}

/// A kubeconfig user, for messages.
#[derive(Clone, Debug)]
struct EntryOrigin {
    user: String,
    file: String,
    /// Later files that define the same user, which have no effect.
    shadowed: Vec<String>,
    /// The names in `exec.env`.
    variables: Vec<String>,
}

impl Sources {
    /// Notes that `variable` is used instead of `flag`, and whether it wins over the flag.
    pub(super) fn note(&mut self, variable: &'static str, flag: &'static str, wins: bool) {
        self.variables.push(VariableInUse { variable, flag, wins });
    }

    /// The same for a kubeconfig entry.
    pub(super) fn of_entry(self, entry: &Entry) -> Sources {
        let shown = |path: &std::path::Path| printable(&path.to_string_lossy(), 200);
        let variables = entry.exec.iter().flat_map(|exec| &exec.env);
        let entry = EntryOrigin {
            user: printable(&entry.user, 100),
            file: shown(&entry.file),
            shadowed: entry.shadowed.iter().map(|file| shown(file)).collect(),
            variables: variables.filter(|(_, value)| !value.is_empty()).map(|(name, _)| name.clone()).collect(),
        };
        Sources { entry: Some(entry), ..self }
    }

    /// Sets how commands in next steps select the entry.
    pub(super) fn selected_by(self, selection: Selection) -> Sources {
        Sources { selection, ..self }
    }

    /// How commands select the entry.
    pub(super) fn selection(&self) -> &Selection {
        &self.selection
    }

    /// `error` with the places that its values come from.
    pub(super) fn attributed(&self, error: ErrorMessage) -> ErrorMessage {
        let about_settings = matches!(error.refusal, Some(Refusal::SetUp | Refusal::WrongAccount));
        let (what, next) = self.corrected(&error.what, &error.next, about_settings);
        ErrorMessage { what, next, ..error }
    }

    /// Both halves of an error, corrected. `about_settings`: whatever it names, its cause is a setting such as the tenant or the
    /// client.
    pub(super) fn corrected(&self, what: &str, next: &str, about_settings: bool) -> (String, String) {
        let by_variable = |text: &str| {
            self.variables
                .iter()
                .fold(text.to_owned(), |text, VariableInUse { variable, flag, .. }| replaced(&text, flag, variable))
        };
        let (what, mut next) = (by_variable(what), self.selection.completed(&by_variable(next)));
        let names = |name: &str| mentions(&what, name) || mentions(&next, name);
        let in_use = self.variables.iter().filter(|known| about_settings || names(known.variable));
        let mut places: Vec<String> = in_use.map(|known| self.place_in_use(known)).collect();
        if let Some(origin) = &self.entry {
            let in_use = |name: &&str| self.variables.iter().any(|known| known.variable == *name);
            let known = environment::ALL.iter().map(|(name, _)| *name).filter(|name| names(name) && !in_use(name));
            places.extend(known.filter_map(|name| {
                let own = origin.variables.iter().find(|own| own.eq_ignore_ascii_case(name))?;
                Some(variable_is_set(own, &origin.exec_env()))
            }));
            let is_about_entry = about_settings || names("exec.args") || names("exec.env") || has_flag(&next);
            if !origin.shadowed.is_empty() && (is_about_entry || !places.is_empty()) {
                places.push(user_is_shadowed(&origin.user, &origin.file, &origin.shadowed));
            }
        }
        for place in places {
            next += if next.is_empty() { "" } else { "\n" };
            next += &place;
        }
        (what, next)
    }

    /// What comes from variables, to follow `signs in with this plugin, by devicecode`; empty if nothing does.
    pub(super) fn in_short(&self) -> String {
        let each = self.variables.iter().map(|known| format!("{} from {}", known.flag, known.variable));
        let each: Vec<String> = each.collect();
        if each.is_empty() { String::new() } else { format!(", with {}", each.join(", ")) }
    }

    fn place_in_use(&self, VariableInUse { variable, flag, wins }: &VariableInUse) -> String {
        let place = match &self.entry {
            None => VariablePlace::Process,
            Some(origin) if origin.variables.iter().any(|own| own == variable) => origin.exec_env(),
            Some(_) => VariablePlace::Shell,
        };
        variable_is_used(variable, &place, flag, *wins)
    }
}

impl EntryOrigin {
    fn exec_env(&self) -> VariablePlace {
        VariablePlace::ExecEnv { user: self.user.clone(), file: self.file.clone() }
    }
}

/// Whether `text` names a flag of the entry, not only of a command to run.
fn has_flag(text: &str) -> bool {
    let is_command = |line: &&str| [": kubectl ", ": az "].iter().any(|command| line.contains(command));
    text.lines().filter(|line| !is_command(line)).any(|line| line.split_whitespace().any(|word| word.starts_with("--")))
}

/// The positions of `name` in `text` as a separate word.
fn positions<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-');
    text.match_indices(name)
        .map(|(at, _)| at)
        .filter(move |at| !is_part(text[..*at].chars().next_back()) && !is_part(text[at + name.len()..].chars().next()))
}

fn mentions(text: &str, name: &str) -> bool {
    positions(text, name).next().is_some()
}

/// `text` with `other` in place of `name`, if it is a separate word.
fn replaced(text: &str, name: &str, other: &str) -> String {
    let (mut out, mut end) = (String::new(), 0);
    for at in positions(text, name) {
        out += &text[end..at];
        out += other;
        end = at + name.len();
    }
    out + &text[end..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(entry: Option<EntryOrigin>) -> Sources {
        let mut sources = Sources { entry, ..Sources::default() };
        sources.note("AZURE_TENANT_ID", "--tenant-id", false);
        sources
    }

    fn origin(variables: &[&str], shadowed: &[&str]) -> Option<EntryOrigin> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Some(EntryOrigin {
            user: "u".into(),
            file: "/a".into(),
            shadowed: owned(shadowed),
            variables: owned(variables),
        })
    }

    #[test]
    fn variable_takes_the_place_of_the_flag_in_a_message() {
        let (what, next) = sources(origin(&[], &[])).corrected(
            "--tenant-id \"x\" is wrong",
            "Check --tenant-id-x and --tenant-id.",
            false,
        );
        assert_eq!(what, "AZURE_TENANT_ID \"x\" is wrong");
        let place = "AZURE_TENANT_ID is set in your environment and counts because exec.args has no --tenant-id.";
        assert_eq!(next, format!("Check --tenant-id-x and AZURE_TENANT_ID.\n{place}"));
    }

    #[test]
    fn variable_of_the_entry_is_located_in_its_file() {
        let sources = sources(origin(&["AZURE_TENANT_ID", "https_proxy"], &[]));
        let next = |text: &str| sources.corrected("", text, false).1;
        let env = "exec.env of the kubeconfig user \"u\" in /a";
        assert!(
            next("Check --tenant-id.").ends_with(&format!(
                "\nAZURE_TENANT_ID is set in {env} and counts because exec.args has no --tenant-id."
            ))
        );
        assert_eq!(next("Check HTTPS_PROXY."), format!("Check HTTPS_PROXY.\nhttps_proxy is set in {env}."));
        assert_eq!(next("Check NO_PROXY."), "Check NO_PROXY.");
    }

    #[test]
    fn first_of_two_files_is_named_only_for_what_is_in_them() {
        let sources = Sources { entry: origin(&[], &["/b"]), ..Sources::default() };
        let next = |text: &str| sources.corrected("", text, false).1;
        let first = "Correct the user \"u\" in /a: /b defines it too, but kubectl takes the first.";
        assert_eq!(next("Check --client-id."), format!("Check --client-id.\n{first}"));
        assert_eq!(next("Sign in: kubectl login --force"), "Sign in: kubectl login --force");
    }

    #[test]
    fn refusal_of_the_set_up_names_the_variable_without_the_flag() {
        let error = ErrorMessage { refusal: Some(Refusal::SetUp), ..ErrorMessage::failed("no", "Check the tenant.") };
        assert!(
            sources(None).attributed(error).next.contains("AZURE_TENANT_ID is set in the environment (your shell's")
        );
        let other = ErrorMessage::failed("no", "Check the network.");
        assert_eq!(sources(None).attributed(other.clone()), other);
    }
}
