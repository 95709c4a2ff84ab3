//! What a token endpoint answers: tokens, or an error object.

use std::fmt;

use oauth2::basic::BasicTokenType;
use oauth2::{ErrorResponse, ExtraTokenFields, StandardTokenResponse};
use serde::{Deserialize, Serialize};

use url::Url;

use crate::http::origin;
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
    /// The HTTP status it came with; 0 if it came in another way.
    #[serde(skip)]
    pub status: u16,
    /// What it refuses: the same code says different things of a device code and of a refresh token.
    #[serde(skip)]
    pub grant: Grant,
}

/// What a request presents to get tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grant {
    /// A device code, or the wish for one (RFC 8628); also the value for requests that are not for tokens.
    #[default]
    DeviceCode,
    /// An authorization code (RFC 6749 4.1), or the wish for one.
    AuthorizationCode,
    /// A user name and a password (RFC 6749 4.3).
    Password,
    /// A refresh token (RFC 6749 6).
    RefreshToken,
}

/// An answer of a protocol endpoint that holds neither what was asked for nor an error object.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// HTTP status.
    pub status: u16,
    origin: String,
    content: Content,
}

/// What kind of thing a body is. Its text is never repeated: a parser's complaint could quote a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Nothing,
    Page,
    Object,
    OtherJson,
    Other,
}

impl Unreadable {
    /// What `url` answered with `status`.
    pub(super) fn new(url: &Url, status: u16, body: &[u8]) -> Unreadable {
        let content = match serde_json::from_slice::<serde_json::Value>(body) {
            Ok(serde_json::Value::Object(_)) => Content::Object,
            Ok(_) => Content::OtherJson,
            Err(_) if body.trim_ascii_start().starts_with(b"<") => Content::Page,
            Err(_) if body.trim_ascii().is_empty() => Content::Nothing,
            Err(_) => Content::Other,
        };
        Unreadable { status, origin: origin(url), content }
    }

    /// Whether it is a JSON object, so that the server itself and no gateway is the likely sender.
    pub fn is_an_object(&self) -> bool {
        self.content == Content::Object
    }

    /// Whether a server refuses by it what it was sent: by status 400 or 401 whatever the body, and by 403 or 422 without
    /// a page. (A 403 page is what web filters and firewalls answer with.)
    pub fn is_a_refusal(&self) -> bool {
        match self.status {
            400 | 401 => true,
            403 | 422 => matches!(self.content, Content::Nothing | Content::Object | Content::OtherJson),
            _ => false,
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = match self.content {
            Content::Nothing => "nothing usable",
            Content::Page => "a web page",
            Content::Object => "JSON without the fields of an OAuth answer",
            Content::OtherJson => "JSON that is not an object",
            Content::Other => "something that is not JSON",
        };
        write!(f, "{} answered with {content}", self.origin)?;
        if (200..300).contains(&self.status) { Ok(()) } else { write!(f, " (HTTP {})", self.status) }
    }
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
    /// A code that is in no standard, which says nothing.
    Unknown,
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
            status: 0,
            grant: Grant::AuthorizationCode,
        }
    }

    /// Whether it says that there is nothing at this address, or not for this kind of request, and no more.
    pub fn is_about_the_endpoint(&self) -> bool {
        matches!(self.status, 404 | 405 | 410)
    }

    /// The class, from `error`, `suberror` and `claims` alone; numbers can change without notice. What is refused decides
    /// where a code belongs to another grant, or to none.
    pub fn class(&self) -> Class {
        match (self.grant, self.class_by_code()) {
            (Grant::RefreshToken, Class::CodeExpired | Class::Declined | Class::Pending | Class::Unknown) => {
                Class::GrantRefused
            }
            // RFC 6749 5.2 has invalid_grant for a refresh token that has expired, Dex says invalid_request. If the
            // request is at fault after all, the sign-in will say so. An issuer that refreshes nothing needs one too.
            (Grant::RefreshToken, Class::SetUp) if self.error == "invalid_request" && self.numbers().is_empty() => {
                Class::GrantRefused
            }
            (Grant::RefreshToken, Class::SetUp) if self.error == "unsupported_grant_type" => Class::GrantRefused,
            (Grant::AuthorizationCode | Grant::Password, Class::CodeExpired | Class::Pending) => Class::GrantRefused,
            (grant, Class::SlowDown) if grant != Grant::DeviceCode => Class::Transient,
            (_, class) => class,
        }
    }

    fn class_by_code(&self) -> Class {
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
            // RFC 6749 5.2, RFC 8707, and Entra's own.
            "invalid_request"
            | "invalid_client"
            | "unauthorized_client"
            | "unsupported_grant_type"
            | "unsupported_response_type"
            | "invalid_scope"
            | "invalid_target"
            | "invalid_resource"
            | "bad_verification_code" => Class::SetUp,
            _ if self.is_about_the_endpoint() => Class::SetUp,
            _ => Class::Unknown,
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
    fn class_depends_on_what_is_refused() {
        let class = |text: &str, grant| ErrorAnswer { grant, ..parse(text) }.class();
        for code in ["expired_token", "access_denied", "invalid_token", "session_expired", "invalid_request"] {
            let text = format!(r#"{{"error":"{code}"}}"#);
            assert_eq!(class(&text, Grant::RefreshToken), Class::GrantRefused, "{code}");
        }
        for code in ["invalid_client", "unauthorized_client", "invalid_scope"] {
            assert_eq!(class(&format!(r#"{{"error":"{code}"}}"#), Grant::RefreshToken), Class::SetUp, "{code}");
        }
        assert_eq!(class(r#"{"error":"slow_down"}"#, Grant::RefreshToken), Class::Transient);
        assert_eq!(class(r#"{"error":"slow_down"}"#, Grant::DeviceCode), Class::SlowDown);
        assert_eq!(class(r#"{"error":"expired_token"}"#, Grant::DeviceCode), Class::CodeExpired);
        let gone = ErrorAnswer { status: 404, ..parse(r#"{"error":"not_found"}"#) };
        assert_eq!(ErrorAnswer { grant: Grant::RefreshToken, ..gone }.class(), Class::SetUp);
    }

    #[test]
    fn body_and_status_tell_a_refusal_from_a_gateway() {
        let url = Url::parse("https://issuer.example/token").expect("a URL");
        for (status, body, refusal) in [
            (400, "", true),
            (400, r#"{"code":7}"#, true),
            (401, "<html>", true),
            (403, r#"{"message":"expired"}"#, true),
            (403, "<html>", false),
            (200, "<html>", false),
            (404, "{}", false),
        ] {
            assert_eq!(Unreadable::new(&url, status, body.as_bytes()).is_a_refusal(), refusal, "{status} {body}");
        }
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
                claims: None, error_codes: None, correlation_id: None, trace_id: None, timestamp: None, status: 400, grant: Grant::RefreshToken };
            let _ = (answer.class(), answer.reference(), answer.with_number());
            let escape = answer.to_string().contains('\u{1b}');
            prop_assert!(!escape);
        }
    }
}
