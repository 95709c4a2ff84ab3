//! A session at a shell's prompt, with the real kubectl.

use sim::World;

use crate::common::shell::{clear, run, shell};
use crate::common::snapshot::assert_screen;
use crate::common::{HANG, Home};

#[test]
fn screens_of_a_session_on_aks() {
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
fn screen_of_a_prompt_under_kubectl() {
    let (world, home) = (World::start(), Home::new());
    world.approve_automatically(false);
    let screen = shell(&home, &world.aks_kubeconfig("kubectl-login"));
    clear(&screen);
    screen.type_line("kubectl get pods");
    assert_eq!(world.wait_for_device_request(1, HANG).len(), 1);
    let code = world.pending().remove(0);
    screen.wait_for(&code);
    assert!(world.approve(&code));
    screen.wait_for("hello");
    assert_screen("keyboard-first-pods", &screen);
    assert_eq!(world.device_requests().len(), 1);
}
