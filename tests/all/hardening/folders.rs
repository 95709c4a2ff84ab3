//! Folders that cannot be used, each with its own reason and the command that mends it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use sim::World;

use super::{STRANGER, as_stranger, give, is_root};
use crate::common::{ALWAYS, Home, PLUGIN, Run, entra};

/// Runs the plugin after `mount` has been done to its state folder, which only this process sees.
fn mounted(home: &Home, mount: &str, args: &[String]) -> Run {
    let mut command = home.program("unshare");
    let script = format!("state=$1; shift; {mount}; exec \"$0\" \"$@\"");
    command.args(["-m", "sh", "-c", &script, PLUGIN]).arg(home.path().join("state")).args(args);
    Run::of(&mut command)
}

/// What `doctor` says of files.
fn files(run: &Run) -> String {
    let lines: Vec<&str> = run.stdout.lines().skip_while(|line| !line.contains("  files ")).collect();
    let more = lines.iter().skip(1).take_while(|line| line.starts_with(' ')).count();
    lines[..=more].join("\n")
}

#[test]
fn full_disk_and_read_only_file_system_are_told_apart() {
    if !is_root() {
        return;
    }
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("prod", entra(&world, &[]))]);
    fs::create_dir(home.path().join("state")).unwrap();
    let full = "mount -t tmpfs -o size=4k none \"$state\"; head -c 8192 /dev/zero >\"$state/filler\" 2>/dev/null";
    let read_only = "mount --bind \"$state\" \"$state\"; mount -o remount,ro,bind \"$state\"";
    for (mount, reason, next) in [
        (full, "the disk is full", "Free some space on that disk. To see how much is left: df -h "),
        (
            read_only,
            "the file system is read-only",
            "Mount the file system for writing. To see how it is mounted: findmnt -T ",
        ),
    ] {
        let run = mounted(&home, mount, &entra(&world, &ALWAYS));
        run.token();
        assert!(run.stderr.contains(reason) && run.stderr.contains(next) && !run.stderr.contains("os error"), "{run}");
        let said = files(&mounted(&home, mount, &["doctor".to_owned()]));
        assert!(
            said.contains("FAIL") && said.contains(reason) && said.contains("findmnt -T ") == (mount == read_only),
            "{said}"
        );
        assert!(!said.contains("chown") && !said.contains("chmod"), "{said}");
    }
}

/// The command behind `Mend owner and permissions: `.
fn mending(text: &str) -> String {
    let (_, command) = text.split_once("Mend owner and permissions: ").unwrap_or_else(|| panic!("no command: {text}"));
    command.lines().next().unwrap().to_owned()
}

/// Runs a line that was shown, as a person would paste it.
fn paste(home: &Home, line: &str) {
    // The test is root already.
    let run = Run::of(home.program("sh").args(["-c", &line.replace("sudo ", "")]));
    assert_eq!(run.code, Some(0), "{line}: {run}");
}

fn close(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn wrong_owner_and_wrong_mode_come_with_a_command_that_mends_them() {
    if !is_root() {
        return;
    }
    type Spoil = fn(&Path);
    let spoilt: [(Spoil, &str); 4] = [
        // What sudo has left: all of it, and a part of it.
        (|state| give(state, 0), "chown"),
        (|state| give(&state.join("sessions"), 0), "chown"),
        (|state| close(state, 0o777), "chmod"),
        (|state| close(state, 0o500), "chmod"),
    ];
    for (spoil, tool) in spoilt {
        let (world, home) = (World::start(), Home::new());
        let state = home.path().join("it's a $HOME/kubectl-login");
        fs::create_dir(state.parent().unwrap()).unwrap();
        home.contexts(&[("prod", entra(&world, &[]))]);
        give(home.path(), STRANGER);
        let run = |args: &[String]| {
            let mut command = as_stranger(&home, PLUGIN);
            Run::of(command.args(args).env("XDG_STATE_HOME", state.parent().unwrap()))
        };
        run(&entra(&world, &ALWAYS)).token();
        spoil(&state);
        let said = files(&run(&["doctor".to_owned()]));
        let command = mending(&said);
        assert!(said.contains("FAIL") && command.contains(tool), "{said}");
        if command.contains("o-w") {
            let run = run(&entra(&world, &["--prompt", "always", "--login-hint", sim::ALICE]));
            assert_eq!(mending(&run.stderr), command, "{run}");
        }
        paste(&home, &command);
        // The sign-in is found again, and what a refresh brings is kept.
        let refreshed = run(&entra(&world, &["--force-refresh"]));
        let again = run(&entra(&world, &[]));
        assert_eq!((again.token(), again.stderr.as_str()), (refreshed.token(), ""), "{command}");
    }
}

#[test]
fn first_sign_in_into_an_unwritable_folder_names_the_folder_only() {
    if !is_root() {
        return;
    }
    let (world, home) = (World::start(), Home::new());
    fs::create_dir_all(home.state()).unwrap();
    give(home.path(), STRANGER);
    close(&home.state(), 0o500);
    let run = Run::of(as_stranger(&home, PLUGIN).args(entra(&world, &ALWAYS)));
    run.token();
    assert_eq!(mending(&run.stderr), format!("chmod u+rwx {}", home.state().display()));
    assert!(run.stderr.contains("kubectl-login.key: permission denied.\n"), "{run}");
}

#[test]
fn folder_above_that_root_has_made_is_named() {
    if !is_root() {
        return;
    }
    let (world, home) = (World::start(), Home::new());
    give(home.path(), STRANGER);
    fs::create_dir(home.path().join("state")).unwrap();
    let run = || Run::of(as_stranger(&home, PLUGIN).args(entra(&world, &ALWAYS)));
    let first = run();
    first.token();
    let command = mending(&first.stderr);
    assert_eq!(command, format!("sudo chown {STRANGER} {}", home.path().join("state").display()));
    paste(&home, &command);
    let second = run();
    let third = run();
    assert_eq!((third.token(), third.stderr.as_str()), (second.token(), ""));
}

#[test]
fn key_file_of_another_user_comes_with_a_command() {
    if !is_root() {
        return;
    }
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("prod", entra(&world, &[]))]);
    give(home.path(), STRANGER);
    Run::of(as_stranger(&home, PLUGIN).args(entra(&world, &ALWAYS))).token();
    let key = home.state().join("kubectl-login.key");
    give(&key, 0);
    let run = Run::of(as_stranger(&home, PLUGIN).arg("doctor"));
    assert!(run.stdout.contains(&format!("sudo chown {STRANGER} {}", key.display())), "{run}");
    assert!(Command::new("chown").arg(STRANGER.to_string()).arg(&key).status().unwrap().success());
    close(&key, 0o644);
    let run = Run::of(as_stranger(&home, PLUGIN).arg("doctor"));
    assert!(run.stdout.contains(&format!("chmod 600 {}", key.display())), "{run}");
}
