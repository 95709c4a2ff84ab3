//! The world behaves like real servers, and misbehaves only on request.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::client::{Response, get, get_with_token, post, send};
use serde_json::Value;
use sim::{BOB, Behaviour, CLIENT, OIDC_CLIENT, OTHER_SERVER, SERVER, TENANT, World};

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const TICK: Duration = Duration::from_secs(1);

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

fn entra(world: &World, endpoint: &str) -> String {
    format!("{}{TENANT}/oauth2/v2.0/{endpoint}", world.authority())
}

fn entra_device(world: &World) -> Value {
    let scope = format!("{SERVER}/.default openid offline_access profile");
    let response = post(world, &entra(world, "devicecode"), &[("client_id", CLIENT), ("scope", &scope)]);
    assert_eq!(response.status, 200, "{}", response.body);
    response.json()
}

fn entra_poll(world: &World, device: &Value) -> Response {
    let code = text(device, "device_code");
    let fields = [("grant_type", DEVICE_CODE), ("client_id", CLIENT), ("device_code", code), ("client_info", "1")];
    post(world, &entra(world, "token"), &fields)
}

fn entra_sign_in(world: &World) -> Value {
    let device = entra_device(world);
    world.approve(text(&device, "user_code"));
    world.advance(TICK);
    entra_poll(world, &device).json()
}

fn entra_refresh(world: &World, token: &str, resource: &str) -> Response {
    let scope = format!("{resource}/.default openid offline_access profile");
    let fields = [("grant_type", "refresh_token"), ("client_id", CLIENT), ("refresh_token", token), ("scope", &scope)];
    post(world, &entra(world, "token"), &fields)
}

fn oidc_sign_in(world: &World, more: &[(&str, &str)], verifier: &str) -> Response {
    let mut fields = vec![("client_id", OIDC_CLIENT), ("scope", "openid offline_access")];
    fields.extend(more);
    let device = post(world, &format!("{}/device", world.issuer()), &fields).json();
    world.approve_pending();
    world.advance(TICK);
    let code = text(&device, "device_code");
    let fields =
        [("grant_type", DEVICE_CODE), ("client_id", OIDC_CLIENT), ("device_code", code), ("code_verifier", verifier)];
    post(world, &format!("{}/token", world.issuer()), &fields)
}

fn oidc_refresh(world: &World, token: &str) -> Response {
    let fields = [("grant_type", "refresh_token"), ("client_id", OIDC_CLIENT), ("refresh_token", token)];
    post(world, &format!("{}/token", world.issuer()), &fields)
}

#[test]
fn cluster_accepts_token_from_entra_device_code() {
    let world = World::start();
    let device = entra_device(&world);
    assert_eq!(device["interval"], 1);
    assert!(device.get("verification_uri_complete").is_none());
    assert_eq!(world.wait_for_device_request(1, Duration::ZERO), [text(&device, "user_code")]);

    let early = entra_poll(&world, &device);
    assert_eq!((early.error().as_str(), world.polls_too_early()), ("slow_down", 1));
    world.advance(TICK);
    let pending = entra_poll(&world, &device);
    assert_eq!((pending.status, pending.error().as_str()), (400, "authorization_pending"));
    assert_eq!(pending.json()["error_codes"], serde_json::json!([70016]));
    world.advance(TICK);
    let tokens = entra_poll(&world, &device).json();
    assert_eq!(tokens["expires_in"], 3600);
    text(&tokens, "id_token");
    text(&tokens, "client_info");
    assert_eq!(entra_poll(&world, &device).error(), "bad_verification_code", "a code works once");

    let pods = format!("{}/api/v1/namespaces/default/pods", world.kube_url());
    let listed = get_with_token(&world, &pods, text(&tokens, "access_token"));
    assert_eq!(listed.json()["items"][0]["metadata"]["name"], "hello");
    assert_eq!(get_with_token(&world, &pods, text(&tokens, "id_token")).status, 401, "wrong audience");
    let anonymous = get(&world, &pods);
    assert_eq!((anonymous.status, anonymous.json()["kind"].as_str()), (401, Some("Status")));
    world.set_clock_offset(3_601);
    assert_eq!(get_with_token(&world, &pods, text(&tokens, "access_token")).status, 401, "expired");
}

