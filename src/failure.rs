//! Why there is no token: facts, from which `messages` makes sentences.
//!
//! One type from where a request fails to where it is explained: [`Failure`]. It is also what is stored for other processes
//! (`stored`), so variants and fields may be added, and are not renamed. It must not know how it is told.

mod groups;
mod redirect;
mod request;
mod stored;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::groups::GroupsError;
pub use self::redirect::{ListenerFile, ListenerFileProblem, RedirectError};
pub(crate) use self::request::without_unknown_members;
pub use self::request::{RequestFailure, RequestPhase};
pub use self::stored::{Earlier, Stored, from_value, to_value};
use crate::runtime::{RuntimeError, StopSignal};
use crate::store::KeyError;
use kubectl_login_core::entra::audience::AudienceError;
use kubectl_login_core::entra::cloud::CloudError;
use kubectl_login_core::entra::refusals::{Refusal, Remedy};
use kubectl_login_core::http::HttpSetupError;
use kubectl_login_core::oauth::authorization::CallbackError;
use kubectl_login_core::oauth::client::TokenRequestError;
use kubectl_login_core::oauth::discovery::{DiscoveryError, IssuerUrlError};
use kubectl_login_core::oauth::jwks::VerifyError;

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The process was stopped, or the system has no resources left.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// No connection can be set up.
    #[error(transparent)]
    Http(#[from] Box<HttpSetupError>),
    /// The cloud's endpoints are not known.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// The issuer's URL cannot be used.
    #[error(transparent)]
    IssuerUrl(#[from] IssuerUrlError),
    /// The issuer's discovery document or keys cannot be read.
    #[error(transparent)]
    Discovery(#[from] Box<DiscoveryError>),
    /// The discovery document does not name the keys.
    #[error("the discovery document has no jwks_uri")]
    NoKeysEndpoint,
    /// A request for tokens failed.
    #[error(transparent)]
    Request(#[from] Box<RequestFailure>),
    /// The issuer does not know the user name and password.
    #[error("the user name or the password is wrong")]
    WrongPassword {
        /// What the issuer answered.
        #[source]
        error: Box<TokenRequestError>,
        /// Whether the user typed them; otherwise they are configured.
        is_typed: bool,
    },

    /// The ID token is not valid.
    #[error("the ID token is not valid")]
    IdToken(#[source] VerifyError),
    /// The response has no ID token.
    #[error("the response has no ID token")]
    NoIdToken,
    /// The response has no access token.
    #[error("the response has no access token")]
    NoAccessToken,
    /// The token does not say when it expires.
    #[error("the token has no expiry")]
    NoExpiry,
    /// The token cannot be a bearer token.
    #[error("the token is not a valid bearer token")]
    InvalidToken,
    /// The token is for a service that is not a cluster.
    #[error(transparent)]
    ForeignAudience(AudienceError),
    /// The issuer's token endpoint belongs to another site than at sign-in (mix-up, RFC 9700 4.4).
    #[error("the token endpoint has moved to {host}")]
    TokenEndpointMoved {
        /// The host of the new one.
        host: String,
    },

    /// There is no session.
    #[error("not signed in")]
    NotSignedIn,
    /// The session brings no token.
    #[error(transparent)]
    Session(#[from] SessionProblem),
    /// The session ended because it began with a device code, and the user would be shown another one.
    #[error("the session ended because it began with a device code")]
    DeviceCodeSession {
        /// Whether a refresh was forced.
        is_forced: bool,
    },
    /// The connection needs a certificate authority that the session was signed in without.
    #[error("the connection is not trusted by this session")]
    NotTrustedBySession(#[source] Box<Failure>),
    /// Another user signed in than the expected one.
    #[error("another account signed in")]
    WrongAccount {
        /// The account that signed in, if the tokens name it.
        signed_in: Option<String>,
        /// The expected account.
        expected: String,
    },
    /// The keyring was asked for and cannot be used.
    #[error("the keyring cannot be used")]
    Keyring(#[source] KeyError),
    /// Another process works on the session for too long.
    #[error("another process holds the session")]
    SessionInUse {
        /// Its process id.
        pid: Option<u32>,
        /// Whether it waits for a user, and this process could not prompt one.
        is_prompting: bool,
    },

    /// A sign-in is needed, and the user cannot be prompted.
    #[error("no user can be prompted: {cause}")]
    NotPrompted {
        /// Why a sign-in is needed, if there is more to say.
        #[source]
        reason: Option<Box<Failure>>,
        /// Why the user cannot be prompted.
        cause: NoPrompt,
        /// Whether the cached token is unreadable because the keyring is locked.
        keyring_is_locked: bool,
    },
    /// The prompt cannot be shown.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// The user has not confirmed something.
    #[error("not confirmed")]
    Unconfirmed {
        /// What.
        confirmation: Confirmation,
        /// How the question ended.
        answer: NoConfirmation,
    },
    /// The user stopped a sign-in.
    #[error("the sign-in was cancelled")]
    Cancelled {
        /// How.
        signal: StopSignal,
        /// Whether it was a sign-in with a device code at an issuer that has a sign-in page too.
        could_use_browser: bool,
    },
    /// The user ended the input.
    #[error("the sign-in was cancelled")]
    InputEnded,
    /// A sign-in that this process waited for was cancelled.
    #[error("the sign-in that this process waited for was cancelled")]
    CancelledElsewhere,

    /// The issuer has no device authorization endpoint.
    #[error("the issuer has no device code flow")]
    NoDeviceFlow,
    /// The issuer has no authorization endpoint.
    #[error("the issuer has no browser flow")]
    NoBrowserFlow,
    /// The server sent a user code that is not one.
    #[error("{origin} sent an invalid user code")]
    InvalidUserCode {
        /// Scheme, host and port of the server.
        origin: String,
    },
    /// The page for the code has an address that could be taken for another one.
    #[error("the address of the page for the code is ambiguous")]
    AmbiguousCodePage {
        /// Its host, as parsed.
        host: String,
    },
    /// The page for the code is not https.
    #[error("the address of the page for the code is not https")]
    InsecureCodePage {
        /// Its address, fit to be shown.
        address: String,
    },
    /// The code expired before it was used.
    #[error("the code expired")]
    CodeExpired {
        /// What kept this process from asking.
        #[source]
        trouble: Option<Box<TokenRequestError>>,
        /// Whether the issuer has a sign-in page too.
        could_use_browser: bool,
    },
    /// The browser cannot be redirected to this machine.
    #[error(transparent)]
    Redirect(#[from] RedirectError),
    /// The sign-in in the browser was not completed in time.
    #[error("the sign-in in the browser was not completed in time")]
    BrowserTimeout {
        /// The time limit.
        limit: Duration,
        /// The redirect URI that was sent.
        redirect_uri: Option<String>,
    },
    /// Nothing usable was pasted, and nothing more can be.
    #[error("nothing usable was pasted")]
    NothingPasted {
        /// What was wrong with the last text.
        #[source]
        rejected: Option<Box<PasteError>>,
    },
    /// A code was pasted by itself, and nothing proves that it belongs to this sign-in.
    #[error("nothing proves that the code belongs to this sign-in")]
    UnprovenCode,
    /// User name and password were not typed in time.
    #[error("user name and password were not typed in time")]
    PasswordTimeout {
        /// The time limit.
        limit: Duration,
    },

    /// A failure that an earlier version of this program stored.
    #[error("{}", .0.what)]
    Earlier(Earlier),
}

/// Why a session brings no token, so that the user has to sign in again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionProblem {
    /// The session cannot be decrypted.
    #[error("the session cannot be read")]
    Unreadable(#[source] KeyError),
    /// There is no session, and the cached token cannot be decrypted.
    #[error("the cached token cannot be read")]
    UnreadableToken(#[source] KeyError),
    /// The session has no refresh token.
    #[error("the session has expired")]
    Expired,
    /// The cluster needs scopes that the session lacks.
    #[error("the session lacks scopes")]
    Scopes,
    /// The issuer asks for claims that the session lacks.
    #[error("the session lacks claims")]
    Claims,
    /// A refresh brought the tokens of another account.
    #[error("a refresh brought the tokens of another account")]
    OtherAccount,
    /// A refresh brings no ID token.
    #[error("a refresh brings no ID token")]
    NoIdToken,
}

/// Why a user cannot be prompted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoPrompt {
    /// Prompts are switched off.
    #[error("prompts are switched off")]
    SwitchedOff,
    /// This variable says that the process runs in CI.
    #[error("{0} is set")]
    Ci(String),
    /// Another program controls the terminal.
    #[error("another program has taken over the terminal")]
    TerminalTaken,
    /// There is no terminal.
    #[error("there is no terminal")]
    NoTerminal,
    /// There is a desktop without a terminal, and no browser can be opened.
    #[error("there is no terminal, and {0}")]
    NeitherTerminalNorBrowser(NoBrowser),
}

/// Why no browser can be opened for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoBrowser {
    /// This variable says that the user is elsewhere.
    #[error("{0} is set")]
    Variable(String),
    /// There is no display.
    #[error("there is no display")]
    NoDisplay,
    /// The program that the user named does not exist.
    #[error("{0} cannot be found")]
    ProgramNotFound(String),
    /// No program that opens pages is installed.
    #[error("no program that opens pages can be found")]
    NoProgram,
}

/// Why a prompt cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PromptError {
    /// No browser could be started, and there is no terminal.
    #[error("no browser could be started")]
    NoBrowserStarted,
    /// A password has to be typed, and there is no terminal.
    #[error("a password needs a terminal")]
    PasswordNeedsTerminal,
    /// A code has to be typed in a browser, and there is no terminal to show it.
    #[error("a code needs a terminal")]
    CodeNeedsTerminal,
    /// The terminal cannot be written to, and why.
    #[error("the prompt cannot be shown: {0}")]
    NotShown(String),
}

/// What a user confirms once, because a kubeconfig or an issuer asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confirmation {
    /// The session is to be used for this audience for the first time.
    Audience(String),
    /// The issuer's sign-in page is at this host, which belongs to another site.
    Page(String),
}

/// How the question for a confirmation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoConfirmation {
    /// The user was not asked.
    NotAsked,
    /// The user said no.
    Declined,
    /// The user did not answer within this time.
    TimedOut(Duration),
}

/// Why a pasted text does not complete the sign-in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PasteError {
    /// It is not the answer to this sign-in.
    #[error(transparent)]
    Callback(CallbackError),
    /// The code in it brought no tokens.
    #[error(transparent)]
    Code(Failure),
}

impl Failure {
    /// What lets the next request succeed: an interactive sign-in, a change of policy, or something else.
    pub fn remedy(&self) -> Remedy {
        match self {
            Failure::Request(failure) => failure.remedy(),
            Failure::WrongPassword { is_typed: true, .. } => Remedy::SignIn,
            Failure::DeviceCodeSession { .. } => Remedy::PolicyChange,
            Failure::TokenEndpointMoved { .. }
            | Failure::NotSignedIn
            | Failure::Session(_)
            | Failure::NotTrustedBySession(_)
            | Failure::WrongAccount { .. }
            | Failure::SessionInUse { is_prompting: true, .. }
            | Failure::NotPrompted { .. }
            | Failure::Prompt(_)
            | Failure::Unconfirmed { .. }
            | Failure::InputEnded
            | Failure::CancelledElsewhere
            | Failure::CodeExpired { .. }
            | Failure::BrowserTimeout { .. }
            | Failure::NothingPasted { .. }
            | Failure::PasswordTimeout { .. } => Remedy::SignIn,
            Failure::Earlier(earlier) => earlier.remedy(),
            _ => Remedy::Other,
        }
    }

    /// The kind of refusal, if an issuer refused something.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Failure::Request(failure) => failure.refusal(),
            Failure::WrongPassword { error, .. } => request::refusal(error),
            Failure::NotTrustedBySession(failure) => failure.refusal(),
            Failure::Earlier(earlier) => earlier.refusal,
            _ => None,
        }
    }

    /// The signal that stopped the process, if one did.
    pub fn stopped_by(&self) -> Option<StopSignal> {
        match self {
            Failure::Runtime(RuntimeError::Stopped(signal)) | Failure::Cancelled { signal, .. } => Some(*signal),
            _ => None,
        }
    }

    /// The failure as other processes are told it: they were not stopped themselves.
    pub fn for_others(&self) -> Failure {
        match self {
            Failure::Earlier(earlier) if matches!(earlier.kind.as_str(), "interrupted" | "terminated") => {
                Failure::CancelledElsewhere
            }
            _ if self.stopped_by().is_some() => Failure::CancelledElsewhere,
            _ => self.clone(),
        }
    }

    /// Whether both failures have the same reason; ids and times in an issuer's responses differ each time.
    pub fn has_same_reason_as(&self, other: &Failure) -> bool {
        match (self, other) {
            (Failure::Request(one), Failure::Request(other)) => one.has_same_reason_as(other),
            _ => self == other,
        }
    }
}

impl From<HttpSetupError> for Failure {
    fn from(error: HttpSetupError) -> Failure {
        Failure::Http(Box::new(error))
    }
}

impl From<DiscoveryError> for Failure {
    fn from(error: DiscoveryError) -> Failure {
        Failure::Discovery(Box::new(error))
    }
}
