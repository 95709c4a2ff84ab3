//! The links beside the binary, and what becomes of other programs of those names.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{COMMANDS, asked, install, installed, names, program, stand_in, stand_in_installed, well};
use crate::common::{Home, PLUGIN};

const FOREIGN: &str = "#!/bin/sh\necho somebody else\n";

#[test]
fn a_foreign_kubelogin_is_left_alone_whatever_it_is() {
    let home = Home::new();
    let bin = home.path().join("prefix/bin");
    program(&bin.join("kubelogin"), "echo somebody else");
    symlink("/nowhere/oidc", bin.join("kubectl-oidc_login")).unwrap();
    for _ in 0..2 {
        let (run, _) = installed(&home, &home.path().join("prefix"));
        assert!(
            run.stdout.contains(&format!("Left alone: {}/kubelogin belongs to another program", bin.display())),
            "{run}"
        );
        assert!(run.stdout.contains("kubectl-oidc_login is a link to /nowhere/oidc"), "{run}");
        assert_eq!(fs::read_to_string(bin.join("kubelogin")).unwrap(), "#!/bin/sh\necho somebody else\n");
        assert_eq!(fs::read_link(bin.join("kubectl-oidc_login")).unwrap(), Path::new("/nowhere/oidc"));
    }
}

#[test]
fn forced_the_other_program_is_moved_aside_and_uninstall_puts_it_back() {
    let home = Home::new();
    let bin = home.path().join("prefix/bin");
    program(&bin.join("kubelogin"), "echo somebody else");
    symlink("/nowhere/oidc", bin.join("kubectl-oidc_login")).unwrap();
    fs::write(bin.join("kubectl_complete-login"), "somebody else's").unwrap();
    // The second time there is nothing left to move.
    for _ in 0..2 {
        let (run, _) = stand_in_installed(&home, &["--force-links"]);
        assert!(!run.stdout.contains("Left alone"), "{run}");
        for name in ["kubelogin", "kubectl-oidc_login", "kubectl_complete-login"] {
            assert_eq!(fs::read_link(bin.join(name)).unwrap(), Path::new("kubectl-login"));
        }
    }
    assert_eq!(fs::read_to_string(bin.join("kubelogin.before-kubectl-login")).unwrap(), FOREIGN);
    let run = well(&home, &["uninstall", "--prefix", "prefix"]);
    assert!(run.stdout.contains(&format!("Restored  {}/kubelogin\n", bin.display())), "{run}");
    assert_eq!(names(&bin), ["kubectl-oidc_login", "kubectl_complete-login", "kubelogin"]);
    assert_eq!(fs::read_to_string(bin.join("kubelogin")).unwrap(), FOREIGN);
    assert_eq!(fs::read_link(bin.join("kubectl-oidc_login")).unwrap(), Path::new("/nowhere/oidc"));
    assert_eq!(fs::read_to_string(bin.join("kubectl_complete-login")).unwrap(), "somebody else's");
}

#[test]
fn what_was_moved_aside_earlier_is_never_overwritten() {
    let home = Home::new();
    let bin = home.path().join("prefix/bin");
    program(&bin.join("kubelogin"), "echo somebody else");
    fs::write(bin.join("kubelogin.before-kubectl-login"), "the first").unwrap();
    let run = install(&home, &["--prefix", "prefix", "--binary", PLUGIN, "--force-links"]);
    run.assert_failed(1, &["Error: ", "kubelogin.before-kubectl-login exists already", "\nNext:  Move one"]);
    assert_eq!(names(&bin), ["kubelogin", "kubelogin.before-kubectl-login"]);

    // Nor does uninstall put it in the place of what has come since.
    installed(&home, &home.path().join("prefix"));
    let run = well(&home, &["uninstall", "--prefix", "prefix", "--keep-sign-ins"]);
    assert!(run.stdout.contains("kubelogin.before-kubectl-login, because there is another kubelogin now"), "{run}");
    assert_eq!(names(&bin), ["kubelogin", "kubelogin.before-kubectl-login"]);
    assert_eq!(fs::read_to_string(bin.join("kubelogin")).unwrap(), FOREIGN);
    assert_eq!(fs::read_to_string(bin.join("kubelogin.before-kubectl-login")).unwrap(), "the first");
}

#[test]
fn a_script_of_somebodys_own_around_this_program_is_another_program() {
    let home = Home::new();
    let own = home.path().join("prefix/bin/kubectl-login");
    program(&own, &format!("export KUBECTL_LOGIN_PROMPT=never\nexec '{PLUGIN}' \"$@\""));
    let before = fs::read(&own).unwrap();
    install(&home, &["--prefix", "prefix", "--binary", PLUGIN]).assert_failed(1, &["is another program"]);
    well(&home, &["uninstall", "--prefix", "prefix"]);
    assert_eq!(fs::read(&own).unwrap(), before);
}

#[test]
fn a_program_that_is_a_link_was_not_made_by_install_and_is_left_alone() {
    let home = Home::new();
    let bin = home.path().join("prefix/bin");
    let ran = home.path().join("ran");
    fs::create_dir_all(&bin).unwrap();
    symlink("kubectl-login", bin.join("kubelogin")).unwrap();
    // This program, put there by somebody else; a folder; nothing.
    for target in [stand_in(&home, COMMANDS), home.path().to_str().unwrap().to_owned(), "../nowhere".to_owned()] {
        let _ = fs::remove_file(bin.join("kubectl-login"));
        symlink(&target, bin.join("kubectl-login")).unwrap();
        let run = install(&home, &["--prefix", "prefix", "--binary", PLUGIN]);
        let said = format!("Error: {}/kubectl-login is a link to {}\nNext:  ", bin.display(), target);
        run.assert_failed(1, &[&said]);

        let run = well(&home, &["uninstall", "--prefix", "prefix"]);
        let said = format!("Left alone: {}/kubectl-login is a link to {}\n", bin.display(), target);
        assert!(run.stdout.starts_with(&said), "{run}");
        assert!(!ran.exists(), "{:?}", asked(&home));
        assert_eq!(fs::read_link(bin.join("kubectl-login")).unwrap(), Path::new(&target));
        assert_eq!(names(&home.path().join("prefix")), ["bin"]);
        assert_eq!(names(&bin), ["kubectl-login", "kubelogin"]);
    }
}

#[test]
fn kubectl_is_given_completion_only_for_plugins_of_this_program_that_know_it() {
    let home = Home::new();
    let bin = home.path().join("prefix/bin");
    program(&bin.join("kubectl-oidc_login"), "echo somebody else");
    stand_in_installed(&home, &[]);
    assert_eq!(names(&bin), ["kubectl-login", "kubectl-oidc_login", "kubectl_complete-login", "kubelogin"]);

    // A version without completion would run the typed words: pressing TAB after `logout --all` would log out.
    let older = stand_in(&home, "");
    let run = well(&home, &["--prefix", "prefix", "--binary", &older]);
    assert_eq!(run.stdout.matches("Without completion").count(), 1, "{run}");
    assert_eq!(names(&bin), ["kubectl-login", "kubectl-oidc_login", "kubelogin"]);
    assert_eq!(asked(&home).last().unwrap(), "completion bash");
}
