//! Whom a token was issued to, and for whom, as the token itself says.
//!
//! No trust is implied: nothing read here is proven, so it is good for showing and for choosing what to look up, never for
//! granting. Entra's tokens come in two versions with other names for the same things; both are read, as are those of
//! plain OpenID Connect issuers.
//!
//! Source: <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>, OpenID Connect Core 5.1
//! and 5.6.2 (`_claim_names`).

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::oauth::jwt::{Claims, JwtError};

/// So many groups can a token of Entra's list
/// (<https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>).
const MOST: usize = 200;
/// The same for tokens that travel in addresses.
const MOST_IN_ADDRESSES: usize = 5;

/// The role that Entra's tokens name for every user of the tenant, administrator or not.
const EVERY_USER: &str = "b79fbf4d-3ef9-4689-8143-76b194e85509";

/// What a token says of its subject. Texts are as they came: not made fit for a terminal, but for `account`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subject {
    /// A name to show.
    pub account: Option<String>,
    /// Entra's object id (`oid`): who it is, whatever the names.
    pub object_id: Option<String>,
    /// The issuer's id for the subject (`sub`); at Entra another one for each application.
    pub id: Option<String>,
    /// Tenant (`tid`).
    pub tenant: Option<String>,
    /// Issuer (`iss`).
    pub issuer: Option<String>,
    /// Whom it is for (`aud`); several are written with blanks between.
    pub audience: Option<String>,
    /// It stands for an application by itself and for no person.
    pub app_only: bool,
    /// When it ends, by the issuer's clock.
    pub expires_at: Option<DateTime<Utc>>,
    /// Its groups.
    pub groups: GroupsClaim,
    /// Roles that the application has given it (`roles`).
    pub roles: Vec<String>,
    /// Roles in the tenant itself (`wids`), by the ids of their templates, but for the one that every user has.
    pub tenant_roles: Vec<String>,
}

/// What a token says of groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum GroupsClaim {
    /// These are all of them. Entra lists 200 at most.
    Listed(Vec<String>),
    /// There are more than it can carry, and they have to be looked up. (Where, says the token too; that address is never
    /// asked: it is not proven, and those that Entra writes lead to a service that has ended.)
    Overage {
        /// As many as it could have carried.
        more_than: usize,
    },
    /// Nothing: in no group, or the application does not ask for them.
    Absent,
    /// That cannot be told: the token is its issuer's to read.
    #[default]
    Unreadable,
}

impl Subject {
    /// Reads a token; its groups stand in the claim called `groups_claim` (`groups` at Entra).
    ///
    /// # Errors
    /// It is not a JWT: only its issuer can read an opaque token.
    pub fn read(token: &str, groups_claim: &str) -> Result<Subject, JwtError> {
        Claims::read(token).map(|claims| Subject::from_claims(&claims, groups_claim))
    }

    fn from_claims(claims: &Claims, groups_claim: &str) -> Subject {
        let text = |name: &str| claims.string(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let audience = claims.audiences().join(" ");
        Subject {
            account: claims.account(),
            object_id: text("oid"),
            id: text("sub"),
            tenant: text("tid"),
            issuer: text("iss"),
            audience: Some(audience).filter(|audience| !audience.is_empty()),
            app_only: is_app_only(claims),
            expires_at: claims.expires_at(),
            groups: groups(claims, groups_claim),
            roles: texts(claims.as_map().get("roles")),
            tenant_roles: tenant_roles(claims),
        }
    }

    /// What tells this subject from every other of its issuer.
    pub fn key(&self) -> Option<&str> {
        self.object_id.as_deref().or(self.id.as_deref())
    }
}

/// `idtyp` says so, if the application requests it. Otherwise: an application's own token has no scopes (`scp`), and its subject
/// is its object id, which is never so for people.
fn is_app_only(claims: &Claims) -> bool {
    match claims.string("idtyp") {
        Some(kind) => kind.eq_ignore_ascii_case("app"),
        None => {
            let (oid, sub) = (claims.string("oid"), claims.string("sub"));
            oid.is_some() && oid == sub && !claims.as_map().contains_key("scp")
        }
    }
}

fn tenant_roles(claims: &Claims) -> Vec<String> {
    let mut roles = texts(claims.as_map().get("wids"));
    roles.retain(|role| !role.eq_ignore_ascii_case(EVERY_USER));
    roles
}

/// A list of texts; a single one, as some issuers write it, is a list too.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    }
}

