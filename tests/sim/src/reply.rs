//! What a handler decides: an answer, or one of the ways not to give one.

use std::time::Duration;

use serde_json::Value;

/// One HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Answer {
    fn new(status: u16, content_type: &str, body: String) -> Self {
        Self { status, headers: vec![("content-type", content_type.to_owned())], body }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        // RFC 6749 section 5.1 asks for no-store on whatever holds tokens; the rest does not mind.
        Self::new(status, "application/json; charset=utf-8", body.to_string()).with("cache-control", "no-store")
    }

    /// JSON that is called something more special.
    pub(crate) fn json_as(status: u16, content_type: &str, body: &Value) -> Self {
        Self::new(status, content_type, body.to_string())
    }

    pub(crate) fn html(status: u16, body: &str) -> Self {
        Self::new(status, "text/html; charset=utf-8", body.to_owned())
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body.to_owned())
    }

    /// The same answer with another body.
    pub(crate) fn with_body(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    /// The same answer, called something else.
    pub(crate) fn typed(mut self, content_type: &str) -> Self {
        self.headers = vec![("content-type", content_type.to_owned())];
        self
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Answered.
    Now(Answer),
    /// Answered after a while, or as soon as nothing is to be late any more.
    Later(Duration, Answer),
    /// The connection is closed without an answer.
    Drop,
    /// Nothing happens until the client gives up.
    Stall,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self::Now(answer)
    }
}
