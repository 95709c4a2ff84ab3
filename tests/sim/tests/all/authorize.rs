//! Browser sign-ins at both issuers: the usual course, and each misbehaviour.

use std::time::Duration;

use serde_json::Value;
use sim::{BOB, Behaviour, Form, TENANT, UNREGISTERED_SERVER, World};

use crate::client::{Response, get, post};
use crate::code_client::{Client, REDIRECT, VERIFIER, both, callback_query, claims, entra, oidc};

fn post_form(world: &World, url: &str, form: &Form, more: &[(&str, &str)]) -> Response {
    let fields = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    post(world, url, &fields.chain(more.iter().copied()).collect::<Vec<_>>())
}

#[test]
fn browser_sign_in_returns_a_code() {
    let world = World::start();
    for (client, keys) in both(&world).into_iter().zip(["code state", "code session_state state"]) {
        let client = client.with("login_hint", "carol@contoso.example").with("domain_hint", "anything");
        let back = client.callback(&world);
        assert_eq!(back.keys().map(String::as_str).collect::<Vec<_>>().join(" "), keys);
        assert_eq!(back["state"], "the state");
        let tokens = client.redeem(&world, &back["code"]);
        assert!(tokens.status == 200 && tokens.head.contains("cache-control: no-store"), "{}", tokens.body);
        let tokens = tokens.json();
        assert_eq!(claims(&tokens["id_token"])["nonce"], "the-nonce");
        assert_eq!(claims(&tokens["id_token"])["aud"], *client.fields["client_id"]);
        let refreshed = client.refresh(&world, &tokens["refresh_token"]).json();
        assert_eq!(claims(&refreshed["id_token"])["nonce"], Value::Null);
    }
    let asked = world.authorize_requests();
    assert_eq!((asked.len(), asked[0].query["domain_hint"].as_str()), (2, "anything"));
    assert_eq!(world.token_requests("authorization_code").len(), 2);
}

#[test]
fn configured_user_signs_in() {
    let world = World::start();
    world.sign_in_as(BOB);
    let name = |tokens: Response| claims(&tokens.json()["id_token"])["preferred_username"].clone();
    assert_eq!(both(&world).map(|client| name(client.sign_in(&world))), [BOB, BOB]);
}

#[test]
fn second_use_of_code_revokes_its_tokens() {
    let world = World::start();
    for (number, client) in (1..).zip(both(&world)) {
        let back = client.callback(&world);
        let tokens = client.redeem(&world, &back["code"]).json();
        assert_eq!(client.refresh(&world, &tokens["refresh_token"]).status, 200);
        assert_eq!(client.redeem(&world, &back["code"]).error(), "invalid_grant");
        assert_eq!(client.refresh(&world, &tokens["refresh_token"]).error(), "invalid_grant");
        assert_eq!(world.families_revoked(), number);
    }
}

#[test]
fn code_is_bound_to_client_redirect_address_and_verifier() {
    let world = World::start();
    for client in both(&world) {
        let code = &client.callback(&world)["code"];
        let refused = |more: &[(&str, &str)]| client.redeem_with(&world, code, more).error();
        assert_eq!(refused(&[("redirect_uri", REDIRECT), ("code_verifier", "guessed")]), "invalid_grant");
        assert_eq!(refused(&[("redirect_uri", REDIRECT)]), "invalid_grant");
        assert_eq!(refused(&[("redirect_uri", "http://localhost:8001"), ("code_verifier", VERIFIER)]), "invalid_grant");
        assert_eq!(client.redeem(&world, "another").error(), "invalid_grant");
        assert_eq!(client.redeem(&world, code).status, 200, "none of these attempts used it up");
    }
    let [oidc, entra] = both(&world);
    let code = &oidc.callback(&world)["code"];
    assert_eq!(entra.redeem(&world, code).error(), "invalid_grant", "another issuer's");

    let plain = both(&world).map(|client| client.without("code_challenge").without("code_challenge_method"));
    for client in plain {
        let code = &client.callback(&world)["code"];
        assert_eq!(client.redeem(&world, code).error(), "invalid_grant", "verifier without a challenge");
        assert_eq!(client.redeem_with(&world, code, &[("redirect_uri", REDIRECT)]).status, 200);
    }
    world.set_client_secret(Some("secret"));
    let code = &oidc.callback(&world)["code"];
    assert_eq!(oidc.redeem(&world, code).error(), "invalid_client");
    let fields = [("redirect_uri", REDIRECT), ("code_verifier", VERIFIER), ("client_secret", "secret")];
    assert_eq!(oidc.redeem_with(&world, code, &fields).status, 200);
}

