//! A token, where it comes from, and the sentence that tells the user so.

use chrono::{DateTime, Local, TimeDelta, Utc};

use crate::store::KeyBackend;
use crate::store::{SessionFacts, TokenRecord};
use kubectl_login_core::clock;
use kubectl_login_core::secret::Secret;
use kubectl_login_core::text::printable;

/// Where a token comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenOrigin {
    /// The cache.
    Cache,
    /// A refresh.
    Refresh,
    /// A sign-in.
    SignIn,
}

/// A token for the caller.
#[derive(Debug)]
pub struct IssuedToken {
    /// The bearer token.
    pub token: Secret,
    /// When it ends, by this machine's clock.
    pub expires_at: DateTime<Utc>,
    /// Where it comes from.
    pub origin: TokenOrigin,
    /// What is known of the session; `None` for a remembered token, which is answered without looking.
    pub facts: Option<SessionFacts>,
    /// Where the key of what was kept now lives; `None` where nothing was, or it could not be kept.
    pub key_backend: Option<KeyBackend>,
    /// The authorities of the environment that its session was signed in under: no others of an environment may hear it.
    pub anchors: Vec<String>,
}

impl IssuedToken {
    /// A token from the cache.
    pub(super) fn from_cache(token: &TokenRecord) -> IssuedToken {
        IssuedToken {
            token: token.token.clone(),
            expires_at: token.expires_at,
            origin: TokenOrigin::Cache,
            facts: None,
            key_backend: None,
            anchors: token.anchors.clone(),
        }
    }

    /// One sentence, in two parts of which the first may be coloured: how the token was come by and who that is; from
    /// whom, until when. `facts` are the session's, where they are known.
    pub fn sentence(&self, facts: Option<&SessionFacts>) -> (String, String) {
        let how = match self.origin {
            TokenOrigin::Cache => "Already signed in",
            TokenOrigin::Refresh => "Still signed in",
            TokenOrigin::SignIn => "Signed in",
        };
        let account = facts.and_then(|facts| facts.account.as_deref()).map(|account| printable(account, 200));
        let from = facts.map(|facts| match &facts.tenant {
            Some(tenant) => format!(", tenant {}", printable(tenant, 100)),
            None => format!(", issuer {}", printable(&facts.issuer, 200)),
        });
        let account = account.map(|account| format!(" as {account}")).unwrap_or_default();
        (format!("{how}{account}"), format!("{}, valid until {}.", from.unwrap_or_default(), until(self.expires_at)))
    }
}

/// A time as people read it: local, with what is left.
fn until(at: DateTime<Utc>) -> String {
    format!("{} ({})", local_time(at), left(at - clock::now()))
}

/// A time as people read it: local, to the minute.
pub fn local_time(at: DateTime<Utc>) -> String {
    at.with_timezone(&Local).format("%Y-%m-%d %H:%M").to_string()
}

fn left(span: TimeDelta) -> String {
    if span > TimeDelta::zero() { format!("{} left", in_units(span)) } else { "over".to_owned() }
}

/// A span in its two largest units.
pub fn in_units(span: TimeDelta) -> String {
    let minutes = span.num_minutes();
    match minutes {
        0 => format!("{} s", span.num_seconds()),
        1..60 => format!("{minutes} min"),
        60..1440 => format!("{} h {} min", minutes / 60, minutes % 60),
        _ => format!("{} d {} h", minutes / 1440, minutes % 1440 / 60),
    }
}
