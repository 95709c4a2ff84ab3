//! `completion` prints a shell's script; the scripts and kubectl call `__complete` to find out which words can follow.
//!
//! The format is that of Cobra, the library of kubectl and of both other tools, because kubectl uses only that with its
//! plugins, and the other tools' scripts are in use: a candidate per line, with a description after a tab, then `:` and a
//! number that says what the shell may add. If anything fails, the list is empty: users do not want an error message in the
//! middle of the line they are typing.
//!
//! Must not use the network, unlock anything or prompt.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use clap_complete::engine::{ArgValueCandidates, CompletionCandidate as Candidate};
use kubectl_login::environment::{self, Environment};
use kubectl_login::messages::Result;
use kubectl_login::paths;
use kubectl_login::store::Store;
use kubectl_login_core::entra::cloud;
use kubectl_login_core::kube::kubeconfig::Kubeconfig;
use kubectl_login_core::text::printable;
use url::Url;

use super::args::{CompletionArgs, Shell};
use super::{command_line, entry, not_yet, profile, report};

/// `completion`.
pub(super) fn run(args: &CompletionArgs) -> Result<()> {
    report::print(match args.shell {
        Shell::Bash => include_str!("completion/bash.sh"),
        Shell::Zsh => include_str!("completion/zsh.zsh"),
        Shell::Fish => include_str!("completion/fish.fish"),
        Shell::Pwsh => include_str!("completion/powershell.ps1"),
    })
}

/// Cobra's numbers for what the shell completes itself. Paths are left to it, because it knows how to quote them.
const FILES: u8 = 0;
const NOTHING: u8 = 4;
const FOLDERS: u8 = 16;

/// Characters that are special in a shell. Not all of kubectl's scripts quote candidates, and the names come from files that
/// other people wrote.
const ACTIVE: &[char] = &['$', '`', '\\', ';', '&', '|', '<', '>', '(', ')', '!'];

/// The words of a command line after the program's name. The last one is to be completed.
pub(super) struct CompletionRequest<'a> {
    words: &'a [OsString],
    with_descriptions: bool,
}

impl<'a> CompletionRequest<'a> {
    /// The request in this process's own command line, if it is one. kubectl makes it by starting a program with a name
    /// derived from the plugin's; scripts do it with a command, which is not in the grammar because anything may follow it.
    pub(super) fn from_command_line(words: &'a [OsString]) -> Option<Self> {
        let (program, words) = words.split_first()?;
        if matches!(
            Path::new(program).file_stem()?.to_str(),
            Some("kubectl_complete-login" | "kubectl_complete-oidc_login")
        ) {
            return Some(CompletionRequest { words, with_descriptions: true });
        }
        let (command, words) = words.split_first()?;
        let with_descriptions = match command.to_str()? {
            "__complete" => true,
            "__completeNoDesc" => false,
            _ => return None,
        };
        Some(CompletionRequest { words, with_descriptions })
    }

    /// Prints the candidates.
    pub(super) fn answer(&self, grammar: clap::Command, environment: &Environment) -> ExitCode {
        let (candidates, mut directive) = self.candidates(grammar, environment);
        if !candidates.is_empty() {
            directive = NOTHING;
        }
        let lines: String = candidates
            .into_iter()
            .map(|(word, description)| match description.filter(|_| self.with_descriptions) {
                Some(description) => format!("{word}\t{description}\n"),
                None => format!("{word}\n"),
            })
            .collect();
        // No user reads an error here.
        let _ = report::print(&format!("{lines}:{directive}\n"));
        ExitCode::SUCCESS
    }

