//! The listener's addresses, ports and names. Each test has its own network.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use sim::World;
use url::Url;

use crate::browser_sign_in::listener_flags::refused;
use crate::common::browser::{BOTH, Issuer, SHOW_ADDRESS, get, request};
use crate::common::https::https;
use crate::common::own_network::in_own_network;
use crate::common::remote_browser::{address_on, parameter};
use crate::common::tmux::{Setting, WRAPPER};
use crate::common::{Home, PLUGIN};

/// A loopback address besides the usual ones, for issuers if those are missing.
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 9, 8, 1);
const ADD_OTHER: &str = "addr add 10.9.8.1/32 dev lo";
const ONLY_OTHER: &str = "addr add 10.9.8.1/32 dev lo\naddr del ::1/128 dev lo\naddr del 127.0.0.1/8 dev lo";

fn taken(address: &str) -> TcpListener {
    TcpListener::bind(address).unwrap()
}

/// A successful sign-in; returns the redirect address.
#[track_caller]
fn redirect_address(issuer: Issuer, world: &World, more: &[&str]) -> String {
    let home = Home::new();
    let sign_in = issuer.start(world, &home, more);
    let redirect = sign_in.parameter("redirect_uri");
    sign_in.finish();
    redirect
}

#[test]
fn default_ports_are_tried_before_any_port() {
    in_own_network("", || {
        let world = World::start();
        let port = |issuer| Url::parse(&redirect_address(issuer, &world, &[])).unwrap().port().unwrap();
        assert_eq!(port(Issuer::Oidc), 8000);
        assert!(![8000, 18000].contains(&port(Issuer::Entra)));
        // The same port on both addresses, or neither: the browser may use either.
        let _first = taken("[::1]:8000");
        assert_eq!(port(Issuer::Oidc), 18000);
        let _second = taken("127.0.0.1:18000");
        assert!(![8000, 18000].contains(&port(Issuer::Oidc)));
    });
}

#[test]
fn listen_addresses_are_tried_in_order() {
    in_own_network(ADD_OTHER, || {
        let world = World::start();
        for issuer in BOTH {
            for (addresses, redirect) in [
                ("127.0.0.1:5001,127.0.0.1:5002", "http://localhost:5001"),
                ("[::1]:5003", "http://localhost:5003"),
                ("127.0.0.2:5004", "http://localhost:5004"),
                ("localhost:5005", "http://localhost:5005"),
            ] {
                assert_eq!(redirect_address(issuer, &world, &["--listen-address", addresses]), redirect);
            }
            let (_first, _second) = (taken("127.0.0.1:5001"), taken("[::1]:5002"));
            let twice = ["--listen-address=127.0.0.1:5001", "--listen-address=127.0.0.1:5002,127.0.0.1:5003"];
            assert_eq!(redirect_address(issuer, &world, &twice), "http://localhost:5003");
            let run = refused(issuer, &world, &twice[..1]);
            run.assert_failed(1, &["another program has 127.0.0.1:5001", "\nNext: ", "--listen-address"]);
            let run = refused(issuer, &world, &["--listen-address", "127.0.0.1:5002"]);
            run.assert_failed(1, &["another program has [::1]:5002"]);
        }
    });
}

/// The older flag, of the peer's earlier versions.
#[test]
fn listen_port_flag_is_accepted() {
    in_own_network("", || {
        let world = World::start();
        for issuer in BOTH {
            assert_eq!(redirect_address(issuer, &world, &["--listen-port", "9000"]), "http://localhost:9000");
            let both = ["--listen-port", "9000", "--listen-address", "127.0.0.1:9001"];
            assert_eq!(redirect_address(issuer, &world, &both), "http://localhost:9001");
            let _taken = taken("127.0.0.1:9000");
            refused(issuer, &world, &["--listen-port=9000"])
                .assert_failed(1, &["another program has 127.0.0.1:9000", "\nNext: "]);
        }
    });
}

