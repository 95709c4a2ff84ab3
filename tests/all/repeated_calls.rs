//! A caller that runs a failing plugin repeatedly, as kubectl does: each failure is printed once, and for half a minute
//! the repeated calls send no requests.
#![cfg(unix)]

use std::net::TcpListener;
use std::process::Command;

use crate::common::kubectl::Kubectl;
use crate::common::{ALWAYS, Home, NEVER, PLUGIN, Run, V1BETA1, closed_port, entra};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sim::{Behaviour, World};

/// A server that accepts connections and never responds.
fn silent_server() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// The number of connections to it.
fn connections(listener: &TcpListener) -> usize {
    listener.set_nonblocking(true).unwrap();
    listener.incoming().map_while(Result::ok).count()
}

/// A home directory with a session whose token has expired.
fn session_to_refresh(world: &World) -> Home {
    let home = Home::new();
    home.run(&entra(world, &ALWAYS)).token();
    home.set_seconds_left(-60);
    world.reset_requests();
    home
}

/// A process that runs the plugin several times, and prints each exit code.
fn repeatedly(home: &Home, times: usize, args: &[String]) -> Command {
    let mut command = home.program("sh");
    let script = format!("for i in $(seq {times}); do \"$0\" \"$@\"; echo exit $?; done");
    command.args(["-c", &script, PLUGIN]).args(args);
    command
}

/// `kubectl get pods` with the plugin's arguments.
fn get_pods(home: &Home, world: &World, args: &[String]) -> Run {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let kubeconfig = home.write("kubeconfig", &world.kubeconfig(PLUGIN, &args, V1BETA1));
    let kubectl = Kubectl::find();
    let mut command = home.program(kubectl.path.to_str().unwrap());
    Run::of(command.env("KUBECONFIG", kubeconfig).args(["get", "pods"]))
}

/// Asserts that kubectl ran the plugin several times, with this exit code, and that these words were printed once.
#[track_caller]
fn assert_printed_once(run: &Run, code: u8, words: &str) {
    assert_ne!(run.code, Some(0), "{run}");
    assert!(run.stderr.matches(&format!("failed with exit code {code}")).count() >= 4, "{run}");
    assert_eq!(run.stderr.lines().filter(|line| line.starts_with("Error: ")).count(), 1, "{run}");
    assert_eq!(run.stderr.matches("Next: ").count(), 1, "{run}");
    assert!(run.stderr.contains(words), "{words:?} is missing: {run}");
}

#[test]
fn kubectl_prints_each_kind_of_failure_once() {
    let world = World::start();
    let (_socket, port) = closed_port();
    let nowhere = format!("http://127.0.0.1:{port}");
    let case = |more: &[&str]| entra(&world, &[&NEVER[..], more].concat());
    for (args, code, words) in [
        (case(&[]), 3, "prompts are switched off"),
        (entra(&world, &["--prompt=always", "--authority-host", &nowhere]), 1, "refused"),
        (entra(&world, &["--prompt=always", "--certificate-authority", "/nowhere/ca.pem"]), 1, "/nowhere/ca.pem"),
        (case(&["--no-such-flag"]), 2, "--no-such-flag"),
        (case(&["--environment", "AzureNowhere"]), 2, "AzureNowhere"),
    ] {
        let run = get_pods(&Home::new(), &world, &args);
        assert_printed_once(&run, code, words);
    }
    assert!(world.requests().iter().all(|request| request.server == sim::Server::Kube));
}

#[test]
fn kubectl_waits_once_for_an_unresponsive_issuer() {
    let world = World::start();
    let (listener, silent) = silent_server();
    let args = entra(&world, &["--prompt=always", "--authority-host", &silent, "--timeout", "100ms"]);
    let run = get_pods(&Home::new(), &world, &args);
    assert_printed_once(&run, 1, &silent);
    assert_eq!(connections(&listener), 1);
}

#[test]
fn kubectl_sends_one_refused_refresh() {
    for (refusal, code, number) in [
        (Behaviour::RefreshBadToken, 3, "AADSTS50173"),
        (Behaviour::RefreshMfa, 3, "AADSTS50076"),
        (Behaviour::RefreshBlocked, 4, "AADSTS53003"),
    ] {
        let world = World::start();
        let home = session_to_refresh(&world);
        world.set(refusal);
        let run = get_pods(&home, &world, &entra(&world, &NEVER));
        assert_printed_once(&run, code, number);
        assert_eq!(world.refreshes().len(), 1, "{refusal:?}");
    }
}

#[test]
fn refused_refresh_is_explained_to_each_later_caller() {
    let world = World::start();
    let home = session_to_refresh(&world);
    world.set(Behaviour::RefreshBadToken);
    for _ in 0..3 {
        home.run_as_new_caller(&entra(&world, &NEVER)).assert_failed(3, &["AADSTS50173", "\nNext: "]);
    }
    assert_eq!(world.refreshes().len(), 1, "it is presented once");
    let prompt = home.run_as_new_caller(&entra(&world, &ALWAYS));
    assert!(prompt.stderr.contains("AADSTS50173"), "{prompt}");
}

