//! How a source trusts and names a TLS server, and what it saw of one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::certificate::{self, Expiry};
use crate::config::Problems;

/// Where distributions keep the certificates that the host trusts; the first that exists is read.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// TLS settings as the configuration file has them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawTls {
    /// PEM file of the authorities to trust. Default: those that the host trusts.
    pub ca_file: Option<PathBuf>,
    /// PEM file of the certificate to show to a server that asks for one. Default: none.
    pub cert_file: Option<PathBuf>,
    /// PEM file of that certificate's key. Default: none.
    pub key_file: Option<PathBuf>,
    /// The name to ask for and to verify. Default: the host that is connected to.
    pub server_name: Option<String>,
    /// Accept any certificate: encryption without knowing with whom. Default: false.
    #[serde(default)]
    pub insecure_skip_verify: bool,
}

/// How to speak TLS to a server.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

/// Whom to speak to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Whoever answers: encryption without knowing with whom.
    Anyone,
    /// Whoever an authority vouches for, under any name.
    Authority,
    /// The one whom an authority vouches for under the name that was asked for.
    Name,
}

/// What was seen of a server's TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `TLS 1.2` or `TLS 1.3`.
    pub version: &'static str,
    /// Until when its certificates are valid; nothing where they could not be read.
    pub expiry: Option<Expiry>,
}

impl RawTls {
    /// Reads the files and checks the names.
    pub fn validate(self, problems: &mut Problems) -> Option<Tls> {
        let trust = match self.insecure_skip_verify {
            true => Trust::Anyone,
            false => Trust::Name,
        };
        self.validate_for(trust, problems)
    }

    /// The same for a protocol that has words of its own for whom to trust.
    pub fn validate_for(self, trust: Trust, problems: &mut Problems) -> Option<Tls> {
        let server_name = match self.server_name {
            None => None,
            Some(name) => Some(named(name, problems)?),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| problems.add("", format!("TLS: {error}"), ""))
            .ok()?;
        let authorities = self.ca_file.as_deref();
        let lenient = |authority| {
            Arc::new(Lenient {
                provider: Arc::clone(&provider),
                authority,
            })
        };
        let builder = match trust {
            Trust::Anyone => builder
                .dangerous()
                .with_custom_certificate_verifier(lenient(None)),
            Trust::Authority => {
                let roots = Arc::new(roots(authorities, problems)?);
                let verifier =
                    WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
                let authority = verifier
                    .build()
                    .map_err(|error| problems.add("ca_file", error.to_string(), ""))
                    .ok()?;
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(lenient(Some(authority)))
            }
            Trust::Name => builder.with_root_certificates(roots(authorities, problems)?),
        };
        let config = match (self.cert_file, self.key_file) {
            (None, None) => builder.with_no_client_auth(),
            (Some(cert), Some(key)) => {
                let chain = certificates(&cert, "cert_file", problems)?;
                let key = private_key(&key, problems)?;
                let hint = "the key must belong to the certificate";
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| problems.add("key_file", error.to_string(), hint))
                    .ok()?
            }
            _ => {
                let message = "cert_file and key_file go together";
                problems.add("cert_file", message, "set both or neither");
                return None;
            }
        };
        Some(Tls {
            config: Arc::new(config),
            server_name,
        })
    }
}

impl Tls {
    /// Shakes hands over `stream` with the server reached as `host`.
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: &str,
        stream: S,
    ) -> std::io::Result<(TlsStream<S>, Seen)> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?,
        };
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = connector.connect(name, stream).await.map_err(plain)?;
        let seen = Seen::of(stream.get_ref().1);
        Ok((stream, seen))
    }
}

/// Says what is wrong with a certificate in a few words: rustls adds the time of day, by which an
/// error that lasts would look like a new one at every look.
fn plain(error: std::io::Error) -> std::io::Error {
    use rustls::CertificateError as Certificate;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    let Some(rustls::Error::InvalidCertificate(wrong)) = inner else {
        return error;
    };
    std::io::Error::other(match wrong {
        Certificate::Expired | Certificate::ExpiredContext { .. } => "the certificate has expired",
        Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
            "the certificate is not valid yet"
        }
        Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
            "the certificate is for another name"
        }
        Certificate::UnknownIssuer => "the certificate's authority is not trusted",
        Certificate::Revoked => "the certificate was revoked",
        _ => return error,
    })
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The configuration holds a key.
        f.debug_struct("Tls")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

impl Seen {
    fn of(connection: &ClientConnection) -> Self {
        let version = match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
            _ => "unknown",
        };
        let chain = connection.peer_certificates().unwrap_or_default();
        Self {
            version,
            expiry: certificate::expiry(chain.iter().map(AsRef::as_ref)),
        }
    }
}

fn named(name: String, problems: &mut Problems) -> Option<ServerName<'static>> {
    let message = format!("{name:?} is neither a host name nor an address");
    let hint = "write the name in the certificate";
    ServerName::try_from(name)
        .map_err(|_| problems.add("server_name", message, hint))
        .ok()
}

fn roots(file: Option<&Path>, problems: &mut Problems) -> Option<RootCertStore> {
    let system = || {
        SYSTEM_BUNDLES
            .iter()
            .map(Path::new)
            .find(|path| path.exists())
    };
    let Some(path) = file.or_else(system) else {
        let message = "this host has no bundle of trusted authorities";
        problems.add(
            "ca_file",
            message,
            "name a PEM file, or install ca-certificates",
        );
        return None;
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates(path, "ca_file", problems)?);
    if added == 0 {
        let message = format!("no authority in {}", path.display());
        problems.add("ca_file", message, "name a PEM file with certificates");
        return None;
    }
    Some(roots)
}

fn certificates(
    path: &Path,
    key: &str,
    problems: &mut Problems,
) -> Option<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match read {
        Ok(certificates) => Some(certificates),
        Err(error) => {
            let message = format!("cannot read {}: {error}", path.display());
            problems.add(key, message, "name a PEM file that the agent may read");
            None
        }
    }
}

fn private_key(path: &Path, problems: &mut Problems) -> Option<PrivateKeyDer<'static>> {
    match PrivateKeyDer::from_pem_file(path) {
        Ok(key) => Some(key),
        // The reason is left out where it could quote the key.
        Err(_) => {
            let message = format!("cannot read a key from {}", path.display());
            problems.add(
                "key_file",
                message,
                "name a PEM file that the agent may read",
            );
            None
        }
    }
}

/// Asks less of a certificate than rustls does, and still checks that the server holds its key.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    /// Who must vouch for it, under whatever name (libpq's `verify-ca`); nobody if nothing.
    authority: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use rustls::CertificateError::{NotValidForName, NotValidForNameContext};
        let Some(authority) = &self.authority else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified = authority.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            // The name is compared last: the chain was found good.
            Err(rustls::Error::InvalidCertificate(
                NotValidForName | NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
