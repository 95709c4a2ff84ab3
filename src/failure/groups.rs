//! Why the user's groups are not known, not all, or have no names.

use serde::{Deserialize, Serialize};

use kubectl_login_core::entra::graph::GraphError;
use kubectl_login_core::http::HttpSetupError;
use kubectl_login_core::oauth::jwks::VerifyError;
use kubectl_login_core::oauth::userinfo::UserInfoError;

use super::{Earlier, Failure};
use crate::runtime::{RuntimeError, StopSignal};

/// Why the user's groups are not known, not all, or have no names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupsError {
    /// No connection can be made, or the process was stopped.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// Neither the token nor the issuer's UserInfo lists groups.
    #[error("neither the token nor UserInfo lists groups")]
    NotListed,
    /// The session changed during the look-up.
    #[error("the session has changed")]
    SessionChanged,
    /// The issuer's UserInfo cannot be read.
    #[error(transparent)]
    UserInfo(#[from] UserInfoError),
    /// The UserInfo is a JWT that is not valid.
    #[error("the UserInfo is not valid")]
    InvalidUserInfo(#[source] VerifyError),
    /// The tenant belongs to no cloud with Microsoft Graph.
    #[error("only Entra tenants have Microsoft Graph")]
    NotEntra,
    /// The tenant's metadata do not name the host of Microsoft Graph.
    #[error("the host of Microsoft Graph is not known")]
    UnknownHost,
    /// Nothing is cached, so there is no session that could give a token for Microsoft Graph.
    #[error("without a cache there is no token for Microsoft Graph")]
    CacheIsOff,
    /// There is no token for Microsoft Graph.
    #[error("there is no token for Microsoft Graph")]
    NoGraphToken {
        /// Why.
        #[source]
        failure: Failure,
        /// Whether the session is a service principal's.
        is_service_principal: bool,
    },
    /// The session of the client for Microsoft Graph is another account's.
    #[error("the session for Microsoft Graph is another account's")]
    OtherAccount {
        /// The account, if the token names it.
        account: Option<String>,
    },
    /// Microsoft Graph refuses, or answers with something else than groups.
    #[error("Microsoft Graph does not list the groups")]
    Graph {
        /// How.
        #[source]
        error: GraphError,
        /// Whether a service principal asked.
        is_service_principal: bool,
    },
    /// A failure that an earlier version of this program stored.
    #[error("{}", .0.what)]
    Earlier(Earlier),
}

impl GroupsError {
    /// The signal that stopped the process, if one did.
    pub fn stopped_by(&self) -> Option<StopSignal> {
        match self {
            GroupsError::Failure(failure) | GroupsError::NoGraphToken { failure, .. } => failure.stopped_by(),
            _ => None,
        }
    }
}

impl From<Earlier> for GroupsError {
    fn from(earlier: Earlier) -> GroupsError {
        GroupsError::Earlier(earlier)
    }
}

impl From<RuntimeError> for GroupsError {
    fn from(error: RuntimeError) -> GroupsError {
        GroupsError::Failure(error.into())
    }
}

impl From<HttpSetupError> for GroupsError {
    fn from(error: HttpSetupError) -> GroupsError {
        GroupsError::Failure(error.into())
    }
}