    /// The candidates with their descriptions, and what the shell may add.
    fn candidates(&self, grammar: clap::Command, environment: &Environment) -> (Vec<(String, Option<String>)>, u8) {
        let empty = OsString::new();
        let (word, before) = self.words.split_last().unwrap_or((&empty, &[]));
        let Some(text) = word.to_str() else { return (Vec::new(), NOTHING) };

        let program = std::iter::once(OsString::from("kubectl-login"));
        let mut line = command_line::command_first(program.chain(before.iter().cloned()).collect(), &grammar);
        let at = line.len();
        // A single dash would list the short flags, which say less.
        line.push(if text == "-" { "--".into() } else { word.clone() });

        let known = Arc::new(CompletionSources::new(&grammar, before, environment));
        let grammar = match line[1..at].first() {
            Some(first) if grammar.find_subcommand(first).is_none() => without_commands(&grammar),
            _ => grammar,
        };
        let mut grammar = with_candidates(grammar, &known);
        let folder = std::env::current_dir().ok();
        let mut found = clap_complete::engine::complete(&mut grammar, line, at, folder.as_deref()).unwrap_or_default();

        found.retain(|candidate| !candidate.is_hide_set());
        let is_flag = |candidate: &Candidate| candidate.get_id().is_some_and(|id| id.starts_with("arg::"));
        if text.is_empty() && found.iter().any(|candidate| !is_flag(candidate)) {
            found.retain(|candidate| !is_flag(candidate));
        }
        // After `--flag=`, Cobra lists only the values.
        let flag = text.find('=').filter(|_| text.starts_with('-')).map_or("", |at| &text[..=at]);
        let mut seen = HashSet::new();
        let shown = found.iter().filter_map(|candidate| {
            let word = candidate.get_value().to_str()?;
            let word = word.strip_prefix(flag).filter(|word| seen.insert((*word).to_owned()))?;
            let description = candidate.get_help().map(|help| printable(&help.to_string(), 200));
            Some((word.to_owned(), description.filter(|text| !text.is_empty())))
        });
        (shown.collect(), known.left_to_shell.load(Ordering::Relaxed))
    }
}

/// The grammar of a line that does not start with a command: no command can follow.
fn without_commands(grammar: &clap::Command) -> clap::Command {
    clap::Command::new("kubectl-login").version("").args(grammar.get_arguments().cloned())
}

/// The grammar with candidates for the values of its arguments, which are recognised by their names and placeholders.
fn with_candidates(grammar: clap::Command, known: &Arc<CompletionSources>) -> clap::Command {
    let may_be_command = grammar.has_subcommands();
    let with_values = |arg: clap::Arg| {
        let placeholder = arg.get_value_names().and_then(<[_]>::first).map(|name| name.as_str());
        let values: fn(&CompletionSources) -> Vec<Candidate> = match (arg.get_long(), placeholder) {
            (Some("login"), _) => |_| plain(&[profile::METHODS, profile::LATER_METHODS].concat()),
            (Some("grant-type"), _) => |_| plain(&[profile::GRANTS, profile::LATER_GRANTS].concat()),
            (Some("environment"), _) => |_| plain(&cloud::environment_names()),
            (Some("context"), _) => CompletionSources::contexts,
            (None, Some("CONTEXT")) if may_be_command => CompletionSources::contexts_but_commands,
            (None, Some("CONTEXT")) => CompletionSources::contexts_unless_chosen,
            (Some("user"), _) => CompletionSources::users,
            (Some("account"), _) => CompletionSources::accounts,
            (_, Some("FILE" | "PROGRAM")) => |known| known.leave_to_shell(FILES),
            (_, Some("DIR")) => |known| known.leave_to_shell(FOLDERS),
            _ => return arg,
        };
        let known = Arc::clone(known);
        arg.add(ArgValueCandidates::new(move || values(&known)))
    };
    grammar.mut_args(with_values).mut_subcommands(|command| with_candidates(command, known))
}

/// Where candidates come from, and what is left to the shell.
struct CompletionSources {
    environment: Environment,
    kubeconfig: Option<PathBuf>,
    cache_dir: Option<String>,
    /// Whether the line has a flag that replaces CONTEXT.
    chosen: bool,
    /// The names of all commands that exist.
    commands: Vec<String>,
    left_to_shell: AtomicU8,
}

impl CompletionSources {
    /// `words` are those before the word to complete.
    fn new(grammar: &clap::Command, words: &[OsString], environment: &Environment) -> CompletionSources {
        let kubeconfig =
            command_line::last_value(words, &["--kubeconfig"]).map(|file| paths::expand_home(file, environment));
        let cache_dir = command_line::last_value(words, &["--cache-dir", "--token-cache-dir"]).map(str::to_owned);
        let chosen = command_line::last_value(words, &["--context", "--account"]).is_some()
            || words.iter().any(|word| word == "--all");
        let (environment, left_to_shell) = (environment.clone(), AtomicU8::new(NOTHING));
        let names = grammar.get_subcommands().map(|command| command.get_name().to_owned());
        let commands = names.filter(|name| !not_yet::NAMES.contains(&name.as_str())).collect();
        CompletionSources { environment, kubeconfig, cache_dir, chosen, commands, left_to_shell }
    }

