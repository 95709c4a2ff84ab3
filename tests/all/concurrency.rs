//! Many processes, one sign-in: a process that needs the same token waits for the sign-in and shares its result. It
//! does not wait if that would not help, or if the other process has ended.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use crate::common::waiting::{wait_for_count_at_lock, wait_until};
use crate::common::{ALWAYS, HANG, Home, PLUGIN, Run, claims, entra, oidc};
use kubectl_login::environment::Environment;
use kubectl_login::store::Store;
use kubectl_login::store::lock::{self, LockHolder, WaitDecision};
use rustix::process::{Pid, Signal, kill_process};
use sim::{ARC_SERVER, Behaviour, OTHER_TENANT, OWN_CLIENT, SERVER, World};

/// A process, which is killed when this is dropped.
struct Running(Option<Child>);

impl Running {
    fn plugin(home: &Home, args: &[String]) -> Running {
        Running(Some(home.start(args)))
    }

    fn of(command: &mut Command) -> Running {
        Running(Some(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()))
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.0.as_ref().unwrap()), signal).unwrap();
    }

    /// Waits until it ends; fails the test if it hangs.
    #[track_caller]
    fn end(mut self) -> Run {
        wait_until("it comes to an end", || self.0.as_mut().unwrap().try_wait().unwrap().is_some());
        Run::wait(self.0.take().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn many(count: usize, home: &Home, args: &[String]) -> Vec<Running> {
    (0..count).map(|_| Running::plugin(home, args)).collect()
}

#[track_caller]
fn end_all(running: Vec<Running>) -> Vec<Run> {
    running.into_iter().map(Running::end).collect()
}

/// A world in which the user does not use the code, and a process that shows one.
fn start_prompting() -> (World, Home, Running) {
    let (world, home) = (World::start(), Home::new());
    world.approve_automatically(false);
    let leader = Running::plugin(&home, &entra(&world, &ALWAYS));
    assert_eq!(world.wait_for_device_request(1, HANG).len(), 1);
    (world, home, leader)
}

#[track_caller]
fn assert_same_token(runs: &[Run]) -> String {
    let token = runs[0].token();
    for run in runs {
        assert_eq!(run.token(), token);
    }
    token
}

#[test]
fn parallel_calls_share_one_code_and_token() {
    for args in [entra, oidc] {
        let (world, home) = (World::start(), Home::new());
        let runs = end_all(many(20, &home, &args(&world, &ALWAYS)));
        assert_same_token(&runs);
        assert_eq!(world.device_requests().len(), 1);
        assert_eq!(runs.iter().filter(|run| !run.stderr.is_empty()).count(), 1, "only one of them prompts");
    }
}

#[test]
fn parallel_calls_for_two_servers_share_one_code() {
    let (world, home) = (World::start(), Home::new());
    let mut running = many(5, &home, &entra(&world, &ALWAYS));
    running.extend(many(5, &home, &entra(&world, &["--server-id", ARC_SERVER, "--prompt", "always"])));
    let runs = end_all(running);
    let tokens = [assert_same_token(&runs[..5]), assert_same_token(&runs[5..])];
    assert_ne!(claims(&tokens[0])["aud"], claims(&tokens[1])["aud"]);
    assert_eq!((world.device_requests().len(), world.refreshes().len()), (1, 1));
}

#[test]
fn parallel_calls_share_one_refresh() {
    for (args, left) in [(entra as fn(&World, &[&str]) -> Vec<String>, 120), (oidc, 120), (entra, 0), (oidc, 0)] {
        let (world, home) = (World::start(), Home::new());
        let old = home.run(&args(&world, &ALWAYS)).token();
        home.set_seconds_left(left);
        world.reset_requests();
        let runs = end_all(many(20, &home, &args(&world, &[])));
        assert_ne!(assert_same_token(&runs), old);
        assert!(runs.iter().all(|run| run.stderr.is_empty()));
        assert_eq!((world.refreshes().len(), world.device_requests().len()), (1, 0));
        assert_eq!(world.families_revoked(), 0);
    }
}

#[test]
fn parallel_forced_refreshes_share_tokens() {
    let (world, home) = (World::start(), Home::new());
    let old = home.run(&oidc(&world, &ALWAYS)).token();
    world.reset_requests();
    let runs = end_all(many(20, &home, &oidc(&world, &["--force-refresh"])));
    assert!(runs.iter().all(|run| run.token() != old && run.stderr.is_empty()));
    assert_eq!((world.families_revoked(), world.device_requests().len()), (0, 0));
}

#[test]
fn waiting_calls_share_a_decline() {
    let (world, home, leader) = start_prompting();
    let waiters = many(19, &home, &entra(&world, &ALWAYS));
    wait_for_count_at_lock(&home.state(), 20);
    assert_eq!(world.deny_pending(), 1);
    leader.end().assert_failed(3, &["the sign-in was declined", "Next: "]);
    for run in end_all(waiters) {
        run.assert_failed(3, &["the sign-in was declined", "Next: "]);
        assert!(!run.stderr.contains("enter this code"), "{run}");
    }
    assert_eq!(world.device_requests().len(), 1);
    // The same caller has been told already; another one gets a prompt.
    let again = home.run(&entra(&world, &ALWAYS));
    again.assert_failed(3, &[]);
    assert_eq!(again.stderr, "");
    assert_eq!(world.device_requests().len(), 1);
    world.approve_automatically(true);
    home.run_as_new_caller(&entra(&world, &ALWAYS)).token();
    assert_eq!(world.device_requests().len(), 2);
}

#[test]
fn decline_is_printed_once_per_caller() {
    let (world, home) = (World::start(), Home::new());
    world.approve_automatically(false);
    let callers: Vec<Running> = (0..4)
        .map(|_| {
            let mut command = home.program("sh");
            command.args(["-c", "for i in 1 2 3 4 5; do \"$0\" \"$@\"; echo exit $?; done", PLUGIN]);
            Running::of(command.args(entra(&world, &ALWAYS)))
        })
        .collect();
    wait_for_count_at_lock(&home.state(), 4);
    assert_eq!(world.wait_for_device_request(1, HANG).len(), 1);
    assert_eq!(world.deny_pending(), 1);
    for run in end_all(callers) {
        assert_eq!(run.stdout, "exit 3\n".repeat(5), "{run}");
        assert_eq!(run.stderr.matches("Error: the sign-in was declined").count(), 1, "{run}");
        assert_eq!(run.stderr.matches("Error: ").count(), 1, "{run}");
    }
    assert_eq!(world.device_requests().len(), 1);
}

#[test]
fn signal_at_the_prompt_ends_waiting_calls_too() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 143)] {
        let (world, home, leader) = start_prompting();
        let waiters = many(4, &home, &entra(&world, &ALWAYS));
        wait_for_count_at_lock(&home.state(), 5);
        leader.signal(signal);
        leader.end().assert_failed(code, &["the sign-in was cancelled", "kubectl login"]);
        for run in end_all(waiters) {
            run.assert_failed(3, &["cancelled", "kubectl login"]);
        }
        assert_eq!(world.device_requests().len(), 1);
    }
}

