//! The key in a real keyring: gnome-keyring on a private session bus, working or failing in some way.
#![cfg(target_os = "linux")]

mod bus;

use std::os::unix::net::UnixListener;
use std::process::Stdio;

use crate::common::keyring::{Keyring, files_with};
use crate::common::{ALWAYS, HANG, Home, PLUGIN, Run, entra, oidc, until};
use serde_json::Value;
use sim::World;

/// The plugin on the keyring's bus.
fn run(home: &Home, keyring: &Keyring, args: &[String]) -> Run {
    Run::of(keyring.on_bus(&mut home.plugin(args)))
}

/// The same under its own parent process, as if called by another kubectl command.
fn run_as_new_caller(home: &Home, keyring: &Keyring, args: &[String]) -> Run {
    Run::of(keyring.on_bus(&mut home.new_caller(args)))
}

/// Signs in to the Entra-shaped tenant.
fn sign_in(world: &World, home: &Home, keyring: &Keyring) -> String {
    run(home, keyring, &entra(world, &ALWAYS)).token()
}

/// Asserts that the token comes from the cache: without requests and without a message.
#[track_caller]
fn assert_warm(world: &World, home: &Home, keyring: &Keyring, token: &str) {
    world.reset_requests();
    let warm = run(home, keyring, &entra(world, &[]));
    assert_eq!(warm.token(), token);
    assert_eq!(warm.stderr, "");
    assert!(world.requests().is_empty(), "{:?}", world.requests());
}

/// The key backends of the session's and the token's records, from the records' headers.
fn key_backends(home: &Home) -> Vec<String> {
    let home_of = |path| {
        let bytes = std::fs::read(path).unwrap();
        let header: Value = serde_json::from_slice(bytes.split(|&byte| byte == b'\n').next().unwrap()).unwrap();
        header["home"].as_str().unwrap().to_owned()
    };
    [home.files("sessions"), home.files("tokens")].concat().into_iter().map(home_of).collect()
}

#[test]
fn first_sign_in_stores_the_key_in_the_keyring() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    let token = sign_in(&world, &home, &keyring);

    let key = keyring.item("key").expect("the key is in the keyring");
    assert_eq!(key.len(), 44, "32 bytes in base64");
    assert_eq!(keyring.item("probe"), None);
    assert!(!home.state().join("kubectl-login.key").exists());
    assert_eq!(files_with(home.path(), &key), Vec::<std::path::PathBuf>::new());
    assert_eq!(files_with(home.path(), &token), Vec::<std::path::PathBuf>::new());
    assert_eq!(key_backends(&home), ["keyring", "keyring"]);
    let status = run(&home, &keyring, &["status", "-o", "json"].map(str::to_owned));
    let status = status.object();
    assert_eq!(status["sessions"][0]["storage"], "keyring");

    assert_warm(&world, &home, &keyring, &token);
}

#[test]
fn working_keyring_prints_no_note() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    let first = run(&home, &keyring, &entra(&world, &ALWAYS));
    first.token();
    assert!(!first.stderr.contains("key file") && !first.stderr.contains("not stored"), "{first}");
}

#[test]
fn key_survives_daemon_and_bus() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    let token = sign_in(&world, &home, &keyring);
    drop(keyring);
    let keyring = Keyring::start(&home);
    assert_warm(&world, &home, &keyring, &token);
}

#[test]
fn locked_keyring_is_an_error_without_a_dialog() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    let token = sign_in(&world, &home, &keyring);
    keyring.lock();
    world.reset_requests();

    let watch = keyring.watch();
    run(&home, &keyring, &entra(&world, &[])).assert_failed(3, &["the keyring is locked", "kubectl login"]);
    let calls = watch.calls();
    assert!(calls.iter().any(|call| call == "SearchItems"), "the keyring was not even asked: {calls:?}");
    assert!(!calls.iter().any(|call| call == "Unlock" || call == "Prompt"), "a dialog: {calls:?}");
    assert!(world.requests().is_empty());
    drop(watch);

    // After unlocking, nothing is lost.
    drop(keyring);
    let keyring = Keyring::start(&home);
    assert_warm(&world, &home, &keyring, &token);
}

