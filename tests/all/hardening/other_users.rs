//! Directories of other users: links that they created, and home directories that `sudo` keeps in the environment.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use sim::World;

use super::{OTHER_USER, as_other_user, change_owner, is_root};
use crate::common::{ALWAYS, Home, PLUGIN, Run, entra};

/// Everything below `folder`, with its owner.
fn owners(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let metadata = path.symlink_metadata().unwrap();
        found.push((path.clone(), metadata.uid()));
        if metadata.is_dir() {
            found.extend(owners(&path));
        }
    }
    found
}

/// The plugin as started by `sudo`: as root, with the user's home directory and no variables for root's directories.
/// Another directory is mounted over root's home directory, which only this process sees.
fn under_sudo(home: &Home, root_home: &Path, args: &[String]) -> Command {
    let mut command = home.program("unshare");
    let script = "mount --bind \"$1\" /root && shift && exec \"$0\" \"$@\"";
    command.args(["-m", "sh", "-c", script, PLUGIN]).arg(root_home).args(args);
    for name in ["XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn root_with_another_users_home_uses_its_own_state_directory() {
    if !is_root() {
        return;
    }
    for leftover in [None, Some(".local"), Some(".local/state")] {
        let (world, home, own) = (World::start(), Home::new(), Home::new());
        change_owner(home.path(), OTHER_USER);
        // Left by other programs under sudo.
        leftover.iter().for_each(|folder| fs::create_dir_all(home.path().join(folder)).unwrap());
        let before = owners(home.path());
        let run = Run::of(&mut under_sudo(&home, own.path(), &entra(&world, &ALWAYS)));
        let token = run.token();
        let said = format!(
            "This runs as root, and {} is another user's home. The session is stored in /root/.local/state/kubectl-login",
            home.path().display()
        );
        assert!(run.stderr.contains(&said), "{run}");
        // The note appears once, and root gets one prompt.
        let again = Run::of(&mut under_sudo(&home, own.path(), &entra(&world, &[])));
        assert_eq!((again.token(), again.stderr.as_str()), (token, ""));
        assert_eq!(world.device_requests().len(), 1);
        assert_eq!(owners(home.path()), before);
        assert!(own.path().join(".local/state/kubectl-login/sessions").is_dir());
    }
}

#[test]
fn root_writes_nothing_to_another_users_configured_directories() {
    if !is_root() {
        return;
    }
    let (world, home, own) = (World::start(), Home::new(), Home::new());
    let run_dir = home.path().join("run");
    change_owner(home.path(), OTHER_USER);
    let before = owners(home.path());
    let in_home = |name: &str| home.path().join(name).display().to_string();
    let named = entra(&world, &["--prompt", "always", "--cache-dir", &in_home("cache")]);
    Run::of(under_sudo(&home, own.path(), &named).env("XDG_RUNTIME_DIR", &run_dir)).token();
    for variable in ["XDG_STATE_HOME", "KUBECACHEDIR"] {
        Run::of(under_sudo(&home, own.path(), &entra(&world, &[])).env(variable, in_home("state"))).token();
    }
    assert_eq!(world.device_requests().len(), 1);
    assert_eq!(owners(home.path()), before);
}

#[test]
fn user_and_root_have_separate_sessions() {
    if !is_root() {
        return;
    }
    let (world, home, own) = (World::start(), Home::new(), Home::new());
    change_owner(home.path(), OTHER_USER);
    let user = || Run::of(as_other_user(&home, PLUGIN).args(entra(&world, &ALWAYS)).env_remove("XDG_STATE_HOME"));
    let token = user().token();
    assert_ne!(Run::of(&mut under_sudo(&home, own.path(), &entra(&world, &ALWAYS))).token(), token);
    let again = user();
    assert_eq!((again.token(), again.stderr.as_str()), (token, ""));
    assert!(owners(home.path()).iter().all(|(_, owner)| *owner == OTHER_USER));
    // A directory in a flag is used as it is.
    let typed = home.path().join(".local/state/kubectl-login").display().to_string();
    let clean = ["remove-cache-dir".to_owned(), "--cache-dir".to_owned(), typed];
    Run::of(&mut under_sudo(&home, own.path(), &clean)).assert_failed(1, &["it belongs to another user"]);
    assert!(own.path().join(".local/state/kubectl-login/sessions").is_dir());
}

#[test]
fn link_of_another_user_in_the_temporary_directory_is_not_followed() {
    if !is_root() {
        return;
    }
    let (world, home) = (World::start(), Home::new());
    let (temporary, victim) = (home.path().join("tmp"), home.path().join("victim"));
    fs::create_dir(&temporary).unwrap();
    fs::create_dir(&victim).unwrap();
    change_owner(&victim, OTHER_USER);
    let link = temporary.join(format!("kubectl-login-{OTHER_USER}"));
    symlink(&victim, &link).unwrap();
    // The link's owner is neither root nor the plugin's user.
    let owner = (OTHER_USER + 1).to_string();
    assert!(Command::new("chown").args(["-h", &owner]).arg(&link).status().unwrap().success());
    let run = |home: &Home| {
        let mut command = as_other_user(home, PLUGIN);
        command.args(entra(&world, &ALWAYS)).env("TMPDIR", &temporary).env_remove("XDG_RUNTIME_DIR");
        // An unusable state directory.
        Run::of(command.env("XDG_STATE_HOME", "/proc/nowhere"))
    };
    run(&home).token();
    assert_eq!(owners(&victim), []);
    // The user's own directory is used.
    fs::remove_file(&link).unwrap();
    fs::create_dir(&link).unwrap();
    change_owner(&link, OTHER_USER);
    run(&home).token();
    assert!(!owners(&link).is_empty());
}

#[test]
fn directory_of_another_user_in_the_temporary_directory_is_not_used() {
    if !is_root() {
        return;
    }
    let (world, home) = (World::start(), Home::new());
    let folder = home.path().join(format!("kubectl-login-{OTHER_USER}"));
    fs::create_dir(&folder).unwrap();
    change_owner(&folder, OTHER_USER + 1);
    let mut command = as_other_user(&home, PLUGIN);
    command.args(entra(&world, &ALWAYS)).env("TMPDIR", home.path()).env_remove("XDG_RUNTIME_DIR");
    Run::of(command.env("XDG_STATE_HOME", "/proc/nowhere")).token();
    assert_eq!(owners(&folder), []);
}

#[test]
fn special_file_as_lock_neither_hangs_nor_changes_a_file() {
    type Make = fn(&Path, &Path);
    let kinds: [Make; 4] = [
        |lock, _| assert!(Command::new("mkfifo").arg(lock).status().unwrap().success()),
        |lock, precious| fs::hard_link(precious, lock).unwrap(),
        |lock, precious| symlink(precious, lock).unwrap(),
        |lock, _| fs::create_dir(lock).unwrap(),
    ];
    for make in kinds {
        let (world, home) = (World::start(), Home::new());
        home.run(&entra(&world, &ALWAYS)).token();
        let precious = home.write("precious", "content");
        for lock in home.files("locks") {
            fs::remove_file(&lock).unwrap();
            make(&lock, &precious);
        }
        home.run(&entra(&world, &["--force-refresh"])).token();
        home.run(&entra(&world, &["--prompt", "always", "--login-hint", sim::ALICE])).token();
        assert_eq!(fs::read_to_string(&precious).unwrap(), "content");
    }
}
