//! What the numbers of the files that are being followed stand for.

use std::sync::{Arc, Mutex, PoisonError};

use crate::append::{Delivery, Row};
use crate::labels::Labels;
use crate::memory::Memory;

use super::super::dictionary::Dictionary;
use super::super::record::{Definitions, Numbered};

/// Files that are remembered. Followers are a few, and mostly at the end. The labels are those that
/// memory has, so that a file takes 16 bytes a series.
pub(in crate::journal) const MOST_FILES: usize = 4;

/// The files that were read last, the latest at the end.
#[derive(Debug, Default)]
pub(in crate::journal) struct Known(Mutex<Vec<(u64, Shared)>>);

type Shared = Arc<Mutex<Series>>;

/// The series of one file.
#[derive(Debug, Default)]
pub(super) struct Series {
    names: Dictionary<Labels>,
    /// All that is defined before this place is known.
    pub(super) read_to: u64,
}

impl Known {
    /// What is known of the file with that number.
    pub(super) fn of(&self, number: u64) -> Shared {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = files.iter().position(|(known, _)| *known == number);
        let file = place.map(|place| files.remove(place));
        let (_, series) = file.unwrap_or_default();
        if files.len() >= MOST_FILES {
            files.remove(0);
        }
        files.push((number, Arc::clone(&series)));
        series
    }
}

impl Series {
    pub(super) fn define(&mut self, definitions: Definitions, memory: &Memory) {
        let labels = memory.share(definitions.labels);
        self.names.define(definitions.first, labels);
    }

    pub(super) fn has_all(&self, numbered: &Numbered) -> bool {
        self.names.has_all(&numbered.series.0)
    }

    /// The delivery with its rows, but for those of which the series is not known.
    pub(super) fn name(&self, numbered: Numbered) -> Delivery {
        let Numbered {
            mut delivery,
            series,
            samples,
        } = numbered;
        let names = self.names.look_up(&series.0);
        let rows = names.zip(samples).filter_map(|(labels, sample)| {
            Some(Row {
                labels: labels?.clone(),
                sample,
            })
        });
        delivery.rows = rows.collect();
        delivery
    }
}
