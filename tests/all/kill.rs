//! Two hundred kills at any moment of a sign-in, a refresh or a write, against an issuer that ends the whole session
//! when a used refresh token comes back: nothing is ever torn, every later call works, and a new sign-in is needed only
//! where the answer to a refresh was in flight at the kill.
//!
//! The moments are drawn at random; the seed is printed, and `KILL_SEED` draws the same ones again.
#![allow(clippy::print_stdout, reason = "the seed and the tally are worth reading")]

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

/// A small generator of random numbers (xorshift64*): a seed gives the same moments again.
struct Random(u64);

impl Random {
    /// Evenly between nothing and `most`.
    fn up_to(&mut self, most: Duration) -> Duration {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        most.mul_f64(drawn as f64 / (1u64 << 53) as f64)
    }
}

/// What a kill hit, and what it cost.
#[derive(Debug, Default)]
struct Tally {
    kills: usize,
    /// The process had ended before the kill came.
    too_late: usize,
    /// A sign-in was killed before it was kept.
    sign_ins_cut: usize,
    /// A refresh was killed before the issuer had seen it.
    before_the_request: usize,
    /// A refresh was killed with the request out, and the new refresh token was kept all the same.
    after_the_answer: usize,
    /// A refresh was killed with the answer in flight: a new sign-in was needed.
    in_flight: usize,
    /// A refresh was killed, and the issuer read its request after that of the next process.
    read_last: usize,
}

/// Lets a process come to its end, and approves every code that is shown meanwhile.
#[track_caller]
fn end(world: &World, mut child: Child) -> Run {
    wait_until("it comes to an end", || {
        world.approve_pending();
        child.try_wait().unwrap().is_some()
    });
    Run::wait(child)
}

/// Kills a process after `delay`, and approves every code that is shown meanwhile. What it had said by then.
fn kill_after(world: &World, mut child: Child, delay: Duration) -> Run {
    let started = Instant::now();
    while started.elapsed() < delay {
        world.approve_pending();
        std::thread::sleep(Duration::from_millis(2).min(delay.saturating_sub(started.elapsed())));
    }
    child.kill().unwrap();
    Run::wait(child)
}

/// The token that a killed process had printed by then.
#[track_caller]
fn handed_over(killed: &Run) -> String {
    // Its exit code tells of the kill.
    Run { code: Some(0), stdout: killed.stdout.clone(), stderr: String::new() }.token()
}

/// Every record opens, every other file is whole, and `status` can be read.
#[track_caller]
fn assert_nothing_torn(home: &Home) {
    let store = Store::open(Some(home.state()), &Environment::default());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    // What was being written when the kill came is left beside the file it was for.
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

/// Kills a sign-in after `delay`. The next call brings a token, and asks only if the killed one had kept nothing.
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
        // What was handed over was kept before.
        assert_eq!((handed_over(&killed), asked), (token, false), "after {delay:?}: {next}");
        tally.too_late += 1;
    }
}

/// Kills a refresh after `delay`. The next call answers from what is kept, and the next refresh works.
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
        // On a busy machine the issuer may read the killed one's request last, and take it for a stolen token.
        tally.read_last += 1;
        assert_eq!(home.run(&["logout", "--all"]).code, Some(0));
        end(world, home.start(&oidc(world, &ALWAYS))).token();
        return;
    }
    // The killed one's request, if it got out, and the one just now.
    assert!((1..=2).contains(&refreshes), "after {delay:?}: {next}");
    assert_eq!((lost, asked), if next.stderr.is_empty() { (0, 0) } else { (1, 1) }, "after {delay:?}: {next}");
    assert!(asked == 0 || refreshes == 2, "a new sign-in, but nothing was in flight; after {delay:?}: {next}");
    if !killed.stdout.is_empty() {
        // What was handed over was kept before.
        assert_eq!((handed_over(&killed), asked), (plain.token(), 0), "after {delay:?}: {next}");
        tally.too_late += 1;
    } else if refreshes == 1 {
        tally.before_the_request += 1;
    } else if asked == 0 {
        tally.after_the_answer += 1;
    } else {
        tally.in_flight += 1;
    }
}

/// One home in one world: kills in turn, one sign-in to two refreshes.
fn kill_again_and_again(seed: u64) -> Tally {
    let (world, home, mut random, mut tally) = (World::start(), Home::new(), Random(seed | 1), Tally::default());
    end(&world, home.start(&oidc(&world, &ALWAYS))).token();
    // How long a sign-in and a refresh may take; it follows what is seen, so that the kills fall on all of it on any
    // machine.
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
fn two_hundred_kills_tear_nothing_and_lose_no_more_than_the_answer_in_flight() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = std::env::var("KILL_SEED").map_or_else(|_| now(), |seed| seed.parse().unwrap());
    println!("KILL_SEED={seed}");
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let worlds: Vec<_> = (1..=WORLDS)
            .map(|world| scope.spawn(move || kill_again_and_again(seed.wrapping_mul(2 * world + 1))))
            .collect();
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
    // A refresh is cut at every stage, or the test shows nothing.
    assert!(sum(|tally| tally.sign_ins_cut) > 0 && sum(|tally| tally.before_the_request) > 0);
    assert!(sum(|tally| tally.after_the_answer) + sum(|tally| tally.in_flight) > 0);
}
