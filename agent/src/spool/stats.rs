//! What the spool counts, and how that reads as metrics.
//!
//! Invariant: recovered + produced = acknowledged + dropped + pending. The tests hold every other
//! part of the spool to it.

use super::ring::Ring;
use super::segments::{Segments, Tally};
use super::survey::Recovery;
use crate::collect::Gather;

/// Why batches were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The disk held as much as it may.
    Full,
    /// The disk took nothing, and memory held as much as it may.
    MemoryFull,
    /// One sample was larger than a collector takes.
    TooLarge,
    /// What was written was not read again.
    Damaged,
    /// The collector will never take it.
    Refused,
    /// The disk did not answer in time.
    Stalled,
}

impl Reason {
    const ALL: [Self; 6] = [
        Self::Full,
        Self::MemoryFull,
        Self::TooLarge,
        Self::Damaged,
        Self::Refused,
        Self::Stalled,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::MemoryFull => "memory_full",
            Self::TooLarge => "too_large",
            Self::Damaged => "damaged",
            Self::Refused => "refused",
            Self::Stalled => "stalled",
        }
    }
}

/// What only grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) recovered: Tally,
    pub(super) produced: Tally,
    pub(super) acknowledged: Tally,
    dropped: [Tally; Reason::ALL.len()],
    pub(super) damaged_bytes: u64,
    torn_bytes: u64,
    pub(super) write_errors: u64,
}

impl Counts {
    pub(super) fn recovered(recovery: &Recovery) -> Self {
        Self {
            recovered: recovery.kept,
            damaged_bytes: recovery.damaged_bytes,
            torn_bytes: recovery.torn_bytes,
            ..Self::default()
        }
    }

    pub(super) fn drop(&mut self, reason: Reason, lost: Tally) {
        self.dropped[reason as usize].merge(lost);
    }

    pub(super) fn drop_one(&mut self, reason: Reason, samples: u32) {
        self.dropped[reason as usize].add(samples);
    }
}

/// The spool's numbers at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub(super) counts: Counts,
    /// What waits to be sent.
    pub pending: Tally,
    /// Bytes in segments.
    pub disk_bytes: u64,
    /// Bytes in memory, because the disk takes none.
    pub memory_bytes: u64,
    /// Segments on disk.
    pub segments: u64,
    /// When the oldest pending batch was gathered, in milliseconds since 1970; `None` without one.
    pub oldest_at_ms: Option<i64>,
    /// Whether new batches go to disk.
    pub on_disk: bool,
}

/// Takes the numbers.
pub(super) fn take(counts: &Counts, segments: &Segments, ring: &Ring, on_disk: bool) -> Stats {
    let mut stats = Stats {
        counts: counts.clone(),
        memory_bytes: ring.bytes() as u64,
        on_disk,
        disk_bytes: segments.bytes(),
        oldest_at_ms: oldest_at_ms(segments, ring),
        pending: Tally {
            batches: ring.len() as u64,
            samples: ring.samples(),
        },
        ..Stats::default()
    };
    for segment in segments.iter() {
        stats.pending.merge(segment.left);
        stats.segments += 1;
    }
    stats
}

fn oldest_at_ms(segments: &Segments, ring: &Ring) -> Option<i64> {
    let with_some = segments.iter().position(|segment| segment.left.batches > 0);
    let Some((segment, reader)) = with_some.and_then(|index| segments.reader(index)) else {
        return ring.front().map(|held| held.at_ms);
    };
    // Where the next record cannot be read, the segment's beginning is the best that is known.
    let next = reader
        .and_then(|reader| reader.peek_header())
        .ok()
        .flatten();
    Some(next.map_or(segment.at_ms, |header| header.at_ms))
}

impl Stats {
    /// What this run was given.
    #[must_use]
    pub fn produced(&self) -> Tally {
        self.counts.produced
    }

    /// What earlier runs left.
    #[must_use]
    pub fn recovered(&self) -> Tally {
        self.counts.recovered
    }

    /// What the collector has.
    #[must_use]
    pub fn acknowledged(&self) -> Tally {
        self.counts.acknowledged
    }

