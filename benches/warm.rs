//! How long a warm `get-token` takes, compared to an empty program:
//! `cargo bench --profile dev --bench warm [-- ROUNDS]`.
//!
//! Every kubectl command pays for this call, so it should cost about as much as starting a process. The programs take
//! turns, one call each per round, so that other load on the machine affects all of them alike. How to read the table:
//!
//! - *min* is the time of the program itself, without disturbances; *median* is the time that users wait.
//! - *ratio* is the median divided by the empty program's. With the key file it should stay below 2; a keyring adds a
//!   few round trips over the session bus.
//! - *peak* is the most memory that a call used (`/usr/bin/time`, from the package `time`); it should stay below 8 MiB.
//!   Any process needs more than one.
//!
//! Compare numbers of one run only. The benchmark never fails, because timings on a loaded machine prove nothing. It
//! builds and measures the release build; `--profile dev` only saves a release build of this program.

#![expect(clippy::print_stdout, reason = "a program for people to read")]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on should stop")]

#[allow(dead_code, unreachable_pub, unused_imports, reason = "the tests use all of it")]
#[path = "../tests/all/common/mod.rs"]
mod common;
#[path = "release/mod.rs"]
mod release;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Home, entra, oidc};
use sim::World;

const ROUNDS: usize = 200;
/// Rounds that do not count: they fill the page cache and get the processor up to speed.
const WARM_UP: usize = 10;

/// One line of the table.
struct Candidate {
    name: String,
    program: PathBuf,
    args: Vec<String>,
    home: PathBuf,
    /// The session bus, if there is one.
    bus: Option<String>,
    times: Vec<Duration>,
}

impl Candidate {
    fn new(name: &str, program: &Path, args: &[String], home: &Home) -> Candidate {
        let (program, home) = (program.to_owned(), home.path().to_owned());
        Candidate { name: name.to_owned(), program, args: args.to_vec(), home, bus: None, times: Vec::new() }
    }

    /// Runs `program` in this candidate's home directory, with nothing of the developer's environment.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        sim::isolate(&mut command, &self.home);
        if let Some(bus) = &self.bus {
            command.env("DBUS_SESSION_BUS_ADDRESS", bus);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// The duration of one call, from before the start of the process to its end.
    fn call(&self) -> Duration {
        let mut command = self.command(&self.program);
        command.args(&self.args);
        let started = Instant::now();
        let status = command.status().unwrap();
        let took = started.elapsed();
        assert!(status.success(), "{} failed: {status}", self.name);
        took
    }

    /// The most memory that a few calls used, in MiB.
    fn peak(&self) -> Option<f64> {
        let peaks = (0..5).filter_map(|_| release::peak(&self.program, &self.args, |program| self.command(program)));
        peaks.max_by(f64::total_cmp)
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        println!("A measurement, not a test: cargo bench --profile dev --bench warm");
        return;
    }
    let rounds = words.iter().find_map(|word| word.parse().ok()).unwrap_or(ROUNDS);

    let (world, home, folder) = (World::start(), Home::new(), tempfile::tempdir().unwrap());
    let plugin = release::build();
    let mut candidates = vec![Candidate::new("an empty Rust program", &empty_program(folder.path()), &[], &home)];
    let file = entra(&world, &["--token-cache-storage", "file"]);
    candidates.push(warmed(&world, Candidate::new("get-token, key file", &plugin, &file, &home)).unwrap());

    #[cfg(target_os = "linux")]
    let (keyring_home, _keyring) = {
        let home = Home::new();
        let keyring = common::keyring::Keyring::start(&home);
        let args = entra(&world, &["--token-cache-storage", "keyring"]);
        let mut candidate = Candidate::new("get-token, keyring", &plugin, &args, &home);
        candidate.bus = Some(keyring.address().to_owned());
        candidates.push(warmed(&world, candidate).unwrap());
        (home, keyring)
    };

    let peer_home = Home::new();
    for (program, dialect, args) in [
        ("kubelogin", "Entra", entra(&world, &["--disable-instance-discovery"])),
        ("kubelogin", "OIDC", oidc(&world, &["--skip-open-browser"])),
        ("kubectl-oidc_login", "OIDC", oidc(&world, &["--skip-open-browser"])),
    ] {
        let Some(path) = peer(program) else { continue };
        match warmed(&world, Candidate::new(&format!("{program}, {dialect}"), &path, &args, &peer_home)) {
            Some(candidate) => candidates.push(candidate),
            None => println!("{} ({dialect}) does not return a cached token here: left out", path.display()),
        }
    }

    for round in 0..WARM_UP + rounds {
        for candidate in &mut candidates {
            let took = candidate.call();
            if round >= WARM_UP {
                candidate.times.push(took);
            }
        }
    }
    print_table(&mut candidates, rounds);
    #[cfg(target_os = "linux")]
    drop(keyring_home);
}

fn print_table(candidates: &mut [Candidate], rounds: usize) {
    let median = |times: &[Duration]| times[times.len() / 2].as_secs_f64() * 1e3;
    candidates.iter_mut().for_each(|candidate| candidate.times.sort());
    let empty = median(&candidates[0].times);
    println!("\n{:<24}{:>9}{:>12}{:>8}{:>12}", format!("{rounds} rounds"), "min ms", "median ms", "ratio", "peak MiB");
    for candidate in candidates {
        let min = candidate.times[0].as_secs_f64() * 1e3;
        let mid = median(&candidate.times);
        let peak = candidate.peak().map_or("?".to_owned(), |mib| format!("{mib:.1}"));
        println!("{:<24}{min:>9.2}{mid:>12.2}{:>8.2}{peak:>12}", candidate.name, mid / empty);
    }
}

/// The candidate, signed in; `None` if its second call does not use its cache.
fn warmed(world: &World, candidate: Candidate) -> Option<Candidate> {
    let call = || {
        let mut command = candidate.command(Path::new("timeout"));
        command.arg("30").arg(&candidate.program).args(&candidate.args);
        command.env("KUBECTL_LOGIN_PROMPT", "always").stdout(Stdio::piped()).output().unwrap()
    };
    let first = call();
    world.reset_requests();
    let second = call();
    let same = !second.stdout.is_empty() && first.stdout == second.stdout;
    (second.status.success() && same && world.requests().is_empty()).then_some(candidate)
}

/// A program that does nothing, built with the release settings.
fn empty_program(folder: &Path) -> PathBuf {
    let (source, program) = (folder.join("empty.rs"), folder.join("empty"));
    std::fs::write(&source, "fn main() {}\n").unwrap();
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "-O", "-C", "lto=fat", "-C", "codegen-units=1", "-C", "panic=abort"]);
    let built = rustc.args(["-C", "strip=symbols", "-o"]).arg(&program).arg(&source).status().unwrap();
    assert!(built.success(), "the empty program was not built");
    program
}

/// Another program of that name on `PATH`; this plugin under one of its other names does not count.
fn peer(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let path = std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())?;
    let version = Command::new("timeout").arg("10").arg(&path).arg("version").output().ok()?;
    (!String::from_utf8_lossy(&version.stdout).contains("kubectl-login")).then_some(path)
}
