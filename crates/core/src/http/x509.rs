//! The few fields of an X.509 certificate (RFC 5280 section 4.1) that messages name, and that are checked if a server's own
//! certificate is trusted by itself. Chains are verified by rustls, not here.

use chrono::{DateTime, NaiveDateTime, Utc};

use crate::text::printable;

/// Object identifiers in DER: commonName, organizationName (X.520), basicConstraints, extKeyUsage, serverAuth
/// and anyExtendedKeyUsage (RFC 5280 4.2.1.9 and 4.2.1.12).
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANIZATION: &[u8] = &[0x55, 4, 10];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const ANY_USAGE: &[u8] = &[0x55, 0x1d, 0x25, 0];

const BOOLEAN: u8 = 0x01;
const OID: u8 = 0x06;
const OCTETS: u8 = 0x04;
const BMP_STRING: u8 = 0x1e;
const UTC_TIME: u8 = 0x17;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// Tag and content of each element in a sequence of DER elements; ends at the first malformed one.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }
}

/// The parts of a certificate that are read, each as the content of its DER element.
struct CertificateParts<'a> {
    issuer: &'a [u8],
    validity: &'a [u8],
    subject: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> CertificateParts<'a> {
    fn read(certificate: &'a [u8]) -> Option<CertificateParts<'a>> {
        let (_, whole) = Elements(certificate).next()?;
        let (_, signed) = Elements(whole).next()?;
        let mut fields = Elements(signed).filter(|(tag, _)| *tag != VERSION).map(|(_, content)| content);
        let (_serial, _algorithm) = (fields.next()?, fields.next()?);
        let (issuer, validity, subject) = (fields.next()?, fields.next()?, fields.next()?);
        let extensions = Elements(signed).find(|(tag, _)| *tag == EXTENSIONS);
        let extensions = extensions.and_then(|(_, list)| Elements(list).next()).map_or(&[][..], |(_, list)| list);
        Some(CertificateParts { issuer, validity, subject, extensions })
    }

    /// The content of the list that is the value of the extension called `oid`.
    fn extension(&self, oid: &[u8]) -> Option<&'a [u8]> {
        let mut extensions = Elements(self.extensions).map(|(_, extension)| extension);
        let found = extensions.find(|extension| Elements(extension).next() == Some((OID, oid)))?;
        let (_, value) = Elements(found).find(|(tag, _)| *tag == OCTETS)?;
        Elements(value).next().map(|(_, list)| list)
    }
}

/// The name of a certificate's issuer: its common name and, if that differs, its organisation. Fit for a terminal. `None`
/// for anything but a certificate, and for one that has neither.
pub(super) fn issuer(certificate: &[u8]) -> Option<String> {
    name(CertificateParts::read(certificate)?.issuer)
}

/// Whether a certificate names itself as its issuer.
pub(super) fn is_self_issued(certificate: &[u8]) -> bool {
    CertificateParts::read(certificate).is_some_and(|parts| parts.issuer == parts.subject)
}

/// From when until when a certificate is valid.
pub(super) fn validity(certificate: &[u8]) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let mut times = Elements(CertificateParts::read(certificate)?.validity).map(|(tag, text)| time(tag, text));
    Some((times.next()??, times.next()??))
}

/// Whether a certificate may be used by a server: its extended key usage allows it or is absent.
pub(super) fn may_serve(certificate: &[u8]) -> bool {
    let Some(parts) = CertificateParts::read(certificate) else { return false };
    let Some(list) = parts.extension(EXTENDED_KEY_USAGE) else { return true };
    Elements(list).any(|(_, oid)| oid == SERVER_AUTH || oid == ANY_USAGE)
}

/// Whether a certificate is marked as an authority's.
pub(super) fn is_authority(certificate: &[u8]) -> bool {
    let constraints = CertificateParts::read(certificate).and_then(|parts| parts.extension(BASIC_CONSTRAINTS));
    constraints.and_then(|list| Elements(list).next()).is_some_and(|(tag, value)| tag == BOOLEAN && value != [0])
}

