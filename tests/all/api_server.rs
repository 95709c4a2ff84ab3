//! Requests to an API server: which certificates are trusted, what is sent, and how unusual responses are handled. The
//! tests call the library as the commands do, because they check what the server sees.

use std::time::Duration;

use crate::common::scripted::{Scripted, ScriptedResponse, json_response};
use crate::common::{HANG, Home, block_on, entra};
use base64::Engine as _;
use kubectl_login::messages::kube::api_error;
use kubectl_login_core::http::TransportErrorKind;
use kubectl_login_core::http::network::{EnvironmentRoots, Network};
use kubectl_login_core::kube::api::{ApiClient, ApiError};
use kubectl_login_core::kube::kubeconfig::KubeconfigCluster;
use kubectl_login_core::kube::review::{
    AccessRequest, AccessTarget, ResourceAttributes, SubjectAccessReviewStatus, review_access, who_am_i,
};
use kubectl_login_core::secret::Secret;
use serde_json::{Value, json};
use sim::World;

pub(crate) fn api(cluster: &KubeconfigCluster, token: &str) -> ApiClient {
    ApiClient::new(cluster, &Network::default(), &Secret::new(token), HANG).unwrap()
}

/// The world's cluster, with the certificate authority that its kubeconfigs have.
pub(crate) fn cluster(world: &World) -> KubeconfigCluster {
    KubeconfigCluster {
        server: Some(world.kube_url()),
        certificate_authority_data: Some(base64::engine::general_purpose::STANDARD.encode(world.ca_pem())),
        ..KubeconfigCluster::default()
    }
}

/// An API server with scripted responses, and a client for it.
fn scripted(script: Vec<ScriptedResponse>) -> (Scripted, ApiClient) {
    let server = Scripted::start(|_| script);
    let api = api(&KubeconfigCluster { server: Some(server.url()), ..KubeconfigCluster::default() }, "TOKEN");
    (server, api)
}

fn first_lines(server: &Scripted) -> Vec<String> {
    server.requests().iter().map(|request| request.text.lines().next().unwrap().to_owned()).collect()
}

#[test]
fn review_returns_the_user_of_a_token() {
    let (world, home) = (World::start(), Home::new());
    let token = home.run(&entra(&world, &["--prompt", "always"])).token();
    let review = block_on(who_am_i(&api(&cluster(&world), &token))).unwrap();
    assert_eq!(review.username, sim::ALICE);
    assert!(review.groups.contains(&"system:authenticated".to_owned()), "{review:?}");
}

#[test]
fn only_the_cluster_certificate_authority_is_trusted() {
    let world = World::start();
    let outcome = |cluster: &KubeconfigCluster| block_on(who_am_i(&api(cluster, "no token"))).unwrap_err();
    let is_distrusted = |failure: &ApiError| matches!(failure, ApiError::Unreachable(error) if matches!(error.kind, TransportErrorKind::Certificate(_)));
    let right = cluster(&world);
    assert!(matches!(outcome(&right), ApiError::Unauthorized));
    let file = KubeconfigCluster {
        certificate_authority: Some(world.ca_file().to_owned()),
        certificate_authority_data: None,
        ..right.clone()
    };
    assert!(matches!(outcome(&file), ApiError::Unauthorized));

    let other = World::start();
    let wrong =
        KubeconfigCluster { certificate_authority_data: cluster(&other).certificate_authority_data, ..right.clone() };
    // Neither SSL_CERT_FILE nor insecure-skip-tls-verify, which kubectl does not allow beside a certificate authority.
    let network = Network {
        environment_roots: EnvironmentRoots { file: Some(world.ca_file().to_owned()), folders: Vec::new() },
        ..Network::default()
    };
    let unsafely = KubeconfigCluster { insecure_skip_tls_verify: true, ..wrong.clone() };
    for cluster in [&wrong, &unsafely] {
        let api = ApiClient::new(cluster, &network, &Secret::new("t"), HANG).unwrap();
        let failure = block_on(who_am_i(&api)).unwrap_err();
        assert!(is_distrusted(&failure), "{failure}");
        assert!(api_error(&failure, &api, "ask").what.starts_with("cannot ask: the certificate of https://127.0.0.1:"));
    }
    let none = KubeconfigCluster { certificate_authority_data: None, ..right };
    assert!(is_distrusted(&outcome(&none)));
    let api = ApiClient::new(&none, &network, &Secret::new("t"), HANG).unwrap();
    assert!(
        matches!(block_on(who_am_i(&api)).unwrap_err(), ApiError::Unauthorized),
        "SSL_CERT_FILE is used without one"
    );
    assert!(matches!(outcome(&KubeconfigCluster { insecure_skip_tls_verify: true, ..none }), ApiError::Unauthorized));
}

