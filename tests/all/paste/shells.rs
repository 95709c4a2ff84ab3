//! Interactive shells with job control.

use sim::World;

use super::{ANY_PORT, authcode, interactive};
use crate::common::remote_browser::{address_on, open, parameter, sign_in_at};
use crate::common::shell::{BASH, DASH, ZSH, run, shell, shell_of};
use crate::common::tmux::Screen;
use crate::common::{Home, V1, in_parallel};

/// A command line, quoted.
fn line(args: &[String]) -> String {
    let words = args.iter().map(|word| format!(" '{word}'"));
    std::iter::once("kubectl-login".to_owned()).chain(words).collect()
}

/// A kubeconfig whose user signs in in the browser.
fn kubeconfig(world: &World) -> String {
    let issuer = world.issuer();
    let args = ["get-token", "--oidc-issuer-url", &issuer, "--oidc-client-id", sim::OIDC_CLIENT];
    let args = [&args[..], &["--grant-type", "authcode"], &ANY_PORT].concat();
    world.kubeconfig("kubectl-login", &args, V1)
}

#[test]
fn pasting_works_under_kubectl() {
    let (world, home) = (World::start(), Home::new());
    let screen = shell(&home, &kubeconfig(&world));
    screen.type_line("kubectl get pods");
    let answer = sign_in_at(&address_on(&screen));
    screen.paste_line(&answer);
    screen.wait_for("hello");
    screen.wait_for("[0] $");
    assert!(!screen.history().contains(&parameter(&answer, "code")), "{}", screen.history());
    // The session exists.
    let pods = run(&screen, "kubectl get pods");
    assert!(pods.contains("hello") && !pods.contains("Sign in"), "{pods}");
    assert_eq!(world.authorize_requests().len(), 1);
}

#[test]
fn rest_of_a_paste_is_not_executed_by_the_shell() {
    let (world, home) = (World::start(), Home::new());
    let screen = shell(&home, "");
    screen.type_line(&format!("{} >answer", line(&interactive(&world, &[]))));
    let answer = sign_in_at(&address_on(&screen));
    screen.paste(&format!("{answer}\necho LEFT-OVER\necho NOT-ENTERED"));
    screen.wait_for("Signed in as");
    let next = run(&screen, "echo next");
    assert!(next.contains("next"), "{next}");
    let shown = screen.history();
    assert!(!shown.contains("LEFT-OVER") && !shown.contains("NOT-ENTERED"), "{shown}");
}

/// The job is not stopped for using the terminal, and it does not discard the user's input.
#[test]
fn background_job_uses_the_browser_and_leaves_the_shell_alone() {
    let (world, home) = (World::start(), Home::new());
    let screen = shell(&home, "");
    screen.type_line(&format!("{} >answer &", line(&authcode(&world, &[]))));
    let address = address_on(&screen);
    screen.type_line("echo $((1000 + 1))");
    screen.wait_for("1001");
    open(&sign_in_at(&address)).assert_signed_in();
    // Its last message comes after the browser's callback, and the shell's message about the job after the next
    // command.
    screen.wait_for("left).");
    screen.type_line("wait; jobs; echo $((2000 + 1))");
    screen.wait_for("2001");
    let shown = screen.history();
    assert!(shown.contains("echo $((1000 + 1))") && shown.contains("wait; jobs; echo"), "{shown}");
    assert!(!shown.contains("Stopped"), "{shown}");
    assert!(!shown.contains("paste") && !shown.contains("left to sign in"), "{shown}");
    assert!(std::fs::read_to_string(home.path().join("answer")).unwrap().contains("\"token\""));
}

/// Shells handle the terminal differently when a job stops and continues.
#[test]
fn ctrl_z_restores_the_terminal_and_fg_continues() {
    in_parallel([&BASH[..], &DASH, &ZSH], |name| {
        let (world, home) = (World::start(), Home::new());
        let screen = shell_of(name, "ready> ", &home, "");
        screen.wait_for("ready>");
        screen.type_line(&format!("{} >answer", line(&interactive(&world, &[]))));
        let answer = sign_in_at(&address_on(&screen));
        for (round, there_and_back) in [&["fg"][..], &["bg", "fg"]].into_iter().enumerate() {
            wait_for_terminal_control(&screen);
            screen.press(&["C-z"]);
            assert_typed_and_seen(&screen, &format!("echo $((100{round} + 1000))"), &format!("200{round}"));
            there_and_back.iter().for_each(|command| screen.type_line(command));
            wait_for_terminal_control(&screen);
            screen.paste_line(&format!("http://localhost/?code=code{round}&state=s&{}", "x".repeat(5_000)));
            screen.until("it has read that", || {
                (screen.history().matches("it belongs to another").count() > round).then_some(())
            });
        }
        screen.paste_line(&answer);
        screen.wait_for("Signed in as");
        assert_typed_and_seen(&screen, "echo $((3000 + 1))", "3001");
        let shown = screen.history();
        assert!(!shown.contains("xxx") && !shown.contains(&parameter(&answer, "code")), "{shown}");
        assert!(std::fs::read_to_string(home.path().join("answer")).unwrap().contains("\"token\""));
    });
}

/// Waits until the plugin counts down and controls the terminal. (Shells with line editing switch echo off too.)
#[track_caller]
fn wait_for_terminal_control(screen: &Screen) {
    screen.until("it has the terminal", || {
        let counts_down = screen.history().trim_end().ends_with("left to sign in.");
        (counts_down && !screen.echoes()).then_some(())
    });
}

/// Types a command when the shell reads input again; asserts that the command and its output are visible.
#[track_caller]
fn assert_typed_and_seen(screen: &Screen, command: &str, result: &str) {
    screen.until("the shell reads", || screen.history().trim_end().ends_with("ready>").then_some(()));
    screen.type_line(command);
    screen.wait_for(result);
    assert!(screen.history().contains(command), "{}", screen.history());
}
