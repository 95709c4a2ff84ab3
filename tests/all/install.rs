//! What `install.sh` creates and removes: the binary, its other names, completion; and nothing else.
#![cfg(unix)]

mod completion;
mod folders;
mod links;
mod uninstall;
mod whole;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::programs::write_program;
use crate::common::{Home, PLUGIN, Run};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/install.sh");
/// A directory name with characters that are special to shells.
const AWKWARD: &str = "it's a \"new\"  $HOME * `folder` \\n";
/// The programs that the script needs besides a shell, and `setsid` for the tests.
const TOOLS: &str = "sh cat chmod cksum cp dirname grep ln mkdir mktemp mv readlink rm rmdir sed setsid sort tr";
/// By this text, the script recognises a version of this program.
const OURS: &str = "# KUBECTL_LOGIN_PROMPT client.authentication.k8s.io";
/// The commands of a version with completion and `remove-cache-dir`.
const COMMANDS: &str = "completion) echo \"# completion of kubectl-login in $2\" ;;
logout) echo Forgot 1 session. ;;
remove-cache-dir) echo Removed the folder. ;;";

/// `install.sh` in its own home directory, from a directory other than the checkout.
fn script<S: AsRef<str>>(home: &Home, args: &[S]) -> Command {
    let mut command = home.program("sh");
    command.arg(SCRIPT).args(args.iter().map(AsRef::as_ref)).current_dir(home.path());
    command.env_remove("CARGO_TARGET_DIR").env_remove("CARGO_BUILD_TARGET");
    command
}

fn install(home: &Home, args: &[&str]) -> Run {
    Run::of(&mut script(home, args))
}

/// Runs it, and asserts success with an empty stderr.
#[track_caller]
fn install_ok(home: &Home, args: &[&str]) -> Run {
    let run = install(home, args);
    run.assert_silent_success();
    run
}

/// Installs the built binary below `prefix`, without completion; must succeed.
#[track_caller]
fn installed(home: &Home, prefix: &Path) -> (Run, PathBuf) {
    let run = install_ok(home, &["--prefix", prefix.to_str().unwrap(), "--binary", PLUGIN, "--no-completion"]);
    (run, prefix.join("bin"))
}

/// A stand-in for a version of this program: it has `commands` and `version`, and records its arguments in `ran`.
fn stand_in(home: &Home, commands: &str) -> String {
    let path = home.path().join("stand-in");
    let log = home.path().join("ran");
    let text = format!(
        "{OURS}\necho \"$*\" >>'{}'\ncase $1 in version) echo kubectl-login 9.9 ;;\n{commands}\n\
         *) echo \"Error: no $1\" >&2; exit 1 ;; esac",
        log.display()
    );
    program(&path, &text);
    path.to_str().unwrap().to_owned()
}

/// The arguments of the stand-in since the last call.
fn recorded(home: &Home) -> Vec<String> {
    let log = home.path().join("ran");
    let text = fs::read_to_string(&log).unwrap_or_default();
    let _ = fs::remove_file(&log);
    text.lines().map(str::to_owned).collect()
}

