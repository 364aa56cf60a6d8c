//! Which series have ended: what a source gave at its last collection and does not give at this one.
//!
//! Owns what each source gave last, packed, and makes the staleness markers of it. Who collects, and
//! what becomes of a batch, is left to others. A series is known by its full name as it is shipped,
//! so this comes behind every rule, redaction and cap.
//!
//! - A collection with gaps ends nothing: a view that was locked, or for which there was no time, is
//!   bridged as a missed scrape is, so that a busy moment resets no alert. The next one counts whatever
//!   it lacks, or what can never be read would keep its series for ever.
//! - A marker is sent once: what has ended is forgotten with the collection that says so.
//! - Nothing is known at the start, and nothing is said at the end: a restart of the agent ends nothing.
//! - Points with a time of their own get no marker, as with Prometheus: their sender says when they
//!   were true, and they may well be true still.
//! - A source's memory is bounded by [`MOST_BYTES`]; what is beyond it gets no marker, which is said.

mod packed;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::mem;

use wire::batch::Batch;
use wire::metric::{Family, Label, Point, STALE};

use crate::collect::Gather;
use crate::schedule::Identity;
use packed::{Entry, Packed};

/// What one source's last collection may take. The most series that a source may have by default,
/// 20,000, take a quarter of it; the agent's whole budget is 20 MB.
const MOST_BYTES: usize = 4 << 20;

/// How much of a source a collection saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Whole,
    WithGaps,
}

/// What each source gave last.
#[derive(Debug)]
pub(super) struct Endings {
    sources: BTreeMap<Identity, Last>,
    /// Markers made since the start, by the full name of the source. A source that was removed stays,
    /// or its last markers would not be counted.
    made: BTreeMap<String, u64>,
    most_bytes: usize,
    /// Random, so that no label value can be chosen to hide the end of a series.
    hashing: RandomState,
}

/// What one source gave last.
#[derive(Debug, Default)]
struct Last {
    source: String,
    target: Vec<Label>,
    series: Packed,
    /// What it gave before that, where that one had gaps and nothing was said to have ended.
    before_gaps: Option<Packed>,
    /// How many series did not fit.
    beyond: usize,
    said: bool,
}

impl Endings {
    pub(super) fn new() -> Self {
        Self::with_bound(MOST_BYTES)
    }

    fn with_bound(most_bytes: usize) -> Self {
        Self {
            sources: BTreeMap::new(),
            made: BTreeMap::new(),
            most_bytes,
            hashing: RandomState::new(),
        }
    }

    /// Adds a marker to a source's new batch for each series of its last one that the new one has not,
    /// if that tells anything.
    pub(super) fn mark(&mut self, source: &Identity, batch: &mut Batch, reading: Reading) {
        let last = self.sources.entry(source.clone()).or_default();
        last.source.clone_from(&batch.source);
        last.target.clone_from(&batch.target);
        let mut packing = Packed::packing(&batch.target, self.most_bytes, last.series.bytes());
        let mut present = Vec::with_capacity(batch.series());
        for family in &batch.families {
            packing.family(family);
            for point in &family.points {
                let entry = packing.entry(family, point);
                present.push(hash(&self.hashing, entry));
                if point.at_ms.is_none() {
                    packing.keep();
                }
            }
        }
        present.sort_unstable();
        let (now, beyond) = packing.finish();
        let before = mem::replace(&mut last.series, now);
        last.say_beyond(beyond, source, self.most_bytes);
        if reading == Reading::WithGaps && last.before_gaps.is_none() {
            last.before_gaps = Some(before);
            return;
        }
        let earlier = last.before_gaps.take();
        let known = std::iter::once(&before).chain(&earlier);
        let (families, count) = markers(known, &self.hashing, &present);
        *self.made.entry(source.full_name()).or_default() += count;
        merge(&mut batch.families, families);
    }