#[test]
fn listener_is_bound_to_loopback_only() {
    in_own_network(ADD_OTHER, || {
        let world = World::start();
        for more in [&["--listen-address", "0.0.0.0:5001"][..], &["--listen-address", "[::]:5001"], &[]] {
            let home = Home::new();
            let sign_in = Issuer::Oidc.start(&world, &home, more);
            TcpStream::connect(("127.0.0.1", sign_in.port())).unwrap();
            TcpStream::connect(("::1", sign_in.port())).unwrap();
            assert!(TcpStream::connect(SocketAddr::from((OTHER, sign_in.port()))).is_err(), "{more:?}");
            sign_in.finish();
        }
    });
}

/// The issuers of a world on the other address, which can only be reached by https.
fn over_tls(world: &World) -> [(Issuer, [String; 4]); 2] {
    let ca = world.ca_file().to_str().unwrap();
    let words = |flag: &str, url| [flag.to_owned(), url, "--certificate-authority".to_owned(), ca.to_owned()];
    [
        (Issuer::Entra, words("--authority-host", world.tls_authority())),
        (Issuer::Oidc, words("--oidc-issuer-url", world.tls_issuer())),
    ]
}

/// A sign-in on a machine with only one of the loopback addresses.
fn assert_sign_in_at(address: &str) {
    let world = World::start_on(OTHER.into());
    for (issuer, more) in over_tls(&world) {
        let home = Home::new();
        let sign_in = issuer.start(&world, &home, &more.each_ref().map(String::as_str));
        assert_eq!(sign_in.parameter("redirect_uri"), format!("http://localhost:{}", sign_in.port()));
        let answer = https(&sign_in.address, world.ca_pem());
        let mut back = answer.location();
        back.set_host(Some(address)).unwrap();
        let named = format!("host: localhost:{}", sign_in.port());
        request("GET", &back, &[&named], "").assert_signed_in();
        sign_in.end().token();
    }
}

#[test]
fn sign_in_works_with_ipv6_only() {
    let setup = format!("{ADD_OTHER}\naddr del 127.0.0.1/8 dev lo");
    in_own_network(&setup, || {
        assert!(TcpListener::bind("127.0.0.1:0").is_err());
        assert_sign_in_at("[::1]");
    });
}

#[test]
fn sign_in_works_with_ipv4_only() {
    let setup = format!("{ADD_OTHER}\naddr del ::1/128 dev lo");
    in_own_network(&setup, || {
        assert!(TcpListener::bind("[::1]:0").is_err());
        assert_sign_in_at("127.0.0.1");
    });
}

#[test]
fn missing_loopback_address_suggests_a_code() {
    in_own_network(ONLY_OTHER, || {
        let world = World::start_on(OTHER.into());
        for (issuer, more) in over_tls(&world) {
            let more = more.each_ref().map(String::as_str);
            let words = ["cannot be listened on", "\nNext: ", "in a terminal", "device code"];
            refused(issuer, &world, &more).assert_failed(1, &words);
            Home::new().run(&issuer.by_code(&world, &[&SHOW_ADDRESS[..], &more].concat())).token();
        }
    });
}