#[test]
fn codes_expire() {
    let world = World::start();
    world.set_authorization_code_lifetime(Duration::ZERO);
    for client in both(&world) {
        assert_eq!(client.sign_in(&world).error(), "invalid_grant");
    }
    let world = World::start_with(&[Behaviour::CodeExpired]);
    let expired = entra(&world).sign_in(&world).json();
    assert_eq!((&expired["error"], &expired["error_codes"][0]), (&"invalid_grant".into(), &70008.into()));
    assert_eq!(oidc(&world).sign_in(&world).error(), "invalid_grant");
}

#[test]
fn code_stays_valid_after_lost_exchange() {
    let world = World::start();
    for client in both(&world) {
        let code = &client.callback(&world)["code"];
        world.set(Behaviour::ConnectionLostAtExchange);
        assert_eq!(client.redeem(&world, code).status, 0);
        world.clear_all();
        assert_eq!(client.redeem(&world, code).status, 200);
    }
    world.set(Behaviour::UnknownCodeInvalidRequest);
    assert_eq!(both(&world).map(|client| client.redeem(&world, "x").error()), ["invalid_request", "invalid_grant"]);
    assert_eq!(oidc(&world).sign_in(&world).status, 200);
}

#[test]
fn wrong_client_or_redirect_address_is_not_redirected() {
    let world = World::start();
    let shown = |client: Client| {
        let response = client.authorize_page(&world);
        assert!(response.head.contains("text/html") && response.location.is_empty(), "{}", response.head);
        (response.status == 400).then_some(response.body)
    };
    let hostile = ["http://127.0.0.1.example:80/", "http://localhost@example.com/", "http://localhost:1/?x=<b>"];
    for address in
        ["https://example.com/", "javascript:alert(1)", "http://localhost:8000/elsewhere"].iter().chain(&hostile)
    {
        for client in both(&world) {
            let page = shown(client.with("redirect_uri", address)).expect("an error page");
            assert!(!page.contains("<b>"), "{page}");
        }
    }
    for client in both(&world) {
        assert!(shown(client.with("client_id", "unknown-client")).is_some());
    }
    let elsewhere = shown(entra(&world).with("redirect_uri", "http://127.0.0.1:8000")).expect("an error page");
    assert!(elsewhere.contains("AADSTS50011"), "{elsewhere}");
    for address in [
        "http://localhost:1/",
        "http://127.0.0.1:2/callback",
        "http://[::1]:3/auth/callback",
        "https://localhost:4",
        "http://localhost",
    ] {
        let response = oidc(&world).with("redirect_uri", address).authorize_page(&world);
        assert!(response.status == 302 && response.location.starts_with(address), "{address}");
    }
    world.set(Behaviour::RedirectNotRegistered);
    assert!(shown(entra(&world)).expect("an error page").contains("AADSTS50011"));
}

#[test]
fn other_errors_are_redirected_with_the_state() {
    let world = World::start();
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "", "invalid_request"),
        ("response_mode", "fragment", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
    ] {
        for client in both(&world) {
            let back = client.with(name, value).callback(&world);
            assert_eq!((back["error"].as_str(), back["state"].as_str()), (error, "the state"));
            assert!(!back.contains_key("code"));
        }
    }
    assert_eq!(oidc(&world).with("scope", "email").callback(&world)["error"], "invalid_scope");
    let scope = format!("{UNREGISTERED_SERVER}/.default");
    let unknown = entra(&world).with("scope", &scope).callback(&world);
    assert!(unknown["error_description"].starts_with("AADSTS500011: "), "{unknown:?}");
    assert_eq!(entra(&world).with("claims", "{").callback(&world)["error"], "invalid_request");
    world.approve_automatically(false);
    for client in both(&world) {
        assert_eq!(client.with("prompt", "none").callback(&world)["error"], "login_required");
    }
}

