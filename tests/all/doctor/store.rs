//! Keys, directories and records that are unusable.

use std::fs;
use std::process::Command;

use crate::common::keyring::Keyring;
use crate::common::{FULL_DISK, Run};
use crate::doctor::setup::{Report, Setup};

const SKIPPED: [&str; 5] = ["token", "audience", "groups", "cluster", "identity"];

#[test]
fn world_writable_directory_fails() {
    let setup = Setup::aks();
    setup.chmod(&setup.home.state(), 0o777);
    let report = setup.doctor();
    report.assert_only(&[("files", "FAIL", "it is writable by everyone")]);
    report.assert_skipped(&["keyring", "session"]);
    report.assert_skipped(&SKIPPED);
}

#[test]
fn file_instead_of_a_directory_fails() {
    let setup = Setup::aks();
    fs::remove_dir_all(setup.home.state()).unwrap();
    setup.home.write("state/kubectl-login", "");
    setup.doctor().assert_only(&[("files", "FAIL", "it is not a folder")]);
}

#[test]
fn unwritable_directory_fails() {
    let setup = Setup::aks();
    let before = setup.home.files("tokens");
    // A full disk: not even one byte can be written.
    let mut command = setup.home.plugin_after(FULL_DISK, &["doctor", "-o", "json"]);
    command.env("PATH", setup.path());
    let run = Run::of(&mut command);
    Report::from_run(run).assert_only(&[("files", "FAIL", "cannot be written")]);
    assert_eq!(setup.home.files("tokens"), before);
}

#[test]
fn missing_key_file_fails() {
    let setup = Setup::aks();
    fs::remove_file(setup.home.state().join("kubectl-login.key")).unwrap();
    let report = setup.doctor();
    report.assert_only(&[("keyring", "FAIL", "is missing, so the stored sessions are lost")]);
    report.assert_skipped(&["session"]);
    report.assert_skipped(&SKIPPED);
}

#[test]
fn readable_key_file_fails() {
    let setup = Setup::aks();
    setup.chmod(&setup.home.state().join("kubectl-login.key"), 0o644);
    setup.doctor().assert_only(&[("keyring", "FAIL", "is not used: other users may read it")]);
}

#[test]
fn damaged_records_are_reported() {
    let setup = Setup::aks();
    let token = &setup.home.files("tokens")[0];
    let mut bytes = fs::read(token).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(token, &bytes).unwrap();
    setup.doctor().assert_only(&[("files", "WARN", "1 of 2 records cannot be opened")]);
    // The refresh has repaired it.
    setup.doctor().assert_only(&[]);
    let session = &setup.home.files("sessions")[0];
    fs::write(session, &bytes[..40]).unwrap();
    setup.doctor().assert_only(&[
        ("files", "WARN", "records cannot be opened"),
        ("session", "FAIL", "there is a session that cannot be opened"),
    ]);
}

#[test]
fn disabled_cache_passes() {
    let setup = Setup::aks();
    setup.replace("\"--login\"", "\"--token-cache-storage=none\"\n      - \"--login\"");
    let report = setup.doctor();
    report.assert_only(&[]);
    report.assert_skipped(&["session"]);
    report.assert_skipped(&SKIPPED);
}

#[test]
fn locked_frozen_or_missing_keyring_fails() {
    let setup = Setup::aks();
    setup.run(&["logout", "--all"]);
    let keyring = Keyring::start(&setup.home);
    let on_bus = |command: &mut Command| {
        keyring.on_bus(command);
    };
    let doctor = || setup.doctor_with(&[], on_bus);
    doctor().assert_check("keyring", "OK", "the keyring works; it has no key yet");
    let mut login = setup.command(&["--prompt", "always"]);
    on_bus(&mut login);
    assert_eq!(Run::of(&mut login).code, Some(0));
    let report = doctor();
    report.assert_only(&[]);
    report.assert_check("keyring", "OK", "has the key");
    keyring.freeze();
    setup.home.shorten_limits(4);
    doctor().assert_only(&[("keyring", "FAIL", "the keyring does not answer")]);
    setup.home.shorten_limits(1);
    keyring.thaw();
    keyring.lock();
    let report = doctor();
    report.assert_only(&[("keyring", "FAIL", "Unlock the keyring")]);
    report.assert_skipped(&["session"]);
    report.assert_skipped(&SKIPPED);
    keyring.kill();
    doctor().assert_only(&[("keyring", "FAIL", "there is no working keyring")]);
}
