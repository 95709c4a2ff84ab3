//! Where the plugin stores its state, and what happens if it cannot store anything: a token is still returned.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{ALWAYS, FULL_DISK, Home, PLUGIN, Run, all_below, entra, oidc, set_mode, text};
use sim::World;

/// Asserts that a sign-in returned a token, and that it said after the prompt that it could not store it. Returns the
/// token.
#[track_caller]
fn assert_token_not_stored(run: &Run) -> String {
    let (_, after_prompt) = run.stderr.split_once("Only enter a code that you asked for yourself.").unwrap();
    let is_said = ["not stored", "could not be stored"].iter().any(|words| after_prompt.contains(words));
    assert!(is_said, "{run}");
    run.token()
}

/// Asserts that the cached token is returned silently, and that a forced refresh silently returns another one.
#[track_caller]
fn assert_serves_and_refreshes(world: &World, token: &str, run: impl Fn(&[String]) -> Run) {
    let warm = run(&entra(world, &[]));
    assert_eq!((warm.token().as_str(), warm.stderr.as_str()), (token, ""), "{warm}");
    let refreshed = run(&entra(world, &["--force-refresh", "--prompt", "always"]));
    assert_eq!(refreshed.stderr, "", "{refreshed}");
    assert_ne!(refreshed.token(), token);
}

