//! The ledger: which deliveries of which agent are in the store, and what is known of each agent.
//!
//! It is what makes at-least-once delivery exactly-once: within a run an agent sends in the order of
//! its sequence, so one high-water mark a run tells a duplicate from news (see `wire::batch`). The
//! ledger must be as durable as the data that it speaks of; its owner sees to that.
//!
//! Everything is bounded, for identities come from the network: [`MAX_AGENTS`] agents, each with its
//! [`MAX_RUNS`] latest runs and [`MAX_SOURCES`] latest sources. What is forgotten is what was not
//! heard of for longest; its deliveries, should they come again, would count as new.

use std::collections::{BTreeMap, HashMap};

use wire::batch::{AgentId, BatchId, RunId, Sequence};

use crate::append::{Arrival, Delivery, Origin};

/// Ten times the largest fleet that one collector is meant for.
pub const MAX_AGENTS: usize = 10_000;
/// An agent that restarts every minute for an hour is still told apart.
pub const MAX_RUNS: usize = 64;
/// A host with hundreds of instances is not one that a person runs.
pub const MAX_SOURCES: usize = 256;

/// What is known of the agents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    agents: HashMap<AgentId, Agent>,
}

/// What is known of one agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Agent {
    /// Its host name, as it last gave it.
    pub host: String,
    /// When it was last heard of, by the collector's wall clock, in milliseconds since 1970.
    pub last_seen_ms: i64,
    /// When the newest sample of its latest delivery was measured, by its own clock. Not the newest
    /// ever: a clock that was ahead for a while must not hide for as long that the agent lags.
    pub newest_sample_ms: Option<i64>,
    /// How far its clock is ahead of the collector's, where that is known.
    pub skew_ms: Option<i64>,
    /// How many of its deliveries were stored.
    pub stored: u64,
    /// How many numbers it skipped: deliveries that it dropped before they were sent.
    pub skipped: u64,
    /// Its latest runs, the one heard of last at the end.
    pub runs: Vec<Run>,
    /// What its sources last gave.
    pub sources: BTreeMap<SourceId, SourceSeen>,
}

/// How far one run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Which run.
    pub id: RunId,
    /// Every delivery up to here is in the store or was never sent.
    pub mark: Sequence,
}

/// Which source of an agent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceId {
    /// The kind: `postgres`.
    pub source: String,
    /// What it looks at: `db1:5432`.
    pub instance: String,
}

/// What a source last gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceSeen {
    /// How many series.
    pub series: u64,
    /// When, by the collector's wall clock.
    pub last_seen_ms: i64,
}

/// What the ledger wants to know of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// When it arrived.
    pub arrival: Arrival,
    /// How many numbers it has.
    pub rows: u64,
    /// When the newest of them was measured.
    pub newest_ms: Option<i64>,
}

impl Summary {
    /// Of a delivery.
    #[must_use]
    pub fn of(delivery: &Delivery) -> Self {
        Self {
            arrival: delivery.arrival,
            rows: delivery.rows.len() as u64,
            newest_ms: delivery.rows.iter().map(|row| row.sample.at_ms).max(),
        }
    }
}

impl Ledger {
    /// Whether a delivery with this identity is in the store.
    #[must_use]
    pub fn has(&self, id: &BatchId) -> bool {
        self.mark(id.agent, id.run)
            .is_some_and(|mark| id.sequence <= mark)
    }

    /// The highest number of a run that is in the store.
    #[must_use]
    pub fn mark(&self, agent: AgentId, run: RunId) -> Option<Sequence> {
        let known = &self.agents.get(&agent)?.runs;
        known
            .iter()
            .rev()
            .find(|candidate| candidate.id == run)
            .map(|run| run.mark)
    }

    /// Writes a delivery down that is now in the store, or that came once more.
    pub fn record(&mut self, origin: &Origin, delivery: &Summary) {
        if !self.agents.contains_key(&origin.id.agent) {
            self.make_room_for_an_agent();
        }
        let agent = self.agents.entry(origin.id.agent).or_default();
        let is_new = agent.advance(origin.id.run, origin.id.sequence);
        agent.hear(origin, delivery);
        if is_new {
            agent.describe(origin, delivery);
        }
    }

