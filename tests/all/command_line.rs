//! `get-token` as its callers run it: flags, environment and `KUBERNETES_EXEC_INFO`, and the output. `command_line/`
//! tests
//! prompts and the other commands.

mod audiences;
mod clouds;
mod commands;
mod dialects;
mod next_steps;
mod prompts;
mod versions;
mod words;

use crate::common;
use std::process::Stdio;

use crate::common::{ALWAYS, Home, PLUGIN, Run, V1, V1BETA1, entra, in_parallel, oidc};
use serde_json::json;
use sim::World;

/// The plugin with `KUBERNETES_EXEC_INFO` set.
fn run_with_info(home: &Home, args: &[String], info: &str) -> Run {
    Run::of(home.plugin(args).env("KUBERNETES_EXEC_INFO", info))
}

#[test]
fn output_is_one_line_with_exactly_an_exec_credential() {
    let (world, home) = (World::start(), Home::new());
    let run = home.run(&entra(&world, &ALWAYS));
    let token = run.token();
    let exp = chrono::DateTime::from_timestamp(common::claims(&token)["exp"].as_i64().unwrap(), 0).unwrap();
    let expected = json!({
        "apiVersion": V1BETA1,
        "kind": "ExecCredential",
        "status": { "expirationTimestamp": exp.format("%Y-%m-%dT%H:%M:%SZ").to_string(), "token": token },
    });
    assert_eq!(run.credential(), expected);
    assert_eq!(run.stdout, format!("{expected}\n"), "not compact");
}

