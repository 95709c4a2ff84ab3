//! The directories that install creates, which uninstall removes, and those that it must keep.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{COMMANDS, install, install_ok, names, script, stand_in, stand_in_installed};
use crate::common::{Home, Run};

const NOTES: &str = "prefix/share/kubectl-login/folders";

fn make(home: &Home, folders: &[&str]) {
    for folder in folders {
        fs::create_dir_all(home.path().join(folder)).unwrap();
    }
}

fn uninstall(home: &Home) -> Run {
    install_ok(home, &["uninstall", "--prefix", "prefix"])
}

/// All directories below one, the directory itself first.
fn folders_below(folder: &Path) -> Vec<String> {
    let inner = names(folder).into_iter().map(|name| folder.join(name)).filter(|path| path.is_dir());
    let below = inner.flat_map(|path| folders_below(&path));
    std::iter::once(folder.to_str().unwrap().to_owned()).chain(below).collect()
}

#[test]
fn existing_directories_are_kept() {
    let home = Home::new();
    make(&home, &["prefix/bin", "prefix/share/zsh"]);
    let prefix = home.path().join("prefix");
    let before = folders_below(&prefix);
    // The second installation finds the directories of the first.
    stand_in_installed(&home, &["--no-completion"]);
    stand_in_installed(&home, &[]);
    uninstall(&home);
    assert_eq!(folders_below(&prefix), before);
}

#[test]
fn existing_directories_are_not_recorded() {
    let home = Home::new();
    let folders =
        ["bin", "share/bash-completion/completions", "share/zsh/site-functions", "share/fish/vendor_completions.d"];
    make(&home, &folders.map(|folder| format!("prefix/{folder}")).each_ref().map(String::as_str));
    stand_in_installed(&home, &[]);
    let noted = fs::read_to_string(home.path().join(NOTES)).unwrap();
    assert_eq!(noted, format!("{}/prefix/share/kubectl-login\n", home.path().display()));
}

#[test]
fn created_directories_are_recorded_once() {
    let home = Home::new();
    let (_, prefix) = stand_in_installed(&home, &["--no-completion"]);
    for more in [&["--no-completion"][..], &[], &[]] {
        stand_in_installed(&home, more);
        let text = fs::read_to_string(home.path().join(NOTES)).unwrap();
        let noted: Vec<&str> = text.lines().collect();
        assert_eq!(noted, folders_below(&prefix), "{more:?}");
    }
    uninstall(&home);
    assert!(!prefix.exists());
}

#[test]
fn new_state_directory_is_removed() {
    for (there, left) in [(false, &["run", "stand-in"][..]), (true, &[".local", "run", "stand-in"])] {
        let home = Home::new();
        let state = home.path().join(".local/state");
        if there {
            make(&home, &[".local/state"]);
        }
        let binary = stand_in(&home, COMMANDS);
        for args in [&["--binary", &binary][..], &["--binary", &binary], &["uninstall"]] {
            let run = install(&home, args);
            assert_eq!(run.code, Some(0), "{run}");
            fs::remove_file(home.path().join("ran")).unwrap();
            if args[0] != "uninstall" {
                make(&home, &[".local/state"]);
            }
        }
        assert_eq!(names(home.path()), left);
        assert_eq!(state.is_dir(), there);
    }
}

#[test]
fn installation_without_a_record_keeps_directories() {
    let home = Home::new();
    let (_, prefix) = stand_in_installed(&home, &[]);
    fs::remove_file(home.path().join(NOTES)).unwrap();
    let before = folders_below(&prefix);
    uninstall(&home);
    assert_eq!(folders_below(&prefix), before);
    assert!(
        before.iter().all(|folder| names(Path::new(folder)).iter().all(|name| Path::new(folder).join(name).is_dir()))
    );
}

#[test]
fn modified_record_cannot_remove_other_directories() {
    let home = Home::new();
    make(&home, &["prefix-of-another", "elsewhere/inner", "relative", ".local/state", "prefix/mine"]);
    let prefix = home.path().join("prefix");
    stand_in_installed(&home, &[]);
    symlink(home.path().join("elsewhere"), prefix.join("link")).unwrap();
    symlink("mine", prefix.join("beside")).unwrap();
    let at = home.path().display();
    let mut text = fs::read_to_string(home.path().join(NOTES)).unwrap();
    for line in [
        "/elsewhere/inner",
        "/prefix/../elsewhere/inner",
        "/prefix/link/inner",
        "/prefix/beside",
        "/prefix-of-another",
        "/.local/state",
    ] {
        text.push_str(&format!("{at}{line}\n"));
    }
    fs::write(home.path().join(NOTES), text + "relative\nprefix/mine\n\n..\n-rf\n").unwrap();
    uninstall(&home);
    for folder in ["prefix-of-another", "elsewhere/inner", "relative", ".local/state", "prefix/mine"] {
        assert!(home.path().join(folder).is_dir(), "{folder}");
    }
    assert_eq!(names(&prefix), ["beside", "link", "mine"]);
}

#[test]
fn linked_record_is_ignored() {
    let home = Home::new();
    let (_, prefix) = stand_in_installed(&home, &[]);
    let elsewhere = home.path().join("elsewhere");
    fs::rename(home.path().join(NOTES), &elsewhere).unwrap();
    symlink(&elsewhere, home.path().join(NOTES)).unwrap();
    uninstall(&home);
    assert!(elsewhere.is_file() && prefix.join("bin").is_dir());
}

#[test]
fn unrecorded_directories_are_named() {
    let home = Home::new();
    make(&home, &["prefix"]);
    fs::write(home.path().join("prefix/share"), "a file").unwrap();
    let binary = stand_in(&home, COMMANDS);
    let run = install(&home, &["--prefix", "prefix", "--binary", &binary, "--no-completion"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(run.stderr.starts_with("Warning: the created folders cannot be recorded"), "{run}");
    assert!(run.stderr.contains("\nNext: ") && run.stderr.lines().count() == 2, "{run}");
    // The record of the program could not be written there either.
    let run = install(&home, &["uninstall", "--prefix", "prefix"]);
    assert!(run.code == Some(0) && run.stderr.contains("is not the file that install put there"), "{run}");
    assert_eq!(names(&home.path().join("prefix")), ["bin", "share"]);
}

#[test]
fn same_prefix_in_another_spelling_is_recognised() {
    let home = Home::new();
    let binary = stand_in(&home, COMMANDS);
    make(&home, &["q"]);
    install_ok(&home, &["--prefix", "q/../prefix", "--binary", &binary, "--no-completion"]);
    install_ok(&home, &["--prefix", "prefix/.", "--binary", &binary]);
    symlink(home.path(), home.path().join("here")).unwrap();
    let run = Run::of(&mut script(&home, &["uninstall", "--prefix", "here//prefix/"]));
    run.assert_silent_success();
    assert!(!home.path().join("prefix").exists());
    assert!(home.path().join("q").is_dir());
}