#[test]
fn signal_ends_only_the_waiting_process() {
    let (world, home, leader) = start_prompting();
    let waiter = Running::plugin(&home, &entra(&world, &ALWAYS));
    wait_for_count_at_lock(&home.state(), 2);
    waiter.signal(Signal::INT);
    assert_ne!(waiter.end().code, Some(0));
    world.approve_pending();
    leader.end().token();
}

#[test]
fn waiting_process_takes_over_a_killed_prompt() {
    let (world, home, leader) = start_prompting();
    let waiters = many(4, &home, &entra(&world, &ALWAYS));
    wait_for_count_at_lock(&home.state(), 5);
    leader.signal(Signal::KILL);
    let codes = world.wait_for_device_request(2, HANG);
    assert_eq!(codes.len(), 2);
    assert!(world.approve(&codes[1]));
    let runs = end_all(waiters);
    assert_same_token(&runs);
    assert_eq!(runs.iter().filter(|run| run.stderr.contains(&codes[1])).count(), 1);
    assert_eq!(world.device_requests().len(), 2);
}

#[test]
fn lock_details_of_a_dead_process_are_ignored() {
    let (world, home) = (World::start(), Home::new());
    home.run(&entra(&world, &ALWAYS)).token();
    world.reset_requests();
    world.approve_automatically(false);
    world.set(Behaviour::RefreshMfa);
    let leader = Running::plugin(&home, &entra(&world, &["--force-refresh", "--prompt", "always"]));
    assert_eq!(world.wait_for_device_request(1, HANG).len(), 1);
    leader.signal(Signal::KILL);
    drop(leader);
    world.clear(Behaviour::RefreshMfa);
    home.set_seconds_left(0);
    // The next process has the lock, but has not written its own details yet.
    let path = home.files("locks").into_iter().find(|path| path.file_name().unwrap().len() == 64).unwrap();
    let lock = fs::File::options().write(true).open(path).unwrap();
    lock.lock().unwrap();
    let waiter = Running::plugin(&home, &entra(&world, &[]));
    wait_for_count_at_lock(&home.state(), 2);
    drop(lock);
    let run = waiter.end();
    run.assert_silent_success();
}

