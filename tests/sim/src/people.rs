//! The users, and what a directory knows about them.

use ring::digest::{SHA256, digest};

/// The user who signs in by default.
pub const ALICE: &str = "alice@contoso.example";
/// A second user, for tests in which the wrong user signs in.
pub const BOB: &str = "bob@contoso.example";

/// Every user's password, if an issuer accepts passwords.
pub const PASSWORD: &str = "correct horse battery staple";

/// The user with that name and password. The name is the part before the `@`, or the whole address.
pub(crate) fn with_password(name: &str, password: &str) -> Option<&'static str> {
    let is_user = |user: &&str| *user == name || user.split('@').next() == Some(name);
    [ALICE, BOB].into_iter().filter(|_| password == PASSWORD).find(is_user)
}

/// A GUID derived from some text: always the same, and different for another text.
pub(crate) fn guid_of(text: &str) -> String {
    let hash = digest(&SHA256, text.as_bytes());
    let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

/// The object id of a user: the value of `oid`.
pub(crate) fn object_id(user: &str) -> String {
    guid_of(&format!("oid {user}"))
}

/// The pairwise subject of a user: the value of `sub`.
pub(crate) fn subject(user: &str) -> String {
    guid_of(&format!("sub {user}"))
}

/// `Alice` for `alice@contoso.example`.
pub(crate) fn display_name(user: &str) -> String {
    let local = user.split('@').next().unwrap_or(user);
    let mut letters = local.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The object ids of the first `count` groups, as Entra names them. Group 7 has the display name `Group 7`.
pub fn group_ids(count: usize) -> Vec<String> {
    (1..=count).map(group_id).collect()
}

/// The object id of one group, counted from 1.
pub(crate) fn group_id(number: usize) -> String {
    format!("{number:08x}-0000-4000-8000-000000000000")
}

/// The number at the beginning of an object id.
pub(crate) fn group_number(id: &str) -> Option<usize> {
    usize::from_str_radix(id.split('-').next()?, 16).ok()
}

/// `Group 7`, for an object id; a group with another kind of id is named after that.
pub(crate) fn group_display_name(id: &str) -> String {
    group_number(id).map_or_else(|| format!("Group {id}"), |number| format!("Group {number}"))
}
