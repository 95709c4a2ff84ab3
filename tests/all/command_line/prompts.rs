//! When the plugin prompts: terminals, CI, `--prompt` and `KUBECTL_LOGIN_PROMPT`.

use std::process::Command;

use sim::{VERIFICATION_URI, World};

use crate::common::{Home, PLUGIN, Run, entra, in_parallel, oidc};

/// The result of a run on its own terminal.
pub(super) struct OnTerminal {
    pub(super) run: Run,
    /// Everything that the terminal showed.
    pub(super) shown: String,
}

/// Runs the plugin on a pseudo-terminal; `streams` is shell code that redirects its output.
pub(super) fn on_terminal(
    home: &Home,
    args: &[String],
    streams: &str,
    environment: impl Fn(&mut Command),
) -> OnTerminal {
    let quote = |word: &str| format!("'{}'", word.replace('\'', r"'\''"));
    let words: Vec<String> = std::iter::once(PLUGIN).chain(args.iter().map(String::as_str)).map(quote).collect();
    let (out, err) = (home.path().join("out"), home.path().join("err"));
    for file in [&out, &err] {
        std::fs::write(file, "").unwrap();
    }
    let line = format!("{} {streams}", words.join(" "));
    let mut command = home.on_terminal(&line);
    environment(&mut command);
    let output = command.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n");
    let read = |file| std::fs::read_to_string(file).unwrap();
    OnTerminal { run: Run { code: output.status.code(), stdout: read(&out), stderr: read(&err) }, shown }
}

pub(super) fn plain(_: &mut Command) {}

#[track_caller]
fn assert_prompted(on: &OnTerminal) {
    on.run.token();
    assert!(on.shown.lines().any(|line| line == VERIFICATION_URI), "{}: {}", on.shown, on.run);
}

#[track_caller]
fn assert_not_prompted(world: &World, on: &OnTerminal) {
    assert_eq!((on.run.code, on.run.stdout.as_str()), (Some(3), ""), "{}: {}", on.shown, on.run);
    assert!(world.requests().is_empty());
}

#[test]
fn next_steps_without_terminal_name_only_existing_methods() {
    let home = Home::new();
    let world = World::start();
    let run = home.run(&entra(&world, &[]));
    run.assert_failed(3, &["sign-in required", "no terminal", "\nNext: ", "kubectl login"]);
    assert!(!["--login", "workloadidentity", "spn", "pipeline"].iter().any(|word| run.stderr.contains(word)), "{run}");
    home.run(&oidc(&world, &[]))
        .assert_failed(3, &["kubectl login", "--grant-type password with --username and --password"]);
    // No device code was requested.
    assert!(world.requests().is_empty());
}

#[test]
fn missing_terminal_is_printed_each_time() {
    let (world, home) = (World::start(), Home::new());
    for _ in 0..2 {
        home.run(&entra(&world, &[])).assert_failed(3, &["sign-in required"]);
    }
    home.run(&entra(&world, &["--prompt", "always"])).token();
}

#[test]
fn prompt_appears_on_a_terminal() {
    let (world, home) = (World::start(), Home::new());
    assert_prompted(&on_terminal(&home, &entra(&world, &[]), ">out", plain));
    world.reset_requests();
    let warm = on_terminal(&home, &entra(&world, &[]), ">out", plain);
    warm.run.token();
    assert_eq!(warm.shown, "");
    assert!(world.requests().is_empty());
}

#[test]
fn prompt_uses_the_controlling_terminal_if_stderr_is_redirected() {
    let (world, home) = (World::start(), Home::new());
    let on = on_terminal(&home, &entra(&world, &[]), ">out 2>err", plain);
    assert_prompted(&on);
    assert_eq!(on.run.stderr, "");
}

#[test]
fn no_prompt_in_ci_even_on_a_terminal() {
    let variables = [
        ("CI", "true"),
        ("GITHUB_ACTIONS", "true"),
        ("TF_BUILD", "True"),
        ("GITLAB_CI", "true"),
        ("JENKINS_URL", "https://jenkins.example/"),
        ("BUILDKITE", "true"),
        ("TEAMCITY_VERSION", "2024.12"),
    ];
    in_parallel(variables, |(name, value)| {
        let (world, home) = (World::start(), Home::new());
        let on = on_terminal(&home, &entra(&world, &[]), ">out", |command| {
            command.env(name, value);
        });
        assert_not_prompted(&world, &on);
        assert!(on.shown.contains(name), "{}", on.shown);
    });
}

#[test]
fn false_ci_variable_is_ignored() {
    let (world, home) = (World::start(), Home::new());
    assert_prompted(&on_terminal(&home, &entra(&world, &[]), ">out", |command| {
        command.env("CI", "false");
    }));
}

