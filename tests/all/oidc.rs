//! OpenID Connect issuers: discovery, ID token checks, PKCE, client secrets, headers, certificates, clocks. `oidc/` has
//! more about discovery, secrets and unusual responses.

mod client_secrets;
mod discovery;
mod moved;
mod responses;

use crate::common::{ALWAYS, Home, Run, claims, in_parallel, oidc};
use base64::Engine as _;
use sim::{ALICE, Behaviour, World};

/// The arguments for the issuer behind TLS.
fn tls(world: &World, more: &[&str]) -> Vec<String> {
    oidc(world, &[&["--oidc-issuer-url", &world.tls_issuer()], more].concat())
}

#[test]
fn id_token_is_returned_with_its_own_expiry() {
    let (world, home) = (World::start(), Home::new());
    let run = home.sign_in(&oidc(&world, &[]));
    let claims = claims(&run.token());
    assert_eq!((claims["iss"].as_str(), claims["aud"].as_str()), (Some(&*world.issuer()), Some(sim::OIDC_CLIENT)));
    assert_eq!(claims["email"], ALICE);
    let end = chrono::DateTime::from_timestamp(claims["exp"].as_i64().unwrap(), 0).unwrap();
    let shown = end.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    assert_eq!(run.credential()["status"]["expirationTimestamp"], shown);
    assert!(run.stderr.contains(&format!("issuer {}", world.issuer())), "{run}");
    let address = format!("{}/activate", world.issuer());
    assert!(run.stderr.lines().any(|line| line == address), "{run}");
}

#[test]
fn invalid_id_token_is_neither_returned_nor_cached() {
    in_parallel(
        [
            (Behaviour::IdTokenWrongIssuer, "issuer.example.invalid"),
            (Behaviour::IdTokenWrongAudience, "not for this client"),
            (Behaviour::IdTokenBadSignature, "signature"),
            (Behaviour::IdTokenAlgNone, "none"),
            (Behaviour::IdTokenExpired, "expired"),
            (Behaviour::MissingIdToken, "no ID token"),
            (Behaviour::TokenWithoutExp, "exp"),
        ],
        |(behaviour, word)| {
            let (world, home) = (World::start_with(&[behaviour]), Home::new());
            home.sign_in(&oidc(&world, &[])).assert_failed(1, &["Error: ", "ID token", word, "\nNext: "]);
            // It is not cached either.
            world.reset_requests();
            let again = home.run_as_new_caller(&oidc(&world, &["--prompt", "never"]));
            assert_ne!(again.code, Some(0), "{}: {again}", behaviour.name());
            assert_eq!(again.stdout, "", "{}", behaviour.name());
            // If only the ID token is missing, the session is stored; another user's leaves no trace.
            let sessions = usize::from(behaviour == Behaviour::MissingIdToken);
            let kept = (home.files("sessions").len(), home.files("tokens").len());
            assert_eq!(kept, (sessions, 0), "{}", behaviour.name());
        },
    );
}

#[test]
fn missing_id_token_suggests_scope_and_access_token() {
    let (world, home) = (World::start_with(&[Behaviour::MissingIdToken]), Home::new());
    home.sign_in(&oidc(&world, &[])).assert_failed(1, &["openid", "--oidc-use-access-token"]);
    // The second suggestion works.
    home.run_as_new_caller(&oidc(&world, &["--oidc-use-access-token", "--prompt", "always"])).token();
}

#[test]
fn late_key_needs_no_second_sign_in() {
    let (world, home) = (World::start_with(&[Behaviour::IdTokenUnknownKidOnce]), Home::new());
    home.sign_in(&oidc(&world, &[])).token();
    assert_eq!((world.count("/keys"), world.device_requests().len()), (2, 1));
}

#[test]
fn cached_keys_are_fetched_again_after_a_rotation() {
    let (world, home) = (World::start(), Home::new());
    home.sign_in(&oidc(&world, &[])).token();
    let refresh = oidc(&world, &["--force-refresh"]);
    world.reset_requests();
    home.run(&refresh).token();
    assert_eq!((world.count("/keys"), world.count("openid-configuration")), (0, 0));
    world.rotate_keys();
    let rolled = home.run(&refresh);
    rolled.token();
    assert_eq!((world.count("/keys"), rolled.stderr.as_str()), (1, ""));
    home.run(&refresh).token();
    assert_eq!(world.count("/keys"), 1);
    assert_eq!(world.device_requests().len(), 0);
}

