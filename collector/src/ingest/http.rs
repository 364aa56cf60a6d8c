//! OTLP over HTTP: `POST /v1/metrics`, protobuf or JSON, plain or compressed. Errors are a
//! `google.rpc.Status` in the format of the request, as the OTLP specification asks.

pub(crate) mod body;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use prost::Message;
use store::append::AppendError;
use wire::batch::SENT_HEADER;

use crate::identity::handshake::Peer;
use crate::metrics::Protocol;

use super::status::Status;
use super::{Accepted, Format, Ingest, Refusal, Sender, grpc};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// The routes of OTLP over HTTP.
pub fn routes(ingest: Arc<Ingest>) -> Router {
    Router::new()
        .route("/v1/metrics", post(export))
        .with_state(ingest)
}

async fn export(
    State(ingest): State<Arc<Ingest>>,
    Extension(peer): Extension<Peer>,
    request: Request<Body>,
) -> Response {
    let format = format_of(request.headers());
    let outcome = take_in(&ingest, peer, format, request).await;
    ingest.count(Protocol::Http, &outcome);
    // What is neither is answered in the one that every sender knows.
    let format = format.unwrap_or(Format::Protobuf);
    match outcome {
        Ok(accepted) => success(format, accepted),
        Err(refusal) => failure(format, &refusal),
    }
}

async fn take_in(
    ingest: &Ingest,
    peer: Peer,
    format: Option<Format>,
    request: Request<Body>,
) -> Result<Accepted, Refusal> {
    let format = format.ok_or_else(|| {
        Refusal::Unsupported(format!("the content type must be {PROTOBUF} or {JSON}"))
    })?;
    let encoding = body::Encoding::of(request.headers().get(CONTENT_ENCODING))?;
    let _place = ingest.enter(peer).await?;
    let sent_ms = header_text(request.headers(), SENT_HEADER).and_then(|text| text.parse().ok());
    let limits = ingest.limits();
    let compressed = body::read(request.into_body(), limits.max_request_size).await?;
    let body = body::decompress(compressed, encoding, limits.max_decompressed_size).await?;
    ingest.accept(format, body, Sender { peer, sent_ms }).await
}

fn format_of(headers: &HeaderMap) -> Option<Format> {
    let text = header_text(headers, CONTENT_TYPE.as_str())?;
    let essence = text.split(';').next()?.trim();
    if essence.eq_ignore_ascii_case(PROTOBUF) {
        return Some(Format::Protobuf);
    }
    essence.eq_ignore_ascii_case(JSON).then_some(Format::Json)
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn success(format: Format, accepted: Accepted) -> Response {
    match format {
        Format::Protobuf => {
            let body = grpc::response(accepted).encode_to_vec();
            answer(StatusCode::OK, PROTOBUF, body.into())
        }
        // 64-bit numbers are text in protobuf's JSON.
        Format::Json if accepted.rejected_points > 0 => {
            let body = serde_json::json!({"partialSuccess": {
                "rejectedDataPoints": accepted.rejected_points.to_string(),
                "errorMessage": accepted.message,
            }});
            answer(StatusCode::OK, JSON, body.to_string().into())
        }
        Format::Json => answer(StatusCode::OK, JSON, Bytes::from_static(b"{}")),
    }
}

fn failure(format: Format, refusal: &Refusal) -> Response {
    let code = match refusal {
        // Of the codes for a slow sender, none but this is one on which senders try again.
        Refusal::Starting | Refusal::Slow => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Overloaded | Refusal::Store(AppendError::Busy) => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
        Refusal::TooLarge(_) | Refusal::Store(AppendError::TooLarge { .. }) => {
            StatusCode::PAYLOAD_TOO_LARGE
        }
        Refusal::Unsupported(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Refusal::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Forbidden(_) => StatusCode::FORBIDDEN,
        Refusal::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let status = Status::of(refusal);
    let mut response = match format {
        Format::Protobuf => answer(code, PROTOBUF, status.encode_to_vec().into()),
        Format::Json => {
            let body = status.to_json(refusal.retry_after()).to_string();
            answer(code, JSON, body.into())
        }
    };
    let headers = response.headers_mut();
    if let Some(after) = refusal.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
    }
    if code == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip, zstd"));
    }
    response
}

fn answer(code: StatusCode, content_type: &'static str, body: Bytes) -> Response {
    (code, [(CONTENT_TYPE, content_type)], body).into_response()
}
