//! `status`: the stored sessions, as JSON and as a table, without a request and without a key.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::common::{ALWAYS, Home, PLUGIN, Run, entra, oidc, text};
use serde_json::{Value, json};
use sim::{ALICE, Behaviour, World};

/// The output of `status -o json`, which must not cause requests.
fn status(world: &World, home: &Home, more: &[&str]) -> Value {
    let before = world.requests().len();
    let run = home.run(&[&["status", "-o", "json"], more].concat());
    run.assert_silent_success();
    assert_eq!(world.requests().len(), before);
    run.object()
}

/// One field of each session.
fn each(status: &Value, field: &str) -> Vec<Value> {
    status["sessions"].as_array().unwrap().iter().map(|session| session[field].clone()).collect()
}

#[test]
fn json_has_the_documented_format() {
    let (world, home) = (World::start(), Home::new());
    let empty = json!({ "apiVersion": "kubectl-login/v1", "kind": "Status", "sessions": [] });
    assert_eq!(status(&world, &home, &[]), empty);
    let first = home.run(&entra(&world, &ALWAYS)).credential();
    let second = home.run(&oidc(&world, &ALWAYS)).credential();
    home.contexts(&[("only", entra(&world, &[]))]);
    let mut expected = [
        json!({
            "issuer": format!("{}{}/v2.0", world.authority(), sim::TENANT),
            "tenant": sim::TENANT,
            "client": sim::CLIENT,
            "account": ALICE,
            "method": "devicecode",
            "storage": "file",
            "cacheDir": home.state(),
            "accessTokens": [{ "audience": sim::SERVER, "expiresAt": first["status"]["expirationTimestamp"] }],
            "refreshable": true,
            "contexts": ["only"],
        }),
        json!({
            "issuer": world.issuer(),
            "tenant": null,
            "client": sim::OIDC_CLIENT,
            "account": ALICE,
            "method": "devicecode",
            "storage": "file",
            "cacheDir": home.state(),
            "accessTokens": [{ "audience": sim::OIDC_CLIENT, "expiresAt": second["status"]["expirationTimestamp"] }],
            "refreshable": true,
            "contexts": [],
        }),
    ];
    expected.sort_by_key(|session| session["issuer"].as_str().unwrap().to_owned());
    let found = status(&world, &home, &[]);
    assert_eq!(found, json!({ "apiVersion": "kubectl-login/v1", "kind": "Status", "sessions": expected }));

    let yaml = home.run(&["status", "--output", "yaml"]);
    let parsed: Value = serde_saphyr::from_str(&yaml.stdout).unwrap();
    assert_eq!((yaml.code, parsed), (Some(0), found));
    home.run(&["status", "-o", "xml"]).assert_failed(2, &["xml", "json"]);
}

#[test]
fn session_lists_its_servers_and_contexts() {
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[
        ("prod", entra(&world, &[])),
        ("another-tool", ["eks", "get-token"].map(str::to_owned).to_vec()),
        ("makes-no-sense", ["get-token", "--no-such-flag"].map(str::to_owned).to_vec()),
        ("caches-nothing", entra(&world, &["--token-cache-storage", "none"])),
        ("other-account", entra(&world, &["--login-hint", sim::BOB])),
        ("a-staging", entra(&world, &["--server-id", sim::ARC_SERVER])),
    ]);
    home.run(&entra(&world, &ALWAYS)).token();
    home.run(&entra(&world, &["--server-id", sim::ARC_SERVER])).token();
    let found = status(&world, &home, &[]);
    assert_eq!(each(&found, "contexts"), [json!(["a-staging", "prod"])]);
    let tokens = found["sessions"][0]["accessTokens"].as_array().unwrap();
    let mut audiences: Vec<&str> = tokens.iter().map(|token| token["audience"].as_str().unwrap()).collect();
    audiences.sort_unstable();
    let mut expected = [sim::SERVER, sim::ARC_SERVER];
    expected.sort_unstable();
    assert_eq!(audiences, expected);
    let run = home.run(&["status"]);
    assert!(run.stdout.ends_with("   a-staging, *prod\n"), "{run}");
}

