//! The log of all requests to the world, in order.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

/// A part of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// The Entra-shaped tenants.
    Entra,
    /// The plain OpenID Connect issuer.
    Oidc,
    /// Microsoft Graph.
    Graph,
    /// The claim source that a hostile token names.
    ClaimSource,
    /// The Kubernetes API.
    Kube,
}

/// The kind of a token request, by what it presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A device code.
    Poll,
    /// An authorization code.
    Code,
    /// A refresh token.
    Refresh,
}

impl Step {
    /// The step for a grant type.
    pub(crate) fn from_grant_type(grant_type: &str) -> Option<Self> {
        match grant_type {
            "urn:ietf:params:oauth:grant-type:device_code" | "device_code" => Some(Self::Poll),
            "authorization_code" => Some(Self::Code),
            "refresh_token" => Some(Self::Refresh),
            _ => None,
        }
    }
}

/// One request, as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) id: u64,
    /// The part of the world that was asked.
    pub server: Server,
    /// Whether it came over TLS.
    pub tls: bool,
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query's parameters, decoded.
    pub query: BTreeMap<String, String>,
    /// The form fields of an `application/x-www-form-urlencoded` body, decoded.
    pub form: BTreeMap<String, String>,
    /// An `application/json` body, or an access review in Kubernetes' protobuf; null if there was none.
    pub body: Value,
    /// The headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The status of the response; 0 while it is pending, and permanently if it stalled or lost its connection.
    pub status: u16,
    /// Whether this is a poll that came before the interval was over.
    pub too_early: bool,
    /// When it arrived.
    pub at: Instant,
}

impl Request {
    /// The form field of that name, or an empty string.
    pub fn field(&self, name: &str) -> &str {
        self.form.get(name).map_or("", String::as_str)
    }

    /// The header of that name (lower case), or an empty string.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// Every request since the world started or since the last `reset_requests`.
#[derive(Clone, Debug, Default)]
pub struct Log {
    pub(crate) entries: Vec<Request>,
}

impl Log {
    /// All requests, oldest first.
    pub fn all(&self) -> &[Request] {
        &self.entries
    }

    /// The number of requests whose path ends like this.
    pub fn count(&self, path_suffix: &str) -> usize {
        self.entries.iter().filter(|request| request.path.ends_with(path_suffix)).count()
    }

    /// The token requests of one grant type. `device_code` is short for its URN.
    pub fn token_requests(&self, grant_type: &str) -> Vec<Request> {
        let suffix = format!(":{grant_type}");
        let matches = |sent: &str| sent == grant_type || sent.ends_with(&suffix);
        self.entries.iter().filter(|request| matches(request.field("grant_type"))).cloned().collect()
    }

    /// The refreshes.
    pub fn refreshes(&self) -> Vec<Request> {
        self.token_requests("refresh_token")
    }

    /// The authorization requests (RFC 6749 section 4.1.1), without the later requests of their pages.
    pub fn authorize_requests(&self) -> Vec<Request> {
        let first = |request: &Request| {
            let sent = if request.method == "POST" { &request.form } else { &request.query };
            request.path.ends_with("/authorize") && !sent.contains_key("sign_in")
        };
        self.entries.iter().filter(|request| first(request)).cloned().collect()
    }

    /// The device authorization requests (RFC 8628 section 3.1).
    pub fn device_requests(&self) -> Vec<Request> {
        let is_device = |path: &str| {
            path.ends_with("/oauth2/v2.0/devicecode")
                || path.ends_with("/oidc/device")
                || path.ends_with("/oidc/v2/device")
        };
        self.entries.iter().filter(|request| request.method == "POST" && is_device(&request.path)).cloned().collect()
    }
}
