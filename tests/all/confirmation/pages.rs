//! An issuer whose sign-in page is at another site (mix-up, RFC 9700 4.4), and `iss` in the response (RFC 9207).

use sim::{Behaviour, OTHER_TENANT, TENANT, World};

use crate::common::browser::{Issuer, Opener, SHOW_ADDRESS, SignIn, callback_secrets, get, with_parameter};
use crate::common::tmux::Setting;
use crate::common::{Home, Run, oidc};

const HOST: &str = "login.other-issuer.example";

/// The address of the other site's page at the simulated issuer.
fn at_world(world: &World, sign_in: &SignIn) -> url::Url {
    let mut address = url::Url::parse(&format!("{}/authorize", world.issuer())).unwrap();
    address.set_query(sign_in.address.query());
    address
}

/// Signs in at the page of `sign_in`, at the simulated issuer.
#[track_caller]
fn finish(world: &World, sign_in: SignIn) -> Run {
    assert_eq!(sign_in.address.host_str(), Some(HOST));
    let back = get(&at_world(world, &sign_in)).location();
    get(&back).assert_signed_in();
    sign_in.end()
}

#[test]
fn foreign_page_is_not_opened_without_confirmation() {
    let (world, home, opener) =
        (World::start_with(&[Behaviour::ForeignAuthorizationEndpoint]), Home::new(), Opener::new());
    for flags in [
        &["--grant-type=authcode", "--prompt=always"][..],
        &["--grant-type=authcode-keyboard", "--prompt=always"],
        &["--grant-type=auto"],
    ] {
        let args = oidc(&world, &[flags, &[&opener.flag()]].concat());
        let run = Run::of(home.plugin(&args).env("DISPLAY", ":99"));
        run.assert_failed(3, &[HOST, "confirm it: kubectl login"]);
        assert!(!run.stderr.contains("code_challenge"), "{run}");
    }
    assert!(!opener.was_started());
    assert_eq!(world.token_requests("authorization_code").len(), 0);
}

#[test]
fn login_names_and_confirms_a_foreign_page() {
    let (world, home) = (World::start_with(&[Behaviour::ForeignAuthorizationEndpoint]), Home::new());
    let args = oidc(&world, &["--grant-type=authcode"]);
    home.contexts(&[("prod", args.clone())]);
    let login = finish(&world, SignIn::start(&mut home.plugin(&["prod", "--skip-open-browser"])));
    assert_eq!(login.code, Some(0), "{login}");
    assert!(login.stderr.contains(&format!("another site, {HOST}.")), "{login}");
    // The next sign-in of the session does not ask, but names the site again.
    world.revoke_all();
    let again = [&args[..], &SHOW_ADDRESS.map(str::to_owned), &["--force-refresh".to_owned()]].concat();
    let run = finish(&world, SignIn::start(&mut home.plugin(&again)));
    run.token();
    assert!(run.stderr.contains(&format!("another site, {HOST}.")), "{run}");
}

#[test]
fn yes_at_a_terminal_confirms_a_foreign_page() {
    let (world, home) = (World::start_with(&[Behaviour::ForeignAuthorizationEndpoint]), Home::new());
    let args = oidc(&world, &["--grant-type=authcode", "--skip-open-browser"]);
    for (answer, code) in [("no", 3), ("yes", 130)] {
        let screen = Setting::new(&home).redirect_stdout().plugin(&args);
        screen.wait_for("and press Enter:");
        assert!(!screen.history().contains("code_challenge"), "{}", screen.history());
        screen.type_text(answer);
        screen.press(&["Enter"]);
        if code == 130 {
            screen.wait_for("code_challenge");
            screen.press(&["C-c"]);
        }
        assert_eq!(screen.wait_for_exit(), code, "{}", screen.history());
    }
}

/// The code goes back to the site that issued it.
#[test]
fn page_and_token_endpoint_at_the_same_site_need_no_confirmation() {
    let (world, home) = (World::start_with(&[Behaviour::DelegatedEndpoints]), Home::new());
    let sign_in =
        SignIn::start(&mut home.plugin(&oidc(&world, &[&["--grant-type=authcode"], &SHOW_ADDRESS[..]].concat())));
    assert_eq!(sign_in.address.host_str(), Some(HOST));
}

/// The page and the token endpoint were at the same site when the sign-in began.
#[test]
fn code_is_not_sent_to_another_site_in_a_newer_document() {
    let (world, home) = (World::start(), Home::new());
    home.run(&oidc(&world, &["--prompt=always"])).token();
    let more = [&["--grant-type=authcode", "--oidc-extra-scope=email"], &SHOW_ADDRESS[..]].concat();
    let sign_in = SignIn::start(&mut home.plugin(&oidc(&world, &more)));
    let back = get(&sign_in.address).location();
    world.set(Behaviour::EndpointsMoved);
    world.set(Behaviour::DelegatedEndpoints);
    get(&back);
    let run = sign_in.end();
    run.assert_failed(1, &["(HTTP 404)"]);
    assert!(!run.stderr.contains("other-issuer"), "{run}");
}

#[test]
fn iss_in_an_entra_callback_must_be_the_tenant() {
    let (world, home) = (World::start(), Home::new());
    let sign_in = Issuer::Entra.start(&world, &home, &[]);
    let back = sign_in.callback_url();
    let authority = world.authority();
    let authority = authority.trim_end_matches('/');
    for foreign in [
        "https://issuer.example.invalid",
        &format!("{authority}/{OTHER_TENANT}/v2.0"),
        &format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
    ] {
        get(&with_parameter(&back, "iss", Some(foreign))).assert_error(400, &callback_secrets(&back));
    }
    get(&with_parameter(&back, "iss", Some(&format!("{authority}/{TENANT}/v2.0")))).assert_signed_in();
    sign_in.end().token();
}
