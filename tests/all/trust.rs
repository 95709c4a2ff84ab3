//! Whom connections trust, and what a kubeconfig from a stranger can do with that: its `exec.env` may name certificate
//! authorities and a proxy, and with them answer in the issuer's place. It never meets what was signed in to without.
#![cfg(unix)]

mod certificates;
mod company;
mod headers;

use crate::common;
use crate::common::kubectl;
use std::process::Command;

use crate::common::tunnel::Tunnel;
use crate::common::{ALWAYS, Home, Run, V1};
use serde_json::json;
use sim::{HOST, Server, World};

/// Its own PEM in another variable.
const ENVIRON: &str = "/proc/self/environ";

/// An issuer under a name that only a proxy leads to.
pub(crate) struct Site {
    pub(crate) world: World,
    pub(crate) tunnel: Tunnel,
}

impl Site {
    pub(crate) fn start() -> Site {
        let world = World::start();
        let tunnel = Tunnel::to(&world.tls_issuer());
        Site { world, tunnel }
    }

    pub(crate) fn ca(&self) -> String {
        self.world.ca_file().to_str().unwrap().to_owned()
    }

    /// The refresh tokens that this site was shown, to refresh them or to revoke them.
    pub(crate) fn refresh_tokens(&self) -> Vec<String> {
        let requests = self.world.requests();
        let shown = requests.iter().flat_map(|request| ["refresh_token", "token"].map(|name| request.field(name)));
        shown.filter(|token| !token.is_empty()).map(str::to_owned).collect()
    }

    pub(crate) fn revocations(&self) -> usize {
        self.world.count("/revoke")
    }
}

/// The arguments of an entry for the issuer.
pub(crate) fn args(more: &[&str]) -> Vec<String> {
    let issuer = format!("https://{HOST}/oidc");
    let own =
        ["get-token", "--oidc-issuer-url", &issuer, "--oidc-client-id", sim::OIDC_CLIENT, "--grant-type=device-code"];
    own.iter().chain(more).map(|word| (*word).to_owned()).collect()
}

/// A user's set-up and an attacker's: the entry is the same, and what the attacker's sets besides leads elsewhere.
struct Attack {
    home: Home,
    honest: Site,
    evil: Site,
}

impl Attack {
    /// The user has signed in, and the token is about to end.
    fn start() -> Attack {
        let attack = Attack { home: Home::new(), honest: Site::start(), evil: Site::start() };
        attack.honestly(&ALWAYS).token();
        attack.home.set_seconds_left(10);
        attack.honest.world.reset_requests();
        attack
    }

    /// The entry, whose authority is trusted by a flag as a public one is by the system.
    fn args(&self, more: &[&str]) -> Vec<String> {
        args(&[&["--certificate-authority", &self.honest.ca()], more].concat())
    }

    fn honestly(&self, more: &[&str]) -> Run {
        Run::of(self.home.plugin(&self.args(more)).env("https_proxy", self.honest.tunnel.url()))
    }

    /// What the attacker's entry sets: the proxy, and the authority in one of these ways.
    fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("SSL_CERT_FILE", ENVIRON.to_owned()),
            ("NOTES", format!("\n{}", self.evil.world.ca_pem())),
            ("https_proxy", self.evil.tunnel.url()),
        ]
    }

    fn under_attack<S: AsRef<str>>(&self, args: &[S]) -> Run {
        let mut command = self.home.plugin(args);
        Run::of(with(&mut command, &self.variables()))
    }

    /// A kubeconfig in the attacker's words: JSON for its readers, and a PEM file for readers of certificates.
    fn kubeconfig(&self, name: &str, variables: &[(&str, String)]) -> String {
        let env: Vec<_> = variables.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": name,
            "clusters": [{ "name": name, "cluster": { "server": self.evil.world.kube_url(), "insecure-skip-tls-verify": true } }],
            "contexts": [{ "name": name, "context": { "cluster": name, "user": name } }],
            "users": [{ "name": name, "user": { "exec": {
                "apiVersion": V1, "command": "kubectl-login", "interactiveMode": "IfAvailable",
                "args": self.args(&[]), "env": env,
            } } }],
            "preferences": { "notes": "PEM" },
        });
        // YAML, which kubeconfigs are, folds the lines of a quoted text.
        let text = config.to_string().replace("\"PEM\"", &format!("\"\n\n{}\"", self.evil.world.ca_pem()));
        self.home.write(&format!("{name}.json"), &text).to_str().unwrap().to_owned()
    }

    /// Such a file that is the list of authorities as well.
    fn evil_file(&self) -> String {
        let path = self.home.path().join("evil.json").to_str().unwrap().to_owned();
        self.kubeconfig("evil", &[("SSL_CERT_FILE", path), ("https_proxy", self.evil.tunnel.url())])
    }

    /// The user's session was never shown to the attacker, and is as good as before.
    #[track_caller]
    fn assert_unharmed(&self) {
        assert_eq!(self.evil.refresh_tokens(), Vec::<String>::new());
        let run = self.honestly(&[]);
        run.token();
        assert_eq!(run.stderr, "", "{run}");
        assert_eq!(self.honest.world.device_requests().len(), 0);
    }
}

