//! What a token endpoint answers: tokens, or an error object.

use std::fmt;

use oauth2::basic::BasicTokenType;
use oauth2::{ErrorResponse, ExtraTokenFields, StandardTokenResponse};
use serde::{Deserialize, Serialize};

use crate::masking::hide;
use crate::secret::Secret;
use crate::text::printable;

/// A successful answer (RFC 6749 5.1) with OpenID Connect's `id_token`.
pub type TokenAnswer = StandardTokenResponse<IdTokenField, BasicTokenType>;

/// The field OpenID Connect adds to a token answer (OIDC Core 3.1.3.3).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdTokenField {
    /// The ID token, where one came along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<Secret>,
}

impl ExtraTokenFields for IdTokenField {}

/// An error object (RFC 6749 5.2) with the fields Entra adds
/// (<https://learn.microsoft.com/entra/identity-platform/reference-error-codes>).
///
/// `error`, `suberror` and `claims` are what may decide anything; the rest is for words.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorAnswer {
    /// The error code of the specification.
    pub error: String,
    /// Text for people, not for branching.
    #[serde(default, deserialize_with = "lenient")]
    pub error_description: Option<String>,
    /// Entra: finer class of `invalid_grant` and `interaction_required`.
    #[serde(default, deserialize_with = "lenient")]
    pub suberror: Option<String>,
    /// Entra: what a next sign-in has to satisfy, as JSON in a string.
    #[serde(default, deserialize_with = "lenient")]
    pub claims: Option<String>,
    /// Entra: AADSTS numbers.
    #[serde(default, deserialize_with = "lenient")]
    pub error_codes: Option<Vec<u64>>,
    /// Entra: for the help desk.
    #[serde(default, deserialize_with = "lenient")]
    pub correlation_id: Option<String>,
    /// Entra: for the help desk.
    #[serde(default, deserialize_with = "lenient")]
    pub trace_id: Option<String>,
    /// Entra: for the help desk.
    #[serde(default, deserialize_with = "lenient")]
    pub timestamp: Option<String>,
}

/// What an error means for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Device flow: nobody has answered yet (RFC 8628 3.5).
    Pending,
    /// Device flow: ask less often from now on (RFC 8628 3.5).
    SlowDown,
    /// The person said no.
    Declined,
    /// The code ended before anybody used it.
    CodeExpired,
    /// The server names the refresh token as dead: sign in again and forget it.
    GrantDead,
    /// The server refuses the grant and does not say why: sign in again.
    GrantRefused,
    /// A sign-in by a person would help (a second factor, say); the refresh token stays good.
    PersonNeeded,
    /// Policy stands in the way: signing in again does not help.
    Policy,
    /// The server has a bad moment.
    Transient,
    /// Client, scope or request are not as they should be.
    SetUp,
}

impl ErrorAnswer {
    /// An error that a browser carried back (RFC 6749 4.1.2.1). What Entra adds to the object elsewhere stands in the
    /// text there.
    pub fn in_parameters(error: &str, description: Option<&str>) -> ErrorAnswer {
        let text = description.unwrap_or_default();
        let after = |label: &str| {
            let value = text.split_once(label)?.1.split_whitespace().take(if label == "Timestamp:" { 2 } else { 1 });
            Some(value.collect::<Vec<_>>().join(" "))
        };
        ErrorAnswer {
            error: error.to_owned(),
            error_description: description.map(str::to_owned),
            suberror: None,
            claims: None,
            error_codes: None,
            correlation_id: after("Correlation ID:"),
            trace_id: after("Trace ID:"),
            timestamp: after("Timestamp:"),
        }
    }

    /// The class, from `error`, `suberror` and `claims` alone; numbers can change without notice.
    pub fn class(&self) -> Class {
        match self.error.as_str() {
            "authorization_pending" => Class::Pending,
            "slow_down" => Class::SlowDown,
            // Entra's own word, and the RFC's.
            "authorization_declined" | "access_denied" => Class::Declined,
            "expired_token" | "code_expired" => Class::CodeExpired,
            "temporarily_unavailable" | "server_error" => Class::Transient,
            "interaction_required" | "login_required" => self.class_by_suberror(Class::PersonNeeded),
            "consent_required" => Class::Policy,
            "invalid_grant" => self.class_by_suberror(match self.claims {
                // A claims challenge says what a sign-in must bring; the grant itself is fine.
                Some(_) => Class::PersonNeeded,
                None => Class::GrantRefused,
            }),
            _ => Class::SetUp,
        }
    }

