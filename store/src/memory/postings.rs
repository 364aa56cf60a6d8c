//! The inverted index: for each label and value, the series that bear it.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::labels::Labels;
use crate::matcher::Matcher;

/// A series within the head; never given twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SeriesId(u32);

impl SeriesId {
    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
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

    /// A superset of the series that the selector finds, each once; nothing where no matcher narrows
    /// them down. The caller checks each.
    pub(super) fn candidates(&self, selector: &[Matcher]) -> Option<Vec<SeriesId>> {
        let narrowing = || selector.iter().filter(|matcher| !matcher.accepts(""));
        let by_value = narrowing()
            .filter_map(|matcher| {
                let value = matcher.only_value()?;
                let ids = self
                    .by_label
                    .get(matcher.label())
                    .and_then(|values| values.get(value));
                Some(ids.map_or(&[][..], Vec::as_slice))
            })
            .min_by_key(|ids| ids.len());
        if let Some(ids) = by_value {
            return Some(ids.to_vec());
        }
        let matcher = narrowing().next()?;
        let values = self.by_label.get(matcher.label());
        let ids = values
            .into_iter()
            .flatten()
            .filter(|(value, _)| matcher.accepts(value))
            .flat_map(|(_, ids)| ids.iter().copied())
            .collect();
        Some(ids)
    }
}
