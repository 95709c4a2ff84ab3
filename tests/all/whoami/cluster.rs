//! The cluster's view: whom the token authenticates there, and what can prevent a response.

use serde_json::{Value, json};
use sim::{Behaviour, Server, World};

use super::{Case, OWN, ids};
use crate::common::scripted::Scripted;
use crate::common::socks::Socks;
use crate::common::{JSON, Run, closed_port, in_parallel};

/// Asserts that the token's part is printed, and why the cluster's part is missing.
#[track_caller]
fn assert_without_cluster(case: &Case, words: &[&str]) {
    let run = case.whoami(&JSON);
    let whoami = run.object();
    assert_eq!((run.code, &whoami["cluster"], &whoami["groups"]["count"]), (Some(0), &Value::Null, &json!(3)), "{run}");
    assert!(run.stderr.starts_with("Warning: ") && run.stderr.contains("\nNext: "), "{run}");
    run.assert_stderr(words);
    let table = case.whoami(&["--groups"]);
    assert!(table.code == Some(0) && table.stdout.contains("identity not reported"), "{table}");
    table.assert_stderr(words);
}

#[test]
fn unusable_response_keeps_the_token_part() {
    let behaviours = [
        (Behaviour::KubeStalls, "did not answer in time"),
        (Behaviour::KubeDown, "not available (HTTP 503)"),
        (Behaviour::KubeHtml, "is not a Kubernetes API server"),
        (Behaviour::KubeUnauthorized, "does not accept the token (HTTP 401)"),
        (Behaviour::KubeOtherAudience, "--server-id"),
        (Behaviour::KubeNoReviews, "too old"),
    ];
    in_parallel(behaviours, |(behaviour, words)| {
        let case = Case::entra(&[]).signed_in();
        case.home.shorten_limits(3);
        case.world.set(behaviour);
        assert_without_cluster(&case, &[&case.world.kube_url(), words]);
    });
}

#[test]
fn unreachable_server_keeps_the_token_part() {
    let case = Case::entra(&[]).signed_in();
    let other = World::start();
    let (_socket, port) = closed_port();
    case.edit_cluster(|cluster| cluster["server"] = json!(format!("https://127.0.0.1:{port}")));
    assert_without_cluster(&case, &["cannot be reached", "HTTPS_PROXY"]);
    case.edit_cluster(|cluster| cluster["server"] = json!(other.kube_url()));
    assert_without_cluster(&case, &["certificate", "not trusted", "certificate-authority"]);
    assert!(other.requests().is_empty(), "the token was sent to an untrusted server");
    case.edit_cluster(|cluster| cluster["server"] = json!("http://cluster.example"));
    assert_without_cluster(&case, &["only https is allowed"]);
    case.edit_cluster(|cluster| {
        cluster.as_object_mut().unwrap().remove("server");
    });
    assert_without_cluster(&case, &["names no API server", "kubectl config set-cluster"]);
}

#[test]
fn groups_that_the_cluster_does_not_see_are_named_without_prefix() {
    for case in [Case::entra(&[]), Case::oidc(&[])] {
        let case = case.signed_in();
        case.world.set(Behaviour::KubePrefixes);
        let view = case.json(&[])["cluster"].clone();
        assert_eq!((&view["username"], &view["missingGroups"]), (&json!("oidc:alice@contoso.example"), &json!([])));
        case.world.set(Behaviour::KubeDropsGroups);
        let whoami = case.json(&[]);
        assert_eq!(whoami["cluster"]["missingGroups"], json!([ids(&whoami)[2]]));
        assert_eq!(whoami["cluster"]["groupsCount"], 3);
        let table = case.whoami(&[]);
        assert!(table.stdout.contains("does not see 1 group of yours"), "{table}");
    }
}

#[test]
fn cluster_without_overage_support_misses_all_graph_groups() {
    let case = Case::entra(&OWN).groups(201).signed_in();
    case.world.set(Behaviour::KubeIgnoresOverage);
    let whoami = case.json(&[]);
    assert_eq!((&whoami["groups"]["source"], &whoami["cluster"]["groupsCount"]), (&json!("graph"), &json!(1)));
    assert_eq!(whoami["cluster"]["missingGroups"], json!(sim::group_ids(201)));
    let table = case.whoami(&[]);
    assert!(table.stdout.contains("does not see 201 groups of yours"), "{table}");
}