#[test]
fn default_output_is_a_table() {
    let (world, home) = (World::start(), Home::new());
    let none = home.run(&["status"]);
    none.assert_silent_success();
    assert!(none.stdout.contains("There are no sessions") && none.stdout.contains("kubectl login"), "{none}");
    home.run(&entra(&world, &ALWAYS)).token();
    home.set_seconds_left(59 * 60 + 30);
    // Without a terminal, there is no width.
    let run = Run::of(home.plugin(&["status"]).env("COLUMNS", "40"));
    let lines: Vec<&str> = run.stdout.lines().collect();
    let columns = |line: &str| {
        line.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines.len(), 2, "{run}");
    assert_eq!(columns(lines[0]), ["ACCOUNT", "ISSUER OR TENANT", "METHOD", "VALID FOR", "KEPT IN", "CONTEXTS"]);
    assert_eq!(columns(lines[1]), [ALICE, sim::TENANT, "devicecode", "59 min, renewable", "key file", "-"]);
    // The columns are aligned.
    assert_eq!(lines[0].find("METHOD"), lines[1].find("devicecode"), "{run}");
}

#[test]
fn validity_depends_on_the_refresh_token() {
    let world = World::start();
    for (behaviour, good, over) in [
        (None, "1 h 30 min, renewable", "expired, renewable"),
        (Some(Behaviour::NoRefreshToken), "1 h 30 min", "expired"),
    ] {
        let home = Home::new();
        behaviour.into_iter().for_each(|behaviour| world.set(behaviour));
        home.run(&oidc(&world, &ALWAYS)).token();
        for (seconds, expected) in [(90 * 60 + 30, good), (-60, over)] {
            home.set_seconds_left(seconds);
            let run = home.run(&["status"]);
            assert!(run.stdout.contains(&format!("   {expected}   ")), "{expected}: {run}");
        }
    }
}

/// The output on a terminal of this width.
fn on_terminal(home: &Home, columns: u16, args: &str) -> String {
    let line = format!("stty rows 24 cols {columns}; '{PLUGIN}' {args}");
    let run = Run::of(&mut home.on_terminal(&line));
    assert_eq!(run.code, Some(0), "{run}");
    run.stdout.replace("\r\n", "\n")
}

