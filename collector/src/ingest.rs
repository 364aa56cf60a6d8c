//! Takes telemetry in: one way for every protocol.
//!
//! A request first gets a place ([`Ingest::enter`]), is then read and decompressed by its protocol's
//! module, and then weighed, decoded, translated and appended ([`Ingest::accept`]). It is answered
//! with success only when the store has it safe. Everything is bounded: requests at once, bytes before
//! and after decompression, messages within, bytes that labels grow to.

mod attributes;
mod exemplars;
pub mod grpc;
pub mod http;
mod names;
mod naming;
mod points;
pub mod status;
mod translate;
pub(crate) mod untimely;
mod weigh;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use prost::Message;
use store::append::{Append, AppendError, Arrival, Delivery, Outcome};
use store::embedded::Embedded;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Code;

use crate::clock::Clock;
use crate::collector::Gate;
use crate::config::Limits;
use crate::identity::handshake::Peer;
use crate::metrics::{Counters, Protocol, RequestOutcome};

use translate::{TooLarge, Translated};

/// How long a request waits for a place before it is told to come back: a fleet that reconnects at
/// once is through in less.
const PLACE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a sender may take for its body; a slow one must not hold its place for ever.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Protobuf.
    Protobuf,
    /// Protobuf's JSON form.
    Json,
}

/// What is known of who sends a request.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    /// At the other end of the connection.
    pub peer: Peer,
    /// When it sent, in milliseconds since 1970 by its own clock, where it says so.
    pub sent_ms: Option<i64>,
}

/// A request that is safely stored, as far as it could be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// How many data points could not be stored; sending them again is of no use.
    pub rejected_points: u64,
    /// Why not; empty if all were.
    pub message: String,
}

/// Why nothing of a request was acknowledged.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// The journal is still being read.
    #[error("the collector is starting: it opens its blocks and reads its journal back")]
    Starting,
    /// Too many requests at once.
    #[error("too many requests at once")]
    Overloaded,
    /// The body is not what it says.
    #[error("the request cannot be read: {0}")]
    Malformed(String),
    /// A size exceeds its bound.
    #[error("{0}")]
    TooLarge(String),
    /// The content's type or encoding is unknown.
    #[error("{0}")]
    Unsupported(String),
    /// The sender was too slow.
    #[error("the request's body did not arrive within {} s", BODY_TIMEOUT.as_secs())]
    Slow,
    /// The store could not take it.
    #[error("the data cannot be stored: {0}")]
    Store(#[source] AppendError),
    /// The sender may not send this.
    #[error("{0}")]
    Forbidden(String),
    /// A bug.
    #[error("an internal error; the collector's log has more")]
    Internal,
}

impl Refusal {
    /// The gRPC code. OTLP senders try again on `UNAVAILABLE`, and on `RESOURCE_EXHAUSTED` only if
    /// they are told when.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Starting => Code::Unavailable,
            Self::Overloaded | Self::Store(AppendError::Busy) => Code::ResourceExhausted,
            Self::Malformed(_) | Self::TooLarge(_) => Code::InvalidArgument,
            Self::Store(AppendError::TooLarge { .. }) => Code::InvalidArgument,
            Self::Unsupported(_) => Code::Unimplemented,
            Self::Slow => Code::DeadlineExceeded,
            Self::Store(_) => Code::Unavailable,
            Self::Forbidden(_) => Code::PermissionDenied,
            Self::Internal => Code::Internal,
        }
    }

    /// When to try again, where that may help.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Starting | Self::Overloaded | Self::Slow => Some(Duration::from_secs(1)),
            Self::Store(AppendError::TooLarge { .. }) => None,
            Self::Store(AppendError::Busy) => Some(Duration::from_secs(1)),
            // A person must make room, or a disk must come back: no use in asking each second.
            Self::Store(_) => Some(Duration::from_secs(5)),
            Self::Malformed(_)
            | Self::TooLarge(_)
            | Self::Unsupported(_)
            | Self::Forbidden(_)
            | Self::Internal => None,
        }
    }

    fn outcome(&self) -> RequestOutcome {
        match self {
            Self::Overloaded | Self::Store(AppendError::Busy) => RequestOutcome::Overloaded,
            Self::Starting | Self::Store(_) | Self::Internal => RequestOutcome::Unavailable,
            Self::Malformed(_)
            | Self::TooLarge(_)
            | Self::Unsupported(_)
            | Self::Forbidden(_)
            | Self::Slow => RequestOutcome::Refused,
        }
    }
}

