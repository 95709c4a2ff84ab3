//! A user's exec plugin, and whether it is this program under one of its names.
//!
//! Must not know what the plugin's arguments mean.

use std::ffi::OsString;
use std::fmt;

/// Command names of this program and of the two tools it replaces, started directly.
const DIRECT: [&str; 3] = ["kubectl-login", "kubelogin", "kubectl-oidc_login"];

/// The same through kubectl: the first argument after `kubectl`.
const VIA_KUBECTL: [&str; 2] = ["login", "oidc-login"];

/// How well a process matches an entry that could have started it; the best match is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExecMatch {
    /// The arguments only: the program has another name, for example because a wrapper started it.
    Arguments,
    /// The arguments and the program's name.
    Name,
    /// The arguments and the whole command.
    Command,
}

/// A user's exec plugin (`users[].user.exec`). Debug tells only the command: arguments and environment may hold
/// secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct ExecConfig {
    /// The protocol version it is to answer in, as written.
    pub api_version: Option<String>,
    /// Whether clients pass on their stdin (`Never`, `IfAvailable`, `Always`), as written.
    pub interactive_mode: Option<String>,
    /// What is started: a bare name (looked up in `PATH`) or an absolute path. Empty if the entry names none.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// What is added to its environment: names and values.
    pub env: Vec<(String, String)>,
}

impl fmt::Debug for ExecConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecConfig").field("command", &self.command).finish_non_exhaustive()
    }
}

impl ExecConfig {
    /// The plugin's own command line, if the command is this program, Azure/kubelogin or int128/kubelogin, directly or through
    /// kubectl. `None` for every other plugin.
    pub fn own_arguments(&self) -> Option<&[String]> {
        let name = file_name(&self.command);
        if name.eq_ignore_ascii_case("kubectl") {
            let (plugin, rest) = self.args.split_first()?;
            return VIA_KUBECTL.contains(&plugin.as_str()).then_some(rest);
        }
        DIRECT.iter().any(|direct| name.eq_ignore_ascii_case(direct)).then_some(self.args.as_slice())
    }

    /// How well this entry matches a process that was started with `words`, the program first; `None` if the arguments
    /// differ. kubectl passes on the arguments after a plugin's name.
    pub fn match_process(&self, words: &[OsString]) -> Option<ExecMatch> {
        let (program, arguments) = words.split_first()?;
        let program = program.to_str()?;
        let (command, args) = match self.args.split_first() {
            Some((plugin, rest)) if file_name(&self.command).eq_ignore_ascii_case("kubectl") => {
                (format!("kubectl-{}", plugin.replace('-', "_")), rest)
            }
            _ => (self.command.clone(), self.args.as_slice()),
        };
        if !args.iter().map(String::as_str).eq(arguments.iter().map(|word| word.to_str().unwrap_or_default())) {
            return None;
        }
        Some(match command == program {
            true => ExecMatch::Command,
            false if file_name(&command).eq_ignore_ascii_case(file_name(program)) => ExecMatch::Name,
            false => ExecMatch::Arguments,
        })
    }
}

/// The last part of a path in either system's spelling, without `.exe`.
fn file_name(command: &str) -> &str {
    let name = command.rsplit(['/', '\\']).next().unwrap_or(command);
    match name.len().checked_sub(4).and_then(|at| name.split_at_checked(at)) {
        Some((stem, extension)) if extension.eq_ignore_ascii_case(".exe") => stem,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn exec(line: &str) -> ExecConfig {
        let mut words = line.split(' ').map(str::to_owned);
        let command = words.next().unwrap();
        ExecConfig {
            api_version: None,
            interactive_mode: None,
            command,
            args: words.collect(),
            env: vec![("S".into(), "hidden".into())],
        }
    }

    #[test]
    fn this_program_and_both_kubelogins_are_recognised() {
        for line in [
            "kubectl-login get-token --a b",
            "/usr/local/bin/kubelogin get-token --a b",
            r"C:\bin\KubeLogin.EXE get-token --a b",
            "kubectl-oidc_login get-token --a b",
            "kubectl-oidc_login.exe get-token --a b",
            "kubectl oidc-login get-token --a b",
            "kubectl.exe login get-token --a b",
        ] {
            assert_eq!(exec(line).own_arguments().expect(line), ["get-token", "--a", "b"]);
        }
        assert_eq!(exec("kubelogin").own_arguments(), Some(&[][..]));
    }

    #[test]
    fn other_plugins_are_not_recognised() {
        for line in [
            "aws eks get-token",
            "kubectl get-token",
            "kubectl",
            "kubectl other get-token",
            "kubectl -v1 login get-token",
            "login get-token",
            "my-kubelogin get-token",
            ".exe get-token",
            "é.x get-token",
        ] {
            assert_eq!(exec(line).own_arguments(), None, "{line}");
        }
    }

    #[test]
    fn command_decides_between_entries_with_the_same_arguments() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for (entry, process, expected) in [
            ("/a/kubelogin get-token -x", "/a/kubelogin get-token -x", Some(ExecMatch::Command)),
            ("kubelogin get-token -x", "kubelogin get-token -x", Some(ExecMatch::Command)),
            (r"C:\a\KUBELOGIN.exe get-token -x", "kubelogin get-token -x", Some(ExecMatch::Name)),
            ("kubelogin get-token -x", "/b/kubectl-login get-token -x", Some(ExecMatch::Arguments)),
            ("kubectl login get-token -x", "/b/kubectl-login get-token -x", Some(ExecMatch::Name)),
            ("/a/kubectl oidc-login get-token -x", "/b/kubectl-oidc_login get-token -x", Some(ExecMatch::Name)),
            ("kubectl login get-token -x", "/b/kubectl-login login get-token -x", None),
            ("kubelogin get-token -x", "kubelogin get-token -y", None),
            ("kubelogin get-token -x", "kubelogin get-token -x -y", None),
            ("kubelogin -v1 get-token", "kubelogin -v1 get-token", Some(ExecMatch::Command)),
        ] {
            assert_eq!(exec(entry).match_process(&words(process)), expected, "{entry}");
        }
    }

    #[test]
    fn debug_hides_arguments_and_environment() {
        assert_eq!(
            format!("{:?}", exec("kubelogin get-token --client-secret=s")),
            "ExecConfig { command: \"kubelogin\", .. }"
        );
    }
}
