//! Where the plain issuer says which groups somebody is in.

use serde_json::{Value, json};
use sim::{Behaviour, World};

use crate::client::{Answer, get, get_with_token};
use crate::code_client::{claims, oidc};

/// The claims of the ID token, and what the userinfo endpoint answers.
fn both_places(world: &World) -> (Value, Answer) {
    let tokens = oidc(world).sign_in(world).json();
    let userinfo = format!("{}/userinfo", world.issuer());
    let answer = get_with_token(world, &userinfo, tokens["access_token"].as_str().expect("a token"));
    (claims(&tokens["id_token"]), answer)
}

#[test]
fn groups_are_in_both_places_until_told_otherwise() {
    let world = World::start();
    world.set_groups(2);
    let (token, userinfo) = both_places(&world);
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
    assert_eq!(both_places(&world).0["groups"], json!(["ops"]));

    world.set(Behaviour::GroupsOnlyInUserinfo);
    let (token, userinfo) = both_places(&world);
    assert_eq!(
        (&token["groups"], &token["roles"], &userinfo.json()["groups"]),
        (&Value::Null, &Value::Null, &json!(["ops"]))
    );
    world.set(Behaviour::NoGroupsAnywhere);
    let (token, userinfo) = both_places(&world);
    assert_eq!((&token["groups"], &userinfo.json()["groups"]), (&Value::Null, &Value::Null));
}

#[test]
fn the_userinfo_endpoint_goes_wrong() {
    let world = World::start_with(&[Behaviour::UserinfoOtherSubject]);
    let (token, userinfo) = both_places(&world);
    assert!(userinfo.status == 200 && userinfo.json()["sub"] != token["sub"], "{}", userinfo.body);
    world.set(Behaviour::UserinfoUnavailable);
    assert_eq!(both_places(&world).1.status, 503);
    let discovery = || get(&world, &format!("{}/.well-known/openid-configuration", world.issuer())).json();
    assert!(discovery()["userinfo_endpoint"].is_string());
    world.set(Behaviour::NoUserinfoEndpoint);
    assert_eq!(discovery()["userinfo_endpoint"], Value::Null);
}
