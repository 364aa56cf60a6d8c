//! The store in memory: the reference of the conformance suite, and what the journal replays into.
//!
//! It owns the ledger and the head (series, samples, label index) under one lock, so that a delivery
//! and its identity become visible in one step. Nothing here survives the process.

mod chunk;
mod exemplars;
mod head;
mod held;
mod postings;

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use wire::batch::{AgentId, BatchId};

use crate::append::{Append, AppendError, Delivery, Outcome};
use crate::labels::Labels;
use crate::ledger::{Agent, Ledger};
use crate::matcher::Matcher;
use crate::read::{
    Listing, Metadata, Read, ReadError, Selector, Series, SeriesExemplars, TimeRange,
};

use exemplars::Exemplars;
use head::Head;

/// How much a store keeps. What arrived first goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How long after its arrival a sample is kept at least; it goes within a generation of that.
    pub retention: Duration,
    /// Within which time what arrives is let go together; a sixteenth of the retention if nothing.
    pub generation: Option<Duration>,
    /// How many samples are kept at the most, give or take a sixteenth.
    pub max_samples: u64,
    /// How many series are kept at the most, give or take a sixteenth.
    pub max_series: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(2 * 3600),
            generation: None,
            // About two bytes each, sixteen at the worst.
            max_samples: 20_000_000,
            // Around 1 kB each with their index.
            max_series: 1_000_000,
        }
    }
}

/// What is old enough to leave memory, once it is somewhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ripe {
    /// The last generation of it.
    pub(crate) through: u32,
    /// When the first of it arrived, in steady milliseconds.
    pub arrived_from_ms: i64,
    /// When the last of it arrived.
    pub arrived_to_ms: i64,
}

/// What the store holds and has let go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Series held.
    pub series: u64,
    /// Samples held.
    pub samples: u64,
    /// Bytes that they take, packed.
    pub sample_bytes: u64,
    /// Samples let go because they are somewhere else now.
    pub flushed_samples: u64,
    /// Samples let go because their time was over.
    pub expired_samples: u64,
    /// Samples let go before their time because there were too many.
    pub evicted_samples: u64,
}

/// The store in memory.
#[derive(Debug)]
pub struct Memory {
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    ledger: Ledger,
    head: Head,
    exemplars: Exemplars,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        let state = State {
            ledger: Ledger::default(),
            head: Head::new(bounds),
            exemplars: Exemplars::default(),
        };
        Self {
            state: RwLock::new(state),
        }
    }

    /// Takes a delivery in, unless one with its identity is here already.
    pub fn apply(&self, mut delivery: Delivery) -> Outcome {
        let state = &mut *self.write();
        if let Some(origin) = &delivery.origin {
            let known = state.ledger.has(&origin.id);
            state.ledger.record(origin, &delivery);
            if known {
                return Outcome::Duplicate;
            }
        }
        let exemplars = std::mem::take(&mut delivery.exemplars);
        state.exemplars.extend(exemplars);
        state.head.insert(delivery);
        Outcome::Stored
    }

    /// Whether a delivery with this identity is here.
    #[must_use]
    pub fn has(&self, id: &BatchId) -> bool {
        self.read_state().ledger.has(id)
    }

    /// Lets go what is older than the retention. Says up to which arrival everything is gone by now,
    /// for whatever reason, in steady milliseconds.
    pub fn expire(&self, now_steady_ms: i64) -> i64 {
        self.write().head.expire(now_steady_ms)
    }

    /// What arrived before a moment and is in generations that are over.
    #[must_use]
    pub fn ripe(&self, before_steady_ms: i64) -> Option<Ripe> {
        self.read_state().head.ripe(before_steady_ms)
    }

    /// Has what arrives from now on open a generation.
    pub fn end_generation(&self) {
        self.write().head.end_generation();
    }

    /// The series with something up to that generation, in the order of their labels. It looks each
    /// one up anew, so that appends go on between them.
    pub(crate) fn series_through(&self, generation: u32) -> impl Iterator<Item = Series> {
        let found = self.read_state().head.labels_through(generation);
        found.into_iter().filter_map(move |labels| {
            let samples = self
                .read_state()
                .head
                .samples_through(&labels, generation)?;
            Some(Series { labels, samples })
        })
    }

    /// Lets go every generation up to that one. Says up to which arrival everything is gone by now,
    /// for whatever reason, in steady milliseconds.
    pub(crate) fn release(&self, generation: u32) -> i64 {
        self.write().head.release(generation)
    }

    /// What is known of every metric family.
    pub(crate) fn all_metadata(&self) -> Vec<(String, Metadata)> {
        self.read_state().head.metadata(None)
    }

    /// Takes metadata in as a checkpoint has it.
    pub(crate) fn restore_metadata(&self, metadata: Vec<(String, Metadata)>) {
        self.write().head.restore_metadata(metadata);
    }

    /// Changes how much is kept, from the next append or expiry on.
    pub fn set_bounds(&self, bounds: Bounds) {
        self.write().head.set_bounds(bounds);
    }

    /// What the store holds.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.read_state().head.stats()
    }

    /// How many samples and series it holds.
    #[must_use]
    pub fn size(&self) -> (u64, u64) {
        self.read_state().head.size()
    }

    /// All agents, sorted by id.
    #[must_use]
    pub fn agents(&self) -> Vec<(AgentId, Agent)> {
        let state = self.read_state();
        let mut agents: Vec<_> = state
            .ledger
            .agents()
            .map(|(id, agent)| (id, agent.clone()))
            .collect();
        agents.sort_by_key(|(id, _)| *id);
        agents
    }

    /// Takes an agent in as a checkpoint has it.
    pub(crate) fn restore_agent(&self, id: AgentId, agent: Agent) {
        self.write().ledger.restore(id, agent);
    }

    /// How far the clock may go until the store opens a new generation; the journal cuts its files
    /// as finely.
    pub(crate) fn generation_span(&self) -> Duration {
        self.read_state().head.generation_span()
    }

    // A panic while the lock is held leaves the state whole: every change is a sequence of inserts
    // that readers tolerate half done. Going on is better than failing every request after it.
    fn read_state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Append for Memory {
    async fn append(&self, deliveries: Vec<Delivery>) -> Result<Vec<Outcome>, AppendError> {
        Ok(deliveries
            .into_iter()
            .map(|delivery| self.apply(delivery))
            .collect())
    }
}

