//! The device authorization grant (RFC 8628): one code, and the wait for the user to enter it.

use std::time::Duration;

use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use tokio::time::{Instant, sleep_until};
use url::Url;

use super::client::{DeviceAuthorization, OAuthClient, TokenRequestError};
use super::error_response::{OAuthErrorClass, OAuthErrorResponse};
use super::token_response::GrantedTokens;
use crate::clock;
use crate::http::is_acceptable_from;

/// Seconds between polls when the server does not say (RFC 8628 3.2).
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
/// What every `slow_down` adds (RFC 8628 3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// The last poll is made so long before the code expires.
const LAST_MOMENTS: Duration = Duration::from_secs(2);
/// After this many polls in a row without a usable response, the user is informed, once.
const TOLD_AFTER: u32 = 3;
/// The longest pause after connection loss.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The longest user code, and the longest address.
const LONGEST_CODE: usize = 32;
const LONGEST_PAGE: usize = 300;
/// Longer lifetimes are cut.
const LONGEST_LIFE: Duration = Duration::from_secs(3600);

/// A device code that the user has not entered yet.
pub struct PendingDeviceCode {
    authorization: DeviceAuthorization,
    verifier: Option<PkceCodeVerifier>,
    interval: Duration,
    issued: Instant,
    life: Duration,
}

/// Why a wait brought no tokens.
#[derive(Debug)]
pub enum DeviceCodeError {
    /// The code expired; with the last failure of a poll, if there was one.
    Expired(Option<TokenRequestError>),
    /// The server refused for good.
    Failed(TokenRequestError),
}

/// Requests a code; with PKCE if `with_pkce`.
///
/// Errors: see [`TokenRequestError`].
pub async fn start(
    client: &OAuthClient,
    endpoint: &Url,
    scopes: &[String],
    with_pkce: bool,
    limit: Duration,
) -> Result<PendingDeviceCode, TokenRequestError> {
    let pkce = with_pkce.then(PkceCodeChallenge::new_random_sha256);
    let authorization =
        client.device_authorization(endpoint, scopes, pkce.as_ref().map(|(challenge, _)| challenge), limit).await?;
    let interval = match authorization.interval() {
        Duration::ZERO => DEFAULT_INTERVAL,
        interval => interval.min(LONGEST_LIFE),
    };
    Ok(PendingDeviceCode {
        interval,
        issued: Instant::now(),
        life: authorization.expires_in().min(LONGEST_LIFE),
        verifier: pkce.map(|(_, verifier)| verifier),
        authorization,
    })
}

