//! Opening a browser on the verification address: which one, when none, detached, without secrets, and never waited
//! for.
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::common::programs::{copy_program, write_program};
use crate::common::{ALWAYS, Home, PLUGIN, Run, V1BETA1, entra, needed, oidc, until};
use sim::{Behaviour, VERIFICATION_URI, World};

/// A browser that records how it was started, writes to both streams, and runs until the test ends it.
struct Browser {
    program: PathBuf,
    folder: PathBuf,
}

impl Browser {
    fn new(home: &Home) -> Browser {
        Browser::with_name(home, "sim-browser")
    }

    fn with_name(home: &Home, name: &str) -> Browser {
        let folder = home.path().join(format!("folder-of-{name}"));
        std::fs::create_dir(&folder).unwrap();
        let program = folder.join(name);
        let at = folder.display();
        let script = format!(
            "#!/bin/sh\n\
             echo chatter from the browser\necho complaint from the browser >&2\n\
             (echo from a child; sleep 20) &\n\
             for word in \"$0\" \"$@\"; do echo \"$word\"; done >'{at}/argv.new'\n\
             env >'{at}/env'\nmv '{at}/argv.new' '{at}/argv'\n\
             waited=0\nwhile [ -d '{at}' ] && [ ! -e '{at}/go' ] && [ $waited -lt 600 ]; do sleep 0.1; waited=$((waited + 1)); done\n\
             echo gone >'{at}/gone'\n"
        );
        write_program(&program, &script);
        Browser { program, folder }
    }

    fn program(&self) -> &str {
        self.program.to_str().unwrap()
    }

    fn started(&self) -> bool {
        self.folder.join("argv").exists()
    }

