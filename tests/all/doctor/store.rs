//! Keys, folders and records that are of no use.

use std::fs;
use std::process::Command;

use crate::common::keyring::Keyring;
use crate::common::{FULL_DISK, Run};
use crate::doctor::setup::{Report, Setup};

const AFTERWARDS: [&str; 5] = ["token", "audience", "groups", "cluster", "identity"];

#[test]
fn a_folder_that_everybody_may_write_to() {
    let setup = Setup::aks();
    setup.chmod(&setup.home.state(), 0o777);
    let report = setup.doctor();
    report.only(&[("files", "FAIL", "it is writable by everyone")]);
    report.skips(&["keyring", "session"]);
    report.skips(&AFTERWARDS);
}

#[test]
fn a_folder_that_is_a_file() {
    let setup = Setup::aks();
    fs::remove_dir_all(setup.home.state()).unwrap();
    setup.home.write("state/kubectl-login", "");
    setup.doctor().only(&[("files", "FAIL", "it is not a folder")]);
}

#[test]
fn a_folder_that_cannot_be_written() {
    let setup = Setup::aks();
    let before = setup.home.files("tokens");
    // A disk that is full before the first byte.
    let mut command = setup.home.plugin_after(FULL_DISK, &["doctor", "-o", "json"]);
    command.env("PATH", setup.path());
    let run = Run::of(&mut command);
    Report::of(run).only(&[("files", "FAIL", "cannot be written")]);
    assert_eq!(setup.home.files("tokens"), before);
}

#[test]
fn a_key_file_that_is_gone() {
    let setup = Setup::aks();
    fs::remove_file(setup.home.state().join("kubectl-login.key")).unwrap();
    let report = setup.doctor();
    report.only(&[("keyring", "FAIL", "is gone, and with it what was kept")]);
    report.skips(&["session"]);
    report.skips(&AFTERWARDS);
}

#[test]
fn a_key_file_that_others_may_read() {
    let setup = Setup::aks();
    setup.chmod(&setup.home.state().join("kubectl-login.key"), 0o644);
    setup.doctor().only(&[("keyring", "FAIL", "is not used: other users may read it")]);
}

#[test]
fn records_that_are_damaged() {
    let setup = Setup::aks();
    let token = &setup.home.files("tokens")[0];
    let mut bytes = fs::read(token).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(token, &bytes).unwrap();
    setup.doctor().only(&[("files", "WARN", "1 of 2 records do not open")]);
    // The refresh has mended it.
    setup.doctor().only(&[]);
    let session = &setup.home.files("sessions")[0];
    fs::write(session, &bytes[..40]).unwrap();
    setup
        .doctor()
        .only(&[("files", "WARN", "records do not open"), ("session", "FAIL", "a sign-in is kept and does not open")]);
}

#[test]
fn nothing_is_kept_and_nobody_minds() {
    let setup = Setup::aks();
    setup.replace("\"--login\"", "\"--token-cache-storage=none\"\n      - \"--login\"");
    let report = setup.doctor();
    report.only(&[]);
    report.skips(&["session"]);
    report.skips(&AFTERWARDS);
}

#[test]
fn a_keyring_that_is_locked_or_frozen_or_gone() {
    let setup = Setup::aks();
    setup.run(&["logout", "--all"]);
    let keyring = Keyring::start(&setup.home);
    let on_bus = |command: &mut Command| {
        keyring.on_bus(command);
    };
    let look = || setup.doctor_with(&[], on_bus);
    look().says("keyring", "OK", "the keyring answers; it has no key yet");
    let mut login = setup.command(&["--prompt", "always"]);
    on_bus(&mut login);
    assert_eq!(Run::of(&mut login).code, Some(0));
    let report = look();
    report.only(&[]);
    report.says("keyring", "OK", "has the key");
    keyring.freeze();
    setup.home.shorten_limits(4);
    look().only(&[("keyring", "FAIL", "the keyring does not answer")]);
    setup.home.shorten_limits(1);
    keyring.thaw();
    keyring.lock();
    let report = look();
    report.only(&[("keyring", "FAIL", "Unlock the keyring")]);
    report.skips(&["session"]);
    report.skips(&AFTERWARDS);
    keyring.kill();
    look().only(&[("keyring", "FAIL", "there is no working keyring")]);
}
