//! Why a sign-in did not succeed, by flow: device code, browser, password.

use kubectl_login_core::entra::error_details::EntraErrorDetails;
use kubectl_login_core::oauth::authorization::CallbackError;
use kubectl_login_core::oauth::client::TokenRequestError;
use kubectl_login_core::text::{in_words, printable};

use super::refusals::EXPIRED;
use super::request::{BY_BROWSER, reason, token_request_error};
use super::step::{IN_A_TERMINAL, Step};
use super::{ErrorMessage, ExitKind, Explain as _};
use crate::failure::{Failure, ListenerFile, PasteError, PromptError, RedirectError};
use crate::profile::{Authorization, Profile, Provider};

/// The step for a user who had too little time.
const MORE_TIME: &str = "For more time: --authentication-timeout-sec in the kubeconfig user's exec.args.";
/// What is wrong with a code by itself without PKCE.
const UNPROVEN: &str = "nothing tells whose code that is: PKCE is not used, and the issuer gave no ID token";
/// What to do about a server that could be malicious.
const UNTRUSTED: &str = "Do not sign in there.\nCheck the issuer or authority URL, and tell its administrator.";
/// The step if no browser can be started on the desktop.
pub(super) const NAME_A_BROWSER: &str = "Name a browser with --browser-command in the kubeconfig user's exec.args.\nOr sign in, in a terminal: kubectl login";

/// A flow that did not get tokens.
pub(super) fn flow_failure(failure: &Failure, profile: &Profile) -> ErrorMessage {
    let (what, next) = match failure {
        Failure::Prompt(error) => return prompt_error(error),
        Failure::NoDeviceFlow => (
            "the issuer offers no device code sign-in".to_owned(),
            "Ask the issuer's administrator to switch on the device authorization grant for this client.",
        ),
        Failure::NoBrowserFlow => (
            "the issuer offers no sign-in in a browser (its discovery document names no authorization_endpoint)"
                .to_owned(),
            "Sign in with a code instead: kubectl login --grant-type device-code",
        ),
        Failure::InvalidUserCode { origin } => {
            (format!("{origin} sent a code that is not one: not a few letters and digits"), UNTRUSTED)
        }
        Failure::AmbiguousCodePage { host } => {
            (format!("the server wants you to open an address at {host} that is not written as one"), UNTRUSTED)
        }
        Failure::InsecureCodePage { address } => (
            format!("the server wants you to open {address:?}, which is not an https address"),
            "Do not open it.\nCheck the issuer or authority URL, and tell its administrator.",
        ),
        Failure::BrowserTimeout { limit, redirect_uri } => {
            return ErrorMessage::failed(
                format!("the sign-in in the browser was not finished within {}", in_words(*limit)),
                format!(
                    "Run the command again, and finish the sign-in in the browser.\n{MORE_TIME}\n{}",
                    refused_in_browser(profile, redirect_uri.as_deref())
                ),
            );
        }
        Failure::NothingPasted { rejected: Some(rejected) } => {
            (format!("what was brought from the browser does not help: {}", paste_reason(rejected)), IN_A_TERMINAL)
        }
        Failure::NothingPasted { rejected: None } => (
            "the code from the browser has to be pasted, and there is no terminal to paste it in".to_owned(),
            IN_A_TERMINAL,
        ),
        Failure::PasswordTimeout { limit } => {
            return ErrorMessage::failed(
                format!("user name and password were not typed within {}", in_words(*limit)),
                format!("Run the command again, and type them.\n{MORE_TIME}"),
            );
        }
        _ => (UNPROVEN.to_owned(), "Paste the whole address of the page that the browser ends on."),
    };
    ErrorMessage::failed(what, next)
}

fn prompt_error(error: &PromptError) -> ErrorMessage {
    let (what, next) = match error {
        PromptError::NoBrowserStarted => ("sign-in required, and no browser could be started here", NAME_A_BROWSER),
        PromptError::PasswordNeedsTerminal => ("a password has to be typed, which takes a terminal", IN_A_TERMINAL),
        PromptError::CodeNeedsTerminal => {
            ("a code has to be typed, and there is no terminal to show it in", IN_A_TERMINAL)
        }
        PromptError::NotShown(reason) => {
            return ErrorMessage::failed(format!("what to do cannot be shown: {reason}"), IN_A_TERMINAL);
        }
    };
    ErrorMessage::failed(what, next)
}

/// The code expired unused, maybe because of `trouble`.
pub(super) fn code_expired(
    trouble: Option<&TokenRequestError>,
    could_use_browser: bool,
    profile: &Profile,
) -> ErrorMessage {
    let next = match could_use_browser {
        true => format!("{}\n{}", EXPIRED.steps, instead_of_code(profile)),
        false => EXPIRED.steps.to_owned(),
    };
    match trouble.map(|trouble| trouble.explain("ask whether it was used")) {
        None => ErrorMessage::sign_in_needed("the code expired before it was used", next),
        Some(ErrorMessage { what, next: first, .. }) => {
            ErrorMessage::sign_in_needed(format!("the code expired; {what}"), format!("{first}\n{next}"))
        }
    }
}

/// The step for a user whose browser refuses a code, at an issuer that has a sign-in page. A page that refuses leaves the
/// code as it is, so this program never learns of it.
pub(super) fn instead_of_code(profile: &Profile) -> String {
    match profile.provider {
        Provider::Entra { .. } => Step::SignInByBrowser { force: false }.to_string(),
        Provider::Oidc { .. } => BY_BROWSER.to_owned(),
    }
}