#[test]
fn caller_without_exec_info_gets_a_short_reason() {
    let world = World::start();
    let home = session_to_refresh(&world);
    world.set(Behaviour::RefreshMfa);
    let run = Run::of(&mut repeatedly(&home, 5, &entra(&world, &NEVER)));
    assert_eq!(run.stdout, "exit 3\n".repeat(5), "{run}");
    assert_eq!(run.stderr.matches("Error: ").count(), 5, "{run}");
    assert_eq!(run.stderr.matches("Next: ").count(), 1, "{run}");
    assert_eq!(run.stderr.matches(" s ago; not tried again for ").count(), 4, "{run}");
    assert!(run.stderr.lines().filter(|line| line.starts_with("Error: ")).all(|line| line.contains("AADSTS50076")));
    assert_eq!(world.refreshes().len(), 1);
}

#[test]
fn client_that_captures_errors_gets_a_short_reason() {
    let (world, home) = (World::start(), Home::new());
    let args = entra(&world, &NEVER);
    let run = || Run::of(home.plugin(&args).env("KUBERNETES_EXEC_INFO", "{}"));
    run().assert_failed(3, &["\nNext: "]);
    let again = run();
    again.assert_failed(3, &["prompts are switched off", " s ago"]);
    assert_eq!(again.stderr.lines().count(), 1, "{again}");

    let mut command = repeatedly(&home, 3, &args);
    let inherited = Run::of(command.env("KUBERNETES_EXEC_INFO", "{}"));
    assert_eq!(inherited.stderr.matches("Error: ").count(), 1, "{inherited}");
}

#[test]
fn corrected_request_is_sent_immediately() {
    let (world, home) = (World::start(), Home::new());
    let (listener, silent) = silent_server();
    // Failures this quick would be retried.
    home.shorten_limits(10);
    let wrong = entra(&world, &["--prompt=always", "--authority-host", &silent, "--timeout", "2s"]);
    home.run(&wrong).assert_failed(1, &[&silent, "\nNext: "]);
    home.run(&wrong).assert_failed(1, &[&silent, "not tried again for"]);
    assert_eq!(connections(&listener), 1);
    home.shorten_limits(1);
    home.run(&entra(&world, &ALWAYS)).token();

    // A variable counts like a flag.
    let home = Home::new();
    let args = entra(&world, &["--timeout", "2s"]);
    let run = |prompt| Run::of(home.plugin(&args).env("KUBECTL_LOGIN_PROMPT", prompt));
    run("never").assert_failed(3, &["\nNext: "]);
    run("always").token();
}

#[test]
fn repaired_certificate_authority_file_is_used_immediately() {
    let (world, home) = (World::start(), Home::new());
    let file = home.path().join("ca.pem");
    let args = entra(&world, &["--prompt=always", "--certificate-authority", file.to_str().unwrap()]);
    let run = || Run::of(home.plugin(&args).env("KUBERNETES_EXEC_INFO", "{}"));
    run().assert_failed(1, &["ca.pem", "\nNext: "]);
    home.write("ca.pem", world.ca_pem());
    run().token();
}

#[test]
fn failure_is_retried_after_half_a_minute() {
    let world = World::start();
    let home = session_to_refresh(&world);
    let args = entra(&world, &NEVER);
    world.set(Behaviour::RefreshMfa);
    home.run(&args).assert_failed(3, &["AADSTS50076", "\nNext: "]);
    world.clear(Behaviour::RefreshMfa);
    home.run(&args).assert_failed(3, &["not tried again"]);
    for note in std::fs::read_dir(home.path().join("run/kubectl-login/failures")).unwrap() {
        let note = note.unwrap().path();
        let mut content: Value = serde_json::from_slice(&std::fs::read(&note).unwrap()).unwrap();
        let at: DateTime<Utc> = content["at"].as_str().unwrap().parse().unwrap();
        content["at"] = (at - TimeDelta::seconds(30)).to_rfc3339().into();
        std::fs::write(&note, content.to_string()).unwrap();
    }
    home.run(&args).token();
}

#[test]
fn login_clears_all_failures() {
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("sim", entra(&world, &[]))]);
    let args = entra(&world, &NEVER);
    home.run(&args).assert_failed(3, &["\nNext: "]);
    let login = home.run(&["--prompt=always"]);
    assert_eq!(login.code, Some(0), "{login}");
    home.set_seconds_left(-60);
    let run = home.run(&args);
    assert_eq!(run.stderr, "", "{run}");
    run.token();
}

#[test]
fn early_refresh_at_a_failing_issuer_delays_a_caller_once() {
    let (world, home) = (World::start(), Home::new());
    home.run(&entra(&world, &ALWAYS)).token();
    home.set_seconds_left(120);
    let args = entra(&world, &["--timeout=2s"]);
    let info = r#"{"apiVersion":"client.authentication.k8s.io/v1"}"#;
    let run = || Run::of(home.plugin(&args).env("KUBERNETES_EXEC_INFO", info)).token();
    world.set(Behaviour::Always503);
    world.reset_requests();
    run();
    assert!(world.refreshes().len() > 1);
    world.reset_requests();
    run();
    assert!(world.requests().is_empty());
}

#[test]
fn unwritable_directories_repeat_failures() {
    let (world, home) = (World::start(), Home::new());
    let args = entra(&world, &NEVER);
    let nowhere = home.write("nowhere", "");
    for _ in 0..2 {
        let mut command = home.plugin(&args);
        command.env("XDG_RUNTIME_DIR", &nowhere).env("XDG_STATE_HOME", &nowhere);
        Run::of(&mut command).assert_failed(3, &["prompts are switched off", "\nNext: "]);
    }
}
