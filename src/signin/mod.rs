//! Ways of signing in, one file each, behind one trait.
//!
//! A way gets tokens from the issuer with the help of a [`Person`]. It must not know what is remembered, who else is
//! waiting, or where a person reads what is written.

mod authcode;
pub mod confirmation;
mod device;
mod password;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use url::Url;

use crate::messages::Explain as _;
use crate::profile::{Method, Profile, Provider};
use authcode::AuthCode;
pub use authcode::Visitor;
use confirmation::Confirmation;
use device::DeviceCode;
use kubectl_login_core::entra::error_details::EntraErrorDetails;
use kubectl_login_core::entra::refusals;
use kubectl_login_core::error::{Error, Kind, Result};
use kubectl_login_core::oauth::Endpoints;
use kubectl_login_core::oauth::client::{OAuthClient, TokenRequestError};
use kubectl_login_core::oauth::error_response::OAuthErrorResponse;
use kubectl_login_core::oauth::token_response::GrantedTokens;
use kubectl_login_core::secret::Secret;
use password::Password;

/// Whether somebody can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Somebody reads what is written.
    Terminal,
    /// There is a desktop but no terminal: a page can be opened, text cannot be shown.
    Desktop,
    /// Nobody.
    Unavailable {
        /// Why: "CI is set".
        why: String,
        /// What somebody can do who wants to be asked all the same, as a sentence.
        way_on: String,
    },
}

/// Why somebody is asked, and why in this way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Why<'a> {
    /// Why somebody is asked although there was a session.
    pub reason: Option<&'a str>,
    /// Why in this way and in no other, as a sentence, where this program has chosen.
    pub choice: Option<&'a str>,
}

/// What a person has to know to use a code.
#[derive(Debug)]
pub struct CodePrompt<'a> {
    /// Where to type it.
    pub address: &'a Url,
    /// What to type: a few letters and digits.
    pub code: &'a str,
    /// The address with the code in it, if the server sent one.
    pub complete_address: Option<&'a Url>,
    /// The host of the address, if that is another site's than the issuer's.
    pub foreign: Option<String>,
    /// Whether the issuer signs users in on a page as well.
    pub has_page: bool,
    /// How long the code lives.
    pub life: Duration,
    /// Why somebody is asked.
    pub why: Why<'a>,
}

/// What a person has to know to sign in on a page.
#[derive(Debug)]
pub struct PagePrompt<'a> {
    /// The page.
    pub address: &'a Url,
    /// The host of the page, if that is another site's than the issuer's.
    pub foreign: Option<String>,
    /// How the answer gets from the browser to this program.
    pub way_back: WayBack,
    /// How long it is waited for.
    pub life: Duration,
    /// Why somebody is asked.
    pub why: Why<'a>,
}

/// How the answer gets from the browser to this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayBack {
    /// The browser brings it, if it runs on this machine; somebody may bring it too.
    Listener,
    /// Somebody has to bring it: nothing listens for it.
    Person,
    /// Somebody has to bring it, who may be a program at the other end of stdin.
    PersonOrStdin,
}

/// What a person has to type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question<'a> {
    /// Who they are at the issuer.
    Username,
    /// The password of this user; never shown while it is typed.
    Password(&'a str),
    /// Yes, or anything else.
    Confirm(Confirmation<'a>),
}

/// What somebody brings, line by line. It ends when nothing more can come.
pub type Lines = UnboundedReceiver<Secret>;

/// Whoever can be asked to sign in.
pub trait Person {
    /// Whether somebody can be asked.
    fn reach(&self) -> Reach;
    /// Whether a terminal is there, whatever may be written where.
    fn is_at_a_terminal(&self) -> bool;
    /// Why no browser can be opened that this person would see ("there is no display"); `None` where one can.
    fn lacks_a_browser(&self) -> Option<String>;
    /// Shows a code; never waits for anything.
    ///
    /// Errors: nobody can be shown anything after all.
    fn show_code(&self, prompt: &CodePrompt<'_>) -> Result<()>;
    /// Shows where to sign in; never waits for anything. What comes back by hand is read from then on, where it can be.
    ///
    /// Errors: nobody can be shown anything after all.
    fn show_page(&self, prompt: &PagePrompt<'_>) -> Result<Option<Lines>>;
    /// Asks for something that has to be typed; never waits for anything. What is said before is said with the first question
    /// only: `why`, and how much time there is.
    ///
    /// Errors: nobody can type anything here.
    fn ask(&self, question: Question<'_>, why: Option<Why<'_>>, life: Duration) -> Result<Lines>;
    /// What was shown is of no use any more: used, ended, or nobody waits for it. Nothing is read any more either.
    fn put_away(&self);
    /// Says one sentence to somebody who has just been asked something.
    fn say(&self, sentence: &str);
    /// Says one sentence to somebody at a terminal, and to nobody otherwise.
    fn mention(&self, sentence: &str);
}

/// What was shown to a person. However the wait ends, Ctrl-C included, it is put away first.
struct Shown<'a>(&'a dyn Person);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.0.put_away();
    }
}

