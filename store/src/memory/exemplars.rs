//! The newest exemplars, in a ring: the oldest arrival makes room for the newest.
//!
//! Series are found by looking at every one that has an exemplar. The ring bounds that, and exemplars
//! are asked for when a person opens a graph, not each second.

use std::collections::{HashMap, VecDeque};

use crate::labels::Labels;
use crate::read::{Exemplar, Selector, SeriesExemplars, TimeRange};

/// As many as Prometheus keeps unless it is told otherwise; with their labels about 30 MB.
const MAX_EXEMPLARS: usize = 100_000;

#[derive(Debug)]
pub(super) struct Exemplars {
    by_series: HashMap<Labels, VecDeque<Exemplar>>,
    /// The series of each exemplar, in the order of arrival.
    arrivals: VecDeque<Labels>,
    limit: usize,
}

impl Default for Exemplars {
    fn default() -> Self {
        Self::with_limit(MAX_EXEMPLARS)
    }
}

impl Exemplars {
    fn with_limit(limit: usize) -> Self {
        Self {
            by_series: HashMap::new(),
            arrivals: VecDeque::new(),
            limit,
        }
    }

    pub(super) fn extend(&mut self, exemplars: Vec<(Labels, Exemplar)>) {
        for (series, exemplar) in exemplars {
            self.push(series, exemplar);
        }
    }

    /// A sender repeats its newest exemplar until it has a newer one: what is not newer is known.
    fn push(&mut self, series: Labels, exemplar: Exemplar) {
        let kept = self.by_series.entry(series.clone()).or_default();
        let newest = kept.back().map(|newest| newest.sample.at_ms);
        if newest.is_some_and(|newest| exemplar.sample.at_ms <= newest) {
            return;
        }
        kept.push_back(exemplar);
        self.arrivals.push_back(series);
        if self.arrivals.len() > self.limit {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some(series) = self.arrivals.pop_front() else {
            return;
        };
        if let Some(kept) = self.by_series.get_mut(&series) {
            kept.pop_front();
            if kept.is_empty() {
                self.by_series.remove(&series);
            }
        }
    }

    pub(super) fn select(&self, selectors: &[Selector], range: TimeRange) -> Vec<SeriesExemplars> {
        let is_selected = |labels: &Labels| {
            selectors.iter().any(|selector| {
                selector
                    .iter()
                    .all(|matcher| matcher.accepts(labels.get(matcher.label()).unwrap_or_default()))
            })
        };
        let mut found: Vec<SeriesExemplars> = self
            .by_series
            .iter()
            .filter(|(series, _)| selectors.is_empty() || is_selected(series))
            .map(|(series, kept)| SeriesExemplars {
                series: series.clone(),
                exemplars: kept
                    .iter()
                    .filter(|exemplar| range.contains(exemplar.sample.at_ms))
                    .cloned()
                    .collect(),
            })
            .filter(|series| !series.exemplars.is_empty())
            .collect();
        found.sort_by(|one, other| one.series.cmp(&other.series));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::Sample;

    fn exemplar(at_ms: i64) -> Exemplar {
        Exemplar {
            labels: Labels::from_pairs([("trace_id", "t")]),
            sample: Sample { at_ms, value: 1.0 },
        }
    }

    fn kept(exemplars: &Exemplars) -> Vec<(String, Vec<i64>)> {
        let found = exemplars.select(&[], TimeRange::ALL).into_iter();
        let times = |series: SeriesExemplars| {
            let times = series.exemplars.iter().map(|one| one.sample.at_ms);
            (series.series.metric_name().to_owned(), times.collect())
        };
        found.map(times).collect()
    }

    #[test]
    fn the_oldest_arrival_makes_room() {
        let mut exemplars = Exemplars::with_limit(3);
        for (series, at_ms) in [("a", 1), ("b", 5), ("a", 2), ("a", 2), ("b", 4), ("a", 3)] {
            let series = Labels::from_pairs([("__name__", series)]);
            exemplars.push(series, exemplar(at_ms));
        }
        let expected = [("a".to_owned(), vec![2, 3]), ("b".to_owned(), vec![5])];
        assert_eq!(kept(&exemplars), expected);
        exemplars.push(Labels::from_pairs([("__name__", "c")]), exemplar(0));
        let expected = [("a".to_owned(), vec![2, 3]), ("c".to_owned(), vec![0])];
        assert_eq!(kept(&exemplars), expected);
        assert_eq!(exemplars.by_series.len(), 2);
    }
}
