//! `install.sh uninstall`: logs out, removes what install created, and nothing else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{
    AWKWARD, COMMANDS, OURS, SCRIPT, install, install_ok, names, program, recorded, script, stand_in,
    stand_in_installed, tools,
};
use crate::common::{Home, Run, is_root};

#[test]
fn uninstall_logs_out_first_and_needs_few_tools() {
    let home = Home::new();
    let tools = tools(&home);
    let (_, prefix) = stand_in_installed(&home, &[]);
    recorded(&home);
    let run = Run::of(script(&home, &["uninstall", "--prefix", "prefix"]).env("PATH", tools));
    run.assert_silent_success();
    assert_eq!(recorded(&home), ["logout --all", "remove-cache-dir"]);
    let said: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(said[..2], ["Forgot 1 session.", "Removed the folder."], "{run}");
    assert!(said[2..].iter().all(|line| line.starts_with("Removed   ")), "{run}");
    assert!(!prefix.exists());
    let again = install_ok(&home, &["uninstall", "--prefix", "prefix"]);
    assert!(again.stdout.contains("is not installed in") && again.stdout.lines().count() == 1, "{again}");
}

#[test]
fn uninstall_without_installation_does_nothing() {
    let home = Home::new();
    fs::create_dir_all(home.path().join(".local/bin")).unwrap();
    let run = install_ok(&home, &["uninstall"]);
    assert!(run.stdout.contains("is not installed in") && run.stdout.lines().count() == 1, "{run}");
    assert!(home.path().join(".local/bin").is_dir());
}

#[test]
fn foreign_files_are_kept_and_not_executed() {
    let home = Home::new();
    let bin = home.path().join("prefix/bin");
    program(&bin.join("kubectl-login"), &format!("echo \"$@\" >'{}'", home.path().join("ran").display()));
    program(&home.path().join("elsewhere/kubectl-login"), "echo on the PATH >&2");
    symlink("kubectl-login", bin.join("kubelogin")).unwrap();
    let path = format!("{}:{}", home.path().join("elsewhere").display(), std::env::var("PATH").unwrap());
    let run = Run::of(script(&home, &["uninstall", "--prefix", "prefix"]).env("PATH", path));
    run.assert_silent_success();
    assert!(
        run.stdout.starts_with(&format!("Left alone: {}/kubectl-login belongs to another program", bin.display())),
        "{run}"
    );
    assert_eq!(names(&bin), ["kubectl-login", "kubelogin"]);
    assert!(recorded(&home).is_empty());
}

