//! What a user signs in to, as prompts name it. It may come from another person's kubeconfig, so names are quoted and
//! shortened, and of an address only host and port are shown: neither can pretend to be part of the prompt.

use kubectl_login_core::oauth::site;
use kubectl_login_core::text::printable;
use url::Url;

/// The longest name, in characters.
const NAME: usize = 80;

/// What a user signs in to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SignInTarget {
    /// A kubeconfig context.
    Context(String),
    /// The URL of an API server.
    Server(String),
    /// A description by this program.
    Described(&'static str),
}

impl SignInTarget {
    /// The name, quoted unless this program made it.
    pub(super) fn shown(&self) -> String {
        match self {
            SignInTarget::Context(name) => quoted(name),
            SignInTarget::Server(text) => match Url::parse(text).ok().filter(Url::has_host) {
                Some(url) => quoted(&site::host(&url)),
                None => quoted(text),
            },
            SignInTarget::Described(words) => (*words).to_owned(),
        }
    }
}

/// `name` in quotes, with those inside escaped.
fn quoted(name: &str) -> String {
    format!("{:?}", printable(name, NAME))
}

/// An account, quoted if it contains unusual characters.
pub(super) fn account(name: &str) -> String {
    let name = printable(name, 100);
    let is_plain = name.chars().all(|c| c.is_alphanumeric() || "@._+-#".contains(c));
    if is_plain { name } else { quoted(&name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_cannot_pretend_to_be_the_prompt() {
        let context = |name: &str| SignInTarget::Context(name.to_owned()).shown();
        assert_eq!(context("prod"), "\"prod\"");
        assert_eq!(
            context("a\" (issuer https://good.example).\n\u{1b}[1A"),
            r#""a\" (issuer https://good.example). [1A""#
        );
        assert!(context(&"long ".repeat(100)).chars().count() <= NAME + 3);
        let server = |url: &str| SignInTarget::Server(url.to_owned()).shown();
        assert_eq!(server("https://user@api.example:6443/path?to=nowhere"), "\"api.example:6443\"");
        assert_eq!(server("https://\u{430}pi.example"), "\"xn--pi-6kc.example\"");
        assert_eq!(server("no URL at all"), "\"no URL at all\"");
        assert_eq!(account("alice@contoso.example"), "alice@contoso.example");
        assert_eq!(account("alice (issuer x)"), "\"alice (issuer x)\"");
    }
}
