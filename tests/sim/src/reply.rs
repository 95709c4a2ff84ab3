//! The result of a handler: a response, or one of the ways not to send one.

use std::time::Duration;

use serde_json::Value;

/// One HTTP response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Response {
    fn new(status: u16, content_type: &str, body: String) -> Self {
        Self { status, headers: vec![("content-type", content_type.to_owned())], body }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        // RFC 6749 section 5.1 requires no-store for responses with tokens; it does no harm elsewhere.
        Self::new(status, "application/json; charset=utf-8", body.to_string()).with("cache-control", "no-store")
    }

    /// JSON with a more specific content type.
    pub(crate) fn json_as(status: u16, content_type: &str, body: &Value) -> Self {
        Self::new(status, content_type, body.to_string())
    }

    pub(crate) fn html(status: u16, body: &str) -> Self {
        Self::new(status, "text/html; charset=utf-8", body.to_owned())
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body.to_owned())
    }

    /// The same response with another body.
    pub(crate) fn with_body(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    /// The same response with another content type.
    pub(crate) fn typed(mut self, content_type: &str) -> Self {
        self.headers = vec![("content-type", content_type.to_owned())];
        self
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What the server does with a request.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Responds.
    Now(Response),
    /// Responds after a delay, or as soon as the delay is cleared.
    Later(Duration, Response),
    /// Closes the connection without a response.
    Drop,
    /// Does nothing until the client gives up.
    Stall,
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        Self::Now(response)
    }
}