#[test]
fn entra_refresh_tokens_are_valid_for_clusters_but_not_graph() {
    let world = World::start();
    let tokens = entra_sign_in(&world);
    let first = text(&tokens, "refresh_token");
    let other = entra_refresh(&world, first, OTHER_SERVER);
    assert_eq!(other.status, 200);
    assert_ne!(text(&other.json(), "refresh_token"), first);
    assert_eq!(entra_refresh(&world, first, SERVER).status, 200, "the old one stays valid");
    let graph = entra_refresh(&world, first, "https://graph.microsoft.com").json();
    assert_eq!((text(&graph, "error"), graph["error_codes"][0].as_u64()), ("invalid_grant", Some(65002)));
    world.set(Behaviour::RefreshMfa);
    let challenged = entra_refresh(&world, first, SERVER).json();
    assert_eq!(text(&challenged, "suberror"), "basic_action");
    assert!(serde_json::from_str::<Value>(text(&challenged, "claims")).is_ok(), "claims is a string of JSON");
    world.clear_all();
    world.revoke_all();
    assert_eq!(text(&entra_refresh(&world, first, SERVER).json(), "suberror"), "bad_token");
    assert_eq!(world.refreshes().len(), 5);
}

#[test]
fn pkce_binds_device_code_to_its_client() {
    let world = World::start();
    // The pair of RFC 7636 appendix B.
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let challenge =
        [("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"), ("code_challenge_method", "S256")];
    assert_eq!(oidc_sign_in(&world, &challenge, "another-verifier").error(), "invalid_grant");
    assert_eq!(oidc_sign_in(&world, &challenge, verifier).status, 200);
}

#[test]
fn used_refresh_token_revokes_its_family() {
    let world = World::start();
    let first = oidc_sign_in(&world, &[], "").json();
    let first = text(&first, "refresh_token");
    let second = oidc_refresh(&world, first).json();
    assert_eq!(world.families_revoked(), 0);
    assert_eq!(oidc_refresh(&world, first).error(), "invalid_grant");
    assert_eq!(oidc_refresh(&world, text(&second, "refresh_token")).error(), "invalid_grant");
    assert_eq!(world.families_revoked(), 1);
}

#[test]
fn only_own_client_can_revoke_refresh_token() {
    let world = World::start();
    let revoke = format!("{}/revoke", world.issuer());
    let tokens = oidc_sign_in(&world, &[], "").json();
    let token = text(&tokens, "refresh_token");
    assert_eq!(post(&world, &revoke, &[("token", token)]).error(), "invalid_client");
    let next = oidc_refresh(&world, token).json();
    let token = text(&next, "refresh_token");
    assert_eq!(post(&world, &revoke, &[("token", token), ("client_id", OIDC_CLIENT)]).status, 200);
    assert_eq!(oidc_refresh(&world, token).error(), "invalid_grant");
    assert_eq!(post(&world, &revoke, &[("token", "unknown"), ("client_id", OIDC_CLIENT)]).status, 200);
}

/// Other systems have only one address on the loopback interface.
#[cfg(target_os = "linux")]
#[test]
fn other_address_is_in_the_certificate() {
    let world = World::start_on(std::net::Ipv4Addr::new(127, 0, 0, 2).into());
    let issuer = world.tls_issuer();
    assert!(issuer.starts_with("https://127.0.0.2:"), "{issuer}");
    assert_eq!(get(&world, &format!("{issuer}/.well-known/openid-configuration")).json()["issuer"], issuer);
}

#[test]
fn issuer_over_tls_is_the_requested_url() {
    let world = World::start();
    let found = get(&world, &format!("{}/.well-known/openid-configuration", world.tls_issuer())).json();
    assert_eq!(text(&found, "issuer"), world.tls_issuer());
    let tenant = get(&world, &format!("{}common/v2.0/.well-known/openid-configuration", world.tls_authority()));
    assert_eq!(text(&tenant.json(), "issuer"), format!("{}{TENANT}/v2.0", world.tls_authority()));
}

