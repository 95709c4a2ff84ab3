//! Ways of signing in, one file each, behind one trait.
//!
//! A way gets tokens from the issuer with the help of a [`Person`]. It must not know what is remembered, who else is
//! waiting, or where a person reads what is written.

pub mod device;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use url::Url;

use crate::error::{Error, Result};
use crate::oauth::client::{Client, Failure, Granted};
use crate::profile::{Method, Profile};

/// Whether somebody can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Somebody reads what is written.
    Terminal,
    /// There is a desktop but no terminal: a page can be opened, text cannot be shown.
    Desktop,
    /// Nobody.
    Nobody {
        /// Why: "CI is set".
        why: String,
        /// What somebody can do who wants to be asked all the same, as a sentence.
        way_on: String,
    },
}

/// What a person has to know to use a code.
#[derive(Debug)]
pub struct CodePrompt<'a> {
    /// Where to type it. As the server sent it, control characters removed.
    pub address: String,
    /// What to type. Control characters removed.
    pub code: String,
    /// The address with the code in it, if the server sent one and it may be opened.
    pub address_to_open: Option<&'a Url>,
    /// How long the code lives.
    pub life: Duration,
    /// Why somebody is asked although there was a session.
    pub reason: Option<&'a str>,
}

/// Whoever can be asked to sign in.
pub trait Person {
    /// Whether somebody can be asked.
    fn reach(&self) -> Reach;
    /// Whether a terminal is there, whatever may be written where.
    fn is_at_a_terminal(&self) -> bool;
    /// Shows a code; never waits for anything.
    ///
    /// Errors: nobody can be shown anything after all.
    fn show_code(&self, prompt: &CodePrompt<'_>) -> Result<()>;
    /// The code that was shown is of no use any more: used, ended, or nobody waits for it.
    fn put_code_away(&self);
    /// Says one sentence to somebody who has just been asked something.
    fn say(&self, sentence: &str);
    /// Says one sentence to somebody at a terminal, and to nobody otherwise.
    fn mention(&self, sentence: &str);
}

/// What every way of signing in works with.
pub struct Desk<'a> {
    /// What is wanted.
    pub profile: &'a Profile,
    /// From whom.
    pub client: &'a Client,
    /// Whether PKCE is used where the way itself does not insist on it.
    pub pkce: bool,
    /// The scopes to ask for.
    pub scopes: &'a [String],
    /// Who is asked.
    pub person: &'a dyn Person,
    /// Why somebody is asked although there was a session.
    pub reason: Option<&'a str>,
    /// Called when the wait for a person begins, with how long it may last.
    pub on_wait: &'a dyn Fn(Duration),
}

/// How a sign-in ended without a token.
pub enum NoTokens {
    /// Nobody used the code in time.
    Unanswered(Error),
    /// A person or a policy said no.
    Refused(Error),
    /// Nobody could be shown what to do.
    NotShown(Error),
    /// The network, the server or the set-up is at fault, or nobody can be asked.
    Failed(Error),
}

/// A way of signing in.
pub trait Way {
    /// Gets tokens, with a person's help where the way needs one.
    fn sign_in<'a>(&'a self, desk: &'a Desk<'a>) -> Pin<Box<dyn Future<Output = Result<Granted, NoTokens>> + 'a>>;
}

/// The way behind a method.
pub fn way(method: Method) -> &'static dyn Way {
    match method {
        Method::DeviceCode => &device::DeviceCode,
    }
}

/// The words for a request that brought no tokens.
pub fn explain(failure: &Failure, what: &str) -> Error {
    match failure {
        Failure::Trouble(trouble) => trouble.explain(what),
        Failure::Refused(answer) => crate::entra::advice::explain(answer, what),
        Failure::NotOAuth(found) => Error::failed(
            format!("cannot {what}: {found}"),
            "Check the issuer or authority URL, and whether a captive portal or a proxy answered instead.",
        ),
        Failure::Malformed(found) => Error::failed(
            format!("cannot {what}: {found}"),
            "Check the issuer or authority URL.\nAsk whoever runs the server: its answer is not as the standard has it.",
        ),
    }
}
