//! Where things are kept, and what happens where nothing can be: a token in hand is handed over all the same.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{ALWAYS, FULL_DISK, Home, PLUGIN, Run, all_below, entra, oidc, set_mode};
use sim::World;

const NOT_REMEMBERED: &str = "not remembered";

/// A sign-in that cannot be remembered: a token, and after the prompt a word about it.
#[track_caller]
fn assert_token_but_not_remembered(run: &Run) -> String {
    let (_, after_the_code) = run.stderr.split_once("Only enter a code that you asked for yourself.").unwrap();
    let said = after_the_code.contains(NOT_REMEMBERED) || after_the_code.contains("could not be remembered");
    assert!(said, "{run}");
    run.token()
}

/// The plugin as a user without any special right, whom the user database does not know.
///
/// For this the test's own user gets another number inside of a user namespace: its files stay its own, but root's
/// power to write anywhere is gone.
fn as_nobody_special(home: &Home, args: &[String]) -> Command {
    let mut command = home.program("unshare");
    command.args(["--user", "--map-user=54321", PLUGIN]).args(args);
    let probe = Command::new("unshare").args(["--user", "--map-user=54321", "true"]).output();
    let works = probe.is_ok_and(|output| output.status.success());
    assert!(
        works,
        "user namespaces are needed: apt-get install util-linux, sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    );
    command
}

/// The plugin where nothing can be written to any file, as on a full disk: the first byte is one too many.
fn on_a_full_disk(home: &Home, args: &[String]) -> Run {
    Run::of(&mut home.plugin_after(FULL_DISK, args))
}

/// Every key file below a folder.
fn keys(folder: &Path) -> Vec<PathBuf> {
    all_below(folder).into_iter().filter(|path| path.ends_with("kubectl-login.key")).collect()
}

/// Files that were not finished.
fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let is_new = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(".kubectl-login-");
    all_below(folder).into_iter().filter(is_new).collect()
}

/// Signs in with these settings, then expects everything in `folder` and in no other one.
#[track_caller]
fn assert_kept_in(folder: &Path, home: &Home, settings: impl Fn(&mut Command), more: &[&str]) {
    let world = World::start();
    let run = |words: &[&str]| {
        let mut command = home.plugin(&entra(&world, &[more, words].concat()));
        settings(&mut command);
        Run::of(&mut command)
    };
    let token = run(&ALWAYS).token();
    assert_eq!(fs::read_dir(folder.join("tokens")).unwrap().count(), 1);
    assert_eq!(fs::metadata(folder).unwrap().mode() & 0o777, 0o700);
    let warm = run(&[]);
    assert_eq!((warm.token(), warm.stderr.as_str()), (token, ""), "{warm}");
    assert_eq!(keys(home.path()), [folder.join("kubectl-login.key")]);
}

#[test]
fn everything_is_kept_in_the_state_folder() {
    let home = Home::new();
    assert_kept_in(&home.state(), &home, |_| {}, &[]);
    let home = Home::new();
    let folder = home.path().join(".local/state/kubectl-login");
    assert_kept_in(
        &folder,
        &home,
        |command| {
            command.env_remove("XDG_STATE_HOME");
        },
        &[],
    );
    // A relative one is to be ignored, says the specification.
    let home = Home::new();
    let folder = home.path().join(".local/state/kubectl-login");
    assert_kept_in(
        &folder,
        &home,
        |command| {
            command.env("XDG_STATE_HOME", "state");
        },
        &[],
    );
}

#[test]
fn everything_moves_to_the_cache_folder_that_is_asked_for() {
    let home = Home::new();
    let cache = home.path().join("a/b/kube cache");
    let folder = cache.join("kubectl-login");
    assert_kept_in(
        &folder,
        &home,
        |command| {
            command.env("KUBECACHEDIR", &cache);
        },
        &[],
    );
    for flag in ["--cache-dir", "--token-cache-dir"] {
        let home = Home::new();
        let folder = home.path().join("x/y z");
        let asked = folder.to_str().unwrap();
        assert_kept_in(
            &folder,
            &home,
            |command| {
                command.env("KUBECACHEDIR", &cache);
            },
            &[flag, asked],
        );
        let home = Home::new();
        assert_kept_in(&home.path().join("below/home"), &home, |_| {}, &[flag, "~/below/home"]);
    }
}

#[test]
fn without_home_the_state_folder_is_used_as_ever() {
    let home = Home::new();
    assert_kept_in(
        &home.state(),
        &home,
        |command| {
            command.env_remove("HOME");
        },
        &[],
    );
}

#[test]
fn without_any_home_the_token_is_given_all_the_same() {
    let (world, home) = (World::start(), Home::new());
    let mut command = as_nobody_special(&home, &entra(&world, &ALWAYS));
    command.env_remove("HOME").env_remove("XDG_STATE_HOME");
    assert_token_but_not_remembered(&Run::of(&mut command));
    assert_eq!(keys(home.path()), [] as [PathBuf; 0]);
}

#[test]
fn a_file_where_the_folder_should_be_does_not_stop_a_token() {
    for args in [entra, oidc] {
        let (world, home) = (World::start(), Home::new());
        fs::create_dir(home.path().join("state")).unwrap();
        fs::write(home.state(), "a file").unwrap();
        let first = assert_token_but_not_remembered(&home.run(&args(&world, &ALWAYS)));
        assert_ne!(assert_token_but_not_remembered(&home.run(&args(&world, &ALWAYS))), first);
        assert_eq!(fs::read(home.state()).unwrap(), b"a file");
        home.run(&args(&world, &[])).assert_failed(3, &["sign-in required"]);
    }
}

