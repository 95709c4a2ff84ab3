//! The authorization code grant with PKCE (RFC 6749 4.1, RFC 7636): the user signs in on the issuer's page.
//!
//! The browser brings the code to a listener on this machine (RFC 8252), or the user pastes it. Both are waited for at the
//! same time, since a browser on another machine reaches no listener here.

mod certificate;
mod listener;
mod redirect;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use url::Url;

pub use self::listener::CallbackResponder;
use self::listener::{Callback, Server};
use super::{FlowError, Lines, Notice, PagePrompt, Shown, SignInContext, SignedIn, WayBack};
use crate::failure::{Failure, PasteError, RequestFailure, RequestPhase};
use crate::messages::failure::explain;
use crate::messages::{CallbackPage, ErrorMessage};
use crate::profile::{Pkce, Provider};
use kubectl_login_core::clock;
use kubectl_login_core::entra::error_details::EntraErrorDetails;
use kubectl_login_core::oauth::authorization::{
    AuthorizationParams, AuthorizationRequest, AuthorizationResponse, PastedResponse,
};
use kubectl_login_core::oauth::client::TokenRequestError;
use kubectl_login_core::oauth::error_response::{OAuthErrorClass, OAuthErrorResponse};
use kubectl_login_core::oauth::token_response::GrantedTokens;
use kubectl_login_core::secret::Secret;

impl CallbackResponder {
    /// Shows the result in the browser: the sentence that the terminal shows, and then `page_afterwards`; or the error.
    pub async fn respond(self, result: Result<&str, &ErrorMessage>, page_afterwards: Option<&Url>) {
        let page = match result {
            Ok(sentence) => CallbackPage::done(sentence, page_afterwards.cloned()),
            Err(error) => CallbackPage::failed(error),
        };
        self.show(page).await;
    }
}

/// How a response arrived.
enum Arrival {
    /// By the browser.
    Callback(Callback),
    /// The user pasted it.
    Text(Secret),
    /// Nothing can be pasted any more.
    NoMoreText,
    /// Not in time.
    TooLate,
}

/// Signs the user in on the issuer's page. `listens` says whether a listener waits for the browser.
///
/// Errors: see [`FlowError`].
pub(super) async fn sign_in(context: &SignInContext<'_>, listens: bool) -> Result<SignedIn, FlowError> {
    let settings = &context.profile.authorization;
    let endpoints = context.client.endpoints();
    let Some(endpoint) = &endpoints.authorization else { return Err(FlowError::Failed(Failure::NoBrowserFlow)) };
    let failed = |error| FlowError::Failed(Failure::Redirect(error));
    let listener = match listens {
        true => redirect::listener(settings, context.person.is_at_a_terminal()).map_err(failed)?,
        false => None,
    };
    let request = AuthorizationRequest::new(
        context.client,
        AuthorizationParams {
            endpoint,
            redirect_uri: redirect::redirect_uri(settings, listener.as_ref().map(|listener| listener.port), listens),
            scopes: context.scopes,
            pkce: match context.profile.pkce() {
                Pkce::Auto => endpoints.supports_s256 != Some(false),
                Pkce::Always => true,
                Pkce::Never => false,
            },
            parameters: parameters(context),
        },
    );
    let way_back = match (&listener, listens) {
        (Some(_), _) => WayBack::Listener,
        (None, true) => WayBack::Pasted,
        (None, false) => WayBack::PastedOrStdin,
    };
    let opened = listener.map(|listener| redirect::open(listener, settings, &request)).transpose();
    let (server, callbacks) = opened.map_err(failed)?.unzip();
    (context.on_wait)(settings.human_time);
    let end = Instant::now() + clock::life(settings.human_time);
    let prompt = PagePrompt {
        address: &request.url,
        foreign: endpoints.page_elsewhere(),
        way_back,
        life: settings.human_time,
        reason: context.reason,
    };
    let lines = context.person.show_page(&prompt)?;
    let _shown = Shown(context.person);
    let wait = Wait { context, request: &request, callbacks, lines, end, rejected: None };
    let (granted, responder) = wait.wait(server).await?;
    Ok(SignedIn { granted, nonce: Some(request.nonce), responder })
}

/// The wait for a response, by the browser or pasted.
struct Wait<'a> {
    context: &'a SignInContext<'a>,
    request: &'a AuthorizationRequest,
    callbacks: Option<mpsc::Receiver<Callback>>,
    lines: Option<Lines>,
    end: Instant,
    /// What was wrong with the last pasted text.
    rejected: Option<PasteError>,
}

/// Why a response brings no tokens.
struct NotRedeemed {
    failure: Failure,
    /// Whether another response may: it was a bare code, which may be incomplete or something else.
    may_paste_again: bool,
    /// Whether the next attempt may prompt at once, because neither the user nor a policy has refused.
    is_passing: bool,
}

impl From<NotRedeemed> for FlowError {
    fn from(NotRedeemed { failure, is_passing, .. }: NotRedeemed) -> FlowError {
        if is_passing { FlowError::Failed(failure) } else { FlowError::new(failure) }
    }
}