/// Takes requests in.
#[derive(Debug)]
pub struct Ingest {
    gate: Arc<Gate>,
    clock: Clock,
    limits: Limits,
    counters: Arc<Counters>,
    places: Arc<Semaphore>,
    /// Whether the last append failed, so that failing is logged once and not with each request.
    is_failing: AtomicBool,
}

/// A request's place among those that may be under way at once.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Ingest {
    /// Takes in what `gate` lets through.
    #[must_use]
    pub fn new(gate: Arc<Gate>, clock: Clock, limits: Limits, counters: Arc<Counters>) -> Self {
        Self {
            gate,
            clock,
            limits,
            counters,
            places: Arc::new(Semaphore::new(limits.max_concurrent_requests)),
            is_failing: AtomicBool::new(false),
        }
    }

    /// The bounds.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Gets a place, before anything of the request is read.
    pub async fn enter(&self, peer: Peer) -> Result<Place, Refusal> {
        may_send(peer)?;
        if self.gate.store().is_none() {
            return Err(Refusal::Starting);
        }
        let place = Arc::clone(&self.places).acquire_owned();
        match tokio::time::timeout(PLACE_TIMEOUT, place).await {
            Ok(Ok(permit)) => Ok(Place { _permit: permit }),
            Ok(Err(_closed)) => Err(Refusal::Starting),
            Err(_elapsed) => Err(Refusal::Overloaded),
        }
    }

    /// Stores a request, decompressed; success means that it is safe.
    pub async fn accept(
        &self,
        format: Format,
        body: Bytes,
        sender: Sender,
    ) -> Result<Accepted, Refusal> {
        let store = self.gate.store().ok_or(Refusal::Starting)?;
        let arrival = self.clock.arrival(sender.sent_ms);
        let decoded = tokio::task::spawn_blocking(move || {
            let request = decode(format, &body)?;
            translate::translate(request, arrival).map_err(|TooLarge| {
                Refusal::TooLarge(
                    "the request's labels, written out for each series, exceed 256 MiB".into(),
                )
            })
        });
        let translated = decoded.await.map_err(|panic| {
            tracing::error!(%panic, "decoding a request panicked");
            Refusal::Internal
        })??;
        speaks_for_itself(&translated.deliveries, sender.peer)?;
        self.append(&store, translated).await
    }

    /// Stamps what arrives now.
    #[must_use]
    pub fn arrival(&self) -> Arrival {
        self.clock.arrival(None)
    }

    /// Stores what a protocol's own module translated; success means that it is safe.
    pub async fn store(&self, deliveries: Vec<Delivery>) -> Result<Vec<Outcome>, Refusal> {
        let store = self.gate.store().ok_or(Refusal::Starting)?;
        self.append_counted(&store, deliveries).await
    }

    /// Counts what became of a request.
    pub fn count(&self, protocol: Protocol, outcome: &Result<Accepted, Refusal>) {
        let outcome = match outcome {
            Ok(accepted) if accepted.rejected_points == 0 => RequestOutcome::Accepted,
            Ok(_) => RequestOutcome::Partial,
            Err(refusal) => refusal.outcome(),
        };
        self.counters.request(protocol, outcome);
    }

    async fn append(&self, store: &Embedded, translated: Translated) -> Result<Accepted, Refusal> {
        let Translated {
            deliveries,
            mut rejected,
        } = translated;
        if !deliveries.is_empty() {
            for outcome in self.append_counted(store, deliveries).await? {
                rejected.add_untimely(outcome);
            }
        }
        self.counters.rejected(rejected.points);
        Ok(Accepted {
            rejected_points: rejected.points,
            message: rejected.message(),
        })
    }

    async fn append_counted(
        &self,
        store: &Embedded,
        deliveries: Vec<Delivery>,
    ) -> Result<Vec<Outcome>, Refusal> {
        let rows: Vec<u64> = deliveries
            .iter()
            .map(|delivery| delivery.rows.len() as u64)
            .collect();
        let outcome = store.append(deliveries).await;
        self.report(outcome.as_ref().err());
        let outcomes = outcome.map_err(Refusal::Store)?;
        for (outcome, rows) in outcomes.iter().zip(rows) {
            self.counters.batch(*outcome);
            match outcome {
                Outcome::Stored => self.counters.samples(rows),
                Outcome::StoredInPart(refused) => {
                    self.counters.samples(rows - refused.future - refused.late);
                    tracing::debug!(?refused, "some samples have times that are refused");
                }
                Outcome::Duplicate => {}
            }
        }
        Ok(outcomes)
    }

    /// One line when storing begins to fail and one when it works again.
    fn report(&self, error: Option<&AppendError>) {
        match error {
            Some(AppendError::TooLarge { .. } | AppendError::Closed) => {}
            Some(error) => {
                if !self.is_failing.swap(true, Ordering::Relaxed) {
                    let detail = std::error::Error::source(error).map(ToString::to_string);
                    let hint = match error {
                        AppendError::Full { .. } => {
                            "make room on the disk of the data folder; senders keep what is refused"
                        }
                        _ => "look at the disk of the data folder; senders keep what is refused",
                    };
                    tracing::error!(%error, detail, hint, "cannot store telemetry");
                }
            }
            None => {
                if self.is_failing.swap(false, Ordering::Relaxed) {
                    tracing::info!("storing telemetry works again");
                }
            }
        }
    }
}

