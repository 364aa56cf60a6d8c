//! `tls_config`: whom to trust, and who we are.

use std::path::PathBuf;

use rules::Problems;
use rules::yaml::Cursor;

use super::value::{self, SecretSource};

/// How a server is verified, and what we show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// The authorities to trust in place of the system's.
    pub ca: Option<Pem>,
    /// Our certificate. It stands here with its key or not at all.
    pub identity: Option<Identity>,
    /// The name that the server's certificate must have, where it is not the host's.
    pub server_name: Option<String>,
    /// Whether any certificate will do.
    pub skip_verification: bool,
    /// The oldest version to speak.
    pub min_version: Option<TlsVersion>,
    /// The newest version to speak.
    pub max_version: Option<TlsVersion>,
}

/// A certificate of ours with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, and those between it and an authority.
    pub certificate: Pem,
    /// Its key.
    pub key: SecretSource,
}

/// Certificates as PEM, or the file that they lie in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pem {
    Inline(String),
    /// A relative path starts at the folder of the configuration file.
    File(PathBuf),
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    Tls10,
    Tls11,
    Tls12,
    Tls13,
}

impl TlsVersion {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "TLS10" => Some(Self::Tls10),
            "TLS11" => Some(Self::Tls11),
            "TLS12" => Some(Self::Tls12),
            "TLS13" => Some(Self::Tls13),
            _ => None,
        }
    }
}

const KEYS: [&str; 10] = [
    "ca",
    "cert",
    "key",
    "ca_file",
    "cert_file",
    "key_file",
    "server_name",
    "insecure_skip_verify",
    "min_version",
    "max_version",
];

impl TlsConfig {
    /// Reads a section.
    pub fn read(at: &Cursor<'_>, problems: &mut Problems) -> Self {
        at.fields(&KEYS, problems);
        let version = |key: &str, problems: &mut Problems| {
            let wanted = "TLS10, TLS11, TLS12 or TLS13";
            at.parsed(key, wanted, TlsVersion::parse, problems)
        };
        let min_version = version("min_version", problems);
        let max_version = version("max_version", problems);
        if max_version.is_some_and(|newest| newest < TlsVersion::Tls12) {
            let place = at.get("max_version").unwrap_or_else(|| at.clone());
            let message = "TLS before 1.2 is not spoken here";
            place.problem(problems, message, "leave max_version out");
        }
        if let (Some(oldest), Some(newest)) = (min_version, max_version)
            && newest < oldest
        {
            at.problem(problems, "max_version is older than min_version", "");
        }
        let certificate = pem(at, "cert", problems);
        let key = value::secret(at, "key", problems);
        if certificate.is_some() != key.is_some() {
            let (has, lacks) = match key {
                Some(_) => ("key", "cert"),
                None => ("cert", "key"),
            };
            let hint = format!("add {lacks}_file, or remove the {has}");
            let message = format!("{has} without {lacks}: they go together");
            at.problem(problems, message, &hint);
        }
        let identity = certificate.zip(key);
        Self {
            ca: pem(at, "ca", problems),
            identity: identity.map(|(certificate, key)| Identity { certificate, key }),
            server_name: value::text(at, "server_name", problems),
            skip_verification: at.flag("insecure_skip_verify", problems) == Some(true),
            min_version,
            max_version,
        }
    }
}

fn pem(at: &Cursor<'_>, key: &str, problems: &mut Problems) -> Option<Pem> {
    let inline = value::text(at, key, problems);
    let file_key = format!("{key}_file");
    let file = value::path(at, &file_key, problems);
    if inline.is_some() && file.is_some() {
        let message = format!("at most one of {key} and {file_key} may be set");
        at.problem(problems, message, "remove one of them");
    }
    inline.map(Pem::Inline).or(file.map(Pem::File))
}
