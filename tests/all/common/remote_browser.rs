//! A user with a browser on another machine, who copies the address from the screen, signs in, and copies the address
//! on
//! which the browser ends.

use url::Url;

use crate::common::page::{Page, get};
use crate::common::tmux::Screen;

/// The length of 32 bytes in base64.
const NONCE: usize = 43;

/// Waits for the address of the sign-in page on the screen. If there are several, returns the latest.
#[track_caller]
pub fn address_on(screen: &Screen) -> String {
    screen.until("an address is on the screen", || {
        let shown = screen.history();
        let at = shown.rfind("response_type=code")?;
        let start = shown[..at].rfind(char::is_whitespace)? + 1;
        let address = shown[start..].split_whitespace().next()?;
        // The nonce is the last parameter for both issuers, so that the address is complete.
        let (issuer, nonce) = address.split_once("&nonce=")?;
        let is_whole = if issuer.contains("/oidc/") { nonce.ends_with("=offline") } else { nonce.len() == NONCE };
        is_whole.then(|| address.to_owned())
    })
}

/// The page at an address.
pub fn open(address: &str) -> Page {
    get(&Url::parse(address).unwrap())
}

/// Signs in, or denies if the world does so. Returns the address on which the browser ends.
#[track_caller]
pub fn sign_in_at(address: &str) -> String {
    open(address).location().into()
}

/// A parameter of an address.
#[track_caller]
pub fn parameter(address: &str, name: &str) -> String {
    let url = Url::parse(address).unwrap();
    let value = url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    value.unwrap_or_else(|| panic!("no {name}"))
}
