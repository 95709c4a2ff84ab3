//! The behaviours that do not depend on protocol details: an endpoint that fails as a whole, and misspelt responses.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::behaviour::Behaviour;
use crate::entra_errors::refused_with;
use crate::pace::pause;
use crate::reply::{Reply, Response};
use crate::request::{Server, Step};
use crate::state::{Call, State};

/// The target of a redirect. It responds like the path without it, so that following one works and can be counted.
pub(crate) const MOVED: &str = "/moved";

/// The page that a captive portal or a web filter sends instead of the server's response.
pub(crate) const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Blocked</title></head>\n\
    <body><h1>Access to this site is blocked</h1><p>Contoso web filter</p></body></html>\n";
const NOT_JSON: &str = "this is not JSON {";
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Two and a half mebibytes of valid JSON.
fn oversized() -> Reply {
    let padding = "a".repeat(5 << 19);
    Response::json(200, &json!({ "access_token": "opaque", "token_type": "Bearer", "padding": padding })).into()
}

/// An error that a test has ordered for one kind of token request.
pub(crate) struct OrderedRefusal {
    pub(crate) step: Step,
    pub(crate) body: Value,
    /// Only for requests that do not answer a claims challenge.
    pub(crate) unless_claims: bool,
}

fn redirect(call: &Call) -> Reply {
    redirect_to(&call.base, call)
}

/// A redirect to the same path on a host.
pub(crate) fn redirect_to(base: &str, call: &Call) -> Reply {
    Response::text(307, "moved\n").with("location", format!("{base}{}{MOVED}", call.path)).into()
}

/// A response that claims to be JSON.
pub(crate) fn not_json() -> Reply {
    Response::json(200, &Value::Null).with_body(NOT_JSON).into()
}

pub(crate) fn unavailable() -> Response {
    Response::text(503, "Service Unavailable\n")
}

/// Failures of a discovery endpoint.
pub(crate) fn at_discovery(state: &State) -> Option<Reply> {
    if state.on(Behaviour::StallDiscovery) {
        Some(Reply::Stall)
    } else if state.on(Behaviour::OversizedDiscovery) {
        Some(oversized())
    } else if state.on(Behaviour::Discovery404) {
        Some(Response::text(404, "not found\n").into())
    } else if state.on(Behaviour::NotJsonDiscovery) {
        Some(not_json())
    } else {
        None
    }
}

/// Failures of a key set.
pub(crate) fn at_keys(state: &State) -> Option<Reply> {
    if state.on(Behaviour::StallKeys) {
        Some(Reply::Stall)
    } else if state.on(Behaviour::Keys503) {
        Some(unavailable().into())
    } else {
        None
    }
}

/// Failures of an authorization endpoint.
pub(crate) fn at_authorize(state: &State) -> Option<Reply> {
    state.on(Behaviour::AuthorizeErrorPage).then(|| {
        let page = "<!DOCTYPE html>\n<title>Sorry</title>\n<h1>Something went wrong</h1>\n";
        Response::html(500, page).into()
    })
}

/// Changes the discovery document as the behaviours require: response modes, PKCE, client secrets, signatures.
pub(crate) fn respell_metadata(state: &State, body: &mut Value) {
    let Some(fields) = body.as_object_mut() else { return };
    if state.on(Behaviour::FormPostOnly) {
        fields.insert("response_modes_supported".to_owned(), json!(["form_post"]));
    }
    if state.on(Behaviour::PkceRefused) {
        fields.remove("code_challenge_methods_supported");
    }
    if state.on(Behaviour::PlainPkceOnly) {
        fields.entry("code_challenge_methods_supported").and_modify(|methods| *methods = json!(["plain"]));
    }
    let methods = "token_endpoint_auth_methods_supported";
    for (behaviour, listed) in [
        (Behaviour::ListsSecretByHeader, json!(["client_secret_basic"])),
        (Behaviour::ListsSecretByBody, json!(["client_secret_post"])),
    ] {
        if state.on(behaviour) {
            fields.insert(methods.to_owned(), listed);
        }
    }
    if state.on(Behaviour::ListsNoSecrets) {
        fields.remove(methods);
    }
    if state.on(Behaviour::IdTokenEs512) {
        fields.insert("id_token_signing_alg_values_supported".to_owned(), json!(["ES512"]));
    }
    if state.on(Behaviour::IssInCallback) || state.on(Behaviour::WrongIssInCallback) {
        fields.insert("authorization_response_iss_parameter_supported".to_owned(), json!(true));
    }
}

/// Failures of a device authorization endpoint.
pub(crate) fn at_device(state: &State, call: &Call) -> Option<Reply> {
    if state.on(Behaviour::StallDevice) {
        Some(Reply::Stall)
    } else if state.on(Behaviour::HtmlDevicePage) {
        Some(Response::html(403, PAGE).into())
    } else if state.on(Behaviour::Always503) {
        Some(unavailable().into())
    } else if state.on(Behaviour::NotJsonDevice) {
        Some(not_json())
    } else if state.on(Behaviour::RedirectDevice) && !call.path.ends_with(MOVED) {
        Some(redirect(call))
    } else {
        None
    }
}

/// Failures of the revocation endpoint.
pub(crate) fn at_revocation(state: &State) -> Option<Reply> {
    if state.on(Behaviour::RevocationStalls) {
        Some(Reply::Stall)
    } else if state.on(Behaviour::RevocationUnavailable) {
        Some(unavailable().into())
    } else {
        None
    }
}