fn name(attributes: &[u8]) -> Option<String> {
    let attribute = |wanted: &[u8]| {
        let mut pairs = Elements(attributes).flat_map(|(_, set)| Elements(set)).map(|(_, pair)| Elements(pair));
        pairs.find_map(|mut pair| {
            let (_, oid) = pair.next()?;
            let (tag, text) = pair.next().filter(|_| oid == wanted)?;
            Some(printable(&string(tag, text), 100)).filter(|text| !text.trim().is_empty())
        })
    };
    match (attribute(COMMON_NAME), attribute(ORGANIZATION)) {
        (Some(name), Some(organization)) if name != organization => Some(format!("{name} ({organization})")),
        (name, organization) => name.or(organization),
    }
}

fn string(tag: u8, text: &[u8]) -> String {
    match tag {
        BMP_STRING => {
            let units: Vec<u16> = text.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            String::from_utf16_lossy(&units)
        }
        _ => String::from_utf8_lossy(text).into_owned(),
    }
}

/// Reads UTCTime, whose years from 50 on are 19xx (RFC 5280 section 4.1.2.5.1), or GeneralizedTime.
fn time(tag: u8, text: &[u8]) -> Option<DateTime<Utc>> {
    let text = std::str::from_utf8(text).ok()?;
    let century = match tag {
        UTC_TIME if text.as_bytes().first()? >= &b'5' => "19",
        UTC_TIME => "20",
        _ => "",
    };
    Some(NaiveDateTime::parse_from_str(&format!("{century}{text}"), "%Y%m%d%H%M%SZ").ok()?.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};

    fn certificate(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["host.example".to_owned()]).expect("a name");
        change(&mut params);
        params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate").der().to_vec()
    }

    #[test]
    fn issuer_is_named_by_common_name_and_organization() {
        let both = certificate(|params| {
            params.distinguished_name.push(DnType::CommonName, "Corp Root\u{1b}[31m");
            params.distinguished_name.push(DnType::OrganizationName, "Corp");
        });
        assert_eq!(issuer(&both).as_deref(), Some("Corp Root[31m (Corp)"));
        assert!(is_self_issued(&both));
    }

    #[test]
    fn validity_is_read_across_both_time_formats() {
        let long = certificate(|params| {
            params.not_before = date_time_ymd(1975, 1, 2);
            params.not_after = date_time_ymd(2061, 3, 4);
        });
        let (from, until) = validity(&long).expect("dates");
        assert_eq!(
            (from.to_rfc3339(), until.to_rfc3339()),
            ("1975-01-02T00:00:00+00:00".to_owned(), "2061-03-04T00:00:00+00:00".to_owned())
        );
    }

    #[test]
    fn use_as_a_server_is_read_from_the_extension() {
        assert!(may_serve(&certificate(|_| {})));
        let with = |usage| certificate(|params| params.extended_key_usages = vec![usage]);
        assert!(may_serve(&with(ExtendedKeyUsagePurpose::ServerAuth)));
        assert!(may_serve(&with(ExtendedKeyUsagePurpose::Any)));
        assert!(!may_serve(&with(ExtendedKeyUsagePurpose::ClientAuth)));
    }

    #[test]
    fn authorities_are_recognised() {
        use rcgen::{BasicConstraints, IsCa};
        let marked = |is_ca| is_authority(&certificate(|params| params.is_ca = is_ca));
        assert!(
            marked(IsCa::Ca(BasicConstraints::Unconstrained)) && marked(IsCa::Ca(BasicConstraints::Constrained(0)))
        );
        assert!(!marked(IsCa::NoCa) && !marked(IsCa::ExplicitNoCa));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in any::<Vec<u8>>(), at in 0usize..600, with in any::<u8>()) {
            let mut changed = certificate(|_| {});
            if let Some(byte) = changed.get_mut(at) {
                *byte = with;
            }
            for bytes in [bytes, changed] {
                let _ = (issuer(&bytes), validity(&bytes), may_serve(&bytes), is_authority(&bytes), is_self_issued(&bytes));
            }
        }
    }
}
