//! The `[ship]` section of the configuration.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use serde::{Deserialize, Serialize};
use wire::quantity::{Period, Size};

use crate::config::Problems;
use crate::spool::Wanted;

/// Where the collector listens if the address names no port.
const PORT: u16 = 7700;
/// More than this in one request is more than a receiver takes without being told to (4 MiB), with
/// something left for one batch that does not fit in the rest.
const MOST_BYTES: Size = Size(2 << 20);

/// The section as the file has it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawSettings {
    /// Addresses of the collector, as `https://host:port`; several are tried in turn. The port is
    /// 7700 if none is given. Default: none, which keeps everything in the spool.
    pub endpoints: Vec<String>,
    /// File with the certificates (PEM) that the collector's must descend from. Read again at each
    /// connection. Default: what `nightshift-agent join` got.
    pub ca_file: Option<PathBuf>,
    /// File with the agent's own certificate (PEM), where the collector asks for one. Default:
    /// what `nightshift-agent join` got.
    pub certificate_file: Option<PathBuf>,
    /// File with the key (PEM) of `certificate_file`. Default: what `nightshift-agent join`
    /// got.
    pub key_file: Option<PathBuf>,
    /// Name that the collector's certificate must bear, where it differs from the address. Default:
    /// the host in the address.
    pub server_name: Option<String>,
    /// How long a connection may take to be made, as a duration. Default `5s`.
    pub connect_timeout: Period,
    /// How long the collector may take to acknowledge, as a duration. Default `15s`.
    pub request_timeout: Period,
    /// After how long without traffic the connection is checked, as a duration. Default `30s`.
    pub keep_alive: Period,
    /// Longest wait after the first failure, as a duration; it doubles with each further one. The
    /// actual wait is drawn at random below it. Default `1s`.
    pub backoff: Period,
    /// Longest wait after any number of failures, as a duration. Default `30s`.
    pub backoff_limit: Period,
    /// How long to go on sending when the agent stops, as a duration; what is left stays in the
    /// spool. Default `5s`.
    pub drain: Period,
    /// Batches in one request, at the most. Default `64`.
    pub request_batches: usize,
    /// Bytes in one request before compression, at the most, as a size. Default `1MiB`.
    pub request_size: Size,
}

/// The section as the shipper may rely on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Addresses of the collector; at least one.
    pub endpoints: Vec<Uri>,
    /// How a connection is secured; `None` where all addresses are `http`.
    pub tls: Option<Tls>,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long the collector may take to acknowledge.
    pub request_timeout: Duration,
    /// After how long without traffic the connection is checked.
    pub keep_alive: Duration,
    /// Longest wait after the first failure.
    pub backoff: Duration,
    /// Longest wait after any number of failures.
    pub backoff_limit: Duration,
    /// How long to go on sending when the agent stops.
    pub drain: Duration,
    /// How much goes into one request.
    pub request: Wanted,
}

/// How a connection is secured. The files are read at each connection, so that renewed certificates
/// need no restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificates that the collector's must descend from.
    pub ca_file: PathBuf,
    /// The agent's own certificate and key.
    pub identity: Option<Identity>,
    /// The name in the collector's certificate, where it is not the host in the address.
    pub server_name: Option<String>,
}

/// Files of a certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate.
    pub certificate_file: PathBuf,
    /// The key.
    pub key_file: PathBuf,
}

impl Default for RawSettings {
    fn default() -> Self {
        let seconds = |seconds| Period(Duration::from_secs(seconds));
        Self {
            endpoints: Vec::new(),
            ca_file: None,
            certificate_file: None,
            key_file: None,
            server_name: None,
            connect_timeout: seconds(5),
            request_timeout: seconds(15),
            keep_alive: seconds(30),
            backoff: seconds(1),
            backoff_limit: seconds(30),
            drain: seconds(5),
            request_batches: 64,
            request_size: Size(1 << 20),
        }
    }
}

impl RawSettings {
    /// Checks the section, files included.
    pub fn validate(self, problems: &mut Problems) -> Option<Settings> {
        let endpoints = self.endpoints(problems);
        let tls = endpoints.as_ref().map(|list| self.tls(list, problems));
        let periods = self.periods_are_sound(problems);
        let request = self.request(problems);
        let (endpoints, tls, request) = (endpoints?, tls??, request?);
        periods.then(|| Settings {
            endpoints,
            tls,
            connect_timeout: self.connect_timeout.0,
            request_timeout: self.request_timeout.0,
            keep_alive: self.keep_alive.0,
            backoff: self.backoff.0,
            backoff_limit: self.backoff_limit.0,
            drain: self.drain.0,
            request,
        })
    }

    fn endpoints(&self, problems: &mut Problems) -> Option<Vec<Uri>> {
        if self.endpoints.is_empty() {
            let hint = format!("name the collector: endpoints = [\"https://host:{PORT}\"]");
            problems.add("endpoints", "no address is given", hint);
            return None;
        }
        let parsed = self.endpoints.iter().enumerate().map(|(index, text)| {
            // The text itself is not repeated: it may hold a password.
            let address = parse_endpoint(text);
            if let Err(why) = &address {
                let hint = format!("write an address such as https://host:{PORT}");
                problems.add(&format!("endpoints[{index}]"), *why, hint);
            }
            address.ok()
        });
        // Every address is looked at before the first bad one makes the list none.
        let parsed: Vec<Option<Uri>> = parsed.collect();
        parsed.into_iter().collect()
    }

