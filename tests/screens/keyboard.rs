//! Everything typed at a shell's prompt, with the real kubectl in between.

use std::os::unix::fs::symlink;

use sim::World;

use super::common::{Home, PLUGIN, needed};
use super::kubectl::Kubectl;
use super::snapshot::assert_screen;
use super::tmux::{Screen, Setting};

/// An interactive bash whose PATH has kubectl and the plugin, as `kubectl-login`, and whose kubeconfig is `kubeconfig`.
fn shell(home: &Home, kubeconfig: &str) -> Screen {
    let bash = needed("bash", "bash");
    let programs = home.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    symlink(PLUGIN, programs.join("kubectl-login")).unwrap();
    symlink(Kubectl::find().path, programs.join("kubectl")).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let folders = std::iter::once(programs).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(folders).unwrap().into_string().unwrap();
    let place = home.path().join("kubeconfig");
    std::fs::write(&place, kubeconfig).unwrap();
    let setting = Setting::of(home).size(100, 40).env("PATH", &path).env("KUBECONFIG", place.to_str().unwrap());
    let screen = setting.env("PS1", "[$?] $ ").program(&[bash.to_str().unwrap(), "--norc", "--noprofile", "-i"]);
    screen.wait_for("[0] $");
    screen
}

/// On an empty screen, types a command and waits until the shell asks for the next one.
#[track_caller]
fn run(screen: &Screen, line: &str) -> String {
    clear(screen);
    screen.type_line(line);
    screen.until(&format!("{line:?} has ended"), || {
        let text = screen.capture();
        let (before, last) = text.trim_end().rsplit_once('\n')?;
        (before.contains(line) && is_prompt(last)).then_some(text)
    })
}

/// Leaves nothing but the shell's prompt on the screen.
fn clear(screen: &Screen) {
    screen.press(&["C-l"]);
    screen.until("the screen is empty", || is_prompt(screen.capture().trim_end()).then_some(()));
}

/// `[0] $`: the last exit code, and nothing typed yet.
fn is_prompt(line: &str) -> bool {
    line.strip_prefix('[').and_then(|rest| rest.strip_suffix("] $")).is_some_and(|code| code.parse::<u8>().is_ok())
}

#[test]
fn everything_by_keyboard_on_aks() {
    let (world, home) = (World::start(), Home::new());
    let screen = shell(&home, &world.aks_kubeconfig("kubectl-login"));
    let login = run(&screen, "kubectl login");
    assert!(login.contains("Signed in as") && login.ends_with("[0] $\n"), "{login}");
    assert_eq!(world.device_requests().len(), 1);
    world.reset_requests();
    let pods = run(&screen, "kubectl get pods");
    assert!(pods.contains("hello") && pods.ends_with("[0] $\n"), "{pods}");
    assert_screen("keyboard-pods", &screen);
    run(&screen, "kubectl login status");
    assert_screen("keyboard-status", &screen);
    run(&screen, "kubectl login logout");
    assert_screen("keyboard-logout", &screen);
    run(&screen, "kubectl login status");
    assert_screen("keyboard-status-empty", &screen);
    assert!(world.device_requests().is_empty());
    screen.type_line("exit 5");
    assert_eq!(screen.wait_for_exit(), 5);
}

#[test]
fn kubectl_itself_asks_when_it_needs_a_token() {
    let (world, home) = (World::start(), Home::new());
    world.approve_automatically(false);
    let screen = shell(&home, &world.aks_kubeconfig("kubectl-login"));
    clear(&screen);
    screen.type_line("kubectl get pods");
    assert_eq!(world.wait_for_device_request(1, super::PATIENCE).len(), 1);
    let code = world.pending().remove(0);
    screen.wait_for(&code);
    assert!(world.approve(&code));
    screen.wait_for("hello");
    assert_screen("keyboard-first-pods", &screen);
    assert_eq!(world.device_requests().len(), 1);
}
