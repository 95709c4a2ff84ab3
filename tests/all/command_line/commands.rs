//! The command for users: `kubectl login` for a kubeconfig entry.

use sim::{ALICE, BOB, Behaviour, World};

use crate::common::{ALWAYS, Home, Run, V1, entra, oidc};

fn write(home: &Home, name: &str, text: &str) -> String {
    home.write(name, text).to_str().unwrap().to_owned()
}

fn aks(world: &World, home: &Home) -> String {
    write(home, ".kube/config", &world.aks_kubeconfig("kubelogin"))
}

#[test]
fn login_uses_the_current_context_and_prints_user_and_expiry() {
    let (world, home) = (World::start(), Home::new());
    aks(&world, &home);
    let run = home.run::<&str>(&[]);
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(run.stdout.lines().count(), 1, "{run}");
    for word in ["Signed in as", ALICE, sim::TENANT, "valid until", " min left"] {
        assert!(run.stdout.contains(word), "{word}: {run}");
    }
    assert!(run.stderr.contains("Sign in to \"sim\" ("), "{run}");
    assert!(!run.stdout.contains("ExecCredential"), "{run}");
    // kubectl's own call uses the session.
    world.reset_requests();
    home.run(&entra(&world, &[])).token();
    let again = home.run::<&str>(&[]);
    assert!(again.stdout.starts_with(&format!("Already signed in as {ALICE}")), "{again}");
    assert!(world.requests().is_empty());
}

#[test]
fn login_prompts_again_only_with_force() {
    let (world, home) = (World::start(), Home::new());
    aks(&world, &home);
    assert_eq!(home.run::<&str>(&[]).code, Some(0));
    world.sign_in_as(BOB);
    let run = home.run(&["--force"]);
    assert!(run.stdout.starts_with(&format!("Signed in as {BOB}")), "{run}");
    assert_eq!(world.device_requests().len(), 2);
}

