//! Servers and proxies that are unavailable or misconfigured.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use sim::{Behaviour, World};

use crate::common::HANG;
use crate::common::scripted::{Scripted, json_response};
use crate::doctor::setup::Setup;

#[test]
fn wrong_clock_is_a_warning() {
    let setup = Setup::aks();
    setup.world.set_clock_offset(600);
    let report = setup.doctor();
    // The sign-in still works: the session allows for the difference, and the cluster accepts the token.
    report.assert_only(&[("clock", "WARN", "this machine's clock is 10 minutes behind that of http://127.0.0.1:")]);
    report.assert_check("clock", "WARN", "; this machine's clock is 10 minutes behind that of https://127.0.0.1:");
    setup.world.set(Behaviour::KubeUnauthorized);
    setup
        .doctor()
        .assert_only(&[("clock", "FAIL", "10 minutes behind"), ("cluster", "FAIL", "as expected: this machine's")]);
    setup.world.clear(Behaviour::KubeUnauthorized);
    setup.world.set_clock_offset(-130);
    setup.doctor().assert_only(&[("clock", "WARN", " minutes ahead of that of")]);
    setup.world.set_clock_offset(-5);
    setup.doctor().assert_only(&[]);
}

#[test]
fn unreachable_issuer_fails() {
    let setup = Setup::aks();
    let port = setup.world.authority();
    setup.rewrite(|text| text.replace(&port, "http://127.0.0.1:1/"));
    let report = setup.doctor();
    // With another authority, there is another session.
    report.assert_only(&[
        ("issuer", "FAIL", "http://127.0.0.1:1 cannot be reached"),
        ("session", "FAIL", "kubectl login"),
    ]);
}

#[test]
fn slow_or_unavailable_issuer_fails() {
    let setup = Setup::oidc();
    setup.home.shorten_limits(4);
    setup.world.set(Behaviour::StallDiscovery);
    let report = setup.doctor();
    report.assert_only(&[("issuer", "FAIL", "did not answer in time")]);
    report.assert_check("cluster", "OK", "authenticated as");
    setup.world.clear_all();
    setup.world.set(Behaviour::RefreshStall);
    setup.doctor().assert_only(&[("token", "WARN", "did not answer in time")]);
    setup.home.set_seconds_left(-60);
    setup.world.clear_all();
    setup.world.set(Behaviour::Always503);
    setup.doctor().assert_only(&[("token", "FAIL", "HTTP 503")]);
}

#[test]
fn captive_portal_fails() {
    let page = ("200 OK", vec!["content-type: text/html".to_owned()], "<html>Sign in to the Wi-Fi</html>".to_owned());
    let portal = Scripted::start(|_| vec![page]);
    let setup = Setup::aks_without_sign_in(World::start());
    let authority = setup.world.authority();
    setup.rewrite(|text| text.replace(&authority, &format!("{}/", portal.url())));
    let signed_out = ("session", "FAIL", "not signed in");
    setup.doctor().assert_only(&[signed_out, ("issuer", "FAIL", "captive portal")]);

    let setup = Setup::oidc();
    setup.world.set(Behaviour::NotJsonDiscovery);
    setup.doctor().assert_only(&[("issuer", "FAIL", "something else than an OpenID Connect document")]);
}

#[test]
fn untrusted_issuer_certificate_fails() {
    let setup = Setup::aks_without_sign_in(World::start());
    let (plain, secure) = (setup.world.authority(), setup.world.tls_authority());
    setup.rewrite(|text| text.replace(&plain, &secure));
    let signed_out = ("session", "FAIL", "not signed in");
    setup.doctor().assert_only(&[
        signed_out,
        ("issuer", "FAIL", "--certificate-authority FILE in the kubeconfig user's exec.args, or with SSL_CERT_FILE"),
    ]);
    let ca = setup.world.ca_file().display().to_string();
    let report = setup.doctor_in(&[("SSL_CERT_FILE", &ca)]);
    report.assert_only(&[signed_out]);
    report.assert_check("issuer", "OK", &format!("trusted besides the system: {ca} (SSL_CERT_FILE)"));
    setup.replace("\"--login\"", "\"--insecure-skip-tls-verify\"\n      - \"--login\"");
    setup.doctor().assert_only(&[signed_out, ("issuer", "WARN", "certificates are not verified")]);
}

#[test]
fn wrong_issuer_name_fails() {
    let setup = Setup::oidc();
    setup.world.set(Behaviour::WrongIssuer);
    setup.doctor().assert_only(&[("issuer", "FAIL", "the issuer calls itself \"https://issuer.example.invalid\"")]);
}

#[test]
fn unknown_tenant_fails() {
    let setup = Setup::aks_without_sign_in(World::start());
    setup.replace(sim::TENANT, "unknown.example");
    let report = setup.doctor();
    report.assert_only(&[
        ("session", "FAIL", "kubectl login sim"),
        ("issuer", "FAIL", "there is no such tenant in this cloud"),
    ]);
    report.assert_check("issuer", "FAIL", "--tenant-id");
}

