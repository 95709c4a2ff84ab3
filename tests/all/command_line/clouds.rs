//! `--environment`, `--authority-host`, and a cloud that a file describes.

use std::path::Path;

use serde_json::json;
use sim::World;

use crate::common::scripted::Scripted;
use crate::common::{AKS, ALWAYS, Home, Run, entra};

/// The arguments for the cloud in AZURE_ENVIRONMENT_FILEPATH.
fn stack(more: &[&str]) -> Vec<String> {
    let cloud = ["--environment", "AzureStackCloud"];
    AKS.iter().chain(&cloud).chain(&ALWAYS).chain(more).map(|word| (*word).to_owned()).collect()
}

fn run_with_file(home: &Home, file: &Path, args: &[String]) -> Run {
    Run::of(home.new_caller(args).env("AZURE_ENVIRONMENT_FILEPATH", file))
}

#[test]
fn unknown_environment_lists_the_known_ones() {
    let home = Home::new();
    let args = ["get-token", "--server-id", "s", "--client-id", "c", "--tenant-id", "t", "-e", "AzureGermanCloud"];
    for more in [&[][..], &["--authority-host", "https://login.example.invalid/"]] {
        home.run(&[&args[..], more].concat()).assert_failed(
            2,
            &["AzureGermanCloud", "AzurePublicCloud", "AzureUSGovernmentCloud", "AzureChinaCloud", "AzureStackCloud"],
        );
    }
}

#[test]
fn unsafe_authority_is_refused() {
    let (world, home) = (World::start(), Home::new());
    for host in ["http://login.example.invalid/", "file:///etc/passwd", "login", "https://h/?x=1", "https://u:p@h/"] {
        let run = home.run(&entra(&world, &["--authority-host", host, "--prompt", "always"]));
        run.assert_failed(2, &["--authority-host", "\nNext: "]);
    }
    assert!(world.requests().is_empty());
}

#[test]
fn tenant_cannot_change_the_host() {
    let (world, home) = (World::start(), Home::new());
    for tenant in ["../oidc", "a/b", "t?x", "t#x", "..", "a b"] {
        home.run(&entra(&world, &["--tenant-id", tenant, "--prompt", "always"])).assert_failed(2, &["--tenant-id"]);
    }
    assert!(world.requests().is_empty());
}

#[test]
fn stack_cloud_requires_a_valid_file() {
    let home = Home::new();
    home.run(&stack(&[])).assert_failed(1, &["AZURE_ENVIRONMENT_FILEPATH", "\nNext: "]);
    let file = home.path().join("cloud.json");
    run_with_file(&home, &file, &stack(&[])).assert_failed(1, &["cloud.json", "cannot be read"]);
    for (text, word) in [
        ("{", "not as expected"),
        ("[]", "not as expected"),
        ("{}", "not as expected"),
        (r#"{"activeDirectoryEndpoint": 7}"#, "not as expected"),
        (r#"{"activeDirectoryEndpoint": ""}"#, "activeDirectoryEndpoint"),
        (r#"{"activeDirectoryEndpoint": "http://login.stack.example"}"#, "activeDirectoryEndpoint"),
        (r#"{"activeDirectoryEndpoint": "login.stack.example"}"#, "activeDirectoryEndpoint"),
        (
            r#"{"activeDirectoryEndpoint": "https://login.stack.example", "resourceManagerEndpoint": "http://arm.stack.example"}"#,
            "resourceManagerEndpoint",
        ),
        (
            r#"{"activeDirectoryEndpoint": "https://login.stack.example", "microsoftGraphEndpoint": "ftp://g"}"#,
            "microsoftGraphEndpoint",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        run_with_file(&home, &file, &stack(&[])).assert_failed(1, &["cloud.json", word, "\nNext: "]);
    }
}

#[test]
fn stack_cloud_file_requires_https_even_for_loopback() {
    let (world, home) = (World::start(), Home::new());
    let file = home.path().join("cloud.json");
    std::fs::write(&file, json!({ "activeDirectoryEndpoint": world.authority() }).to_string()).unwrap();
    run_with_file(&home, &file, &stack(&[])).assert_failed(1, &["activeDirectoryEndpoint", "https"]);
    assert!(world.requests().is_empty());
}

#[test]
fn stack_cloud_uses_the_host_in_its_file() {
    let (world, home) = (World::start(), Home::new());
    let file = home.path().join("cloud.json");
    // As operators provide it, with fields that the plugin does not read.
    let cloud = json!({
        "name": "AzureStackCloud",
        "managementPortalURL": "https://portal.stack.example/",
        "activeDirectoryEndpoint": world.tls_authority(),
        "resourceManagerEndpoint": "https://management.stack.example/",
        "microsoftGraphEndpoint": "https://graph.stack.example/",
    });
    std::fs::write(&file, cloud.to_string()).unwrap();
    let ca = world.ca_file().to_str().unwrap();
    run_with_file(&home, &file, &stack(&["--certificate-authority", ca])).token();
    assert!(world.requests().iter().all(|request| request.tls));
    assert_eq!(world.device_requests().len(), 1);
}

#[test]
fn cloud_file_is_only_read_for_stack_without_authority_host() {
    let home = Home::new();
    let file = home.path().join("broken.json");
    std::fs::write(&file, "{").unwrap();
    // The real host, through a proxy that rejects all requests.
    let proxy = Scripted::start(|_| vec![("403 Forbidden", Vec::new(), String::new())]);
    let public = stack(&["--environment", "AzurePublicCloud", "--timeout", "1s"]);
    let run = Run::of(home.plugin(&public).env("AZURE_ENVIRONMENT_FILEPATH", &file).env("HTTPS_PROXY", proxy.url()));
    run.assert_failed(1, &["https://login.microsoftonline.com"]);
    assert!(proxy.requests()[0].text.starts_with("CONNECT login.microsoftonline.com:443 "), "{:?}", proxy.requests());

    let world = World::start();
    run_with_file(&home, &file, &stack(&["--authority-host", &world.authority()])).token();
}
