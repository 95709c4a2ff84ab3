//! Verifies the certificates of servers: first with the authorities of the platform and of settings, then with each that
//! the environment adds, recording which of these was needed.
//!
//! Verification is not weakened: rustls (or the platform) checks chains, names, dates and signatures. This module adds the
//! order, the record, and the reason why a certificate is refused.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error as TlsError, OtherError, RootCertStore, SignatureScheme};

use super::certificate::CertificateProblem;
use super::network::Network;
use super::setup_error::{HttpSetupError, RootsProblem, RootsSource};
use super::{roots, x509};

/// The authorities of the environment that the connections of one client have needed so far, by fingerprint.
#[derive(Debug, Default)]
pub(super) struct Anchors {
    needed: Mutex<BTreeSet<String>>,
    withheld: AtomicBool,
}

impl Anchors {
    fn note(&self, fingerprint: &str) {
        self.needed.lock().unwrap_or_else(PoisonError::into_inner).insert(fingerprint.to_owned());
    }

    /// Their fingerprints, in order.
    pub(super) fn noted(&self) -> Vec<String> {
        self.needed.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Whether an authority was needed that this client must not trust.
    pub(super) fn needed_withheld(&self) -> bool {
        self.withheld.load(Ordering::Relaxed)
    }
}

/// One authority that the environment adds.
#[derive(Clone)]
struct Extra {
    fingerprint: String,
    certificate: CertificateDer<'static>,
    verifier: Arc<WebPkiServerVerifier>,
}

/// A verifier for the connections of one client.
pub(super) struct Verifier {
    provider: Arc<CryptoProvider>,
    /// The platform's authorities and those of settings; `None` if there are none.
    base: Option<Arc<dyn ServerCertVerifier>>,
    /// The certificates of settings: a server may present one of them as its own.
    named: Vec<CertificateDer<'static>>,
    extra: Vec<Extra>,
    /// Authorities of the environment that this client must not trust.
    withheld: Vec<Extra>,
    pub(super) anchors: Arc<Anchors>,
    /// Problems with the variables that name authorities.
    useless: Vec<RootsProblem>,
    /// What was skipped while authorities were read.
    pub(super) skipped: Vec<RootsProblem>,
}

/// Which authorities are trusted besides those of settings.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OtherRoots {
    /// The platform's and the environment's.
    All,
    /// The environment's only, so that a platform without authorities will do.
    Environment,
    /// No others.
    None,
}

