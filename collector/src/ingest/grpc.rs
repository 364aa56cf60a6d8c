//! OTLP over gRPC.
//!
//! tonic does the protocol: framing, compression, limits, trailers. The message is handed on as its
//! bytes, so that it is weighed before it is decoded, by the same code as one that came over HTTP.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};
use bytes::{Buf, Bytes};
use http::{HeaderValue, Request};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use prost::Message;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Status};
use wire::batch::SENT_HEADER;

use crate::identity::handshake::Peer;
use crate::metrics::Protocol;

use super::{Accepted, BODY_TIMEOUT, Format, Ingest, Refusal, Sender, status};

/// The path of the one method there is.
pub const EXPORT_PATH: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// The routes of OTLP over gRPC.
pub fn routes(ingest: Arc<Ingest>) -> Router {
    Router::new()
        .route(EXPORT_PATH, post(export))
        .with_state(ingest)
}

/// What a gRPC call gets whose method is not served; nothing for a request that is no gRPC.
pub fn unimplemented(request: &Request<Body>) -> Option<Response> {
    let content_type = request.headers().get(http::header::CONTENT_TYPE)?;
    if !content_type.as_bytes().starts_with(b"application/grpc") {
        return None;
    }
    let path = request.uri().path();
    let status = Status::unimplemented(format!("{path} is not served here"));
    Some(status.into_http::<tonic::body::Body>().map(Body::new))
}

async fn export(
    State(ingest): State<Arc<Ingest>>,
    Extension(peer): Extension<Peer>,
    request: Request<Body>,
) -> Response {
    let place = match ingest.enter(peer).await {
        Ok(place) => place,
        Err(refusal) => {
            let outcome = Err(refusal);
            ingest.count(Protocol::Grpc, &outcome);
            let status = outcome.map_err(|refusal| to_status(&refusal));
            let Err(status) = status else {
                return Response::default();
            };
            return status.into_http::<tonic::body::Body>().map(Body::new);
        }
    };
    let limits = ingest.limits();
    let mut grpc = Grpc::new(RawCodec)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(limits.max_decompressed_size);
    let request = request.map(|body| limited(body, limits.max_request_size));
    let export = Export {
        ingest: Arc::clone(&ingest),
        peer,
    };
    let call = grpc.unary(export, request);
    let response = match tokio::time::timeout(BODY_TIMEOUT * 2, call).await {
        Ok(response) => response,
        Err(_elapsed) => to_status(&Refusal::Slow).into_http(),
    };
    drop(place);
    not_to_be_repeated(response).map(Body::new)
}

/// The body, cut off with the right status where it exceeds the bound.
fn limited(body: Body, most: usize) -> Body {
    let limited = Limited::new(body, most).map_err(move |error| {
        if error.is::<LengthLimitError>() {
            let refusal = Refusal::TooLarge(format!("the request is larger than {most} bytes"));
            return Box::new(to_status(&refusal)) as Box<dyn std::error::Error + Send + Sync>;
        }
        error
    });
    Body::new(limited)
}

/// tonic says `OUT_OF_RANGE` to a message that is too large, and OTLP senders repeat what gets that
/// answer: for ever, since the message does not get smaller.
fn not_to_be_repeated<B>(mut response: http::Response<B>) -> http::Response<B> {
    const GRPC_STATUS: &str = "grpc-status";
    let code = response.headers().get(GRPC_STATUS);
    if code.is_some_and(|code| Code::from_bytes(code.as_bytes()) == Code::OutOfRange) {
        let code = HeaderValue::from(Code::InvalidArgument as i32);
        response.headers_mut().insert(GRPC_STATUS, code);
    }
    response
}

fn to_status(refusal: &Refusal) -> Status {
    let details = status::Status::of(refusal).encode_to_vec();
    Status::with_details(refusal.code(), refusal.to_string(), details.into())
}

struct Export {
    ingest: Arc<Ingest>,
    peer: Peer,
}

impl UnaryService<Bytes> for Export {
    type Response = ExportMetricsServiceResponse;
    type Future =
        Pin<Box<dyn Future<Output = Result<tonic::Response<Self::Response>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (ingest, peer) = (Arc::clone(&self.ingest), self.peer);
        Box::pin(async move {
            let sent_ms = request
                .metadata()
                .get(SENT_HEADER)
                .and_then(|text| text.to_str().ok()?.parse().ok());
            let body = request.into_inner();
            let sender = Sender { peer, sent_ms };
            let outcome = ingest.accept(Format::Protobuf, body, sender).await;
            ingest.count(Protocol::Grpc, &outcome);
            match outcome {
                Ok(accepted) => Ok(tonic::Response::new(response(accepted))),
                Err(refusal) => Err(to_status(&refusal)),
            }
        })
    }
}

/// The answer to a request that is stored.
pub(super) fn response(accepted: Accepted) -> ExportMetricsServiceResponse {
    let partial_success = (accepted.rejected_points > 0).then(|| ExportMetricsPartialSuccess {
        rejected_data_points: i64::try_from(accepted.rejected_points).unwrap_or(i64::MAX),
        error_message: accepted.message,
    });
    ExportMetricsServiceResponse { partial_success }
}

/// Hands the request on as its bytes.
#[derive(Clone, Copy, Debug)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = ExportMetricsServiceResponse;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = ExportMetricsServiceResponse;
    type Error = Status;

    fn encode(&mut self, item: Self::Item, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
