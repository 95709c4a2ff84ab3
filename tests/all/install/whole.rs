//! The built binary as a user meets it: installed with nothing left out, used, and gone without a trace.

use std::process::Command;

use sim::World;

use super::{names, script, well};
use crate::common::{Home, PLUGIN, Run, entra};

/// What the harness itself puts into a home, and nothing besides.
#[track_caller]
fn assert_empty(home: &Home) {
    assert_eq!(names(home.path()), ["run"]);
    assert!(names(&home.path().join("run")).is_empty());
}

#[test]
fn installed_used_and_uninstalled_it_leaves_an_empty_home_empty() {
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
    assert!(run.stdout.contains("Forgot 1 sign-in"), "{run}");
    assert_empty(&home);
}

#[test]
fn the_built_binary_has_completion_for_each_of_them() {
    let home = Home::new();
    let run = well(&home, &["--binary", PLUGIN]);
    assert!(run.stdout.contains("Completion for bash, zsh, fish is in "), "{run}");
    let complete = home.path().join(".local/bin/kubectl_complete-login");
    let run = Run::of(home.program(complete.to_str().unwrap()).arg("stat"));
    assert!(
        run.stdout.starts_with("status") && run.stdout.trim_end().lines().last().unwrap().starts_with(':'),
        "{run}"
    );
}
