//! Entra's access tokens: the claims about the subject and about groups, and the errors instead of a token.

use serde_json::{Value, json};
use sim::{ALICE, Behaviour, CLIENT, SERVER, Step, TENANT, World, group_ids};

use crate::client::{get, get_with_token};
use crate::code_client::{both, claims, entra};

fn token_claims(world: &World) -> Value {
    let tokens = entra(world).sign_in(world).json();
    let pods = format!("{}/api/v1/pods", world.kube_url());
    let token = tokens["access_token"].as_str().expect("a token");
    assert_eq!(get_with_token(world, &pods, token).status, 200, "the cluster accepts it in any format");
    claims(&tokens["access_token"])
}

fn source(claims: &Value) -> &str {
    assert_eq!((&claims["_claim_names"]["groups"], &claims["groups"]), (&json!("src1"), &Value::Null));
    claims["_claim_sources"]["src1"]["endpoint"].as_str().expect("an endpoint")
}

#[test]
fn groups_are_in_the_token_up_to_200() {
    let world = World::start();
    world.set_groups(200);
    assert_eq!(token_claims(&world)["groups"], json!(group_ids(200)));
    world.set_groups(201);
    let over = token_claims(&world);
    let oid = over["oid"].as_str().expect("an oid");
    assert_eq!(source(&over), format!("https://graph.windows.net/{TENANT}/users/{oid}/getMemberObjects"));
    assert_eq!((over["wids"].as_array().map(Vec::len), &over["roles"]), (Some(1), &Value::Null));

    world.set(Behaviour::Hasgroups);
    let over = token_claims(&world);
    assert_eq!(
        (&over["hasgroups"], &over["_claim_names"], &over["groups"]),
        (&json!(true), &Value::Null, &Value::Null)
    );
    world.set(Behaviour::NoGroupsClaim);
    assert_eq!(token_claims(&world)["hasgroups"], Value::Null);

    world.clear_all();
    let named = ["00000007-0000-4000-8000-000000000000".to_owned()];
    world.set_group_ids(Some(named.to_vec()));
    world.set_roles(&["Reader"]);
    let few = token_claims(&world);
    assert_eq!((&few["groups"], &few["roles"]), (&json!(named), &json!(["Reader"])));
    world.set_group_ids(None);
    assert!(source(&token_claims(&world)).contains("/users/"), "201 again");
}

#[test]
fn contact_with_hostile_claim_source_is_counted() {
    let world = World::start_with(&[Behaviour::HostileClaimSource]);
    world.set_groups(201);
    let claims = token_claims(&world);
    assert_eq!(world.claim_source_contacted(), 0);
    assert_eq!(get(&world, source(&claims)).json()["value"], json!(group_ids(201)));
    assert_eq!(world.claim_source_contacted(), 1);
}

#[test]
fn service_principals_and_guests_have_other_claims() {
    let world = World::start();
    world.set_groups(201);
    world.sign_in_app_only(true);
    let tokens = entra(&world).sign_in(&world).json();
    assert_eq!((&tokens["id_token"], &tokens["client_info"]), (&Value::Null, &Value::Null));
    let app = token_claims(&world);
    assert_eq!((&app["idtyp"], &app["appid"], &app["oid"]), (&json!("app"), &json!(CLIENT), &app["sub"]));
    assert!(["scp", "upn", "unique_name", "name"].iter().all(|name| app[name].is_null()), "{app}");
    assert!(source(&app).contains("/servicePrincipals/"), "{app}");

    world.sign_in_guest(true);
    let guest = token_claims(&world);
    assert_eq!((&guest["upn"], &guest["unique_name"]), (&Value::Null, &json!("live.com#guest@outlook.example")));
    assert_eq!((&guest["idp"], &guest["email"]), (&json!("live.com"), &json!("guest@outlook.example")));
    world.sign_in_guest(false);
    assert_eq!(token_claims(&world)["upn"], ALICE);
}

#[test]
fn tokens_can_have_other_formats() {
    let world = World::start_with(&[Behaviour::SpnAudience]);
    assert_eq!(token_claims(&world)["aud"], format!("spn:{SERVER}"));
    world.clear_all();
    world.set(Behaviour::Version2Tokens);
    let claims = token_claims(&world);
    assert_eq!(claims["iss"], format!("{}{TENANT}/v2.0", world.authority()));
    assert_eq!((&claims["ver"], &claims["azp"], &claims["azpacr"]), (&json!("2.0"), &json!(CLIENT), &json!("0")));
    assert_eq!(
        (&claims["preferred_username"], &claims["upn"], &claims["appid"]),
        (&json!(ALICE), &Value::Null, &Value::Null)
    );
}

#[test]
fn ordered_errors_are_returned_for_each_step() {
    let world = World::start();
    for client in both(&world) {
        let tokens = client.sign_in(&world).json();
        let challenge = json!({ "access_token": { "acrs": { "essential": true, "value": "c1" } } }).to_string();
        world.refuse_unless_claims(Step::Refresh, json!({ "error": "interaction_required", "claims": challenge }));
        let refused = client.refresh(&world, &tokens["refresh_token"]);
        assert_eq!((refused.status, refused.error().as_str()), (400, "interaction_required"));
        assert_eq!(
            (&refused.json()["claims"], &refused.json()["error_description"]),
            (&json!(challenge), &Value::Null)
        );
        let with_claims = [("claims", challenge.as_str())];
        assert_eq!(client.refresh_with(&world, &tokens["refresh_token"], &with_claims).status, 200);

        world.refuse(Step::Code, json!({ "error": "invalid_grant", "error_codes": [53003] }));
        let refused = client.sign_in(&world).json();
        assert_eq!(refused["error_codes"], json!([53003]));
        let entra = client.token.contains("oauth2");
        assert!(["trace_id", "correlation_id", "timestamp"].iter().all(|name| refused[name].is_string() == entra));
        world.stop_refusing();
        assert_eq!(client.sign_in(&world).status, 200);
    }
}
