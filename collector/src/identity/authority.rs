//! The certificate authority in the collector's data folder: `tls/ca.crt` and `tls/ca.key`.
//!
//! The authority's own certificate lasts as long as an installation may; the server's is made anew at
//! each start, so changed names need no ceremony; an agent's names the agent and nothing that it
//! asked for.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use wire::batch::AgentId;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::IdentityError;

/// Makes and signs certificates.
#[derive(Debug)]
pub struct Authority {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A signed agent certificate beside the authority's own, both in PEM.
#[derive(Debug)]
pub struct Admission {
    /// The agent's certificate.
    pub certificate: String,
    /// The authority's, for the agent to trust.
    pub authority: String,
}

impl Authority {
    /// Opens the authority in `data`, making it if there is none.
    pub fn open(data: &Path) -> Result<Self, IdentityError> {
        let folder = data.join("tls");
        let (key_path, certificate_path) = (folder.join("ca.key"), folder.join("ca.crt"));
        if !certificate_path.exists() {
            create(&folder, &key_path, &certificate_path)?;
        }
        let certificate_pem = read(&certificate_path)?;
        let key = KeyPair::from_pem(&read(&key_path)?)
            .map_err(|error| IdentityError::certificate("the authority's key", error))?;
        let issuer = Issuer::from_ca_cert_pem(&certificate_pem, key)
            .map_err(|error| IdentityError::certificate("the authority's certificate", error))?;
        let certificate = rustls_pemfile::certs(&mut certificate_pem.as_bytes())
            .next()
            .and_then(Result::ok)
            .ok_or_else(|| IdentityError::certificate("the authority's certificate", "no PEM"))?;
        Ok(Self {
            certificate,
            certificate_pem,
            issuer,
        })
    }

    /// SHA-256 of the authority's certificate, which join tokens carry.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.certificate);
        digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    /// What the server needs to speak TLS under `names`, with client certificates taken but not
    /// demanded: browsers and scrapers have none.
    pub fn server_config(&self, names: &[String]) -> Result<rustls::ServerConfig, IdentityError> {
        let server = |error: &dyn ToString| {
            IdentityError::certificate("the server's certificate", error.to_string())
        };
        let key = KeyPair::generate().map_err(|error| server(&error))?;
        let mut params = CertificateParams::new(names.to_vec()).map_err(|error| server(&error))?;
        params
            .distinguished_name
            .push(DnType::CommonName, "nightshift collector");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params
            .signed_by(&key, &self.issuer)
            .map_err(|error| server(&error))?;
        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));

        let mut roots = RootCertStore::empty();
        roots
            .add(self.certificate.clone())
            .map_err(|error| server(&error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .allow_unauthenticated()
                .build()
                .map_err(|error| server(&error))?;
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| server(&error))?
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key)
            .map_err(|error| server(&error))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    /// Signs the request of an agent. Of what the request asks for only the key and the agent's id
    /// (its common name) are taken.
    pub fn admit(&self, request: &str) -> Result<(AgentId, Admission), IdentityError> {
        let refused = |detail: &dyn ToString| {
            IdentityError::certificate("the certificate request", detail.to_string())
        };
        let request =
            CertificateSigningRequestParams::from_pem(request).map_err(|e| refused(&e))?;
        let Some(rcgen::DnValue::Utf8String(name)) =
            request.params.distinguished_name.get(&DnType::CommonName)
        else {
            return Err(refused(&"its common name is not an agent's id"));
        };
        let agent = AgentId::from_str(name).map_err(|e| refused(&e))?;
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, agent.to_string());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params
            .signed_by(&request.public_key, &self.issuer)
            .map_err(|e| refused(&e))?;
        let authority = self.certificate_pem.clone();
        Ok((
            agent,
            Admission {
                certificate: certificate.pem(),
                authority,
            },
        ))
    }
}

/// Whose certificate that is, as [`Authority::admit`] wrote it.
#[must_use]
pub fn agent_of(certificate: &CertificateDer<'_>) -> Option<AgentId> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let name = parsed.subject().iter_common_name().next()?.as_str().ok()?;
    name.parse().ok()
}

fn create(folder: &Path, key_path: &Path, certificate_path: &Path) -> Result<(), IdentityError> {
    let failed = |error| IdentityError::certificate("a new authority", error);
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "Nightshift authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).map_err(failed)?;
    fs::create_dir_all(folder).map_err(|source| file_error("create", folder, source))?;
    // The certificate goes last: with it the pair is whole, and a crash before it starts over.
    write_private(key_path, &key.serialize_pem())?;
    let pending = certificate_path.with_extension("new");
    write_private(&pending, &certificate.pem())?;
    fs::rename(&pending, certificate_path)
        .map_err(|source| file_error("write", certificate_path, source))
}

fn write_private(path: &Path, text: &str) -> Result<(), IdentityError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options
        .open(path)
        .map_err(|source| file_error("create", path, source))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|source| file_error("write", path, source))
}

fn read(path: &Path) -> Result<String, IdentityError> {
    fs::read_to_string(path).map_err(|source| file_error("read", path, source))
}

pub(super) fn file_error(
    operation: &'static str,
    path: &Path,
    source: std::io::Error,
) -> IdentityError {
    IdentityError::File {
        operation,
        path: PathBuf::from(path),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str) -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["evil.example".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.serialize_request(&key).unwrap().pem().unwrap()
    }

    #[test]
    fn the_authority_survives_a_restart_and_its_key_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let data = tempfile::tempdir().unwrap();
        let first = Authority::open(data.path()).unwrap().fingerprint();
        assert_eq!(Authority::open(data.path()).unwrap().fingerprint(), first);
        let mode = fs::metadata(data.path().join("tls/ca.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn an_admitted_agent_gets_its_name_and_nothing_else() {
        let data = tempfile::tempdir().unwrap();
        let authority = Authority::open(data.path()).unwrap();
        let agent = AgentId::random();
        let (admitted, admission) = authority.admit(&request(&agent.to_string())).unwrap();
        assert_eq!(admitted, agent);
        let der = rustls_pemfile::certs(&mut admission.certificate.as_bytes())
            .next()
            .unwrap()
            .unwrap();
        assert_eq!(agent_of(&der), Some(agent));
        let (_, parsed) = X509Certificate::from_der(&der).unwrap();
        assert!(parsed.subject_alternative_name().unwrap().is_none());
        let usage = parsed.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth);
    }

    #[test]
    fn what_is_not_a_request_is_refused() {
        let data = tempfile::tempdir().unwrap();
        let authority = Authority::open(data.path()).unwrap();
        for text in ["", "nonsense", &request("not an id"), &request("")] {
            assert!(authority.admit(text).is_err(), "{text}");
        }
    }
}
