//! The commands that people type: `kubectl login` for a kubeconfig entry, `status`, `logout`.

use std::path::PathBuf;

use serde_json::{Value, json};
use sim::{ALICE, BOB, Behaviour, World};

use super::{ALWAYS, V1};
use crate::common::{Home, Run, entra, oidc};

/// Writes a kubeconfig into the home folder.
fn write(home: &Home, name: &str, text: &str) -> String {
    let file: PathBuf = home.path().join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn aks(world: &World, home: &Home) -> String {
    write(home, ".kube/config", &world.aks_kubeconfig("kubelogin"))
}

/// `status -o json`, looked up without any request.
fn status(world: &World, home: &Home) -> Value {
    let before = world.requests().len();
    let run = home.run(&["status", "-o", "json"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run}");
    assert_eq!(world.requests().len(), before);
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn bare_it_signs_in_for_the_current_context_and_says_who_and_until_when() {
    let (world, home) = (World::start(), Home::new());
    aks(&world, &home);
    let run = home.run::<&str>(&[]);
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(run.stdout.lines().count(), 1, "{run}");
    for word in ["Signed in as", ALICE, sim::TENANT, "valid until", " min left"] {
        assert!(run.stdout.contains(word), "{word}: {run}");
    }
    assert!(run.stderr.contains("Sign in to sim ("), "{run}");
    assert!(!run.stdout.contains("ExecCredential"), "{run}");
    // kubectl's own call finds it.
    world.reset_requests();
    home.run(&entra(&world, &[])).token();
    let again = home.run::<&str>(&[]);
    assert!(again.stdout.starts_with(&format!("Already signed in as {ALICE}")), "{again}");
    assert!(world.requests().is_empty());
}

#[test]
fn typed_it_asks_again_only_when_forced() {
    let (world, home) = (World::start(), Home::new());
    aks(&world, &home);
    assert_eq!(home.run::<&str>(&[]).code, Some(0));
    world.sign_in_as(BOB);
    let run = home.run(&["--force"]);
    assert!(run.stdout.starts_with(&format!("Signed in as {BOB}")), "{run}");
    assert_eq!(world.device_requests().len(), 2);
}

#[test]
fn the_kubeconfig_is_found_as_kubectl_finds_it() {
    let (world, home) = (World::start(), Home::new());
    let elsewhere = write(&home, "elsewhere.yaml", &world.oidc_kubeconfig("kubectl-oidc_login"));
    let aks = aks(&world, &home);
    let by_flag = home.run(&["--kubeconfig", &elsewhere]);
    assert!(by_flag.stdout.contains(&world.issuer()), "{by_flag}");
    let by_variable = Run::of(home.plugin::<&str>(&[]).env("KUBECONFIG", &elsewhere));
    assert!(by_variable.stdout.contains("Already signed in") && by_variable.stdout.contains(&world.issuer()));
    let list = format!("{}:{elsewhere}:{aks}", home.path().join("missing").display());
    let merged = Run::of(home.plugin(&["--user", "clusterUser_rg_sim"]).env("KUBECONFIG", &list));
    assert!(merged.stdout.contains("Signed in") && merged.stdout.contains(sim::TENANT), "{merged}");
    let flag_first = Run::of(home.plugin(&["--kubeconfig", &aks]).env("KUBECONFIG", &elsewhere));
    assert!(flag_first.stdout.contains("Already signed in") && flag_first.stdout.contains(sim::TENANT), "{flag_first}");
}

#[test]
fn another_context_and_another_user_can_be_named() {
    let (world, home) = (World::start(), Home::new());
    let text = world.aks_kubeconfig("kubelogin").replace(
        "current-context: sim",
        "- context:\n    cluster: sim\n    user: nobody\n  name: other\ncurrent-context: other",
    );
    write(&home, ".kube/config", &text);
    home.run::<&str>(&[]).assert_failed(1, &["nobody", "\nNext: "]);
    home.run(&["--context", "third"]).assert_failed(1, &["third", "other", "sim"]);
    home.run(&["--user", "nobody-else"]).assert_failed(1, &["nobody-else"]);
    assert!(world.requests().is_empty());
    let run = home.run(&["--context", "sim"]);
    assert!(run.stdout.contains(ALICE), "{run}");
    let run = home.run(&["--user", "clusterUser_rg_sim"]);
    assert!(run.stdout.starts_with("Already signed in"), "{run}");
}

#[test]
fn without_a_kubeconfig_or_with_another_plugin_in_it_the_next_step_is_named() {
    let (world, home) = (World::start(), Home::new());
    home.run::<&str>(&[]).assert_failed(1, &["there is no kubeconfig", "\nNext: "]);
    home.run(&["--kubeconfig", "/nowhere/config"]).assert_failed(1, &["/nowhere/config"]);
    let aws = world.kubeconfig("aws", &["eks", "get-token", "--secret-thing", "hidden-word"], V1);
    let aws = write(&home, "aws.yaml", &aws);
    let run = home.run(&["--kubeconfig", &aws]);
    run.assert_failed(1, &["sim-user", "aws", "not this plugin", "\nNext: "]);
    assert!(!run.stderr.contains("hidden-word"), "{run}");
    let broken = world.kubeconfig("kubelogin", &["get-token", "--client-id=c", "--no-such=hidden-word"], V1);
    let broken = write(&home, "broken.yaml", &broken);
    let run = home.run(&["--kubeconfig", &broken]);
    run.assert_failed(2, &["sim-user", "broken.yaml"]);
    assert!(!run.stderr.contains("hidden-word"), "{run}");
    let no_yaml = write(&home, "no.yaml", "a: [");
    home.run(&["--kubeconfig", &no_yaml]).assert_failed(1, &["no.yaml"]);
    assert!(world.requests().is_empty());
}

#[test]
fn the_entrys_own_environment_counts() {
    let (world, home) = (World::start(), Home::new());
    let cache = home.path().join("kube-cache");
    let env = format!(
        "env:\n      - name: KUBECACHEDIR\n        value: {}\n      - name: AAD_LOGIN_METHOD\n        value: devicecode\n",
        cache.display()
    );
    let text = world.aks_kubeconfig("kubelogin").replace("env: null\n", &env).replace("\"devicecode\"", "\"spn\"");
    assert!(text.contains("KUBECACHEDIR") && text.contains("\"spn\""), "{text}");
    write(&home, ".kube/config", &text);
    let run = home.run::<&str>(&[]);
    assert!(run.stdout.starts_with("Signed in as"), "{run}");
    assert!(cache.join("kubectl-login/sessions").is_dir());
    assert!(!home.state().join("sessions").exists());
    // kubectl sets the same variable when it runs the entry.
    world.reset_requests();
    Run::of(home.plugin(&entra(&world, &[])).env("KUBECACHEDIR", &cache)).token();
    assert!(world.requests().is_empty());
    let out = home.run(&["logout"]);
    assert!(out.stdout.contains("Forgot"), "{out}");
    Run::of(home.plugin(&entra(&world, &[])).env("KUBECACHEDIR", &cache)).assert_failed(3, &[]);
}

#[test]
fn what_stands_before_get_token_in_an_entry_counts_too() {
    let (world, home) = (World::start(), Home::new());
    let folder = format!("--token-cache-dir={}", home.path().join("apart").display());
    let args = [vec!["-v0".to_owned(), folder.clone()], world.oidc_args()].concat();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    write(&home, ".kube/config", &world.kubeconfig("kubectl-oidc_login", &args, V1));
    let run = home.run::<&str>(&[]);
    assert!(run.stdout.starts_with("Signed in as"), "{run}");
    world.reset_requests();
    home.run(&oidc(&world, &[&folder])).token();
    assert!(world.requests().is_empty());
    assert!(!home.state().join("sessions").exists());
}

#[test]
fn typed_in_a_build_system_nobody_is_asked_unless_told() {
    let (world, home) = (World::start(), Home::new());
    aks(&world, &home);
    Run::of(home.plugin::<&str>(&[]).env("CI", "1")).assert_failed(3, &["CI", "\nNext: "]);
    home.run(&["--prompt", "never"]).assert_failed(3, &["switched off"]);
    assert!(world.requests().is_empty());
    let run = Run::of(home.plugin(&["--prompt", "always"]).env("CI", "1"));
    assert!(run.stdout.contains(ALICE), "{run}");
}

#[test]
fn a_typed_login_clears_what_a_declined_one_left_behind() {
    let (world, home) = (World::start_with(&[Behaviour::AccessDenied]), Home::new());
    aks(&world, &home);
    let args = entra(&world, &ALWAYS);
    home.run(&args).assert_failed(3, &["declined"]);
    let silent = home.run(&args);
    silent.assert_failed(3, &[]);
    assert_eq!(silent.stderr, "");
    assert_eq!(world.device_requests().len(), 1);
    world.clear(Behaviour::AccessDenied);
    let run = home.run::<&str>(&[]);
    assert!(run.stdout.contains(ALICE), "{run}");
    home.run(&args).token();
}

#[test]
fn status_is_one_object_in_the_documented_shape() {
    let (world, home) = (World::start(), Home::new());
    let empty = json!({ "apiVersion": "kubectl-login/v1", "kind": "Status", "sessions": [] });
    assert_eq!(status(&world, &home), empty);
    let first = home.run(&entra(&world, &ALWAYS)).credential();
    let second = home.run(&oidc(&world, &ALWAYS)).credential();
    let mut expected = [
        json!({
            "issuer": format!("{}{}/v2.0", world.authority(), sim::TENANT),
            "tenant": sim::TENANT,
            "client": sim::CLIENT,
            "account": ALICE,
            "method": "devicecode",
            "storage": "file",
            "accessTokens": [{ "audience": sim::SERVER, "expiresAt": first["status"]["expirationTimestamp"] }],
            "refreshable": true,
        }),
        json!({
            "issuer": world.issuer(),
            "tenant": null,
            "client": sim::OIDC_CLIENT,
            "account": ALICE,
            "method": "devicecode",
            "storage": "file",
            "accessTokens": [{ "audience": sim::OIDC_CLIENT, "expiresAt": second["status"]["expirationTimestamp"] }],
            "refreshable": true,
        }),
    ];
    expected.sort_by_key(|session| session["issuer"].as_str().unwrap().to_owned());
    let found = status(&world, &home);
    assert_eq!(found, json!({ "apiVersion": "kubectl-login/v1", "kind": "Status", "sessions": expected }));

    let yaml = home.run(&["status", "--output", "yaml"]);
    let parsed: Value = serde_saphyr::from_str(&yaml.stdout).unwrap();
    assert_eq!((yaml.code, parsed), (Some(0), found));
}

#[test]
fn one_sign_in_shows_every_server_it_serves() {
    let (world, home) = (World::start(), Home::new());
    home.run(&entra(&world, &ALWAYS)).token();
    home.run(&entra(&world, &["--server-id", sim::OTHER_SERVER])).token();
    assert_eq!((world.device_requests().len(), world.refreshes().len()), (1, 1));
    let found = status(&world, &home);
    assert_eq!(found["sessions"].as_array().unwrap().len(), 1, "{found}");
    let mut audiences: Vec<&str> = found["sessions"][0]["accessTokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|token| token["audience"].as_str().unwrap())
        .collect();
    audiences.sort_unstable();
    let mut expected = [sim::SERVER, sim::OTHER_SERVER];
    expected.sort_unstable();
    assert_eq!(audiences, expected);
}

#[test]
fn status_is_a_table_for_people() {
    let (world, home) = (World::start(), Home::new());
    let none = home.run(&["status"]);
    assert_eq!((none.code, none.stderr.as_str()), (Some(0), ""), "{none}");
    assert!(none.stdout.contains("No sign-in") && none.stdout.contains("kubectl login"), "{none}");
    home.run(&entra(&world, &ALWAYS)).token();
    let run = home.run(&["status"]);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{run}");
    assert!(lines[0].starts_with("ACCOUNT ") && lines[0].contains("VALID UNTIL"), "{run}");
    for word in [ALICE, sim::TENANT, "devicecode", " min left", "yes", "file"] {
        assert!(lines[1].contains(word), "{word}: {run}");
    }
    // Columns are aligned.
    assert_eq!(lines[0].find("METHOD"), lines[1].find("devicecode"), "{run}");
    home.run(&["status", "-o", "xml"]).assert_failed(2, &["xml", "json"]);
}

#[test]
fn logout_forgets_the_contexts_sign_in_and_no_other() {
    let (world, home) = (World::start(), Home::new());
    aks(&world, &home);
    home.run(&entra(&world, &ALWAYS)).token();
    home.run(&oidc(&world, &ALWAYS)).token();
    let out = home.run(&["logout"]);
    assert_eq!((out.code, out.stdout.as_str()), (Some(0), "Forgot the sign-in of sim.\n"), "{out}");
    world.reset_requests();
    home.run(&entra(&world, &[])).assert_failed(3, &[]);
    home.run(&oidc(&world, &[])).token();
    let again = home.run(&["logout", "--context", "sim"]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), "Nothing was remembered for sim.\n"), "{again}");
    home.run(&["logout", "--context", "other"]).assert_failed(1, &["other", "--all"]);
}

#[test]
fn logout_forgets_one_account_everywhere() {
    let (world, home) = (World::start(), Home::new());
    let alice = [entra(&world, &["--login-hint", ALICE]), oidc(&world, &[])];
    let bob = entra(&world, &["--login-hint", BOB]);
    let asking = |args: &[String]| [args, &ALWAYS.map(str::to_owned)].concat();
    for args in &alice {
        home.run(&asking(args)).token();
    }
    world.sign_in_as(BOB);
    home.run(&asking(&bob)).token();
    let out = home.run(&["logout", "--account", &ALICE.to_uppercase()]);
    assert_eq!(out.code, Some(0), "{out}");
    assert!(out.stdout.contains("2 sign-ins"), "{out}");
    world.reset_requests();
    for args in &alice {
        home.run(args).assert_failed(3, &[]);
    }
    home.run(&bob).token();
    assert!(world.requests().is_empty());
}

#[test]
fn logout_all_leaves_nothing_behind() {
    let (world, home) = (World::start(), Home::new());
    let token = home.run(&entra(&world, &ALWAYS)).token();
    home.run(&oidc(&world, &ALWAYS)).token();
    let out = home.run(&["logout", "--all"]);
    assert_eq!((out.code, out.stderr.as_str()), (Some(0), ""), "{out}");
    assert!(out.stdout.contains("2 sign-ins"), "{out}");
    assert_eq!((home.files("sessions").len(), home.files("tokens").len()), (0, 0));
    assert_eq!(status(&world, &home)["sessions"], json!([]));
    home.run(&entra(&world, &[])).assert_failed(3, &[]);
    home.run(&["logout", "--all", "--account", ALICE]).assert_failed(2, &[]);
    // And it can be begun again.
    assert_ne!(home.run(&entra(&world, &ALWAYS)).token(), token);
    let nothing = Home::new().run(&["logout", "--all"]);
    assert_eq!(nothing.code, Some(0), "{nothing}");
}

#[test]
fn folders_by_flag_hold_sign_ins_of_their_own() {
    let (world, home) = (World::start(), Home::new());
    let folder = home.path().join("apart");
    let folder = folder.to_str().unwrap();
    home.run(&entra(&world, &["--token-cache-dir", folder, "--prompt", "always"])).token();
    home.run(&entra(&world, &[])).assert_failed(3, &[]);
    home.run(&entra(&world, &["--cache-dir", folder])).token();
    let run = home.run(&["status", "--cache-dir", folder]);
    assert!(run.stdout.contains(ALICE), "{run}");
    let run = home.run(&["logout", "--all", "--token-cache-dir", folder]);
    assert!(run.stdout.contains("1 sign-in"), "{run}");
    home.run(&entra(&world, &["--cache-dir", folder])).assert_failed(3, &[]);
}