#[test]
fn narrow_terminal_gets_a_list() {
    let (world, home) = (World::start(), Home::new());
    let names = ["first-cluster", "second-cluster", "third-cluster", "fourth-cluster", "fifth-cluster"];
    let contexts: Vec<_> = names.iter().map(|name| (*name, entra(&world, &[]))).collect();
    home.contexts(&contexts);
    home.run(&entra(&world, &ALWAYS)).token();
    home.run(&oidc(&world, &ALWAYS)).token();
    home.set_seconds_left(59 * 60 + 30);
    let entra = format!(
        "{ALICE}\n  tenant      {}\n  method      devicecode\n  valid for   59 min, renewable\n  kept in     key file\n  \
         contexts    fifth-cluster, *first-cluster, fourth-cluster, second-cluster,\n              third-cluster\n",
        sim::TENANT
    );
    let oidc = format!(
        "{ALICE}\n  issuer      {}\n  method      devicecode\n  valid for   59 min, renewable\n  kept in     key file\n  \
         contexts    -\n",
        world.issuer()
    );
    let shown = on_terminal(&home, 80, "status");
    assert!(shown == format!("{entra}\n{oidc}") || shown == format!("{oidc}\n{entra}"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    let wide = on_terminal(&home, 250, "status");
    assert!(wide.starts_with("ACCOUNT ") && wide.lines().count() == 3, "{wide}");
    assert!(on_terminal(&home, 80, "status -o json").starts_with('{'));
}

#[test]
fn directories_in_the_kubeconfig_are_listed_once() {
    let (world, home) = (World::start(), Home::new());
    let (apart, other) = (home.path().join("apart"), home.path().join("other"));
    let again = home.path().join("other/../other/");
    home.contexts(&[
        ("usual", entra(&world, &[])),
        ("apart", entra(&world, &["--cache-dir", "~/apart"])),
        ("other", oidc(&world, &["--token-cache-dir", text(&other)])),
        ("other-too", oidc(&world, &["--token-cache-dir", text(&again)])),
    ]);
    for name in ["usual", "apart", "other"] {
        assert_eq!(home.run(&["--context", name]).code, Some(0));
    }
    let found = status(&world, &home, &[]);
    let mut places: Vec<(Value, Value)> = each(&found, "cacheDir").into_iter().zip(each(&found, "contexts")).collect();
    places.sort_by_key(|(folder, _)| folder.to_string());
    assert_eq!(
        places,
        [
            (json!(apart), json!(["apart"])),
            (json!(other), json!(["other", "other-too"])),
            (json!(home.state()), json!(["usual"])),
        ]
    );
    let alone = status(&world, &home, &["--cache-dir", text(&apart)]);
    assert_eq!(each(&alone, "contexts"), [json!(["apart"])]);
    // Another kubeconfig names other directories.
    let elsewhere = home.write("elsewhere", r#"{"contexts":[],"users":[]}"#);
    let found = status(&world, &home, &["--kubeconfig", text(&elsewhere)]);
    assert_eq!((each(&found, "cacheDir"), each(&found, "contexts")), (vec![json!(home.state())], vec![json!([])]));
}

#[test]
fn missing_or_broken_kubeconfig_only_hides_contexts() {
    let (world, home) = (World::start(), Home::new());
    home.run(&entra(&world, &ALWAYS)).token();
    let missing = status(&world, &home, &["--kubeconfig", "/nowhere/config"]);
    assert_eq!(each(&missing, "contexts"), [json!([])]);
    home.write(".kube/config", "contexts: [");
    assert_eq!(status(&world, &home, &[]), missing);
}

#[test]
fn unreadable_directory_is_named_and_others_are_shown() {
    let (world, home) = (World::start(), Home::new());
    let open = home.path().join("open-to-all");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    home.contexts(&[("usual", entra(&world, &[])), ("open", entra(&world, &["--cache-dir", text(&open)]))]);
    home.run(&entra(&world, &ALWAYS)).token();
    let run = home.run(&["status"]);
    assert!(run.code == Some(0) && run.stdout.contains(ALICE), "{run}");
    assert!(run.stderr.starts_with("Warning: ") && run.stderr.contains(text(&open)), "{run}");
    assert!(run.stderr.contains("\nNext: "), "{run}");
    let alone = home.run(&["status", "--cache-dir", text(&open)]);
    assert_eq!((alone.code, alone.stdout.as_str()), (Some(0), ""), "{alone}");
    let sessions = home.write("no-folder-in-it/sessions", "");
    let run = home.run(&["status", "--cache-dir", text(sessions.parent().unwrap())]);
    assert!(run.stdout.is_empty() && run.stderr.contains("no-folder-in-it cannot be read"), "{run}");
}

#[test]
fn pipe_instead_of_a_certificate_does_not_block() {
    let (world, home) = (World::start(), Home::new());
    let pipe = home.path().join("ca.pem");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let with_pipe = entra(&world, &["--certificate-authority", text(&pipe), "--prompt", "always"]);
    home.contexts(&[("plain", entra(&world, &[])), ("pipe", with_pipe.clone())]);
    home.run(&with_pipe).assert_failed(1, &["ca.pem cannot be read: it is not a regular file", "\nNext: "]);
    home.run(&entra(&world, &ALWAYS)).token();
    assert_eq!(each(&status(&world, &home, &[]), "contexts"), [json!(["plain"])]);
}

#[test]
fn control_characters_of_a_kubeconfig_are_not_printed() {
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("\u{1b}[2Jp\u{202e}rod\u{7}", entra(&world, &[]))]);
    home.run(&entra(&world, &ALWAYS)).token();
    let run = home.run(&["status"]);
    assert!(run.stdout.ends_with("   *[2Jprod\n"), "{run}");
    let json = home.run(&["status", "-o", "json"]);
    assert!(!json.stdout.contains('\u{1b}') && json.stdout.contains(r"\u001b[2J"), "{json}");
}

#[test]
fn session_with_refused_refresh_token_is_not_renewable() {
    for refusal in [Behaviour::RefreshBadToken, Behaviour::RefreshMfa, Behaviour::RefreshBlocked] {
        let (world, home) = (World::start(), Home::new());
        home.run(&entra(&world, &ALWAYS)).token();
        home.set_seconds_left(-60);
        world.set(refusal);
        assert_ne!(home.run(&entra(&world, &["--prompt=never"])).code, Some(0));
        assert_eq!(each(&status(&world, &home, &[]), "refreshable"), [json!(false)], "{refusal:?}");
        let table = home.run(&["status"]);
        assert!(table.stdout.contains("expired") && !table.stdout.contains("renewable"), "{table}");

        world.clear(refusal);
        home.run_as_new_caller(&entra(&world, &ALWAYS)).token();
        assert_eq!(each(&status(&world, &home, &[]), "refreshable"), [json!(true)], "{refusal:?}");
    }
}
