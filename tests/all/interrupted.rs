//! Ctrl-C and SIGTERM end the plugin at any time, and no existing data is lost.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::process::Child;

use crate::common::waiting::wait_for_count_at_lock;
use crate::common::{ALMOST_EXPIRED, ALWAYS, EXPIRES_SOON, HANG, Home, Run, entra, oidc};
use kubectl_login::environment::Environment;
use kubectl_login::store::Store;
use kubectl_login::store::lock::{self, Lock, WaitDecision};
use rustix::process::{Pid, Signal, kill_process};
use sim::{Behaviour, OWN_CLIENT, World};

const OWN: [&str; 2] = ["--client-id", OWN_CLIENT];

/// Waits until `count` refreshes have arrived.
#[track_caller]
fn wait_for_refreshes(world: &World, count: usize) {
    assert!(world.wait_for(HANG, |log| log.refreshes().len() >= count), "no refresh came");
}

/// Sends the signal to a process, and asserts that it ends immediately. (A network timeout would take longer.)
#[track_caller]
fn assert_ends(child: Child, signal: Signal) -> Run {
    kill_process(Pid::from_child(&child), signal).unwrap();
    let run = Run::wait(child);
    assert_eq!(run.code, Some(if signal == Signal::INT { 130 } else { 143 }), "{run}");
    run
}

/// Takes the lock of the session of `client`, as another process would.
fn lock_of(home: &Home, client: &str) -> Lock {
    let store = Store::open(Some(home.state()), &Environment::default());
    let (session, ..) = store.sessions().into_iter().find(|(_, _, facts)| facts.client == client).unwrap();
    lock::acquire(&home.state().join("locks").join(session), |_, _| WaitDecision::GiveUp).unwrap()
}

#[test]
fn signal_ends_a_refresh_but_not_the_waiting_process() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (world, home) = (World::start(), Home::new());
        home.run(&oidc(&world, &ALWAYS)).token();
        home.set_seconds_left(ALMOST_EXPIRED);
        world.reset_requests();
        world.set(Behaviour::RefreshStall);
        let first = home.start(&oidc(&world, &[]));
        wait_for_refreshes(&world, 1);
        let second = home.start(&oidc(&world, &[]));
        wait_for_count_at_lock(&home.state(), 2);
        world.clear(Behaviour::RefreshStall);
        assert_eq!(assert_ends(first, signal).stdout, "");
        let second = Run::wait(second);
        second.token();
        assert_eq!((second.stderr.as_str(), world.device_requests().len()), ("", 0));
    }
}

#[test]
fn interrupted_early_refresh_prints_no_token() {
    let (world, home) = (World::start(), Home::new());
    home.run(&entra(&world, &ALWAYS)).token();
    home.set_seconds_left(EXPIRES_SOON);
    world.reset_requests();
    world.set(Behaviour::RefreshStall);
    let child = home.start(&entra(&world, &[]));
    wait_for_refreshes(&world, 1);
    let run = assert_ends(child, Signal::INT);
    assert_eq!(run.stdout, "", "{run}");
}

#[test]
fn received_refresh_token_is_stored() {
    let (world, home) = (World::start(), Home::new());
    home.run(&oidc(&world, &ALWAYS)).token();
    // The issuer's keys have to be fetched again.
    home.files("issuers").iter().for_each(|path| std::fs::remove_file(path).unwrap());
    world.reset_requests();
    world.set(Behaviour::StallKeys);
    let child = home.start(&oidc(&world, &["--force-refresh"]));
    assert!(world.wait_for(HANG, |log| log.count("/keys") > 0), "the keys were not asked for");
    assert_ends(child, Signal::INT);
    assert_eq!(world.refreshes().len(), 1);
    world.clear(Behaviour::StallKeys);
    let next = home.run(&oidc(&world, &["--force-refresh"]));
    next.token();
    assert_eq!((next.stderr.as_str(), world.families_revoked()), ("", 0));
}

#[test]
fn signal_ends_a_look_up_after_the_sign_in() {
    let (world, home) = (World::start(), Home::new());
    world.set_groups(250);
    world.set(Behaviour::RefreshStall);
    home.contexts(&[("one", entra(&world, &OWN))]);
    let child = home.start::<&str>(&[]);
    // The refresh for Graph: the cluster's token is cached.
    wait_for_refreshes(&world, 1);
    let run = assert_ends(child, Signal::INT);
    assert!(run.stdout.starts_with("Signed in as ") && !run.stdout.contains("groups"), "{run}");
}

#[test]
fn signal_ends_waiting_for_another_process() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (world, home) = (World::start(), Home::new());
        home.run(&entra(&world, &[&ALWAYS[..], &OWN].concat())).token();
        home.set_seconds_left(ALMOST_EXPIRED);
        let _lock = lock_of(&home, OWN_CLIENT);
        let child = home.start(&entra(&world, &OWN));
        wait_for_count_at_lock(&home.state(), 2);
        let run = assert_ends(child, signal);
        assert!(run.stdout.is_empty() && run.stderr.contains("Error: interrupted\nNext: "), "{run}");
    }
}

#[test]
fn signal_ends_waiting_after_a_sign_in() {
    let (world, home) = (World::start(), Home::new());
    world.set_groups(250);
    home.contexts(&[("one", entra(&world, &["--graph-client-id", OWN_CLIENT]))]);
    assert_eq!(home.run::<&str>(&[]).code, Some(0));
    home.set_seconds_left(ALMOST_EXPIRED);
    let _lock = lock_of(&home, OWN_CLIENT);
    let mut child = home.start(&["--force"]);
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().starts_with("Signed in as ")), "not signed in");
    // The test holds the lock that the plugin waits for.
    wait_for_count_at_lock(&home.state(), 2);
    let run = assert_ends(child, Signal::TERM);
    // The timeout for waiting, a minute, was not used up.
    assert!(!run.stderr.contains("does not come to an end"), "{run}");
}