#[test]
fn sign_in_with_locked_keyring_loses_nothing() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    sign_in(&world, &home, &keyring);
    let other = run(&home, &keyring, &oidc(&world, &ALWAYS)).token();
    let key = keyring.item("key");
    keyring.lock();

    let again = run(&home, &keyring, &entra(&world, &ALWAYS));
    let token = again.token();
    assert!(again.stderr.contains("A new sign-in is needed"), "{again}");
    assert!(again.stderr.contains("the keyring is locked"), "{again}");
    assert!(again.stderr.contains("key file"), "{again}");
    // While it is locked, the new session is used.
    assert_warm(&world, &home, &keyring, &token);

    drop(keyring);
    let keyring = Keyring::start(&home);
    assert_eq!(keyring.item("key"), key, "the key in the keyring was left alone");
    assert_warm(&world, &home, &keyring, &token);
    assert_eq!(run(&home, &keyring, &oidc(&world, &[])).token(), other);
    assert!(world.requests().is_empty());
}

#[test]
fn locked_keyring_at_the_first_sign_in_uses_the_key_file() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    keyring.lock();
    let watch = keyring.watch();
    let first = run(&home, &keyring, &entra(&world, &ALWAYS));
    let token = first.token();
    assert!(first.stderr.contains("key file"), "{first}");
    // A user can see it, so a dialog may appear. This also proves that the other tests would notice one.
    let calls = watch.calls();
    assert!(calls.iter().any(|call| call == "Unlock" || call == "Prompt"), "{calls:?}");
    assert_eq!(key_backends(&home), ["file", "file"]);
    assert_warm(&world, &home, &keyring, &token);
}

#[test]
fn status_works_with_locked_keyring() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    sign_in(&world, &home, &keyring);
    keyring.lock();
    let status = run(&home, &keyring, &["status".to_owned()]);
    assert_eq!(status.code, Some(0), "{status}");
    assert!(status.stdout.contains(sim::ALICE) && status.stdout.contains("keyring"), "{status}");
    assert_eq!(status.stderr, "");
}

#[test]
fn logout_with_locked_keyring_forgets_without_revoking() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    home.contexts(&[("sim", oidc(&world, &[])), ("aks", entra(&world, &[]))]);
    run(&home, &keyring, &oidc(&world, &ALWAYS)).token();
    sign_in(&world, &home, &keyring);
    keyring.lock();
    world.reset_requests();
    let watch = keyring.watch();
    let logout = run(&home, &keyring, &["logout".to_owned()]);
    assert_eq!(logout.code, Some(0), "{logout}");
    assert!(logout.stdout.starts_with("Forgot the session of sim"), "{logout}");
    assert!(logout.stderr.contains("could not be revoked: the keyring is locked"), "{logout}");
    let calls = watch.calls();
    assert!(!calls.iter().any(|call| call == "Unlock" || call == "Prompt"), "{calls:?}");
    assert!(world.requests().is_empty());
    // Entra cannot revoke, so the key is not needed.
    let logout = run_without_bus(&home, &["logout", "aks"].map(str::to_owned));
    logout.assert_silent_success();
    assert!(home.files("sessions").is_empty() && home.files("tokens").is_empty());
}

/// Runs the plugin with a bus address that only accepts connections, and asserts that it does not connect.
#[track_caller]
fn run_without_bus(home: &Home, args: &[String]) -> Run {
    let socket = home.path().join("own-bus");
    let listener = UnixListener::bind(&socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut command = home.plugin(args);
    command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", socket.display()));
    let run = Run::of(&mut command);
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "it connected to the bus");
    std::fs::remove_file(&socket).unwrap();
    run
}

#[test]
fn status_never_uses_the_session_bus() {
    let (world, home) = (World::start(), Home::new());
    sign_in(&world, &home, &Keyring::start(&home));
    let status = run_without_bus(&home, &["status".to_owned()]);
    assert_eq!(status.code, Some(0), "{status}");
    assert!(status.stdout.contains(sim::ALICE), "{status}");
}

#[test]
fn session_with_key_file_never_uses_the_session_bus() {
    let (world, home) = (World::start(), Home::new());
    let token = home.run(&entra(&world, &ALWAYS)).token();
    let warm = run_without_bus(&home, &entra(&world, &[]));
    assert_eq!((warm.token(), warm.stderr.as_str()), (token.clone(), ""));
    let refreshed = run_without_bus(&home, &entra(&world, &["--force-refresh"]));
    assert_ne!(refreshed.token(), token);
    assert_eq!(world.refreshes().len(), 1);
}

#[test]
fn lost_or_replaced_key_requires_one_sign_in() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    for replacement in [None, Some("no key at all"), Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")] {
        sign_in(&world, &home, &keyring);
        keyring.replace_item("key", replacement);
        run(&home, &keyring, &entra(&world, &[])).assert_failed(3, &["kubectl login"]);
        let token = run_as_new_caller(&home, &keyring, &entra(&world, &ALWAYS)).token();
        assert_warm(&world, &home, &keyring, &token);
        assert_eq!(key_backends(&home), ["keyring", "keyring"]);
        home.run(&["logout", "--all"]);
    }
}

