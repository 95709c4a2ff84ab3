//! The process and the system: core dumps, resource limits, the clock.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use sim::{Behaviour, World};

use super::{OTHER_USER, as_other_user, change_owner, is_root};
use crate::common::{ALWAYS, HANG, Home, PLUGIN, Run, entra};

/// The plugin after a shell's `ulimit`.
fn limited(home: &Home, limit: &str, args: &[String]) -> Command {
    home.plugin_after(&format!("ulimit {limit}"), args)
}

/// Asserts an error with a next step, and no panic.
#[track_caller]
fn assert_plain_error(run: &Run, words: &str) {
    run.assert_failed(1, &["Error: ", "\nNext:  ", words]);
    assert!(!run.stderr.contains("panicked"), "{run}");
}

#[test]
fn process_with_a_refresh_token_is_not_dumpable() {
    if !is_root() {
        return;
    }
    let (world, home) = (World::start(), Home::new());
    change_owner(home.path(), OTHER_USER);
    let signed_in = Run::of(as_other_user(&home, PLUGIN).args(entra(&world, &ALWAYS)));
    signed_in.token();
    world.set(Behaviour::RefreshStall);
    let mut command = as_other_user(&home, "sh");
    command.args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\"", PLUGIN]);
    command.args(entra(&world, &["--force-refresh"])).current_dir(home.path());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(world.wait_for(HANG, |log| !log.token_requests("refresh_token").is_empty()), "the refresh is under way");
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    let limits = fs::read_to_string(process.join("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert!(core.split_whitespace().nth(4) == Some("0"), "{core}");
    // For a process that must not be dumped, the kernel makes root the owner of these files.
    assert_eq!(fs::metadata(process.join("environ")).unwrap().uid(), 0);
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::ABORT).unwrap();
    child.wait().unwrap();
    let core = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("core");
    let left: Vec<PathBuf> =
        fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path()).filter(core).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn certificate_authority_is_read_from_an_open_descriptor() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    let pem = home.write("ca.pem", "no certificate");
    change_owner(home.path(), OTHER_USER);
    // As in bash's <(…).
    let mut command = as_other_user(&home, "sh");
    command.args(["-c", "exec 7<\"$1\"; shift; exec \"$0\" \"$@\"", PLUGIN]).arg(&pem);
    command.args([
        "get-token",
        "--oidc-issuer-url",
        "https://127.0.0.1:1",
        "--oidc-client-id",
        "c",
        "--prompt",
        "always",
    ]);
    command.args(["--certificate-authority", "/dev/fd/7"]);
    Run::of(&mut command).assert_failed(1, &["there is no certificate in"]);
}

#[test]
fn file_size_limit_does_not_prevent_a_token() {
    let (world, home) = (World::start(), Home::new());
    let run = Run::of(&mut limited(&home, "-f 0", &entra(&world, &ALWAYS)));
    run.token();
    assert!(run.stderr.contains("could not be stored") || run.stderr.contains("is not stored"), "{run}");
    assert!(run.stderr.contains("ulimit -f"), "{run}");
    let token = home.run(&entra(&world, &ALWAYS)).token();
    assert_eq!(Run::of(&mut limited(&home, "-f 0", &entra(&world, &[]))).token(), token);
    Run::of(&mut limited(&home, "-f 0", &entra(&world, &["--force-refresh"]))).token();
}

#[test]
fn few_descriptors_give_an_error_or_a_token() {
    let world = World::start();
    for count in 4..24 {
        // A new home directory each time, so that neither the cache nor an earlier error has an effect.
        let home = Home::new();
        let run = Run::of(&mut limited(&home, &format!("-n {count}"), &entra(&world, &ALWAYS)));
        assert!(!run.stderr.contains("panicked"), "{count}: {run}");
        match run.code {
            Some(0) => drop(run.token()),
            // The dynamic linker needs one before the program starts.
            _ if run.stderr.contains("error while loading shared libraries") => {}
            _ => assert!(run.stdout.is_empty() && run.stderr.contains("\nNext:  "), "{count}: {run}"),
        }
    }
    let run = Run::of(&mut limited(&Home::new(), "-n 9", &entra(&world, &ALWAYS)));
    assert_plain_error(&run, "ulimit -n");
}

#[test]
fn cached_token_needs_few_descriptors() {
    let (world, home) = (World::start(), Home::new());
    let token = home.run(&entra(&world, &ALWAYS)).token();
    assert_eq!(Run::of(&mut limited(&home, "-n 9", &entra(&world, &[]))).token(), token);
}

#[test]
fn process_limit_is_an_error() {
    if !is_root() {
        return;
    }
    let (world, home) = (World::start(), Home::new());
    change_owner(home.path(), OTHER_USER);
    let mut command = as_other_user(&home, "prlimit");
    command.args(["--nproc=1", PLUGIN]).args(entra(&world, &ALWAYS));
    assert_plain_error(&Run::of(&mut command), "ulimit -u");
}

/// A library that sets the clock of a program that loads it.
fn clock(home: &Home, seconds: i64) -> PathBuf {
    let source = home.write(
        &format!("clock{seconds}.c"),
        &format!(
            "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <time.h>\n\
             int clock_gettime(clockid_t id, struct timespec *at) {{\n\
             int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, \"clock_gettime\");\n\
             int outcome = real(id, at);\n if (id == CLOCK_REALTIME) at->tv_sec = {seconds}L;\n return outcome;\n}}\n"
        ),
    );
    let library = source.with_extension("so");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl").status();
    assert!(built.unwrap().success(), "this test needs a C compiler");
    library
}

#[test]
fn clock_outside_of_the_calendar_is_an_error() {
    let (world, home) = (World::start(), Home::new());
    home.run(&entra(&world, &ALWAYS)).token();
    for (seconds, when) in
        [(-86_400, "before the year 1970"), (400_000_000_000, "after the year 9999"), (i64::MAX / 4, "after")]
    {
        let library = clock(&home, seconds);
        let with = |args: &[String]| Run::of(home.plugin(args).env("LD_PRELOAD", &library));
        assert_plain_error(&with(&entra(&world, &ALWAYS)), when);
        for command in ["status", "doctor", "whoami", "logout"] {
            assert_plain_error(&with(&[command.to_owned()]), when);
        }
        assert_eq!(with(&["version".to_owned()]).code, Some(0));
    }
}

#[test]
fn clock_far_off_does_not_panic() {
    let (world, home) = (World::start(), Home::new());
    home.run(&entra(&world, &ALWAYS)).token();
    for seconds in [0, 253_402_300_000] {
        let library = clock(&home, seconds);
        for args in [entra(&world, &[]), entra(&world, &["--force-refresh"]), vec!["status".to_owned()]] {
            let run = Run::of(home.plugin(&args).env("LD_PRELOAD", &library));
            assert!(matches!(run.code, Some(0 | 1 | 3)) && !run.stderr.contains("panicked"), "{seconds}: {run}");
        }
    }
}
