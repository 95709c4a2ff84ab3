//! Companies with their own certificate authorities: a bundle that moves or grows does not end sessions, nor does
//! another proxy.

use super::{Site, args};
use crate::common::{ALWAYS, Home, Run, V1};

/// An entry whose issuer's authority is only known from the environment.
struct Company {
    home: Home,
    site: Site,
}

impl Company {
    fn start() -> Company {
        Company { home: Home::new(), site: Site::start() }
    }

    fn run(&self, bundle: &str, more: &[&str]) -> Run {
        let mut command = self.home.plugin(&args(more));
        Run::of(command.env("SSL_CERT_FILE", bundle).env("https_proxy", self.site.tunnel.url()))
    }

    fn bundle(&self, name: &str, parts: &[&str]) -> String {
        self.home.write(name, &parts.concat()).to_str().unwrap().to_owned()
    }
}

#[test]
fn authority_in_the_environment_is_used_for_all_calls() {
    let company = Company::start();
    let ca = company.site.ca();
    let token = company.run(&ca, &ALWAYS).token();
    company.site.world.reset_requests();
    assert_eq!(company.run(&ca, &[]).token(), token);
    assert!(company.site.world.requests().is_empty());
    let run = company.run(&ca, &["--force-refresh"]);
    assert_ne!(run.token(), token);
    assert_eq!(run.stderr, "");
    assert_eq!(company.site.world.device_requests().len(), 0);
    // Without the variable, the authority is unknown, and so is the session that was created with it.
    let elsewhere = Run::of(company.home.plugin(&args(&[])).env("https_proxy", company.site.tunnel.url()));
    elsewhere.assert_failed(3, &[]);
}

#[test]
fn changed_bundle_keeps_the_session_if_it_has_the_authority() {
    let (company, other) = (Company::start(), Site::start());
    let (own, foreign) = (company.site.world.ca_pem(), other.world.ca_pem());
    company.run(&company.bundle("one.pem", &[own]), &ALWAYS).token();
    company.site.world.reset_requests();
    for bundle in [company.bundle("one.pem", &[foreign, own]), company.bundle("two.pem", &[foreign, own, foreign])] {
        company.home.set_seconds_left(10);
        let run = company.run(&bundle, &[]);
        run.token();
        assert_eq!(run.stderr, "", "{run}");
    }
    assert_eq!(company.site.world.device_requests().len(), 0);
    assert!(company.site.world.refreshes().len() >= 2);
    company.home.set_seconds_left(10);
    company.run(&company.bundle("two.pem", &[foreign]), &[]).assert_failed(3, &[]);
}

#[test]
fn other_proxy_keeps_the_session() {
    let company = Company::start();
    company.run(&company.site.ca(), &ALWAYS).token();
    let other = super::Tunnel::to(&company.site.world.tls_issuer());
    let mut command = company.home.plugin(&args(&["--force-refresh"]));
    let run = Run::of(command.env("SSL_CERT_FILE", company.site.ca()).env("HTTPS_PROXY", other.url()));
    run.token();
    assert!(other.connections() > 0 && run.stderr.is_empty(), "{run}");
}

#[test]
fn authority_in_exec_env_works_for_all_commands() {
    let company = Company::start();
    let ca = company.site.ca();
    let kubeconfig = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "corp",
        "clusters": [{ "name": "corp", "cluster": {
            "server": company.site.world.kube_url(), "certificate-authority": ca,
        } }],
        "contexts": [{ "name": "corp", "context": { "cluster": "corp", "user": "corp" } }],
        "users": [{ "name": "corp", "user": { "exec": {
            "apiVersion": V1, "command": "kubectl-login", "interactiveMode": "IfAvailable",
            "args": args(&[]),
            "env": [
                { "name": "SSL_CERT_FILE", "value": ca },
                { "name": "https_proxy", "value": company.site.tunnel.url() },
            ],
        } } }],
    });
    company.home.write(".kube/config", &kubeconfig.to_string());
    let run = |words: &[&str]| company.home.run(words);
    let signed_in = run(&["--context", "corp"]);
    assert_eq!(signed_in.code, Some(0), "{signed_in}");
    company.run(&ca, &[]).token();
    company.home.set_seconds_left(10);
    let whoami = run(&["whoami"]);
    assert_eq!(whoami.code, Some(0), "{whoami}");
    let status = run(&["status"]);
    assert!(status.stdout.contains("*corp"), "{status}");
    let doctor = run(&["doctor"]);
    for line in ["OK    issuer", "OK    session", "OK    token"] {
        assert!(doctor.stdout.contains(line), "{line}: {doctor}");
    }
    let logout = run(&["logout"]);
    assert!(logout.stdout.contains("and revoked it at"), "{logout}");
    assert_eq!(company.site.revocations(), 1);
    assert!(run(&["status"]).stdout.contains("There are no sessions"), "{}", run(&["status"]));
}

#[test]
fn newest_session_is_used_in_its_own_environment() {
    // Without a proxy at home, behind a TLS-inspecting proxy at work: the same entry, and another account.
    let (home, at_home, at_work) = (Home::new(), Site::start(), Site::start());
    let entry = |more: &[&str]| args(&[&["--certificate-authority", &at_home.ca()], more].concat());
    let run_at_home = |more: &[&str]| Run::of(home.plugin(&entry(more)).env("https_proxy", at_home.tunnel.url()));
    let run_at_work = |more: &[&str]| {
        let mut command = home.plugin(&entry(more));
        Run::of(command.env("https_proxy", at_work.tunnel.url()).env("SSL_CERT_FILE", at_work.ca()))
    };
    let alice = run_at_home(&ALWAYS).token();
    assert_eq!(run_at_work(&[]).token(), alice, "a session without additional authorities is valid everywhere");
    home.set_seconds_left(10);
    at_work.world.sign_in_as(sim::BOB);
    let bob = run_at_work(&ALWAYS).token();
    assert_eq!(run_at_work(&[]).token(), bob);
    run_at_work(&["--force-refresh"]).token();
    assert_eq!(at_work.world.refreshes().len(), 1, "the session of this environment is used");
    assert_eq!(at_home.world.refreshes().len(), 0);
    run_at_home(&[]).token();
    assert_eq!((at_home.world.refreshes().len(), at_home.world.device_requests().len()), (1, 1));
}