impl Verifier {
    /// A verifier for what `network` says; `data_place` is the setting that holds authorities itself.
    ///
    /// Errors: a setting without a certificate; no authority at all although the platform's are used.
    pub(super) fn new(
        network: &Network,
        others: OtherRoots,
        data_place: &RootsSource,
    ) -> Result<Verifier, HttpSetupError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let named = roots::configured(network, data_place)?;
        let mut skipped = named.skipped;
        let (found, useless) = match others {
            OtherRoots::None => Default::default(),
            _ => roots::from_environment(&network.environment_roots),
        };
        skipped.extend(found.skipped);
        let extra = found.certificates.into_iter().filter_map(|certificate| {
            let verifier = webpki([certificate.clone()], &provider)?;
            Some(Extra { fingerprint: roots::fingerprint(&certificate), certificate, verifier })
        });
        let counts = |extra: &Extra| network.pinned.as_ref().is_none_or(|list| list.contains(&extra.fingerprint));
        let (extra, withheld): (Vec<_>, Vec<_>) = extra.partition(counts);
        let base = match others {
            OtherRoots::All => platform_verifier(&named.certificates, &provider),
            _ => webpki(named.certificates.iter().cloned(), &provider).map(|base| base as Arc<dyn ServerCertVerifier>),
        };
        if others == OtherRoots::All && base.is_none() && extra.is_empty() && withheld.is_empty() {
            return Err(HttpSetupError::NoRoots(useless));
        }
        let (named, anchors) = (named.certificates, Arc::default());
        Ok(Verifier { provider, base, named, extra, withheld, anchors, useless, skipped })
    }

    /// A verifier for a proxy in front of the server, which only forwards encrypted data. So all authorities of the
    /// environment are trusted and none is recorded: another proxy does not sign users out.
    pub(super) fn for_proxy(&self) -> Verifier {
        Verifier {
            provider: Arc::clone(&self.provider),
            base: self.base.clone(),
            named: self.named.clone(),
            extra: self.extra.iter().chain(&self.withheld).cloned().collect(),
            withheld: Vec::new(),
            anchors: Arc::default(),
            useless: self.useless.clone(),
            skipped: Vec::new(),
        }
    }

    /// The fingerprints of what the environment adds, in order.
    pub(super) fn extra(&self) -> Vec<String> {
        let mut extra: Vec<String> = self.extra.iter().map(|extra| extra.fingerprint.clone()).collect();
        extra.sort();
        extra
    }

    /// Verifies what a server has presented with the trusted authorities.
    fn verify(&self, shown: &PresentedChain<'_>) -> Result<ServerCertVerified, CertificateProblem> {
        let of_base = self.base.as_ref().map(|base| shown.under(base.as_ref()));
        let of_base = of_base.unwrap_or(Err(CertificateError::UnknownIssuer.into()));
        let of_base = of_base.or_else(|error| shown.itself_under(&self.named).ok_or(error));
        let Err(mut why) = of_base else { return Ok(ServerCertVerified::assertion()) };
        for extra in &self.extra {
            match shown.under_extra(extra) {
                Ok(_) => {
                    self.anchors.note(&extra.fingerprint);
                    return Ok(ServerCertVerified::assertion());
                }
                // Any other problem says more than an unknown signer.
                Err(error) if is_unknown_issuer(&why) => why = error,
                Err(_) => {}
            }
        }
        if self.withheld.iter().any(|extra| shown.under_extra(extra).is_ok()) {
            self.anchors.withheld.store(true, Ordering::Relaxed);
            return Err(CertificateProblem::NotOfSession { signer: shown.signer() });
        }
        Err(self.problem(&why, shown))
    }

    fn problem(&self, error: &TlsError, shown: &PresentedChain<'_>) -> CertificateProblem {
        let TlsError::InvalidCertificate(error) = error else { return CertificateProblem::Other(error.to_string()) };
        let date = |at: &UnixTime| i64::try_from(at.as_secs()).ok().and_then(|at| DateTime::from_timestamp(at, 0));
        let other_name = || {
            let parsed = ParsedCertificate::try_from(shown.end_entity);
            match parsed.and_then(|parsed| rustls::client::verify_server_name(&parsed, shown.name)) {
                Err(TlsError::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })) => {
                    Some(presented)
                }
                _ => None,
            }
        };
        // A self-signed certificate is often marked as an authority, and refused for that first.
        let is_unknown = matches!(error, CertificateError::UnknownIssuer | CertificateError::BadSignature)
            || (x509::is_self_issued(shown.end_entity) && x509::is_authority(shown.end_entity));
        match error {
            CertificateError::ExpiredContext { not_after, .. } => CertificateProblem::Expired(date(not_after)),
            CertificateError::Expired => CertificateProblem::Expired(None),
            CertificateError::NotValidYetContext { not_before, .. } => {
                CertificateProblem::NotYetValid(date(not_before))
            }
            CertificateError::NotValidYet => CertificateProblem::NotYetValid(None),
            CertificateError::NotValidForNameContext { presented, .. } => {
                CertificateProblem::other_name(presented.clone())
            }
            CertificateError::NotValidForName => CertificateProblem::other_name(other_name().unwrap_or_default()),
            // If the name is wrong too, a different server answers. That says more than the signer.
            _ if is_unknown => match other_name() {
                Some(presented) => CertificateProblem::other_name(presented),
                None => CertificateProblem::UnknownSigner { signer: shown.signer(), useless: self.useless.clone() },
            },
            _ if x509::is_authority(shown.end_entity) => {
                CertificateProblem::Other("it is marked as that of an authority, not of a server".to_owned())
            }
            other => CertificateProblem::Other(other.to_string()),
        }
    }
}

/// What a server has presented.
struct PresentedChain<'a> {
    end_entity: &'a CertificateDer<'a>,
    intermediates: &'a [CertificateDer<'a>],
    name: &'a ServerName<'a>,
    ocsp: &'a [u8],
    now: UnixTime,
}

