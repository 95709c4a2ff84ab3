//! Interactive sign-in flows, one file each: device code, browser, password.
//!
//! A flow gets tokens from the issuer with the help of a [`Person`], the user interface. It must not know what is cached,
//! which processes wait, or how a prompt is shown.

mod authcode;
pub mod confirmation;
mod device;
mod notice;
mod password;

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use url::Url;

pub use self::authcode::CallbackResponder;
pub use self::notice::{Notice, StorageNotice};
use crate::failure::{Confirmation, Failure, NoBrowser, NoPrompt, PromptError, RequestFailure, RequestPhase};
use crate::profile::{Method, Profile};
use crate::runtime::StopSignal;
use kubectl_login_core::entra::refusals::Remedy;
use kubectl_login_core::oauth::Endpoints;
use kubectl_login_core::oauth::client::{OAuthClient, TokenRequestError};
use kubectl_login_core::oauth::token_response::GrantedTokens;
use kubectl_login_core::secret::Secret;

/// Whether and how a user can be prompted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interactivity {
    /// The user reads what is written to the terminal.
    Terminal,
    /// There is a desktop but no terminal: a page can be opened, text cannot be shown.
    BrowserOnly,
    /// Not at all.
    None(NoPrompt),
}

/// Why the user is prompted, and why by this method.
#[derive(Clone, Copy, Debug, Default)]
pub struct PromptReason<'a> {
    /// Why a sign-in is needed although there was a session.
    pub failure: Option<&'a Failure>,
    /// Why by this method, if this program has chosen it.
    pub choice: Option<&'a MethodReason>,
}

/// Why this program has chosen a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MethodReason {
    /// A device code: the issuer has no sign-in page.
    NoPage,
    /// A device code: no browser can be opened here.
    NoBrowser(NoBrowser),
    /// The page: the issuer has no device codes.
    NoDeviceCodes,
    /// The page: the issuer gives this client no device code.
    NoDeviceCodeForClient(Box<Failure>),
    /// The page: a browser can be opened here.
    Browser,
    /// The page: the profile has parameters for it.
    PageParameters,
}

/// What a user has to know to use a device code.
#[derive(Debug)]
pub struct CodePrompt<'a> {
    /// Where to type it.
    pub address: &'a Url,
    /// What to type: a few letters and digits.
    pub code: &'a str,
    /// The address with the code in it, if the server sent one.
    pub complete_address: Option<&'a Url>,
    /// The host of the address, if it belongs to another site than the issuer.
    pub foreign: Option<String>,
    /// Whether the issuer has a sign-in page as well.
    pub has_page: bool,
    /// How long the code is valid.
    pub life: Duration,
    /// Why the user is prompted.
    pub reason: PromptReason<'a>,
}

/// What a user has to know to sign in on a page.
#[derive(Debug)]
pub struct PagePrompt<'a> {
    /// The page.
    pub address: &'a Url,
    /// The host of the page, if it belongs to another site than the issuer.
    pub foreign: Option<String>,
    /// How the response gets from the browser to this program.
    pub way_back: WayBack,
    /// The time limit.
    pub life: Duration,
    /// Why the user is prompted.
    pub reason: PromptReason<'a>,
}

/// How the response gets from the browser to this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayBack {
    /// By a redirect to a listener, if the browser runs on this machine; the user may paste it too.
    Listener,
    /// The user pastes it: nothing listens.
    Pasted,
    /// The user pastes it, or a program writes it to stdin.
    PastedOrStdin,
}

