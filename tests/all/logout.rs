//! `logout`: which sessions are deleted in which directories, what is revoked at which issuer, and the messages.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::common::{HANG, Home, Run, all_below, entra, in_parallel, oidc, text};
use sim::{ALICE, BOB, Behaviour, OWN_CLIENT, Request, World};

fn args_with(args: &[String], more: &[&str]) -> Vec<String> {
    args.iter().cloned().chain(more.iter().map(|word| (*word).to_owned())).collect()
}

/// Why a sign-in at Entra is only forgotten.
const AT_ENTRA: &str = "Microsoft Entra ID cannot revoke a single session";
const NOT_AT_ENTRA: &str = "It was not revoked: Microsoft Entra ID cannot revoke a single session.\n";

/// The revocation requests so far.
fn revocations(world: &World) -> Vec<Request> {
    world.requests().into_iter().filter(|request| request.path.ends_with("/revoke")).collect()
}

/// Asserts success with this stdout and a warning that contains these words.
#[track_caller]
fn assert_warned(run: &Run, stdout: &str, words: &[&str]) {
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), stdout), "{run}");
    assert!(run.stderr.starts_with("Warning: ") && run.stderr.contains("\nNext:  "), "{run}");
    run.assert_stderr(words);
}

/// The files below a directory, without lock files.
fn files(folder: &Path) -> Vec<PathBuf> {
    let locks = folder.join("locks");
    all_below(folder).into_iter().filter(|path| path.is_file() && !path.starts_with(&locks)).collect()
}

#[test]
fn only_the_given_context_is_forgotten() {
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("sim", entra(&world, &[])), ("other", oidc(&world, &[]))]);
    home.sign_in(&entra(&world, &[])).token();
    home.sign_in(&oidc(&world, &[])).token();
    world.reset_requests();
    home.run(&["logout"]).assert_stdout(&format!("Forgot the session of sim ({ALICE}).\n{NOT_AT_ENTRA}"));
    home.run(&entra(&world, &[])).assert_failed(3, &[]);
    home.run(&oidc(&world, &[])).token();
    for args in [&["logout", "--context", "sim"][..], &["logout", "sim"]] {
        home.run(args).assert_stdout("There was no session for sim.\n");
    }
    // Entra cannot revoke, so it gets no request.
    assert!(world.requests().is_empty());
    home.run(&["logout", "third"]).assert_failed(1, &["third", "--all"]);
}

#[test]
fn sign_in_is_revoked_if_the_issuer_supports_it() {
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("sim", oidc(&world, &[]))]);
    home.sign_in(&oidc(&world, &[])).token();
    let copy = home.path().join("copy");
    copy_folder(&home.state(), &copy);
    let run = home.run(&["logout"]);
    run.assert_stdout(&format!("Forgot the session of sim ({ALICE}) and revoked it at {}.\n", world.issuer()));
    let [asked] = &revocations(&world)[..] else { panic!("one request: {:?}", revocations(&world)) };
    assert!(asked.field("token").starts_with("refresh-"), "{asked:?}");
    assert_eq!((asked.field("token_type_hint"), asked.field("client_id")), ("refresh_token", sim::OIDC_CLIENT));
    // A copy of the files is worthless.
    let stolen = oidc(&world, &["--cache-dir", text(&copy), "--force-refresh"]);
    home.run(&stolen).assert_failed(3, &["invalid_grant"]);
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn other_contexts_of_the_session_are_named() {
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[
        ("prod", entra(&world, &[])),
        ("staging", entra(&world, &["--server-id", sim::ARC_SERVER])),
        ("dev", entra(&world, &[])),
        ("apart", entra(&world, &["--cache-dir", "~/apart"])),
        ("bob", entra(&world, &["--login-hint", BOB])),
    ]);
    home.sign_in(&entra(&world, &[])).token();
    let run = home.run(&["logout", "prod"]);
    run.assert_stdout(&format!(
        "Forgot the session of prod ({ALICE}). It was also used by dev, staging.\n{NOT_AT_ENTRA}"
    ));
    home.sign_in(&entra(&world, &[])).token();
    let run = home.run(&["logout", "--user", "dev"]);
    run.assert_stdout(&format!(
        "Forgot the session of dev ({ALICE}). It was also used by dev, prod, staging.\n{NOT_AT_ENTRA}"
    ));
}

