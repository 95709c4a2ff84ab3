//! Trusted certificate authorities, and what a foreign kubeconfig can do with them: its `exec.env` may set certificate
//! authorities and a proxy, and thereby impersonate the issuer. It never gets a session that was created without these
//! settings.
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

/// The file from which a process can read its own variables, a PEM in one of them included.
const ENVIRON: &str = "/proc/self/environ";

/// An issuer under a name that only its proxy resolves.
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

    /// The refresh tokens in requests to this site, for refreshing or revoking.
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

/// A user's set-up and an attacker's: the entry is the same, and the attacker's additional settings lead elsewhere.
struct Attack {
    home: Home,
    honest: Site,
    evil: Site,
}

impl Attack {
    /// The user has signed in, and the token is about to expire.
    fn start() -> Attack {
        let attack = Attack { home: Home::new(), honest: Site::start(), evil: Site::start() };
        attack.run_honestly(&ALWAYS).token();
        attack.home.set_seconds_left(10);
        attack.honest.world.reset_requests();
        attack
    }

    /// The entry, which trusts the authority by a flag, as if it were a public one.
    fn args(&self, more: &[&str]) -> Vec<String> {
        args(&[&["--certificate-authority", &self.honest.ca()], more].concat())
    }

    fn run_honestly(&self, more: &[&str]) -> Run {
        Run::of(self.home.plugin(&self.args(more)).env("https_proxy", self.honest.tunnel.url()))
    }

    /// The variables in the attacker's entry: the proxy, and the authority in one of several ways.
    fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("SSL_CERT_FILE", ENVIRON.to_owned()),
            ("NOTES", format!("\n{}", self.evil.world.ca_pem())),
            ("https_proxy", self.evil.tunnel.url()),
        ]
    }

    fn run_under_attack<S: AsRef<str>>(&self, args: &[S]) -> Run {
        let mut command = self.home.plugin(args);
        Run::of(with_variables(&mut command, &self.variables()))
    }

    /// A kubeconfig of the attacker: JSON, and at the same time a PEM file.
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
        // In YAML, the lines of a quoted string are folded.
        let text = config.to_string().replace("\"PEM\"", &format!("\"\n\n{}\"", self.evil.world.ca_pem()));
        self.home.write(&format!("{name}.json"), &text).to_str().unwrap().to_owned()
    }

    /// Such a file that also serves as the list of authorities.
    fn evil_file(&self) -> String {
        let path = self.home.path().join("evil.json").to_str().unwrap().to_owned();
        self.kubeconfig("evil", &[("SSL_CERT_FILE", path), ("https_proxy", self.evil.tunnel.url())])
    }

    /// Asserts that the attacker never saw the user's session, and that it still works.
    #[track_caller]
    fn assert_unharmed(&self) {
        assert_eq!(self.evil.refresh_tokens(), Vec::<String>::new());
        let run = self.run_honestly(&[]);
        run.token();
        assert_eq!(run.stderr, "", "{run}");
        assert_eq!(self.honest.world.device_requests().len(), 0);
    }
}

fn with_variables<'a>(command: &'a mut Command, variables: &[(&str, String)]) -> &'a mut Command {
    command.envs(variables.iter().map(|(name, value)| (*name, value)))
}

#[test]
fn refresh_token_is_not_sent_under_an_authority_from_the_environment() {
    let attack = Attack::start();
    for more in [&[][..], &["--force-refresh"]] {
        let run = attack.run_under_attack(&attack.args(more));
        run.assert_failed(3, &["simulated world CA", "SSL_CERT_FILE", "exec.env", "\nNext: "]);
    }
    assert!(attack.evil.tunnel.connections() > 0, "the attack does not reach its own server");
    assert!(attack.evil.world.requests().is_empty(), "{:?}", attack.evil.world.requests());
    attack.assert_unharmed();
}

