//! How the plugin chooses between the browser and a code, and what overrides the choice.

use sim::{Behaviour, World};

use crate::common::browser::{BOTH, Issuer, Opener, SHOW_ADDRESS, SignIn, get};
use crate::common::{HANG, Home, Run, entra, in_parallel, needed, oidc};

/// `get-token` with the automatic choice.
fn by_choice(issuer: Issuer, world: &World, more: &[&str]) -> Vec<String> {
    match issuer {
        Issuer::Entra => entra(world, &[&["--login", "auto"], more].concat()),
        Issuer::Oidc => oidc(world, &[&["--grant-type", "auto"], more].concat()),
    }
}

fn method_of(home: &Home) -> String {
    home.status()["sessions"][0]["method"].as_str().unwrap().to_owned()
}

#[test]
fn code_is_chosen_without_a_browser_and_says_why() {
    in_parallel(BOTH, |issuer| {
        for (variables, why) in [
            (&[][..], "there is no display"),
            (&[("DISPLAY", ":99"), ("SSH_CONNECTION", "a 1 b 22")], "SSH_CONNECTION is set"),
            (&[("DISPLAY", ":99"), ("CI", "true")], "CI is set"),
        ] {
            let (world, home) = (World::start(), Home::new());
            let mut command = home.plugin(&by_choice(issuer, &world, &SHOW_ADDRESS));
            let run = Run::of(command.envs(variables.iter().copied()));
            run.token();
            let line = format!("With a code, because no browser can be opened here: {why}.");
            assert_eq!(run.stderr.lines().filter(|found| *found == line).count(), 1, "{run}");
            assert_eq!((world.device_requests().len(), world.authorize_requests().len()), (1, 0));
            assert_eq!(method_of(&home), "devicecode");
        }
    });
}

#[test]
fn browser_is_chosen_if_one_can_be_opened() {
    for issuer in BOTH {
        let (world, home) = (World::start(), Home::new());
        let mut command = home.plugin(&by_choice(issuer, &world, &SHOW_ADDRESS));
        let (_, run) = SignIn::start(command.env("DISPLAY", ":99")).finish();
        let line = "In the browser, because one seems to be available.";
        assert_eq!(run.stderr.lines().filter(|found| *found == line).count(), 1, "{run}");
        assert_eq!(method_of(&home), issuer.browser_method());
        assert!(world.device_requests().is_empty());

        // A browser from a flag can be started without a display.
        let (home, opener) = (Home::new(), Opener::new());
        let sign_in =
            SignIn::start(&mut home.plugin(&by_choice(issuer, &world, &["--prompt=always", opener.flag().as_str()])));
        assert_eq!(opener.address(), sign_in.address);
        let (_, run) = sign_in.finish();
        assert!(run.stderr.contains("Your browser should open this page:"), "{run}");
    }
}

#[test]
fn explicit_method_prints_no_reason() {
    for issuer in BOTH {
        let (world, home) = (World::start(), Home::new());
        let (_, run) = issuer.start(&world, &home, &[]).finish();
        assert!(!run.stderr.contains("because"), "{run}");
    }
}

#[test]
fn issuer_without_device_endpoint_uses_the_browser() {
    let (world, home) = (World::start_with(&[Behaviour::NoDeviceEndpoint]), Home::new());
    let (_, run) = SignIn::start(&mut home.plugin(&by_choice(Issuer::Oidc, &world, &SHOW_ADDRESS))).finish();
    assert!(
        run.stderr.lines().any(|line| line == "In a browser, because the issuer offers no device codes here."),
        "{run}"
    );
}

/// As Keycloak does if the grant is disabled for a client, and Google for browser clients: discovery has the endpoint
/// anyway.
#[test]
fn client_without_device_grant_uses_the_browser() {
    for (behaviour, words) in [
        (Behaviour::DeviceGrantNotAllowed, "The client may not start this flow. (unauthorized_client)"),
        (Behaviour::DeviceClientRefused, "Invalid client type. (invalid_client)"),
    ] {
        let (world, home) = (World::start_with(&[behaviour]), Home::new());
        let (_, run) = SignIn::start(&mut home.plugin(&by_choice(Issuer::Oidc, &world, &SHOW_ADDRESS))).finish();
        let line = format!("In a browser, because the issuer gives this client no code: {words}.");
        assert_eq!(run.stderr.lines().filter(|found| *found == line).count(), 1, "{run}");
        assert!(!run.stderr.contains("With a code") && !run.stderr.contains("Error"), "{run}");
        assert_eq!((method_of(&home).as_str(), world.device_requests().len()), ("authcode", 1));
    }

    let world = World::start_with(&[Behaviour::DeviceGrantNotAllowed]);
    // If a code was requested explicitly, the error suggests the browser, each time.
    let (home, code) = (Home::new(), Issuer::Oidc.by_code(&world, &SHOW_ADDRESS));
    for _ in 0..2 {
        home.run_as_new_caller(&code).assert_failed(1, &["unauthorized_client", "kubectl login --grant-type authcode"]);
    }
    assert_eq!((world.device_requests().len(), world.authorize_requests().len()), (2, 0));
}