fn with<'a>(command: &'a mut Command, variables: &[(&str, String)]) -> &'a mut Command {
    command.envs(variables.iter().map(|(name, value)| (*name, value)))
}

#[test]
fn refresh_token_is_not_sent_under_an_authority_from_the_environment() {
    let attack = Attack::start();
    for more in [&[][..], &["--force-refresh"]] {
        let run = attack.under_attack(&attack.args(more));
        run.assert_failed(3, &["simulated world CA", "SSL_CERT_FILE", "exec.env", "\nNext: "]);
    }
    assert!(attack.evil.tunnel.connections() > 0, "the attack does not reach its own server");
    assert!(attack.evil.world.requests().is_empty(), "{:?}", attack.evil.world.requests());
    attack.assert_unharmed();
}

#[test]
fn authority_from_a_folder_of_the_environment_is_no_way_around() {
    let attack = Attack::start();
    let folder = attack.evil.world.ca_file().parent().unwrap().to_str().unwrap().to_owned();
    let variables = [("SSL_CERT_DIR", format!("/nowhere:{folder}")), ("https_proxy", attack.evil.tunnel.url())];
    let run = Run::of(with(&mut attack.home.plugin(&attack.args(&[])), &variables));
    run.assert_failed(3, &["SSL_CERT_DIR"]);
    attack.assert_unharmed();
}

#[test]
fn commands_that_read_a_strangers_entry_show_it_no_session() {
    let attack = Attack::start();
    let file = attack.evil_file();
    for words in [&["doctor"][..], &["whoami", "--refresh"], &["whoami", "--groups"], &["status"]] {
        let run = attack.home.run(&[words, &["--kubeconfig", &file]].concat());
        assert!(run.code.is_some_and(|code| code < 4), "{run}");
        assert_eq!(attack.evil.refresh_tokens(), Vec::<String>::new(), "{words:?}");
    }
    let doctor = attack.home.run(&["doctor", "--kubeconfig", &file]);
    assert!(doctor.stdout.contains("SSL_CERT_FILE") && doctor.stdout.contains("was made without"), "{doctor}");
    attack.assert_unharmed();
}

#[test]
fn sign_in_under_an_authority_of_an_entry_stays_with_that_entry() {
    let attack = Attack::start();
    // The user falls for it: the attacker's server gives a token and a session of its own.
    let fallen = attack.under_attack(&attack.args(&ALWAYS));
    let theirs = fallen.token();
    assert!(fallen.stderr.contains("was made without"), "{fallen}");
    assert_eq!(attack.under_attack(&attack.args(&[])).token(), theirs);
    attack.home.set_seconds_left(10);
    attack.under_attack(&attack.args(&[])).token();
    assert_eq!(attack.evil.world.refreshes().len(), 1, "its own session is refreshed at its own server");
    let stolen = attack.evil.refresh_tokens();

    let before = attack.evil.tunnel.connections();
    let ours = attack.honestly(&[]);
    assert_ne!(ours.token(), theirs);
    assert_eq!(attack.honest.world.device_requests().len(), 0, "no user is asked again");
    assert!(attack.honest.refresh_tokens().iter().all(|token| !stolen.contains(token)));
    // Nor is the attacker's discovery believed by a session that is yet to be.
    attack.honestly(&["--login-hint", sim::ALICE, "--prompt", "always"]).token();
    assert_eq!(attack.evil.tunnel.connections(), before);
    let status = attack.home.run(&["status", "-o", "json"]);
    assert_eq!(status.stdout.matches("\"method\"").count(), 3, "{status}");
}

