//! What a user can do next, as values. Here they become sentences, and nowhere else.

use std::fmt;

/// One thing to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Sign in; with `force` even if the session is still good.
    SignIn {
        /// Whether the session is to be replaced.
        force: bool,
    },
    /// Sign in by browser instead of with a device code; with `force` even if there is a session that would be refreshed.
    SignInByBrowser {
        /// Whether the session is to be replaced.
        force: bool,
    },
    /// Have http://localhost registered as the redirect address, without which Entra refuses a sign-in by browser.
    RegisterRedirect,
    /// Check the network.
    CheckNetwork,
    /// Try the same again.
    TryAgain,
    /// Ask an administrator of the tenant or the issuer.
    AskAdmin,
    /// A sentence for one case only.
    Sentence(String),
}

/// The step that every failure of a session ends in.
pub(super) const SIGN_IN: &str = "Sign in: kubectl login";
/// The step if a terminal is missing.
pub(super) const IN_A_TERMINAL: &str = "In a terminal, sign in: kubectl login";
pub(super) const SIGN_IN_BY_BROWSER: &str =
    "Sign in by browser on this machine, which fewer policies forbid: kubectl login --login interactive";
pub(super) const REGISTER_REDIRECT: &str =
    "Ask the application's owner to add http://localhost as a redirect address for mobile and desktop applications.";

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::SignIn { force: false } => f.write_str("Sign in again: kubectl login"),
            Step::SignIn { force: true } => f.write_str("Sign in again: kubectl login --force"),
            Step::SignInByBrowser { force: false } => f.write_str(SIGN_IN_BY_BROWSER),
            Step::SignInByBrowser { force: true } => f.write_str(
                "Sign in again by browser, which fewer policies forbid: kubectl login --force --login interactive",
            ),
            Step::RegisterRedirect => f.write_str(REGISTER_REDIRECT),
            Step::CheckNetwork => {
                f.write_str("Check the network, VPN and proxy (HTTPS_PROXY, NO_PROXY), then try again.")
            }
            Step::TryAgain => f.write_str("Try again in a moment."),
            Step::AskAdmin => f.write_str("Ask your administrator."),
            Step::Sentence(sentence) => f.write_str(sentence),
        }
    }
}

/// The steps as text, one a line.
pub fn lines(steps: &[Step]) -> String {
    steps.iter().map(Step::to_string).collect::<Vec<_>>().join("\n")
}
