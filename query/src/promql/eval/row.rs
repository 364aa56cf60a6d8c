//! A series while it is evaluated: a number or none at each step.

use store::labels::Labels;
use store::read::{STALE, is_stale};

use crate::promql::error::QueryError;

/// No value at this step. The bits are those of the staleness marker, which never is a value:
/// selections drop it, and arithmetic cannot make it, for it gives quiet NaNs only.
pub(crate) const ABSENT: f64 = STALE;

/// Whether there is no value. Of a sample as stored: whether it says that the series has ended.
#[inline]
pub(crate) fn is_absent(value: f64) -> bool {
    is_stale(value)
}

/// A series with its values.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) labels: Labels,
    /// Whether the metric's name is no longer true. It goes at the very end, so that functions on
    /// labels can still read and replace it.
    pub(crate) unnamed: bool,
    /// One at each step.
    pub(crate) values: Vec<f64>,
}

impl Row {
    /// Whether there is a value at any step.
    pub(crate) fn has_values(&self) -> bool {
        self.values.iter().any(|value| !is_absent(*value))
    }
}

/// Where rows go.
pub(crate) type Sink<'s> = dyn FnMut(Row) -> Result<(), QueryError> + 's;

/// Applies a function to the values that are there.
pub(crate) fn map_present(values: &mut [f64], mut map: impl FnMut(f64) -> f64) {
    for value in values {
        if !is_absent(*value) {
            *value = map(*value);
        }
    }
}

/// Takes the values of one row into another; `false` if both have a value at one step.
pub(crate) fn merge(into: &mut [f64], from: &[f64]) -> bool {
    for (into, from) in into.iter_mut().zip(from) {
        if is_absent(*from) {
            continue;
        }
        if !is_absent(*into) {
            return false;
        }
        *into = *from;
    }
    true
}
