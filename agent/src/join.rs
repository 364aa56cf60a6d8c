//! Joining a collector: `nightshift-agent join --collector URL --token TOKEN`.
//!
//! The token carries the fingerprint of the collector's authority. The first connection is believed
//! only if the server proves itself by that authority; over it the agent sends the token and a
//! certificate request for its own id, and gets its certificate. The private key never leaves the
//! host. Afterwards `tls/` in the data folder holds `agent.key`, `agent.crt` and `ca.crt`, which the
//! shipper uses when the configuration names no other files.

mod pinned;

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::pki_types::ServerName;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wire::batch::AgentId;
use wire::secret::Secret;

/// How long joining may take in all: it is a person who waits.
const DEADLINE: Duration = Duration::from_secs(15);
/// A certificate and its authority are about two kilobytes.
const MAX_ANSWER: usize = 64 << 10;

/// Where an agent's certificates lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The agent's private key.
    pub key: PathBuf,
    /// Its certificate.
    pub certificate: PathBuf,
    /// The authority that it trusts.
    pub authority: PathBuf,
}

/// Why the agent did not join.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct JoinError {
    /// What failed.
    pub message: String,
    /// What to do about it.
    pub hint: &'static str,
}

/// What is sent to `/api/agents/join`.
#[derive(Serialize)]
struct Ask<'a> {
    token: &'a str,
    request: &'a str,
}

/// What comes back.
#[derive(Deserialize)]
struct Answer {
    certificate: String,
    authority: String,
}

impl Credentials {
    /// The files in that data folder, whether they exist or not.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        let folder = data.join("tls");
        Self {
            key: folder.join("agent.key"),
            certificate: folder.join("agent.crt"),
            authority: folder.join("ca.crt"),
        }
    }

    /// Whether the agent has joined.
    #[must_use]
    pub fn exist(&self) -> bool {
        self.key.exists() && self.certificate.exists() && self.authority.exists()
    }
}

/// Joins the collector at `url` with `token` and leaves the credentials in `data`.
pub async fn join(
    url: &str,
    token: &Secret,
    agent: AgentId,
    data: &Path,
) -> Result<Credentials, JoinError> {
    let (host, port) = address(url)?;
    let fingerprint = fingerprint_of(token.reveal()).ok_or(JoinError {
        message: "the token is not a join token".to_owned(),
        hint: "make one with `nightshift token create` on the collector and copy it whole",
    })?;
    let key = KeyPair::generate().map_err(|error| failed("make a key", error))?;
    let request = certificate_request(&key, agent)?;
    let exchange = exchange(
        &host,
        port,
        fingerprint,
        Ask {
            token: token.reveal(),
            request: &request,
        },
    );
    let answer = tokio::time::timeout(DEADLINE, exchange)
        .await
        .map_err(|_| JoinError {
            message: format!("the collector at {host}:{port} did not answer within 15s"),
            hint: "check that the collector runs and that no firewall drops the connection",
        })??;
    let credentials = Credentials::of(data);
    save(&credentials, &key, &answer).map_err(|error| failed("write the credentials", error))?;
    Ok(credentials)
}

fn failed(doing: &str, error: impl std::fmt::Display) -> JoinError {
    JoinError {
        message: format!("cannot {doing}: {error}"),
        hint: "",
    }
}

fn address(url: &str) -> Result<(String, u16), JoinError> {
    let wrong = || JoinError {
        message: format!("{url:?} is not the address of a collector"),
        hint: "write it as https://collector.example:7700",
    };
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let host = uri.host().ok_or_else(wrong)?;
    if uri.scheme_str() != Some("https") {
        return Err(wrong());
    }
    const DEFAULT_PORT: u16 = 7700;
    Ok((
        host.trim_matches(['[', ']']).to_owned(),
        uri.port_u16().unwrap_or(DEFAULT_PORT),
    ))
}

/// Reads the fingerprint out of `nsj1-FINGERPRINT-SECRET`.
fn fingerprint_of(token: &str) -> Option<[u8; 32]> {
    let mut parts = token.trim().split('-');
    let (prefix, fingerprint) = (parts.next()?, parts.next()?);
    if prefix != "nsj1" || fingerprint.len() != 64 {
        return None;
    }
    let mut bytes = [0u8; 32];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(fingerprint.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn certificate_request(key: &KeyPair, agent: AgentId) -> Result<String, JoinError> {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, agent.to_string());
    let request = params
        .serialize_request(key)
        .and_then(|request| request.pem());
    request.map_err(|error| failed("make a certificate request", error))
}

async fn exchange(
    host: &str,
    port: u16,
    fingerprint: [u8; 32],
    ask: Ask<'_>,
) -> Result<Answer, JoinError> {
    let stream = connect(host, port, fingerprint).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed("speak HTTP with the collector", error))?;
    let body = serde_json::to_vec(&ask).map_err(|error| failed("write the request", error))?;
    let request = Request::post("/api/agents/join")
        .header("host", format!("{host}:{port}"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| failed("write the request", error))?;
    let answered = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await;
        Ok::<_, hyper::Error>((status, body.map(|body| body.to_bytes())))
    };
    // The connection is driven beside the request and ends with it.
    let (status, body) = tokio::select! {
        answered = answered => answered.map_err(|error| failed("ask the collector", error))?,
        ended = connection => {
            let error = ended.err().map_or_else(|| "it hung up".to_owned(), |e| e.to_string());
            return Err(failed("ask the collector", error));
        }
    };
    let body = body.map_err(|error| failed("read the collector's answer", error))?;
    if status != StatusCode::OK {
        let text: String = String::from_utf8_lossy(&body).chars().take(300).collect();
        let message = format!("the collector refused ({status}): {}", text.trim());
        return Err(JoinError {
            message,
            hint: "make a new token: each is good once, for an hour",
        });
    }
    serde_json::from_slice(&body).map_err(|error| failed("read the collector's answer", error))
}

async fn connect(
    host: &str,
    port: u16,
    fingerprint: [u8; 32],
) -> Result<TlsStream<TcpStream>, JoinError> {
    let tcp = TcpStream::connect((host, port))
        .await
        .map_err(|error| JoinError {
            message: format!("cannot connect to {host}:{port}: {error}"),
            hint: "check the address, and that the collector listens on more than loopback",
        })?;
    let config = pinned::client_config(fingerprint).map_err(|error| failed("set up TLS", error))?;
    let name =
        ServerName::try_from(host.to_owned()).map_err(|error| failed("set up TLS", error))?;
    TlsConnector::from(config)
        .connect(name, tcp)
        .await
        .map_err(|error| JoinError {
            message: format!("{host}:{port} is not the collector that the token is from: {error}"),
            hint: "use a token made on that very collector",
        })
}

/// Writes the key first and the certificate last: with the certificate the set is whole.
fn save(credentials: &Credentials, key: &KeyPair, answer: &Answer) -> std::io::Result<()> {
    if let Some(folder) = credentials.key.parent() {
        fs::create_dir_all(folder)?;
    }
    let files = [
        (&credentials.key, key.serialize_pem()),
        (&credentials.authority, answer.authority.clone()),
        (&credentials.certificate, answer.certificate.clone()),
    ];
    for (path, text) in files {
        let pending = path.with_extension("new");
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&pending)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&pending, path)?;
    }
    Ok(())
}