/// What a user has to type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question<'a> {
    /// The user name at the issuer.
    Username,
    /// The password of this user; never shown while it is typed.
    Password(&'a str),
    /// Yes, or anything else.
    Confirm(&'a Confirmation),
}

/// What a user types, line by line. It ends when nothing more can come.
pub type Lines = UnboundedReceiver<Secret>;

/// The user interface that a sign-in talks to.
pub trait Person {
    /// Whether and how the user can be prompted.
    fn interactivity(&self) -> Interactivity;
    /// Whether the process has a terminal, whether or not prompts are allowed there.
    fn is_at_a_terminal(&self) -> bool;
    /// Why no browser can be opened that the user would see; `None` if one can.
    fn lacks_a_browser(&self) -> Option<NoBrowser>;
    /// Shows a device code. Does not wait.
    ///
    /// Errors: the prompt cannot be shown.
    fn show_code(&self, prompt: &CodePrompt<'_>) -> Result<(), PromptError>;
    /// Shows where to sign in. Does not wait. Returns what the user pastes from then on, if that can be read.
    ///
    /// Errors: the prompt cannot be shown.
    fn show_page(&self, prompt: &PagePrompt<'_>) -> Result<Option<Lines>, PromptError>;
    /// Asks for something to be typed. Does not wait. `reason` and the time limit are shown with the first question only.
    ///
    /// Errors: nothing can be typed here.
    fn ask(
        &self,
        question: Question<'_>,
        reason: Option<PromptReason<'_>>,
        limit: Duration,
    ) -> Result<Lines, PromptError>;
    /// Ends a prompt: what was shown was used, has expired, or is not waited for any more. Nothing is read any more either.
    fn put_away(&self);
    /// Tells a user who was just prompted.
    fn say(&self, notice: Notice<'_>);
    /// Tells a user at a terminal; without one, does nothing.
    fn mention(&self, notice: Notice<'_>);
}

/// A prompt that is shown. However the wait ends, Ctrl-C included, it is put away first.
struct Shown<'a>(&'a dyn Person);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.0.put_away();
    }
}

/// What a sign-in flow works with.
pub struct SignInContext<'a> {
    /// What to sign in to.
    pub profile: &'a Profile,
    /// The client of the issuer.
    pub client: &'a OAuthClient,
    /// The scopes to request.
    pub scopes: &'a [String],
    /// The user interface.
    pub person: &'a dyn Person,
    /// Why the user is prompted.
    pub reason: PromptReason<'a>,
    /// Whether the user is to choose an account, even if the browser knows one.
    pub choose_account: bool,
    /// Called when the wait for the user begins, with the time limit.
    pub on_wait: &'a dyn Fn(Duration),
    /// Called when the user has done their part.
    pub on_answer: &'a dyn Fn(),
}

/// What a completed sign-in brought.
pub struct SignedIn {
    /// The tokens.
    pub granted: GrantedTokens,
    /// What the ID token has to repeat, if a nonce was sent.
    pub nonce: Option<String>,
    /// The browser that waits for the result.
    pub responder: Option<CallbackResponder>,
}

/// Why a sign-in brought no tokens, and what that means for the next attempt.
#[derive(Debug)]
pub enum FlowError {
    /// The user did not complete it in time.
    Unanswered(Failure),
    /// The user or a policy refused it.
    Refused(Failure),
    /// The prompt could not be shown.
    NotShown(Failure),
    /// The issuer gives this client no device codes; the user was not prompted.
    NoDeviceCodes(Failure),
    /// The network, the server or the configuration is at fault.
    Failed(Failure),
}

impl FlowError {
    /// The error for a failure after the user was (or could have been) prompted.
    fn new(failure: Failure) -> FlowError {
        match failure.remedy() {
            Remedy::SignIn | Remedy::PolicyChange => FlowError::Refused(failure),
            Remedy::Other => FlowError::Failed(failure),
        }
    }

    /// The error for a request of this phase that failed.
    fn from_request(error: TokenRequestError, phase: RequestPhase) -> FlowError {
        FlowError::new(RequestFailure::new(error, phase).into())
    }
}

impl From<PromptError> for FlowError {
    fn from(error: PromptError) -> FlowError {
        FlowError::NotShown(error.into())
    }
}

/// Signs the user in by `method`; [`chosen`] has decided what [`Method::Auto`] is.
///
/// Errors: see [`FlowError`].
pub async fn sign_in(method: Method, context: &SignInContext<'_>) -> Result<SignedIn, FlowError> {
    match method {
        Method::Auto | Method::Browser => authcode::sign_in(context, true).await,
        Method::Keyboard => authcode::sign_in(context, false).await,
        Method::DeviceCode => device::sign_in(context).await,
        Method::Password => password::sign_in(context).await,
    }
}

/// A method to sign in by; any but [`Method::Auto`].
pub struct ChosenMethod {
    /// The method.
    pub method: Method,
    /// Why this one, if this program has chosen it.
    pub reason: Option<MethodReason>,
    /// Whether the issuer's page is tried if it gives this client no device codes.
    pub may_try_page: bool,
}

impl ChosenMethod {
    fn because(method: Method, reason: MethodReason) -> ChosenMethod {
        ChosenMethod { method, reason: Some(reason), may_try_page: false }
    }

    /// The page, after `failure` has shown that this client gets no device codes.
    pub fn page_after(failure: Failure) -> ChosenMethod {
        ChosenMethod::because(Method::Browser, MethodReason::NoDeviceCodeForClient(Box::new(failure)))
    }
}

/// The method to use if this program is to choose; any other is kept.
///
/// The browser if one can be opened: no code has to be typed, and fewer policies forbid it. Else a device code, if the issuer
/// has them; else a browser anywhere, whose last address is pasted. Parameters for the issuer's page require the page.
pub fn chosen(profile: &Profile, endpoints: &Endpoints, person: &dyn Person) -> ChosenMethod {
    if profile.method != Method::Auto {
        return ChosenMethod { method: profile.method, reason: None, may_try_page: false };
    }
    let (method, reason) = match code_because(profile, person) {
        _ if endpoints.authorization.is_none() => (Method::DeviceCode, MethodReason::NoPage),
        Some(_) if endpoints.device_authorization.is_none() => (Method::Browser, MethodReason::NoDeviceCodes),
        Some(why) => {
            let chosen = ChosenMethod::because(Method::DeviceCode, MethodReason::NoBrowser(why));
            return ChosenMethod { may_try_page: true, ..chosen };
        }
        None if person.lacks_a_browser().is_none() => (Method::Browser, MethodReason::Browser),
        None => (Method::Browser, MethodReason::PageParameters),
    };
    ChosenMethod::because(method, reason)
}

/// Why a device code is better if this program is to choose and the issuer has both: no browser can be opened, and the profile
/// has no parameters for a page.
pub fn code_because(profile: &Profile, person: &dyn Person) -> Option<NoBrowser> {
    person.lacks_a_browser().filter(|_| profile.authorization.extra_parameters.is_empty())
}

/// The failure of a sign-in by `method` that the user stopped.
pub fn cancelled(method: Method, signal: StopSignal, endpoints: &Endpoints) -> Failure {
    let could_use_browser = method == Method::DeviceCode && endpoints.authorization.is_some();
    Failure::Cancelled { signal, could_use_browser }
}
