//! Certificate authorities of the platform, of settings and of the environment.
//!
//! Those of the environment are kept apart. A kubeconfig entry can set `SSL_CERT_FILE` for itself, so tokens that were
//! obtained through one of these must not be mixed with others (`session::identity`).

use std::path::{Path, PathBuf};

use base64::Engine as _;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};

use super::network::{EnvironmentRoots, Network};
use super::setup_error::{RootsProblem, RootsProblemKind, RootsSource, shown};
use crate::named_file;
use crate::text::hex;

/// How many files are read at most in one folder of `SSL_CERT_DIR`; systems have a few hundred.
const FILES_CAP: usize = 2_000;
/// How much is read at most in all folders of `SSL_CERT_DIR` together, in bytes; the file that reaches it is read to its
/// end. Systems have less than one MiB.
const FOLDERS_CAP: usize = 64 * 1024 * 1024;
/// How many certificates are read at most from one file.
const CERTIFICATES_CAP: usize = 10_000;

/// Certificates of one source, and the problems with it.
#[derive(Default)]
pub(super) struct Roots {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// What was skipped.
    pub(super) skipped: Vec<RootsProblem>,
}

impl Roots {
    /// Adds the certificates of a PEM file. One that cannot be read is skipped.
    fn add(&mut self, pem: &[u8], place: &RootsSource) {
        let mut damaged = 0;
        for certificate in CertificateDer::pem_slice_iter(pem).take(CERTIFICATES_CAP) {
            match certificate {
                Ok(certificate) if RootCertStore::empty().add(certificate.clone()).is_ok() => {
                    self.certificates.push(certificate);
                }
                _ => damaged += 1,
            }
        }
        if damaged > 0 {
            self.skipped.push(RootsProblem::new(place.clone(), RootsProblemKind::Damaged(damaged)));
        }
    }
}

/// Identifies a certificate: the SHA-256 of its DER.
pub(super) fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    hex(&Sha256::digest(certificate))
}

/// The authorities that settings name; `data_place` is the setting that holds them itself.
///
/// Errors: one of the settings has none.
pub(super) fn configured(network: &Network, data_place: &RootsSource) -> Result<Roots, RootsProblem> {
    let mut roots = Roots::default();
    let mut add = |pem: &[u8], place: &RootsSource| {
        let before = roots.certificates.len();
        roots.add(pem, place);
        match roots.certificates.len() > before {
            true => Ok(()),
            false => Err(RootsProblem::new(place.clone(), RootsProblemKind::NoCertificate)),
        }
    };
    for file in &network.ca_files {
        let place = RootsSource::File(shown(file.path()));
        let pem = named_file::read_named(file.path())
            .map_err(|error| RootsProblem::new(place.clone(), RootsProblemKind::Unreadable(error.into())))?;
        add(&pem, &place)?;
    }
    for data in &network.ca_data {
        // `base64` breaks its lines unless told otherwise.
        let data: String = data.split_ascii_whitespace().collect();
        let pem = base64::engine::general_purpose::STANDARD.decode(data).unwrap_or_default();
        add(&pem, data_place)?;
    }
    Ok(roots)
}

/// The authorities that the environment names, and what is wrong with each variable that names none.
pub(super) fn from_environment(named: &EnvironmentRoots) -> (Roots, Vec<RootsProblem>) {
    let mut roots = Roots::default();
    let mut useless = Vec::new();
    if let Some(file) = &named.file {
        let place = RootsSource::EnvironmentFile(shown(file));
        let problem = match named_file::read_named(file) {
            Err(error) => Some(RootsProblemKind::Unreadable(error.into())),
            Ok(pem) if pem.is_empty() => Some(RootsProblemKind::Empty),
            Ok(pem) => {
                roots.add(&pem, &place);
                roots.certificates.is_empty().then_some(RootsProblemKind::NoCertificate)
            }
        };
        useless.extend(problem.map(|kind| RootsProblem::new(place, kind)));
    }
    let mut left = FOLDERS_CAP;
    for folder in &named.folders {
        let place = RootsSource::EnvironmentFolder(shown(folder));
        let before = roots.certificates.len();
        match files_in(folder) {
            Err(error) => useless.push(RootsProblem::new(place, RootsProblemKind::Unreadable(error.into()))),
            Ok(files) => {
                for file in files {
                    if left == 0 {
                        roots.skipped.push(RootsProblem::new(place.clone(), RootsProblemKind::TooLarge));
                        break;
                    }
                    // Other files may be there too.
                    if let Ok(pem) = named_file::read_named(&file) {
                        left = left.saturating_sub(pem.len());
                        roots.add(&pem, &RootsSource::FileInFolder(shown(&file)));
                    }
                }
                if roots.certificates.len() == before && left > 0 {
                    useless.push(RootsProblem::new(place, RootsProblemKind::NoCertificate));
                }
            }
        }
    }
    roots.certificates.sort_unstable_by(|a, b| a.as_ref().cmp(b.as_ref()));
    roots.certificates.dedup();
    (roots, useless)
}