#[test]
fn revocation_needs_the_certificate_authority_of_the_entry() {
    let (world, home) = (World::start(), Home::new());
    let issuer = world.tls_issuer();
    let args = [
        "get-token",
        "--oidc-issuer-url",
        &issuer,
        "--oidc-client-id",
        sim::OIDC_CLIENT,
        "--certificate-authority",
        text(world.ca_file()),
    ]
    .map(str::to_owned)
    .to_vec();
    home.contexts(&[("sim", args.clone())]);
    for (logout, said) in [
        (&["logout"][..], format!("the session of sim ({ALICE}) and revoked it at {}", issuer.replace("https://", ""))),
        (&["logout", "--all"], "1 session and revoked it".to_owned()),
        (&["logout", "--account", ALICE], format!("1 session of {ALICE} and revoked it")),
    ] {
        home.sign_in(&args).token();
        world.reset_requests();
        home.run(logout).assert_stdout(&format!("Forgot {said}.\n"));
        assert!(revocations(&world).iter().all(|asked| asked.tls) && revocations(&world).len() == 1);
    }
    // Without the entry, the certificate authority is unknown.
    home.sign_in(&args).token();
    world.reset_requests();
    fs::remove_file(home.path().join(".kube/config")).unwrap();
    let run = home.run(&["logout", "--all"]);
    assert_warned(&run, "Forgot 1 session.\n", &[ALICE, "could not be revoked", "kubeconfig"]);
    assert!(world.requests().is_empty());
}

#[test]
fn revocation_needs_the_client_secret_of_the_entry() {
    let (world, home) = (World::start(), Home::new());
    world.set_client_secret(Some("s3 cret:word"));
    let args = oidc(&world, &["--oidc-client-secret", "s3 cret:word"]);
    home.contexts(&[("sim", args.clone())]);
    home.sign_in(&args).token();
    assert!(home.run(&["logout"]).stdout.contains("and revoked it"));
    // "kubernetes:s3+cret%3Aword": both parts are form-encoded before they are joined (RFC 6749 2.3.1).
    assert_eq!(revocations(&world)[0].header("authorization"), "Basic a3ViZXJuZXRlczpzMytjcmV0JTNBd29yZA==");
    home.sign_in(&args).token();
    world.reset_requests();
    let run = home.run(&["logout", "--all", "--kubeconfig", "/nowhere/config"]);
    assert_warned(&run, "Forgot 1 session.\n", &["could not be revoked", "kubeconfig"]);
    assert!(world.requests().is_empty());
}

#[test]
fn public_client_is_revoked_without_an_entry() {
    let (world, home) = (World::start(), Home::new());
    home.sign_in(&oidc(&world, &[])).token();
    home.sign_in(&entra(&world, &[])).token();
    let said = format!("Forgot 2 sessions and revoked 1 of them.\n1 was not revoked: {AT_ENTRA}.\n");
    home.run(&["logout", "--all"]).assert_stdout(&said);
    assert_eq!(revocations(&world).len(), 1);
}

#[test]
fn failed_revocation_still_forgets() {
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("sim", oidc(&world, &["--timeout=4s"]))]);
    let forgot = format!("Forgot the session of sim ({ALICE}).\n");
    for (behaviour, words) in [
        (Behaviour::RevocationUnavailable, &["is not available (HTTP 503)"][..]),
        (Behaviour::RevocationRefused, &["unsupported_token_type", "[hidden]"]),
        (Behaviour::Discovery404, &["no discovery document (HTTP 404)"]),
        (Behaviour::WrongIssuer, &["calls itself"]),
        (Behaviour::DelegatedEndpoints, &["another site now, login.other-issuer.example"]),
        (Behaviour::NoRevocationEndpoint, &[]),
    ] {
        home.sign_in(&oidc(&world, &[])).token();
        world.set(behaviour);
        let run = home.run(&["logout"]);
        if words.is_empty() {
            run.assert_stdout(&format!("{forgot}It was not revoked: the issuer offers no revocation.\n"));
        } else {
            assert_warned(&run, &forgot, &[words, &[ALICE, "could not be revoked", "forgotten"]].concat());
        }
        assert!(!run.stderr.contains("refresh-"), "a secret is repeated: {run}");
        assert!(home.files("sessions").is_empty() && home.files("tokens").is_empty());
        world.clear(behaviour);
    }
    let gone = World::start();
    home.contexts(&[("sim", oidc(&gone, &[]))]);
    home.sign_in(&oidc(&gone, &[])).token();
    drop(gone);
    assert_warned(&home.run(&["logout"]), &forgot, &["cannot be reached"]);
}

