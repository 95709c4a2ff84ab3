//! What the road leads to, and the sentence that tells a person so, wherever they read it.

use chrono::{DateTime, Local, TimeDelta, Utc};

use crate::store::KeyBackend;
use crate::store::SessionFacts;
use kubectl_login_core::clock;
use kubectl_login_core::secret::Secret;
use kubectl_login_core::text::printable;

/// How a token was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// From the store.
    Remembered,
    /// With the refresh token.
    Refreshed,
    /// A person signed in.
    SignedIn,
}

/// A token in hand.
#[derive(Debug)]
pub struct Obtained {
    /// The bearer token.
    pub token: Secret,
    /// When it ends, by this machine's clock.
    pub expires_at: DateTime<Utc>,
    /// How it was come by.
    pub how: How,
    /// What is known of the session; `None` for a remembered token, which is answered without looking.
    pub facts: Option<SessionFacts>,
    /// Where the key of what was kept now lives; `None` where nothing was, or it could not be kept.
    pub key_backend: Option<KeyBackend>,
    /// The authorities of the environment that its session was signed in under: no others of an environment may hear it.
    pub anchors: Vec<String>,
}

impl Obtained {
    /// One sentence, in two parts of which the first may be coloured: how the token was come by and who that is; from
    /// whom, until when. `facts` are the session's, where they are known.
    pub fn sentence(&self, facts: Option<&SessionFacts>) -> (String, String) {
        let how = match self.how {
            How::Remembered => "Already signed in",
            How::Refreshed => "Still signed in",
            How::SignedIn => "Signed in",
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
