//! `remove-cache-dir`, `remove-tokens` and `clean`, as in the two other tools, except that foreign files are kept.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use crate::common::{ALWAYS, HANG, Home, Run, entra, oidc, text};
use sim::World;

const DEPRECATED: &str =
    "Command \"remove-tokens\" is deprecated, remove-tokens is deprecated, use remove-cache-dir instead\n";
const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Two sign-ins with `folder` as the cache directory.
fn sign_in(world: &World, home: &Home, folder: &Path) {
    home.sign_in(&entra(world, &["--cache-dir", text(folder)])).token();
    home.sign_in(&oidc(world, &["--cache-dir", text(folder)])).token();
}

#[test]
fn cache_directory_is_removed_by_each_command() {
    let (world, home) = (World::start(), Home::new());
    let folder = home.path().join("apart");
    let cleaned = format!("Deleted the token cache from {}\n", folder.display());
    for (command, flag, said) in [
        ("remove-cache-dir", "--cache-dir", ""),
        ("remove-tokens", "--token-cache-dir", DEPRECATED),
        ("clean", "--token-cache-dir", &cleaned),
        ("remove-cache-dir", "--token-cache-dir", ""),
        ("clean", "--cache-dir", &cleaned),
    ] {
        sign_in(&world, &home, &folder);
        assert!(folder.join("locks").is_dir() && folder.join("kubectl-login.key").exists());
        world.reset_requests();
        // A leading ~ is the home directory; the second time there is nothing left to remove.
        for named in [text(&folder), "~/apart"] {
            let run = home.run(&[command, flag, named]);
            assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(0), "", said), "{command}: {run}");
            assert!(!folder.exists());
        }
        assert!(world.requests().is_empty(), "there were requests: {:?}", world.requests());
    }
}

#[test]
fn default_directory_is_removed() {
    let (world, home) = (World::start(), Home::new());
    let cache = home.path().join("kube-cache");
    sign_in(&world, &home, &home.state());
    sign_in(&world, &home, &cache.join("kubectl-login"));
    Run::of(home.plugin(&["remove-cache-dir"]).env("KUBECACHEDIR", &cache)).assert_stdout("");
    assert!(cache.exists() && !cache.join("kubectl-login").exists() && home.state().exists());
    // Without a keyring, the message is the other tool's, and it is not an error.
    let run = home.run(&["clean"]);
    let said = format!(
        "Deleted the token cache from {}\nCould not delete the token cache from the keyring: there is no working keyring\n",
        home.state().display()
    );
    assert_eq!((run.code, run.stdout.as_str(), run.stderr), (Some(0), "", said));
    assert!(!home.state().exists());
    home.run(&entra(&world, &[])).assert_failed(3, &[]);
    home.run(&entra(&world, &ALWAYS)).token();
    home.run(&["remove-cache-dir"]).assert_stdout("");
}

#[test]
fn foreign_files_are_kept_and_named() {
    let (world, home) = (World::start(), Home::new());
    let folder = home.path().join("work");
    let foreign = ["notes.txt", "tokens/notes.txt", "sessions/0123", "locks/other", "src/main.rs", "tokens.old/x"];
    sign_in(&world, &home, &folder);
    for file in foreign {
        home.write(&format!("work/{file}"), "mine");
    }
    fs::create_dir(folder.join("sessions").join(ID)).unwrap();
    let run = home.run(&["remove-cache-dir", "--cache-dir", text(&folder)]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""), "{run}");
    assert!(run.stderr.starts_with("Warning: ") && run.stderr.contains("work stays"), "{run}");
    for name in ["notes.txt", "locks/other", "src"] {
        assert!(run.stderr.contains(name), "{name}: {run}");
    }
    for file in foreign {
        assert_eq!(fs::read(folder.join(file)).unwrap(), b"mine");
    }
    assert!(folder.join("sessions").join(ID).is_dir());
    for ours in ["kubectl-login.key", "kubectl-login.home", "issuers", "outcomes"] {
        assert!(!folder.join(ours).exists(), "{ours} is still there");
    }
    assert_eq!(fs::read_dir(folder.join("tokens")).unwrap().count(), 1);
}

