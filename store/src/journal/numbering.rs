//! The numbers that series have in the segment that is being written.
//!
//! Numbers count up from 0 in the order in which series come first, so that what a sender gives in one
//! order over and over has numbers that follow each other. They go by the place of a series in memory,
//! which is its own for the life of the process: a number never stands for another series, and at worst
//! one series has two.

use crate::append::{AppendError, Delivery};
use crate::labels::Labels;
use crate::memory::{Resolved, RowSeries, SeriesId};
use crate::paged::Paged;

use super::record::{Runs, encode_series};

/// Bytes of a segment between a definition and its copy: more than any disk writes, and so damages,
/// at once.
const APART: u64 = 256 << 10;

#[derive(Debug, Default)]
pub(super) struct Numbering {
    numbers: Paged<u32>,
    next: u32,
    /// Frames of definitions that are to be written once more.
    copies: Vec<u8>,
    /// From which size of the segment on.
    copies_due: u64,
}

/// Numbers given for one write, until it is known whether it succeeded.
#[derive(Debug)]
pub(super) struct Given<'a> {
    first: u32,
    labels: Vec<&'a Labels>,
}

impl Numbering {
    pub(super) fn begin<'a>(&self) -> Given<'a> {
        Given {
            first: self.next,
            labels: Vec::new(),
        }
    }

    /// The number that is given next.
    pub(super) fn next(&self) -> u32 {
        self.next
    }

    /// Numbers the rows of a delivery. Gives also the number of its first new series; the others
    /// follow.
    pub(super) fn number<'a>(
        &mut self,
        delivery: &'a Delivery,
        resolved: &Resolved,
        given: &mut Given<'a>,
    ) -> (Runs, u32) {
        let first_new = self.next;
        let new = resolved
            .new
            .iter()
            .filter_map(|row| delivery.rows.get(*row));
        for row in new {
            self.define(&row.labels, given);
        }
        let mut runs = Runs::default();
        for (row, series) in delivery.rows.iter().zip(&resolved.rows) {
            let number = match *series {
                RowSeries::New(place) => first_new + place,
                RowSeries::Known(id) => self.number_of(id, &row.labels, given),
            };
            runs.push(number);
        }
        (runs, first_new)
    }

    /// The frames that are to stand before what uses the numbers: copies that are due, and then the
    /// definitions.
    pub(super) fn frames(&self, given: &Given<'_>, at: u64) -> Result<Definitions, AppendError> {
        let copies = match self.copies_due <= at {
            true => self.copies.clone(),
            false => Vec::new(),
        };
        let new = encode_series(given.first, &given.labels)?;
        Ok(Definitions { copies, new })
    }

    /// The write succeeded: the segment has that size now.
    pub(super) fn keep(&mut self, written: &Definitions, size: u64) {
        if !written.copies.is_empty() {
            self.copies = Vec::new();
        }
        if self.copies.is_empty() {
            self.copies_due = size + APART;
        }
        self.copies.extend_from_slice(&written.new);
    }

    /// The write failed: nothing of it is in the segment.
    pub(super) fn take_back(&mut self, first: u32) {
        self.numbers.retain(|_, number| *number < first);
        self.next = first;
    }

    /// Learns where new series are in memory, numbered from `first` on.
    pub(super) fn learn(&mut self, first: u32, ids: &[SeriesId]) {
        for (number, id) in (first..).zip(ids) {
            self.numbers.insert(id.number(), number);
        }
    }

    /// Whether numbers may run out.
    pub(super) fn is_spent(&self) -> bool {
        self.next > u32::MAX / 2
    }

    fn number_of<'a>(&mut self, id: SeriesId, labels: &'a Labels, given: &mut Given<'a>) -> u32 {
        if let Some(number) = self.numbers.get(id.number()) {
            return *number;
        }
        let number = self.define(labels, given);
        self.numbers.insert(id.number(), number);
        number
    }

    fn define<'a>(&mut self, labels: &'a Labels, given: &mut Given<'a>) -> u32 {
        given.labels.push(labels);
        let number = self.next;
        self.next += 1;
        number
    }
}

/// Frames of definitions.
#[derive(Debug)]
pub(super) struct Definitions {
    pub(super) copies: Vec<u8>,
    pub(super) new: Vec<u8>,
}