#[test]
fn form_post_has_the_code() {
    let world = World::start();
    let asked = both(&world).map(|client| client.with("response_mode", "form_post"));
    for client in &asked {
        let page = client.authorize_page(&world);
        let forms = Form::all_in(&page.body);
        assert_eq!((page.status, forms.len(), forms[0].method.as_str()), (200, 1, "post"));
        assert_eq!((forms[0].action.as_str(), forms[0].field("state")), (REDIRECT, "the state"));
        assert_eq!(client.redeem(&world, forms[0].field("code")).status, 200);
    }
    world.set(Behaviour::FormPostOnly);
    assert_eq!(Form::all_in(&oidc(&world).authorize_page(&world).body).len(), 1);
    let discovery = get(&world, &format!("{}/.well-known/openid-configuration", world.issuer())).json();
    assert_eq!(discovery["response_modes_supported"], serde_json::json!(["form_post"]));
}

#[test]
fn user_decides_on_the_page() {
    let world = World::start();
    world.approve_automatically(false);
    for client in both(&world) {
        for (decision, expected) in [("approve", "code"), ("deny", "error")] {
            let page = client.authorize_page(&world);
            let form = Form::all_in(&page.body).remove(0);
            assert!(
                page.status == 200 && form.method == "post" && page.body.contains("value=\"deny\""),
                "{}",
                page.body
            );
            let response = post_form(&world, &client.authorize, &form, &[("decision", decision)]);
            assert_eq!(response.status, 303);
            assert!(callback_query(&response.location).contains_key(expected), "{}", response.location);
        }
    }
    assert_eq!(world.authorize_requests().len(), 4, "the buttons do not count as authorization requests");
}

#[test]
fn test_decides_for_the_user() {
    let world = World::start();
    world.approve_automatically(false);
    for client in both(&world) {
        world.reset_requests();
        client.authorize_page(&world);
        client.authorize_page(&world);
        let ids = world.wait_for_authorize_request(2, Duration::from_secs(5));
        assert_eq!(world.pending_authorizations(), ids);
        let page = |id: &str, more: &str| get(&world, &format!("{}?sign_in={id}{more}", client.authorize));
        assert_eq!((page(&ids[0], "&wait=1").body.as_str(), world.callback_address(&ids[0])), ("pending", None));
        assert!(world.approve_authorization(&ids[0]) && world.deny_authorization(&ids[1]));
        assert!(!world.deny_authorization(&ids[0]), "the decision is final");
        assert_eq!(page(&ids[0], "&wait=1").body, "decided");
        let address = world.callback_address(&ids[0]).expect("it was approved");
        assert_eq!(page(&ids[0], "").location, address, "each load of the page redirects there too");
        assert_eq!(client.redeem(&world, &callback_query(&address)["code"]).status, 200);
        assert_eq!(callback_query(&world.callback_address(&ids[1]).expect("it was denied"))["error"], "access_denied");

        client.authorize_page(&world);
        assert_eq!((world.approve_pending_authorizations(), world.deny_pending_authorizations()), (1, 0));
    }
}

#[test]
fn page_shows_code_without_redirect_address() {
    let world = World::start();
    let client = oidc(&world).without("redirect_uri");
    let page = client.authorize_page(&world);
    let code = page.body.split_once("code: <code>").and_then(|(_, rest)| rest.split('<').next()).expect("a code");
    assert_eq!(client.redeem_with(&world, code, &[("code_verifier", VERIFIER)]).status, 200);
}

