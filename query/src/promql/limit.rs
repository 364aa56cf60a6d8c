//! How much a query may take, and what it says when it would take more.

use std::cell::Cell;
use std::fmt;

use store::read::{Sample, Series};

use super::error::QueryError;

/// Beside its values a series that is held takes its labels, a vector and its share of tables.
const SERIES_BYTES: usize = 128;

/// A bound that a query met, with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Samples read, or values held.
    Samples(usize),
    /// Series read.
    Series(usize),
    /// Bytes held.
    Memory(usize),
}

/// What is left of the bounds of one query.
#[derive(Debug)]
pub(crate) struct Budget {
    samples: Cell<usize>,
    series: Cell<usize>,
    memory: Cell<usize>,
    most: (usize, usize, usize),
}

impl Budget {
    pub(crate) fn new(samples: usize, series: usize, memory: usize) -> Self {
        Self {
            samples: Cell::new(samples),
            series: Cell::new(series),
            memory: Cell::new(memory),
            most: (samples, series, memory),
        }
    }

    /// How many samples may still be read.
    pub(crate) fn samples_left(&self) -> usize {
        self.samples
            .get()
            .min(self.memory.get() / size_of::<Sample>())
    }

    /// What it means that there were more than [`Budget::samples_left`].
    pub(crate) fn exceeded(&self) -> QueryError {
        let by_memory = self.memory.get() / size_of::<Sample>() < self.samples.get();
        QueryError::Limit(if by_memory {
            Limit::Memory(self.most.2)
        } else {
            Limit::Samples(self.most.0)
        })
    }

    /// Whether so many more samples could be held, without counting them.
    pub(crate) fn fits(&self, samples: usize) -> Result<(), QueryError> {
        if samples > self.samples_left() {
            return Err(self.exceeded());
        }
        Ok(())
    }

    /// Series were read. Says how many samples they have.
    pub(crate) fn read(&self, found: &[Series]) -> Result<usize, QueryError> {
        let samples: usize = found.iter().map(|series| series.samples.len()).sum();
        let labels: usize = found
            .iter()
            .map(|series| series.labels.as_encoded().len() + SERIES_BYTES)
            .sum();
        take(&self.series, found.len(), Limit::Series(self.most.1))?;
        take(&self.samples, samples, Limit::Samples(self.most.0))?;
        let bytes = samples.saturating_mul(size_of::<Sample>());
        self.bytes(bytes.saturating_add(labels))?;
        Ok(samples)
    }

    /// How many values are held.
    pub(crate) fn held(&self) -> usize {
        self.most.0 - self.samples.get()
    }

    /// Values of a series are held.
    pub(crate) fn hold(&self, values: usize) -> Result<(), QueryError> {
        take(&self.samples, values, Limit::Samples(self.most.0))?;
        self.bytes(values.saturating_mul(size_of::<f64>()) + SERIES_BYTES)
    }

    fn bytes(&self, bytes: usize) -> Result<(), QueryError> {
        take(&self.memory, bytes, Limit::Memory(self.most.2))
    }

    /// For evaluating what was loaded: the samples count anew, as values held; the memory does not.
    pub(crate) fn for_evaluation(&self) -> Self {
        Self {
            samples: Cell::new(self.most.0),
            series: Cell::new(self.most.1),
            memory: self.memory.clone(),
            most: self.most,
        }
    }
}

fn take(left: &Cell<usize>, count: usize, limit: Limit) -> Result<(), QueryError> {
    let after = left.get().checked_sub(count);
    left.set(after.ok_or(QueryError::Limit(limit))?);
    Ok(())
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // As Prometheus says it.
            Self::Samples(_) => f.write_str(
                "query processing would load too many samples into memory in query execution",
            ),
            Self::Series(most) => write!(f, "the query selects more than {most} series"),
            Self::Memory(most) => {
                let mebibytes = most / (1 << 20);
                write!(
                    f,
                    "the query would take more than {mebibytes} MiB of memory"
                )
            }
        }
    }
}
