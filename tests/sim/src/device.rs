//! The device authorization grant (RFC 8628), for both issuers: codes, polling, the user's decision.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};

use crate::behaviour::Behaviour;
use crate::keys::{opaque, random};
use crate::pace::pause;
use crate::request::Server;
use crate::state::{Call, State};

/// How much earlier than the interval a poll may arrive, because timers on busy machines are not exact.
const LENIENCE: Duration = Duration::from_millis(200);
/// The interval that RFC 8628 section 3.5 requires if the response has none.
const DEFAULT_INTERVAL: u64 = 5;

/// The user's decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Pending,
    Approved(String),
    Denied,
}

/// One device authorization.
pub(crate) struct DeviceGrant {
    pub(crate) server: Server,
    pub(crate) device_code: String,
    pub(crate) user_code: String,
    pub(crate) client: String,
    pub(crate) scope: String,
    pub(crate) decision: Decision,
    /// The PKCE challenge (RFC 7636), if the device request had one.
    pub(crate) challenge: Option<String>,
    issued: Instant,
    lifetime: Duration,
    last_poll: Instant,
    polls: u32,
    answered: u32,
    redeemed: bool,
}

/// The result of a poll.
pub(crate) enum Poll {
    /// The device code was not issued here, or is used up.
    Unknown,
    Pending,
    SlowDown,
    Expired,
    /// The user denied the request.
    Declined,
    /// The PKCE verifier does not match the challenge.
    WrongVerifier,
    /// The server closes the connection without a response.
    Dropped,
    Granted {
        user: String,
        client: String,
        scope: String,
    },
}

/// Starts a device authorization. Returns the device code and the user code.
pub(crate) fn start(state: &mut State, call: &Call, client: &str, scope: &str) -> (String, String) {
    let device_code = opaque("device-");
    let user_code = user_code(call.server);
    let now = state.instant();
    state.grants.push(DeviceGrant {
        server: call.server,
        device_code: device_code.clone(),
        user_code: user_code.clone(),
        client: client.to_owned(),
        scope: scope.to_owned(),
        decision: Decision::Pending,
        challenge: call.field("code_challenge").map(str::to_owned),
        issued: now,
        lifetime: state.settings.code_lifetime,
        last_poll: now,
        polls: 0,
        answered: 0,
        redeemed: false,
    });
    (device_code, user_code)
}

/// One word of nine letters from Entra, two words of four consonants from other issuers (RFC 8628 section 6.1).
fn user_code(server: Server) -> String {
    let letter = |byte: &u8| char::from(b"BCDFGHJKLMNPQRSTVWXZ"[usize::from(*byte) % 20]);
    match server {
        Server::Entra => random::<9>().iter().map(letter).collect(),
        _ => {
            let letters: String = random::<8>().iter().map(letter).collect();
            format!("{}-{}", &letters[..4], &letters[4..])
        }
    }
}

/// The `interval` for a device response.
pub(crate) fn announced_interval(state: &State) -> Option<u64> {
    if state.on(Behaviour::IntervalMissing) {
        None
    } else if state.on(Behaviour::IntervalZero) {
        Some(0)
    } else {
        state.settings.interval
    }
}

/// Handles one poll with a device code.
pub(crate) fn poll(state: &mut State, call: &Call) -> Poll {
    let interval = announced_interval(state).filter(|&seconds| seconds > 0).unwrap_or(DEFAULT_INTERVAL);
    let interval = pause(Duration::from_secs(interval).saturating_sub(LENIENCE));
    let reset = state.on(Behaviour::ConnectionResetWhilePolling);
    let slow = state.on(Behaviour::SlowDown);
    let approver = state.approver().to_owned();
    let approve = state.settings.approve;
    let now = state.instant();
    let device_code = call.field("device_code").unwrap_or_default();
    let known = |grant: &&mut DeviceGrant| grant.device_code == device_code && grant.server == call.server;
    let Some(grant) = state.grants.iter_mut().find(known) else { return Poll::Unknown };

    grant.polls += 1;
    if reset && grant.polls <= 2 {
        return Poll::Dropped;
    }
    let waited = now - grant.last_poll;
    grant.last_poll = now;
    if grant.redeemed || call.field("client_id").is_some_and(|client| client != grant.client) {
        return Poll::Unknown;
    }
    if waited < interval {
        state.mark_too_early(call.id);
        return Poll::SlowDown;
    }
    if now - grant.issued >= grant.lifetime {
        return Poll::Expired;
    }
    grant.answered += 1;
    if slow && grant.answered == 1 {
        return Poll::SlowDown;
    }
    if approve && grant.answered > 1 && grant.decision == Decision::Pending {
        grant.decision = Decision::Approved(approver);
    }
    match grant.decision.clone() {
        Decision::Pending => Poll::Pending,
        Decision::Denied => Poll::Declined,
        Decision::Approved(user) => {
            if grant.challenge.as_ref().is_some_and(|challenge| !verified(call, challenge)) {
                return Poll::WrongVerifier;
            }
            grant.redeemed = true;
            Poll::Granted { user, client: grant.client.clone(), scope: grant.scope.clone() }
        }
    }
}

/// Whether a token request has the right verifier for an S256 challenge (RFC 7636 section 4.6).
pub(crate) fn verified(call: &Call, challenge: &str) -> bool {
    let sent = call.field("code_verifier").unwrap_or_default();
    URL_SAFE_NO_PAD.encode(digest(&SHA256, sent.as_bytes())) == challenge
}

/// Decides the pending device authorizations: those with that user code, or all. Returns how many there were.
pub(crate) fn decide(state: &mut State, user_code: Option<&str>, approve: bool) -> usize {
    let approver = state.approver().to_owned();
    let mut decided = 0;
    for grant in &mut state.grants {
        let asked = user_code.is_none_or(|code| code == grant.user_code);
        if asked && grant.decision == Decision::Pending {
            grant.decision = if approve { Decision::Approved(approver.clone()) } else { Decision::Denied };
            decided += 1;
        }
    }
    decided
}
