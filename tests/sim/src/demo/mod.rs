//! The newcomer's first look: the real plugin and, if installed, the real kubectl, in a simulated world.

mod build;
mod child;
mod page;
#[cfg(unix)]
mod pty;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sim::{ALICE, World};
use tempfile::TempDir;

use child::Child;

/// Short enough to wait until it expires.
const SHORT_LIFETIME: Duration = Duration::from_secs(1);
/// How long a sign-in or a kubectl call may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// What kubectl looks for when it is called as `kubectl login`.
const PLUGIN: &str = "kubectl-login";

struct Demo {
    world: World,
    home: TempDir,
    plugin: PathBuf,
    kubectl: Option<PathBuf>,
}

/// Runs the whole demo, with this plugin or one that it builds; the error says which step failed.
pub(crate) fn run(plugin: Option<PathBuf>) -> Result<(), String> {
    page::title("kubectl-login in a simulated world: no real cloud, no real account");
    let plugin = match plugin {
        Some(plugin) => std::path::absolute(plugin).map_err(|error| error.to_string())?,
        None => {
            page::note("building the plugin …");
            build::plugin()?
        }
    };

    let world = World::start();
    world.approve_automatically(false);
    let home = tempfile::Builder::new().prefix("sim-demo-").tempdir().map_err(|error| error.to_string())?;
    let demo = Demo { kubectl: build::on_path("kubectl"), world, home, plugin };
    demo.prepare_home().map_err(|error| format!("cannot prepare {}: {error}", demo.home.path().display()))?;
    page::note(&format!("a Microsoft Entra tenant  {}", demo.world.authority()));
    page::note(&format!("an OpenID Connect issuer  {}", demo.world.issuer()));
    page::note(&format!("a Kubernetes API server   {}", demo.world.kube_url()));
    page::note(&format!("a home folder             {}", demo.home.path().display()));
    if demo.kubectl.is_none() {
        page::note("kubectl is not installed: its steps are skipped");
    }

    demo.aks()?;
    demo.oidc()?;
    demo.log_out()?;

    let Demo { world, home, .. } = demo;
    drop(world);
    home.close().map_err(|error| format!("cannot remove the temporary home folder: {error}"))?;
    page::end("The demo has removed everything it created. To sign in for real: README.md");
    Ok(())
}

impl Demo {
    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn prepare_home(&self) -> io::Result<()> {
        let plugin = self.plugin.to_string_lossy();
        // Some platforms require that the runtime directory exists and is private.
        fs::create_dir(self.file("run"))?;
        fs::create_dir(self.file("bin"))?;
        // kubectl finds a plugin by its name on the PATH, and `--plugin` may name any file.
        let on_path = self.file("bin").join(format!("{PLUGIN}{}", std::env::consts::EXE_SUFFIX));
        #[cfg(unix)]
        std::os::unix::fs::symlink(&self.plugin, on_path)?;
        #[cfg(not(unix))]
        fs::copy(&self.plugin, on_path)?;
        fs::write(self.file("aks.yaml"), self.world.aks_kubeconfig(&plugin))?;
        fs::write(self.file("oidc.yaml"), self.world.oidc_kubeconfig(&plugin))
    }

    fn child(&self, program: &Path, name: &str, args: &[impl AsRef<str>]) -> Result<Child, String> {
        Child::new(program, name, args, self.home.path()).map_err(|error| format!("cannot prepare {name}: {error}"))
    }

    /// A command of the plugin, run as a user would: `kubectl login …`, or `kubectl-login …` without kubectl.
    fn plugin(&self, kubeconfig: &str, args: &[&str]) -> Result<Child, String> {
        let child = match &self.kubectl {
            Some(kubectl) => self.child(kubectl, "kubectl", &[&["login"], args].concat())?,
            None => self.child(&self.plugin, PLUGIN, args)?,
        };
        child.kubeconfig(&self.file(kubeconfig)).on_terminal()
    }

