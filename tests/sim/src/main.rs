//! The simulated world as a program: `serve` to experiment with it, `demo` to watch the plugin at work.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people and scripts to read")]

mod demo;

use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use serde_json::json;
use sim::{Behaviour, CLIENT, OIDC_CLIENT, SERVER, TENANT, World};

/// The simulated world that kubectl-login is tested against.
#[derive(Parser)]
#[command(name = "sim")]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show the real plugin at work: build it, sign in, ask the cluster, refresh, log out.
    Demo {
        /// Use this plugin instead of building one.
        #[arg(long, value_name = "FILE")]
        plugin: Option<PathBuf>,
    },
    /// Run the world until standard input ends; print its addresses as one line of JSON.
    Serve {
        /// Misbehave like this; can be given several times.
        #[arg(long = "behaviour", value_name = "NAME", value_parser = behaviour)]
        behaviours: Vec<Behaviour>,
        /// The polling interval in seconds.
        #[arg(long, value_name = "N", default_value_t = 1)]
        interval: u64,
        /// The lifetime of tokens, in seconds.
        #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
        lifetime: u64,
        /// The number of groups that each user is a member of.
        #[arg(long, value_name = "N", default_value_t = 3)]
        groups: usize,
        /// Let a person approve, on the page that is printed.
        #[arg(long)]
        no_approve: bool,
    },
    /// List the behaviours.
    Behaviours,
}

fn behaviour(name: &str) -> Result<Behaviour, String> {
    Behaviour::from_name(name).ok_or_else(|| "no such behaviour; `sim behaviours` lists them".to_owned())
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Action::Demo { plugin } => demo::run(plugin),
        Action::Serve { behaviours, interval, lifetime, groups, no_approve } => {
            let world = World::start_with(&behaviours);
            world.set_interval(Some(interval));
            world.set_token_lifetime(Duration::from_secs(lifetime));
            world.set_groups(groups);
            world.approve_automatically(!no_approve);
            serve(&world).map_err(|error| format!("standard input or output: {error}"))
        }
        Action::Behaviours => {
            for behaviour in Behaviour::ALL {
                println!("{:36}{}", behaviour.name(), behaviour.summary());
            }
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("sim: {message}");
            ExitCode::FAILURE
        }
    }
}

fn serve(world: &World) -> io::Result<()> {
    let facts = json!({
        "authority": world.authority(), "tls_authority": world.tls_authority(),
        "issuer": world.issuer(), "tls_issuer": world.tls_issuer(),
        "graph_url": world.graph_url(), "kube_url": world.kube_url(), "ca_file": world.ca_file(), "approval_page": world.approval_page(),
        "tenant": TENANT, "client": CLIENT, "server": SERVER, "oidc_client": OIDC_CLIENT,
    });
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{facts}")?;
    stdout.flush()?;
    let mut stdin = io::stdin().lock();
    let mut ignored = [0; 1_024];
    while stdin.read(&mut ignored)? > 0 {}
    Ok(())
}
