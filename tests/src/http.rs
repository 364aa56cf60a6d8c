//! Asking the daemons over HTTP.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// A daemon that takes longer hangs.
const DEADLINE: Duration = Duration::from_secs(30);
/// More than any answer of a lab; a larger one is a mistake.
const LARGEST: usize = 256 << 20;

/// What a daemon answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: String,
}

impl Answer {
    /// The body, if the status says that all is well.
    pub fn ok(self) -> Result<String> {
        ensure!(
            self.status.is_success(),
            "{}: {}",
            self.status,
            self.body.trim()
        );
        Ok(self.body)
    }
}

/// Gets `path` from `address`, such as `127.0.0.1:7700`.
pub async fn get(address: &str, path: &str) -> Result<Answer> {
    let request = Request::get(path).body(Full::default());
    exchange(
        address,
        request.with_context(|| format!("{path} is no path"))?,
    )
    .await
}

/// Posts `body` to `path` at `address`.
pub async fn post(address: &str, path: &str, kind: &str, body: Bytes) -> Result<Answer> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("content-type", kind);
    let request = request.body(Full::new(body));
    exchange(
        address,
        request.with_context(|| format!("{path} is no path"))?,
    )
    .await
}

/// Posts a body of remote write 1.0.
pub async fn write(address: &str, body: Bytes) -> Result<Answer> {
    let request = Request::post("/api/v1/write")
        .header("content-type", "application/x-protobuf")
        .header("content-encoding", "snappy")
        .header("x-prometheus-remote-write-version", "0.1.0")
        .body(Full::new(body))?;
    exchange(address, request).await
}

/// Writes `text` as part of a query: what is not a letter or a digit is escaped.
#[must_use]
pub fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    let write = |byte: u8| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(write).collect()
}

/// Sends one request on a connection of its own.
pub async fn exchange(address: &str, mut request: Request<Full<Bytes>>) -> Result<Answer> {
    let what = format!("{} http://{address}{}", request.method(), request.uri());
    request.headers_mut().insert(
        "host",
        address.parse().context("an address is a header value")?,
    );
    let answer = timeout(DEADLINE, send(address, request)).await;
    answer
        .with_context(|| format!("{what}: no answer"))?
        .with_context(|| what)
}

async fn send(address: &str, request: Request<Full<Bytes>>) -> Result<Answer> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(async move {
        // The error of a connection that breaks is met by the request.
        drop(connection.await);
    });
    let _connection = AbortOnDropHandle::new(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    let body = body.map_err(anyhow::Error::from_boxed)?.to_bytes();
    Ok(Answer {
        status,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_a_query_may_not_hold() {
        assert_eq!(escape("up{job=\"a b\"}"), "up%7Bjob%3D%22a%20b%22%7D");
        assert_eq!(escape("é"), "%C3%A9");
    }

    #[tokio::test]
    async fn an_absent_server_is_named() {
        let port = crate::lab::ports::Port::claim().unwrap();
        let address = format!("127.0.0.1:{}", port.number());
        let error = get(&address, "/metrics").await.unwrap_err();
        assert!(format!("{error:#}").contains(&format!("GET http://{address}/metrics")));
    }
}
