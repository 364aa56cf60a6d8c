//! Sending samples by remote write 1.0, the same bytes to every program.

use std::time::Duration;

use anyhow::{Result, ensure};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;
use wire::remote_write::{Encoder, Sample, Version, compress};

/// How long a program that is busy is left alone.
const COME_BACK: Duration = Duration::from_millis(200);

/// The labels of a series, sorted by name.
pub type Labels = Vec<(String, String)>;

/// One series of a request: its labels sorted by name, and its samples.
pub struct Line<'a> {
    pub labels: &'a [(String, String)],
    pub samples: Vec<Sample>,
}

/// The body of a request.
pub fn body<'a>(lines: impl IntoIterator<Item = Line<'a>>) -> Result<Bytes> {
    let mut encoder = Encoder::new(Version::V1);
    for line in lines {
        let pairs = line.labels.iter();
        let pairs = pairs.map(|(name, value)| (name.as_str(), value.as_str()));
        encoder.series(pairs, &line.samples, None);
    }
    Ok(compress(&encoder.finish())?.into())
}

/// Sends bodies one after the other on a connection.
pub async fn send(address: &str, bodies: impl Iterator<Item = &Bytes>) -> Result<()> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let _connection = AbortOnDropHandle::new(tokio::spawn(async move {
        // The error of a connection that breaks is met by the request.
        drop(connection.await);
    }));
    let mut bodies = bodies.peekable();
    while let Some(body) = bodies.peek() {
        let request = Request::post("/api/v1/write")
            .header("host", address)
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0")
            .body(Full::new(Bytes::clone(body)))?;
        sender.ready().await?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let said = answer.into_body().collect().await?.to_bytes();
        let said = String::from_utf8_lossy(&said);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            sleep(COME_BACK).await;
            continue;
        }
        ensure!(status.is_success(), "{address} answered {status}: {said}");
        bodies.next();
    }
    Ok(())
}
