//! What the journal counts about itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::tail::Position;

/// Upper bounds of the buckets in which fsyncs are counted, in seconds: from an NVMe disk with a
/// capacitor to one that is failing.
pub const FSYNC_BOUNDS: [f64; 13] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

/// What the journal did since it was opened, and what lies on disk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JournalStats {
    /// Bytes made durable.
    pub appended_bytes: u64,
    /// Groups that could not be made durable.
    pub failures: u64,
    /// How long each write with its fsync took.
    pub fsync: Durations,
    /// Files.
    pub segments: u64,
    /// Their size.
    pub disk_bytes: u64,
    /// Behind everything that is durable.
    pub end: Position,
}

/// Durations, counted in buckets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Durations {
    /// How many fell into each bucket of [`FSYNC_BOUNDS`], not cumulative; the last holds the rest.
    pub buckets: [u64; FSYNC_BOUNDS.len() + 1],
    /// Their sum in seconds.
    pub sum: f64,
}

impl Durations {
    pub(super) fn observe(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = FSYNC_BOUNDS.partition_point(|bound| *bound < seconds);
        self.buckets[bucket] += 1;
        self.sum += seconds;
    }
}

/// The writer's and the readers' view of the same numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedStats(Arc<Mutex<JournalStats>>);

impl SharedStats {
    pub(super) fn update(&self, change: impl FnOnce(&mut JournalStats)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn get(&self) -> JournalStats {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
