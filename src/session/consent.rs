//! What a session may be used for.
//!
//! One sign-in at Entra gives tokens for any server of its tenant, and a kubeconfig names both the audience and the server
//! that is sent the token. So a session is used without a question only for the audiences of clusters that everyone has;
//! any other is confirmed once and noted down in the sealed session record, where no kubeconfig can write.

use super::Road;
use super::sessions::Named;
use super::work::{Work, WorkFailure};
use crate::signin::confirmation::{self, Confirmation};
use crate::store::records::Keeper;
use crate::store::{SessionFacts, SessionRecord};

impl Road<'_> {
    /// The audience of this request, if the user has to confirm it first; `record` is the session's.
    pub(super) fn unconfirmed_audience(&self, record: Option<&SessionRecord>) -> Option<&str> {
        let audience = self.profile.audience_to_confirm().filter(|_| !self.insist.typed)?;
        let is_confirmed = record.is_some_and(|record| record.audiences.iter().any(|known| same(known, audience)))
            // A session of an earlier version has no list; a token that it gave says the same.
            || self.store.token(&self.identity.token).found().is_some();
        (!is_confirmed).then_some(audience)
    }

    /// The audiences that are confirmed for a session, with that of this request: its prompt names it, or the user has
    /// typed the command.
    pub(super) fn confirmed_audiences(&self, before: Option<&SessionRecord>) -> Vec<String> {
        let mut audiences = before.map(|record| record.audiences.clone()).unwrap_or_default();
        if let Some(audience) = self.profile.audience_to_confirm()
            && !audiences.iter().any(|known| same(known, audience))
        {
            audiences.push(audience.to_owned());
        }
        audiences
    }
}

impl Work<'_, '_> {
    /// The session's record with the audience of this request among those that are confirmed; the user is asked where it is
    /// not.
    pub(super) async fn with_confirmed_audience(
        &mut self,
        session: &Named,
        facts: &SessionFacts,
        record: SessionRecord,
        keeper: &Keeper,
    ) -> Result<SessionRecord, WorkFailure> {
        if let Some(audience) = self.road.unconfirmed_audience(Some(&record)) {
            let confirmation = Confirmation::Audience(audience);
            if self.road.is_silent() {
                return Err(WorkFailure::Told(confirmation.missing().into()));
            }
            (self.may_ask)().map_err(WorkFailure::Told)?;
            let lock = std::cell::RefCell::new(&mut *self.lock);
            let on_wait = |life| lock.borrow_mut().announce_person(life);
            let life = self.road.profile.authorization.human_time;
            confirmation::ask(confirmation, self.road.person, life, &on_wait).await?;
            lock.borrow_mut().announce_network();
        }
        let audiences = self.road.confirmed_audiences(Some(&record));
        if audiences == record.audiences {
            return Ok(record);
        }
        let record = SessionRecord { audiences, ..record };
        if self.road.is_wanted(session)
            && let Err(error) = self.road.store.keep_session(keeper, &session.id, facts, &record)
        {
            // The next request asks again.
            tracing::info!(%error, "confirmation not kept");
        }
        Ok(record)
    }
}

/// Application ids and URIs are the same in any case.
fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}
