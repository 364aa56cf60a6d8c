//! TLS of requests and mail: whom to trust, and what we show.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    SupportedProtocolVersion, version,
};

use super::secrets::read_file;
use crate::config::tls::{Identity, Pem, TlsVersion};
use crate::config::{SecretSource, TlsConfig};

/// Where distributions keep the certificates that the host trusts; the first that exists is read.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What a configuration's files and texts come to.
pub(super) struct Material {
    pub(super) roots: Vec<CertificateDer<'static>>,
    /// Our certificates and key, as PEM.
    pub(super) identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl Material {
    /// Reads what a configuration names; says what is wrong in words for an operator.
    pub(super) fn read(config: &TlsConfig, folder: &Path) -> Result<Self, String> {
        let roots = match &config.ca {
            Some(ca) => {
                let roots = certificates(&pem(ca, folder)?, &name(ca))?;
                if roots.is_empty() {
                    return Err(format!("no certificate in {}", name(ca)));
                }
                roots
            }
            None if config.skip_verification => Vec::new(),
            None => system()?,
        };
        let identity = config.identity.as_ref();
        let identity = identity.map(|identity| own(identity, folder)).transpose()?;
        Ok(Self { roots, identity })
    }
}

/// The files that a configuration names: when one of them changes it is read anew.
pub(super) fn files(config: &TlsConfig) -> Vec<PathBuf> {
    let mut files = Vec::new();
    if let Some(Pem::File(path)) = &config.ca {
        files.push(path.clone());
    }
    if let Some(Identity { certificate, key }) = &config.identity {
        if let Pem::File(path) = certificate {
            files.push(path.clone());
        }
        if let SecretSource::File(path) = key {
            files.push(path.clone());
        }
    }
    files
}

/// As requests use it.
pub(super) fn client(config: &TlsConfig, folder: &Path) -> Result<ClientConfig, String> {
    let material = Material::read(config, folder)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(material.roots);
    let verifier = Verifier::new(config, roots, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(config))
        .map_err(|error| format!("TLS: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    match material.identity {
        None => Ok(builder.with_no_client_auth()),
        Some((chain, key)) => {
            let chain = certificates(&chain, "our certificate")?;
            // The reason is left out where it could quote the key.
            let key = PrivateKeyDer::from_pem_slice(&key)
                .map_err(|_| "our key is none that can be read".to_owned())?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("our certificate and key: {error}"))
        }
    }
}

fn versions(config: &TlsConfig) -> Vec<&'static SupportedProtocolVersion> {
    let mut versions = Vec::new();
    let newest = config.max_version.unwrap_or(TlsVersion::Tls13);
    if newest >= TlsVersion::Tls13 {
        versions.push(&version::TLS13);
    }
    if config.min_version.unwrap_or(TlsVersion::Tls12) <= TlsVersion::Tls12 {
        versions.push(&version::TLS12);
    }
    versions
}

fn name(pem: &Pem) -> String {
    match pem {
        Pem::Inline(_) => "the certificates of tls_config".to_owned(),
        Pem::File(path) => path.display().to_string(),
    }
}

fn pem(pem: &Pem, folder: &Path) -> Result<Vec<u8>, String> {
    match pem {
        Pem::Inline(text) => Ok(text.clone().into_bytes()),
        Pem::File(path) => read_file(folder, path),
    }
}

fn own(identity: &Identity, folder: &Path) -> Result<(Vec<u8>, Vec<u8>), String> {
    let key = match &identity.key {
        SecretSource::Inline(key) => key.reveal().as_bytes().to_vec(),
        SecretSource::File(path) => read_file(folder, path)?,
    };
    Ok((pem(&identity.certificate, folder)?, key))
}

fn certificates(pem: &[u8], name: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("cannot read {name}: {error}"))
}

fn system() -> Result<Vec<CertificateDer<'static>>, String> {
    let mut bundles = SYSTEM_BUNDLES.iter().map(Path::new);
    let path = bundles
        .find(|path| path.exists())
        .ok_or("this host has no bundle of trusted authorities")?;
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    certificates(&bytes, &name)
}

/// Verifies servers as a configuration wants it: by another name than that of the host, or not at all.
#[derive(Debug)]
struct Verifier {
    inner: Option<Arc<WebPkiServerVerifier>>,
    name: Option<ServerName<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(
        config: &TlsConfig,
        roots: RootCertStore,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let name = config.server_name.clone().map(ServerName::try_from);
        let name = name.transpose();
        let name = name.map_err(|_| "server_name is no name of a host".to_owned())?;
        let inner = if config.skip_verification {
            None
        } else {
            let roots = Arc::new(roots);
            let builder =
                WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider)).build();
            Some(builder.map_err(|error| format!("trusted authorities: {error}"))?)
        };
        Ok(Self {
            inner,
            name,
            provider: Arc::clone(provider),
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(inner) = &self.inner else {
            return Ok(ServerCertVerified::assertion());
        };
        let name = self.name.as_ref().unwrap_or(server_name);
        inner.verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
