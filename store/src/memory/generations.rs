//! What arrived together and goes together: when each generation began and ended, and how much is in it.
//!
//! A *generation* is what arrived within a sixteenth of the retention, or a sixteenth of what the bounds
//! allow. It goes by arrival, not by the samples' own time: a host whose clock is a day off, or a spool
//! that held data for hours, loses nothing.

use std::collections::VecDeque;
use std::time::Duration;

use crate::append::millis;

use super::{Bounds, Ripe};

/// More generations let go more finely, and cost a span more in each series.
const GENERATIONS: u32 = 16;

/// Oldest first; the last takes in what arrives.
#[derive(Debug)]
pub(super) struct Generations {
    held: VecDeque<Generation>,
    next: u32,
    shares: Shares,
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

/// What one takes in at the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shares {
    samples: u64,
    series: u64,
    span: Duration,
    span_ms: i64,
}

impl Generations {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            held: VecDeque::new(),
            next: 0,
            shares: Shares::of(bounds),
        }
    }

    pub(super) fn set_bounds(&mut self, bounds: &Bounds) {
        self.shares = Shares::of(bounds);
    }

    pub(super) fn span(&self) -> Duration {
        self.shares.span
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// The generation that takes in what arrives now; opens one if it is time.
    pub(super) fn current(&mut self, arrived_steady_ms: i64) -> u32 {
        let Shares {
            samples,
            series,
            span_ms,
            ..
        } = self.shares;
        if let Some(last) = self.held.back_mut() {
            let is_full = last.samples >= samples || last.new_series >= series;
            let age_ms = arrived_steady_ms.saturating_sub(last.first_arrival_steady_ms);
            if !is_full && age_ms < span_ms {
                last.first_arrival_steady_ms = last.first_arrival_steady_ms.min(arrived_steady_ms);
                last.last_arrival_steady_ms = last.last_arrival_steady_ms.max(arrived_steady_ms);
                return last.number;
            }
        }
        self.begin(arrived_steady_ms)
    }

    /// How many samples and new series the current one takes in before it is full.
    pub(super) fn room(&self) -> (u64, u64) {
        self.held.back().map_or((0, 0), |last| {
            (
                self.shares.samples.saturating_sub(last.samples),
                self.shares.series.saturating_sub(last.new_series),
            )
        })
    }

    /// Counts samples that came into one.
    pub(super) fn count_samples(&mut self, number: u32, samples: u64) {
        let mut latest_first = self.held.iter_mut().rev();
        if let Some(one) = latest_first.find(|one| one.number == number) {
            one.samples += samples;
        }
    }

    /// Counts a series that came first in the current one.
    pub(super) fn count_series(&mut self) {
        if let Some(last) = self.held.back_mut() {
            last.new_series += 1;
        }
    }

    /// Has what arrives from now on open one, unless nothing arrived since the last was opened.
    pub(super) fn end(&mut self) {
        if let Some(last) = self.held.back()
            && last.samples > 0
        {
            self.begin(last.last_arrival_steady_ms.saturating_add(1));
        }
    }

    pub(super) fn ripe(&self, before_steady_ms: i64) -> Option<Ripe> {
        // The last one still takes in what arrives, unless it was ended.
        let over = self.held.len().checked_sub(1)?;
        let closed = self.held.iter().take(over);
        let old: Vec<&Generation> = closed
            .take_while(|one| one.last_arrival_steady_ms < before_steady_ms)
            .collect();
        let (first, last) = (old.first()?, old.last()?);
        Some(Ripe {
            through: last.number,
            arrived_from_ms: first.first_arrival_steady_ms,
            arrived_to_ms: last.last_arrival_steady_ms,
        })
    }

    /// How many there are up to that one.
    pub(super) fn through(&self, number: u32) -> usize {
        self.held.partition_point(|one| one.number <= number)
    }

    /// How many arrived whole before a moment.
    pub(super) fn before(&self, steady_ms: i64) -> usize {
        let all = self.held.iter();
        all.take_while(|one| one.last_arrival_steady_ms < steady_ms)
            .count()
    }

    /// Up to which arrival everything is in the oldest ones. Arrivals come in nearly ascending order
    /// only: where the next generation begins before these end, what arrived in between is not all in
    /// them.
    pub(super) fn horizon(&self, count: usize) -> i64 {
        let Some(last) = count.checked_sub(1).and_then(|at| self.held.get(at)) else {
            return i64::MIN;
        };
        let first_kept = self.held.get(count);
        first_kept.map_or(last.last_arrival_steady_ms, |kept| {
            let before_kept = kept.first_arrival_steady_ms.saturating_sub(1);
            last.last_arrival_steady_ms.min(before_kept)
        })
    }

    /// Drops the oldest; says the number of the last that went.
    pub(super) fn drop_oldest(&mut self, count: usize) -> Option<u32> {
        self.held.drain(..count).next_back().map(|one| one.number)
    }

    fn begin(&mut self, arrived_steady_ms: i64) -> u32 {
        let number = self.next;
        self.next += 1;
        self.held.push_back(Generation {
            number,
            first_arrival_steady_ms: arrived_steady_ms,
            last_arrival_steady_ms: arrived_steady_ms,
            samples: 0,
            new_series: 0,
        });
        number
    }
}

impl Shares {
    fn of(bounds: &Bounds) -> Self {
        let share = |bound: u64| (bound / u64::from(GENERATIONS)).max(1);
        let shared = bounds.retention / GENERATIONS;
        let span = bounds.generation.unwrap_or(shared);
        Self {
            samples: share(bounds.max_samples),
            series: share(bounds.max_series),
            span,
            span_ms: millis(span),
        }
    }
}