/// What every way of signing in works with.
pub struct Desk<'a> {
    /// What is wanted.
    pub profile: &'a Profile,
    /// From whom.
    pub client: &'a OAuthClient,
    /// The scopes to ask for.
    pub scopes: &'a [String],
    /// Who is asked.
    pub person: &'a dyn Person,
    /// Why.
    pub why: Why<'a>,
    /// Whether the person wants to choose an account, even if the browser knows one.
    pub choose_account: bool,
    /// Called when the wait for a person begins, with how long it may last.
    pub on_wait: &'a dyn Fn(Duration),
    /// Called when a person has done their part.
    pub on_answer: &'a dyn Fn(),
}

/// How a sign-in ended with tokens.
pub struct SignedIn {
    /// The tokens.
    pub granted: GrantedTokens,
    /// What the ID token has to repeat, where something was sent that it has to.
    pub nonce: Option<String>,
    /// The browser that waits to be told how it ended.
    pub visitor: Option<Visitor>,
}

/// How a sign-in ended without a token.
pub enum NoTokens {
    /// Nobody used the code in time.
    Unanswered(Error),
    /// A person or a policy said no.
    Refused(Error),
    /// Nobody could be shown what to do.
    NotShown(Error),
    /// The issuer lets this client sign nobody in in this way; nobody has been asked.
    NotForThisClient(Error),
    /// The network, the server or the set-up is at fault, or nobody can be asked.
    Failed(Error),
}

/// A way of signing in.
pub trait Way {
    /// Gets tokens, with a person's help where the way needs one.
    fn sign_in<'a>(&'a self, desk: &'a Desk<'a>) -> Pin<Box<dyn Future<Output = Result<SignedIn, NoTokens>> + 'a>>;
}

/// The way behind a method. Which one [`Method::Auto`] is has been decided before ([`chosen`]).
pub fn way(method: Method) -> &'static dyn Way {
    match method {
        Method::Auto | Method::Browser => &AuthCode { listens: true },
        Method::Keyboard => &AuthCode { listens: false },
        Method::DeviceCode => &DeviceCode,
        Method::Password => &Password,
    }
}

/// A method to sign in by; any but [`Method::Auto`].
pub struct Chosen {
    /// The method.
    pub method: Method,
    /// Why this one, as a sentence, where this program has chosen.
    pub why: Option<String>,
}

impl Chosen {
    fn because(method: Method, why: impl Into<String>) -> Chosen {
        Chosen { method, why: Some(why.into()) }
    }

    /// The page, after `error` has shown that there are no codes for this client.
    pub fn page_after(error: &Error) -> Chosen {
        let words = error.what.strip_prefix(CANNOT_SIGN_IN).unwrap_or(&error.what).trim_end_matches('.');
        Chosen::because(Method::Browser, format!("In a browser, since the issuer gives this client no code: {words}."))
    }
}

