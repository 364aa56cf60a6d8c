//! The collector's own metrics: counted where things happen, written as text when asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use store::append::Outcome;
use store::embedded::{Embedded, Found};
use store::journal::FSYNC_BOUNDS;

use crate::judge::Board;
use crate::{incidents, notify, process, remote};
use wire::text::{Exposition, Number};

/// By which protocol a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP.
    Http,
    /// Prometheus remote write 1.0.
    RemoteWrite1,
    /// Prometheus remote write 2.0.
    RemoteWrite2,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    /// Stored whole.
    Accepted,
    /// Stored in part.
    Partial,
    /// Not one that can be stored.
    Refused,
    /// Turned away for now: too many at once.
    Overloaded,
    /// Turned away for now: the store cannot take it.
    Unavailable,
}

/// What became of something that was asked over the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryOutcome {
    /// Answered.
    Answered,
    /// Not something that can be asked.
    Refused,
    /// It met a bound, or has no answer.
    Failed,
    /// It took too long.
    TimedOut,
    /// The client went away.
    Canceled,
    /// Turned away for now: too many at once.
    TurnedAway,
}

const QUERY_OUTCOMES: [&str; 6] = [
    "answered",
    "refused",
    "failed",
    "timed_out",
    "canceled",
    "turned_away",
];

const PROTOCOLS: [&str; 4] = ["grpc", "http", "remote_write_1", "remote_write_2"];
const OUTCOMES: [&str; 5] = [
    "accepted",
    "partial",
    "refused",
    "overloaded",
    "unavailable",
];

/// Counters that only grow.
#[derive(Debug, Default)]
pub struct Counters {
    requests: [[AtomicU64; OUTCOMES.len()]; PROTOCOLS.len()],
    stored_batches: AtomicU64,
    duplicate_batches: AtomicU64,
    samples: AtomicU64,
    rejected_points: AtomicU64,
    future_samples: AtomicU64,
    late_samples: AtomicU64,
    damaged_places: AtomicU64,
    torn_ends: AtomicU64,
    queries: [AtomicU64; QUERY_OUTCOMES.len()],
    /// Of remote write.
    pub remote: Arc<remote::metrics::Counters>,
    /// Of rules.
    pub rules: Arc<Board>,
    /// Of notifications.
    pub notify: Arc<notify::Counters>,
    /// Of incidents.
    pub incidents: Arc<incidents::Counters>,
}