    /// Entra's `suberror`, as MSAL reads it (MsalError and its service exception factory).
    fn class_by_suberror(&self, otherwise: Class) -> Class {
        match self.suberror.as_deref() {
            Some("bad_token" | "token_expired" | "client_mismatch") => Class::GrantDead,
            Some("basic_action" | "user_password_expired") => Class::PersonNeeded,
            Some(
                "message_only"
                | "additional_action"
                | "consent_required"
                | "protection_policy_required"
                | "device_authentication_failed",
            ) => Class::Policy,
            _ => otherwise,
        }
    }

    /// Takes `secrets` out of every text, should the server repeat what it was sent.
    pub fn mask(&mut self, secrets: &[&str]) {
        let texts = [
            &mut self.error_description,
            &mut self.suberror,
            &mut self.claims,
            &mut self.correlation_id,
            &mut self.trace_id,
            &mut self.timestamp,
        ];
        for text in texts.into_iter().flatten().chain([&mut self.error]) {
            *text = hide(text, secrets.iter().copied());
        }
    }

    /// The server's own words, one line, fit for a terminal. Entra appends its ids to the text; they are shown apart.
    pub fn description(&self) -> String {
        let text = self.error_description.as_deref().unwrap_or_default();
        let end = ["Trace ID:", "\r\nTrace ID", "Correlation ID:"].iter().filter_map(|mark| text.find(mark)).min();
        printable(&text[..end.unwrap_or(text.len())], 400)
    }