#[test]
fn waiting_process_takes_over_a_killed_refresh() {
    let (world, home) = (World::start(), Home::new());
    home.run(&entra(&world, &ALWAYS)).token();
    home.set_seconds_left(0);
    world.reset_requests();
    world.set(Behaviour::RefreshStall);
    let leader = Running::plugin(&home, &entra(&world, &[]));
    assert!(world.wait_for(HANG, |log| log.refreshes().len() == 1));
    let waiters = many(4, &home, &entra(&world, &[]));
    wait_for_count_at_lock(&home.state(), 5);
    world.clear(Behaviour::RefreshStall);
    leader.signal(Signal::KILL);
    assert_same_token(&end_all(waiters));
    assert_eq!((world.refreshes().len(), world.device_requests().len()), (2, 0));
}

#[test]
fn stopped_lock_owner_does_not_block_a_valid_token() {
    let (world, home) = (World::start(), Home::new());
    let token = home.run(&entra(&world, &ALWAYS)).token();
    home.set_seconds_left(120);
    world.reset_requests();
    world.set(Behaviour::RefreshStall);
    home.shorten_limits(2);
    let leader = Running::plugin(&home, &entra(&world, &[]));
    assert!(world.wait_for(HANG, |log| log.refreshes().len() == 1));
    leader.signal(Signal::STOP);
    world.clear(Behaviour::RefreshStall);
    home.shorten_limits(10);
    for run in end_all(many(3, &home, &entra(&world, &ALWAYS))) {
        assert_eq!((run.token(), run.stderr.as_str()), (token.clone(), ""), "{run}");
    }
    assert_eq!(world.refreshes().len(), 1, "the lock is still held");
    leader.signal(Signal::CONT);
    assert_eq!(leader.end().token(), token);
}

#[test]
fn call_without_prompt_does_not_wait_for_a_prompt() {
    let (world, home, leader) = start_prompting();
    for args in [entra(&world, &[]), entra(&world, &["--prompt", "never"])] {
        Running::plugin(&home, &args).end().assert_failed(3, &["is waiting for a sign-in", "Next: "]);
    }
    assert_eq!(world.device_requests().len(), 1);
    world.approve_pending();
    leader.end().token();
}

#[test]
fn long_wait_is_explained_on_terminals_only() {
    let (world, home, leader) = start_prompting();
    home.shorten_limits(4);
    let waiting = Running::plugin(&home, &entra(&world, &ALWAYS));
    let line = format!("exec '{PLUGIN}' {} >token", entra(&world, &[]).join(" "));
    let mut on_terminal = Running::of(&mut home.on_terminal(&line));
    let stdout = BufReader::new(on_terminal.0.as_mut().unwrap().stdout.take().unwrap());
    let (explained, hears) = mpsc::channel();
    let shown = std::thread::spawn(move || {
        let hear = |line: &String| {
            let _ = line.contains("Waiting for process ").then(|| explained.send(()));
        };
        stdout.lines().map(Result::unwrap).inspect(hear).collect::<String>()
    });
    wait_for_count_at_lock(&home.state(), 3);
    // There is no event for silence. The process without a terminal started first, so by the time that the other one
    // prints its explanation, it would have printed one too.
    hears.recv_timeout(HANG).expect("the explanation appears");
    world.approve_pending();
    leader.end().token();
    let waiting = waiting.end();
    waiting.token();
    assert_eq!(waiting.stderr, "", "{waiting}");
    on_terminal.end();
    let shown = shown.join().unwrap();
    assert!(!shown.contains("microsoft.com"), "{shown}");
}

