//! The user's groups, as they were looked up.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use kubectl_login_core::entra::graph::Group;

/// Where groups come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupSource {
    /// The token.
    Token,
    /// Microsoft Graph.
    Graph,
    /// The cluster's API server.
    Cluster,
    /// The issuer's UserInfo endpoint.
    Userinfo,
    /// Nowhere: they are not known.
    None,
}

/// Groups, their source, and whether they are complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupList {
    /// The groups, each once.
    pub items: Vec<Group>,
    /// Where they come from.
    pub source: GroupSource,
    /// Whether these are all of them, as far as the source can tell.
    pub complete: bool,
}

/// Groups as they are cached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupsRecord<'a> {
    /// Whose they are: the subject of the token, and everything else that decides where they come from.
    pub of: String,
    /// When they were looked up, by this machine's clock.
    pub at: DateTime<Utc>,
    /// The groups.
    pub groups: Cow<'a, GroupList>,
    /// Why they do not come from a better source: a `failure::GroupsError`, as `failure::stored` writes it.
    pub reason: Option<serde_json::Value>,
}
