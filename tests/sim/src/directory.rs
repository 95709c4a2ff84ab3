//! The directory behind both issuers: which groups there are, and who is in them.

use crate::people::{group_id, group_number};

/// Who a sign-in turns out to be, whatever name they gave.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// Somebody of the tenant.
    Member,
    /// Somebody of another organisation, by invitation.
    Guest,
    /// A service principal: the tokens are the client's own.
    App,
}

/// The groups that everybody is in: the first so many, or exactly those named.
pub(crate) struct Membership {
    count: usize,
    named: Option<Vec<String>>,
}

impl Membership {
    pub(crate) fn of(count: usize) -> Self {
        Self { count, named: None }
    }

    /// `None` goes back to the count.
    pub(crate) fn name(&mut self, ids: Option<Vec<String>>) {
        self.named = ids;
    }

    pub(crate) fn len(&self) -> usize {
        self.named.as_ref().map_or(self.count, Vec::len)
    }

    /// The id of one of them, counted from 0.
    pub(crate) fn id(&self, index: usize) -> String {
        self.named.as_ref().map_or_else(|| group_id(index + 1), |ids| ids[index].clone())
    }

    /// All of them, by object id, as Entra has them.
    pub(crate) fn ids(&self) -> Vec<String> {
        (0..self.len()).map(|index| self.id(index)).collect()
    }

    /// All of them, by name, as a plain issuer has them.
    pub(crate) fn names(&self) -> Vec<String> {
        match &self.named {
            Some(names) => names.clone(),
            None => (1..=self.count).map(|number| format!("group-{number}")).collect(),
        }
    }

    /// Whether there is such a group at all, with or without members.
    pub(crate) fn exists(&self, id: &str) -> bool {
        group_number(id).is_some_and(|number| group_id(number) == id)
            || self.named.as_ref().is_some_and(|ids| ids.iter().any(|one| one == id))
    }
}
