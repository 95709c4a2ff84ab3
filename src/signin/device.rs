//! Signing in with a device code (RFC 8628).

use std::future::Future;
use std::pin::Pin;

use super::{CodePrompt, Desk, NoTokens, Person, Reach, Way, explain};
use crate::entra::advice;
use crate::error::{Error, Kind};
use crate::http::is_acceptable_from;
use crate::oauth::client::Granted;
use crate::oauth::device::{self, Ending};
use crate::text::printable;

/// The device authorization grant.
pub struct DeviceCode;

impl Way for DeviceCode {
    fn sign_in<'a>(&'a self, desk: &'a Desk<'a>) -> Pin<Box<dyn Future<Output = Result<Granted, NoTokens>> + 'a>> {
        Box::pin(sign_in(desk))
    }
}

async fn sign_in(desk: &Desk<'_>) -> Result<Granted, NoTokens> {
    let client = desk.client;
    let Some(endpoint) = &client.endpoints.device_authorization else {
        return Err(NoTokens::Failed(Error::failed(
            "the issuer offers no device code sign-in",
            "Ask whoever runs the issuer to switch on the device authorization grant for this client.",
        )));
    };
    let limit = desk.profile.network.needed();
    let pending = device::start(client, endpoint, desk.scopes, desk.pkce, limit)
        .await
        .map_err(|failure| ended(explain(&failure, "sign in")))?;
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
        reason: desk.reason,
    };
    (desk.on_wait)(pending.life());
    desk.person.show_code(&prompt).map_err(NoTokens::NotShown)?;
    let _shown = Shown(desk.person);
    match pending.wait(client, limit).await {
        Ok(granted) => Ok(granted),
        Err(Ending::Failed(failure)) => Err(ended(explain(&failure, "sign in"))),
        Err(Ending::Expired(trouble)) => {
            let what = match trouble {
                None => "the code ended before it was used".to_owned(),
                Some(trouble) => format!("the code ended; {}", explain(&trouble, "ask whether it was used").what),
            };
            Err(NoTokens::Unanswered(Error::sign_in_needed(what, advice::EXPIRED)))
        }
    }
}

/// A code in front of a person. However the wait ends, Ctrl-C included, it is put away first.
struct Shown<'a>(&'a dyn Person);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.0.put_code_away();
    }
}

/// What an error after the person was (or could have been) asked means for the next try.
fn ended(error: Error) -> NoTokens {
    match error.kind {
        Kind::SignInNeeded | Kind::Refused => NoTokens::Refused(error),
        _ => NoTokens::Failed(error),
    }
}
