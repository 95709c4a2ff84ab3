//! Pasting the browser's address or code in a real terminal: what is accepted and what is not, that nothing of it is
//! shown, and that the terminal is restored.
#![cfg(unix)]

mod input;
mod keyboard;
mod shells;
mod terminal;

use crate::common::remote_browser;
use std::path::PathBuf;

use crate::common::tmux::{Screen, Setting, WRAPPER};
use crate::common::{Home, PLUGIN, entra, oidc};
use sim::{Behaviour, World};

/// Any free port, so that parallel tests do not use the same one.
const ANY_PORT: [&str; 2] = ["--listen-address", "127.0.0.1:0"];
/// `get-token` at the Entra-shaped tenant, in the browser.
fn interactive(world: &World, more: &[&str]) -> Vec<String> {
    entra(world, &[&["--login", "interactive"], more].concat())
}

/// `get-token` at the plain issuer, in the browser.
fn authcode(world: &World, more: &[&str]) -> Vec<String> {
    oidc(world, &[&["--grant-type", "authcode"], &ANY_PORT[..], more].concat())
}

/// A sign-in in progress in its own terminal; stdout goes to a file, as with kubectl. The terminal is wide enough for
/// whole sentences.
struct SignIn {
    world: World,
    home: Home,
    screen: Screen,
    /// The address of the sign-in page.
    address: String,
}

impl SignIn {
    #[track_caller]
    fn start(args: fn(&World, &[&str]) -> Vec<String>, more: &[&str]) -> SignIn {
        SignIn::within(WRAPPER, &[], args, more)
    }

    /// The same in a world with these behaviours, started by a script that has the plugin and its arguments as `$@`.
    #[track_caller]
    fn within(
        script: &str,
        behaviours: &[Behaviour],
        args: fn(&World, &[&str]) -> Vec<String>,
        more: &[&str],
    ) -> SignIn {
        let (world, home) = (World::start_with(behaviours), Home::new());
        let args = args(&world, more);
        let words: Vec<&str> =
            ["sh", "-c", script, "sh", PLUGIN].into_iter().chain(args.iter().map(String::as_str)).collect();
        let screen = Setting::new(&home).size(200, 50).redirect_stdout().program(&words);
        let address = remote_browser::address_on(&screen);
        SignIn { world, home, screen, address }
    }

    /// Waits until the plugin reads the keyboard. It discards everything typed before.
    #[track_caller]
    fn wait_for_keyboard(&self) {
        self.screen.until("the keyboard is read", || (!self.screen.echoes()).then_some(()));
    }

    /// Signs in. Returns the address on which the browser ends.
    #[track_caller]
    fn final_address(&self) -> String {
        remote_browser::sign_in_at(&self.address)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.read("pid").trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// The number of code exchanges at the token endpoint.
    fn exchanges(&self) -> usize {
        self.world.token_requests("authorization_code").len()
    }

    /// Asserts the exit code, and that the terminal is restored.
    #[track_caller]
    fn assert_ends(&self, code: i32) {
        self.screen.assert_ends(code);
    }

    /// Asserts success, and that none of `secrets` was ever on the screen.
    #[track_caller]
    fn assert_succeeds(&self, secrets: &[&str]) {
        self.assert_ends(0);
        assert!(self.screen.stdout().contains("\"token\""));
        let shown = self.screen.history();
        assert!(shown.contains("Signed in as"), "{shown}");
        for secret in secrets {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
    }
}
