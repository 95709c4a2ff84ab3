//! The files on disk: encrypted, private, and never an obstacle. A file that is damaged, missing, swapped or readable
//! by others counts as absent, and the next refresh or sign-in replaces it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{ALWAYS, Home, Run, all_below, claims, entra, mode, oidc, set_mode, signed_in};
use serde_json::Value;
use sim::{ALICE, ARC_SERVER, BOB, OTHER_TENANT, SERVER, World};

/// Asserts a token without a prompt: from the cache if `cached`, otherwise by a refresh.
#[track_caller]
fn assert_quiet(world: &World, run: &Run, cached: bool) -> String {
    let token = run.token();
    assert_eq!(run.stderr, "", "{run}");
    assert_eq!((world.device_requests().len(), world.refreshes().len()), (0, usize::from(!cached)), "{run}");
    world.reset_requests();
    token
}

/// Asserts that there is no usable session, so that a call without a prompt exits with 3, and that a sign-in repairs
/// it.
#[track_caller]
fn assert_healed_by_a_sign_in(world: &World, home: &Home) -> String {
    home.run(&entra(world, &[])).assert_failed(3, &["sign-in required"]);
    assert!(world.requests().is_empty());
    let token = home.run(&entra(world, &ALWAYS)).token();
    assert_eq!(world.device_requests().len(), 1);
    world.reset_requests();
    assert_eq!(assert_quiet(world, &home.run(&entra(world, &[])), true), token);
    assert_quiet(world, &home.run(&entra(world, &["--force-refresh"])), false)
}

