//! Servers and proxies that are away, or are not what they should be.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use sim::{Behaviour, World};

use crate::common::HANG;
use crate::common::scripted::{Scripted, json_response};
use crate::doctor::setup::Setup;

#[test]
fn a_clock_that_is_off() {
    let setup = Setup::aks();
    setup.world.set_clock_offset(600);
    let report = setup.doctor();
    // Nothing objects to it: the session allows for the difference, and the cluster accepts the token.
    report.only(&[("clock", "WARN", "this machine's clock is 10 minutes behind that of http://127.0.0.1:")]);
    report.says("clock", "WARN", "; this machine's clock is 10 minutes behind that of https://127.0.0.1:");
    setup.world.set(Behaviour::KubeUnauthorized);
    setup
        .doctor()
        .only(&[("clock", "FAIL", "10 minutes behind"), ("cluster", "FAIL", "as was to be expected: this machine's")]);
    setup.world.clear(Behaviour::KubeUnauthorized);
    setup.world.set_clock_offset(-130);
    setup.doctor().only(&[("clock", "WARN", " minutes ahead of that of")]);
    setup.world.set_clock_offset(-5);
    setup.doctor().only(&[]);
}

#[test]
fn an_issuer_that_is_down() {
    let setup = Setup::aks();
    let port = setup.world.authority();
    setup.rewrite(|text| text.replace(&port, "http://127.0.0.1:1/"));
    let report = setup.doctor();
    // Another authority is another session, too.
    report.only(&[("issuer", "FAIL", "http://127.0.0.1:1 cannot be reached"), ("session", "FAIL", "kubectl login")]);
}

#[test]
fn an_issuer_that_is_slow_or_unavailable() {
    let setup = Setup::oidc();
    setup.home.shorten_limits(4);
    setup.world.set(Behaviour::StallDiscovery);
    let report = setup.doctor();
    report.only(&[("issuer", "FAIL", "did not answer in time")]);
    report.says("cluster", "OK", "takes you for");
    setup.world.clear_all();
    setup.world.set(Behaviour::RefreshStall);
    setup.doctor().only(&[("token", "WARN", "did not answer in time")]);
    setup.home.set_seconds_left(-60);
    setup.world.clear_all();
    setup.world.set(Behaviour::Always503);
    setup.doctor().only(&[("token", "FAIL", "HTTP 503")]);
}

#[test]
fn a_captive_portal_before_the_issuer() {
    let page = ("200 OK", vec!["content-type: text/html".to_owned()], "<html>Sign in to the Wi-Fi</html>".to_owned());
    let portal = Scripted::start(|_| vec![page]);
    let setup = Setup::aks_without_sign_in(World::start());
    let authority = setup.world.authority();
    setup.rewrite(|text| text.replace(&authority, &format!("{}/", portal.url())));
    let signed_out = ("session", "FAIL", "not signed in");
    setup.doctor().only(&[signed_out, ("issuer", "FAIL", "captive portal")]);

    let setup = Setup::oidc();
    setup.world.set(Behaviour::NotJsonDiscovery);
    setup.doctor().only(&[("issuer", "FAIL", "something else than an OpenID Connect document")]);
}

#[test]
fn an_issuer_whose_certificate_nobody_knows() {
    let setup = Setup::aks_without_sign_in(World::start());
    let (plain, secure) = (setup.world.authority(), setup.world.tls_authority());
    setup.rewrite(|text| text.replace(&plain, &secure));
    let signed_out = ("session", "FAIL", "not signed in");
    setup.doctor().only(&[
        signed_out,
        ("issuer", "FAIL", "--certificate-authority FILE in the kubeconfig user's exec.args, or with SSL_CERT_FILE"),
    ]);
    let ca = setup.world.ca_file().display().to_string();
    let report = setup.doctor_in(&[("SSL_CERT_FILE", &ca)]);
    report.only(&[signed_out]);
    report.says("issuer", "OK", &format!("trusted besides the system: {ca} (SSL_CERT_FILE)"));
    setup.replace("\"--login\"", "\"--insecure-skip-tls-verify\"\n      - \"--login\"");
    setup.doctor().only(&[signed_out, ("issuer", "WARN", "certificates are not checked")]);
}

#[test]
fn an_issuer_of_another_name() {
    let setup = Setup::oidc();
    setup.world.set(Behaviour::WrongIssuer);
    setup.doctor().only(&[("issuer", "FAIL", "the issuer calls itself \"https://issuer.example.invalid\"")]);
}

#[test]
fn a_tenant_that_does_not_exist() {
    let setup = Setup::aks_without_sign_in(World::start());
    setup.replace(sim::TENANT, "nobody.example");
    let report = setup.doctor();
    report
        .only(&[("session", "FAIL", "kubectl login sim"), ("issuer", "FAIL", "there is no such tenant in this cloud")]);
    report.says("issuer", "FAIL", "--tenant-id");
}