#[test]
fn certificate_for_another_name_needs_tls_server_name() {
    let world = World::start();
    let named = |name: &str| KubeconfigCluster { tls_server_name: Some(name.to_owned()), ..cluster(&world) };
    // The certificate is for localhost and 127.0.0.1, so no name has to be resolved.
    let failure = block_on(who_am_i(&api(&named("localhost"), "t"))).unwrap_err();
    assert!(matches!(failure, ApiError::Unauthorized), "{failure}");
    let failure = block_on(who_am_i(&api(&named("api.example.invalid"), "t"))).unwrap_err();
    assert!(failure.to_string().starts_with("the certificate of https://127.0.0.1:"), "{failure}");
}

#[test]
fn cluster_proxy_is_used_for_loopback_too() {
    let proxy = Scripted::start(|_| vec![("403 Forbidden", Vec::new(), String::new())]);
    let cluster = KubeconfigCluster {
        server: Some("https://127.0.0.1:1".to_owned()),
        proxy_url: Some(format!("http://user:pw@127.0.0.1:{}", proxy.port)),
        ..KubeconfigCluster::default()
    };
    let api = ApiClient::new(&cluster, &Network::default(), &Secret::new("TOKEN"), Duration::from_secs(1)).unwrap();
    let failure = block_on(who_am_i(&api)).unwrap_err();
    assert!(matches!(failure, ApiError::Unreachable(_)), "{failure}");
    let request = &proxy.requests()[0].text;
    assert!(request.starts_with("CONNECT 127.0.0.1:1 ") && request.contains("proxy-authorization: "), "{request}");
    assert!(!request.contains("TOKEN"));
}

#[test]
fn older_servers_get_their_api_version() {
    let absent = ("404 Not Found", Vec::new(), "404 page not found".to_owned());
    let review =
        json!({ "status": { "userInfo": { "username": "alice", "groups": null, "extra": { "oid": ["1"] } } } });
    let (server, api) = scripted(vec![absent.clone(), absent.clone(), json_response("201 Created", &review)]);
    let review = block_on(who_am_i(&api)).unwrap();
    assert_eq!((review.username.as_str(), review.groups.len()), ("alice", 0));
    let versions = ["v1", "v1beta1", "v1alpha1"]
        .map(|version| format!("POST /apis/authentication.k8s.io/{version}/selfsubjectreviews HTTP/1.1"));
    assert_eq!(first_lines(&server), versions);
    assert!(server.requests()[2].text.contains("authentication.k8s.io/v1alpha1\""));
    let (_server, api) = scripted(vec![absent]);
    assert!(matches!(block_on(who_am_i(&api)), Err(ApiError::NotFound)));
}

#[test]
fn all_versions_share_one_timeout() {
    let later = ("429 Too Many Requests", vec!["retry-after: 1".to_owned()], String::new());
    let absent = ("404 Not Found", Vec::new(), String::new());
    // Each version takes a second, which is below the limit.
    let server = Scripted::start(|_| (0..3).flat_map(|_| [later.clone(), absent.clone()]).collect());
    let cluster = KubeconfigCluster { server: Some(server.url()), ..KubeconfigCluster::default() };
    let api = ApiClient::new(&cluster, &Network::default(), &Secret::new("TOKEN"), Duration::from_secs(2)).unwrap();
    let failure = block_on(who_am_i(&api)).unwrap_err();
    assert!(failure.to_string().ends_with(" did not answer in time"), "{failure}");
}

#[test]
fn decision_reason_has_no_terminal_escapes() {
    let status = json!({ "allowed": true, "reason": "RBAC: \u{1b}[2Jallowed by", "evaluationError": null });
    let (server, api) = scripted(vec![json_response("201 Created", &json!({ "status": status }))]);
    let resource =
        ResourceAttributes { resource: "pods".into(), namespace: "dev".into(), ..ResourceAttributes::default() };
    let decision =
        block_on(review_access(&api, &AccessRequest { verb: "list".into(), target: AccessTarget::Resource(resource) }))
            .unwrap();
    let reason = "RBAC: [2Jallowed by".to_owned();
    assert_eq!(decision, SubjectAccessReviewStatus { allowed: true, reason, ..SubjectAccessReviewStatus::default() });
    block_on(review_access(&api, &AccessRequest { verb: "get".into(), target: AccessTarget::Path("/healthz".into()) }))
        .unwrap();
    let sent: Vec<Value> = server
        .requests()
        .iter()
        .map(|request| serde_json::from_str(request.text.split_once("\r\n\r\n").unwrap().1).unwrap())
        .collect();
    let attributes =
        json!({ "verb": "list", "group": "", "resource": "pods", "subresource": "", "namespace": "dev", "name": "" });
    assert_eq!(sent[0]["spec"], json!({ "resourceAttributes": attributes }));
    assert_eq!(sent[1]["spec"], json!({ "nonResourceAttributes": { "verb": "get", "path": "/healthz" } }));
    assert!(server.requests()[0].text.contains("authorization: Bearer TOKEN\r\n"));
}