    /// Runs a command of the plugin and shows it.
    fn run_plugin(&self, kubeconfig: &str, args: &[&str]) -> Result<(), String> {
        let outcome = self.plugin(kubeconfig, args)?.shown().run(PATIENCE)?;
        page::output(&outcome);
        outcome.succeeded()
    }

    /// Signs in with a device code and plays the user: approves the code once it has been shown, not before.
    fn sign_in(&self, kubeconfig: &str) -> Result<(), String> {
        self.world.reset_requests();
        let outcome = self.plugin(kubeconfig, &[])?.shown().run_watching(PATIENCE, |stderr| {
            let shown: Vec<String> =
                self.world.pending().into_iter().filter(|code| stderr.contains(code.as_str())).collect();
            for code in shown {
                self.world.approve(&code);
            }
        })?;
        page::output(&outcome);
        outcome.succeeded()?;
        page::note(&format!("{ALICE} entered the code when it was shown"));
        Ok(())
    }

    /// Runs kubectl, if installed.
    fn kubectl(&self, kubeconfig: &str, args: &[&str]) -> Result<(), String> {
        let Some(kubectl) = &self.kubectl else {
            page::note("kubectl is not installed: skipped");
            return Ok(());
        };
        let child = self.child(kubectl, "kubectl", args)?.kubeconfig(&self.file(kubeconfig));
        let outcome = child.shown().run(PATIENCE)?;
        page::output(&outcome);
        outcome.succeeded()
    }

    /// Runs the plugin as kubectl does, with these arguments of a kubeconfig entry.
    fn get_token(&self, args: &[String]) -> Result<Duration, String> {
        let child = self.child(&self.plugin, PLUGIN, args)?.shown();
        let started = Instant::now();
        let outcome = child.run(PATIENCE)?;
        let took = started.elapsed();
        page::output(&outcome);
        outcome.succeeded()?;
        Ok(took)
    }

    fn aks(&self) -> Result<(), String> {
        page::step("Sign in to an AKS cluster with a device code");
        self.sign_in("aks.yaml")?;

        page::step("Use the cluster: kubectl runs the plugin, which has a cached token");
        self.kubectl("aks.yaml", &["get", "pods"])?;

        page::step("What kubectl runs: get-token, with the arguments in the kubeconfig");
        self.world.reset_requests();
        let took = self.get_token(&self.world.aks_args())?;
        let requests = self.world.requests().len();
        page::note(&format!("from the cache: {} ms, {requests} requests", took.as_millis()));
        if requests != 0 {
            return Err("a cached token must not use the network".to_owned());
        }

        page::step("Show the cached sessions");
        self.run_plugin("aks.yaml", &["status"])?;

        page::step("Join 250 groups, more than fit in a token, and see who you are");
        self.world.set_groups(250);
        self.run_plugin("aks.yaml", &["whoami", "--refresh"])?;
        self.world.set_groups(3);
        Ok(())
    }

    fn oidc(&self) -> Result<(), String> {
        page::step("Sign in to another issuer, whose tokens expire after one second here");
        self.world.set_token_lifetime(SHORT_LIFETIME);
        self.sign_in("oidc.yaml")?;

        page::step("Get a token after that one has expired: a refresh, no new sign-in");
        std::thread::sleep(SHORT_LIFETIME);
        self.world.set_token_lifetime(Duration::from_secs(3_600));
        self.world.reset_requests();
        self.get_token(&self.world.oidc_args())?;
        let (refreshes, prompts) = (self.world.refreshes().len(), self.world.device_requests().len());
        page::note(&format!("{refreshes} refresh, {prompts} sign-ins"));
        if (refreshes, prompts) != (1, 0) {
            return Err("an expired token must be refreshed once, without a sign-in".to_owned());
        }

        page::step("Ask the cluster who you are");
        self.kubectl("oidc.yaml", &["auth", "whoami"])
    }

    fn log_out(&self) -> Result<(), String> {
        page::step("Log out: forget every session");
        self.run_plugin("aks.yaml", &["logout", "--all"])
    }
}
