//! Graph lists the caller's groups, however many there are, and follows each misbehaviour.

use serde_json::{Value, json};
use sim::{Behaviour, OWN_CLIENT, Server, TENANT, World, group_ids};

use crate::client::{Response, get, get_with_token, post_json};
use crate::code_client::{Client, entra};

fn own_client(world: &World) -> Client {
    entra(world).with("client_id", OWN_CLIENT)
}

/// A token for Graph, with this spelling of the resource.
fn request_token(world: &World, client: &Client, resource: &str) -> Response {
    let tokens = client.sign_in(world).json();
    let scope = format!("{resource}/.default offline_access");
    client.refresh_with(world, &tokens["refresh_token"], &[("scope", &scope)])
}

fn graph_token(world: &World) -> String {
    let response = request_token(world, &own_client(world), &world.graph_url()).json();
    response["access_token"].as_str().expect("a token").to_owned()
}

fn member_groups(world: &World, token: &str) -> Response {
    let url = format!("{}/v1.0/me/getMemberGroups", world.graph_url());
    post_json(world, &url, token, &json!({ "securityEnabledOnly": false }))
}

fn first_page(world: &World, token: &str, top: usize) -> Response {
    let query = format!("$select=id,displayName&$top={top}");
    get_with_token(world, &format!("{}/v1.0/me/transitiveMemberOf?{query}", world.graph_url()), token)
}

fn next_page(world: &World, token: &str, page: &Response) -> Response {
    get_with_token(world, page.json()["@odata.nextLink"].as_str().expect("a link"), token)
}

fn ids(response: &Value, of: impl Fn(&Value) -> Option<&str>) -> Vec<String> {
    response["value"].as_array().into_iter().flatten().filter_map(of).map(str::to_owned).collect()
}

fn group_of(object: &Value) -> Option<&str> {
    object["id"].as_str().filter(|_| object["@odata.type"] == "#microsoft.graph.group")
}

