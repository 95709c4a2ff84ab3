//! A state directory of an earlier version is still read: an upgrade does not need a new sign-in.
//!
//! `samples/state` was written by the program of November 2026, in the simulated world on ports without a listener,
//! with a key file: a session of the plain issuer, one of the Entra-shaped tenant, and one whose refresh was refused.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use kubectl_login::environment::Environment;
use kubectl_login::store::Store;
use serde_json::{Value, json};
use sim::{ALICE, CLIENT, OIDC_CLIENT, SERVER, TENANT};

use crate::common::{Home, all_below, claims, entra_at, set_mode};

/// The tenant's address.
const TENANT_HOST: &str = "http://127.0.0.1:9/";
/// The address of the tenant that refused a refresh.
const REFUSING_HOST: &str = "http://127.0.0.1:2/";
const ISSUER: &str = "http://127.0.0.1:9/oidc";

/// When the sample was written, rounded down to the second before the first sign-in.
fn written_at() -> DateTime<Utc> {
    "2026-11-30T08:42:30Z".parse().unwrap()
}

/// A home directory with the sample as its state directory, `age` after it was written.
fn home_with_sample(age: TimeDelta) -> Home {
    let home = Home::new();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/samples/state");
    for path in all_below(&sample) {
        let copy: PathBuf = home.state().join(path.strip_prefix(&sample).unwrap());
        if path.is_dir() {
            fs::create_dir_all(&copy).unwrap();
            set_mode(&copy, 0o700);
        } else {
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(&path, &copy).unwrap();
            set_mode(&copy, 0o600);
        }
    }
    set_mode(&home.state(), 0o700);
    home.set_time(written_at() + age);
    home
}

/// `get-token` for the plain issuer.
fn oidc_args() -> Vec<String> {
    ["get-token", "--oidc-issuer-url", ISSUER, "--oidc-client-id", OIDC_CLIENT, "--grant-type", "device-code"]
        .map(str::to_owned)
        .to_vec()
}

fn entra_args(host: &str) -> Vec<String> {
    entra_at(host, &["--login", "devicecode"])
}

#[test]
fn status_shows_sessions_of_an_old_state_directory() {
    let home = home_with_sample(TimeDelta::minutes(5));
    let session = |issuer: String, tenant: Option<&str>, client: &str, audience: &str, expires_at: &str| {
        json!({
            "issuer": issuer, "tenant": tenant, "client": client, "account": ALICE, "method": "devicecode",
            "storage": "file", "cacheDir": home.state(), "refreshable": true, "contexts": [],
            "accessTokens": [{ "audience": audience, "expiresAt": expires_at }],
        })
    };
    let tenant = |host: &str| format!("{host}{TENANT}/v2.0");
    let mut refused = session(tenant(REFUSING_HOST), Some(TENANT), CLIENT, SERVER, "2026-11-30T09:42:39Z");
    refused["refreshable"] = Value::Bool(false);
    let expected = [
        refused,
        session(tenant(TENANT_HOST), Some(TENANT), CLIENT, SERVER, "2026-11-30T09:42:35Z"),
        session(ISSUER.to_owned(), None, OIDC_CLIENT, OIDC_CLIENT, "2026-11-30T09:42:37Z"),
    ];
    assert_eq!(home.status()["sessions"], json!(expected));
}

#[test]
fn token_of_an_old_state_directory_is_returned() {
    let home = home_with_sample(TimeDelta::minutes(5));
    for (args, audience) in [(oidc_args(), OIDC_CLIENT), (entra_args(TENANT_HOST), SERVER)] {
        let run = home.run(&args);
        let token = run.token();
        assert_eq!((claims(&token)["aud"].as_str(), run.stderr.as_str()), (Some(audience), ""), "{run}");
    }
}

#[test]
fn doctor_reports_a_refused_refresh_of_an_old_state_directory() {
    let home = home_with_sample(TimeDelta::minutes(5));
    home.contexts(&[("sample", entra_args(REFUSING_HOST))]);
    let run = home.run(&["doctor"]);
    assert!(run.stdout.contains(&format!("{ALICE} is signed in, by devicecode; a refresh was refused at")), "{run}");
    assert!(run.stdout.contains("6 records, all of which can be opened"), "{run}");
}

#[test]
fn records_of_an_old_state_directory_open() {
    let home = home_with_sample(TimeDelta::minutes(5));
    let store = Store::open(Some(home.state()), &Environment::default());
    let (sessions, tokens) = (store.sessions(), store.tokens());
    assert_eq!((sessions.len(), tokens.len()), (3, 3));
    for (id, _, facts) in sessions {
        let (_, record, _) = store.session(&id).found().unwrap();
        assert!(record.refresh_token.is_some() && !record.scopes.is_empty(), "{facts:?}");
        assert!(facts.signed_in_at.is_some() && facts.is_renewable() == facts.refusal.is_none(), "{facts:?}");
    }
    for (id, _, facts) in tokens {
        let record = store.token(&id).found().unwrap();
        assert_eq!(record.expires_at, facts.expires_at);
        assert!(store.session_facts(&facts.session).is_some());
    }
}

#[test]
fn logout_clears_an_old_state_directory() {
    let home = home_with_sample(TimeDelta::minutes(5));
    let run = home.run(&["logout", "--all"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(home.status()["sessions"], json!([]));
    let left: Vec<PathBuf> = all_below(&home.state()).into_iter().filter(|path| path.is_file()).collect();
    assert!(left.iter().all(|path| path.parent().unwrap().ends_with("locks")), "{left:?}");
}