impl Wait<'_> {
    /// Waits for the response that brings tokens, and the browser that brought it. `server` keeps its connection open.
    async fn wait(mut self, server: Option<Server>) -> Result<(GrantedTokens, Option<CallbackResponder>), FlowError> {
        loop {
            match self.arrival().await {
                Arrival::Callback(Callback { response, responder }) => {
                    let responder = responder.kept_by(server);
                    return match self.redeemed(PastedResponse { answer: response, is_bare: false }).await {
                        Ok(granted) => Ok((granted, Some(responder))),
                        Err(failed) => {
                            let error = explain(&failed.failure, self.context.profile);
                            responder.respond(Err(&error), None).await;
                            Err(failed.into())
                        }
                    };
                }
                Arrival::Text(text) => match self.request.read_pasted(text.expose(), self.callbacks.is_none()) {
                    Err(error) => {
                        self.context.person.say(Notice::NotTheAnswer(error));
                        self.rejected = Some(PasteError::Callback(error));
                    }
                    Ok(response) => match self.redeemed(response).await {
                        Ok(granted) => {
                            // The same response may be on its way through the listener.
                            let callback = self.callbacks.and_then(|mut callbacks| callbacks.try_recv().ok());
                            let responder = callback.map(|callback| callback.responder.kept_by(server));
                            return Ok((granted, responder));
                        }
                        Err(NotRedeemed { failure, may_paste_again: true, .. }) => {
                            self.context.person.say(Notice::CodeRefused(&failure));
                            self.rejected = Some(PasteError::Code(failure));
                        }
                        Err(failed) => return Err(failed.into()),
                    },
                },
                Arrival::NoMoreText if self.callbacks.is_none() => {
                    let rejected = self.rejected.map(Box::new);
                    return Err(FlowError::NotShown(Failure::NothingPasted { rejected }));
                }
                Arrival::NoMoreText => self.lines = None,
                Arrival::TooLate => {
                    return Err(FlowError::Unanswered(Failure::BrowserTimeout {
                        limit: self.context.profile.authorization.human_time,
                        redirect_uri: self.request.redirect_uri.clone(),
                    }));
                }
            }
        }
    }

    /// What comes first.
    async fn arrival(&mut self) -> Arrival {
        let can_paste = self.callbacks.is_none() || self.lines.is_some();
        let callback = async {
            match &mut self.callbacks {
                Some(callbacks) => callbacks.recv().await,
                None => None,
            }
        };
        let line = async {
            match &mut self.lines {
                Some(lines) => lines.recv().await,
                None => None,
            }
        };
        tokio::select! {
            Some(callback) = callback => Arrival::Callback(callback),
            line = line, if can_paste => line.map_or(Arrival::NoMoreText, Arrival::Text),
            () = sleep_until(self.end) => Arrival::TooLate,
        }
    }

    /// The tokens for a response.
    async fn redeemed(&self, PastedResponse { answer, is_bare }: PastedResponse) -> Result<GrantedTokens, NotRedeemed> {
        let Wait { context, request, .. } = self;
        let code = match answer {
            AuthorizationResponse::Code(code) => code,
            AuthorizationResponse::Refused(refusal) => return Err(self.refused(*refusal)),
        };
        // A bare code may be something else; then the user still has to paste.
        if !is_bare {
            (context.on_answer)();
        }
        let (uri, limit) = (request.redirect_uri.as_deref(), context.profile.network.needed());
        let granted = context.client.exchange(&code, uri, request.verifier.as_ref(), limit).await;
        let granted = granted.map_err(|error| {
            let is_refused = match &error {
                TokenRequestError::Refused(answer) => {
                    // Dex says invalid_request of a code that it does not know.
                    matches!(
                        EntraErrorDetails(answer).class(),
                        OAuthErrorClass::GrantRefused | OAuthErrorClass::GrantRevoked
                    ) || answer.error == "invalid_request"
                }
                _ => false,
            };
            let is_unclear = matches!(error, TokenRequestError::Transport(_) | TokenRequestError::NotOAuth(_));
            NotRedeemed {
                failure: RequestFailure::new(error, RequestPhase::SignIn).into(),
                may_paste_again: is_bare && (is_refused || is_unclear),
                is_passing: is_refused,
            }
        })?;
        if is_bare && request.verifier.is_none() && granted.body.extra_fields().id_token.is_none() {
            return Err(NotRedeemed { failure: Failure::UnprovenCode, may_paste_again: true, is_passing: true });
        }
        Ok(granted)
    }

    /// The failure for a refusal that the browser brought.
    fn refused(&self, refusal: OAuthErrorResponse) -> NotRedeemed {
        let Wait { context, request, .. } = self;
        let verifier = request.verifier.as_ref().map_or("", |verifier| verifier.secret());
        let refusal = context.client.note_refusal(refusal, &[verifier]);
        let pkce_is_a_guess = context.client.endpoints().supports_s256.is_none() && request.verifier.is_some();
        let error = TokenRequestError::Refused(Box::new(refusal));
        let failure = RequestFailure::new(error, RequestPhase::Page { pkce_is_a_guess }).into();
        NotRedeemed { failure, may_paste_again: false, is_passing: false }
    }
}

/// The parameters of the request besides those of the protocol.
fn parameters(context: &SignInContext<'_>) -> Vec<(String, String)> {
    let profile = context.profile;
    let mut parameters: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: &str| parameters.push((name.to_owned(), value.to_owned()));
    if let Some(hint) = &profile.account_hint {
        add("login_hint", hint);
    }
    if let Some(claims) = context.client.claims() {
        add("claims", &claims);
    }
    match &profile.provider {
        // The browser may know an account that is not the right one.
        Provider::Entra { .. } if context.choose_account => add("prompt", "select_account"),
        Provider::Entra { .. } => {}
        // Google gives a refresh token only for this; others ignore it.
        Provider::Oidc { .. } => add("access_type", "offline"),
    }
    let extra = &profile.authorization.extra_parameters;
    parameters.retain(|(name, _)| extra.iter().all(|(other, _)| name != other));
    parameters.extend(extra.iter().cloned());
    parameters
}
