//! What a person is told when a sign-in in the browser does not get on.

use super::super::{Desk, MORE_TIME, explain_for};
use crate::messages::step::Step;
use crate::profile::{Authorization, Provider};
use kubectl_login_core::error::Error;
use kubectl_login_core::oauth::authorization::{AuthorizationRequest, CallbackError};
use kubectl_login_core::oauth::client::TokenRequestError;
use kubectl_login_core::oauth::error_response::OAuthErrorResponse;
use kubectl_login_core::text::{in_words, printable};

/// Why what was pasted is not the answer, and what to paste instead.
pub(super) fn of_no_use(why: CallbackError) -> String {
    let next = match why {
        // Nothing of it is shown, so it is easily pasted once more.
        CallbackError::RepeatedParameter => "Paste the address once, and press Enter.",
        CallbackError::Unproven | CallbackError::TooShort | CallbackError::NoState => {
            "Copy the whole address of the page that the browser ends on."
        }
        CallbackError::NoCode | CallbackError::WrongState | CallbackError::WrongIssuer => {
            "Sign in at the address above, then copy the whole address of the page that the browser ends on."
        }
    };
    format!("That does not help: {why}. {next}")
}

/// The error where nothing can come any more; `useless` is why the last thing that came is not the answer.
pub(super) fn nothing_brought(useless: Option<String>) -> Error {
    let what = match useless {
        Some(why) => format!("what was brought from the browser does not help: {why}"),
        None => "the code from the browser has to be pasted, and there is no terminal to paste it in".to_owned(),
    };
    Error::sign_in_needed(what, "In a terminal, sign in: kubectl login")
}

/// The error for a refusal that the browser brought.
pub(super) fn refused(desk: &Desk<'_>, request: &AuthorizationRequest, refusal: OAuthErrorResponse) -> Error {
    let unsure_about_pkce = desk.client.endpoints().supports_s256.is_none() && request.verifier.is_some();
    let is_about_request = refusal.error == "invalid_request";
    let mut error = explain_for(desk.profile, &TokenRequestError::Refused(Box::new(refusal)), "sign in");
    if is_about_request && unsure_about_pkce && matches!(desk.profile.provider, Provider::Oidc { .. }) {
        error.next = format!("{}\nIf the issuer knows no PKCE, add --oidc-pkce-method=no.", error.next);
    }
    error
}

/// The error where nothing came back in time. What the browser shows nobody here gets to know, so all of it is named.
pub(super) fn unanswered(desk: &Desk<'_>, request: &AuthorizationRequest) -> Error {
    let settings = &desk.profile.authorization;
    let what = format!("the sign-in in the browser was not finished within {}", in_words(settings.human_time));
    let next = format!("Run the command again, and finish the sign-in in the browser.\n{MORE_TIME}");
    let refused = match (&desk.profile.provider, &request.redirect_uri) {
        (Provider::Entra { .. }, sent) => {
            let register = match sent.as_ref().filter(|_| settings.certificate.is_some()) {
                Some(sent) => format!("Ask the application's owner to add {} as a redirect address.", printable(sent, 200)),
                None => Step::RegisterRedirect.to_string(),
            };
            format!(
                "If the browser showed AADSTS50011: {register}\n\
                 If it showed another number, ask your administrator, and show them that page."
            )
        }
        (Provider::Oidc { .. }, Some(url)) => wrong_address(settings, url),
        (Provider::Oidc { .. }, None) => {
            "If the browser showed that the redirect address is missing, give one that is registered for the client: --oidc-redirect-url".to_owned()
        }
    };
    Error::sign_in_needed(what, format!("{next}\n{refused}"))
}

/// What to do if the issuer does not know the redirect address. A port that was the last resort is another one each time.
fn wrong_address(settings: &Authorization, sent: &str) -> String {
    let usual: Vec<String> =
        settings.listen.iter().filter(|listen| listen.port != 0).map(|listen| listen.port.to_string()).collect();
    let is_usual = usual.is_empty() || usual.iter().any(|port| sent.ends_with(&format!(":{port}")));
    if is_usual || settings.redirect_url.is_some() {
        let sent = printable(sent, 200);
        format!(
            "If the browser showed that the redirect address is wrong, have this one registered for the client: {sent}"
        )
    } else {
        format!(
            "If the browser showed that the redirect address is wrong, free one of the ports that are registered: other programs have {}.",
            usual.join(" and ")
        )
    }
}
