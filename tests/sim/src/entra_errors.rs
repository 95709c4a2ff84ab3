//! Entra's errors: the error object, its AADSTS numbers, and the behaviours that cause them.

use serde_json::{Map, Value, json};

use crate::authorization::Redeemed;
use crate::behaviour::Behaviour;
use crate::calendar;
use crate::callback::Parameters;
use crate::form::escaped;
use crate::keys::opaque;
use crate::misbehaviour::with_escapes;
use crate::people::guid_of;
use crate::reply::Response;
use crate::request::Step;
use crate::state::{Call, State};

/// An error of Entra. Clients rely on `error` and `suberror`; the number only identifies the text.
pub(crate) struct Refusal {
    pub(crate) error: &'static str,
    pub(crate) number: u32,
    pub(crate) text: String,
    pub(crate) suberror: Option<&'static str>,
    /// A claims challenge: JSON, sent as a string.
    pub(crate) claims: Option<Value>,
}

impl Refusal {
    pub(crate) fn new(error: &'static str, number: u32, text: impl Into<String>) -> Self {
        Self { error, number, text: text.into(), suberror: None, claims: None }
    }

    fn suberror(self, suberror: &'static str) -> Self {
        Self { suberror: Some(suberror), ..self }
    }

    /// Adds the claims challenge that a Conditional Access policy causes.
    fn challenge(self) -> Self {
        let policies = json!({ "essential": true, "values": ["7cc0e6ab-1f1e-4b0f-8f3c-5b0f0a4f4f10"] });
        Self { claims: Some(json!({ "access_token": { "capolids": policies } })), ..self }
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        let text = format!("The request body must contain the following parameter: '{parameter}'.");
        Self::new("invalid_request", 900_144, text)
    }

    pub(crate) fn bad_code() -> Self {
        Self::new("bad_verification_code", 70018, "Invalid verification code due to user typing in wrong user code.")
    }

    pub(crate) fn expired_code() -> Self {
        let text =
            "The provided value for the input parameter 'device_code' is not valid. This device code has expired.";
        Self::new("expired_token", 70020, text)
    }

    pub(crate) fn declined(error: &'static str) -> Self {
        Self::new(error, 65004, "User declined to consent to access the app.")
    }

    pub(crate) fn revoked() -> Self {
        let text = "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user \
                    might have changed or reset their password.";
        Self::new("invalid_grant", 50173, text).suberror("bad_token")
    }

    pub(crate) fn blocked() -> Self {
        let text = "Access has been blocked by Conditional Access policies. The access policy does not allow token \
                    issuance.";
        Self::new("invalid_grant", 53003, text).suberror("message_only").challenge()
    }

    pub(crate) fn not_consented() -> Self {
        let text = "The user or administrator has not consented to use the application. Send an interactive \
                    authorization request for this user and resource.";
        Self::new("invalid_grant", 65001, text).suberror("consent_required")
    }

    fn no_secret() -> Self {
        let text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
        Self::new("invalid_client", 7_000_218, text)
    }

    pub(crate) fn not_registered(address: &str, client: &str) -> Self {
        let text = format!(
            "The redirect URI '{address}' specified in the request does not match the redirect URIs configured for \
             the application '{client}'."
        );
        Self::new("invalid_request", 50011, text)
    }

    pub(crate) fn wrong_verifier() -> Self {
        Self::new("invalid_grant", 501_481, "The Code_Verifier does not match the code_challenge.")
    }

    fn expired_authorization() -> Self {
        Self::new("invalid_grant", 70008, "The provided authorization code or refresh token has expired.")
    }

    /// Why a code was not redeemed.
    pub(crate) fn unredeemed(refused: &Redeemed) -> Self {
        match refused {
            Redeemed::UsedUp => Self::new("invalid_grant", 54005, "OAuth2 Authorization code was already redeemed."),
            Redeemed::Expired => Self::expired_authorization(),
            Redeemed::WrongRedirect => {
                let text = "The reply address does not match the one provided when requesting the authorization code.";
                Self::new("invalid_grant", 500_112, text)
            }
            Redeemed::WrongVerifier => Self::wrong_verifier(),
            Redeemed::Unknown | Redeemed::Granted(..) => {
                Self::new("invalid_grant", 70000, "The provided value for the 'code' parameter is not valid.")
            }
        }
    }

    /// Number, text, and the ids that support needs.
    fn description(&self, state: &State, trace_id: &str, correlation_id: &str) -> String {
        let timestamp = calendar::entra(state.now());
        let prefix = if self.number == 0 { String::new() } else { format!("AADSTS{}: ", self.number) };
        let text = with_escapes(state, &self.text);
        format!("{prefix}{text} Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {timestamp}")
    }

    /// The same as parameters for the client's redirect address.
    pub(crate) fn parameters(&self, state: &State, call: &Call) -> Parameters {
        // `invalid_grant` is an error of the token endpoint (RFC 6749 sections 4.1.2.1 and 5.2).
        let error = if self.error == "invalid_grant" { "access_denied" } else { self.error };
        let description = self.description(state, &guid_of(&opaque("trace")), &correlation_id(call));
        let uri = format!("https://login.microsoftonline.com/error?code={}", self.number);
        vec![("error", error.to_owned()), ("error_description", description), ("error_uri", uri)]
    }

