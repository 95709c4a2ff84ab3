//! The error response of a token or authorization endpoint (RFC 6749 5.2 and 4.1.2.1), and what its code means.
//!
//! It must not know what a vendor adds: codes that no standard has are unknown here, and further members of the error object
//! are kept as they came, for a module that knows the vendor.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::masking::hide;
use crate::text::printable;

/// How many characters of an error code and of its description are kept.
const LONGEST_CODE: usize = 200;
const LONGEST_DESCRIPTION: usize = 2_000;
/// The longest additional member that is kept, in bytes of JSON: claims challenges have a few hundred.
const LONGEST_MEMBER: usize = 8 * 1024;

/// An error object (RFC 6749 5.2) and the request that it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OAuthErrorResponse {
    /// The error code.
    pub error: String,
    /// Text for people. It must not decide anything.
    pub error_description: Option<String>,
    /// The other members of the object, as they came (RFC 6749 5.2 allows additional ones).
    pub additional: Map<String, Value>,
    /// The HTTP status it came with; 0 if it came through the browser.
    pub status: u16,
    /// What it refuses: the same code means different things for a device code and for a refresh token.
    pub grant: GrantType,
}

/// What a request presents to get tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrantType {
    /// A device code, or the request for one (RFC 8628); also the value for requests that are not for tokens.
    #[default]
    DeviceCode,
    /// An authorization code (RFC 6749 4.1), or the request for one.
    AuthorizationCode,
    /// A user name and a password (RFC 6749 4.3).
    Password,
    /// A refresh token (RFC 6749 6).
    RefreshToken,
}

/// What an error code means for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OAuthErrorClass {
    /// Device flow: the user has not answered yet (RFC 8628 3.5).
    AuthorizationPending,
    /// Device flow: poll less often from now on (RFC 8628 3.5).
    SlowDown,
    /// The user declined.
    Declined,
    /// The code expired before it was used.
    CodeExpired,
    /// The server says that the refresh token is permanently invalid: sign in again and delete it.
    GrantRevoked,
    /// The server refuses the grant and does not say why: sign in again.
    GrantRefused,
    /// An interactive sign-in would help (a second factor, say); the refresh token stays valid.
    InteractionRequired,
    /// A policy forbids it: signing in again does not help.
    Policy,
    /// The server is temporarily unavailable.
    Transient,
    /// The client, the scope or the request is misconfigured.
    Misconfigured,
    /// A code that is not in any standard.
    Unknown,
}

/// An error object as it is on the wire.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ErrorObject {
    error: String,
    #[serde(default, deserialize_with = "text_or_none")]
    error_description: Option<String>,
    #[serde(flatten)]
    additional: Map<String, Value>,
}

impl oauth2::ErrorResponse for ErrorObject {}

impl fmt::Display for ErrorObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.error, 60))
    }
}

impl ErrorObject {
    /// The error response for a request that presented `grant`; `status` is the HTTP status.
    pub(super) fn answering(self, grant: GrantType, status: u16) -> OAuthErrorResponse {
        let ErrorObject { error, error_description, additional } = self;
        OAuthErrorResponse { error, error_description, additional, status, grant }
    }
}

impl OAuthErrorResponse {
    /// The error object in the `body` of a response with HTTP `status` to a request that presented `grant`; `None` if the body
    /// is not one.
    pub fn from_json(body: &[u8], grant: GrantType, status: u16) -> Option<OAuthErrorResponse> {
        serde_json::from_slice::<ErrorObject>(body).ok().map(|object| object.answering(grant, status))
    }

    /// An error that came through the browser (RFC 6749 4.1.2.1).
    pub fn from_parameters(error: &str, description: Option<&str>) -> OAuthErrorResponse {
        OAuthErrorResponse {
            error: error.to_owned(),
            error_description: description.map(str::to_owned),
            additional: Map::new(),
            status: 0,
            grant: GrantType::AuthorizationCode,
        }
    }

