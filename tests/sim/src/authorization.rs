//! The authorization code grant (RFC 6749 section 4.1) with PKCE, for both issuers: requests, the user's decision,
//! codes.

use std::time::{Duration, Instant};

use crate::behaviour::Behaviour;
use crate::callback::{Callback, Parameters};
use crate::device::{Decision, verified};
use crate::form::Form;
use crate::keys::opaque;
use crate::people::guid_of;
use crate::reply::Response;
use crate::request::Server;
use crate::state::{Call, State};
use crate::tokens;

/// One valid authorization request.
#[derive(Clone)]
pub(crate) struct Authorization {
    pub(crate) server: Server,
    /// Identifies the request on the page and in tests.
    pub(crate) id: String,
    pub(crate) client: String,
    pub(crate) scope: String,
    pub(crate) nonce: Option<String>,
    pub(crate) decision: Decision,
    callback: Callback,
    challenge: Option<String>,
    /// The error parameters for a refusal by the user, in the issuer's words.
    refused: Parameters,
    code: String,
    issued: Instant,
    lifetime: Duration,
    redeemed: bool,
    /// The family of the refresh tokens that this code was exchanged for.
    family: Option<u64>,
}

impl Authorization {
    fn parameters(&self) -> Option<Parameters> {
        match self.decision {
            Decision::Pending => None,
            Decision::Approved(_) if self.server == Server::Entra => {
                Some(vec![("code", self.code.clone()), ("session_state", guid_of(&self.id))])
            }
            Decision::Approved(_) => Some(vec![("code", self.code.clone())]),
            Decision::Denied => Some(self.refused.clone()),
        }
    }

    fn decide(&mut self, approve: bool, approver: &str, now: Instant) {
        self.decision = if approve { Decision::Approved(approver.to_owned()) } else { Decision::Denied };
        self.code = opaque("code-");
        self.issued = now;
    }
}

/// What is wrong with a request whose client and redirect address are valid: the error code and its description.
pub(crate) fn request_error(state: &State, call: &Call) -> Option<(&'static str, &'static str)> {
    let challenge = call.parameter("code_challenge");
    let method = call.parameter("code_challenge_method");
    let silent = call.parameter("prompt") == Some("none");
    match call.parameter("response_type") {
        None => return Some(("invalid_request", "response_type is missing.")),
        Some("code") => {}
        Some(_) => return Some(("unsupported_response_type", "Only the response type code is taken.")),
    }
    if !matches!(call.parameter("response_mode"), None | Some("query" | "form_post")) {
        Some(("invalid_request", "Only the response modes query and form_post are taken."))
    } else if challenge.is_some() && state.on(Behaviour::PkceRefused) {
        Some(("invalid_request", "code_challenge is not a parameter of this server."))
    } else if challenge.is_some() && method != Some("S256") {
        Some(("invalid_request", "Only the S256 code challenge method is taken."))
    } else if challenge.is_none() && state.on(Behaviour::PkceRequired) {
        Some(("invalid_request", "code_challenge is missing: this server requires PKCE."))
    } else if silent && !state.settings.approve {
        Some(("login_required", "The user is not signed in."))
    } else {
        None
    }
}

/// Accepts a valid request. The response is the callback if users approve automatically, otherwise a page.
pub(crate) fn start(state: &mut State, call: &Call, client: &str, callback: Callback, refused: Parameters) -> Response {
    let owned = |name| call.parameter(name).map(str::to_owned);
    let mut new = Authorization {
        server: call.server,
        id: opaque("sign-in-"),
        client: client.to_owned(),
        scope: owned("scope").unwrap_or_default(),
        nonce: owned("nonce"),
        decision: Decision::Pending,
        callback,
        challenge: owned("code_challenge"),
        refused,
        code: String::new(),
        issued: state.instant(),
        lifetime: state.settings.authorization_code_lifetime,
        redeemed: false,
        family: None,
    };
    if state.on(Behaviour::AuthorizeDenied) {
        new.decide(false, "", new.issued);
    } else if state.settings.approve {
        new.decide(true, state.approver(), new.issued);
    }
    let response = page_or_callback(state, call, &new);
    state.authorizations.push(new);
    response
}

/// Handles later requests of the page: the buttons, its poll for a decision, a reload.
pub(crate) fn page_request(state: &mut State, call: &Call) -> Option<Response> {
    let id = call.parameter("sign_in")?;
    if let Some(decision) = call.parameter("decision") {
        decide(state, Some(id), decision == "approve");
    }
    let Some(found) = state.authorizations.iter().find(|one| one.id == id) else {
        return Some(Response::html(400, "<!DOCTYPE html>\n<p>No such sign-in.</p>\n"));
    };
    if call.parameter("wait").is_some() {
        let pending = found.decision == Decision::Pending;
        return Some(Response::text(200, if pending { "pending" } else { "decided" }));
    }
    Some(page_or_callback(state, call, found))
}

