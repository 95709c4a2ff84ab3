//! What `install.sh` leaves behind: the binary and its two other names, and nothing else touched.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Home, PLUGIN, Run};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/install.sh");
/// What the script needs besides a shell, and `setsid` for the harness.
const TOOLS: &str = "sh cat chmod cp dirname grep ln mkdir mktemp mv readlink rm setsid";

/// `install.sh` in a home of its own, from a folder that is not the checkout.
fn script<S: AsRef<str>>(home: &Home, args: &[S]) -> Command {
    let mut command = home.program("sh");
    command.arg(SCRIPT).args(args.iter().map(AsRef::as_ref)).current_dir(home.path());
    command.env_remove("CARGO_TARGET_DIR").env_remove("CARGO_BUILD_TARGET");
    command
}

fn install(home: &Home, args: &[&str]) -> Run {
    Run::of(&mut script(home, args))
}

/// An installation of the built binary below `prefix`, which has to succeed.
#[track_caller]
fn installed(home: &Home, prefix: &Path) -> (Run, PathBuf) {
    let run = install(home, &["--prefix", prefix.to_str().unwrap(), "--binary", PLUGIN]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run}");
    (run, prefix.join("bin"))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// An executable script.
fn program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A folder for `PATH` with the tools that the script uses, and no cargo.
fn tools(home: &Home) -> PathBuf {
    let folder = home.path().join("tools");
    fs::create_dir(&folder).unwrap();
    for tool in TOOLS.split(' ') {
        let found = ["/usr/bin", "/bin"].map(|from| Path::new(from).join(tool)).into_iter().find(|path| path.exists());
        let found = found.unwrap_or_else(|| panic!("{tool} is missing: apt-get install coreutils grep util-linux"));
        symlink(found, folder.join(tool)).unwrap();
    }
    folder
}

#[test]
fn the_binary_and_its_two_other_names_run_and_nothing_else_is_there() {
    let home = Home::new();
    let (run, bin) = installed(&home, &home.path().join("prefix"));
    assert_eq!(names(&bin), ["kubectl-login", "kubectl-oidc_login", "kubelogin"]);
    for name in names(&bin) {
        let version = Run::of(home.program(bin.join(&name).to_str().unwrap()).arg("version"));
        assert_eq!(version.stdout, format!("kubectl-login {}\n", env!("CARGO_PKG_VERSION")), "{name}: {version}");
        assert!(run.stdout.contains(bin.join(&name).to_str().unwrap()), "{name} is not mentioned: {run}");
    }
    for name in ["kubelogin", "kubectl-oidc_login"] {
        // Relative, so that the folder can be moved.
        assert_eq!(fs::read_link(bin.join(name)).unwrap(), Path::new("kubectl-login"));
    }
    let mode = fs::metadata(bin.join("kubectl-login")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755, "{mode:o}");
}

#[test]
fn without_a_prefix_it_goes_to_local_in_the_home_folder() {
    let home = Home::new();
    let run = install(&home, &["--binary", PLUGIN]);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(home.path().join(".local/bin/kubectl-login").is_file());
    let mut homeless = script(&home, &["--binary", PLUGIN]);
    Run::of(homeless.env_remove("HOME")).assert_failed(1, &["Error: HOME is not set", "Next:  ", "--prefix"]);
}

#[test]
fn a_relative_prefix_counts_from_where_it_is_run() {
    let home = Home::new();
    let run = install(&home, &["--prefix=here", &format!("--binary={PLUGIN}")]);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(home.path().join("here/bin/kubelogin").exists());
}

#[test]
fn a_foreign_kubelogin_is_left_alone_whatever_it_is() {
    let home = Home::new();
    let bin = home.path().join("prefix/bin");
    program(&bin.join("kubelogin"), "echo somebody else");
    symlink("/nowhere/oidc", bin.join("kubectl-oidc_login")).unwrap();
    for _ in 0..2 {
        let (run, _) = installed(&home, &home.path().join("prefix"));
        assert!(run.stdout.contains(&format!("Left alone: {}/kubelogin is another program's", bin.display())), "{run}");
        assert!(run.stdout.contains("kubectl-oidc_login is a link to /nowhere/oidc"), "{run}");
        assert_eq!(fs::read_to_string(bin.join("kubelogin")).unwrap(), "#!/bin/sh\necho somebody else\n");
        assert_eq!(fs::read_link(bin.join("kubectl-oidc_login")).unwrap(), Path::new("/nowhere/oidc"));
    }
}

#[test]
fn a_foreign_kubectl_login_stops_it_before_anything_is_touched() {
    let home = Home::new();
    let bin = home.path().join("prefix/bin");
    program(&bin.join("kubectl-login"), "echo somebody else");
    let run = install(&home, &["--prefix", "prefix", "--binary", PLUGIN]);
    run.assert_failed(1, &["kubectl-login is there already and is another program", "\nNext:  Move it away"]);
    assert_eq!(names(&bin), ["kubectl-login"]);
    assert_eq!(fs::read_to_string(bin.join("kubectl-login")).unwrap(), "#!/bin/sh\necho somebody else\n");

    fs::remove_file(bin.join("kubectl-login")).unwrap();
    fs::create_dir(bin.join("kubectl-login")).unwrap();
    let run = install(&home, &["--prefix", "prefix", "--binary", PLUGIN]);
    run.assert_failed(1, &["kubectl-login is a folder"]);
    assert!(names(&bin.join("kubectl-login")).is_empty());
}

#[test]
fn a_second_run_replaces_the_binary_in_one_step_and_keeps_the_links() {
    let home = Home::new();
    let (_, bin) = installed(&home, &home.path().join("prefix"));
    // Whoever has the old one open keeps it: it is replaced, never written into.
    let old = fs::File::open(bin.join("kubectl-login")).unwrap();
    let (run, _) = installed(&home, &home.path().join("prefix"));
    assert_ne!(old.metadata().unwrap().ino(), fs::metadata(bin.join("kubectl-login")).unwrap().ino());
    assert_eq!(old.metadata().unwrap().len(), fs::metadata(PLUGIN).unwrap().len());
    assert_eq!(run.stdout.matches("(it was already)").count(), 2, "{run}");
    assert_eq!(names(&bin), ["kubectl-login", "kubectl-oidc_login", "kubelogin"]);
}

#[test]
fn the_path_is_mentioned_only_when_it_lacks_the_folder() {
    let home = Home::new();
    let (run, bin) = installed(&home, &home.path().join("prefix"));
    assert!(run.stdout.contains(&format!("export PATH=\"{}:$PATH\"", bin.display())), "{run}");

    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let run = Run::of(script(&home, &["--prefix", "prefix", "--binary", PLUGIN]).env("PATH", path));
    assert!(!run.stdout.contains("PATH"), "{run}");

    program(&home.path().join("other/kubelogin"), "echo somebody else");
    let path = format!("{0}/other:{1}:{2}", home.path().display(), bin.display(), std::env::var("PATH").unwrap());
    let run = Run::of(script(&home, &["--prefix", "prefix", "--binary", PLUGIN]).env("PATH", path));
    assert!(run.stdout.contains("Note: kubelogin on your PATH is"), "{run}");
    assert!(run.stdout.contains("other/kubelogin"), "{run}");
}

#[test]
fn a_binary_that_does_not_run_here_replaces_nothing() {
    let home = Home::new();
    let (_, bin) = installed(&home, &home.path().join("prefix"));
    let before = fs::metadata(bin.join("kubectl-login")).unwrap().ino();
    fs::write(home.path().join("foreign"), b"\x7fELF and no more of it").unwrap();
    program(&home.path().join("another"), "echo another program 1.0");
    for (binary, words) in [
        ("foreign", "does not run here as kubectl-login"),
        ("another", "does not run here as kubectl-login"),
        ("missing", "there is no file missing"),
    ] {
        let run = install(&home, &["--prefix", "prefix", "--binary", binary]);
        run.assert_failed(1, &["Error: ", words, "\nNext:  "]);
        assert_eq!(fs::metadata(bin.join("kubectl-login")).unwrap().ino(), before);
        assert_eq!(names(&bin), ["kubectl-login", "kubectl-oidc_login", "kubelogin"]);
    }
}

#[test]
fn a_prefix_that_cannot_be_made_and_options_that_make_no_sense_are_said_in_two_halves() {
    let home = Home::new();
    fs::write(home.path().join("file"), "").unwrap();
    let run = install(&home, &["--prefix", "file", "--binary", PLUGIN]);
    run.assert_failed(1, &["/file/bin cannot be made", "\nNext:  Check its permissions"]);
    for args in [&["--frobnicate"][..], &["--prefix"], &["--binary", ""], &["word"]] {
        install(&home, args).assert_failed(2, &["Error: ", "\nNext:  ./install.sh --help"]);
    }
    let help = install(&home, &["--help"]);
    assert_eq!(help.code, Some(0));
    for option in ["--prefix DIR", "--binary FILE", "--help"] {
        assert!(help.stdout.contains(option), "{help}");
    }
}

#[test]
fn without_cargo_it_says_what_to_install() {
    let home = Home::new();
    let run = Run::of(script(&home, &["--prefix", "prefix"]).env("PATH", tools(&home)));
    run.assert_failed(1, &["Error: cargo is not on your PATH", "\nNext:  Install Rust"]);
    assert!(!home.path().join("prefix").exists());
}

#[test]
fn what_cargo_builds_is_what_is_installed() {
    let home = Home::new();
    let tools = tools(&home);
    // Stands in for cargo: notes down what it is asked for and leaves a binary where a release build does.
    program(&tools.join("cargo"), &format!("echo \"$@\" >asked\nmkdir -p built/release\ncp '{PLUGIN}' built/release/"));
    let run = Run::of(script(&home, &["--prefix", "prefix"]).env("PATH", &tools).env("CARGO_TARGET_DIR", "built"));
    assert_eq!(run.code, Some(0), "{run}");
    let asked = fs::read_to_string(home.path().join("asked")).unwrap();
    for word in ["build", "--release", "--locked", "--target-dir built"] {
        assert!(asked.contains(word), "{asked}");
    }
    assert_eq!(names(&home.path().join("prefix/bin")), ["kubectl-login", "kubectl-oidc_login", "kubelogin"]);

    program(&tools.join("cargo"), "echo it is broken >&2; exit 101");
    let run = Run::of(script(&home, &["--prefix", "prefix"]).env("PATH", &tools));
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.stderr.contains("it is broken") && run.stderr.contains("Error: the build failed\nNext:  "), "{run}");
}
