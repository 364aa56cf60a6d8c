//! The store in memory: the reference of the conformance suite, and what the journal replays into.
//!
//! It owns the ledger and the head (series, samples, label index) under one lock, so that a delivery
//! and its identity become visible in one step. Nothing here survives the process.

mod cardinality;
mod chunk;
mod exemplars;
mod generations;
mod head;
mod held;
mod index;
mod postings;
mod restore;

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use wire::batch::{AgentId, BatchId};

use crate::append::{
    self, Append, AppendError, Delivery, Origin, Outcome, Refused, Row, TimeLimits,
};
use crate::labels::Labels;
use crate::ledger::{Agent, Ledger, Summary};
use crate::matcher::Matcher;
use crate::read::{
    Aspect, Listing, Metadata, Read, ReadError, Selector, Series, SeriesExemplars, TimeRange,
};

pub use cardinality::{Cardinality, Count};

use exemplars::Exemplars;
use head::Head;
use index::Resolving;

pub(crate) use index::{Resolved, RowSeries};
pub(crate) use postings::SeriesId;
pub(crate) use restore::{Named, Restoring};

/// Rows that are looked up under one lock: what is acknowledged must not wait for long.
const ROWS_A_LOOK: usize = 1_024;

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
    limits: TimeLimits,
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
            limits: TimeLimits::default(),
        }
    }

    /// Holds what is appended to limits.
    #[must_use]
    pub fn with_limits(self, limits: TimeLimits) -> Self {
        Self { limits, ..self }
    }

    /// Takes out of deliveries what their time forbids; says how much, of each.
    pub(crate) fn sift(&self, limits: &TimeLimits, deliveries: &mut [Delivery]) -> Vec<Refused> {
        let newest = |labels: &Labels| self.read_state().head.newest_ms(labels);
        let each = deliveries.iter_mut();
        each.map(|delivery| limits.sift(delivery, newest)).collect()
    }

    /// Takes a delivery in, unless one with its identity is here already.
    pub fn apply(&self, delivery: Delivery) -> Outcome {
        self.write().apply(delivery)
    }

    /// Looks up the series of rows, for [`Memory::apply_resolved`].
    pub(crate) fn resolve(&self, rows: &[Row]) -> Resolved {
        let mut known = Resolving::default();
        for some in rows.chunks(ROWS_A_LOOK) {
            self.read_state().head.resolve(some, &mut known);
        }
        known.done()
    }

    /// The same as [`Memory::apply`], with the series of the rows looked up at any time before. Says
    /// also which series those are that were not known then; nothing of a duplicate.
    pub(crate) fn apply_resolved(
        &self,
        delivery: Delivery,
        resolved: &Resolved,
    ) -> (Outcome, Vec<SeriesId>) {
        self.write().apply_resolved(delivery, resolved)
    }

    /// The same labels, in the allocation of the series that bears them if there is one.
    pub(crate) fn share(&self, labels: Vec<Labels>) -> Vec<Labels> {
        let state = self.read_state();
        let shared = labels.into_iter().map(|one| state.head.share(one));
        shared.collect()
    }

    /// Begins to read a journal back.
    pub(crate) fn restoring(&self) -> Restoring<'_> {
        Restoring::new(self.write())
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

    /// Up to which arrival everything is in the generations up to that one, in steady milliseconds.
    pub(crate) fn horizon(&self, generation: u32) -> i64 {
        self.read_state().head.horizon(generation)
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

    /// Changes how much is kept, from the next append or expiry on.
    pub fn set_bounds(&self, bounds: Bounds) {
        self.write().head.set_bounds(bounds);
    }

    /// What the store holds.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.read_state().head.stats()
    }

    /// What fills it, with so many entries of each kind at the most. It looks at every series once.
    #[must_use]
    pub fn cardinality(&self, most: usize) -> Cardinality {
        self.read_state().head.cardinality(most)
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

impl State {
    fn apply(&mut self, delivery: Delivery) -> Outcome {
        let mut known = Resolving::default();
        self.head.resolve(&delivery.rows, &mut known);
        let resolved = known.done();
        self.apply_resolved(delivery, &resolved).0
    }

    fn apply_resolved(
        &mut self,
        mut delivery: Delivery,
        resolved: &Resolved,
    ) -> (Outcome, Vec<SeriesId>) {
        if self.is_duplicate(delivery.origin.as_ref(), &Summary::of(&delivery)) {
            return (Outcome::Duplicate, Vec::new());
        }
        let exemplars = std::mem::take(&mut delivery.exemplars);
        self.exemplars.extend(exemplars);
        let new = self.head.insert(delivery, resolved);
        (Outcome::Stored, new)
    }

    /// Writes in the ledger what came; says whether it was here already.
    fn is_duplicate(&mut self, origin: Option<&Origin>, summary: &Summary) -> bool {
        let Some(origin) = origin else {
            return false;
        };
        let is_known = self.ledger.has(&origin.id);
        self.ledger.record(origin, summary);
        is_known
    }
}

impl Append for Memory {
    async fn append(&self, mut deliveries: Vec<Delivery>) -> Result<Vec<Outcome>, AppendError> {
        let refused = self.sift(&self.limits, &mut deliveries);
        let outcomes = deliveries.into_iter().map(|delivery| self.apply(delivery));
        Ok(append::in_part(outcomes.collect(), &refused))
    }
}

impl Read for Memory {
    async fn select_aspect(
        &self,
        selector: &[Matcher],
        range: TimeRange,
        aspect: Aspect,
        max_samples: usize,
    ) -> Result<Vec<Series>, ReadError> {
        self.read_state()
            .head
            .select(selector, range, aspect, max_samples)
    }

    async fn series(
        &self,
        selectors: &[Selector],
        range: TimeRange,
        limit: Option<usize>,
    ) -> Result<Listing<Labels>, ReadError> {
        let found = self.read_state().head.labels_of(selectors, range);
        Ok(Listing::of(found, limit))
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
        Ok(Listing::of(names, limit))
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
        Ok(Listing::of(values, limit))
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

#[cfg(test)]
mod tests;