/// Installs a stand-in with all commands, below `prefix` in the home directory.
#[track_caller]
fn stand_in_installed(home: &Home, more: &[&str]) -> (Run, PathBuf) {
    let binary = stand_in(home, COMMANDS);
    let run = install_ok(home, &[&["--prefix", "prefix", "--binary", &binary], more].concat());
    (run, home.path().join("prefix"))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// An executable script.
fn program(path: &Path, text: &str) {
    write_program(path, &format!("#!/bin/sh\n{text}\n"));
}

/// A directory for `PATH` with the script's tools, without cargo.
fn tools(home: &Home) -> PathBuf {
    let folder = home.path().join("tools");
    fs::create_dir(&folder).unwrap();
    for tool in TOOLS.split(' ') {
        let found = ["/usr/bin", "/bin"].map(|from| Path::new(from).join(tool)).into_iter().find(|path| path.exists());
        let found = found.unwrap_or_else(|| panic!("{tool} is missing: apt-get install coreutils grep sed util-linux"));
        symlink(found, folder.join(tool)).unwrap();
    }
    folder
}

#[test]
fn install_creates_only_the_binary_and_two_links() {
    let home = Home::new();
    let (run, bin) = installed(&home, &home.path().join("prefix"));
    assert_eq!(names(&bin), ["kubectl-login", "kubectl-oidc_login", "kubelogin"]);
    for name in names(&bin) {
        let version = Run::of(home.program(bin.join(&name).to_str().unwrap()).arg("version"));
        assert_eq!(version.stdout, format!("kubectl-login {}\n", env!("CARGO_PKG_VERSION")), "{name}: {version}");
        assert!(run.stdout.contains(bin.join(&name).to_str().unwrap()), "{name} is not mentioned: {run}");
    }
    for name in ["kubelogin", "kubectl-oidc_login"] {
        // Relative, so that the directory can be moved.
        assert_eq!(fs::read_link(bin.join(name)).unwrap(), Path::new("kubectl-login"));
    }
    let mode = fs::metadata(bin.join("kubectl-login")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755, "{mode:o}");
}

#[test]
fn default_prefix_is_local_in_the_home_directory() {
    let home = Home::new();
    let run = install(&home, &["--binary", PLUGIN]);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(home.path().join(".local/bin/kubectl-login").is_file());
    let mut homeless = script(&home, &["--binary", PLUGIN]);
    Run::of(homeless.env_remove("HOME")).assert_failed(1, &["Error: HOME is not set", "Next:  ", "--prefix"]);
}

#[test]
fn relative_prefix_is_relative_to_the_working_directory() {
    let home = Home::new();
    let run = install(&home, &["--prefix=here", &format!("--binary={PLUGIN}")]);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(home.path().join("here/bin/kubelogin").exists());
}

#[test]
fn foreign_kubectl_login_stops_the_installation() {
    let home = Home::new();
    let bin = home.path().join("prefix/bin");
    program(&bin.join("kubectl-login"), "echo another program");
    let run = install(&home, &["--prefix", "prefix", "--binary", PLUGIN]);
    run.assert_failed(1, &["kubectl-login already exists and is another program", "\nNext:  Move it away"]);
    assert_eq!(names(&bin), ["kubectl-login"]);
    assert_eq!(fs::read_to_string(bin.join("kubectl-login")).unwrap(), "#!/bin/sh\necho another program\n");

    fs::remove_file(bin.join("kubectl-login")).unwrap();
    fs::create_dir(bin.join("kubectl-login")).unwrap();
    let run = install(&home, &["--prefix", "prefix", "--binary", PLUGIN]);
    run.assert_failed(1, &["kubectl-login is a folder"]);
    assert!(names(&bin.join("kubectl-login")).is_empty());
}

#[test]
fn second_run_replaces_the_binary_atomically() {
    let home = Home::new();
    let (_, bin) = installed(&home, &home.path().join("prefix"));
    // A process that has the old file open keeps it: the file is replaced, not overwritten.
    let old = fs::File::open(bin.join("kubectl-login")).unwrap();
    let (run, _) = installed(&home, &home.path().join("prefix"));
    assert_ne!(old.metadata().unwrap().ino(), fs::metadata(bin.join("kubectl-login")).unwrap().ino());
    assert_eq!(old.metadata().unwrap().len(), fs::metadata(PLUGIN).unwrap().len());
    assert_eq!(run.stdout.matches("(already done)").count(), 2, "{run}");
    assert_eq!(names(&bin), ["kubectl-login", "kubectl-oidc_login", "kubelogin"]);
}

#[test]
fn path_is_mentioned_only_if_the_directory_is_missing() {
    let home = Home::new();
    let mut command = script(&home, &["--prefix=prefix", "--binary", PLUGIN]);
    let run = Run::of(command.env("SHELL", "/bin/bash"));
    let bin = home.path().join("prefix/bin");
    assert!(run.stdout.contains(&format!("export PATH=\"{}:$PATH\"", bin.display())), "{run}");

    let args = ["--prefix", "prefix", "--binary", PLUGIN];
    let run = Run::of(script(&home, &args).env("SHELL", "/usr/bin/fish"));
    assert!(run.stdout.contains(&format!("fish_add_path \"{}\"", bin.display())), "{run}");
    assert!(!run.stdout.contains("export"), "{run}");

    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let run = Run::of(script(&home, &args).env("PATH", path));
    assert!(!run.stdout.contains("PATH"), "{run}");

    // A suggested line is correct even if the directory's name has characters that are special to shells.
    let run = install(&home, &["--prefix", AWKWARD, "--binary", PLUGIN]);
    let line = run.stdout.lines().find(|line| line.contains("export PATH=")).unwrap_or_else(|| panic!("{run}"));
    let run = Run::of(home.program("sh").args(["-c", &format!("{line}\nkubectl-login version")]));
    run.assert_silent_success();

    program(&home.path().join("other/kubelogin"), "echo another program");
    let path = format!("{0}/other:{1}:{2}", home.path().display(), bin.display(), std::env::var("PATH").unwrap());
    let run = Run::of(script(&home, &args).env("PATH", path));
    assert!(run.stdout.contains("Note: kubelogin on your PATH is"), "{run}");
    assert!(run.stdout.contains("other/kubelogin"), "{run}");
}

#[test]
fn unusable_binary_is_not_installed() {
    let home = Home::new();
    let (_, bin) = installed(&home, &home.path().join("prefix"));
    let before = fs::metadata(bin.join("kubectl-login")).unwrap().ino();
    fs::write(home.path().join("foreign"), b"\x7fELF and no more of it").unwrap();
    program(&home.path().join("another"), "echo another program 1.0");
    for (binary, words) in [
        ("foreign", "does not run here as kubectl-login"),
        ("another", "does not run here as kubectl-login"),
        ("missing", "missing does not exist"),
    ] {
        let run = install(&home, &["--prefix", "prefix", "--binary", binary]);
        run.assert_failed(1, &["Error: ", words, "\nNext:  "]);
        assert_eq!(fs::metadata(bin.join("kubectl-login")).unwrap().ino(), before);
        assert_eq!(names(&bin), ["kubectl-login", "kubectl-oidc_login", "kubelogin"]);
    }
}

#[test]
fn bad_prefix_and_options_are_errors_with_a_next_step() {
    let home = Home::new();
    fs::write(home.path().join("file"), "").unwrap();
    let run = install(&home, &["--prefix", "file", "--binary", PLUGIN]);
    run.assert_failed(1, &["/file/bin cannot be created", "\nNext:  Check its permissions"]);
    let wrong: [&[&str]; 9] = [
        &["--frobnicate"],
        &["--prefix"],
        &["--binary", ""],
        &["word"],
        &["install", "uninstall"],
        &["--keep-sign-ins"],
        &["uninstall", "--force-links"],
        &["uninstall", "--no-completion"],
        &["--binary", PLUGIN, "uninstall"],
    ];
    for args in wrong {
        install(&home, args).assert_failed(2, &["Error: ", "\nNext:  To ", ": ./install.sh --help"]);
    }
    let help = install(&home, &["--help"]);
    assert_eq!(help.code, Some(0));
    for option in ["--prefix DIR", "--binary FILE", "--force-links", "--no-completion", "--keep-sign-ins", "--help"] {
        assert!(help.stdout.contains(option), "{help}");
    }
    assert!(help.stdout.lines().all(|line| line.len() <= 80), "{help}");
}

#[test]
fn missing_cargo_says_what_to_install() {
    let home = Home::new();
    let run = Run::of(script(&home, &["--prefix", "prefix"]).env("PATH", tools(&home)));
    run.assert_failed(1, &["Error: cargo is not on your PATH", "\nNext:  Install Rust"]);
    assert!(!home.path().join("prefix").exists());
}

#[test]
fn cargo_build_is_installed() {
    let home = Home::new();
    let tools = tools(&home);
    // A stand-in for cargo: records its arguments and creates the release binary.
    program(&tools.join("cargo"), &format!("echo \"$@\" >asked\nmkdir -p built/release\ncp '{PLUGIN}' built/release/"));
    let args = ["--prefix", "prefix", "--no-completion"];
    let run = Run::of(script(&home, &args).env("PATH", &tools).env("CARGO_TARGET_DIR", "built"));
    assert_eq!(run.code, Some(0), "{run}");
    let recorded = fs::read_to_string(home.path().join("asked")).unwrap();
    for word in ["build", "--release", "--locked", "--target-dir built"] {
        assert!(recorded.contains(word), "{recorded}");
    }
    assert_eq!(names(&home.path().join("prefix/bin")), ["kubectl-login", "kubectl-oidc_login", "kubelogin"]);

    program(&tools.join("cargo"), "echo it is broken >&2; exit 101");
    let run = Run::of(script(&home, &["--prefix", "prefix"]).env("PATH", &tools));
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.stderr.contains("it is broken") && run.stderr.contains("Error: the build failed\nNext:  "), "{run}");
}