    /// Forgets sources that are not among `watched`; a batch of markers for each that had series.
    pub(super) fn end_others(&mut self, watched: &BTreeSet<Identity>, at_ms: i64) -> Vec<Batch> {
        let mut batches = Vec::new();
        for (source, last) in mem::take(&mut self.sources) {
            if watched.contains(&source) {
                self.sources.insert(source, last);
                continue;
            }
            let known = std::iter::once(&last.series).chain(&last.before_gaps);
            let (families, count) = markers(known, &self.hashing, &[]);
            *self.made.entry(source.full_name()).or_default() += count;
            if !families.is_empty() {
                batches.push(Batch {
                    source: last.source,
                    at_ms,
                    target: last.target,
                    families,
                });
            }
        }
        batches
    }

    /// Adds what the agent says of this.
    pub(super) fn describe(&self, out: &mut Gather) {
        let mut made = out.counter(
            "nightshift_pipeline_staleness_markers_total",
            "Series that a source gave no longer, each marked as ended.",
        );
        for (source, count) in &self.made {
            made.with([("source", source.clone())], *count as f64);
        }
        let bytes: usize = self.sources.values().map(Last::bytes).sum();
        out.gauge(
            "nightshift_pipeline_remembered_bytes",
            "Memory that holds the names of the series last seen, to mark those that end.",
        )
        .value(bytes as f64);
        let mut beyond = out.gauge(
            "nightshift_pipeline_unremembered_series",
            "Series of a source that will not be marked as ended: their names do not fit into memory.",
        );
        for (source, last) in self.sources.iter().filter(|(_, last)| last.beyond > 0) {
            beyond.with([("source", source.full_name())], last.beyond as f64);
        }
    }
}

impl Last {
    fn bytes(&self) -> usize {
        self.series.bytes() + self.before_gaps.as_ref().map_or(0, Packed::bytes)
    }

    /// Once a source: it would be the same line at each collection.
    fn say_beyond(&mut self, beyond: usize, source: &Identity, most_bytes: usize) {
        self.beyond = beyond;
        if beyond > 0 && !self.said {
            let hint = "such series stay visible for five minutes after their end; drop some with pipeline.relabel";
            tracing::warn!(
                source = source.full_name(),
                series = beyond,
                most_bytes,
                hint,
                "series whose names do not fit into memory are not marked when they end"
            );
            self.said = true;
        }
    }
}

/// Markers for what is `known` and not in `present`, which is sorted.
fn markers<'a>(
    known: impl Iterator<Item = &'a Packed>,
    hashing: &RandomState,
    present: &[u64],
) -> (Vec<Family>, u64) {
    let mut families: Vec<Family> = Vec::new();
    // A source may give a series twice.
    let mut ended = HashSet::new();
    for packed in known {
        packed.each(|entry| {
            let hash = hash(hashing, entry);
            if present.binary_search(&hash).is_err() && ended.insert(hash) {
                add_marker(&mut families, entry);
            }
        });
    }
    (families, ended.len() as u64)
}

fn add_marker(families: &mut Vec<Family>, entry: Entry<'_>) {
    let marker = Point {
        suffix: entry.suffix,
        labels: entry.labels(),
        value: STALE,
        at_ms: None,
    };
    // Nearly always it is the last.
    let mut from_last = families.iter_mut().rev();
    match from_last.find(|family| family.name == entry.name && family.kind == entry.kind) {
        Some(family) => family.points.push(marker),
        None => families.push(Family {
            points: vec![marker],
            ..Family::new(entry.name.to_owned(), "", entry.kind)
        }),
    }
}

/// One family of a name, where the collection still has it: its help is there, too.
fn merge(families: &mut Vec<Family>, markers: Vec<Family>) {
    let known = families.len();
    for ended in markers {
        let mut still = families[..known].iter_mut();
        match still.find(|family| family.name == ended.name && family.kind == ended.kind) {
            Some(family) => family.points.extend(ended.points),
            None => families.push(ended),
        }
    }
}

/// Of the full name: `h` with the suffix `_count` is the same series as `h_count`.
fn hash(hashing: &RandomState, entry: Entry<'_>) -> u64 {
    use std::hash::Hasher;
    let mut hasher = hashing.build_hasher();
    hasher.write(entry.name.as_bytes());
    hasher.write(entry.suffix.as_str().as_bytes());
    // In no name, so that name and labels cannot run into each other.
    hasher.write_u8(0xff);
    hasher.write(entry.block);
    hasher.finish()
}

#[cfg(test)]
mod tests;
