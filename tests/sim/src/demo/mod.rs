//! The newcomer's first look: the real plugin, the real kubectl if there is one, and a world that belongs to nobody.

mod build;
mod child;
mod page;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sim::{ALICE, World};
use tempfile::TempDir;

use child::{Child, Outcome};

/// Short enough to watch it end.
const SHORT_LIFETIME: Duration = Duration::from_secs(1);
/// What a sign-in or a kubectl call may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Demo {
    world: World,
    home: TempDir,
    plugin: PathBuf,
    kubectl: Option<PathBuf>,
}

/// Runs the whole demonstration, with this plugin or one that it builds; the error says which step failed.
pub(crate) fn run(plugin: Option<PathBuf>) -> Result<(), String> {
    page::title("kubectl-login in a simulated world: no real cloud, no real account, nothing kept");

    let plugin = match plugin {
        Some(plugin) => std::path::absolute(plugin).map_err(|error| error.to_string())?,
        None => {
            page::step("Build the plugin");
            let plugin = build::plugin()?;
            page::note(&format!("built: {}", plugin.display()));
            plugin
        }
    };

    page::step("Start the world");
    let world = World::start();
    world.approve_automatically(false);
    let home = tempfile::Builder::new().prefix("sim-demo-").tempdir().map_err(|error| error.to_string())?;
    let demo = Demo { kubectl: build::on_path("kubectl"), world, home, plugin };
    demo.write_kubeconfigs().map_err(|error| format!("cannot write the kubeconfigs: {error}"))?;
    page::note(&format!("an Entra-shaped tenant   {}", demo.world.authority()));
    page::note(&format!("a plain OIDC issuer      {}", demo.world.issuer()));
    page::note(&format!("a Kubernetes API         {}", demo.world.kube_url()));
    page::note(&format!("a home for the plugin    {}", demo.home.path().display()));

    demo.aks()?;
    demo.oidc()?;
    demo.log_out()?;

    let Demo { world, home, .. } = demo;
    drop(world);
    home.close().map_err(|error| format!("cannot remove the temporary home: {error}"))?;
    page::end("All is cleaned up. What to do next for real: README.md");
    Ok(())
}

impl Demo {
    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write_kubeconfigs(&self) -> std::io::Result<()> {
        let plugin = self.plugin.to_string_lossy();
        // Some platforms insist that the runtime folder is there, and private.
        fs::create_dir(self.file("run"))?;
        fs::write(self.file("aks.yaml"), self.world.aks_kubeconfig(&plugin))?;
        fs::write(self.file("oidc.yaml"), self.world.oidc_kubeconfig(&plugin))
    }

    fn child(&self, program: &Path, args: &[impl AsRef<str>]) -> Child {
        Child::new(program, args, self.home.path())
    }

    /// Signs in by device code, playing the person: the code is approved once it has been shown, not before.
    fn sign_in(&self, args: &[String]) -> Result<Outcome, String> {
        self.world.reset_requests();
        let child = self.child(&self.plugin, args).shown();
        let outcome = child.run_watching(PATIENCE, |stderr| {
            let shown: Vec<String> =
                self.world.pending().into_iter().filter(|code| stderr.contains(code.as_str())).collect();
            for code in shown {
                self.world.approve(&code);
            }
        })?;
        page::output(&outcome);
        outcome.succeeded()?;
        page::note(&format!("the code was approved by {ALICE} once it had been shown"));
        Ok(outcome)
    }

    /// Runs a command of the plugin's.
    fn plugin(&self, kubeconfig: &str, args: &[&str]) -> Result<(), String> {
        let outcome = self.child(&self.plugin, args).kubeconfig(&self.file(kubeconfig)).shown().run(PATIENCE)?;
        page::output(&outcome);
        outcome.succeeded()
    }

    /// Asks the cluster through kubectl, if there is one.
    fn kubectl(&self, kubeconfig: &str, args: &[&str]) -> Result<(), String> {
        let Some(kubectl) = &self.kubectl else {
            page::note("kubectl is not installed here: skipped");
            return Ok(());
        };
        let outcome = self.child(kubectl, args).kubeconfig(&self.file(kubeconfig)).shown().run(PATIENCE)?;
        page::output(&outcome);
        outcome.succeeded()
    }

    fn aks(&self) -> Result<(), String> {
        let args = self.world.aks_args();
        page::step("Sign in to an AKS cluster by device code, with the arguments that `az` writes");
        self.sign_in(&args)?;

        page::step("Ask again: the remembered token is answered without the network");
        self.world.reset_requests();
        page::again();
        let started = Instant::now();
        let outcome = self.child(&self.plugin, &args).run(PATIENCE)?;
        let took = started.elapsed();
        page::output(&outcome);
        outcome.succeeded()?;
        let requests = self.world.requests().len();
        page::note(&format!("{} ms, {requests} requests", took.as_millis()));
        if requests != 0 {
            return Err("a warm call must not use the network".to_owned());
        }

        page::step("Let kubectl use it");
        self.kubectl("aks.yaml", &["get", "pods"])?;

        page::step("What is remembered");
        self.plugin("aks.yaml", &["status"])?;

        page::step("Join 250 groups, more than a token can carry, and see them all counted");
        self.world.set_groups(250);
        self.plugin("aks.yaml", &["whoami", "--refresh"])?;
        self.world.set_groups(3);
        Ok(())
    }

    fn oidc(&self) -> Result<(), String> {
        let args = self.world.oidc_args();
        page::step("Sign in to a plain OIDC issuer, whose tokens live for a second here");
        self.world.set_token_lifetime(SHORT_LIFETIME);
        self.sign_in(&args)?;

        page::step("Let the token end, and ask again: it is refreshed, nobody is asked");
        std::thread::sleep(SHORT_LIFETIME);
        self.world.set_token_lifetime(Duration::from_secs(3_600));
        self.world.reset_requests();
        page::again();
        let outcome = self.child(&self.plugin, &args).run(PATIENCE)?;
        page::output(&outcome);
        outcome.succeeded()?;
        let (refreshes, prompts) = (self.world.refreshes().len(), self.world.device_requests().len());
        page::note(&format!("{refreshes} refresh, {prompts} sign-ins"));
        if (refreshes, prompts) != (1, 0) {
            return Err("an expired token must be refreshed once, without a sign-in".to_owned());
        }

        page::step("Who the cluster says you are");
        self.kubectl("oidc.yaml", &["auth", "whoami"])
    }

    fn log_out(&self) -> Result<(), String> {
        page::step("Forget everything");
        self.plugin("aks.yaml", &["logout", "--all"])
    }
}
