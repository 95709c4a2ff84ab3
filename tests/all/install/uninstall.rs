//! `install.sh uninstall`: signs out, takes away what install made, and nothing else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{
    AWKWARD, COMMANDS, OURS, SCRIPT, asked, install, names, program, script, stand_in, stand_in_installed, tools, well,
};
use crate::common::{Home, Run, is_root};

#[test]
fn it_signs_out_and_forgets_before_anything_goes_with_few_tools() {
    let home = Home::new();
    let tools = tools(&home);
    let (_, prefix) = stand_in_installed(&home, &[]);
    asked(&home);
    let run = Run::of(script(&home, &["uninstall", "--prefix", "prefix"]).env("PATH", tools));
    run.assert_silent_success();
    assert_eq!(asked(&home), ["logout --all", "remove-cache-dir"]);
    let said: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(said[..2], ["Forgot 1 sign-in.", "Removed the folder."], "{run}");
    assert!(said[2..].iter().all(|line| line.starts_with("Removed   ")), "{run}");
    assert!(!prefix.exists());
    let again = well(&home, &["uninstall", "--prefix", "prefix"]);
    assert!(again.stdout.contains("is not installed in") && again.stdout.lines().count() == 1, "{again}");
}

#[test]
fn where_nothing_is_installed_it_says_so_and_touches_nothing() {
    let home = Home::new();
    fs::create_dir_all(home.path().join(".local/bin")).unwrap();
    let run = well(&home, &["uninstall"]);
    assert!(run.stdout.contains("is not installed in") && run.stdout.lines().count() == 1, "{run}");
    assert!(home.path().join(".local/bin").is_dir());
}

#[test]
fn what_is_not_ours_stays_and_is_not_run() {
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
    assert!(asked(&home).is_empty());
}

#[test]
fn program_of_another_user_is_removed_and_not_run() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    let (_, prefix) = stand_in_installed(&home, &[]);
    asked(&home);
    std::os::unix::fs::chown(prefix.join("bin/kubectl-login"), Some(65534), None).unwrap();
    let run = install(&home, &["uninstall", "--prefix", "prefix"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(run.stderr.contains("belongs to another user, so it is not run\nNext:  "), "{run}");
    assert!(asked(&home).is_empty() && !prefix.exists());
}

#[test]
fn program_that_install_did_not_put_there_is_removed_and_not_run() {
    let changes: [fn(&Path); 2] = [
        |prefix| program(&prefix.join("bin/kubectl-login"), &format!("{OURS}\ntouch \"${{0%/*}}/../../ran\"")),
        |prefix| fs::remove_file(prefix.join("share/kubectl-login/program")).unwrap(),
    ];
    for change in changes {
        let home = Home::new();
        let (_, prefix) = stand_in_installed(&home, &[]);
        asked(&home);
        change(&prefix);
        let run = install(&home, &["uninstall", "--prefix", "prefix"]);
        assert_eq!(run.code, Some(0), "{run}");
        assert!(run.stderr.contains("is not the file that install put there, so it is not run\nNext:  "), "{run}");
        assert!(!home.path().join("ran").exists() && !prefix.exists());
    }
}

#[test]
fn a_foreign_kubelogin_stays_as_it_was_beside_the_program_and_elsewhere_on_the_path() {
    let home = Home::new();
    for folder in ["prefix/bin", "elsewhere"] {
        program(&home.path().join(folder).join("kubelogin"), "echo somebody else");
    }
    stand_in_installed(&home, &[]);
    program(&home.path().join("prefix/share/zsh/mine"), "");
    well(&home, &["uninstall", "--prefix", "prefix"]);
    for folder in ["prefix/bin", "elsewhere"] {
        assert_eq!(names(&home.path().join(folder)), ["kubelogin"]);
        let text = fs::read_to_string(home.path().join(folder).join("kubelogin")).unwrap();
        assert_eq!(text, "#!/bin/sh\necho somebody else\n");
    }
    assert_eq!(names(&home.path().join("prefix/share")), ["zsh"]);
}

#[test]
fn sign_ins_are_kept_when_asked() {
    let home = Home::new();
    let (_, prefix) = stand_in_installed(&home, &[]);
    asked(&home);
    fs::create_dir_all(home.state()).unwrap();
    well(&home, &["uninstall", "--keep-sign-ins", "--prefix", "prefix"]);
    assert!(asked(&home).is_empty());
    assert!(home.state().is_dir() && !prefix.exists());
}

#[test]
fn what_cannot_be_forgotten_is_named_and_the_rest_goes() {
    let home = Home::new();
    let binary = stand_in(&home, "remove-cache-dir) echo It is locked. >&2; exit 1 ;;");
    well(&home, &["--prefix", "prefix", "--binary", &binary]);
    fs::create_dir_all(home.state()).unwrap();
    let run = install(&home, &["uninstall", "--prefix", "prefix"]);
    assert_eq!(run.code, Some(0), "{run}");
    let said = ["Error: no logout\n", "It is locked.\n", "Warning: some sessions could not be ended\nNext: "];
    for words in said.into_iter().chain([format!("Warning: {} still exists\nNext: ", home.state().display()).as_str()])
    {
        assert!(run.stderr.contains(words), "{words}: {run}");
    }
    assert!(!home.path().join("prefix").exists());

    // A version without remove-cache-dir, with nothing kept.
    fs::remove_dir(home.state()).unwrap();
    let binary = stand_in(&home, "logout) echo Forgot 0 sign-ins. ;;");
    well(&home, &["--prefix", "prefix", "--binary", &binary]);
    well(&home, &["uninstall", "--prefix", "prefix"]);
}

#[test]
fn a_program_that_is_gone_leaves_no_links_behind() {
    let home = Home::new();
    let (_, prefix) = stand_in_installed(&home, &[]);
    fs::remove_file(prefix.join("bin/kubectl-login")).unwrap();
    well(&home, &["uninstall", "--prefix", "prefix"]);
    assert!(!prefix.exists());
}

#[test]
fn the_home_folder_itself_is_never_removed() {
    let home = Home::new();
    let inner = home.path().join("inner");
    let binary = stand_in(&home, COMMANDS);
    // Not even if it was install that made it.
    for args in [&["--prefix", "inner", "--binary", &binary][..], &["uninstall", "--prefix", "inner/"]] {
        let run = Run::of(script(&home, args).env("HOME", &inner));
        assert_eq!(run.code, Some(0), "{run}");
    }
    assert!(names(&inner).is_empty());
}

#[test]
fn other_shells_read_the_script_as_sh_does() {
    let shells = [&["dash"][..], &["bash", "--posix"], &["busybox", "sh"], &["ksh"], &["mksh"]];
    let is_here = |name: &str| ["/bin", "/usr/bin"].iter().any(|folder| Path::new(folder).join(name).exists());
    for shell in shells.into_iter().filter(|shell| is_here(shell[0])) {
        let home = Home::new();
        let binary = stand_in(&home, COMMANDS);
        for more in [&[][..], &["--prefix", AWKWARD]] {
            // The second time, what the first has made is there.
            for args in [&["install", "--binary", &binary][..], &["install", "--binary", &binary], &["uninstall"]] {
                let mut command = home.program(shell[0]);
                let run = Run::of(command.args(&shell[1..]).arg(SCRIPT).args(args).args(more).current_dir(home.path()));
                assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{shell:?}: {run}");
            }
        }
        assert_eq!(names(home.path()), ["ran", "run", "stand-in"], "{shell:?}");
    }
}
