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
    /// Check the network.
    CheckNetwork,
    /// Try the same again.
    TryAgain,
    /// Ask an administrator of the tenant or the issuer.
    AskAdmin,
    /// A sentence for one case only.
    Sentence(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::SignIn { force: false } => f.write_str("Sign in again: kubectl login"),
            Step::SignIn { force: true } => f.write_str("Sign in again: kubectl login --force"),
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
