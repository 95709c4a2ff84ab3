//! The settings of a world besides its behaviours.

use std::time::Duration;

use serde_json::Value;

use crate::calendar;
use crate::directory::{Account, Membership};
use crate::misbehaviour::OrderedRefusal;
use crate::request::Step;
use crate::tokens;
use crate::world::World;

impl World {
    /// The lifetime of tokens issued from now on, in whole seconds; an hour by default.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        self.shared.lock().settings.token_lifetime = lifetime;
    }

    /// The lifetime of device codes issued from now on; 15 minutes by default.
    pub fn set_code_lifetime(&self, lifetime: Duration) {
        self.shared.lock().settings.code_lifetime = lifetime;
    }

    /// The lifetime of authorization codes issued from now on; a minute by default.
    pub fn set_authorization_code_lifetime(&self, lifetime: Duration) {
        self.shared.lock().settings.authorization_code_lifetime = lifetime;
    }

    /// The polling interval in seconds; 1 by default. With `None` the response has no interval. Then, and with 0, polls
    /// are expected every five seconds (RFC 8628).
    pub fn set_interval(&self, seconds: Option<u64>) {
        self.shared.lock().settings.interval = seconds;
    }

    /// Shifts the world's clock by so many seconds: `iat`, `nbf`, `exp`, the `Date` header, the API server's checks.
    pub fn set_clock_offset(&self, seconds: i64) {
        self.shared.lock().settings.clock_offset = seconds;
    }

    /// Advances the time without waiting: codes and tokens get older, and the next poll is later.
    pub fn advance(&self, time: Duration) {
        self.shared.lock().ahead += time;
    }

    /// The number of groups that each user is a member of; 3 by default. Above 200, Entra omits the claim. Overrides an
    /// earlier [`World::set_group_ids`].
    pub fn set_groups(&self, count: usize) {
        self.shared.lock().settings.groups = Membership::new(count);
    }

    /// Exactly which groups each user is a member of, by object id (by name at the plain issuer). `None` restores the
    /// count.
    pub fn set_group_ids(&self, ids: Option<Vec<String>>) {
        self.shared.lock().settings.groups.name(ids);
    }

    /// The app roles in Entra's access tokens; none by default, and then there is no `roles` claim.
    pub fn set_roles(&self, roles: &[&str]) {
        self.shared.lock().settings.roles = roles.iter().map(|&role| role.to_owned()).collect();
    }

    /// The tenant roles in Entra's access tokens besides the default one, by the ids of their templates.
    pub fn set_tenant_roles(&self, roles: &[&str]) {
        self.shared.lock().settings.tenant_roles = roles.iter().map(|&role| role.to_owned()).collect();
    }

    /// Whether Entra issues tokens for a service principal: `idtyp` is `app`, there are no claims about a user, and no
    /// ID token is issued.
    pub fn sign_in_app_only(&self, app_only: bool) {
        self.shared.lock().settings.account = if app_only { Account::App } else { Account::Member };
    }

    /// Whether the user who signs in to Entra is a guest: known by a mail address, without a `upn`.
    pub fn sign_in_guest(&self, guest: bool) {
        self.shared.lock().settings.account = if guest { Account::Guest } else { Account::Member };
    }

    /// Refuses the token requests of one step from now on: 400 with exactly these fields, to which Entra adds
    /// `trace_id`, `correlation_id` and `timestamp`.
    pub fn refuse(&self, step: Step, body: Value) {
        self.order(OrderedRefusal { step, body, unless_claims: false });
    }

    /// The same for requests that do not answer a claims challenge: those without a `claims` parameter.
    pub fn refuse_unless_claims(&self, step: Step, body: Value) {
        self.order(OrderedRefusal { step, body, unless_claims: true });
    }

    /// Ends the effect of [`World::refuse`] and [`World::refuse_unless_claims`].
    pub fn stop_refusing(&self) {
        self.shared.lock().settings.refusals.clear();
    }

    fn order(&self, refusal: OrderedRefusal) {
        let refusals = &mut self.shared.lock().settings.refusals;
        refusals.retain(|one| one.step != refusal.step);
        refusals.push(refusal);
    }

    /// The client secret that the plain issuer requires, by form or by HTTP Basic; none by default.
    pub fn set_client_secret(&self, secret: Option<&str>) {
        self.shared.lock().settings.client_secret = secret.map(str::to_owned);
    }

    /// How often [`crate::Behaviour::ServerError`] occurs; once by default.
    pub fn set_server_error_times(&self, times: u32) {
        self.shared.lock().settings.server_error_times = times;
    }

    /// How long [`crate::Behaviour::DelayToken`] delays a response; a second by default.
    pub fn set_token_delay(&self, delay: Duration) {
        self.shared.lock().settings.token_delay = delay;
    }

    /// Closes the connections of all requests that are stalled now.
    pub fn end_stalls(&self) {
        self.shared.lock().ended_stalls += 1;
    }

    /// Revokes all refresh tokens of both issuers.
    pub fn revoke_all(&self) {
        tokens::revoke_all(&mut self.shared.lock());
    }

    /// Signs with a new key from now on. The key set has the previous one too.
    pub fn rotate_keys(&self) {
        self.shared.lock().keys.current += 1;
    }

    /// Stores a ClusterRole, Role, ClusterRoleBinding or RoleBinding in the cluster, or a list of them, and replaces an
    /// object of the same name. A namespaced one without a namespace goes to `default`. There are none at the start.
    ///
    /// # Panics
    ///
    /// If it is of another kind, or has no name.
    pub fn apply(&self, object: Value) {
        let mut state = self.shared.lock();
        let created = calendar::rfc3339(state.now() - 3_600);
        state.rbac.apply(object, &created);
    }
}