#[test]
fn missing_daemon_is_an_error_and_sign_in_uses_the_key_file() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    sign_in(&world, &home, &keyring);
    let other = run(&home, &keyring, &oidc(&world, &ALWAYS)).token();
    keyring.kill();
    world.reset_requests();

    run(&home, &keyring, &entra(&world, &[])).assert_failed(3, &["keyring", "kubectl login"]);
    assert!(world.requests().is_empty());
    let again = run_as_new_caller(&home, &keyring, &entra(&world, &ALWAYS));
    let token = again.token();
    assert!(again.stderr.contains("A new sign-in is needed") && again.stderr.contains("keyring"), "{again}");
    assert!(again.stderr.contains("key file"), "{again}");
    assert_warm(&world, &home, &keyring, &token);

    drop(keyring);
    let keyring = Keyring::start(&home);
    assert_warm(&world, &home, &keyring, &token);
    assert_eq!(run(&home, &keyring, &oidc(&world, &[])).token(), other);
    assert!(world.requests().is_empty());
}

#[test]
fn frozen_daemon_does_not_block() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    let token = sign_in(&world, &home, &keyring);
    keyring.freeze();
    home.shorten_limits(10);
    world.reset_requests();

    // If it hangs, `timeout` ends it with 124: this is a guard, not a measurement.
    let mut command = home.program("timeout");
    command.args(["30", PLUGIN]).args(entra(&world, &[]));
    let frozen = Run::of(keyring.on_bus(&mut command));
    frozen.assert_failed(3, &["the keyring does not answer", "kubectl login"]);
    assert!(world.requests().is_empty());

    home.shorten_limits(1);
    keyring.thaw();
    assert_warm(&world, &home, &keyring, &token);
}

#[test]
fn sign_in_works_with_frozen_daemon() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    keyring.freeze();
    home.shorten_limits(4);
    let mut command = home.program("timeout");
    command.args(["60", PLUGIN]).args(entra(&world, &ALWAYS));
    let first = Run::of(keyring.on_bus(&mut command));
    let token = first.token();
    assert!(first.stderr.contains("the keyring does not answer"), "{first}");
    home.shorten_limits(1);
    keyring.thaw();
    assert_warm(&world, &home, &keyring, &token);
}

/// Whether a process has a thread of this name.
fn has_thread(process: u32, name: &str) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap().flatten();
    let names = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok());
    names.into_iter().any(|comm| comm.trim() == name)
}

#[test]
fn late_daemon_keeps_no_probe() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    keyring.freeze();
    home.shorten_limits(4);
    world.approve_automatically(false);
    let mut command = home.plugin(&entra(&world, &ALWAYS));
    let waiting = keyring.on_bus(&mut command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(world.wait_for_device_request(1, HANG).len(), 1);
    keyring.thaw();
    // The thread that writes, reads and deletes the probe ends.
    until(|| !has_thread(waiting.id(), "keyring"));
    assert_eq!(keyring.item("probe"), None);
    world.approve_pending();
    let token = Run::wait(waiting).token();
    assert_eq!(keyring.item("probe"), None);
    assert_warm(&world, &home, &keyring, &token);
}

#[test]
fn required_keyring_is_checked_before_a_prompt() {
    let (world, home) = (World::start(), Home::new());
    let args = entra(&world, &["--token-cache-storage", "keyring", "--prompt", "always"]);
    home.run(&args).assert_failed(1, &["keyring", "--token-cache-storage auto"]);
    assert!(world.requests().is_empty());
    assert!(!home.state().join("kubectl-login.key").exists());
    assert!(home.files("sessions").is_empty());
}

#[test]
fn required_keyring_never_falls_back_to_a_file() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    let args = entra(&world, &["--token-cache-storage", "keyring", "--prompt", "always"]);
    let token = run(&home, &keyring, &args).token();
    assert_eq!(key_backends(&home), ["keyring", "keyring"]);
    assert_warm(&world, &home, &keyring, &token);

    keyring.lock();
    run(&home, &keyring, &args).assert_failed(1, &["the keyring is locked", "--token-cache-storage auto"]);
    assert!(world.requests().is_empty());
    assert!(!home.state().join("kubectl-login.key").exists());
}

#[test]
fn required_key_file_does_not_use_the_keyring() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    let token = run(&home, &keyring, &entra(&world, &["--token-cache-storage", "file", "--prompt", "always"])).token();
    assert_eq!(key_backends(&home), ["file", "file"]);
    assert!(home.state().join("kubectl-login.key").exists());
    assert_eq!(keyring.item("key"), None);
    // A later choice does not invalidate it: the record names its key's backend.
    assert_warm(&world, &home, &keyring, &token);
}