fn files_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.take(FILES_CAP).flatten().map(|entry| entry.path()).collect();
    files.sort();
    Ok(files)
}

/// The system's own authorities, on systems that keep them in files: the usual places, ignoring `SSL_CERT_FILE` and
/// `SSL_CERT_DIR`. (Libraries read those two variables themselves unless they are given paths.)
#[cfg(all(unix, not(target_vendor = "apple")))]
pub(super) fn system() -> Vec<CertificateDer<'static>> {
    /// The same as in Go, and so in kubectl (crypto/x509, `root_linux.go` and `root_bsd.go`).
    const FILES: &[&str] = &[
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/pki/tls/cacert.pem",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/cert.pem",
        "/usr/local/etc/ssl/cert.pem",
        "/usr/local/share/certs/ca-root-nss.crt",
    ];
    const FOLDERS: &[&str] = &["/etc/ssl/certs", "/etc/pki/tls/certs"];
    let file = FILES.iter().map(Path::new).find(|file| file.is_file());
    let folders = FOLDERS.iter().map(Path::new).filter(|folder| folder.is_dir());
    let mut certificates = Vec::new();
    for (file, folder) in [(file, None)].into_iter().chain(folders.map(|folder| (None, Some(folder)))) {
        let found = rustls_native_certs::load_certs_from_paths(file, folder);
        for error in found.errors {
            tracing::debug!(%error, "a certificate authority of the system is skipped");
        }
        certificates.extend(found.certs);
    }
    certificates.sort_unstable_by(|a, b| a.as_ref().cmp(b.as_ref()));
    certificates.dedup();
    certificates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreadable_certificate_in_a_bundle_is_skipped() {
        let made = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).expect("a certificate");
        let block = |body: &str| format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        for broken in [block("bm9uZQ=="), block("%%%%"), "-----BEGIN CERTIFICATE-----\nAAAA\n".to_owned()] {
            for bundle in [format!("{broken}{}", made.cert.pem()), format!("{}{broken}", made.cert.pem())] {
                let mut roots = Roots::default();
                roots.add(bundle.as_bytes(), &RootsSource::Data);
                // A block without an end takes the next one with it.
                let swallowed = broken.ends_with("AAAA\n") && bundle.starts_with(&broken);
                assert_eq!(roots.certificates.len(), usize::from(!swallowed), "{bundle}");
                let skipped: Vec<String> = roots.skipped.iter().map(RootsProblem::to_string).collect();
                let expected = "the certificate authority data holds a certificate that cannot be read: it is skipped";
                assert_eq!(skipped, [expected], "{bundle}");
            }
        }
    }

    #[test]
    fn folders_share_one_limit() {
        let folder = tempfile::tempdir().expect("a folder");
        let large = folder.path().join("a");
        std::fs::File::create(&large).and_then(|file| file.set_len(16 << 20)).expect("a file");
        for name in ["b", "c"] {
            std::fs::hard_link(&large, folder.path().join(name)).expect("a link");
        }
        let made = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).expect("a certificate");
        std::fs::write(folder.path().join("d"), made.cert.pem()).expect("a file");
        let of = |times| {
            from_environment(&EnvironmentRoots { folders: vec![folder.path().to_owned(); times], file: None }).0
        };
        assert_eq!((of(1).certificates.len(), of(1).skipped.len()), (1, 0));
        assert_eq!((of(5).certificates.len(), of(5).skipped.len()), (1, 4));
    }
}
