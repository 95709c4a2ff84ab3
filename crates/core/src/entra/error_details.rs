//! What Entra ID adds to an OAuth error: a finer class, AADSTS numbers, a claims challenge, and ids for the help desk.
//!
//! Read from the additional members of the error object, or from the description, which is all that an error in the browser
//! has. An issuer without these members is read as the standard says.
//!
//! Source: <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>.

use std::fmt;

use serde_json::Value;

use crate::oauth::challenge::ClaimsChallenge;
use crate::oauth::error_response::{GrantType, OAuthErrorClass, OAuthErrorResponse};
use crate::text::printable;

/// An error response, read with what Entra ID adds to it.
///
/// `error`, `suberror` and `claims` decide; the rest is for messages.
#[derive(Clone, Copy, Debug)]
pub struct EntraErrorDetails<'a>(pub &'a OAuthErrorResponse);

impl<'a> EntraErrorDetails<'a> {
    /// The members of an error object that are read here; each is free of secrets.
    pub const MEMBERS: [&'static str; 7] =
        ["suberror", "claims", "error_codes", "correlation_id", "trace_id", "timestamp", "error_uri"];

    /// The class, from `error`, `suberror` and `claims`. Numbers can change without notice; one that is there at all shows
    /// that an `invalid_request` is Entra's, which uses that code for nothing but requests.
    pub fn class(self) -> OAuthErrorClass {
        match self.0.error.as_str() {
            "interaction_required" | "login_required" => self.class_by_suberror(OAuthErrorClass::InteractionRequired),
            "invalid_grant" => self.class_by_suberror(match self.claims() {
                // A claims challenge says what a sign-in must satisfy; the grant itself is valid.
                Some(_) => OAuthErrorClass::InteractionRequired,
                None => OAuthErrorClass::GrantRefused,
            }),
            "invalid_request" if self.0.grant == GrantType::RefreshToken && self.number().is_some() => {
                OAuthErrorClass::Misconfigured
            }
            // The device code is not recognised.
            "bad_verification_code" => OAuthErrorClass::Misconfigured,
            code => self.0.class_as(standard_code(code)),
        }
    }

    /// As MSAL reads `suberror` (`MsalError` and its service exception factory).
    fn class_by_suberror(self, otherwise: OAuthErrorClass) -> OAuthErrorClass {
        match self.suberror() {
            Some("bad_token" | "token_expired" | "client_mismatch") => OAuthErrorClass::GrantRevoked,
            Some("basic_action" | "user_password_expired") => OAuthErrorClass::InteractionRequired,
            Some(
                "message_only"
                | "additional_action"
                | "consent_required"
                | "protection_policy_required"
                | "device_authentication_failed",
            ) => OAuthErrorClass::Policy,
            _ => otherwise,
        }
    }

    /// The finer class of `invalid_grant` and `interaction_required`.
    pub fn suberror(self) -> Option<&'a str> {
        self.text("suberror")
    }

