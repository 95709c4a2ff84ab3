//! Signing in on a page of the issuer's: the authorization code grant with PKCE (RFC 6749 4.1, RFC 7636).
//!
//! The browser brings the code to a listener on this machine (RFC 8252), or a person carries it over; both are waited
//! for at the same time, since a browser far away reaches no listener here.

mod certificate;
mod listener;
mod page;

use std::future::Future;
use std::io::ErrorKind;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use url::Url;

use self::listener::{Door, Listener, Unbound, Visit};
use self::page::Page;
use super::{Desk, Lines, NoTokens, PagePrompt, Shown, SignedIn, Way, WayBack, ended, explain};
use crate::entra::advice;
use crate::error::{Error, Result};
use crate::oauth::answer::{Class, ErrorAnswer};
use crate::oauth::authorization::{Answer, NotOurs, Request, Wish};
use crate::oauth::client::{Failure, Granted};
use crate::profile::{Authorization, Pkce, Provider};
use crate::secret::Secret;

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
    /// Tells the browser how it ended: the sentence that the terminal shows, or the error.
    pub async fn tell(self, outcome: Result<&str, &Error>) {
        let page = match outcome {
            Ok(sentence) => Page::done(sentence, self.page_afterwards.clone()),
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
    let Some(endpoint) = &desk.client.endpoints.authorization else {
        return Err(NoTokens::Failed(Error::failed(
            "the issuer offers no sign-in in a browser (its discovery document names no authorization_endpoint)",
            "Sign in with a code instead: kubectl login --grant-type device-code",
        )));
    };
    let listener = match listens {
        true => listener(settings, desk.person.is_at_a_terminal()).await.map_err(NoTokens::Failed)?,
        false => None,
    };
    let tls = match &settings.certificate {
        Some((certificate, key)) if listens => Some(certificate::acceptor(certificate, key).map_err(NoTokens::Failed)?),
        _ => None,
    };
    let request = Request::new(
        desk.client,
        Wish {
            endpoint,
            redirect_uri: redirect_uri(settings, listener.as_ref().map(|listener| listener.port), listens),
            scopes: desk.scopes,
            pkce: match desk.profile.pkce() {
                Pkce::Auto => desk.client.endpoints.offers_s256 != Some(false),
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
    let (mut server, mut visits) = (None, None);
    if let Some(listener) = listener {
        let (port, redirect_uri) = (listener.port, request.redirect_uri.as_deref());
        let door = Door { tls, ..door(port, redirect_uri, &request) };
        let (running, answers) = listener.start(door);
        (server, visits) = (Some(running), Some(answers));
    }
    (desk.on_wait)(settings.human_time);
    let end = Instant::now() + settings.human_time;
    let prompt = PagePrompt { address: &request.url, way_back, life: settings.human_time, why: desk.why };
    let mut lines = desk.person.show_page(&prompt).map_err(NoTokens::NotShown)?;
    let _shown = Shown(desk.person);
    // Why what was brought last is not the answer.
    let mut useless = None;
    loop {
        match arrival(&mut visits, &mut lines, end).await {
            Arrival::Visit(Visit { answer, visitor }) => {
                let visitor = visitor.kept_by(server, settings.page_afterwards.clone());
                return match redeemed(desk, &request, answer).await {
                    Ok(granted) => Ok(SignedIn { granted, nonce: Some(request.nonce), visitor: Some(visitor) }),
                    Err((_, error)) => {
                        visitor.tell(Err(&error)).await;
                        Err(ended(error))
                    }
                };
            }
            Arrival::Text(text) => {
                let is_bare = !text.expose().contains(['?', '&']);
                let answer = match request.read_text(text.expose()) {
                    Ok(answer) => answer,
                    Err(not_ours) => {
                        let next = match not_ours {
                            // Nothing of it is shown, so it is easily pasted once more.
                            NotOurs::Ambiguous => "Paste the address once, and press Enter.",
                            NotOurs::Unproven => "Copy the whole address of the page that the browser ends on.",
                            NotOurs::Nothing | NotOurs::State | NotOurs::Issuer => {
                                "Sign in at the address above, then copy the whole address of the page that the browser ends on."
                            }
                        };
                        desk.person.say(&format!("That does not help: {not_ours}. {next}"));
                        useless = Some(not_ours.to_string());
                        continue;
                    }
                };
                match redeemed(desk, &request, answer).await {
                    Ok(granted) => {
                        // The same answer may be on its way through the listener.
                        let visit = visits.and_then(|mut visits| visits.try_recv().ok());
                        let visitor =
                            visit.map(|visit| visit.visitor.kept_by(server, settings.page_afterwards.clone()));
                        return Ok(SignedIn { granted, nonce: Some(request.nonce), visitor });
                    }
                    // Half a code, or something else altogether: nothing is lost by another try.
                    Err((Some(Class::GrantRefused | Class::GrantDead), error)) if is_bare => {
                        let why = error.what.strip_prefix("cannot sign in: ").unwrap_or(&error.what).to_owned();
                        desk.person.say(&format!("The issuer does not take that code: {why}. Copy it again."));
                        useless = Some(why);
                    }
                    Err((_, error)) => return Err(ended(error)),
                }
            }
            Arrival::NoMoreText if visits.is_none() => {
                let what = match useless {
                    Some(why) => format!("what was brought from the browser does not help: {why}"),
                    None => "somebody has to bring the code from the browser, and there is no terminal to paste it in"
                        .to_owned(),
                };
                return Err(NoTokens::NotShown(Error::sign_in_needed(what, "In a terminal, sign in: kubectl login")));
            }
            Arrival::NoMoreText => lines = None,
            Arrival::TooLate => return Err(NoTokens::Unanswered(unanswered(settings, desk, &request))),
        }
    }
}

/// What comes first.
async fn arrival(visits: &mut Option<mpsc::Receiver<Visit>>, lines: &mut Option<Lines>, end: Instant) -> Arrival {
    let by_hand = visits.is_none() || lines.is_some();
    let visit = async {
        match visits {
            Some(visits) => visits.recv().await,
            None => None,
        }
    };
    let line = async {
        match lines {
            Some(lines) => lines.recv().await,
            None => None,
        }
    };
    tokio::select! {
        Some(visit) = visit => Arrival::Visit(visit),
        line = line, if by_hand => line.map_or(Arrival::NoMoreText, Arrival::Text),
        () = sleep_until(end) => Arrival::TooLate,
    }
}

/// The tokens for an answer; or why there are none, with the class of the token endpoint's refusal.
async fn redeemed(desk: &Desk<'_>, request: &Request, answer: Answer) -> Result<Granted, (Option<Class>, Error)> {
    let code = match answer {
        Answer::Code(code) => code,
        Answer::Refused(refusal) => return Err((None, refused(desk, request, *refusal))),
    };
    let limit = desk.profile.network.needed();
    let granted = desk.client.exchange(&code, request.redirect_uri.as_deref(), request.verifier.as_ref(), limit).await;
    granted.map_err(|failure| {
        let class = match &failure {
            Failure::Refused(answer) => Some(answer.class()),
            _ => None,
        };
        (class, explain(&failure, "sign in"))
    })
}

/// The words for an error that the browser brought.
fn refused(desk: &Desk<'_>, request: &Request, refusal: ErrorAnswer) -> Error {
    let unsure_about_pkce = desk.client.endpoints.offers_s256.is_none() && request.verifier.is_some();
    let is_about_request = refusal.error == "invalid_request";
    let mut error = explain(&Failure::Refused(Box::new(refusal)), "sign in");
    if is_about_request && unsure_about_pkce && matches!(desk.profile.provider, Provider::Oidc { .. }) {
        error.next = format!("{}\nIf the issuer knows no PKCE, add --oidc-pkce-method=no.", error.next);
    }
    error
}

fn unanswered(settings: &Authorization, desk: &Desk<'_>, request: &Request) -> Error {
    let what = format!("nobody finished the sign-in in the browser within {}", shown(settings.human_time));
    let next = "Run the command again, and finish the sign-in in the browser.\n\
                For more time: --authentication-timeout-sec in the kubeconfig user's exec.args.";
    let refused = match (&desk.profile.provider, &request.redirect_uri) {
        (Provider::Entra { .. }, _) => format!("If the browser showed AADSTS50011: {}", advice::REGISTER_REDIRECT),
        (Provider::Oidc { .. }, Some(url)) => format!(
            "If the browser showed that the redirect address is wrong, have this one registered for the client: {}",
            crate::text::printable(url, 200)
        ),
        (Provider::Oidc { .. }, None) => return Error::sign_in_needed(what, next),
    };
    Error::sign_in_needed(what, format!("{next}\n{refused}"))
}

/// A time in words, in minutes where there are no seconds besides.
fn shown(time: Duration) -> String {
    let seconds = time.as_secs();
    let (number, unit) = if seconds.is_multiple_of(60) { (seconds / 60, "minute") } else { (seconds, "second") };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// The listener; none where nothing can listen and somebody is there to bring the answer.
async fn listener(settings: &Authorization, somebody_is_there: bool) -> Result<Option<Listener>> {
    match Listener::bind(&settings.listen).await {
        Ok(listener) => Ok(Some(listener)),
        // Whoever has the address would be sent the code.
        Err(Unbound::InUse(address)) => Err(Error::failed(
            format!("the browser cannot come back: another program has {address}"),
            "End that program, or name another address with --listen-address in the kubeconfig user's exec.args.\n\
             The issuer may have to know it.",
        )),
        Err(Unbound::Refused(address, error)) if somebody_is_there && error.kind() != ErrorKind::PermissionDenied => {
            tracing::info!(%address, %error, "nothing listens");
            Ok(None)
        }
        Err(Unbound::Refused(address, error)) => Err(Error::failed(
            format!("the browser cannot come back: {address} cannot be listened on: {error}"),
            "Name another address with --listen-address, or sign in with a code (device code).",
        )),
    }
}

/// Where the answer is to go. Without a listener the issuer's own idea stands, or the address that would have been
/// listened on: it leads nowhere, and can be copied.
fn redirect_uri(settings: &Authorization, port: Option<u16>, listens: bool) -> Option<String> {
    if settings.redirect_url.is_some() || !listens {
        return settings.redirect_url.clone();
    }
    let scheme = if settings.certificate.is_some() { "https" } else { "http" };
    let wanted = || settings.listen.iter().map(|listen| listen.port).find(|port| *port != 0);
    let port = port.or_else(wanted).map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://localhost{port}"))
}

/// What lets the browser in at `port`: the redirect address, and this machine's own names.
fn door(port: u16, redirect_uri: Option<&str>, request: &Request) -> Door {
    let url = redirect_uri.and_then(|url| Url::parse(url).ok());
    let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}")).to_vec();
    if let Some(url) = &url
        && let Some(name) = url.host_str()
    {
        hosts.push(url.port().map_or(name.to_owned(), |port| format!("{name}:{port}")));
    }
    let path = url.as_ref().map_or("/", Url::path).to_owned();
    Door { path, hosts, expected: request.expected.clone(), tls: None }
}

/// The parameters of the request besides the protocol's own.
fn parameters(desk: &Desk<'_>) -> Vec<(String, String)> {
    let profile = desk.profile;
    let mut parameters: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: &str| parameters.push((name.to_owned(), value.to_owned()));
    if let Some(hint) = &profile.account_hint {
        add("login_hint", hint);
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
