//! A response of a protocol endpoint that is neither a success response nor an error object.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::http::origin;

/// A response of a protocol endpoint that holds neither what was requested nor an error object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusableResponse {
    /// HTTP status.
    pub status: u16,
    origin: String,
    body: BodyKind,
}

/// What a body is. Its text is never kept: a parser's message could quote a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum BodyKind {
    Empty,
    Page,
    Object,
    OtherJson,
    Other,
}

impl UnusableResponse {
    /// Describes the response of `url` with HTTP `status`.
    pub(super) fn new(url: &Url, status: u16, body: &[u8]) -> UnusableResponse {
        let body = match serde_json::from_slice::<serde_json::Value>(body) {
            Ok(serde_json::Value::Object(_)) => BodyKind::Object,
            Ok(_) => BodyKind::OtherJson,
            Err(_) if body.trim_ascii_start().starts_with(b"<") => BodyKind::Page,
            Err(_) if body.trim_ascii().is_empty() => BodyKind::Empty,
            Err(_) => BodyKind::Other,
        };
        UnusableResponse { status, origin: origin(url), body }
    }

    /// Whether it is a JSON object, so that the server itself and not a gateway is the likely sender.
    pub fn is_object(&self) -> bool {
        self.body == BodyKind::Object
    }

    /// Whether the server refuses the request with it: status 400 or 401 with any body, and 403 or 422 without a web page.
    /// (Web filters and firewalls send a page with 403.)
    pub fn is_refusal(&self) -> bool {
        match self.status {
            400 | 401 => true,
            403 | 422 => matches!(self.body, BodyKind::Empty | BodyKind::Object | BodyKind::OtherJson),
            _ => false,
        }
    }
}

impl fmt::Display for UnusableResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = match self.body {
            BodyKind::Empty => "nothing usable",
            BodyKind::Page => "a web page",
            BodyKind::Object => "JSON without the fields of an OAuth answer",
            BodyKind::OtherJson => "JSON that is not an object",
            BodyKind::Other => "something that is not JSON",
        };
        write!(f, "{} answered with {body}", self.origin)?;
        if (200..300).contains(&self.status) { Ok(()) } else { write!(f, " (HTTP {})", self.status) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_is_told_from_gateway_page_by_status_and_body() {
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
            assert_eq!(UnusableResponse::new(&url, status, body.as_bytes()).is_refusal(), refusal, "{status} {body}");
        }
    }
}