#[test]
fn wrong_signature_fetches_the_keys_once() {
    let (world, home) = (World::start_with(&[Behaviour::IdTokenBadSignature]), Home::new());
    home.sign_in(&oidc(&world, &[])).assert_failed(1, &["signature"]);
    assert!(world.count("/keys") <= 2, "{}", world.count("/keys"));
}

#[test]
fn access_token_can_be_returned_instead() {
    let opaque = World::start();
    let jwt = World::start_with(&[Behaviour::JwtAccessToken]);
    let no_exp = World::start_with(&[Behaviour::JwtAccessToken, Behaviour::TokenWithoutExp]);
    in_parallel([(&opaque, "access-"), (&jwt, "eyJ"), (&no_exp, "eyJ")], |(world, start)| {
        let home = Home::new();
        let run = home.sign_in(&oidc(world, &["--oidc-use-access-token"]));
        let token = run.token();
        assert!(token.starts_with(start), "{token}");
        let end = run.credential()["status"]["expirationTimestamp"].as_str().unwrap().to_owned();
        let left = end.parse::<chrono::DateTime<chrono::Utc>>().unwrap() - chrono::Utc::now();
        assert!((3_400..=3_600).contains(&left.num_seconds()), "{end}");
        world.reset_requests();
        assert_eq!(home.run(&oidc(world, &["--oidc-use-access-token"])).token(), token);
        assert!(world.requests().is_empty());
    });
}

#[test]
fn id_token_and_access_token_are_never_confused() {
    let (world, home) = (World::start(), Home::new());
    let id = home.sign_in(&oidc(&world, &[])).token();
    // The same session returns both, without a prompt.
    let access = home.run(&oidc(&world, &["--oidc-use-access-token"])).token();
    assert!(access.starts_with("access-") && id.starts_with("eyJ"), "{access} {id}");
    world.reset_requests();
    assert_eq!(home.run(&oidc(&world, &[])).token(), id);
    assert_eq!(home.run(&oidc(&world, &["--oidc-use-access-token"])).token(), access);
    assert!(world.requests().is_empty());
}

#[test]
fn pkce_is_sent_if_offered_and_not_disabled() {
    in_parallel(
        [(&[][..], true), (&["--oidc-pkce-method", "no"], false), (&["--oidc-use-pkce"], true)],
        |(more, sent)| {
            let (world, home) = (World::start(), Home::new());
            home.sign_in(&oidc(&world, more)).token();
            let request = &world.device_requests()[0];
            assert_eq!(!request.field("code_challenge").is_empty(), sent, "{more:?}");
            assert_eq!(request.field("code_challenge_method"), if sent { "S256" } else { "" });
            for poll in world.token_requests("device_code") {
                assert_eq!(!poll.field("code_verifier").is_empty(), sent, "{more:?}");
            }
        },
    );
    Home::new().run(&oidc(&World::start(), &["--oidc-pkce-method", "plain"])).assert_failed(2, &["plain", "S256"]);
}

#[test]
fn client_secret_is_sent_and_never_printed() {
    const SECRET: &str = "s3cret/with+odd:signs%20";
    let (world, home) = (World::start(), Home::new());
    world.set_client_secret(Some(SECRET));
    let secret = ["--oidc-client-secret", SECRET, "-v", "9"];
    let first = home.sign_in(&oidc(&world, &secret));
    let second = home.run(&oidc(&world, &[&secret[..], &["--force-refresh"]].concat()));
    assert_ne!(first.token(), second.token());
    let wrong = ["--oidc-client-secret", "wrong-secret-word", "-v", "9"];
    let refused = home.sign_in(&oidc(&world, &wrong));
    refused.assert_failed(1, &["client secret", "\nNext: "]);
    let missing = home.sign_in(&oidc(&world, &[]));
    missing.assert_failed(1, &["If this client has a secret", "--oidc-client-secret="]);
    for run in [&first, &second, &refused, &missing] {
        for part in [SECRET, "s3cret", "wrong-secret-word"] {
            assert!(!run.stderr.contains(part), "{run}");
        }
    }
    for file in home.files("sessions").into_iter().chain(home.files("tokens")) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("s3cret"), "{}", file.display());
    }
}