#[test]
fn lists_are_read_by_page() {
    let page = |items: Value, next: &str| {
        json_response("200 OK", &json!({ "metadata": { "continue": next }, "items": items }))
    };
    let list = |api: &ApiClient| block_on(api.list::<i32>(&["api", "v1", "numbers"]));
    let numbers = |api: &ApiClient| list(api).unwrap();

    let (server, api) = scripted(vec![page(json!([1, 2]), "a&b"), page(json!(null), "c"), page(json!([3]), "")]);
    assert_eq!(numbers(&api), [1, 2, 3]);
    let expected =
        ["", "&continue=a%26b", "&continue=c"].map(|more| format!("GET /api/v1/numbers?limit=500{more} HTTP/1.1"));
    assert_eq!(first_lines(&server), expected);

    let (server, api) = scripted(vec![page(json!([1]), "again")]);
    assert!(matches!(list(&api), Err(ApiError::EndlessList)), "a list that loops is aborted");
    assert_eq!(server.requests().len(), 2);
    let many = |count: usize| Value::from(vec![0; count]);
    let (server, api) = scripted(vec![page(many(60_000), "a"), page(many(60_000), "b"), page(many(1), "")]);
    assert!(matches!(list(&api), Err(ApiError::EndlessList)), "more than in any cluster");
    assert_eq!(server.requests().len(), 2);
    let (_server, api) = scripted(vec![page(many(60_000), "a"), page(many(60_000), "")]);
    assert_eq!(numbers(&api).len(), 120_000, "all items are read");

    let gone = json_response("410 Gone", &json!({ "kind": "Status", "reason": "Expired", "message": "too old" }));
    let (server, api) = scripted(vec![page(json!([1]), "a"), gone, page(json!([1, 2, 3]), "")]);
    assert_eq!(numbers(&api), [1, 2, 3], "an expired list is read again without pages");
    assert_eq!(first_lines(&server)[2], "GET /api/v1/numbers HTTP/1.1");
}

#[test]
fn wrong_server_is_named_and_gets_no_token_twice() {
    let page = ("200 OK", vec!["content-type: text/html".to_owned()], "<html>Sign in</html>".to_owned());
    let (_server, api) = scripted(vec![page]);
    let failure = block_on(who_am_i(&api)).unwrap_err();
    assert!(matches!(failure, ApiError::NotKubernetes), "{failure}");
    assert!(api_error(&failure, &api, "ask").next.contains("captive portal"));

    let elsewhere = Scripted::start(|_| vec![("200 OK", Vec::new(), "{}".to_owned())]);
    let location = format!("location: {}/", elsewhere.url());
    let (_server, api) = scripted(vec![("307 Temporary Redirect", vec![location], String::new())]);
    for failure in [block_on(who_am_i(&api)).unwrap_err(), block_on(api.get::<Value>(&["version"])).unwrap_err()] {
        assert!(api_error(&failure, &api, "ask").what.ends_with("carries secrets"), "{failure}");
    }
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn token_in_an_error_is_hidden() {
    let token = "token-that-must-stay-secret";
    let said = json!({ "kind": "Status", "message": format!("no such user: {token}") });
    let decided = json!({ "status": { "allowed": false, "reason": format!("not for {token}") } });
    let server =
        Scripted::start(|_| vec![json_response("403 Forbidden", &said), json_response("201 Created", &decided)]);
    let api = api(&KubeconfigCluster { server: Some(server.url()), ..KubeconfigCluster::default() }, token);
    let failure = block_on(who_am_i(&api)).unwrap_err();
    assert_eq!(failure.to_string(), "no such user: [hidden]");
    let access = AccessRequest { verb: "list".to_owned(), target: AccessTarget::Path("/healthz".to_owned()) };
    assert_eq!(block_on(review_access(&api, &access)).unwrap().reason, "not for [hidden]");
}
