//! Why a server's certificate is refused, by kind, and what to do about each.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::transport_error::Peer;
use crate::clock;
use crate::text::printable;

/// The most names of a certificate that a message repeats.
const NAMES_SHOWN: usize = 3;

/// Why a server's certificate is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateProblem {
    /// It, or one that it depends on, was valid until then.
    Expired(Option<DateTime<Utc>>),
    /// It is valid from then on.
    NotYetValid(Option<DateTime<Utc>>),
    /// It is for these names, and the server's is another.
    OtherName(Vec<String>),
    /// No authority that is trusted here has signed it.
    UnknownSigner {
        /// Who has; `None` if it is signed by itself.
        signer: Option<String>,
        /// What is wrong with the variables that name authorities, a sentence each.
        useless: Vec<String>,
    },
    /// An authority has signed it that the environment adds, and that the session was signed in without.
    NotOfSession {
        /// Who has; `None` if it is signed by itself.
        signer: Option<String>,
    },
    /// Something else, in the words of the TLS library.
    Other(String),
}

impl CertificateProblem {
    /// It is for these names, which come as rustls writes them: `DnsName("host.example")`.
    pub(super) fn other_name(presented: Vec<String>) -> CertificateProblem {
        let bare = |name: String| {
            let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(&name);
            printable(inner.trim_matches('"'), 100)
        };
        CertificateProblem::OtherName(presented.into_iter().map(bare).collect())
    }

    /// The problem with the certificate of the server at `origin`, as a sentence.
    pub(super) fn sentence(&self, origin: &str) -> String {
        let at = |date: &Option<DateTime<Utc>>| date.map_or_else(|| "a date that is not known".to_owned(), shown);
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
                let besides: String = useless.iter().map(|sentence| format!("; {sentence}")).collect();
                format!("the certificate of {origin} is not trusted: it is signed by {}{besides}", named(signer))
            }
            CertificateProblem::NotOfSession { signer } => format!(
                "the certificate of {origin} is signed by {}, which SSL_CERT_FILE or SSL_CERT_DIR adds and the last sign-in was made without",
                named(signer)
            ),
            CertificateProblem::Other(detail) => format!("the certificate of {origin} is not accepted: {detail}"),
        }
    }

    /// What to do next.
    pub(super) fn next(&self, peer: Peer) -> String {
        let (whom, address) = match peer {
            Peer::Issuer => ("the issuer's administrator", "the issuer or authority URL"),
            Peer::Service(_) => ("your administrator", "the proxy"),
            Peer::ApiServer => ("the cluster's administrator", "the kubeconfig cluster's server"),
        };
        let clock = format!("this machine's date and time: it is {} here", shown(clock::now()));
        match self {
            CertificateProblem::Expired(_) => {
                format!("Ask {whom} to renew the certificate.\nCheck {clock}.")
            }
            CertificateProblem::NotYetValid(_) => {
                format!("Check {clock}.\nIf that is right, ask {whom} for a certificate that is valid now.")
            }
            CertificateProblem::OtherName(_) => {
                let other_name = match peer {
                    Peer::ApiServer => {
                        "\nIf the API server is reached by a name that is not in its certificate, set the kubeconfig cluster's tls-server-name."
                    }
                    _ => "",
                };
                format!(
                    "Something else may be answering, such as a captive portal: open any page in a browser and sign in to the network.\nCheck {address}.{other_name}"
                )
            }
            CertificateProblem::UnknownSigner { useless, .. } => {
                let correct = match useless.is_empty() {
                    true => "",
                    false => "Correct SSL_CERT_FILE or SSL_CERT_DIR: the certificates it should name are missing.\n",
                };
                let authority = match peer {
                    Peer::ApiServer => {
                        "Check the kubeconfig cluster's certificate-authority: a cluster that was created again has another one."
                    }
                    _ => {
                        "If that is your company's, such as a proxy that inspects TLS, name its certificate authority with --certificate-authority FILE in the kubeconfig user's exec.args, or with SSL_CERT_FILE.\nIf you do not know it, do not trust it: ask your administrator."
                    }
                };
                format!("{correct}{authority}")
            }
            CertificateProblem::NotOfSession { .. } => {
                "If that is your company's authority, sign in: kubectl login\nIf you do not know it, do not sign in: remove SSL_CERT_FILE and SSL_CERT_DIR from the kubeconfig user's exec.env.".to_owned()
            }
            CertificateProblem::Other(_) => format!("Check {address}, and {clock}."),
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

/// A date as people read it.
fn shown(at: DateTime<Utc>) -> String {
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
        let next = problem.next(Peer::Issuer);
        assert!(!next.contains("--certificate-authority") && !next.contains("insecure"), "{next}");
    }

    #[test]
    fn dates_are_written_out() {
        let at = DateTime::from_timestamp(1_772_373_900, 0).expect("a time");
        let said = CertificateProblem::Expired(Some(at)).sentence("https://h");
        assert!(said.contains("valid until 1 March 2026, 14:05 UTC"), "{said}");
    }
}
