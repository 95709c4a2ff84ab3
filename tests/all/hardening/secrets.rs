//! Secrets of a request that a server repeats: header values, passwords, in all spellings.

use serde_json::json;

use crate::common::scripted::{Scripted, json_response};
use crate::common::{Home, Run, in_parallel};

const SECRET: &str = "p@ss w0rd/\"%+é";
const HEADER: &str = "header-value-0123456789";
const PROXY: &str = "proxy-password-42";

/// The ways in which a server may spell a secret.
fn spellings(secret: &str) -> Vec<String> {
    use base64::Engine as _;
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let json = serde_json::to_string(secret).unwrap();
    let base64 = base64::engine::general_purpose::STANDARD;
    let basic = base64.encode(format!("c:{form}"));
    let plain = base64.encode(format!("client:{secret}"));
    vec![secret.to_owned(), form, percent, json.trim_matches('"').to_owned(), basic, plain]
}

#[test]
fn secrets_in_any_spelling_are_hidden() {
    let repeated = [SECRET, HEADER, PROXY].into_iter().flat_map(spellings);
    in_parallel(repeated.collect::<Vec<_>>(), |spelled| {
        let server = Scripted::start(|url| {
            let discovery = json!({
                "issuer": url, "token_endpoint": format!("{url}/token"),
                "device_authorization_endpoint": format!("{url}/device"),
            });
            let description = format!("unknown client, sent <{spelled}>, sorry");
            let refusal = json!({ "error": "invalid_client", "error_description": description });
            vec![json_response("200 OK", &discovery), json_response("401 Unauthorized", &refusal)]
        });
        let home = Home::new();
        let (url, header) = (server.url(), format!("--oidc-request-header=X-Key=Bearer {HEADER}"));
        let secret = format!("--oidc-client-secret={SECRET}");
        let args = ["get-token", "--oidc-issuer-url", &url, "--oidc-client-id=c", &secret, &header];
        let more = ["--prompt=always", "--grant-type=device-code", "-v5"];
        let mut command = home.plugin(&[&args[..], &more].concat());
        let run = Run::of(command.env("HTTPS_PROXY", format!("http://user:{PROXY}@127.0.0.1:9")));
        assert_eq!(run.code, Some(1), "{run}");
        assert!(run.stderr.contains("sent <[hidden]>, sorry"), "{spelled}: {run}");
        assert!(!run.stderr.contains(&spelled), "{spelled}: {run}");
        for path in home.files("outcomes") {
            assert!(!std::fs::read_to_string(path).unwrap().contains(&spelled));
        }
    });
}

#[test]
fn header_in_a_discovery_document_is_hidden() {
    let server = Scripted::start(|url| {
        let discovery = json!({ "issuer": format!("{url}/{HEADER}"), "token_endpoint": format!("{url}/token") });
        vec![json_response("200 OK", &discovery)]
    });
    let (url, header) = (server.url(), format!("--oidc-request-header=X-Key={HEADER}"));
    let run =
        Home::new().run(&["get-token", "--oidc-issuer-url", &url, "--oidc-client-id=c", &header, "--prompt=always"]);
    run.assert_failed(1, &["the issuer calls itself", "[hidden]"]);
    assert!(!run.stderr.contains(HEADER), "{run}");
}

#[test]
fn value_of_a_flag_without_value_is_hidden() {
    let secret = "hunter2-hunter2";
    let flags = [
        "--timeout",
        "--authentication-timeout-sec",
        "--force-refresh",
        "--skip-open-browser",
        "--insecure-skip-tls-verify",
        "--oidc-use-access-token",
        "-v",
    ];
    for flag in flags {
        let run = Home::new().run(&["get-token", &format!("{flag}={secret}")]);
        run.assert_failed(2, &["Error: ", "\nNext:  "]);
        assert!(!run.stderr.contains("hunter2"), "{flag}: {run}");
    }
    let run = Home::new().run(&["status", "-v", secret]);
    run.assert_failed(2, &["--v has a value that it does not take", "Write a number"]);
    assert!(!run.stderr.contains("hunter2"), "{run}");
}
