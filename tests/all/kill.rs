//! Two hundred kills at any time of a sign-in, a refresh or a write, against an issuer that revokes the session if a
//! used refresh token is presented again. No file is ever torn, every later call works, and a new sign-in is needed
//! only if the response to a refresh was in flight.
//!
//! The times are random. The test prints the seed; `KILL_SEED` repeats the same times.
#![allow(clippy::print_stdout, reason = "people read the seed and the tally")]

use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::common::waiting::wait_until;
use crate::common::{ALWAYS, Home, Run, oidc};
use kubectl_login::environment::Environment;
use kubectl_login::store::{Lookup, Store};
use sim::World;

const FORCE: [&str; 3] = ["--force-refresh", "--prompt", "always"];
const WORLDS: u64 = 8;
const KILLS: u64 = 25;

/// A small random number generator (xorshift64*): the same seed gives the same times.
struct Random(u64);

impl Random {
    /// Uniformly between zero and `most`.
    fn up_to(&mut self, most: Duration) -> Duration {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        most.mul_f64(drawn as f64 / (1u64 << 53) as f64)
    }
}

/// The state at the kills, and their effects.
#[derive(Debug, Default)]
struct Tally {
    kills: usize,
    /// The process had ended before the kill.
    too_late: usize,
    /// A sign-in was killed before the session was stored.
    sign_ins_cut: usize,
    /// A refresh was killed before the issuer received its request.
    before_the_request: usize,
    /// A refresh was killed after its request, but the new refresh token was stored.
    after_the_answer: usize,
    /// A refresh was killed with the response in flight: a new sign-in was needed.
    in_flight: usize,
    /// A refresh was killed, and the issuer read its request after the next process's.
    read_last: usize,
}

/// Waits for a process, and approves each code that appears meanwhile.
#[track_caller]
fn end(world: &World, mut child: Child) -> Run {
    wait_until("it comes to an end", || {
        world.approve_pending();
        child.try_wait().unwrap().is_some()
    });
    Run::wait(child)
}

/// Kills a process after `delay`, and approves each code that appears meanwhile. Returns its output so far.
fn kill_after(world: &World, mut child: Child, delay: Duration) -> Run {
    let started = Instant::now();
    while started.elapsed() < delay {
        world.approve_pending();
        std::thread::sleep(Duration::from_millis(2).min(delay.saturating_sub(started.elapsed())));
    }
    child.kill().unwrap();
    Run::wait(child)
}

/// The token that a killed process had printed.
#[track_caller]
fn printed_token(killed: &Run) -> String {
    // Its exit code is that of the kill.
    Run { code: Some(0), stdout: killed.stdout.clone(), stderr: String::new() }.token()
}

/// Asserts that all records open, all other files are complete, and `status` works.
#[track_caller]
fn assert_nothing_torn(home: &Home) {
    let store = Store::open(Some(home.state()), &Environment::default());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    // A temporary file of an interrupted write may remain beside its target.
    let whole = |folder| home.files(folder).into_iter().filter(|path| !name(path).starts_with(".kubectl-login-"));
    for path in whole("sessions") {
        assert!(matches!(store.session(&name(&path)), Lookup::Found(_)), "{} is torn", path.display());
    }
    for path in whole("tokens") {
        assert!(matches!(store.token(&name(&path)), Lookup::Found(_)), "{} is torn", path.display());
    }
    for path in whole("issuers").chain(whole("outcomes")) {
        let text = fs::read(&path).unwrap();
        assert!(serde_json::from_slice::<serde_json::Value>(&text).is_ok(), "{} is torn", path.display());
    }
    if let Ok(key) = fs::read(home.state().join("kubectl-login.key")) {
        assert_eq!(key.len(), 45, "the key is torn");
    }
    let status = home.run(&["status", "-o", "json"]);
    assert_eq!(status.code, Some(0), "{status}");
}

/// Kills a sign-in after `delay`. The next call returns a token, and prompts only if the killed one had stored nothing.
fn sign_in_and_kill(world: &World, home: &Home, delay: Duration, tally: &mut Tally) {
    assert_eq!(home.run(&["logout", "--all"]).code, Some(0));
    world.reset_requests();
    let killed = kill_after(world, home.start(&oidc(world, &ALWAYS)), delay);
    assert_nothing_torn(home);
    let asked_before = world.device_requests().len();
    let next = end(world, home.start(&oidc(world, &ALWAYS)));
    let token = next.token();
    let asked = world.device_requests().len() > asked_before;
    if killed.stdout.is_empty() {
        tally.sign_ins_cut += usize::from(asked);
    } else {
        // What was printed had been stored before.
        assert_eq!((printed_token(&killed), asked), (token, false), "after {delay:?}: {next}");
        tally.too_late += 1;
    }
}

