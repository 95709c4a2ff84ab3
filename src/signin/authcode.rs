//! Signing in on a page of the issuer's: the authorization code grant with PKCE (RFC 6749 4.1, RFC 7636).
//!
//! The browser brings the code to a listener on this machine (RFC 8252), or a person carries it over; both are waited
//! for at the same time, since a browser far away reaches no listener here.

mod certificate;
mod listener;
mod page;
mod redirect;
mod words;

use std::future::Future;
use std::pin::Pin;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use url::Url;

use self::listener::{Server, Visit};
use self::page::Page;
use super::{CANNOT_SIGN_IN, Desk, Lines, NoTokens, PagePrompt, Shown, SignedIn, Way, WayBack, ended, explain_for};
use crate::profile::{Pkce, Provider};
use kubectl_login_core::clock;
use kubectl_login_core::entra::error_details::EntraErrorDetails;
use kubectl_login_core::error::{Error, Result};
use kubectl_login_core::oauth::authorization::{
    AuthorizationParams, AuthorizationRequest, AuthorizationResponse, PastedResponse,
};
use kubectl_login_core::oauth::client::TokenRequestError;
use kubectl_login_core::oauth::error_response::OAuthErrorClass;
use kubectl_login_core::oauth::token_response::GrantedTokens;
use kubectl_login_core::secret::Secret;

pub use self::listener::Visitor;

/// The authorization code grant.
pub(super) struct AuthCode {
    /// Whether something listens for the browser.
    pub(super) listens: bool,
}

impl Way for AuthCode {
    fn sign_in<'a>(&'a self, desk: &'a Desk<'a>) -> Pin<Box<dyn Future<Output = Result<SignedIn, NoTokens>> + 'a>> {
        Box::pin(sign_in(desk, self.listens))
    }
}

impl Visitor {
    /// Tells the browser how it ended: the sentence that the terminal shows, and then on to `page_afterwards`; or the
    /// error.
    pub async fn tell(self, outcome: Result<&str, &Error>, page_afterwards: Option<&Url>) {
        let page = match outcome {
            Ok(sentence) => Page::done(sentence, page_afterwards.cloned()),
            Err(error) => Page::failed(error),
        };
        self.show(page).await;
    }
}

/// How an answer came.
enum Arrival {
    /// By the browser.
    Visit(Visit),
    /// By hand.
    Text(Secret),
    /// Nothing can come by hand any more.
    NoMoreText,
    /// Not in time.
    TooLate,
}

async fn sign_in(desk: &Desk<'_>, listens: bool) -> Result<SignedIn, NoTokens> {
    let settings = &desk.profile.authorization;
    let endpoints = desk.client.endpoints();
    let Some(endpoint) = &endpoints.authorization else {
        return Err(NoTokens::Failed(Error::failed(
            "the issuer offers no sign-in in a browser (its discovery document names no authorization_endpoint)",
            "Sign in with a code instead: kubectl login --grant-type device-code",
        )));
    };
    let listener = match listens {
        true => redirect::listener(desk.profile, desk.person.is_at_a_terminal()).map_err(NoTokens::Failed)?,
        false => None,
    };
    let request = AuthorizationRequest::new(
        desk.client,
        AuthorizationParams {
            endpoint,
            redirect_uri: redirect::redirect_uri(settings, listener.as_ref().map(|listener| listener.port), listens),
            scopes: desk.scopes,
            pkce: match desk.profile.pkce() {
                Pkce::Auto => endpoints.supports_s256 != Some(false),
                Pkce::Always => true,
                Pkce::Never => false,
            },
            parameters: parameters(desk),
        },
    );
    let way_back = match (&listener, listens) {
        (Some(_), _) => WayBack::Listener,
        (None, true) => WayBack::Person,
        (None, false) => WayBack::PersonOrStdin,
    };
    let opened = listener.map(|listener| redirect::open(listener, settings, &request)).transpose();
    let (server, visits) = opened.map_err(NoTokens::Failed)?.unzip();
    (desk.on_wait)(settings.human_time);
    let end = Instant::now() + clock::life(settings.human_time);
    let prompt = PagePrompt {
        address: &request.url,
        foreign: endpoints.page_elsewhere(),
        way_back,
        life: settings.human_time,
        why: desk.why,
    };
    let lines = desk.person.show_page(&prompt).map_err(NoTokens::NotShown)?;
    let _shown = Shown(desk.person);
    let (granted, visitor) = Wait { desk, request: &request, visits, lines, end, useless: None }.wait(server).await?;
    Ok(SignedIn { granted, nonce: Some(request.nonce), visitor })
}

/// The wait for an answer, by the browser or by hand.
struct Wait<'a> {
    desk: &'a Desk<'a>,
    request: &'a AuthorizationRequest,
    visits: Option<mpsc::Receiver<Visit>>,
    lines: Option<Lines>,
    end: Instant,
    /// Why what was brought last is not the answer.
    useless: Option<String>,
}

/// Why an answer brings no tokens.
struct NotRedeemed {
    error: Error,
    /// Another answer may: it was a code by itself, so half of one or something else altogether, and nothing is lost.
    again: bool,
    /// Nobody has said no: the next try is free to ask.
    passing: bool,
}

impl From<NotRedeemed> for NoTokens {
    fn from(NotRedeemed { error, passing, .. }: NotRedeemed) -> NoTokens {
        if passing { NoTokens::Failed(error) } else { ended(error) }
    }
}

