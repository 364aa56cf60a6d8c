//! Series and their samples, grouped by when they arrived.
//!
//! Each series holds its samples in one span a generation. Letting go drops the oldest generation whole,
//! from every series.

use std::collections::HashMap;
use std::time::Duration;

use crate::append::{Delivery, Row, millis};
use crate::labels::{Labels, METRIC_NAME};
use crate::matcher::Matcher;
use crate::read::{Aspect, Metadata, ReadError, Sample, Selector, Series, TimeRange};

use super::cardinality::Cardinality;
use super::generations::Generations;
use super::index::{Index, Resolved, Resolving, RowSeries};
use super::postings::SeriesId;
use super::{Bounds, Ripe, Stats};

/// Metadata beyond what the series account for is swept once it is this much more.
const METADATA_SLACK: usize = 1_000;

#[derive(Debug)]
pub(super) struct Head {
    bounds: Bounds,
    index: Index,
    generations: Generations,
    metadata: HashMap<String, Metadata>,
    stats: Stats,
    /// Everything that arrived up to here is gone.
    horizon_steady_ms: i64,
}

impl Head {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            index: Index::default(),
            generations: Generations::new(&bounds),
            metadata: HashMap::new(),
            stats: Stats::default(),
            horizon_steady_ms: i64::MIN,
        }
    }

    pub(super) fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
        self.generations.set_bounds(&bounds);
    }

    pub(super) fn generation_span(&self) -> Duration {
        self.generations.span()
    }

    pub(super) fn size(&self) -> (u64, u64) {
        (self.stats.samples, self.index.len() as u64)
    }

    pub(super) fn stats(&self) -> Stats {
        let sample_bytes: usize = self.index.values().map(|held| held.bytes()).sum();
        Stats {
            series: self.index.len() as u64,
            sample_bytes: sample_bytes as u64,
            ..self.stats
        }
    }

    pub(super) fn cardinality(&self, most: usize) -> Cardinality {
        let mut found = self.index.postings.cardinality(most);
        found.series = self.index.len() as u64;
        for held in self.index.values() {
            for (first_ms, last_ms) in held.extents() {
                found.chunks += 1;
                found.first_ms = Some(found.first_ms.map_or(first_ms, |ms| ms.min(first_ms)));
                found.last_ms = Some(found.last_ms.map_or(last_ms, |ms| ms.max(last_ms)));
            }
        }
        found
    }

    pub(super) fn metadata(&self, family: Option<&str>) -> Vec<(String, Metadata)> {
        let one = family.and_then(|family| self.metadata.get_key_value(family));
        let all = family.is_none().then_some(&self.metadata);
        let found = one.into_iter().chain(all.into_iter().flatten());
        let mut found: Vec<(String, Metadata)> = found
            .map(|(name, said)| (name.clone(), said.clone()))
            .collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        found
    }

    /// The same labels, in the allocation of the series that bears them if there is one.
    pub(super) fn share(&self, labels: Labels) -> Labels {
        let held = self.index.id(&labels).and_then(|id| self.index.get(id));
        held.map_or(labels, |held| held.labels.clone())
    }

    /// The series with those labels; a new one is to be filled soon.
    pub(super) fn get_or_add(&mut self, labels: &Labels) -> SeriesId {
        let (id, is_new) = self.index.get_or_add(labels);
        if is_new {
            self.generations.count_series();
        }
        id
    }

    /// The generation that takes in what arrives now, and how many rows it takes in for certain, of
    /// whatever series, before another one or an older one's end is due.
    pub(super) fn room(&mut self, arrived_steady_ms: i64) -> (u32, u64) {
        let number = self.generations.current(arrived_steady_ms);
        let (samples, series) = self.generations.room();
        let room = [
            samples,
            series,
            self.bounds.max_samples.saturating_sub(self.stats.samples),
            self.bounds
                .max_series
                .saturating_sub(self.index.len() as u64),
        ];
        (number, room.into_iter().min().unwrap_or_default())
    }

    /// Takes many samples of one series in. Says how many there are more; they are to be counted.
    pub(super) fn fill(
        &mut self,
        generation: u32,
        id: SeriesId,
        samples: impl Iterator<Item = Sample>,
    ) -> u64 {
        let held = self.index.get_mut(id);
        held.map_or(0, |held| held.fill(generation, samples))
    }

    pub(super) fn has(&self, id: SeriesId) -> bool {
        self.index.get(id).is_some()
    }

    /// Counts samples that came into a generation.
    pub(super) fn count(&mut self, generation: u32, samples: u64) {
        self.generations.count_samples(generation, samples);
        self.stats.samples += samples;
    }

    /// Goes on looking up the series of `rows`.
    pub(super) fn resolve<'a>(&self, rows: &'a [Row], known: &mut Resolving<'a>) {
        self.index.resolve(rows, known);
    }

    /// Takes rows in, whose series were looked up before; some may be gone by now, and others here.
    /// Says which series the new ones are.
    pub(super) fn insert(&mut self, delivery: Delivery, resolved: &Resolved) -> Vec<SeriesId> {
        let arrived = delivery.arrival.steady_ms;
        let mut added: Vec<Option<SeriesId>> = vec![None; resolved.new.len()];
        for (row, series) in delivery.rows.iter().zip(&resolved.rows) {
            let known = match *series {
                RowSeries::Known(id) => Some(id),
                RowSeries::New(place) => added.get(place as usize).copied().flatten(),
            };
            let id = self.insert_row(arrived, known, &row.labels, row.sample);
            if let RowSeries::New(place) = *series
                && let Some(added) = added.get_mut(place as usize)
            {
                *added = Some(id);
            }
        }
        self.restore_metadata(delivery.metadata);
        self.evict();
        // Each has a row, and so was found or added.
        added.into_iter().map(Option::unwrap_or_default).collect()
    }

    pub(super) fn expire(&mut self, now_steady_ms: i64) -> i64 {
        let kept_from = now_steady_ms.saturating_sub(millis(self.bounds.retention));
        let over = self.generations.before(kept_from);
        self.stats.expired_samples += self.drop_oldest(over);
        self.evict();
        self.sweep_metadata();
        self.horizon_steady_ms
    }

    pub(super) fn ripe(&self, before_steady_ms: i64) -> Option<Ripe> {
        self.generations.ripe(before_steady_ms)
    }

    pub(super) fn end_generation(&mut self) {
        self.generations.end();
    }

    /// The time of the newest sample of a series.
    pub(super) fn newest_ms(&self, labels: &Labels) -> Option<i64> {
        self.index.get(self.index.id(labels)?)?.newest_ms()
    }

    pub(super) fn labels_through(&self, generation: u32) -> Vec<Labels> {
        let held = self.index.values();
        let mut found: Vec<Labels> = held
            .filter(|held| held.begins_by(generation))
            .map(|held| held.labels.clone())
            .collect();
        found.sort_unstable();
        found
    }

    pub(super) fn samples_through(&self, labels: &Labels, generation: u32) -> Option<Vec<Sample>> {
        let held = self.index.get(self.index.id(labels)?)?;
        Some(held.samples_through(generation))
    }

    pub(super) fn horizon(&self, generation: u32) -> i64 {
        let count = self.generations.through(generation);
        self.generations.horizon(count)
    }

    pub(super) fn release(&mut self, generation: u32) -> i64 {
        let count = self.generations.through(generation);
        self.stats.flushed_samples += self.drop_oldest(count);
        self.sweep_metadata();
        self.horizon_steady_ms
    }

    pub(super) fn restore_metadata(&mut self, metadata: Vec<(String, Metadata)>) {
        self.metadata.extend(metadata);
    }

    pub(super) fn select(
        &self,
        selector: &[Matcher],
        range: TimeRange,
        aspect: Aspect,
        max_samples: usize,
    ) -> Result<Vec<Series>, ReadError> {
        let mut found = Vec::new();
        let mut budget = max_samples;
        for held in self.index.find(selector) {
            let samples = match aspect {
                Aspect::Newest => held.newest_in(range).into_iter().collect(),
                _ => held.samples_in(range),
            };
            let left = budget.checked_sub(samples.len());
            budget = left.ok_or(ReadError::TooManySamples { limit: max_samples })?;
            if !samples.is_empty() {
                found.push(Series {
                    labels: held.labels.clone(),
                    samples,
                });
            }
        }
        found.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(found)
    }

    /// The labels of the series with a span that reaches into `range`, in no order, perhaps twice.
    pub(super) fn labels_of(&self, selectors: &[Selector], range: TimeRange) -> Vec<Labels> {
        const EVERY: &[Selector] = &[Selector::new()];
        let selectors = if selectors.is_empty() {
            EVERY
        } else {
            selectors
        };
        selectors
            .iter()
            .flat_map(|selector| self.index.find(selector))
            .filter(|held| held.reaches(range))
            .map(|held| held.labels.clone())
            .collect()
    }

    /// Takes in one row; of its series it says the number.
    pub(super) fn insert_row(
        &mut self,
        arrived_steady_ms: i64,
        known: Option<SeriesId>,
        labels: &Labels,
        sample: Sample,
    ) -> SeriesId {
        // Looked up for each row: one delivery may fill several generations.
        let generation = self.generations.current(arrived_steady_ms);
        if let Some(id) = known
            && let Some(held) = self.index.get_mut(id)
        {
            let is_more = held.push(generation, sample);
            self.count(generation, u64::from(is_more));
            return id;
        }
        let id = self.get_or_add(labels);
        let held = self.index.get_mut(id);
        let is_more = held.is_some_and(|held| held.push(generation, sample));
        self.count(generation, u64::from(is_more));
        id
    }

    pub(super) fn evict(&mut self) {
        while self.generations.len() > 1
            && (self.stats.samples > self.bounds.max_samples
                || self.index.len() as u64 > self.bounds.max_series)
        {
            self.stats.evicted_samples += self.drop_oldest(1);
        }
    }

    /// Drops the oldest generations; says how many samples went.
    fn drop_oldest(&mut self, count: usize) -> u64 {
        let horizon = self.generations.horizon(count);
        let Some(newest_dropped) = self.generations.drop_oldest(count) else {
            return 0;
        };
        self.horizon_steady_ms = self.horizon_steady_ms.max(horizon);
        let mut dropped = 0;
        self.index.retain(|held| {
            dropped += held.drop_through(newest_dropped);
            !held.is_empty()
        });
        self.stats.samples -= dropped;
        dropped
    }

    /// Forgets metadata of families without a series, once there is a lot of it.
    fn sweep_metadata(&mut self) {
        if self.metadata.len() <= self.index.postings.values(METRIC_NAME) + METADATA_SLACK {
            return;
        }
        let postings = &self.index.postings;
        self.metadata.retain(|family, _| {
            ["", "_bucket", "_sum", "_count"]
                .iter()
                .any(|suffix| postings.has(METRIC_NAME, &format!("{family}{suffix}")))
        });
    }
}