#[test]
fn a_cache_folder_that_cannot_be_made_does_not_stop_a_token() {
    let (world, home) = (World::start(), Home::new());
    let args = entra(&world, &["--cache-dir", "/proc/kubectl-login/here", "--prompt", "always"]);
    assert_token_but_not_remembered(&home.run(&args));
}

#[test]
fn a_read_only_folder_does_not_stop_a_token() {
    let (world, home) = (World::start(), Home::new());
    fs::create_dir_all(home.state()).unwrap();
    set_mode(&home.state(), 0o500);
    assert_token_but_not_remembered(&Run::of(&mut as_nobody_special(&home, &entra(&world, &ALWAYS))));
    assert_eq!(fs::read_dir(home.state()).unwrap().count(), 0);
    set_mode(&home.state(), 0o700);
}

#[test]
fn a_folder_that_becomes_read_only_still_serves_and_refreshes_without_a_word() {
    let (world, home) = (World::start(), Home::new());
    let token = home.run(&entra(&world, &ALWAYS)).token();
    let folders = ["", "sessions", "tokens", "locks"].map(|name| home.state().join(name));
    folders.iter().for_each(|folder| set_mode(folder, 0o500));
    let run = Run::of(&mut as_nobody_special(&home, &entra(&world, &[])));
    assert_eq!((run.token(), run.stderr.as_str()), (token.clone(), ""), "{run}");
    let run = Run::of(&mut as_nobody_special(&home, &entra(&world, &["--force-refresh", "--prompt", "always"])));
    assert_eq!(run.stderr, "", "{run}");
    assert_ne!(run.token(), token);
    assert_eq!(world.device_requests().len(), 1);
    folders.iter().for_each(|folder| set_mode(folder, 0o700));
    assert_eq!(home.run(&entra(&world, &[])).token(), token);
}

#[test]
fn a_full_disk_does_not_stop_a_token_and_leaves_nothing_behind() {
    for args in [entra, oidc] {
        let (world, home) = (World::start(), Home::new());
        assert_token_but_not_remembered(&on_a_full_disk(&home, &args(&world, &ALWAYS)));
        assert_eq!(leftovers(home.path()), [] as [PathBuf; 0]);
        // With room again, everything is as it should be.
        let token = home.run(&args(&world, &ALWAYS)).token();
        assert_eq!(home.run(&args(&world, &[])).token(), token);
    }
}

#[test]
fn a_disk_that_becomes_full_still_serves_and_refreshes_without_a_word() {
    let (world, home) = (World::start(), Home::new());
    let token = home.run(&entra(&world, &ALWAYS)).token();
    let run = on_a_full_disk(&home, &entra(&world, &[]));
    assert_eq!((run.token(), run.stderr.as_str()), (token.clone(), ""), "{run}");
    let run = on_a_full_disk(&home, &entra(&world, &["--force-refresh", "--prompt", "always"]));
    assert_eq!(run.stderr, "", "{run}");
    assert_ne!(run.token(), token);
    assert_eq!(leftovers(home.path()), [] as [PathBuf; 0]);
    // What was there before is there still.
    assert_eq!(home.run(&entra(&world, &[])).token(), token);
    let run = home.run(&entra(&world, &["--force-refresh"]));
    run.assert_silent_success();
}

/// A folder that is somebody else's: given away where the test may do that, else the system's own.
fn somebody_elses(home: &Home) -> PathBuf {
    let folder = home.path().join("theirs");
    fs::create_dir(&folder).unwrap();
    set_mode(&folder, 0o755);
    match std::os::unix::fs::chown(&folder, Some(65534), Some(65534)) {
        Ok(()) => folder,
        Err(_) => PathBuf::from("/usr"),
    }
}

#[test]
fn a_folder_of_another_user_is_left_alone() {
    let (world, home) = (World::start(), Home::new());
    let theirs = somebody_elses(&home);
    let before = fs::read_dir(&theirs).unwrap().count();
    let asked = theirs.to_str().unwrap();
    assert_token_but_not_remembered(&home.run(&entra(&world, &["--cache-dir", asked, "--prompt", "always"])));
    // Nor is it used through a link.
    fs::create_dir(home.path().join("state")).unwrap();
    symlink(&theirs, home.state()).unwrap();
    assert_token_but_not_remembered(&home.run(&entra(&world, &ALWAYS)));
    assert_eq!(fs::read_dir(&theirs).unwrap().count(), before);
}

#[test]
fn a_folder_that_everybody_may_write_to_is_left_alone() {
    let (world, home) = (World::start(), Home::new());
    for mode in [0o777, 0o702] {
        let open = home.path().join(format!("{mode:o}"));
        fs::create_dir(&open).unwrap();
        set_mode(&open, mode);
        let asked = open.to_str().unwrap();
        assert_token_but_not_remembered(&home.run(&entra(&world, &["--cache-dir", asked, "--prompt", "always"])));
        assert_eq!(fs::read_dir(&open).unwrap().count(), 0);
    }
}

#[test]
fn a_link_to_a_folder_of_ones_own_is_as_good_as_the_folder() {
    let (world, home) = (World::start(), Home::new());
    let real = home.path().join("real");
    fs::create_dir(&real).unwrap();
    set_mode(&real, 0o700);
    fs::create_dir(home.path().join("state")).unwrap();
    symlink(&real, home.state()).unwrap();
    let token = home.run(&entra(&world, &ALWAYS)).token();
    assert!(real.join("kubectl-login.key").exists());
    assert_eq!(home.run(&entra(&world, &[])).token(), token);
}
