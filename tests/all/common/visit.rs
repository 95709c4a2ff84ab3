//! A person with a browser on another machine: copies the address off the screen, signs in, and copies the address that
//! the browser ends on.

use url::Url;

use crate::common::page::{Page, get};
use crate::common::tmux::Screen;

/// 32 bytes in base64.
const NONCE: usize = 43;

/// Waits for the sign-in page's address on the screen, the latest if there are several.
#[track_caller]
pub fn address_on(screen: &Screen) -> String {
    screen.until("an address is on the screen", || {
        let shown = screen.history();
        let at = shown.rfind("response_type=code")?;
        let start = shown[..at].rfind(char::is_whitespace)? + 1;
        let address = shown[start..].split_whitespace().next()?;
        // All of it: the last parameter at either issuer.
        let (issuer, nonce) = address.split_once("&nonce=")?;
        let is_whole = if issuer.contains("/oidc/") { nonce.ends_with("=offline") } else { nonce.len() == NONCE };
        is_whole.then(|| address.to_owned())
    })
}

/// The page at an address.
pub fn visit(address: &str) -> Page {
    get(&Url::parse(address).unwrap())
}

/// Signs in (or declines, if that is what the world is set to): where the browser ends.
#[track_caller]
pub fn signed_in_at(address: &str) -> String {
    visit(address).location().into()
}

/// A parameter of an address.
#[track_caller]
pub fn parameter(address: &str, name: &str) -> String {
    let url = Url::parse(address).unwrap();
    let value = url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    value.unwrap_or_else(|| panic!("no {name}"))
}