#[test]
fn prompts_can_be_disabled_on_a_terminal() {
    let (world, home) = (World::start(), Home::new());
    let off = entra(&world, &["--prompt", "never"]);
    assert_not_prompted(&world, &on_terminal(&home, &off, ">out", plain));
    let by_variable = on_terminal(&home, &entra(&world, &[]), ">out", |command| {
        command.env("KUBECTL_LOGIN_PROMPT", "never");
    });
    assert_not_prompted(&world, &by_variable);
    assert!(by_variable.shown.contains("switched off"), "{}", by_variable.shown);
}

#[test]
fn prompt_variable_enables_prompts_without_terminal_and_in_ci() {
    let (world, home) = (World::start(), Home::new());
    let run = Run::of(home.plugin(&entra(&world, &[])).env("KUBECTL_LOGIN_PROMPT", "always").env("CI", "true"));
    run.token();
    assert!(run.stderr.contains(VERIFICATION_URI), "{run}");
}

#[test]
fn prompt_flag_overrides_the_variable() {
    let (world, home) = (World::start(), Home::new());
    let never = entra(&world, &["--prompt", "never"]);
    Run::of(home.plugin(&never).env("KUBECTL_LOGIN_PROMPT", "always")).assert_failed(3, &["switched off"]);
    let auto = entra(&world, &["--prompt", "auto"]);
    Run::of(home.plugin(&auto).env("KUBECTL_LOGIN_PROMPT", "always")).assert_failed(3, &["no terminal"]);
    assert!(world.requests().is_empty());
    let always = entra(&world, &["--prompt", "always"]);
    Run::of(home.plugin(&always).env("KUBECTL_LOGIN_PROMPT", "never")).token();
}

#[test]
fn empty_prompt_variable_means_auto_and_unknown_value_is_an_error() {
    let (world, home) = (World::start(), Home::new());
    Run::of(home.plugin(&entra(&world, &[])).env("KUBECTL_LOGIN_PROMPT", "")).assert_failed(3, &["no terminal"]);
    Run::of(home.plugin(&entra(&world, &[])).env("KUBECTL_LOGIN_PROMPT", "sometimes"))
        .assert_failed(2, &["KUBECTL_LOGIN_PROMPT", "sometimes", "always"]);
    home.run(&entra(&world, &["--prompt", "sometimes"])).assert_failed(2, &["sometimes", "always"]);
}

#[test]
fn desktop_without_terminal_cannot_show_a_code() {
    let (world, home) = (World::start(), Home::new());
    // Entra's address does not contain the code.
    Run::of(home.plugin(&entra(&world, &[])).env("DISPLAY", ":99")).assert_failed(3, &["kubectl login"]);
}

#[test]
fn cached_token_needs_no_terminal() {
    let (world, home) = (World::start(), Home::new());
    let token = home.run(&entra(&world, &["--prompt", "always"])).token();
    world.reset_requests();
    let run = Run::of(home.plugin(&entra(&world, &["--prompt", "never"])).env("CI", "true"));
    assert_eq!((run.token(), run.stderr.as_str()), (token, ""));
    assert!(world.requests().is_empty());
}

#[test]
fn login_respects_disabled_prompts() {
    let (world, home) = (World::start(), Home::new());
    let kubeconfig = home.path().join("kubeconfig");
    std::fs::write(&kubeconfig, world.aks_kubeconfig("kubectl-login")).unwrap();
    let typed = |more: &[&str]| {
        let mut command = home.plugin(&[&["--kubeconfig", kubeconfig.to_str().unwrap()], more].concat());
        command.env("KUBECTL_LOGIN_PROMPT", "never");
        Run::of(&mut command)
    };
    typed(&[]).assert_failed(3, &["switched off"]);
    assert!(world.requests().is_empty());
    assert_eq!(typed(&["--prompt", "always"]).code, Some(0));
    // `kubectl login` prompts for an entry that never prompts by itself.
    home.contexts(&[("quiet", entra(&world, &["--prompt", "never", "--login-hint", sim::ALICE]))]);
    assert_eq!(home.run(&["quiet"]).code, Some(0));
}

#[test]
fn method_flag_of_login_must_fit_the_issuer() {
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("aks", entra(&world, &["--login", "spn"])), ("other", oidc(&world, &[]))]);
    home.run(&["other", "--login", "interactive"]).assert_failed(2, &["--login", "\nNext: ", "--grant-type"]);
    home.run(&["aks", "--grant-type", "authcode"]).assert_failed(2, &["--grant-type", "\nNext: ", "--login"]);
    home.run(&["aks", "--login", "msi"]).assert_failed(1, &["--login msi is not supported yet"]);
    home.run(&["aks", "--login", "devicecode", "--grant-type", "auto"]).assert_failed(2, &["\nNext: "]);
    assert!(world.requests().is_empty());
    let mut command = home.plugin(&["aks", "--login", "devicecode"]);
    assert_eq!(Run::of(command.env("AAD_LOGIN_METHOD", "msi")).code, Some(0));
}