/// At a terminal, users can paste the address or the code, which needs no listener.
#[test]
fn missing_loopback_address_allows_pasting_at_a_terminal() {
    in_own_network(ONLY_OTHER, || {
        let world = World::start_on(OTHER.into());
        for (issuer, flags) in over_tls(&world) {
            let ways: &[(&[&str], bool)] = match issuer {
                Issuer::Entra => &[(&[], false), (&[], true)],
                Issuer::Oidc => &[(&[], false), (&[], true), (&["--oidc-pkce-method=no"], true)],
            };
            for (more, is_bare) in ways {
                world.reset_requests();
                let home = Home::new();
                let args = issuer.by_browser(&world, &[&flags.each_ref().map(String::as_str), *more].concat());
                let mut words = vec!["sh", "-c", WRAPPER, "sh", PLUGIN];
                words.extend(args.iter().map(String::as_str));
                let screen = Setting::new(&home).size(200, 50).redirect_stdout().program(&words);
                screen.wait_for("end on a page that it cannot show. Paste that page's address here and press Enter.");
                let address = address_on(&screen);
                assert!(parameter(&address, "redirect_uri").starts_with("http://localhost"), "{address}");
                assert_eq!(address.contains("code_challenge"), more.is_empty(), "{address}");
                let answer = https(&Url::parse(&address).unwrap(), world.ca_pem()).location();
                let code = parameter(answer.as_str(), "code");
                screen.paste_line(if *is_bare { &code } else { answer.as_str() });
                screen.assert_ends(0);
                assert!(screen.stdout().contains("\"token\""), "{}", screen.history());
                let shown = screen.history();
                assert!(shown.contains("Signed in as") && !shown.contains(&code), "{shown}");
                assert_eq!(world.token_requests("authorization_code").len(), 1);
            }
        }
    });
}

#[test]
fn entra_uses_only_the_port_of_the_redirect_address() {
    in_own_network("", || {
        let world = World::start();
        let back = |more: &[&str]| redirect_address(Issuer::Entra, &world, more);
        assert_eq!(back(&["--redirect-url", "http://localhost:5001"]), "http://localhost:5001");
        assert_eq!(back(&["--redirect-url", "http://127.0.0.1:5001/path"]), "http://localhost:5001");
        assert_eq!(
            back(&["--redirect-url", "http://localhost:5001", "--listen-address", "127.0.0.1:5002"]),
            "http://localhost:5002"
        );
        assert!(!back(&["--redirect-url", "http://localhost"]).ends_with("localhost"));
        let _taken = taken("127.0.0.1:5001");
        refused(Issuer::Entra, &world, &["--redirect-url", "http://localhost:5001"])
            .assert_failed(1, &["another program has 127.0.0.1:5001"]);
    });
}

#[test]
fn redirect_host_name_is_configurable() {
    in_own_network("", || {
        let world = World::start();
        for (name, redirect) in
            [("127.0.0.1", "http://127.0.0.1:8000"), ("::1", "http://[::1]:8000"), ("", "http://localhost:8000")]
        {
            assert_eq!(redirect_address(Issuer::Oidc, &world, &["--oidc-redirect-url-hostname", name]), redirect);
        }
    });
}

#[test]
fn registered_redirect_address_is_sent_unchanged() {
    in_own_network("", || {
        let world = World::start();
        for registered in
            ["http://localhost:5001/auth/callback", "http://127.0.0.1:5001/callback", "http://[::1]:5001/"]
        {
            let home = Home::new();
            let sign_in = Issuer::Oidc.start(&world, &home, &["--oidc-redirect-url", registered]);
            assert_eq!(sign_in.parameter("redirect_uri"), registered);
            let back = sign_in.callback_url();
            let mut elsewhere = back.clone();
            elsewhere.set_path("/elsewhere");
            get(&elsewhere).assert_error(404, &[]);
            get(&back).assert_signed_in();
            sign_in.end().token();
            assert_eq!(world.token_requests("authorization_code").pop().unwrap().field("redirect_uri"), registered);
        }
        // A default port, written explicitly.
        let home = Home::new();
        let sign_in = Issuer::Oidc.start(&world, &home, &["--oidc-redirect-url", "http://localhost:80/callback"]);
        get(&sign_in.callback_url()).assert_signed_in();
        sign_in.end().token();
        // The registered address may reach the listener through another port.
        let home = Home::new();
        let more = ["--oidc-redirect-url", "http://localhost:9999/callback", "--listen-address", "127.0.0.1:5001"];
        let sign_in = Issuer::Oidc.start(&world, &home, &more);
        let mut back = sign_in.callback_url();
        assert_eq!(back.port(), Some(9999));
        back.set_port(Some(5001)).unwrap();
        request("GET", &back, &["host: localhost:9999"], "").assert_signed_in();
        sign_in.end().token();
    });
}