#[test]
fn a_proxy_that_is_dead() {
    let setup = Setup::aks();
    setup.replace("    server: ", "    proxy-url: http://user:PASSWORD@127.0.0.1:1\n    server: ");
    let report = setup.doctor();
    report.only(&[("proxy", "FAIL", "the proxy http://127.0.0.1:1 before https://127.0.0.1:")]);
    report.says("proxy", "FAIL", "kubeconfig cluster's proxy-url");
    report.skips(&["server", "cluster"]);

    let setup = Setup::aks_without_sign_in(World::start());
    let authority = setup.world.authority();
    setup.rewrite(|text| text.replace(&authority, "https://login.example.invalid/"));
    let report = setup.doctor_in(&[("HTTPS_PROXY", "127.0.0.1:1")]);
    report.only(&[
        ("session", "FAIL", "not signed in"),
        ("proxy", "FAIL", "the proxy http://127.0.0.1:1 before https://login.example.invalid is of no use"),
    ]);
    report.skips(&["issuer"]);
}

#[test]
fn a_proxy_that_works_is_named() {
    let proxy = Scripted::start(|_| vec![("502 Bad Gateway", Vec::new(), String::new())]);
    let setup = Setup::aks_without_sign_in(World::start());
    let authority = setup.world.authority();
    setup.rewrite(|text| text.replace(&authority, "https://login.example.invalid/"));
    let address = format!("http://user:PASSWORD@127.0.0.1:{}", proxy.port);
    let report = setup.doctor_in(&[("https_proxy", &address)]);
    let words = format!("https://login.example.invalid through http://127.0.0.1:{}", proxy.port);
    report.says("proxy", "OK", &words);
    report.says("issuer", "FAIL", "https://login.example.invalid");
    let report = setup.doctor_in(&[("https_proxy", &address), ("NO_PROXY", ".example.invalid")]);
    report.says("proxy", "OK", "https://login.example.invalid directly");
}

#[test]
fn an_api_server_that_is_down() {
    let setup = Setup::aks();
    let server = setup.world.kube_url();
    setup.rewrite(|text| text.replace(&server, "https://127.0.0.1:1"));
    let report = setup.doctor();
    report.only(&[("server", "FAIL", "https://127.0.0.1:1 cannot be reached")]);
    report.skips(&["cluster", "identity"]);
    setup.rewrite(|text| text.replace("https://127.0.0.1:1", "https://api.example.invalid"));
    setup.doctor().only(&[("server", "FAIL", "https://api.example.invalid cannot be reached")]);
    setup.rewrite(|text| text.replace("    server: https://api.example.invalid\n", ""));
    setup.doctor().only(&[("server", "FAIL", "names no API server")]);
}

#[test]
fn an_api_server_with_the_wrong_certificate_authority() {
    let setup = Setup::aks();
    let other = World::start().aks_kubeconfig("x");
    let line = |text: &str| text.lines().find(|line| line.contains("certificate-authority-data")).unwrap().to_owned();
    setup.rewrite(|text| text.replace(&line(text), &line(&other)));
    let report = setup.doctor();
    report.only(&[("server", "FAIL", "is not trusted")]);
    report.says("server", "FAIL", "certificate-authority");
    report.skips(&["cluster"]);
    setup.rewrite(|text| text.replace(&line(text), "    certificate-authority: ca-that-is-nowhere.pem"));
    setup.doctor().only(&[("server", "FAIL", ".kube/ca-that-is-nowhere.pem cannot be read")]);
    let line = |text: &str| text.lines().find(|line| line.contains("certificate-authority")).unwrap().to_owned();
    setup.rewrite(|text| text.replace(&line(text), "    insecure-skip-tls-verify: true"));
    setup.doctor().only(&[("server", "WARN", "its certificate is not checked")]);
}

#[test]
fn an_api_server_that_says_nothing_of_use() {
    for (behaviour, words) in [
        (Behaviour::KubeStalls, "did not answer in time"),
        (Behaviour::KubeDown, "is not available (HTTP 503)"),
        (Behaviour::KubeHtml, "is not a Kubernetes API server"),
    ] {
        let setup = Setup::aks();
        setup.home.shorten_limits(4);
        setup.world.set(behaviour);
        let report = setup.doctor();
        report.only(&[("server", "FAIL", words)]);
        report.skips(&["cluster", "identity"]);
    }
}

#[test]
fn an_older_api_server_does_not_say_who_you_are() {
    let setup = Setup::aks();
    setup.world.set(Behaviour::KubeNoReviews);
    let report = setup.doctor();
    report.only(&[]);
    report.skips(&["cluster", "identity"]);
}

#[test]
fn an_api_server_that_knows_you_and_tells_nothing() {
    let said = json_response("403 Forbidden", &serde_json::json!({ "kind": "Status", "message": "no" }));
    let server = Scripted::start(|_| vec![said]);
    let setup = Setup::aks();
    let url = setup.world.kube_url();
    setup.rewrite(|text| text.replace(&url, &server.url()));
    let report = setup.doctor();
    report.only(&[("server", "WARN", "kubectl sends no credentials to an http address")]);
    report.says("cluster", "OK", "knows you");
    // Whether it is there is asked without the token.
    let asked = server.requests();
    let glance = asked.iter().find(|asked| asked.text.starts_with("GET /version ")).unwrap();
    assert!(!glance.text.to_lowercase().contains("authorization"), "{}", glance.text);
}

#[test]
fn ctrl_c_ends_it() {
    let setup = Setup::oidc();
    setup.world.set(Behaviour::StallDiscovery);
    setup.world.reset_requests();
    let mut command = setup.command(&["doctor"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(setup.world.wait_for(HANG, |log| log.count("/openid-configuration") > 0));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
