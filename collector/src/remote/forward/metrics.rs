//! What forwarding counts, a target at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use wire::text::Exposition;

/// Where nothing waits to be sent.
const NOTHING: i64 = i64::MIN;

/// How one target gets on.
#[derive(Debug)]
pub struct Progress {
    target: String,
    sent_samples: AtomicU64,
    dropped_samples: AtomicU64,
    failed_requests: AtomicU64,
    sent_requests: AtomicU64,
    expiries: AtomicU64,
    damaged_bytes: AtomicU64,
    pending_bytes: AtomicU64,
    oldest_ms: AtomicI64,
}

impl Progress {
    /// Of a target with that name, before it has begun.
    #[must_use]
    pub fn of(target: &str) -> Self {
        Self {
            target: target.to_owned(),
            sent_samples: AtomicU64::new(0),
            dropped_samples: AtomicU64::new(0),
            failed_requests: AtomicU64::new(0),
            sent_requests: AtomicU64::new(0),
            expiries: AtomicU64::new(0),
            damaged_bytes: AtomicU64::new(0),
            pending_bytes: AtomicU64::new(0),
            oldest_ms: AtomicI64::new(NOTHING),
        }
    }

    pub(super) fn pending(&self, bytes: u64) {
        self.pending_bytes.store(bytes, Ordering::Relaxed);
    }

    /// A chunk is about to be sent, of which the oldest arrived then; one without deliveries counts
    /// from now.
    pub(super) fn sending(&self, oldest_ms: Option<i64>, now_ms: i64) {
        self.oldest_ms
            .store(oldest_ms.unwrap_or(now_ms), Ordering::Relaxed);
    }

    pub(super) fn caught_up(&self) {
        self.oldest_ms.store(NOTHING, Ordering::Relaxed);
    }

    pub(super) fn expired(&self) {
        self.expiries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn damaged(&self, bytes: u64) {
        self.damaged_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn sent(&self, samples: usize) {
        self.sent_requests.fetch_add(1, Ordering::Relaxed);
        self.sent_samples
            .fetch_add(samples as u64, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self, samples: usize) {
        self.dropped_samples
            .fetch_add(samples as u64, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failed_requests.fetch_add(1, Ordering::Relaxed);
    }
}

/// A family: its name, type and help, and the number of a target at a moment.
type Told = (
    &'static str,
    &'static str,
    &'static str,
    fn(&Progress, i64) -> f64,
);

fn get(counter: &AtomicU64) -> f64 {
    counter.load(Ordering::Relaxed) as f64
}

const FAMILIES: [Told; 8] = [
    (
        "nightshift_forward_sent_samples_total",
        "counter",
        "Samples that the receiver took.",
        |progress, _| get(&progress.sent_samples),
    ),
    (
        "nightshift_forward_dropped_samples_total",
        "counter",
        "Samples of requests that the receiver refused for good.",
        |progress, _| get(&progress.dropped_samples),
    ),
    (
        "nightshift_forward_sent_requests_total",
        "counter",
        "Requests that the receiver took.",
        |progress, _| get(&progress.sent_requests),
    ),
    (
        "nightshift_forward_failed_requests_total",
        "counter",
        "Requests that got no answer, or one that asks to come again; they were sent again.",
        |progress, _| get(&progress.failed_requests),
    ),
    (
        "nightshift_forward_expiries_total",
        "counter",
        "Times that telemetry left the journal before it could be forwarded.",
        |progress, _| get(&progress.expiries),
    ),
    (
        "nightshift_forward_damaged_bytes_total",
        "counter",
        "Bytes of the journal that could not be read for forwarding.",
        |progress, _| get(&progress.damaged_bytes),
    ),
    (
        "nightshift_forward_pending_bytes",
        "gauge",
        "Bytes of the journal that are still to be forwarded.",
        |progress, _| get(&progress.pending_bytes),
    ),
    (
        "nightshift_forward_lag_seconds",
        "gauge",
        "How long ago the oldest arrived that is still to be forwarded; 0 where nothing is.",
        |progress, now_ms| match progress.oldest_ms.load(Ordering::Relaxed) {
            NOTHING => 0.0,
            oldest_ms => now_ms.saturating_sub(oldest_ms).max(0) as f64 / 1_000.0,
        },
    ),
];

/// Writes the numbers of all targets as text.
pub fn write(targets: &[Arc<Progress>], now_ms: i64, out: &mut Exposition) {
    if targets.is_empty() {
        return;
    }
    for (name, kind, help, value) in FAMILIES {
        out.family(name, kind, help);
        for progress in targets {
            let labels = [("target", progress.target.as_str())];
            out.sample(name, labels, value(progress, now_ms), None);
        }
    }
}