#[test]
fn program_of_another_user_is_removed_but_not_executed() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    let (_, prefix) = stand_in_installed(&home, &[]);
    recorded(&home);
    std::os::unix::fs::chown(prefix.join("bin/kubectl-login"), Some(65534), None).unwrap();
    let run = install(&home, &["uninstall", "--prefix", "prefix"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(run.stderr.contains("belongs to another user, so it is not run\nNext:  "), "{run}");
    assert!(recorded(&home).is_empty() && !prefix.exists());
}

#[test]
fn unrecorded_program_is_removed_but_not_executed() {
    let changes: [fn(&Path); 2] = [
        |prefix| program(&prefix.join("bin/kubectl-login"), &format!("{OURS}\ntouch \"${{0%/*}}/../../ran\"")),
        |prefix| fs::remove_file(prefix.join("share/kubectl-login/program")).unwrap(),
    ];
    for change in changes {
        let home = Home::new();
        let (_, prefix) = stand_in_installed(&home, &[]);
        recorded(&home);
        change(&prefix);
        let run = install(&home, &["uninstall", "--prefix", "prefix"]);
        assert_eq!(run.code, Some(0), "{run}");
        assert!(run.stderr.contains("is not the file that install put there, so it is not run\nNext:  "), "{run}");
        assert!(!home.path().join("ran").exists() && !prefix.exists());
    }
}

#[test]
fn foreign_kubelogin_is_kept_everywhere() {
    let home = Home::new();
    for folder in ["prefix/bin", "elsewhere"] {
        program(&home.path().join(folder).join("kubelogin"), "echo another program");
    }
    stand_in_installed(&home, &[]);
    program(&home.path().join("prefix/share/zsh/mine"), "");
    install_ok(&home, &["uninstall", "--prefix", "prefix"]);
    for folder in ["prefix/bin", "elsewhere"] {
        assert_eq!(names(&home.path().join(folder)), ["kubelogin"]);
        let text = fs::read_to_string(home.path().join(folder).join("kubelogin")).unwrap();
        assert_eq!(text, "#!/bin/sh\necho another program\n");
    }
    assert_eq!(names(&home.path().join("prefix/share")), ["zsh"]);
}

#[test]
fn sessions_can_be_kept() {
    let home = Home::new();
    let (_, prefix) = stand_in_installed(&home, &[]);
    recorded(&home);
    fs::create_dir_all(home.state()).unwrap();
    install_ok(&home, &["uninstall", "--keep-sign-ins", "--prefix", "prefix"]);
    assert!(recorded(&home).is_empty());
    assert!(home.state().is_dir() && !prefix.exists());
}

#[test]
fn failed_logout_is_named_and_the_rest_is_removed() {
    let home = Home::new();
    let binary = stand_in(&home, "remove-cache-dir) echo It is locked. >&2; exit 1 ;;");
    install_ok(&home, &["--prefix", "prefix", "--binary", &binary]);
    fs::create_dir_all(home.state()).unwrap();
    let run = install(&home, &["uninstall", "--prefix", "prefix"]);
    assert_eq!(run.code, Some(0), "{run}");
    let said = ["Error: no logout\n", "It is locked.\n", "Warning: some sessions could not be ended\nNext: "];
    for words in said.into_iter().chain([format!("Warning: {} still exists\nNext: ", home.state().display()).as_str()])
    {
        assert!(run.stderr.contains(words), "{words}: {run}");
    }
    assert!(!home.path().join("prefix").exists());

    // A version without remove-cache-dir, and without stored state.
    fs::remove_dir(home.state()).unwrap();
    let binary = stand_in(&home, "logout) echo Forgot 0 sessions. ;;");
    install_ok(&home, &["--prefix", "prefix", "--binary", &binary]);
    install_ok(&home, &["uninstall", "--prefix", "prefix"]);
}

#[test]
fn links_of_a_missing_program_are_removed() {
    let home = Home::new();
    let (_, prefix) = stand_in_installed(&home, &[]);
    fs::remove_file(prefix.join("bin/kubectl-login")).unwrap();
    install_ok(&home, &["uninstall", "--prefix", "prefix"]);
    assert!(!prefix.exists());
}

#[test]
fn home_directory_is_never_removed() {
    let home = Home::new();
    let inner = home.path().join("inner");
    let binary = stand_in(&home, COMMANDS);
    // Even if install created it.
    for args in [&["--prefix", "inner", "--binary", &binary][..], &["uninstall", "--prefix", "inner/"]] {
        let run = Run::of(script(&home, args).env("HOME", &inner));
        assert_eq!(run.code, Some(0), "{run}");
    }
    assert!(names(&inner).is_empty());
}

#[test]
fn script_works_in_other_shells() {
    let shells = [&["dash"][..], &["bash", "--posix"], &["busybox", "sh"], &["ksh"], &["mksh"]];
    let is_here = |name: &str| ["/bin", "/usr/bin"].iter().any(|folder| Path::new(folder).join(name).exists());
    for shell in shells.into_iter().filter(|shell| is_here(shell[0])) {
        let home = Home::new();
        let binary = stand_in(&home, COMMANDS);
        for more in [&[][..], &["--prefix", AWKWARD]] {
            // The second run finds the files of the first.
            for args in [&["install", "--binary", &binary][..], &["install", "--binary", &binary], &["uninstall"]] {
                let mut command = home.program(shell[0]);
                let run = Run::of(command.args(&shell[1..]).arg(SCRIPT).args(args).args(more).current_dir(home.path()));
                assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{shell:?}: {run}");
            }
        }
        assert_eq!(names(home.path()), ["ran", "run", "stand-in"], "{shell:?}");
    }
}
