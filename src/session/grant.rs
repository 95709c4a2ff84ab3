//! From a token response to the token for the cluster.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use oauth2::TokenResponse as _;
use tokio::time::Instant;

use super::issuer::{Issuer, VerificationError};
use crate::failure::Failure;
use crate::profile::{Profile, Provider, TokenKind};
use crate::store::TokenRecord;
use kubectl_login_core::clock;
use kubectl_login_core::entra::audience;
use kubectl_login_core::kube::exec_credential;
use kubectl_login_core::oauth::jwks::VerifyError;
use kubectl_login_core::oauth::jwt::{Claims, JwtError};
use kubectl_login_core::oauth::token_response::GrantedTokens;
use kubectl_login_core::secret::Secret;

/// How long an opaque access token without `expires_in` is used.
const ASSUMED_LIFE: TimeDelta = TimeDelta::hours(1);
/// A smaller difference between the clocks does not count.
const CLOCKS_AGREE: TimeDelta = TimeDelta::seconds(60);
/// A larger difference is not that of a clock.
const CLOCKS_LOST: TimeDelta = TimeDelta::days(1);

/// What a sign-in or a refresh brought.
pub(super) struct Grant {
    /// The token for the cluster.
    pub(super) token: TokenRecord,
    /// Its audience.
    pub(super) audience: String,
}

/// SignedInUser signed in, as the tokens say. Not verified: for messages and refusals only.
pub(super) struct SignedInUser {
    /// The name to show, if the tokens have one.
    pub(super) account: Option<String>,
    /// The ID token's `sub`, which identifies the user independent of names.
    pub(super) subject: Option<String>,
    /// The claims of the ID token; `None` without one.
    id_token: Option<Result<Claims, JwtError>>,
    /// Every name of the account in the tokens, in lower case.
    names: Vec<String>,
}

impl SignedInUser {
    /// Whether the account is the one that `hint` means; not if the tokens name none.
    pub(super) fn answers_to(&self, hint: &str) -> bool {
        self.names.contains(&hint.trim().to_lowercase())
    }

    /// Checks that the ID token, if there is one, belongs to the sign-in in which `client` sent `nonce` (OIDC Core 3.1.3.7, 3
    /// and 11).
    ///
    /// Errors: it does not.
    pub(super) fn check_belongs_to(&self, nonce: &str, client: &str) -> Result<(), VerifyError> {
        let Some(claims) = &self.id_token else { return Ok(()) };
        let claims = claims.as_ref().map_err(|unreadable| *unreadable)?;
        if !claims.audiences().iter().any(|audience| audience.eq_ignore_ascii_case(client)) {
            Err(VerifyError::Audience)
        } else if claims.nonce() != Some(nonce) {
            Err(VerifyError::Nonce)
        } else {
            Ok(())
        }
    }
}

/// SignedInUser signed in, by the ID token or else the access token.
pub(super) fn signed_in_user(granted: &GrantedTokens) -> SignedInUser {
    let id_token = granted.body.extra_fields().id_token.as_ref().map(|token| Claims::read(token.expose()));
    let access_token = access_token(granted).and_then(|token| Claims::read(token).ok());
    let id_claims = id_token.as_ref().and_then(|claims| claims.as_ref().ok());
    let subject = id_claims.and_then(|claims| claims.string("sub")).map(str::to_owned);
    let claims = || id_claims.into_iter().chain(&access_token);
    let account = claims().find_map(Claims::account);
    let names = claims().flat_map(names).collect();
    SignedInUser { account, subject, names, id_token }
}

/// Why a response with tokens brings none for the cluster.
pub(super) enum GrantError {
    /// A token belongs to another user or is for another audience: nothing of the response is stored.
    NotOurs(Failure),
    /// Something else is wrong with it, or it cannot be verified now.
    Failed(Failure),
}

impl From<GrantError> for Failure {
    fn from(error: GrantError) -> Failure {
        match error {
            GrantError::NotOurs(failure) | GrantError::Failed(failure) => failure,
        }
    }
}

/// The refresh token of a response. It is read first, so that it can be stored first.
pub(super) fn refresh_token(granted: &GrantedTokens) -> Option<Secret> {
    granted.body.refresh_token().map(|token| Secret::new(token.secret().to_owned()))
}

/// The access token of a response. If only an ID token was requested (scope `openid`), some issuers send none.
fn access_token(granted: &GrantedTokens) -> Option<&str> {
    let is_alone = granted.body.extra_fields().id_token.is_some();
    Some(granted.body.access_token().secret().as_str()).filter(|token| !token.is_empty() || !is_alone)
}