    /// The recorded command line and environment.
    fn seen(&self) -> (Vec<String>, String) {
        until(|| self.started());
        let read = |name| std::fs::read_to_string(self.folder.join(name)).unwrap();
        (read("argv").lines().map(str::to_owned).collect(), read("env"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = std::fs::write(self.folder.join("go"), "");
    }
}

#[test]
fn named_browser_gets_the_address_and_is_detached() {
    let (world, home) = (World::start(), Home::new());
    let browser = Browser::new(&home);
    let run = home.sign_in(&oidc(&world, &["--browser-command", browser.program()]));
    run.token();
    let (argv, _) = browser.seen();
    assert!(!browser.folder.join("gone").exists(), "the sign-in waited for the browser to exit");
    let code = world.wait_for_device_request(1, Duration::ZERO).remove(0);
    let address = format!("{}/activate?user_code={code}", world.issuer());
    assert_eq!(argv, [browser.program(), &address]);
    assert!(!run.stderr.contains("browser\n"), "{run}");
}

#[test]
fn browser_environment_has_no_secrets_and_no_exec_info() {
    let (world, home) = (World::start(), Home::new());
    let browser = Browser::new(&home);
    world.set_client_secret(Some("client-secret-word"));
    let program = browser.program();
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
fn browser_name_is_looked_up_in_path() {
    let (world, home) = (World::start(), Home::new());
    let browser = Browser::new(&home);
    let path = format!("{}:{}", browser.folder.display(), std::env::var("PATH").unwrap());
    let mut command = home.plugin(&oidc(&world, &["--browser-command", "sim-browser", "--prompt", "always"]));
    Run::of(command.env("PATH", path)).token();
    // With its absolute path.
    assert_eq!(browser.seen().0[0], browser.program());
}

#[test]
fn skip_open_browser_opens_no_browser() {
    let (world, home) = (World::start(), Home::new());
    let browser = Browser::new(&home);
    let program = browser.program();
    let run = home.sign_in(&oidc(&world, &["--browser-command", program, "--skip-open-browser"]));
    run.token();
    assert!(!browser.started());
    assert!(run.stderr.contains("/activate"), "{run}");
}

#[test]
fn browser_that_cannot_start_is_named_in_a_note() {
    let (world, home) = (World::start(), Home::new());
    let run = home.sign_in(&oidc(&world, &["--browser-command", "/nowhere/browser"]));
    run.token();
    assert!(!run.stderr.contains("Error"), "{run}");
    assert!(run.stderr.contains("/nowhere/browser cannot be started. Open this page"), "{run}");
}

/// A sign-in at the Entra-shaped tenant on a desktop whose `xdg-open` is `desktop`, with more variables.
fn on_desktop(desktop: &Browser, variables: &[(&str, &str)]) -> Run {
    let (world, home) = (World::start(), Home::new());
    let path = format!("{}:{}", desktop.folder.display(), std::env::var("PATH").unwrap());
    let mut command = home.plugin(&entra(&world, &ALWAYS));
    command.env("PATH", path).env("DISPLAY", ":99").envs(variables.iter().copied());
    let run = Run::of(&mut command);
    run.token();
    run
}

#[test]
fn desktop_browser_is_opened_for_entra_too() {
    let home = Home::new();
    let desktop = Browser::with_name(&home, "xdg-open");
    let run = on_desktop(&desktop, &[]);
    assert_eq!(desktop.seen().0[1..], [VERIFICATION_URI]);
    assert!(run.stderr.contains("Your browser should open this page"), "{run}");
    // It is unknown whether the page has appeared.
    assert!(run.stderr.lines().any(|line| line == VERIFICATION_URI), "{run}");
}

#[test]
fn browser_variable_overrides_the_desktop_and_can_be_a_list() {
    let home = Home::new();
    let (desktop, own) = (Browser::with_name(&home, "xdg-open"), Browser::with_name(&home, "own browser"));
    let list = format!("/nowhere/browser:{}", own.program());
    on_desktop(&desktop, &[("BROWSER", &list)]);
    assert_eq!(own.seen().0, [own.program(), VERIFICATION_URI]);
    assert!(!desktop.started());
}

/// kubectl's allowlist trusts this plugin, and `exec.env` of a foreign kubeconfig may set `BROWSER`.
#[test]
fn command_line_in_browser_variable_is_never_run() {
    let home = Home::new();
    let marker = home.path().join("marker");
    let (name, path) = (marker.display(), std::env::var("PATH").unwrap());
    for list in [
        format!("sh -c touch${{IFS}}{name}"),
        format!("/bin/sh -c touch${{IFS}}{name} %s"),
        format!("touch {name}"),
        format!("touch {name} %s"),
        format!("/nowhere:env touch {name}"),
        format!("$(touch {name})"),
        format!("`touch {name}`:;touch {name};"),
        "./browser".to_owned(),
    ] {
        // This script evaluates the variable as xdg-open does, and more of it.
        let (world, home) = (World::start(), Home::new());
        let opened = home.path().join("opened");
        let script = format!("#!/bin/sh\neval \"$BROWSER\"\n$BROWSER\necho \"$@\" >'{}'\n", opened.display());
        for (file, text) in [("programs/xdg-open", script.as_str()), ("browser", &format!("#!/bin/sh\ntouch {name}\n"))]
        {
            home.write_program(file, text);
        }
        let mut command = home.plugin(&entra(&world, &ALWAYS));
        let path = format!("{}:{path}", home.path().join("programs").display());
        command.env("PATH", path).env("DISPLAY", ":99").env("BROWSER", &list).current_dir(home.path());
        Run::of(&mut command).token();
        until(|| opened.exists());
        assert!(!marker.exists(), "{list}");
    }
}

/// A browser is often started by a script, and shells execute the content of some variables.
#[test]
fn browser_environment_has_no_variables_with_code() {
    let home = Home::new();
    let marker = home.path().join("marker");
    let opened = home.path().join("opened");
    let browser = home.write_program(
        "a browser",
        &format!(
            "#!{}\npwd\nenv >'{at}.new'; pwd >>'{at}.new'; mv '{at}.new' '{at}'\n",
            needed("bash", "bash").display(),
            at = opened.display()
        ),
    );
    let world = World::start();
    let mut command = home.plugin(&entra(&world, &ALWAYS));
    let touch = format!("$(touch {})", marker.display());
    command
        .env("BROWSER", &browser)
        .env("DISPLAY", ":99")
        .env("BASH_ENV", &touch)
        .env("PS4", &touch)
        .env("SHELLOPTS", "xtrace");
    command.env("BASH_FUNC_pwd%%", format!("() {{ touch {}; }}", marker.display()));
    let bus = format!("unixexec:path=/bin/sh,argv1=-c,argv2=touch {}", marker.display());
    for (name, value) in [
        ("NODE_OPTIONS", "--require=x"),
        ("PERL5OPT", "-d"),
        ("PYTHONSTARTUP", "x"),
        ("XDG_DATA_HOME", "/of/the/entry"),
        ("XDG_CONFIG_DIRS", "/of/the/entry"),
        ("DBUS_SESSION_BUS_ADDRESS", &bus),
    ] {
        command.env(name, value);
    }
    Run::of(&mut command).token();
    until(|| opened.exists());
    let seen = std::fs::read_to_string(&opened).unwrap();
    assert!(!marker.exists(), "{seen}");
    for name in ["BROWSER", "BASH_ENV", "BASH_FUNC", "PS4", "NODE_OPTIONS", "PERL5OPT", "PYTHON", "DBUS_SESSION"] {
        assert!(!seen.lines().any(|line| line.starts_with(name)), "{name}: {seen}");
    }
    // The plugin's parent is this test, whose directory is another one.
    assert!(!seen.contains("/of/the/entry"), "{seen}");
    // The browser's working directory is not the one in which kubectl was started.
    assert!(seen.ends_with("\n/\n"), "{seen}");
}

#[test]
fn no_browser_is_opened_over_ssh_or_without_display() {
    let home = Home::new();
    let desktop = Browser::with_name(&home, "xdg-open");
    for far_away in [("SSH_CONNECTION", "a 1 b 22"), ("SSH_TTY", "/dev/pts/1"), ("DISPLAY", ""), ("CI", "true")] {
        let run = on_desktop(&desktop, &[("BROWSER", desktop.program()), far_away]);
        assert!(run.stderr.contains("Open this page in a browser, on any device"), "{run}");
        assert!(!desktop.started(), "{far_away:?}");
    }
}

#[test]
fn remote_editor_opens_the_page() {
    let home = Home::new();
    let (desktop, editor) = (Browser::with_name(&home, "xdg-open"), Browser::with_name(&home, "helper"));
    on_desktop(
        &desktop,
        &[
            ("BROWSER", editor.program()),
            ("VSCODE_IPC_HOOK_CLI", "/run/x.sock"),
            ("SSH_CONNECTION", "a 1 b 22"),
            ("DISPLAY", ""),
        ],
    );
    assert_eq!(editor.seen().0[1..], [VERIFICATION_URI]);
    assert!(!desktop.started());
}

#[test]
fn login_uses_its_browser_flag() {
    let (world, home) = (World::start(), Home::new());
    let browser = Browser::new(&home);
    let kubeconfig = home.path().join("kubeconfig");
    std::fs::write(&kubeconfig, world.oidc_kubeconfig("kubectl-login")).unwrap();
    let login = ["--kubeconfig", kubeconfig.to_str().unwrap(), "--browser-command", browser.program()];
    assert_eq!(home.run(&login).code, Some(0));
    assert!(browser.seen().0[1].contains("user_code="));
}

#[test]
fn browser_cannot_write_to_the_terminal() {
    let (world, home) = (World::start(), Home::new());
    world.approve_automatically(false);
    let loud = home.path().join("loud");
    let note = home.path().join("note");
    let script = format!("#!/bin/sh\n(echo LOUD >/dev/tty) 2>/dev/null\necho done >'{}'\n", note.display());
    write_program(&loud, &script);
    let words = oidc(&world, &["--browser-command", loud.to_str().unwrap()]).join(" ");
    let mut terminal = home.on_terminal(&format!("exec '{PLUGIN}' {words}"));
    let running = terminal.stdout(std::process::Stdio::piped()).spawn().unwrap();
    until(|| note.exists());
    world.approve_pending();
    let shown = Run::wait(running).stdout;
    assert!(shown.contains("Signed in as") && !shown.contains("LOUD"), "{shown}");
}

#[test]
fn kubectl_gets_the_token_while_the_browser_runs() {
    let (world, home) = (World::start(), Home::new());
    let browser = Browser::new(&home);
    let kubectl = needed("kubectl", "kubernetes-client");
    let kubeconfig = home.path().join("kubeconfig");
    let args = oidc(&world, &["--browser-command", browser.program()]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    std::fs::write(&kubeconfig, world.kubeconfig(PLUGIN, &args, V1BETA1)).unwrap();
    let mut command = home.program(Path::new(&kubectl).to_str().unwrap());
    command.env("KUBECONFIG", &kubeconfig).env("KUBECTL_LOGIN_PROMPT", "always");
    let run = Run::of(command.args(["get", "--raw", "/healthz"]));
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "ok"), "{run}");
    browser.seen();
    assert!(!browser.folder.join("gone").exists(), "kubectl waited for the browser to exit");
    for word in ["chatter", "complaint", "from a child"] {
        assert!(!run.stderr.contains(word), "{run}");
    }
}

#[test]
fn hostile_address_is_neither_shown_nor_opened() {
    let (world, home) = (World::start_with(&[Behaviour::HostileVerificationUri]), Home::new());
    let browser = Browser::new(&home);
    let run = home.sign_in(&oidc(&world, &["--browser-command", browser.program()]));
    run.assert_failed(1, &["not an https address"]);
    assert!(!run.stderr.contains("/etc/passwd") && !browser.started(), "{run}");
}

#[test]
fn plain_address_is_opened_without_a_complete_one() {
    let (world, home) = (World::start_with(&[Behaviour::VerificationUriCompleteMissing]), Home::new());
    let browser = Browser::new(&home);
    home.sign_in(&oidc(&world, &["--browser-command", browser.program()])).token();
    assert_eq!(browser.seen().0[1], format!("{}/activate", world.issuer()));
}

#[test]
fn desktop_without_terminal_is_enough_if_the_address_has_the_code() {
    let (world, home) = (World::start(), Home::new());
    let browser = Browser::new(&home);
    home.shorten_limits(4);
    let args = oidc(&world, &["--browser-command", browser.program()]);
    let run = Run::of(home.plugin(&args).env("DISPLAY", ":99"));
    run.token();
    assert!(browser.seen().0[1].contains("user_code="), "{run}");
    // Nothing reads stderr here.
    assert_eq!(run.stderr, "");

    world.set(Behaviour::VerificationUriCompleteMissing);
    Run::of(Home::new().plugin(&args).env("DISPLAY", ":99")).assert_failed(3, &["\nNext: "]);
    // In CI, a display is ignored.
    Run::of(Home::new().plugin(&args).env("DISPLAY", ":99").env("CI", "1")).assert_failed(3, &["CI"]);
}

/// kubectl runs the plugin with `exec.env`, and an allowlist names the plugin; `kubectl login` reads the kubeconfig
/// itself.
#[test]
fn login_ignores_browser_and_path_of_an_entry() {
    let (world, home) = (World::start(), Home::new());
    let (desktop, entrys) = (Browser::with_name(&home, "xdg-open"), Browser::with_name(&home, "browser-of-entry"));
    let programs = entrys.folder.display();
    copy_program(&entrys.program, &entrys.folder.join("xdg-open"));
    for (name, value) in [
        ("BROWSER", entrys.program().to_owned()),
        ("BROWSER", format!("sh -c touch${{IFS}}{programs}/argv")),
        ("PATH", programs.to_string()),
    ] {
        let env = format!("env:\n      - name: {name}\n        value: {value:?}");
        let kubeconfig = world.aks_kubeconfig("kubectl-login").replace("env: null", &env);
        let kubeconfig = home.write("kubeconfig", &kubeconfig);
        let path = format!("{}:{}", desktop.folder.display(), std::env::var("PATH").unwrap());
        let mut command = home.plugin(&["sim", "--force", "--kubeconfig", kubeconfig.to_str().unwrap()]);
        let run = Run::of(command.env("PATH", path).env("DISPLAY", ":99"));
        assert_eq!(run.code, Some(0), "{run}");
        desktop.seen();
        assert!(!entrys.started(), "{name}={value}: {run}");
        std::fs::remove_file(desktop.folder.join("argv")).unwrap();
    }
    // The entry's DISPLAY says nothing about this machine.
    let env = "env:\n      - name: DISPLAY\n        value: \":99\"";
    let kubeconfig = home.write("kubeconfig", &world.aks_kubeconfig("kubectl-login").replace("env: null", env));
    let path = format!("{}:{}", desktop.folder.display(), std::env::var("PATH").unwrap());
    let mut command = home.plugin(&["sim", "--force", "--kubeconfig", kubeconfig.to_str().unwrap()]);
    assert_eq!(Run::of(command.env("PATH", path)).code, Some(0));
    assert!(!desktop.started());
}
