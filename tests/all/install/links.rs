//! The links beside the binary, and other programs of those names.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{COMMANDS, install, install_ok, installed, names, program, recorded, stand_in, stand_in_installed};
use crate::common::{Home, PLUGIN};

const FOREIGN: &str = "#!/bin/sh\necho another program\n";

#[test]
fn foreign_kubelogin_is_kept() {
    let home = Home::new();
    let bin = home.path().join("prefix/bin");
    program(&bin.join("kubelogin"), "echo another program");
    symlink("/nowhere/oidc", bin.join("kubectl-oidc_login")).unwrap();
    for _ in 0..2 {
        let (run, _) = installed(&home, &home.path().join("prefix"));
        assert!(
            run.stdout.contains(&format!("Left alone: {}/kubelogin belongs to another program", bin.display())),
            "{run}"
        );
        assert!(run.stdout.contains("kubectl-oidc_login is a link to /nowhere/oidc"), "{run}");
        assert_eq!(fs::read_to_string(bin.join("kubelogin")).unwrap(), "#!/bin/sh\necho another program\n");
        assert_eq!(fs::read_link(bin.join("kubectl-oidc_login")).unwrap(), Path::new("/nowhere/oidc"));
    }
}

#[test]
fn force_moves_other_programs_and_uninstall_restores_them() {
    let home = Home::new();
    let bin = home.path().join("prefix/bin");
    program(&bin.join("kubelogin"), "echo another program");
    symlink("/nowhere/oidc", bin.join("kubectl-oidc_login")).unwrap();
    fs::write(bin.join("kubectl_complete-login"), "another program").unwrap();
    // The second run has nothing to move.
    for _ in 0..2 {
        let (run, _) = stand_in_installed(&home, &["--force-links"]);
        assert!(!run.stdout.contains("Left alone"), "{run}");
        for name in ["kubelogin", "kubectl-oidc_login", "kubectl_complete-login"] {
            assert_eq!(fs::read_link(bin.join(name)).unwrap(), Path::new("kubectl-login"));
        }
    }
    assert_eq!(fs::read_to_string(bin.join("kubelogin.before-kubectl-login")).unwrap(), FOREIGN);
    let run = install_ok(&home, &["uninstall", "--prefix", "prefix"]);
    assert!(run.stdout.contains(&format!("Restored  {}/kubelogin\n", bin.display())), "{run}");
    assert_eq!(names(&bin), ["kubectl-oidc_login", "kubectl_complete-login", "kubelogin"]);
    assert_eq!(fs::read_to_string(bin.join("kubelogin")).unwrap(), FOREIGN);
    assert_eq!(fs::read_link(bin.join("kubectl-oidc_login")).unwrap(), Path::new("/nowhere/oidc"));
    assert_eq!(fs::read_to_string(bin.join("kubectl_complete-login")).unwrap(), "another program");
}

#[test]
fn moved_programs_are_never_overwritten() {
    let home = Home::new();
    let bin = home.path().join("prefix/bin");
    program(&bin.join("kubelogin"), "echo another program");
    fs::write(bin.join("kubelogin.before-kubectl-login"), "the first").unwrap();
    let run = install(&home, &["--prefix", "prefix", "--binary", PLUGIN, "--force-links"]);
    run.assert_failed(1, &["Error: ", "kubelogin.before-kubectl-login exists already", "\nNext:  Move one"]);
    assert_eq!(names(&bin), ["kubelogin", "kubelogin.before-kubectl-login"]);

    // Uninstall does not restore it over a newer program either.
    installed(&home, &home.path().join("prefix"));
    let run = install_ok(&home, &["uninstall", "--prefix", "prefix", "--keep-sign-ins"]);
    assert!(run.stdout.contains("kubelogin.before-kubectl-login, because there is another kubelogin now"), "{run}");
    assert_eq!(names(&bin), ["kubelogin", "kubelogin.before-kubectl-login"]);
    assert_eq!(fs::read_to_string(bin.join("kubelogin")).unwrap(), FOREIGN);
    assert_eq!(fs::read_to_string(bin.join("kubelogin.before-kubectl-login")).unwrap(), "the first");
}

#[test]
fn wrapper_script_counts_as_another_program() {
    let home = Home::new();
    let own = home.path().join("prefix/bin/kubectl-login");
    program(&own, &format!("export KUBECTL_LOGIN_PROMPT=never\nexec '{PLUGIN}' \"$@\""));
    let before = fs::read(&own).unwrap();
    install(&home, &["--prefix", "prefix", "--binary", PLUGIN]).assert_failed(1, &["is another program"]);
    install_ok(&home, &["uninstall", "--prefix", "prefix"]);
    assert_eq!(fs::read(&own).unwrap(), before);
}

#[test]
fn linked_program_is_kept() {
    let home = Home::new();
    let bin = home.path().join("prefix/bin");
    let ran = home.path().join("ran");
    fs::create_dir_all(&bin).unwrap();
    symlink("kubectl-login", bin.join("kubelogin")).unwrap();
    // This program, installed in another way; a directory; a dangling link.
    for target in [stand_in(&home, COMMANDS), home.path().to_str().unwrap().to_owned(), "../nowhere".to_owned()] {
        let _ = fs::remove_file(bin.join("kubectl-login"));
        symlink(&target, bin.join("kubectl-login")).unwrap();
        let run = install(&home, &["--prefix", "prefix", "--binary", PLUGIN]);
        let said = format!("Error: {}/kubectl-login is a link to {}\nNext:  ", bin.display(), target);
        run.assert_failed(1, &[&said]);

        let run = install_ok(&home, &["uninstall", "--prefix", "prefix"]);
        let said = format!("Left alone: {}/kubectl-login is a link to {}\n", bin.display(), target);
        assert!(run.stdout.starts_with(&said), "{run}");
        assert!(!ran.exists(), "{:?}", recorded(&home));
        assert_eq!(fs::read_link(bin.join("kubectl-login")).unwrap(), Path::new(&target));
        assert_eq!(names(&home.path().join("prefix")), ["bin"]);
        assert_eq!(names(&bin), ["kubectl-login", "kubelogin"]);
    }
}

#[test]
fn kubectl_completion_is_only_installed_for_own_plugins() {
    let home = Home::new();
    let bin = home.path().join("prefix/bin");
    program(&bin.join("kubectl-oidc_login"), "echo another program");
    stand_in_installed(&home, &[]);
    assert_eq!(names(&bin), ["kubectl-login", "kubectl-oidc_login", "kubectl_complete-login", "kubelogin"]);

    // A version without completion would execute the typed words: TAB after `logout --all` would log out.
    let older = stand_in(&home, "");
    let run = install_ok(&home, &["--prefix", "prefix", "--binary", &older]);
    assert_eq!(run.stdout.matches("Without completion").count(), 1, "{run}");
    assert_eq!(names(&bin), ["kubectl-login", "kubectl-oidc_login", "kubelogin"]);
    assert_eq!(recorded(&home).last().unwrap(), "completion bash");
}
