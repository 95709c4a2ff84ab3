//! What people see, on a real pseudo-terminal: each screen as a snapshot in `tests/all/snapshots/screens/`, in two
//! sizes, with colours and without. `INSTA_UPDATE=always cargo test --test all screens::` writes those that differ; read
//! the difference before keeping it.
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

/// What the terminal takes, and who says so.
#[derive(Clone, Copy)]
enum Looks {
    Yes,
    /// `NO_COLOR` is set.
    No,
    /// `TERM=dumb`, which allows less than colours.
    Dumb,
    /// With colours, and no more characters than ASCII has.
    Ascii,
}

/// One terminal in one world, with a home that knows nothing yet.
struct Case {
    world: World,
    home: Home,
    dialect: Dialect,
    size: (usize, usize),
    looks: Looks,
}

impl Case {
    fn setting(&self) -> Setting {
        let setting = Setting::new(&self.home).size(self.size.0, self.size.1);
        match self.looks {
            Looks::Yes => setting,
            Looks::No => setting.no_color(),
            Looks::Dumb => setting.dumb(),
            Looks::Ascii => setting.without_utf8(),
        }
    }

    /// The name of a screen: what it shows, to whom, in which size.
    fn name(&self, what: &str) -> String {
        let dialect = match self.dialect {
            Dialect::Entra => "entra",
            Dialect::Oidc => "oidc",
        };
        let end = match self.looks {
            Looks::Yes | Looks::No => "",
            Looks::Dumb => "-dumb",
            Looks::Ascii => "-ascii",
        };
        format!("{what}-{dialect}-{}x{}{end}", self.size.0, self.size.1)
    }

    #[track_caller]
    fn assert_screen(&self, what: &str, screen: &Screen) {
        snapshot::assert_screen(&self.name(what), screen);
    }

    /// `get-token` with the arguments that kubeconfigs have.
    fn args(&self, more: &[&str]) -> Vec<String> {
        match self.dialect {
            Dialect::Entra => entra(&self.world, more),
            Dialect::Oidc => oidc(&self.world, more),
        }
    }

    /// The plugin as kubectl starts it: the answer goes to kubectl, and the terminal is everything else's.
    fn get_token(&self) -> Screen {
        self.setting().redirect_stdout().plugin(&self.args(&[]))
    }

    /// A kubeconfig in the home.
    fn kubeconfig(&self) -> String {
        let path = self.home.path().join("kubeconfig");
        let kubeconfig = match self.dialect {
            Dialect::Entra => self.world.aks_kubeconfig(common::PLUGIN),
            Dialect::Oidc => self.world.oidc_kubeconfig(common::PLUGIN),
        };
        std::fs::write(&path, kubeconfig).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Waits until the code that was handed out is on the screen, and hands it back.
    #[track_caller]
    fn wait_for_code(&self, screen: &Screen) -> String {
        let code = self.world.wait_for_device_request(1, HANG).pop().expect("a code was handed out");
        screen.wait_for(&code);
        // The end of the prompt, whatever comes before it.
        screen.wait_for("asked for yourself");
        code
    }
}

/// Runs a scenario for both dialects in both sizes, with colours and without.
fn everywhere(scenario: impl Fn(&Case) + Sync) {
    // The one with colours first: it is the one that is written down.
    with(&SIZES, &[Looks::Yes, Looks::No], scenario);
}

/// Runs a scenario for both dialects, each in a world of its own where nobody approves by himself.
fn with(sizes: &[(usize, usize)], looks: &[Looks], scenario: impl Fn(&Case) + Sync) {
    let dialects = [Dialect::Entra, Dialect::Oidc].into_iter();
    in_parallel(dialects.flat_map(|dialect| sizes.iter().map(move |size| (dialect, *size))), |(dialect, size)| {
        for &looks in looks {
            let world = World::start();
            world.approve_automatically(false);
            scenario(&Case { world, home: Home::new(), dialect, size, looks });
        }
    });
}
