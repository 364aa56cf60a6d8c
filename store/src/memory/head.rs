//! Series and their samples, grouped by when they arrived.
//!
//! A *generation* is what arrived within a sixteenth of the retention, or a sixteenth of what the
//! bounds allow. Each series holds its samples in one span a generation. Letting go drops the oldest
//! generation whole, from every series. It goes by arrival, not by the samples' own time: a host
//! whose clock is a day off, or a spool that held data for hours, loses nothing.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::append::Delivery;
use crate::labels::{Labels, METRIC_NAME};
use crate::matcher::Matcher;
use crate::read::{Metadata, ReadError, Sample, Selector, Series, TimeRange};

use super::held::Held;
use super::postings::{Postings, SeriesId};
use super::{Bounds, Ripe, Stats};

/// More generations let go more finely, and cost a span more in each series.
const GENERATIONS: u32 = 16;

/// Metadata beyond what the series account for is swept once it is this much more.
const METADATA_SLACK: usize = 1_000;

#[derive(Debug)]
pub(super) struct Head {
    bounds: Bounds,
    /// Boxed: a table of what takes a hundred bytes keeps as much again free for growth.
    series: HashMap<SeriesId, Box<Held>>,
    ids: HashMap<Labels, SeriesId>,
    postings: Postings,
    generations: VecDeque<Generation>,
    metadata: HashMap<String, Metadata>,
    next_id: SeriesId,
    next_generation: u32,
    stats: Stats,
    /// Everything that arrived up to here is gone.
    horizon_steady_ms: i64,
}

#[derive(Debug)]
struct Generation {
    number: u32,
    /// Requests are stamped before they queue, so arrivals come in nearly ascending order only.
    first_arrival_steady_ms: i64,
    last_arrival_steady_ms: i64,
    samples: u64,
    new_series: u64,
}

