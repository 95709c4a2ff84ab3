//! The completion files for bash, zsh and fish.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::{install, install_ok, names, program, recorded, script, stand_in_installed};
use crate::common::{Home, Run};

const BASH: &str = "bash-completion/completions/kubectl-login";
const ZSH: &str = "zsh/site-functions/_kubectl-login";
const FISH: &str = "fish/vendor_completions.d/kubectl-login.fish";

/// The list of directories that install created.
const NOTES: &str = "kubectl-login/folders";
/// The record of the installed program.
const RECORD: &str = "kubectl-login/program";

/// All files and links below a directory, by relative path.
fn all_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in if folder.is_dir() { names(folder) } else { Vec::new() } {
        let path = folder.join(&name);
        if path.is_dir() && !path.is_symlink() {
            found.extend(all_below(&path).into_iter().map(|below| Path::new(&name).join(below)));
        } else {
            found.push(name.into());
        }
    }
    found
}

#[test]
fn each_shell_gets_its_completion_files() {
    let home = Home::new();
    for _ in 0..2 {
        let (run, prefix) = stand_in_installed(&home, &[]);
        let share = prefix.join("share");
        assert!(run.stdout.contains(&format!("Completion for bash, zsh, fish is in {}\n", share.display())), "{run}");
        for (shell, file) in [("bash", BASH), ("zsh", ZSH), ("fish", FISH)] {
            let text = fs::read_to_string(share.join(file)).unwrap();
            assert!(text.starts_with(&format!("# completion of kubectl-login in {shell}\n# Written by")), "{text}");
            assert_eq!(fs::metadata(share.join(file)).unwrap().permissions().mode() & 0o777, 0o644);
        }
        let (bash, fish) = ("bash-completion/completions/kubelogin", "fish/vendor_completions.d/kubelogin.fish");
        assert_eq!(fs::read_link(share.join(bash)).unwrap(), Path::new("kubectl-login"));
        assert_eq!(fs::read_link(share.join(fish)).unwrap(), Path::new("kubectl-login.fish"));
        assert_eq!(all_below(&share), [BASH, bash, FISH, fish, NOTES, RECORD, ZSH].map(PathBuf::from));
        assert_eq!(
            names(&prefix.join("bin")),
            [
                "kubectl-login",
                "kubectl-oidc_login",
                "kubectl_complete-login",
                "kubectl_complete-oidc_login",
                "kubelogin"
            ]
        );
    }
    // Without completion, the files are removed.
    let (run, prefix) = stand_in_installed(&home, &["--no-completion"]);
    assert!(!run.stdout.contains("Completion") && !run.stdout.contains("Without"), "{run}");
    assert_eq!(all_below(&prefix.join("share")), [NOTES, RECORD].map(PathBuf::from));
    assert_eq!(names(&prefix.join("bin")), ["kubectl-login", "kubectl-oidc_login", "kubelogin"]);
}

#[test]
fn foreign_completion_files_are_kept() {
    let home = Home::new();
    let share = home.path().join("prefix/share");
    for (file, text) in [(BASH, "kubectl-login, by hand"), ("fish/vendor_completions.d/kubelogin.fish", "foreign")] {
        fs::create_dir_all(share.join(file).parent().unwrap()).unwrap();
        fs::write(share.join(file), text).unwrap();
    }
    fs::create_dir_all(share.join(ZSH).parent().unwrap()).unwrap();
    symlink("/nowhere/dotfiles", share.join(ZSH)).unwrap();
    program(&home.path().join("prefix/bin/kubelogin"), "echo another program");
    let (run, _) = stand_in_installed(&home, &[]);
    assert!(
        run.stdout.contains(&format!("Left alone: {}/{BASH} was not written by this script", share.display())),
        "{run}"
    );
    assert!(run.stdout.contains("Completion for fish is in"), "{run}");
    install_ok(&home, &["uninstall", "--prefix", "prefix"]);
    assert_eq!(fs::read_to_string(share.join(BASH)).unwrap(), "kubectl-login, by hand");
    assert_eq!(fs::read_link(share.join(ZSH)).unwrap(), Path::new("/nowhere/dotfiles"));
    let foreign = "fish/vendor_completions.d/kubelogin.fish";
    assert_eq!(fs::read_to_string(share.join(foreign)).unwrap(), "foreign");
    assert_eq!(all_below(&share), [BASH, foreign, ZSH].map(PathBuf::from));
}

#[test]
fn unwritable_directory_skips_only_that_shell() {
    let home = Home::new();
    fs::create_dir_all(home.path().join("prefix/share")).unwrap();
    fs::write(home.path().join("prefix/share/zsh"), "a file").unwrap();
    let binary = super::stand_in(&home, super::COMMANDS);
    let run = install(&home, &["--prefix", "prefix", "--binary", &binary]);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(run.stderr.starts_with("Warning: completion for zsh cannot be written"), "{run}");
    assert!(run.stderr.contains("\nNext: ") && run.stderr.lines().count() == 2, "{run}");
    assert!(run.stdout.contains("Completion for bash, fish is in"), "{run}");
}

#[test]
fn missing_shell_configuration_is_explained() {
    let home = Home::new();
    // A stand-in for zsh with one directory in its path.
    let (known, tools) = (home.path().join("known"), super::tools(&home));
    program(&tools.join("zsh"), &format!("echo '{}/share/zsh/site-functions'", known.display()));
    let binary = super::stand_in(&home, super::COMMANDS);
    let run_in = |prefix: &str, variables: &[(&str, &str)]| {
        let mut command = script(&home, &["--prefix", prefix, "--binary", &binary]);
        for name in ["XDG_DATA_HOME", "XDG_DATA_DIRS", "ZDOTDIR"] {
            command.env_remove(name);
        }
        let run = Run::of(command.env("PATH", &tools).envs(variables.iter().copied()));
        run.assert_silent_success();
        run.stdout
    };
    let stdout = run_in("known", &[]);
    assert!(!stdout.contains("fpath") && stdout.contains("XDG_DATA_DIRS"), "{stdout}");
    let share = known.join("share").to_str().unwrap().to_owned();
    let stdout = run_in("known", &[("XDG_DATA_DIRS", &format!("/usr/share:{share}"))]);
    assert!(!stdout.contains("XDG_DATA_DIRS"), "{stdout}");

    let stdout = run_in(".local", &[]);
    assert!(!stdout.contains("XDG_DATA_DIRS"), "{stdout}");
    let advice = stdout.lines().find(|line| line.contains("fpath=(")).unwrap_or_else(|| panic!("{stdout}"));
    // The advice is not repeated after the user has followed it.
    fs::write(home.path().join(".zshrc"), format!("{}\n", advice.trim())).unwrap();
    let stdout = run_in(".local", &[]);
    assert!(!stdout.contains("fpath"), "{stdout}");
    assert!(recorded(&home).contains(&"completion fish".to_owned()));
}
