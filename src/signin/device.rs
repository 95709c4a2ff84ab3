//! Signing in with a device code (RFC 8628).

use std::future::Future;
use std::pin::Pin;

use super::{CodePrompt, Desk, NoTokens, Reach, Shown, SignedIn, Way, ended, explain, explain_for};
use crate::entra::refusals;
use crate::error::Error;
use crate::http::is_acceptable_from;
use crate::oauth::answer::ErrorAnswer;
use crate::oauth::client::Failure;
use crate::oauth::device::{self, Ending};
use crate::profile::{Pkce, Provider};
use crate::text::printable;

/// The device authorization grant.
pub(super) struct DeviceCode;

impl Way for DeviceCode {
    fn sign_in<'a>(&'a self, desk: &'a Desk<'a>) -> Pin<Box<dyn Future<Output = Result<SignedIn, NoTokens>> + 'a>> {
        Box::pin(sign_in(desk))
    }
}

async fn sign_in(desk: &Desk<'_>) -> Result<SignedIn, NoTokens> {
    let client = desk.client;
    let Some(endpoint) = &client.endpoints.device_authorization else {
        return Err(NoTokens::Failed(Error::failed(
            "the issuer offers no device code sign-in",
            "Ask whoever runs the issuer to switch on the device authorization grant for this client.",
        )));
    };
    let limit = desk.profile.network.needed();
    let with_pkce = match desk.profile.pkce() {
        Pkce::Auto => client.endpoints.offers_s256 == Some(true),
        Pkce::Always => true,
        Pkce::Never => false,
    };
    let pending =
        device::start(client, endpoint, desk.scopes, with_pkce, limit).await.map_err(|failure| match &failure {
            Failure::Refused(answer) if has_no_codes(answer) => NoTokens::NotForThisClient(refused(desk, &failure)),
            _ => ended(refused(desk, &failure)),
        })?;
    let shown_address = url::Url::parse(pending.verification_uri()).ok();
    if !shown_address.is_some_and(|url| is_acceptable_from(&client.endpoints.token, &url)) {
        return Err(NoTokens::Failed(Error::failed(
            format!(
                "the server wants you to open {:?}, which is no https address",
                printable(pending.verification_uri(), 100)
            ),
            "Do not open it.\nCheck the issuer or authority URL, and tell whoever runs it.",
        )));
    }
    let address_to_open = pending.address_to_open(&client.endpoints.token);
    if desk.person.reach() == Reach::Desktop
        && (pending.verification_uri_complete().is_none() || address_to_open.is_none())
    {
        return Err(NoTokens::NotShown(Error::sign_in_needed(
            "somebody has to type a code, and there is no terminal to show it in",
            "In a terminal, sign in: kubectl login",
        )));
    }
    let prompt = CodePrompt {
        address: printable(pending.verification_uri(), 300),
        code: printable(pending.user_code(), 100),
        address_to_open: address_to_open.as_ref(),
        life: pending.life(),
        why: desk.why,
    };
    (desk.on_wait)(pending.life());
    desk.person.show_code(&prompt).map_err(NoTokens::NotShown)?;
    let _shown = Shown(desk.person);
    let outcome = pending.wait(client, limit).await;
    (desk.on_answer)();
    match outcome {
        Ok(granted) => Ok(SignedIn { granted, nonce: None, visitor: None }),
        Err(Ending::Failed(failure)) => Err(ended(refused(desk, &failure))),
        Err(Ending::Expired(trouble)) => {
            let what = match trouble {
                None => "the code ended before it was used".to_owned(),
                Some(trouble) => format!("the code ended; {}", explain(&trouble, "ask whether it was used").what),
            };
            let next = match desk.profile.provider {
                // A page that refuses somebody leaves the code as it is: nobody here gets to know.
                Provider::Entra { .. } => format!("{}\n{}", refusals::EXPIRED, refusals::WITHOUT_A_CODE),
                Provider::Oidc { .. } => refusals::EXPIRED.to_owned(),
            };
            Err(NoTokens::Unanswered(Error::sign_in_needed(what, next)))
        }
    }
}

/// Whether the client may have no codes: RFC 6749 5.2, in the words of those who have switched the grant off for it. Google
/// says of clients that are made for browsers that they are of the wrong type, and others say the same word of a wrong secret.
fn has_no_codes(answer: &ErrorAnswer) -> bool {
    match answer.error.as_str() {
        "unauthorized_client" | "unsupported_grant_type" => true,
        "invalid_client" => {
            let words = answer.description().to_lowercase();
            words.contains("client type") || words.contains("clients of type")
        }
        _ => false,
    }
}

/// The words for a refusal, with the way around it where there is one.
fn refused(desk: &Desk<'_>, failure: &Failure) -> Error {
    let mut error = explain_for(desk.profile, failure, "sign in");
    if let Failure::Refused(answer) = failure
        && matches!(desk.profile.provider, Provider::Entra { .. })
        && refusals::is_about_codes(answer)
        && !error.next.contains("--login interactive")
    {
        error.next = format!("{}\n{}", refusals::WITHOUT_A_CODE, error.next);
    }
    if let Failure::Refused(answer) = failure
        && answer.error == "unauthorized_client"
        && matches!(desk.profile.provider, Provider::Oidc { .. })
    {
        error.next = format!("Sign in in a browser instead: kubectl login --grant-type authcode\n{}", error.next);
    }
    error
}
