//! A test's own home directory, and the plugin in it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
#[cfg(unix)]
use std::sync::Once;

use chrono::{TimeDelta, Utc};
use kubectl_login::environment::Environment;
use kubectl_login::profile::Storage;
use kubectl_login::store::{Store, TokenFacts, TokenRecord};
use serde_json::Value;

use crate::common::clock::Clock;
use crate::common::programs::write_program;
use crate::common::{ALWAYS, PLUGIN, Run, V1, needed, text};

/// The umask belongs to the whole process, so it is set once for all tests.
#[cfg(unix)]
static UMASK: Once = Once::new();

/// A test's own home directory and environment. Isolated from the developer's.
pub struct Home {
    folder: tempfile::TempDir,
    pub(super) clock: Clock,
}

impl Home {
    pub fn new() -> Home {
        // With another umask, as under GitLab's runner, the files would be writable for others, which the plugin
        // rejects.
        #[cfg(unix)]
        UMASK.call_once(|| _ = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022)));
        // Screens show its path, and sockets are in it, so it has a fixed length and is short.
        let folder = if cfg!(unix) { PathBuf::from("/tmp") } else { std::env::temp_dir() };
        let home = Home { folder: tempfile::tempdir_in(folder).unwrap(), clock: Clock::new() };
        // As in a login session: it exists, and only its owner can open it.
        std::fs::create_dir(home.path().join("run")).unwrap();
        home
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The plugin's state directory.
    pub fn state(&self) -> PathBuf {
        self.path().join("state/kubectl-login")
    }

    /// Writes a file in this home directory. Returns its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        file
    }

    /// Changes a file in this home directory.
    #[track_caller]
    pub fn rewrite(&self, name: &str, change: impl Fn(&str) -> String) {
        let file = self.path().join(name);
        let old = std::fs::read_to_string(&file).unwrap();
        let new = change(&old);
        assert_ne!(old, new, "the change had no effect");
        std::fs::write(file, new).unwrap();
    }

    /// Writes an executable file in this home directory. Returns its path.
    pub fn write_program(&self, name: &str, text: &str) -> PathBuf {
        let file = self.path().join(name);
        write_program(&file, text);
        file
    }

    /// Writes `~/.kube/config` with these contexts, each with its own user, who runs this plugin with the given
    /// arguments. The first context is current.
    pub fn contexts(&self, contexts: &[(&str, Vec<String>)]) {
        let of = |make: fn(&str, &[String]) -> Value| -> Vec<Value> {
            contexts.iter().map(|(name, args)| make(name, args)).collect()
        };
        let kubeconfig = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": contexts[0].0,
            "contexts": of(|name, _| serde_json::json!({ "name": name, "context": { "cluster": name, "user": name } })),
            "users": of(|name, args| serde_json::json!({
                "name": name,
                "user": { "exec": { "apiVersion": V1, "command": "kubectl-login", "args": args } },
            })),
        });
        self.write(".kube/config", &kubeconfig.to_string());
    }

    /// The files in a directory of the state directory.
    pub fn files(&self, folder: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.state().join(folder)).into_iter().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// The same with their contents.
    pub fn contents(&self, folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
        self.files(folder).into_iter().map(|file| (file.clone(), std::fs::read(file).unwrap())).collect()
    }

    /// Makes the cached tokens older, as if time had passed: `seconds` of their hour are left.
    pub fn set_seconds_left(&self, seconds: i64) {
        let store = Store::open(Some(self.state()), &Environment::default());
        let (sealing_key, _) = store.sealing_key(Storage::File).unwrap();
        let expires_at = Utc::now() + TimeDelta::seconds(seconds);
        for (id, _, facts) in store.tokens() {
            let token = store.token(&id).found().unwrap();
            let record = TokenRecord { obtained_at: expires_at - TimeDelta::hours(1), expires_at, ..token };
            store.save_token(&sealing_key, &id, &TokenFacts { expires_at, ..facts }, &record).unwrap();
        }
    }

    /// A command in this home directory, without a controlling terminal (setsid) and without stdin.
    pub fn program(&self, program: &str) -> Command {
        let mut command = Command::new("setsid");
        self.on_its_clock(sim::isolate(&mut command, self.path()));
        command.arg(program).stdin(Stdio::null());
        command
    }

    /// The plugin with these arguments.
    pub fn plugin<S: AsRef<str>>(&self, args: &[S]) -> Command {
        let mut command = self.program(PLUGIN);
        command.args(args.iter().map(AsRef::as_ref));
        command
    }

    /// Runs the plugin and waits for it.
    pub fn run<S: AsRef<str>>(&self, args: &[S]) -> Run {
        Run::of(&mut self.plugin(args))
    }

    /// Runs the plugin with these arguments, and lets it prompt for a sign-in if necessary.
    pub fn sign_in<S: AsRef<str>>(&self, args: &[S]) -> Run {
        let args: Vec<&str> = args.iter().map(AsRef::as_ref).chain(ALWAYS).collect();
        self.run(&args)
    }

    /// Runs `kubectl login` with these arguments, which must succeed.
    #[track_caller]
    pub fn login(&self, more: &[&str]) -> Run {
        let run = self.run(more);
        assert_eq!(run.code, Some(0), "{run}");
        run
    }

    /// The JSON output of `status`.
    #[track_caller]
    pub fn status(&self) -> Value {
        let run = self.run(&["status", "-o", "json"]);
        run.assert_silent_success().object()
    }

    /// The plugin, started by a shell that runs `setup` first, such as a umask or a limit.
    pub fn plugin_after<S: AsRef<str>>(&self, setup: &str, args: &[S]) -> Command {
        let mut command = self.program("sh");
        command.args(["-c", &format!("{setup}; exec \"$0\" \"$@\""), PLUGIN]);
        command.args(args.iter().map(AsRef::as_ref));
        command
    }

    /// A shell command line on its own pseudo-terminal. The command's stdout is the screen.
    pub fn on_terminal(&self, line: &str) -> Command {
        let mut command = self.program(text(&needed("script", "bsdutils")));
        command.args(["-qec", line, "/dev/null"]).current_dir(self.path()).env("SHELL", "/bin/sh").env("TERM", "xterm");
        command
    }

    /// Starts the plugin without waiting for it.
    pub fn start<S: AsRef<str>>(&self, args: &[S]) -> Child {
        self.plugin(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The plugin under its own parent process, as if called by another kubectl command.
    pub fn new_caller<S: AsRef<str>>(&self, args: &[S]) -> Command {
        let mut command = self.program("sh");
        command.args(["-c", "\"$0\" \"$@\"; exit $?", PLUGIN]).args(args.iter().map(AsRef::as_ref));
        command
    }

    /// Runs the plugin under its own parent process and waits for it.
    pub fn run_as_new_caller<S: AsRef<str>>(&self, args: &[S]) -> Run {
        Run::of(&mut self.new_caller(args))
    }
}
