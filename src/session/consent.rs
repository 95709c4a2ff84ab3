//! The audiences that a session may be used for.
//!
//! A session at Entra gives tokens for any server of its tenant, and a kubeconfig names both the audience and the server that
//! receives the token. So without a question a session is used only for the well-known audiences of clusters; the user
//! confirms any other once. Confirmations are stored in the sealed session record, which no kubeconfig can change.

use super::attempt::{AttemptFailure, LockedRequest};
use super::refresh::OpenSession;
use super::request::TokenRequest;
use crate::failure::Confirmation;
use crate::signin::confirmation;
use crate::store::SessionRecord;

impl TokenRequest<'_> {
    /// The audience of this request, if the user has to confirm it first; `record` is the session's.
    pub(super) fn unconfirmed_audience(&self, record: Option<&SessionRecord>) -> Option<&str> {
        let audience = self.profile.audience_to_confirm().filter(|_| !self.options.user_initiated)?;
        let is_confirmed = record.is_some_and(|record| record.audiences.iter().any(|known| same(known, audience)))
            // A session of an earlier version has no list; a cached token for the audience proves the same.
            || self.store.token(&self.identity.token).found().is_some();
        (!is_confirmed).then_some(audience)
    }

    /// The confirmed audiences of a session, with that of this request: its prompt names it, or the user has typed the command.
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

impl LockedRequest<'_, '_> {
    /// Adds the audience of this request to those that are confirmed for `session`; asks the user if it is new.
    pub(super) async fn confirm_audience(&mut self, session: &mut OpenSession<'_>) -> Result<(), AttemptFailure> {
        if let Some(audience) = self.request.unconfirmed_audience(Some(&session.record)) {
            let confirmation = Confirmation::Audience(audience.to_owned());
            if self.request.is_non_interactive() {
                return Err(AttemptFailure::Told(confirmation::missing(confirmation).into()));
            }
            self.check_may_prompt()?;
            let lock = std::cell::RefCell::new(&mut self.lock);
            let on_wait = |life| lock.borrow_mut().announce_person(life);
            let life = self.request.profile.authorization.human_time;
            confirmation::ask(confirmation, self.request.person, life, &on_wait).await?;
            lock.borrow_mut().announce_network();
        }
        let audiences = self.request.confirmed_audiences(Some(&session.record));
        if audiences != session.record.audiences {
            session.record.audiences = audiences;
            let OpenSession { named, facts, record, sealing_key } = session;
            if self.request.is_wanted(named)
                && let Err(error) = self.request.store.save_session(sealing_key, &named.id, facts, record)
            {
                // The next request will ask again.
                tracing::info!(%error, "confirmation not kept");
            }
        }
        Ok(())
    }
}

/// Application ids and URIs are the same in any case.
fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}