    /// What the next sign-in has to satisfy, as JSON in a string
    /// (<https://learn.microsoft.com/entra/identity-platform/claims-challenge>).
    fn claims(self) -> Option<&'a str> {
        self.text("claims")
    }

    /// What a sign-in has to satisfy so that the refused request can succeed. `None` if no sign-in helps, even if the response
    /// has a challenge: repeating what a policy forbids would never end.
    pub fn claims_challenge(self) -> Option<ClaimsChallenge> {
        let helps = matches!(self.class(), OAuthErrorClass::InteractionRequired | OAuthErrorClass::GrantRevoked);
        let text = self.claims().filter(|_| helps)?;
        ClaimsChallenge::from_json(text).inspect_err(|why| tracing::debug!(%why, "claims challenge ignored")).ok()
    }

    /// The AADSTS numbers, the one to show first. If the object has none, the description may.
    pub fn numbers(self) -> Vec<u64> {
        let in_text = || {
            let (_, rest) = self.0.error_description.as_deref()?.split_once("AADSTS")?;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        let codes = self.0.additional.get("error_codes").and_then(Value::as_array);
        let codes: Option<Vec<u64>> = codes.and_then(|codes| codes.iter().map(Value::as_u64).collect());
        codes.filter(|codes| !codes.is_empty()).unwrap_or_else(|| in_text().into_iter().collect())
    }

    /// The number to show.
    pub fn number(self) -> Option<u64> {
        self.numbers().first().copied()
    }

    /// The server's description on one line, fit for a terminal, without the ids that Entra appends to it: they are shown
    /// apart.
    pub fn description(self) -> String {
        let text = self.0.error_description.as_deref().unwrap_or_default();
        let end = ["Trace ID:", "\r\nTrace ID", "Correlation ID:"].iter().filter_map(|mark| text.find(mark)).min();
        printable(&text[..end.unwrap_or(text.len())], 400)
    }

    /// The server's description with the number in it, or number and error code if there is no description; fit to stand in
    /// brackets, without a full stop.
    pub fn with_number(self) -> String {
        let description = self.description().trim_end_matches('.').to_owned();
        let number = self.number().map(|number| format!("AADSTS{number}")).unwrap_or_default();
        match (description.is_empty(), number.is_empty()) {
            (true, true) => printable(&self.0.error, 60),
            (true, false) => format!("{number}, {}", printable(&self.0.error, 60)),
            (false, _) if description.contains(&number) => description,
            (false, _) => format!("{number}: {description}"),
        }
    }

    /// Number, correlation id, trace id and time on one line, for the help desk.
    pub fn reference(self) -> Option<String> {
        let number = self.number().map(|number| format!("AADSTS{number}"));
        let labelled = |label: &str, id: Option<String>| id.map(|id| format!("{label} {}", printable(&id, 60)));
        let parts: Vec<String> = [
            number,
            labelled("correlation", self.id("correlation_id", "Correlation ID:", 1)),
            labelled("trace", self.id("trace_id", "Trace ID:", 1)),
            labelled("at", self.id("timestamp", "Timestamp:", 2)),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// An id: the member called `name`, or in a browser's error the `words` words after `label` in the description.
    fn id(self, name: &str, label: &str, words: usize) -> Option<String> {
        let in_text = || {
            let text = self.0.error_description.as_deref().filter(|_| self.0.status == 0)?;
            let (_, rest) = text.split_once(label)?;
            Some(rest.split_whitespace().take(words).collect::<Vec<_>>().join(" "))
        };
        self.text(name).map(str::to_owned).or_else(in_text).filter(|id| !id.is_empty())
    }

    /// The member called `name`, if it is a text. One of another type is ignored.
    fn text(self, name: &str) -> Option<&'a str> {
        self.0.additional.get(name).and_then(Value::as_str)
    }
}

/// The standard's code for one that only Microsoft has.
fn standard_code(code: &str) -> &str {
    match code {
        "authorization_declined" => "access_denied",
        "code_expired" => "expired_token",
        "invalid_resource" => "invalid_target",
        standard => standard,
    }
}

impl fmt::Display for EntraErrorDetails<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let description = self.description();
        let error = printable(&self.0.error, 60);
        if description.is_empty() { write!(f, "{error}") } else { write!(f, "{description} ({error})") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> OAuthErrorResponse {
        OAuthErrorResponse::from_json(text.as_bytes(), GrantType::DeviceCode, 400).expect("an error object")
    }

    #[test]
    fn suberror_and_claims_decide() {
        use OAuthErrorClass::{GrantRefused, GrantRevoked, InteractionRequired, Misconfigured, Policy};
        let class = |text: &str| EntraErrorDetails(&parse(text)).class();
        assert_eq!(class(r#"{"error":"invalid_grant"}"#), GrantRefused);
        assert_eq!(class(r#"{"error":"invalid_grant","suberror":"bad_token","claims":"{}"}"#), GrantRevoked);
        assert_eq!(class(r#"{"error":"invalid_grant","suberror":"basic_action"}"#), InteractionRequired);
        assert_eq!(class(r#"{"error":"invalid_grant","claims":"{}"}"#), InteractionRequired);
        assert_eq!(class(r#"{"error":"invalid_grant","suberror":"message_only","claims":"{}"}"#), Policy);
        assert_eq!(class(r#"{"error":"invalid_client","error_codes":[7000218]}"#), Misconfigured);
    }

    #[test]
    fn codes_that_only_microsoft_has_are_read_as_the_standards() {
        let class = |code: &str, grant| {
            let body = format!(r#"{{"error":"{code}"}}"#);
            let response = OAuthErrorResponse::from_json(body.as_bytes(), grant, 400).expect("an error object");
            (response.class(), EntraErrorDetails(&response).class())
        };
        use OAuthErrorClass::{CodeExpired, Declined, GrantRefused, Misconfigured, Unknown};
        for (code, meant) in [
            ("authorization_declined", Declined),
            ("code_expired", CodeExpired),
            ("invalid_resource", Misconfigured),
            ("bad_verification_code", Misconfigured),
        ] {
            assert_eq!(class(code, GrantType::DeviceCode), (Unknown, meant), "{code}");
        }
        assert_eq!(class("authorization_declined", GrantType::RefreshToken), (GrantRefused, GrantRefused));
        assert_eq!(class("invalid_resource", GrantType::RefreshToken), (GrantRefused, Misconfigured));
    }

    #[test]
    fn invalid_request_with_number_does_not_refuse_refresh_token() {
        let class = |text: &str| {
            let response = OAuthErrorResponse::from_json(text.as_bytes(), GrantType::RefreshToken, 400);
            EntraErrorDetails(&response.expect("an error object")).class()
        };
        assert_eq!(class(r#"{"error":"invalid_request"}"#), OAuthErrorClass::GrantRefused);
        assert_eq!(class(r#"{"error":"invalid_request","error_codes":[90002]}"#), OAuthErrorClass::Misconfigured);
    }

    #[test]
    fn ids_are_shown_apart_from_description() {
        let response = parse(
            r#"{"error":"invalid_grant","error_description":"AADSTS50173: Revoked.\r\nTrace ID: t\r\nCorrelation ID: c\r\nTimestamp: x",
                "error_codes":[50173],"trace_id":"t","correlation_id":"c","timestamp":"x"}"#,
        );
        let details = EntraErrorDetails(&response);
        assert_eq!(details.description(), "AADSTS50173: Revoked.");
        assert_eq!(details.reference().as_deref(), Some("AADSTS50173, correlation c, trace t, at x"));
    }

    #[test]
    fn ids_in_description_are_found() {
        let text = "AADSTS65004: User declined to consent.\r\nTrace ID: t\r\nCorrelation ID: c\r\nTimestamp: 2026-01-01 00:00:00Z";
        let response = OAuthErrorResponse::from_parameters("access_denied", Some(text));
        let reference = "AADSTS65004, correlation c, trace t, at 2026-01-01 00:00:00Z";
        assert_eq!(EntraErrorDetails(&response).reference().as_deref(), Some(reference));
        assert_eq!(EntraErrorDetails(&response).description(), "AADSTS65004: User declined to consent.");
        let bare = OAuthErrorResponse::from_parameters("access_denied", Some("AADSTS"));
        assert_eq!(EntraErrorDetails(&bare).reference(), None);
    }

    #[test]
    fn number_is_in_what_is_shown() {
        let shown = |text: &str| EntraErrorDetails(&parse(text)).with_number();
        assert_eq!(shown(r#"{"error":"x","error_codes":[7]}"#), "AADSTS7, x");
        assert_eq!(shown(r#"{"error":"x","error_codes":[7],"error_description":"No."}"#), "AADSTS7: No");
        assert_eq!(shown(r#"{"error":"x","error_codes":[],"error_description":"AADSTS7: No."}"#), "AADSTS7: No");
        assert_eq!(shown(r#"{"error":"x"}"#), "x");
    }

    #[test]
    fn masked_id_stays_masked_in_reference() {
        let mut response = parse(r#"{"error":"x","trace_id":"t0k3n-t0k3n"}"#);
        response.mask(&["t0k3n-t0k3n"]);
        assert_eq!(EntraErrorDetails(&response).reference().as_deref(), Some("trace [hidden]"));
    }

    #[test]
    fn members_of_wrong_type_count_as_absent() {
        let response = parse(r#"{"error":"access_denied","error_codes":"x","claims":{},"trace_id":7}"#);
        let details = EntraErrorDetails(&response);
        assert_eq!((details.class(), details.reference()), (OAuthErrorClass::Declined, None));
    }

    #[test]
    fn claims_challenge_is_found_only_if_sign_in_helps() {
        const TEXT: &str = r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#;
        let found = |suberror: &str, claims: &str| {
            let object = serde_json::json!({ "error": "invalid_grant", "suberror": suberror, "claims": claims });
            EntraErrorDetails(&parse(&object.to_string())).claims_challenge()
        };
        for helps in ["basic_action", "bad_token", ""] {
            assert_eq!(found(helps, TEXT), ClaimsChallenge::from_json(TEXT).ok(), "{helps}");
        }
        for useless in ["message_only", "additional_action", "consent_required"] {
            assert_eq!(found(useless, TEXT), None, "{useless}");
        }
        assert_eq!(found("basic_action", "[hidden]"), None);
    }

    proptest! {
        #[test]
        fn foreign_text_never_panics(text in any::<String>()) {
            let response = OAuthErrorResponse::from_parameters(&text, Some(&text));
            let details = EntraErrorDetails(&response);
            let _ = (details.class(), details.reference(), details.with_number());
            let has_escape = details.to_string().contains('\u{1b}');
            prop_assert!(!has_escape);
        }
    }
}