impl Counters {
    /// A request was answered.
    pub fn request(&self, protocol: Protocol, outcome: RequestOutcome) {
        self.requests[protocol as usize][outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A batch was taken in.
    pub fn batch(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Stored => &self.stored_batches,
            Outcome::StoredInPart(refused) => {
                self.future_samples
                    .fetch_add(refused.future, Ordering::Relaxed);
                self.late_samples.fetch_add(refused.late, Ordering::Relaxed);
                &self.stored_batches
            }
            Outcome::Duplicate => &self.duplicate_batches,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Samples were stored.
    pub fn samples(&self, count: u64) {
        self.samples.fetch_add(count, Ordering::Relaxed);
    }

    /// Data points were rejected.
    pub fn rejected(&self, count: u64) {
        self.rejected_points.fetch_add(count, Ordering::Relaxed);
    }

    /// Something asked over the API was answered, one way or the other.
    pub fn query(&self, outcome: QueryOutcome) {
        self.queries[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The journal was read back.
    pub fn recovered(&self, found: &Found) {
        let recovery = &found.journal;
        let damages = recovery.damages.len() as u64;
        self.damaged_places.fetch_add(damages, Ordering::Relaxed);
        let torn = u64::from(recovery.torn.is_some());
        self.torn_ends.fetch_add(torn, Ordering::Relaxed);
    }
}

/// All own metrics as text; those of the store only once it is open.
#[must_use]
pub fn render(counters: &Counters, store: Option<&Embedded>, now_ms: i64) -> String {
    let mut out = Exposition::default();
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    out.family("nightshift_build_info", "gauge", "Which version runs.")
        .sample("nightshift_build_info", version, 1.0, None);
    write_ingest(&mut out, counters);
    write_queries(&mut out, counters);
    if let Some(store) = store {
        write_store(&mut out, store);
        write_journal(&mut out, store);
        write_agents(&mut out, store, now_ms);
    }
    counters.remote.write(now_ms, &mut out);
    counters.rules.write(&mut out);
    counters.notify.write(now_ms, &mut out);
    counters.incidents.write(&mut out);
    process::write(&mut out);
    out.finish()
}

fn write_ingest(out: &mut Exposition, counters: &Counters) {
    let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
    let name = "nightshift_ingest_requests_total";
    out.family(
        name,
        "counter",
        "Requests with telemetry, by what became of them.",
    );
    for (protocol, outcomes) in PROTOCOLS.iter().zip(&counters.requests) {
        for (outcome, count) in OUTCOMES.iter().zip(outcomes) {
            let labels = [("protocol", *protocol), ("outcome", *outcome)];
            out.sample(name, labels, get(count), None);
        }
    }
    let name = "nightshift_ingest_batches_total";
    out.family(
        name,
        "counter",
        "Batches taken in; a duplicate was stored before.",
    );
    let stored = get(&counters.stored_batches);
    out.sample(name, [("outcome", "stored")], stored, None);
    let duplicates = get(&counters.duplicate_batches);
    out.sample(name, [("outcome", "duplicate")], duplicates, None);
    for (name, help, counter) in [
        (
            "nightshift_ingest_samples_total",
            "Samples stored.",
            &counters.samples,
        ),
        (
            "nightshift_ingest_rejected_points_total",
            "Data points that could not be stored.",
            &counters.rejected_points,
        ),
        (
            "nightshift_ingest_future_samples_total",
            "Samples refused because they were too far ahead of the collector's clock.",
            &counters.future_samples,
        ),
        (
            "nightshift_ingest_late_samples_total",
            "Samples refused because they were too far behind the newest of their series.",
            &counters.late_samples,
        ),
        (
            "nightshift_journal_damaged_places_total",
            "Places in the journal that could not be read at the start.",
            &counters.damaged_places,
        ),
        (
            "nightshift_journal_torn_ends_total",
            "Unfinished writes cut off at the start.",
            &counters.torn_ends,
        ),
    ] {
        out.single(name, "counter", help, get(counter));
    }
}

fn write_queries(out: &mut Exposition, counters: &Counters) {
    let name = "nightshift_queries_total";
    let help = "What was asked of the store over the API, by what became of it.";
    out.family(name, "counter", help);
    for (outcome, count) in QUERY_OUTCOMES.iter().zip(&counters.queries) {
        let count = count.load(Ordering::Relaxed) as f64;
        out.sample(name, [("outcome", *outcome)], count, None);
    }
}

fn write_store(out: &mut Exposition, store: &Embedded) {
    let (memory, blocks) = (store.stats(), store.blocks_stats());
    for (name, kind, help, value) in [
        (
            "nightshift_store_series",
            "gauge",
            "Series in memory.",
            memory.series,
        ),
        (
            "nightshift_store_samples",
            "gauge",
            "Samples in memory.",
            memory.samples,
        ),
        (
            "nightshift_store_sample_bytes",
            "gauge",
            "What the samples in memory take there.",
            memory.sample_bytes,
        ),
        (
            "nightshift_store_flushed_samples_total",
            "counter",
            "Samples that went from memory to blocks.",
            memory.flushed_samples,
        ),
        (
            "nightshift_store_blocks",
            "gauge",
            "Blocks on disk.",
            blocks.blocks,
        ),
        (
            "nightshift_store_block_samples",
            "gauge",
            "Samples in blocks.",
            blocks.samples,
        ),
        (
            "nightshift_store_block_bytes",
            "gauge",
            "Size of the blocks on disk.",
            blocks.bytes,
        ),
        (
            "nightshift_store_quarantined_blocks",
            "gauge",
            "Damaged blocks that were moved aside since the start.",
            blocks.quarantined,
        ),
    ] {
        out.single(name, kind, help, value as f64);
    }
}

fn write_journal(out: &mut Exposition, store: &Embedded) {
    let stats = store.journal_stats();
    for (name, kind, help, value) in [
        (
            "nightshift_journal_appended_bytes_total",
            "counter",
            "Bytes made durable.",
            stats.appended_bytes,
        ),
        (
            "nightshift_journal_failures_total",
            "counter",
            "Writes that could not be made durable.",
            stats.failures,
        ),
        (
            "nightshift_journal_segments",
            "gauge",
            "Files of the journal.",
            stats.segments,
        ),
        (
            "nightshift_journal_disk_bytes",
            "gauge",
            "Size of the journal on disk.",
            stats.disk_bytes,
        ),
    ] {
        out.single(name, kind, help, value as f64);
    }
    let name = "nightshift_journal_fsync_seconds";
    out.family(
        name,
        "histogram",
        "How long writing and fsyncing a group of requests took.",
    );
    let bucket = format!("{name}_bucket");
    let mut so_far = 0;
    for (place, count) in stats.fsync.buckets.iter().enumerate() {
        so_far += count;
        let bound = FSYNC_BOUNDS.get(place).copied().unwrap_or(f64::INFINITY);
        let bound = Number(bound).to_string();
        out.sample(&bucket, [("le", bound.as_str())], so_far as f64, None);
    }
    out.sample(&format!("{name}_sum"), [], stats.fsync.sum, None);
    out.sample(&format!("{name}_count"), [], so_far as f64, None);
}

fn write_agents(out: &mut Exposition, store: &Embedded, now_ms: i64) {
    let agents: Vec<_> = store
        .agents()
        .into_iter()
        .map(|(id, agent)| (id.to_string(), agent))
        .collect();
    let seconds = |milliseconds: i64| milliseconds as f64 / 1_000.0;
    let mut gauge =
        |name: &str, help: &str, value: &dyn Fn(&store::ledger::Agent) -> Option<f64>| {
            out.family(name, "gauge", help);
            for (id, agent) in &agents {
                let labels = [("agent", id.as_str()), ("host", agent.host.as_str())];
                if let Some(value) = value(agent) {
                    out.sample(name, labels, value, None);
                }
            }
        };
    gauge(
        "nightshift_agent_last_seen_timestamp_seconds",
        "When the agent was last heard of.",
        &|agent| Some(seconds(agent.last_seen_ms)),
    );
    gauge(
        "nightshift_agent_lag_seconds",
        "How old the agent's newest sample is.",
        &|agent| Some(seconds(now_ms.saturating_sub(agent.newest_sample_ms?))),
    );
    gauge(
        "nightshift_agent_clock_skew_seconds",
        "How far the agent's clock is ahead, where that is known.",
        &|agent| agent.skew_ms.map(seconds),
    );
    gauge(
        "nightshift_agent_stored_batches",
        "Batches of the agent that were stored, ever.",
        &|agent| Some(agent.stored as f64),
    );
    gauge(
        "nightshift_agent_skipped_batches",
        "Batches that the agent numbered and never sent.",
        &|agent| Some(agent.skipped as f64),
    );
}