/// The groups in the claim called `name`.
pub fn groups(claims: &Claims, name: &str) -> GroupsClaim {
    let all = claims.as_map();
    match all.get(name) {
        claim @ Some(Value::Array(_) | Value::String(_)) => GroupsClaim::Listed(texts(claim)),
        _ => {
            let elsewhere = all.get("_claim_names").and_then(|names| names.get(name)).is_some();
            // The short form, for tokens that travel in addresses. It says "at least one", so they are elsewhere as well.
            let has_groups = match all.get("hasgroups") {
                Some(Value::Bool(has)) => *has,
                Some(Value::String(has)) => has.eq_ignore_ascii_case("true"),
                _ => false,
            };
            match (elsewhere, has_groups) {
                (true, _) => GroupsClaim::Overage { more_than: MOST },
                (false, true) => GroupsClaim::Overage { more_than: MOST_IN_ADDRESSES },
                (false, false) => GroupsClaim::Absent,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    fn subject(json: &str) -> Subject {
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(json));
        Subject::read(&token, "groups").expect("a token")
    }

    fn listed(groups: &[&str]) -> GroupsClaim {
        GroupsClaim::Listed(groups.iter().map(|group| (*group).to_owned()).collect())
    }

    #[test]
    fn both_versions_of_entras_tokens_are_read() {
        let first = subject(
            r#"{"aud":"spn:server","iss":"https://sts.windows.net/t/","tid":"t","oid":"o","sub":"s","upn":"a@b","ver":"1.0",
                "scp":"user.read","groups":["g","h"],"wids":["w","b79fbf4d-3ef9-4689-8143-76b194e85509"],"exp":1700000000}"#,
        );
        assert_eq!(first.audience.as_deref(), Some("spn:server"));
        assert_eq!(
            (first.account.as_deref(), first.key(), first.tenant.as_deref()),
            (Some("a@b"), Some("o"), Some("t"))
        );
        assert_eq!((first.groups, first.app_only), (listed(&["g", "h"]), false));
        assert_eq!((first.tenant_roles, first.roles), (vec!["w".to_owned()], Vec::new()));
        let second = subject(
            r#"{"aud":"server","iss":"https://login.example/t/v2.0","tid":"t","oid":"o","sub":"s","azp":"c",
                "preferred_username":"a@b","ver":"2.0","scp":"x"}"#,
        );
        assert_eq!((second.account, second.groups), (Some("a@b".to_owned()), GroupsClaim::Absent));
    }

    #[test]
    fn applications_are_told_from_people() {
        assert!(subject(r#"{"idtyp":"APP","oid":"o","sub":"s"}"#).app_only);
        assert!(subject(r#"{"oid":"o","sub":"o","appid":"c"}"#).app_only);
        assert!(!subject(r#"{"idtyp":"user","oid":"o","sub":"o"}"#).app_only);
        assert!(!subject(r#"{"oid":"o","sub":"o","scp":"user.read"}"#).app_only);
        // A plain issuer has no object ids.
        assert!(!subject(r#"{"sub":"s","email":"a@b"}"#).app_only);
    }

    #[test]
    fn groups_come_in_every_shape() {
        assert_eq!(subject(r#"{"groups":[]}"#).groups, listed(&[]));
        assert_eq!(subject(r#"{"groups":"one"}"#).groups, listed(&["one"]));
        assert_eq!(subject(r#"{"groups":["a",1,null]}"#).groups, listed(&["a"]));
        assert_eq!(subject(r#"{"groups":null}"#).groups, GroupsClaim::Absent);
        let elsewhere = r#"{"_claim_names":{"groups":"src1"},"_claim_sources":{"src1":{"endpoint":"https://evil"}}}"#;
        assert_eq!(subject(elsewhere).groups, GroupsClaim::Overage { more_than: 200 });
        assert_eq!(subject(r#"{"_claim_names":{"other":"src1"}}"#).groups, GroupsClaim::Absent);
        assert_eq!(subject(r#"{"hasgroups":true}"#).groups, GroupsClaim::Overage { more_than: 5 });
        assert_eq!(subject(r#"{"hasgroups":"true"}"#).groups, GroupsClaim::Overage { more_than: 5 });
        assert_eq!(subject(r#"{"hasgroups":false}"#).groups, GroupsClaim::Absent);
        // What is listed counts, whatever else is said.
        assert_eq!(subject(r#"{"hasgroups":true,"groups":["g"]}"#).groups, listed(&["g"]));
    }

    #[test]
    fn the_claim_may_have_another_name() {
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"https://x/roles":["r"],"groups":["g"]}"#));
        assert_eq!(Subject::read(&token, "https://x/roles").expect("a token").groups, listed(&["r"]));
    }

    proptest! {
        #[test]
        fn foreign_claims_never_panic(name in "\\PC*", json in "\\PC*") {
            let text = serde_json::json!({"groups": json, "_claim_names": name, "aud": [json, 1], "oid": name}).to_string();
            let token = format!("e30.{}.x", URL_SAFE_NO_PAD.encode(text));
            let _ = Subject::read(&token, &name);
            let _ = Subject::read(&json, &name);
        }
    }
}