    /// `Some(None)` where no TLS is wanted, `None` where something is wrong.
    fn tls(&self, endpoints: &[Uri], problems: &mut Problems) -> Option<Option<Tls>> {
        let secured = |endpoint: &Uri| endpoint.scheme() == Some(&Scheme::HTTPS);
        if !endpoints.iter().any(secured) {
            let given = self.ca_file.is_some() || self.certificate_file.is_some();
            if given {
                let message = "no address is https, so certificates have no effect";
                problems.add("endpoints", message, "write https:// in place of http://");
            }
            return (!given).then_some(None);
        }
        let Some(ca_file) = self.ca_file.clone() else {
            let hint = "name the file with the certificate of the collector's CA";
            problems.add("ca_file", "is needed for https addresses", hint);
            return None;
        };
        let ca = holds_pem(problems, "ca_file", &ca_file, Pem::Certificate);
        let identity = match (self.certificate_file.clone(), self.key_file.clone()) {
            (None, None) => Some(None),
            (Some(certificate_file), Some(key_file)) => {
                let certificate = &certificate_file;
                let sound = holds_pem(problems, "certificate_file", certificate, Pem::Certificate)
                    & holds_pem(problems, "key_file", &key_file, Pem::Key);
                sound.then_some(Some(Identity {
                    certificate_file,
                    key_file,
                }))
            }
            _ => {
                let message = "certificate_file and key_file need each other";
                problems.add("certificate_file", message, "give both or neither");
                None
            }
        };
        let identity = identity?;
        ca.then(|| {
            Some(Tls {
                ca_file,
                identity,
                server_name: self.server_name.clone(),
            })
        })
    }

    fn periods_are_sound(&self, problems: &mut Problems) -> bool {
        let mut sound = true;
        let never_zero = [
            ("connect_timeout", self.connect_timeout),
            ("request_timeout", self.request_timeout),
            ("keep_alive", self.keep_alive),
            ("backoff", self.backoff),
        ];
        for (key, period) in never_zero {
            if period.0.is_zero() {
                problems.add(key, "is zero", "give a duration such as 5s");
                sound = false;
            }
        }
        if self.backoff_limit < self.backoff {
            let message = format!("{} is less than backoff", self.backoff_limit);
            let hint = format!("give at least {}", self.backoff);
            problems.add("backoff_limit", message, hint);
            sound = false;
        }
        sound
    }

    fn request(&self, problems: &mut Problems) -> Option<Wanted> {
        let batches = (1..=10_000).contains(&self.request_batches);
        if !batches {
            let message = format!("{} is out of range", self.request_batches);
            problems.add("request_batches", message, "choose between 1 and 10000");
        }
        let size = self.request_size.0 > 0 && self.request_size <= MOST_BYTES;
        if !size {
            let message = format!("{} is out of range", self.request_size);
            problems.add(
                "request_size",
                message,
                format!("give at most {MOST_BYTES}"),
            );
        }
        (batches && size).then_some(Wanted {
            batches: self.request_batches,
            raw_bytes: usize::try_from(self.request_size.0).ok()?,
        })
    }
}

fn parse_endpoint(text: &str) -> Result<Uri, &'static str> {
    let uri: Uri = text.trim().parse().map_err(|_| "is not an address")?;
    let scheme = uri.scheme().cloned().ok_or("has no http:// or https://")?;
    if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
        return Err("is neither http:// nor https://");
    }
    let authority = uri.authority().ok_or("names no host")?;
    if authority.as_str().contains('@') {
        return Err("has a user or password in it, which gRPC does not know");
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err("has a path, which gRPC does not know");
    }
    let port = authority.port_u16().unwrap_or(PORT);
    Uri::builder()
        .scheme(scheme)
        .authority(format!("{}:{port}", authority.host()))
        .path_and_query("/")
        .build()
        .map_err(|_| "is not an address")
}

enum Pem {
    Certificate,
    Key,
}

/// Whether the file can be read and holds what it must; nothing of its content is repeated.
fn holds_pem(problems: &mut Problems, key: &str, file: &Path, wanted: Pem) -> bool {
    let (message, hint) = match std::fs::read(file) {
        Ok(bytes) => {
            let mut bytes = bytes.as_slice();
            let (found, what) = match wanted {
                Pem::Certificate => {
                    let mut certificates = rustls_pemfile::certs(&mut bytes);
                    let found = certificates.next().is_some_and(|first| first.is_ok());
                    (found, "certificate")
                }
                Pem::Key => {
                    let key = rustls_pemfile::private_key(&mut bytes);
                    (key.is_ok_and(|key| key.is_some()), "private key")
                }
            };
            if found {
                return true;
            }
            let message = format!("{} holds no {what} in PEM form", file.display());
            (message, "name another file, or write it anew")
        }
        Err(error) => {
            let message = format!("cannot read {}: {error}", file.display());
            (message, "name a file that the agent may read")
        }
    };
    problems.add(key, message, hint);
    false
}

#[cfg(test)]
mod tests;
