//! Signing in with a device code (RFC 8628).

use std::future::Future;
use std::pin::Pin;

use url::Url;

use super::{CodePrompt, Desk, NoTokens, Reach, Shown, SignedIn, Way, ended, explain_for};
use crate::messages::Explain as _;
use crate::messages::refusals::{EXPIRED, with_browser_first};
use crate::messages::step::Step;
use crate::profile::{Pkce, Profile, Provider};
use kubectl_login_core::entra::cloud;
use kubectl_login_core::entra::error_details::EntraErrorDetails;
use kubectl_login_core::error::Error;
use kubectl_login_core::http::{is_acceptable_from, origin};
use kubectl_login_core::oauth::Endpoints;
use kubectl_login_core::oauth::client::{Moves, TokenRequestError};
use kubectl_login_core::oauth::device::{self, DeviceCodeError, PendingDeviceCode};
use kubectl_login_core::oauth::error_response::OAuthErrorResponse;
use kubectl_login_core::oauth::site;
use kubectl_login_core::text::printable;

/// The device authorization grant.
pub(super) struct DeviceCode;

impl Way for DeviceCode {
    fn sign_in<'a>(&'a self, desk: &'a Desk<'a>) -> Pin<Box<dyn Future<Output = Result<SignedIn, NoTokens>> + 'a>> {
        Box::pin(sign_in(desk))
    }
}

async fn sign_in(desk: &Desk<'_>) -> Result<SignedIn, NoTokens> {
    let client = desk.client;
    let limit = desk.profile.network.needed();
    let endpoint =
        client.optional_endpoint(|endpoints| endpoints.device_authorization.as_ref(), Moves::Anywhere, limit).await;
    let Some(endpoint) = endpoint else {
        return Err(NoTokens::Failed(Error::failed(
            "the issuer offers no device code sign-in",
            "Ask the issuer's administrator to switch on the device authorization grant for this client.",
        )));
    };
    let with_pkce = match desk.profile.pkce() {
        Pkce::Auto => client.endpoints().supports_s256 == Some(true),
        Pkce::Always => true,
        Pkce::Never => false,
    };
    let pending =
        device::start(client, &endpoint, desk.scopes, with_pkce, limit).await.map_err(|failure| match &failure {
            TokenRequestError::Refused(answer) if has_no_codes(answer) => {
                NoTokens::NotForThisClient(refused(desk, &failure))
            }
            _ => ended(refused(desk, &failure)),
        })?;
    let endpoints = client.endpoints();
    let server = &endpoints.token;
    let page = pending.page(server).ok_or_else(|| NoTokens::Failed(not_a_page(&pending, server)))?;
    let Some(code) = pending.user_code() else {
        return Err(NoTokens::Failed(Error::failed(
            format!("{} sent a code that is not one: not a few letters and digits", origin(server)),
            UNTRUSTED,
        )));
    };
    let complete = pending.complete_page(server);
    if desk.person.reach() == Reach::Desktop && complete.is_none() {
        return Err(NoTokens::NotShown(Error::sign_in_needed(
            "a code has to be typed, and there is no terminal to show it in",
            "In a terminal, sign in: kubectl login",
        )));
    }
    let prompt = CodePrompt {
        address: &page,
        code,
        complete_address: complete.as_ref(),
        foreign: foreign_page(desk, &page),
        has_page: endpoints.authorization.is_some(),
        life: pending.life(),
        why: desk.why,
    };
    (desk.on_wait)(pending.life());
    desk.person.show_code(&prompt).map_err(NoTokens::NotShown)?;
    let _shown = Shown(desk.person);
    let on_trouble = |trouble: &TokenRequestError| {
        let next = trouble.explain("ask whether the code was used").next;
        desk.person.say(&format!("Still waiting for the sign-in, but {}.\n{next}", words(trouble)));
    };
    let outcome = pending.wait(client, limit, &on_trouble).await;
    (desk.on_answer)();
    match outcome {
        Ok(granted) => Ok(SignedIn { granted, nonce: None, visitor: None }),
        Err(DeviceCodeError::Failed(failure)) => Err(ended(refused(desk, &failure))),
        Err(DeviceCodeError::Expired(trouble)) => {
            Err(NoTokens::Unanswered(expired(desk, &endpoints, trouble.as_ref())))
        }
    }
}

