//! What every black-box test needs: a home of its own, the built binary, and what came out of it.

pub mod browser;
pub mod chromium;
pub mod constants;
pub mod https;
pub mod keyring;
pub mod kubectl;
pub mod own_network;
pub mod page;
pub mod picture;
pub mod provider;
pub mod scripted;
pub mod shell;
pub mod snapshot;
pub mod socks;
pub mod tmux;
pub mod tunnel;
pub mod visit;
pub mod waiting;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use kubectl_login::environment::Environment;
use kubectl_login::profile::Storage;
use kubectl_login::store::{Store, TokenFacts, TokenRecord};
use serde_json::Value;
use sim::World;
use tokio::net::TcpSocket;

pub use constants::{AKS, ALWAYS, ENDING, HANG, JSON, LENIENCE, NEVER, OVER, V1, V1BETA1};

/// The built plugin.
pub const PLUGIN: &str = env!("CARGO_BIN_EXE_kubectl-login");

/// A home folder and environment of one test's own. Nothing of the developer's leaks in.
pub struct Home(tempfile::TempDir);

impl Home {
    pub fn new() -> Home {
        // Under GitLab's runner, say, everybody may write to what is made: some of that is of no use then, and rightly so.
        #[cfg(unix)]
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        // Screens show its path, and sockets are in it: as long everywhere, and short.
        let folder = if cfg!(unix) { PathBuf::from("/tmp") } else { std::env::temp_dir() };
        let home = Home(tempfile::tempdir_in(folder).unwrap());
        // As a login session has it: there, and closed to others.
        std::fs::create_dir(home.path().join("run")).unwrap();
        home
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The plugin's state folder.
    pub fn state(&self) -> PathBuf {
        self.path().join("state/kubectl-login")
    }

    /// Writes a file of this home; what it is called.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        file
    }

    /// Writes `~/.kube/config` with these contexts, each with a user and this plugin's arguments of its own; the first
    /// one is current.
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

    /// The files below a folder of the state folder.
    pub fn files(&self, folder: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.state().join(folder)).into_iter().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// Makes the remembered tokens older, as if time had gone by: `seconds` are left of their hour.
    pub fn leave(&self, seconds: i64) {
        let store = Store::open(Some(self.state()), &Environment::default());
        let (keeper, _) = store.keeper(Storage::File).unwrap();
        let expires_at = Utc::now() + TimeDelta::seconds(seconds);
        for (id, _, facts) in store.tokens() {
            let token = store.token(&id).found().unwrap();
            let record = TokenRecord { obtained_at: expires_at - TimeDelta::hours(1), expires_at, ..token };
            store.keep_token(&keeper, &id, &TokenFacts { expires_at, ..facts }, &record).unwrap();
        }
    }

    /// A command of this home, without a controlling terminal (setsid) and without stdin.
    pub fn program(&self, program: &str) -> Command {
        let mut command = Command::new("setsid");
        sim::isolate(&mut command, self.path());
        command.arg(program).stdin(Stdio::null());
        command
    }

    /// The plugin with these arguments.
    pub fn plugin<S: AsRef<str>>(&self, args: &[S]) -> Command {
        let mut command = self.program(PLUGIN);
        command.args(args.iter().map(AsRef::as_ref));
        command
    }

    /// Runs the plugin to its end.
    pub fn run<S: AsRef<str>>(&self, args: &[S]) -> Run {
        Run::of(&mut self.plugin(args))
    }

    /// Starts the plugin and lets it run.
    pub fn start<S: AsRef<str>>(&self, args: &[S]) -> Child {
        self.plugin(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The plugin under a parent of its own: another kubectl command, as it were.
    pub fn new_caller<S: AsRef<str>>(&self, args: &[S]) -> Command {
        let mut command = self.program("sh");
        command.args(["-c", "\"$0\" \"$@\"; exit $?", PLUGIN]).args(args.iter().map(AsRef::as_ref));
        command
    }

    /// Runs the plugin to its end, under a parent of its own.
    pub fn run_as_new_caller<S: AsRef<str>>(&self, args: &[S]) -> Run {
        Run::of(&mut self.new_caller(args))
    }
}

/// What came out of a command.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn of(command: &mut Command) -> Run {
        command.output().unwrap().into()
    }

    pub fn wait(child: Child) -> Run {
        child.wait_with_output().unwrap().into()
    }

    /// The ExecCredential; stdout must be that one line and nothing else.
    pub fn credential(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self}");
        assert!(self.stdout.ends_with('\n') && self.stdout.matches('\n').count() == 1, "not one line: {self}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The token in the ExecCredential.
    pub fn token(&self) -> String {
        self.credential()["status"]["token"].as_str().unwrap().to_owned()
    }

    /// Asserts a failure with this code, nothing on stdout, and each of `words` on stderr.
    #[track_caller]
    pub fn assert_failed(&self, code: i32, words: &[&str]) -> &Run {
        assert_eq!(self.code, Some(code), "{self}");
        assert_eq!(self.stdout, "", "{self}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is missing: {self}");
        }
        self
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        Run {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// `get-token` for the Entra-shaped tenant, as an AKS kubeconfig has it, with `more` behind.
pub fn entra(world: &World, more: &[&str]) -> Vec<String> {
    world.aks_args().into_iter().chain(more.iter().map(|word| (*word).to_owned())).collect()
}

/// `get-token` for the plain issuer, with `more` behind.
pub fn oidc(world: &World, more: &[&str]) -> Vec<String> {
    world.oidc_args().into_iter().chain(more.iter().map(|word| (*word).to_owned())).collect()
}

/// The claims of a JWT, unverified.
pub fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// Runs a test body for several items at the same time: most of a sign-in is waiting.
pub fn at_once<T: Send>(items: impl IntoIterator<Item = T>, body: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for item in items {
            scope.spawn(|| body(item));
        }
    });
}

/// Waits for something that another process does.
#[track_caller]
pub fn until(is_done: impl Fn() -> bool) {
    let end = Instant::now() + HANG;
    while !is_done() {
        assert!(Instant::now() < end, "it did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A port of 127.0.0.1 on which nobody listens, and on which nobody else can while the socket is there.
pub fn closed_port() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// Where a program is that a test cannot do without; the test fails with what to install if it is nowhere.
#[track_caller]
pub fn needed(program: &str, package: &str) -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("this test needs {program}: apt-get install {package}"))
}

/// Whether this test can change users and mounts. CI runs as root; elsewhere the test says that it is skipped.
#[cfg(unix)]
pub fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        use std::io::Write as _;
        // Past the test harness, which would swallow it.
        let _ = writeln!(std::io::stderr(), "skipped: this test needs root");
    }
    is_root
}
