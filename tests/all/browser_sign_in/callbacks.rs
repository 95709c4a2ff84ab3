//! Invalid callbacks, however similar to a valid one: the page says so, and the sign-in continues.

use std::io::Write as _;
use std::net::TcpListener;

use rustix::process::{Pid, Signal, kill_process};
use sim::{Behaviour, Form, World};
use url::Url;

use crate::common::browser::{
    BOTH, Issuer, Page, callback_secrets, connect, exchange, get, post, request, request_bytes, with_parameter,
};
use crate::common::{HANG, Home};

const FORM: &str = "content-type: application/x-www-form-urlencoded";

/// Another path, with the same query.
fn at(url: &Url, path: &str) -> Url {
    let mut changed = url.clone();
    changed.set_path(path);
    changed
}

/// Appends to the query.
fn more(url: &Url, behind: &str) -> Url {
    let mut changed = url.clone();
    changed.set_query(Some(&format!("{}&{behind}", url.query().unwrap())));
    changed
}

#[test]
fn invalid_callback_gets_an_error_page_and_the_sign_in_continues() {
    for issuer in BOTH {
        let (world, home) = (World::start(), Home::new());
        let sign_in = issuer.start(&world, &home, &[]);
        let real = sign_in.callback_url();
        let secrets = callback_secrets(&real);
        let error = |url: &Url| with_parameter(&with_parameter(url, "code", None), "error", Some("access_denied"));
        let other_state = with_parameter(&real, "state", Some("state-of-another-sign-in"));
        let bare = at(&with_parameter(&with_parameter(&real, "code", None), "state", None), "/");
        for (what, url) in [
            ("another state", other_state.clone()),
            ("half of the state", with_parameter(&real, "state", Some(&secrets.last().unwrap()[..10]))),
            ("an empty state", with_parameter(&real, "state", Some(""))),
            ("no state", with_parameter(&real, "state", None)),
            ("an error of another sign-in", error(&other_state)),
            ("an error without a state", error(&with_parameter(&real, "state", None))),
            ("no code", with_parameter(&real, "code", None)),
            ("an empty code", with_parameter(&real, "code", Some(""))),
            ("nothing", bare.clone()),
            ("a very long code of another sign-in", with_parameter(&other_state, "code", Some(&"a".repeat(30_000)))),
            ("two codes", more(&real, "code=another")),
            ("the same code twice", more(&real, &format!("code={}", secrets[0]))),
            ("two states", more(&real, "state=another")),
            ("two errors", more(&error(&real), "error=another")),
        ] {
            let page = get(&url);
            assert!(page.sentences().concat().contains("still waiting"), "{what}: {page:?}");
            page.assert_error(400, &secrets);
        }
        for path in ["/favicon.ico", "/other", "//", "/index.html", "/..;/"] {
            get(&at(&real, path)).assert_error(404, &secrets);
            get(&at(&bare, path)).assert_error(404, &secrets);
        }
        for method in ["PUT", "OPTIONS", "DELETE", "PATCH", "PROPFIND"] {
            request(method, &real, &[], "").assert_error(405, &secrets);
        }
        let head = request("HEAD", &real, &[], "");
        assert_eq!((head.status, head.body.as_str()), (405, ""));
        let port = sign_in.port();
        for host in ["evil.example", "localhost", "localhost.evil.example", "", "localhost:1", "127.0.0.1.evil.example"]
        {
            request("GET", &real, &[&format!("host: {host}")], "").assert_error(403, &secrets);
            request("GET", &real, &[&format!("host: {host}.:{port}")], "").assert_error(403, &secrets);
            let two = [format!("host: localhost:{port}"), format!("host: {host}:{port}")];
            request("GET", &real, &two.each_ref().map(String::as_str), "").assert_error(403, &secrets);
        }
        let nameless = format!("GET /?{} HTTP/1.0\r\n\r\n", real.query().unwrap());
        exchange(connect(&real), nameless.as_bytes()).assert_error(403, &secrets);
        let fields = real.query().unwrap();
        for kind in ["content-type: text/plain", "content-type: application/json", "content-type: multipart/form-data"]
        {
            request("POST", &bare, &[kind], fields).assert_error(415, &secrets);
        }
        request("POST", &bare, &[], fields).assert_error(415, &secrets);
        // For a form, the query of the address is ignored.
        request("POST", &real, &[FORM], "nothing=1").assert_error(400, &secrets);
        assert!(world.token_requests("authorization_code").is_empty());

        sign_in.finish();
        assert_eq!(world.token_requests("authorization_code").len(), 1);
    }
}

#[test]
fn callback_with_wrong_state_is_rejected() {
    for behaviour in [Behaviour::AuthorizeNoState, Behaviour::AuthorizeWrongState] {
        for issuer in BOTH {
            let (world, home) = (World::start_with(&[behaviour]), Home::new());
            let sign_in = issuer.start(&world, &home, &[]);
            let back = sign_in.callback_url();
            get(&back).assert_error(400, &callback_secrets(&back));
            world.clear(behaviour);
            sign_in.finish();
        }
    }
}

