//! Opening a browser on the verification address: started apart, without secrets, and never waited for.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sim::{Behaviour, World};

use super::ALWAYS;
use crate::common::{Home, Run, oidc};

/// A browser that notes down how it was started, chatters on both streams, and stays until it is told to go.
struct Browser {
    program: PathBuf,
    folder: PathBuf,
}

impl Browser {
    fn new(home: &Home) -> Browser {
        let folder = home.path().join("browser");
        std::fs::create_dir(&folder).unwrap();
        let program = folder.join("sim-browser");
        let at = folder.display();
        let script = format!(
            "#!/bin/sh\n\
             echo chatter from the browser\necho complaint from the browser >&2\n\
             for word in \"$0\" \"$@\"; do echo \"$word\"; done >'{at}/argv.new'\n\
             env >'{at}/env'\nmv '{at}/argv.new' '{at}/argv'\n\
             waited=0\nwhile [ -d '{at}' ] && [ ! -e '{at}/go' ] && [ $waited -lt 600 ]; do sleep 0.1; waited=$((waited + 1)); done\n\
             echo gone >'{at}/gone'\n"
        );
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Browser { program, folder }
    }

    fn started(&self) -> bool {
        self.folder.join("argv").exists()
    }

    /// How it was started: words and environment.
    fn seen(&self) -> (Vec<String>, String) {
        let until = Instant::now() + Duration::from_secs(20);
        while !self.started() {
            assert!(Instant::now() < until, "the browser was not started");
            std::thread::sleep(Duration::from_millis(20));
        }
        let read = |name| std::fs::read_to_string(self.folder.join(name)).unwrap();
        (read("argv").lines().map(str::to_owned).collect(), read("env"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = std::fs::write(self.folder.join("go"), "");
    }
}

fn sign_in(world: &World, home: &Home, more: &[&str]) -> Run {
    home.run(&oidc(world, &[&ALWAYS[..], more].concat()))
}

#[test]
fn the_named_browser_gets_the_address_with_the_code_and_nothing_of_it_is_waited_for_or_heard() {
    let (world, home) = (World::start(), Home::new());
    let browser = Browser::new(&home);
    let run = sign_in(&world, &home, &["--browser-command", browser.program.to_str().unwrap()]);
    run.token();
    let (argv, _) = browser.seen();
    assert!(!browser.folder.join("gone").exists(), "the browser had to end first");
    let code = world.wait_for_device_request(1, Duration::ZERO).remove(0);
    let address = format!("{}/activate?user_code={code}", world.issuer());
    assert_eq!(argv, [browser.program.to_str().unwrap(), &address]);
    assert!(!run.stderr.contains("browser\n"), "{run}");
}

#[test]
fn the_browser_is_given_no_secret_and_no_request_of_kubectls() {
    let (world, home) = (World::start(), Home::new());
    let browser = Browser::new(&home);
    world.set_client_secret(Some("client-secret-word"));
    let program = browser.program.to_str().unwrap();
    let more = ["--browser-command", program, "--oidc-client-secret", "client-secret-word", "--prompt", "always"];
    let mut command = home.plugin(&oidc(&world, &more));
    command.env("KUBERNETES_EXEC_INFO", r#"{"apiVersion":"client.authentication.k8s.io/v1"}"#).env("SEEN", "yes");
    for name in [
        "AZURE_CLIENT_SECRET",
        "AAD_SERVICE_PRINCIPAL_CLIENT_SECRET",
        "ARM_CLIENT_SECRET",
        "AZURE_PASSWORD",
        "AAD_USER_PRINCIPAL_PASSWORD",
        "AZURE_CLIENT_CERTIFICATE_PASSWORD",
        "SYSTEM_ACCESSTOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    ] {
        command.env(name, "hidden-word");
    }
    Run::of(&mut command).token();
    let (argv, environment) = browser.seen();
    assert!(environment.contains("SEEN=yes"), "{environment}");
    assert!(!environment.contains("hidden-word") && !environment.contains("KUBERNETES_EXEC_INFO"), "{environment}");
    assert!(!environment.contains("client-secret-word") && !argv.join(" ").contains("client-secret-word"), "{argv:?}");
}

#[test]
fn a_bare_name_is_looked_up_in_the_path() {
    let (world, home) = (World::start(), Home::new());
    let browser = Browser::new(&home);
    let path = format!("{}:{}", browser.folder.display(), std::env::var("PATH").unwrap());
    let mut command = home.plugin(&oidc(&world, &["--browser-command", "sim-browser", "--prompt", "always"]));
    Run::of(command.env("PATH", path)).token();
    // Started by absolute path.
    assert_eq!(browser.seen().0[0], browser.program.to_str().unwrap());
}

#[test]
fn no_browser_is_opened_where_none_is_wanted() {
    let (world, home) = (World::start(), Home::new());
    let browser = Browser::new(&home);
    let program = browser.program.to_str().unwrap();
    let run = sign_in(&world, &home, &["--browser-command", program, "--skip-open-browser"]);
    run.token();
    assert!(!browser.started());
    assert!(run.stderr.contains("/activate"), "{run}");
}

#[test]
fn a_browser_that_cannot_be_started_is_no_error() {
    let (world, home) = (World::start(), Home::new());
    let run = sign_in(&world, &home, &["--browser-command", "/nowhere/browser"]);
    run.token();
    assert!(!run.stderr.contains("Error"), "{run}");
}

#[test]
fn a_hostile_address_is_neither_shown_nor_opened() {
    let (world, home) = (World::start_with(&[Behaviour::HostileVerificationUri]), Home::new());
    let browser = Browser::new(&home);
    let run = sign_in(&world, &home, &["--browser-command", browser.program.to_str().unwrap()]);
    run.assert_failed(1, &["no https address"]);
    assert!(!run.stderr.contains("/etc/passwd") && !browser.started(), "{run}");
}

#[test]
fn without_a_complete_address_the_plain_one_is_opened() {
    let (world, home) = (World::start_with(&[Behaviour::VerificationUriCompleteMissing]), Home::new());
    let browser = Browser::new(&home);
    sign_in(&world, &home, &["--browser-command", browser.program.to_str().unwrap()]).token();
    assert_eq!(browser.seen().0[1], format!("{}/activate", world.issuer()));
}

#[test]
fn a_desktop_without_a_terminal_will_do_where_the_address_holds_the_code() {
    let (world, home) = (World::start(), Home::new());
    let browser = Browser::new(&home);
    let args = oidc(&world, &["--browser-command", browser.program.to_str().unwrap()]);
    let run = Run::of(home.plugin(&args).env("DISPLAY", ":99"));
    run.token();
    assert!(browser.seen().0[1].contains("user_code="), "{run}");
    // There is nobody who reads stderr.
    assert_eq!(run.stderr, "");

    world.set(Behaviour::VerificationUriCompleteMissing);
    Run::of(Home::new().plugin(&args).env("DISPLAY", ":99")).assert_failed(3, &["\nNext: "]);
    // And in a build system a display means nothing.
    Run::of(Home::new().plugin(&args).env("DISPLAY", ":99").env("CI", "1")).assert_failed(3, &["CI"]);
}