    fn leave_to_shell(&self, directive: u8) -> Vec<Candidate> {
        self.left_to_shell.store(directive, Ordering::Relaxed);
        Vec::new()
    }

    fn kubeconfig(&self) -> Kubeconfig {
        // Waiting for a pipe would block while the user types.
        let listed = self.environment.get_os(environment::KUBECONFIG).map(std::env::split_paths).into_iter().flatten();
        let mut files = self.kubeconfig.iter().cloned().chain(listed);
        if files.any(|file| file.exists() && !file.is_file()) {
            return Kubeconfig::default();
        }
        entry::load(self.kubeconfig.as_deref(), &self.environment).unwrap_or_default()
    }

    fn contexts(&self) -> Vec<Candidate> {
        let kubeconfig = self.kubeconfig();
        let described = kubeconfig.contexts().filter_map(|(name, user, server)| {
            let host = server.and_then(host);
            let description = match (user, host) {
                (Some(user), Some(host)) => Some(format!("{user} on {host}")),
                (user, host) => user.map(str::to_owned).or(host),
            };
            foreign(name, description)
        });
        described.collect()
    }

    fn contexts_unless_chosen(&self) -> Vec<Candidate> {
        if self.chosen { Vec::new() } else { self.contexts() }
    }

    /// The contexts if a command may follow too: without those that have the name of a command and need `--context`.
    fn contexts_but_commands(&self) -> Vec<Candidate> {
        let mut contexts = self.contexts_unless_chosen();
        let is_command = |word: &std::ffi::OsStr| self.commands.iter().any(|command| word == command.as_str());
        contexts.retain(|context| !is_command(context.get_value()));
        contexts
    }

    fn users(&self) -> Vec<Candidate> {
        self.kubeconfig().user_names().filter_map(|name| foreign(name, None)).collect()
    }

    fn accounts(&self) -> Vec<Candidate> {
        let store = Store::open(paths::state(self.cache_dir.as_deref(), &self.environment), &self.environment);
        let mut accounts: Vec<(String, String)> = store
            .sessions()
            .into_iter()
            .filter_map(|(_, _, facts)| Some((facts.account?, facts.tenant.unwrap_or(facts.issuer))))
            .collect();
        accounts.sort();
        accounts.into_iter().filter_map(|(account, issuer)| foreign(&account, Some(issuer))).collect()
    }
}

fn plain(words: &[&'static str]) -> Vec<Candidate> {
    words.iter().map(|word| Candidate::new(*word)).collect()
}

/// A candidate from a file that another user may have written; `None` if it is not one harmless word on one line.
fn foreign(word: &str, description: Option<String>) -> Option<Candidate> {
    let harmless = printable(word, word.len()) == word && !word.starts_with('-') && !word.contains(ACTIVE);
    harmless.then(|| Candidate::new(word).help(description.map(Into::into)))
}

/// Host and port of a URL. The rest may contain a password, and does not help.
fn host(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_words_are_offered() {
        for word in ["prod", "alice@example.com", "arn:aws:eks:eu-1:1:cluster/x", "my cluster", "größe", "o'brien"] {
            assert!(foreign(word, None).is_some(), "{word}");
        }
        for word in ["a\nb", "a\tb", "\u{1b}[31m", "a\u{202e}b", "$(id)", "`id`", "a;id", "a>b", "--force", ""] {
            // An empty word names nothing; the kubeconfig has no such name.
            assert!(word.is_empty() || foreign(word, None).is_none(), "{word:?}");
        }
    }

    #[test]
    fn a_server_is_shown_by_its_host() {
        assert_eq!(host("https://alice:secret@api.example:6443/x?y").as_deref(), Some("api.example:6443"));
        assert_eq!(host("https://[::1]/").as_deref(), Some("[::1]"));
        assert_eq!(host("nonsense"), None);
    }
}