#[test]
fn other_secret_has_its_own_session() {
    let (world, home) = (World::start(), Home::new());
    world.set_client_secret(Some("one"));
    home.sign_in(&oidc(&world, &["--oidc-client-secret", "one"])).token();
    home.run(&oidc(&world, &["--oidc-client-secret", "two"])).assert_failed(3, &[]);
    home.run(&oidc(&world, &["--oidc-client-secret", "one"])).token();
}

#[test]
fn order_and_format_of_scopes_do_not_matter() {
    let (world, home) = (World::start(), Home::new());
    let token =
        home.sign_in(&oidc(&world, &["--oidc-extra-scope", "email,groups", "--oidc-extra-scope=profile"])).token();
    let mut asked: Vec<String> = world.device_requests()[0].field("scope").split(' ').map(str::to_owned).collect();
    asked.sort();
    assert_eq!(asked, ["email", "groups", "openid", "profile"]);
    world.reset_requests();
    for more in [
        &["--oidc-extra-scope=profile", "--oidc-extra-scope=groups", "--oidc-extra-scope=email"][..],
        &["--oidc-extra-scope=groups,profile,email,email,openid"],
    ] {
        assert_eq!(home.run(&oidc(&world, more)).token(), token);
    }
    assert!(world.requests().is_empty());
    home.run(&oidc(&world, &["--oidc-extra-scope", "two words"])).assert_failed(2, &["--oidc-extra-scope"]);
}

#[test]
fn additional_scopes_need_a_sign_in() {
    let (world, home) = (World::start(), Home::new());
    home.sign_in(&oidc(&world, &["--oidc-extra-scope=email"])).token();
    let more = oidc(&world, &["--oidc-extra-scope=groups"]);
    home.run(&more).assert_failed(3, &["scopes"]);
    let run = home.run(&[&more[..], &ALWAYS.map(str::to_owned)].concat());
    run.token();
    assert!(run.stderr.contains("scopes"), "{run}");
    // The sign-in asked for all scopes, so that the first entry keeps working.
    world.reset_requests();
    home.run(&oidc(&world, &["--oidc-extra-scope=email", "--force-refresh"])).token();
    assert!(world.device_requests().is_empty());
}

