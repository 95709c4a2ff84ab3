//! Where the plain issuer returns a user's groups.

use serde_json::{Value, json};
use sim::{Behaviour, World};

use crate::client::{Response, get, get_with_token};
use crate::code_client::{claims, oidc};

/// The claims of the ID token, and the response of the userinfo endpoint.
fn id_token_and_userinfo(world: &World) -> (Value, Response) {
    let tokens = oidc(world).sign_in(world).json();
    let userinfo = format!("{}/userinfo", world.issuer());
    let response = get_with_token(world, &userinfo, tokens["access_token"].as_str().expect("a token"));
    (claims(&tokens["id_token"]), response)
}

#[test]
fn groups_are_in_id_token_and_userinfo() {
    let world = World::start();
    world.set_groups(2);
    let (token, userinfo) = id_token_and_userinfo(&world);
    let userinfo = userinfo.json();
    for claims in [&token, &userinfo] {
        assert_eq!(
            (&claims["groups"], &claims["roles"]),
            (&json!(["group-1", "group-2"]), &json!(["role-1", "role-2"]))
        );
        assert_eq!(claims["department"], "engineering");
    }
    assert_eq!(token["sub"], userinfo["sub"]);
    world.set_group_ids(Some(vec!["ops".to_owned()]));
    assert_eq!(id_token_and_userinfo(&world).0["groups"], json!(["ops"]));

    world.set(Behaviour::GroupsOnlyInUserinfo);
    let (token, userinfo) = id_token_and_userinfo(&world);
    assert_eq!(
        (&token["groups"], &token["roles"], &userinfo.json()["groups"]),
        (&Value::Null, &Value::Null, &json!(["ops"]))
    );
    world.set(Behaviour::NoGroupsAnywhere);
    let (token, userinfo) = id_token_and_userinfo(&world);
    assert_eq!((&token["groups"], &userinfo.json()["groups"]), (&Value::Null, &Value::Null));
}

#[test]
fn userinfo_behaviours_take_effect() {
    let world = World::start_with(&[Behaviour::UserinfoOtherSubject]);
    let (token, userinfo) = id_token_and_userinfo(&world);
    assert!(userinfo.status == 200 && userinfo.json()["sub"] != token["sub"], "{}", userinfo.body);
    world.set(Behaviour::UserinfoUnavailable);
    assert_eq!(id_token_and_userinfo(&world).1.status, 503);
    let discovery = || get(&world, &format!("{}/.well-known/openid-configuration", world.issuer())).json();
    assert!(discovery()["userinfo_endpoint"].is_string());
    world.set(Behaviour::NoUserinfoEndpoint);
    assert_eq!(discovery()["userinfo_endpoint"], Value::Null);
}
