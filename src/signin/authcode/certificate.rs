//! Certificate and key of the listener, from PEM files.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::failure::{ListenerFile, ListenerFileProblem, RedirectError};
use kubectl_login_core::http::install_crypto_provider;
use kubectl_login_core::named_file;
use kubectl_login_core::text::printable;

/// What makes a listener speak https.
///
/// Errors: a file cannot be read or holds something else, or the key does not belong to the certificate.
pub(super) fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, RedirectError> {
    let wrong_certificate = |problem| unusable(ListenerFile::Certificate, certificate, problem);
    let wrong_key = |problem| unusable(ListenerFile::Key, key, problem);
    let chain = CertificateDer::pem_slice_iter(&read(certificate).map_err(wrong_certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or_else(|| wrong_certificate(ListenerFileProblem::NoCertificate))?;
    let private = PrivateKeyDer::from_pem_slice(&read(key).map_err(wrong_key)?)
        .map_err(|_| wrong_key(ListenerFileProblem::NoKey))?;
    install_crypto_provider();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|_| wrong_key(ListenerFileProblem::OtherKey))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn read(file: &Path) -> Result<Vec<u8>, ListenerFileProblem> {
    named_file::read_named(file).map_err(|error| ListenerFileProblem::Unreadable(error.to_string()))
}

fn unusable(file: ListenerFile, path: &Path, problem: ListenerFileProblem) -> RedirectError {
    RedirectError::File { file, path: printable(&path.to_string_lossy(), 200), problem }
}