/// Picks and checks the token for the cluster.
pub(super) async fn read(
    issuer: &Issuer<'_>,
    profile: &Profile,
    granted: &GrantedTokens,
    deadline: Instant,
) -> Result<Grant, GrantError> {
    let obtained_at = clock::now();
    let answer = &granted.body;
    let access_token = access_token(granted).ok_or(GrantError::Failed(Failure::NoAccessToken));
    let access_claims = access_token.as_ref().ok().and_then(|token| Claims::read(token).ok());
    let id_token = answer.extra_fields().id_token.as_ref();
    if let (Provider::Oidc { .. }, Some(token)) = (&profile.provider, id_token) {
        issuer.check_issued(token.expose()).map_err(|error| GrantError::NotOurs(Failure::IdToken(error)))?;
    }
    let newest = [access_claims.as_ref(), id_token.and_then(|token| Claims::read(token.expose()).ok()).as_ref()]
        .into_iter()
        .flatten()
        .filter_map(Claims::issued_at)
        .max();
    let clock_ahead = clock_ahead(granted.clock_ahead, newest, obtained_at);
    let (token, claims) = match profile.token_kind {
        TokenKind::Id => {
            let token = id_token.ok_or(GrantError::Failed(Failure::NoIdToken))?.expose();
            let verified = issuer.verified_id_token(token, clock_ahead, deadline).await;
            let claims = verified.map_err(|error| match error {
                VerificationError::Keys(failure) => GrantError::Failed(failure),
                VerificationError::Token(error) => GrantError::NotOurs(Failure::IdToken(error)),
            })?;
            (token, Some(claims))
        }
        // The cluster judges an access token, which may be opaque. But a token for Graph or the like is never handed over.
        TokenKind::Access => {
            for audience in access_claims.iter().flat_map(Claims::audiences) {
                audience::refuse_foreign(audience)
                    .map_err(|error| GrantError::NotOurs(Failure::ForeignAudience(error)))?;
            }
            (access_token?, access_claims)
        }
        TokenKind::Own => (access_token?, access_claims),
    };
    // A token that cannot be used must not be stored.
    exec_credential::check_token(token).map_err(|_| GrantError::Failed(Failure::InvalidToken))?;
    let expires_at = expiry(profile, claims.as_ref(), answer.expires_in(), obtained_at, clock_ahead);
    let expires_at = expires_at.ok_or(GrantError::Failed(Failure::NoExpiry))?;
    Ok(Grant {
        token: TokenRecord { token: Secret::new(token), obtained_at, expires_at, anchors: Vec::new() },
        audience: match &profile.provider {
            Provider::Entra { server_id, .. } => server_id.clone(),
            Provider::Oidc { .. } => match claims.as_ref().map(Claims::audiences) {
                Some(audiences) if !audiences.is_empty() => {
                    kubectl_login_core::text::printable(&audiences.join(" "), 200)
                }
                _ => profile.client_id.clone(),
            },
        },
    })
}

/// How far this machine's clock is ahead of the issuer's; zero if they agree well enough.
///
/// The server's `Date` tells. Without it, a token issued in the future shows that this clock is behind. (One issued in the past
/// shows nothing: Entra backdates its tokens by five minutes.)
fn clock_ahead(by_date: Option<TimeDelta>, issued: Option<DateTime<Utc>>, now: DateTime<Utc>) -> TimeDelta {
    let by_issue = issued.map(|at| now - at).filter(|ahead| *ahead < TimeDelta::zero());
    let matters = |ahead: &TimeDelta| ahead.abs() > CLOCKS_AGREE && ahead.abs() < CLOCKS_LOST;
    let by_date = by_date.filter(|ahead| ahead.abs() < CLOCKS_LOST);
    by_date.or(by_issue).filter(matters).unwrap_or_default()
}

/// When the token expires, by this machine's clock; `None` if it does not say.
fn expiry(
    profile: &Profile,
    claims: Option<&Claims>,
    expires_in: Option<Duration>,
    now: DateTime<Utc>,
    clock_ahead: TimeDelta,
) -> Option<DateTime<Utc>> {
    if let Some(exp) = claims.and_then(Claims::expires_at) {
        return Some(exp.checked_add_signed(clock_ahead).unwrap_or(exp));
    }
    let life = expires_in.and_then(|life| TimeDelta::from_std(life).ok());
    // The cap keeps date arithmetic in range whatever the server claims.
    match (profile.token_kind, life) {
        (TokenKind::Access | TokenKind::Own, Some(life)) => Some(now + life.min(TimeDelta::days(366))),
        // RFC 6749 5.1 lets a server omit it, which usually means a long life.
        (TokenKind::Access | TokenKind::Own, None) if claims.is_none() => Some(now + ASSUMED_LIFE),
        _ => None,
    }
}

/// The names that an account hint may be.
fn names(claims: &Claims) -> Vec<String> {
    ["preferred_username", "upn", "email", "unique_name", "oid", "sub"]
        .iter()
        .filter_map(|name| claims.string(name))
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_difference_is_taken_from_the_date_then_from_the_token() {
        let now = Utc::now();
        let minutes = TimeDelta::minutes;
        assert_eq!(clock_ahead(Some(minutes(10)), None, now), minutes(10));
        // A clock that agrees with the server's makes no token from the future any better.
        assert_eq!(clock_ahead(Some(TimeDelta::seconds(3)), Some(now + minutes(10)), now), TimeDelta::zero());
        assert_eq!(clock_ahead(Some(TimeDelta::days(2)), Some(now + minutes(10)), now), minutes(-10));
        assert_eq!(clock_ahead(None, Some(now + minutes(10)), now), minutes(-10));
        assert_eq!(clock_ahead(None, Some(now - minutes(5)), now), TimeDelta::zero());
    }
}