/// Kills a refresh after `delay`. The next call uses the cache, and the next refresh works.
fn refresh_and_kill(world: &World, home: &Home, delay: Duration, tally: &mut Tally) {
    world.reset_requests();
    let lost_before = world.families_revoked();
    let killed = kill_after(world, home.start(&oidc(world, &FORCE)), delay);
    assert_nothing_torn(home);
    let plain = home.run(&oidc(world, &ALWAYS));
    plain.token();
    assert_eq!((plain.stderr.as_str(), world.device_requests().len()), ("", 0), "after {delay:?}: {plain}");
    let next = end(world, home.start(&oidc(world, &FORCE)));
    next.token();
    let (refreshes, asked) = (world.refreshes().len(), world.device_requests().len());
    let lost = world.families_revoked() - lost_before;
    if (lost, refreshes, asked) == (1, 2, 0) && killed.stdout.is_empty() {
        // On a busy machine the issuer may read the killed process's request last, and take it for a stolen token.
        tally.read_last += 1;
        assert_eq!(home.run(&["logout", "--all"]).code, Some(0));
        end(world, home.start(&oidc(world, &ALWAYS))).token();
        return;
    }
    // The killed process's request, if it was sent, and the last one.
    assert!((1..=2).contains(&refreshes), "after {delay:?}: {next}");
    assert_eq!((lost, asked), if next.stderr.is_empty() { (0, 0) } else { (1, 1) }, "after {delay:?}: {next}");
    assert!(asked == 0 || refreshes == 2, "a new sign-in, but nothing was in flight; after {delay:?}: {next}");
    if !killed.stdout.is_empty() {
        // What was printed had been stored before.
        assert_eq!((printed_token(&killed), asked), (plain.token(), 0), "after {delay:?}: {next}");
        tally.too_late += 1;
    } else if refreshes == 1 {
        tally.before_the_request += 1;
    } else if asked == 0 {
        tally.after_the_answer += 1;
    } else {
        tally.in_flight += 1;
    }
}

/// Kills processes in one world, alternating one sign-in and two refreshes.
fn kill_repeatedly(seed: u64) -> Tally {
    let (world, home, mut random, mut tally) = (World::start(), Home::new(), Random(seed | 1), Tally::default());
    end(&world, home.start(&oidc(&world, &ALWAYS))).token();
    // The durations of a sign-in and a refresh. They follow the observed ones, so that the kills are spread evenly on
    // any machine.
    let (mut sign_in, mut refresh) = (Duration::from_millis(300), Duration::from_millis(60));
    let next = |time: Duration, was_too_late: bool| time.mul_f64(if was_too_late { 0.75 } else { 1.15 });
    for kill in 0..KILLS {
        let too_late = tally.too_late;
        if kill % 3 == 0 {
            sign_in_and_kill(&world, &home, random.up_to(sign_in), &mut tally);
            sign_in = next(sign_in, tally.too_late > too_late);
        } else {
            refresh_and_kill(&world, &home, random.up_to(refresh), &mut tally);
            refresh = next(refresh, tally.too_late > too_late);
        }
        tally.kills += 1;
    }
    tally
}

#[test]
fn kills_tear_no_files_and_lose_only_responses_in_flight() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = std::env::var("KILL_SEED").map_or_else(|_| now(), |seed| seed.parse().unwrap());
    println!("KILL_SEED={seed}");
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let worlds: Vec<_> =
            (1..=WORLDS).map(|world| scope.spawn(move || kill_repeatedly(seed.wrapping_mul(2 * world + 1)))).collect();
        worlds.into_iter().map(|world| world.join().unwrap()).collect()
    });
    let sum = |count: fn(&Tally) -> usize| tallies.iter().map(count).sum::<usize>();
    println!(
        "{} kills: {} sign-ins cut short, refreshes: {} before the request, {} after the answer was kept, {} with the \
         answer in flight (a new sign-in each), {} read last; {} came too late",
        sum(|tally| tally.kills),
        sum(|tally| tally.sign_ins_cut),
        sum(|tally| tally.before_the_request),
        sum(|tally| tally.after_the_answer),
        sum(|tally| tally.in_flight),
        sum(|tally| tally.read_last),
        sum(|tally| tally.too_late),
    );
    assert_eq!(sum(|tally| tally.kills), 200);
    // The kills must hit each stage, or the test proves nothing.
    assert!(sum(|tally| tally.sign_ins_cut) > 0 && sum(|tally| tally.before_the_request) > 0);
    assert!(sum(|tally| tally.after_the_answer) + sum(|tally| tally.in_flight) > 0);
}
