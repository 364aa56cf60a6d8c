//! What the shipper counts, and how that reads as metrics.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::collect::Gather;

/// The shipper's numbers, shared with whoever reports them.
#[derive(Debug, Default)]
pub struct Stats {
    counts: Mutex<Counts>,
}

/// The numbers themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests sent, whatever became of them.
    pub requests: u64,
    /// Requests not acknowledged, by why.
    pub failures: BTreeMap<&'static str, u64>,
    /// Bytes of all requests, compressed.
    pub bytes: u64,
    /// Samples that the collector took out of batches that it acknowledged.
    pub rejected_samples: u64,
    /// When a request was last acknowledged.
    pub last_success: Option<Instant>,
    /// Whether the shipper waits after a failure.
    pub in_backoff: bool,
}

impl Stats {
    /// The numbers as they stand.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.lock().clone()
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // The numbers are set one by one; a panic between two leaves nothing broken.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the numbers as metrics.
    pub fn describe(&self, now: Instant, out: &mut Gather) {
        let counts = self.counts();
        out.counter(
            "nightshift_ship_requests_total",
            "Requests sent to the collector.",
        )
        .value(counts.requests as f64);
        out.counter(
            "nightshift_ship_bytes_total",
            "Bytes sent to the collector, compressed.",
        )
        .value(counts.bytes as f64);
        out.counter(
            "nightshift_ship_rejected_samples_total",
            "Samples that the collector took out of batches it acknowledged.",
        )
        .value(counts.rejected_samples as f64);
        for (code, failures) in counts.failures {
            out.counter(
                "nightshift_ship_failures_total",
                "Requests that were not acknowledged.",
            )
            .with([("code", code)], failures as f64);
        }
        out.gauge(
            "nightshift_ship_in_backoff",
            "Whether the shipper waits after a failure.",
        )
        .value(f64::from(u8::from(counts.in_backoff)));
        // Before the first one there is no age, and nothing that a person could mend.
        if let Some(at) = counts.last_success {
            out.gauge(
                "nightshift_ship_last_success_age_seconds",
                "Time since a request was last acknowledged.",
            )
            .value(now.saturating_duration_since(at).as_secs_f64());
        }
    }
}
