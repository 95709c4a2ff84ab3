//! A working set-up for tests to break, and the doctor's report on it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use kubectl_login::environment::Environment;
use kubectl_login::store::Store;
use serde_json::Value;
use sim::World;

use crate::common::{Home, PLUGIN, Run, set_mode};

/// All checks, in order.
pub(crate) const NAMES: [&str; 17] = [
    "version",
    "kubeconfig",
    "entry",
    "command",
    "api-version",
    "keyring",
    "files",
    "clock",
    "proxy",
    "issuer",
    "session",
    "token",
    "audience",
    "groups",
    "server",
    "cluster",
    "identity",
];

/// A world, and the home directory of a user who is signed in to its cluster.
pub(crate) struct Setup {
    pub(crate) world: World,
    pub(crate) home: Home,
    args: Vec<String>,
}

impl Setup {
    /// As `az aks get-credentials` writes it.
    pub(crate) fn aks() -> Setup {
        let setup = Setup::aks_without_sign_in(World::start());
        setup.sign_in(&[]);
        setup
    }

    /// The same without a sign-in.
    pub(crate) fn aks_without_sign_in(world: World) -> Setup {
        let (text, args) = (world.aks_kubeconfig("kubectl-login"), world.aks_args());
        Setup::with(world, &text, args)
    }

    /// With the plain issuer.
    pub(crate) fn oidc() -> Setup {
        let world = World::start();
        let (text, args) = (world.oidc_kubeconfig("kubectl-login"), world.oidc_args());
        let setup = Setup::with(world, &text, args);
        setup.sign_in(&[]);
        setup
    }

    fn with(world: World, kubeconfig: &str, args: Vec<String>) -> Setup {
        let home = Home::new();
        fs::create_dir(home.path().join("bin")).unwrap();
        symlink(PLUGIN, home.path().join("bin/kubectl-login")).unwrap();
        let setup = Setup { world, home, args };
        setup.write(kubeconfig);
        setup
    }

    /// Signs in with the entry's arguments and `more`.
    pub(crate) fn sign_in(&self, more: &[&str]) {
        let more = more.iter().copied().chain(["--prompt=always"]).map(str::to_owned);
        let words: Vec<String> = self.args.iter().cloned().chain(more).collect();
        self.home.run(&words).token();
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.home.path().join(".kube/config")
    }

    pub(crate) fn write(&self, text: &str) {
        self.home.write(".kube/config", text);
        self.chmod(&self.kubeconfig(), 0o600);
    }

    pub(crate) fn rewrite(&self, change: impl Fn(&str) -> String) {
        self.home.rewrite(".kube/config", change);
    }

    pub(crate) fn replace(&self, from: &str, to: &str) {
        self.rewrite(|text| text.replacen(from, to, 1));
    }

    pub(crate) fn chmod(&self, path: &std::path::Path, mode: u32) {
        set_mode(path, mode);
    }

    /// The plugin, with the home directory's own programs first on the PATH.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.home.plugin(args);
        command.env("PATH", self.path());
        command
    }

    pub(crate) fn path(&self) -> String {
        format!("{}:/usr/bin:/bin", self.home.path().join("bin").display())
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        Run::of(&mut self.command(args))
    }

    pub(crate) fn doctor(&self) -> Report {
        self.doctor_with(&[], |_| {})
    }

    pub(crate) fn doctor_in(&self, variables: &[(&str, &str)]) -> Report {
        self.doctor_with(&[], |command| {
            command.envs(variables.iter().copied());
        })
    }

    pub(crate) fn doctor_with(&self, args: &[&str], change: impl FnOnce(&mut Command)) -> Report {
        let mut command = self.command(&[&["doctor", "-o", "json"], args].concat());
        change(&mut command);
        Report::from_run(Run::of(&mut command))
    }

    /// The cached refresh tokens and tokens.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let store = Store::open(Some(self.home.state()), &Environment::default());
        let tokens = store.tokens().into_iter().map(|(id, ..)| store.token(&id).found().unwrap().token);
        let sessions = store.sessions().into_iter().map(|(id, ..)| store.session(&id).found().unwrap().1);
        let all = tokens.chain(sessions.filter_map(|session| session.refresh_token));
        all.map(|secret| secret.expose().to_owned()).collect()
    }
}

/// The doctor's report.
pub(crate) struct Report {
    run: Run,
    checks: Vec<Value>,
}

impl Report {
    pub(crate) fn from_run(run: Run) -> Report {
        let whole = run.object();
        let checks = whole["checks"].as_array().unwrap().clone();
        assert_eq!(checks.len(), NAMES.len(), "{run}");
        let has_failed = checks.iter().any(|check| check["result"] == "FAIL");
        assert_eq!(run.code, Some(i32::from(has_failed)), "{run}");
        assert_eq!(run.stderr, "", "{run}");
        for check in &checks {
            let is_bad = check["result"] == "FAIL" || check["result"] == "WARN";
            assert!(!is_bad || check["next"].is_string(), "no next step: {check}");
            let message = check["message"].as_str().unwrap();
            assert!(!message.is_empty() && !message.ends_with('.'), "{check}");
        }
        Report { run, checks }
    }

    fn check(&self, name: &str) -> &Value {
        self.checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no check {name}"))
    }

    /// Asserts the result and words of one check, including its next step.
    #[track_caller]
    pub(crate) fn assert_check(&self, name: &str, result: &str, words: &str) {
        let check = self.check(name);
        let text = format!("{}\n{}", check["message"].as_str().unwrap(), check["next"].as_str().unwrap_or_default());
        assert!(check["result"] == result && text.contains(words), "{words:?}: {check:#}");
    }

    /// Asserts these results, and that all other checks pass or are skipped.
    #[track_caller]
    pub(crate) fn assert_only(&self, expected: &[(&str, &str, &str)]) {
        for (name, result, words) in expected {
            self.assert_check(name, result, words);
        }
        let is_fine = |check: &&Value| check["result"] == "OK" || check["result"] == "SKIP";
        let others = self.checks.iter().filter(|check| !expected.iter().any(|(name, ..)| check["name"] == *name));
        let wrong: Vec<&Value> = others.filter(|check| !is_fine(check)).collect();
        assert!(wrong.is_empty(), "{wrong:#?}\n{}", self.run);
    }

    /// Asserts that these checks are skipped.
    #[track_caller]
    pub(crate) fn assert_skipped(&self, names: &[&str]) {
        for name in names {
            assert_eq!(self.check(name)["result"], "SKIP", "{:#}", self.check(name));
        }
    }
}