#[test]
fn parallel_first_sign_ins_share_one_key() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    let folders = ["one", "two"].map(|name| home.path().join(name).display().to_string());
    let started = folders.clone().map(|folder| {
        let args = entra(&world, &["--cache-dir", &folder, "--prompt", "always"]);
        let mut command = home.plugin(&args);
        keyring.on_bus(&mut command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    let tokens = started.map(|child| Run::wait(child).token());
    world.reset_requests();
    for (folder, token) in folders.iter().zip(tokens) {
        let warm = run(&home, &keyring, &entra(&world, &["--cache-dir", folder]));
        assert_eq!(warm.token(), token);
        assert_eq!(warm.stderr, "");
        assert!(!std::path::Path::new(folder).join("kubectl-login.key").exists());
    }
    assert!(world.requests().is_empty());
}

#[test]
fn logout_all_deletes_the_key() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    sign_in(&world, &home, &keyring);
    assert!(keyring.item("key").is_some());
    let logout = run(&home, &keyring, &["logout", "--all"].map(str::to_owned));
    assert_eq!(logout.code, Some(0), "{logout}");
    assert_eq!(keyring.item("key"), None);
    assert!(home.files("sessions").is_empty() && home.files("tokens").is_empty());
    run(&home, &keyring, &entra(&world, &[])).assert_failed(3, &["kubectl login"]);
}

#[test]
fn only_cleaning_the_default_directory_deletes_the_key() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    let apart = home.path().join("apart");
    let folder = apart.to_str().unwrap();
    run(&home, &keyring, &entra(&world, &[&ALWAYS[..], &["--cache-dir", folder]].concat())).token();
    sign_in(&world, &home, &keyring);
    let clean = run(&home, &keyring, &["clean", "--token-cache-dir", folder].map(str::to_owned));
    assert_eq!((clean.code, clean.stderr), (Some(0), format!("Deleted the token cache from {folder}\n")));
    assert!(keyring.item("key").is_some() && !apart.exists());
    let clean = run(&home, &keyring, &["clean".to_owned()]);
    assert!(clean.stderr.ends_with("\nDeleted the token cache from the keyring\n"), "{clean}");
    assert!(keyring.item("key").is_none() && !home.state().exists());
}

#[test]
fn key_is_kept_while_a_configured_directory_needs_it() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    let apart = home.path().join("apart");
    let there = entra(&world, &["--cache-dir", apart.to_str().unwrap()]);
    home.contexts(&[("there", there.clone())]);
    run(&home, &keyring, &[&there[..], &ALWAYS.map(str::to_owned)].concat()).token();
    sign_in(&world, &home, &keyring);
    let clean = run(&home, &keyring, &["clean".to_owned()]);
    assert!(clean.stderr.contains("The key stays in the keyring") && clean.stderr.contains("apart"), "{clean}");
    assert!(keyring.item("key").is_some());
    run(&home, &keyring, &there).token();
    let logout = run(&home, &keyring, &["logout", "--all"].map(str::to_owned));
    assert_eq!((logout.code, keyring.item("key")), (Some(0), None), "{logout}");
}

#[test]
fn logout_all_with_kubecachedir_deletes_the_key() {
    let (world, home) = (World::start(), Home::new());
    let keyring = Keyring::start(&home);
    let cache = home.path().join("cache");
    let run = |words: &[String]| Run::of(keyring.on_bus(home.plugin(words).env("KUBECACHEDIR", &cache)));
    run(&entra(&world, &ALWAYS)).token();
    assert!(keyring.item("key").is_some());
    let logout = run(&["logout", "--all"].map(str::to_owned));
    assert_eq!((logout.code, keyring.item("key")), (Some(0), None), "{logout}");
}

/// D-Bus libraries start a program that such an address names, and a kubeconfig's `exec.env` may set the variable.
#[test]
fn bus_address_with_a_program_is_not_executed() {
    let (world, home) = (World::start(), Home::new());
    let marker = home.path().join("marker");
    let address = format!("unixexec:path=/usr/bin/env,argv1=touch,argv2={}", marker.display());
    for address in [address.clone(), format!("unix:path=/nowhere;{address}")] {
        let run = Run::of(home.plugin(&entra(&world, &ALWAYS)).env("DBUS_SESSION_BUS_ADDRESS", address));
        run.token();
        assert!(run.stderr.contains("there is no working keyring") || !run.stderr.contains("kept in"), "{run}");
        assert!(!marker.exists());
    }
}
