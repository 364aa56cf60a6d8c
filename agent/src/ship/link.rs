//! One connection to one collector, and one request over it.
//!
//! The request's body is what the spool holds, byte for byte: zstd frames of export requests, which
//! concatenate to one zstd stream of one request. gRPC calls that a compressed message, so nothing is
//! unpacked, decoded or packed again on the host. tonic's client would compress what it is given;
//! hence the five bytes in front of the message are written here, and tonic carries them.

use std::future::poll_fn;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Response, Uri, Version, header};
use http_body_util::StreamBody;
use hyper::body::Frame;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codec::{DecodeBuf, Decoder, Streaming};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};
use wire::answer::ExportAnswer;
use wire::batch::SENT_HEADER;

use crate::schedule;

use super::failure::{Failure, Kind};
use super::settings::{Settings, Tls};

const METHOD: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
/// An answer holds one number and one sentence.
const LONGEST_ANSWER: usize = 64 << 10;
/// A check of an idle connection that is not answered within this finds it dead: a few round trips
/// across the world.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects to `address`.
pub(super) async fn connect(address: &Uri, settings: &Settings) -> Result<Channel, Failure> {
    let endpoint = endpoint(address, settings).await?;
    // The time-out of the connection itself is that of TCP only.
    match tokio::time::timeout(settings.connect_timeout, endpoint.connect()).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(Failure::transport("connect", &error)),
        Err(_elapsed) => {
            let waited = wire::quantity::Period(settings.connect_timeout);
            let message = format!("no connection within {waited}");
            Err(Failure::new(Kind::Away, "connect", message))
        }
    }
}

async fn endpoint(address: &Uri, settings: &Settings) -> Result<Endpoint, Failure> {
    let invalid = |error: tonic::transport::Error| Failure::transport("connect", &error);
    let endpoint = Endpoint::from(address.clone())
        .user_agent(concat!("nightshift-agent/", env!("CARGO_PKG_VERSION")))
        .map_err(invalid)?
        .connect_timeout(settings.connect_timeout)
        .http2_keep_alive_interval(settings.keep_alive)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    match &settings.tls {
        Some(tls) if address.scheme() == Some(&http::uri::Scheme::HTTPS) => {
            endpoint.tls_config(tls_config(tls).await?).map_err(invalid)
        }
        _ => Ok(endpoint),
    }
}

async fn tls_config(tls: &Tls) -> Result<ClientTlsConfig, Failure> {
    let ca = Certificate::from_pem(read(&tls.ca_file).await?);
    let mut config = ClientTlsConfig::new().ca_certificate(ca);
    if let Some(identity) = &tls.identity {
        let certificate = read(&identity.certificate_file).await?;
        let key = read(&identity.key_file).await?;
        config = config.identity(tonic::transport::Identity::from_pem(certificate, key));
    }
    if let Some(name) = &tls.server_name {
        config = config.domain_name(name);
    }
    Ok(config)
}

async fn read(file: &std::path::Path) -> Result<Vec<u8>, Failure> {
    tokio::fs::read(file).await.map_err(|error| {
        let message = format!("cannot read {}: {error}", file.display());
        Failure::new(Kind::Denied, "certificate", message)
    })
}

/// Sends one request and waits for the answer.
pub(super) async fn export(
    channel: &mut Channel,
    frames: Vec<u8>,
    timeout: Duration,
) -> Result<ExportAnswer, Failure> {
    match tokio::time::timeout(timeout, exchange(channel, frames, timeout)).await {
        Ok(answered) => answered,
        Err(_elapsed) => {
            let waited = wire::quantity::Period(timeout);
            let message = format!("no acknowledgement within {waited}");
            Err(Failure::new(Kind::Slow, "timeout", message))
        }
    }
}

async fn exchange(
    channel: &mut Channel,
    frames: Vec<u8>,
    timeout: Duration,
) -> Result<ExportAnswer, Failure> {
    let broken = |error: tonic::transport::Error| Failure::transport("transport", &error);
    poll_fn(|cx| GrpcService::<Body>::poll_ready(channel, cx))
        .await
        .map_err(broken)?;
    let response = GrpcService::call(channel, request(frames, timeout))
        .await
        .map_err(broken)?;
    answer(response).await
}

fn request(frames: Vec<u8>, timeout: Duration) -> Request<Body> {
    let mut prefix = BytesMut::with_capacity(5);
    prefix.put_u8(1);
    // Bounded far below u32::MAX by what the spool gives out at once.
    prefix.put_u32(u32::try_from(frames.len()).unwrap_or(u32::MAX));
    let parts = [prefix.freeze(), Bytes::from(frames)].map(|part| Ok(Frame::data(part)));
    let body = StreamBody::new(futures::stream::iter::<[Result<_, Status>; 2]>(parts));
    let mut request = Request::new(Body::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static(METHOD);
    *request.version_mut() = Version::HTTP_2;
    let headers = request.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    headers.insert("grpc-encoding", HeaderValue::from_static("zstd"));
    headers.insert(SENT_HEADER, HeaderValue::from(schedule::now_ms()));
    // The collector need not go on once nobody waits. Eight digits are what gRPC allows.
    let milliseconds = timeout.as_millis().min(99_999_999);
    if let Ok(text) = HeaderValue::from_str(&format!("{milliseconds}m")) {
        headers.insert("grpc-timeout", text);
    }
    request
}

async fn answer(response: Response<Body>) -> Result<ExportAnswer, Failure> {
    let (head, body) = response.into_parts();
    if let Some(status) = Status::from_header_map(&head.headers)
        && status.code() != Code::Ok
    {
        return Err(Failure::from_status(&status));
    }
    let content_type = head.headers.get(header::CONTENT_TYPE);
    if !content_type.is_some_and(|text| text.as_bytes().starts_with(b"application/grpc")) {
        return Err(Failure::from_http(head.status));
    }
    let most = Some(LONGEST_ANSWER);
    let mut answers = Streaming::new_response(AnswerDecoder, body, head.status, None, most);
    let said = answers.message().await;
    let answer = said.map_err(|status| Failure::from_status(&status))?;
    let Some(answer) = answer else {
        let message = "the answer is empty";
        return Err(Failure::new(Kind::Failed, "internal", message));
    };
    // The status comes behind the message, and counts.
    let ended = answers.trailers().await;
    ended.map_err(|status| Failure::from_status(&status))?;
    Ok(answer)
}

struct AnswerDecoder;

impl Decoder for AnswerDecoder {
    type Item = ExportAnswer;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<ExportAnswer>, Status> {
        let bytes = bytes.copy_to_bytes(bytes.remaining());
        match ExportAnswer::read(&bytes) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) => Err(Status::internal(format!(
                "the answer is no answer: {error}"
            ))),
        }
    }
}
