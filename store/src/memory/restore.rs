//! Reading a journal back into memory.
//!
//! What comes back is what was there, with the same rules for duplicates, generations and bounds. But
//! samples wait until there are many, and then go in series by series: going from series to series for
//! each sample is going through all of memory for each scrape, and takes several times as long.

use std::cell::Cell;
use std::sync::RwLockWriteGuard;

use wire::batch::AgentId;

use crate::append::{Delivery, Outcome};
use crate::labels::Labels;
use crate::ledger::{Agent, Summary};
use crate::read::{Metadata, Sample};

use super::State;
use super::postings::SeriesId;

/// Samples that wait at the most: some 24 MB with what it takes to put them in order.
const MOST_WAITING: usize = 1 << 20;

/// A series as a journal names it, with the place in memory once it was needed.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) labels: Labels,
    id: Cell<Option<SeriesId>>,
}

/// Memory that is being filled. Others neither read nor append until it is dropped.
#[derive(Debug)]
pub(crate) struct Restoring<'a> {
    state: RwLockWriteGuard<'a, State>,
    waiting: Waiting,
}

/// Samples of one generation, in the order in which they came.
#[derive(Debug, Default)]
struct Waiting {
    generation: u32,
    series: Vec<SeriesId>,
    samples: Vec<Sample>,
    /// The places of the samples in the order of their series, while they go in.
    order: Vec<u32>,
    /// Where each series ends in that.
    ends: Vec<u32>,
}

impl From<Labels> for Named {
    fn from(labels: Labels) -> Self {
        Self {
            labels,
            id: Cell::default(),
        }
    }
}

impl<'a> Restoring<'a> {
    pub(super) fn new(state: RwLockWriteGuard<'a, State>) -> Self {
        Self {
            state,
            waiting: Waiting::default(),
        }
    }

    /// Takes in what a checkpoint knows.
    pub(crate) fn checkpoint(
        &mut self,
        agents: Vec<(AgentId, Agent)>,
        metadata: Vec<(String, Metadata)>,
    ) {
        for (id, agent) in agents {
            self.state.ledger.restore(id, agent);
        }
        self.state.head.restore_metadata(metadata);
    }

    /// Takes in a delivery without its rows. Only if it is stored its rows are to be given next.
    pub(crate) fn begin(&mut self, delivery: Delivery, summary: &Summary) -> Outcome {
        let origin = delivery.origin.as_ref();
        if self.state.is_duplicate(origin, summary) {
            return Outcome::Duplicate;
        }
        self.state.exemplars.extend(delivery.exemplars);
        self.state.head.restore_metadata(delivery.metadata);
        Outcome::Stored
    }

    /// Takes in the rows of a delivery, of which the caller says how many there are at the most.
    pub(crate) fn rows<'n>(
        &mut self,
        arrived_steady_ms: i64,
        count: usize,
        rows: impl Iterator<Item = (&'n Named, Sample)>,
    ) {
        if count == 0 {
            return;
        }
        let (generation, room) = self.state.head.room(arrived_steady_ms);
        let fits = |waiting: &Waiting| (waiting.samples.len() + count) as u64 <= room;
        if self.waiting.generation != generation
            || self.waiting.samples.len() >= MOST_WAITING
            || !fits(&self.waiting)
        {
            self.flush();
        }
        self.waiting.generation = generation;
        let head = &mut self.state.head;
        let (_, room) = head.room(arrived_steady_ms);
        if count as u64 > room {
            for (named, sample) in rows {
                let id = head.insert_row(arrived_steady_ms, named.id.get(), &named.labels, sample);
                named.id.set(Some(id));
            }
            head.evict();
            return;
        }
        for (named, sample) in rows {
            let known = named.id.get().filter(|id| head.has(*id));
            let id = known.unwrap_or_else(|| head.get_or_add(&named.labels));
            named.id.set(Some(id));
            self.waiting.series.push(id);
            self.waiting.samples.push(sample);
        }
    }

    /// Takes in a delivery whose rows bear their labels.
    pub(crate) fn labelled(&mut self, delivery: Delivery) -> Outcome {
        self.flush();
        self.state.apply(delivery)
    }

    fn flush(&mut self) {
        let waiting = &mut self.waiting;
        waiting.sort();
        let head = &mut self.state.head;
        let (mut more, mut from) = (0, 0);
        for (number, to) in (0u32..).zip(&waiting.ends) {
            let to = *to as usize;
            if from < to {
                let places = waiting.order[from..to].iter();
                let samples = places.map(|place| waiting.samples[*place as usize]);
                more += head.fill(waiting.generation, SeriesId::from(number), samples);
            }
            from = to;
        }
        head.count(waiting.generation, more);
        waiting.series.clear();
        waiting.samples.clear();
    }
}

impl Drop for Restoring<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}

impl Waiting {
    /// Orders the samples by series, those of one series as they came: counts how many each series
    /// has, and so where its first one goes.
    fn sort(&mut self) {
        let most = self.series.iter().max();
        let series = most.map_or(0, |most| most.number() as usize + 1);
        self.ends.clear();
        self.ends.resize(series, 0);
        for id in &self.series {
            self.ends[id.number() as usize] += 1;
        }
        let mut start = 0;
        for end in &mut self.ends {
            (start, *end) = (start + *end, start);
        }
        self.order.resize(self.samples.len(), 0);
        for (place, id) in (0u32..).zip(&self.series) {
            // Each start moves up to its end, sample by sample.
            let end = &mut self.ends[id.number() as usize];
            self.order[*end as usize] = place;
            *end += 1;
        }
    }
}