    /// What was dropped for that reason.
    #[must_use]
    pub fn dropped(&self, reason: Reason) -> Tally {
        self.counts.dropped[reason as usize]
    }

    /// What was dropped for any reason.
    #[must_use]
    pub fn dropped_in_all(&self) -> Tally {
        let mut all = Tally::default();
        for tally in self.counts.dropped {
            all.merge(tally);
        }
        all
    }

    /// Bytes found to be no records, torn ones not among them.
    #[must_use]
    pub fn damaged_bytes(&self) -> u64 {
        self.counts.damaged_bytes
    }

    /// Adds batches that never reached the spool.
    pub(super) fn add_stalled(&mut self, stalled: Tally) {
        self.counts.produced.merge(stalled);
        self.counts.drop(Reason::Stalled, stalled);
    }

    /// Writes the numbers as metrics.
    pub fn describe(&self, now_ms: i64, out: &mut Gather) {
        self.describe_queue(now_ms, out);
        self.describe_counts(out);
    }

    fn describe_queue(&self, now_ms: i64, out: &mut Gather) {
        let mut gauge = |name: &'static str, help: &'static str, value: f64| {
            out.gauge(name, help).value(value);
        };
        gauge(
            "nightshift_spool_batches",
            "Batches that wait to be sent.",
            self.pending.batches as f64,
        );
        gauge(
            "nightshift_spool_samples",
            "Samples that wait to be sent.",
            self.pending.samples as f64,
        );
        gauge(
            "nightshift_spool_bytes",
            "Bytes of the spool on disk.",
            self.disk_bytes as f64,
        );
        gauge(
            "nightshift_spool_memory_bytes",
            "Bytes of the spool in memory because the disk takes none.",
            self.memory_bytes as f64,
        );
        gauge(
            "nightshift_spool_segments",
            "Files of the spool on disk.",
            self.segments as f64,
        );
        let age_ms = self
            .oldest_at_ms
            .map_or(0, |at_ms| now_ms.saturating_sub(at_ms).max(0));
        gauge(
            "nightshift_spool_oldest_seconds",
            "Age of the oldest batch that waits to be sent; 0 when none waits.",
            age_ms as f64 / 1000.0,
        );
        gauge(
            "nightshift_spool_on_disk",
            "Whether new batches go to disk (1) or, because it takes none, to memory (0).",
            f64::from(u8::from(self.on_disk)),
        );
    }

    fn describe_counts(&self, out: &mut Gather) {
        let counts = &self.counts;
        let pairs = [
            ("recovered", "Left by earlier runs", counts.recovered),
            ("produced", "Given to the spool", counts.produced),
            (
                "acknowledged",
                "Taken by the collector",
                counts.acknowledged,
            ),
        ];
        for (what, help, tally) in pairs {
            out.counter(
                format!("nightshift_spool_{what}_batches_total"),
                format!("{help}, in batches."),
            )
            .value(tally.batches as f64);
            out.counter(
                format!("nightshift_spool_{what}_samples_total"),
                format!("{help}, in samples."),
            )
            .value(tally.samples as f64);
        }
        for reason in Reason::ALL {
            let (labels, lost) = ([("reason", reason.as_str())], self.dropped(reason));
            out.counter("nightshift_spool_dropped_batches_total", "Batches dropped.")
                .with(labels, lost.batches as f64);
            out.counter("nightshift_spool_dropped_samples_total", "Samples dropped.")
                .with(labels, lost.samples as f64);
        }
        out.counter(
            "nightshift_spool_damaged_bytes_total",
            "Bytes of the spool found to be no records.",
        )
        .value(counts.damaged_bytes as f64);
        out.counter(
            "nightshift_spool_torn_bytes_total",
            "Bytes of records that were cut short when the agent or the host stopped.",
        )
        .value(counts.torn_bytes as f64);
        out.counter(
            "nightshift_spool_write_errors_total",
            "Writes that the disk did not take.",
        )
        .value(counts.write_errors as f64);
    }
}
