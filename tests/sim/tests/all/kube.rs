//! The cluster identifies its users correctly, and misbehaves only on request.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use sim::{ALICE, Behaviour, OTHER_SERVER, World, group_ids};

use crate::client::{Response, get, get_with_token, post_json, send};
use crate::code_client::{claims, entra, oidc};

fn token(tokens: &Value, name: &str) -> String {
    tokens[name].as_str().expect("a token").to_owned()
}

fn entra_token(world: &World) -> String {
    token(&entra(world).sign_in(world).json(), "access_token")
}

fn review(world: &World, token: &str) -> Response {
    let url = format!("{}/apis/authentication.k8s.io/v1/selfsubjectreviews", world.kube_url());
    post_json(world, &url, token, &json!({}))
}

/// The groups of a review, without the one that every user is in.
fn groups(world: &World, token: &str) -> Vec<String> {
    let groups = review(world, token).json()["status"]["userInfo"]["groups"].clone();
    let mut groups: Vec<String> = serde_json::from_value(groups).expect("a list");
    let all = groups.len();
    groups.retain(|group| group != "system:authenticated");
    assert_eq!(groups.len() + 1, all);
    groups
}

#[test]
fn cluster_knows_more_than_200_groups() {
    let world = World::start();
    for count in [0, 3, 200, 201, 5_000] {
        world.set_groups(count);
        assert_eq!(groups(&world, &entra_token(&world)), group_ids(count));
    }
    let old = entra_token(&world);
    world.set_groups(2);
    assert_eq!(groups(&world, &old), group_ids(2), "from the directory");
    let old = entra_token(&world);
    world.set_groups(3);
    assert_eq!(groups(&world, &old), group_ids(2), "from the token");
    world.set(Behaviour::KubeDropsGroups);
    assert_eq!(groups(&world, &old), group_ids(1));
    world.clear_all();

    world.set_groups(201);
    world.set(Behaviour::KubeIgnoresOverage);
    assert_eq!(groups(&world, &entra_token(&world)), [""; 0]);
    world.clear_all();
    world.set(Behaviour::NoGroupsClaim);
    assert_eq!(groups(&world, &entra_token(&world)), [""; 0]);
}

#[test]
fn users_have_names_and_ids() {
    let world = World::start();
    let user = |token: &str| review(&world, token).json()["status"]["userInfo"].clone();
    let bearer = entra_token(&world);
    let oid = &claims(&json!(bearer))["oid"];
    let entra = user(&bearer);
    assert_eq!((&entra["username"], &entra["uid"], &entra["extra"]["oid"]), (&json!(ALICE), oid, &json!([oid])));
    world.set(Behaviour::KubePrefixes);
    let prefixed = user(&bearer);
    assert_eq!(prefixed["username"], format!("oidc:{ALICE}"));
    assert_eq!(prefixed["groups"][0], format!("oidc:{}", group_ids(1)[0]));
    world.clear_all();
    world.sign_in_guest(true);
    assert_eq!(user(&entra_token(&world))["username"], *oid, "a guest's user name is the object id");
    world.sign_in_app_only(true);
    let app = user(&entra_token(&world));
    assert!(app["username"] == app["uid"] && app["uid"] != *oid, "{app}");

    let plain = user(&token(&oidc(&world).sign_in(&world).json(), "id_token"));
    assert_eq!(
        (&plain["username"], &plain["uid"], &plain["groups"][0]),
        (&json!(ALICE), &Value::Null, &json!("group-1"))
    );
}

#[test]
fn cluster_behaviours_take_effect() {
    let world = World::start();
    let token = entra_token(&world);
    let under = |behaviour| {
        world.clear_all();
        world.set(behaviour);
        review(&world, &token)
    };
    assert_eq!(under(Behaviour::KubeNoReviews).status, 404);
    let down = under(Behaviour::KubeDown);
    assert_eq!((down.status, &down.json()["kind"]), (503, &json!("Status")));
    let page = under(Behaviour::KubeHtml);
    assert!(page.status == 200 && page.head.contains("text/html"), "{}", page.head);
    assert_eq!(under(Behaviour::KubeOtherAudience).status, 401);
    let other = entra(&world).with("scope", &format!("{OTHER_SERVER}/.default"));
    let other = other.sign_in(&world).json();
    assert_eq!(review(&world, other["access_token"].as_str().expect("a token")).status, 201);
}

#[test]
fn stalled_request_gets_no_response() {
    let world = Arc::new(World::start_with(&[Behaviour::KubeStalls]));
    let asking = Arc::clone(&world);
    // Never ends by itself; the test does not wait for it.
    thread::spawn(move || get(&asking, &format!("{}/version", asking.kube_url())));
    assert!(world.wait_for(Duration::from_secs(60), |log| log.count("/version") == 1));
    world.clear_all();
    assert_eq!(get(&world, &format!("{}/version", world.kube_url())).status, 401);
    assert_eq!(world.requests()[0].status, 0);
}

#[test]
fn aggregated_discovery_matches_single_documents() {
    let world = World::start();
    let token = entra_token(&world);
    let ask = |path: &str| get_with_token(&world, &format!("{}{path}", world.kube_url()), &token).json();
    let aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let mut resources = 0;
    for path in ["/api", "/apis"] {
        let headers = [format!("authorization: Bearer {token}"), format!("accept: {aggregated},application/json")];
        let response = send(&world, "GET", &format!("{}{path}", world.kube_url()), &headers, "");
        assert!(response.head.contains(&aggregated.to_lowercase()), "{}", response.head);
        for group in response.json()["items"].as_array().expect("groups") {
            let place = match group["metadata"]["name"].as_str() {
                None => "/api/v1".to_owned(),
                Some(name) => format!("/apis/{name}/v1"),
            };
            let listed = ask(&place)["resources"].clone();
            let listed: Vec<&Value> = listed.as_array().expect("resources").iter().map(|one| &one["name"]).collect();
            for one in group["versions"][0]["resources"].as_array().expect("resources") {
                assert!(listed.contains(&&one["resource"]), "{one}");
                for part in one["subresources"].as_array().into_iter().flatten() {
                    let text = |value: &Value| value.as_str().expect("a name").to_owned();
                    let name = format!("{}/{}", text(&one["resource"]), text(&part["subresource"]));
                    assert!(listed.contains(&&json!(name)), "{name}");
                }
                resources += 1;
            }
        }
    }
    assert!(resources > 15);
    assert_eq!(ask("/apis")["kind"], "APIGroupList");
    assert_eq!(ask("/apis/apps")["preferredVersion"]["groupVersion"], "apps/v1");
    assert_eq!(ask("/apis/example.com/v1")["resources"][0]["shortNames"], json!(["wd"]));
}