    /// Takes an agent in as a checkpoint has it; marks never go back.
    pub fn restore(&mut self, id: AgentId, restored: Agent) {
        match self.agents.get_mut(&id) {
            None => {
                self.make_room_for_an_agent();
                self.agents.insert(id, restored);
            }
            Some(known) => known.merge(restored),
        }
    }

    /// All agents, in no order.
    pub fn agents(&self) -> impl Iterator<Item = (AgentId, &Agent)> {
        self.agents.iter().map(|(id, agent)| (*id, agent))
    }

    fn make_room_for_an_agent(&mut self) {
        if self.agents.len() < MAX_AGENTS {
            return;
        }
        let oldest = self
            .agents
            .iter()
            .min_by_key(|(_, agent)| agent.last_seen_ms);
        if let Some(id) = oldest.map(|(id, _)| *id) {
            self.agents.remove(&id);
        }
    }
}

impl Agent {
    /// Moves the run's mark up; says whether the number is above it.
    fn advance(&mut self, run: RunId, sequence: Sequence) -> bool {
        let known = self.runs.iter().position(|candidate| candidate.id == run);
        let mut entry = match known {
            Some(place) => self.runs.remove(place),
            None => Run {
                id: run,
                mark: Sequence(0),
            },
        };
        let is_new = sequence > entry.mark;
        if is_new {
            self.stored += 1;
            self.skipped = self.skipped.saturating_add(sequence.0 - entry.mark.0 - 1);
            entry.mark = sequence;
        }
        self.runs.push(entry);
        if self.runs.len() > MAX_RUNS {
            self.runs.remove(0);
        }
        is_new
    }

    fn hear(&mut self, origin: &Origin, delivery: &Summary) {
        let arrival = delivery.arrival;
        self.host.clone_from(&origin.host);
        self.last_seen_ms = arrival.wall_ms;
        self.skew_ms = skew(arrival.wall_ms, arrival.sent_ms, delivery.newest_ms);
    }

    fn describe(&mut self, origin: &Origin, delivery: &Summary) {
        if let Some(newest) = delivery.newest_ms {
            self.newest_sample_ms = Some(newest);
        }
        let source = SourceId {
            source: origin.source.clone(),
            instance: origin.instance.clone(),
        };
        let seen = SourceSeen {
            series: delivery.rows,
            last_seen_ms: delivery.arrival.wall_ms,
        };
        self.sources.insert(source, seen);
        if self.sources.len() > MAX_SOURCES {
            self.forget_oldest_source();
        }
    }

    fn forget_oldest_source(&mut self) {
        let oldest = self
            .sources
            .iter()
            .min_by_key(|(_, seen)| seen.last_seen_ms);
        if let Some(id) = oldest.map(|(id, _)| id.clone()) {
            self.sources.remove(&id);
        }
    }

    fn merge(&mut self, other: Self) {
        let newer = other.last_seen_ms > self.last_seen_ms;
        for run in other.runs.into_iter().rev() {
            if let Some(known) = self.runs.iter_mut().find(|known| known.id == run.id) {
                known.mark = known.mark.max(run.mark);
            } else if self.runs.len() < MAX_RUNS {
                self.runs.insert(0, run);
            }
        }
        self.stored = self.stored.max(other.stored);
        self.skipped = self.skipped.max(other.skipped);
        if newer {
            self.newest_sample_ms = other.newest_sample_ms;
            self.host = other.host;
            self.last_seen_ms = other.last_seen_ms;
            self.skew_ms = other.skew_ms;
            self.sources = other.sources;
        }
    }
}

/// How far the sender's clock is ahead. Where the sender says when it sent, by that; where it does
/// not, only a sample from the future proves anything: an old one may just have waited in a spool.
fn skew(arrived_ms: i64, sent_ms: Option<i64>, newest_ms: Option<i64>) -> Option<i64> {
    match sent_ms {
        Some(sent_ms) => Some(sent_ms.saturating_sub(arrived_ms)),
        None => newest_ms
            .map(|newest_ms| newest_ms.saturating_sub(arrived_ms))
            .filter(|ahead_ms| *ahead_ms > 0),
    }
}

#[cfg(test)]
mod tests;
