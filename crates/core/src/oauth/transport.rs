//! Carries the oauth2 crate's requests over our own HTTP policy, and normalizes responses that its parsers would reject.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use hyper::header::CONTENT_TYPE;
use oauth2::{AsyncHttpClient, HttpRequest};
use serde_json::{Map, Value};
use url::Url;

use crate::http::{Http, HttpResponse, RetryPolicy, TransportError, TransportErrorKind};

/// Sends the requests of one attempt, and records what their responses tell besides their bodies.
pub(super) struct OAuthTransport<'a> {
    http: &'a Http,
    limit: Duration,
    repeat: RetryPolicy,
    last: Mutex<LastResponse>,
}

#[derive(Clone, Copy, Default)]
struct LastResponse {
    /// How far this machine's clock is ahead.
    clock_ahead: Option<TimeDelta>,
    /// The HTTP status; 0 before there is a response.
    status: u16,
}

impl<'a> OAuthTransport<'a> {
    pub(super) fn new(http: &'a Http, limit: Duration, repeat: RetryPolicy) -> Self {
        OAuthTransport { http, limit, repeat, last: Mutex::default() }
    }

    pub(super) fn clock_ahead(&self) -> Option<TimeDelta> {
        self.last().clock_ahead
    }

    /// 0 before there is an answer.
    pub(super) fn status(&self) -> u16 {
        self.last().status
    }

    fn last(&self) -> LastResponse {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'c> AsyncHttpClient<'c> for OAuthTransport<'_> {
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<oauth2::HttpResponse, TransportError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let url = Url::parse(&parts.uri.to_string()).map_err(|_| TransportError {
                origin: "the endpoint".to_owned(),
                kind: TransportErrorKind::Url,
                retry_after: None,
                proxy: None,
            })?;
            let answer = self.http.post(&url, parts.headers, body, self.limit, self.repeat).await?;
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
                LastResponse { clock_ahead: answer.clock_ahead(), status: answer.status };
            Ok(normalize_response(answer))
        })
    }
}

/// `answer` as the oauth2 crate expects it:
///
/// - any 2xx is 200, and a 200 that carries an error object (some servers do) is 400;
/// - whether a body is JSON is decided by the body, not by its content type;
/// - numbers in strings become numbers; an interval of 0 or null becomes the default of 5 s (RFC 8628 3.2); a missing token
///   type becomes Bearer; `verification_url`, the name in a draft of RFC 8628, gives way to the RFC's own name.
pub(super) fn normalize_response(answer: HttpResponse) -> oauth2::HttpResponse {
    let mut status = if (200..300).contains(&answer.status) { 200 } else { answer.status };
    let mut body = answer.body;
    let mut headers = answer.headers;
    // For another type, the crate would only report the type; the body says more.
    headers.remove(CONTENT_TYPE);
    if let Ok(Value::Object(mut object)) = serde_json::from_slice::<Value>(&body) {
        if object.get("error").and_then(Value::as_str).is_some_and(|error| !error.is_empty())
            && !object.contains_key("access_token")
        {
            if status == 200 {
                status = 400;
            }
        } else {
            normalize_object(&mut object);
        }
        // Serializing a map of JSON values cannot fail; if it ever did, the untouched body is still there.
        if let Ok(bytes) = serde_json::to_vec(&object) {
            body = bytes;
        }
    }
    let mut response = oauth2::HttpResponse::new(body);
    *response.status_mut() = status.try_into().unwrap_or(hyper::StatusCode::BAD_GATEWAY);
    *response.headers_mut() = headers;
    response
}

fn normalize_object(object: &mut Map<String, Value>) {
    for name in ["expires_in", "interval", "ext_expires_in", "refresh_in"] {
        let Some(value) = object.get_mut(name) else { continue };
        match value.as_str().map(str::trim).map(str::parse::<u64>) {
            Some(Ok(number)) => *value = number.into(),
            Some(Err(_)) => *value = Value::Null,
            // Seconds with a fraction, or before now: nothing the crate's unsigned fields take.
            None => {
                if let Some(number) = value.as_f64().filter(|_| value.as_u64().is_none()) {
                    *value = (number.max(0.0) as u64).into();
                }
            }
        }
    }
    if matches!(object.get("interval"), Some(Value::Null)) || object.get("interval").and_then(Value::as_u64) == Some(0)
    {
        object.remove("interval");
    }
    if matches!(object.get("expires_in"), Some(Value::Null)) {
        object.remove("expires_in");
    }
    if object.contains_key("verification_uri") {
        object.remove("verification_url");
    }
    // Optional texts that are empty or no text at all: not worth losing the tokens beside them.
    for name in ["verification_uri_complete", "id_token", "refresh_token", "scope"] {
        if object.get(name).is_some_and(|value| value.as_str().is_none_or(str::is_empty)) {
            object.remove(name);
        }
    }
    // If only an ID token was requested, some issuers send nothing else: it gets an empty access token beside it.
    if object.contains_key("id_token") && !object.get("access_token").is_some_and(Value::is_string) {
        object.insert("access_token".to_owned(), "".into());
    }
    if object.contains_key("access_token") && !object.get("token_type").is_some_and(Value::is_string) {
        object.insert("token_type".to_owned(), "Bearer".into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn normalized(status: u16, body: &str) -> (u16, Value) {
        let answer = HttpResponse {
            status,
            headers: Default::default(),
            body: body.as_bytes().to_vec(),
            received: chrono::Utc::now(),
        };
        let response = normalize_response(answer);
        (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or(Value::Null))
    }

    #[test]
    fn numbers_in_strings_become_numbers() {
        let (_, body) = normalized(200, r#"{"access_token":"a","expires_in":"3599","interval":"0"}"#);
        assert_eq!(body, serde_json::json!({"access_token": "a", "expires_in": 3599, "token_type": "Bearer"}));
    }

    #[test]
    fn an_error_is_an_error_whatever_the_status() {
        assert_eq!(normalized(200, r#"{"error":"authorization_pending"}"#).0, 400);
    }

    #[test]
    fn both_spellings_of_the_address_are_one() {
        let (_, body) = normalized(201, r#"{"verification_uri":"https://a/","verification_url":"https://b/"}"#);
        assert_eq!(body, serde_json::json!({"verification_uri": "https://a/"}));
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(status in 100u16..1000, body in any::<Vec<u8>>()) {
            let answer = HttpResponse { status, headers: Default::default(), body, received: chrono::Utc::now() };
            let _ = normalize_response(answer);
        }
    }
}
