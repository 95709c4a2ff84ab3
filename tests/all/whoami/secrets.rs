//! A look-up must not show a token, send one to the wrong server, or slow kubectl down.

use std::fs;

use sim::{Behaviour, Server};

use super::{Case, OWN};
use crate::common::{ALWAYS, JSON, claims};

/// The token in `Authorization: Bearer`.
fn bearer(request: &sim::Request) -> &str {
    request.header("authorization").strip_prefix("Bearer ").unwrap_or_default()
}

#[test]
fn get_token_contacts_neither_graph_nor_userinfo_nor_cluster() {
    for case in [Case::entra(&OWN), Case::entra(&["--graph-client-id", sim::OWN_CLIENT]), Case::oidc(&[])] {
        case.world.set(Behaviour::GroupsOnlyInUserinfo);
        let case = case.groups(201);
        case.get_token(&ALWAYS);
        case.get_token(&[]);
        case.home.set_seconds_left(20);
        case.get_token(&[]);
        let asked = case.world.requests();
        let elsewhere = asked.iter().find(|request| {
            matches!(request.server, Server::Graph | Server::Kube) || request.path.ends_with("/userinfo")
        });
        assert!(elsewhere.is_none(), "{elsewhere:?}");
    }
}

#[test]
fn tokens_are_sent_to_their_own_servers_and_never_shown() {
    let case = Case::entra(&OWN).paged(2_500).signed_in();
    let run = case.whoami(&["-v9", "-o", "json", "--names", "--refresh"]);
    let second = case.whoami(&["--v=9", "--names"]);
    let login = case.home.run(&["--v=9", "--refresh"]);
    assert_eq!((run.code, second.code, login.code), (Some(0), Some(0), Some(0)), "{}", run.stderr);
    assert!(!run.stderr.is_empty(), "nothing was logged");
    let mut secrets: Vec<String> =
        case.world.refreshes().iter().map(|sent| sent.field("refresh_token").into()).collect();
    for request in case.world.requests() {
        let audience = match request.server {
            Server::Kube => sim::SERVER.to_owned(),
            Server::Graph => case.world.graph_url(),
            _ => {
                assert_eq!(bearer(&request), "", "{}", request.path);
                continue;
            }
        };
        assert_eq!(claims(bearer(&request))["aud"], audience, "{}", request.path);
        secrets.push(bearer(&request).to_owned());
    }
    secrets.dedup();
    assert!(secrets.len() > 3, "too few tokens to look for");
    for (secret, run) in secrets.iter().flat_map(|secret| [&run, &second, &login].map(|run| (secret, run))) {
        let signature = secret.rsplit('.').next().unwrap();
        for text in [&run.stdout, &run.stderr] {
            assert!(!text.contains(secret.as_str()) && !text.contains(signature), "a token is shown");
        }
    }
    // Tokens are not readable on disk either.
    for folder in ["sessions", "tokens", "groups", "documents"] {
        for file in case.home.files(folder) {
            let text = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
            assert!(secrets.iter().all(|secret| !text.contains(secret.as_str())));
        }
    }
}

#[test]
fn kubectl_never_gets_the_graph_token() {
    let case = Case::entra(&OWN).groups(201).signed_in();
    case.whoami(&JSON);
    let graph = bearer(&case.requests(Server::Graph)[0]).to_owned();
    for seconds in [3_000, 200, 20, -60] {
        case.home.set_seconds_left(seconds);
        let token = case.get_token(&[]).token();
        assert_ne!(token, graph);
        assert_eq!(claims(&token)["aud"], sim::SERVER);
    }
    // A kubeconfig that requests it is refused.
    let args = ["get-token", "--server-id", "https://graph.microsoft.com", "--client-id", sim::OWN_CLIENT];
    let authority = case.world.authority();
    let run = case.home.run(&[&args[..], &["--tenant-id", sim::TENANT, "--authority-host", &authority]].concat());
    assert!(run.code != Some(0) && run.stdout.is_empty(), "{run}");
    let base = case.world.graph_url();
    let own = ["get-token", "--server-id", &base, "--client-id", sim::OWN_CLIENT, "--tenant-id", sim::TENANT];
    let run = case.home.run(&[&own[..], &["--authority-host", &authority]].concat());
    assert!(!run.stdout.contains(&graph), "kubectl got a cached token for Graph: {run}");
}

/// Entra may invalidate a refresh token once it was used, so the new one from a Graph request must be stored.
#[test]
fn refresh_token_from_a_graph_request_is_stored() {
    let case = Case::entra(&OWN).groups(201);
    case.world.set(Behaviour::RotatedRefreshToken);
    let case = case.signed_in();
    for _ in 0..2 {
        case.json(&["--refresh"]);
        case.home.set_seconds_left(20);
        case.get_token(&[]);
    }
    assert_eq!(case.world.families_revoked(), 0);
    assert!(case.world.device_requests().is_empty());
}