fn code(response: &Response) -> (u16, String) {
    (response.status, response.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

fn failure(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn discovery_has_the_graph_host() {
    let world = World::start();
    for (authority, graph) in [(world.authority(), world.graph_url()), (world.tls_authority(), world.tls_graph_url())] {
        let found = get(&world, &format!("{authority}{TENANT}/v2.0/.well-known/openid-configuration")).json();
        assert_eq!(found["msgraph_host"], graph.split("://").nth(1).expect("a host"));
    }
}

#[test]
fn only_own_client_gets_graph_tokens() {
    let world = World::start();
    let spellings = [
        world.graph_url(),
        world.tls_graph_url(),
        "https://graph.microsoft.com".to_owned(),
        "00000003-0000-0000-c000-000000000000".to_owned(),
    ];
    for resource in spellings {
        let refused = request_token(&world, &entra(&world), &resource).json();
        assert_eq!((&refused["error"], &refused["error_codes"][0]), (&json!("invalid_grant"), &json!(65002)));
        let granted = request_token(&world, &own_client(&world), &resource).json();
        assert!(granted["scope"].as_str().is_some_and(|scope| scope.contains("/GroupMember.Read.All")), "{granted}");
        let token = granted["access_token"].as_str().expect("a token");
        assert_eq!(member_groups(&world, token).status, 200, "{resource}");
        let pods = format!("{}/api/v1/pods", world.kube_url());
        assert_eq!(get_with_token(&world, &pods, token).status, 401, "clusters do not accept it");
    }
    let scope = "https://graph.microsoft.com/GroupMember.Read.All https://graph.microsoft.com/User.Read";
    assert!(own_client(&world).with("scope", scope).callback(&world).contains_key("code"));
    let back = entra(&world).with("scope", scope).callback(&world);
    assert!(back["error_description"].starts_with("AADSTS65002"), "{back:?}");

    world.set(Behaviour::GraphNotConsented);
    let refused = request_token(&world, &own_client(&world), "https://graph.microsoft.com").json();
    assert_eq!((&refused["error"], &refused["suberror"]), (&json!("invalid_grant"), &json!("consent_required")));
    assert_eq!(own_client(&world).with("scope", scope).callback(&world)["error"], "consent_required");
}

#[test]
fn only_graph_tokens_are_accepted() {
    let world = World::start();
    let tokens = own_client(&world).sign_in(&world).json();
    let url = format!("{}/v1.0/me/transitiveMemberOf", world.graph_url());
    let foreign = get_with_token(&world, &url, tokens["access_token"].as_str().expect("a token"));
    let unauthorized = failure(401, "InvalidAuthenticationToken");
    assert_eq!((code(&foreign), code(&get(&world, &url))), (unauthorized.clone(), unauthorized.clone()));
    let token = graph_token(&world);
    let unknown = get_with_token(&world, &format!("{}/v1.0/me/photo", world.graph_url()), &token);
    assert_eq!(code(&unknown), failure(404, "Request_ResourceNotFound"));
    world.set_clock_offset(3_601);
    assert_eq!(code(&member_groups(&world, &token)), unauthorized);
}

#[test]
fn member_groups_are_limited_to_11000() {
    let world = World::start();
    let token = graph_token(&world);
    for count in [0, 3, 201, 11_000] {
        world.set_groups(count);
        let response = member_groups(&world, &token).json();
        assert_eq!(ids(&response, Value::as_str), group_ids(count));
    }
    world.set_groups(11_001);
    assert_eq!(code(&member_groups(&world, &token)), failure(400, "Directory_ResultSizeLimitExceeded"));
    world.set(Behaviour::GraphSizeLimit403);
    assert_eq!(code(&member_groups(&world, &token)), failure(403, "Directory_ResultSizeLimitExceeded"));
    world.set_group_ids(Some(vec!["abc".to_owned()]));
    assert_eq!(ids(&member_groups(&world, &token).json(), Value::as_str), ["abc"]);

    let url = format!("{}/v1.0/me/getMemberGroups", world.graph_url());
    assert_eq!(code(&post_json(&world, &url, &token, &json!({}))), failure(400, "Request_BadRequest"));
    let asked = world.requests();
    let asked: Vec<_> = asked.iter().filter(|request| request.server == Server::Graph).collect();
    assert_eq!((asked.len(), &asked[0].body), (8, &json!({ "securityEnabledOnly": false })));
}

#[test]
fn hundred_thousand_groups_are_paged() {
    let world = World::start();
    world.set_groups(100_000);
    let token = graph_token(&world);
    let mut page = first_page(&world, &token, 999);
    let mut found = Vec::new();
    let mut pages = 1;
    loop {
        let body = page.json();
        found.extend(ids(&body, group_of));
        if body["@odata.nextLink"].is_null() {
            break;
        }
        page = next_page(&world, &token, &page);
        pages += 1;
    }
    assert!(found == group_ids(100_000), "every group, once, in order");
    assert_eq!(pages, 101);
}

#[test]
fn objects_have_names_and_kinds() {
    let world = World::start();
    let token = graph_token(&world);
    let page = first_page(&world, &token, 999).json();
    assert_eq!(page["value"].as_array().map(Vec::len), Some(6), "three of them are not groups");
    let groups = page["value"].as_array().into_iter().flatten().filter(|object| group_of(object).is_some());
    let names: Vec<_> = groups.map(|object| &object["displayName"]).collect();
    assert_eq!(names, ["Group 1", "Group 2", "Group 3"]);
    world.set(Behaviour::GraphControlCharacters);
    let page = first_page(&world, &token, 999).json();
    assert!(page["value"][1]["displayName"].as_str().is_some_and(|name| name.contains('\u{1b}')), "{page}");
    let by_default = get_with_token(&world, &format!("{}/v1.0/me/transitiveMemberOf", world.graph_url()), &token);
    assert!(by_default.json()["@odata.nextLink"].is_null());
    assert_eq!(first_page(&world, &token, 1_000).status, 400);

    let url = format!("{}/v1.0/directoryObjects/getByIds", world.graph_url());
    let mut asked = group_ids(1_000);
    world.clear_all();
    let response = post_json(&world, &url, &token, &json!({ "ids": asked, "types": ["group"] })).json();
    assert_eq!(
        response["value"][999],
        json!({
            "@odata.type": "#microsoft.graph.group", "id": asked[999], "displayName": "Group 1000",
        })
    );
    asked.push("more".to_owned());
    assert_eq!(post_json(&world, &url, &token, &json!({ "ids": asked })).status, 400);
    let unknown = post_json(&world, &url, &token, &json!({ "ids": ["unknown"], "types": ["group"] }));
    assert_eq!(unknown.json()["value"], json!([]));
}

#[test]
fn caller_can_only_ask_about_itself() {
    let world = World::start();
    let url = |who: &str| format!("{}/v1.0/{who}/getMemberGroups", world.graph_url());
    let ask =
        |who: &str, token: &str| post_json(&world, &url(who), token, &json!({ "securityEnabledOnly": false })).status;
    let token = graph_token(&world);
    let oid = crate::code_client::claims(&token.clone().into())["oid"].as_str().expect("an oid").to_owned();
    assert_eq!([ask("me", &token), ask(&format!("users/{oid}"), &token), ask("users/other", &token)], [200, 200, 404]);
    assert_eq!(ask(&format!("servicePrincipals/{oid}"), &token), 404);

    world.sign_in_app_only(true);
    let token = graph_token(&world);
    let claims = crate::code_client::claims(&token.clone().into());
    let oid = claims["oid"].as_str().expect("an oid").to_owned();
    assert_eq!((&claims["sub"], &claims["idtyp"]), (&claims["oid"], &json!("app")));
    assert_eq!([ask("me", &token), ask(&format!("servicePrincipals/{oid}"), &token)], [400, 200]);
}

#[test]
fn graph_behaviours_take_effect() {
    let world = World::start();
    let token = graph_token(&world);
    let statuses = |behaviour| {
        world.clear_all();
        world.set(behaviour);
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(member_groups(&world, &token).status);
        }
        (statuses, first_page(&world, &token, 999).status)
    };
    assert_eq!(statuses(Behaviour::GraphDown), (vec![503; 3], 503));
    assert_eq!(statuses(Behaviour::GraphConnectionLost), (vec![0, 200, 200], 0));
    assert_eq!(statuses(Behaviour::GraphThrottled), (vec![429, 429, 200], 429));
    assert_eq!(statuses(Behaviour::GraphThrottledAlways), (vec![429; 3], 429));
    assert!(member_groups(&world, &token).head.contains("retry-after: 1"));
    assert_eq!(statuses(Behaviour::GraphForbidden), (vec![403; 3], 403));
    assert_eq!(code(&member_groups(&world, &token)), failure(403, "Authorization_RequestDenied"));
    assert_eq!(statuses(Behaviour::GraphMemberGroupsForbidden), (vec![403; 3], 200));
    assert_eq!(statuses(Behaviour::GraphRedirects), (vec![307; 3], 307));
    assert_eq!(world.redirects_followed(), 0);
    let moved = first_page(&world, &token, 999);
    assert!(moved.location.starts_with("http://localhost:"), "{}", moved.location);
    assert_eq!((get_with_token(&world, &moved.location, &token).status, world.redirects_followed()), (200, 1));
    assert_eq!(statuses(Behaviour::GraphNotJson), (vec![200; 3], 200));
    assert!(serde_json::from_str::<Value>(&member_groups(&world, &token).body).is_err());
}

#[test]
fn page_behaviours_take_effect() {
    let world = World::start();
    world.set_groups(10);
    let token = graph_token(&world);
    let pages = |behaviour| {
        world.clear_all();
        world.set(behaviour);
        let first = first_page(&world, &token, 5);
        let second = next_page(&world, &token, &first);
        (first, second)
    };
    let link = |page: &Response| page.json()["@odata.nextLink"].clone();

    assert_eq!(world.next_links_elsewhere_followed(), 0);
    let (first, _) = pages(Behaviour::GraphNextLinkElsewhere);
    assert!(link(&first).as_str().is_some_and(|link| link.starts_with("http://localhost:")), "{}", first.body);
    assert_eq!(world.next_links_elsewhere_followed(), 1);

    let (first, second) = pages(Behaviour::GraphNextLinkLoops);
    assert_eq!(next_page(&world, &token, &second).json(), first.json());

    let (first, second) = pages(Behaviour::GraphPagesRepeat);
    let third = next_page(&world, &token, &second);
    assert_eq!((&first.json()["value"], &second.json()["value"]), (&second.json()["value"], &third.json()["value"]));
    assert!(link(&first) != link(&second) && link(&second) != link(&third));

    let (first, second) = pages(Behaviour::GraphEmptyPages);
    assert_eq!((&first.json()["value"], &second.json()["value"]), (&json!([]), &json!([])));
    assert_ne!(link(&first), link(&second));

    let (first, _) = pages(Behaviour::GraphOversizedPage);
    assert!(first.body.len() > 9 << 20 && first.json()["value"].is_array());

    let (_, second) = pages(Behaviour::GraphOnePageFails);
    assert_eq!(second.status, 200);
    assert_eq!(next_page(&world, &token, &second).status, 500);
}