#[test]
fn kubeconfig_is_found_as_by_kubectl() {
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
fn context_and_user_flags_select_the_entry() {
    let (world, home) = (World::start(), Home::new());
    let text = world.aks_kubeconfig("kubelogin").replace(
        "current-context: sim",
        "- context:\n    cluster: sim\n    user: missing\n  name: other\ncurrent-context: other",
    );
    write(&home, ".kube/config", &text);
    home.run::<&str>(&[]).assert_failed(1, &["missing", "\nNext: "]);
    home.run(&["--context", "third"]).assert_failed(1, &["third", "other", "sim"]);
    home.run(&["--user", "other-missing"]).assert_failed(1, &["other-missing"]);
    assert!(world.requests().is_empty());
    let run = home.run(&["--context", "sim"]);
    assert!(run.stdout.contains(ALICE), "{run}");
    let run = home.run(&["--user", "clusterUser_rg_sim"]);
    assert!(run.stdout.starts_with("Already signed in"), "{run}");
}

#[test]
fn missing_kubeconfig_and_other_plugins_are_named_errors() {
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
fn exec_env_of_the_entry_is_used() {
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
fn flags_before_get_token_in_an_entry_are_used() {
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
fn login_in_ci_prompts_only_with_the_flag() {
    let (world, home) = (World::start(), Home::new());
    aks(&world, &home);
    Run::of(home.plugin::<&str>(&[]).env("CI", "1")).assert_failed(3, &["CI", "\nNext: "]);
    home.run(&["--prompt", "never"]).assert_failed(3, &["switched off"]);
    assert!(world.requests().is_empty());
    let run = Run::of(home.plugin(&["--prompt", "always"]).env("CI", "1"));
    assert!(run.stdout.contains(ALICE), "{run}");
}

#[test]
fn login_clears_an_earlier_decline() {
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
fn global_flags_are_accepted_before_each_command() {
    let (world, home) = (World::start(), Home::new());
    let file = aks(&world, &home);
    assert_eq!(home.run::<&str>(&[]).code, Some(0));
    for line in [
        "-v1 status",
        "-v 1 status",
        "--v=1 status -o json",
        "-o json status",
        "-ojson status",
        "--kubeconfig FILE status",
        "-v1 --kubeconfig=FILE whoami",
        "--user clusterUser_rg_sim whoami",
        "--kubeconfig FILE -o json doctor",
        "-v1 help status",
        "-v1 completion bash",
        "--all logout",
    ] {
        let words: Vec<String> = line.split(' ').map(|word| word.replace("FILE", &file)).collect();
        let run = home.run(&words);
        // `doctor` may find problems on this machine.
        assert!(run.code == Some(0) || (run.code == Some(1) && line.ends_with("doctor")), "{line}: {run}");
        assert!(!run.stderr.contains("context"), "{line}: {run}");
    }
    assert!(home.files("sessions").is_empty(), "logout --all was understood");
}

#[test]
fn context_named_like_a_command_needs_dashes_or_flag() {
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("status", world.aks_args()), ("aks", world.aks_args()), ("setup", world.aks_args())]);
    for line in
        ["-- status", "-v0 -- status", "--context status", "--context=aks", "-- setup", "aks", "setup --refresh"]
    {
        let run = home.run(&line.split(' ').collect::<Vec<_>>());
        assert!(run.code == Some(0) && run.stdout.contains("igned in as"), "{line}: {run}");
    }
    let run = home.run(&["status"]);
    assert!(run.stdout.starts_with("ACCOUNT"), "{run}");
}

#[test]
fn misspelt_command_or_context_is_suggested() {
    let (world, home) = (World::start(), Home::new());
    home.run(&["statsu"]).assert_failed(1, &["there is no kubeconfig", "Next:  Did you mean status?\n"]);
    home.contexts(&[("prod-eu", world.aks_args()), ("statsu-1", world.aks_args()), ("whoma", world.aks_args())]);
    for (words, next) in [
        (&["statsu"][..], "Did you mean status?"),
        (&["-v0", "docter"], "Did you mean doctor?"),
        (&["prod-ue"], "Did you mean \"prod-eu\"?"),
        (&["--context", "prod-ue"], "Did you mean \"prod-eu\"?"),
        (&["whoami", "prodeu"], "Did you mean \"prod-eu\"?"),
        (&["logout", "statsu"], "Did you mean \"statsu-1\"?"),
        (&["--user", "prod_eu"], "Did you mean \"prod-eu\"?"),
    ] {
        home.run(words).assert_failed(1, &[&format!("Next:  {next}\n")]);
    }
    let run = home.run(&["zzz"]);
    run.assert_failed(1, &["kubectl login --help"]);
    assert!(!run.stderr.contains("Did you mean"), "{run}");
    // An existing context wins, even if its name is similar to a command.
    let run = home.run(&["whoma"]);
    assert!(run.stdout.starts_with("Signed in as"), "{run}");
}

#[test]
fn future_commands_are_named_as_such() {
    let home = Home::new();
    for (line, words) in [
        ("setup", &["setup is not supported yet", "OpenID Connect", "kubectl config set-credentials"][..]),
        ("setup --oidc-issuer-url https://issuer.example --oidc-client-id x", &["setup is not supported yet"]),
        ("aks", &["aks is not supported yet", "az aks get-credentials"]),
        ("aks list --subscription x", &["aks is not supported yet"]),
        ("convert-kubeconfig -l azurecli", &["convert-kubeconfig is not supported yet", "get-token --help"]),
        ("-v1 setup", &["setup is not supported yet"]),
    ] {
        home.run(&line.split(' ').collect::<Vec<_>>()).assert_failed(1, words);
    }
    let help = home.run(&["--help"]).stdout;
    assert!(!["setup", "aks", "convert"].iter().any(|name| help.contains(name)), "{help}");
}