#[test]
fn requested_version_is_returned_with_unusual_exec_info() {
    let (world, home) = (World::start(), Home::new());
    let args = entra(&world, &[]);
    home.run(&entra(&world, &ALWAYS)).token();
    assert_eq!(home.run(&args).credential()["apiVersion"], V1BETA1);
    let cluster = json!({ "server": world.kube_url(), "certificate-authority-data": "Zm9v", "extensions": [1] });
    let v1 = |info: serde_json::Value| (info.to_string(), V1);
    for (info, expected) in [
        (String::new(), V1BETA1),
        ("{}".to_owned(), V1BETA1),
        (json!({ "apiVersion": V1BETA1, "kind": "ExecCredential", "spec": {} }).to_string(), V1BETA1),
        v1(json!({ "apiVersion": V1, "kind": "ExecCredential", "spec": { "interactive": true } })),
        v1(json!({ "apiVersion": V1, "kind": "ExecCredentials", "spec": { "interactive": false } })),
        v1(json!({ "apiVersion": V1, "spec": { "cluster": cluster, "interactive": "yes" } })),
        v1(json!({ "apiVersion": V1, "kind": "ExecCredential" })),
        v1(json!({ "apiVersion": V1, "kind": 7, "spec": [], "status": null })),
        v1(json!({ "APIVERSION": V1, "Kind": null, "SPEC": { "Cluster": null, "Interactive": null } })),
        (format!(r#"{{"apiVersion":"{V1BETA1}","apiversion":"{V1}","spec":null}}"#), V1),
        ("null".to_owned(), V1BETA1),
        (json!({ "apiVersion": null, "spec": null }).to_string(), V1BETA1),
        (json!({ "kind": "ExecCredential", "spec": { "cluster": "prod" } }).to_string(), V1BETA1),
    ] {
        let run = run_with_info(&home, &args, &info);
        assert_eq!(run.credential()["apiVersion"], expected, "{info}");
        assert_eq!(run.stderr, "", "{info}");
    }
}

#[test]
fn unusable_exec_info_is_an_error_before_any_request() {
    let (world, home) = (World::start(), Home::new());
    let alpha = json!({ "apiVersion": "client.authentication.k8s.io/v1alpha1", "kind": "ExecCredential" }).to_string();
    for (info, word) in [
        (alpha.as_str(), "client.authentication.k8s.io/v1alpha1"),
        (r#"{"apiVersion":"client.authentication.k8s.io/v2"}"#, "client.authentication.k8s.io/v2"),
        (r#"{"apiversion":"client.authentication.k8s.io/v3"}"#, "client.authentication.k8s.io/v3"),
        ("interactive=true", "not JSON"),
        ("{\"apiVersion\":", "not JSON"),
        ("[]", "not a JSON object"),
        ("\"client.authentication.k8s.io/v1\"", "not a JSON object"),
    ] {
        let run = run_with_info(&home, &entra(&world, &ALWAYS), info);
        run.assert_failed(1, &[word, "\nNext: "]);
    }
    assert!(world.requests().is_empty());
}

#[test]
fn missing_flags_are_named_together() {
    let home = Home::new();
    let server = ["--server-id", sim::SERVER];
    let client = ["--client-id", sim::CLIENT];
    let tenant = ["--tenant-id", sim::TENANT];
    let issuer = ["--oidc-issuer-url", "https://issuer.example.invalid"];
    for (given, missing) in [
        (&server[..], &["--client-id", "--tenant-id"][..]),
        (&client[..], &["--server-id", "--tenant-id"]),
        (&tenant[..], &["--server-id", "--client-id"]),
        (&[server, client].concat(), &["--tenant-id"]),
        (&[server, tenant].concat(), &["--client-id"]),
        (&[client, tenant].concat(), &["--server-id"]),
        (&[server, client, ["--tenant-id", ""]].concat(), &["--tenant-id"]),
        (&[client, tenant, ["--server-id", ""]].concat(), &["--server-id"]),
        (&issuer[..], &["--oidc-client-id"]),
        (&["--oidc-client-id", "kubernetes"][..], &["--oidc-issuer-url"]),
    ] {
        let run = home.run(&[&["get-token"], given, &ALWAYS].concat());
        run.assert_failed(2, missing);
        assert!(run.stderr.contains("\nNext: "), "{run}");
    }
}

#[test]
fn klog_and_passive_peer_flags_are_ignored() {
    let (world, home) = (World::start(), Home::new());
    let token = home.run(&entra(&world, &ALWAYS)).token();
    for more in [
        &["--logtostderr", "--stderrthreshold=2", "--vmodule=a=1", "--log_dir", "/tmp", "--skip_headers=true"][..],
        &["--alsologtostderr=false", "--one_output", "--log_file=/dev/null", "--log_file_max_size=1", "-v=0"],
        &["--add_dir_header=false", "--skip_log_headers", "--log_backtrace_at=:0", "--v=0"],
        &["--legacy=false", "--disable-instance-discovery", "--force-refresh=false", "--timeout", "30s"],
    ] {
        let run = home.run(&entra(&world, more));
        assert_eq!(run.token(), token);
        assert_eq!(run.stderr, "");
    }
}

#[test]
fn flags_before_the_command_are_accepted() {
    let (world, home) = (World::start(), Home::new());
    let folder = format!("--token-cache-dir={}", home.path().join("apart").display());
    let with = |before: &[&str], more: &[&str]| {
        let before: Vec<String> = before.iter().map(|word| (*word).to_owned()).collect();
        home.run(&[before, entra(&world, more)].concat())
    };
    let token = with(&[], &ALWAYS).token();
    for before in [&["-v1"][..], &["-v", "1"], &["-v=1"], &["--v=1"], &["--logtostderr=false"], &["--skip_headers"]] {
        assert_eq!(with(before, &[]).token(), token, "{before:?}");
    }
    let apart = with(&[&folder], &ALWAYS).token();
    assert_ne!(apart, token);
    assert_eq!(with(&[], &[&folder]).token(), apart);
}

#[test]
fn short_flags_equal_long_flags() {
    let (world, home) = (World::start(), Home::new());
    let authority = world.authority();
    let long = entra(&world, &ALWAYS);
    let token = home.run(&long).token();
    let short = [
        "get-token",
        "-v",
        "1",
        "-e",
        "AzurePublicCloud",
        "-t",
        sim::TENANT,
        "-l",
        "devicecode",
        "--server-id",
        sim::SERVER,
        "--client-id",
        sim::CLIENT,
        "--authority-host",
        &authority,
    ];
    assert_eq!(home.run(&short).token(), token);
    let glued = [&short[..1], &["-v5", "-eAzureCloud", "-ldevicecode"], &short[5..7], &short[9..]].concat();
    assert_eq!(home.run(&glued).token(), token);
}

#[test]
fn plugin_works_under_the_names_of_both_peers() {
    let (world, home) = (World::start(), Home::new());
    in_parallel(
        [("kubelogin", entra(&world, &ALWAYS)), ("kubectl-oidc_login", oidc(&world, &ALWAYS))],
        |(name, args)| {
            let link = home.path().join(name);
            std::os::unix::fs::symlink(PLUGIN, &link).unwrap();
            let link = link.to_str().unwrap();
            let token = Run::of(home.program(link).args(&args)).token();
            assert_eq!(home.run(&args[..args.len() - 2]).token(), token);
            let help = Run::of(home.program(link).args(["get-token", "--help"]));
            assert_eq!(help.code, Some(0), "{help}");
            assert!(help.stdout.contains(&name.replace("kubectl-oidc_login", "kubectl oidc-login")), "{help}");
        },
    );
}

#[test]
fn help_and_version_succeed() {
    let home = Home::new();
    for args in [&["--version"][..], &["-V"], &["version"]] {
        let run = home.run(args);
        run.assert_silent_success();
        assert!(run.stdout.contains(env!("CARGO_PKG_VERSION")), "{run}");
    }
    for (args, word) in [
        (&["--help"][..], "get-token"),
        (&["-h"], "logout"),
        (&["get-token", "--help"], "--server-id"),
        (&["get-token", "-h"], "--oidc-issuer-url"),
        (&["status", "--help"], "--output"),
        (&["logout", "--help"], "--all"),
        (&["help"], "get-token"),
        (&["help", "logout"], "--all"),
    ] {
        let run = home.run(args);
        run.assert_silent_success();
        assert!(run.stdout.contains(word), "{run}");
    }
    assert!(!home.state().exists());
}

#[test]
fn unknown_flags_and_extra_arguments_exit_with_2() {
    let (world, home) = (World::start(), Home::new());
    for args in
        [entra(&world, &["--no-such-flag"]), vec!["one".into(), "two".into()], entra(&world, &["--timeout", "5"])]
    {
        let run = home.run(&args);
        run.assert_failed(2, &["Error: ", "\nNext: "]);
    }
    assert!(world.requests().is_empty());
}

#[test]
fn closed_pipe_is_one_error_and_keeps_the_session() {
    let (world, home) = (World::start(), Home::new());
    let mut child = home.plugin(&entra(&world, &ALWAYS)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let run = Run::wait(child);
    assert_eq!(run.code, Some(1), "{run}");
    assert_eq!(run.stderr.matches("Error: ").count(), 1, "{run}");
    assert!(run.stderr.contains("cannot be written to stdout") && run.stderr.contains("\nNext: "), "{run}");
    world.reset_requests();
    home.run(&entra(&world, &[])).token();
    assert!(world.requests().is_empty());
}

#[test]
fn closed_stdout_does_not_crash() {
    let (world, home) = (World::start(), Home::new());
    let script = r#""$0" "$@" >&-"#;
    let run = Run::of(home.program("sh").args(["-c", script, PLUGIN]).args(entra(&world, &ALWAYS)));
    // Rust opens /dev/null in place of a closed stream, so this succeeds without output; it must not crash.
    assert!(matches!(run.code, Some(0 | 1)), "{run}");
    assert!(!run.stderr.contains("panicked"), "{run}");
    let warm = home.run(&entra(&world, &[]));
    assert_eq!(warm.code == Some(0), !world.requests().is_empty(), "{warm}");
}