#[test]
fn files_and_directories_are_private_with_any_umask() {
    let (world, home) = (World::start(), Home::new());
    for args in [entra(&world, &ALWAYS), oidc(&world, &ALWAYS)] {
        Run::of(&mut home.plugin_after("umask 000", &args)).token();
    }
    let found = all_below(&home.path().join("state"));
    assert!(found.len() > 10, "{found:?}");
    for path in found {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
}

#[test]
fn files_contain_no_readable_tokens_or_codes() {
    for args in [entra, oidc] {
        let (world, home) = (World::start(), Home::new());
        let token = home.run(&args(&world, &ALWAYS)).token();
        let files: Vec<(PathBuf, Vec<u8>)> = all_below(home.path())
            .into_iter()
            .filter(|path| path.is_file())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        assert!(files.len() >= 4);
        // The refresh token that was on disk is the one that the next refresh presents.
        home.run(&args(&world, &["--force-refresh"])).token();
        let mut secrets = vec![token.clone()];
        secrets.extend(token.split('.').map(str::to_owned));
        secrets.extend(world.requests().iter().flat_map(|request| {
            ["refresh_token", "device_code", "code_verifier"].map(|name| request.field(name).to_owned())
        }));
        secrets.extend(world.wait_for_device_request(1, std::time::Duration::ZERO));
        secrets.retain(|secret| !secret.is_empty());
        assert!(secrets.len() >= 7, "{}", secrets.len());
        for (path, bytes) in files {
            for secret in &secrets {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{} holds {secret}", path.display());
            }
        }
    }
}

#[test]
fn record_header_is_readable_without_secrets() {
    let (_world, home, _) = signed_in(entra);
    for folder in ["sessions", "tokens"] {
        let bytes = fs::read(&home.files(folder)[0]).unwrap();
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
        let header: Value = serde_json::from_slice(&bytes[..end]).unwrap();
        assert_eq!((&header["v"], &header["home"]), (&1.into(), &"file".into()));
        assert!(header["key"].is_string() && header["nonce"].is_string() && header["facts"].is_object(), "{header}");
        assert!(bytes.len() > end + 16);
    }
}

/// A way to damage a file, and its name.
type Damage = (&'static str, fn(&Path));

const DAMAGE: [Damage; 7] = [
    ("truncated", |path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    }),
    ("one byte short", |path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
    }),
    ("emptied", |path| fs::write(path, b"").unwrap()),
    ("foreign", |path| fs::write(path, [0xff, b'\n', 0, 7].repeat(100)).unwrap()),
    ("one bit turned", |path| {
        let mut bytes = fs::read(path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(path, bytes).unwrap();
    }),
    ("of another version", |path| {
        let mut bytes = fs::read(path).unwrap();
        assert!(bytes.starts_with(b"{\"v\":1,"));
        bytes[5] = b'9';
        fs::write(path, bytes).unwrap();
    }),
    ("gone", |path| fs::remove_file(path).unwrap()),
];

#[test]
fn damaged_token_is_refreshed_without_prompt() {
    let (world, home, mut token) = signed_in(entra);
    for (how, damage) in DAMAGE {
        damage(&home.files("tokens")[0]);
        let renewed = assert_quiet(&world, &home.run(&entra(&world, &[])), false);
        assert_ne!(renewed, token, "{how}");
        assert_eq!(assert_quiet(&world, &home.run(&entra(&world, &[])), true), renewed, "{how}");
        token = renewed;
    }
}

#[test]
fn damaged_session_is_replaced_by_the_next_sign_in() {
    let (world, home, mut token) = signed_in(entra);
    for (how, damage) in DAMAGE {
        damage(&home.files("sessions")[0]);
        let kept = assert_quiet(&world, &home.run(&entra(&world, &[])), true);
        assert_eq!(kept, token, "{how}: a valid token needs no session");
        home.set_seconds_left(0);
        token = assert_healed_by_a_sign_in(&world, &home);
    }
}

#[test]
fn damage_to_other_files_has_no_effect() {
    let (world, home) = (World::start(), Home::new());
    home.run(&oidc(&world, &ALWAYS)).token();
    for (how, damage) in &DAMAGE[..5] {
        for file in [home.files("issuers"), home.files("locks"), vec![home.state().join("kubectl-login.home")]].concat()
        {
            if fs::metadata(&file).unwrap().len() > 0 {
                damage(&file);
            }
        }
        world.reset_requests();
        let run = home.run(&oidc(&world, &["--force-refresh"]));
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{how}: {run}");
    }
    fs::create_dir_all(home.state().join("outcomes")).unwrap();
    let session = home.files("sessions")[0].file_name().unwrap().to_owned();
    fs::write(home.state().join("outcomes").join(session), b"{\"at\":").unwrap();
    home.run(&oidc(&world, &["--force-refresh"])).token();
}

#[test]
fn record_with_another_name_counts_as_absent() {
    let (world, home, token) = signed_in(entra);
    let other = home.run(&entra(&world, &["--server-id", ARC_SERVER])).token();
    assert_eq!((&claims(&token)["aud"], &claims(&other)["aud"]), (&SERVER.into(), &ARC_SERVER.into()));
    world.reset_requests();
    let files = home.files("tokens");
    let aside = home.path().join("aside");
    fs::rename(&files[0], &aside).unwrap();
    fs::rename(&files[1], &files[0]).unwrap();
    fs::rename(&aside, &files[1]).unwrap();
    let one = assert_quiet(&world, &home.run(&entra(&world, &[])), false);
    let two = assert_quiet(&world, &home.run(&entra(&world, &["--server-id", ARC_SERVER])), false);
    assert_eq!((&claims(&one)["aud"], &claims(&two)["aud"]), (&SERVER.into(), &ARC_SERVER.into()));

    let tenant = ["--tenant-id", OTHER_TENANT];
    home.run(&entra(&world, &[&tenant[..], &ALWAYS].concat())).token();
    home.set_seconds_left(0);
    world.reset_requests();
    let [a, b] = <[PathBuf; 2]>::try_from(home.files("sessions")).unwrap();
    fs::copy(&a, &b).unwrap();
    let mut codes = [home.run(&entra(&world, &[])).code, home.run(&entra(&world, &tenant)).code];
    codes.sort();
    assert_eq!(codes, [Some(0), Some(3)], "the copied record must not open");
}

#[test]
fn lost_key_requires_one_sign_in() {
    let (world, home, _) = signed_in(entra);
    fs::remove_file(home.state().join("kubectl-login.key")).unwrap();
    assert_healed_by_a_sign_in(&world, &home);
}

#[test]
fn replaced_or_damaged_key_requires_one_sign_in() {
    let (_, other, _) = signed_in(entra);
    let foreign = fs::read(other.state().join("kubectl-login.key")).unwrap();
    for key in [foreign.as_slice(), b"", b"short\n", &[0xff; 44], &[b'A'; 4096]] {
        let (world, home, _) = signed_in(entra);
        fs::write(home.state().join("kubectl-login.key"), key).unwrap();
        assert_healed_by_a_sign_in(&world, &home);
        assert_eq!(mode(&home.state().join("kubectl-login.key")), 0o600);
    }
}

#[test]
fn readable_key_is_replaced() {
    let (world, home, _) = signed_in(entra);
    let key = home.state().join("kubectl-login.key");
    let old = fs::read(&key).unwrap();
    set_mode(&key, 0o644);
    assert_healed_by_a_sign_in(&world, &home);
    assert_eq!(mode(&key), 0o600);
    assert_ne!(fs::read(&key).unwrap(), old);
}

#[test]
fn readable_record_is_replaced() {
    let (world, home, token) = signed_in(entra);
    let record = home.files("tokens").remove(0);
    set_mode(&record, 0o640);
    assert_ne!(assert_quiet(&world, &home.run(&entra(&world, &[])), false), token);
    assert_eq!(mode(&record), 0o600);
}

#[test]
fn symlinks_are_not_followed() {
    let (world, home, _) = signed_in(entra);
    let elsewhere = home.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let moved_away = |path: &Path| {
        let target = elsewhere.join(path.file_name().unwrap());
        fs::rename(path, &target).unwrap();
        symlink(&target, path).unwrap();
        (target.clone(), fs::read(target).unwrap())
    };
    let record = home.files("tokens").remove(0);
    let (target, bytes) = moved_away(&record);
    assert_quiet(&world, &home.run(&entra(&world, &[])), false);
    assert_eq!(fs::read(target).unwrap(), bytes);
    assert!(record.symlink_metadata().unwrap().is_file());

    let key = home.state().join("kubectl-login.key");
    let (target, bytes) = moved_away(&key);
    assert_healed_by_a_sign_in(&world, &home);
    assert_eq!(fs::read(target).unwrap(), bytes);
    assert!(key.symlink_metadata().unwrap().is_file());

    // A lock file is opened for writing: another file behind a link must not change.
    let lock = home.files("locks").into_iter().find(|path| path.file_name().unwrap() != "key").unwrap();
    let (target, _) = moved_away(&lock);
    fs::write(&target, "precious").unwrap();
    home.run(&entra(&world, &["--force-refresh"])).token();
    assert_eq!(fs::read(target).unwrap(), b"precious");
}

#[test]
fn storage_flag_keeps_existing_records_valid() {
    let (world, home) = (World::start(), Home::new());
    let with = |storage| ["--token-cache-storage", storage];
    let token = home.run(&entra(&world, &[&with("file")[..], &ALWAYS].concat())).token();
    world.reset_requests();
    for storage in ["auto", "keyring", "file"] {
        assert_eq!(assert_quiet(&world, &home.run(&entra(&world, &with(storage))), true), token);
    }
    for storage in ["auto", "keyring", "disk"] {
        home.set_seconds_left(0);
        let renewed = assert_quiet(&world, &home.run(&entra(&world, &with(storage))), false);
        assert_eq!(assert_quiet(&world, &home.run(&entra(&world, &[])), true), renewed);
    }
}

#[test]
fn temporary_files_are_deleted_after_an_hour() {
    let (world, home, _) = signed_in(entra);
    let folders: Vec<PathBuf> =
        all_below(&home.state()).into_iter().filter(|path| path.is_dir()).chain([home.state()]).collect();
    let leave = |name: &str, age: &str| {
        for folder in &folders {
            let path = folder.join(name);
            fs::write(&path, "left").unwrap();
            let touched = Command::new("touch").args(["-d", age]).arg(&path).status().unwrap();
            assert!(touched.success());
        }
    };
    leave(".kubectl-login-oldOLD", "2 hours ago");
    leave(".kubectl-login-newNEW", "10 minutes ago");
    leave("another-programs", "2 days ago");
    fs::remove_file(home.state().join("kubectl-login.key")).unwrap();
    home.run(&entra(&world, &ALWAYS)).token();
    for folder in folders.iter().filter(|folder| !folder.ends_with("locks")) {
        assert!(!folder.join(".kubectl-login-oldOLD").exists(), "not swept in {}", folder.display());
    }
    for folder in &folders {
        assert!(
            folder.join(".kubectl-login-newNEW").exists(),
            "a process may still be writing in {}",
            folder.display()
        );
        assert!(folder.join("another-programs").exists());
    }
}

#[test]
fn logout_deletes_only_own_files() {
    let (world, home, _) = signed_in(entra);
    home.run(&oidc(&world, &ALWAYS)).token();
    DAMAGE[3].1(&home.files("sessions")[0]);
    let ours: Vec<PathBuf> = ["sessions", "tokens", "issuers"]
        .iter()
        .flat_map(|folder| home.files(folder))
        .chain([home.state().join("kubectl-login.key")])
        .collect();
    assert!(ours.len() >= 6, "{ours:?}");
    let left = home.state().join(".kubectl-login-leftXY");
    fs::copy(home.state().join("kubectl-login.key"), &left).unwrap();
    let foreign = ["notes.txt", "tokens/notes.txt", "sessions/0123"].map(|name| home.state().join(name));
    for other in &foreign {
        fs::write(other, "mine").unwrap();
    }
    let run = home.run(&["logout", "--all"]);
    assert_eq!(run.code, Some(0), "{run}");
    for path in ours {
        assert!(!path.exists(), "{} is still there", path.display());
    }
    assert!(!left.exists(), "a copy of the key that a killed writer left is still there");
    for other in foreign {
        assert_eq!(fs::read(other).unwrap(), b"mine");
    }
    home.run(&entra(&world, &[])).assert_failed(3, &[]);
}

#[test]
fn status_needs_neither_key_nor_network() {
    let (world, home, _) = signed_in(entra);
    let with_key = home.status();
    let session = &with_key["sessions"][0];
    assert_eq!((&session["account"], &session["storage"]), (&ALICE.into(), &"file".into()), "{with_key}");
    assert_eq!(session["accessTokens"][0]["audience"], SERVER);
    fs::remove_file(home.state().join("kubectl-login.key")).unwrap();
    assert_eq!(home.status(), with_key);
    assert!(world.requests().is_empty());
    assert!(!home.state().join("kubectl-login.key").exists());
}

#[test]
fn users_tenants_and_clouds_have_separate_sessions() {
    let (world, home) = (World::start(), Home::new());
    let (cloud, ca) = (world.tls_authority(), world.ca_file().to_str().unwrap().to_owned());
    let entries: [(&[&str], &str); 5] = [
        (&[], ALICE),
        (&["--login-hint", ALICE], ALICE),
        (&["--login-hint", BOB], BOB),
        (&["--tenant-id", OTHER_TENANT], ALICE),
        (&["--authority-host", &cloud, "--certificate-authority", &ca], BOB),
    ];
    let tokens = entries.map(|(entry, user)| {
        world.sign_in_as(user);
        home.run(&entra(&world, &[entry, &ALWAYS].concat())).token()
    });
    let names = tokens.each_ref().map(|token| claims(token)["upn"].clone());
    assert_eq!(names, entries.map(|(_, user)| Value::from(user)));
    assert_eq!(claims(&tokens[3])["tid"], OTHER_TENANT);
    world.reset_requests();
    for ((entry, user), token) in entries.iter().zip(&tokens) {
        assert_eq!(&assert_quiet(&world, &home.run(&entra(&world, entry)), true), token);
        let renewed =
            assert_quiet(&world, &home.run(&entra(&world, &[entry, &["--force-refresh"][..]].concat())), false);
        assert_eq!((&claims(&renewed)["upn"], &claims(&renewed)["tid"]), (&Value::from(*user), &claims(token)["tid"]));
    }
    assert_eq!(home.status()["sessions"].as_array().unwrap().len(), 5);
}