    /// Whether it only says that the endpoint does not exist, or not for this kind of request.
    pub fn is_about_endpoint(&self) -> bool {
        matches!(self.status, 404 | 405 | 410)
    }

    /// The class, from the error code alone. The grant decides if the code belongs to another grant, or to none.
    pub fn class(&self) -> OAuthErrorClass {
        self.class_as(&self.error)
    }

    /// The class if the error code is read as `code`: for a server that has its own name for a standard's code.
    pub fn class_as(&self, code: &str) -> OAuthErrorClass {
        use OAuthErrorClass::{
            AuthorizationPending, CodeExpired, Declined, GrantRefused, Misconfigured, SlowDown, Transient, Unknown,
        };
        match (self.grant, self.class_by_code(code)) {
            (GrantType::RefreshToken, CodeExpired | Declined | AuthorizationPending | Unknown) => GrantRefused,
            // RFC 6749 5.2 has invalid_grant for an expired refresh token, but some servers say invalid_request. If the
            // request is at fault after all, the sign-in will say so. An issuer that does not refresh needs one too.
            (GrantType::RefreshToken, Misconfigured)
                if matches!(code, "invalid_request" | "unsupported_grant_type") =>
            {
                GrantRefused
            }
            (GrantType::AuthorizationCode | GrantType::Password, CodeExpired | AuthorizationPending) => GrantRefused,
            (grant, SlowDown) if grant != GrantType::DeviceCode => Transient,
            (_, class) => class,
        }
    }

    fn class_by_code(&self, code: &str) -> OAuthErrorClass {
        match code {
            // RFC 8628 3.5.
            "authorization_pending" => OAuthErrorClass::AuthorizationPending,
            "slow_down" => OAuthErrorClass::SlowDown,
            "access_denied" => OAuthErrorClass::Declined,
            "expired_token" => OAuthErrorClass::CodeExpired,
            "temporarily_unavailable" | "server_error" => OAuthErrorClass::Transient,
            // OpenID Connect Core 3.1.2.6.
            "interaction_required" | "login_required" => OAuthErrorClass::InteractionRequired,
            "consent_required" => OAuthErrorClass::Policy,
            "invalid_grant" => OAuthErrorClass::GrantRefused,
            // RFC 6749 5.2 and 4.1.2.1, RFC 8707.
            "invalid_request"
            | "invalid_client"
            | "unauthorized_client"
            | "unsupported_grant_type"
            | "unsupported_response_type"
            | "invalid_scope"
            | "invalid_target" => OAuthErrorClass::Misconfigured,
            _ if self.is_about_endpoint() => OAuthErrorClass::Misconfigured,
            _ => OAuthErrorClass::Unknown,
        }
    }

    /// The same without the additional members that are not `known`, and with shorter texts: for a record that outlives the
    /// request. A server may put anything there, such as a token for the next step of a sign-in.
    pub fn restricted_to(mut self, known: &[&str]) -> OAuthErrorResponse {
        self.additional
            .retain(|name, value| known.contains(&name.as_str()) && value.to_string().len() <= LONGEST_MEMBER);
        self.error = self.error.chars().take(LONGEST_CODE).collect();
        self.error_description = self.error_description.map(|text| text.chars().take(LONGEST_DESCRIPTION).collect());
        self
    }

    /// Removes `secrets` from every text, in case the server repeats what it was sent.
    pub fn mask(&mut self, secrets: &[&str]) {
        let masked = |text: &mut String| *text = hide(text, secrets.iter().copied());
        masked(&mut self.error);
        self.error_description.iter_mut().for_each(masked);
        self.additional.values_mut().for_each(|value| mask_value(value, &masked));
    }

    /// The server's description on one line, at most 400 characters, fit for a terminal; empty if there is none.
    pub fn description(&self) -> String {
        printable(self.error_description.as_deref().unwrap_or_default(), 400)
    }
}