/// A user name and a password that the issuer does not know.
pub(super) fn wrong_password(error: &TokenRequestError, is_typed: bool, profile: &Profile) -> ErrorMessage {
    let (kind, next) = match is_typed {
        true => (ExitKind::SignInNeeded, "Try again: kubectl login"),
        false => (ExitKind::Failed, "Check --username and --password in the kubeconfig user's exec.args."),
    };
    let words = match error {
        TokenRequestError::Refused(answer) => EntraErrorDetails(answer).with_number(),
        other => other.to_string(),
    };
    let what = format!("the issuer does not accept that user name and password ({words})");
    ErrorMessage { kind, what, next: next.to_owned(), ..token_request_error(error, profile, "sign in") }
}

/// The browser cannot be redirected to this machine.
pub(super) fn redirect_error(error: &RedirectError, profile: &Profile) -> ErrorMessage {
    let settings = &profile.authorization;
    let (what, next) = match error {
        RedirectError::NoCertificate { url } => (
            format!("the browser cannot come back: {url:?} is https, and there is no certificate for that"),
            "Give a certificate with --local-server-cert and --local-server-key in the kubeconfig user's exec.args.",
        ),
        RedirectError::InUse { address } => (
            format!("the browser cannot come back: another program has {address}"),
            match (&profile.provider, &settings.redirect_url) {
                (Provider::Entra { .. }, _) => {
                    "End that program, or name another address with --listen-address (or --redirect-url) in the kubeconfig user's exec.args."
                }
                (Provider::Oidc { .. }, None) => {
                    "End that program, or name another address with --listen-address in the kubeconfig user's exec.args.\nThe issuer may have to know it."
                }
                (Provider::Oidc { .. }, Some(_)) => {
                    "End that program, or name another address with --oidc-redirect-url in the kubeconfig user's exec.args.\nThe issuer has to know it."
                }
            },
        ),
        RedirectError::Refused { address, is_permission, reason } => (
            format!("the browser cannot come back: {address} cannot be listened on: {reason}"),
            match is_permission {
                true => {
                    "Name another port with --listen-address in the kubeconfig user's exec.args, such as 127.0.0.1:8400."
                }
                false => {
                    "Sign in in a terminal, where the address that the browser ends on can be pasted: kubectl login\nOr sign in with a code (device code)."
                }
            },
        ),
        RedirectError::OtherHost { name } => (
            format!("--oidc-redirect-url-hostname {name:?} is not a name of this machine"),
            "Give localhost, 127.0.0.1 or ::1, or the whole address with --oidc-redirect-url.",
        ),
        RedirectError::File { file, path, problem } => {
            let flag = match file {
                ListenerFile::Certificate => "--local-server-cert",
                ListenerFile::Key => "--local-server-key",
            };
            (
                format!("{flag} {path} cannot be used: {problem}"),
                "Give PEM files: the certificate for localhost, and its private key.",
            )
        }
    };
    ErrorMessage::failed(what, next)
}

/// What to do if the browser showed an error. This program never learns of it, so all of them are named.
fn refused_in_browser(profile: &Profile, redirect_uri: Option<&str>) -> String {
    let settings = &profile.authorization;
    match (&profile.provider, redirect_uri) {
        (Provider::Entra { .. }, sent) => {
            let register = match sent.filter(|_| settings.certificate.is_some()) {
                Some(sent) => {
                    format!("Ask the application's owner to add {} as a redirect address.", printable(sent, 200))
                }
                None => Step::RegisterRedirect.to_string(),
            };
            format!(
                "If the browser showed AADSTS50011: {register}\n\
                 If it showed another number, ask your administrator, and show them that page."
            )
        }
        (Provider::Oidc { .. }, Some(uri)) => wrong_redirect_uri(settings, uri),
        (Provider::Oidc { .. }, None) => {
            "If the browser showed that the redirect address is missing, give one that is registered for the client: --oidc-redirect-url".to_owned()
        }
    }
}

/// What to do if the issuer does not know the redirect URI. A port that the system chose is another one each time.
fn wrong_redirect_uri(settings: &Authorization, sent: &str) -> String {
    let usual: Vec<String> =
        settings.listen.iter().filter(|listen| listen.port != 0).map(|listen| listen.port.to_string()).collect();
    let is_usual = usual.is_empty() || usual.iter().any(|port| sent.ends_with(&format!(":{port}")));
    if is_usual || settings.redirect_url.is_some() {
        let sent = printable(sent, 200);
        format!(
            "If the browser showed that the redirect address is wrong, have this one registered for the client: {sent}"
        )
    } else {
        format!(
            "If the browser showed that the redirect address is wrong, free one of the ports that are registered: other programs have {}.",
            usual.join(" and ")
        )
    }
}

/// Why a pasted text does not complete the sign-in.
fn paste_reason(error: &PasteError) -> String {
    match error {
        PasteError::Callback(error) => error.to_string(),
        PasteError::Code(failure) => code_reason(failure),
    }
}

/// Why the issuer gave no tokens for a code, as a clause.
pub fn code_reason(failure: &Failure) -> String {
    match failure {
        Failure::Request(failure) => reason(&failure.error),
        Failure::UnprovenCode => UNPROVEN.to_owned(),
        other => other.to_string(),
    }
}

/// What to paste instead of a text that is not the answer.
pub fn paste_instead(error: CallbackError) -> &'static str {
    match error {
        // Nothing of it is shown, so it is easily pasted once more.
        CallbackError::RepeatedParameter => "Paste the address once, and press Enter.",
        CallbackError::Unproven | CallbackError::TooShort | CallbackError::NoState => {
            "Copy the whole address of the page that the browser ends on."
        }
        CallbackError::NoCode | CallbackError::WrongState | CallbackError::WrongIssuer => {
            "Sign in at the address above, then copy the whole address of the page that the browser ends on."
        }
    }
}
