//! How an authorization endpoint sends the browser back to the client: by a redirect, or by a page with a form that
//! submits itself (OAuth 2.0 Form Post Response Mode).

use url::Url;

use crate::behaviour::Behaviour;
use crate::form::{Form, escaped};
use crate::reply::Response;
use crate::state::{Call, State};

/// The parameters of a callback besides `state` and `iss`: a code, or an error.
pub(crate) type Parameters = Vec<(&'static str, String)>;

/// Where and how to respond to one authorization request.
#[derive(Clone)]
pub(crate) struct Callback {
    /// As the client sent it, not normalised; empty if the client sent none.
    pub(crate) redirect_uri: String,
    form_post: bool,
    state: Option<String>,
    /// The value for `iss` (RFC 9207).
    issuer: String,
}

impl Callback {
    pub(crate) fn new(state: &State, call: &Call, issuer: &str) -> Self {
        Self {
            redirect_uri: call.parameter("redirect_uri").unwrap_or_default().to_owned(),
            form_post: call.parameter("response_mode") == Some("form_post") || state.on(Behaviour::FormPostOnly),
            state: call.parameter("state").map(str::to_owned),
            issuer: issuer.to_owned(),
        }
    }

    /// Adds `state` and `iss`, as the behaviours require.
    fn complete(&self, state: &State, mut parameters: Parameters) -> Parameters {
        let wrong = state.on(Behaviour::AuthorizeWrongState);
        let sent = if wrong { Some("state-of-another-sign-in") } else { self.state.as_deref() };
        if let Some(sent) = sent.filter(|_| !state.on(Behaviour::AuthorizeNoState)) {
            parameters.push(("state", sent.to_owned()));
        }
        if state.on(Behaviour::WrongIssInCallback) {
            parameters.push(("iss", "https://issuer.example.invalid".to_owned()));
        } else if state.on(Behaviour::IssInCallback) {
            parameters.push(("iss", self.issuer.clone()));
        }
        parameters
    }

    /// The redirect's target, which a user finds in the address bar and can paste.
    pub(crate) fn address(&self, state: &State, parameters: Parameters) -> Option<String> {
        let mut address = Url::parse(&self.redirect_uri).ok().filter(Url::has_host)?;
        address.query_pairs_mut().extend_pairs(self.complete(state, parameters));
        Some(address.into())
    }

    /// The HTTP response to the request that brought the browser here.
    pub(crate) fn response(&self, state: &State, call: &Call, parameters: Parameters) -> Response {
        let Some(address) = self.address(state, parameters.clone()) else { return shown(&parameters) };
        let twice = state.on(Behaviour::AuthorizeCodeTwice);
        if !self.form_post && !twice {
            // After a form, only 303 guarantees that browsers do not send the form again (RFC 9700 section 4.12).
            let status = if call.method == "POST" { 303 } else { 302 };
            return Response::text(status, "").with("location", address).with("cache-control", "no-store");
        }
        let method = if self.form_post { "post" } else { "get" };
        let form = Form::new(method, &self.redirect_uri, &self.complete(state, parameters));
        let button = "<button>Continue</button>";
        let first = if twice {
            form.html(Some("first"), "") + "<iframe name=\"first\" hidden></iframe>\n"
        } else {
            String::new()
        };
        // The second form is sent later: leaving the page would stop its frames.
        Response::html(
            200,
            &format!(
                "<!DOCTYPE html>\n<title>Signing in</title>\n{first}{}<script>Array.from(document.forms)\
                 .forEach((form, number) => setTimeout(() => form.submit(), number * 500));</script>\n",
                form.html(None, button)
            ),
        )
        .with("cache-control", "no-store")
    }
}

/// Without a redirect address, the page shows the code for the user to copy.
fn shown(parameters: &Parameters) -> Response {
    let lines: String =
        parameters.iter().map(|(name, value)| format!("<p>{name}: <code>{}</code></p>\n", escaped(value))).collect();
    Response::html(200, &format!("<!DOCTYPE html>\n<title>Signing in</title>\n{lines}"))
}
