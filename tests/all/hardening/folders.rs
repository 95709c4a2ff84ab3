//! Unusable directories: each has its own error, with a command that repairs it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use sim::World;

use super::{OTHER_USER, as_other_user, change_owner, is_root};
use crate::common::{ALWAYS, Home, PLUGIN, Run, entra};

/// Runs the plugin after mounting something over its state directory, which only this process sees.
fn mounted(home: &Home, mount: &str, args: &[String]) -> Run {
    let mut command = home.program("unshare");
    let script = format!("state=$1; shift; {mount}; exec \"$0\" \"$@\"");
    command.args(["-m", "sh", "-c", &script, PLUGIN]).arg(home.path().join("state")).args(args);
    Run::of(&mut command)
}

/// The doctor's line about files.
fn files(run: &Run) -> String {
    let lines: Vec<&str> = run.stdout.lines().skip_while(|line| !line.contains("  files ")).collect();
    let more = lines.iter().skip(1).take_while(|line| line.starts_with(' ')).count();
    lines[..=more].join("\n")
}

#[test]
fn full_disk_and_read_only_file_system_have_different_errors() {
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

/// The command after `Mend owner and permissions: `.
fn repair_command(text: &str) -> String {
    let (_, command) = text.split_once("Mend owner and permissions: ").unwrap_or_else(|| panic!("no command: {text}"));
    command.lines().next().unwrap().to_owned()
}

/// Runs a suggested command line, as a user would paste it.
fn paste(home: &Home, line: &str) {
    // The test already runs as root.
    let run = Run::of(home.program("sh").args(["-c", &line.replace("sudo ", "")]));
    assert_eq!(run.code, Some(0), "{line}: {run}");
}

fn close(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn wrong_owner_and_mode_suggest_a_command_that_repairs_them() {
    if !is_root() {
        return;
    }
    type Spoil = fn(&Path);
    let spoilt: [(Spoil, &str); 4] = [
        // Left by sudo: the whole directory, or a part of it.
        (|state| change_owner(state, 0), "chown"),
        (|state| change_owner(&state.join("sessions"), 0), "chown"),
        (|state| close(state, 0o777), "chmod"),
        (|state| close(state, 0o500), "chmod"),
    ];
    for (spoil, tool) in spoilt {
        let (world, home) = (World::start(), Home::new());
        let state = home.path().join("it's a $HOME/kubectl-login");
        fs::create_dir(state.parent().unwrap()).unwrap();
        home.contexts(&[("prod", entra(&world, &[]))]);
        change_owner(home.path(), OTHER_USER);
        let run = |args: &[String]| {
            let mut command = as_other_user(&home, PLUGIN);
            Run::of(command.args(args).env("XDG_STATE_HOME", state.parent().unwrap()))
        };
        run(&entra(&world, &ALWAYS)).token();
        spoil(&state);
        let said = files(&run(&["doctor".to_owned()]));
        let command = repair_command(&said);
        assert!(said.contains("FAIL") && command.contains(tool), "{said}");
        if command.contains("o-w") {
            let run = run(&entra(&world, &["--prompt", "always", "--login-hint", sim::ALICE]));
            assert_eq!(repair_command(&run.stderr), command, "{run}");
        }
        paste(&home, &command);
        // The session is found again, and the result of a refresh is stored.
        let refreshed = run(&entra(&world, &["--force-refresh"]));
        let again = run(&entra(&world, &[]));
        assert_eq!((again.token(), again.stderr.as_str()), (refreshed.token(), ""), "{command}");
    }
}

#[test]
fn unwritable_directory_is_named_at_the_first_sign_in() {
    if !is_root() {
        return;
    }
    let (world, home) = (World::start(), Home::new());
    fs::create_dir_all(home.state()).unwrap();
    change_owner(home.path(), OTHER_USER);
    close(&home.state(), 0o500);
    let run = Run::of(as_other_user(&home, PLUGIN).args(entra(&world, &ALWAYS)));
    run.token();
    assert_eq!(repair_command(&run.stderr), format!("chmod u+rwx {}", home.state().display()));
    assert!(run.stderr.contains("kubectl-login.key: permission denied.\n"), "{run}");
}

#[test]
fn parent_directory_of_root_is_named() {
    if !is_root() {
        return;
    }
    let (world, home) = (World::start(), Home::new());
    change_owner(home.path(), OTHER_USER);
    fs::create_dir(home.path().join("state")).unwrap();
    let run = || Run::of(as_other_user(&home, PLUGIN).args(entra(&world, &ALWAYS)));
    let first = run();
    first.token();
    let command = repair_command(&first.stderr);
    assert_eq!(command, format!("sudo chown {OTHER_USER} {}", home.path().join("state").display()));
    paste(&home, &command);
    let second = run();
    let third = run();
    assert_eq!((third.token(), third.stderr.as_str()), (second.token(), ""));
}

#[test]
fn key_file_of_another_user_suggests_a_command() {
    if !is_root() {
        return;
    }
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("prod", entra(&world, &[]))]);
    change_owner(home.path(), OTHER_USER);
    Run::of(as_other_user(&home, PLUGIN).args(entra(&world, &ALWAYS))).token();
    let key = home.state().join("kubectl-login.key");
    change_owner(&key, 0);
    let run = Run::of(as_other_user(&home, PLUGIN).arg("doctor"));
    assert!(run.stdout.contains(&format!("sudo chown {OTHER_USER} {}", key.display())), "{run}");
    assert!(Command::new("chown").arg(OTHER_USER.to_string()).arg(&key).status().unwrap().success());
    close(&key, 0o644);
    let run = Run::of(as_other_user(&home, PLUGIN).arg("doctor"));
    assert!(run.stdout.contains(&format!("chmod 600 {}", key.display())), "{run}");
}
