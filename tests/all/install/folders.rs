//! The folders that install makes, which uninstall takes away again, and those that it may not.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{COMMANDS, install, names, script, stand_in, stand_in_installed, well};
use crate::common::{Home, Run};

const NOTES: &str = "prefix/share/kubectl-login/folders";

fn make(home: &Home, folders: &[&str]) {
    for folder in folders {
        fs::create_dir_all(home.path().join(folder)).unwrap();
    }
}

fn uninstall(home: &Home) -> Run {
    well(home, &["uninstall", "--prefix", "prefix"])
}

/// Every folder below one, the folder itself first.
fn folders_below(folder: &Path) -> Vec<String> {
    let inner = names(folder).into_iter().map(|name| folder.join(name)).filter(|path| path.is_dir());
    let below = inner.flat_map(|path| folders_below(&path));
    std::iter::once(folder.to_str().unwrap().to_owned()).chain(below).collect()
}

#[test]
fn folders_that_were_there_stay_empty_as_they_were() {
    let home = Home::new();
    make(&home, &["prefix/bin", "prefix/share/zsh"]);
    let prefix = home.path().join("prefix");
    let before = folders_below(&prefix);
    // The second installation finds the folders of the first.
    stand_in_installed(&home, &["--no-completion"]);
    stand_in_installed(&home, &[]);
    uninstall(&home);
    assert_eq!(folders_below(&prefix), before);
}

#[test]
fn folders_that_were_there_are_not_noted() {
    let home = Home::new();
    let folders =
        ["bin", "share/bash-completion/completions", "share/zsh/site-functions", "share/fish/vendor_completions.d"];
    make(&home, &folders.map(|folder| format!("prefix/{folder}")).each_ref().map(String::as_str));
    stand_in_installed(&home, &[]);
    let noted = fs::read_to_string(home.path().join(NOTES)).unwrap();
    assert_eq!(noted, format!("{}/prefix/share/kubectl-login\n", home.path().display()));
}

#[test]
fn what_each_installation_made_is_noted_once() {
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
fn the_folder_that_the_program_makes_for_its_state_goes_if_it_was_not_there() {
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
fn an_installation_without_notes_loses_its_files_and_no_folder() {
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
fn notes_that_somebody_changed_lead_nowhere_else() {
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
fn notes_behind_a_link_are_somebody_elses() {
    let home = Home::new();
    let (_, prefix) = stand_in_installed(&home, &[]);
    let elsewhere = home.path().join("elsewhere");
    fs::rename(home.path().join(NOTES), &elsewhere).unwrap();
    symlink(&elsewhere, home.path().join(NOTES)).unwrap();
    uninstall(&home);
    assert!(elsewhere.is_file() && prefix.join("bin").is_dir());
}

#[test]
fn folders_that_cannot_be_noted_are_said_to_stay() {
    let home = Home::new();
    make(&home, &["prefix"]);
    fs::write(home.path().join("prefix/share"), "a file").unwrap();
    let binary = stand_in(&home, COMMANDS);
    let run = install(&home, &["--prefix", "prefix", "--binary", &binary, "--no-completion"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(run.stderr.starts_with("Warning: the created folders cannot be recorded"), "{run}");
    assert!(run.stderr.contains("\nNext: ") && run.stderr.lines().count() == 2, "{run}");
    // The record of the program could not be kept there either.
    let run = install(&home, &["uninstall", "--prefix", "prefix"]);
    assert!(run.code == Some(0) && run.stderr.contains("is not the file that install put there"), "{run}");
    assert_eq!(names(&home.path().join("prefix")), ["bin", "share"]);
}

#[test]
fn the_same_prefix_in_other_words_is_the_same() {
    let home = Home::new();
    let binary = stand_in(&home, COMMANDS);
    make(&home, &["q"]);
    well(&home, &["--prefix", "q/../prefix", "--binary", &binary, "--no-completion"]);
    well(&home, &["--prefix", "prefix/.", "--binary", &binary]);
    symlink(home.path(), home.path().join("here")).unwrap();
    let run = Run::of(&mut script(&home, &["uninstall", "--prefix", "here//prefix/"]));
    run.assert_silent_success();
    assert!(!home.path().join("prefix").exists());
    assert!(home.path().join("q").is_dir());
}