#[test]
fn logout_of_everything_revokes_each_session_at_its_own_issuer() {
    let attack = Attack::start();
    let evil = attack.evil_file();
    let honest = attack.kubeconfig("honest", &[("https_proxy", attack.honest.tunnel.url())]);
    // The attacker's comes first in the merged file.
    let mut command = attack.home.plugin(&["logout", "--all"]);
    let run = Run::of(command.env("KUBECONFIG", format!("{evil}:{honest}")));
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "Forgot 1 sign-in and revoked it.\n"), "{run}");
    assert_eq!((attack.evil.revocations(), attack.honest.revocations()), (0, 1));
    assert_eq!(attack.evil.refresh_tokens(), Vec::<String>::new());
}

#[test]
fn logout_of_a_strangers_context_says_nothing_was_revoked() {
    let attack = Attack::start();
    let file = attack.evil_file();
    let run = attack.home.run(&["logout", "--kubeconfig", &file]);
    assert!(run.code == Some(0) && !run.stdout.contains("revoked"), "{run}");
    assert!(run.stderr.contains("could not be revoked") && run.stderr.contains("SSL_CERT_FILE"), "{run}");
    assert_eq!((attack.evil.revocations(), attack.honest.revocations()), (0, 0));
}

#[test]
fn entry_cannot_choose_a_browser_for_commands_that_read_it() {
    let attack = Attack::start();
    let mark = attack.home.path().join("mark");
    let program = attack.home.write_program("browser.sh", &format!("#!/bin/sh\ntouch {}\n", mark.display()));
    let variables = [
        ("BROWSER", program.to_str().unwrap().to_owned()),
        ("DISPLAY", ":99".to_owned()),
        ("https_proxy", attack.honest.tunnel.url()),
    ];
    let file = attack.kubeconfig("evil", &variables);
    let run = attack.home.run(&["--kubeconfig", &file, "--force"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(!mark.exists());
}

#[test]
fn access_token_is_not_shown_to_a_userinfo_endpoint_under_another_authority() {
    let attack = Attack::start();
    attack.honestly(&["--force-refresh"]).token();
    let evil = attack.evil_file();
    let honest = attack.kubeconfig("honest", &[("https_proxy", attack.honest.tunnel.url())]);
    // The token has no such claim, so UserInfo is asked.
    let whoami = |file: &str| {
        attack.home.run(&["whoami", "--groups", "--groups-claim", "elsewhere", "--kubeconfig", file]);
    };
    whoami(&evil);
    let asked = |site: &Site| site.world.requests().iter().filter(|request| request.server == Server::Oidc).count();
    assert_eq!(asked(&attack.evil), 0, "{:?}", attack.evil.world.requests());
    whoami(&honest);
    assert_eq!(attack.honest.world.count("/userinfo"), 1, "it is asked where it may be");
}

#[test]
fn poisoned_discovery_stays_with_the_entry_that_brought_it() {
    let (home, honest, evil) = (Home::new(), Site::start(), Site::start());
    let attack = Attack { home, honest, evil };
    attack.under_attack(&attack.args(&ALWAYS)).token();
    let poisoned = attack.home.files("issuers");
    assert!(!poisoned.is_empty());
    let before = attack.evil.tunnel.connections();
    attack.honestly(&ALWAYS).token();
    assert_eq!(attack.honest.world.count("openid-configuration"), 1, "nothing that the attacker said is believed");
    assert_eq!(attack.evil.tunnel.connections(), before);
    assert!(attack.home.files("issuers").len() > poisoned.len());
}

#[test]
fn kubectl_with_a_strangers_kubeconfig_shows_it_no_session() {
    let attack = Attack::start();
    let file = attack.kubeconfig("evil", &attack.variables());
    let text = std::fs::read_to_string(&file).unwrap().replace("\"kubectl-login\"", &format!("{:?}", common::PLUGIN));
    std::fs::write(&file, text).unwrap();
    let kubectl = kubectl::Kubectl::find();
    let mut command = attack.home.program(kubectl.path.to_str().unwrap());
    attack.home.set_seconds_left(-10);
    let run = Run::of(command.args(["get", "pods", "--kubeconfig", &file]));
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.stderr.contains("SSL_CERT_FILE"), "{run}");
    assert!(attack.evil.tunnel.connections() > 0);
    attack.assert_unharmed();
}