/// Applies `masked` to every text in `value`.
fn mask_value(value: &mut Value, masked: &impl Fn(&mut String)) {
    match value {
        Value::String(text) => masked(text),
        Value::Array(values) => values.iter_mut().for_each(|value| mask_value(value, masked)),
        Value::Object(members) => members.values_mut().for_each(|value| mask_value(value, masked)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl fmt::Display for OAuthErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let description = self.description();
        let error = printable(&self.error, 60);
        if description.is_empty() { write!(f, "{error}") } else { write!(f, "{description} ({error})") }
    }
}

impl std::error::Error for OAuthErrorResponse {}

/// A text, or `None` for a value of another type: the description is only shown, and must not hide the error code.
fn text_or_none<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str, grant: GrantType, status: u16) -> OAuthErrorResponse {
        OAuthErrorResponse::from_json(text.as_bytes(), grant, status).expect("an error object")
    }

    #[test]
    fn class_depends_on_grant() {
        use OAuthErrorClass::{CodeExpired, GrantRefused, Misconfigured, SlowDown, Transient};
        let class = |text: &str, grant| parse(text, grant, 400).class();
        for code in ["expired_token", "access_denied", "invalid_token", "session_expired", "invalid_request"] {
            let text = format!(r#"{{"error":"{code}"}}"#);
            assert_eq!(class(&text, GrantType::RefreshToken), GrantRefused, "{code}");
        }
        for code in ["invalid_client", "unauthorized_client", "invalid_scope"] {
            assert_eq!(class(&format!(r#"{{"error":"{code}"}}"#), GrantType::RefreshToken), Misconfigured, "{code}");
        }
        assert_eq!(class(r#"{"error":"slow_down"}"#, GrantType::RefreshToken), Transient);
        assert_eq!(class(r#"{"error":"slow_down"}"#, GrantType::DeviceCode), SlowDown);
        assert_eq!(class(r#"{"error":"expired_token"}"#, GrantType::DeviceCode), CodeExpired);
        assert_eq!(parse(r#"{"error":"not_found"}"#, GrantType::RefreshToken, 404).class(), Misconfigured);
    }

    #[test]
    fn additional_members_are_kept() {
        let response = parse(r#"{"error":"x","error_uri":"u","n":[1],"status":7}"#, GrantType::Password, 400);
        let members = serde_json::json!({"error_uri": "u", "n": [1], "status": 7});
        assert_eq!((Value::Object(response.additional.clone()), response.status), (members, 400));
        let stored = serde_json::to_string(&response).expect("JSON");
        assert_eq!(serde_json::from_str::<OAuthErrorResponse>(&stored).expect("the same"), response);
    }

    #[test]
    fn secrets_are_masked_in_every_member() {
        let text =
            r#"{"error":"x","error_description":"bad token t0k3n-t0k3n!","a":"t0k3n-t0k3n","b":[{"c":"t0k3n-t0k3n"}]}"#;
        let mut response = parse(text, GrantType::DeviceCode, 400);
        response.mask(&["t0k3n-t0k3n", "", "b"]);
        assert_eq!(response.to_string(), "bad token [hidden]! (x)");
        let members = serde_json::json!({"a": "[hidden]", "b": [{"c": "[hidden]"}]});
        assert_eq!(Value::Object(response.additional), members);
    }

    #[test]
    fn description_of_wrong_type_does_not_hide_error_code() {
        let response = parse(r#"{"error":"access_denied","error_description":7}"#, GrantType::DeviceCode, 400);
        assert_eq!((response.class(), response.description()), (OAuthErrorClass::Declined, String::new()));
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in any::<Vec<u8>>(), description in any::<String>()) {
            let _ = serde_json::from_slice::<super::super::token_response::TokenResponseBody>(&bytes);
            let _ = OAuthErrorResponse::from_json(&bytes, GrantType::RefreshToken, 400);
            let _ = serde_json::from_slice::<super::super::client::DeviceAuthorization>(&bytes);
            let response = OAuthErrorResponse::from_parameters(&description, Some(&description));
            let _ = response.class();
            let has_escape = response.to_string().contains('\u{1b}');
            prop_assert!(!has_escape);
        }
    }
}