/// The parameters may affect what is issued, and how users sign in.
#[test]
fn page_parameters_choose_the_browser() {
    let (world, home) = (World::start(), Home::new());
    let asked = ["--oidc-auth-request-extra-params", "audience=cluster"];
    let sign_in =
        SignIn::start(&mut home.plugin(&by_choice(Issuer::Oidc, &world, &[&SHOW_ADDRESS[..], &asked].concat())));
    assert_eq!(sign_in.parameter("audience"), "cluster");
    let (_, run) = sign_in.finish();
    assert!(run.stderr.contains("In a browser, because there are parameters for the issuer's page"), "{run}");
    assert!(world.device_requests().is_empty());
}

#[test]
fn missing_browser_chooses_a_code() {
    in_parallel(BOTH, |issuer| {
        let nowhere = |home: &Home| {
            let programs = home.path().join("programs");
            std::fs::create_dir(&programs).unwrap();
            std::os::unix::fs::symlink(needed("setsid", "util-linux"), programs.join("setsid")).unwrap();
            programs
        };
        for (flag, why) in [
            ("--browser-command=/nowhere/browser", "/nowhere/browser cannot be found"),
            ("--skip-open-browser=false", "no program that opens pages can be found"),
        ] {
            let (world, home) = (World::start(), Home::new());
            let mut command = home.plugin(&by_choice(issuer, &world, &["--prompt=always", flag]));
            let run = Run::of(command.env("DISPLAY", ":99").env("PATH", nowhere(&home)));
            run.token();
            let line = format!("With a code, because no browser can be opened here: {why}.");
            assert_eq!(run.stderr.lines().filter(|found| *found == line).count(), 1, "{run}");
        }
    });
}

/// In the terminal of an editor that is shown on another machine, `BROWSER` opens pages on that machine.
#[test]
fn remote_editor_browser_is_chosen() {
    let remote = |home: &Home, args: &[String], opener: &Opener| {
        let mut command = home.plugin(args);
        command.env("BROWSER", opener.program()).env("SSH_CONNECTION", "a 1 b 22");
        command
    };
    for issuer in BOTH {
        let (world, home, opener) = (World::start(), Home::new(), Opener::new());
        let args = by_choice(issuer, &world, &["--prompt=always"]);
        let mut command = remote(&home, &args, &opener);
        let sign_in = SignIn::start(command.env("VSCODE_IPC_HOOK_CLI", "/run/user/1000/vscode-ipc.sock"));
        assert_eq!(opener.address(), sign_in.address);
        let (_, run) = sign_in.finish();
        assert!(run.stderr.contains("Your browser should open this page:"), "{run}");
        assert!(world.device_requests().is_empty());

        // Without such an editor, the browser would open where the user does not see it.
        let home = Home::new();
        Run::of(&mut remote(&home, &args, &opener)).token();
        assert_eq!(method_of(&home), "devicecode");
    }
}

#[test]
fn skip_open_browser_shows_only_the_address() {
    for issuer in BOTH {
        let (world, home, opener) = (World::start(), Home::new(), Opener::new());
        let args = by_choice(issuer, &world, &[&SHOW_ADDRESS[..], &[opener.flag().as_str()]].concat());
        let mut command = home.plugin(&args);
        let (_, run) = SignIn::start(command.env("DISPLAY", ":99").env("BROWSER", opener.program())).finish();
        assert!(run.stderr.contains("Open this page in a browser"), "{run}");
        assert!(!run.stderr.contains("Your browser should open") && !opener.was_started(), "{run}");
        assert!(world.device_requests().is_empty());
    }
}

#[test]
fn desktop_without_terminal_is_enough() {
    for issuer in BOTH {
        for args in [Issuer::by_browser, by_choice] {
            let (world, home) = (World::start(), Home::new());
            let opener = Opener::new();
            let mut command = home.plugin(&args(issuer, &world, &[opener.flag().as_str()]));
            let running = command.env("DISPLAY", ":99").stdout(std::process::Stdio::piped());
            let running = running.stderr(std::process::Stdio::piped()).spawn().unwrap();
            get(&get(&opener.address()).location()).assert_signed_in();
            let run = Run::wait(running);
            run.token();
            // Nothing reads stderr here.
            assert_eq!(run.stderr, "");
            // In CI, a display is ignored.
            let other = Home::new();
            let mut command = other.plugin(&args(issuer, &world, &[opener.flag().as_str()]));
            Run::of(command.env("DISPLAY", ":99").env("CI", "1")).assert_failed(3, &["CI is set"]);
        }
    }
}

