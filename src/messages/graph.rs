//! The words for errors of Microsoft Graph.

use kubectl_login_core::entra::graph::{GraphError, ListFlaw};
use kubectl_login_core::http::rest::{PagingError, RestError, ServiceError};

use super::http::{Peer, transport_error};
use super::{ErrorMessage, Explain};

const SERVICE: &str = "Microsoft Graph";
const CHECK_THE_PROXY: &str = "Check the proxy, and whether something stands between this machine and Microsoft Graph.";

impl Explain for GraphError {
    fn explain(&self, purpose: &str) -> ErrorMessage {
        match self {
            GraphError::Denied(refused) | GraphError::Request(RestError::Refused(refused)) => refusal(refused),
            GraphError::Request(error) => request(error, purpose),
            GraphError::Incomplete { origin, flaw } => {
                ErrorMessage::failed(format!("{origin} does not list all groups: {}", words(*flaw)), CHECK_THE_PROXY)
            }
        }
    }
}

fn request(error: &RestError, purpose: &str) -> ErrorMessage {
    let answered = |origin: &str, with: &str| {
        ErrorMessage::failed(format!("cannot {purpose}: {origin} answered with {with}"), CHECK_THE_PROXY)
    };
    match error {
        RestError::Transport(error) => transport_error(error, purpose, Peer::Service(SERVICE)),
        RestError::Refused(refused) => refusal(refused),
        RestError::Status { origin, status } => answered(origin, &format!("HTTP {status}")),
        RestError::Malformed { origin } => answered(origin, "something that is not a list of groups"),
        RestError::TooLarge { origin } => answered(origin, "more groups than a user can be in"),
        RestError::UnusableToken => ErrorMessage::failed(
            format!("cannot {purpose}: the token for {SERVICE} holds control characters"),
            "Check the issuer: what it sent is not a valid token.",
        ),
    }
}

/// In the service's own words.
fn refusal(refused: &ServiceError) -> ErrorMessage {
    let ServiceError { code, message, request_id, date, .. } = refused;
    let what = match message.is_empty() {
        true => format!("{SERVICE} does not list your groups ({code})"),
        false => format!("{SERVICE} does not list your groups: {message} ({code})"),
    };
    let labelled = |label: &str, text: &Option<String>| text.as_ref().map(|text| format!("{label} {text}"));
    let reference: Vec<String> =
        [Some(code.clone()), labelled("request", request_id), labelled("at", date)].into_iter().flatten().collect();
    ErrorMessage::failed(what, "Try again later, or show your administrator the line for the help desk.")
        .with_reference(Some(reference.join(", ")))
}

fn words(flaw: ListFlaw) -> &'static str {
    match flaw {
        ListFlaw::InvalidId => "some of them have no valid id",
        ListFlaw::Paging(PagingError::OtherServer) => "the next page would be at another server, which is not asked",
        ListFlaw::Paging(PagingError::Loop) => "its pages form a loop",
        ListFlaw::Paging(PagingError::NothingNew) => "page after page brings nothing new",
    }
}