#[test]
fn dead_proxy_fails() {
    let setup = Setup::aks();
    setup.replace("    server: ", "    proxy-url: http://user:PASSWORD@127.0.0.1:1\n    server: ");
    let report = setup.doctor();
    report.assert_only(&[("proxy", "FAIL", "the proxy http://127.0.0.1:1 for https://127.0.0.1:")]);
    report.assert_check("proxy", "FAIL", "kubeconfig cluster's proxy-url");
    report.assert_skipped(&["server", "cluster"]);

    let setup = Setup::aks_without_sign_in(World::start());
    let authority = setup.world.authority();
    setup.rewrite(|text| text.replace(&authority, "https://login.example.invalid/"));
    let report = setup.doctor_in(&[("HTTPS_PROXY", "127.0.0.1:1")]);
    report.assert_only(&[
        ("session", "FAIL", "not signed in"),
        ("proxy", "FAIL", "the proxy http://127.0.0.1:1 for https://login.example.invalid does not work"),
    ]);
    report.assert_skipped(&["issuer"]);
}

#[test]
fn working_proxy_is_named() {
    let proxy = Scripted::start(|_| vec![("502 Bad Gateway", Vec::new(), String::new())]);
    let setup = Setup::aks_without_sign_in(World::start());
    let authority = setup.world.authority();
    setup.rewrite(|text| text.replace(&authority, "https://login.example.invalid/"));
    let address = format!("http://user:PASSWORD@127.0.0.1:{}", proxy.port);
    let report = setup.doctor_in(&[("https_proxy", &address)]);
    let words = format!("https://login.example.invalid through http://127.0.0.1:{}", proxy.port);
    report.assert_check("proxy", "OK", &words);
    report.assert_check("issuer", "FAIL", "https://login.example.invalid");
    let report = setup.doctor_in(&[("https_proxy", &address), ("NO_PROXY", ".example.invalid")]);
    report.assert_check("proxy", "OK", "https://login.example.invalid directly");
}

#[test]
fn unavailable_api_server_fails() {
    let setup = Setup::aks();
    let server = setup.world.kube_url();
    setup.rewrite(|text| text.replace(&server, "https://127.0.0.1:1"));
    let report = setup.doctor();
    report.assert_only(&[("server", "FAIL", "https://127.0.0.1:1 cannot be reached")]);
    report.assert_skipped(&["cluster", "identity"]);
    setup.rewrite(|text| text.replace("https://127.0.0.1:1", "https://api.example.invalid"));
    setup.doctor().assert_only(&[("server", "FAIL", "https://api.example.invalid cannot be reached")]);
    setup.rewrite(|text| text.replace("    server: https://api.example.invalid\n", ""));
    setup.doctor().assert_only(&[("server", "FAIL", "names no API server")]);
}

#[test]
fn api_server_with_wrong_certificate_authority_fails() {
    let setup = Setup::aks();
    let other = World::start().aks_kubeconfig("x");
    let line = |text: &str| text.lines().find(|line| line.contains("certificate-authority-data")).unwrap().to_owned();
    setup.rewrite(|text| text.replace(&line(text), &line(&other)));
    let report = setup.doctor();
    report.assert_only(&[("server", "FAIL", "is not trusted")]);
    report.assert_check("server", "FAIL", "certificate-authority");
    report.assert_skipped(&["cluster"]);
    setup.rewrite(|text| text.replace(&line(text), "    certificate-authority: ca-that-is-nowhere.pem"));
    setup.doctor().assert_only(&[("server", "FAIL", ".kube/ca-that-is-nowhere.pem cannot be read")]);
    let line = |text: &str| text.lines().find(|line| line.contains("certificate-authority")).unwrap().to_owned();
    setup.rewrite(|text| text.replace(&line(text), "    insecure-skip-tls-verify: true"));
    setup.doctor().assert_only(&[("server", "WARN", "its certificate is not verified")]);
}

#[test]
fn unusable_api_server_response_fails() {
    for (behaviour, words) in [
        (Behaviour::KubeStalls, "did not answer in time"),
        (Behaviour::KubeDown, "is not available (HTTP 503)"),
        (Behaviour::KubeHtml, "is not a Kubernetes API server"),
    ] {
        let setup = Setup::aks();
        setup.home.shorten_limits(4);
        setup.world.set(behaviour);
        let report = setup.doctor();
        report.assert_only(&[("server", "FAIL", words)]);
        report.assert_skipped(&["cluster", "identity"]);
    }
}

#[test]
fn older_api_server_skips_identity() {
    let setup = Setup::aks();
    setup.world.set(Behaviour::KubeNoReviews);
    let report = setup.doctor();
    report.assert_only(&[]);
    report.assert_skipped(&["cluster", "identity"]);
}

#[test]
fn forbidden_review_still_shows_that_the_token_is_accepted() {
    let said = json_response("403 Forbidden", &serde_json::json!({ "kind": "Status", "message": "no" }));
    let server = Scripted::start(|_| vec![said]);
    let setup = Setup::aks();
    let url = setup.world.kube_url();
    setup.rewrite(|text| text.replace(&url, &server.url()));
    let report = setup.doctor();
    report.assert_only(&[("server", "WARN", "kubectl sends no credentials to an http address")]);
    report.assert_check("cluster", "OK", "accepts the token, but does not let you ask who you are");
    // The request for the version is sent without the token.
    let asked = server.requests();
    let version = asked.iter().find(|asked| asked.text.starts_with("GET /version ")).unwrap();
    assert!(!version.text.to_lowercase().contains("authorization"), "{}", version.text);
}

#[test]
fn ctrl_c_ends_the_doctor() {
    let setup = Setup::oidc();
    setup.world.set(Behaviour::StallDiscovery);
    setup.world.reset_requests();
    let mut command = setup.command(&["doctor"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(setup.world.wait_for(HANG, |log| log.count("/openid-configuration") > 0));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
