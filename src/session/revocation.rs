//! Ending sign-ins at their issuers (RFC 7009), once they are forgotten here.
//!
//! It must not touch what is remembered: whoever logs out of everything finds nothing left behind.

use std::time::Duration;

use tokio::time::Instant;

use super::identity::issuer_route;
use super::issuer::{Freshness, Issuer};
use crate::environment::Environment;
use crate::profile::Profile;
use crate::runtime;
use crate::store::Store;
use kubectl_login_core::clock;
use kubectl_login_core::entra::error_details::EntraErrorDetails;
use kubectl_login_core::error::Error;
use kubectl_login_core::oauth::client::TokenRequestError;
use kubectl_login_core::secret::Secret;

/// How long one issuer may take: the sign-in is forgotten already, and somebody waits for the prompt.
const LIMIT: Duration = Duration::from_secs(5);

/// A sign-in to be ended.
pub struct SignIn {
    /// Those whose sign-in it is: the first that reaches the issuer asks it.
    pub profiles: Vec<Profile>,
    /// Its refresh token.
    pub token: Secret,
    /// Where that came from, as far as it is known.
    pub token_endpoint: Option<String>,
}

/// Asks for the end of each sign-in, by its refresh token, in five seconds (or `--timeout`, where that is shorter); an
/// issuer that did not answer is not asked again in the same way. What comes back is, in the same order, whether it was
/// revoked (an issuer need not offer that), or the reason why it could not be.
pub fn revoke(sign_ins: &[&SignIn], environment: &Environment) -> Vec<Result<bool, String>> {
    if sign_ins.is_empty() {
        return Vec::new();
    }
    let outcomes = runtime::run(async {
        let nowhere = Store::open(None, environment);
        let mut outcomes = Vec::with_capacity(sign_ins.len());
        let mut unreachable: Vec<(String, String)> = Vec::new();
        for sign_in in sign_ins {
            let mut outcome = Err(String::new());
            for profile in &sign_in.profiles {
                let route = issuer_route(profile);
                if let Some((_, reason)) = unreachable.iter().find(|(known, _)| *known == route) {
                    outcome = Err(reason.clone());
                    continue;
                }
                match revoke_one(profile, sign_in, &nowhere).await {
                    Err(Unrevoked::Unreachable(reason)) => {
                        unreachable.push((route, reason.clone()));
                        outcome = Err(reason);
                    }
                    answered => {
                        outcome = answered.map_err(Unrevoked::into_reason);
                        break;
                    }
                }
            }
            outcomes.push(outcome);
        }
        outcomes
    });
    outcomes.unwrap_or_else(|error| vec![Err(Error::from(error).what); sign_ins.len()])
}

/// Why a sign-in was not revoked.
enum Unrevoked {
    /// The issuer did not answer as one.
    Unreachable(String),
    /// It answered, and did not do it.
    Refused(String),
}

impl Unrevoked {
    fn into_reason(self) -> String {
        match self {
            Unrevoked::Unreachable(reason) | Unrevoked::Refused(reason) => reason,
        }
    }
}

async fn revoke_one(profile: &Profile, sign_in: &SignIn, nowhere: &Store) -> Result<bool, Unrevoked> {
    let limit = clock::limit(LIMIT).min(profile.network.needed());
    let end = Instant::now() + limit;
    let opened = Issuer::open(profile, nowhere, Freshness::Now, limit).await;
    let issuer = opened.map_err(|unopened| Unrevoked::Unreachable(Error::from(unopened).what))?;
    issuer.check_site(sign_in.token_endpoint.as_deref()).map_err(|error| Unrevoked::Refused(error.what))?;
    let endpoints = issuer.client.endpoints();
    let Some(endpoint) = &endpoints.revocation else { return Ok(false) };
    let left = end.saturating_duration_since(Instant::now());
    issuer.client.revoke(endpoint, &sign_in.token, left).await.map(|()| true).map_err(|failure| match failure {
        TokenRequestError::Transport(trouble) => Unrevoked::Unreachable(trouble.to_string()),
        TokenRequestError::Refused(answer) => {
            Unrevoked::Refused(format!("the issuer refuses it: {}", EntraErrorDetails(&answer)))
        }
        TokenRequestError::NotOAuth(found) | TokenRequestError::Malformed(found) => {
            Unrevoked::Refused(found.to_string())
        }
    })
}