/// The error for a code that expired unused, maybe because of `trouble`.
fn expired(desk: &Desk<'_>, endpoints: &Endpoints, trouble: Option<&TokenRequestError>) -> Error {
    let next = match without_a_code(desk.profile, endpoints) {
        Some(step) => format!("{}\n{step}", EXPIRED.steps),
        None => EXPIRED.steps.to_owned(),
    };
    match trouble.map(|trouble| trouble.explain("ask whether it was used")) {
        None => Error::sign_in_needed("the code expired before it was used", next),
        Some(Error { what, next: first, .. }) => {
            Error::sign_in_needed(format!("the code expired; {what}"), format!("{first}\n{next}"))
        }
    }
}

/// What to do about a server that could be after something.
const UNTRUSTED: &str = "Do not sign in there.\nCheck the issuer or authority URL, and tell its administrator.";
/// The other flow, at an issuer that has a page.
const BY_BROWSER: &str = "Sign in in a browser instead: kubectl login --grant-type authcode";

/// The step for a user whose browser refuses a code; `None` if the issuer has no page to sign in at. A page that refuses
/// leaves the code as it is, so this program never learns of it.
pub(super) fn without_a_code(profile: &Profile, endpoints: &Endpoints) -> Option<String> {
    endpoints.authorization.as_ref().map(|_| match profile.provider {
        Provider::Entra { .. } => Step::SignInByBrowser { force: false }.to_string(),
        Provider::Oidc { .. } => BY_BROWSER.to_owned(),
    })
}

/// The error for an address that no one should be sent to. Of one that could be taken for another, only the host is shown,
/// as it was parsed.
fn not_a_page(pending: &PendingDeviceCode, server: &Url) -> Error {
    let text = pending.verification_uri();
    match Url::parse(text).ok().filter(|url| is_acceptable_from(server, url)) {
        Some(url) => Error::failed(
            format!("the server wants you to open an address at {} that is not written as one", site::host(&url)),
            UNTRUSTED,
        ),
        None => Error::failed(
            format!("the server wants you to open {:?}, which is not an https address", printable(text, 100)),
            "Do not open it.\nCheck the issuer or authority URL, and tell its administrator.",
        ),
    }
}

/// The host of `page`, if it belongs to another site than the one that the prompt names.
fn foreign_page(desk: &Desk<'_>, page: &Url) -> Option<String> {
    let owner = match &desk.profile.provider {
        Provider::Entra { authority, .. } => Some(authority.clone()),
        Provider::Oidc { issuer, .. } => Url::parse(issuer).ok(),
    };
    let owner = owner.filter(|owner| !cloud::is_code_page(owner, page))?;
    site::foreign(page, &owner)
}

/// What came instead of a usable answer.
fn words(trouble: &TokenRequestError) -> String {
    match trouble {
        TokenRequestError::Transport(trouble) => trouble.to_string(),
        TokenRequestError::Refused(answer) => format!("the issuer answers: {}", EntraErrorDetails(answer)),
        TokenRequestError::NotOAuth(found) | TokenRequestError::Malformed(found) => found.to_string(),
    }
}

/// Whether the client may have no codes: RFC 6749 5.2, in the words of those who have switched the grant off for it. Google
/// says of clients that are made for browsers that they are of the wrong type, and others say the same word of a wrong secret.
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

/// The words for a refusal, with the way around it where there is one.
fn refused(desk: &Desk<'_>, failure: &TokenRequestError) -> Error {
    let mut error = explain_for(desk.profile, failure, "sign in");
    if let TokenRequestError::Refused(answer) = failure
        && matches!(desk.profile.provider, Provider::Entra { .. })
    {
        error = with_browser_first(answer, error);
    }
    if let TokenRequestError::Refused(answer) = failure
        && answer.error == "unauthorized_client"
        && matches!(desk.profile.provider, Provider::Oidc { .. })
    {
        error.next = format!("{BY_BROWSER}\n{}", error.next);
    }
    error
}
