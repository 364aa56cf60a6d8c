//! `POST /api/v1/write`: remote write 1.0 and 2.0.
//!
//! What senders rely on: only 429 and 5xx are tried again, and many try 429 no more, so whatever may
//! pass is 503; a request of which any part was refused is answered 400 and never with success, and
//! what of it was stored stands in the headers; a type or encoding that is not known is 415, by which
//! a sender that speaks a newer one learns to speak this.

mod translate;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use store::append::{AppendError, Outcome};
use wire::remote_write::{self, SnappyError, Version};

use crate::config::RemoteWriteLimits;
use crate::identity::handshake::Peer;
use crate::ingest::http::body;
use crate::ingest::{Accepted, Ingest, Refusal};
use crate::metrics::Protocol;

use super::metrics::Counters;
pub(in crate::remote) use translate::Refused;
use translate::{Translated, translate};

const PATH: &str = "/api/v1/write";

const SAMPLES_WRITTEN: HeaderName =
    HeaderName::from_static("x-prometheus-remote-write-samples-written");
const HISTOGRAMS_WRITTEN: HeaderName =
    HeaderName::from_static("x-prometheus-remote-write-histograms-written");
const EXEMPLARS_WRITTEN: HeaderName =
    HeaderName::from_static("x-prometheus-remote-write-exemplars-written");

/// Takes remote write in.
#[derive(Debug)]
pub struct Receiver {
    /// The way of all telemetry.
    pub ingest: Arc<Ingest>,
    /// Bounds on a request.
    pub limits: RemoteWriteLimits,
    /// What is counted beside it.
    pub counters: Arc<Counters>,
}

/// How much of a request is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Written {
    samples: u64,
    exemplars: u64,
}

/// A request that was read, and what became of it.
#[derive(Debug)]
struct Answer {
    written: Written,
    /// What was refused for good; none where all is stored.
    refused: Option<String>,
}

/// The routes of remote write.
pub fn routes(receiver: Arc<Receiver>) -> Router {
    Router::new().route(PATH, post(write)).with_state(receiver)
}

async fn write(
    State(receiver): State<Arc<Receiver>>,
    Extension(peer): Extension<Peer>,
    request: Request<Body>,
) -> Response {
    let version = version_of(request.headers());
    let outcome = match &version {
        Ok(version) => receiver.take_in(peer, *version, request).await,
        Err(refusal) => Err(refusal.clone()),
    };
    let protocol = match version {
        Ok(Version::V2) => Protocol::RemoteWrite2,
        _ => Protocol::RemoteWrite1,
    };
    receiver.count(protocol, &outcome);
    match outcome {
        Ok(answer) => answered(answer),
        Err(refusal) => refused(&refusal),
    }
}

impl Receiver {
    async fn take_in(
        &self,
        peer: Peer,
        version: Version,
        request: Request<Body>,
    ) -> Result<Answer, Refusal> {
        check_encoding(request.headers())?;
        let _place = self.ingest.enter(peer).await?;
        let limits = self.limits;
        let compressed = body::read(request.into_body(), limits.max_request_size).await?;
        let arrival = self.ingest.arrival();
        let decoding = tokio::task::spawn_blocking(move || {
            let body = remote_write::decompress(&compressed, limits.max_decompressed_size)
                .map_err(|error| match error {
                    SnappyError::TooLarge { .. } => Refusal::TooLarge(error.to_string()),
                    SnappyError::Malformed(_) => Refusal::Malformed(error.to_string()),
                })?;
            drop(compressed);
            translate(version, &body, arrival)
        });
        let translated = decoding.await.map_err(|panic| {
            tracing::error!(%panic, "decoding a request panicked");
            Refusal::Internal
        })??;
        self.store(translated).await
    }

    async fn store(&self, translated: Translated) -> Result<Answer, Refusal> {
        let Translated {
            delivery,
            mut refused,
            mut written,
        } = translated;
        if let Some(delivery) = delivery {
            // What comes without an identity is never a duplicate.
            for outcome in self.ingest.store(vec![delivery]).await? {
                if let Outcome::StoredInPart(untimely) = outcome {
                    refused.add_untimely(&untimely);
                    written.samples -= untimely.future + untimely.late;
                    written.exemplars -= untimely.exemplars;
                }
            }
        }
        self.counters.received(written.exemplars, &refused);
        Ok(Answer {
            written,
            refused: refused.message(),
        })
    }

    fn count(&self, protocol: Protocol, outcome: &Result<Answer, Refusal>) {
        let outcome = match outcome {
            Ok(answer) => Ok(Accepted {
                rejected_points: u64::from(answer.refused.is_some()),
                message: String::new(),
            }),
            Err(refusal) => Err(refusal.clone()),
        };
        self.ingest.count(protocol, &outcome);
    }
}

/// Which message the body is. Senders from before the header had a meaning send none.
fn version_of(headers: &HeaderMap) -> Result<Version, Refusal> {
    let unsupported = || {
        Refusal::Unsupported(
            "the content type must be application/x-protobuf, with proto=prometheus.WriteRequest \
             or proto=io.prometheus.write.v2.Request"
                .to_owned(),
        )
    };
    let Some(header) = headers.get(CONTENT_TYPE) else {
        return Ok(Version::V1);
    };
    let text = header.to_str().map_err(|_| unsupported())?;
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    if !essence.eq_ignore_ascii_case("application/x-protobuf") {
        return Err(unsupported());
    }
    let message = parts.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_proto = name.trim().eq_ignore_ascii_case("proto");
        is_proto.then(|| value.trim().trim_matches('"'))
    });
    match message {
        None | Some("prometheus.WriteRequest") => Ok(Version::V1),
        Some("io.prometheus.write.v2.Request") => Ok(Version::V2),
        Some(_) => Err(unsupported()),
    }
}

/// Snappy is the one encoding, and what is meant where none is named.
fn check_encoding(headers: &HeaderMap) -> Result<(), Refusal> {
    let is_snappy = headers.get(CONTENT_ENCODING).is_none_or(|encoding| {
        let encoding = encoding.as_bytes().trim_ascii();
        encoding.eq_ignore_ascii_case(b"snappy")
    });
    if is_snappy {
        return Ok(());
    }
    let message = "the content encoding must be snappy, in its block format";
    Err(Refusal::Unsupported(message.to_owned()))
}

fn answered(answer: Answer) -> Response {
    let mut response = match answer.refused {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(message) => (StatusCode::BAD_REQUEST, message + "\n").into_response(),
    };
    put_written(response.headers_mut(), answer.written);
    response
}

fn refused(refusal: &Refusal) -> Response {
    let code = match refusal {
        Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
        Refusal::TooLarge(_) | Refusal::Store(AppendError::TooLarge { .. }) => {
            StatusCode::PAYLOAD_TOO_LARGE
        }
        Refusal::Unsupported(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Refusal::Forbidden(_) => StatusCode::FORBIDDEN,
        Refusal::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Refusal::Starting | Refusal::Slow | Refusal::Overloaded | Refusal::Store(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    let mut response = (code, format!("{refusal}\n")).into_response();
    let headers = response.headers_mut();
    put_written(headers, Written::default());
    if let Some(after) = refusal.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
    }
    if code == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("snappy"));
    }
    response
}

fn put_written(headers: &mut HeaderMap, written: Written) {
    headers.insert(SAMPLES_WRITTEN, HeaderValue::from(written.samples));
    headers.insert(HISTOGRAMS_WRITTEN, HeaderValue::from(0));
    headers.insert(EXEMPLARS_WRITTEN, HeaderValue::from(written.exemplars));
}

#[cfg(test)]
mod tests;
