//! The resource owner password credentials grant (RFC 6749 4.3). The user types what the profile does not say.

use tokio::time::{Instant, timeout_at};

use super::{FlowError, Notice, Question, Shown, SignInContext, SignedIn};
use crate::failure::{Failure, RequestPhase, without_unknown_members};
use kubectl_login_core::clock;
use kubectl_login_core::entra::error_details::EntraErrorDetails;
use kubectl_login_core::oauth::client::TokenRequestError;
use kubectl_login_core::oauth::error_response::{OAuthErrorClass, OAuthErrorResponse};
use kubectl_login_core::secret::Secret;

/// How often the user may mistype.
const TRIES: usize = 3;
/// Entra's number for a wrong user name or password; the other numbers mean something else.
const WRONG_PASSWORD: u64 = 50_126;

/// Signs the user in with user name and password.
///
/// Errors: see [`FlowError`].
pub(super) async fn sign_in(context: &SignInContext<'_>) -> Result<SignedIn, FlowError> {
    let is_typed = context.profile.credentials.password.is_none();
    let mut form =
        Form { context, end: Instant::now() + clock::life(context.profile.authorization.human_time), is_first: true };
    // Configured credentials are no better the next time.
    let mut tries = if is_typed { TRIES } else { 1 };
    loop {
        tries -= 1;
        let (username, password) = form.filled_in().await?;
        let limit = context.profile.network.needed();
        let error = match context.client.password(&username, &password, context.scopes, limit).await {
            Ok(granted) => return Ok(SignedIn { granted, nonce: None, responder: None }),
            Err(error) => error,
        };
        match wrong_password(&error) {
            Some(answer) if tries > 0 => context.person.say(Notice::WrongPassword(answer)),
            // What is configured stays wrong, and issuers lock accounts: kubectl alone would try five times.
            Some(_) => {
                let error = Box::new(without_unknown_members(error));
                return Err(FlowError::Refused(Failure::WrongPassword { error, is_typed }));
            }
            None => return Err(FlowError::from_request(error, RequestPhase::Password)),
        }
    }
}

/// A user name and a password, from the profile or typed by the user.
struct Form<'a> {
    context: &'a SignInContext<'a>,
    end: Instant,
    is_first: bool,
}

impl Form<'_> {
    async fn filled_in(&mut self) -> Result<(String, Secret), FlowError> {
        let credentials = &self.context.profile.credentials;
        let username = match &credentials.username {
            Some(name) => name.clone(),
            None => self.typed(Question::Username).await?.expose().trim().to_owned(),
        };
        let password = match &credentials.password {
            Some(password) => password.clone(),
            None => self.typed(Question::Password(&username)).await?,
        };
        (self.context.on_answer)();
        Ok((username, password))
    }

    /// What the user types.
    async fn typed(&mut self, question: Question<'_>) -> Result<Secret, FlowError> {
        let context = self.context;
        let limit = context.profile.authorization.human_time;
        (context.on_wait)(self.end.saturating_duration_since(Instant::now()));
        let reason = std::mem::take(&mut self.is_first).then_some(context.reason);
        let mut lines = context.person.ask(question, reason, limit)?;
        let _shown = Shown(context.person);
        match timeout_at(self.end, lines.recv()).await {
            Ok(Some(line)) => Ok(line),
            // Ctrl-D, or the terminal has gone.
            Ok(None) => Err(FlowError::Refused(Failure::InputEnded)),
            Err(_) => Err(FlowError::Unanswered(Failure::PasswordTimeout { limit })),
        }
    }
}

/// The issuer's answer, if it accepts the request but not the user name or the password. Dex says that the sign-in was
/// declined.
fn wrong_password(error: &TokenRequestError) -> Option<&OAuthErrorResponse> {
    let TokenRequestError::Refused(answer) = error else { return None };
    let details = EntraErrorDetails(answer);
    let is_wrong = matches!(
        details.class(),
        OAuthErrorClass::GrantRefused | OAuthErrorClass::GrantRevoked | OAuthErrorClass::Declined
    ) && (details.numbers().is_empty() || details.numbers().contains(&WRONG_PASSWORD));
    is_wrong.then_some(answer)
}
