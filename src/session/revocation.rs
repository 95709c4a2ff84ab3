//! Revokes the refresh tokens of deleted sessions at their issuers (RFC 7009).
//!
//! It must not use the cache: `kubectl login logout` has just deleted it.

use std::time::Duration;

use tokio::time::Instant;

use super::identity::issuer_route;
use super::issuer::{Freshness, Issuer};
use crate::environment::Environment;
use crate::failure::{Failure, RequestFailure, RequestPhase};
use crate::profile::Profile;
use crate::runtime;
use crate::store::Store;
use kubectl_login_core::clock;
use kubectl_login_core::oauth::client::TokenRequestError;
use kubectl_login_core::secret::Secret;

/// The time limit for one issuer: the session is deleted already, and the user waits for the prompt.
const LIMIT: Duration = Duration::from_secs(5);

/// A session that can be revoked.
pub struct RevocableSession {
    /// The profiles that it belongs to; the first that reaches the issuer is used.
    pub profiles: Vec<Profile>,
    /// Its refresh token.
    pub token: Secret,
    /// The token endpoint that the refresh token came from, if it is known.
    pub token_endpoint: Option<String>,
}

/// Revokes each session by its refresh token, in five seconds (or `--timeout`, if that is shorter). An issuer that did not
/// respond is not asked again over the same route. Returns, in the same order, whether the session was revoked (an issuer need
/// not offer that), or why not.
pub fn revoke(sessions: &[&RevocableSession], environment: &Environment) -> Vec<Result<bool, Failure>> {
    if sessions.is_empty() {
        return Vec::new();
    }
    let outcomes = runtime::run(async {
        let no_cache = Store::open(None, environment);
        let mut outcomes = Vec::with_capacity(sessions.len());
        let mut unreachable: Vec<(String, Failure)> = Vec::new();
        for session in sessions {
            let mut outcome = Ok(false);
            for profile in &session.profiles {
                let route = issuer_route(profile);
                if let Some((_, failure)) = unreachable.iter().find(|(known, _)| *known == route) {
                    outcome = Err(failure.clone());
                    continue;
                }
                match revoke_one(profile, session, &no_cache).await {
                    Err(RevocationError::Unreachable(failure)) => {
                        unreachable.push((route, failure.clone()));
                        outcome = Err(failure);
                    }
                    Err(RevocationError::Refused(failure)) => {
                        outcome = Err(failure);
                        break;
                    }
                    Ok(is_revoked) => {
                        outcome = Ok(is_revoked);
                        break;
                    }
                }
            }
            outcomes.push(outcome);
        }
        outcomes
    });
    outcomes.unwrap_or_else(|error| vec![Err(error.into()); sessions.len()])
}

/// Why a session was not revoked.
enum RevocationError {
    /// The issuer did not respond as one: another route may reach it.
    Unreachable(Failure),
    /// The issuer responded, and refused.
    Refused(Failure),
}

async fn revoke_one(profile: &Profile, session: &RevocableSession, no_cache: &Store) -> Result<bool, RevocationError> {
    let limit = clock::limit(LIMIT).min(profile.network.needed());
    let end = Instant::now() + limit;
    let opened = Issuer::open(profile, no_cache, Freshness::Now, limit).await;
    let issuer = opened.map_err(|error| RevocationError::Unreachable(error.into()))?;
    issuer.check_site(session.token_endpoint.as_deref()).map_err(RevocationError::Refused)?;
    let endpoints = issuer.client.endpoints();
    let Some(endpoint) = &endpoints.revocation else { return Ok(false) };
    let left = end.saturating_duration_since(Instant::now());
    issuer.client.revoke(endpoint, &session.token, left).await.map(|()| true).map_err(|error| {
        let is_unreachable = matches!(error, TokenRequestError::Transport(_));
        let failure = RequestFailure::new(error, RequestPhase::Revocation).into();
        if is_unreachable { RevocationError::Unreachable(failure) } else { RevocationError::Refused(failure) }
    })
}
