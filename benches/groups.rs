//! How long a group look-up takes, and how much memory, by the number of groups:
//! `cargo bench --profile dev --bench groups [-- ROUNDS]`.
//!
//! `whoami --refresh -o json` reads the groups from the simulated Graph, caches them and prints them. Up to 200 are in
//! the token, up to 11,000 come in one response, more come in pages. Both columns should grow linearly, and 100,000
//! groups should take less than 64 MiB. How to read the table:
//!
//! - *median* is the whole call; *per 1000* is the time beyond the call with 3 groups, for each thousand groups. It
//!   includes the time of the simulated Graph.
//! - *peak* is the most memory that a call used (`/usr/bin/time`, from the package `time`).
//!
//! Compare numbers of one run only. The benchmark never fails, because timings on a loaded machine prove nothing. It
//! builds and measures the release build; `--profile dev` only saves a release build of the simulated world.

#![expect(clippy::print_stdout, reason = "a program for people to read")]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on should stop")]

#[allow(dead_code, unreachable_pub, unused_imports, reason = "the tests use all of it")]
#[path = "../tests/all/common/mod.rs"]
mod common;
#[path = "release/mod.rs"]
mod release;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Home, entra};
use sim::World;

const ROUNDS: usize = 5;
const COUNTS: [usize; 8] = [3, 200, 201, 5_000, 11_000, 11_001, 50_000, 100_000];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        println!("A measurement, not a test: cargo bench --profile dev --bench groups");
        return;
    }
    let rounds = words.iter().find_map(|word| word.parse().ok()).unwrap_or(ROUNDS);
    let plugin = release::build();
    println!("\n{:<16}{:>12}{:>16}{:>12}", format!("{rounds} rounds"), "median ms", "per 1000 ms", "peak MiB");
    let mut few = Duration::ZERO;
    for count in COUNTS {
        let (world, home) = (World::start(), Home::new());
        world.set_groups(count);
        let args = entra(&world, &["--client-id", sim::OWN_CLIENT]);
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        let kubeconfig = world.kubeconfig("kubectl-login", &words, "client.authentication.k8s.io/v1beta1");
        let kubeconfig = home.write("config", &kubeconfig);
        let command = |program: &Path| {
            let mut command = Command::new(program);
            sim::isolate(&mut command, home.path());
            command.env("KUBECONFIG", &kubeconfig).env("KUBECTL_LOGIN_PROMPT", "always");
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        assert!(command(&plugin).status().unwrap().success(), "the sign-in failed");
        let args = ["whoami", "--refresh", "--groups", "-o", "json"].map(str::to_owned);
        let mut times: Vec<Duration> = (0..rounds)
            .map(|_| {
                let mut call = command(&plugin);
                call.args(&args);
                let started = Instant::now();
                assert!(call.status().unwrap().success(), "the look-up failed");
                started.elapsed()
            })
            .collect();
        times.sort();
        let median = times[times.len() / 2];
        let peak = release::peak(&plugin, &args, command).map_or("?".to_owned(), |mib| format!("{mib:.1}"));
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        if count == COUNTS[0] {
            few = median;
        }
        let each = milliseconds(median.saturating_sub(few)) * 1e3 / count as f64;
        println!("{:<16}{:>12.1}{each:>16.2}{peak:>12}", format!("{count} groups"), milliseconds(median));
    }
}
