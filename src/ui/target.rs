//! What a user signs in to, as prompts name it. All of it may come from a kubeconfig of another's, so a name is quoted and
//! cut, and of an address only host and port are shown: neither can go on as if it were the prompt.

use kubectl_login_core::oauth::site;
use kubectl_login_core::text::printable;
use url::Url;

/// The longest name, in characters.
const NAME: usize = 80;

/// What a user signs in to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A kubeconfig context.
    Context(String),
    /// The URL of an API server.
    Server(String),
    /// In words of this program's.
    Described(&'static str),
}

impl Target {
    /// The name, quoted where it comes from elsewhere.
    pub(super) fn shown(&self) -> String {
        match self {
            Target::Context(name) => quoted(name),
            Target::Server(text) => match Url::parse(text).ok().filter(Url::has_host) {
                Some(url) => quoted(&site::host(&url)),
                None => quoted(text),
            },
            Target::Described(words) => (*words).to_owned(),
        }
    }
}

/// `name` in quotes that nothing in it can end.
fn quoted(name: &str) -> String {
    format!("{:?}", printable(name, NAME))
}

/// An account as it is, if it is written as accounts are; else quoted.
pub(super) fn account(name: &str) -> String {
    let name = printable(name, 100);
    let is_plain = name.chars().all(|c| c.is_alphanumeric() || "@._+-#".contains(c));
    if is_plain { name } else { quoted(&name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_cannot_pose_as_the_prompt() {
        let context = |name: &str| Target::Context(name.to_owned()).shown();
        assert_eq!(context("prod"), "\"prod\"");
        assert_eq!(
            context("a\" (issuer https://good.example).\n\u{1b}[1A"),
            r#""a\" (issuer https://good.example). [1A""#
        );
        assert!(context(&"long ".repeat(100)).chars().count() <= NAME + 3);
        let server = |url: &str| Target::Server(url.to_owned()).shown();
        assert_eq!(server("https://user@api.example:6443/path?to=nowhere"), "\"api.example:6443\"");
        assert_eq!(server("https://\u{430}pi.example"), "\"xn--pi-6kc.example\"");
        assert_eq!(server("no URL at all"), "\"no URL at all\"");
        assert_eq!(account("alice@contoso.example"), "alice@contoso.example");
        assert_eq!(account("alice (issuer x)"), "\"alice (issuer x)\"");
    }
}
