//! Why a server's certificate is refused.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::setup_error::{RootsProblem, listed};
use crate::clock;
use crate::text::printable;

/// How many names of a certificate are listed at most.
const NAMES_SHOWN: usize = 3;

/// Why a server's certificate is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateProblem {
    /// It, or one of its chain, was valid until then.
    Expired(Option<DateTime<Utc>>),
    /// It is valid from then on.
    NotYetValid(Option<DateTime<Utc>>),
    /// It is for these names, and not for the server's.
    OtherName(Vec<String>),
    /// It is not signed by a trusted authority.
    UnknownSigner {
        /// The authority that signed it; `None` if it is self-signed.
        signer: Option<String>,
        /// What is wrong with the variables that name authorities.
        useless: Vec<RootsProblem>,
    },
    /// It is signed by an authority that the environment adds, and that the session's sign-in did not need.
    NotOfSession {
        /// The authority that signed it; `None` if it is self-signed.
        signer: Option<String>,
    },
    /// Another problem, in the words of the TLS library.
    Other(String),
}

impl CertificateProblem {
    /// [`CertificateProblem::OtherName`] from names in the notation of rustls: `DnsName("host.example")`.
    pub(super) fn other_name(presented: Vec<String>) -> CertificateProblem {
        let bare = |name: String| {
            let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(&name);
            printable(inner.trim_matches('"'), 100)
        };
        CertificateProblem::OtherName(presented.into_iter().map(bare).collect())
    }

    /// The problem with the certificate of the server at `origin`, as a sentence.
    pub(super) fn sentence(&self, origin: &str) -> String {
        let at = |date: &Option<DateTime<Utc>>| date.map_or_else(|| "an unknown date".to_owned(), written_out);
        match self {
            CertificateProblem::Expired(until) => {
                let ago = until.map(|until| format!(", {} ago", in_days(clock::now() - until))).unwrap_or_default();
                format!("the certificate of {origin} has expired: it was valid until {}{ago}", at(until))
            }
            CertificateProblem::NotYetValid(from) => {
                format!("the certificate of {origin} is not valid yet: it is valid from {}", at(from))
            }
            CertificateProblem::OtherName(names) => {
                let list = names.iter().take(NAMES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
                let more = match names.len() {
                    0 => "no name at all".to_owned(),
                    count if count > NAMES_SHOWN => format!("{list} and {} more", count - NAMES_SHOWN),
                    _ => list,
                };
                format!("the certificate of {origin} is for another name: {more}")
            }
            CertificateProblem::UnknownSigner { signer, useless } => {
                format!(
                    "the certificate of {origin} is not trusted: it is signed by {}{}",
                    named(signer),
                    listed(useless)
                )
            }
            CertificateProblem::NotOfSession { signer } => format!(
                "the certificate of {origin} is signed by {}, which SSL_CERT_FILE or SSL_CERT_DIR adds and the last sign-in was made without",
                named(signer)
            ),
            CertificateProblem::Other(detail) => format!("the certificate of {origin} is not accepted: {detail}"),
        }
    }
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence("the server"))
    }
}

impl std::error::Error for CertificateProblem {}

fn named(signer: &Option<String>) -> String {
    match signer {
        Some(name) => format!("{name:?}"),
        None => "itself".to_owned(),
    }
}

/// A date and time, written out.
pub fn written_out(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y, %H:%M UTC").to_string()
}

fn in_days(span: TimeDelta) -> String {
    match span.num_days() {
        ..1 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_the_certificate_has_them() {
        let presented = vec!["DnsName(\"a.example\")".to_owned(), "IpAddress(10.0.0.1)".to_owned()];
        let problem = CertificateProblem::other_name(presented);
        assert_eq!(
            problem.sentence("https://h"),
            "the certificate of https://h is for another name: a.example, 10.0.0.1"
        );
    }

    #[test]
    fn dates_are_written_out() {
        let at = DateTime::from_timestamp(1_772_373_900, 0).expect("a time");
        let said = CertificateProblem::Expired(Some(at)).sentence("https://h");
        assert!(said.contains("valid until 1 March 2026, 14:05 UTC"), "{said}");
    }
}