/// The method to use where this program is to choose, any other is left as it is; and whether the page of the issuer is to
/// be tried where the issuer has no codes for this client after all.
///
/// The browser where there is one: no code has to be carried over, and fewer policies forbid it. Else a code, if the issuer
/// gives them out; else a browser somewhere, whose last address is carried over. What is to be asked on the issuer's page
/// can be asked nowhere else.
pub fn chosen(profile: &Profile, endpoints: &Endpoints, person: &dyn Person) -> (Chosen, bool) {
    if profile.method != Method::Auto {
        return (Chosen { method: profile.method, why: None }, false);
    }
    let has_page = endpoints.authorization.is_some();
    let page = |why: &str| (Chosen::because(Method::Browser, why), false);
    match code_because(profile, person) {
        _ if !has_page => {
            (Chosen::because(Method::DeviceCode, "With a code, since the issuer has no page to sign in at."), false)
        }
        Some(_) if endpoints.device_authorization.is_none() => {
            page("In a browser, since the issuer gives out no codes here.")
        }
        Some(why) => {
            let why = format!("With a code, since no browser can be opened here: {why}.");
            (Chosen::because(Method::DeviceCode, why), true)
        }
        None if person.lacks_a_browser().is_none() => page("In the browser, since there seems to be one at hand."),
        None => {
            page("In a browser, since there are parameters for the issuer's page (--oidc-auth-request-extra-params).")
        }
    }
}

/// Why a code is the better way where this program is to choose, as far as the issuer has both ways: no browser can be
/// opened for this person, and there is nothing to be asked on a page.
pub fn code_because(profile: &Profile, person: &dyn Person) -> Option<String> {
    person.lacks_a_browser().filter(|_| profile.authorization.extra_parameters.is_empty())
}

/// The next step of a user who has ended a sign-in by `method`.
pub fn after_cancelling(method: Method, profile: &Profile, endpoints: &Endpoints) -> String {
    let otherwise = Some(method).filter(|method| *method == Method::DeviceCode);
    match otherwise.and_then(|_| device::without_a_code(profile, endpoints)) {
        Some(step) => format!("Sign in: kubectl login\n{step}"),
        None => "Sign in: kubectl login".to_owned(),
    }
}

/// The step for a person who had too little time.
const MORE_TIME: &str = "For more time: --authentication-timeout-sec in the kubeconfig user's exec.args.";
/// How the words for a sign-in that brought no tokens begin.
const CANNOT_SIGN_IN: &str = "cannot sign in: ";

/// The words for a request that brought no tokens, for a user of `profile`: with what can be filled in from it.
pub fn explain_for(profile: &Profile, failure: &TokenRequestError, what: &str) -> Error {
    let mut error = failure.explain(what);
    if let TokenRequestError::Refused(answer) = failure
        && lacks_a_secret(profile, answer)
    {
        error.next =
            "If this client has a secret, add it to the kubeconfig user's exec.args: --oidc-client-secret=SECRET\n\
                      Otherwise check --oidc-client-id."
                .to_owned();
    }
    if let (TokenRequestError::Refused(answer), Provider::Entra { authority, tenant, .. }) =
        (failure, &profile.provider)
        && let Some(address) = refusals::consent_address(answer, authority, tenant, &profile.client_id)
    {
        error.next = format!("{}\nAn administrator consents here: {address}", error.next);
    }
    error
}

/// Whether the issuer refuses the client as such (RFC 6749 5.2) while the entry has no client secret. Keycloak says
/// `unauthorized_client`, and speaks of credentials; Google refuses a type of client, which a secret does not change.
fn lacks_a_secret(profile: &Profile, answer: &OAuthErrorResponse) -> bool {
    let words = EntraErrorDetails(answer).description().to_lowercase();
    let is_about_the_client = match answer.error.as_str() {
        "invalid_client" => !words.contains("client type") && !words.contains("clients of type"),
        "unauthorized_client" => words.contains("credential") || words.contains("secret"),
        _ => false,
    };
    let is_oidc = matches!(profile.provider, Provider::Oidc { .. });
    is_oidc && profile.client_secret.is_none() && is_about_the_client && EntraErrorDetails(answer).numbers().is_empty()
}

/// What an error after the person was (or could have been) asked means for the next try.
fn ended(error: Error) -> NoTokens {
    match error.kind {
        Kind::SignInNeeded | Kind::Refused => NoTokens::Refused(error),
        _ => NoTokens::Failed(error),
    }
}