impl Head {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            series: HashMap::new(),
            ids: HashMap::new(),
            postings: Postings::default(),
            generations: VecDeque::new(),
            metadata: HashMap::new(),
            next_id: SeriesId::default(),
            next_generation: 0,
            stats: Stats::default(),
            horizon_steady_ms: i64::MIN,
        }
    }

    pub(super) fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    pub(super) fn generation_span(&self) -> Duration {
        let shared = self.bounds.retention / GENERATIONS;
        self.bounds.generation.unwrap_or(shared)
    }

    pub(super) fn size(&self) -> (u64, u64) {
        (self.stats.samples, self.series.len() as u64)
    }

    pub(super) fn stats(&self) -> Stats {
        let sample_bytes: usize = self.series.values().map(|held| held.bytes()).sum();
        Stats {
            series: self.series.len() as u64,
            sample_bytes: sample_bytes as u64,
            ..self.stats
        }
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

    pub(super) fn insert(&mut self, delivery: Delivery) {
        let arrived = delivery.arrival.steady_ms;
        for row in delivery.rows {
            // Looked up for each row: one delivery may fill several generations.
            let generation = self.current_generation(arrived);
            let added = self.insert_row(generation, &row.labels, row.sample);
            if let Some(generation) = self.generations.back_mut() {
                generation.samples += u64::from(added.sample);
                generation.new_series += u64::from(added.series);
            }
            self.stats.samples += u64::from(added.sample);
        }
        for (family, metadata) in delivery.metadata {
            self.metadata.insert(family, metadata);
        }
        self.evict();
    }

    pub(super) fn expire(&mut self, now_steady_ms: i64) -> i64 {
        let kept_from = now_steady_ms.saturating_sub(millis(self.bounds.retention));
        let over = self
            .generations
            .iter()
            .take_while(|generation| generation.last_arrival_steady_ms < kept_from)
            .count();
        self.stats.expired_samples += self.drop_oldest(over);
        self.evict();
        self.sweep_metadata();
        self.horizon_steady_ms
    }

    pub(super) fn ripe(&self, before_steady_ms: i64) -> Option<Ripe> {
        // The last one still takes in what arrives, unless it was ended.
        let over = self.generations.len().checked_sub(1)?;
        let closed = self.generations.iter().take(over);
        let old: Vec<&Generation> = closed
            .take_while(|generation| generation.last_arrival_steady_ms < before_steady_ms)
            .collect();
        let (first, last) = (old.first()?, old.last()?);
        Some(Ripe {
            through: last.number,
            arrived_from_ms: first.first_arrival_steady_ms,
            arrived_to_ms: last.last_arrival_steady_ms,
        })
    }

    pub(super) fn end_generation(&mut self) {
        if let Some(last) = self.generations.back()
            && last.samples > 0
        {
            self.begin_generation(last.last_arrival_steady_ms.saturating_add(1));
        }
    }

    pub(super) fn labels_through(&self, generation: u32) -> Vec<Labels> {
        let held = self.series.values();
        let mut found: Vec<Labels> = held
            .filter(|held| held.begins_by(generation))
            .map(|held| held.labels.clone())
            .collect();
        found.sort_unstable();
        found
    }

    pub(super) fn samples_through(&self, labels: &Labels, generation: u32) -> Option<Vec<Sample>> {
        let held = self.series.get(self.ids.get(labels)?)?;
        Some(held.samples_through(generation))
    }

    pub(super) fn release(&mut self, generation: u32) -> i64 {
        let count = self
            .generations
            .partition_point(|held| held.number <= generation);
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
        max_samples: usize,
    ) -> Result<Vec<Series>, ReadError> {
        let mut found = Vec::new();
        let mut budget = max_samples;
        for held in self.find(selector) {
            let samples = held
                .samples_in(range, budget)
                .ok_or(ReadError::TooManySamples { limit: max_samples })?;
            budget -= samples.len();
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
            .flat_map(|selector| self.find(selector))
            .filter(|held| held.reaches(range))
            .map(|held| held.labels.clone())
            .collect()
    }

    fn find(&self, selector: &[Matcher]) -> impl Iterator<Item = &Held> {
        let candidates = self.postings.candidates(selector);
        let every = candidates
            .is_none()
            .then(|| self.series.values().map(Box::as_ref));
        candidates
            .into_iter()
            .flatten()
            .filter_map(|id| self.series.get(&id).map(Box::as_ref))
            .chain(every.into_iter().flatten())
            .filter(|held| {
                selector.iter().all(|matcher| {
                    matcher.accepts(held.labels.get(matcher.label()).unwrap_or_default())
                })
            })
    }

    fn insert_row(&mut self, generation: u32, labels: &Labels, sample: Sample) -> Added {
        let known = self.ids.get(labels).copied();
        let id = known.unwrap_or_else(|| {
            let id = self.next_id;
            self.next_id = id.next();
            self.ids.insert(labels.clone(), id);
            self.postings.add(id, labels);
            id
        });
        let held = self
            .series
            .entry(id)
            .or_insert_with(|| Box::new(Held::new(labels.clone())));
        Added {
            series: known.is_none(),
            sample: held.push(generation, sample),
        }
    }

    /// The generation that takes in what arrives now; opens one if it is time.
    fn current_generation(&mut self, arrived_steady_ms: i64) -> u32 {
        let span_ms = millis(self.generation_span());
        let share = |bound: u64| (bound / u64::from(GENERATIONS)).max(1);
        let (samples, series) = (
            share(self.bounds.max_samples),
            share(self.bounds.max_series),
        );
        if let Some(generation) = self.generations.back_mut() {
            let is_full = generation.samples >= samples || generation.new_series >= series;
            let age_ms = arrived_steady_ms.saturating_sub(generation.first_arrival_steady_ms);
            if !is_full && age_ms < span_ms {
                generation.first_arrival_steady_ms =
                    generation.first_arrival_steady_ms.min(arrived_steady_ms);
                generation.last_arrival_steady_ms =
                    generation.last_arrival_steady_ms.max(arrived_steady_ms);
                return generation.number;
            }
        }
        self.begin_generation(arrived_steady_ms)
    }

    fn begin_generation(&mut self, arrived_steady_ms: i64) -> u32 {
        let number = self.next_generation;
        self.next_generation += 1;
        self.generations.push_back(Generation {
            number,
            first_arrival_steady_ms: arrived_steady_ms,
            last_arrival_steady_ms: arrived_steady_ms,
            samples: 0,
            new_series: 0,
        });
        number
    }

    fn evict(&mut self) {
        while self.generations.len() > 1
            && (self.stats.samples > self.bounds.max_samples
                || self.series.len() as u64 > self.bounds.max_series)
        {
            self.stats.evicted_samples += self.drop_oldest(1);
        }
    }

    /// Drops the oldest generations; says how many samples went.
    fn drop_oldest(&mut self, count: usize) -> u64 {
        let Some(last) = count.checked_sub(1).and_then(|at| self.generations.get(at)) else {
            return 0;
        };
        let newest_dropped = last.number;
        let first_kept = self.generations.get(count);
        let horizon = first_kept.map_or(last.last_arrival_steady_ms, |kept| {
            let before_kept = kept.first_arrival_steady_ms.saturating_sub(1);
            last.last_arrival_steady_ms.min(before_kept)
        });
        self.horizon_steady_ms = self.horizon_steady_ms.max(horizon);
        self.generations.drain(..count);
        let mut dropped = 0;
        let mut emptied = HashMap::new();
        self.series.retain(|id, held| {
            dropped += held.drop_through(newest_dropped);
            if held.is_empty() {
                emptied.insert(*id, held.labels.clone());
            }
            !held.is_empty()
        });
        for labels in emptied.values() {
            self.ids.remove(labels);
        }
        self.postings.remove(&emptied);
        self.stats.samples -= dropped;
        dropped
    }

    /// Forgets metadata of families without a series, once there is a lot of it.
    fn sweep_metadata(&mut self) {
        if self.metadata.len() <= self.postings.values(METRIC_NAME) + METADATA_SLACK {
            return;
        }
        let postings = &self.postings;
        self.metadata.retain(|family, _| {
            ["", "_bucket", "_sum", "_count"]
                .iter()
                .any(|suffix| postings.has(METRIC_NAME, &format!("{family}{suffix}")))
        });
    }
}

/// What a row added: neither, if it only replaced the number of a moment.
struct Added {
    series: bool,
    sample: bool,
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
