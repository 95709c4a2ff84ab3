//! The groups of whoever signed in, as they were looked up.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use kubectl_login_core::error::Error;

pub use kubectl_login_core::entra::graph::Group;

/// Who said which groups these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The token.
    Token,
    /// Microsoft Graph.
    Graph,
    /// The cluster's API server.
    Cluster,
    /// The issuer's UserInfo.
    Userinfo,
    /// Nobody.
    None,
}

/// Groups, and what is to be known about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups {
    /// The groups, each once.
    pub items: Vec<Group>,
    /// Who said so.
    pub source: Source,
    /// Whether these are all of them, as far as the source can tell.
    pub complete: bool,
}

/// Groups as they are remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupsRecord<'a> {
    /// Whose they are, and in whose eyes: the subject of the token, and whatever else decides where they come from.
    pub of: String,
    /// When they were looked up, by this machine's clock.
    pub at: DateTime<Utc>,
    /// The groups.
    pub groups: Cow<'a, Groups>,
    /// Why they do not come from a better source.
    pub reason: Option<Error>,
}
