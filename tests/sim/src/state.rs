//! The state of the world, behind one lock, with a condition variable that signals each change.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::authorization::Authorization;
use crate::behaviour::Behaviour;
use crate::calendar;
use crate::device::DeviceGrant;
use crate::directory::{Account, Membership};
use crate::keys::Keys;
use crate::misbehaviour::OrderedRefusal;
use crate::people::{ALICE, BOB};
use crate::rbac::Objects;
use crate::request::{Log, Server};

/// The state, and a signal for changes.
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State::new()), changed: Condvar::new() }
    }

    /// The state. A handler that panicked does not poison it for the others.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the waiting threads, so that they check again.
    pub(crate) fn notify(&self) {
        self.changed.notify_all();
    }

    /// Waits until `look` finds something in the state, or the time is over.
    pub(crate) fn wait<T>(&self, timeout: Duration, mut look: impl FnMut(&State) -> Option<T>) -> Option<T> {
        let until = Instant::now() + timeout;
        let mut state = self.lock();
        loop {
            if let Some(found) = look(&state) {
                return Some(found);
            }
            let left = until.checked_duration_since(Instant::now())?;
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// One request as a handler sees it.
pub(crate) struct Call {
    pub(crate) id: u64,
    pub(crate) server: Server,
    /// Scheme, host and port as the client wrote them: the base of issuers and endpoints.
    pub(crate) base: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) form: BTreeMap<String, String>,
    pub(crate) body: Value,
    pub(crate) headers: BTreeMap<String, String>,
    /// Whether the client showed a certificate from the world's authority.
    pub(crate) by_certificate: bool,
}

impl Call {
    /// The form field of that name, if it is present and not empty.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.form.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The parameter of a page, from the query or from a form, if it is present and not empty.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let sent = if self.method == "POST" { &self.form } else { &self.query };
        sent.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// A refresh token that was issued.
#[derive(Clone)]
pub(crate) struct RefreshToken {
    pub(crate) server: Server,
    /// Shared by all refresh tokens of one sign-in.
    pub(crate) family: u64,
    pub(crate) user: String,
    pub(crate) client: String,
    pub(crate) scope: String,
    /// Replaced by a newer one: presenting it again reveals a thief (RFC 9700 section 4.14.2).
    pub(crate) used: bool,
}

/// The settings of the world.
pub(crate) struct Settings {
    pub(crate) approve: bool,
    pub(crate) user: String,
    pub(crate) token_lifetime: Duration,
    pub(crate) code_lifetime: Duration,
    pub(crate) authorization_code_lifetime: Duration,
    pub(crate) interval: Option<u64>,
    pub(crate) clock_offset: i64,
    pub(crate) groups: Membership,
    pub(crate) account: Account,
    pub(crate) roles: Vec<String>,
    pub(crate) tenant_roles: Vec<String>,
    pub(crate) refusals: Vec<OrderedRefusal>,
    pub(crate) client_secret: Option<String>,
    pub(crate) server_error_times: u32,
    pub(crate) token_delay: Duration,
}

/// The whole state of the world.
pub(crate) struct State {
    pub(crate) settings: Settings,
    /// How much time has been skipped instead of waited for.
    pub(crate) ahead: Duration,
    behaviours: BTreeSet<Behaviour>,
    /// How often a temporary behaviour has occurred since it was set, by kind of request if these are counted
    /// separately.
    occurrences: HashMap<(Behaviour, String), u32>,
    /// The addresses of the issuers and Graph: scheme, host and port.
    pub(crate) origins: Vec<String>,
    /// The address of the claim source in a hostile token.
    pub(crate) claim_source: String,
    pub(crate) log: Log,
    pub(crate) last_id: u64,
    pub(crate) grants: Vec<DeviceGrant>,
    /// The number of grants from before the last `reset_requests`.
    pub(crate) old_grants: usize,
    pub(crate) authorizations: Vec<Authorization>,
    /// The number of authorizations from before the last `reset_requests`.
    pub(crate) old_authorizations: usize,
    pub(crate) refresh_tokens: HashMap<String, RefreshToken>,
    pub(crate) last_family: u64,
    pub(crate) dead_families: BTreeSet<u64>,
    /// How many families were revoked because a used token or code was presented again.
    pub(crate) families_revoked: usize,
    /// The users to whom the OIDC issuer's access tokens belong.
    pub(crate) access_tokens: HashMap<String, String>,
    pub(crate) retry_after: Option<Instant>,
    /// How often the stalled requests were ended.
    pub(crate) ended_stalls: u32,
    pub(crate) keys: Keys,
    /// The roles and bindings of the cluster.
    pub(crate) rbac: Objects,
}

impl State {
    fn new() -> Self {
        Self {
            settings: Settings {
                approve: true,
                user: ALICE.to_owned(),
                token_lifetime: Duration::from_secs(3_600),
                code_lifetime: Duration::from_secs(900),
                authorization_code_lifetime: Duration::from_secs(60),
                interval: Some(1),
                clock_offset: 0,
                groups: Membership::new(3),
                account: Account::Member,
                roles: Vec::new(),
                tenant_roles: Vec::new(),
                refusals: Vec::new(),
                client_secret: None,
                server_error_times: 1,
                token_delay: Duration::from_secs(1),
            },
            ahead: Duration::ZERO,
            behaviours: BTreeSet::new(),
            occurrences: HashMap::new(),
            origins: Vec::new(),
            claim_source: String::new(),
            log: Log::default(),
            last_id: 0,
            grants: Vec::new(),
            old_grants: 0,
            authorizations: Vec::new(),
            old_authorizations: 0,
            refresh_tokens: HashMap::new(),
            last_family: 0,
            dead_families: BTreeSet::new(),
            families_revoked: 0,
            access_tokens: HashMap::new(),
            retry_after: None,
            ended_stalls: 0,
            keys: Keys::new(),
            rbac: Objects::default(),
        }
    }

    pub(crate) fn set(&mut self, behaviour: Behaviour) {
        self.behaviours.insert(behaviour);
        self.occurrences.retain(|(occurrences, _), _| *occurrences != behaviour);
        if behaviour == Behaviour::Token503WithRetryAfter {
            self.retry_after = None;
        }
    }

    pub(crate) fn clear(&mut self, behaviour: Behaviour) {
        self.behaviours.remove(&behaviour);
    }

    pub(crate) fn clear_all(&mut self) {
        self.behaviours.clear();
    }

    /// Whether a behaviour is set.
    pub(crate) fn on(&self, behaviour: Behaviour) -> bool {
        self.behaviours.contains(&behaviour)
    }

    /// Counts an occurrence of a behaviour. Returns the number so far, this one included; 0 if it is not set.
    pub(crate) fn occurrence(&mut self, behaviour: Behaviour) -> u32 {
        self.occurrence_at("", behaviour)
    }

    /// The same for one kind of request.
    pub(crate) fn occurrence_at(&mut self, kind: &str, behaviour: Behaviour) -> u32 {
        if !self.on(behaviour) {
            return 0;
        }
        let occurrences = self.occurrences.entry((behaviour, kind.to_owned())).or_default();
        *occurrences += 1;
        *occurrences
    }

    /// The user who approves.
    pub(crate) fn approver(&self) -> &str {
        if self.on(Behaviour::OtherUser) { BOB } else { &self.settings.user }
    }

    /// The current time, skipped time included.
    pub(crate) fn instant(&self) -> Instant {
        Instant::now() + self.ahead
    }

    /// The world's clock, in Unix seconds.
    pub(crate) fn now(&self) -> i64 {
        let ahead = if self.on(Behaviour::ClockAhead) { 600 } else { 0 };
        let behind = if self.on(Behaviour::ClockBehind) { 600 } else { 0 };
        calendar::unix_after(self.ahead) + self.settings.clock_offset + ahead - behind
    }

    /// Marks the request as one that came too early.
    pub(crate) fn mark_too_early(&mut self, id: u64) {
        if let Some(entry) = self.log.entries.iter_mut().find(|entry| entry.id == id) {
            entry.too_early = true;
        }
    }
}
