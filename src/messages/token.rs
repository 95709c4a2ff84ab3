//! Who is signed in with a token, and until when it is valid.

use chrono::{DateTime, Local, TimeDelta, Utc};
use kubectl_login_core::clock;
use kubectl_login_core::text::printable;

use crate::issued_token::{IssuedToken, TokenOrigin};
use crate::store::SessionFacts;

/// One sentence in two parts, of which the first may be coloured: how the token was obtained and who is signed in; the
/// issuer, and until when the token is valid. `facts` are the session's, if they are known.
pub fn signed_in(token: &IssuedToken, facts: Option<&SessionFacts>) -> (String, String) {
    let how = match token.origin {
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
    (format!("{how}{account}"), format!("{}, valid until {}.", from.unwrap_or_default(), until(token.expires_at)))
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
