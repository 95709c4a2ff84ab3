//! Signing in with a user's name and password (RFC 6749 4.3): what the kubeconfig does not say, a person types.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Desk, MORE_TIME, NoTokens, Question, Shown, SignedIn, Way, ended, explain_for};
use kubectl_login_core::clock;
use kubectl_login_core::entra::error_details::EntraErrorDetails;
use kubectl_login_core::error::{Error, Kind};
use kubectl_login_core::oauth::client::TokenRequestError;
use kubectl_login_core::oauth::error_response::OAuthErrorClass;
use kubectl_login_core::secret::Secret;
use kubectl_login_core::text::in_words;

/// How often somebody may mistype.
const TRIES: usize = 3;
/// Entra's number for it; the other numbers are about something else.
const WRONG_PASSWORD: u64 = 50_126;

/// The resource owner password credentials grant.
pub(super) struct Password;

impl Way for Password {
    fn sign_in<'a>(&'a self, desk: &'a Desk<'a>) -> Pin<Box<dyn Future<Output = Result<SignedIn, NoTokens>> + 'a>> {
        Box::pin(sign_in(desk))
    }
}

async fn sign_in(desk: &Desk<'_>) -> Result<SignedIn, NoTokens> {
    let is_typed = desk.profile.credentials.password.is_none();
    let mut form =
        Form { desk, end: Instant::now() + clock::life(desk.profile.authorization.human_time), is_first: true };
    // What nobody typed is no better the next time.
    let mut tries = if is_typed { TRIES } else { 1 };
    loop {
        tries -= 1;
        let (username, password) = form.filled_in().await?;
        let limit = desk.profile.network.needed();
        let failure = match desk.client.password(&username, &password, desk.scopes, limit).await {
            Ok(granted) => return Ok(SignedIn { granted, nonce: None, visitor: None }),
            Err(failure) => failure,
        };
        match mistyped(&failure) {
            Some(words) if tries > 0 => {
                desk.person.say(&format!("The issuer does not take that user name and password ({words}). Try again."));
            }
            // What is configured stays wrong, and issuers lock accounts: kubectl alone would try five times.
            Some(words) => return Err(NoTokens::Refused(wrong(desk, &failure, &words, is_typed))),
            None => return Err(ended(refused(desk, &failure))),
        }
    }
}

/// A name and a password, from the profile or a person.
struct Form<'a> {
    desk: &'a Desk<'a>,
    end: Instant,
    is_first: bool,
}

impl Form<'_> {
    async fn filled_in(&mut self) -> Result<(String, Secret), NoTokens> {
        let credentials = &self.desk.profile.credentials;
        let username = match &credentials.username {
            Some(name) => name.clone(),
            None => self.typed(Question::Username).await?.expose().trim().to_owned(),
        };
        let password = match &credentials.password {
            Some(password) => password.clone(),
            None => self.typed(Question::Password(&username)).await?,
        };
        (self.desk.on_answer)();
        Ok((username, password))
    }

    /// What a person types.
    async fn typed(&mut self, question: Question<'_>) -> Result<Secret, NoTokens> {
        let desk = self.desk;
        let human_time = desk.profile.authorization.human_time;
        (desk.on_wait)(self.end.saturating_duration_since(Instant::now()));
        let why = std::mem::take(&mut self.is_first).then_some(desk.why);
        let mut lines = desk.person.ask(question, why, human_time).map_err(NoTokens::NotShown)?;
        let _shown = Shown(desk.person);
        match timeout_at(self.end, lines.recv()).await {
            Ok(Some(line)) => Ok(line),
            // Ctrl-D, or the terminal is gone.
            Ok(None) => {
                Err(NoTokens::Refused(Error::sign_in_needed("the sign-in was cancelled", "Sign in: kubectl login")))
            }
            Err(_) => Err(NoTokens::Unanswered(unanswered(human_time))),
        }
    }
}

/// The issuer's words, if it takes the request and not what the user has to know. Dex says that the sign-in was declined.
fn mistyped(failure: &TokenRequestError) -> Option<String> {
    let TokenRequestError::Refused(answer) = failure else { return None };
    let numbers = EntraErrorDetails(answer).numbers();
    let is_wrong = matches!(
        EntraErrorDetails(answer).class(),
        OAuthErrorClass::GrantRefused | OAuthErrorClass::GrantRevoked | OAuthErrorClass::Declined
    ) && (numbers.is_empty() || numbers.contains(&WRONG_PASSWORD));
    is_wrong.then(|| EntraErrorDetails(answer).with_number())
}

/// The error for a name and a password that the issuer does not know.
fn wrong(desk: &Desk<'_>, failure: &TokenRequestError, words: &str, is_typed: bool) -> Error {
    let (kind, next) = match is_typed {
        true => (Kind::SignInNeeded, "Try again: kubectl login"),
        false => (Kind::Failed, "Check --username and --password in the kubeconfig user's exec.args."),
    };
    let what = format!("the issuer does not take that user name and password ({words})");
    Error { kind, what, next: next.to_owned(), ..explain_for(desk.profile, failure, "sign in") }
}

fn refused(desk: &Desk<'_>, failure: &TokenRequestError) -> Error {
    let mut error = explain_for(desk.profile, failure, "sign in");
    if let TokenRequestError::Refused(answer) = failure
        && (matches!(answer.error.as_str(), "unsupported_grant_type" | "unauthorized_client")
            || EntraErrorDetails(answer).class() == OAuthErrorClass::InteractionRequired)
    {
        let otherwise = "Sign in on the issuer's own page instead: kubectl login --grant-type authcode";
        error.next = format!("{otherwise}\n{}", error.next);
    }
    error
}

fn unanswered(life: Duration) -> Error {
    Error::sign_in_needed(
        format!("user name and password were not typed within {}", in_words(life)),
        format!("Run the command again, and type them.\n{MORE_TIME}"),
    )
}
