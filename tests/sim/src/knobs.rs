//! What can be set in a world besides its behaviours.

use std::time::Duration;

use serde_json::Value;

use crate::calendar;
use crate::directory::{Account, Membership};
use crate::request::Step;
use crate::tokens;
use crate::trouble::Ordered;
use crate::world::World;

impl World {
    /// How long tokens issued from now on are good; an hour unless set. Whole seconds count.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        self.shared.lock().settings.token_lifetime = lifetime;
    }

    /// How long device codes handed out from now on are good; 15 minutes unless set.
    pub fn set_code_lifetime(&self, lifetime: Duration) {
        self.shared.lock().settings.code_lifetime = lifetime;
    }

    /// How long authorization codes handed out from now on are good; a minute unless set.
    pub fn set_authorization_code_lifetime(&self, lifetime: Duration) {
        self.shared.lock().settings.authorization_code_lifetime = lifetime;
    }

    /// The polling interval in seconds, 1 unless set. `None` leaves it out of the answer; then, and at 0, polls are
    /// expected at RFC 8628's five seconds.
    pub fn set_interval(&self, seconds: Option<u64>) {
        self.shared.lock().settings.interval = seconds;
    }

    /// Shifts the world's clock by so many seconds: `iat`, `nbf`, `exp`, the `Date` header, the API server's checks.
    pub fn set_clock_offset(&self, seconds: i64) {
        self.shared.lock().settings.clock_offset = seconds;
    }

    /// Lets time go by without waiting for it: codes and tokens get older, and the next poll is later.
    pub fn advance(&self, time: Duration) {
        self.shared.lock().ahead += time;
    }

    /// In how many groups everybody is; 3 unless set. Over 200 Entra leaves the claim out. Ends what
    /// [`World::set_group_ids`] named.
    pub fn set_groups(&self, count: usize) {
        self.shared.lock().settings.groups = Membership::of(count);
    }

    /// Exactly which groups everybody is in, by object id (by name at the plain issuer). `None` goes back to the count.
    pub fn set_group_ids(&self, ids: Option<Vec<String>>) {
        self.shared.lock().settings.groups.name(ids);
    }

    /// The app roles that Entra's access tokens name; none unless set, and then no `roles` claim.
    pub fn set_roles(&self, roles: &[&str]) {
        self.shared.lock().settings.roles = roles.iter().map(|&role| role.to_owned()).collect();
    }

    /// The roles in the tenant that Entra's access tokens name besides every user's, by the ids of their templates.
    pub fn set_tenant_roles(&self, roles: &[&str]) {
        self.shared.lock().settings.tenant_roles = roles.iter().map(|&role| role.to_owned()).collect();
    }

    /// Whether Entra's tokens are those of a service principal: `idtyp` is `app`, there is no user in them, and no ID
    /// token beside them.
    pub fn sign_in_app_only(&self, app_only: bool) {
        self.shared.lock().settings.account = if app_only { Account::App } else { Account::Member };
    }

    /// Whether whoever signs in to Entra is a guest: known by a mail address, without a `upn`.
    pub fn sign_in_guest(&self, guest: bool) {
        self.shared.lock().settings.account = if guest { Account::Guest } else { Account::Member };
    }

    /// Refuses the token requests of one step from now on: 400 with exactly these fields, to which Entra adds
    /// `trace_id`, `correlation_id` and `timestamp`.
    pub fn refuse(&self, step: Step, body: Value) {
        self.order(Ordered { step, body, unless_claims: false });
    }

    /// The same for the requests that answer no claims challenge: those without a `claims` parameter.
    pub fn refuse_unless_claims(&self, step: Step, body: Value) {
        self.order(Ordered { step, body, unless_claims: true });
    }

    /// Ends what [`World::refuse`] and [`World::refuse_unless_claims`] began.
    pub fn stop_refusing(&self) {
        self.shared.lock().settings.refusals.clear();
    }

    fn order(&self, refusal: Ordered) {
        let refusals = &mut self.shared.lock().settings.refusals;
        refusals.retain(|one| one.step != refusal.step);
        refusals.push(refusal);
    }

    /// The secret the plain issuer's client has to bring, by form or by HTTP Basic; none unless set.
    pub fn set_client_secret(&self, secret: Option<&str>) {
        self.shared.lock().settings.client_secret = secret.map(str::to_owned);
    }

    /// How often [`crate::Behaviour::ServerError`] shows; once unless set.
    pub fn set_server_error_times(&self, times: u32) {
        self.shared.lock().settings.server_error_times = times;
    }

    /// How late [`crate::Behaviour::DelayToken`] answers; a second unless set.
    pub fn set_token_delay(&self, delay: Duration) {
        self.shared.lock().settings.token_delay = delay;
    }

    /// Closes the connections of all requests that are stalled now.
    pub fn end_stalls(&self) {
        self.shared.lock().ended_stalls += 1;
    }

    /// Ends every refresh token there is, of both issuers.
    pub fn revoke_all(&self) {
        tokens::revoke_all(&mut self.shared.lock());
    }

    /// Signs with a new key from now on. The key set holds the one before it as well.
    pub fn rotate_keys(&self) {
        self.shared.lock().keys.current += 1;
    }

    /// Keeps a ClusterRole, Role, ClusterRoleBinding or RoleBinding in the cluster, or a list of them, in place of
    /// what had that name. A namespaced one without a namespace is in `default`. There are none to begin with.
    ///
    /// # Panics
    ///
    /// If it is something else, or has no name.
    pub fn apply(&self, object: Value) {
        let mut state = self.shared.lock();
        let created = calendar::rfc3339(state.now() - 3_600);
        state.rbac.apply(object, &created);
    }
}
