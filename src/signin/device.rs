//! The device authorization grant (RFC 8628).

use url::Url;

use super::{CodePrompt, FlowError, Interactivity, Notice, Shown, SignInContext, SignedIn};
use crate::failure::{Failure, PromptError, RequestPhase, without_unknown_members};
use crate::profile::{Pkce, Provider};
use kubectl_login_core::entra::cloud;
use kubectl_login_core::entra::error_details::EntraErrorDetails;
use kubectl_login_core::http::{is_acceptable_from, origin};
use kubectl_login_core::oauth::client::{Moves, TokenRequestError};
use kubectl_login_core::oauth::device::{self, DeviceCodeError, PendingDeviceCode};
use kubectl_login_core::oauth::error_response::OAuthErrorResponse;
use kubectl_login_core::oauth::site;
use kubectl_login_core::text::printable;

/// Signs the user in with a device code.
///
/// Errors: see [`FlowError`].
pub(super) async fn sign_in(context: &SignInContext<'_>) -> Result<SignedIn, FlowError> {
    let SignInContext { client, person, profile, .. } = *context;
    let limit = profile.network.needed();
    let endpoint =
        client.optional_endpoint(|endpoints| endpoints.device_authorization.as_ref(), Moves::Anywhere, limit).await;
    let endpoint = endpoint.ok_or(FlowError::Failed(Failure::NoDeviceFlow))?;
    let with_pkce = match profile.pkce() {
        Pkce::Auto => client.endpoints().supports_s256 == Some(true),
        Pkce::Always => true,
        Pkce::Never => false,
    };
    let refused = |error| FlowError::from_request(error, RequestPhase::DeviceCode);
    let pending = device::start(client, &endpoint, context.scopes, with_pkce, limit).await.map_err(|error| {
        let has_no_codes = matches!(&error, TokenRequestError::Refused(answer) if has_no_codes(answer));
        match refused(error) {
            FlowError::Refused(failure) | FlowError::Failed(failure) if has_no_codes => {
                FlowError::NoDeviceCodes(failure)
            }
            other => other,
        }
    })?;
    let endpoints = client.endpoints();
    let server = &endpoints.token;
    let page = pending.page(server).ok_or_else(|| FlowError::Failed(invalid_page(&pending, server)))?;
    let code = pending.user_code();
    let code = code.ok_or_else(|| FlowError::Failed(Failure::InvalidUserCode { origin: origin(server) }))?;
    let complete = pending.complete_page(server);
    if person.interactivity() == Interactivity::BrowserOnly && complete.is_none() {
        return Err(PromptError::CodeNeedsTerminal.into());
    }
    let prompt = CodePrompt {
        address: &page,
        code,
        complete_address: complete.as_ref(),
        foreign: foreign_page(&profile.provider, &page),
        has_page: endpoints.authorization.is_some(),
        life: pending.life(),
        reason: context.reason,
    };
    (context.on_wait)(pending.life());
    person.show_code(&prompt)?;
    let _shown = Shown(person);
    let on_trouble = |trouble: &TokenRequestError| person.say(Notice::StillWaiting(trouble));
    let outcome = pending.wait(client, limit, |answer| EntraErrorDetails(answer).class(), &on_trouble).await;
    (context.on_answer)();
    match outcome {
        Ok(granted) => Ok(SignedIn { granted, nonce: None, responder: None }),
        Err(DeviceCodeError::Failed(error)) => Err(refused(error)),
        Err(DeviceCodeError::Expired(trouble)) => Err(FlowError::Unanswered(Failure::CodeExpired {
            trouble: trouble.map(without_unknown_members).map(Box::new),
            could_use_browser: endpoints.authorization.is_some(),
        })),
    }
}

/// The failure for an address that no user should be sent to. Of one that could be taken for another, only the host is kept,
/// as it was parsed.
fn invalid_page(pending: &PendingDeviceCode, server: &Url) -> Failure {
    let text = pending.verification_uri();
    match Url::parse(text).ok().filter(|url| is_acceptable_from(server, url)) {
        Some(url) => Failure::AmbiguousCodePage { host: site::host(&url) },
        None => Failure::InsecureCodePage { address: printable(text, 100) },
    }
}

/// The host of `page`, if it belongs to another site than the one that the prompt names.
fn foreign_page(provider: &Provider, page: &Url) -> Option<String> {
    let owner = match provider {
        Provider::Entra { authority, .. } => Some(authority.clone()),
        Provider::Oidc { issuer, .. } => Url::parse(issuer).ok(),
    };
    let owner = owner.filter(|owner| !cloud::is_code_page(owner, page))?;
    site::foreign(page, &owner)
}

/// Whether the client may not have device codes: RFC 6749 5.2, as issuers say it that have switched the grant off for a client.
/// Google says of clients that are made for browsers that they are of the wrong type; others use the same code for a wrong
/// secret.
fn has_no_codes(answer: &OAuthErrorResponse) -> bool {
    match answer.error.as_str() {
        "unauthorized_client" | "unsupported_grant_type" => true,
        "invalid_client" => {
            let words = EntraErrorDetails(answer).description().to_lowercase();
            words.contains("client type") || words.contains("clients of type")
        }
        _ => false,
    }
}
