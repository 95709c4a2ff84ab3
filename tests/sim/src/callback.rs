//! How an authorization endpoint sends the browser back to the client: by a redirect, or by a page whose form sends
//! itself (OAuth 2.0 Form Post Response Mode).

use url::Url;

use crate::behaviour::Behaviour;
use crate::form::{Form, escaped};
use crate::reply::Answer;
use crate::state::{Call, State};

/// What goes back besides `state` and `iss`: a code, or an error.
pub(crate) type Parameters = Vec<(&'static str, String)>;

/// Where one authorization request is to be answered, and how.
#[derive(Clone)]
pub(crate) struct Callback {
    /// As the client sent it, not normalised; empty where it sent none.
    pub(crate) redirect_uri: String,
    form_post: bool,
    state: Option<String>,
    /// What `iss` would say (RFC 9207).
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

    /// With `state` and `iss`, as the behaviours want them.
    fn complete(&self, state: &State, mut parameters: Parameters) -> Parameters {
        let wrong = state.on(Behaviour::AuthorizeWrongState);
        let sent = if wrong { Some("a-state-of-somebody-else") } else { self.state.as_deref() };
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

    /// The address that a redirect leads to: what a person finds in the address bar and can paste.
    pub(crate) fn address(&self, state: &State, parameters: Parameters) -> Option<String> {
        let mut address = Url::parse(&self.redirect_uri).ok().filter(Url::has_host)?;
        address.query_pairs_mut().extend_pairs(self.complete(state, parameters));
        Some(address.into())
    }

    /// The HTTP answer, to whatever brought the browser here.
    pub(crate) fn answer(&self, state: &State, call: &Call, parameters: Parameters) -> Answer {
        let Some(address) = self.address(state, parameters.clone()) else { return shown(&parameters) };
        let twice = state.on(Behaviour::AuthorizeCodeTwice);
        if !self.form_post && !twice {
            // After a form, only 303 makes every browser forget the form (RFC 9700 section 4.12).
            let status = if call.method == "POST" { 303 } else { 302 };
            return Answer::text(status, "").with("location", address).with("cache-control", "no-store");
        }
        let method = if self.form_post { "post" } else { "get" };
        let form = Form::new(method, &self.redirect_uri, &self.complete(state, parameters));
        let button = "<button>Continue</button>";
        let first = if twice {
            form.html(Some("first"), "") + "<iframe name=\"first\" hidden></iframe>\n"
        } else {
            String::new()
        };
        // The second form waits for the first: a page that is left takes its frames along.
        Answer::html(
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

/// Where there is nowhere to go back to, the page shows the code, for the person to carry over.
fn shown(parameters: &Parameters) -> Answer {
    let lines: String =
        parameters.iter().map(|(name, value)| format!("<p>{name}: <code>{}</code></p>\n", escaped(value))).collect();
    Answer::html(200, &format!("<!DOCTYPE html>\n<title>Signing in</title>\n{lines}"))
}