    /// Entra's numbers, the first one as it is shown. Where the object has none, the text may.
    pub fn numbers(&self) -> Vec<u64> {
        let in_text = || {
            let (_, rest) = self.error_description.as_deref()?.split_once("AADSTS")?;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        match self.error_codes.as_deref() {
            Some(numbers @ [_, ..]) => numbers.to_vec(),
            _ => in_text().into_iter().collect(),
        }
    }

    /// The number that is shown.
    pub fn number(&self) -> Option<u64> {
        self.numbers().first().copied()
    }

    /// The server's own words with the number in them, or number and error code where it sent no words; fit to stand in
    /// brackets, without a full stop.
    pub fn with_number(&self) -> String {
        let description = self.description().trim_end_matches('.').to_owned();
        let number = self.number().map(|number| format!("AADSTS{number}")).unwrap_or_default();
        match (description.is_empty(), number.is_empty()) {
            (true, true) => printable(&self.error, 60),
            (true, false) => format!("{number}, {}", printable(&self.error, 60)),
            (false, _) if description.contains(&number) => description,
            (false, _) => format!("{number}: {description}"),
        }
    }

    /// Number, correlation id, trace id and time on one line, for the help desk.
    pub fn reference(&self) -> Option<String> {
        let number = self.number().map(|number| format!("AADSTS{number}"));
        let labelled = |label: &str, value: &Option<String>| {
            value.as_deref().filter(|text| !text.is_empty()).map(|text| format!("{label} {}", printable(text, 60)))
        };
        let parts: Vec<String> = [
            number,
            labelled("correlation", &self.correlation_id),
            labelled("trace", &self.trace_id),
            labelled("at", &self.timestamp),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

impl fmt::Display for ErrorAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let description = self.description();
        let error = printable(&self.error, 60);
        if description.is_empty() { write!(f, "{error}") } else { write!(f, "{description} ({error})") }
    }
}

impl ErrorResponse for ErrorAnswer {}

/// A field of the wrong type counts as absent: it only serves words, and must not hide the error it comes with.
fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> ErrorAnswer {
        serde_json::from_str(text).expect("an error object")
    }

    #[test]
    fn suberror_and_claims_decide() {
        let class = |text: &str| parse(text).class();
        assert_eq!(class(r#"{"error":"invalid_grant"}"#), Class::GrantRefused);
        assert_eq!(class(r#"{"error":"invalid_grant","suberror":"bad_token","claims":"{}"}"#), Class::GrantDead);
        assert_eq!(class(r#"{"error":"invalid_grant","suberror":"basic_action"}"#), Class::PersonNeeded);
        assert_eq!(class(r#"{"error":"invalid_grant","claims":"{}"}"#), Class::PersonNeeded);
        assert_eq!(class(r#"{"error":"invalid_grant","suberror":"message_only","claims":"{}"}"#), Class::Policy);
        assert_eq!(class(r#"{"error":"invalid_client","error_codes":[7000218]}"#), Class::SetUp);
    }

    #[test]
    fn ids_are_shown_apart_from_the_text() {
        let answer = parse(
            r#"{"error":"invalid_grant","error_description":"AADSTS50173: Revoked.\r\nTrace ID: t\r\nCorrelation ID: c\r\nTimestamp: x",
                "error_codes":[50173],"trace_id":"t","correlation_id":"c","timestamp":"x"}"#,
        );
        assert_eq!(answer.description(), "AADSTS50173: Revoked.");
        assert_eq!(answer.reference().as_deref(), Some("AADSTS50173, correlation c, trace t, at x"));
    }

    #[test]
    fn ids_in_the_text_are_found() {
        let text = "AADSTS65004: User declined to consent.\r\nTrace ID: t\r\nCorrelation ID: c\r\nTimestamp: 2026-01-01 00:00:00Z";
        let answer = ErrorAnswer::in_parameters("access_denied", Some(text));
        let reference = "AADSTS65004, correlation c, trace t, at 2026-01-01 00:00:00Z";
        assert_eq!(answer.reference().as_deref(), Some(reference));
        assert_eq!(answer.description(), "AADSTS65004: User declined to consent.");
        assert_eq!(ErrorAnswer::in_parameters("access_denied", Some("AADSTS")).reference(), None);
    }

    #[test]
    fn the_number_is_in_what_is_shown() {
        let shown = |text: &str| parse(text).with_number();
        assert_eq!(shown(r#"{"error":"x","error_codes":[7]}"#), "AADSTS7, x");
        assert_eq!(shown(r#"{"error":"x","error_codes":[7],"error_description":"No."}"#), "AADSTS7: No");
        assert_eq!(shown(r#"{"error":"x","error_codes":[],"error_description":"AADSTS7: No."}"#), "AADSTS7: No");
        assert_eq!(shown(r#"{"error":"x"}"#), "x");
    }

    #[test]
    fn what_was_sent_is_not_repeated() {
        let mut answer =
            parse(r#"{"error":"x","error_description":"bad token t0k3n-t0k3n!","trace_id":"t0k3n-t0k3n"}"#);
        answer.mask(&["t0k3n-t0k3n", "", "b"]);
        assert_eq!(answer.to_string(), "bad token [hidden]! (x)");
        assert_eq!(answer.reference().as_deref(), Some("trace [hidden]"));
    }

    #[test]
    fn fields_of_the_wrong_type_hide_nothing() {
        let answer = parse(r#"{"error":"access_denied","error_description":7,"error_codes":"x","claims":{}}"#);
        assert_eq!((answer.class(), answer.description()), (Class::Declined, String::new()));
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in any::<Vec<u8>>(), description in any::<String>()) {
            let _ = serde_json::from_slice::<TokenAnswer>(&bytes);
            let _ = serde_json::from_slice::<ErrorAnswer>(&bytes);
            let _ = serde_json::from_slice::<super::super::client::DeviceAuthorization>(&bytes);
            let answer = ErrorAnswer { error: description.clone(), error_description: Some(description), suberror: None,
                claims: None, error_codes: None, correlation_id: None, trace_id: None, timestamp: None };
            let _ = (answer.class(), answer.reference(), answer.with_number());
            let escape = answer.to_string().contains('\u{1b}');
            prop_assert!(!escape);
        }
    }
}