impl PendingDeviceCode {
    /// What the user types. It may be spoken, so it is not a secret as a token is. `None` if the server sent what is
    /// not a code (RFC 8628 6.1): it is shown, and goes to the clipboard, so it has no room for a message.
    pub fn user_code(&self) -> Option<&str> {
        let code = self.authorization.user_code().secret().trim();
        let is_group = |group: &str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_alphanumeric());
        // Words of a sentence are of different lengths; the groups of a code are not.
        let first = code.split(' ').next().unwrap_or_default().len();
        let is_even = code.split(' ').all(|group| group.len() == first);
        (code.len() <= LONGEST_CODE && is_even && code.split(['-', ' ']).all(is_group)).then_some(code)
    }

    /// Where the user types it, as the server wrote it: it must not be shown like that.
    pub fn verification_uri(&self) -> &str {
        self.authorization.verification_uri().as_str()
    }

    /// Where the user types it, as it is shown and opened: parsed, so that its host is in ASCII. `None` if the issuer at
    /// `issuer` may not send users there, or if it could be mistaken for another address.
    pub fn page(&self, issuer: &Url) -> Option<Url> {
        page(self.verification_uri(), issuer)
    }

    /// The same with the code in it, if the server sends one at the same site.
    pub fn complete_page(&self, issuer: &Url) -> Option<Url> {
        let shown = self.page(issuer)?;
        let complete = page(self.authorization.verification_uri_complete()?.secret(), issuer)?;
        Some(complete).filter(|url| url.origin() == shown.origin())
    }

    /// How long the code lives, from when it was issued.
    pub fn life(&self) -> Duration {
        self.life
    }

    /// Polls until the code has been used or has expired. Connection loss, 429, 5xx and web pages from gateways are
    /// retried; the code's own life is the only limit of the whole, `limit` that of one poll. `class_of` tells
    /// what an error object means: issuers have codes besides those of the standard. `on_trouble` is called once, if that goes on for some polls: the user may be able to fix it while the code is valid.
    pub async fn wait(
        &self,
        client: &OAuthClient,
        limit: Duration,
        class_of: impl Fn(&OAuthErrorResponse) -> OAuthErrorClass,
        on_trouble: impl Fn(&TokenRequestError),
    ) -> Result<GrantedTokens, DeviceCodeError> {
        let end = self.issued + clock::life(self.life);
        let mut interval = self.interval;
        let mut extra = Duration::ZERO;
        let (mut last_trouble, mut useless) = (None, 0);
        loop {
            // RFC 8628 3.5: the wait comes before each poll, the first one included.
            let now = Instant::now();
            if now + clock::life(interval) >= end {
                sleep_until(end).await;
                return Err(DeviceCodeError::Expired(last_trouble));
            }
            // However long the pause should be, one poll belongs to the code's last moments.
            let (soonest, wanted) = (now + clock::wait(interval), now + clock::wait(interval + extra));
            sleep_until(wanted.min(end - clock::life(LAST_MOMENTS)).max(soonest)).await;
            let limit = limit.min(end.saturating_duration_since(Instant::now()));
            let failure = match client.poll(self.authorization.device_code(), self.verifier.as_ref(), limit).await {
                Ok(granted) => return Ok(granted),
                Err(failure) => failure,
            };
            match &failure {
                TokenRequestError::Refused(answer) => match class_of(answer) {
                    OAuthErrorClass::AuthorizationPending => (extra, last_trouble) = (Duration::ZERO, None),
                    OAuthErrorClass::SlowDown => {
                        interval += SLOW_DOWN;
                        (extra, last_trouble) = (Duration::ZERO, None);
                    }
                    OAuthErrorClass::CodeExpired => return Err(DeviceCodeError::Expired(None)),
                    OAuthErrorClass::Transient => (extra, last_trouble) = (longer(extra), Some(failure)),
                    _ => return Err(DeviceCodeError::Failed(failure)),
                },
                TokenRequestError::Malformed(_) => return Err(DeviceCodeError::Failed(failure)),
                TokenRequestError::Transport(trouble) if !trouble.is_transient() => {
                    return Err(DeviceCodeError::Failed(failure));
                }
                TokenRequestError::Transport(trouble) => {
                    let asked_for = trouble.retry_after.unwrap_or_default().saturating_sub(interval);
                    (extra, last_trouble) = (longer(extra).max(asked_for.min(LONGEST_LIFE)), Some(failure));
                }
                TokenRequestError::NotOAuth(_) => (extra, last_trouble) = (longer(extra), Some(failure)),
            }
            match &last_trouble {
                Some(trouble) => {
                    useless += 1;
                    if useless == TOLD_AFTER {
                        on_trouble(trouble);
                    }
                }
                // Told once is enough, however often the answers come and go.
                None => useless = if useless < TOLD_AFTER { 0 } else { useless },
            }
        }
    }
}

/// The page in a server's answer. A user name, backslashes and blanks can make one address look like another, or append
/// a sentence to it; a longer one cannot be typed or read.
fn page(text: &str, issuer: &Url) -> Option<Url> {
    let text = text.trim();
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
        return None;
    }
    let url = Url::parse(text).ok().filter(|url| is_acceptable_from(issuer, url))?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.as_str().len() <= LONGEST_PAGE;
    is_plain.then_some(url)
}

/// Exponential back-off on top of the interval (RFC 8628 3.5 asks for it on connection time-outs).
fn longer(extra: Duration) -> Duration {
    (extra * 2).clamp(Duration::from_secs(1), LONGEST_PAUSE)
}