/// Its session may read the directory, which the cluster's session may not.
#[test]
fn session_for_groups_is_forgotten_if_unused() {
    let world = World::start();
    world.set_groups(201);
    let sim = entra(&world, &["--graph-client-id", OWN_CLIENT]);
    let own = entra(&world, &["--client-id", OWN_CLIENT]);
    let third = args_with(&sim, &["--client-id", "00000000-0000-4000-8000-000000000003"]);
    let signed_in = |others: &[(&str, Vec<String>)]| {
        let home = Home::new();
        home.contexts(&[&[("sim", sim.clone())], others].concat());
        let run = home.run(&["sim"]);
        assert_eq!((run.code, home.files("sessions").len(), home.files("groups").len()), (Some(0), 2, 1), "{run}");
        home
    };
    let both = format!("Forgot the session of sim ({ALICE}) and the one for its groups.");
    let stays = |name: &str| {
        format!("Forgot the session of sim ({ALICE}). The one for its groups stays: {name} needs it.\n{NOT_AT_ENTRA}")
    };
    let alone = format!("Forgot the session for the groups of sim ({ALICE}).\n");

    let home = signed_in(&[("other", entra(&world, &["--login-hint", BOB]))]);
    home.run(&["logout"]).assert_stdout(&format!("{both}\n{NOT_AT_ENTRA}"));
    assert!(home.files("sessions").is_empty());
    home.run(&["logout"]).assert_stdout("There was no session for sim.\n");
    // A context that has just lost its own session does not need the other one.
    let home = signed_in(&[("twin", sim.clone())]);
    home.run(&["logout"]).assert_stdout(&format!("{both} It was also used by twin.\n{NOT_AT_ENTRA}"));
    for (name, args) in [("own", own), ("third", third)] {
        let home = signed_in(&[(name, args.clone())]);
        home.run(&["logout"]).assert_stdout(&stays(name));
        assert_eq!(home.files("sessions").len(), 1);
        let status = home.run(&["status"]);
        assert!(status.stdout.contains(name), "{status}");
        home.contexts(&[("sim", sim.clone())]);
        home.run(&["logout"]).assert_stdout(&alone);
        assert!(home.files("sessions").is_empty());
    }
    // A user flag selects the same entry as the user's context.
    let home = signed_in(&[]);
    let run = home.run(&["logout", "--user", "sim"]);
    assert!(
        run.code == Some(0) && run.stdout.contains("and the one for its groups. It was also used by sim."),
        "{run}"
    );
}

#[test]
fn sessions_are_forgotten_before_a_hanging_revocation() {
    let (world, home) = (World::start_with(&[Behaviour::RevocationStalls]), Home::new());
    home.contexts(&[("sim", oidc(&world, &[]))]);
    home.sign_in(&oidc(&world, &[])).token();
    let mut logout = home.start(&["logout", "--all"]);
    assert!(world.wait_for(HANG, |log| log.count("/revoke") == 1));
    assert_eq!(files(&home.state()), [] as [PathBuf; 0]);
    // The logout does not wait for it.
    let token = home.sign_in(&oidc(&world, &[])).token();
    logout.kill().unwrap();
    logout.wait().unwrap();
    assert_eq!(home.run(&oidc(&world, &[])).token(), token);

    home.contexts(&[("sim", oidc(&world, &["--timeout=500ms"]))]);
    let run = home.run(&["logout"]);
    assert_warned(&run, &format!("Forgot the session of sim ({ALICE}).\n"), &["did not answer in time"]);
}

#[test]
fn account_is_forgotten_everywhere_in_any_case() {
    let (world, home) = (World::start(), Home::new());
    let apart = entra(&world, &["--login-hint", ALICE, "--cache-dir", text(&home.path().join("apart"))]);
    let alice = [entra(&world, &["--login-hint", ALICE]), oidc(&world, &[]), apart];
    let bob = entra(&world, &["--login-hint", BOB]);
    home.contexts(&[("apart", alice[2].clone())]);
    alice.iter().for_each(|args| drop(home.sign_in(args).token()));
    world.sign_in_as(BOB);
    home.sign_in(&bob).token();
    world.reset_requests();
    let upper = ALICE.to_uppercase();
    let run = home.run(&["logout", "--account", &upper]);
    run.assert_stdout(&format!(
        "Forgot 3 sessions of {upper} and revoked 1 of them.\n2 were not revoked: {AT_ENTRA}.\n"
    ));
    for args in &alice {
        home.run(args).assert_failed(3, &[]);
    }
    home.run(&bob).token();
    home.run(&["logout", "--account", ALICE]).assert_stdout(&format!("There were no sessions of {ALICE}.\n"));
    assert_eq!(world.device_requests().len(), 0);
}

