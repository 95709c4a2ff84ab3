//! The built binary from the user's point of view: installed completely, used, and removed without a trace.

use std::process::Command;

use sim::World;

use super::{install_ok, names, script};
use crate::common::{Home, PLUGIN, Run, entra};

/// Asserts that the home directory has only the files of the tests' own set-up.
#[track_caller]
fn assert_empty(home: &Home) {
    assert_eq!(names(home.path()), ["run"]);
    assert!(names(&home.path().join("run")).is_empty());
}

#[test]
fn uninstall_leaves_an_empty_home() {
    let (world, home) = (World::start(), Home::new());
    let at_home = |command: &mut Command| Run::of(command.env_remove("XDG_STATE_HOME"));
    let run = at_home(&mut script(&home, &["--binary", PLUGIN]));
    assert_eq!(run.code, Some(0), "{run}");
    let bin = home.path().join(".local/bin");
    let use_it = |name: &str, args: &[String]| {
        let run = at_home(home.program(bin.join(name).to_str().unwrap()).args(args));
        assert_eq!(run.code, Some(0), "{run}");
        run
    };
    use_it("kubelogin", &entra(&world, &["--prompt=always", "--token-cache-storage=file"])).token();
    let status = use_it("kubectl-login", &["status".to_owned()]);
    assert!(status.stdout.contains(sim::ALICE), "{status}");
    #[cfg(target_os = "linux")]
    assert!(home.path().join(".local/state/kubectl-login/kubectl-login.key").is_file());

    let run = at_home(&mut script(&home, &["uninstall"]));
    run.assert_silent_success();
    assert!(run.stdout.contains("Forgot 1 session"), "{run}");
    assert_empty(&home);
}

#[test]
fn built_binary_has_completion_for_each_shell() {
    let home = Home::new();
    let run = install_ok(&home, &["--binary", PLUGIN]);
    assert!(run.stdout.contains("Completion for bash, zsh, fish is in "), "{run}");
    let complete = home.path().join(".local/bin/kubectl_complete-login");
    let run = Run::of(home.program(complete.to_str().unwrap()).arg("stat"));
    assert!(
        run.stdout.starts_with("status") && run.stdout.trim_end().lines().last().unwrap().starts_with(':'),
        "{run}"
    );
}
