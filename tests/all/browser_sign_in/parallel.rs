//! More than one sign-in at a time.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sim::{ALICE, BOB, Behaviour, World};

use crate::common::browser::{BOTH, Issuer, SHOW_ADDRESS, SignIn, callback_secrets, get};
use crate::common::waiting::wait_for_count_at_lock;
use crate::common::{HANG, Home, Run};

#[test]
fn parallel_sign_ins_do_not_interfere() {
    let (world, home) = (World::start(), Home::new());
    let [first, second] = BOTH.map(|issuer| issuer.start(&world, &home, &[]));
    assert_ne!(first.port(), second.port());
    let (back, other) = (first.callback_url(), second.callback_url());
    // The callback of one, sent to the other.
    let mut astray = back.clone();
    astray.set_port(other.port()).unwrap();
    get(&astray).assert_error(400, &callback_secrets(&back));
    get(&other).assert_signed_in();
    get(&back).assert_signed_in();
    assert_ne!(first.end().token(), second.end().token());
    assert_eq!(home.files("sessions").len(), 2);
}

#[test]
fn parallel_sign_ins_of_two_accounts_stay_separate() {
    let (world, home) = (World::start(), Home::new());
    let sign_ins = [ALICE, BOB].map(|hint| Issuer::Entra.start(&world, &home, &["--login-hint", hint]));
    for (sign_in, who) in sign_ins.into_iter().zip([ALICE, BOB]) {
        world.sign_in_as(who);
        let (page, _) = sign_in.finish();
        assert!(page.sentences()[0].contains(who), "{page:?}");
    }
}

/// A sign-in in progress, and processes that wait for it.
fn sign_in_with_waiters(world: &World, home: &Home) -> (SignIn, Vec<std::process::Child>) {
    let leader = Issuer::Entra.start(world, home, &[]);
    let waiters = (0..3).map(|_| home.start(&Issuer::Entra.by_browser(world, &SHOW_ADDRESS))).collect();
    wait_for_count_at_lock(&home.state(), 4);
    (leader, waiters)
}

#[test]
fn waiting_processes_share_the_sign_in() {
    let (world, home) = (World::start(), Home::new());
    let (leader, waiters) = sign_in_with_waiters(&world, &home);
    let (_, run) = leader.finish();
    for waiter in waiters.into_iter().map(Run::wait) {
        assert_eq!((waiter.token(), waiter.stderr.as_str()), (run.token(), ""), "{waiter}");
    }
    assert_eq!((world.authorize_requests().len(), world.token_requests("authorization_code").len()), (1, 1));
}

/// The user has finished, so from here on all processes wait for the network.
#[test]
fn slow_exchange_may_exceed_the_user_time() {
    let (world, home) = (World::start_with(&[Behaviour::DelayToken]), Home::new());
    home.shorten_lives(10);
    world.set_token_delay(Duration::from_secs(3));
    let leader = Issuer::Oidc.start(&world, &home, &["--authentication-timeout-sec", "20"]);
    let back = leader.callback_url();
    std::thread::scope(|scope| {
        let page = scope.spawn(|| get(&back));
        assert!(world.wait_for(HANG, |log| log.token_requests("authorization_code").len() == 1));
        let waiters = [&SHOW_ADDRESS[..], &["--prompt", "never"]].map(|asks| {
            let args = Issuer::Oidc.by_browser(&world, &[asks, &["--authentication-timeout-sec", "20"]].concat());
            home.start(&args)
        });
        let waiters = waiters.map(Run::wait);
        page.join().unwrap().assert_signed_in();
        let token = leader.end().token();
        for waiter in waiters {
            assert_eq!((waiter.token(), waiter.stderr.as_str()), (token.clone(), ""), "{waiter}");
        }
    });
    assert_eq!((world.authorize_requests().len(), world.token_requests("authorization_code").len()), (1, 1));
}

#[test]
fn waiting_processes_share_a_decline() {
    let (world, home) = (World::start_with(&[Behaviour::AuthorizeDenied]), Home::new());
    let (leader, waiters) = sign_in_with_waiters(&world, &home);
    let page = leader.complete();
    page.assert_shows_error_of(&leader.end());
    for waiter in waiters.into_iter().map(Run::wait) {
        waiter.assert_failed(3, &["the sign-in was declined"]);
    }
    assert_eq!(world.authorize_requests().len(), 1);
}

#[test]
fn waiting_process_takes_over_a_killed_sign_in() {
    let (world, home) = (World::start(), Home::new());
    let leader = Issuer::Entra.start(&world, &home, &[]);
    std::thread::scope(|scope| {
        // The next process shows its own address.
        let next = scope.spawn(|| Issuer::Entra.start(&world, &home, &[]));
        wait_for_count_at_lock(&home.state(), 2);
        drop(leader);
        next.join().unwrap().finish();
    });
}

#[test]
fn signal_cancels_the_sign_in() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 143)] {
        let (world, home) = (World::start(), Home::new());
        let sign_in = Issuer::Oidc.start(&world, &home, &[]);
        kill_process(Pid::from_raw(sign_in.id().cast_signed()).unwrap(), signal).unwrap();
        sign_in.end().assert_failed(code, &["the sign-in was cancelled", "kubectl login"]);
        assert!(world.token_requests("authorization_code").is_empty());
    }
}