/// The plugin as an unprivileged user who is not in the user database.
///
/// The test's own user gets another id in a user namespace: it still owns its files, but root's permission to write
/// anywhere is gone.
fn unprivileged(home: &Home, args: &[String]) -> Command {
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

/// Runs the plugin with a full disk.
fn run_with_full_disk(home: &Home, args: &[String]) -> Run {
    Run::of(&mut home.plugin_after(FULL_DISK, args))
}

/// All key files below a directory.
fn keys(folder: &Path) -> Vec<PathBuf> {
    all_below(folder).into_iter().filter(|path| path.ends_with("kubectl-login.key")).collect()
}

/// Asserts that no temporary file is left.
#[track_caller]
fn assert_no_leftovers(home: &Home) {
    let is_temporary = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(".kubectl-login-");
    let leftovers: Vec<PathBuf> = all_below(home.path()).into_iter().filter(is_temporary).collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
}

/// Signs in with these variables, set or removed, and `more` flags. Asserts that everything is stored in `folder`.
#[track_caller]
fn assert_stored_in(folder: &Path, home: &Home, variables: &[(&str, Option<&str>)], more: &[&str]) {
    let world = World::start();
    let run = |words: &[&str]| {
        let mut command = home.plugin(&entra(&world, &[more, words].concat()));
        for (name, value) in variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
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
fn default_state_directory_is_used() {
    let home = Home::new();
    assert_stored_in(&home.state(), &home, &[], &[]);
    // The XDG specification says that a relative path is ignored.
    for value in [None, Some("state")] {
        let home = Home::new();
        let folder = home.path().join(".local/state/kubectl-login");
        assert_stored_in(&folder, &home, &[("XDG_STATE_HOME", value)], &[]);
    }
}

#[test]
fn cache_variable_and_flags_move_the_state_directory() {
    let home = Home::new();
    let cache = home.path().join("a/b/kube cache");
    let variable = [("KUBECACHEDIR", Some(text(&cache)))];
    assert_stored_in(&cache.join("kubectl-login"), &home, &variable, &[]);
    for flag in ["--cache-dir", "--token-cache-dir"] {
        let home = Home::new();
        let folder = home.path().join("x/y z");
        assert_stored_in(&folder, &home, &variable, &[flag, text(&folder)]);
        let home = Home::new();
        assert_stored_in(&home.path().join("below/home"), &home, &[], &[flag, "~/below/home"]);
    }
}

#[test]
fn state_directory_needs_no_home_variable() {
    let home = Home::new();
    assert_stored_in(&home.state(), &home, &[("HOME", None)], &[]);
}

#[test]
fn token_is_returned_without_any_home_directory() {
    let (world, home) = (World::start(), Home::new());
    let mut command = unprivileged(&home, &entra(&world, &ALWAYS));
    command.env_remove("HOME").env_remove("XDG_STATE_HOME");
    assert_token_not_stored(&Run::of(&mut command));
    assert_eq!(keys(home.path()), [] as [PathBuf; 0]);
}

#[test]
fn token_is_returned_if_the_state_directory_is_a_file() {
    for args in [entra, oidc] {
        let (world, home) = (World::start(), Home::new());
        fs::create_dir(home.path().join("state")).unwrap();
        fs::write(home.state(), "a file").unwrap();
        let first = assert_token_not_stored(&home.run(&args(&world, &ALWAYS)));
        assert_ne!(assert_token_not_stored(&home.run(&args(&world, &ALWAYS))), first);
        assert_eq!(fs::read(home.state()).unwrap(), b"a file");
        home.run(&args(&world, &[])).assert_failed(3, &["sign-in required"]);
    }
}

#[test]
fn token_is_returned_if_the_cache_directory_cannot_be_created() {
    let (world, home) = (World::start(), Home::new());
    let args = entra(&world, &["--cache-dir", "/proc/kubectl-login/here", "--prompt", "always"]);
    assert_token_not_stored(&home.run(&args));
}

#[test]
fn token_is_returned_if_the_state_directory_is_read_only() {
    let (world, home) = (World::start(), Home::new());
    fs::create_dir_all(home.state()).unwrap();
    set_mode(&home.state(), 0o500);
    assert_token_not_stored(&Run::of(&mut unprivileged(&home, &entra(&world, &ALWAYS))));
    assert_eq!(fs::read_dir(home.state()).unwrap().count(), 0);
    set_mode(&home.state(), 0o700);
}

#[test]
fn read_only_session_is_used_and_refreshed_silently() {
    let (world, home) = (World::start(), Home::new());
    let token = home.run(&entra(&world, &ALWAYS)).token();
    let folders = ["", "sessions", "tokens", "locks"].map(|name| home.state().join(name));
    folders.iter().for_each(|folder| set_mode(folder, 0o500));
    assert_serves_and_refreshes(&world, &token, |args| Run::of(&mut unprivileged(&home, args)));
    assert_eq!(world.device_requests().len(), 1);
    folders.iter().for_each(|folder| set_mode(folder, 0o700));
    assert_eq!(home.run(&entra(&world, &[])).token(), token);
}

#[test]
fn token_is_returned_with_a_full_disk_and_no_files_are_left() {
    for args in [entra, oidc] {
        let (world, home) = (World::start(), Home::new());
        assert_token_not_stored(&run_with_full_disk(&home, &args(&world, &ALWAYS)));
        assert_no_leftovers(&home);
        // When the disk has space again, everything works.
        let token = home.run(&args(&world, &ALWAYS)).token();
        assert_eq!(home.run(&args(&world, &[])).token(), token);
    }
}

#[test]
fn session_on_a_full_disk_is_used_and_refreshed_silently() {
    let (world, home) = (World::start(), Home::new());
    let token = home.run(&entra(&world, &ALWAYS)).token();
    assert_serves_and_refreshes(&world, &token, |args| run_with_full_disk(&home, args));
    assert_no_leftovers(&home);
    // The earlier records still exist.
    assert_eq!(home.run(&entra(&world, &[])).token(), token);
    let run = home.run(&entra(&world, &["--force-refresh"]));
    run.assert_silent_success();
}

/// A directory of another user: a new one if the test may change its owner, otherwise one of the system's.
fn directory_of_another_user(home: &Home) -> PathBuf {
    let folder = home.path().join("theirs");
    fs::create_dir(&folder).unwrap();
    set_mode(&folder, 0o755);
    match std::os::unix::fs::chown(&folder, Some(65534), Some(65534)) {
        Ok(()) => folder,
        Err(_) => PathBuf::from("/usr"),
    }
}

#[test]
fn directory_of_another_user_is_not_used() {
    let (world, home) = (World::start(), Home::new());
    let theirs = directory_of_another_user(&home);
    let before = fs::read_dir(&theirs).unwrap().count();
    let args = entra(&world, &["--cache-dir", text(&theirs), "--prompt", "always"]);
    assert_token_not_stored(&home.run(&args));
    // Not through a link either.
    fs::create_dir(home.path().join("state")).unwrap();
    symlink(&theirs, home.state()).unwrap();
    assert_token_not_stored(&home.run(&entra(&world, &ALWAYS)));
    assert_eq!(fs::read_dir(&theirs).unwrap().count(), before);
}

#[test]
fn world_writable_directory_is_not_used() {
    let (world, home) = (World::start(), Home::new());
    for mode in [0o777, 0o702] {
        let open = home.path().join(format!("{mode:o}"));
        fs::create_dir(&open).unwrap();
        set_mode(&open, mode);
        assert_token_not_stored(&home.run(&entra(&world, &["--cache-dir", text(&open), "--prompt", "always"])));
        assert_eq!(fs::read_dir(&open).unwrap().count(), 0);
    }
}

#[test]
fn link_to_an_own_directory_is_followed() {
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