#[test]
fn logout_all_covers_all_known_directories() {
    let (world, home) = (World::start(), Home::new());
    let apart = home.path().join("apart");
    let apart_args = oidc(&world, &["--token-cache-dir", text(&apart)]);
    home.contexts(&[("apart", apart_args.clone())]);
    let token = home.sign_in(&entra(&world, &[])).token();
    home.sign_in(&oidc(&world, &[])).token();
    home.sign_in(&apart_args).token();
    home.run(&["logout", "--all"])
        .assert_stdout(&format!("Forgot 3 sessions and revoked 2 of them.\n1 was not revoked: {AT_ENTRA}.\n"));
    assert_eq!([files(&home.state()), files(&apart)].concat(), [] as [PathBuf; 0]);
    home.run(&["logout", "--all", "--account", ALICE]).assert_failed(2, &[]);
    home.run(&entra(&world, &[])).assert_failed(3, &[]);
    // A new sign-in works.
    assert_ne!(home.sign_in(&entra(&world, &[])).token(), token);
}

#[test]
fn logout_without_sessions_creates_nothing() {
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("sim", oidc(&world, &[]))]);
    home.run(&["logout", "--all"]).assert_stdout("There were no sessions.\n");
    home.run(&["logout"]).assert_stdout("There was no session for sim.\n");
    assert!(!home.state().exists());
}

#[test]
fn cache_dir_flag_limits_the_logout() {
    let (world, home) = (World::start(), Home::new());
    let folder = home.path().join("apart");
    let folder = text(&folder);
    let apart = entra(&world, &["--token-cache-dir", folder]);
    home.contexts(&[("apart", apart.clone()), ("usual", entra(&world, &[]))]);
    home.sign_in(&apart).token();
    home.sign_in(&entra(&world, &[])).token();
    home.run(&entra(&world, &["--cache-dir", folder])).token();
    home.run(&["logout", "--all", "--token-cache-dir", folder])
        .assert_stdout(&format!("Forgot 1 session.\n{NOT_AT_ENTRA}"));
    home.run(&apart).assert_failed(3, &[]);
    home.run(&entra(&world, &[])).token();
}

#[test]
fn unusable_directory_does_not_stop_the_logout() {
    let (world, home) = (World::start(), Home::new());
    let open = home.path().join("open-to-all");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    home.contexts(&[("open", entra(&world, &["--cache-dir", text(&open)])), ("usual", entra(&world, &[]))]);
    home.sign_in(&entra(&world, &[])).token();
    let run = home.run(&["logout", "--all"]);
    let said = format!("Forgot 1 session.\n{NOT_AT_ENTRA}");
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), said.as_str()), "{run}");
    assert!(run.stderr.contains("open-to-all") && run.stderr.contains("\nNext: "), "{run}");
    assert!(home.files("sessions").is_empty());
}

#[test]
fn logout_during_a_refresh_is_final() {
    in_parallel([None, Some(Behaviour::RefreshBadToken)], |behaviour| {
        let (world, home) = (World::start(), Home::new());
        let args = oidc(&world, &[]);
        home.sign_in(&args).token();
        home.set_seconds_left(-60);
        world.reset_requests();
        // A logout does not wait that long for a process that uses the session.
        world.set_token_delay(HANG);
        world.set(Behaviour::DelayToken);
        behaviour.into_iter().for_each(|behaviour| world.set(behaviour));
        let refreshing = home.start(&args);
        assert!(world.wait_for(HANG, |log| log.count("/token") == 1));
        home.shorten_limits(3);
        assert_eq!(home.run(&["logout", "--all"]).code, Some(0));
        world.clear(Behaviour::DelayToken);
        let run = Run::wait(refreshing);
        match behaviour {
            // A token that has arrived is printed anyway.
            None => drop(run.token()),
            Some(_) => drop(run.assert_failed(3, &[])),
        }
        assert!(home.files("sessions").is_empty() && home.files("tokens").is_empty());
    });
}

#[test]
fn directory_name_is_printed_without_control_characters() {
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("odd", entra(&world, &["--cache-dir", "/dev/null/\u{1b}]0;owned\u{7}"]))]);
    for words in [&["logout", "odd"][..], &["logout", "--all"]] {
        let run = home.run(words);
        assert!(run.code == Some(1) && run.stderr.contains("]0;owned"), "{run}");
        assert!(run.stderr.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", run.stderr);
    }
}
