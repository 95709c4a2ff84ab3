//! Certificate and key of the listener, from PEM files.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use kubectl_login_core::error::{Error, Result};
use kubectl_login_core::http::install_crypto_provider;
use kubectl_login_core::named_file;

/// What makes a listener speak https.
///
/// Errors: a file cannot be read or holds something else, or the key is not the certificate's. Nothing of the key is
/// repeated.
pub(super) fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor> {
    let chain = CertificateDer::pem_slice_iter(&read(certificate, "--local-server-cert")?)
        .collect::<Result<Vec<_>, _>>()
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or_else(|| unusable("--local-server-cert", certificate, "it holds no certificate in PEM"))?;
    let private = PrivateKeyDer::from_pem_slice(&read(key, "--local-server-key")?)
        .map_err(|_| unusable("--local-server-key", key, "it holds no private key in PEM"))?;
    install_crypto_provider();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|_| unusable("--local-server-key", key, "it is not the certificate's"))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn read(file: &Path, flag: &str) -> Result<Vec<u8>> {
    named_file::read_named(file).map_err(|error| unusable(flag, file, &error.to_string()))
}

fn unusable(flag: &str, file: &Path, why: &str) -> Error {
    Error::failed(
        format!("{flag} {} cannot be used: {why}", kubectl_login_core::text::printable(&file.to_string_lossy(), 200)),
        "Give PEM files: the certificate for localhost, and its private key.",
    )
}
