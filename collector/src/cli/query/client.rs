//! Asks a collector over its HTTP API, plain or with TLS.

mod v2;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Failure, Span};

/// A host that is there answers in less.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Beyond what the collector itself is given, so that its own message comes first.
const MARGIN: Duration = Duration::from_secs(10);

/// More than any terminal or spreadsheet takes.
const LARGEST: usize = 1 << 30;

const PORT: u16 = 7700;

/// Where a collector is and how it is spoken to.
#[derive(Debug)]
pub struct Collector {
    host: String,
    port: u16,
    /// What stands before the API's own paths, behind a proxy.
    prefix: String,
    /// The certificates to trust; none for plain text.
    authority: Option<PathBuf>,
}

impl Collector {
    /// Reads an address such as `https://collector:7700`.
    pub fn parse(address: &str, ca_file: Option<&Path>) -> Result<Self, Failure> {
        let wrong = |why: &str| {
            let hint = "write http://HOST:7700 or https://HOST:7700";
            Failure::usage(format!("--collector {address:?}: {why}")).with_hint(Some(hint.into()))
        };
        let uri: Uri = address.parse().map_err(|_| wrong("it is not an address"))?;
        let host = uri.host().ok_or_else(|| wrong("it names no host"))?;
        let authority = match (uri.scheme_str(), ca_file) {
            (Some("http"), _) => None,
            (Some("https"), Some(file)) => Some(file.to_owned()),
            (Some("https"), None) => {
                let hint = "copy tls/ca.crt from the collector's data folder and name it";
                let failure = Failure::usage("an https collector needs --ca-file");
                return Err(failure.with_hint(Some(hint.into())));
            }
            _ => return Err(wrong("it is neither http nor https")),
        };
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(PORT),
            prefix: uri.path().trim_end_matches('/').to_owned(),
            authority,
        })
    }

    /// The body of a successful answer.
    pub(super) async fn ask(
        &self,
        expr: &str,
        span: Span,
        patience: Duration,
    ) -> Result<Bytes, Failure> {
        let at = |ms: i64| format!("{}", ms as f64 / 1_000.0);
        let mut form = vec![
            ("query", expr.to_owned()),
            ("timeout", patience.as_secs_f64().to_string()),
        ];
        let path = match span {
            Span::At(at_ms) => {
                form.push(("time", at(at_ms)));
                "query"
            }
            Span::Range {
                from_ms,
                to_ms,
                step,
            } => {
                form.push(("start", at(from_ms)));
                form.push(("end", at(to_ms)));
                form.push(("step", step.as_secs_f64().to_string()));
                "query_range"
            }
        };
        let body: Vec<String> = form
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        let path = format!("{}/api/v1/{path}", self.prefix);
        let request = self.request(Method::POST, &path, body.join("&"))?;
        self.answer(request, patience).await
    }

    /// The data of a successful answer to a path of the API. Waits for it on this thread.
    pub(in crate::cli) fn get(&self, path: &str, patience: Duration) -> Result<Value, Failure> {
        let body = self.wait(Method::GET, path, String::new(), patience)?;
        self.data(&body)
    }

    /// The same for a form that is sent.
    pub(in crate::cli) fn post(
        &self,
        path: &str,
        form: &[(&str, &str)],
        patience: Duration,
    ) -> Result<Value, Failure> {
        let form = form.iter();
        let form: Vec<String> = form
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        let body = self.wait(Method::POST, path, form.join("&"), patience)?;
        self.data(&body)
    }

    /// The bytes of a successful answer that is no data of the API.
    pub(in crate::cli) fn fetch(&self, path: &str, patience: Duration) -> Result<Bytes, Failure> {
        self.wait(Method::GET, path, String::new(), patience)
    }

    fn wait(
        &self,
        method: Method,
        path: &str,
        form: String,
        patience: Duration,
    ) -> Result<Bytes, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::unreachable(format!("cannot start: {error}")))?;
        let path = format!("{}{path}", self.prefix);
        let request = self.request(method, &path, form)?;
        runtime.block_on(self.answer(request, patience))
    }

    fn data(&self, body: &[u8]) -> Result<Value, Failure> {
        let mut told: Value = serde_json::from_slice(body).map_err(|error| {
            Failure::unreachable(format!("{} answered no JSON: {error}", self.name()))
        })?;
        Ok(told["data"].take())
    }

    async fn answer(
        &self,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<Bytes, Failure> {
        let wait = patience.saturating_add(MARGIN);
        match timeout(wait, self.send(request)).await {
            Ok(answer) => {
                let (status, body) = answer?;
                succeeded(status, body)
            }
            Err(_elapsed) => Err(Failure::unreachable(format!(
                "{} did not answer within {} s",
                self.name(),
                wait.as_secs()
            ))),
        }
    }

    fn name(&self) -> String {
        format!("the collector at {}:{}", self.host, self.port)
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        form: String,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, format!("{}:{}", self.host, self.port))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(form)))
            .map_err(|error| Failure::usage(error.to_string()))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Failure> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let stream = match timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(self.broken(&error)),
            Err(elapsed) => return Err(self.broken(&elapsed)),
        };
        match &self.authority {
            None => self.exchange(TokioIo::new(stream), request).await,
            Some(file) => {
                let name = ServerName::try_from(self.host.clone())
                    .map_err(|error| Failure::usage(error.to_string()))?;
                let connector = TlsConnector::from(Arc::new(trusting(file)?));
                let stream = connector.connect(name, stream).await;
                let stream = stream.map_err(|error| self.broken(&error))?;
                self.exchange(TokioIo::new(stream), request).await
            }
        }
    }

    async fn exchange(
        &self,
        stream: impl Read + Write + Unpin,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let handshake = http1::handshake(stream).await;
        let (mut sender, connection) = handshake.map_err(|error| self.broken(&error))?;
        let exchange = async {
            let answer = sender.send_request(request).await;
            let (head, body) = answer.map_err(|error| self.broken(&error))?.into_parts();
            let body = Limited::new(body, LARGEST).collect().await;
            let body = body.map_err(|error| self.broken(&*error))?.to_bytes();
            Ok((head.status, body))
        };
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            answer = &mut exchange => answer,
            // The collector closed; what it said before is there.
            _ = connection => exchange.await,
        }
    }

    fn broken(&self, error: &(impl std::error::Error + ?Sized)) -> Failure {
        let hint = "see that it runs and where it listens; name it by --collector URL or NIGHTSHIFT_COLLECTOR";
        let source = error.source().map(ToString::to_string);
        Failure::unreachable(format!("cannot reach {}: {error}", self.name()))
            .with_detail(source)
            .with_hint(Some(hint.to_owned()))
    }
}