impl PresentedChain<'_> {
    fn under(&self, verifier: &dyn ServerCertVerifier) -> Result<ServerCertVerified, TlsError> {
        verifier.verify_server_cert(self.end_entity, self.intermediates, self.name, self.ocsp, self.now)
    }

    fn under_extra(&self, extra: &Extra) -> Result<ServerCertVerified, TlsError> {
        let under = self.under(extra.verifier.as_ref());
        under.or_else(|error| self.itself_under(std::slice::from_ref(&extra.certificate)).ok_or(error))
    }

    /// Accepts a server's own certificate if it is itself among `trusted`, like Go and so kubectl (crypto/x509,
    /// `Certificate.Verify`). rustls refuses it if it is marked as an authority.
    fn itself_under(&self, trusted: &[CertificateDer<'_>]) -> Option<ServerCertVerified> {
        let is_trusted = trusted.iter().any(|known| known.as_ref() == self.end_entity.as_ref());
        let now = i64::try_from(self.now.as_secs()).ok().and_then(|now| DateTime::<Utc>::from_timestamp(now, 0))?;
        let (from, until) = x509::validity(self.end_entity).filter(|_| is_trusted)?;
        let parsed = ParsedCertificate::try_from(self.end_entity).ok()?;
        rustls::client::verify_server_name(&parsed, self.name).ok()?;
        ((from..=until).contains(&now) && x509::may_serve(self.end_entity)).then(ServerCertVerified::assertion)
    }

    /// The issuer of the last certificate of the chain; `None` if that is self-signed.
    fn signer(&self) -> Option<String> {
        let last = self.intermediates.last().unwrap_or(self.end_entity);
        match self.intermediates.is_empty() && x509::is_self_issued(last) {
            true => None,
            false => x509::issuer(last),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        self.verify(&PresentedChain { end_entity, intermediates, name, ocsp, now })
            .map_err(|problem| CertificateError::Other(OtherError(Arc::new(problem))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("extra", &self.extra.len()).finish_non_exhaustive()
    }
}

/// Accepts every certificate and every signature, for settings that turn verification off.
#[derive(Debug, Default)]
pub(super) struct NoVerification;

impl ServerCertVerifier for NoVerification {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Whether all `anchors` are trusted by `network`: as authorities of the environment, or as the system's own, in case they
/// have been moved there.
pub fn trusts_anchors(network: &Network, anchors: &[String]) -> bool {
    let (found, _) = roots::from_environment(&network.environment_roots);
    let known: BTreeSet<String> = found.certificates.iter().map(roots::fingerprint).collect();
    let left: Vec<&String> = anchors.iter().filter(|anchor| !known.contains(*anchor)).collect();
    left.is_empty() || are_system_roots(&left)
}

#[cfg(all(unix, not(target_vendor = "apple")))]
fn are_system_roots(anchors: &[&String]) -> bool {
    let known: BTreeSet<String> = roots::system().iter().map(roots::fingerprint).collect();
    anchors.iter().all(|anchor| known.contains(*anchor))
}

/// This platform does not list its authorities.
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
fn are_system_roots(_: &[&String]) -> bool {
    false
}

fn webpki(
    certificates: impl IntoIterator<Item = CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<WebPkiServerVerifier>> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates);
    WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider)).build().ok()
}

#[cfg(all(unix, not(target_vendor = "apple")))]
fn platform_verifier(
    named: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<dyn ServerCertVerifier>> {
    let all = roots::system().into_iter().chain(named.iter().cloned());
    webpki(all, provider).map(|base| base as Arc<dyn ServerCertVerifier>)
}

#[cfg(not(all(unix, not(target_vendor = "apple"))))]
fn platform_verifier(
    named: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<dyn ServerCertVerifier>> {
    let platform = rustls_platform_verifier::Verifier::new_with_extra_roots(named.to_vec(), Arc::clone(provider));
    platform.ok().map(|base| Arc::new(base) as Arc<dyn ServerCertVerifier>)
}

/// Whether a chain is not signed by a trusted authority. An authority with the name of a trusted one, such as that of a
/// cluster which was created again, is recognised by its signature only.
fn is_unknown_issuer(error: &TlsError) -> bool {
    matches!(error, TlsError::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::network::EnvironmentRoots;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    use std::io::Write as _;

    #[test]
    fn proxy_may_be_signed_by_any_authority_of_the_environment() {
        let mut ca = CertificateParams::new(Vec::new()).expect("no names");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let root = ca.self_signed(&key).expect("an authority");
        let leaf = CertificateParams::new(vec!["host.example".to_owned()]).expect("a name");
        let leaf_key = KeyPair::generate().expect("a key");
        let leaf = leaf.signed_by(&leaf_key, &Issuer::new(ca, key)).expect("a certificate");
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(root.pem().as_bytes()).expect("written");

        let roots = EnvironmentRoots { file: Some(file.path().to_owned()), folders: Vec::new() };
        let network = Network { environment_roots: roots, pinned: Some(Vec::new()), ..Network::default() };
        let verifier = Verifier::new(&network, OtherRoots::Environment, &RootsSource::Data).expect("a verifier");
        let name = ServerName::try_from("host.example").expect("a name");
        let judge = |verifier: &Verifier| {
            let (end_entity, now) = (leaf.der(), UnixTime::now());
            verifier.verify(&PresentedChain { end_entity, intermediates: &[], name: &name, ocsp: &[], now }).map(|_| ())
        };
        assert!(matches!(judge(&verifier), Err(CertificateProblem::NotOfSession { .. })));
        assert!(verifier.anchors.needed_withheld());
        let for_proxy = verifier.for_proxy();
        assert_eq!(judge(&for_proxy), Ok(()));
        assert!(verifier.anchors.noted().is_empty());
    }
}
