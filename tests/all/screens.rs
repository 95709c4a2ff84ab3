//! Screens on a real pseudo-terminal, as snapshots in `tests/all/snapshots/screens/`, in two sizes, with colours and
//! without. `INSTA_UPDATE=always cargo test --test all screens::` writes those that differ; read the difference before
//! you commit it.
#![cfg(unix)]

mod browser;
mod commands;
mod harness;
mod keyboard;
mod sign_in;

use crate::common;
use crate::common::snapshot;

use crate::common::tmux::{Screen, Setting};
use crate::common::{HANG, Home, entra, in_parallel, oidc};
use sim::World;

const SIZES: [(usize, usize); 2] = [(80, 24), (200, 50)];

/// The two kinds of issuer.
#[derive(Clone, Copy)]
enum Dialect {
    Entra,
    Oidc,
}

/// The terminal's features, and how the plugin learns about them.
#[derive(Clone, Copy)]
enum Features {
    Yes,
    /// `NO_COLOR` is set.
    No,
    /// `TERM=dumb`, which allows less than colours.
    Dumb,
    /// With colours, but only ASCII characters.
    Ascii,
}

/// A terminal in a world, and an empty home directory.
struct Case {
    world: World,
    home: Home,
    dialect: Dialect,
    size: (usize, usize),
    features: Features,
}

impl Case {
    fn setting(&self) -> Setting {
        let setting = Setting::new(&self.home).size(self.size.0, self.size.1);
        match self.features {
            Features::Yes => setting,
            Features::No => setting.no_color(),
            Features::Dumb => setting.dumb(),
            Features::Ascii => setting.without_utf8(),
        }
    }

    /// The name of a snapshot: the screen, the kind of issuer, the size.
    fn name(&self, what: &str) -> String {
        let dialect = match self.dialect {
            Dialect::Entra => "entra",
            Dialect::Oidc => "oidc",
        };
        let end = match self.features {
            Features::Yes | Features::No => "",
            Features::Dumb => "-dumb",
            Features::Ascii => "-ascii",
        };
        format!("{what}-{dialect}-{}x{}{end}", self.size.0, self.size.1)
    }

    #[track_caller]
    fn assert_screen(&self, what: &str, screen: &Screen) {
        snapshot::assert_screen(&self.name(what), screen);
    }

    /// `get-token` with the usual arguments of a kubeconfig.
    fn args(&self, more: &[&str]) -> Vec<String> {
        match self.dialect {
            Dialect::Entra => entra(&self.world, more),
            Dialect::Oidc => oidc(&self.world, more),
        }
    }

    /// The plugin as kubectl starts it: stdout is redirected, everything else goes to the terminal.
    fn get_token(&self) -> Screen {
        self.setting().redirect_stdout().plugin(&self.args(&[]))
    }

    /// Writes a kubeconfig into the home directory.
    fn kubeconfig(&self) -> String {
        let path = self.home.path().join("kubeconfig");
        let kubeconfig = match self.dialect {
            Dialect::Entra => self.world.aks_kubeconfig(common::PLUGIN),
            Dialect::Oidc => self.world.oidc_kubeconfig(common::PLUGIN),
        };
        std::fs::write(&path, kubeconfig).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Waits until the issued code is on the screen, and returns it.
    #[track_caller]
    fn wait_for_code(&self, screen: &Screen) -> String {
        let code = self.world.wait_for_device_request(1, HANG).pop().expect("a code was issued");
        screen.wait_for(&code);
        // The end of the prompt.
        screen.wait_for("asked for yourself");
        code
    }

    /// Asserts the screens of a sign-in's prompt and of its success after `complete`, and a token on stdout. The names
    /// of the snapshots begin with `prefix`.
    #[track_caller]
    fn assert_succeeds(&self, prefix: &str, screen: &Screen, complete: impl FnOnce()) {
        self.assert_screen(&format!("{prefix}prompt"), screen);
        complete();
        assert_eq!(screen.wait_for_exit(), 0);
        assert!(screen.stdout().contains("\"token\""), "no token; the screen:\n{}", screen.capture());
        self.assert_screen(&format!("{prefix}success"), screen);
    }

    /// Asserts the exit code and the last screen of a failure, and an empty stdout.
    #[track_caller]
    fn assert_fails(&self, code: i32, what: &str, screen: &Screen) {
        assert_eq!(screen.wait_for_exit(), code);
        assert_eq!(screen.stdout(), "");
        self.assert_screen(what, screen);
    }
}

/// Runs a scenario for both dialects in both sizes, with colours and without.
fn everywhere(scenario: impl Fn(&Case) + Sync) {
    // With colours first, because that screen is stored.
    with(&SIZES, &[Features::Yes, Features::No], scenario);
}

/// Runs a scenario for both dialects on small terminals without colours or without UTF-8.
fn on_limited_terminals(scenario: impl Fn(&Case) + Sync) {
    with(&SIZES[..1], &[Features::Dumb, Features::Ascii], scenario);
}

/// Runs a scenario for both dialects, each in its own world, in which users do not approve automatically.
fn with(sizes: &[(usize, usize)], features: &[Features], scenario: impl Fn(&Case) + Sync) {
    let dialects = [Dialect::Entra, Dialect::Oidc].into_iter();
    in_parallel(dialects.flat_map(|dialect| sizes.iter().map(move |size| (dialect, *size))), |(dialect, size)| {
        for &features in features {
            let world = World::start();
            world.approve_automatically(false);
            scenario(&Case { world, home: Home::new(), dialect, size, features });
        }
    });
}
