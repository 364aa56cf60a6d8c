//! What fills memory: how many series, and the names, labels and values that have the most of them.
//!
//! It is looked at while appends wait, so nothing is copied but the few entries that are asked for.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What memory holds, by what makes it many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cardinality {
    /// How many series.
    pub series: u64,
    /// How many different pairs of a label and a value.
    pub label_pairs: u64,
    /// How many packed pieces the samples lie in.
    pub chunks: u64,
    /// The time of the oldest sample, in milliseconds since 1970.
    pub first_ms: Option<i64>,
    /// The time of the newest sample, in milliseconds since 1970.
    pub last_ms: Option<i64>,
    /// The metric names with the most series.
    pub series_by_name: Vec<Count>,
    /// The labels with the most values.
    pub values_by_label: Vec<Count>,
    /// The labels whose values would take the most bytes if each series had its own.
    pub bytes_by_label: Vec<Count>,
    /// The labels with a value, as `label=value`, with the most series.
    pub series_by_pair: Vec<Count>,
}

/// Something and how much there is of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// What it is called.
    pub name: String,
    /// How much.
    pub count: u64,
}

impl Count {
    pub(super) fn new(name: impl Into<String>, count: u64) -> Self {
        let name = name.into();
        Self { name, count }
    }
}

/// Keeps the entries that count most; of those that count alike, the first by name.
#[derive(Debug)]
pub(super) struct Largest<N> {
    most: usize,
    /// The least of them on top.
    kept: BinaryHeap<Reverse<(u64, Reverse<N>)>>,
}

impl<N: Ord> Largest<N> {
    /// Keeps so many.
    pub(super) fn new(most: usize) -> Self {
        let kept = BinaryHeap::new();
        Self { most, kept }
    }

    pub(super) fn push(&mut self, name: N, count: u64) {
        let entry = Reverse((count, Reverse(name)));
        if self.kept.len() < self.most {
            self.kept.push(entry);
        } else if let Some(mut least) = self.kept.peek_mut()
            && entry < *least
        {
            *least = entry;
        }
    }

    /// Those kept, the largest first.
    pub(super) fn into_counts(self, name: impl Fn(N) -> String) -> Vec<Count> {
        let sorted = self.kept.into_sorted_vec().into_iter();
        sorted
            .map(|Reverse((count, Reverse(of)))| Count::new(name(of), count))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_are_kept_in_order() {
        let check = |most: usize, expected: &[(&str, u64)]| {
            let mut largest = Largest::new(most);
            for (name, count) in [("d", 2), ("a", 1), ("c", 2), ("b", 9), ("e", 2)] {
                largest.push(name, count);
            }
            let found = largest.into_counts(str::to_owned);
            let expected = expected
                .iter()
                .map(|(name, count)| Count::new(*name, *count));
            assert_eq!(found, expected.collect::<Vec<_>>(), "{most}");
        };
        check(0, &[]);
        check(1, &[("b", 9)]);
        check(3, &[("b", 9), ("c", 2), ("d", 2)]);
        check(9, &[("b", 9), ("c", 2), ("d", 2), ("e", 2), ("a", 1)]);
    }
}