#[test]
fn links_are_neither_followed_nor_removed() {
    let (world, home) = (World::start(), Home::new());
    let (folder, elsewhere) = (home.path().join("apart"), home.path().join("elsewhere"));
    sign_in(&world, &home, &elsewhere);
    let key = fs::read(elsewhere.join("kubectl-login.key")).unwrap();
    let kept = |name: &str| fs::read_dir(elsewhere.join(name)).unwrap().count();
    let before = ["sessions", "tokens", "issuers", "locks"].map(kept);
    fs::create_dir(&folder).unwrap();
    for name in ["sessions", "tokens", "issuers", "locks", "kubectl-login.key"] {
        symlink(elsewhere.join(name), folder.join(name)).unwrap();
    }
    fs::create_dir(folder.join("outcomes")).unwrap();
    symlink(home.write("precious", "mine"), folder.join("outcomes").join(ID)).unwrap();
    for command in ["remove-cache-dir", "clean"] {
        let run = home.run(&[command, "--cache-dir", text(&folder)]);
        assert!(run.code == Some(0) && run.stderr.contains("apart stays"), "{run}");
    }
    assert_eq!(["sessions", "tokens", "issuers", "locks"].map(kept), before);
    assert_eq!(fs::read(elsewhere.join("kubectl-login.key")).unwrap(), key);
    assert_eq!(fs::read(home.path().join("precious")).unwrap(), b"mine");
    assert!(fs::symlink_metadata(folder.join("outcomes").join(ID)).unwrap().is_symlink());
    home.run(&entra(&world, &["--cache-dir", text(&elsewhere)])).token();
}

#[test]
fn held_lock_is_kept() {
    let (world, home) = (World::start(), Home::new());
    world.approve_automatically(false);
    let child = home.start(&entra(&world, &ALWAYS));
    assert_eq!(world.wait_for_device_request(1, HANG).len(), 1);
    let run = home.run(&["remove-cache-dir"]);
    assert!(run.code == Some(0) && run.stderr.contains("a sign-in is in progress"), "{run}");
    assert_eq!(home.files("locks").len(), 1);
    world.approve_pending();
    let run = Run::wait(child);
    run.token();
    home.run(&["remove-cache-dir"]).assert_stdout("");
    assert!(!home.state().exists());
}

#[test]
fn invalid_or_world_writable_directory_is_an_error() {
    let home = Home::new();
    let file = home.write("file", "mine");
    home.run(&["remove-cache-dir", "--cache-dir", text(&file)]).assert_failed(1, &["it is not a folder", "\nNext: "]);
    assert_eq!(fs::read(file).unwrap(), b"mine");
    let open = home.path().join("open-to-all");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    home.run(&["clean", "--cache-dir", text(&open)]).assert_failed(1, &["it is writable by everyone"]);
    assert!(open.exists());
}

#[test]
fn similar_foreign_directory_is_kept() {
    let home = Home::new();
    let lookalikes = [
        format!("sessions/{ID}"),
        format!("tokens/{ID}"),
        format!("outcomes/{ID}"),
        format!("issuers/{ID}"),
        format!("locks/{ID}"),
        "locks/key".to_owned(),
        ".kubectl-login-notes".to_owned(),
    ];
    for name in &lookalikes {
        home.write(&format!("work/{name}"), "mine");
    }
    fs::create_dir(home.path().join("empty")).unwrap();
    for words in [["remove-cache-dir", "--cache-dir"], ["clean", "--cache-dir"]] {
        let run = home.run(&[&words[..], &[text(&home.path().join("work"))]].concat());
        assert!(run.code == Some(0) && run.stderr.contains("work stays"), "{run}");
        assert_eq!(home.run(&[&words[..], &[text(&home.path().join("empty"))]].concat()).code, Some(0));
    }
    home.run(&["logout", "--all", "--cache-dir", text(&home.path().join("work"))]);
    for name in &lookalikes {
        assert_eq!(fs::read(home.path().join("work").join(name)).unwrap(), b"mine", "{name}");
    }
    assert!(home.path().join("empty").is_dir());
}

#[test]
fn context_named_clean_needs_a_flag() {
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("clean", entra(&world, &[]))]);
    home.run(&entra(&world, &ALWAYS)).token();
    home.run(&["clean"]).assert_failed(2, &["context called \"clean\"", "kubectl login --context clean"]);
    assert_eq!(home.files("sessions").len(), 1);
    assert_eq!(home.run(&["clean", "--cache-dir", text(&home.state())]).code, Some(0));
    assert!(!home.state().exists());
}