/// Processes of such an editor do not have a terminal, but the user sees the page.
#[test]
fn remote_editor_without_terminal_is_enough() {
    let (world, home, opener) = (World::start(), Home::new(), Opener::new());
    let mut command = home.plugin(&Issuer::Oidc.by_browser(&world, &[]));
    let editor = [("VSCODE_IPC_HOOK_CLI", "/run/user/1000/vscode-ipc.sock"), ("SSH_CONNECTION", "a 1 b 22")];
    let command = command.envs(editor).env("BROWSER", opener.program());
    let running = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    get(&get(&opener.address()).location()).assert_signed_in();
    Run::wait(running).token();
}

/// The sign-in does not wait for a page that cannot open.
#[test]
fn desktop_with_failing_browser_is_not_enough() {
    for issuer in BOTH {
        let (world, home) = (World::start(), Home::new());
        let failing = home.write_program("failing", "#!/bin/sh\nexit 3\n");
        let flag = format!("--browser-command={}", failing.display());
        let run = Run::of(home.plugin(&issuer.by_browser(&world, &[&flag])).env("DISPLAY", ":99"));
        run.assert_failed(3, &["no browser could be started here", "\nNext: ", "kubectl login"]);
        for args in [Issuer::by_browser, by_choice] {
            let args = args(issuer, &world, &["--browser-command=/nowhere/browser"]);
            let words = ["there is no terminal, and /nowhere/browser cannot be found", "\nNext: ", "--browser-command"];
            Run::of(Home::new().plugin(&args).env("DISPLAY", ":99")).assert_failed(3, &words);
        }
    }
}

#[test]
fn no_listener_without_a_user_to_prompt() {
    for issuer in BOTH {
        let (world, home) = (World::start(), Home::new());
        home.run(&issuer.by_browser(&world, &[])).assert_failed(3, &["there is no terminal", "\nNext: "]);
        home.run(&issuer.by_browser(&world, &["--prompt", "never"])).assert_failed(3, &["prompts are switched off"]);
        assert!(world.requests().is_empty());
    }
}

#[test]
fn login_flag_overrides_the_method_of_the_entry() {
    for (issuer, browser, code) in [
        (Issuer::Entra, "--login=interactive", "--login=devicecode"),
        (Issuer::Oidc, "--grant-type=authcode", "--grant-type=device-code"),
    ] {
        let (world, home) = (World::start(), Home::new());
        home.contexts(&[("prod", issuer.by_code(&world, &[])), ("test", issuer.by_browser(&world, &[]))]);
        for variable in [None, Some("devicecode"), Some("spn")] {
            let mut command = home.plugin(&["prod", browser, "--force", "--skip-open-browser"]);
            let sign_in = SignIn::start(command.envs(variable.map(|method| ("AAD_LOGIN_METHOD", method))));
            sign_in.complete().assert_signed_in();
            let run = sign_in.end();
            assert_eq!(run.code, Some(0), "{run}");
        }
        assert!(world.device_requests().is_empty());
        assert_eq!(method_of(&home), issuer.browser_method());
        world.reset_requests();
        // Both entries share the session.
        for entry in [issuer.by_code(&world, &[]), issuer.by_browser(&world, &[])] {
            home.run(&entry).token();
        }
        assert!(world.requests().is_empty());
        let run = home.run(&["test", code, "--force", "--skip-open-browser"]);
        assert_eq!((run.code, world.device_requests().len()), (Some(0), 1), "{run}");
        assert_eq!(method_of(&home), "devicecode");
    }
}

#[test]
fn method_flag_of_the_other_dialect_is_a_usage_error() {
    let (world, home) = (World::start(), Home::new());
    home.contexts(&[("one", Issuer::Entra.by_code(&world, &[])), ("two", Issuer::Oidc.by_code(&world, &[]))]);
    home.run(&["one", "--grant-type", "authcode"]).assert_failed(2, &["--grant-type", "\nNext: "]);
    home.run(&["two", "--login", "interactive"]).assert_failed(2, &["--login", "\nNext: "]);
    home.run(&["one", "--login", "nothing"]).assert_failed(2, &["nothing", "interactive"]);
    home.run(&["one", "--login", "auto", "--grant-type", "auto"]).assert_failed(2, &["\nNext: "]);
}

#[test]
fn code_refused_by_policy_suggests_the_browser() {
    let (world, home) = (World::start_with(&[Behaviour::DeviceBlocked]), Home::new());
    home.contexts(&[("prod", Issuer::Entra.by_code(&world, &[]))]);
    let run = home.run(&["prod"]);
    run.assert_failed(4, &["AADSTS53003", "kubectl login --login interactive"]);
    // The suggested command works as it is.
    let sign_in = SignIn::start(&mut home.plugin(&["--login", "interactive", "--skip-open-browser"]));
    sign_in.complete().assert_signed_in();
    assert_eq!(sign_in.end().code, Some(0));
    assert!(world.wait_for(HANG, |log| log.token_requests("authorization_code").len() == 1));
}