/// If neither Graph nor the cluster knows the groups, the command fails only if groups were requested.
#[test]
fn unknown_groups_fail_only_if_requested() {
    let case = Case::entra(&[]).groups(201).signed_in();
    case.world.set(Behaviour::KubeIgnoresOverage);
    for (more, code) in [(&[][..], 0), (&["--groups"], 1), (&["--names"], 1), (&["--filter", "a"], 1)] {
        let run = case.whoami(&[&JSON, more].concat());
        let groups = run.object()["groups"].clone();
        let nothing = json!({ "count": 0, "source": "none", "complete": false, "overage": true, "items": [] });
        assert_eq!((run.code, groups), (Some(code), nothing), "{run}");
        run.assert_stderr(&["Warning: not all of your groups are known", "--graph-client-id", "\nNext: "]);
        let table = case.whoami(more);
        assert!(table.code == Some(code) && table.stdout.contains("not known; more than a token carries"), "{table}");
    }
}

#[test]
fn cluster_gets_one_request_with_its_own_token() {
    let case = Case::entra(&[]).groups(201).signed_in();
    let token = case.get_token(&[]).token();
    case.json(&["--groups"]);
    let asked = case.requests(Server::Kube);
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].header("authorization"), format!("Bearer {token}"));
}

#[test]
fn api_server_behind_a_proxy_is_reached_with_any_certificate_name() {
    let case = Case::entra(&[]).signed_in();
    let port: u16 = case.world.kube_url().rsplit_once(':').unwrap().1.parse().unwrap();
    let socks = Socks::start(port, None, 0);
    for (scheme, server_name) in [("socks5", "localhost"), ("socks5h", "login.example.invalid")] {
        case.edit_cluster(|cluster| {
            cluster["server"] = json!("https://kube.example.invalid:6443");
            cluster["tls-server-name"] = json!(server_name);
            cluster["proxy-url"] = json!(format!("{scheme}://127.0.0.1:{}", socks.port));
        });
        assert_eq!(case.json(&[])["cluster"]["username"], sim::ALICE);
    }
    assert!(socks.requests().iter().all(|asked| asked == "kube.example.invalid:6443"), "{:?}", socks.requests());
}

#[test]
fn refusing_cluster_proxy_is_named_with_proxy_url() {
    let case = Case::entra(&[]).signed_in();
    let proxy = Scripted::start(|_| vec![("403 Forbidden", Vec::new(), String::new())]);
    case.edit_cluster(|cluster| {
        cluster["server"] = json!("https://kube.example.invalid");
        cluster["proxy-url"] = json!(proxy.url());
    });
    let said = format!("the proxy {} does not connect to https://kube.example.invalid (HTTP 403)", proxy.url());
    assert_without_cluster(&case, &[&said, "Ask the proxy's administrator", "remove proxy-url"]);
}

/// The messages depend only on the server's address, because nothing responds there.
#[test]
fn unreachable_aks_servers_have_specific_advice() {
    let credentials = "az aks get-credentials --resource-group GROUP --name CLUSTER";
    for (server, words) in [
        ("https://prod-1a2b3c4d.hcp.westeurope.azmk8s.io:443", &["deleted, stopped or created again", credentials][..]),
        (
            "https://prod-1a2b3c4d.0f1e2d3c.privatelink.westeurope.azmk8s.io:443",
            &["This AKS cluster is private", "private DNS zone", credentials],
        ),
    ] {
        let case = Case::entra(&[]).signed_in();
        case.edit_cluster(|cluster| cluster["server"] = json!(server));
        assert_without_cluster(&case, words);
    }
}

#[test]
fn private_api_server_behind_a_proxy_suggests_no_proxy() {
    let case = Case::entra(&[]).signed_in();
    let proxy = Scripted::start(|_| vec![("503 Service Unavailable", Vec::new(), String::new())]);
    for (server, host) in [
        ("https://10.20.30.40:6443", "10.20.30.40"),
        ("https://a.b.privatelink.westeurope.azmk8s.io", "a.b.privatelink.westeurope.azmk8s.io"),
    ] {
        case.edit_cluster(|cluster| cluster["server"] = json!(server));
        let mut command = case.home.plugin(&["whoami"]);
        let run = Run::of(command.env("HTTPS_PROXY", proxy.url()));
        run.assert_stderr(&[&format!("Next:  {host} is private: add it to NO_PROXY"), &proxy.url()]);
    }
}