/// Failures of a token endpoint.
pub(crate) fn at_token(state: &mut State, call: &Call) -> Option<Reply> {
    let refresh = call.field("grant_type") == Some("refresh_token");
    if state.on(Behaviour::Stall) || refresh && state.on(Behaviour::RefreshStall) {
        return Some(Reply::Stall);
    }
    if matches!(call.field("grant_type"), Some("authorization_code" | "password"))
        && state.on(Behaviour::ConnectionLostAtExchange)
    {
        return Some(Reply::Drop);
    }
    if refresh && state.on(Behaviour::Refresh5xx) {
        return Some(Response::html(502, "<html><body>Bad Gateway</body></html>\n").into());
    }
    if refresh && let Some(response) = refused_oddly(state) {
        return Some(response.into());
    }
    if state.on(Behaviour::Always503) {
        return Some(unavailable().into());
    }
    if state.on(Behaviour::Token503WithRetryAfter) {
        let (now, wait) = (state.instant(), pause(RETRY_AFTER));
        let until = *state.retry_after.get_or_insert(now + wait);
        // The same lenience as for polls.
        if let Some(left) = until.checked_duration_since(now + pause(Duration::from_millis(100))) {
            if left < wait - pause(Duration::from_millis(500)) {
                state.mark_too_early(call.id);
            }
            return Some(unavailable().with("retry-after", RETRY_AFTER.as_secs().to_string()).into());
        }
    }
    if let Some(response) = ordered(state, call) {
        return Some(response.into());
    }
    let times = state.settings.server_error_times;
    if (1..=times).contains(&state.occurrence(Behaviour::ServerError)) {
        return Some(Response::text(500, "Internal Server Error\n").into());
    }
    if state.on(Behaviour::HtmlErrorPage) {
        Some(Response::html(403, PAGE).into())
    } else if state.on(Behaviour::HtmlSuccessPage) {
        Some(Response::html(200, PAGE).into())
    } else if state.on(Behaviour::OversizedAnswer) {
        Some(oversized())
    } else if state.on(Behaviour::NotJson) {
        Some(not_json())
    } else if state.on(Behaviour::JsonArray) {
        Some(Response::json(200, &json!(["access_token", "opaque"])).into())
    } else if state.on(Behaviour::RedirectToken) && !call.path.ends_with(MOVED) {
        Some(redirect(call))
    } else {
        None
    }
}

/// Errors for a refresh that do not follow RFC 6749 section 5.2.
fn refused_oddly(state: &State) -> Option<Response> {
    if state.on(Behaviour::RefreshInvalidToken) {
        let text = "The refresh token has been revoked.";
        Some(Response::json(401, &json!({ "error": "invalid_token", "error_description": text })))
    } else if state.on(Behaviour::RefreshOwnJson) {
        Some(Response::json(400, &json!({ "code": 4711, "message": "The session is over." })))
    } else if state.on(Behaviour::RefreshEmptyAnswer) {
        Some(Response::text(401, ""))
    } else if state.on(Behaviour::RefreshFirewall) {
        Some(Response::html(403, PAGE))
    } else {
        None
    }
}

fn ordered(state: &State, call: &Call) -> Option<Response> {
    let step = Step::from_grant_type(call.field("grant_type")?)?;
    let answered = call.field("claims").is_some();
    let refusals = &state.settings.refusals;
    let refusal = refusals.iter().find(|one| one.step == step && !(one.unless_claims && answered))?;
    Some(match call.server {
        Server::Entra => refused_with(state, call, &refusal.body),
        _ => Response::json(400, &refusal.body),
    })
}

/// Delays a token response, if that is set.
pub(crate) fn delayed(state: &State, response: Response) -> Reply {
    if state.on(Behaviour::DelayToken) { Reply::Later(state.settings.token_delay, response) } else { response.into() }
}

/// Turns the numbers of a response into strings, if that is set.
pub(crate) fn respell_numbers(state: &State, body: &mut Map<String, Value>) {
    if state.on(Behaviour::NumbersAsStrings) {
        for value in body.values_mut().filter(|value| value.is_number()) {
            *value = Value::String(value.to_string());
        }
    }
}

/// Text with terminal escapes (clear the screen, set the title, ring the bell, an 8-bit CSI, reverse the writing
/// direction), if that is set.
pub(crate) fn with_escapes(state: &State, text: &str) -> String {
    if state.on(Behaviour::ControlCharacters) { escapes(text) } else { text.to_owned() }
}

pub(crate) fn escapes(text: &str) -> String {
    format!("\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m{text}\r\n\u{1b}[1Aforged\u{202e}line")
}

/// So many MiB of one JSON value, separated by commas.
pub(crate) fn dense(value: &str, mib: usize) -> String {
    vec![value; (mib << 20) / (value.len() + 1)].join(",")
}

/// Respells the verification URI of a device response as the behaviours require.
pub(crate) fn respell_verification(state: &State, body: &mut Map<String, Value>) {
    if state.on(Behaviour::HostileVerificationUri) {
        body.insert("verification_uri".to_owned(), json!("javascript:alert(1)"));
        if body.contains_key("verification_uri_complete") {
            body.insert("verification_uri_complete".to_owned(), json!("file:///etc/passwd"));
        }
    }
    if state.on(Behaviour::VerificationUriCompleteMissing) {
        body.remove("verification_uri_complete");
    }
    if state.on(Behaviour::VerificationUrl)
        && let Some(uri) = body.remove("verification_uri")
    {
        body.insert("verification_url".to_owned(), uri);
    }
}