/// The user's page while the request is pending. Its script polls instead of reloading, so that the buttons stay in
/// place.
fn page_or_callback(state: &State, call: &Call, authorization: &Authorization) -> Response {
    if let Some(parameters) = authorization.parameters() {
        return authorization.callback.response(state, call, parameters);
    }
    let id = &authorization.id;
    let buttons = "<button id=\"approve\" name=\"decision\" value=\"approve\">Approve</button> \
                   <button id=\"deny\" name=\"decision\" value=\"deny\">Deny</button>";
    let form = Form::new("post", &call.path, &[("sign_in", id.clone())]).html(None, buttons);
    let client = &authorization.client;
    // The page is left only once, however the decision was made: leaving it twice would cause two callbacks.
    let script = format!(
        "let left = false; document.forms[0].onsubmit = () => {{ left = true; }}; setInterval(async () => {{ \
         const response = await fetch(\"?wait=1&sign_in={id}\"); const decided = await response.text() === \"decided\"; \
         if (decided && !left) {{ left = true; location.replace(\"?sign_in={id}\"); }} }}, 200);"
    );
    Response::html(
        200,
        &format!(
            "<!DOCTYPE html>\n<title>Sign in</title>\n<p>{client} wants to sign you in.</p>\n{form}\
             <script>{script}</script>\n"
        ),
    )
    .with("cache-control", "no-store")
}

/// Decides the pending authorization requests: the one with that id, or all. Returns how many there were.
pub(crate) fn decide(state: &mut State, id: Option<&str>, approve: bool) -> usize {
    let (approver, now) = (state.approver().to_owned(), state.instant());
    let pending = |one: &&mut Authorization| one.decision == Decision::Pending && id.is_none_or(|id| id == one.id);
    state.authorizations.iter_mut().filter(pending).map(|one| one.decide(approve, &approver, now)).count()
}

/// The address to which the browser of a decided request is redirected.
pub(crate) fn address(state: &State, id: &str) -> Option<String> {
    let found = state.authorizations.iter().find(|one| one.id == id)?;
    found.callback.address(state, found.parameters()?)
}

/// The result of a code exchange at the token endpoint.
pub(crate) enum Redeemed {
    /// Not issued here, or issued to another client.
    Unknown,
    /// Redeemed before; the tokens from the first exchange are revoked.
    UsedUp,
    Expired,
    /// The redirect address differs from the one in the request.
    WrongRedirect,
    /// The PKCE verifier does not match the challenge, or one of the two is missing.
    WrongVerifier,
    Granted(String, Box<Authorization>),
}

/// Exchanges a code.
pub(crate) fn redeem(state: &mut State, call: &Call, client: &str) -> Redeemed {
    let (expired, now) = (state.on(Behaviour::CodeExpired), state.instant());
    let code = call.field("code").unwrap_or_default();
    let ours = |one: &&mut Authorization| one.server == call.server && one.client == client && one.code == code;
    let Some(found) = state.authorizations.iter_mut().find(ours) else { return Redeemed::Unknown };
    let Decision::Approved(user) = found.decision.clone() else { return Redeemed::Unknown };
    if found.redeemed {
        if let Some(family) = found.family {
            tokens::revoke_family(state, family);
        }
        return Redeemed::UsedUp;
    }
    if expired || now - found.issued >= found.lifetime {
        return Redeemed::Expired;
    }
    if call.field("redirect_uri").unwrap_or_default() != found.callback.redirect_uri {
        return Redeemed::WrongRedirect;
    }
    // A verifier without a challenge is a PKCE downgrade (RFC 9700 section 2.1.1).
    let matches = match &found.challenge {
        Some(challenge) => verified(call, challenge),
        None => call.field("code_verifier").is_none(),
    };
    if !matches {
        return Redeemed::WrongVerifier;
    }
    found.redeemed = true;
    Redeemed::Granted(user, Box::new(found.clone()))
}

/// The first refresh token of a sign-in by code. A second use of the code revokes its family.
pub(crate) fn first_refresh_token(state: &mut State, user: &str, granted: &Authorization) -> Option<String> {
    let token = tokens::first_refresh_token(state, granted.server, user, &granted.client, &granted.scope)?;
    let family = state.last_family;
    if let Some(found) = state.authorizations.iter_mut().find(|one| one.id == granted.id) {
        found.family = Some(family);
    }
    Some(token)
}

/// The `nonce` for the ID token of a sign-in by code.
pub(crate) fn nonce(state: &State, granted: &Authorization) -> Option<String> {
    if state.on(Behaviour::NoNonce) {
        None
    } else if state.on(Behaviour::WrongNonce) {
        Some("nonce-of-another-sign-in".to_owned())
    } else {
        granted.nonce.clone()
    }
}