#[test]
fn headers_are_sent_with_each_request() {
    let (world, home) = (World::start(), Home::new());
    let headers = ["--oidc-request-header", "X-Tenant=a=b,X-Other=c", "--oidc-request-header=X-Third=d", "-v", "9"];
    let run = home.sign_in(&oidc(&world, &headers));
    run.token();
    home.run(&oidc(&world, &[&headers[..], &["--force-refresh"]].concat())).token();
    for path in ["openid-configuration", "/device", "/token", "/keys"] {
        assert!(world.count(path) > 0, "{path}");
    }
    for request in world.requests() {
        let found = ["x-tenant", "x-other", "x-third"].map(|name| request.header(name).to_owned());
        assert_eq!(found, ["a=b", "c", "d"], "{}", request.path);
    }
    assert!(!run.stderr.contains("a=b"), "{run}");

    // As pflag parses them: one `=` makes one pair, more make a line of CSV, and the last value of a name wins.
    let (world, home) = (World::start(), Home::new());
    let read = [r#""X-One=1,2",X-Two=b=c"#, "X-Three=3,4", "X-Four=5", "X-Four=6"];
    let more = read.map(|value| format!("--oidc-request-header={value}"));
    home.sign_in(&oidc(&world, &more.each_ref().map(String::as_str))).token();
    for request in world.requests() {
        let found = ["x-one", "x-two", "x-three", "x-four"].map(|name| request.header(name).to_owned());
        assert_eq!(found, ["1,2", "b=c", "3,4", "6"], "{}", request.path);
    }
    for wrong in ["no-equals-sign", "=x", "bad name=x", "x=\u{1}"] {
        let run = Home::new().sign_in(&oidc(&world, &["--oidc-request-header", wrong]));
        run.assert_failed(2, &["--oidc-request-header"]);
    }
}

#[test]
fn untrusted_certificate_is_refused_and_names_the_flag() {
    let (world, home) = (World::start(), Home::new());
    home.run(&tls(&world, &ALWAYS)).assert_failed(1, &["certificate", "not trusted", "--certificate-authority"]);
    assert!(world.requests().is_empty());
}

#[test]
fn certificate_authority_is_accepted_by_file_value_and_environment() {
    let world = World::start();
    let file = world.ca_file().to_str().unwrap();
    let data = base64::engine::general_purpose::STANDARD.encode(world.ca_pem());
    for more in [["--certificate-authority", file], ["--certificate-authority-data", &data]] {
        let home = Home::new();
        let run = home.run(&tls(&world, &[&more[..], &ALWAYS].concat()));
        assert_eq!(claims(&run.token())["iss"], world.tls_issuer());
    }
    let home = Home::new();
    Run::of(home.plugin(&tls(&world, &ALWAYS)).env("SSL_CERT_FILE", file)).token();
    assert!(world.requests().iter().all(|request| request.tls));
}

#[test]
fn invalid_certificate_authority_is_a_named_error() {
    let (world, home) = (World::start(), Home::new());
    let empty = home.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    for (flag, value, word) in [
        ("--certificate-authority", "/nowhere/ca.pem", "/nowhere/ca.pem"),
        ("--certificate-authority", empty.to_str().unwrap(), "empty.pem"),
        ("--certificate-authority-data", "!!", "--certificate-authority-data"),
        ("--certificate-authority-data", "bm9uZQ==", "--certificate-authority-data"),
    ] {
        home.run(&tls(&world, &[flag, value, "--prompt", "always"])).assert_failed(1, &[word, "\nNext: "]);
    }
}

#[test]
fn disabled_certificate_checks_have_their_own_session() {
    let (world, home) = (World::start(), Home::new());
    home.run(&tls(&world, &["--insecure-skip-tls-verify", "--prompt", "always"])).token();
    home.run(&tls(&world, &["--insecure-skip-tls-verify"])).token();
    let ca = world.ca_file().to_str().unwrap();
    home.run(&tls(&world, &["--certificate-authority", ca])).assert_failed(3, &[]);
}

#[test]
fn clock_off_by_ten_minutes_is_tolerated() {
    in_parallel([Behaviour::ClockAhead, Behaviour::ClockBehind], |behaviour| {
        let (world, home) = (World::start_with(&[behaviour]), Home::new());
        let run = home.sign_in(&oidc(&world, &[]));
        let token = run.token();
        let end = run.credential()["status"]["expirationTimestamp"].as_str().unwrap().to_owned();
        let left = end.parse::<chrono::DateTime<chrono::Utc>>().unwrap() - chrono::Utc::now();
        assert!((3_480..=3_610).contains(&left.num_seconds()), "{}: {end}", behaviour.name());
        world.reset_requests();
        let warm = home.run(&oidc(&world, &[]));
        assert_eq!((warm.token(), warm.stderr.as_str()), (token, ""), "{}", behaviour.name());
        assert!(world.requests().is_empty(), "{}", behaviour.name());
        home.run(&oidc(&world, &["--force-refresh"])).token();
        assert_eq!(world.device_requests().len(), 0, "{}", behaviour.name());
    });
}

#[test]
fn control_characters_of_issuer_and_kubectl_are_not_printed() {
    let (world, home) = (World::start_with(&[Behaviour::ControlCharacters]), Home::new());
    world.set_client_secret(Some("one"));
    let refused = home.sign_in(&oidc(&world, &["--oidc-client-secret", "two"]));
    refused.assert_failed(1, &["Client authentication failed"]);
    world.set_client_secret(None);
    let done = home.run_as_new_caller(&oidc(&world, &ALWAYS));
    done.token();
    for run in [refused, done] {
        assert!(!run.stderr.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{run}");
    }
}
