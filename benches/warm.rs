//! How long a warm `get-token` takes, beside an empty program:
//! `cargo bench --profile dev --bench warm [-- ROUNDS]`.
//!
//! Every kubectl command pays for this call, so it should cost about what starting a process costs. The programs take
//! turns, one call each per round, so that whatever else the machine is doing meets all of them alike. How to read the
//! table:
//!
//! - *min* is what the program itself takes, the machine's moods apart; *median* is what people wait.
//! - *ratio* is the median over the empty program's. With the key file it should stay under 2; a keyring adds a few
//!   trips over the session bus.
//! - *peak* is the most memory it held (`/usr/bin/time`, from the package `time`); it should stay under 8 MiB,
//!   of which any process takes more than one.
//!
//! Compare numbers of one run only. Nothing fails here: a loaded machine proves nothing. What is measured is the release
//! build, which is made first; `--profile dev` only spares the stopwatch one of its own.

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
/// Before anything counts: files get into the page cache, the processor up to speed.
const WARM_UP: usize = 10;

/// One line of the table.
struct Contestant {
    name: String,
    program: PathBuf,
    args: Vec<String>,
    home: PathBuf,
    /// The session bus, where there is one.
    bus: Option<String>,
    times: Vec<Duration>,
}

impl Contestant {
    fn new(name: &str, program: &Path, args: &[String], home: &Home) -> Contestant {
        let (program, home) = (program.to_owned(), home.path().to_owned());
        Contestant { name: name.to_owned(), program, args: args.to_vec(), home, bus: None, times: Vec::new() }
    }

    /// `program` with what this contestant's home is, and nothing of the developer's.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        sim::isolate(&mut command, &self.home);
        if let Some(bus) = &self.bus {
            command.env("DBUS_SESSION_BUS_ADDRESS", bus);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// One call, from before it is started until it has ended.
    fn call(&self) -> Duration {
        let mut command = self.command(&self.program);
        command.args(&self.args);
        let started = Instant::now();
        let status = command.status().unwrap();
        let took = started.elapsed();
        assert!(status.success(), "{} failed: {status}", self.name);
        took
    }

    /// The most memory it held in a few calls, in MiB.
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
    let mut contestants = vec![Contestant::new("an empty Rust program", &empty_program(folder.path()), &[], &home)];
    let file = entra(&world, &["--token-cache-storage", "file"]);
    contestants.push(warmed(&world, Contestant::new("get-token, key file", &plugin, &file, &home)).unwrap());

    #[cfg(target_os = "linux")]
    let (keyring_home, _keyring) = {
        let home = Home::new();
        let keyring = common::keyring::Keyring::start(&home);
        let args = entra(&world, &["--token-cache-storage", "keyring"]);
        let mut contestant = Contestant::new("get-token, keyring", &plugin, &args, &home);
        contestant.bus = Some(keyring.address().to_owned());
        contestants.push(warmed(&world, contestant).unwrap());
        (home, keyring)
    };

    let peer_home = Home::new();
    for (program, dialect, args) in [
        ("kubelogin", "Entra", entra(&world, &["--disable-instance-discovery"])),
        ("kubelogin", "OIDC", oidc(&world, &["--skip-open-browser"])),
        ("kubectl-oidc_login", "OIDC", oidc(&world, &["--skip-open-browser"])),
    ] {
        let Some(path) = peer(program) else { continue };
        match warmed(&world, Contestant::new(&format!("{program}, {dialect}"), &path, &args, &peer_home)) {
            Some(contestant) => contestants.push(contestant),
            None => println!("{} ({dialect}) gives no token from its cache here: left out", path.display()),
        }
    }

    for round in 0..WARM_UP + rounds {
        for contestant in &mut contestants {
            let took = contestant.call();
            if round >= WARM_UP {
                contestant.times.push(took);
            }
        }
    }
    print_table(&mut contestants, rounds);
    #[cfg(target_os = "linux")]
    drop(keyring_home);
}

fn print_table(contestants: &mut [Contestant], rounds: usize) {
    let median = |times: &[Duration]| times[times.len() / 2].as_secs_f64() * 1e3;
    contestants.iter_mut().for_each(|contestant| contestant.times.sort());
    let empty = median(&contestants[0].times);
    println!("\n{:<24}{:>9}{:>12}{:>8}{:>12}", format!("{rounds} rounds"), "min ms", "median ms", "ratio", "peak MiB");
    for contestant in contestants {
        let min = contestant.times[0].as_secs_f64() * 1e3;
        let mid = median(&contestant.times);
        let peak = contestant.peak().map_or("?".to_owned(), |mib| format!("{mib:.1}"));
        println!("{:<24}{min:>9.2}{mid:>12.2}{:>8.2}{peak:>12}", contestant.name, mid / empty);
    }
}

/// The contestant, signed in; `None` if its second call is not answered from its cache.
fn warmed(world: &World, contestant: Contestant) -> Option<Contestant> {
    let call = || {
        let mut command = contestant.command(Path::new("timeout"));
        command.arg("30").arg(&contestant.program).args(&contestant.args);
        command.env("KUBECTL_LOGIN_PROMPT", "always").stdout(Stdio::piped()).output().unwrap()
    };
    let first = call();
    world.reset_requests();
    let second = call();
    let same = !second.stdout.is_empty() && first.stdout == second.stdout;
    (second.status.success() && same && world.requests().is_empty()).then_some(contestant)
}

/// A program that does nothing, built with the settings of the release.
fn empty_program(folder: &Path) -> PathBuf {
    let (source, program) = (folder.join("empty.rs"), folder.join("empty"));
    std::fs::write(&source, "fn main() {}\n").unwrap();
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "-O", "-C", "lto=fat", "-C", "codegen-units=1", "-C", "panic=abort"]);
    let built = rustc.args(["-C", "strip=symbols", "-o"]).arg(&program).arg(&source).status().unwrap();
    assert!(built.success(), "the empty program does not build");
    program
}

/// Another program of that name on `PATH`; ours under one of its extra names does not count.
fn peer(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let path = std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())?;
    let version = Command::new("timeout").arg("10").arg(&path).arg("version").output().ok()?;
    (!String::from_utf8_lossy(&version.stdout).contains("kubectl-login")).then_some(path)
}
