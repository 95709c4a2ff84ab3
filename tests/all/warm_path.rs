//! What a warm call does not do, according to its system calls: no network, no thread, no other process, no terminal.
//! It reads the key and one record, and writes nothing. A file that many kubeconfig entries name is read once per
//! command.
#![cfg(target_os = "linux")]

use crate::common::{Home, PLUGIN, Run, entra, needed, oidc};
use sim::World;

/// The system calls of one run, from strace.
struct Trace {
    run: Run,
    lines: Vec<String>,
}

impl Trace {
    /// Runs the plugin under strace.
    fn run(home: &Home, args: &[String]) -> Trace {
        needed("strace", "strace");
        let file = home.path().join("trace");
        let mut command = home.program("strace");
        command.args(["-f", "-qq", "-s", "4096", "-e", "trace=%network,%process,%file", "-o"]).arg(&file);
        let run = Run::of(command.arg(PLUGIN).args(args));
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(text.contains("execve("), "strace sees nothing here (is ptrace allowed?): {run}");
        // Each line begins with the padded process id.
        let lines = text.lines().map(|line| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' '));
        Trace { run, lines: lines.map(str::to_owned).collect() }
    }

    /// The lines with these calls.
    fn calls(&self, names: &[&str]) -> Vec<&str> {
        let is_one =
            |line: &str| names.iter().any(|name| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('(')));
        self.lines.iter().map(String::as_str).filter(|line| is_one(line)).collect()
    }

    /// The opened files below the state directory, as relative paths.
    fn opened_state(&self, home: &Home) -> Vec<String> {
        let folder = format!("\"{}/", home.state().display());
        let path = |line: &&str| Some(line.split_once(&folder)?.1.split_once('"')?.0.to_owned());
        self.calls(&["open", "openat", "openat2"]).iter().filter_map(path).collect()
    }

    /// All calls that start a thread or a process.
    fn started(&self) -> Vec<&str> {
        self.calls(&["clone", "clone3", "fork", "vfork"])
    }

    /// All calls that change the file system.
    fn written(&self) -> Vec<&str> {
        let opened = self.calls(&["open", "openat", "openat2"]).into_iter();
        let opened = opened.filter(|line| ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| line.contains(flag)));
        let changed = ["creat", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "link", "linkat", "symlink"];
        let more = ["symlinkat", "unlink", "unlinkat", "rmdir", "chmod", "fchmodat", "chown", "fchownat", "truncate"];
        opened.chain(self.calls(&changed)).chain(self.calls(&more)).collect()
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn warm_call_reads_only_the_key_and_one_record() {
    let (world, home) = (World::start(), Home::new());
    for args in [entra(&world, &[]), oidc(&world, &[])] {
        let before = home.files("tokens");
        let token = home.run(&[&args[..], &["--prompt".into(), "always".into()]].concat()).token();
        let made = home.files("tokens").into_iter().find(|file| !before.contains(file)).unwrap();
        let record = format!("tokens/{}", made.file_name().unwrap().to_str().unwrap());

        let trace = Trace::run(&home, &args);
        assert_eq!(trace.run.token(), token);
        assert_eq!(trace.run.stderr, "");
        assert_eq!(trace.calls(&["socket", "socketpair", "connect"]), NOTHING);
        assert_eq!(trace.started(), NOTHING);
        assert_eq!(trace.calls(&["execve", "execveat"]).len(), 1);
        let mut opened = trace.opened_state(&home);
        opened.sort();
        assert_eq!(opened, ["kubectl-login.key".to_owned(), record]);
        assert!(!trace.lines.iter().any(|line| line.contains("/dev/tty")), "{:#?}", trace.lines);
        assert_eq!(trace.written(), NOTHING);
    }
}

/// The same checks on calls that do all of it prove that the checks work.
#[test]
fn checks_notice_a_refresh_and_a_call_without_prompt() {
    let (world, home) = (World::start(), Home::new());
    let without_prompt = Trace::run(&home, &entra(&world, &[]));
    without_prompt.run.assert_failed(3, &["kubectl login"]);
    assert!(without_prompt.lines.iter().any(|line| line.contains("\"/dev/tty\"")), "{:#?}", without_prompt.lines);

    home.run(&entra(&world, &["--prompt", "always"])).token();
    let refresh = Trace::run(&home, &entra(&world, &["--force-refresh"]));
    refresh.run.token();
    assert_ne!(refresh.calls(&["socket"]), NOTHING);
    assert_ne!(refresh.calls(&["connect"]), NOTHING);
    assert_ne!(refresh.written(), NOTHING);
    assert!(refresh.opened_state(&home).iter().any(|file| file.starts_with("sessions/")));
}

/// The keyring's client needs a thread, which proves that the check for threads works.
#[test]
fn checks_notice_the_thread_of_the_keyring() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Trace::run(&home, &entra(&world, &["--token-cache-storage", "keyring", "--prompt", "always"]));
    keyring.run.assert_failed(1, &["keyring"]);
    assert_ne!(keyring.started(), NOTHING);
}

#[test]
fn authority_file_of_many_contexts_is_read_once() {
    let (world, home) = (World::start(), Home::new());
    let authority = home.write("ca.pem", world.ca_pem());
    let more = [format!("--certificate-authority={}", authority.display())];
    let args = entra(&world, &[&more[0]]);
    let names: Vec<String> = (0..20).map(|number| format!("context-{number}")).collect();
    home.contexts(&names.iter().map(|name| (name.as_str(), args.clone())).collect::<Vec<_>>());
    let opened = |args: &[&str]| {
        let trace = Trace::run(&home, &args.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        trace.run.assert_silent_success();
        let opened = trace.calls(&["open", "openat", "openat2"]);
        let name = format!("\"{}\"", authority.display());
        (opened.iter().filter(|line| line.contains(&name)).count(), trace.run.stdout)
    };
    home.run(&[&args[..], &["--prompt=always".into()]].concat()).token();
    let (count, shown) = opened(&["status"]);
    assert_eq!((count, names.iter().all(|name| shown.contains(name))), (1, true), "{shown}");
    // The entry itself, and the others with the same session.
    let (count, shown) = opened(&["--context=context-3"]);
    assert_eq!((count, shown.contains("context-19")), (1, true), "{shown}");
    let (count, shown) = opened(&["logout", "context-3"]);
    assert_eq!((count, shown.contains("context-19")), (1, true), "{shown}");
}