#[test]
fn call_with_valid_token_does_not_wait_for_a_prompt() {
    let (world, home) = (World::start(), Home::new());
    let token = home.run(&entra(&world, &ALWAYS)).token();
    home.set_seconds_left(120);
    world.reset_requests();
    world.approve_automatically(false);
    world.set(Behaviour::RefreshBadToken);
    let leader = Running::plugin(&home, &entra(&world, &["--force-refresh", "--prompt", "always"]));
    assert_eq!(world.wait_for_device_request(1, HANG).len(), 1);
    let run = Running::plugin(&home, &entra(&world, &ALWAYS)).end();
    assert_eq!((run.token(), run.stderr.as_str()), (token.clone(), ""), "{run}");
    world.approve_pending();
    assert_ne!(leader.end().token(), token);
}

#[test]
fn other_tenants_sign_in_is_not_blocked() {
    let (world, home, leader) = start_prompting();
    let other = Running::plugin(&home, &entra(&world, &["--tenant-id", OTHER_TENANT, "--prompt", "always"]));
    let codes = world.wait_for_device_request(2, HANG);
    assert!(world.approve(&codes[1]));
    other.end().token();
    assert!(world.approve(&codes[0]));
    leader.end().token();
}

#[test]
fn network_error_is_shared_but_not_stored() {
    let (world, home) = (World::start_with(&[Behaviour::StallDevice]), Home::new());
    let running = many(10, &home, &entra(&world, &["--timeout", "5m", "--prompt", "always"]));
    wait_for_count_at_lock(&home.state(), 10);
    assert!(world.wait_for(HANG, |log| log.count("/devicecode") == 1));
    world.clear(Behaviour::StallDevice);
    world.set(Behaviour::HtmlDevicePage);
    world.end_stalls();
    for run in end_all(running) {
        run.assert_failed(1, &["Error: ", "Next: "]);
    }
    // A lost connection is retried once.
    assert_eq!(world.device_requests().len(), 2, "one retry");
    world.clear(Behaviour::HtmlDevicePage);
    home.run(&entra(&world, &ALWAYS)).token();
}

#[test]
fn unusable_state_directory_moves_the_lock_to_the_runtime_directory() {
    let (world, home) = (World::start(), Home::new());
    world.approve_automatically(false);
    fs::create_dir(home.path().join("state")).unwrap();
    fs::write(home.state(), "a file").unwrap();
    let leader = Running::plugin(&home, &entra(&world, &ALWAYS));
    assert_eq!(world.wait_for_device_request(1, HANG).len(), 1);
    let runtime = home.path().join("run/kubectl-login");
    assert_eq!(fs::metadata(&runtime).unwrap().mode() & 0o777, 0o700);
    Running::plugin(&home, &entra(&world, &[])).end().assert_failed(3, &["is waiting for a sign-in"]);
    let waiter = Running::plugin(&home, &entra(&world, &ALWAYS));
    wait_for_count_at_lock(&runtime, 2);
    world.deny_pending();
    leader.end().assert_failed(3, &["declined"]);
    waiter.end().assert_failed(3, &["declined"]);
    assert_eq!(world.device_requests().len(), 1);
}

#[test]
fn non_interactive_look_up_does_not_wait_for_a_prompt() {
    let (world, home) = (World::start(), Home::new());
    world.set_groups(250);
    home.contexts(&[("one", entra(&world, &["--client-id", OWN_CLIENT]))]);
    assert_eq!(home.run::<&str>(&[]).code, Some(0));
    // The cluster's token is cached; the one for Graph and the groups are not.
    let store = Store::open(Some(home.state()), &Environment::default());
    let (graphs, ..) = store.tokens().into_iter().find(|(_, _, facts)| facts.audience != SERVER).unwrap();
    fs::remove_file(home.state().join("tokens").join(graphs)).unwrap();
    fs::remove_file(&home.files("groups")[0]).unwrap();
    let (session, ..) = store.sessions().remove(0);
    let mut lock = lock::acquire(&home.state().join("locks").join(session), |_, _| WaitDecision::GiveUp).unwrap();
    let now = chrono::Utc::now().timestamp();
    lock.announce(&LockHolder { pid: std::process::id(), noted_at: now, asks_until: Some(now + 60) });
    let run = home.run::<&str>(&[]);
    assert!(run.stdout.starts_with("Already signed in"), "{run}");
    // After waiting for the whole time, the message would be another one.
    assert!(run.stderr.contains("is waiting for a sign-in"), "{run}");
}
