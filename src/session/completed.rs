//! Checks what a sign-in brought, and stores it.

use tokio::time::Instant;

use super::attempt::AttemptFailure;
use super::grant::{self, GrantError, SignedInUser};
use super::interactive::cancelled;
use super::issuer::Issuer;
use super::request::TokenRequest;
use super::sessions::SessionName;
use crate::failure::Failure;
use crate::issued_token::{IssuedToken, TokenOrigin};
use crate::profile::{Method, Profile, Provider};
use crate::runtime;
use crate::signin::SignedIn;
use crate::store::{SealingKey, SessionFacts, SessionRecord, StoreError, TokenRecord};
use kubectl_login_core::clock;
use kubectl_login_core::secret::Secret;

/// What is stored of a sign-in besides what it brought, and with which key.
pub(super) struct StoredAs<'a> {
    pub(super) method: Method,
    pub(super) scopes: Vec<String>,
    /// A sign-in page that the user has confirmed.
    pub(super) page: Option<String>,
    pub(super) sealing_key: Option<&'a SealingKey>,
}

/// Checks what a sign-in brought and stores it. Returns the token, and whether it was stored.
pub(super) async fn store_sign_in(
    request: &TokenRequest<'_>,
    issuer: &Issuer<'_>,
    signed_in: SignedIn,
    stored_as: StoredAs<'_>,
) -> Result<(IssuedToken, Result<(), StoreError>), AttemptFailure> {
    let profile = request.profile;
    let granted = signed_in.granted;
    let user = grant::signed_in_user(&granted);
    check_user(&user, signed_in.nonce.as_deref(), profile)?;
    let refresh_token = grant::refresh_token(&granted);
    let deadline = Instant::now() + profile.network.needed();
    let grant = tokio::select! {
        biased;
        signal = runtime::interrupted() => Err(GrantError::Failed(cancelled(signal))),
        grant = grant::read(issuer, profile, &granted, deadline) => grant,
    };
    // Only after all requests: the connections for keys count too.
    let anchors = issuer.anchors();
    let session = SessionName { id: request.identity.session_under(&anchors), anchors };
    let facts = SessionFacts {
        issuer: issuer.client.endpoints().issuer.clone(),
        tenant: match &profile.provider {
            Provider::Entra { tenant, .. } => Some(tenant.clone()),
            Provider::Oidc { .. } => None,
        },
        client: profile.client_id.clone(),
        account: user.account.clone(),
        method: stored_as.method.name(&profile.provider).to_owned(),
        refreshable: refresh_token.is_some(),
        refusal: None,
        signed_in_at: Some(clock::now()),
        base: (!session.anchors.is_empty()).then(|| request.identity.session.clone()),
        anchors: session.anchors.clone(),
    };
    let sealing_key = stored_as.sealing_key;
    let stored = match (&grant, sealing_key) {
        // A session without a usable token is stored too, unless its tokens belong to another user.
        (Err(GrantError::NotOurs(_)), _) | (_, None) => Ok(()),
        (_, Some(sealing_key)) => {
            let before = request.predecessor(&session, &facts, user.subject.as_deref());
            // Another user's tokens are deleted first, so that no crash leaves them with this session.
            let deleted = if before.is_some() { Ok(()) } else { request.store.delete_tokens(&session.id) };
            let record = record(request, issuer, user.subject, refresh_token, before, stored_as);
            deleted.and_then(|()| request.store.save_session(sealing_key, &session.id, &facts, &record))
        }
    };
    let grant = grant.map_err(AttemptFailure::passing)?;
    let keep_token = |sealing_key| request.keep_token(sealing_key, &session, &grant);
    let stored = stored.and_then(|()| sealing_key.filter(|_| request.is_wanted(&session)).map_or(Ok(()), keep_token));
    let key_backend = sealing_key.filter(|_| stored.is_ok()).map(|sealing_key| sealing_key.backend);
    let TokenRecord { token, expires_at, .. } = grant.token;
    Ok((
        IssuedToken {
            token,
            expires_at,
            origin: TokenOrigin::SignIn,
            facts: Some(facts),
            key_backend,
            anchors: session.anchors,
        },
        stored,
    ))
}

/// The sealed part of a session. What the user has confirmed before stays confirmed (`before`).
fn record(
    request: &TokenRequest<'_>,
    issuer: &Issuer<'_>,
    subject: Option<String>,
    refresh_token: Option<Secret>,
    before: Option<SessionRecord>,
    StoredAs { scopes, page, .. }: StoredAs<'_>,
) -> SessionRecord {
    let audiences = request.confirmed_audiences(before.as_ref());
    let mut pages = before.map(|record| record.pages).unwrap_or_default();
    pages.extend(page.filter(|page| !pages.contains(page)));
    let token_endpoint = match &request.profile.provider {
        Provider::Entra { .. } => None,
        Provider::Oidc { .. } => Some(issuer.client.endpoints().token.to_string()),
    };
    SessionRecord { refresh_token, scopes, subject, without_codes: false, audiences, pages, token_endpoint }
}

/// Checks that the sign-in is the one that was requested: with `nonce`, and by the expected account.
fn check_user(user: &SignedInUser, nonce: Option<&str>, profile: &Profile) -> Result<(), AttemptFailure> {
    if let Some(nonce) = nonce
        && let Err(error) = user.check_belongs_to(nonce, &profile.client_id)
    {
        // Nothing of it is stored: it may be another user's sign-in.
        return Err(AttemptFailure::passing(Failure::IdToken(error)));
    }
    match &profile.account_hint {
        Some(hint) if !user.answers_to(hint) => Err(AttemptFailure::sticky(Failure::WrongAccount {
            signed_in: user.account.clone(),
            expected: hint.clone(),
        })),
        _ => Ok(()),
    }
}