#[test]
fn client_secret_is_accepted_by_form_and_basic() {
    let world = World::start();
    world.set_client_secret(Some("s3 cret"));
    let device = format!("{}/device", world.issuer());
    let fields = [("client_id", OIDC_CLIENT), ("scope", "openid")];
    assert_eq!(post(&world, &device, &fields).error(), "invalid_client");
    assert_eq!(post(&world, &device, &[fields[0], fields[1], ("client_secret", "s3 cret")]).status, 200);
    let headers = [
        "content-type: application/x-www-form-urlencoded".to_owned(),
        // kubernetes:s3+cret
        "authorization: Basic a3ViZXJuZXRlczpzMytjcmV0".to_owned(),
    ];
    assert_eq!(send(&world, "POST", &device, &headers, "scope=openid").status, 200);
}

#[test]
fn users_deny_and_other_users_sign_in() {
    let world = World::start();
    let device = entra_device(&world);
    assert!(world.deny(text(&device, "user_code")));
    world.advance(TICK);
    assert_eq!(entra_poll(&world, &device).error(), "authorization_declined");

    world.set(Behaviour::OtherUser);
    let tokens = entra_sign_in(&world);
    let url = format!("{}/apis/authentication.k8s.io/v1/selfsubjectreviews", world.kube_url());
    let bearer = format!("authorization: Bearer {}", text(&tokens, "access_token"));
    let review = send(&world, "POST", &url, &[bearer], "{}").json();
    assert_eq!(review["status"]["userInfo"]["username"], BOB);
}

#[test]
fn behaviours_have_names_and_take_effect() {
    for behaviour in Behaviour::ALL {
        assert_eq!(Behaviour::from_name(behaviour.name()), Some(*behaviour));
    }
    let world = World::start_with(&[Behaviour::ConnectionResetWhilePolling, Behaviour::NumbersAsStrings]);
    let device = entra_device(&world);
    assert_eq!(device["expires_in"], "900");
    assert_eq!(entra_poll(&world, &device).status, 0);
    world.set(Behaviour::RedirectToken);
    let redirect = entra_poll(&world, &device);
    assert_eq!((redirect.status, world.redirects_followed()), (307, 0));
    world.clear_all();
    world.set(Behaviour::Token503WithRetryAfter);
    let unavailable = entra_poll(&world, &device);
    assert!(unavailable.status == 503 && unavailable.head.contains("retry-after: 2"), "{}", unavailable.head);
    world.clear_all();
    world.set(Behaviour::ServerError);
    assert_eq!(entra_poll(&world, &device).status, 500);
    assert_ne!(entra_poll(&world, &device).status, 500);
    world.set(Behaviour::OversizedAnswer);
    assert!(entra_poll(&world, &device).body.len() > 2 << 20);
    world.set(Behaviour::Stall);
    let answered = world.requests().iter().filter(|request| request.status != 0).count();
    assert!(answered >= 5);
}

#[test]
fn plain_issuer_can_refuse_codes_and_keys() {
    let world = World::start_with(&[Behaviour::DeviceGrantNotAllowed, Behaviour::Keys503]);
    let fields = [("client_id", OIDC_CLIENT), ("scope", "openid")];
    assert_eq!(post(&world, &format!("{}/device", world.issuer()), &fields).error(), "unauthorized_client");
    entra_device(&world);
    let keys = format!("{}/keys", world.issuer());
    assert_eq!(get(&world, &keys).status, 503);
    world.set(Behaviour::StallKeys);
    let host = keys.split('/').nth(2).expect("a host");
    let mut stalled = TcpStream::connect(host).expect("the server listens");
    write!(stalled, "GET /oidc/keys HTTP/1.1\r\nhost: {host}\r\n\r\n").expect("the server reads");
    assert!(world.wait_for(Duration::from_secs(60), |log| log.count("/keys") == 2));
    stalled.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    assert!(stalled.read(&mut [0]).is_err());
}

#[test]
fn keys_can_rotate() {
    let world = World::start();
    let keys = format!("{}/keys", world.issuer());
    let kids = |world: &World| get(world, &keys).json()["keys"].as_array().map_or(0, Vec::len);
    world.set(Behaviour::IdTokenUnknownKidOnce);
    assert_eq!((kids(&world), kids(&world)), (1, 2));
    world.clear_all();
    world.rotate_keys();
    assert_eq!(text(&get(&world, &keys).json()["keys"][1], "kid"), "sim-2");
}