#[test]
fn callback_with_wrong_iss_is_rejected() {
    let (world, home) = (World::start_with(&[Behaviour::WrongIssInCallback]), Home::new());
    let sign_in = Issuer::Oidc.start(&world, &home, &[]);
    let back = sign_in.callback_url();
    get(&back).assert_error(400, &callback_secrets(&back));
    // Discovery promises an `iss`.
    get(&with_parameter(&back, "iss", None)).assert_error(400, &callback_secrets(&back));
    let promised = with_parameter(&back, "iss", Some(&world.issuer()));
    get(&promised).assert_signed_in();
    sign_in.end().token();

    let (world, home) = (World::start_with(&[Behaviour::IssInCallback]), Home::new());
    for issuer in BOTH {
        issuer.start(&world, &home, &[]).finish();
    }
    // Discovery does not promise it, but a wrong one is still rejected.
    let (world, home) = (World::start(), Home::new());
    let sign_in = Issuer::Oidc.start(&world, &home, &[]);
    let back = sign_in.callback_url();
    get(&with_parameter(&back, "iss", Some("https://issuer.example.invalid")))
        .assert_error(400, &callback_secrets(&back));
    get(&back).assert_signed_in();
    sign_in.end().token();
}

#[test]
fn repeated_callback_is_redeemed_once() {
    for issuer in BOTH {
        let (world, home) = (World::start_with(&[Behaviour::AuthorizeCodeTwice, Behaviour::DelayToken]), Home::new());
        world.set_token_delay(HANG);
        let sign_in = issuer.start(&world, &home, &[]);
        let forms = Form::all_in(&get(&sign_in.address).body);
        assert_eq!((forms.len(), &forms[0]), (2, &forms[1]));
        let mut back = Url::parse(&forms[0].action).unwrap();
        back.query_pairs_mut().extend_pairs(&forms[0].fields);
        std::thread::scope(|scope| {
            let first = scope.spawn(|| get(&back));
            assert!(world.wait_for(HANG, |log| log.token_requests("authorization_code").len() == 1));
            let second = get(&back);
            second.assert_error(409, &callback_secrets(&back));
            assert!(second.body.contains("answered already"), "{second:?}");
            world.clear(Behaviour::DelayToken);
            first.join().unwrap().assert_signed_in();
        });
        sign_in.end().token();
        assert_eq!(world.token_requests("authorization_code").len(), 1);
        assert_eq!(world.families_revoked(), 0);
    }
}

#[test]
fn only_one_of_parallel_callbacks_is_accepted() {
    let (world, home) = (World::start(), Home::new());
    let sign_in = Issuer::Oidc.start(&world, &home, &[]);
    let back = sign_in.callback_url();
    let bytes = request_bytes("GET", &back, &[], "");
    // All connect before the first one sends its request, because the listener may close after that.
    let connections: Vec<_> = (0..16).map(|_| connect(&back)).collect();
    let pages: Vec<Page> = std::thread::scope(|scope| {
        let asking = connections.into_iter().map(|stream| scope.spawn(|| exchange(stream, &bytes)));
        asking.collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(pages.iter().filter(|page| page.status == 200).count(), 1, "{pages:?}");
    assert!(pages.iter().all(|page| [200, 409, 0].contains(&page.status)), "{pages:?}");
    sign_in.end().token();
    assert_eq!(world.token_requests("authorization_code").len(), 1);
}

/// The plugin receives the request and the disconnect at the same time.
#[test]
fn sign_in_completes_if_the_browser_disconnects() {
    let (world, home) = (World::start(), Home::new());
    let sign_in = Issuer::Entra.start(&world, &home, &["--authentication-timeout-sec", "30"]);
    let back = sign_in.callback_url();
    let bytes = request_bytes("GET", &back, &[], "");
    let (mut connection, (beginning, end)) = (connect(&back), bytes.split_at(20));
    connection.write_all(beginning).unwrap();
    // When another connection gets a response, the listener has already accepted this one.
    get(&at(&back, "/favicon.ico")).assert_error(404, &[]);
    let process = Pid::from_raw(sign_in.id().cast_signed()).unwrap();
    kill_process(process, Signal::STOP).unwrap();
    connection.write_all(end).unwrap();
    drop(connection);
    kill_process(process, Signal::CONT).unwrap();
    let run = sign_in.end();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(world.token_requests("authorization_code").len(), 1);
}

#[test]
fn form_post_callback_is_accepted() {
    for issuer in BOTH {
        let (world, home) = (World::start_with(&[Behaviour::FormPostOnly]), Home::new());
        let sign_in = issuer.start(&world, &home, &[]);
        let form = Form::all_in(&get(&sign_in.address).body).remove(0);
        assert_eq!(form.method, "post");
        let action = Url::parse(&form.action).unwrap();
        let forged: Vec<_> = form.fields.iter().filter(|(name, _)| name != "state").cloned().collect();
        post(&action, &forged).assert_error(400, &[form.field("code").to_owned()]);
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.fields).finish();
        let kind = "Content-Type: Application/X-WWW-Form-URLEncoded; charset=utf-8";
        request("POST", &action, &[kind, "origin: https://issuer.example"], &body).assert_signed_in();
        sign_in.end().token();
    }
}

#[test]
fn listener_accepts_all_loopback_names_and_addresses() {
    // Not every machine has IPv6.
    let newer = TcpListener::bind("[::1]:0").is_ok().then_some("[::1]");
    for host in ["127.0.0.1", "LocalHost"].into_iter().chain(newer) {
        let (world, home) = (World::start(), Home::new());
        let sign_in = Issuer::Oidc.start(&world, &home, &[]);
        let mut back = sign_in.callback_url();
        back.set_host(Some(host)).unwrap();
        let named = format!("host: {host}:{}", sign_in.port());
        request("GET", &back, &[&named], "").assert_signed_in();
        sign_in.end().token();
    }
}