impl Wait<'_> {
    /// Waits for the answer that brings tokens, and the browser that brought it. `server` keeps that one's connection.
    async fn wait(mut self, server: Option<Server>) -> Result<(GrantedTokens, Option<Visitor>), NoTokens> {
        loop {
            match self.arrival().await {
                Arrival::Visit(Visit { answer, visitor }) => {
                    let visitor = visitor.kept_by(server);
                    return match self.redeemed(PastedResponse { answer, is_bare: false }).await {
                        Ok(granted) => Ok((granted, Some(visitor))),
                        Err(failed) => {
                            visitor.tell(Err(&failed.error), None).await;
                            Err(failed.into())
                        }
                    };
                }
                Arrival::Text(text) => match self.request.read_pasted(text.expose(), self.visits.is_none()) {
                    Err(not_ours) => {
                        self.desk.person.say(&words::of_no_use(not_ours));
                        self.useless = Some(not_ours.to_string());
                    }
                    Ok(found) => match self.redeemed(found).await {
                        Ok(granted) => {
                            // The same answer may be on its way through the listener.
                            let visit = self.visits.and_then(|mut visits| visits.try_recv().ok());
                            let visitor = visit.map(|visit| visit.visitor.kept_by(server));
                            return Ok((granted, visitor));
                        }
                        Err(NotRedeemed { error, again: true, .. }) => {
                            let why = error.what.strip_prefix(CANNOT_SIGN_IN).unwrap_or(&error.what).to_owned();
                            self.desk.person.say(&format!("The issuer does not take that code: {why}. Copy it again."));
                            self.useless = Some(why);
                        }
                        Err(failed) => return Err(failed.into()),
                    },
                },
                Arrival::NoMoreText if self.visits.is_none() => {
                    return Err(NoTokens::NotShown(words::nothing_brought(self.useless)));
                }
                Arrival::NoMoreText => self.lines = None,
                Arrival::TooLate => return Err(NoTokens::Unanswered(words::unanswered(self.desk, self.request))),
            }
        }
    }

    /// What comes first.
    async fn arrival(&mut self) -> Arrival {
        let by_hand = self.visits.is_none() || self.lines.is_some();
        let visit = async {
            match &mut self.visits {
                Some(visits) => visits.recv().await,
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
            Some(visit) = visit => Arrival::Visit(visit),
            line = line, if by_hand => line.map_or(Arrival::NoMoreText, Arrival::Text),
            () = sleep_until(self.end) => Arrival::TooLate,
        }
    }

    /// The tokens for an answer.
    async fn redeemed(&self, PastedResponse { answer, is_bare }: PastedResponse) -> Result<GrantedTokens, NotRedeemed> {
        let Wait { desk, request, .. } = self;
        let code = match answer {
            AuthorizationResponse::Code(code) => code,
            AuthorizationResponse::Refused(refusal) => {
                let verifier = request.verifier.as_ref().map_or("", |verifier| verifier.secret());
                let refusal = desk.client.note_refusal(*refusal, &[verifier]);
                let error = words::refused(desk, request, refusal);
                return Err(NotRedeemed { error, again: false, passing: false });
            }
        };
        // A bare code may be nothing of the kind; then the person is still to be waited for.
        if !is_bare {
            (desk.on_answer)();
        }
        let (uri, limit) = (request.redirect_uri.as_deref(), desk.profile.network.needed());
        let granted = desk.client.exchange(&code, uri, request.verifier.as_ref(), limit).await;
        let granted = granted.map_err(|failure| {
            let refused = match &failure {
                TokenRequestError::Refused(answer) => {
                    // Dex says invalid_request of a code that it does not know.
                    matches!(
                        EntraErrorDetails(answer).class(),
                        OAuthErrorClass::GrantRefused | OAuthErrorClass::GrantRevoked
                    ) || answer.error == "invalid_request"
                }
                _ => false,
            };
            let trouble = matches!(failure, TokenRequestError::Transport(_) | TokenRequestError::NotOAuth(_));
            NotRedeemed {
                error: explain_for(desk.profile, &failure, "sign in"),
                again: is_bare && (refused || trouble),
                passing: refused,
            }
        })?;
        if is_bare && request.verifier.is_none() && granted.body.extra_fields().id_token.is_none() {
            let error = Error::failed(
                "nothing tells whose code that is: PKCE is not used, and the issuer gave no ID token",
                "Paste the whole address of the page that the browser ends on.",
            );
            return Err(NotRedeemed { error, again: true, passing: true });
        }
        Ok(granted)
    }
}

/// The parameters of the request besides the protocol's own.
fn parameters(desk: &Desk<'_>) -> Vec<(String, String)> {
    let profile = desk.profile;
    let mut parameters: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: &str| parameters.push((name.to_owned(), value.to_owned()));
    if let Some(hint) = &profile.account_hint {
        add("login_hint", hint);
    }
    if let Some(claims) = desk.client.claims() {
        add("claims", &claims);
    }
    match &profile.provider {
        // The browser may know one account, and it need not be the right one.
        Provider::Entra { .. } if desk.choose_account => add("prompt", "select_account"),
        Provider::Entra { .. } => {}
        // Google gives a refresh token for this and for nothing else; others pass over it.
        Provider::Oidc { .. } => add("access_type", "offline"),
    }
    let extra = &profile.authorization.extra_parameters;
    parameters.retain(|(name, _)| extra.iter().all(|(other, _)| name != other));
    parameters.extend(extra.iter().cloned());
    parameters
}
