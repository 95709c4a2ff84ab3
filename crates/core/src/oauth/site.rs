//! Which site a page belongs to: the defence against mix-up (RFC 9700 4.4) as far as addresses tell.
//!
//! The prompt names the issuer, since the kubeconfig does. An issuer of an attacker's can name the sign-in page of an
//! honest one as its authorization endpoint and keep its own token endpoint: the user signs in at a page they trust, and
//! this program sends the code and the PKCE verifier, which together are the user's tokens, to the attacker. `iss` in the
//! response (RFC 9207) stops that only if the honest issuer sends one. So a page is foreign if its host is neither the
//! issuer's nor that of the token endpoint, which is where the code goes: a user confirms it before anything is opened.
//!
//! - Endpoints that are all at one other site, as with a hosted issuer under a custom domain, send the code back to the site
//!   that made it. Nothing can be mixed up as long as its tokens stay there too, by the same document (`discovery`) and by later
//!   ones (`client::attempts`, `session::issuer`), and the prompt names that site.
//! - A token endpoint at another site gets only codes of the issuer's own page, as the issuer itself says.
//! - A device endpoint gives no code of the user's away: what the attack needs there is a page at which the user types
//!   another's code. Honest issuers have that page at a second site of theirs often enough, so it is named, and no more.
//!
//! Which of two names under one domain belong to one owner is not known here without the list of public suffixes, so a
//! site is a host and what is below it. On this machine a site is a port.

use url::Url;

use super::Endpoints;
use crate::http::is_loopback;
use crate::text::printable;

/// The host of `page` as people compare it (ASCII, with its port unless that is the usual one) if it belongs to another
/// site than `owner`.
pub fn foreign(page: &Url, owner: &Url) -> Option<String> {
    let is_same = match (page.host_str(), owner.host_str()) {
        _ if is_loopback(page) && is_loopback(owner) => page.port_or_known_default() == owner.port_or_known_default(),
        (Some(page), Some(owner)) => is_within(page, owner) || is_within(owner, page),
        _ => false,
    };
    (!is_same).then(|| host(page))
}

/// Host and port of `url`, fit to be shown: international names in their ASCII form, no port that is the usual one.
pub fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or_default();
    printable(&url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}")), 260)
}

/// Whether `name` is `domain` or below it. Addresses have nothing below them.
fn is_within(name: &str, domain: &str) -> bool {
    let is_name = domain.contains('.') && !domain.ends_with(|c: char| c.is_ascii_digit() || c == ']');
    name == domain || (is_name && name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
}

impl Endpoints {
    /// The host of the sign-in page, if the issuer has it at another site than its own.
    pub fn page_elsewhere(&self) -> Option<String> {
        foreign(self.authorization.as_ref()?, &Url::parse(&self.issuer).ok()?)
    }

    /// The same, if the code of that page would be sent to a third site: what a user has to confirm.
    pub fn foreign_page(&self) -> Option<String> {
        foreign(self.authorization.as_ref()?, &self.token).and(self.page_elsewhere())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_of_another_site_is_foreign() {
        let at =
            |page: &str, owner: &str| foreign(&Url::parse(page).expect("a URL"), &Url::parse(owner).expect("a URL"));
        for (page, owner) in [
            ("https://issuer.example/a", "https://issuer.example:8443/b"),
            ("https://login.issuer.example/", "https://issuer.example/"),
            ("https://issuer.example/", "https://login.issuer.example/"),
            ("http://127.0.0.1:5556/a", "http://localhost:5556/"),
        ] {
            assert_eq!(at(page, owner), None, "{page} {owner}");
        }
        for (page, owner, host) in [
            ("https://login.honest.example/", "https://evil.example/", "login.honest.example"),
            ("https://notissuer.example/", "https://issuer.example/", "notissuer.example"),
            ("https://a.github.io/", "https://b.github.io/", "a.github.io"),
            ("https://b\u{fc}cher.example:8443/", "https://issuer.example/", "xn--bcher-kva.example:8443"),
            ("https://1.127.0.0.1.example/", "https://127.0.0.1/", "1.127.0.0.1.example"),
            ("http://127.0.0.1:2/", "http://127.0.0.1:1/", "127.0.0.1:2"),
            ("https://issuer.example/", "http://127.0.0.1:1/", "issuer.example"),
        ] {
            assert_eq!(at(page, owner).as_deref(), Some(host), "{page} {owner}");
        }
    }
}