    /// The same as a page for the user.
    pub(crate) fn page(&self, state: &State, call: &Call) -> Response {
        let description = self.description(state, &guid_of(&opaque("trace")), &correlation_id(call));
        let page = format!(
            "<!DOCTYPE html>\n<title>Sign in to your account</title>\n<h1>Sorry, but we're having misbehaviour signing you \
             in.</h1>\n<p>{}</p>\n",
            escaped(&description)
        );
        Response::html(400, &page)
    }

    /// The HTTP response.
    pub(crate) fn response(&self, state: &State, call: &Call) -> Response {
        let timestamp = calendar::entra(state.now());
        let trace_id = guid_of(&opaque("trace"));
        let correlation_id = correlation_id(call);
        let Self { error, number, .. } = self;
        let description = self.description(state, &trace_id, &correlation_id);
        let mut body = Map::new();
        body.insert("error".to_owned(), json!(error));
        body.insert("error_description".to_owned(), json!(description));
        body.insert("error_codes".to_owned(), if *number == 0 { json!([]) } else { json!([number]) });
        body.insert("timestamp".to_owned(), json!(timestamp));
        body.insert("trace_id".to_owned(), json!(trace_id));
        body.insert("correlation_id".to_owned(), json!(correlation_id));
        if *number != 0 {
            let uri = format!("https://login.microsoftonline.com/error?code={number}");
            body.insert("error_uri".to_owned(), json!(uri));
        }
        if let Some(suberror) = self.suberror {
            body.insert("suberror".to_owned(), json!(suberror));
        }
        if let Some(claims) = &self.claims {
            body.insert("claims".to_owned(), json!(claims.to_string()));
        }
        let status = if *error == "invalid_client" { 401 } else { 400 };
        Response::json(status, &Value::Object(body))
            .with("x-ms-request-id", trace_id)
            .with("x-ms-clitelem", format!("1,{number},0,,"))
    }
}

/// The id by which support finds a request: the client's, if it sent one.
fn correlation_id(call: &Call) -> String {
    let sent = call.header("client-request-id");
    if sent.is_empty() { guid_of(&opaque("correlation")) } else { sent.to_owned() }
}

/// An error with those fields, and the ids and the time that each error of Entra has.
pub(crate) fn refused_with(state: &State, call: &Call, fields: &Value) -> Response {
    let mut body = fields.as_object().cloned().unwrap_or_default();
    body.insert("timestamp".to_owned(), json!(calendar::entra(state.now())));
    body.insert("trace_id".to_owned(), json!(guid_of(&opaque("trace"))));
    body.insert("correlation_id".to_owned(), json!(correlation_id(call)));
    Response::json(400, &Value::Object(body))
}

/// A behaviour and the error it causes.
type Cause = (Behaviour, fn() -> Refusal);

/// The error that a behaviour causes for one kind of token request.
pub(crate) fn refusal_of_behaviour(state: &State, step: Step) -> Option<Refusal> {
    let refresh_refusals: [Cause; 4] = [
        (Behaviour::RefreshInvalidGrant, || {
            Refusal::new("invalid_grant", 70000, "Provided grant is invalid or malformed.")
        }),
        (Behaviour::RefreshBadToken, Refusal::revoked),
        (Behaviour::RefreshMfa, || {
            let text = "Due to a configuration change made by your administrator, or because you moved to a new \
                        location, you must use multi-factor authentication to access the resource.";
            Refusal::new("invalid_grant", 50076, text).suberror("basic_action").challenge()
        }),
        (Behaviour::RefreshBlocked, Refusal::blocked),
    ];
    let poll_refusals: [Cause; 7] = [
        (Behaviour::BadVerificationCode, Refusal::bad_code),
        (Behaviour::ExpiredToken, Refusal::expired_code),
        (Behaviour::AuthorizationDeclined, || Refusal::declined("authorization_declined")),
        (Behaviour::AccessDenied, || Refusal::declined("access_denied")),
        (Behaviour::DeviceBlocked, Refusal::blocked),
        (Behaviour::ConsentRequired, Refusal::not_consented),
        (Behaviour::PublicClientDisabled, Refusal::no_secret),
    ];
    let code_refusals: [Cause; 3] = [
        (Behaviour::PublicClientNotAllowed, Refusal::no_secret),
        (Behaviour::ConditionalAccessBlocksBrowser, Refusal::blocked),
        (Behaviour::ConsentRequired, Refusal::not_consented),
    ];
    let refusals: &[Cause] = match step {
        Step::Poll => &poll_refusals,
        Step::Code => &code_refusals,
        Step::Refresh => &refresh_refusals,
    };
    refusals.iter().find(|(behaviour, _)| state.on(*behaviour)).map(|(_, refusal)| refusal())
}
