//! The inverted index: for each label and value, the series that bear it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;

use crate::labels::{Labels, METRIC_NAME};
use crate::matcher::Matcher;

use super::cardinality::{Cardinality, Largest};

/// A series within the head; never given twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SeriesId(u32);

impl SeriesId {
    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }

    pub(crate) fn number(self) -> u32 {
        self.0
    }
}

impl From<u32> for SeriesId {
    fn from(number: u32) -> Self {
        Self(number)
    }
}

#[derive(Debug, Default)]
pub(super) struct Postings {
    /// Ids ascend, because they are given in ascending order and only ever appended.
    by_label: HashMap<Box<str>, BTreeMap<Box<str>, Vec<SeriesId>>>,
}

impl Postings {
    pub(super) fn add(&mut self, id: SeriesId, labels: &Labels) {
        for (name, value) in labels.iter() {
            if !self.by_label.contains_key(name) {
                self.by_label.insert(name.into(), BTreeMap::new());
            }
            // Present: inserted just above where it was not.
            let Some(values) = self.by_label.get_mut(name) else {
                continue;
            };
            match values.get_mut(value) {
                Some(ids) => ids.push(id),
                None => {
                    values.insert(value.into(), vec![id]);
                }
            }
        }
    }

    pub(super) fn remove(&mut self, gone: &HashMap<SeriesId, Labels>) {
        let touched: HashSet<(&str, &str)> = gone.values().flat_map(Labels::iter).collect();
        for (name, value) in touched {
            let Some(values) = self.by_label.get_mut(name) else {
                continue;
            };
            if let Some(ids) = values.get_mut(value) {
                ids.retain(|id| !gone.contains_key(id));
                if ids.is_empty() {
                    values.remove(value);
                }
            }
            if values.is_empty() {
                self.by_label.remove(name);
            }
        }
    }

    /// Whether any series has that value.
    pub(super) fn has(&self, label: &str, value: &str) -> bool {
        self.by_label
            .get(label)
            .is_some_and(|values| values.contains_key(value))
    }

    /// How many values a label has.
    pub(super) fn values(&self, label: &str) -> usize {
        self.by_label.get(label).map_or(0, BTreeMap::len)
    }

    /// What there is the most of, so many entries of each kind.
    pub(super) fn cardinality(&self, most: usize) -> Cardinality {
        let (mut names, mut pairs) = (Largest::new(most), Largest::new(most));
        let (mut values_of, mut bytes_of) = (Largest::new(most), Largest::new(most));
        let mut label_pairs = 0;
        for (label, values) in &self.by_label {
            let mut bytes = 0;
            for (value, ids) in values {
                let series = ids.len() as u64;
                if **label == *METRIC_NAME {
                    names.push(&**value, series);
                }
                pairs.push((&**label, &**value), series);
                bytes += value.len() as u64 * series;
            }
            label_pairs += values.len() as u64;
            values_of.push(&**label, values.len() as u64);
            bytes_of.push(&**label, bytes);
        }
        Cardinality {
            label_pairs,
            series_by_name: names.into_counts(str::to_owned),
            values_by_label: values_of.into_counts(str::to_owned),
            bytes_by_label: bytes_of.into_counts(str::to_owned),
            series_by_pair: pairs.into_counts(|(label, value)| format!("{label}={value}")),
            ..Cardinality::default()
        }
    }

    /// A superset of the series that the selector finds, each once, ascending; nothing where no matcher
    /// narrows them down. The caller checks each by the matchers that are not [`is_settled`].
    pub(super) fn candidates(&self, selector: &[Matcher]) -> Option<Vec<SeriesId>> {
        let narrowing = || selector.iter().filter(|matcher| !matcher.accepts(""));
        let mut by_value: Vec<Vec<&[SeriesId]>> = selector
            .iter()
            .filter(|matcher| is_settled(matcher))
            .filter_map(|matcher| Some(self.with_values(matcher, matcher.only_values()?)))
            .collect();
        by_value.sort_by_key(|lists| lists.iter().map(|ids| ids.len()).sum::<usize>());
        let mut by_value = by_value.into_iter();
        if let Some(fewest) = by_value.next() {
            let mut ids = union(&fewest);
            for lists in by_value {
                let mut lists: Vec<Ascending<'_>> = lists.into_iter().map(Ascending).collect();
                ids.retain(|id| lists.iter_mut().any(|ids| ids.has(*id)));
            }
            return Some(ids);
        }
        // Patterns are tried on the values of a label, of which there are fewer than series.
        let matcher = narrowing().min_by_key(|matcher| self.values(matcher.label()))?;
        Some(union(&self.with_pattern(matcher)))
    }

    fn with_values(&self, matcher: &Matcher, values: &[String]) -> Vec<&[SeriesId]> {
        let known = self.by_label.get(matcher.label());
        let of = values
            .iter()
            .filter_map(|value| known?.get(value.as_str()).map(Vec::as_slice));
        of.collect()
    }

    fn with_pattern(&self, matcher: &Matcher) -> Vec<&[SeriesId]> {
        let prefix = matcher.prefix();
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let values = self.by_label.get(matcher.label()).into_iter();
        let values = values.flat_map(|values| values.range::<str, _>(from));
        values
            .take_while(|(value, _)| value.starts_with(prefix))
            .filter(|(value, _)| matcher.accepts(value))
            .map(|(_, ids)| ids.as_slice())
            .collect()
    }
}

/// Whether [`Postings::candidates`] are only series that the matcher lets pass.
pub(super) fn is_settled(matcher: &Matcher) -> bool {
    !matcher.accepts("") && matcher.only_values().is_some()
}

/// What is left of a list that is asked for ascending ids.
struct Ascending<'a>(&'a [SeriesId]);

impl Ascending<'_> {
    /// Whether it has an id; those before are left behind. The next one is nearly always near, so the
    /// steps to it grow from one.
    fn has(&mut self, id: SeriesId) -> bool {
        let mut reach = 1;
        while self.0.get(reach).is_some_and(|far| *far <= id) {
            reach *= 2;
        }
        let near = self.0.get(..=reach).unwrap_or(self.0);
        let before = near.partition_point(|known| *known < id);
        self.0 = &self.0[before..];
        self.0.first() == Some(&id)
    }
}

/// A series has one value of a label, so lists of one label have nothing in common.
fn union(lists: &[&[SeriesId]]) -> Vec<SeriesId> {
    let mut ids = lists.concat();
    if lists.len() > 1 {
        ids.sort_unstable();
    }
    ids
}