/// Over a network the sender must have joined; this machine's own programs need not, nor does anyone
/// where the operator allows plain text.
fn may_send(peer: Peer) -> Result<(), Refusal> {
    let is_local = peer.address.ip().to_canonical().is_loopback();
    if peer.plain || peer.agent.is_some() || is_local {
        return Ok(());
    }
    let message = "this port takes telemetry over TLS only from agents that have joined: \
                   run `nightshift-agent join` with a token from `nightshift token create`";
    Err(Refusal::Forbidden(message.to_owned()))
}

/// A certificate names one agent; batches of another would be stored in its name.
fn speaks_for_itself(deliveries: &[Delivery], peer: Peer) -> Result<(), Refusal> {
    let Some(agent) = peer.agent else {
        return Ok(());
    };
    let origins = deliveries.iter().filter_map(|one| one.origin.as_ref());
    match origins
        .map(|origin| origin.id.agent)
        .find(|sender| *sender != agent)
    {
        None => Ok(()),
        Some(other) => Err(Refusal::Forbidden(format!(
            "agent {agent} sent a batch in the name of agent {other}"
        ))),
    }
}

fn decode(format: Format, body: &[u8]) -> Result<ExportMetricsServiceRequest, Refusal> {
    let weighed = match format {
        Format::Protobuf => weigh::protobuf(body),
        Format::Json => weigh::json(body),
    };
    weighed.map_err(|weigh::TooHeavy| {
        let most = weigh::MAX_MESSAGES;
        Refusal::TooLarge(format!(
            "the request holds more than {most} messages; send smaller ones"
        ))
    })?;
    match format {
        Format::Protobuf => ExportMetricsServiceRequest::decode(body)
            .map_err(|error| Refusal::Malformed(error.to_string())),
        // The reader would take a list for an object with its fields in order.
        Format::Json if !body.trim_ascii_start().starts_with(b"{") => {
            Err(Refusal::Malformed("it is not a JSON object".into()))
        }
        Format::Json => {
            serde_json::from_slice(body).map_err(|error| Refusal::Malformed(error.to_string()))
        }
    }
}