#[test]
fn refresh_token_is_not_sent_under_an_authority_directory_from_the_environment() {
    let attack = Attack::start();
    let folder = attack.evil.world.ca_file().parent().unwrap().to_str().unwrap().to_owned();
    let variables = [("SSL_CERT_DIR", format!("/nowhere:{folder}")), ("https_proxy", attack.evil.tunnel.url())];
    let run = Run::of(with_variables(&mut attack.home.plugin(&attack.args(&[])), &variables));
    run.assert_failed(3, &["SSL_CERT_DIR"]);
    attack.assert_unharmed();
}

#[test]
fn commands_never_use_the_session_for_a_foreign_entry() {
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
    // The user is deceived: the attacker's server issues its own token and session.
    let deceived = attack.run_under_attack(&attack.args(&ALWAYS));
    let theirs = deceived.token();
    assert!(deceived.stderr.contains("was made without"), "{deceived}");
    assert_eq!(attack.run_under_attack(&attack.args(&[])).token(), theirs);
    attack.home.set_seconds_left(10);
    attack.run_under_attack(&attack.args(&[])).token();
    assert_eq!(attack.evil.world.refreshes().len(), 1, "its own session is refreshed at its own server");
    let stolen = attack.evil.refresh_tokens();

    let before = attack.evil.tunnel.connections();
    let ours = attack.run_honestly(&[]);
    assert_ne!(ours.token(), theirs);
    assert_eq!(attack.honest.world.device_requests().len(), 0, "no further prompt");
    assert!(attack.honest.refresh_tokens().iter().all(|token| !stolen.contains(token)));
    // A new session does not use the attacker's discovery document either.
    attack.run_honestly(&["--login-hint", sim::ALICE, "--prompt", "always"]).token();
    assert_eq!(attack.evil.tunnel.connections(), before);
    let status = attack.home.run(&["status", "-o", "json"]);
    assert_eq!(status.stdout.matches("\"method\"").count(), 3, "{status}");
}

#[test]
fn logout_of_everything_revokes_each_session_at_its_own_issuer() {
    let attack = Attack::start();
    let evil = attack.evil_file();
    let honest = attack.kubeconfig("honest", &[("https_proxy", attack.honest.tunnel.url())]);
    // The attacker's entry comes first in the merged kubeconfig.
    let mut command = attack.home.plugin(&["logout", "--all"]);
    let run = Run::of(command.env("KUBECONFIG", format!("{evil}:{honest}")));
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "Forgot 1 session and revoked it.\n"), "{run}");
    assert_eq!((attack.evil.revocations(), attack.honest.revocations()), (0, 1));
    assert_eq!(attack.evil.refresh_tokens(), Vec::<String>::new());
}

#[test]
fn logout_of_a_foreign_context_says_that_nothing_was_revoked() {
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
    attack.run_honestly(&["--force-refresh"]).token();
    let evil = attack.evil_file();
    let honest = attack.kubeconfig("honest", &[("https_proxy", attack.honest.tunnel.url())]);
    // The token lacks that claim, so UserInfo is used.
    let whoami = |file: &str| {
        attack.home.run(&["whoami", "--groups", "--groups-claim", "elsewhere", "--kubeconfig", file]);
    };
    whoami(&evil);
    let asked = |site: &Site| site.world.requests().iter().filter(|request| request.server == Server::Oidc).count();
    assert_eq!(asked(&attack.evil), 0, "{:?}", attack.evil.world.requests());
    whoami(&honest);
    assert_eq!(attack.honest.world.count("/userinfo"), 1, "the user's own endpoint is used");
}

#[test]
fn poisoned_discovery_is_only_cached_for_its_entry() {
    let (home, honest, evil) = (Home::new(), Site::start(), Site::start());
    let attack = Attack { home, honest, evil };
    attack.run_under_attack(&attack.args(&ALWAYS)).token();
    let poisoned = attack.home.files("issuers");
    assert!(!poisoned.is_empty());
    let before = attack.evil.tunnel.connections();
    attack.run_honestly(&ALWAYS).token();
    assert_eq!(attack.honest.world.count("openid-configuration"), 1, "the attacker's document is not used");
    assert_eq!(attack.evil.tunnel.connections(), before);
    assert!(attack.home.files("issuers").len() > poisoned.len());
}

#[test]
fn kubectl_never_uses_the_session_for_a_foreign_kubeconfig() {
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
