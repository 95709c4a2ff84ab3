//! The records of sessions and tokens: facts that can be read without the key, and the sealed part.
//!
//! Later versions add fields with a default, so that records of earlier ones stay readable.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use kubectl_login_core::secret::Secret;

/// The facts of a session that can be read without its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFacts {
    /// Issuer, as its tokens name it.
    pub issuer: String,
    /// Tenant, for Entra.
    pub tenant: Option<String>,
    /// Client id.
    pub client: String,
    /// The account, if the tokens name it.
    pub account: Option<String>,
    /// The sign-in method.
    pub method: String,
    /// Whether there is a refresh token.
    pub refreshable: bool,
    /// How a refresh was refused, if neither a refresh nor a sign-in has succeeded since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Box<RefusedRefresh>>,
    /// When the user signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in_at: Option<DateTime<Utc>>,
    /// The session's name without `anchors`, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The certificate authorities of the environment at sign-in, by the SHA-256 of their DER. Its tokens are not sent over
    /// connections that trust other ones of an environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anchors: Vec<String>,
}

impl SessionFacts {
    /// The name that session `id` has without its anchors.
    pub fn base<'a>(&'a self, id: &'a str) -> &'a str {
        self.base.as_deref().unwrap_or(id)
    }

    /// Whether a refresh can be expected to succeed.
    pub fn is_renewable(&self) -> bool {
        self.refreshable && self.refusal.is_none()
    }

    /// Whether the session was refused because it began with a device code.
    pub fn forbids_codes(&self) -> bool {
        self.refusal.as_ref().is_some_and(|refusal| refusal.forbids_codes)
    }

    /// Whether a refused refresh has shown that the user has to sign in.
    pub fn needs_sign_in(&self) -> bool {
        self.refusal
            .as_ref()
            .is_some_and(|refusal| refusal.needs_sign_in.unwrap_or_else(|| refusal.failure["kind"] == "sign-in-needed"))
    }
}

/// The refusal of a refresh, and what it means for the next one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRefresh {
    /// When, by this machine's clock.
    pub at: DateTime<Utc>,
    /// What the issuer answered: a `failure::Failure`, as `failure::stored` writes it.
    #[serde(rename = "error")]
    pub failure: serde_json::Value,
    /// Whether a sign-in helps; `None` in records of earlier versions, which had sentences in `failure`.
    #[serde(default)]
    pub needs_sign_in: Option<bool>,
    /// Whether the session was refused because it began with a device code: another one would not help.
    #[serde(default)]
    pub forbids_codes: bool,
}

/// The sealed part of a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionRecord {
    /// The refresh token, if the issuer sent one.
    pub refresh_token: Option<Secret>,
    /// The scopes that were requested.
    pub scopes: Vec<String>,
    /// The ID token's `sub` at sign-in, if there was an ID token.
    #[serde(default)]
    pub subject: Option<String>,
    /// Read from records of earlier versions only: [`RefusedRefresh::forbids_codes`].
    #[serde(default, skip_serializing)]
    pub without_codes: bool,
    /// The audiences that the user has confirmed for this session, in their normal form, without the well-known ones of
    /// clusters.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// The hosts of sign-in pages outside the issuer's site that the user has confirmed.
    #[serde(default)]
    pub pages: Vec<String>,
    /// The token endpoint that its tokens came from. `None` for Entra, whose endpoints follow from the session's name.
    #[serde(default)]
    pub token_endpoint: Option<String>,
}

/// The facts of a token that can be read without its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenFacts {
    /// Id of the session it was obtained in.
    pub session: String,
    /// Its audience.
    pub audience: String,
    /// When it expires, by this machine's clock.
    pub expires_at: DateTime<Utc>,
}

/// The sealed part of a token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenRecord {
    /// The bearer token.
    pub token: Secret,
    /// When it was obtained, by this machine's clock.
    pub obtained_at: DateTime<Utc>,
    /// When it expires, by this machine's clock.
    pub expires_at: DateTime<Utc>,
    /// The anchors of its session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anchors: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> SessionFacts {
        let session =
            r#""issuer":"i","tenant":null,"client":"c","account":null,"method":"devicecode","refreshable":true"#;
        serde_json::from_str(&format!("{{{session},\"refusal\":{json}}}")).expect("facts")
    }

    #[test]
    fn refusal_of_an_earlier_version_tells_whether_a_sign_in_helps() {
        let earlier = |kind| {
            refusal(&format!(r#"{{"at":"2026-11-30T08:00:00Z","error":{{"kind":"{kind}","what":"no","next":"ask"}}}}"#))
        };
        assert!(earlier("sign-in-needed").needs_sign_in() && !earlier("refused").needs_sign_in());
        let current = r#"{"at":"2026-11-30T08:00:00Z","error":null,"needs_sign_in":true,"forbids_codes":true}"#;
        assert!(refusal(current).needs_sign_in() && refusal(current).forbids_codes());
    }
}