/// Trusts what descends from the certificates in a file.
fn trusting(file: &Path) -> Result<ClientConfig, Failure> {
    let wrong = |why: String| Failure::usage(format!("--ca-file {}: {why}", file.display()));
    let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in rustls_pemfile::certs(&mut pem.as_slice()) {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("it holds no certificate".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// The body, unless the status says that something went wrong.
fn succeeded(status: StatusCode, body: Bytes) -> Result<Bytes, Failure> {
    if status.is_success() {
        return Ok(body);
    }
    let told: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |key: &str| told.get(key).and_then(Value::as_str).map(str::to_owned);
    let message = text("error").unwrap_or_else(|| format!("the collector answered {status}"));
    let failure = match text("errorType").as_deref() {
        Some("bad_data") => Failure::usage(message),
        Some("execution" | "timeout" | "canceled" | "not_found") => Failure::refused(message),
        _ => Failure::unreachable(message),
    };
    Err(failure.with_detail(text("detail")).with_hint(text("hint")))
}

/// A form's value: what is not a letter or a digit is percent-encoded.
pub(in crate::cli) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let check = |address: &str, ca: Option<&str>, expected: Result<(&str, u16, &str), &str>| {
            let found = Collector::parse(address, ca.map(Path::new));
            match (found, expected) {
                (Ok(found), Ok((host, port, prefix))) => {
                    assert_eq!(
                        (&*found.host, found.port, &*found.prefix),
                        (host, port, prefix)
                    );
                }
                (Err(failure), Err(part)) => {
                    let told = failure.to_string();
                    assert!(
                        told.contains(part) && failure.code() == 2,
                        "{address}: {told}"
                    );
                }
                (found, _) => panic!("{address}: {found:?}"),
            }
        };
        check("http://127.0.0.1:7700", None, Ok(("127.0.0.1", 7700, "")));
        check("http://db1", None, Ok(("db1", 7700, "")));
        check("http://[::1]:80/x/", None, Ok(("::1", 80, "/x")));
        check("https://c:1", Some("ca.crt"), Ok(("c", 1, "")));
        check("https://c:1", None, Err("needs --ca-file"));
        check("ftp://c:1", None, Err("neither http nor https"));
        check("127.0.0.1:7700", None, Err("--collector"));
        check("", None, Err("not an address"));
    }
}
