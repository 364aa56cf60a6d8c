//! Whom the TLS of outgoing connections trusts, and what it shows of itself: to targets of forwarding,
//! and to a bucket.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::config::TlsFiles;

/// Where distributions keep the certificates that the host trusts; the first that exists is read.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Reads the files; says what is wrong with them in words for an operator.
pub(crate) fn connector(files: &TlsFiles) -> Result<TlsConnector, String> {
    let mut bundles = SYSTEM_BUNDLES.iter().map(Path::new);
    let path = files.authorities.as_deref();
    let path = path
        .or_else(|| bundles.find(|path| path.exists()))
        .ok_or("this host has no bundle of trusted authorities")?;
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates(path)?);
    if added == 0 {
        return Err(format!("no authority in {}", path.display()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS: {error}"))?
        .with_root_certificates(roots);
    let mut config = match &files.own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            // The reason is left out where it could quote the key.
            let own = PrivateKeyDer::from_pem_file(key)
                .map_err(|_| format!("cannot read a key from {}", key.display()))?;
            builder
                .with_client_auth_cert(certificates(certificate)?, own)
                .map_err(|error| format!("{}: {error}", certificate.display()))?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))
}
