//! The real kubectl with common kubeconfigs: a sign-in through the plugin, and calls from the cache.
#![cfg(unix)]

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::kubectl::Kubectl;
use crate::common::{HANG, Home, PLUGIN, Run, V1, claims, entra, until};
use sim::{Behaviour, OIDC_CLIENT, SERVER, World};

impl Kubectl {
    /// kubectl in this home directory, with this kubeconfig, as if at a terminal.
    fn command(&self, home: &Home, kubeconfig: &str, args: &[&str]) -> Command {
        let mut command = home.program(self.path.to_str().unwrap());
        command.env("KUBECONFIG", kubeconfig).env("KUBECTL_LOGIN_PROMPT", "always").args(args);
        command
    }

    fn run(&self, home: &Home, kubeconfig: &str, args: &[&str]) -> Run {
        Run::of(&mut self.command(home, kubeconfig, args))
    }
}

/// Writes a kubeconfig into the home directory, readable only by its owner.
fn write(home: &Home, name: &str, kubeconfig: &str) -> String {
    let path = home.path().join(name);
    std::fs::write(&path, kubeconfig).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The kubeconfig for the plain issuer, in the newest version that this kubectl supports.
fn oidc_kubeconfig(kubectl: &Kubectl, world: &World) -> String {
    world.oidc_kubeconfig(PLUGIN).replace(V1, kubectl.api_versions().last().unwrap())
}

/// The number of requests to the issuers.
fn issuer_requests(world: &World) -> usize {
    world.requests().iter().filter(|request| request.server != sim::Server::Kube).count()
}

/// A raw call, with a sign-in, and a list; then both again, without requests to the issuers.
fn sign_in_and_again(kubectl: &Kubectl, world: &World, kubeconfig: &str) {
    let home = Home::new();
    let kubeconfig = write(&home, "kubeconfig", kubeconfig);
    let first = kubectl.run(&home, &kubeconfig, &["get", "--raw", "/healthz"]);
    assert_eq!((first.code, first.stdout.as_str()), (Some(0), "ok"), "{first}");
    assert_eq!(world.device_requests().len(), 1);

    world.reset_requests();
    let pods = kubectl.run(&home, &kubeconfig, &["get", "pods"]);
    assert_eq!(pods.code, Some(0), "{pods}");
    assert!(pods.stdout.contains("hello"), "{pods}");
    assert_eq!(pods.stderr, "");
    let again = kubectl.run(&home, &kubeconfig, &["get", "--raw", "/healthz"]);
    again.assert_stdout("ok");
    assert_eq!(issuer_requests(world), 0, "{:?}", world.requests());
    world.reset_requests();
}

#[test]
fn aks_kubeconfig_works_unchanged() {
    let (kubectl, world) = (Kubectl::find(), World::start());
    sign_in_and_again(&kubectl, &world, &world.aks_kubeconfig(PLUGIN));
}

#[test]
fn oidc_kubeconfig_works_in_each_api_version() {
    let (kubectl, world) = (Kubectl::find(), World::start());
    for version in kubectl.api_versions() {
        sign_in_and_again(&kubectl, &world, &world.oidc_kubeconfig(PLUGIN).replace(V1, version));
    }
}

#[test]
fn aks_entry_works_in_each_api_version() {
    let (kubectl, world) = (Kubectl::find(), World::start());
    let args = world.aks_args();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    for version in kubectl.api_versions() {
        sign_in_and_again(&kubectl, &world, &world.kubeconfig(PLUGIN, &args, version));
    }
}

#[test]
fn first_list_signs_in_once() {
    let (kubectl, world, home) = (Kubectl::find(), World::start(), Home::new());
    let kubeconfig = write(&home, "kubeconfig", &oidc_kubeconfig(&kubectl, &world));
    let pods = kubectl.run(&home, &kubeconfig, &["get", "pods"]);
    assert_eq!(pods.code, Some(0), "{pods}");
    assert!(pods.stdout.contains("hello"), "{pods}");
    assert_eq!(world.device_requests().len(), 1);
}

#[test]
fn prompt_names_the_cluster_if_kubectl_sends_it() {
    let (kubectl, world, home) = (Kubectl::find(), World::start(), Home::new());
    let kubeconfig = write(&home, "kubeconfig", &oidc_kubeconfig(&kubectl, &world));
    let with_info = kubectl.run(&home, &kubeconfig, &["get", "--raw", "/healthz"]);
    assert_eq!(with_info.code, Some(0), "{with_info}");
    let server = world.kube_url().trim_start_matches("https://").to_owned();
    assert!(with_info.stderr.contains(&format!("Sign in to \"{server}\" (")), "{with_info}");

    // `az` writes provideClusterInfo: false.
    let kubeconfig = write(&home, "aks", &world.aks_kubeconfig(PLUGIN));
    let without_info = kubectl.run(&home, &kubeconfig, &["get", "--raw", "/healthz"]);
    assert_eq!(without_info.code, Some(0), "{without_info}");
    assert!(without_info.stderr.contains("Sign in to ") && !without_info.stderr.contains(&server), "{without_info}");
}

#[test]
fn decline_is_printed_once_per_kubectl_command() {
    let (kubectl, world) = (Kubectl::find(), World::start_with(&[Behaviour::AuthorizationDeclined]));
    for args in [&["get", "pods"][..], &["get", "--raw", "/healthz"]] {
        let home = Home::new();
        let kubeconfig = write(&home, "kubeconfig", &world.aks_kubeconfig(PLUGIN));
        let declined = kubectl.run(&home, &kubeconfig, args);
        assert_ne!(declined.code, Some(0), "{declined}");
        assert_eq!(declined.stdout, "");
        assert_eq!(declined.stderr.matches("the sign-in was declined").count(), 1, "{declined}");
        assert_eq!(declined.stderr.matches("Next:").count(), 1, "{declined}");
        assert_eq!(world.device_requests().len(), 1, "{declined}");
        world.reset_requests();
    }
}

#[test]
fn next_command_prompts_again_after_a_decline() {
    let (kubectl, world, home) = (Kubectl::find(), World::start(), Home::new());
    let kubeconfig = write(&home, "kubeconfig", &oidc_kubeconfig(&kubectl, &world));
    world.approve_automatically(false);
    let mut command = kubectl.command(&home, &kubeconfig, &["get", "pods"]);
    let declined = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(world.wait_for_device_request(1, HANG).len(), 1);
    assert_eq!(world.deny_pending(), 1);
    let declined = Run::wait(declined);
    assert_ne!(declined.code, Some(0), "{declined}");
    assert_eq!(declined.stderr.matches("Next:").count(), 1, "{declined}");
    assert_eq!(world.device_requests().len(), 1);

    world.approve_automatically(true);
    let pods = kubectl.run(&home, &kubeconfig, &["get", "pods"]);
    assert_eq!(pods.code, Some(0), "{pods}");
    assert!(pods.stdout.contains("hello"), "{pods}");
}

#[test]
fn expired_token_is_refreshed_without_prompt() {
    let (kubectl, world, home) = (Kubectl::find(), World::start(), Home::new());
    let kubeconfig = write(&home, "kubeconfig", &world.aks_kubeconfig(PLUGIN));
    home.run(&entra(&world, &["--prompt", "always"])).token();
    home.advance_time(&world, 3_601);
    world.reset_requests();

    let pods = kubectl.run(&home, &kubeconfig, &["get", "pods"]);
    assert_eq!(pods.code, Some(0), "{pods}");
    assert!(pods.stdout.contains("hello"), "{pods}");
    assert_eq!(pods.stderr, "");
    assert_eq!((world.refreshes().len(), world.device_requests().len()), (1, 0));
}

#[test]
fn rejected_token_causes_no_new_sign_in() {
    let (kubectl, world, home) = (Kubectl::find(), World::start(), Home::new());
    let kubeconfig = write(&home, "kubeconfig", &world.aks_kubeconfig(PLUGIN));
    home.run(&entra(&world, &["--prompt", "always"])).token();
    world.set(Behaviour::KubeUnauthorized);
    world.reset_requests();
    let refused = kubectl.run(&home, &kubeconfig, &["get", "pods"]);
    assert_ne!(refused.code, Some(0), "{refused}");
    assert_eq!(issuer_requests(&world), 0, "{:?}", world.requests());
}

#[test]
fn kubectl_login_signs_in_and_status_shows_the_session() {
    let (kubectl, world, home) = (Kubectl::find(), World::start(), Home::new());
    let plugins = home.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    symlink(PLUGIN, plugins.join("kubectl-login")).unwrap();
    // As `az` writes it, but found on PATH, as after install.sh.
    let kubeconfig = write(&home, "kubeconfig", &world.aks_kubeconfig("kubectl-login"));
    let run = |args: &[&str]| {
        let mut command = kubectl.command(&home, &kubeconfig, args);
        let path = std::env::var_os("PATH").unwrap();
        let folders = std::iter::once(plugins.clone()).chain(std::env::split_paths(&path));
        // `kubectl login` prompts without the variable.
        Run::of(command.env_remove("KUBECTL_LOGIN_PROMPT").env("PATH", std::env::join_paths(folders).unwrap()))
    };

    let login = run(&["login"]);
    assert_eq!(login.code, Some(0), "{login}");
    assert!(login.stdout.contains("Signed in as") && login.stdout.contains(sim::ALICE), "{login}");
    assert!(login.stderr.contains("Sign in to \"sim\""), "{login}");
    world.reset_requests();

    let status = run(&["login", "status"]);
    assert_eq!(status.code, Some(0), "{status}");
    assert!(status.stdout.contains(sim::ALICE), "{status}");
    let pods = run(&["get", "pods"]);
    pods.assert_silent_success();
    assert_eq!(issuer_requests(&world), 0, "{:?}", world.requests());
}

#[test]
fn kubectl_completes_kubectl_login() {
    let (kubectl, world, home) = (Kubectl::find(), World::start(), Home::new());
    let plugins = home.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    for name in ["kubectl-login", "kubectl_complete-login", "kubectl-oidc_login", "kubectl_complete-oidc_login"] {
        symlink(PLUGIN, plugins.join(name)).unwrap();
    }
    let kubeconfig = write(&home, "kubeconfig", &world.aks_kubeconfig("kubectl-login"));
    let asked = |words: &[&str]| {
        let mut command = kubectl.command(&home, &kubeconfig, &["__complete"]);
        let path = std::env::var_os("PATH").unwrap();
        let folders = std::iter::once(plugins.clone()).chain(std::env::split_paths(&path));
        let run = Run::of(command.args(words).env("PATH", std::env::join_paths(folders).unwrap()));
        assert_eq!(run.code, Some(0), "{run}");
        run.stdout
    };
    assert!(asked(&["login", "stat"]).starts_with("status\tShow stored sessions"));
    assert!(asked(&["login", "si"]).starts_with("sim\t"), "the context");
    assert!(asked(&["login", "--con"]).starts_with("--context\t"));
    assert_eq!(asked(&["oidc-login", "get-token", "--login", "dev"]), "devicecode\n:4\n");
    assert_eq!(asked(&["login", "--kubeconfig", ""]), ":0\n");
}

/// The same kubeconfig with another name for its context and cluster.
fn renamed(kubeconfig: &str, name: &str) -> String {
    ["cluster: ", "name: ", "current-context: "]
        .iter()
        .fold(kubeconfig.to_owned(), |text, key| text.replace(&format!("{key}sim\n"), &format!("{key}{name}\n")))
}

#[test]
fn contexts_in_two_files_have_two_sessions() {
    let (kubectl, world, home) = (Kubectl::find(), World::start(), Home::new());
    let aks = write(&home, "aks", &renamed(&world.aks_kubeconfig(PLUGIN), "aks"));
    let plain = write(&home, "plain", &renamed(&oidc_kubeconfig(&kubectl, &world), "plain"));
    let both = std::env::join_paths([Path::new(&aks), Path::new(&plain)]).unwrap().into_string().unwrap();

    let audience_of = |context: &str| {
        let pods = kubectl.run(&home, &both, &["--context", context, "get", "pods"]);
        assert_eq!(pods.code, Some(0), "{pods}");
        assert!(pods.stdout.contains("hello"), "{pods}");
        let requests = world.requests();
        let last = requests.iter().rfind(|request| request.path.ends_with("/pods")).unwrap();
        claims(last.header("authorization").strip_prefix("Bearer ").unwrap())["aud"].clone()
    };
    for _ in 0..2 {
        assert_eq!(audience_of("aks"), SERVER);
        assert_eq!(audience_of("plain"), OIDC_CLIENT);
    }
    assert_eq!(world.device_requests().len(), 2);

    // The plugin reads the list in the same way: the first file's current context is used.
    let mut command = home.plugin(&["--context", "plain"]);
    let login = Run::of(command.env("KUBECONFIG", &both));
    assert_eq!(login.code, Some(0), "{login}");
    assert!(login.stdout.contains("Already signed in") && login.stdout.contains(&world.issuer()), "{login}");
    let mut command = home.plugin::<&str>(&[]);
    let login = Run::of(command.env("KUBECONFIG", &both));
    assert!(login.stdout.contains("Already signed in") && login.stdout.contains(sim::TENANT), "{login}");
}

/// If only the plugin is on kubectl's allowlist, `exec.env` of a kubeconfig cannot run other programs through it.
#[test]
fn kubectl_allowlist_cannot_be_bypassed_by_exec_env() {
    let (kubectl, world, home) = (Kubectl::find(), World::start(), Home::new());
    let marker = home.path().join("marker");
    let opened = home.path().join("opened");
    let opener = format!("#!/bin/sh\n$BROWSER \"$1\"\neval \"$BROWSER\"\necho done >'{}'\n", opened.display());
    home.write_program("programs/xdg-open", &opener);
    let field = if kubectl.minor < 36 { "name" } else { "command" };
    let kuberc = format!(
        "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\ncredentialPluginPolicy: Allowlist\n\
         credentialPluginAllowlist:\n- {field}: {PLUGIN}\n"
    );
    let kuberc = write(&home, "kuberc", &kuberc);
    let get_pods = |kubeconfig: &str| {
        let mut command = kubectl.command(&home, kubeconfig, &["get", "pods"]);
        let path = std::env::var_os("PATH").unwrap();
        let folders = std::iter::once(home.path().join("programs")).chain(std::env::split_paths(&path));
        command.env("KUBERC", &kuberc).env("PATH", std::env::join_paths(folders).unwrap());
        Run::of(&mut command)
    };
    let touch = format!("touch {}", marker.display());
    let env: String = [
        ("DISPLAY", ":99".to_owned()),
        ("BROWSER", format!("sh -c touch${{IFS}}{}", marker.display())),
        ("BASH_ENV", format!("$({touch})")),
        ("BASH_FUNC_echo%%", format!("() {{ {touch}; }}")),
        ("DBUS_SESSION_BUS_ADDRESS", format!("unixexec:path=/usr/bin/env,argv1=touch,argv2={}", marker.display())),
    ]
    .iter()
    .map(|(name, value)| format!("\n      - name: \"{name}\"\n        value: {value:?}"))
    .collect();
    let hostile = world.aks_kubeconfig(PLUGIN).replace("env: null", &format!("env:{env}"));
    let pods = get_pods(&write(&home, "hostile", &hostile));
    assert_eq!(pods.code, Some(0), "{pods}");
    until(|| opened.exists());
    assert!(!marker.exists(), "{pods}");

    // Versions with the allowlist refuse the same command line as a plugin.
    if kubectl.minor >= 35 {
        let other = world.kubeconfig("touch", &[marker.to_str().unwrap()], V1);
        let run = get_pods(&write(&home, "other", &other));
        assert!(run.code == Some(1) && run.stderr.contains("allowlist") && !marker.exists(), "{run}");
    }
}

#[test]
fn invalid_kubeconfig_names_the_same_line_as_kubectl() {
    const HEAD: &str = "apiVersion: v1\nkind: Config\n";
    let kubectl = Kubectl::find();
    let broken = [
        "users:\n- name: a\n  user: b: c\n",
        "\tusers: []\n",
        "users: [\n- name: a\n",
        "users:\n- name: a\n user:\n    exec: {}\n",
        "}\n",
        "users:\n- name: a\n  user:\n    token: %abc\n",
        "users:\n- name: a\n  user: {token: x\ncontexts: []\n",
        "users:\n- name: a\n  user:\n    token: \"\\q\"\n",
        "users:\n- name: a\n  user:\n    token: @abc\n",
        "foo\nusers: []\n",
        "users:\n- name: a\n- b: c\n   d: e\n",
        "users:\n- name: a\n\tuser: b\n",
        "users:\n- name: |\n\ta\n",
        "users:\n- name: a\n  user: {\ncontexts: []\nclusters: []\n",
        "users:\n- name: [a, b\ncontexts:\n",
        "users:\n- name: \"a\n  user: b\ncontexts: []\n",
    ];
    for text in broken {
        let home = Home::new();
        let file = write(&home, "config", &format!("{HEAD}{text}"));
        let theirs = kubectl.run(&home, &file, &["config", "view"]).stderr;
        let (_, line) = theirs.split_once("yaml: line ").unwrap_or_else(|| panic!("{text:?}: {theirs}"));
        let line: String = line.chars().take_while(char::is_ascii_digit).collect();
        let ours = home.run(&["doctor", "--kubeconfig", &file]).stdout;
        assert!(ours.contains(&format!("line {line})")), "{text:?}: {theirs}{ours}");
    }
}
