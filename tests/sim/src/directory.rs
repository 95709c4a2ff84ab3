//! The directory behind both issuers: the groups and their members.

use crate::people::{group_id, group_number};

/// The kind of account that signs in, whatever user name was entered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// A user of the tenant.
    Member,
    /// A user from another organisation, by invitation.
    Guest,
    /// A service principal: the tokens are the client's own.
    App,
}

/// The groups that every user is a member of: the first `count`, or exactly the named ones.
pub(crate) struct Membership {
    count: usize,
    named: Option<Vec<String>>,
}

impl Membership {
    pub(crate) fn new(count: usize) -> Self {
        Self { count, named: None }
    }

    /// `None` restores the count.
    pub(crate) fn name(&mut self, ids: Option<Vec<String>>) {
        self.named = ids;
    }

    pub(crate) fn len(&self) -> usize {
        self.named.as_ref().map_or(self.count, Vec::len)
    }

    /// The id of one group, counted from 0.
    pub(crate) fn id(&self, index: usize) -> String {
        self.named.as_ref().map_or_else(|| group_id(index + 1), |ids| ids[index].clone())
    }

    /// All groups, by object id, as Entra lists them.
    pub(crate) fn ids(&self) -> Vec<String> {
        (0..self.len()).map(|index| self.id(index)).collect()
    }

    /// All groups, by name, as a plain issuer lists them.
    pub(crate) fn names(&self) -> Vec<String> {
        match &self.named {
            Some(names) => names.clone(),
            None => (1..=self.count).map(|number| format!("group-{number}")).collect(),
        }
    }

    /// Whether such a group exists, with or without members.
    pub(crate) fn exists(&self, id: &str) -> bool {
        group_number(id).is_some_and(|number| group_id(number) == id)
            || self.named.as_ref().is_some_and(|ids| ids.iter().any(|one| one == id))
    }
}