impl Read for Memory {
    async fn select(
        &self,
        selector: &[Matcher],
        range: TimeRange,
        max_samples: usize,
    ) -> Result<Vec<Series>, ReadError> {
        self.read_state().head.select(selector, range, max_samples)
    }

    async fn series(
        &self,
        selectors: &[Selector],
        range: TimeRange,
        limit: Option<usize>,
    ) -> Result<Listing<Labels>, ReadError> {
        let found = self.read_state().head.labels_of(selectors, range);
        Ok(listing(found, limit))
    }

    async fn label_names(
        &self,
        selectors: &[Selector],
        range: TimeRange,
        limit: Option<usize>,
    ) -> Result<Listing<String>, ReadError> {
        let found = self.read_state().head.labels_of(selectors, range);
        let mut names: Vec<&str> = found
            .iter()
            .flat_map(|labels| labels.iter().map(|(name, _)| name))
            .collect();
        names.sort_unstable();
        names.dedup();
        let names = names.into_iter().map(str::to_owned).collect();
        Ok(listing(names, limit))
    }

    async fn label_values(
        &self,
        label: &str,
        selectors: &[Selector],
        range: TimeRange,
        limit: Option<usize>,
    ) -> Result<Listing<String>, ReadError> {
        let found = self.read_state().head.labels_of(selectors, range);
        let mut values: Vec<&str> = found
            .iter()
            .filter_map(|labels| labels.get(label))
            .collect();
        values.sort_unstable();
        values.dedup();
        let values = values.into_iter().map(str::to_owned).collect();
        Ok(listing(values, limit))
    }

    async fn metadata(&self, family: Option<&str>) -> Result<Vec<(String, Metadata)>, ReadError> {
        Ok(self.read_state().head.metadata(family))
    }

    async fn exemplars(
        &self,
        selectors: &[Selector],
        range: TimeRange,
    ) -> Result<Vec<SeriesExemplars>, ReadError> {
        Ok(self.read_state().exemplars.select(selectors, range))
    }
}

fn listing<T: Ord>(mut items: Vec<T>, limit: Option<usize>) -> Listing<T> {
    items.sort_unstable();
    items.dedup();
    let limit = limit.unwrap_or(usize::MAX);
    let truncated = items.len() > limit;
    items.truncate(limit);
    Listing { items, truncated }
}

#[cfg(test)]
mod tests;