#[test]
fn callback_behaviours_take_effect() {
    let world = World::start();
    let under = |behaviour, look: &dyn Fn(Client)| {
        world.set(behaviour);
        both(&world).into_iter().for_each(look);
        world.clear_all();
    };
    under(Behaviour::AuthorizeDenied, &|client| {
        assert_eq!(client.callback(&world)["error"], "access_denied");
    });
    under(Behaviour::AuthorizeNoState, &|client| {
        let back = client.callback(&world);
        assert!(back.contains_key("code") && !back.contains_key("state"));
    });
    under(Behaviour::AuthorizeWrongState, &|client| {
        assert_ne!(client.callback(&world)["state"], "the state");
    });
    under(Behaviour::AuthorizeErrorPage, &|client| {
        let page = client.authorize_page(&world);
        assert!(page.status == 500 && page.body.contains("<h1>") && page.location.is_empty());
    });
    under(Behaviour::AuthorizeCodeTwice, &|client| {
        let forms = Form::all_in(&client.authorize_page(&world).body);
        assert_eq!((forms.len(), forms[0].method.as_str()), (2, "get"));
        assert_eq!(forms[0], forms[1]);
        let posted = Form::all_in(&client.with("response_mode", "form_post").authorize_page(&world).body);
        assert_eq!((posted.len(), posted[1].method.as_str()), (2, "post"));
    });
    under(Behaviour::IssInCallback, &|client| {
        let expected = client.token.replace("/oauth2/v2.0/token", "/v2.0").replace("/oidc/token", "/oidc");
        assert_eq!(client.callback(&world)["iss"], expected);
    });
    under(Behaviour::WrongIssInCallback, &|client| {
        assert_eq!(client.callback(&world)["iss"], "https://issuer.example.invalid");
    });
    under(Behaviour::WrongNonce, &|client| {
        let nonce = &claims(&client.sign_in(&world).json()["id_token"])["nonce"];
        assert!(nonce.is_string() && nonce != "the-nonce");
    });
    under(Behaviour::NoNonce, &|client| {
        assert_eq!(claims(&client.sign_in(&world).json()["id_token"])["nonce"], Value::Null);
    });
    under(Behaviour::PkceRequired, &|client| {
        assert_eq!(client.without("code_challenge").callback(&world)["error"], "invalid_request");
    });
    under(Behaviour::PkceRefused, &|client| {
        assert_eq!(client.callback(&world)["error"], "invalid_request");
        assert!(client.without("code_challenge").callback(&world).contains_key("code"));
    });
    under(Behaviour::ConsentRequired, &|client| {
        assert_eq!(client.callback(&world)["error"], "consent_required");
    });
}

#[test]
fn discovery_follows_the_behaviours() {
    let world = World::start();
    let urls = [world.issuer(), format!("{}{TENANT}/v2.0", world.authority())];
    let found = |field: &str| {
        urls.clone().map(|url| get(&world, &format!("{url}/.well-known/openid-configuration")).json()[field].clone())
    };
    assert_eq!(found("authorization_endpoint"), both(&world).map(|client| Value::from(client.authorize)));
    assert_eq!(found("code_challenge_methods_supported"), [serde_json::json!(["S256"]), Value::Null]);
    assert_eq!(found("authorization_response_iss_parameter_supported"), [Value::Null, Value::Null]);
    world.set(Behaviour::PkceRefused);
    world.set(Behaviour::IssInCallback);
    assert_eq!(found("code_challenge_methods_supported"), [Value::Null, Value::Null]);
    assert_eq!(found("authorization_response_iss_parameter_supported"), [true, true]);
    world.clear_all();
    world.set(Behaviour::PlainPkceOnly);
    assert_eq!(found("code_challenge_methods_supported"), [serde_json::json!(["plain"]), Value::Null]);
}

#[test]
fn entra_refuses_codes_for_tenant_policies() {
    let world = World::start();
    let client = entra(&world);
    for (behaviour, error, number) in [
        (Behaviour::PublicClientNotAllowed, "invalid_client", 7_000_218),
        (Behaviour::ConditionalAccessBlocksBrowser, "invalid_grant", 53003),
        (Behaviour::ConsentRequired, "invalid_grant", 65001),
    ] {
        let code = &client.callback(&world)["code"];
        world.set(behaviour);
        let refused = client.redeem(&world, code).json();
        assert_eq!((&refused["error"], &refused["error_codes"][0]), (&error.into(), &number.into()));
        world.clear_all();
        assert_eq!(client.redeem(&world, code).status, 200);
    }
    world.set(Behaviour::ConditionalAccessBlocksBrowser);
    let page = client.authorize_page(&world);
    assert!(page.status == 400 && page.body.contains("AADSTS53003"), "{}", page.body);
}
